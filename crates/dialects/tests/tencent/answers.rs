//! Answers; those of the seed page and of the vendor's samples member by member.

use crate::support::{
    INSTANCE, REQUEST_ID, accept, answered, form, raw, shape, signed, signed_json,
};
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, NodeAddress, Revision, TaskId};
use claviger_core::instance::{
    InstanceState, InstanceView, NodeSeed, RolePolicy, Topology, TopologyChoice,
};
use claviger_core::outcome::{Answer, Changed};
use claviger_core::policy::{InstancePolicy, PasswordPolicy};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::Rows;
use claviger_core::task::{Task, TaskKind, TaskState, TaskView};
use claviger_dialects::Dialect;
use claviger_dialects::tencent::Tencent;
use claviger_dialects::tencent::client::Signer;
use serde_json::{Value, json};

/// 2019-11-15 14:25:37 in China.
const AT: Timestamp = Timestamp::from_secs(1_573_799_137);

fn account(name: &str, kind: AccountKind) -> AccountView {
    AccountView {
        id: "x".into(),
        name: name.into(),
        kind,
        privilege: Privilege::ReadWrite,
        routing: Routing::PRIMARY,
        description: String::new(),
        status: AccountStatus::Available,
        created_at: AT,
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

fn changed(task: i64) -> Answer {
    Answer::Changed(Changed {
        instance: INSTANCE.into(),
        account: account("test_account", AccountKind::Custom),
        task: TaskId(task),
    })
}

/// The answer to this action by JSON.
fn of(action: &str, body: &str, answer: &Answer) -> Value {
    let shape = Tencent.shape(&signed_json(action, body));
    let answer = Tencent.encode(&shape, crate::support::request_id(), Ok(answer));
    crate::support::body(&answer)["Response"].clone()
}

/// The seed page's example request: a GET form, completed with the common parameters. Its
/// example response to the letter, with our own request id.
#[test]
fn seed() {
    let list = [
        ("InstanceId", "crs-********"),
        ("AccountName", "test_account"),
    ];
    let raw = signed(Signer::V1Sha1Get, "ModifyInstanceAccount", &list);
    assert_eq!((raw.method.as_str(), raw.body.len()), ("GET", 0));
    assert!(raw.query_str().contains("Action=ModifyInstanceAccount"));
    accept(&raw).unwrap();
    let shape = Tencent.shape(&raw);
    let answer = Tencent.encode(&shape, crate::support::request_id(), Ok(&changed(123_456)));
    let sample = r#"{
    "Response": {
        "TaskId": 123456,
        "RequestId": "0e728fa9-c2e5-4bf8-8d6b-c1c4fab7b6db"
    }
}"#;
    let sample: String = sample.split_whitespace().collect();
    let sample = sample.replace("0e728fa9-c2e5-4bf8-8d6b-c1c4fab7b6db", REQUEST_ID);
    assert_eq!(String::from_utf8(answer.body).unwrap(), sample);
}

#[test]
fn tasks_of_changes() {
    for action in [
        "CreateInstanceAccount",
        "ModifyInstanceAccount",
        "DeleteInstanceAccount",
        "ResetPassword",
        "ModfiyInstancePassword",
        "ModifyInstancePassword",
    ] {
        let answer = answered(action, &[], &changed(16_657));
        let wanted = json!({"Response": {"TaskId": 16657, "RequestId": REQUEST_ID}});
        assert_eq!(answer, wanted, "{action}");
    }
}

#[test]
fn sample_of_accounts() {
    let answer = answered(
        "DescribeInstanceAccount",
        &[],
        &accounts(vec![account("default", AccountKind::Default)]),
    );
    // The older sample has no PasswordLastModifiedTime.
    let wanted = json!({"Response": {"Accounts": [{
        "AccountName": "root", "CreateTime": "", "InstanceId": INSTANCE, "Privilege": "rw",
        "ReadonlyPolicy": ["master"], "Remark": "default", "Status": 2,
        "PasswordLastModifiedTime": "",
    }], "TotalCount": 1, "RequestId": REQUEST_ID}});
    assert_eq!(answer, wanted);
}

#[test]
fn accounts_in_every_state() {
    let mut rows = Vec::new();
    for (status, privilege, primary, replica) in [
        (AccountStatus::Available, Privilege::ReadOnly, true, true),
        (AccountStatus::Creating, Privilege::WriteOnly, false, true),
        (
            AccountStatus::Changing,
            Privilege::Administrator,
            false,
            false,
        ),
        (AccountStatus::Disabled, Privilege::Replication, true, false),
        (
            AccountStatus::Deleting,
            Privilege::NotDangerous,
            true,
            false,
        ),
    ] {
        rows.push(AccountView {
            status,
            privilege,
            routing: Routing { primary, replica },
            description: "备注".into(),
            password_set_at: Some(AT),
            ..account("app_1", AccountKind::Custom)
        });
    }
    let answer = answered("DescribeInstanceAccount", &[], &accounts(rows));
    let rows = answer["Response"]["Accounts"].as_array().unwrap();
    let column = |name: &str| rows.iter().map(|r| r[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("Status"), [2, 1, 1, 1, 1]);
    assert_eq!(column("Privilege"), ["r", "w", "rw", "rw", "rw"]);
    assert_eq!(rows[0]["ReadonlyPolicy"], json!(["master", "replication"]));
    assert_eq!(rows[1]["ReadonlyPolicy"], json!(["replication"]));
    assert_eq!(rows[2]["ReadonlyPolicy"], json!(["master"]));
    assert_eq!(rows[0]["Remark"], "备注");
    assert_eq!(rows[0]["CreateTime"], "2019-11-15 14:25:37");
    assert_eq!(rows[0]["PasswordLastModifiedTime"], "2019-11-15 14:25:37");
    let empty = answered("DescribeInstanceAccount", &[], &accounts(vec![]));
    assert_eq!(empty["Response"]["Accounts"], json!([]));
}

fn task(state: TaskState, kind: TaskKind) -> TaskView {
    let done = state != TaskState::Running;
    TaskView {
        task: Task {
            id: TaskId(42_372),
            instance: INSTANCE.into(),
            account: AccountId::from_parts(AT, [0; 10]),
            account_name: "app".into(),
            kind,
            state,
            revision: Revision(1),
            by: "k".into(),
            created_at: AT,
            finished_at: done.then_some(Timestamp::from_secs(1_573_799_146)),
        },
        waiting_on: Vec::new(),
        reason: None,
    }
}

#[test]
fn sample_of_a_task() {
    let one = |view: &TaskView| {
        let answer = Answer::Task(Box::new(view.clone()));
        answered("DescribeTaskInfo", &[], &answer)["Response"].clone()
    };
    let done = task(TaskState::Succeeded, TaskKind::ChangePassword);
    let wanted = json!({"Status": "succeed", "StartTime": "2019-11-15 14:25:37",
        "TaskType": "Change password", "InstanceId": INSTANCE, "TaskMessage": "",
        "RequestId": REQUEST_ID});
    assert_eq!(one(&done), wanted);
    let mut running = task(TaskState::Running, TaskKind::CreateAccount);
    let message = |view: &TaskView| one(view)["TaskMessage"].as_str().unwrap().to_owned();
    assert_eq!(one(&running)["Status"], "running");
    assert_eq!(message(&running), "");
    running.waiting_on = vec![
        NodeAddress::from("10.0.0.1:1"),
        NodeAddress::from("10.0.0.2:1"),
    ];
    assert_eq!(message(&running), "Waiting for 10.0.0.1:1, 10.0.0.2:1");
    running.reason = Some("connection refused".into());
    assert_eq!(
        message(&running),
        "Waiting for 10.0.0.1:1, 10.0.0.2:1: connection refused"
    );
    let ended = task(TaskState::Superseded, TaskKind::CreateAccount);
    assert_eq!(one(&ended)["Status"], "failed");
    assert!(message(&ended).contains("deleted"));
}

#[test]
fn sample_of_tasks() {
    let rows = vec![
        task(TaskState::Succeeded, TaskKind::ModifyAccount),
        task(TaskState::Running, TaskKind::ChangePassword),
        task(TaskState::Superseded, TaskKind::SwitchPasswordFree),
    ];
    let answer = Answer::Tasks(Rows { rows, total: 7 });
    let answer = answered("DescribeTaskList", &[("InstanceName", "n")], &answer);
    let rows = answer["Response"]["Tasks"].as_array().unwrap();
    let wanted = json!({"TaskId": 42372, "TaskType": "037", "InstanceId": INSTANCE,
        "InstanceName": "n", "ProjectId": 0, "Progress": 1.0, "Result": 2,
        "StartTime": "2019-11-15 14:25:37", "EndTime": "2019-11-15 14:25:46"});
    assert_eq!(rows[0], wanted);
    let column = |name: &str| rows.iter().map(|r| r[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("TaskType"), ["037", "007", "035"]);
    assert_eq!(column("Result"), [2, 1, 4]);
    assert_eq!(column("Progress"), [1.0, 0.0, 1.0]);
    assert_eq!(rows[1]["EndTime"], "");
    assert_eq!(answer["Response"]["TotalCount"], 7);
    let none = answered("DescribeTaskList", &[], &Answer::Nothing);
    assert_eq!(none["Response"]["Tasks"], json!([]));
}

fn instance(id: &str) -> InstanceView {
    InstanceView {
        tags: Default::default(),
        id: id.into(),
        name: "orders".into(),
        region: "ap-guangzhou".into(),
        state: InstanceState::Running,
        topology_choice: TopologyChoice::Auto,
        topology: Some(Topology::Replicated),
        engine: Engine::parse(Family::Redis, "6.2.14"),
        nodes: vec![NodeSeed {
            address: "10.0.1.61:6379".into(),
            tls: false,
        }],
        master_name: None,
        map: Vec::new(),
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 2,
        password_free: false,
        revision: Revision(3),
        created_at: AT,
    }
}

fn instances(rows: Vec<InstanceView>) -> Answer {
    let total = rows.len() as u64;
    Answer::Instances(Rows { rows, total })
}

/// Every field that the vendor documents as never null, and the types of all.
#[test]
fn instance_members() {
    let answer = answered(
        "DescribeInstances",
        &[],
        &instances(vec![instance(INSTANCE)]),
    );
    let response = &answer["Response"];
    assert_eq!(response["TotalCount"], 1);
    let row = &response["InstanceSet"][0];
    for (name, value) in [
        ("InstanceId", json!(INSTANCE)),
        ("InstanceName", json!("orders")),
        ("Status", json!(2)),
        ("Type", json!(15)),
        ("Engine", json!("Redis")),
        ("CurrentRedisVersion", json!("6.2")),
        ("ProductType", json!("standalone")),
        ("WanIp", json!("10.0.1.61")),
        ("Port", json!(6379)),
        ("Createtime", json!("2019-11-15 14:25:37")),
        ("NoAuth", json!(false)),
        ("PasswordFree", json!(0)),
        ("RedisShardNum", json!(1)),
        ("RedisReplicasNum", json!(2)),
        ("SlaveReadWeight", json!(0)),
        ("Region", json!("ap-guangzhou")),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
    let texts = "InstanceName InstanceId WanIp Createtime DeadlineTime CloseTime OfflineTime Engine
        ProductType UniqVpcId UniqSubnetId InstanceTitle ProjectName Vip6 RemainBandwidthDuration
        MonitorVersion Region WanAddress PolarisServer RedisClusterId DedicatedClusterId
        ProductVersion CurrentProxyVersion CurrentRedisVersion UpgradeProxyVersion
        UpgradeRedisVersion";
    let numbers = "Appid ProjectId RegionId ZoneId VpcId SubnetId Status Port Type AutoRenewFlag
        BillingMode SubStatus RedisShardSize RedisShardNum RedisReplicasNum PriceId SlaveReadWeight
        ClientLimit ClientLimitMin ClientLimitMax DtsStatus NetLimit PasswordFree ReadOnly
        DiskSize";
    let mut seen = 0;
    for name in texts.split_whitespace() {
        assert!(row[name].is_string(), "{name}");
        seen += 1;
    }
    for name in numbers.split_whitespace() {
        assert!(row[name].is_i64(), "{name}");
        seen += 1;
    }
    assert!(row["Size"].is_f64() && row["SizeUsed"].is_f64() && row["NoAuth"].is_boolean());
    for name in ["Tags", "InstanceNode", "InstanceTags", "NodeSet"] {
        assert!(row[name].is_array(), "{name}");
    }
    assert_eq!(row.as_object().unwrap().len(), seen + 3 + 4 + 1);
    assert_eq!(row["CloseTime"], "0000-00-00 00:00:00");
}

#[test]
fn instance_kinds() {
    for (family, version, topology, number) in [
        (Family::Redis, "2.8.17", Topology::Standalone, 2),
        (Family::Redis, "2.8.17", Topology::Cluster, 5),
        (Family::Redis, "4.0.14", Topology::Replicated, 6),
        (Family::Redis, "5.0.7", Topology::Cluster, 9),
        (Family::Redis, "6.0.16", Topology::Sentinel, 15),
        (Family::Redis, "6.2.14", Topology::Cluster, 16),
        (Family::Redis, "7.0.15", Topology::Replicated, 17),
        (Family::Redis, "8.0.3", Topology::Cluster, 18),
        (Family::Valkey, "7.2.4", Topology::Replicated, 17),
        (Family::Valkey, "8.1.0", Topology::Replicated, 19),
        (Family::Valkey, "9.1.2", Topology::Cluster, 20),
    ] {
        let mut view = instance("i");
        view.engine = Engine::parse(family, version);
        view.topology = Some(topology);
        let row = of("DescribeInstances", "{}", &instances(vec![view]));
        let row = &row["InstanceSet"][0];
        assert_eq!(row["Type"], number, "{version}");
        let valkey = family == Family::Valkey;
        assert_eq!(row["Engine"], if valkey { "Valkey" } else { "Redis" });
    }
    for (state, number) in [
        (InstanceState::Registering, 0),
        (InstanceState::Running, 2),
        (InstanceState::Paused, -2),
    ] {
        let mut view = instance("i");
        view.state = state;
        view.password_free = true;
        view.policy.replica_reads = true;
        let row = of("DescribeInstances", "{}", &instances(vec![view]));
        let row = &row["InstanceSet"][0];
        assert_eq!(row["Status"], number);
        assert_eq!(
            (&row["NoAuth"], &row["PasswordFree"]),
            (&json!(true), &json!(1))
        );
        assert_eq!(row["SlaveReadWeight"], 100);
    }
}

/// Filters that are compared with what is shown, and the page of what fits.
#[test]
fn instance_filters() {
    let mut valkey = instance("crs-b");
    valkey.engine = Engine::parse(Family::Valkey, "9.1.2");
    valkey.name = "stock".into();
    let rows = instances(vec![instance("crs-a"), valkey, instance("crs-c")]);
    let ids = |list: &[(&str, &str)]| {
        let answer = answered("DescribeInstances", list, &rows);
        let rows = answer["Response"]["InstanceSet"]
            .as_array()
            .unwrap()
            .clone();
        let ids: Vec<String> = rows
            .iter()
            .map(|r| r["InstanceId"].as_str().unwrap().to_owned())
            .collect();
        (
            ids.join(" "),
            answer["Response"]["TotalCount"].as_i64().unwrap(),
        )
    };
    assert_eq!(ids(&[]), ("crs-a crs-b crs-c".into(), 3));
    assert_eq!(ids(&[("Type", "19")]), ("crs-b".into(), 1));
    assert_eq!(
        ids(&[("TypeList.0", "19"), ("TypeList.1", "15")]),
        ("crs-a crs-b crs-c".into(), 3)
    );
    assert_eq!(ids(&[("EngineName", "valkey")]), ("crs-b".into(), 1));
    assert_eq!(
        ids(&[("TypeVersion", "Redis 6.2")]),
        ("crs-a crs-c".into(), 2)
    );
    assert_eq!(
        ids(&[("SearchKeys.0", "stoc"), ("SearchKeys.1", "crs-a")]),
        ("crs-a crs-b".into(), 2)
    );
    assert_eq!(ids(&[("SearchKeys.0", "10.0.1.61")]).1, 3);
    assert_eq!(
        ids(&[("EngineName", "Redis"), ("Limit", "1"), ("Offset", "1")]),
        ("crs-c".into(), 2)
    );
    let none = answered("DescribeInstances", &[], &Answer::Nothing);
    let wanted = json!({"TotalCount": 0, "InstanceSet": [], "RequestId": REQUEST_ID});
    assert_eq!(none["Response"], wanted);
}

#[test]
fn policies_and_features() {
    let mut view = instance(INSTANCE);
    view.policy.passwords = PasswordPolicy {
        enabled: true,
        letters_min: 2,
        digits_min: 3,
        specials_min: 4,
        length_min: 9,
    };
    let answer = Answer::Instance(Box::new(view.clone()));
    let policy = answered("DescribeInstancePasswordPolicy", &[], &answer);
    let wanted = json!({"PasswordPolicy": {"Enabled": true, "MinDigitCount": 3, "MinLength": 9,
        "MinLetterCount": 2, "MinSpecialCount": 4}, "RequestId": REQUEST_ID});
    assert_eq!(policy["Response"], wanted);
    let done = Answer::PolicyChanged(Box::new(view.clone()));
    let done = answered("ModifyInstancePasswordPolicy", &[], &done);
    assert_eq!(done, json!({"Response": {"RequestId": REQUEST_ID}}));

    let feature = "DescribeInstanceSupportFeature";
    for (name, version, support) in [
        ("multi-account", "6.0.0", true),
        ("multi-account", "5.0.7", false),
        ("read-local-node-only", "7.0.0", false),
        ("auto-failback", "7.0.0", false),
    ] {
        view.engine = Engine::parse(Family::Redis, version);
        let answer = Answer::Instance(Box::new(view.clone()));
        let answer = answered(feature, &[("FeatureName", name)], &answer);
        assert_eq!(answer["Response"]["Support"], support, "{name} {version}");
    }
}

/// An answer that is not of the action is a fault of ours, and no panic.
#[test]
fn strangers() {
    for action in ["CreateInstanceAccount", "DescribeInstances", "NoSuchAction"] {
        let shape = shape(action, &[]);
        let answer = Tencent.encode(
            &shape,
            crate::support::request_id(),
            Ok(&Answer::TaskForgotten),
        );
        let body = crate::support::body(&answer);
        assert_eq!(
            body["Response"]["Error"]["Code"],
            "InternalError.InternalError"
        );
    }
}

/// The trace id comes back, unless it could break the answer's head.
#[test]
fn trace_ids() {
    for (sent, echoed) in [
        ("0e728fa9-c2e5", Some("0e728fa9-c2e5")),
        ("a b", None),
        ("", None),
        ("é", None),
        (&"a".repeat(129), None),
    ] {
        let headers = [("x-tc-action", "DescribeInstances"), ("x-tc-traceid", sent)];
        let shape = Tencent.shape(&raw("POST", "", &headers, "{}"));
        let answer = Tencent.encode(&shape, crate::support::request_id(), Ok(&Answer::Nothing));
        assert_eq!(answer.header("x-tc-traceid"), echoed, "{sent}");
    }
}

/// A form's values narrow the answer as a body's do.
#[test]
fn echoes_of_forms() {
    let fields = form(&[
        ("Action", "DescribeInstances"),
        ("SecretId", "k"),
        ("TypeList.0", "1"),
        ("TypeList.1", "2"),
        ("Limit", "5"),
    ]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let shape = Tencent.shape(&raw("POST", "", &headers, fields));
    assert_eq!(shape.echoed("TypeList"), Some("1,2"));
    assert_eq!(shape.echoed("Limit"), Some("5"));
}
