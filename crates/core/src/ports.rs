//! What the outside must provide. Adapters implement these; the domain and the service know
//! nothing of how.

use crate::access::{AccessKey, Tags};
use crate::access_policy::AccessPolicy;
use crate::adopt::{Adoption, FoundUsers, UsersAsk};
use crate::audit::{AuditEnds, AuditEntry, AuditQuery, AuditRow};
use crate::check_report::CheckReport;
use crate::clock::Timestamp;
use crate::decide::Decision;
use crate::engine::Engine;
use crate::ids::{AccountId, AccountName, InstanceId, KeyId, Revision, TaskId};
use crate::instance::{Held, Instance, InstanceState, RolePolicy, Topology};
use crate::node::NodeRecord;
use crate::outcome::Changed;
use crate::password::PasswordDigest;
use crate::policy::InstancePolicy;
use crate::query::{InstanceQuery, Rows, TaskQuery};
use crate::refusal::Refusal;
use crate::sight::{InstancePlan, InstanceSight};
use crate::task::Task;
use async_trait::async_trait;
use std::sync::Arc;
use thiserror::Error;

/// Why the store could not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Trying again may help (disk full, database busy or away). Nothing was written, but for one
    /// case: the connection to a shared store broke during the commit, and nobody here can tell.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be read: damaged, or sealed under another master key.
    #[error("stored data cannot be read: {0}")]
    Unreadable(String),
    /// The instance is registered already, or the key id is taken.
    #[error("already exists")]
    Exists,
    /// No such instance or key.
    #[error("not found")]
    NotFound,
    /// Another process drives the instance by now: what was to be recorded comes too late.
    #[error("another process drives the instance now")]
    Stale,
}

/// A decision to be made inside the transaction that writes it: a pure function of what is held
/// at that moment, so a store may call it again if its transaction has to be retried.
pub type Decide = Arc<dyn Fn(&Held) -> Result<Decision, Refusal> + Send + Sync>;

/// An idempotency token within its scope. Only accepted changes are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose token: key, dialect and action.
    pub scope: String,
    /// The token itself.
    pub token: String,
    /// Digest of the other parameters.
    pub fingerprint: [u8; 32],
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// A nonce that must not be used again, remembered in the same commit as the change, so that a
/// captured write cannot be replayed after a restart either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonceMark {
    /// Digest of the key id and the nonce.
    pub digest: [u8; 16],
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// A change of accounts, to be decided and written in one transaction.
pub struct AccountWrite {
    /// On this instance.
    pub instance: InstanceId,
    /// The decision.
    pub decide: Decide,
    /// The caller's token, if any.
    pub idempotency: Option<Idempotency>,
    /// The request's nonce, if any.
    pub nonce: Option<NonceMark>,
    /// The audit row; outcome and detail are filled in from the decision. Written only when the
    /// change is accepted; refusals are recorded by the service.
    pub audit: AuditEntry,
    /// Now.
    pub at: Timestamp,
}

/// What came of an [`AccountWrite`].
#[derive(Clone, Debug)]
pub struct Accepted {
    /// What the caller is told.
    pub outcome: Changed,
    /// The instance's newest revision.
    pub revision: Revision,
    /// This is the remembered answer of an earlier call with the same token; nothing was done.
    pub replayed: bool,
}

/// What the fleet has confirmed by read-back on every node of an instance.
#[derive(Clone, Debug, Default)]
pub struct Confirm {
    /// Live accounts, each up to this revision.
    pub accounts: Vec<(AccountId, Revision)>,
    /// Deleted accounts that are gone from every node; each only if it is still being deleted
    /// at this revision.
    pub gone: Vec<(AccountId, Revision)>,
}

/// What the fleet has seen of an instance; written only when it differs from what is stored.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Of this instance.
    pub instance: InstanceId,
    /// How the nodes belong together.
    pub topology: Topology,
    /// Version of the primary.
    pub engine: Option<Engine>,
    /// Users that are not ours.
    pub unmanaged: Vec<AccountName>,
    /// See [`Instance::link_users`]. An account that is not among them loses its
    /// [`link_password`](crate::account::Account::link_password).
    pub link_users: Vec<AccountName>,
    /// All its nodes.
    pub nodes: Vec<NodeRecord>,
}

