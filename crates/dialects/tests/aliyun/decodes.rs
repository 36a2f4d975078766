//! What each action asks.

use crate::support::{INSTANCE, ask};
use claviger_core::command::{
    Ask, Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, Target,
};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{AccountQuery, InstanceQuery, Page, Query};
use claviger_core::refusal::Refusal;

const ID: (&str, &str) = ("InstanceId", INSTANCE);
const NAME: (&str, &str) = ("AccountName", "demo");
const PASSWORD: (&str, &str) = ("AccountPassword", "abcABC12");

fn command(action: &str, list: &[(&str, &str)]) -> (Command, Option<String>) {
    match ask(action, list).unwrap() {
        Ask::Command { command, token } => (command, token),
        other => unreachable!("{other:?}"),
    }
}

fn create(list: &[(&str, &str)]) -> CreateAccount {
    let mut all = vec![ID, NAME, PASSWORD];
    all.extend_from_slice(list);
    match command("CreateAccount", &all).0 {
        Command::Create(create) => create,
        other => unreachable!("{other:?}"),
    }
}

fn modify(action: &str, list: &[(&str, &str)]) -> ModifyAccount {
    match command(action, list).0 {
        Command::Modify(modify) => modify,
        other => unreachable!("{other:?}"),
    }
}

fn query(action: &str, list: &[(&str, &str)]) -> Query {
    match ask(action, list).unwrap() {
        Ask::Query(query) => query,
        other => unreachable!("{other:?}"),
    }
}

fn is_invalid(result: &Result<Ask, Refusal>, wanted: &str) -> bool {
    matches!(result, Err(Refusal::ParameterInvalid { name, .. }) if *name == wanted)
}

#[test]
fn create_account() {
    let plain = create(&[]);
    assert_eq!(plain.instance.as_str(), INSTANCE);
    assert_eq!(plain.name, "demo");
    assert_eq!(plain.password.expose(), "abcABC12");
    assert_eq!(plain.privilege, Asked::Known(Privilege::ReadWrite));
    assert_eq!(plain.routing, Asked::Known(Routing::PRIMARY));
    assert_eq!(plain.description, None);
    for (word, privilege) in [
        ("RoleReadOnly", Asked::Known(Privilege::ReadOnly)),
        ("RoleReadWrite", Asked::Known(Privilege::ReadWrite)),
        ("RoleRepl", Asked::Known(Privilege::Replication)),
        ("", Asked::Known(Privilege::ReadWrite)),
        ("rolereadonly", Asked::Unknown),
        ("Admin", Asked::Unknown),
    ] {
        assert_eq!(create(&[("AccountPrivilege", word)]).privilege, privilege);
    }
    let all = create(&[
        ("AccountType", "Normal"),
        ("AccountDescription", "测 试"),
        ("RegionId", "nowhere"),
        ("OwnerId", "1"),
        ("SourceBiz", "x"),
        ("SecurityToken", "business"),
    ]);
    assert_eq!(all.description.as_deref(), Some("测 试"));
    for (list, token) in [
        (&[ID, NAME, PASSWORD, ("ClientToken", "t-1")], Some("t-1")),
        (&[ID, NAME, PASSWORD, ("ClientToken", "")], None),
    ] {
        assert_eq!(command("CreateAccount", list).1.as_deref(), token);
    }
}

#[test]
fn create_account_refused() {
    let with = |extra: (&str, &str)| ask("CreateAccount", &[ID, NAME, PASSWORD, extra]);
    assert!(is_invalid(&with(("AccountType", "Super")), "AccountType"));
    assert!(is_invalid(
        &with(("ClientToken", &"t".repeat(129))),
        "ClientToken"
    ));
    assert!(matches!(
        with(("Parameters", "{}")),
        Err(Refusal::NotSupported(_))
    ));
    for name in ["InstanceId", "AccountName", "AccountPassword"] {
        let kept: Vec<_> = [ID, NAME, PASSWORD]
            .into_iter()
            .filter(|(n, _)| *n != name)
            .collect();
        let result = ask("CreateAccount", &kept);
        assert!(matches!(result, Err(Refusal::ParameterMissing { name: n }) if n == name));
        let mut empty = kept;
        empty.push((name, ""));
        let result = ask("CreateAccount", &empty);
        assert!(matches!(result, Err(Refusal::ParameterMissing { name: n }) if n == name));
    }
}

