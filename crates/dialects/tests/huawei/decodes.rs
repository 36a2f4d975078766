//! What each action asks.

use crate::support::{ACCOUNT, INSTANCE, PROJECT, accept, ask, raw, signed};
use claviger_core::command::{Ask, Asked, Command, CreateAccount, ModifyAccount, Target};
use claviger_core::ids::TaskId;
use claviger_core::instance::InstanceState;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{AccountQuery, InstanceQuery, Page, Query, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_dialects::huawei::client::Signer;

const WHOLE: [(&str, &str); 3] = [
    ("account_name", "app-1"),
    ("account_role", "read"),
    ("account_password", "Passw0rd!1"),
];

fn create(list: &[(&str, &str)]) -> CreateAccount {
    let mut all = WHOLE.to_vec();
    all.extend_from_slice(list);
    match ask("CreateAclAccount", &all).unwrap() {
        Ask::Command {
            command: Command::Create(create),
            token: None,
        } => create,
        other => unreachable!("{other:?}"),
    }
}

fn modify(action: &str, list: &[(&str, &str)]) -> ModifyAccount {
    match ask(action, list).unwrap() {
        Ask::Command {
            command: Command::Modify(modify),
            token: None,
        } => modify,
        other => unreachable!("{other:?}"),
    }
}

fn query(action: &str, list: &[(&str, &str)]) -> Query {
    match ask(action, list).unwrap() {
        Ask::Query(query) => query,
        other => unreachable!("{other:?}"),
    }
}

fn with_body(action: &str, body: &str) -> Result<Ask, Refusal> {
    ask(action, &[("body", body)])
}

fn is_invalid(result: &Result<Ask, Refusal>, wanted: &str) -> bool {
    matches!(result, Err(Refusal::ParameterInvalid { name, .. }) if *name == wanted)
}

fn is_missing(result: &Result<Ask, Refusal>, wanted: &str) -> bool {
    matches!(result, Err(Refusal::ParameterMissing { name }) if *name == wanted)
}

#[test]
fn create_account() {
    let plain = create(&[]);
    assert_eq!(plain.instance.as_str(), INSTANCE);
    assert_eq!(plain.name, "app-1");
    assert_eq!(plain.password.expose(), "Passw0rd!1");
    assert_eq!(plain.privilege, Asked::Known(Privilege::ReadOnly));
    assert_eq!(plain.routing, Asked::Known(Routing::PRIMARY));
    assert_eq!(plain.description, None);
    let all = create(&[
        ("description", "デモ \\ \" \n"),
        ("account_read_policy", "master-replica"),
        ("something_new", "x"),
    ]);
    assert_eq!(all.description.as_deref(), Some("デモ \\ \" \n"));
    let both = Routing {
        primary: true,
        replica: true,
    };
    assert_eq!(all.routing, Asked::Known(both));
    for (word, privilege) in [
        ("read", Asked::Known(Privilege::ReadOnly)),
        ("write", Asked::Known(Privilege::ReadWrite)),
        ("Read", Asked::Unknown),
        ("", Asked::Unknown),
    ] {
        let body =
            format!(r#"{{"account_name":"a","account_password":"p","account_role":"{word}"}}"#);
        let Ok(Ask::Command {
            command: Command::Create(create),
            ..
        }) = with_body("CreateAclAccount", &body)
        else {
            unreachable!("{word}");
        };
        assert_eq!(create.privilege, privilege, "{word}");
    }
}

#[test]
fn bodies() {
    for body in ["", " \n"] {
        assert!(matches!(
            with_body("CreateAclAccount", body),
            Err(Refusal::BodyEmpty)
        ));
    }
    for body in [
        "x",
        "[]",
        "null",
        "\"x\"",
        "{",
        "{} {}",
        "{\"account_name\":\"a\",\"account_name\":\"b\"}",
        "{'account_name':'a'}",
        "{\"account_name\":\"\\ud800\"}",
        &"[".repeat(100_000),
        &format!("{{\"x\":{}", "[".repeat(100_000)),
        &format!(
            "{{{}\"y\":1}}",
            (0..64).map(|n| format!("\"{n}\":1,")).collect::<String>()
        ),
    ] {
        let result = with_body("CreateAclAccount", body);
        let head = body.get(..20).unwrap_or(body);
        assert!(matches!(result, Err(Refusal::Malformed(_))), "{head}");
    }
    for (name, _) in WHOLE {
        let kept: Vec<_> = WHOLE.into_iter().filter(|(n, _)| *n != name).collect();
        assert!(is_missing(&ask("CreateAclAccount", &kept), name), "{name}");
    }
    for value in ["1", "1.5", "-1", "true", "[\"a\"]", "{\"a\":\"b\"}"] {
        for name in [
            "account_name",
            "account_role",
            "account_password",
            "description",
        ] {
            let mut members: Vec<String> = WHOLE
                .iter()
                .filter(|(n, _)| *n != name)
                .map(|(n, v)| format!("{n:?}:{v:?}"))
                .collect();
            members.push(format!("{name:?}:{value}"));
            let body = format!("{{{}}}", members.join(","));
            let result = with_body("CreateAclAccount", &body);
            assert!(is_invalid(&result, name), "{body}");
        }
    }
    // Null is absence, and what is not known is passed over, whatever it is.
    let body = r#" {"account_name":"a","account_password":"p","account_role":"read",
        "description":null,"x":[1,{"y":null}],"z":{"a":[]},"n":1e9}
        "#;
    assert!(with_body("CreateAclAccount", body).is_ok());
}

#[test]
fn a_body_that_is_not_text() {
    let mut request = signed(Signer::HmacSha256, "UpdateAclAccountRemark", &[]);
    let whole = accept(&signed(
        Signer::HmacSha256,
        "UpdateAclAccountRemark",
        &[("description", "x")],
    ));
    assert!(whole.is_ok());
    request.body = b"{\"description\":\"\xff\"}".to_vec();
    let envelope = claviger_dialects::Dialect::open(&claviger_dialects::huawei::Huawei, &request);
    let result =
        claviger_dialects::Dialect::decode(&claviger_dialects::huawei::Huawei, &envelope.unwrap());
    assert!(matches!(result, Err(Refusal::Malformed(_))));
}

#[test]
fn changes() {
    let role = modify("UpdateAclAccount", &[("account_role", "write")]);
    assert_eq!(role.target, Target::Id(ACCOUNT.into()));
    assert_eq!(role.privilege, Some(Asked::Known(Privilege::ReadWrite)));
    assert!(role.password.is_none() && role.description.is_none() && role.routing.is_none());
    for (word, routing) in [
        ("master", Some((true, false))),
        ("replica", Some((false, true))),
        ("master-replica", Some((true, true))),
        ("any", None),
    ] {
        let policy = modify("UpdateAclAccount", &[("account_read_policy", word)]);
        let wanted = routing.map_or(Asked::Unknown, |(primary, replica)| {
            Asked::Known(Routing { primary, replica })
        });
        assert_eq!(policy.routing, Some(wanted), "{word}");
        assert!(policy.privilege.is_none());
    }
    assert!(is_missing(&ask("UpdateAclAccount", &[]), "account_role"));

    let list = [
        ("old_password", "Old-pass-1"),
        ("new_password", "New-pass-1"),
    ];
    for (action, target) in [
        ("UpdateAclAccountPassWord", Target::Id(ACCOUNT.into())),
        ("UpdatePassword", Target::Default),
    ] {
        let change = modify(action, &list);
        assert_eq!(change.target, target);
        let password = change.password.unwrap();
        assert_eq!(password.old.unwrap().expose(), "Old-pass-1");
        assert_eq!(password.new.expose(), "New-pass-1");
        assert!(is_missing(&ask(action, &list[..1]), "new_password"));
        assert!(is_missing(&ask(action, &list[1..]), "old_password"));
    }
    let reset = modify("ResetAclAccountPassWord", &list);
    assert!(reset.password.unwrap().old.is_none());
    let remark = modify("UpdateAclAccountRemark", &[("description", "")]);
    assert_eq!(remark.description.as_deref(), Some(""));
    assert!(is_missing(
        &ask("UpdateAclAccountRemark", &[]),
        "description"
    ));

    let Ok(Ask::Command {
        command: Command::Delete(delete),
        token: None,
    }) = ask("DeleteAclAccount", &[])
    else {
        unreachable!("not a deletion");
    };
    assert_eq!(delete.instance.as_str(), INSTANCE);
    assert_eq!(delete.target, Target::Id(ACCOUNT.into()));
}

/// Wrong passwords are counted by the account's identity, so it has one spelling.
#[test]
fn identities_have_one_spelling() {
    for spelling in [
        ACCOUNT.to_uppercase(),
        ACCOUNT.replace('-', ""),
        format!("{{{ACCOUNT}}}"),
        format!("urn:uuid:{ACCOUNT}"),
    ] {
        let list = [("account_id", spelling.as_str()), ("description", "")];
        let remark = modify("UpdateAclAccountRemark", &list);
        assert_eq!(remark.target, Target::Id(ACCOUNT.into()), "{spelling}");
    }
    let list = [("account_id", "app-1"), ("description", "")];
    let remark = modify("UpdateAclAccountRemark", &list);
    assert_eq!(remark.target, Target::Id("app-1".into()));
}

#[test]
fn password_free() {
    let of = |body: &str| match with_body("ResetPassword", body) {
        Ok(Ask::Command {
            command: Command::Modify(modify),
            ..
        }) => {
            assert_eq!(modify.target, Target::Default);
            let new = modify.password.map(|change| change.new.expose().to_owned());
            (modify.password_free, new)
        }
        other => unreachable!("{other:?}"),
    };
    let new = Some("New-pass-1".to_owned());
    assert_eq!(of(r#"{"new_password":"New-pass-1"}"#), (None, new.clone()));
    let both = r#"{"new_password":"New-pass-1","no_password_access":false}"#;
    assert_eq!(of(both), (None, new));
    assert_eq!(of(r#"{"no_password_access":true}"#), (Some(true), None));
    let both = r#"{"new_password":"New-pass-1","no_password_access":true}"#;
    assert_eq!(of(both), (Some(true), None));
    assert_eq!(of(r#"{"no_password_access":false}"#), (Some(false), None));
    assert!(is_missing(
        &with_body("ResetPassword", "{}"),
        "new_password"
    ));
    let text = with_body("ResetPassword", r#"{"no_password_access":"true"}"#);
    assert!(is_invalid(&text, "no_password_access"));
}

#[test]
fn reads() {
    assert_eq!(
        query("ListAclAccounts", &[]),
        Query::Accounts(AccountQuery {
            instance: INSTANCE.into(),
            name: None,
            name_part: None,
            page: Page::ALL,
        })
    );
    assert_eq!(query("ShowInstance", &[]), Query::Instance(INSTANCE.into()));
    assert_eq!(query("ShowJobInfo", &[]), Query::Task(TaskId(7)));
    assert_eq!(query("ShowCenterTask", &[]), Query::Task(TaskId(7)));
    for action in ["ShowBackgroundTask", "ShowBackgroundTaskProgress"] {
        let wanted = Query::Tasks(TaskQuery {
            id: Some(TaskId(7)),
            instance: Some(INSTANCE.into()),
            ..TaskQuery::default()
        });
        assert_eq!(query(action, &[]), wanted);
    }
    for (action, instance) in [
        ("DeleteBackgroundTask", Some(INSTANCE)),
        ("DeleteCenterTask", None),
    ] {
        let Ok(Ask::ForgetTask {
            instance: of,
            task: TaskId(7),
        }) = ask(action, &[])
        else {
            unreachable!("{action}");
        };
        assert_eq!(of.as_ref().map(|id| id.as_str()), instance);
    }
}

#[test]
fn tasks() {
    for (action, instance) in [
        ("ListBackgroundTask", Some(INSTANCE.into())),
        ("ListCenterTask", None),
    ] {
        let Query::Tasks(plain) = query(action, &[]) else {
            unreachable!("{action}");
        };
        assert_eq!(plain.instance, instance);
        assert_eq!((plain.page.offset, plain.page.limit), (0, 10));
        assert_eq!((plain.from, plain.until), (None, None));
        let list = [
            ("limit", "1000"),
            ("offset", "20"),
            ("start_time", "20260115080000"),
            ("end_time", "20260115080001"),
        ];
        let Query::Tasks(all) = query(action, &list) else {
            unreachable!("{action}");
        };
        assert_eq!((all.page.offset, all.page.limit), (20, 1000));
        let seconds = |at: Option<claviger_core::clock::Timestamp>| at.map(|at| at.as_secs());
        assert_eq!(seconds(all.from), Some(1_768_464_000));
        // The last second belongs to it.
        assert_eq!(seconds(all.until), Some(1_768_464_002));
        let Query::Tasks(other) = query(action, &[("begin_time", "20260115080000")]) else {
            unreachable!("{action}");
        };
        assert_eq!(seconds(other.from), Some(1_768_464_000));
        for (name, value) in [
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "-1"),
            ("limit", "+1"),
            ("limit", "x"),
            ("limit", "9999999999"),
            ("offset", "-1"),
            ("offset", "1.0"),
            ("offset", "99999999999999999999"),
            ("start_time", "2026-01-15"),
            ("end_time", "20261315080000"),
            ("begin_time", "x"),
        ] {
            assert!(
                is_invalid(&ask(action, &[(name, value)]), name),
                "{name}={value}"
            );
        }
    }
    for bad in ["x", "-1", "1.0", "1234567890123456789", "%31x"] {
        for (action, name) in [("ShowCenterTask", "task_id"), ("ShowJobInfo", "job_id")] {
            assert!(is_invalid(&ask(action, &[(name, bad)]), name), "{bad}");
        }
    }
}

#[test]
fn instances() {
    let of = |list: &[(&str, &str)]| match query("ListInstances", list) {
        Query::Instances(query) => query,
        other => unreachable!("{other:?}"),
    };
    let page = Page {
        offset: 0,
        limit: 10,
    };
    let plain = InstanceQuery {
        page,
        ..InstanceQuery::default()
    };
    assert_eq!(of(&[]), plain);
    assert_eq!(of(&[("include_failure", "true"), ("x", "y")][..0]), plain);
    assert_eq!(of(&[("instance_id", "r-1")]).ids, ["r-1".into()]);
    assert_eq!(of(&[("name", "a b")]).name_part.as_deref(), Some("a b"));
    let exact = of(&[("name", "a b"), ("name_equal", "true")]);
    assert_eq!(
        (exact.name.as_deref(), exact.name_part),
        (Some("a b"), None)
    );
    let running = of(&[("status", "RUNNING")]);
    assert_eq!(running.states, [InstanceState::Running]);
    assert_eq!(of(&[("ip", "10.0.0.1")]).page, Page::ALL);
    for nothing in [
        ("status", "EXTENDING"),
        ("tags", "{k}{v}"),
        ("capacity", "64"),
    ] {
        assert_eq!(query("ListInstances", &[nothing]), Query::Nothing);
    }
    assert!(is_invalid(
        &ask("ListInstances", &[("name_equal", "yes")]),
        "name_equal"
    ));
    assert!(is_invalid(
        &ask("ListInstances", &[("ip", &"1".repeat(129))]),
        "ip"
    ));
    assert!(matches!(
        ask("ListInstances", &[("instance_id", "a b")]),
        Err(Refusal::InstanceIdMalformed)
    ));
}

#[test]
fn paths() {
    // An instance's identity is read only after the signature was found good.
    for bad in ["a b", "é", "a:b", &"a".repeat(129)] {
        assert!(matches!(
            ask("ListAclAccounts", &[("instance_id", bad)]),
            Err(Refusal::InstanceIdMalformed)
        ));
    }
    assert!(is_invalid(
        &ask("ListAclAccounts", &[("project_id", "x")]),
        "project_id"
    ));
    assert!(is_invalid(
        &ask(
            "ListAclAccounts",
            &[("project_id", &PROJECT.to_uppercase())]
        ),
        "project_id"
    ));
    assert!(matches!(
        ask("ListAclAccounts", &[("project_id", &"f".repeat(32))]),
        Err(Refusal::ProjectForeign)
    ));
    // A GET with a body is the same as one without, if the body was signed.
    let with = |body: &str| {
        let mut request = signed(Signer::HmacSha256, "ListAclAccounts", &[]);
        request.body = body.as_bytes().to_vec();
        let envelope =
            claviger_dialects::Dialect::open(&claviger_dialects::huawei::Huawei, &request)?;
        claviger_dialects::Dialect::decode(&claviger_dialects::huawei::Huawei, &envelope)
    };
    for body in ["{}", "x", "{\"account_name\":1}"] {
        assert!(with(body).is_ok());
    }
    let request = raw("GET", &format!("/v2/{PROJECT}/instances"), &[], "");
    assert!(matches!(accept(&request), Err(Refusal::Unsigned)));
}

#[test]
fn a_nul_byte_is_refused_wherever_it_is_read() {
    for (action, name) in [
        ("CreateAclAccount", "account_name"),
        ("CreateAclAccount", "description"),
        ("DeleteAclAccount", "account_id"),
        ("UpdateAclAccountPassWord", "account_id"),
        ("ListInstances", "name"),
    ] {
        let mut list = match action {
            "CreateAclAccount" => WHOLE.to_vec(),
            "UpdateAclAccountPassWord" => vec![
                ("old_account_password", "Passw0rd!1"),
                ("new_account_password", "Passw0rd!2"),
            ],
            _ => Vec::new(),
        };
        list.retain(|(given, _)| *given != name);
        list.push((name, "a\0b"));
        let refused = ask(action, &list).unwrap_err();
        let told = matches!(refused, Refusal::ParameterInvalid { name: told, .. } if told == name);
        assert!(told, "{action} {name}: {refused:?}");
    }
}
