//! The fleet's and the store's figures in the form in which the server publishes them.

use claviger_fleet::{Fleet, FleetStats, LATENCY_BUCKETS_MS};
use claviger_server::metrics::{Figure, Provider, Sample};
use claviger_store::{Opened, PostgresStore, SqliteStore};
use std::sync::{Arc, Weak};

/// The fleet's. It holds the fleet weakly: figures must not keep it alive.
pub(crate) fn of_fleet(fleet: &Arc<Fleet>) -> Provider {
    let fleet: Weak<Fleet> = Arc::downgrade(fleet);
    Box::new(move || {
        fleet
            .upgrade()
            .map_or_else(Vec::new, |fleet| of_stats(&fleet.stats()))
    })
}

/// The store's.
pub(crate) fn of_store(opened: &Opened) -> Provider {
    match opened {
        Opened::Sqlite(store) => of_sqlite(store),
        Opened::Postgres(store) => of_postgres(store),
    }
}

fn of_postgres(store: &Arc<PostgresStore>) -> Provider {
    let store: Weak<PostgresStore> = Arc::downgrade(store);
    Box::new(move || {
        let Some(store) = store.upgrade() else {
            return Vec::new();
        };
        let stats = store.stats();
        vec![
            counter("store_writes", "Writes that were committed", stats.writes),
            counter("store_retries", "Work begun again", stats.retries),
            gauge(
                "store_members",
                "Processes that serve this store, as last known",
                u64::from(claviger_core::ports::Store::sharers(&*store)),
            ),
        ]
    })
}

fn of_sqlite(store: &Arc<SqliteStore>) -> Provider {
    let store: Weak<SqliteStore> = Arc::downgrade(store);
    Box::new(move || {
        let Some(store) = store.upgrade() else {
            return Vec::new();
        };
        let stats = store.stats();
        vec![
            counter("store_commits", "Commits of the store", stats.commits),
            counter("store_writes", "Writes in these commits", stats.writes),
            gauge(
                "store_group_max",
                "The most writes that one commit carried",
                stats.group_max,
            ),
        ]
    })
}

fn of_stats(stats: &FleetStats) -> Vec<Sample> {
    vec![
        gauge("instances", "Instances driven", stats.instances),
        gauge(
            "nodes_in_sync",
            "Nodes that answered and hold everything",
            stats.nodes_in_sync,
        ),
        gauge(
            "nodes_pending",
            "Nodes that answered and have something to confirm",
            stats.nodes_pending,
        ),
        gauge(
            "nodes_drifted",
            "Nodes on which something was found changed and is not repaired yet",
            stats.nodes_drifted,
        ),
        gauge(
            "nodes_unreachable",
            "Nodes that do not answer",
            stats.nodes_unreachable,
        ),
        counter(
            "repairs",
            "Users put right that had been confirmed before",
            stats.repairs,
        ),
        counter("node_saves", "Writes of nodes' own files", stats.saves),
        counter(
            "node_saves_failed",
            "Writes of nodes' own files that failed",
            stats.saves_failed,
        ),
        counter(
            "node_reconnects",
            "Connections opened after the first of each node",
            stats.reconnects,
        ),
        counter("passes", "Passes over instances", stats.passes),
        apply_latency(stats),
    ]
}

/// From a change's wake-up to its confirmation by every node.
fn apply_latency(stats: &FleetStats) -> Sample {
    let mut bounds = LATENCY_BUCKETS_MS.map(|ms| ms as f64 / 1e3).to_vec();
    bounds.push(f64::INFINITY);
    let counts = stats.apply_latency_buckets;
    Sample {
        name: "apply_duration_seconds",
        help: "Time from a change to its confirmation by every node",
        value: Figure::Histogram {
            sum: stats.apply_latency_sum_us as f64 / 1e6,
            count: counts.iter().sum(),
            buckets: bounds.into_iter().zip(counts).collect(),
        },
    }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Sample {
    Sample {
        name,
        help,
        value: Figure::Gauge(value as f64),
    }
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Sample {
    Sample {
        name,
        help,
        value: Figure::Counter(value),
    }
}
