//! Which error a request with more than one fault gets, and what roles of one's own are worth:
//! this dialect's limits, put to the decision that uses them.

use crate::support::{INSTANCE, ask};
use claviger_core::access::{
    AccessKey, Action, Circumstances, Judge, Principal, Resource, Role, authorize,
};
use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::decide::{Decision, Fresh, decide};
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, AccountName, Revision, TaskId};
use claviger_core::instance::{
    CustomRole, Held, Instance, InstanceState, NodeLogin, NodeTls, RolePolicy, TopologyChoice,
};
use claviger_core::policy::InstancePolicy;
use claviger_core::privilege::{Privilege, RoleName, Routing};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::volcengine::{RULES, Volcengine};

fn account(n: u8, name: &str, kind: AccountKind) -> Account {
    Account {
        id: AccountId::from_parts(Timestamp::from_millis(1), [n; 10]),
        name: AccountName::from(name),
        kind,
        privilege: Privilege::ReadWrite,
        routing: Routing::PRIMARY,
        description: String::new(),
        password: None,
        more_passwords: Vec::new(),
        former_passwords: Vec::new(),
        leaving_passwords: Vec::new(),
        link_password: None,
        password_free: false,
        enabled: true,
        expires_at: None,
        life: Life::Live,
        replaces: false,
        created_revision: Revision::ZERO,
        revision: Revision::ZERO,
        confirmed: Revision::ZERO,
        created_at: Timestamp::default(),
        password_set_at: None,
    }
}

/// An instance with its default account, `test1`, and a role of its own.
fn held() -> Held {
    let own = CustomRole {
        name: RoleName::parse("reporting").unwrap(),
        rules: vec!["+@read".into()],
    };
    let instance = Instance {
        tags: Default::default(),
        id: INSTANCE.into(),
        name: "one".into(),
        region: "cn-hangzhou".into(),
        topology: TopologyChoice::Auto,
        master_name: None,
        seeds: Vec::new(),
        map: Vec::new(),
        tls: NodeTls::default(),
        login: NodeLogin::default(),
        default_password: None,
        roles: RolePolicy {
            custom: vec![own],
            ..RolePolicy::default()
        },
        policy: InstancePolicy::default(),
        primaries: 1,
        replicas: 0,
        password_free: false,
        state: InstanceState::Running,
        engine: Engine::parse(Family::Redis, "7.0.15"),
        observed_topology: None,
        unmanaged: vec!["theirs".into()],
        link_users: Vec::new(),
        revision: Revision::ZERO,
        created_at: Timestamp::default(),
    };
    let accounts = vec![
        account(255, "default", AccountKind::Default),
        account(1, "test1", AccountKind::Custom),
    ];
    Held {
        instance,
        accounts,
        next_task: TaskId(1),
    }
}

/// Permits everything: what is permitted is no concern of a decision.
struct Everything;

impl Judge for Everything {
    fn permits(&self, _: &Principal, _: Action, _: &Resource<'_>) -> bool {
        true
    }
}

fn decided(held: &Held, action: &str, list: &[(&str, &str)]) -> Result<Decision, Refusal> {
    let mut all = vec![("InstanceId", INSTANCE)];
    all.extend_from_slice(list);
    let Ask::Command { command, .. } = ask(action, &all)? else {
        panic!("{action} changes nothing");
    };
    let key = AccessKey::new(
        "root".into(),
        Secret::new("s"),
        Role::Admin,
        Timestamp::default(),
    );
    let root = Principal::of(&key, Circumstances::default());
    let actions = command.actions();
    let permitted = authorize(&Everything, &root, &actions, &Resource::Service, command).unwrap();
    let fresh = Fresh {
        at: Timestamp::from_millis(1),
        account: AccountId::from_parts(Timestamp::from_millis(1), [9; 10]),
    };
    decide(held, &permitted, &RULES, fresh)
}

fn create(held: &Held, name: &str, role: &str) -> Result<Decision, Refusal> {
    let list = [
        ("AccountName", name),
        ("RoleName", role),
        ("Password", "Pwd@1234"),
    ];
    decided(held, "CreateDBAccount", &list)
}

fn code(result: Result<Decision, Refusal>) -> &'static str {
    Volcengine.code(&result.unwrap_err())
}