/// A failure that counts towards a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Whose: one text for each thing that can be locked.
    pub scope: String,
    /// Now.
    pub at: Timestamp,
    /// How long failures count, and a lock lasts, seconds.
    pub lock_s: u32,
}

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strikes {
    /// How many.
    pub count: u32,
    /// Until when they count.
    pub until: Timestamp,
}

/// Any other write.
pub enum Op {
    /// Registers an instance; its default account is made with the given identity.
    AddInstance {
        /// The instance.
        instance: Box<Instance>,
        /// Identity of its default account.
        default_account: AccountId,
    },
    /// Forgets an instance with its accounts, tasks and nodes; the nodes are left as they are.
    RemoveInstance(InstanceId),
    /// Sets the role policy: every managed account gets the next revision.
    SetRoles(InstanceId, RolePolicy),
    /// Sets how an instance treats its accounts.
    SetPolicy(InstanceId, InstancePolicy),
    /// Takes users over as accounts, see [`Adoption::after`]; [`StoreError::Exists`] if an account
    /// or another role has one of the names.
    Adopt(InstanceId, Adoption),
    /// Forgets a finished task; [`StoreError::NotFound`] if there is none of that number.
    ForgetTask(TaskId),
    /// Counts a failure.
    Strike(Strike),
    /// Forgets the failures of a scope.
    ClearStrikes(String),
    /// Sets whether changes are taken.
    SetState(InstanceId, InstanceState),
    /// Sets name or region.
    SetLabels {
        /// Of this instance.
        instance: InstanceId,
        /// The name for people, if it changes.
        name: Option<String>,
        /// The region word, if it changes.
        region: Option<String>,
    },
    /// Records confirmations, removes accounts that are gone, finishes tasks.
    Confirm(InstanceId, Confirm, Timestamp),
    /// Records what was seen. Moves an instance from registering to running.
    Observe(Observed),
    /// Refuses all of the call with [`StoreError::Stale`] unless the lease of this epoch is still
    /// the instance's. Nothing to check in a store that is not shared.
    Fence(InstanceId, Epoch),
    /// Keeps what the driver of an instance sees now, in the fleet's own words, for the other
    /// processes. Nothing to do in a store that is not shared.
    Show(InstanceId, Epoch, String),
    /// Records a new key.
    AddKey(AccessKey),
    /// Makes the root key what the environment says: same id, new secret allowed.
    PutRootKey(AccessKey),
    /// Revokes a key.
    RevokeKey(KeyId, Timestamp),
    /// Sets what may change of a key that is known: its secrets, when it ends, tags, description.
    SetKey(AccessKey),
    /// When keys were last used; earlier times and unknown keys are passed over.
    KeysUsed(Vec<(KeyId, Timestamp)>),
    /// Sets an instance's tags.
    SetTags(InstanceId, Tags),
    /// Adds a policy, or replaces the one of its name.
    PutAccessPolicy(AccessPolicy),
    /// Removes a policy; [`StoreError::NotFound`] if there is none of that name.
    RemoveAccessPolicy(String),
    /// Adds an audit row by itself, for what happened elsewhere.
    Audit(AuditEntry),
    /// Forgets remembered tokens, nonces and finished tasks that are past their time, and audit
    /// rows beyond the bound; the chain then begins after the last of these.
    Purge(Timestamp),
}

/// Accounts of one answer of [`Store::expiring`]; the rest is found at the next asking.
pub const EXPIRING_MAX: usize = 1_000;

/// Changes of passwords and ends of accounts of one instance that are kept, the newest.
pub const PAST_MAX: usize = 1_000;

/// How long they are kept, milliseconds: 90 days. A node's file may be older, and then brings
/// back users that nobody knows.
pub const PAST_KEPT_MS: i64 = 90 * 24 * 3_600 * 1_000;

/// The number of a lease: it rises whenever an instance gets another driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub i64);

/// A process's word that it lives, and its wish for instances to drive.
#[derive(Clone, Debug)]
pub struct LeaseAsk {
    /// The process, by a name that no other one has.
    pub holder: String,
    /// How long it is to be believed, milliseconds.
    pub lasting_ms: u32,
    /// At most this many instances are newly taken in one call.
    pub claim_max: u32,
}

