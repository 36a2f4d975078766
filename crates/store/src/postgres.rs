//! The store that several processes share: a PostgreSQL database, 13 or newer.
//!
//! Nothing is cached here, since others write too. Changes of one instance follow each other by
//! the lock of its row in `instance_head`; those of different instances run beside each other,
//! and PostgreSQL commits them together. Every write is one transaction; when it was in another
//! one's way it is done again, which is why decisions are pure.

mod audit;
mod batch;
mod change;
mod connect;
mod leases;
mod migrate;
mod nodes;
mod notify;
mod ops;
mod past;
mod pool;
mod purge;
mod read;
mod reseal;
pub(crate) mod transfer;
mod turns;

use crate::open::OpenError;
use crate::rows::Secrets;
use crate::seal::Sealer;
use crate::views::touched;
use async_trait::async_trait;
use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::audit::{AuditEnds, AuditEntry, AuditQuery, AuditRow};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, InstanceId, KeyId};
use claviger_core::instance::{Held, Instance};
use claviger_core::node::NodeRecord;
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{
    Accepted, AccountWrite, Ears, Hint, LeaseAsk, Leases, NonceMark, Op, Shown, Store, StoreError,
    Strikes,
};
use claviger_core::query::{InstanceQuery, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_core::task::Task;
use connect::Target;
use notify::{Audience, Crier};
use pool::{Pool, within};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::AbortHandle;
use turns::Turns;

/// Connections for writes: enough that commits wait together, few enough that ten processes fit
/// into a server's usual hundred connections.
const WRITERS: usize = 8;

/// Connections for reads.
const READERS: usize = 4;

/// Connections for leases, messages and the keys' version, which must not wait behind reads.
const KEEPERS: usize = 2;

/// How often a piece of work is begun that others were in the way of, or whose connection turned
/// out to be dead.
const TRIES_MAX: u32 = 5;

/// Figures since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostgresStats {
    /// Writes that were committed.
    pub writes: u64,
    /// Writes that were begun again.
    pub retries: u64,
}

/// Durable state in a PostgreSQL database.
pub struct PostgresStore {
    writers: Arc<Pool>,
    readers: Arc<Pool>,
    keepers: Arc<Pool>,
    sealer: Arc<Sealer>,
    turns: Turns,
    crier: Crier,
    audience: Arc<Audience>,
    listener: AbortHandle,
    linker: AbortHandle,
    sharers: AtomicU32,
    /// The name under which this process says that it lives, once it has.
    holder: OnceLock<String>,
    writes: AtomicU64,
    retries: AtomicU64,
}

/// One piece of work on a connection, begun again where that is safe: `$work` is a write, of
/// which nothing is done unless it says so, or a read.
macro_rules! attempt {
    ($store:ident, $pool:ident, $conn:ident => $work:expr) => {{
        let mut tries = 0;
        loop {
            tries += 1;
            let done = match $store.$pool.take().await {
                Ok(mut lease) => {
                    let $conn = &mut lease.conn;
                    let answer = within($work).await;
                    lease.settle(answer).await
                }
                Err(fault) => Err(fault),
            };
            match done {
                Err(fault) if tries < TRIES_MAX && (fault.is_passing() || fault.is_lost()) => {
                    $store.retries.fetch_add(1, Ordering::Relaxed);
                }
                done => break done.map_err(StoreError::from),
            }
        }
    }};
}

impl PostgresStore {
    /// Opens the database at `url`, bringing its schema up to this version. `me` is a name that
    /// no other process has. Must be called within a runtime.
    ///
    /// # Errors
    /// [`OpenError`], each with a line that says what to do.
    pub async fn open(
        url: &Secret,
        sealer: impl Into<Arc<Sealer>>,
        me: String,
    ) -> Result<Self, OpenError> {
        let sealer = sealer.into();
        let target = Arc::new(Target::parse(url)?.ready()?);
        let mut client = target.connect().await.map_err(OpenError::from)?;
        migrate::migrate(&mut client, migrate::MIGRATIONS, &sealer).await?;
        warn_of_settings(&client).await;
        drop(client);
        let keepers = Pool::new(Arc::clone(&target), KEEPERS);
        let audience = Arc::new(Audience::default());
        let listening = notify::listen(Arc::clone(&target), me.clone(), Arc::clone(&audience));
        Ok(Self {
            writers: Pool::new(Arc::clone(&target), WRITERS),
            readers: Pool::new(target, READERS),
            crier: Crier::start(Arc::clone(&keepers), me),
            linker: tokio::spawn(keep_linked(Arc::clone(&keepers), Arc::clone(&sealer)))
                .abort_handle(),
            sealer,
            keepers,
            turns: Turns::default(),
            audience,
            listener: tokio::spawn(listening).abort_handle(),
            sharers: AtomicU32::new(1),
            holder: OnceLock::new(),
            writes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        })
    }

