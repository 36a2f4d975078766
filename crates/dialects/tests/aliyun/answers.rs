//! Answers in both formats; those of the seed pages to the letter.

use crate::support::{INSTANCE, REQUEST_ID, accept, answered, body, form, raw, request_id, shape};
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{NodeAddress, Revision, TaskId};
use claviger_core::instance::{
    InstanceState, InstanceView, NodeSeed, RolePolicy, Topology, TopologyChoice,
};
use claviger_core::outcome::{Answer, Changed, Region};
use claviger_core::policy::InstancePolicy;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::Rows;
use claviger_core::rules::NewPassword;
use claviger_dialects::Dialect;
use claviger_dialects::aliyun::Aliyun;
use serde_json::{Value, json};

const DECL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

fn account(name: &str, kind: AccountKind) -> AccountView {
    AccountView {
        id: "x".into(),
        name: name.into(),
        kind,
        privilege: Privilege::ReadWrite,
        routing: Routing::PRIMARY,
        description: String::new(),
        status: AccountStatus::Available,
        created_at: Timestamp::default(),
        password_set_at: None,
        enabled: true,
        expires_at: None,
        password_free: false,
    }
}

fn accounts(rows: Vec<AccountView>) -> Answer {
    let total = rows.len() as u64;
    Answer::Accounts(INSTANCE.into(), Rows { rows, total })
}

fn two() -> Answer {
    accounts(vec![
        account("default", AccountKind::Default),
        account("testaccount", AccountKind::Custom),
    ])
}

fn changed() -> Answer {
    Answer::Changed(Changed {
        instance: INSTANCE.into(),
        account: account("demoaccount", AccountKind::Custom),
        task: TaskId(1),
    })
}

/// Takes out what we send beyond the sample; it must be there once.
fn without(text: &str, addition: &str) -> String {
    assert_eq!(text.matches(addition).count(), 1, "{addition} in {text}");
    text.replace(addition, "")
}

fn compact(sample: &str) -> String {
    sample
        .split_whitespace()
        .collect::<String>()
        .replace("REQUEST", REQUEST_ID)
        .replace("INSTANCE", INSTANCE)
}

#[test]
fn seed_create_account() {
    let json = answered("CreateAccount", &[], false, &changed());
    let sample =
        r#"{ "RequestId": "REQUEST", "InstanceId": "INSTANCE", "AcountName": "demoaccount" }"#;
    let new = r#","AccountName":"demoaccount""#;
    assert_eq!(without(&json, new), compact(sample));

    let xml = answered("CreateAccount", &[], true, &changed());
    let sample = "<CreateAccountResponse>
      <RequestId>REQUEST</RequestId>
      <InstanceId>INSTANCE</InstanceId>
      <AcountName>demoaccount</AcountName>
</CreateAccountResponse>";
    let xml = without(&xml, "<AccountName>demoaccount</AccountName>");
    assert_eq!(without(&xml, DECL), compact(sample));
}

#[test]
fn seed_describe_accounts_json() {
    let json = answered("DescribeAccounts", &[], false, &two());
    let sample = r#"{
  "RequestId" : "REQUEST",
  "Accounts" : {
    "Account" : [ {
      "AccountStatus" : "Available",
      "InstanceId" : "INSTANCE",
      "AccountType" : "Normal",
      "DatabasePrivileges" : {
        "DatabasePrivilege" : [ {
          "AccountPrivilege" : "RoleReadWrite"
        } ]
      },
      "AccountName" : "INSTANCE"
    }, {
      "AccountDescription" : "",
      "AccountStatus" : "Available",
      "InstanceId" : "INSTANCE",
      "AccountType" : "Normal",
      "DatabasePrivileges" : {
        "DatabasePrivilege" : [ {
          "AccountPrivilege" : "RoleReadWrite"
        } ]
      },
      "AccountName" : "testaccount"
    } ]
  }
}"#;
    let default_row = compact(
        r#"{"AccountStatus":"Available","InstanceId":"INSTANCE","AccountType":"Normal",
        "DatabasePrivileges":{"DatabasePrivilege":[{"AccountPrivilege":"RoleReadWrite"}]},
        "AccountName":"default"},"#,
    );
    let json = without(&json, &default_row);
    let json = without(&json, r#","PageNumber":1,"PageSize":3,"TotalCount":3"#);
    assert_eq!(json, compact(sample));
}

