//! The fleet: one driver for each instance, found through the store, woken from outside.

use crate::ask;
use crate::board::Board;
use crate::check;
use crate::config::FleetConfig;
use crate::context::Context;
use crate::crew::{Crew, Handle};
use crate::desired::RuleBook;
use crate::keeper::jittered;
use crate::preview;
use crate::stats::{Counters, FleetStats};
use crate::takeover;
use async_trait::async_trait;
use claviger_core::adopt::{FoundUsers, UsersAsk};
use claviger_core::ids::{AccountName, InstanceId};
use claviger_core::instance::Instance;
use claviger_core::ports::{self, CheckReport, Clock, Store, StoreError};
use claviger_core::query::InstanceQuery;
use claviger_core::refusal::Refusal;
use claviger_core::sight::{InstancePlan, InstanceSight};
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How soon the list of instances is read again after a failure.
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// The most instances that one listing goes through.
const INSTANCES_MAX: u64 = 1_000_000;

/// Drives the nodes of every registered instance.
pub struct Fleet(Arc<Inner>);

struct Inner {
    context: Arc<Context>,
    crews: Mutex<HashMap<InstanceId, Arc<Handle>>>,
    tasks: TaskTracker,
}

impl Fleet {
    /// Starts driving every instance that the store holds. Must be called within a runtime.
    pub fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, config: FleetConfig) -> Arc<Self> {
        let context = Context {
            started: Instant::now(),
            store,
            clock,
            board: Board::default(),
            stats: Counters::default(),
            rules: RuleBook::default(),
            salt: RandomState::new(),
            user_lane: Semaphore::new(config.reconciles_max),
            sweep_lane: Semaphore::new(config.reconciles_max),
            connects: Arc::new(Semaphore::new(config.connects_max)),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            config: Arc::new(config),
        };
        let inner = Arc::new(Inner {
            context: Arc::new(context),
            crews: Mutex::default(),
            tasks: TaskTracker::new(),
        });
        let lister = Arc::clone(&inner);
        let stop = inner.context.stop.clone();
        inner.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = lister.list_for_ever() => {}
            }
        });
        Arc::new(Self(inner))
    }

    /// Stops: passes under way may end, users not yet saved are saved, for at most `wait`; then
    /// what still runs is dropped, which every node survives.
    pub async fn stop(&self, wait: Duration) {
        self.0.context.stop.cancel();
        self.0.tasks.close();
        if timeout(wait, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("nodes are still being driven at the end of the grace period");
            self.0.context.kill.cancel();
        }
    }

    /// Counts and gauges, as of now.
    pub fn stats(&self) -> FleetStats {
        let mut stats = self.0.context.stats.snapshot();
        self.0.context.board.gauge(&mut stats);
        stats
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.0.context.stop.cancel();
        self.0.context.kill.cancel();
    }
}

impl Inner {
    fn crews(&self) -> MutexGuard<'_, HashMap<InstanceId, Arc<Handle>>> {
        self.crews.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the list of instances again and again: everything works if every signal is lost.
    async fn list_for_ever(self: Arc<Self>) {
        loop {
            let wait = match self.list().await {
                Ok(()) => jittered(self.context.config.sweep_interval),
                Err(error) => {
                    tracing::error!("cannot list the instances: {error}");
                    LIST_AGAIN
                }
            };
            sleep(wait).await;
        }
    }

    /// Starts drivers of instances that have none, and wakes those whose instance is not what
    /// they have seen last, or is not there any more.
    async fn list(self: &Arc<Self>) -> Result<(), StoreError> {
        let ids = self.context.store.instance_ids().await?;
        let listed: HashSet<&InstanceId> = ids.iter().collect();
        for id in &ids {
            self.handle(id, false);
        }
        for (id, handle) in self.crews().iter() {
            if !listed.contains(id) {
                handle.wake();
            }
        }
        let mut query = InstanceQuery::default();
        while query.page.offset < INSTANCES_MAX {
            let rows = self.context.store.instances(&query).await?.rows;
            let crews = self.crews();
            for instance in &rows {
                if let Some(handle) = crews.get(&instance.id) {
                    handle.compare(instance);
                }
            }
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            if count < query.page.limit {
                break;
            }
            query.page.offset += count;
        }
        Ok(())
    }

    /// The instance's driver, started if there is none; woken if asked.
    fn handle(self: &Arc<Self>, id: &InstanceId, wake: bool) {
        if self.context.stop.is_cancelled() {
            return;
        }
        let mut crews = self.crews();
        if let Some(handle) = crews.get(id) {
            if wake {
                handle.wake();
            }
            return;
        }
        let handle = Arc::new(Handle::default());
        crews.insert(id.clone(), Arc::clone(&handle));
        let crew = Crew::new(Arc::clone(&self.context), id.clone(), Arc::clone(&handle));
        let fleet = Arc::clone(self);
        let id = id.clone();
        self.tasks.spawn(async move {
            let kill = fleet.context.kill.clone();
            tokio::select! {
                () = kill.cancelled() => {}
                () = crew.run() => {}
            }
            fleet.context.board.remove(&id);
            let mut crews = fleet.crews();
            if crews
                .get(&id)
                .is_some_and(|held| Arc::ptr_eq(held, &handle))
            {
                crews.remove(&id);
            }
            drop(crews);
            // Registered again while this driver was ending.
            if handle.is_woken() {
                fleet.handle(&id, true);
            }
        });
    }
}

#[async_trait]
impl ports::Fleet for Fleet {
    fn wake(&self, id: &InstanceId) {
        self.0.handle(id, true);
    }

    fn track(&self, id: &InstanceId) {
        self.0.handle(id, true);
    }

    fn lacking(&self, id: &InstanceId) -> Vec<AccountName> {
        self.0.context.board.lacking(id)
    }

    async fn sight(&self, id: &InstanceId) -> Result<Option<InstanceSight>, StoreError> {
        let Some(held) = self.0.context.store.viewed(id).await? else {
            return Ok(None);
        };
        let records = if self.0.context.board.has(id) {
            Vec::new()
        } else {
            self.0.context.store.nodes(id).await?
        };
        Ok(Some(self.0.context.board.sight(
            &held,
            &records,
            &self.0.context.salt,
        )))
    }

    async fn acl_words(
        &self,
        id: &InstanceId,
        category: Option<&str>,
    ) -> Result<Vec<String>, Refusal> {
        ask::acl_words(id, category, &self.0.context).await
    }

    async fn users(&self, id: &InstanceId, ask: &UsersAsk) -> Result<FoundUsers, Refusal> {
        takeover::users(id, ask, &self.0.context).await
    }

    async fn plan(&self, id: &InstanceId) -> Result<InstancePlan, Refusal> {
        preview::instance(id, &self.0.context).await
    }

    async fn check(&self, instance: &Instance) -> CheckReport {
        check::check(instance, &self.0.context).await
    }
}
