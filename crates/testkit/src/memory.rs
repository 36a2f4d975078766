//! A store in memory: simple, correct, gone with the test.

mod as_commands;
mod ops;

use crate::rights::Rights;
use crate::trail::{Trail, page};
use async_trait::async_trait;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::audit::{AuditEnds, AuditEntry, AuditQuery, AuditRow};
use claviger_core::clock::Timestamp;
use claviger_core::decide::Decision;
use claviger_core::ids::{AccountId, AccountName, InstanceId, KeyId, Revision, TaskId};
use claviger_core::instance::{Held, Instance, InstanceState};
use claviger_core::node::NodeRecord;
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{
    Accepted, AccountWrite, Confirm, Observed, Op, Store, StoreError, Strikes,
};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{InstanceQuery, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::{Task, TaskState};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    instances: BTreeMap<InstanceId, Held>,
    nodes: HashMap<InstanceId, Vec<NodeRecord>>,
    tasks: Vec<Task>,
    rights: Rights,
    trail: Trail,
    settings: HashMap<String, String>,
    replies: HashMap<(String, String), Accepted>,
    past: Vec<(InstanceId, AccountName, PasswordDigest)>,
    next_task: i64,
}

/// The store.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    fails: AtomicBool,
    reads: AtomicU64,
    observations: AtomicU64,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("switched off by the test".into()));
        }
        Ok(self.lock())
    }

    /// Every call fails from now on, or works again.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// How often an instance was read with its secrets.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Changes a row of the audit trail behind the chain's back; counted from the oldest.
    pub fn tamper(&self, index: usize, change: impl FnOnce(&mut AuditEntry)) {
        self.lock().trail.tamper(index, change);
    }

    /// How often something seen was written.
    pub fn observations(&self) -> u64 {
        self.observations.load(Ordering::Relaxed)
    }

    /// Registers an instance with its default account, whose password is not ours.
    pub fn add_instance(&self, instance: Instance) {
        let mut state = self.lock();
        let id = identity(&mut state);
        insert(&mut state, instance, id);
    }

    /// Users that nodes log in with, as last seen.
    pub fn link_users(&self, id: &InstanceId) -> Vec<AccountName> {
        let state = self.lock();
        let held = state.instances.get(id);
        held.map_or_else(Vec::new, |held| held.instance.link_users.clone())
    }

    /// The account as it is held now.
    pub fn account(&self, id: &InstanceId, name: &str) -> Option<Account> {
        self.lock().instances.get(id)?.account(name).cloned()
    }

    /// The default account as it is held now.
    pub fn default_account(&self, id: &InstanceId) -> Option<Account> {
        let state = self.lock();
        let accounts = &state.instances.get(id)?.accounts;
        accounts
            .iter()
            .find(|a| a.kind == AccountKind::Default)
            .cloned()
    }

    /// Every account of the instance is confirmed on every node, and none is being deleted.
    pub fn all_confirmed(&self, id: &InstanceId) -> bool {
        self.lock().instances.get(id).is_some_and(|held| {
            held.instance.state == InstanceState::Running
                && held
                    .accounts
                    .iter()
                    .all(|account| account.life == Life::Live && account.is_confirmed())
        })
    }
}

fn identity(state: &mut State) -> AccountId {
    state.next_task += 1;
    let mut random = [0; 10];
    random[..8].copy_from_slice(&state.next_task.to_be_bytes());
    AccountId::from_parts(Timestamp::default(), random)
}

fn insert(state: &mut State, instance: Instance, default: AccountId) {
    let account = Account {
        id: default,
        name: AccountName::new(Account::DEFAULT_NAME),
        kind: AccountKind::Default,
        privilege: Privilege::ReadWrite,
        routing: Routing {
            primary: true,
            replica: true,
        },
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
        created_at: instance.created_at,
        password_set_at: None,
    };
    let held = Held {
        accounts: vec![account],
        next_task: TaskId(1),
        instance,
    };
    state.instances.insert(held.instance.id.clone(), held);
}

fn confirm(state: &mut State, id: &InstanceId, confirm: &Confirm, at: Timestamp) {
    let Some(held) = state.instances.get_mut(id) else {
        return;
    };
    for (account, revision) in &confirm.accounts {
        if let Some(account) = held.accounts.iter_mut().find(|a| a.id == *account) {
            account.confirmed = account.confirmed.max(*revision).min(account.revision);
            if account.is_confirmed() {
                account.leaving_passwords.clear();
            }
        }
    }
    let gone = |account: &Account| {
        let ended = (account.id, account.revision);
        account.life == Life::Deleting && confirm.gone.contains(&ended)
    };
    for account in held.accounts.iter().filter(|account| gone(account)) {
        let digest = account.password.clone();
        let past = digest.map(|digest| (id.clone(), account.name.clone(), digest));
        state.past.extend(past);
    }
    held.accounts.retain(|account| !gone(account));
    let confirmed = confirm.accounts.iter().chain(&confirm.gone);
    for (account, revision) in confirmed {
        for task in state.tasks.iter_mut().filter(|t| t.account == *account) {
            if task.revision <= *revision && task.state == TaskState::Running {
                task.state = TaskState::Succeeded;
                task.finished_at = Some(at);
            }
        }
    }
}

fn observe(state: &mut State, observed: Observed) {
    let Some(held) = state.instances.get_mut(&observed.instance) else {
        return;
    };
    held.instance.observed_topology = Some(observed.topology);
    held.instance.engine = observed.engine.or(held.instance.engine);
    held.instance.unmanaged = observed.unmanaged;
    for account in &mut held.accounts {
        if !observed.link_users.contains(&account.name) {
            account.link_password = None;
        }
    }
    held.instance.link_users = observed.link_users;
    if held.instance.state == InstanceState::Registering {
        held.instance.state = InstanceState::Running;
    }
    state.nodes.insert(observed.instance, observed.nodes);
}