#[test]
fn changes() {
    let grant = modify(
        "GrantAccountPrivilege",
        &[ID, NAME, ("AccountPrivilege", "RoleRepl")],
    );
    assert_eq!(grant.target, Target::Name("demo".into()));
    assert_eq!(grant.privilege, Some(Asked::Known(Privilege::Replication)));
    assert!(grant.password.is_none() && grant.description.is_none() && grant.routing.is_none());
    let grant = modify(
        "GrantAccountPrivilege",
        &[ID, NAME, ("AccountPrivilege", "x")],
    );
    assert_eq!(grant.privilege, Some(Asked::Unknown));

    for text in ["new", ""] {
        let list = [ID, NAME, ("AccountDescription", text)];
        let change = modify("ModifyAccountDescription", &list);
        assert_eq!(change.description.as_deref(), Some(text));
        assert!(change.privilege.is_none() && change.password.is_none());
    }
    let reset = modify("ResetAccountPassword", &[ID, NAME, PASSWORD])
        .password
        .unwrap();
    assert!(reset.old.is_none());
    assert_eq!(reset.new.expose(), "abcABC12");
    let list = [
        ID,
        NAME,
        ("OldAccountPassword", "old"),
        ("NewAccountPassword", "new"),
    ];
    let change = modify("ModifyAccountPassword", &list).password.unwrap();
    assert_eq!(change.old.unwrap().expose(), "old");
    assert_eq!(change.new.expose(), "new");
}

#[test]
fn missing_in_changes() {
    for (action, names) in [
        ("DeleteAccount", &["InstanceId", "AccountName"][..]),
        (
            "GrantAccountPrivilege",
            &["InstanceId", "AccountName", "AccountPrivilege"],
        ),
        (
            "ModifyAccountDescription",
            &["InstanceId", "AccountName", "AccountDescription"],
        ),
        (
            "ResetAccountPassword",
            &["InstanceId", "AccountName", "AccountPassword"],
        ),
        (
            "ModifyAccountPassword",
            &[
                "InstanceId",
                "AccountName",
                "OldAccountPassword",
                "NewAccountPassword",
            ],
        ),
        (
            "ModifyAccountParameter",
            &["InstanceId", "AccountName", "Parameters"],
        ),
        ("DescribeAccounts", &["InstanceId"]),
        ("DescribeInstanceAttribute", &["InstanceId"]),
        ("DescribeHistoryTasks", &["FromStartTime", "ToStartTime"]),
    ] {
        for missing in names {
            let kept: Vec<_> = names
                .iter()
                .filter(|name| *name != missing)
                .map(|name| match *name {
                    "FromStartTime" | "ToStartTime" => (*name, "2026-01-02T03:04:05Z"),
                    name => (name, "x"),
                })
                .collect();
            let result = ask(action, &kept);
            assert!(
                matches!(result, Err(Refusal::ParameterMissing { name }) if name == *missing),
                "{action} without {missing}: {result:?}"
            );
        }
    }
}

/// Both names of the default account are one target.
#[test]
fn default_account() {
    for name in [INSTANCE, "default"] {
        let name = ("AccountName", name);
        let delete = command("DeleteAccount", &[ID, name]).0;
        assert!(matches!(
            delete,
            Command::Delete(DeleteAccount {
                target: Target::Default,
                ..
            })
        ));
        let privilege = ("AccountPrivilege", "RoleReadOnly");
        let old = ("OldAccountPassword", "x");
        let new = ("NewAccountPassword", "x");
        for (action, list) in [
            ("GrantAccountPrivilege", &[ID, name, privilege][..]),
            ("ResetAccountPassword", &[ID, name, PASSWORD]),
            ("ModifyAccountPassword", &[ID, name, old, new]),
            (
                "ModifyAccountDescription",
                &[ID, name, ("AccountDescription", "x")],
            ),
        ] {
            assert_eq!(modify(action, list).target, Target::Default, "{action}");
        }
        let Query::Accounts(query) = query("DescribeAccounts", &[ID, name]) else {
            unreachable!()
        };
        assert_eq!(query.name.as_deref(), Some("default"));
    }
}

#[test]
fn modify_account_parameter() {
    let result = ask("ModifyAccountParameter", &[ID, NAME, ("Parameters", "{}")]);
    assert!(matches!(result, Err(Refusal::NotSupported(_))));
}

