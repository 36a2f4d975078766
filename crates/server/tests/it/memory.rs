//! A store in memory and a fleet without nodes.

use async_trait::async_trait;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::adopt::{FoundRights, FoundUser, FoundUsers, UsersAsk};
use claviger_core::audit::{AuditEnds, AuditEntry, AuditQuery, AuditRow};
use claviger_core::check_report::{CheckReport, NodeCheck, SentinelCheck};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{
    AccountId, AccountName, InstanceId, KeyId, NodeAddress, Revision, TaskId,
};
use claviger_core::instance::{Held, Instance, InstanceState, Topology};
use claviger_core::node::{NodeRecord, NodeRole, Persistence};
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{Accepted, AccountWrite, Fleet, Op, Store, StoreError, Strikes};
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{InstanceQuery, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::sight::{
    AccountProof, AccountSight, InstancePlan, InstanceSight, NodePlan, NodeSight, PlannedStep,
    SentinelSight, StepKind, SyncState,
};
use claviger_core::task::{Task, TaskState};
use claviger_testkit::rights::Rights;
use claviger_testkit::trail::{Trail, page};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

#[derive(Default)]
struct State {
    held: BTreeMap<InstanceId, Held>,
    tasks: Vec<Task>,
    rights: Rights,
    trail: Trail,
    settings: BTreeMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
    /// When set, reads of an instance wait for a permit.
    pub(crate) gate: Mutex<Option<Arc<Semaphore>>>,
}

impl Memory {
    /// Changes a row of the audit trail behind the chain's back; counted from the oldest.
    pub(crate) fn tamper(&self, index: usize, change: impl FnOnce(&mut AuditEntry)) {
        self.state.lock().unwrap().trail.tamper(index, change);
    }

    /// Nothing that reads an instance goes on until a permit is added.
    pub(crate) fn close_gate(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    /// Every node has confirmed everything.
    pub(crate) fn confirm_all(&self) {
        let mut state = self.state.lock().unwrap();
        let now = state.tasks.last().map(|task| task.created_at);
        for held in state.held.values_mut() {
            held.accounts.retain(|account| account.life == Life::Live);
            for account in &mut held.accounts {
                account.confirmed = account.revision;
            }
        }
        for task in &mut state.tasks {
            task.state = TaskState::Succeeded;
            task.finished_at = now;
        }
    }
}

#[async_trait]
impl Store for Memory {
    async fn change(&self, write: AccountWrite) -> Result<Result<Accepted, Refusal>, StoreError> {
        let mut state = self.state.lock().unwrap();
        let Some(held) = state.held.get_mut(&write.instance) else {
            return Ok(Err(Refusal::InstanceNotFound));
        };
        let decision = match (write.decide)(held) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err(refusal)),
        };
        held.instance.revision = decision.revision;
        held.accounts
            .retain(|a| a.id != decision.account.id && Some(a.id) != decision.superseded);
        held.accounts.push(decision.account.clone());
        held.next_task = TaskId(held.next_task.0 + 1);
        state.tasks.push(decision.task);
        state.trail.put(AuditEntry {
            account: decision.account.name.to_string(),
            outcome: "ok".into(),
            detail: decision.detail,
            before: decision.before,
            after: decision.after,
            ..write.audit
        });
        Ok(Ok(Accepted {
            outcome: decision.outcome,
            revision: decision.revision,
            replayed: false,
        }))
    }

    async fn apply(&self, ops: Vec<Op>, audit: Option<AuditEntry>) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        for op in ops {
            state.apply(op)?;
        }
        audit.into_iter().for_each(|row| state.trail.put(row));
        Ok(())
    }

    async fn held(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        Ok(self.state.lock().unwrap().held.get(id).cloned())
    }

    async fn viewed(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        let gate = self.gate.lock().unwrap().clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        self.held(id).await
    }

    async fn instances(&self, query: &InstanceQuery) -> Result<Rows<Instance>, StoreError> {
        let state = self.state.lock().unwrap();
        let all: Vec<Instance> = state
            .held
            .values()
            .map(|held| held.instance.clone())
            .filter(|instance| {
                query
                    .visible
                    .as_ref()
                    .is_none_or(|v| v.contains(&instance.id))
            })
            .filter(|instance| {
                let search = query.search.as_deref().unwrap_or_default();
                instance.id.as_str().contains(search) || instance.name.contains(search)
            })
            .filter(|instance| query.ids.is_empty() || query.ids.contains(&instance.id))
            .collect();
        Ok(page(&all, query.page))
    }

    async fn instance_ids(&self) -> Result<Vec<InstanceId>, StoreError> {
        Ok(self.state.lock().unwrap().held.keys().cloned().collect())
    }

    async fn expiring(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(InstanceId, AccountName)>, StoreError> {
        let state = self.state.lock().unwrap();
        let due = |account: &&Account| {
            let ended = account.expires_at.is_some_and(|end| end <= until);
            ended && account.enabled && account.life == Life::Live
        };
        let mut found = Vec::new();
        for (id, held) in &state.held {
            let names = held.accounts.iter().filter(due).map(|a| a.name.clone());
            found.extend(names.map(|name| (id.clone(), name)));
        }
        Ok(found)
    }

    async fn past_passwords(
        &self,
        _: &InstanceId,
        _: &[AccountName],
    ) -> Result<Vec<(AccountName, claviger_core::password::PasswordDigest)>, StoreError> {
        Ok(Vec::new())
    }

    async fn nodes(&self, _: &InstanceId) -> Result<Vec<NodeRecord>, StoreError> {
        Ok(Vec::new())
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Rows<Task>, StoreError> {
        let state = self.state.lock().unwrap();
        let fitting: Vec<Task> = state
            .tasks
            .iter()
            .rev()
            .filter(|task| query.id.is_none_or(|id| task.id == id))
            .filter(|task| {
                query
                    .instance
                    .as_ref()
                    .is_none_or(|id| task.instance == *id)
            })
            .cloned()
            .collect();
        Ok(page(&fitting, query.page))
    }

    async fn strikes(&self, scope: &str) -> Result<Strikes, StoreError> {
        Ok(self.state.lock().unwrap().rights.strikes(scope))
    }

    async fn key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        Ok(self.state.lock().unwrap().rights.key(id))
    }

    async fn keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        Ok(self.state.lock().unwrap().rights.keys())
    }

    async fn access_policies(&self) -> Result<Vec<AccessPolicy>, StoreError> {
        Ok(self.state.lock().unwrap().rights.policies())
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Rows<AuditRow>, StoreError> {
        Ok(self.state.lock().unwrap().trail.find(query))
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        Ok(self.state.lock().unwrap().trail.ends())
    }

    async fn reseal(&self, _: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.state.lock().unwrap().settings.get(name).cloned())
    }

    async fn setting_or(&self, name: &str, value: String) -> Result<String, StoreError> {
        let mut state = self.state.lock().unwrap();
        Ok(state.settings.entry(name.into()).or_insert(value).clone())
    }
}