/// What a process drives.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    /// The instances, each with its lease's number.
    pub held: Vec<(InstanceId, Epoch)>,
    /// How many of these it should give up, since others have fewer.
    pub surplus: usize,
    /// Processes that live, this one among them.
    pub members: u32,
}

/// What the driver of an instance saw last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// In the fleet's own words.
    pub text: String,
    /// The driver lives; else nobody is looking now.
    pub live: bool,
}

/// What another process did to a shared store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// An instance was changed, registered or removed.
    Instance(InstanceId),
    /// Access keys were changed.
    Keys,
    /// Hints may have been lost: anything may have changed.
    Anything,
}

/// Hears hints. Any of them may be lost; whoever needs certainty looks by itself.
pub trait Ears: Send + Sync {
    /// Must return at once.
    fn hear(&self, hint: &Hint);
}

/// Durable state. Every write is durable when its call returns, but for operations that only
/// record what was seen ([`Op::Confirm`], [`Op::Observe`], [`Op::KeysUsed`], [`Op::Purge`]) in a call
/// without an audit row: a power failure may undo those, and looking finds them again.
#[async_trait]
pub trait Store: Send + Sync {
    /// Decides and writes a change of accounts: account, task, token, nonce and audit row in
    /// one commit. The inner result is the decision's.
    async fn change(&self, write: AccountWrite) -> Result<Result<Accepted, Refusal>, StoreError>;

    /// Writes everything else: the operations and their audit row in one commit.
    async fn apply(&self, ops: Vec<Op>, audit: Option<AuditEntry>) -> Result<(), StoreError>;

    /// An instance with its accounts and secrets.
    async fn held(&self, id: &InstanceId) -> Result<Option<Held>, StoreError>;

    /// An instance with its accounts but without opening any secret: digests, logins and
    /// passwords are absent. For reads.
    async fn viewed(&self, id: &InstanceId) -> Result<Option<Held>, StoreError>;

    /// Instances, by id.
    async fn instances(&self, query: &InstanceQuery) -> Result<Rows<Instance>, StoreError>;

    /// The identities of all instances, for the driver's start.
    async fn instance_ids(&self) -> Result<Vec<InstanceId>, StoreError>;

    /// Live, enabled accounts of running instances whose end has come by `until`, the earliest
    /// first, at most [`EXPIRING_MAX`]. Reads no secret.
    async fn expiring(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(InstanceId, AccountName)>, StoreError>;

    /// Passwords that these users of an instance had as accounts and do not have any more, as far
    /// as they are kept: at most [`PAST_MAX`] of an instance, none for longer than
    /// [`PAST_KEPT_MS`].
    async fn past_passwords(
        &self,
        id: &InstanceId,
        names: &[AccountName],
    ) -> Result<Vec<(AccountName, PasswordDigest)>, StoreError>;

    /// The nodes of an instance as last seen.
    async fn nodes(&self, id: &InstanceId) -> Result<Vec<NodeRecord>, StoreError>;

    /// Tasks, newest first.
    async fn tasks(&self, query: &TaskQuery) -> Result<Rows<Task>, StoreError>;

    /// The failures of a scope.
    async fn strikes(&self, scope: &str) -> Result<Strikes, StoreError>;

    /// A key, also a revoked one.
    async fn key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError>;

    /// All keys, by age.
    async fn keys(&self) -> Result<Vec<AccessKey>, StoreError>;

    /// All policies of the operator's own, by name.
    async fn access_policies(&self) -> Result<Vec<AccessPolicy>, StoreError>;

    /// Audit rows. With [`AuditQuery::after`] the total is that of the page: whoever follows the
    /// chain asks again and again.
    async fn audit(&self, query: &AuditQuery) -> Result<Rows<AuditRow>, StoreError>;

    /// Both ends of the audit trail's chain. They are sealed beside it:
    /// [`StoreError::Unreadable`] if they were written by anyone without the master key.
    async fn audit_ends(&self) -> Result<AuditEnds, StoreError>;

    /// Seals again under the current master key what is sealed under a former one, at most
    /// `limit` secrets; 0 if none is left then, else another number. With a limit of 0 it only
    /// counts, and tells how many.
    async fn reseal(&self, limit: u64) -> Result<u64, StoreError>;

    /// A named value of the installation, such as its project id; written once.
    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError>;

    /// Sets it if it is not set, and returns what holds.
    async fn setting_or(&self, name: &str, value: String) -> Result<String, StoreError>;

    /// Several processes may serve this store at once. The methods below are for such a store
    /// only; what they do by default is right for one that this process has for itself.
    fn is_shared(&self) -> bool {
        false
    }

    /// How many processes serve it, as last known; at least one.
    fn sharers(&self) -> u32 {
        1
    }

    /// From now on, hints of what other processes do go there.
    fn tell(&self, _ears: Arc<dyn Ears>) {}

    /// A number that is another one after every change of the access keys.
    async fn keys_version(&self) -> Result<i64, StoreError> {
        Ok(0)
    }

    /// Remembers a nonce for all processes; false if one of them remembers it already.
    async fn use_nonce(&self, _nonce: NonceMark, _at: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }

    /// Says that this process lives, and takes instances that nobody drives, up to its fair
    /// share. `None`: all of them are its own, for ever.
    async fn lease(&self, _ask: &LeaseAsk) -> Result<Option<Leases>, StoreError> {
        Ok(None)
    }

    /// Gives instances up, so that others may take them at once; all that the holder has if
    /// `ids` is `None`, and with them its word that it lives.
    async fn release(&self, _holder: &str, _ids: Option<&[InstanceId]>) -> Result<(), StoreError> {
        Ok(())
    }

    /// What the driver of an instance saw last, if it is another process's to drive.
    async fn shown(&self, _id: &InstanceId) -> Result<Option<Shown>, StoreError> {
        Ok(None)
    }
}

/// What the service asks of the driving of nodes.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Something changed; drive the instance soon. User work: it overtakes sweeps. May be lost
    /// without harm: the sweep finds it.
    fn wake(&self, id: &InstanceId);

