//! The counterpart of every dialect: it knows who asks, whether they may, what is decided, and
//! makes it durable. It names no vendor, no SQL and no rule of a node.
//!
//! A cloud call runs through [`cloud`]; claviger's own API through [`native`], [`instances`]
//! and [`access_keys`]. Both meet in [`execute`] and [`query`].

pub mod access_keys;
pub mod access_policies;
pub mod adopt;
pub mod audit;
pub mod cloud;
mod directory;
pub mod execute;
pub mod expiry;
pub mod holder;
mod idempotency;
pub mod instance_set;
pub mod instance_settings;
pub mod instances;
pub mod judge;
mod keyring;
pub mod ledger;
mod lockout;
pub mod master_key;
pub mod native;
pub mod native_reads;
pub mod native_rules;
mod node_urls;
mod permits;
mod policy;
pub mod query;
mod replay;
pub mod sessions;
mod shared;
mod sources;
mod tasks;
mod throttle;
mod tokens;

use claviger_core::access::AccessKey;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Caller;
use claviger_core::ports::{Clock, Entropy, Fleet, NonceMark, Store, StoreError, Vault};
use claviger_core::refusal::Refusal;
use claviger_core::rules::Rules;
use directory::Directory;
use judge::CedarJudge;
use keyring::KeyRing;
use ledger::Ledger;
use permits::Lists;
use replay::ReplayWindow;
use sources::{Bounds, Sources};
use std::net::SocketAddr;
use std::sync::Arc;
use throttle::Throttle;

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client's address.
    pub peer: SocketAddr,
    /// It came over TLS.
    pub tls: bool,
}

/// What the service stands on.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The driving of nodes.
    pub fleet: Arc<dyn Fleet>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The master key, if it can be changed while the service runs.
    pub vault: Option<Arc<dyn Vault>>,
}

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Requests per second that one key may make; 0 means no bound.
    pub requests_per_second_max: u32,
    /// Requests per second that one key may make of one action; 0 means no bound, `None` what
    /// each vendor says.
    pub requests_per_action_max: Option<u32>,
    /// Requests per second from one address; 0 means no bound.
    pub requests_per_source_max: u32,
    /// Bad signatures a minute from one address, which shut it out for a minute; 0 means no
    /// bound.
    pub bad_signatures_max: u32,
}

impl Settings {
    fn sources(&self) -> Bounds {
        Bounds {
            per_second_max: self.requests_per_source_max,
            bad_max: self.bad_signatures_max,
        }
    }
}

/// The service.
pub struct Service {
    store: Arc<dyn Store>,
    fleet: Arc<dyn Fleet>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    keys: KeyRing,
    replay: ReplayWindow,
    throttle: Throttle,
    sources: Sources,
    settings: Settings,
    project_id: String,
    judge: CedarJudge,
    directory: Directory,
    lists: Lists,
    ledger: Ledger,
    vault: Option<Arc<dyn Vault>>,
    /// Held while policies are changed, so that no change is judged by half of another.
    changing_policies: tokio::sync::Mutex<()>,
}

impl Service {
    /// Makes `root` the root key, loads the other keys, and is ready to serve.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read or written.
    pub async fn start(
        parts: Parts,
        settings: Settings,
        root: AccessKey,
    ) -> Result<Service, StoreError> {
        let Parts {
            store,
            fleet,
            clock,
            entropy,
            vault,
        } = parts;
        store
            .apply(vec![claviger_core::ports::Op::PutRootKey(root)], None)
            .await?;
        let keys = KeyRing::of(store.keys().await?);
        let judge = CedarJudge::of(&store.access_policies().await?);
        let judge = judge.map_err(StoreError::Unreadable)?;
        let directory = Directory::read(&*store).await?;
        let mut random = [0_u8; 16];
        entropy.fill(&mut random);
        let fresh = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let project_id = store.setting_or("project_id", fresh).await?;
        Ok(Service {
            store,
            fleet,
            clock,
            entropy,
            keys,
            replay: ReplayWindow::default(),
            throttle: Throttle::default(),
            sources: Sources::default(),
            settings,
            project_id,
            judge,
            directory,
            lists: Lists::default(),
            ledger: Ledger::default(),
            vault,
            changing_policies: tokio::sync::Mutex::default(),
        })
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new request id.
    pub fn request_id(&self) -> RequestId {
        let mut random = [0_u8; 16];
        self.entropy.fill(&mut random);
        RequestId::from_random(random)
    }

    /// The 32 hexadecimal digits that Huawei paths carry.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Remembers a nonce of a key whose signature was verified; true if it was used before, or
    /// if there is no room to remember it (then nothing may be believed to be fresh).
    ///
    /// # Errors
    /// The store's, if it is shared.
    pub async fn nonce_seen(
        &self,
        key: &KeyId,
        nonce: &str,
        until: Timestamp,
    ) -> Result<bool, Refusal> {
        let (digest, now) = (replay::digest(key, nonce), self.now());
        if self.replay.seen(digest, until, now) != replay::Verdict::Fresh {
            return Ok(true);
        }
        let mark = NonceMark { digest, until };
        match self.share_nonce(Some(mark), now, "-").await {
            Ok(()) => Ok(false),
            Err(Refusal::NonceUsed) => Ok(true),
            Err(refusal) => Err(refusal),
        }
    }

    /// Counts a request of this key.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] if it is one too many in this second.
    pub fn admit(&self, key: &KeyId) -> Result<(), Refusal> {
        let limit = self.settings.requests_per_second_max;
        self.admit_within(key.as_str(), limit)
    }

    /// Counts a request of this key for one action.
    ///
    /// # Errors
    /// As [`Service::admit`].
    fn admit_action(&self, rules: &Rules, action: &str, key: &KeyId) -> Result<(), Refusal> {
        let limit = match self.settings.requests_per_action_max {
            Some(limit) => limit,
            None => rules.per_action_max.unwrap_or(0),
        };
        if limit == 0 {
            return Ok(());
        }
        let scope = format!("{action}/{key}");
        self.admit_within(&scope, limit)
    }

    fn admit_within(&self, scope: &str, limit: u32) -> Result<(), Refusal> {
        let part = self.part_of(limit);
        let admitted = self.throttle.admit(scope, part, self.now());
        admitted.map_err(|_| Refusal::Throttled { limit })
    }

    /// The caller, as a cloud's identity service tells it.
    fn caller(&self, key: &KeyId) -> Caller {
        Caller {
            key: key.clone(),
            project: self.project_id.clone(),
            now: self.now(),
        }
    }
}
