//! What every part of the fleet shares.

use crate::board::Board;
use crate::config::FleetConfig;
use crate::desired::RuleBook;
use crate::stats::Counters;
use claviger_core::ports::{Clock, Store};
use std::hash::RandomState;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Shared by all drivers.
pub(crate) struct Context {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Arc<FleetConfig>,
    pub(crate) board: Board,
    pub(crate) stats: Counters,
    pub(crate) rules: RuleBook,
    /// Keys the short forms, so that they say nothing of what they stand for.
    pub(crate) salt: RandomState,
    /// Changes of users.
    pub(crate) user_lane: Semaphore,
    /// Sweeps, repairs, first looks.
    pub(crate) sweep_lane: Semaphore,
    pub(crate) connects: Arc<Semaphore>,
    /// No new passes.
    pub(crate) stop: CancellationToken,
    /// Nothing at all any more.
    pub(crate) kill: CancellationToken,
}
