//! What every part of the fleet shares.

use crate::board::Board;
use crate::config::FleetConfig;
use crate::connects::Connects;
use crate::deeds::Deeds;
use crate::desired::RuleBook;
use crate::duty::Duty;
use crate::keeper::jittered;
use crate::stats::Counters;
use claviger_core::ports::{Clock, Store};
use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// It is time to look everything over.
    Sweep,
    /// A node came back, or a pass has to be repeated.
    Repair,
    /// A user's change: overtakes the others.
    User,
}

/// Shared by all drivers.
pub(crate) struct Context {
    /// When the fleet began.
    pub(crate) started: Instant,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<FleetConfig>,
    pub(crate) board: Board,
    pub(crate) duty: Duty,
    pub(crate) stats: Counters,
    /// What was done on nodes and is not in the audit trail yet.
    pub(crate) deeds: Deeds,
    pub(crate) rules: RuleBook,
    /// Keys the short forms, so that they say nothing of what they stand for.
    pub(crate) salt: RandomState,
    /// Changes of users.
    pub(crate) user_lane: Semaphore,
    /// Sweeps, repairs, first looks.
    pub(crate) sweep_lane: Semaphore,
    pub(crate) connects: Arc<Connects>,
    /// Instances that look for a node more often than their keepers do.
    pub(crate) hurries: Arc<Semaphore>,
    /// No new passes.
    pub(crate) stop: CancellationToken,
    /// Nothing at all any more.
    pub(crate) kill: CancellationToken,
}

/// Sweeps begin on the ticks of one clock, so that many share one wake-up of the process.
const SWEEP_TICK: Duration = Duration::from_millis(100);

impl Context {
    /// When an instance that is swept now is swept again.
    pub(crate) fn next_sweep(&self) -> Instant {
        let interval = self.config.sweep_interval;
        let tick = SWEEP_TICK.min(interval / 10).max(Duration::from_millis(1));
        let after = self.started.elapsed() + jittered(interval);
        let ticks = after.as_nanos().div_ceil(tick.as_nanos());
        self.started + tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}