fn write(state: &mut State, decision: Decision) {
    let Some(held) = state.instances.get_mut(&decision.task.instance) else {
        return;
    };
    held.instance.revision = decision.revision;
    held.next_task = TaskId(held.next_task.0 + 1);
    if let Some(secrets) = decision.secrets {
        held.instance.login = secrets.login;
        held.instance.default_password = Some(secrets.default_password);
    }
    held.accounts
        .retain(|a| Some(a.id) != decision.superseded && a.id != decision.account.id);
    held.accounts.push(decision.account);
    held.accounts.sort_by(|a, b| {
        let rank = |account: &Account| account.kind != AccountKind::Default;
        (rank(a), &a.name).cmp(&(rank(b), &b.name))
    });
    state.tasks.push(decision.task);
}

#[async_trait]
impl Store for MemoryStore {
    async fn change(&self, ask: AccountWrite) -> Result<Result<Accepted, Refusal>, StoreError> {
        let mut state = self.open()?;
        let token = ask.idempotency.map(|token| (token.scope, token.token));
        if let Some(earlier) = token.as_ref().and_then(|token| state.replies.get(token)) {
            let mut earlier = earlier.clone();
            earlier.replayed = true;
            return Ok(Ok(earlier));
        }
        let held = state
            .instances
            .get(&ask.instance)
            .ok_or(StoreError::NotFound)?;
        let decision = match (ask.decide)(held) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let accepted = Accepted {
            outcome: decision.outcome.clone(),
            revision: decision.revision,
            replayed: false,
        };
        let audit = AuditEntry {
            account: decision.account.name.to_string(),
            outcome: "ok".into(),
            detail: decision.detail.clone(),
            before: decision.before.clone(),
            after: decision.after.clone(),
            ..ask.audit
        };
        write(&mut state, decision);
        state.trail.put(audit);
        if let Some(token) = token {
            state.replies.insert(token, accepted.clone());
        }
        Ok(Ok(accepted))
    }

    async fn apply(&self, ops: Vec<Op>, audit: Option<AuditEntry>) -> Result<(), StoreError> {
        let mut state = self.open()?;
        for op in ops {
            self.apply_one(&mut state, op)?;
        }
        audit.into_iter().for_each(|entry| state.trail.put(entry));
        Ok(())
    }

    async fn held(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.open()?.instances.get(id).cloned())
    }

    async fn viewed(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        Ok(self.open()?.instances.get(id).cloned())
    }

    async fn instances(&self, query: &InstanceQuery) -> Result<Rows<Instance>, StoreError> {
        let state = self.open()?;
        let fits = |instance: &&Instance| {
            (query.ids.is_empty() || query.ids.contains(&instance.id))
                && query.region.as_ref().is_none_or(|r| *r == instance.region)
                && query
                    .visible
                    .as_ref()
                    .is_none_or(|ids| ids.contains(&instance.id))
        };
        let all: Vec<Instance> = state
            .instances
            .values()
            .map(|held| &held.instance)
            .filter(fits)
            .cloned()
            .collect();
        Ok(page(&all, query.page))
    }

    async fn instance_ids(&self) -> Result<Vec<InstanceId>, StoreError> {
        Ok(self.open()?.instances.keys().cloned().collect())
    }

    async fn expiring(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(InstanceId, AccountName)>, StoreError> {
        let state = self.open()?;
        let due = |account: &&Account| {
            let ended = account.expires_at.is_some_and(|end| end <= until);
            ended && account.enabled && account.life == Life::Live
        };
        let mut found = Vec::new();
        for (id, held) in &state.instances {
            let names = held.accounts.iter().filter(due).map(|a| a.name.clone());
            found.extend(names.map(|name| (id.clone(), name)));
        }
        Ok(found)
    }

    async fn past_passwords(
        &self,
        id: &InstanceId,
        names: &[AccountName],
    ) -> Result<Vec<(AccountName, PasswordDigest)>, StoreError> {
        let state = self.open()?;
        let past = state.past.iter();
        let past = past.filter(|(held, name, _)| held == id && names.contains(name));
        Ok(past
            .map(|(_, name, digest)| (name.clone(), digest.clone()))
            .collect())
    }

    async fn nodes(&self, id: &InstanceId) -> Result<Vec<NodeRecord>, StoreError> {
        Ok(self.open()?.nodes.get(id).cloned().unwrap_or_default())
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Rows<Task>, StoreError> {
        let state = self.open()?;
        let mut all: Vec<Task> = state.tasks.clone();
        all.retain(|task| {
            query.id.is_none_or(|id| task.id == id)
                && query
                    .instance
                    .as_ref()
                    .is_none_or(|id| task.instance == *id)
        });
        all.reverse();
        Ok(page(&all, query.page))
    }

    async fn strikes(&self, scope: &str) -> Result<Strikes, StoreError> {
        Ok(self.open()?.rights.strikes(scope))
    }

    async fn key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        Ok(self.open()?.rights.key(id))
    }

    async fn keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        Ok(self.open()?.rights.keys())
    }

    async fn access_policies(&self) -> Result<Vec<AccessPolicy>, StoreError> {
        Ok(self.open()?.rights.policies())
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Rows<AuditRow>, StoreError> {
        Ok(self.open()?.trail.find(query))
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        Ok(self.open()?.trail.ends())
    }

    async fn reseal(&self, _: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.open()?.settings.get(name).cloned())
    }

    async fn setting_or(&self, name: &str, value: String) -> Result<String, StoreError> {
        Ok(self
            .open()?
            .settings
            .entry(name.to_owned())
            .or_insert(value)
            .clone())
    }
}
