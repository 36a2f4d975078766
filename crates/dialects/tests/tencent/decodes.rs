//! What the actions ask.

use crate::support::{INSTANCE, P1, ask, ask_json};
use claviger_core::command::{Ask, Asked, Command, CreateAccount, ModifyAccount, Target};
use claviger_core::instance::InstanceState;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{AccountQuery, InstanceQuery, Page, Query, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::{TaskKind, TaskState};
use claviger_dialects::Dialect;
use claviger_dialects::tencent::Tencent;

const ID: (&str, &str) = ("InstanceId", INSTANCE);

fn create(list: &[(&str, &str)]) -> CreateAccount {
    match ask("CreateInstanceAccount", list).unwrap() {
        Ask::Command {
            command: Command::Create(create),
            token: None,
        } => create,
        other => panic!("{other:?}"),
    }
}

fn modified(asked: Result<Ask, Refusal>) -> ModifyAccount {
    match asked.unwrap() {
        Ask::Command {
            command: Command::Modify(change),
            token: None,
        } => change,
        other => panic!("{other:?}"),
    }
}

fn modify(action: &str, list: &[(&str, &str)]) -> ModifyAccount {
    modified(ask(action, list))
}

fn code(asked: Result<Ask, Refusal>) -> &'static str {
    asked.err().map_or("ok", |refusal| Tencent.code(&refusal))
}

const CREATE: [(&str, &str); 5] = [
    ID,
    ("AccountName", "app_1"),
    ("AccountPassword", "abcDEF12"),
    ("ReadonlyPolicy.0", "master"),
    ("Privilege", "rw"),
];

#[test]
fn creations() {
    let made = create(&CREATE);
    assert_eq!((made.instance.as_str(), &*made.name), (INSTANCE, "app_1"));
    assert_eq!(made.password.expose(), "abcDEF12");
    assert_eq!(made.privilege, Asked::Known(Privilege::ReadWrite));
    assert_eq!(made.routing, Asked::Known(Routing::PRIMARY));
    assert_eq!(made.description, None);
    for (word, privilege) in [
        ("r", Asked::Known(Privilege::ReadOnly)),
        ("w", Asked::Known(Privilege::WriteOnly)),
        ("RW", Asked::Unknown),
    ] {
        let mut list = CREATE;
        list[4].1 = word;
        assert_eq!(create(&list).privilege, privilege);
    }
    for missing in 0..CREATE.len() {
        let mut list = CREATE.to_vec();
        let (name, _) = list.remove(missing);
        let name = name.split('.').next().unwrap();
        let refusal = ask("CreateInstanceAccount", &list).unwrap_err();
        assert!(
            matches!(refusal, Refusal::ParameterMissing { name: n } if n == name),
            "{refusal}"
        );
    }
    let mut empty = CREATE;
    empty[2].1 = "";
    let refusal = ask("CreateInstanceAccount", &empty).unwrap_err();
    assert_eq!(refusal, Refusal::PasswordNeeded);
}

