//! The driver of one instance: one task, so there is one pass at a time and wake-ups during a
//! pass cause exactly one more. It works if every wake-up is lost: the sweep finds the rest.

use crate::context::Context;
use crate::default_user;
use crate::desired::Desired;
use crate::drive;
use crate::errors::{NodeError, Retry};
use crate::join::join_all;
use crate::keeper::{self, Event};
use crate::member::Member;
use crate::membership;
use crate::stats::count;
use crate::topology::Shape;
use claviger_core::ids::{InstanceId, NodeAddress, Revision};
use claviger_core::instance::InstanceState;
use claviger_core::node::NodeRecord;
use claviger_core::ports::Observed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

/// Events of keepers that may wait; they block, and nothing is lost.
const EVENTS_MAX: usize = 16;
/// How soon a pass is repeated that could not finish for a passing reason.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The outside's hold on a driver.
#[derive(Default)]
pub(crate) struct Handle {
    wake: Notify,
    /// When the oldest wake-up came that is not answered by a confirmation yet.
    woken: Mutex<Option<Instant>>,
}

impl Handle {
    /// Something changed.
    pub(crate) fn wake(&self) {
        self.woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(Instant::now);
        self.wake.notify_one();
    }

    /// A wake-up was not answered yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn take_woken(&self) -> Option<Instant> {
        self.woken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn put_back(&self, woken: Option<Instant>) {
        if let Some(earlier) = woken {
            let mut held = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            *held = Some(held.map_or(earlier, |later| later.min(earlier)));
        }
    }
}

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

/// The driver's state.
pub(crate) struct Crew {
    pub(crate) context: Arc<Context>,
    pub(crate) id: InstanceId,
    pub(crate) handle: Arc<Handle>,
    pub(crate) members: Vec<Member>,
    pub(crate) next_key: u32,
    pub(crate) events: mpsc::Sender<(u32, Event)>,
    inbox: mpsc::Receiver<(u32, Event)>,
    /// What the store was told last.
    pub(crate) told: Option<Observed>,
    /// Stored nodes were read.
    pub(crate) recalled: bool,
    /// Stored nodes that were read and not taken on yet.
    pub(crate) stored: Vec<NodeRecord>,
    /// Other addresses of nodes that we hold.
    pub(crate) aliases: Vec<NodeAddress>,
    pub(crate) shape: Shape,
    /// The newest revision that a finished pass has seen.
    pub(crate) seen: Revision,
    next_sweep: Instant,
    retry: Option<Instant>,
}

impl Crew {
    /// A driver that has not begun.
    pub(crate) fn new(context: Arc<Context>, id: InstanceId, handle: Arc<Handle>) -> Self {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        Self {
            context,
            id,
            handle,
            members: Vec::new(),
            next_key: 0,
            events,
            inbox,
            told: None,
            recalled: false,
            stored: Vec::new(),
            aliases: Vec::new(),
            shape: Shape::Unknown,
            seen: Revision::ZERO,
            next_sweep: Instant::now(),
            retry: None,
        }
    }

    /// Drives until stopped, or until the instance is gone.
    pub(crate) async fn run(mut self) {
        let stop = self.context.stop.clone();
        loop {
            let lane = tokio::select! {
                () = stop.cancelled() => break,
                lane = self.await_work() => lane,
            };
            let Some(lane) = lane else { continue };
            if !Box::pin(self.pass_in_lane(lane)).await {
                return;
            }
        }
        // What was changed and not written yet would be lost with the next restart of the node.
        for member in self.members.iter().filter(|member| member.saving.wanted) {
            if let Some(link) = &member.link
                && let Err(error) = membership::write_file(link, member.persistence()).await
            {
                tracing::warn!(node = %member.address, "users not saved on the node: {error}");
            }
        }
    }

    /// Makes a pass soon, since the last one could not finish.
    pub(crate) fn retry_soon(&mut self) {
        self.retry = Some(Instant::now() + RETRY_SOON);
    }

    /// Waits for a reason to make a pass.
    async fn await_work(&mut self) -> Option<Lane> {
        let due = self.due();
        let lane = tokio::select! {
            biased;
            () = self.handle.wake.notified() => {
                for member in self.members.iter().filter(|member| member.link.is_none()) {
                    member.keeper.hurry();
                }
                Some(Lane::User)
            }
            event = self.inbox.recv() => event.and_then(|event| self.absorb(event)),
            () = sleep_until(due) => self.on_time(),
        };
        let mut lane = lane;
        while let Ok(event) = self.inbox.try_recv() {
            lane = lane.max(self.absorb(event));
        }
        lane
    }

    fn due(&self) -> Instant {
        let now = Instant::now();
        let mut due = self.next_sweep;
        due = self.retry.map_or(due, |retry| due.min(retry));
        for member in &self.members {
            due = member
                .save_due(self.context.config.save_interval, now)
                .map_or(due, |save| due.min(save));
        }
        due
    }

