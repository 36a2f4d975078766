//! Counts of what the fleet does, for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency buckets, in milliseconds; one more bucket takes the rest.
pub const LATENCY_BUCKETS_MS: [u64; 14] = [
    1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 30_000, 300_000,
];

/// A snapshot of what the fleet does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetStats {
    /// Instances driven.
    pub instances: u64,
    /// Nodes that answered and hold everything.
    pub nodes_in_sync: u64,
    /// Nodes that answered and have something still to confirm, or that refuse something.
    pub nodes_pending: u64,
    /// Nodes on which something was found changed and is not repaired yet.
    pub nodes_drifted: u64,
    /// Nodes that do not answer.
    pub nodes_unreachable: u64,
    /// Times from a wake-up after a change to its confirmation by every node: how many fell into
    /// each of [`LATENCY_BUCKETS_MS`], not cumulative, and into the rest.
    pub apply_latency_buckets: [u64; LATENCY_BUCKETS_MS.len() + 1],
    /// Sum of these times, in microseconds.
    pub apply_latency_sum_us: u64,
    /// Users put right that had been confirmed before: changed or removed behind our back, or
    /// lost in a restart.
    pub repairs: u64,
    /// Writes of nodes' own files.
    pub saves: u64,
    /// Writes of nodes' own files that failed.
    pub saves_failed: u64,
    /// Connections opened after the first of each node.
    pub reconnects: u64,
    /// Passes over instances.
    pub passes: u64,
}

/// The running counters.
#[derive(Default)]
pub(crate) struct Counters {
    buckets: [AtomicU64; LATENCY_BUCKETS_MS.len() + 1],
    latency_sum_us: AtomicU64,
    pub(crate) repairs: AtomicU64,
    pub(crate) saves: AtomicU64,
    pub(crate) saves_failed: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) passes: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    /// Records how long a change took.
    pub(crate) fn took(&self, time: Duration) {
        let millis = time.as_micros().div_ceil(1000);
        let bucket = LATENCY_BUCKETS_MS
            .iter()
            .position(|bound| millis <= u128::from(*bound))
            .unwrap_or(LATENCY_BUCKETS_MS.len());
        count(&self.buckets[bucket]);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.latency_sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// The counters' part of a snapshot.
    pub(crate) fn snapshot(&self) -> FleetStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FleetStats {
            apply_latency_buckets: std::array::from_fn(|i| read(&self.buckets[i])),
            apply_latency_sum_us: read(&self.latency_sum_us),
            repairs: read(&self.repairs),
            saves: read(&self.saves),
            saves_failed: read(&self.saves_failed),
            reconnects: read(&self.reconnects),
            passes: read(&self.passes),
            ..FleetStats::default()
        }
    }
}
