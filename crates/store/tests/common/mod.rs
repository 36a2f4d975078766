//! What the store's tests share: a world of fixed time and counted randomness, and short ways to
//! say what is asked.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use claviger_core::access::{
    AccessKey, Action, Circumstances, Judge, Principal, Resource, Role, Tags, authorize,
};
use claviger_core::audit::AuditEntry;
use claviger_core::clock::Timestamp;
use claviger_core::command::{
    Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, PasswordChange, Target,
};
use claviger_core::decide::{Fresh, decide};
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{AccountId, InstanceId, NodeAddress, Revision};
use claviger_core::instance::{
    Instance, InstanceState, NodeLogin, NodeSeed, NodeTls, RolePolicy, TopologyChoice,
};
use claviger_core::policy::InstancePolicy;
use claviger_core::ports::{
    Accepted, AccountWrite, Entropy, Idempotency, NonceMark, Op, Store, StoreError,
};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::refusal::Refusal;
use claviger_core::rules::{Check, Rules};
use claviger_core::secret::Secret;
use claviger_store::Sealer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// Everything is allowed but more than 18 accounts.
pub(crate) const RULES: Rules = Rules {
    order: &Check::ALL,
    name_ok: |_, _| true,
    password_ok: |_| true,
    description_ok: |_| true,
    password_must_change: false,
    privileges: &Privilege::BUILT_IN,
    custom_roles: true,
    quota: 18,
    per_action_max: None,
    old_password_lockout: None,
    signature_lockout: None,
};

/// Without a quota, for tests that make many.
pub(crate) const MANY: Rules = Rules {
    quota: u32::MAX,
    ..RULES
};

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// Distinct, which is all that the tests need of it.
pub(crate) struct Counted;

impl Entropy for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let next = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

pub(crate) fn sealer() -> Sealer {
    sealer_of(7)
}

pub(crate) fn sealer_of(key: u8) -> Sealer {
    Sealer::new(&Zeroizing::new([key; 32]), Arc::new(Counted))
}

/// The day on which the tests take place.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(1_790_000_000)
}

pub(crate) fn after_secs(secs: i64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() + secs * 1_000)
}

pub(crate) fn fresh_id() -> AccountId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    AccountId::from_parts(now(), random)
}

pub(crate) fn principal() -> Principal {
    let key = AccessKey::new("root".into(), Secret::new("s"), Role::Admin, now());
    Principal::of(&key, Circumstances::default())
}

pub(crate) fn instance(id: &str) -> Instance {
    Instance {
        id: id.into(),
        name: format!("name of {id}"),
        region: "cn-hangzhou".into(),
        tags: Tags::from([("team".into(), "orders".into())]),
        topology: TopologyChoice::Auto,
        master_name: None,
        seeds: vec![NodeSeed {
            address: NodeAddress::from("127.0.0.1:6379"),
            tls: true,
        }],
        tls: NodeTls {
            ca: Some("/etc/ca.pem".into()),
            ..NodeTls::default()
        },
        map: Vec::new(),
        login: NodeLogin {
            user: None,
            password: Some(Secret::new("login-password-1")),
            former: Vec::new(),
            sentinel: None,
        },
        default_password: None,
        roles: RolePolicy::default(),
        policy: InstancePolicy::default(),
        primaries: 0,
        replicas: 0,
        password_free: false,
        state: InstanceState::Running,
        engine: Some(Engine {
            family: Family::Redis,
            major: 7,
            minor: 0,
            patch: 15,
        }),
        observed_topology: None,
        unmanaged: vec!["theirs".into()],
        link_users: Vec::new(),
        revision: Revision::ZERO,
        created_at: now(),
    }
}

pub(crate) async fn add(store: &dyn Store, instance: Instance) -> Result<(), StoreError> {
    let op = Op::AddInstance {
        instance: Box::new(instance),
        default_account: fresh_id(),
    };
    store.apply(vec![op], None).await
}

pub(crate) fn create(instance: &str, name: &str, password: &str) -> Command {
    Command::Create(CreateAccount {
        instance: instance.into(),
        name: name.into(),
        password: Secret::new(password),
        privilege: Asked::Known(Privilege::ReadOnly),
        routing: Asked::Known(Routing::PRIMARY),
        description: Some(format!("about {name}")),
        expires_at: None,
    })
}

pub(crate) fn modify(instance: &str, target: Target) -> ModifyAccount {
    ModifyAccount::of(instance.into(), target)
}

pub(crate) fn grant(instance: &str, name: &str, privilege: Privilege) -> Command {
    Command::Modify(ModifyAccount {
        privilege: Some(Asked::Known(privilege)),
        ..modify(instance, Target::Name(name.into()))
    })
}

pub(crate) fn password(instance: &str, target: Target, new: &str) -> Command {
    Command::Modify(ModifyAccount {
        password: Some(PasswordChange {
            old: None,
            new: Secret::new(new),
        }),
        ..modify(instance, target)
    })
}

pub(crate) fn delete(instance: &str, name: &str) -> Command {
    Command::Delete(DeleteAccount {
        instance: instance.into(),
        target: Target::Name(name.into()),
    })
}

pub(crate) fn audit_entry(action: &str) -> AuditEntry {
    AuditEntry {
        at: now(),
        request_id: "A-1".into(),
        key: "root".into(),
        source: "127.0.0.1".into(),
        dialect: "aliyun".into(),
        action: action.into(),
        ..AuditEntry::default()
    }
}

/// Permits everything: what is permitted is no concern of the store.
struct Everything;

impl Judge for Everything {
    fn permits(&self, _: &Principal, _: Action, _: &Resource<'_>) -> bool {
        true
    }
}

pub(crate) fn write(command: Command, rules: Rules) -> AccountWrite {
    let instance = command.instance().clone();
    let actions = command.actions();
    let ask = authorize(
        &Everything,
        &principal(),
        &actions,
        &Resource::Service,
        command,
    )
    .unwrap();
    let fresh = Fresh {
        at: now(),
        account: fresh_id(),
    };
    AccountWrite {
        instance,
        decide: Arc::new(move |held| decide(held, &ask, &rules, fresh)),
        idempotency: None,
        nonce: None,
        audit: audit_entry("Change"),
        at: now(),
    }
}

pub(crate) fn token(token: &str, fingerprint: u8) -> Option<Idempotency> {
    Some(Idempotency {
        scope: "root aliyun CreateAccount".into(),
        token: token.into(),
        fingerprint: [fingerprint; 32],
        until: after_secs(3_600),
    })
}

pub(crate) fn nonce(digest: u8) -> Option<NonceMark> {
    Some(NonceMark {
        digest: [digest; 16],
        until: after_secs(900),
    })
}

/// Asks, and takes it that the store itself works.
pub(crate) async fn ask(store: &dyn Store, command: Command) -> Result<Accepted, Refusal> {
    store.change(write(command, RULES)).await.unwrap()
}

pub(crate) async fn held(store: &dyn Store, id: &str) -> claviger_core::instance::Held {
    store.held(&InstanceId::from(id)).await.unwrap().unwrap()
}
