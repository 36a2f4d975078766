//! What is asked: from JSON, form and query alike, and everything that is not right about it.

use crate::support::{INSTANCE, P1, ask, ask_json, form, signed};
use claviger_core::command::{Ask, Asked, Command, Target};
use claviger_core::instance::{InstanceState, Topology};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{InstanceQuery, Page, Query, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::TaskKind;
use claviger_dialects::Dialect;
use claviger_dialects::volcengine::Volcengine;
use serde_json::json;

fn code(result: Result<Ask, Refusal>) -> &'static str {
    Volcengine.code(&result.unwrap_err())
}

fn command(result: Result<Ask, Refusal>) -> (Command, Option<String>) {
    match result.unwrap() {
        Ask::Command { command, token } => (command, token),
        other => panic!("{other:?}"),
    }
}

fn query(action: &str, list: &[(&str, &str)]) -> Query {
    match ask(action, list).unwrap() {
        Ask::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

/// P1 with one member set to something else, or without it.
fn create(name: &str, value: Option<serde_json::Value>) -> Result<Ask, Refusal> {
    let mut body = serde_json::Map::new();
    for (name, value) in P1 {
        body.insert(name.into(), value.into());
    }
    body.remove(name);
    if let Some(value) = value {
        body.insert(name.into(), value);
    }
    ask_json("CreateDBAccount", json!(body).to_string())
}

#[test]
fn creates() {
    let (Command::Create(create), token) = command(ask("CreateDBAccount", &P1)) else {
        panic!("not a creation");
    };
    assert_eq!(create.instance.as_str(), INSTANCE);
    assert_eq!(create.name, "test1");
    assert_eq!(create.password.expose(), "Pwd@1234");
    assert_eq!(create.privilege, Asked::Known(Privilege::ReadWrite));
    assert_eq!(create.routing, Asked::Known(Routing::PRIMARY));
    assert_eq!(create.description.as_deref(), Some("测试 a+b<>&"));
    assert_eq!(token, None);
}

#[test]
fn roles() {
    let of = |role: &str| {
        let result = create("RoleName", Some(role.into()));
        match command(result).0 {
            Command::Create(create) => create.privilege,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of("Administrator"), Asked::Known(Privilege::Administrator));
    assert_eq!(of("ReadWrite"), Asked::Known(Privilege::ReadWrite));
    assert_eq!(of("ReadOnly"), Asked::Known(Privilege::ReadOnly));
    assert_eq!(of("NotDangerous"), Asked::Known(Privilege::NotDangerous));
    for own in ["reporting", "readonly", "Role_1-a"] {
        let Asked::Known(Privilege::Custom(name)) = of(own) else {
            panic!("{own}");
        };
        assert_eq!(name.as_str(), own);
    }
    // Words of other doors are no roles here, nor is what cannot be a role's name.
    for none in [
        "read-only",
        "administrator",
        "a b",
        "é",
        "1",
        &"x".repeat(32),
    ] {
        assert_eq!(of(none), Asked::Unknown, "{none}");
    }
}

#[test]
fn absent_and_ill_typed() {
    for name in ["InstanceId", "AccountName", "RoleName", "Password"] {
        for value in [None, Some(json!("")), Some(json!(null))] {
            assert_eq!(
                create(name, value).unwrap_err(),
                Refusal::ParameterMissing { name }
            );
        }
        for value in [
            json!(1),
            json!(true),
            json!([]),
            json!({}),
            json!(1.5),
            json!(-1),
        ] {
            let refusal = create(name, Some(value.clone())).unwrap_err();
            assert!(
                matches!(refusal, Refusal::ParameterInvalid { name: n, .. } if n == name),
                "{name} {value}"
            );
        }
    }
    for name in ["Description", "ClientToken"] {
        for value in [None, Some(json!("")), Some(json!(null))] {
            assert!(create(name, value).is_ok());
        }
        assert_eq!(code(create(name, Some(json!(7)))), "ParamError");
    }
}

#[test]
fn formats() {
    for (name, value, expected) in [
        ("AccountName", json!("Bad-Name"), "InvalidAccountName"),
        ("AccountName", json!("a"), "InvalidAccountName"),
        ("Password", json!("short1"), "InvalidPassword"),
        ("Password", json!("has blank 1"), "InvalidPassword"),
        (
            "Description",
            json!("x".repeat(257)),
            "AccountDescriptionTooLong",
        ),
    ] {
        assert_eq!(code(create(name, Some(value))), expected);
    }
}

#[test]
fn tokens() {
    let of = |token: &str| create("ClientToken", Some(token.into()));
    let longest = "t".repeat(127);
    for good in ["a", "A", "WbiAlPqJM6tMoSOYhT****", &longest] {
        assert_eq!(command(of(good)).1.as_deref(), Some(good));
    }
    for bad in ["t".repeat(128), "tökén".into(), "测".into()] {
        assert_eq!(code(of(&bad)), "ParamError");
    }
    // A token's fault is one of the request, and comes before those of the formats.
    let body = json!({"InstanceId": "i", "AccountName": "X", "RoleName": "r", "Password": "p",
                      "ClientToken": "é"});
    let refusal = ask_json("CreateDBAccount", body.to_string());
    assert_eq!(code(refusal), "ParamError");
    for action in ["ModifyDBAccount", "DeleteDBAccount"] {
        let list = [
            ("InstanceId", INSTANCE),
            ("AccountName", "test1"),
            ("ClientToken", "tok"),
        ];
        assert_eq!(command(ask(action, &list)).1.as_deref(), Some("tok"));
    }
}

#[test]
fn bodies() {
    let list = |body: &str| ask_json("ListDBAccount", body);
    let deep_ignored = format!(
        r#"{{"InstanceId":"i","Extra":{}1{}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    for good in [
        r#"{"InstanceId":"i"}"#,
        "\r\n { \"InstanceId\" : \"i\" } \t",
        r#"{"Unknown":{"a":[1,{"InstanceId":"x"}]},"InstanceId":"i"}"#,
        r#"{"\u0049nstanceId":"\u0069"}"#,
        r#"{"instanceid":1,"InstanceId":"i"}"#,
        &deep_ignored,
    ] {
        assert_eq!(list(good).unwrap().instance().unwrap().as_str(), "i");
    }
    let deep = format!(r#"{{"InstanceId":{}}}"#, "[".repeat(100_000));
    let many = (0..200).fold(String::from(r#"{"InstanceId":"i""#), |all, n| {
        format!(r#"{all},"x{n}":1"#)
    }) + "}";
    for bad in [
        "[]",
        "null",
        "1",
        r#""text""#,
        "{",
        "{}{}",
        r#"{"InstanceId":"i"}x"#,
        r#"{"InstanceId":"i",}"#,
        r#"{InstanceId:"i"}"#,
        r#"{'InstanceId':'i'}"#,
        r#"{"InstanceId":"i","InstanceId":"i"}"#,
        r#"{"InstanceId":"i","\u0049nstanceId":"j"}"#,
        r#"{"Extra":1,"Extra":2,"InstanceId":"i"}"#,
        r#"{"InstanceId":1e400}"#,
        r#"{"InstanceId":123456789012345678901234567890}"#,
        r#"{"InstanceId":"\ud800"}"#,
        "{\"InstanceId\":\"a\nb\"}",
        &deep,
        &many,
    ] {
        let shown: String = bad.chars().take(60).collect();
        assert_eq!(code(list(bad)), "ParamError", "{shown}");
    }
    assert_eq!(
        code(ask_json(
            "ListDBAccount",
            b"{\"InstanceId\":\"\xff\"}".to_vec()
        )),
        "ParamError"
    );
    // No body is an empty one.
    assert!(ask_json("DescribeRegions", "").is_ok());
    assert_eq!(code(list("")), "ParamError");
    // A name in the query and in the body is two.
    let mut both = signed("ListDBAccount", &[]);
    both.body = br#"{"InstanceId":"i"}"#.to_vec();
    let text = format!("{}&InstanceId=j", both.query_str());
    both.query = Some(claviger_core::secret::Secret::new(text));
    let opened = Volcengine.open(&both).unwrap();
    assert_eq!(code(Volcengine.decode(&opened)), "ParamError");
}

/// Old clients send a form or everything in the query.
#[test]
fn forms_and_queries() {
    let head = signed("CreateDBAccount", &[]);
    let mut posted = head.clone();
    posted.body = form(&P1).into_bytes();
    posted.headers.retain(|(name, _)| name != "content-type");
    let kind = b"Application/X-WWW-Form-Urlencoded; charset=UTF-8".to_vec();
    posted.headers.push(("content-type".into(), kind));
    let value = posted.header("authorization").unwrap();
    let value = value.replace("content-type;", "").into_bytes();
    posted.headers.retain(|(name, _)| name != "authorization");
    posted.headers.push(("authorization".into(), value));
    let mut got = posted.clone();
    got.method = "GET".into();
    got.body.clear();
    let text = format!("{}&{}", head.query_str(), form(&P1));
    got.query = Some(claviger_core::secret::Secret::new(text));
    for request in [posted, got] {
        let opened = Volcengine.open(&request).unwrap();
        let (Command::Create(create), _) = command(Volcengine.decode(&opened)) else {
            panic!("not a creation");
        };
        assert_eq!(create.name, "test1");
        assert_eq!(create.description.as_deref(), Some("测试 a+b<>&"));
    }
}

#[test]
fn modifies() {
    let of = |list: &[(&str, &str)]| {
        let mut all = vec![("InstanceId", INSTANCE)];
        all.extend_from_slice(list);
        ask("ModifyDBAccount", &all)
    };
    let change = |list: &[(&str, &str)]| match command(of(list)).0 {
        Command::Modify(change) => change,
        other => panic!("{other:?}"),
    };
    let all = change(&[
        ("AccountName", "test1"),
        ("RoleName", "ReadOnly"),
        ("Password", "Pwd@1234"),
        ("Description", "d"),
    ]);
    assert_eq!(all.target, Target::Name("test1".into()));
    assert_eq!(all.privilege, Some(Asked::Known(Privilege::ReadOnly)));
    let password = all.password.unwrap();
    assert!(password.old.is_none() && password.new.expose() == "Pwd@1234");
    assert_eq!(all.description.as_deref(), Some("d"));
    // Absent or empty leaves it as it is; nothing at all is a change of nothing.
    let none = change(&[
        ("AccountName", "test1"),
        ("RoleName", ""),
        ("Password", ""),
        ("Description", ""),
    ]);
    assert!(none.privilege.is_none() && none.password.is_none() && none.description.is_none());
    // The default account's own role is no change; another is, and is refused by the decision.
    let own = change(&[("AccountName", "default"), ("RoleName", "Administrator")]);
    assert_eq!((own.target, own.privilege), (Target::Default, None));
    let other = change(&[("AccountName", "default"), ("RoleName", "ReadOnly")]);
    assert!(other.privilege.is_some());
    assert_eq!(code(of(&[])), "ParamError");
    let weak = [("AccountName", "test1"), ("Password", "weak")];
    assert_eq!(code(of(&weak)), "InvalidPassword");
    let long = "x".repeat(257);
    let long = [("AccountName", "test1"), ("Description", long.as_str())];
    assert_eq!(code(of(&long)), "AccountDescriptionTooLong");
}

#[test]
fn deletes() {
    for (name, target) in [
        ("test1", Target::Name("test1".into())),
        ("default", Target::Default),
        ("Default", Target::Name("Default".into())),
    ] {
        let list = [("InstanceId", INSTANCE), ("AccountName", name)];
        match command(ask("DeleteDBAccount", &list)).0 {
            Command::Delete(delete) => assert_eq!(delete.target, target),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        code(ask("DeleteDBAccount", &[("InstanceId", INSTANCE)])),
        "ParamError"
    );
    assert_eq!(
        code(ask("DeleteDBAccount", &[("AccountName", "a")])),
        "ParamError"
    );
}

#[test]
fn password_free() {
    let of = |mode: &str| {
        let list = [("InstanceId", INSTANCE), ("VpcAuthMode", mode)];
        ask("ModifyDBInstanceVpcAuthMode", &list)
    };
    for (mode, free) in [
        ("open", true),
        ("OPEN", true),
        ("close", false),
        ("Close", false),
    ] {
        match command(of(mode)).0 {
            Command::Modify(change) => {
                assert_eq!(change.target, Target::Default);
                assert_eq!(change.password_free, Some(free), "{mode}");
            }
            other => panic!("{other:?}"),
        }
    }
    for bad in ["", "closed", "true"] {
        assert_eq!(code(of(bad)), "ParamError");
    }
}

#[test]
fn lists_accounts() {
    let Query::Accounts(all) = query("ListDBAccount", &[("InstanceId", "i")]) else {
        panic!("not accounts");
    };
    assert_eq!((all.name, all.name_part, all.page), (None, None, Page::ALL));
    let list = [("InstanceId", "i"), ("AccountName", "default")];
    let Query::Accounts(one) = query("ListDBAccount", &list) else {
        panic!("not accounts");
    };
    assert_eq!(one.name.as_deref(), Some("default"));
}

fn instances(list: &[(&str, &str)]) -> InstanceQuery {
    match query("DescribeDBInstances", list) {
        Query::Instances(query) => query,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_instances() {
    let first = instances(&[]);
    assert_eq!((first.page.offset, first.page.limit), (0, 10));
    assert!(first.region.is_none());
    let one = instances(&[
        ("InstanceId", "i"),
        ("RegionId", "r"),
        ("InstanceName", "n"),
    ]);
    assert_eq!(one.ids.len(), 1);
    assert_eq!(
        (one.region.as_deref(), one.name_part.as_deref()),
        (Some("r"), Some("n"))
    );
    let paged = instances(&[("PageNumber", "3"), ("PageSize", "100")]);
    assert_eq!((paged.page.offset, paged.page.limit), (200, 100));
    let running = instances(&[("Status", "Running"), ("ShardedCluster", "1")]);
    assert_eq!(running.states, [InstanceState::Running]);
    assert_eq!(running.topologies, [Topology::Cluster]);
    assert_eq!(instances(&[("ShardedCluster", "0")]).topologies.len(), 3);
    for by_value in ["EngineVersion", "ZoneId"] {
        assert_eq!(instances(&[(by_value, "7.0")]).page, Page::ALL);
    }
    assert_eq!(instances(&[("ChargeType", "PostPaid")]).page.limit, 10);
    for (name, value) in [
        ("ChargeType", "PrePaid"),
        ("ProjectName", "other"),
        ("ServiceType", "Enterprise"),
        ("DataLayout", "SSD"),
        ("VpcId", "vpc-1"),
        ("Status", "Scaling"),
        ("TagFilters.1.Key", "k"),
    ] {
        let found = query("DescribeDBInstances", &[(name, value)]);
        if name.starts_with("Tag") {
            // A JSON body has no such spelling: it is an unknown member there.
            assert!(matches!(found, Query::Instances(_)));
        } else {
            assert_eq!(found, Query::Nothing, "{name}");
        }
    }
    for (body, nothing) in [
        (json!({"TagFilters": [{"Key": "k", "Value": "v"}]}), true),
        (json!({"TagFilters": []}), false),
        (json!({"PageSize": 5, "PageNumber": "2"}), false),
    ] {
        let found = ask_json("DescribeDBInstances", body.to_string()).unwrap();
        assert_eq!(
            matches!(found, Ask::Query(Query::Nothing)),
            nothing,
            "{body}"
        );
    }
    for bad in [
        json!({"PageSize": 0}),
        json!({"PageSize": 101}),
        json!({"PageSize": -1}),
        json!({"PageSize": 1.5}),
        json!({"PageSize": true}),
        json!({"PageSize": 1_000_000_000_000_u64}),
        json!({"PageNumber": 0}),
        json!({"PageNumber": "one"}),
        json!({"PageNumber": "+1"}),
        json!({"ShardedCluster": 2}),
        json!({"TagFilters": "k"}),
        json!({"EngineVersion": "7".repeat(129)}),
    ] {
        let refused = ask_json("DescribeDBInstances", bad.to_string());
        assert_eq!(code(refused), "ParamError", "{bad}");
    }
}

#[test]
fn tags_in_a_query() {
    let text = "Action=DescribeDBInstances&Version=2020-12-07&TagFilters.1.Key=k\
                &TagFilters.1.Value=v";
    let mut request = signed("DescribeDBInstances", &[]);
    request.query = Some(claviger_core::secret::Secret::new(text));
    let opened = Volcengine.open(&request).unwrap();
    let found = Volcengine.decode(&opened).unwrap();
    assert!(matches!(found, Ask::Query(Query::Nothing)));
}

fn tasks(list: &[(&str, &str)]) -> Query {
    let mut all = vec![("PageNumber", "1"), ("PageSize", "10")];
    all.extend_from_slice(list);
    query("DescribeTasks", &all)
}

#[test]
fn lists_tasks() {
    let Query::Tasks(found) = tasks(&[
        ("InstanceId", "i"),
        ("InstanceName", "n"),
        ("TaskId", "7"),
        ("TaskName", "ModifyDBAccount"),
        ("CreationStartTime", "2026-01-02T03:04:05Z"),
        ("CreationEndTime", "2026-01-02T03:04:06Z"),
        ("ProjectName", "default"),
    ]) else {
        panic!("not tasks");
    };
    assert_eq!(found.instance.unwrap().as_str(), "i");
    assert_eq!(found.instance_name.as_deref(), Some("n"));
    assert_eq!(found.id.unwrap().0, 7);
    assert_eq!(
        found.kinds,
        [TaskKind::ModifyAccount, TaskKind::ChangePassword]
    );
    assert_eq!(
        found.until.unwrap().as_secs() - found.from.unwrap().as_secs(),
        1
    );
    let Query::Tasks(plain) = tasks(&[]) else {
        panic!("not tasks");
    };
    let page = Page {
        offset: 0,
        limit: 10,
    };
    assert_eq!(
        plain,
        TaskQuery {
            page,
            ..TaskQuery::default()
        }
    );
    for none in [
        ("TaskId", "t-x"),
        ("TaskName", "RestartDBInstance"),
        ("ProjectName", "p"),
    ] {
        assert_eq!(tasks(&[none]), Query::Nothing, "{none:?}");
    }
    for bad in [&[("PageNumber", "1")][..], &[("PageSize", "10")], &[]] {
        assert_eq!(code(ask("DescribeTasks", bad)), "ParamError");
    }
    let bad = [
        ("PageNumber", "1"),
        ("PageSize", "10"),
        ("CreationStartTime", "now"),
    ];
    assert_eq!(code(ask("DescribeTasks", &bad)), "ParamError");
}

#[test]
fn other_reads() {
    assert_eq!(query("DescribeRegions", &[]), Query::Regions);
    assert_eq!(query("DescribeZones", &[("RegionId", "r")]), Query::Regions);
    assert_eq!(code(ask("DescribeZones", &[])), "ParamError");
    let one = [("InstanceId", "i")];
    assert_eq!(
        query("DescribeDBInstanceDetail", &one),
        Query::Instance("i".into())
    );
    assert_eq!(
        query("DescribeDBInstanceAclCategories", &one),
        Query::AclWords("i".into(), None)
    );
    assert_eq!(
        code(ask("DescribeDBInstanceAclCommands", &one)),
        "ParamError"
    );
    assert_eq!(
        query(
            "DescribeDBInstanceAclCommands",
            &[("InstanceId", "i"), ("Category", "read")]
        ),
        Query::AclWords("i".into(), Some("read".into()))
    );
    for action in [
        "DescribeDBInstanceDetail",
        "DescribeDBInstanceAclCategories",
    ] {
        assert_eq!(code(ask(action, &[])), "ParamError");
    }
}

#[test]
fn a_nul_byte_is_refused_wherever_it_is_read() {
    for name in ["InstanceId", "AccountName", "Description", "ClientToken"] {
        let refused = create(name, Some("a\0b".into())).unwrap_err();
        let told = matches!(refused, Refusal::ParameterInvalid { name: told, .. } if told == name);
        assert!(told, "{name}: {refused:?}");
    }
    let asked = ask("DescribeDBInstances", &[("InstanceName", "a\0b")]);
    assert_eq!(code(asked), code(create("Description", Some("\0".into()))));
}