#[test]
fn seed_describe_accounts_xml() {
    let xml = answered("DescribeAccounts", &[], true, &two());
    let sample = "<DescribeAccountsResponse>
    <RequestId>REQUEST</RequestId>
    <Accounts>
        <Account>
            <AccountStatus>Available</AccountStatus>
            <InstanceId>INSTANCE</InstanceId>
            <AccountType>Normal</AccountType>
            <DatabasePrivileges>
                <DatabasePrivilege>
                    <AccountPrivilege>RoleReadWrite</AccountPrivilege>
                </DatabasePrivilege>
            </DatabasePrivileges>
            <AccountName>INSTANCE</AccountName>
        </Account>
        <Account>
            <AccountDescription/>
            <AccountStatus>Available</AccountStatus>
            <InstanceId>INSTANCE</InstanceId>
            <AccountType>Normal</AccountType>
            <DatabasePrivileges>
                <DatabasePrivilege>
                    <AccountPrivilege>RoleReadWrite</AccountPrivilege>
                </DatabasePrivilege>
            </DatabasePrivileges>
            <AccountName>testaccount</AccountName>
        </Account>
    </Accounts>
</DescribeAccountsResponse>";
    let default_row = compact(
        "<Account><AccountStatus>Available</AccountStatus><InstanceId>INSTANCE</InstanceId>
        <AccountType>Normal</AccountType><DatabasePrivileges><DatabasePrivilege>
        <AccountPrivilege>RoleReadWrite</AccountPrivilege></DatabasePrivilege>
        </DatabasePrivileges><AccountName>default</AccountName></Account>",
    );
    let xml = without(&xml, &default_row);
    let pages = "<PageNumber>1</PageNumber><PageSize>3</PageSize><TotalCount>3</TotalCount>";
    let xml = without(&without(&xml, pages), DECL);
    assert_eq!(xml, compact(sample));
}

/// The sample requests of the seed pages, completed with the common parameters.
#[test]
fn seed_requests() {
    for (action, list) in [
        (
            "CreateAccount",
            vec![
                ("AccountName", "demoaccount"),
                ("AccountPassword", "uWonno21****"),
                ("InstanceId", "r-bp1zxszhcgatnx****"),
            ],
        ),
        (
            "DescribeAccounts",
            vec![("InstanceId", "r-bp1zxszhcgatnx****")],
        ),
    ] {
        use claviger_dialects::aliyun::client::Signer;
        for signer in [Signer::RpcV1, Signer::Acs3Sha256, Signer::Acs3Sm3] {
            assert!(accept(&crate::support::signed(signer, action, &list)).is_ok());
        }
    }
    let asked = NewPassword {
        password: "uWonno21****",
        account: "demoaccount",
        of_default: false,
    };
    assert!((Aliyun.rules().password_ok)(&asked));
    assert!((Aliyun.rules().name_ok)(
        "demoaccount",
        "r-bp1zxszhcgatnx****"
    ));
}

fn json_of(action: &str, list: &[(&str, &str)], answer: &Answer) -> Value {
    serde_json::from_str(&answered(action, list, false, answer)).unwrap()
}

fn names(list: &[(&str, &str)]) -> (Vec<String>, Value) {
    let answer = accounts(vec![
        account("default", AccountKind::Default),
        account("alpha", AccountKind::Custom),
        account("beta", AccountKind::Custom),
    ]);
    let json = json_of("DescribeAccounts", list, &answer);
    let rows = json["Accounts"]["Account"].as_array().unwrap();
    let name = |row: &Value| row["AccountName"].as_str().unwrap().to_owned();
    let pages = json!([json["PageNumber"], json["PageSize"], json["TotalCount"]]);
    (rows.iter().map(name).collect(), pages)
}