impl State {
    fn apply(&mut self, op: Op) -> Result<(), StoreError> {
        match op {
            Op::AddInstance {
                instance,
                default_account,
            } => {
                let accounts = vec![default(default_account, &instance)];
                let held = Held {
                    instance: *instance,
                    accounts,
                    next_task: TaskId(1),
                };
                self.held.insert(held.instance.id.clone(), held);
            }
            Op::RemoveInstance(id) => {
                self.held.remove(&id).ok_or(StoreError::NotFound)?;
            }
            Op::SetRoles(id, roles) => self.instance(&id)?.roles = roles,
            Op::SetState(id, to) => self.instance(&id)?.state = to,
            Op::SetLabels {
                instance,
                name,
                region,
            } => {
                let instance = self.instance(&instance)?;
                instance.name = name.unwrap_or_else(|| instance.name.clone());
                instance.region = region.unwrap_or_else(|| instance.region.clone());
            }
            Op::Observe(seen) => {
                let instance = self.instance(&seen.instance)?;
                instance.engine = seen.engine;
                instance.observed_topology = Some(seen.topology);
                instance.state = InstanceState::Running;
            }
            Op::SetPolicy(id, policy) => self.instance(&id)?.policy = policy,
            Op::Adopt(id, adoption) => {
                let held = self.held.get_mut(&id).ok_or(StoreError::NotFound)?;
                let after = adoption.after(&held.instance).ok_or(StoreError::Exists)?;
                let taken = |a: &Account| held.account(a.name.as_str()).is_some();
                if after.accounts.iter().any(taken) {
                    return Err(StoreError::Exists);
                }
                held.instance.revision = after.revision;
                held.instance.roles = after.roles;
                held.accounts.extend(after.accounts);
            }
            Op::SetTags(id, tags) => self.instance(&id)?.tags = tags,
            Op::Audit(entry) => self.trail.put(entry),
            other => drop(self.rights.apply(other)?),
        }
        Ok(())
    }

    fn instance(&mut self, id: &InstanceId) -> Result<&mut Instance, StoreError> {
        let held = self.held.get_mut(id).ok_or(StoreError::NotFound)?;
        Ok(&mut held.instance)
    }
}

fn default(id: AccountId, instance: &Instance) -> Account {
    Account {
        id,
        name: AccountName::from(Account::DEFAULT_NAME),
        kind: AccountKind::Default,
        privilege: Privilege::Administrator,
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
        created_at: instance.created_at,
        password_set_at: None,
    }
}

