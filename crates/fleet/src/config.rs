//! The settings of the driving of nodes.

use std::time::Duration;

/// How nodes are driven. Every wait and every number of things at once is bounded here.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// A name that no other process on the same store has; of no use in a store of one's own.
    pub holder: String,
    /// The slow full check of every node; a tenth of it is jitter.
    pub sweep_interval: Duration,
    /// For connecting, and again for logging in.
    pub connect_deadline: Duration,
    /// For one batch of commands.
    pub command_deadline: Duration,
    /// The first wait before a dead node is tried again; it doubles.
    pub backoff_first: Duration,
    /// The longest wait before a dead node is tried again.
    pub backoff_most: Duration,
    /// Instances driven at once after changes of users; the same number again for sweeps.
    pub reconciles_max: usize,
    /// Connections being opened at once, in the order in which they were lost; the same number
    /// again, and one for each instance in a hurry, where a change or a caller waits for the node.
    pub connects_max: usize,
    /// The least time between two writes of a node's own file.
    pub save_interval: Duration,
    /// How often one node of a cluster, in turn, is asked for its list of nodes: nothing else
    /// tells at once that one was added, left, or changed its part.
    pub glance_interval: Duration,
    /// How long a node is kept that answers, that nobody lists any more, and that follows none of
    /// ours; in a cluster and behind Sentinels also one that does not answer. Long enough for a
    /// failover to settle.
    pub detached_keep: Duration,
    /// How long a replica is kept as a member that no longer answers and that no primary lists:
    /// it still holds users, and may come back.
    pub unlisted_keep: Duration,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            holder: String::new(),
            sweep_interval: Duration::from_secs(30),
            connect_deadline: Duration::from_secs(2),
            command_deadline: Duration::from_secs(3),
            backoff_first: Duration::from_millis(100),
            backoff_most: Duration::from_secs(5),
            reconciles_max: 32,
            connects_max: 32,
            save_interval: Duration::from_secs(1),
            glance_interval: Duration::from_secs(1),
            detached_keep: Duration::from_secs(60),
            unlisted_keep: Duration::from_secs(24 * 3600),
        }
    }
}