#[test]
fn roles_of_ones_own() {
    let held = held();
    let made = create(&held, "test2", "reporting").unwrap();
    assert_eq!(made.account.privilege.as_str(), "reporting");
    let list = [("AccountName", "test1"), ("RoleName", "reporting")];
    let changed = decided(&held, "ModifyDBAccount", &list).unwrap();
    assert_eq!(changed.account.privilege.as_str(), "reporting");
    for none in [
        "Reporting",
        "other",
        "read-only",
        "replication",
        "not a role",
    ] {
        assert_eq!(
            code(create(&held, "test2", none)),
            "AccountRoleInvalid",
            "{none}"
        );
    }
    for built_in in ["Administrator", "ReadWrite", "ReadOnly", "NotDangerous"] {
        assert!(create(&held, "test2", built_in).is_ok(), "{built_in}");
    }
}

#[test]
fn one_fault_at_a_time() {
    let mut held = held();
    assert_eq!(code(create(&held, "test1", "none")), "AccountExist");
    assert_eq!(code(create(&held, "theirs", "none")), "AccountExist");
    assert_eq!(code(create(&held, "default", "ReadOnly")), "AccountExist");
    let delete = |held: &Held, name| decided(held, "DeleteDBAccount", &[("AccountName", name)]);
    assert_eq!(
        delete(&held, "default").unwrap_err(),
        Refusal::DefaultProtected
    );
    assert_eq!(code(delete(&held, "nobody")), "AccountNotExist");
    let role = [("AccountName", "default"), ("RoleName", "none")];
    let refused = decided(&held, "ModifyDBAccount", &role);
    assert_eq!(refused.unwrap_err(), Refusal::DefaultProtected);
    let same = [("AccountName", "default"), ("RoleName", "Administrator")];
    assert!(decided(&held, "ModifyDBAccount", &same).is_ok());
    held.accounts[1].life = Life::Deleting;
    assert_eq!(delete(&held, "test1").unwrap_err(), Refusal::AccountBusy);
    held.accounts[1].life = Life::Live;
    held.instance.engine = Engine::parse(Family::Redis, "5.0.14");
    assert_eq!(code(create(&held, "test1", "none")), "InvalidEngineVersion");
    held.instance.state = InstanceState::Paused;
    assert_eq!(
        code(create(&held, "test1", "none")),
        "InstanceStatusNotMatch"
    );
    assert_eq!(code(delete(&held, "default")), "InstanceStatusNotMatch");
    // Formats come before everything that has to be looked up.
    assert_eq!(code(create(&held, "Bad", "none")), "InvalidAccountName");
}

#[test]
fn a_hundred_with_the_default_one() {
    let mut held = held();
    for n in 2..=99_u8 {
        held.accounts
            .push(account(n, &format!("a{n}"), AccountKind::Custom));
    }
    assert_eq!(held.accounts.len(), 100);
    assert_eq!(code(create(&held, "more", "ReadOnly")), "ResourceNotEnough");
    held.accounts.pop();
    assert!(create(&held, "more", "ReadOnly").is_ok());
}

#[test]
fn access_without_a_password() {
    let mut held = held();
    let switch = |held: &Held, mode| {
        decided(
            held,
            "ModifyDBInstanceVpcAuthMode",
            &[("VpcAuthMode", mode)],
        )
    };
    assert!(switch(&held, "open").unwrap().account.password_free);
    held.accounts[0].password_free = true;
    // Closing it needs a password that is known.
    assert_eq!(switch(&held, "close").unwrap_err(), Refusal::PasswordNeeded);
    let set = [("AccountName", "default"), ("Password", "Pwd@1234")];
    let closed = decided(&held, "ModifyDBAccount", &set).unwrap();
    assert!(!closed.account.password_free);
    held.instance.policy.passwords.enabled = true;
    assert_eq!(
        switch(&held, "open").unwrap_err(),
        Refusal::PasswordFreeDenied
    );
}

/// A change of nothing succeeds and asks nothing of the nodes.
#[test]
fn a_change_of_nothing() {
    let mut held = held();
    held.instance.revision = Revision(4);
    let nothing = decided(&held, "ModifyDBAccount", &[("AccountName", "test1")]).unwrap();
    assert_eq!(nothing.account.privilege, Privilege::ReadWrite);
    assert!(nothing.account.is_confirmed());
    let unknown = decided(&held, "ModifyDBAccount", &[("AccountName", "nobody")]);
    assert_eq!(code(unknown), "AccountNotExist");
}