    fn on_time(&mut self) -> Option<Lane> {
        let now = Instant::now();
        self.save();
        if now >= self.next_sweep {
            return Some(Lane::Sweep);
        }
        if self.retry.is_some_and(|retry| now >= retry) {
            return Some(Lane::Repair);
        }
        None
    }

    /// Takes in what a keeper tells.
    fn absorb(&mut self, (key, event): (u32, Event)) -> Option<Lane> {
        let member = self.members.iter_mut().find(|member| member.key == key)?;
        let lane = match event {
            Event::Up(link) => {
                if std::mem::replace(&mut member.met, true) {
                    count(&self.context.stats.reconnects);
                }
                member.lose();
                member.link = Some(link);
                Some(Lane::Repair)
            }
            Event::Down => {
                member.lose();
                member.error = Some(NodeError::Lost);
                tracing::warn!(instance = %self.id, node = %member.address, "connection lost");
                None
            }
            Event::Failed(error) => {
                let error = *error;
                if member.error.as_ref() != Some(&error) {
                    tracing::warn!(
                        instance = %self.id, node = %member.address, "cannot reach the node: {error}"
                    );
                }
                let first = member.error.is_none();
                member.error = Some(error);
                first.then_some(Lane::Repair)
            }
            Event::Saved(revision, result) => {
                member.saved(revision, result, &self.context);
                None
            }
        };
        self.context.board.show_node(&self.id, member);
        self.save();
        lane
    }

    /// One pass, once its lane has room; false when the instance is gone.
    async fn pass_in_lane(&mut self, lane: Lane) -> bool {
        let context = Arc::clone(&self.context);
        let permits = match lane {
            Lane::User => &context.user_lane,
            Lane::Sweep | Lane::Repair => &context.sweep_lane,
        };
        let room = tokio::select! {
            // A change of a user does not queue behind sweeps.
            () = self.handle.wake.notified(), if lane != Lane::User => {
                self.handle.wake.notify_one();
                return true;
            }
            room = permits.acquire() => room,
        };
        let Ok(_permit) = room else { return false };
        count(&context.stats.passes);
        if lane == Lane::Sweep || Instant::now() >= self.next_sweep {
            self.next_sweep = Instant::now() + keeper::jittered(context.config.sweep_interval);
            return self.pass(true).await;
        }
        self.pass(false).await
    }

    async fn pass(&mut self, sweep: bool) -> bool {
        self.retry = None;
        let woken = self.handle.take_woken();
        let context = Arc::clone(&self.context);
        let held = match context.store.held(&self.id).await {
            Ok(Some(held)) => held,
            Ok(None) => return false,
            Err(error) => {
                tracing::error!(instance = %self.id, "cannot read the instance: {error}");
                self.handle.put_back(woken);
                self.retry = Some(Instant::now() + RETRY_SOON);
                return true;
            }
        };
        if !self.recalled && !self.recall().await {
            self.retry = Some(Instant::now() + RETRY_SOON);
            return true;
        }
        self.enlist(&held);
        self.meet(&held, sweep).await;
        if held.instance.state == InstanceState::Paused {
            self.show();
            return true;
        }
        let desired = Desired::of(&held, &context.salt);
        if self.shape.problem().is_none() {
            self.drive(&desired, sweep).await;
            if sweep {
                self.follow(&held);
            }
        }
        self.show();
        let confirmed = self.conclude(&held, &desired, sweep).await;
        self.save();
        match (woken, confirmed) {
            (Some(at), true) => context.stats.took(at.elapsed()),
            (woken, _) => self.handle.put_back(woken),
        }
        true
    }

    /// All nodes at once, each at its own pace.
    async fn drive(&mut self, desired: &Desired, sweep: bool) {
        let context = Arc::clone(&self.context);
        let id = self.id.clone();
        let told = |member: &Member| context.board.show_node(&id, member);
        let ready = self.members.iter_mut().filter(|member| member.is_ready());
        let passes = ready.map(|member| drive::node(member, desired, &context, sweep, &told));
        join_all(passes).await;
        default_user::advance(&mut self.members, desired, &context).await;
        for member in self.members.iter_mut().filter(|member| member.is_ready()) {
            match &member.error {
                None => {
                    member.driven = desired.revision;
                    member.reckon(desired.revision);
                }
                Some(error) => {
                    member.driven = Revision::ZERO;
                    tracing::warn!(
                        instance = %self.id, node = %member.address, "cannot drive the node: {error}"
                    );
                    match error.retry() {
                        Retry::Reconnect => member.link.iter().for_each(|link| link.close()),
                        Retry::NextPass => self.retry = Some(Instant::now() + RETRY_SOON),
                        Retry::Sweep => {}
                    }
                }
            }
        }
    }
}
