//! Answers, member by member.

use crate::support::{ACCOUNT, INSTANCE, KEY, REQUEST_ID, answered, body, request_id, shape};
use claviger_core::account::{AccountKind, AccountStatus, AccountView};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, NodeAddress, Revision, TaskId};
use claviger_core::instance::{
    InstanceState, InstanceView, NodeSeed, RolePolicy, Topology, TopologyChoice,
};
use claviger_core::outcome::{Answer, Changed};
use claviger_core::policy::InstancePolicy;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::Rows;
use claviger_core::task::{Task, TaskKind, TaskState, TaskView};
use claviger_dialects::Dialect;
use claviger_dialects::huawei::Huawei;
use serde_json::{Value, json};

fn account(name: &str, kind: AccountKind) -> AccountView {
    AccountView {
        id: ACCOUNT.into(),
        name: name.into(),
        kind,
        privilege: Privilege::ReadOnly,
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

fn changed() -> Answer {
    Answer::Changed(Changed {
        instance: INSTANCE.into(),
        account: account("app-1", AccountKind::Custom),
        task: TaskId(41),
    })
}

/// The seed page: the task is delivered, 200.
#[test]
fn changes() {
    for action in ["CreateAclAccount", "DeleteAclAccount"] {
        let answer = answered(action, &[], &changed());
        assert_eq!((answer.status, body(&answer)), (200, json!({})), "{action}");
    }
    let role = answered("UpdateAclAccount", &[("account_role", "read")], &changed());
    assert_eq!(
        body(&role),
        json!({"instance_id": INSTANCE, "job_id": "41"})
    );
    // Terraform takes even a 200 for a failure here.
    let remark = answered("UpdateAclAccountRemark", &[("description", "")], &changed());
    assert_eq!(remark.status, 204);
    assert!(remark.body.is_empty() && remark.header("content-type").is_none());
    assert_eq!(remark.header("x-request-id"), Some(REQUEST_ID));
    for action in ["UpdateAclAccountPassWord", "UpdatePassword"] {
        assert_eq!(
            body(&answered(action, &[], &changed())),
            json!({
                "result": "success",
                "message": "Modify DCSInstance password success.",
                "lock_time": "0",
                "lock_time_left": "0",
                "retry_times_left": "5",
            })
        );
    }
    let mut reset = json!({
        "code": "1",
        "message": "success",
        "lock_time": "0",
        "lock_time_left": "0",
        "retry_times_left": "5",
    });
    let told = answered("ResetAclAccountPassWord", &[], &changed());
    assert_eq!(body(&told), reset);
    reset["ext_message"] = Value::Null;
    assert_eq!(body(&answered("ResetPassword", &[], &changed())), reset);
}

#[test]
fn the_list() {
    let mut own = account("app-1", AccountKind::Custom);
    own.description = "demo".into();
    own.routing = Routing {
        primary: false,
        replica: true,
    };
    let answer = accounts(vec![account("default", AccountKind::Default), own]);
    let answer = answered("ListAclAccounts", &[], &answer);
    assert_eq!(answer.status, 200);
    assert_eq!(
        body(&answer),
        json!({"accounts": [
            {
                "account_id": ACCOUNT,
                "account_name": "default",
                "account_type": "default",
                "instance_id": INSTANCE,
                "status": "AVAILABLE",
                "account_role": "write",
                "description": "",
                "error_code": null,
                "account_read_policy": null,
            },
            {
                "account_id": ACCOUNT,
                "account_name": "app-1",
                "account_type": "normal",
                "instance_id": INSTANCE,
                "status": "AVAILABLE",
                "account_role": "read",
                "description": "demo",
                "error_code": null,
                "account_read_policy": "replica",
            },
        ]})
    );
}

fn listed(rows: Vec<AccountView>) -> Vec<Value> {
    let answer = body(&answered("ListAclAccounts", &[], &accounts(rows)));
    answer["accounts"].as_array().unwrap().clone()
}

#[test]
fn states_and_roles() {
    for (status, word) in [
        (AccountStatus::Creating, "CREATING"),
        (AccountStatus::Available, "AVAILABLE"),
        (AccountStatus::Changing, "UPDATING"),
        (AccountStatus::Deleting, "DELETING"),
        (AccountStatus::Disabled, "ERROR"),
    ] {
        let mut view = account("a", AccountKind::Custom);
        view.status = status;
        assert_eq!(listed(vec![view])[0]["status"], word);
    }
    for privilege in Privilege::BUILT_IN {
        let mut view = account("a", AccountKind::Custom);
        view.privilege = privilege;
        let word = if privilege == Privilege::ReadOnly {
            "read"
        } else {
            "write"
        };
        assert_eq!(listed(vec![view])[0]["account_role"], word);
    }
    for (primary, replica, word) in [
        (true, false, Value::Null),
        (false, true, json!("replica")),
        (true, true, json!("master-replica")),
    ] {
        let mut view = account("a", AccountKind::Custom);
        view.routing = Routing { primary, replica };
        assert_eq!(listed(vec![view])[0]["account_read_policy"], word);
    }
}

/// Names are unique in the list: Terraform takes the first.
#[test]
fn a_leaving_account_gives_way_to_its_successor() {
    let mut old = account("a", AccountKind::Custom);
    old.status = AccountStatus::Deleting;
    let mut other = account("b", AccountKind::Custom);
    other.status = AccountStatus::Deleting;
    let mut new = account("a", AccountKind::Custom);
    new.status = AccountStatus::Creating;
    let rows = listed(vec![old, other, new]);
    let states: Vec<_> = rows
        .iter()
        .map(|r| (&r["account_name"], &r["status"]))
        .collect();
    assert_eq!(
        states,
        [
            (&json!("b"), &json!("DELETING")),
            (&json!("a"), &json!("CREATING"))
        ]
    );
}

fn task(id: i64, kind: TaskKind, state: TaskState) -> TaskView {
    TaskView {
        task: Task {
            id: TaskId(id),
            instance: INSTANCE.into(),
            account: AccountId::parse(ACCOUNT).unwrap(),
            account_name: "app-1".into(),
            kind,
            state,
            revision: Revision(3),
            by: KEY.into(),
            created_at: Timestamp::from_millis(1_592_379_522_503),
            finished_at: (state != TaskState::Running)
                .then(|| Timestamp::from_millis(1_592_379_523_004)),
        },
        waiting_on: Vec::new(),
        reason: None,
    }
}

fn tasks(rows: Vec<TaskView>) -> Answer {
    Answer::Tasks(Rows { rows, total: 77 })
}

fn deletion() -> Value {
    json!({
        "id": "7",
        "name": "DeleteAcl",
        "details": {"account_name": "app-1"},
        "user_name": KEY,
        "user_id": KEY,
        "params": null,
        "status": "SUCCESS",
        "created_at": "2020-06-17T07:38:42.503Z",
        "updated_at": "2020-06-17T07:38:43.004Z",
        "enable_show": false,
    })
}

#[test]
fn task_lists() {
    let done = || task(7, TaskKind::DeleteAccount, TaskState::Succeeded);
    let told = body(&answered("ListBackgroundTask", &[], &tasks(vec![done()])));
    assert_eq!(told, json!({"task_count": "77", "tasks": [deletion()]}));
    let mut of_center = deletion();
    of_center["error_code"] = Value::Null;
    of_center["job_id"] = json!("7");
    let told = body(&answered("ListCenterTask", &[], &tasks(vec![done()])));
    assert_eq!(told["tasks"], json!([of_center]));
    let one = Answer::Task(Box::new(done()));
    assert_eq!(body(&answered("ShowCenterTask", &[], &one)), of_center);
    let told = answered("ShowBackgroundTask", &[], &tasks(vec![done()]));
    assert_eq!(body(&told), deletion());
    let names = [
        (TaskKind::CreateAccount, "CreateAcl"),
        (TaskKind::ModifyAccount, "UpdateAclRole"),
        (TaskKind::ApplyRoles, "UpdateAclRole"),
        (TaskKind::ChangePassword, "modify"),
        (TaskKind::SwitchPasswordFree, "modify"),
        (TaskKind::DeleteAccount, "DeleteAcl"),
    ];
    for (kind, name) in names {
        let rows = tasks(vec![task(1, kind, TaskState::Running)]);
        let told = body(&answered("ListBackgroundTask", &[], &rows));
        assert_eq!(told["tasks"][0]["name"], name);
        assert_eq!(told["tasks"][0]["status"], "EXECUTING");
        assert_eq!(
            told["tasks"][0]["updated_at"],
            told["tasks"][0]["created_at"]
        );
    }
    let rows = tasks(vec![task(
        1,
        TaskKind::ModifyAccount,
        TaskState::Superseded,
    )]);
    let told = body(&answered("ListBackgroundTask", &[], &rows));
    assert_eq!(told["tasks"][0]["status"], "FAILED");
}

/// Terraform looks at the newest deletion of the instance, whichever was its own.
#[test]
fn a_deletion_waits_for_older_ones() {
    let states = |rows: Vec<TaskView>| {
        let told = body(&answered("ListBackgroundTask", &[], &tasks(rows)));
        let rows = told["tasks"].as_array().unwrap().clone();
        rows.iter()
            .map(|r| r["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    use TaskKind::{DeleteAccount, ModifyAccount};
    use TaskState::{Running, Succeeded};
    let rows = vec![
        task(9, DeleteAccount, Succeeded),
        task(8, ModifyAccount, Succeeded),
        task(7, DeleteAccount, Running),
        task(6, DeleteAccount, Succeeded),
    ];
    assert_eq!(
        states(rows),
        ["EXECUTING", "SUCCESS", "EXECUTING", "SUCCESS"]
    );
    let mut elsewhere = task(7, DeleteAccount, Running);
    elsewhere.task.instance = "other".into();
    let rows = vec![task(9, DeleteAccount, Succeeded), elsewhere];
    assert_eq!(states(rows), ["SUCCESS", "EXECUTING"]);
}

#[test]
fn progress_and_jobs() {
    for (state, progress) in [(TaskState::Running, 0), (TaskState::Succeeded, 100)] {
        let rows = tasks(vec![task(7, TaskKind::DeleteAccount, state)]);
        let told = body(&answered("ShowBackgroundTaskProgress", &[], &rows));
        assert_eq!(
            told,
            json!({"progress": progress, "remain_time": 0, "step_details": []})
        );
    }
    for action in ["ShowBackgroundTask", "ShowBackgroundTaskProgress"] {
        let none = answered(action, &[], &tasks(Vec::new()));
        assert_eq!(none.status, 404, "{action}");
        assert_eq!(body(&none)["error_code"], "DCS.4001");
    }
    for action in ["DeleteBackgroundTask", "DeleteCenterTask"] {
        let gone = answered(action, &[], &Answer::TaskForgotten);
        assert_eq!((gone.status, gone.body.len()), (204, 0));
    }
    for (state, word, end, why) in [
        (TaskState::Running, "RUNNING", Value::Null, false),
        (
            TaskState::Succeeded,
            "SUCCESS",
            json!("1592379523004"),
            false,
        ),
        (TaskState::Superseded, "FAIL", json!("1592379523004"), true),
    ] {
        let job = Answer::Task(Box::new(task(7, TaskKind::ModifyAccount, state)));
        let told = body(&answered("ShowJobInfo", &[], &job));
        assert_eq!(told["job_id"], "7");
        assert_eq!(told["job_type"], "UpdateAclRole");
        assert_eq!(told["status"], word);
        assert_eq!(told["begin_time"], "1592379522503");
        assert_eq!(told["end_time"], end);
        assert_eq!(told["fail_reason"].is_string(), why);
    }
}

fn instance(id: &str, address: &str) -> InstanceView {
    InstanceView {
        tags: Default::default(),
        id: id.into(),
        name: "orders".into(),
        region: "cn-north-4".into(),
        state: InstanceState::Running,
        topology_choice: TopologyChoice::Auto,
        topology: Some(Topology::Replicated),
        engine: Engine::parse(Family::Redis, "7.0.15"),
        nodes: vec![NodeSeed {
            address: NodeAddress::from(address),
            tls: false,
        }],
        master_name: None,
        map: Vec::new(),
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 1,
        password_free: false,
        revision: Revision(1),
        created_at: Timestamp::from_millis(1_592_379_522_503),
    }
}

fn shown(instance: InstanceView) -> Value {
    let answer = Answer::Instance(Box::new(instance));
    body(&answered("ShowInstance", &[], &answer))
}

#[test]
fn instances() {
    let told = shown(instance("r-1", "10.0.0.1:6380"));
    for (name, value) in [
        ("instance_id", json!("r-1")),
        ("name", json!("orders")),
        ("engine", json!("Redis")),
        ("engine_version", json!("7.0")),
        ("status", json!("RUNNING")),
        ("cache_mode", json!("ha")),
        ("ip", json!("10.0.0.1")),
        ("port", json!(6380)),
        ("domain_name", json!("10.0.0.1")),
        ("no_password_access", json!("false")),
        ("access_user", Value::Null),
        ("charging_mode", json!(0)),
        ("capacity", json!(1)),
        ("max_memory", json!(1024)),
        ("created_at", json!("2020-06-17T07:38:42.503Z")),
        ("replica_count", json!(2)),
        ("sharding_count", json!(1)),
        ("db_number", json!(16)),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
    assert_eq!(told["features"]["support_acl"], true);
    // Terraform takes a task for an instance at work.
    assert!(told.get("task").is_none());
    let of = |change: fn(&mut InstanceView)| {
        let mut view = instance("r-1", "[2001:db8::1]:7000");
        change(&mut view);
        shown(view)
    };
    assert_eq!(of(|_| ())["ip"], "2001:db8::1");
    assert_eq!(of(|v| v.password_free = true)["no_password_access"], "true");
    assert_eq!(of(|v| v.state = InstanceState::Paused)["status"], "FROZEN");
    assert_eq!(
        of(|v| v.state = InstanceState::Registering)["status"],
        "CREATING"
    );
    assert_eq!(
        of(|v| v.topology = Some(Topology::Cluster))["cache_mode"],
        "cluster"
    );
    assert_eq!(of(|v| v.topology = Some(Topology::Cluster))["db_number"], 1);
    assert_eq!(
        of(|v| v.topology = Some(Topology::Standalone))["cache_mode"],
        "single"
    );
    let old = of(|v| v.engine = Engine::parse(Family::Redis, "5.0.14"));
    assert_eq!(old["features"]["support_acl"], false);
    let named = shown(instance("r-1", "redis.example:6379"));
    assert_eq!(
        (&named["ip"], &named["domain_name"]),
        (&json!(""), &json!("redis.example"))
    );
}

#[test]
fn instance_lists() {
    let rows = vec![
        instance("r-1", "10.0.0.1:1"),
        instance("r-2", "10.0.0.2:1"),
        instance("r-3", "10.0.0.2:2"),
    ];
    let answer = Answer::Instances(Rows { rows, total: 40 });
    let of = |list: &[(&str, &str)]| {
        let told = body(&answered("ListInstances", list, &answer));
        let rows = told["instances"].as_array().unwrap().clone();
        let ids: Vec<String> = rows
            .iter()
            .map(|r| r["instance_id"].as_str().unwrap().to_owned())
            .collect();
        (told["instance_num"].as_u64().unwrap(), ids.join(" "))
    };
    assert_eq!(of(&[]), (40, "r-1 r-2 r-3".into()));
    assert_eq!(of(&[("ip", "10.0.0.2")]), (2, "r-2 r-3".into()));
    assert_eq!(
        of(&[("ip", "10.0.0.2"), ("offset", "1")]),
        (2, "r-3".into())
    );
    assert_eq!(of(&[("ip", "10.0.0.9")]), (0, String::new()));
    let none = body(&answered(
        "ListInstances",
        &[("tags", "x")],
        &Answer::Nothing,
    ));
    assert_eq!(none, json!({"instance_num": 0, "instances": []}));
}

/// An answer of another kind than the action's is our own fault.
#[test]
fn answers_that_do_not_fit() {
    let list = [
        ("account_name", "a"),
        ("account_role", "read"),
        ("account_password", "x"),
    ];
    for (action, list) in [("CreateAclAccount", &list[..]), ("ListAclAccounts", &[])] {
        let shape = shape(action, list);
        let answer = Huawei.encode(&shape, request_id(), Ok(&Answer::TaskForgotten));
        assert_eq!(answer.status, 500);
        assert_eq!(body(&answer)["error_code"], "DCS.5000");
    }
}