#[test]
fn account_filters_and_pages() {
    for (list, rows, pages) in [
        (
            &[][..],
            &[INSTANCE, "default", "alpha", "beta"][..],
            [1, 4, 4],
        ),
        (&[("AccountName", "beta")], &["beta"], [1, 1, 1]),
        (&[("AccountName", "default")], &["default"], [1, 1, 1]),
        (&[("AccountName", INSTANCE)], &[INSTANCE], [1, 1, 1]),
        (&[("AccountName", "gamma")], &[], [1, 0, 0]),
        (
            &[("AccountName", "")],
            &[INSTANCE, "default", "alpha", "beta"],
            [1, 4, 4],
        ),
        (&[("SearchAccountName", "ta")], &["beta"], [1, 1, 1]),
        (&[("SearchAccountName", "bp1z")], &[INSTANCE], [1, 1, 1]),
        (&[("SearchAccountName", "fau")], &["default"], [1, 1, 1]),
        (
            &[("PageSize", "3")],
            &[INSTANCE, "default", "alpha"],
            [1, 3, 4],
        ),
        (
            &[("PageSize", "3"), ("PageNumber", "2")],
            &["beta"],
            [2, 3, 4],
        ),
        (&[("PageSize", "3"), ("PageNumber", "3")], &[], [3, 3, 4]),
        (&[("PageNumber", "2")], &[], [2, 4, 4]),
        (
            &[("PageNumber", "999999999"), ("PageSize", "1000")],
            &[],
            [999_999_999, 1000, 4],
        ),
    ] {
        let (actual, actual_pages) = names(list);
        assert_eq!(actual, rows, "{list:?}");
        assert_eq!(actual_pages, json!(pages), "{list:?}");
    }
}

#[test]
fn no_accounts_is_an_empty_list() {
    let json = json_of("DescribeAccounts", &[], &accounts(vec![]));
    assert_eq!(json["Accounts"], json!({"Account": []}));
    let xml = answered("DescribeAccounts", &[], true, &accounts(vec![]));
    assert!(xml.contains("<Accounts/>"));
}

#[test]
fn words_of_an_account() {
    for (privilege, word) in [
        (Privilege::ReadOnly, "RoleReadOnly"),
        (Privilege::ReadWrite, "RoleReadWrite"),
        (Privilege::Replication, "RoleRepl"),
        (Privilege::WriteOnly, "RoleReadWrite"),
        (Privilege::Administrator, "RoleReadWrite"),
        (Privilege::NotDangerous, "RoleReadWrite"),
    ] {
        for (status, status_word) in [
            (AccountStatus::Available, "Available"),
            (AccountStatus::Creating, "Unavailable"),
            (AccountStatus::Changing, "Unavailable"),
            (AccountStatus::Deleting, "Unavailable"),
        ] {
            let view = AccountView {
                privilege,
                status,
                description: "<测试 & \"x\">\u{1}".into(),
                ..account("a", AccountKind::Custom)
            };
            let json = json_of("DescribeAccounts", &[], &accounts(vec![view]));
            let row = &json["Accounts"]["Account"][0];
            assert_eq!(row["AccountStatus"], status_word);
            assert_eq!(row["AccountDescription"], "<测试 & \"x\">\u{1}");
            assert_eq!(
                row["DatabasePrivileges"]["DatabasePrivilege"][0]["AccountPrivilege"],
                word
            );
        }
    }
}

