//! Which instances this process drives. In a store of its own all of them, for ever; in a shared
//! one those whose lease it holds.
//!
//! A lease is good as long as the database believes that this process lives. What is sent to
//! nodes is sent only well within that time, by this process's own clock from before it asked, so
//! that whoever takes over comes later. A node itself cannot tell an old driver from a new one:
//! what slips through is found by the new driver's reading back and its sweeps.

use crate::context::Context;
use claviger_core::ids::InstanceId;
use claviger_core::ports::{Epoch, LeaseAsk, StoreError};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// How long this process is believed to live after it said so.
const LASTING: Duration = Duration::from_secs(6);

/// How long before that nothing is begun any more: what was sent to a node is done by then.
const MARGIN: Duration = Duration::from_secs(3);

/// How often it says so.
const RENEWED_EVERY: Duration = Duration::from_secs(1);

/// Instances taken in one go: a process that starts alone over thousands shall not connect to all
/// their nodes at once, and one that starts second leaves time to give up.
const CLAIM_MAX: u32 = 1_000;

/// What this process may drive.
pub(crate) struct Duty {
    /// The name under which it holds leases.
    holder: String,
    state: Mutex<State>,
    nudged: Notify,
}

struct State {
    /// Everything is this process's own.
    alone: bool,
    /// Until when the leases are good.
    until: Option<Instant>,
    held: HashMap<InstanceId, Epoch>,
}

/// What a renewal changed.
#[derive(Default)]
pub(crate) struct Change {
    /// To be driven from now on.
    pub(crate) taken: Vec<InstanceId>,
    /// Not ours any more.
    pub(crate) lost: Vec<InstanceId>,
    /// To be given up.
    pub(crate) surplus: Vec<InstanceId>,
}

impl Duty {
    pub(crate) fn new(holder: String, alone: bool) -> Self {
        Self {
            holder,
            state: Mutex::new(State {
                alone,
                until: None,
                held: HashMap::new(),
            }),
            nudged: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are others.
    pub(crate) fn is_shared(&self) -> bool {
        !self.state().alone
    }

    /// Steps may be begun now.
    pub(crate) fn may_act(&self) -> bool {
        let state = self.state();
        state.alone || state.until.is_some_and(|until| Instant::now() < until)
    }

    /// The lease of an instance, if it is this process's to drive.
    pub(crate) fn lease_of(&self, id: &InstanceId) -> Option<Epoch> {
        let state = self.state();
        if state.alone {
            return Some(Epoch::default());
        }
        state.held.get(id).copied()
    }

    /// Asks for leases soon: something may have come that nobody drives yet.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// Waits until it is time to renew.
    pub(crate) async fn wait(&self) {
        let _ = timeout(RENEWED_EVERY, self.nudged.notified()).await;
    }

    /// Says that this process lives.
    ///
    /// # Errors
    /// The store's; the leases stay good for as long as they were.
    pub(crate) async fn renew(&self, context: &Context) -> Result<Change, StoreError> {
        let asked = Instant::now();
        let ask = LeaseAsk {
            holder: self.holder.clone(),
            lasting_ms: u32::try_from(LASTING.as_millis()).unwrap_or(u32::MAX),
            claim_max: CLAIM_MAX,
        };
        let Some(leases) = context.store.lease(&ask).await? else {
            return Ok(Change::default());
        };
        let held: HashMap<InstanceId, Epoch> = leases.held.into_iter().collect();
        let mut state = self.state();
        let mut change = Change::default();
        for (id, epoch) in &state.held {
            if held.get(id) != Some(epoch) {
                change.lost.push(id.clone());
            }
        }
        for (id, epoch) in &held {
            if state.held.get(id) != Some(epoch) {
                change.taken.push(id.clone());
            }
        }
        let settled = held.keys().filter(|id| !change.taken.contains(id));
        change.surplus = settled.take(leases.surplus).cloned().collect();
        state.held = held;
        for id in &change.surplus {
            state.held.remove(id);
        }
        state.until = Some(asked + LASTING.saturating_sub(MARGIN));
        Ok(change)
    }

    /// Tells the store that these, or all of them, are free.
    pub(crate) async fn release(&self, context: &Context, ids: Option<&[InstanceId]>) {
        if !self.is_shared() {
            return;
        }
        // What cannot be given up is taken over when its time is over.
        if let Err(error) = context.store.release(&self.holder, ids).await {
            tracing::debug!(%error, "leases were not given up");
        }
    }
}
