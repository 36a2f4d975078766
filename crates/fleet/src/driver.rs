//! The fleet: one driver for each instance, found through the store, woken from outside.

use crate::ask;
use crate::board::{self, Board};
use crate::check;
use crate::config::FleetConfig;
use crate::connects::Connects;
use crate::context::Context;
use crate::crew::{Crew, Handle};
use crate::deeds::Deeds;
use crate::desired::RuleBook;
use crate::duty::Duty;
use crate::keeper::jittered;
use crate::preview;
use crate::stats::{Counters, FleetStats};
use crate::takeover;
use async_trait::async_trait;
use claviger_core::adopt::{FoundUsers, UsersAsk};
use claviger_core::check_report::CheckReport;
use claviger_core::ids::{AccountName, InstanceId};
use claviger_core::instance::Instance;
use claviger_core::ports::{self, Clock, Ears, Hint, Store, StoreError};
use claviger_core::query::InstanceQuery;
use claviger_core::refusal::Refusal;
use claviger_core::sight::{InstancePlan, InstanceSight};
use std::collections::{HashMap, HashSet};
use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How soon the list of instances is read again after a failure.
const LIST_AGAIN: Duration = Duration::from_secs(1);
/// How long giving up the leases may take at the end; others take them over anyway.
const RELEASE_MAX: Duration = Duration::from_secs(2);
/// How often what was done on nodes is written into the audit trail.
const DEEDS_INTERVAL: Duration = Duration::from_secs(2);
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
        let duty = Duty::new(config.holder.clone(), !store.is_shared());
        let context = Context {
            started: Instant::now(),
            duty,
            store,
            clock,
            board: Board::default(),
            stats: Counters::default(),
            deeds: Deeds::default(),
            rules: RuleBook::default(),
            salt: RandomState::new(),
            user_lane: Semaphore::new(config.reconciles_max),
            sweep_lane: Semaphore::new(config.reconciles_max),
            connects: Arc::new(Connects::new(config.connects_max)),
            hurries: Arc::new(Semaphore::new(crate::hurry::HURRIES_MAX)),
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
        if inner.context.duty.is_shared() {
            let ear = Arc::new(Ear(Arc::downgrade(&inner)));
            inner.context.store.tell(ear);
            let keeper = Arc::clone(&inner);
            let stop = inner.context.stop.clone();
            inner.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = keeper.renew_for_ever() => {}
                }
            });
        }
        let teller = Arc::clone(&inner);
        inner.tasks.spawn(async move { teller.tell_deeds().await });
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
        let context = &self.0.context;
        let _ = timeout(RELEASE_MAX, context.duty.release(context, None)).await;
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

    /// Keeps the leases: says that this process lives, starts what it was given, ends what it lost.
    async fn renew_for_ever(self: Arc<Self>) {
        let context = Arc::clone(&self.context);
        loop {
            match context.duty.renew(&context).await {
                Ok(change) => {
                    for id in change.lost.iter().chain(&change.surplus) {
                        self.dismiss(id);
                    }
                    if !change.surplus.is_empty() {
                        context.duty.release(&context, Some(&change.surplus)).await;
                    }
                    for id in &change.taken {
                        self.handle(id, true);
                    }
                }
                Err(error) => tracing::warn!(%error, "the leases could not be renewed"),
            }
            context.duty.wait().await;
        }
    }

    /// Writes what was done on nodes into the audit trail, every few seconds and at the end.
    async fn tell_deeds(&self) {
        let stop = &self.context.stop;
        loop {
            let stopping = stop
                .run_until_cancelled(sleep(DEEDS_INTERVAL))
                .await
                .is_none();
            let rows = self.context.deeds.take(self.context.clock.now());
            if !rows.is_empty() {
                let ops = rows.into_iter().map(ports::Op::Audit).collect();
                if let Err(error) = self.context.store.apply(ops, None).await {
                    tracing::error!("changes on nodes are missing in the audit trail: {error}");
                }
            }
            if stopping {
                return;
            }
        }
    }

    /// Ends a driver at once, wherever it is: every step may be the last one.
    fn dismiss(&self, id: &InstanceId) {
        if let Some(handle) = self.crews().get(id) {
            handle.dismissed.cancel();
        }
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
        let Some(epoch) = self.context.duty.lease_of(id) else {
            return;
        };
        let mut crews = self.crews();
        if let Some(handle) = crews.get(id) {
            if wake {
                handle.wake();
            }
            return;
        }
        let handle = Arc::new(Handle::default());
        crews.insert(id.clone(), Arc::clone(&handle));
        let context = Arc::clone(&self.context);
        let crew = Crew::new(context, id.clone(), epoch, Arc::clone(&handle));
        let fleet = Arc::clone(self);
        let id = id.clone();
        self.tasks.spawn(async move {
            let kill = fleet.context.kill.clone();
            tokio::select! {
                () = kill.cancelled() => {}
                () = handle.dismissed.cancelled() => {}
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

/// What the fleet hears of other processes. It holds the fleet weakly: the store must not keep
/// alive what keeps the store alive.
struct Ear(Weak<Inner>);

impl Ears for Ear {
    fn hear(&self, hint: &Hint) {
        let Some(fleet) = self.0.upgrade() else {
            return;
        };
        match hint {
            Hint::Instance(id) => fleet.handle(id, true),
            Hint::Anything => {
                let crews: Vec<Arc<Handle>> = fleet.crews().values().cloned().collect();
                crews.iter().for_each(|handle| handle.wake());
                fleet.context.duty.nudge();
            }
            Hint::Keys => {}
        }
    }
}

#[async_trait]
impl ports::Fleet for Fleet {
    fn wake(&self, id: &InstanceId) {
        self.0.handle(id, true);
    }

    fn track(&self, id: &InstanceId) {
        self.0.handle(id, true);
        self.0.context.duty.nudge();
    }

    async fn lacking(&self, id: &InstanceId) -> Result<Vec<AccountName>, StoreError> {
        let context = &self.0.context;
        if context.duty.lease_of(id).is_some() {
            return Ok(context.board.lacking(id));
        }
        let shown = context.store.shown(id).await?;
        Ok(shown.map_or_else(Vec::new, |shown| board::lacking_as_told(&shown)))
    }

    async fn sight(&self, id: &InstanceId) -> Result<Option<InstanceSight>, StoreError> {
        let Some(held) = self.0.context.store.viewed(id).await? else {
            return Ok(None);
        };
        let context = &self.0.context;
        if context.board.has(id) {
            return Ok(Some(context.board.sight(&held, &[], &context.salt)));
        }
        let records = context.store.nodes(id).await?;
        let shown = match context.duty.is_shared() {
            true => context.store.shown(id).await?,
            false => None,
        };
        let told = shown.and_then(|shown| board::sight_as_told(&held, &shown, &context.salt));
        Ok(Some(told.unwrap_or_else(|| {
            context.board.sight(&held, &records, &context.salt)
        })))
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