#[test]
fn accepted_changes() {
    for action in [
        "DeleteAccount",
        "GrantAccountPrivilege",
        "ModifyAccountDescription",
        "ModifyAccountPassword",
        "ResetAccountPassword",
    ] {
        assert_eq!(
            answered(action, &[], false, &changed()),
            format!(r#"{{"RequestId":"{REQUEST_ID}"}}"#)
        );
        assert_eq!(
            answered(action, &[], true, &changed()),
            format!(
                "{DECL}<{action}Response><RequestId>{REQUEST_ID}</RequestId></{action}Response>"
            )
        );
    }
}

fn instance(id: &str) -> InstanceView {
    InstanceView {
        id: id.into(),
        name: format!("name of {id}"),
        region: "cn-hangzhou".into(),
        tags: Default::default(),
        state: InstanceState::Running,
        topology_choice: TopologyChoice::Auto,
        topology: Some(Topology::Replicated),
        engine: Engine::parse(Family::Redis, "7.0.15"),
        nodes: vec![NodeSeed {
            address: NodeAddress::from("10.0.0.1:7001"),
            tls: false,
        }],
        master_name: None,
        map: Vec::new(),
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 0,
        password_free: false,
        revision: Revision::ZERO,
        created_at: Timestamp::from_secs(crate::support::TIME_S),
    }
}

fn instances(rows: Vec<InstanceView>, total: u64) -> Answer {
    Answer::Instances(Rows { rows, total })
}

#[test]
fn listed_instances() {
    let json = json_of(
        "DescribeInstances",
        &[("PageSize", "2"), ("PageNumber", "3")],
        &instances(vec![instance("r-1")], 5),
    );
    assert_eq!(json["PageNumber"], 3);
    assert_eq!(json["PageSize"], 2);
    assert_eq!(json["TotalCount"], 5);
    let row = &json["Instances"]["KVStoreInstance"][0];
    for (name, value) in [
        ("InstanceId", json!("r-1")),
        ("InstanceName", json!("name of r-1")),
        ("InstanceStatus", json!("Normal")),
        ("InstanceType", json!("Redis")),
        ("EngineVersion", json!("7.0")),
        ("ArchitectureType", json!("standard")),
        ("NodeType", json!("double")),
        ("RegionId", json!("cn-hangzhou")),
        ("ZoneId", json!("cn-hangzhou-a")),
        ("ConnectionDomain", json!("10.0.0.1")),
        ("Port", json!(7001)),
        ("CreateTime", json!("2026-01-02T03:04:05Z")),
        ("Capacity", json!(1024)),
        ("IsRds", json!(false)),
        ("Config", json!("{}")),
        ("Tags", json!({"Tag": []})),
        ("ReadOnlyCount", json!("0")),
        ("HasRenewChangeOrder", json!(false)),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let json = json_of("DescribeInstances", &[], &instances(vec![], 0));
    assert_eq!(json["PageSize"], 30);
    assert_eq!(json["Instances"], json!({"KVStoreInstance": []}));
    let json = json_of("DescribeInstances", &[], &Answer::Nothing);
    assert_eq!(json["TotalCount"], 0);
}

#[test]
fn instance_filters() {
    let paused = InstanceView {
        state: InstanceState::Paused,
        topology: Some(Topology::Cluster),
        engine: Engine::parse(Family::Valkey, "9.1.0"),
        ..instance("r-2")
    };
    let single = InstanceView {
        state: InstanceState::Registering,
        topology: Some(Topology::Standalone),
        engine: None,
        ..instance("r-3")
    };
    let answer = instances(vec![instance("r-1"), paused, single], 3);
    for (name, value, ids) in [
        ("InstanceStatus", "Normal", &["r-1"][..]),
        ("InstanceStatus", "Inactive", &["r-2"]),
        ("InstanceStatus", "Creating", &["r-3"]),
        ("EngineVersion", "7.0", &["r-1"]),
        ("EngineVersion", "9.1", &["r-2"]),
        ("ArchitectureType", "cluster", &["r-2"]),
        ("NodeType", "STAND_ALONE", &["r-3"]),
        ("NodeType", "double", &["r-1", "r-2"]),
        ("ZoneId", "cn-hangzhou-a", &["r-1", "r-2", "r-3"]),
        ("ZoneId", "cn-hangzhou-b", &[]),
        ("VpcId", "vpc-1", &[]),
        ("ChargeType", "PostPaid", &["r-1", "r-2", "r-3"]),
        ("InstanceType", "Tair", &[]),
        ("Expired", "True", &[]),
        ("Expired", "false", &["r-1", "r-2", "r-3"]),
        ("GlobalInstance", "false", &["r-1", "r-2", "r-3"]),
        ("Tag.1.Key", "k", &[]),
    ] {
        let json = json_of("DescribeInstances", &[(name, value)], &answer);
        let rows = json["Instances"]["KVStoreInstance"].as_array().unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|r| r["InstanceId"].as_str().unwrap())
            .collect();
        assert_eq!(found, ids, "{name}={value}");
        assert_eq!(json["TotalCount"], ids.len());
    }
    let page = [
        ("NodeType", "double"),
        ("PageSize", "1"),
        ("PageNumber", "2"),
    ];
    let json = json_of("DescribeInstances", &page, &answer);
    assert_eq!(json["Instances"]["KVStoreInstance"][0]["InstanceId"], "r-2");
    assert_eq!(json["TotalCount"], 2);
}

#[test]
fn one_instance() {
    for (free, mode) in [(true, "Close"), (false, "Open")] {
        let view = InstanceView {
            password_free: free,
            nodes: vec![NodeSeed {
                address: NodeAddress::from("[::1]:6380"),
                tls: true,
            }],
            ..instance("r-1")
        };
        let answer = Answer::Instance(Box::new(view));
        let json = json_of("DescribeInstanceAttribute", &[], &answer);
        let row = &json["Instances"]["DBInstanceAttribute"][0];
        assert_eq!(row["VpcAuthMode"], mode);
        assert_eq!(row["ConnectionDomain"], "::1");
        assert_eq!(row["Port"], 6380);
        assert_eq!(row["Engine"], "Redis");
        assert_eq!(row["HasRenewChangeOrder"], "false");
        assert_eq!(row["ReadOnlyCount"], 0);
        let xml = answered("DescribeInstanceAttribute", &[], true, &answer);
        assert!(xml.contains("<Instances><DBInstanceAttribute><InstanceId>r-1</InstanceId>"));
        assert!(xml.contains("<Tags/>"));
    }
}

#[test]
fn regions_zones_tasks() {
    let region = |id: &str| Region { id: id.into() };
    let answer = Answer::Regions(vec![region("cn-hangzhou"), region("eu-1")]);
    let json = json_of("DescribeRegions", &[], &answer);
    assert_eq!(
        json["RegionIds"]["KVStoreRegion"][0],
        json!({
            "RegionId": "cn-hangzhou",
            "LocalName": "cn-hangzhou",
            "RegionEndpoint": "127.0.0.1:8379",
            "ZoneIds": "cn-hangzhou-a",
            "ZoneIdList": {"ZoneId": ["cn-hangzhou-a"]}
        })
    );
    let xml = answered("DescribeRegions", &[], true, &answer);
    assert!(xml.contains("<ZoneIdList><ZoneId>eu-1-a</ZoneId></ZoneIdList>"));
    let json = json_of("DescribeZones", &[("RegionId", "eu-1")], &answer);
    let zones = json["Zones"]["KVStoreZone"].as_array().unwrap();
    assert_eq!(zones.len(), 1);
    assert_eq!(zones[0]["ZoneId"], "eu-1-a");
    let json = json_of(
        "DescribeHistoryTasks",
        &[("PageSize", "50")],
        &Answer::Nothing,
    );
    assert_eq!(json["Items"], json!([]));
    assert_eq!(json["PageSize"], 50);
    assert_eq!(json["TotalCount"], 0);
}

/// An answer that is not of the action is a fault of ours, and says so.
#[test]
fn mismatched_answers() {
    for action in [
        "DescribeAccounts",
        "CreateAccount",
        "DescribeRegions",
        "Unknown",
        "",
    ] {
        let shape = shape(action, &[], false);
        let answer = Aliyun.encode(&shape, request_id(), Ok(&instances(vec![], 0)));
        assert_eq!(answer.status, 500, "{action}");
        assert!(body(&answer, false).contains("InternalError"));
    }
}

/// Format: by the scheme, the parameter, the header, in this order.
#[test]
fn formats() {
    let acs3 = ("authorization", "ACS3-HMAC-SHA256 Credential=k");
    let json = ("accept", "application/json");
    let any = ("accept", "*/*");
    for (format, headers, xml) in [
        (None, &[][..], true),
        (None, &[any], true),
        (None, &[json], false),
        (None, &[acs3], false),
        (Some("XML"), &[json], true),
        (Some("xml"), &[], true),
        (Some("JSON"), &[], false),
        (Some("json"), &[any], false),
        (Some("Json"), &[], false),
        (Some("XML"), &[acs3], false),
        (Some("yaml"), &[], true),
        (Some("yaml"), &[json], false),
    ] {
        let mut query = vec![("Action", "DescribeAccounts")];
        query.extend(format.map(|format| ("Format", format)));
        let in_query = raw("GET", &form(&query), headers, "");
        assert_eq!(Aliyun.shape(&in_query).xml, xml, "{format:?} {headers:?}");
        let mut headers = headers.to_vec();
        headers.push((
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        ));
        let in_body = raw("POST", "", &headers, form(&query));
        assert_eq!(Aliyun.shape(&in_body).xml, xml, "{format:?} {headers:?}");
    }
}

/// No success may have a member that clients take for an error.
#[test]
fn no_code_in_a_success() {
    let regions = Answer::Regions(vec![]);
    let one = Answer::Instance(Box::new(instance("r-1")));
    for (action, answer) in [
        ("CreateAccount", &changed()),
        ("DeleteAccount", &changed()),
        ("DescribeAccounts", &two()),
        ("DescribeInstances", &instances(vec![instance("r-1")], 1)),
        ("DescribeInstanceAttribute", &one),
        ("DescribeRegions", &regions),
        ("DescribeZones", &regions),
        ("DescribeHistoryTasks", &Answer::Nothing),
    ] {
        let json = json_of(action, &[], answer);
        let members = json.as_object().unwrap();
        assert!(!members.contains_key("Code") && !members.contains_key("Success"));
        assert_eq!(json["RequestId"], REQUEST_ID);
    }
}