#[test]
fn describe_accounts() {
    let all = Query::Accounts(AccountQuery {
        instance: INSTANCE.into(),
        name: None,
        name_part: None,
        page: Page::ALL,
    });
    assert_eq!(query("DescribeAccounts", &[ID]), all);
    // Counting and paging are done on the rows shown.
    let paged = [
        ID,
        ("PageSize", "5"),
        ("PageNumber", "2"),
        ("SearchAccountName", "d"),
    ];
    assert_eq!(query("DescribeAccounts", &paged), all);
    for (name, value) in [
        ("PageNumber", "0"),
        ("PageNumber", "-1"),
        ("PageNumber", "x"),
        ("PageNumber", "1.5"),
        ("PageNumber", "+1"),
        ("PageNumber", "9999999999"),
        ("PageSize", "0"),
        ("PageSize", "1001"),
        ("SearchAccountName", &"s".repeat(129)),
        ("AccountName", &"s".repeat(129)),
    ] {
        assert!(
            is_invalid(&ask("DescribeAccounts", &[ID, (name, value)]), name),
            "{value}"
        );
    }
}

#[test]
fn describe_instances() {
    let plain = InstanceQuery {
        page: Page {
            offset: 0,
            limit: 30,
        },
        ..InstanceQuery::default()
    };
    assert_eq!(
        query("DescribeInstances", &[]),
        Query::Instances(plain.clone())
    );
    let list = [
        ("RegionId", "eu-1"),
        ("InstanceIds", "r-1, r-2,"),
        ("SearchKey", "x"),
        ("PageSize", "50"),
        ("PageNumber", "3"),
    ];
    let full = InstanceQuery {
        ids: vec!["r-1".into(), "r-2".into()],
        region: Some("eu-1".into()),
        search: Some("x".into()),
        page: Page {
            offset: 100,
            limit: 50,
        },
        ..InstanceQuery::default()
    };
    assert_eq!(query("DescribeInstances", &list), Query::Instances(full));
    // What the core does not filter by is filtered in the answer.
    let filtered = InstanceQuery {
        ids: vec!["r-1".into()],
        page: Page::ALL,
        ..plain
    };
    let list = [
        ("InstanceId", "r-1"),
        ("Expired", "true"),
        ("PageSize", "50"),
    ];
    assert_eq!(
        query("DescribeInstances", &list),
        Query::Instances(filtered)
    );
    let list = [("InstanceId", "r-3"), ("InstanceIds", "r-1,r-2")];
    assert_eq!(query("DescribeInstances", &list), Query::Nothing);
    let many = vec!["r"; 31].join(",");
    for (name, value) in [
        ("PageSize", "51"),
        ("InstanceIds", &many),
        ("VpcId", &"v".repeat(129)),
    ] {
        assert!(is_invalid(
            &ask("DescribeInstances", &[(name, value)]),
            name
        ));
    }
}

#[test]
fn other_reads() {
    assert_eq!(
        query("DescribeInstanceAttribute", &[ID]),
        Query::Instance(INSTANCE.into())
    );
    assert_eq!(
        query("DescribeRegions", &[("AcceptLanguage", "en-US")]),
        Query::Regions
    );
    assert_eq!(query("DescribeZones", &[("RegionId", "x")]), Query::Regions);
    let times = [
        ("FromStartTime", "2026-01-02T03:04:05Z"),
        ("ToStartTime", "2026-01-03T03:04:05Z"),
    ];
    assert_eq!(query("DescribeHistoryTasks", &times), Query::Nothing);
    for (name, value) in [("PageSize", "9"), ("PageSize", "101"), ("PageNumber", "0")] {
        let list = [times[0], times[1], (name, value)];
        assert!(is_invalid(&ask("DescribeHistoryTasks", &list), name));
    }
    let list = [times[0], ("ToStartTime", "tomorrow")];
    assert!(is_invalid(
        &ask("DescribeHistoryTasks", &list),
        "ToStartTime"
    ));
}

#[test]
fn a_nul_byte_is_refused_wherever_it_is_read() {
    for (action, name) in [
        ("CreateAccount", "InstanceId"),
        ("CreateAccount", "AccountName"),
        ("CreateAccount", "AccountDescription"),
        ("CreateAccount", "ClientToken"),
        ("DeleteAccount", "AccountName"),
        ("DescribeAccounts", "InstanceId"),
        ("DescribeInstances", "InstanceIds"),
        ("DescribeInstances", "SearchKey"),
    ] {
        let mut list = vec![ID, NAME, PASSWORD];
        list.retain(|(given, _)| *given != name);
        list.push((name, "a\0b"));
        let refused = ask(action, &list).unwrap_err();
        let told = matches!(refused, Refusal::ParameterInvalid { name: told, .. } if told == name);
        assert!(told, "{action} {name}: {refused:?}");
    }
}
