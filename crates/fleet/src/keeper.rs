//! Keeps a node connected: one task for each node, which connects, tells, waits for the end of
//! the connection, and tries again with growing, jittered waits.

use crate::cluster;
use crate::config::FleetConfig;
use crate::connects::{Call, Connects};
use crate::errors::NodeError;
use crate::link::{self, Access, Link};
use claviger_core::ids::Revision;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// The shortest wait between two attempts, however often a retry is asked for.
const ATTEMPT_GAP: Duration = Duration::from_millis(50);

/// A connection that has lasted for so many times the wait before the next attempt was of use.
const LASTED: u32 = 10;

/// What a keeper tells the driver of its instance.
pub(crate) enum Event {
    /// Connected and logged in.
    Up(Arc<Link>),
    /// The connection ended.
    Down,
    /// An attempt failed.
    Failed(Box<NodeError>),
    /// A Sentinel has told of something that concerns the instance.
    Heard,
    /// A Sentinel is not heard any more.
    Deaf(Box<NodeError>),
    /// What a node of a cluster said of the cluster; nothing if it could not be asked.
    Glanced(Option<cluster::View>),
    /// The node's own file was written, or not.
    Saved(Covered, Result<(), Box<NodeError>>),
}

/// What a node's own file holds once it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Covered {
    /// Everything up to here was confirmed.
    pub(crate) confirmed: Revision,
    /// Everything up to here was done that could be: single users may have been refused.
    pub(crate) driven: Revision,
}

/// The driver's end of a keeper; dropping it ends the keeper and its connection.
pub(crate) struct Keeper {
    access: watch::Sender<Arc<Access>>,
    call: Arc<Call>,
    stop: CancellationToken,
}

impl Keeper {
    /// Starts keeping; `key` marks its events.
    pub(crate) fn start(
        key: u32,
        access: Access,
        config: Arc<FleetConfig>,
        connects: Arc<Connects>,
        events: mpsc::Sender<(u32, Event)>,
    ) -> Self {
        let (sender, receiver) = watch::channel(Arc::new(access));
        let call = Arc::new(Call::default());
        let stop = CancellationToken::new();
        let task = Task {
            key,
            access: receiver,
            call: Arc::clone(&call),
            stop: stop.clone(),
            config,
            connects,
            events,
        };
        tokio::spawn(task.run());
        Self {
            access: sender,
            call,
            stop,
        }
    }

    /// Uses these credentials from the next attempt on; tries at once if they are new.
    pub(crate) fn update(&self, access: Access) {
        let changed = self.access.send_if_modified(|held| {
            if held.same_as(&access) {
                return false;
            }
            *held = Arc::new(access);
            true
        });
        if changed {
            self.hurry();
        }
    }

    /// How it gets into the node.
    pub(crate) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.borrow())
    }

    /// Someone waits for this node: try again now, if it is not connected.
    pub(crate) fn hurry(&self) {
        self.call.now();
    }

    /// A change waits for this node: its next attempt overtakes those of others.
    pub(crate) fn urge(&self) {
        self.call.urge();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Task {
    key: u32,
    access: watch::Receiver<Arc<Access>>,
    call: Arc<Call>,
    stop: CancellationToken,
    config: Arc<FleetConfig>,
    connects: Arc<Connects>,
    events: mpsc::Sender<(u32, Event)>,
}

impl Task {
    async fn run(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep() => {}
        }
    }

    async fn keep(mut self) {
        let mut wait = Duration::ZERO;
        loop {
            let begun = Instant::now();
            // The handshake's state is large and short-lived: boxed, so that ten thousand idle
            // keepers do not each hold room for it.
            let event = match Box::pin(self.attempt()).await {
                Ok(link) => {
                    let link = Arc::new(link);
                    if self.tell(Event::Up(Arc::clone(&link))).await.is_err() {
                        return;
                    }
                    link.ended().await;
                    // It was of use for a while: the next one is tried at once. After a failover
                    // the server has ended it, and takes another.
                    if begun.elapsed() > (wait * LASTED).min(self.config.backoff_most) {
                        wait = Duration::ZERO;
                    }
                    Event::Down
                }
                Err(error) => Event::Failed(Box::new(error)),
            };
            if self.tell(event).await.is_err() {
                return;
            }
            sleep(ATTEMPT_GAP.saturating_sub(begun.elapsed())).await;
            let pause = jittered(wait);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.call.heard() => {}
            }
            wait = (wait * 2).clamp(self.config.backoff_first, self.config.backoff_most);
        }
    }

    async fn attempt(&mut self) -> Result<Link, NodeError> {
        let room = self.connects.in_turn(&self.call).await;
        let _room = room.map_err(|_| NodeError::Lost)?;
        let urgent = self.call.answer();
        let access = Arc::clone(&self.access.borrow_and_update());
        let opened = link::open(&access, &self.config).await;
        // A silent node takes the room for long: once for each time that it is asked for.
        if urgent && matches!(&opened, Err(error) if !matches!(error, NodeError::Timeout { .. })) {
            self.call.urge();
        }
        opened
    }

    async fn tell(&self, event: Event) -> Result<(), ()> {
        self.events.send((self.key, event)).await.map_err(|_| ())
    }
}

/// Between three and five quarters of it, so that many do not act at the same moment.
pub(crate) fn jittered(duration: Duration) -> Duration {
    let half = duration / 2;
    let thousandth = u32::try_from(random() % 1000).unwrap_or(0);
    duration * 3 / 4 + half * thousandth / 1000
}

/// An unpredictable number, for jitter and names of scratch users; not for secrets.
pub(crate) fn random() -> u64 {
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}