/// Nodes whose address begins with `down` do not answer; all others are fine.
pub(crate) struct NoNodes;

const ENGINE: Engine = Engine {
    family: Family::Redis,
    major: 7,
    minor: 0,
    patch: 15,
};

#[async_trait]
impl Fleet for NoNodes {
    fn wake(&self, _: &InstanceId) {}

    fn track(&self, _: &InstanceId) {}

    async fn lacking(&self, _: &InstanceId) -> Result<Vec<AccountName>, StoreError> {
        Ok(Vec::new())
    }

    async fn sight(&self, id: &InstanceId) -> Result<Option<InstanceSight>, StoreError> {
        if id.as_str().starts_with("none") {
            return Ok(None);
        }
        Ok(Some(InstanceSight {
            instance: id.clone(),
            topology: Some(Topology::Standalone),
            revision: Revision(1),
            in_sync: false,
            error: Some("one node is away".into()),
            nodes: vec![NodeSight {
                address: NodeAddress::from("h:1"),
                role: NodeRole::Primary,
                reachable: false,
                engine: "redis 7.0.15".into(),
                persistence: Persistence::Aclfile,
                revision: Revision(1),
                saved: Revision(1),
                run_id: "0".repeat(40),
                in_sync: false,
                error: Some("connection refused".into()),
            }],
            sentinels: vec![SentinelSight {
                address: NodeAddress::from("h:26379"),
                reachable: false,
                error: Some("connection refused".into()),
            }],
            accounts: vec![AccountSight {
                name: AccountName::from("app"),
                privilege: Privilege::ReadWrite,
                state: SyncState::Pending,
                pending_on: vec![NodeAddress::from("h:1")],
                reason: Some("away".into()),
                proof: vec![AccountProof {
                    address: NodeAddress::from("h:1"),
                    revision: Revision(1),
                    read_back_at: Timestamp::from_secs(1),
                    saved: true,
                }],
            }],
            unmanaged: vec![AccountName::from("hand-made")],
        }))
    }

    async fn acl_words(&self, _: &InstanceId, _: Option<&str>) -> Result<Vec<String>, Refusal> {
        Err(Refusal::Unavailable)
    }

    async fn users(&self, id: &InstanceId, ask: &UsersAsk) -> Result<FoundUsers, Refusal> {
        if id.as_str().starts_with("none") {
            return Err(Refusal::Unavailable);
        }
        let user = |name: &str, rights| FoundUser {
            name: AccountName::from(name),
            absent: false,
            on: true,
            nopass: false,
            digests: vec![PasswordDigest::from_bytes([1; 32])],
            rights,
            differs: Vec::new(),
        };
        let rules = FoundRights::Rules(vec!["+get".into()]);
        let mut torn = user("torn", FoundRights::Known(Privilege::ReadOnly));
        torn.differs = vec![(NodeAddress::from("h:2"), "is missing".into())];
        let users = [
            user("one", rules.clone()),
            user("two", rules),
            user("odd", FoundRights::Beyond),
            torn,
        ];
        let asked = |user: &FoundUser| ask.names.is_empty() || ask.names.contains(&user.name);
        Ok(FoundUsers {
            node: NodeAddress::from("h:1"),
            users: users.into_iter().filter(asked).collect(),
            away: Vec::new(),
        })
    }

    async fn plan(&self, id: &InstanceId) -> Result<InstancePlan, Refusal> {
        Ok(InstancePlan {
            instance: id.clone(),
            revision: Revision(1),
            nodes: vec![NodePlan {
                address: NodeAddress::from("h:1"),
                error: Some("connection refused".into()),
                right: 1,
                steps: vec![PlannedStep {
                    user: AccountName::from("app"),
                    account: AccountName::from("app"),
                    step: StepKind::Create,
                    reason: "is missing".into(),
                }],
            }],
        })
    }

    async fn check(&self, instance: &Instance) -> CheckReport {
        let nodes = instance.seeds.iter().map(|seed| NodeCheck {
            node: NodeRecord {
                address: seed.address.clone(),
                tls: seed.tls,
                role: NodeRole::Primary,
                engine: Some(ENGINE),
                run_id: "0".repeat(40),
                persistence: Persistence::Aclfile,
                confirmed: Revision::ZERO,
                saved: Revision::ZERO,
            },
            problems: if seed.address.as_str().starts_with("down") {
                vec!["connection refused".into()]
            } else {
                Vec::new()
            },
            warnings: Vec::new(),
        });
        CheckReport {
            topology: Some(Topology::Standalone),
            engine: Some(ENGINE),
            nodes: nodes.collect(),
            sentinels: vec![SentinelCheck {
                address: NodeAddress::from("h:26379"),
                problems: Vec::new(),
                warnings: vec!["alone".into()],
            }],
            unmanaged: Vec::new(),
        }
    }
}