    /// An instance was registered or removed.
    fn track(&self, id: &InstanceId);

    /// The accounts that some node is known to lack, or to hold differently, now. Usually empty.
    ///
    /// # Errors
    /// The store's, where another process drives the instance.
    async fn lacking(&self, id: &InstanceId) -> Result<Vec<AccountName>, StoreError>;

    /// The instance as seen now.
    async fn sight(&self, id: &InstanceId) -> Result<Option<InstanceSight>, StoreError>;

    /// The command categories that the servers of an instance know, or the commands of one.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if no node answers; [`Refusal::ParameterInvalid`] for a category
    /// that they do not know.
    async fn acl_words(
        &self,
        id: &InstanceId,
        category: Option<&str>,
    ) -> Result<Vec<String>, Refusal>;

    /// The users on the nodes of an instance that are not its accounts, with their passwords'
    /// digests. Changes nothing but for scratch users that show how a node renders a rule.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if the node that counts does not answer,
    /// [`Refusal::ParameterInvalid`] if it is not one of the instance's, [`Refusal::EngineTooOld`]
    /// if it has no users, [`Refusal::NotSupported`] if there are too many of them.
    async fn users(&self, id: &InstanceId, ask: &UsersAsk) -> Result<FoundUsers, Refusal>;

    /// What would be changed on each node now, and why. Changes nothing, as above.
    ///
    /// # Errors
    /// [`Refusal::InstanceNotFound`], [`Refusal::Unavailable`].
    async fn plan(&self, id: &InstanceId) -> Result<InstancePlan, Refusal>;

    /// Looks at the nodes of an instance that may not be registered yet: reachability, rights of
    /// the login, persistence, dangers.
    async fn check(&self, instance: &Instance) -> CheckReport;
}

/// The installation's master key, as far as the service may speak of it.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The identities of the master keys, the current one first; never the keys.
    fn key_ids(&self) -> Vec<String>;

    /// Makes another master key, keeps it durably, and seals with it from now on. The ones
    /// before stay for what is sealed under them. Returns its identity.
    ///
    /// # Errors
    /// Why it cannot be, in plain words.
    async fn rotate(&self) -> Result<String, String>;
}

/// The clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Randomness for identities and secrets.
pub trait Entropy: Send + Sync {
    /// Fills the buffer with unpredictable bytes.
    fn fill(&self, buffer: &mut [u8]);
}