    /// Figures.
    pub fn stats(&self) -> PostgresStats {
        PostgresStats {
            writes: self.writes.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// Gives audit rows that were committed their places in the chain.
    async fn link_audit(&self) -> Result<(), StoreError> {
        let sealer = &*self.sealer;
        attempt!(self, writers, conn => audit::link_all(conn, sealer))
    }

    fn tell_of(&self, ops: &[Op]) {
        if ops.iter().any(ops::concerns_rights) {
            self.crier.tell(Hint::Keys);
        }
        for op in ops {
            match op {
                // Said by drivers, whom nobody has to wake.
                Op::Confirm(..) | Op::Observe(_) | Op::Fence(..) | Op::Show(..) => {}
                Op::AddKey(_) | Op::PutRootKey(_) | Op::RevokeKey(..) | Op::SetKey(_) => {
                    self.crier.tell(Hint::Keys)
                }
                op => {
                    if let Some(id) = touched(op) {
                        self.crier.tell(Hint::Instance(id.clone()));
                    }
                }
            }
        }
    }
}

/// How often audit rows get their places in the chain.
const LINK_EVERY: Duration = Duration::from_secs(1);

/// Gives audit rows their places, for ever.
async fn keep_linked(pool: Arc<Pool>, sealer: Arc<Sealer>) {
    let mut complained = false;
    loop {
        tokio::time::sleep(LINK_EVERY).await;
        let linked = match pool.take().await {
            Ok(mut lease) => {
                let answer = within(audit::link_all(&mut lease.conn, &sealer)).await;
                lease.settle(answer).await
            }
            Err(fault) => Err(fault),
        };
        match linked {
            Ok(()) => complained = false,
            // Whoever reads the trail tries again, and hears of it.
            Err(fault) if !complained => {
                complained = true;
                let error = StoreError::from(fault);
                tracing::warn!(%error, "audit rows could not be put into the chain");
            }
            Err(_) => {}
        }
    }
}

/// Whether a URL is one; nothing is connected.
pub(crate) fn check_url(url: &Secret) -> Result<(), OpenError> {
    Target::parse(url).map(drop)
}

/// A password stands in the URL.
pub(crate) fn has_password(url: &Secret) -> bool {
    Target::parse(url).is_ok_and(|target| target.has_password())
}

/// The hosts and the database of a URL, for messages.
pub(crate) fn shown(url: &Secret) -> String {
    Target::parse(url).map_or_else(|_| "postgres://".into(), |target| target.shown())
}

/// What would break the promise that an acknowledged change is durable.
async fn warn_of_settings(client: &tokio_postgres::Client) {
    let asked = client.query_one("SELECT current_setting('fsync')", &[]);
    let fsync = asked
        .await
        .ok()
        .and_then(|row| row.try_get::<_, String>(0).ok());
    if fsync.as_deref() == Some("off") {
        tracing::warn!("PostgreSQL runs with fsync=off: acknowledged changes may be lost");
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listener.abort();
        self.linker.abort();
        self.writers.close();
        self.readers.close();
        self.keepers.close();
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn change(&self, write: AccountWrite) -> Result<Result<Accepted, Refusal>, StoreError> {
        let _turn = self.turns.take(&write.instance).await?;
        let (sealer, write) = (&*self.sealer, &write);
        let me = self.holder.get().map_or("", String::as_str);
        let done = attempt!(self, writers, conn => change::change(conn, sealer, write, me))?;
        if done.answer.as_ref().is_ok_and(|made| !made.replayed) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        if done.to_tell {
            self.crier.tell(Hint::Instance(write.instance.clone()));
        }
        Ok(done.answer)
    }

    async fn apply(&self, list: Vec<Op>, audit: Option<AuditEntry>) -> Result<(), StoreError> {
        let (sealer, list, audit) = (&*self.sealer, &list[..], audit.as_ref());
        attempt!(self, writers, conn => ops::apply(conn, sealer, list, audit))?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.tell_of(list);
        Ok(())
    }

    async fn held(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        let secrets = Secrets::Open(&self.sealer);
        attempt!(self, readers, conn => read::held(conn, id, secrets))
    }

    async fn viewed(&self, id: &InstanceId) -> Result<Option<Held>, StoreError> {
        attempt!(self, readers, conn => read::held(conn, id, Secrets::Absent))
    }

    async fn instances(&self, query: &InstanceQuery) -> Result<Rows<Instance>, StoreError> {
        attempt!(self, readers, conn => read::instances(conn, query))
    }

    async fn instance_ids(&self) -> Result<Vec<InstanceId>, StoreError> {
        attempt!(self, readers, conn => read::instance_ids(conn))
    }

    async fn expiring(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(InstanceId, AccountName)>, StoreError> {
        attempt!(self, readers, conn => read::expiring(conn, until))
    }

    async fn past_passwords(
        &self,
        id: &InstanceId,
        names: &[AccountName],
    ) -> Result<Vec<(AccountName, PasswordDigest)>, StoreError> {
        let sealer = &*self.sealer;
        attempt!(self, readers, conn => past::passwords(conn, sealer, id, names))
    }

    async fn nodes(&self, id: &InstanceId) -> Result<Vec<NodeRecord>, StoreError> {
        attempt!(self, readers, conn => read::nodes(conn, id))
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Rows<Task>, StoreError> {
        attempt!(self, readers, conn => read::tasks(conn, query))
    }

    async fn strikes(&self, scope: &str) -> Result<Strikes, StoreError> {
        attempt!(self, readers, conn => read::strikes(conn, scope))
    }

    async fn key(&self, id: &KeyId) -> Result<Option<AccessKey>, StoreError> {
        let sealer = &*self.sealer;
        attempt!(self, readers, conn => read::key(conn, sealer, id))
    }

    async fn keys(&self) -> Result<Vec<AccessKey>, StoreError> {
        let sealer = &*self.sealer;
        attempt!(self, readers, conn => read::keys(conn, sealer))
    }

    async fn access_policies(&self) -> Result<Vec<AccessPolicy>, StoreError> {
        attempt!(self, readers, conn => read::access_policies(conn))
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Rows<AuditRow>, StoreError> {
        self.link_audit().await?;
        attempt!(self, readers, conn => read::audit(conn, query))
    }

    async fn audit_ends(&self) -> Result<AuditEnds, StoreError> {
        self.link_audit().await?;
        let sealer = &*self.sealer;
        attempt!(self, readers, conn => audit::ends(conn, sealer))
    }

    async fn reseal(&self, limit: u64) -> Result<u64, StoreError> {
        let sealer = &*self.sealer;
        match limit {
            0 => attempt!(self, readers, conn => reseal::left(conn, sealer)),
            limit => attempt!(self, writers, conn => reseal::reseal(conn, sealer, limit)),
        }
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        attempt!(self, readers, conn => read::setting(conn, name))
    }

    async fn setting_or(&self, name: &str, value: String) -> Result<String, StoreError> {
        let value = value.as_str();
        attempt!(self, writers, conn => ops::setting_or(conn, name, value))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn sharers(&self) -> u32 {
        self.sharers.load(Ordering::Relaxed)
    }

    fn tell(&self, ears: Arc<dyn Ears>) {
        self.audience.add(ears);
    }

    async fn keys_version(&self) -> Result<i64, StoreError> {
        attempt!(self, keepers, conn => read::keys_version(conn))
    }

    async fn use_nonce(&self, nonce: NonceMark, at: Timestamp) -> Result<bool, StoreError> {
        attempt!(self, readers, conn => ops::use_nonce(conn, &nonce, at))
    }

    async fn lease(&self, ask: &LeaseAsk) -> Result<Option<Leases>, StoreError> {
        let leases = attempt!(self, keepers, conn => leases::lease(conn, ask))?;
        self.sharers.store(leases.members, Ordering::Relaxed);
        self.holder.get_or_init(|| ask.holder.clone());
        Ok(Some(leases))
    }

    async fn release(&self, holder: &str, ids: Option<&[InstanceId]>) -> Result<(), StoreError> {
        attempt!(self, keepers, conn => leases::release(conn, holder, ids))
    }

    async fn shown(&self, id: &InstanceId) -> Result<Option<Shown>, StoreError> {
        attempt!(self, readers, conn => leases::shown(conn, id))
    }
}
