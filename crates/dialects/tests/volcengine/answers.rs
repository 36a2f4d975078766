//! Answers; those of the seed page and of the contract's samples to the letter.

use crate::support::{INSTANCE, REQUEST_ID, answered, body, request_id, shape, signed};
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, NodeAddress, Revision, TaskId};
use claviger_core::instance::{
    InstanceState, InstanceView, NodeSeed, RolePolicy, Topology, TopologyChoice,
};
use claviger_core::outcome::{Answer, Changed, Region};
use claviger_core::policy::InstancePolicy;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::Rows;
use claviger_core::task::{Task, TaskKind, TaskState, TaskView};
use claviger_dialects::Dialect;
use claviger_dialects::volcengine::Volcengine;
use serde_json::{Value, json};

fn account(name: &str, privilege: Privilege) -> AccountView {
    AccountView {
        id: "x".into(),
        name: name.into(),
        kind: AccountKind::Custom,
        privilege,
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

fn rows<T>(rows: Vec<T>) -> Rows<T> {
    let total = rows.len() as u64;
    Rows { rows, total }
}

fn accounts(list: Vec<AccountView>) -> Answer {
    Answer::Accounts(INSTANCE.into(), rows(list))
}

fn changed() -> Answer {
    Answer::Changed(Changed {
        instance: INSTANCE.into(),
        account: account("test1", Privilege::ReadWrite),
        task: TaskId(1),
    })
}

/// The sample's text without blanks, its request id ours.
fn compact(sample: &str) -> String {
    sample
        .split_whitespace()
        .collect::<String>()
        .replace("REQUEST", REQUEST_ID)
}

/// The answer's `Result`.
fn result(action: &str, list: &[(&str, &str)], answer: &Answer) -> Value {
    let text = answered(action, list, answer);
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let metadata = json!({"RequestId": REQUEST_ID, "Action": action, "Version": "2020-12-07",
                          "Service": "Redis", "Region": "cn-beijing"});
    assert_eq!(value["ResponseMetadata"], metadata);
    value["Result"].take()
}

#[test]
fn seed_delete() {
    let sample = r#"{
    "ResponseMetadata": {
        "RequestId": "REQUEST",
        "Action": "DeleteDBAccount",
        "Version": "2020-12-07",
        "Service": "Redis",
        "Region": "cn-beijing"
    },
    "Result": null
}"#;
    assert_eq!(
        answered("DeleteDBAccount", &[], &changed()),
        compact(sample)
    );
}

#[test]
fn writes_answer_null() {
    for action in [
        "CreateDBAccount",
        "ModifyDBAccount",
        "DeleteDBAccount",
        "ModifyDBInstanceVpcAuthMode",
    ] {
        let text = answered(action, &[], &changed());
        assert!(text.ends_with(r#","Result":null}"#), "{text}");
    }
}

#[test]
fn sample_list() {
    let mut one = account("test1", Privilege::Administrator);
    one.description = "test account".into();
    let text = answered("ListDBAccount", &[], &accounts(vec![one]));
    let sample = r#"{"ResponseMetadata":{"RequestId":"REQUEST","Action":"ListDBAccount","Version":"2020-12-07","Service":"Redis","Region":"cn-beijing"},"Result":{"Accounts":[{"AccountName":"test1","AccountStatus":"Available","Description":"test account","InstanceId":"redis-cn0212gzmh2xs0000","RoleName":"Administrator"}]}}"#;
    assert_eq!(text, sample.replace("REQUEST", REQUEST_ID));
}

#[test]
fn lists() {
    let none = result("ListDBAccount", &[], &accounts(vec![]));
    assert_eq!(none, json!({"Accounts": []}));
    let own = Privilege::parse("reporting").unwrap();
    let roles = [
        (Privilege::Administrator, "Administrator"),
        (Privilege::ReadWrite, "ReadWrite"),
        (Privilege::ReadOnly, "ReadOnly"),
        (Privilege::NotDangerous, "NotDangerous"),
        (Privilege::WriteOnly, "ReadWrite"),
        (Privilege::Replication, "ReadWrite"),
        (own, "reporting"),
    ];
    for (privilege, word) in roles {
        let list = accounts(vec![account("a", privilege)]);
        let found = result("ListDBAccount", &[], &list);
        assert_eq!(found["Accounts"][0]["RoleName"], word);
    }
    for (status, word) in [
        (AccountStatus::Available, "Available"),
        (AccountStatus::Creating, "Creating"),
        (AccountStatus::Changing, "Updating"),
        (AccountStatus::Deleting, "Deleting"),
        (AccountStatus::Disabled, "Disabled"),
    ] {
        let mut one = account("a", Privilege::ReadOnly);
        one.status = status;
        let found = result("ListDBAccount", &[], &accounts(vec![one]));
        assert_eq!(found["Accounts"][0]["AccountStatus"], word);
    }
    let mut default = account("default", Privilege::ReadWrite);
    default.kind = AccountKind::Default;
    let found = result("ListDBAccount", &[], &accounts(vec![default]));
    let row = json!({"AccountName": "default", "AccountStatus": "Available", "Description": "",
                     "InstanceId": INSTANCE, "RoleName": "Administrator"});
    assert_eq!(found["Accounts"][0], row);
}

fn instance(id: &str) -> InstanceView {
    InstanceView {
        tags: Default::default(),
        id: id.into(),
        name: "main".into(),
        region: "cn-hangzhou".into(),
        state: InstanceState::Running,
        topology_choice: TopologyChoice::Auto,
        topology: Some(Topology::Replicated),
        engine: Engine::parse(Family::Redis, "7.0.15"),
        nodes: vec![NodeSeed {
            address: NodeAddress::new("10.0.0.1:6380"),
            tls: false,
        }],
        master_name: None,
        map: Vec::new(),
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 1,
        password_free: false,
        revision: Revision(3),
        created_at: Timestamp::from_secs(1_767_323_045),
    }
}

/// Names and types are those of the models; Terraform falls if two of them are not numbers.
#[test]
fn instances() {
    let list = Answer::Instances(rows(vec![instance("i-1")]));
    let found = result("DescribeDBInstances", &[], &list);
    assert_eq!(found["TotalInstancesNum"], 1);
    let expected = json!({
        "InstanceId": "i-1", "InstanceName": "main", "Status": "Running",
        "EngineVersion": "7.0", "RegionId": "cn-hangzhou", "ZoneIds": ["cn-hangzhou-a"],
        "VpcId": "", "ChargeType": "PostPaid", "CreateTime": "2026-01-02T03:04:05Z",
        "ExpiredTime": "", "NodeNumber": 2, "ShardNumber": 1, "ShardedCluster": 0,
        "ShardCapacity": 1024.0, "Capacity": {"Total": 1024, "Used": 0},
        "DeletionProtection": "disabled", "MultiAZ": "disabled", "DataLayout": "RAM",
        "InstanceClass": "PrimarySecondary", "ProjectName": "default", "Tags": [],
        "ServiceType": "Basic", "PrivateAddress": "10.0.0.1", "PrivatePort": "6380",
        "VIP": "10.0.0.1", "VIPv6": "",
    });
    assert_eq!(found["Instances"], json!([expected]));
    let text = answered("DescribeDBInstances", &[], &list);
    assert!(text.contains(r#""ShardCapacity":1024.0,"#));
    let none = result("DescribeDBInstances", &[], &Answer::Nothing);
    assert_eq!(none, json!({"Instances": [], "TotalInstancesNum": 0}));
}

#[test]
fn instances_of_another_kind() {
    let mut cluster = instance("i-1");
    cluster.topology = Some(Topology::Cluster);
    (cluster.primaries, cluster.replicas) = (3, 6);
    let mut unseen = instance("i-2");
    unseen.state = InstanceState::Registering;
    (unseen.topology, unseen.engine) = (None, None);
    (unseen.primaries, unseen.replicas) = (0, 0);
    unseen.nodes[0].address = NodeAddress::new("[::1]:7000");
    let mut paused = instance("i-3");
    paused.state = InstanceState::Paused;
    let list = Answer::Instances(rows(vec![cluster, unseen, paused]));
    let found = result("DescribeDBInstances", &[], &list);
    let member = |index: usize, name: &str| found["Instances"][index][name].clone();
    let of_cluster = ["ShardedCluster", "ShardNumber", "NodeNumber"].map(|n| member(0, n));
    assert_eq!(of_cluster, [1, 3, 3]);
    assert_eq!(member(0, "Capacity")["Total"], 3072);
    let of_unseen = ["Status", "EngineVersion", "PrivateAddress", "PrivatePort"];
    assert_eq!(
        of_unseen.map(|n| member(1, n)),
        ["Creating", "", "::1", "7000"]
    );
    assert_eq!(member(1, "NodeNumber"), 1);
    assert_eq!(member(2, "Status"), "AllowListMaintaining");
}

/// What is compared with the values shown is counted and paged after it.
#[test]
fn instances_by_value() {
    let mut other = instance("i-2");
    other.engine = Engine::parse(Family::Redis, "6.2.14");
    let mut far = instance("i-3");
    far.region = "cn-beijing".into();
    let list = Answer::Instances(rows(vec![instance("i-1"), other, far, instance("i-4")]));
    let ids = |given: &[(&str, &str)]| {
        let found = result("DescribeDBInstances", given, &list);
        let rows = found["Instances"].as_array().unwrap().clone();
        let ids: Vec<String> = rows
            .iter()
            .map(|row| row["InstanceId"].as_str().unwrap().to_owned())
            .collect();
        (ids.join(" "), found["TotalInstancesNum"].clone())
    };
    let of = |ids: &str, total: u64| (ids.to_owned(), json!(total));
    assert_eq!(ids(&[("EngineVersion", "7.0")]), of("i-1 i-3 i-4", 3));
    assert_eq!(ids(&[("ZoneId", "hangzhou")]), of("i-1 i-2 i-4", 3));
    assert_eq!(
        ids(&[("ZoneId", "hangzhou"), ("EngineVersion", "6.2")]),
        of("i-2", 1)
    );
    let second = [
        ("EngineVersion", "7.0"),
        ("PageSize", "2"),
        ("PageNumber", "2"),
    ];
    assert_eq!(ids(&second), of("i-4", 3));
}

#[test]
fn detail() {
    let mut one = instance("i-1");
    for (free, word) in [(false, "close"), (true, "open")] {
        one.password_free = free;
        let answer = Answer::Instance(Box::new(one.clone()));
        let found = result("DescribeDBInstanceDetail", &[], &answer);
        assert_eq!(found["VpcAuthMode"], word);
        assert_eq!(found["InstanceId"], "i-1");
        assert_eq!(found["ShardCapacityV2"], 1024);
        assert_eq!(found["ConfigureNodes"], json!([{"AZ": "cn-hangzhou-a"}]));
        let visit = json!([{"AddrType": "Private", "Address": "10.0.0.1", "Port": "6380",
                            "VIP": "10.0.0.1", "VIPv6": "", "EipId": ""}]);
        assert_eq!(found["VisitAddrs"], visit);
        for name in [
            "VIP",
            "VIPv6",
            "PrivateAddress",
            "PrivatePort",
            "ServiceType",
        ] {
            assert!(found.get(name).is_none(), "{name}");
        }
    }
}

fn task(kind: TaskKind, state: TaskState, took_ms: Option<i64>) -> TaskView {
    let begun = 1_767_323_045_000;
    TaskView {
        task: Task {
            id: TaskId(7),
            instance: "i-1".into(),
            account: AccountId::from_parts(Timestamp::default(), [1; 10]),
            account_name: "test1".into(),
            kind,
            state,
            revision: Revision(1),
            by: "k".into(),
            created_at: Timestamp::from_millis(begun),
            finished_at: took_ms.map(|ms| Timestamp::from_millis(begun + ms)),
        },
        waiting_on: Vec::new(),
        reason: None,
    }
}

#[test]
fn tasks() {
    let list = Answer::Tasks(rows(vec![
        task(TaskKind::CreateAccount, TaskState::Succeeded, Some(1500)),
        task(TaskKind::ChangePassword, TaskState::Running, None),
        task(TaskKind::DeleteAccount, TaskState::Superseded, Some(0)),
    ]));
    let found = result("DescribeTasks", &[], &list);
    assert_eq!(found["Total"], 3);
    let first = json!({
        "TaskId": "7", "TaskName": "CreateDBAccount", "TaskAction": "CreateDBAccount",
        "TaskDesc": "CreateDBAccount test1", "TaskParams": "", "TaskStatus": "Success",
        "Progress": 100, "CostTimeMS": 1500, "CreateTime": "2026-01-02T03:04:05Z",
        "StartTime": "2026-01-02T03:04:05Z", "FinishTime": "2026-01-02T03:04:06Z",
        "InstanceInfo": {"InstanceID": "i-1"}, "TaskStepInfo": [],
    });
    assert_eq!(found["Tasks"][0], first);
    let second = &found["Tasks"][1];
    assert_eq!(second["TaskName"], "ModifyDBAccount");
    assert_eq!(
        (&second["TaskStatus"], &second["FinishTime"]),
        (&json!("Running"), &json!(""))
    );
    assert_eq!(found["Tasks"][2]["TaskStatus"], "Canceled");
    let none = result("DescribeTasks", &[], &Answer::Nothing);
    assert_eq!(none, json!({"Tasks": [], "Total": 0}));
}

#[test]
fn other_answers() {
    let region = |id: &str| Region { id: id.into() };
    let regions = Answer::Regions(vec![region("a-1"), region("b-1")]);
    assert_eq!(
        result("DescribeRegions", &[], &regions)["Regions"],
        json!([{"RegionId": "a-1", "RegionName": "a-1"}, {"RegionId": "b-1", "RegionName": "b-1"}])
    );
    assert_eq!(
        result("DescribeZones", &[("RegionId", "b-1")], &regions)["Zones"],
        json!([{"ZoneId": "b-1-a", "ZoneName": "b-1-a", "ZoneStatus": 0}])
    );
    let words = Answer::AclWords(vec!["read".into(), "write".into()]);
    assert_eq!(
        result("DescribeDBInstanceAclCategories", &[], &words),
        json!({"Categories": ["read", "write"]})
    );
    assert_eq!(
        result(
            "DescribeDBInstanceAclCommands",
            &[("Category", "read")],
            &words
        ),
        json!({"Commands": ["read", "write"]})
    );
}

/// An answer that is not the action's is a fault of ours, not a panic.
#[test]
fn another_actions_answer() {
    for action in [
        "CreateDBAccount",
        "ListDBAccount",
        "DescribeTasks",
        "DescribeZones",
    ] {
        let answer = Answer::Instance(Box::new(instance("i")));
        let answer = Volcengine.encode(&shape(action, &[]), request_id(), Ok(&answer));
        assert_eq!(answer.status, 500);
        assert!(body(&answer).contains("InternalError"));
    }
}

/// The metadata names the version and the region that the request named.
#[test]
fn metadata_follows_the_request() {
    let mut request = signed("ListDBAccount", &[]);
    request.headers.retain(|(name, _)| name != "authorization");
    let shape = Volcengine.shape(&request);
    let text = body(&Volcengine.encode(&shape, request_id(), Ok(&accounts(vec![]))));
    assert!(text.contains(r#""Service":"Redis","Region":""}"#), "{text}");
}