#[test]
fn routings() {
    let both = Routing {
        primary: true,
        replica: true,
    };
    let replica = Routing {
        primary: false,
        replica: true,
    };
    let of = |words: &str| {
        let body = format!(r#"{{"InstanceId":"i","AccountName":"a","ReadonlyPolicy":{words}}}"#);
        modified(ask_json("ModifyInstanceAccount", &body)).routing
    };
    assert_eq!(of("[]"), None);
    assert_eq!(of("null"), None);
    assert_eq!(of(r#"["master"]"#), Some(Asked::Known(Routing::PRIMARY)));
    assert_eq!(of(r#"["replication"]"#), Some(Asked::Known(replica)));
    assert_eq!(of(r#"["replication","master"]"#), Some(Asked::Known(both)));
    assert_eq!(of(r#"["slave"]"#), Some(Asked::Unknown));
    assert_eq!(of(r#"["master",""]"#), Some(Asked::Unknown));
    assert_eq!(
        modify("ModifyInstanceAccount", &P1).routing,
        Some(Asked::Known(both))
    );
    let created = r#"{"InstanceId":"i","AccountName":"a","AccountPassword":"p","ReadonlyPolicy":[],"Privilege":"r"}"#;
    assert_eq!(
        ask_json("CreateInstanceAccount", created).unwrap_err(),
        Refusal::ParameterMissing {
            name: "ReadonlyPolicy"
        }
    );
}

#[test]
fn changes() {
    // The vendor's own sample: nothing to change.
    let none = modify(
        "ModifyInstanceAccount",
        &[ID, ("AccountName", "test_account")],
    );
    assert_eq!(none.target, Target::Name("test_account".into()));
    assert!(none.privilege.is_none() && none.routing.is_none() && none.description.is_none());
    assert!(none.password.is_none() && none.password_free.is_none());
    let all = modify("ModifyInstanceAccount", &P1);
    assert_eq!(all.privilege, Some(Asked::Known(Privilege::ReadWrite)));
    assert_eq!(all.description.as_deref(), Some("备注"));
    assert_eq!(all.password.unwrap().new.expose(), "P@ss w0rd+/=&");
    // A custom account has a password in any case.
    assert_eq!(all.password_free, None);
    let of = |more: &[(&str, &str)]| {
        let list: Vec<_> = [ID].iter().chain(more).copied().collect();
        modify("ModifyInstanceAccount", &list)
    };
    // Empty: a remark is cleared, a password is not sent.
    let empty = of(&[
        ("AccountName", "a"),
        ("Remark", ""),
        ("AccountPassword", ""),
    ]);
    assert_eq!(empty.description.as_deref(), Some(""));
    assert!(empty.password.is_none());
    let free = of(&[("AccountName", "a"), ("NoAuth", "True")]);
    assert_eq!(free.password_free, Some(true));
}

#[test]
fn of_root() {
    let of = |more: &[(&str, &str)]| {
        let list: Vec<_> = [ID, ("AccountName", "root")]
            .iter()
            .chain(more)
            .copied()
            .collect();
        modify("ModifyInstanceAccount", &list)
    };
    assert_eq!(of(&[]).target, Target::Default);
    // Its own privilege is no change of it; Terraform always sends it.
    assert_eq!(of(&[("Privilege", "rw")]).privilege, None);
    let other = of(&[("Privilege", "r")]).privilege;
    assert_eq!(other, Some(Asked::Known(Privilege::ReadOnly)));
    // Without a password, one that is sent is of no use.
    let free = of(&[("NoAuth", "1"), ("AccountPassword", "abcDEF12")]);
    assert_eq!(free.password_free, Some(true));
    assert!(free.password.is_none());
    let back = of(&[("NoAuth", "0"), ("AccountPassword", "abcDEF12")]);
    assert_eq!(back.password_free, Some(false));
    assert!(back.password.is_some());
    // The servers' name of it is nobody's here: it would shadow `root`.
    let shadow = modify("ModifyInstanceAccount", &[ID, ("AccountName", "default")]);
    assert_eq!(shadow.target, Target::Id("default".into()));
}

#[test]
fn deletions() {
    for (name, target) in [
        ("app_1", Target::Name("app_1".into())),
        ("root", Target::Default),
        ("default", Target::Id("default".into())),
    ] {
        let asked = ask("DeleteInstanceAccount", &[ID, ("AccountName", name)]).unwrap();
        let Ask::Command {
            command: Command::Delete(delete),
            token: None,
        } = asked
        else {
            panic!("{asked:?}");
        };
        assert_eq!(delete.target, target);
    }
}

#[test]
fn passwords_of_the_instance() {
    let reset = |more: &[(&str, &str)]| {
        let list: Vec<_> = [ID].iter().chain(more).copied().collect();
        ask("ResetPassword", &list)
    };
    let set = modified(reset(&[("Password", "zy456987")]));
    assert_eq!(set.target, Target::Default);
    assert_eq!(set.password.unwrap().new.expose(), "zy456987");
    assert_eq!(set.password_free, None);
    // As Terraform switches to password-free and back.
    let free = modified(ask_json(
        "ResetPassword",
        r#"{"InstanceId":"i","Password":"","NoAuth":true}"#,
    ));
    assert_eq!(
        (free.password_free, free.password.is_none()),
        (Some(true), true)
    );
    let back = modified(reset(&[("Password", "zy456987"), ("NoAuth", "false")]));
    assert_eq!((back.password_free, back.password.is_some()), (None, true));
    let last = modified(reset(&[("NoAuth", "false")]));
    assert_eq!(
        (last.password_free, last.password.is_none()),
        (Some(false), true)
    );
    assert_eq!(reset(&[]).unwrap_err(), Refusal::PasswordNeeded);
    assert_eq!(
        reset(&[("Password", "")]).unwrap_err(),
        Refusal::PasswordNeeded
    );

    let list = [ID, ("OldPassword", "zy456987"), ("Password", "zy456988")];
    for action in ["ModfiyInstancePassword", "ModifyInstancePassword"] {
        let change = modify(action, &list);
        assert_eq!(change.target, Target::Default);
        let password = change.password.unwrap();
        assert_eq!(password.old.unwrap().expose(), "zy456987");
        assert_eq!(password.new.expose(), "zy456988");
        assert_eq!(code(ask(action, &list[..2])), "MissingParameter");
        let empty = [ID, ("OldPassword", ""), ("Password", "zy456988")];
        assert_eq!(
            code(ask(action, &empty)),
            "InvalidParameterValue.PasswordEmpty"
        );
    }
    // Only the older one has it.
    let more = [list[0], list[1], list[2], ("EncryptPassword", "false")];
    assert_eq!(code(ask("ModfiyInstancePassword", &more)), "ok");
    assert_eq!(
        code(ask("ModifyInstancePassword", &more)),
        "UnknownParameter"
    );
}

#[test]
fn encrypted_passwords() {
    let create: Vec<_> = CREATE
        .into_iter()
        .chain([("EncryptPassword", "True")])
        .collect();
    let more = [
        ID,
        ("AccountName", "a"),
        ("EncryptPassword", "true"),
        ("OldPassword", "x"),
        ("Password", "y"),
    ];
    for (action, list) in [
        ("CreateInstanceAccount", &create[..]),
        ("ModifyInstanceAccount", &more[..3]),
        ("ResetPassword", &[more[0], more[2], more[4]]),
        (
            "ModfiyInstancePassword",
            &[more[0], more[2], more[3], more[4]],
        ),
    ] {
        assert_eq!(code(ask(action, list)), "FailedOperation.UnSupportError");
        let plain: Vec<_> = list
            .iter()
            .map(|(n, v)| (*n, if *n == "EncryptPassword" { "false" } else { *v }))
            .collect();
        assert_eq!(code(ask(action, &plain)), "ok", "{action}");
    }
}

#[test]
fn types() {
    let list = "DescribeInstanceAccount";
    for body in [
        r#"{"InstanceId":1}"#,
        r#"{"InstanceId":["a"]}"#,
        r#"{"InstanceId":"a","Limit":"20"}"#,
        r#"{"InstanceId":"a","Limit":-1}"#,
        r#"{"InstanceId":"a","Limit":1.0}"#,
        r#"{"InstanceId":"a","Limit":true}"#,
        r#"{"InstanceId":"a","Limit":99999999999999999999}"#,
    ] {
        assert_eq!(code(ask_json(list, body)), "InvalidParameter", "{body}");
    }
    for (name, value) in [
        ("Limit", "x"),
        ("Limit", "-1"),
        ("Limit", "+1"),
        ("Limit", "1 "),
    ] {
        assert_eq!(
            code(ask(list, &[ID, (name, value)])),
            "InvalidParameter",
            "{value}"
        );
    }
    for value in ["\"true\"", "1", "\"\"", "[]"] {
        let body = format!(r#"{{"InstanceId":"a","AccountName":"a","NoAuth":{value}}}"#);
        assert_eq!(
            code(ask_json("ModifyInstanceAccount", &body)),
            "InvalidParameter",
            "{value}"
        );
    }
    for value in ["yes", "2", "truee"] {
        let asked = [ID, ("AccountName", "a"), ("NoAuth", value)];
        assert_eq!(
            code(ask("ModifyInstanceAccount", &asked)),
            "InvalidParameter",
            "{value}"
        );
    }
    for value in [
        r#""master""#,
        "[1]",
        r#"{"0":1}"#,
        r#"[["master"]]"#,
        r#"{"a":"master"}"#,
    ] {
        let body = format!(r#"{{"InstanceId":"a","AccountName":"a","ReadonlyPolicy":{value}}}"#);
        assert_eq!(
            code(ask_json("ModifyInstanceAccount", &body)),
            "InvalidParameter",
            "{value}"
        );
    }
    for name in ["ReadonlyPolicy", "ReadonlyPolicy.a", "ReadonlyPolicy.0.0"] {
        let asked = [ID, ("AccountName", "a"), (name, "master")];
        assert_eq!(
            code(ask("ModifyInstanceAccount", &asked)),
            "InvalidParameter",
            "{name}"
        );
    }
}

#[test]
fn unknown_parameters() {
    let of = |name: &str| {
        let refusal = ask("DescribeInstanceAccount", &[ID, (name, "1")]).unwrap_err();
        let Refusal::ParameterUnknown { name } = refusal else {
            panic!("{refusal}");
        };
        name
    };
    assert_eq!(of("Foo"), "Foo");
    assert_eq!(of("instanceId"), "instanceId");
    assert_eq!(of(&"é".repeat(100)).len(), 64);
    assert_eq!(
        ask_json("DescribeInstances", r#"{"Limit.0":1}"#).unwrap_err(),
        Refusal::ParameterUnknown {
            name: "Limit.0".into()
        }
    );
    // Unknown comes before missing, missing before type.
    let body = r#"{"Limit":"x"}"#;
    assert_eq!(
        code(ask_json("DescribeInstanceAccount", body)),
        "MissingParameter"
    );
    let body = r#"{"Limit":"x","Foo":1}"#;
    assert_eq!(
        code(ask_json("DescribeInstanceAccount", body)),
        "UnknownParameter"
    );
    // In TC3 the common parameters are headers, and nothing else.
    let body = r#"{"Action":"DescribeInstances"}"#;
    assert_eq!(
        code(ask_json("DescribeInstances", body)),
        "UnknownParameter"
    );
}

#[test]
fn account_pages() {
    let of = |list: &[(&str, &str)]| {
        let list: Vec<_> = [ID].iter().chain(list).copied().collect();
        ask("DescribeInstanceAccount", &list)
    };
    let page = |offset, limit| {
        format!(
            "{:?}",
            Ask::Query(Query::Accounts(AccountQuery {
                instance: INSTANCE.into(),
                name: None,
                name_part: None,
                page: Page { offset, limit },
            }))
        )
    };
    assert_eq!(format!("{:?}", of(&[]).unwrap()), page(0, 20));
    let asked = of(&[("Limit", "50"), ("Offset", "100")]).unwrap();
    assert_eq!(format!("{asked:?}"), page(100, 50));
    for list in [
        [("Limit", "0"), ("Offset", "0")],
        [("Limit", "101"), ("Offset", "0")],
        [("Limit", "20"), ("Offset", "10")],
    ] {
        assert_eq!(code(of(&list)), "InvalidParameterValue");
    }
}

fn tasks(list: &[(&str, &str)]) -> Query {
    match ask("DescribeTaskList", list).unwrap() {
        Ask::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn task_lists() {
    let Query::Tasks(query) = tasks(&[]) else {
        panic!()
    };
    let page = Page {
        offset: 0,
        limit: 20,
    };
    let all = TaskQuery {
        page,
        ..TaskQuery::default()
    };
    assert_eq!(query, all);
    let query = tasks(&[
        ID,
        ("InstanceName", "n"),
        ("TaskTypes.0", "007"),
        ("TaskTypes.1", "035"),
        ("Result.0", "2"),
        ("Result.1", "4"),
        ("BeginTime", "2019-11-15 14:25:37"),
        ("EndTime", "2019-11-15 14:25:46"),
        ("OperateUin.0", "k"),
        ("Limit", "100"),
        ("Offset", "200"),
    ]);
    let wanted = TaskQuery {
        id: None,
        instance: Some(INSTANCE.into()),
        instance_name: Some("n".into()),
        from: Some(claviger_core::clock::Timestamp::from_secs(1_573_799_137)),
        until: Some(claviger_core::clock::Timestamp::from_secs(1_573_799_147)),
        kinds: vec![TaskKind::ChangePassword, TaskKind::SwitchPasswordFree],
        states: vec![TaskState::Succeeded, TaskState::Superseded],
        by: vec!["k".into()],
        visible: None,
        page: Page {
            offset: 200,
            limit: 100,
        },
    };
    assert_eq!(query, Query::Tasks(wanted));
    for nothing in [
        ("TaskTypes.0", "001"),
        ("Result.0", "0"),
        ("ProjectIds.0", "7"),
    ] {
        assert_eq!(tasks(&[nothing]), Query::Nothing);
    }
    for (name, value) in [
        ("BeginTime", "yesterday"),
        ("Limit", "101"),
        ("Offset", "7"),
    ] {
        assert_eq!(
            code(ask("DescribeTaskList", &[(name, value)])),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn one_task() {
    let asked = ask("DescribeTaskInfo", &[("TaskId", "18215")]).unwrap();
    assert!(format!("{asked:?}").contains("Task(TaskId(18215))"));
    assert_eq!(code(ask("DescribeTaskInfo", &[])), "MissingParameter");
    assert_eq!(
        code(ask_json(
            "DescribeTaskInfo",
            r#"{"TaskId":18446744073709551615}"#
        )),
        "InvalidParameter"
    );
}

fn instances(list: &[(&str, &str)]) -> Query {
    match ask("DescribeInstances", list).unwrap() {
        Ask::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn instance_filters() {
    let page = Page {
        offset: 0,
        limit: 20,
    };
    let plain = InstanceQuery {
        page,
        ..InstanceQuery::default()
    };
    assert_eq!(instances(&[]), Query::Instances(plain.clone()));
    let query = instances(&[
        ID,
        ("InstanceName", "n"),
        ("SearchKey", "part"),
        ("Status.0", "2"),
        ("Status.1", "-2"),
        ("Limit", "1000"),
        ("Offset", "5"),
        ("OrderBy", "createtime"),
    ]);
    let wanted = InstanceQuery {
        ids: vec![INSTANCE.into()],
        name: Some("n".into()),
        name_part: Some("part".into()),
        states: vec![InstanceState::Running, InstanceState::Paused],
        newest_first: true,
        page: Page {
            offset: 5,
            limit: 1000,
        },
        ..InstanceQuery::default()
    };
    assert_eq!(query, Query::Instances(wanted));
    let two = [("InstanceIds.0", "a"), ("InstanceIds.1", "b")];
    let wanted = InstanceQuery {
        ids: vec!["a".into(), "b".into()],
        ..plain
    };
    assert_eq!(instances(&two), Query::Instances(wanted));
    for empty in [
        &[ID, two[0]][..],
        &[("Status.0", "-3")],
        &[("ProjectIds.0", "1")],
        &[("BillingMode", "prepaid")],
        &[("UniqVpcIds.0", "vpc-1")],
        &[("TagKeys.0", "t")],
        &[
            ("InstanceTags.0.TagKey", "t"),
            ("InstanceTags.0.TagValue", "v"),
        ],
        &[("AzMode", "multiaz")],
    ] {
        assert_eq!(instances(empty), Query::Nothing, "{empty:?}");
    }
    // Filters on what is shown need every row.
    for (name, value) in [
        ("Type", "17"),
        ("TypeList.0", "17"),
        ("EngineName", "Redis"),
        ("SearchKeys.0", "x"),
    ] {
        let Query::Instances(query) = instances(&[(name, value)]) else {
            panic!()
        };
        assert_eq!(query.page, Page::ALL, "{name}");
    }
    assert_eq!(
        code(ask("DescribeInstances", &[("Limit", "1001")])),
        "InvalidParameterValue"
    );
}

#[test]
fn policies() {
    let of = |list: &[(&str, &str)]| {
        let list: Vec<_> = [ID].iter().chain(list).copied().collect();
        match ask("ModifyInstancePasswordPolicy", &list).unwrap() {
            Ask::Policy { instance, change } => {
                assert_eq!(instance.as_str(), INSTANCE);
                assert!(change.replica_reads.is_none() && change.drift.is_none());
                change.passwords.unwrap()
            }
            other => panic!("{other:?}"),
        }
    };
    let policy = of(&[
        ("PasswordPolicy.Enabled", "True"),
        ("PasswordPolicy.MinLetterCount", "2"),
        ("PasswordPolicy.MinDigitCount", "3"),
        ("PasswordPolicy.MinSpecialCount", "4"),
        ("PasswordPolicy.MinLength", "10"),
    ]);
    assert!(policy.enabled && policy.is_sound());
    assert_eq!(
        (
            policy.letters_min,
            policy.digits_min,
            policy.specials_min,
            policy.length_min
        ),
        (2, 3, 4, 10)
    );
    let few = of(&[("PasswordPolicy.Enabled", "true")]);
    assert_eq!((few.letters_min, few.length_min), (1, 8));
    assert!(!of(&[("PasswordPolicy.MinLength", "300")]).is_sound());
    assert_eq!(
        code(ask("ModifyInstancePasswordPolicy", &[ID])),
        "MissingParameter"
    );
    let more = [ID, ("PasswordPolicy.Foo", "1")];
    assert_eq!(
        code(ask("ModifyInstancePasswordPolicy", &more)),
        "UnknownParameter"
    );
    let wrong = [ID, ("PasswordPolicy", "1")];
    assert_eq!(
        code(ask("ModifyInstancePasswordPolicy", &wrong)),
        "InvalidParameter"
    );

    let feature = |name| {
        code(ask(
            "DescribeInstanceSupportFeature",
            &[ID, ("FeatureName", name)],
        ))
    };
    assert_eq!(feature("multi-account"), "ok");
    assert_eq!(feature("time-travel"), "InvalidParameterValue");
}

#[test]
fn a_nul_byte_is_refused_wherever_it_is_read() {
    for (name, escaped) in [
        ("InstanceId", "InstanceId"),
        ("AccountName", "AccountName"),
        ("Remark", "Remark"),
        ("ReadonlyPolicy", "ReadonlyPolicy.0"),
    ] {
        let mut list = CREATE.to_vec();
        list.retain(|(given, _)| *given != escaped);
        list.push((escaped, "a\0b"));
        let refused = ask("CreateInstanceAccount", &list).unwrap_err();
        let told = matches!(refused, Refusal::ParameterInvalid { name: told, .. } if told == name);
        assert!(told, "{name}: {refused:?}");
        assert_eq!(Tencent.code(&refused), "InvalidParameterValue");
    }
    for body in [
        r#"{"InstanceId":"a\u0000"}"#,
        r#"{"SearchKeys":["b","a\u0000"]}"#,
        r#"{"SearchKey":"a\u0000"}"#,
    ] {
        assert_eq!(
            code(ask_json("DescribeInstances", body)),
            "InvalidParameterValue",
            "{body}"
        );
    }
}
