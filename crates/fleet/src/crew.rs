//! The driver of one instance: one task, so there is one pass at a time and wake-ups during a
//! pass cause exactly one more. It works if every wake-up is lost: the sweep finds the rest.

use crate::context::{Context, Lane};
use crate::desired::Desired;
use crate::errors::NodeError;
use crate::hurry::Hurry;
use crate::keeper::Event;
use crate::links;
use crate::member::{Member, Standing};
use crate::membership;
use crate::roster::Roster;
use crate::stats::count;
use crate::topology::Shape;
use crate::watch::Post;
use claviger_core::ids::{InstanceId, NodeAddress, Revision};
use claviger_core::instance::{Instance, InstanceState};
use claviger_core::node::NodeRecord;
use claviger_core::ports::{Epoch, Observed};
use claviger_core::reach::AddressMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Events of keepers that may wait; they block, and nothing is lost.
const EVENTS_MAX: usize = 16;
/// How soon a pass is repeated that could not finish for a passing reason.
pub(crate) const RETRY_SOON: Duration = Duration::from_secs(1);
/// How often in a row it is, before the sweep takes over.
const RETRIES_MAX: u32 = 3;

/// The outside's hold on a driver.
#[derive(Default)]
pub(crate) struct Handle {
    wake: Notify,
    /// Another process drives the instance from now on.
    pub(crate) dismissed: CancellationToken,
    /// When the oldest wake-up came that is not answered by a confirmation yet.
    woken: Mutex<Option<Instant>>,
    /// The instance's revision and state at the last pass.
    seen: Mutex<Option<(Revision, InstanceState)>>,
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

    /// Wakes the driver if the instance is not what its last pass has seen.
    pub(crate) fn compare(&self, instance: &Instance) {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_some_and(|seen| seen != (instance.revision, instance.state)) {
            self.wake();
        }
    }

    fn saw(&self, instance: &Instance) {
        let seen = (instance.revision, instance.state);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
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

/// The driver's state.
pub(crate) struct Crew {
    pub(crate) context: Arc<Context>,
    pub(crate) id: InstanceId,
    /// The lease under which it is driven.
    pub(crate) epoch: Epoch,
    /// What the other processes were told last.
    pub(crate) shown: String,
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
    /// Other addresses of nodes that we hold, with the nodes' keys.
    pub(crate) aliases: Vec<(NodeAddress, u32)>,
    pub(crate) shape: Shape,
    /// There are more nodes than are driven.
    pub(crate) overfull: bool,
    /// The Sentinels, those that others have named, and other addresses of those that we hold.
    pub(crate) posts: Vec<Post>,
    pub(crate) other_posts: Vec<NodeAddress>,
    pub(crate) post_aliases: Vec<NodeAddress>,
    pub(crate) master_name: Option<String>,
    /// What a cluster, or the Sentinels, list.
    pub(crate) roster: Roster,
    /// The roster has changed, and the members do not go by it yet.
    pub(crate) unfollowed: bool,
    /// Registered nodes that their cluster does not list any more.
    pub(crate) retired: Vec<NodeAddress>,
    /// Where nodes are reached that announce other addresses.
    pub(crate) map: Vec<AddressMap>,
    pub(crate) glancing: bool,
    pub(crate) glance_turn: usize,
    pub(crate) next_glance: Instant,
    pub(crate) last_sweep: Option<Instant>,
    /// The newest revision that a finished pass has seen.
    pub(crate) seen: Revision,
    /// An account's end waits for nothing but the nodes' own files.
    pub(crate) unsaved_end: bool,
    /// Passwords of accounts that links log in with, and that all of them know by now.
    pub(crate) links_done: links::Done,
    pub(crate) quiet_sweeps: u32,
    /// Something waits for a node that is away.
    pub(crate) hurry: Option<Hurry>,
    /// The last pass left nothing open.
    settled: bool,
    pub(crate) next_sweep: Instant,
    pub(crate) retry: Option<Instant>,
    retries: u32,
}

impl Crew {
    /// A driver that has not begun.
    pub(crate) fn new(
        context: Arc<Context>,
        id: InstanceId,
        epoch: Epoch,
        handle: Arc<Handle>,
    ) -> Self {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        Self {
            context,
            id,
            epoch,
            shown: String::new(),
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
            overfull: false,
            posts: Vec::new(),
            other_posts: Vec::new(),
            post_aliases: Vec::new(),
            master_name: None,
            roster: Roster::default(),
            unfollowed: false,
            retired: Vec::new(),
            map: Vec::new(),
            glancing: false,
            glance_turn: 0,
            next_glance: Instant::now(),
            last_sweep: None,
            seen: Revision::ZERO,
            unsaved_end: false,
            links_done: Vec::new(),
            quiet_sweeps: 0,
            hurry: None,
            settled: false,
            next_sweep: Instant::now(),
            retry: None,
            retries: 0,
        }
    }

    /// Drives until stopped, or until the instance is gone.
    pub(crate) async fn run(mut self) {
        let stop = self.context.stop.clone();
        loop {
            self.tell_others().await;
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
                && let Err(error) =
                    membership::write_file(link, member.persistence(), member.may_rewrite()).await
            {
                tracing::warn!(node = %member.address, "users not saved on the node: {error}");
            }
        }
    }

    /// Makes a pass soon, since the last one could not finish.
    pub(crate) fn retry_soon(&mut self) {
        self.retry = Some(Instant::now() + RETRY_SOON);
    }

    /// Makes a pass by then, if there is none before.
    pub(crate) fn retry_by(&mut self, at: Instant) {
        self.retry = Some(self.retry.map_or(at, |held| held.min(at)));
    }

    /// Waits for a reason to make a pass.
    async fn await_work(&mut self) -> Option<Lane> {
        let due = self.due();
        let lane = tokio::select! {
            biased;
            () = self.handle.wake.notified() => {
                self.urge();
                self.call_now();
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
        due = self.glance_due().map_or(due, |glance| due.min(glance));
        due = self.hurry_due().map_or(due, |hurry| due.min(hurry));
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
        self.glance();
        self.hurry_on(now);
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
        if let Some(at) = self.posts.iter().position(|post| post.key == key) {
            return self.absorb_post(at, event);
        }
        if let Event::Glanced(view) = event {
            self.glanced(key, view);
            return None;
        }
        let member = self.members.iter_mut().find(|member| member.key == key)?;
        let lane = match event {
            Event::Up(link) => {
                if std::mem::replace(&mut member.met, true) {
                    count(&self.context.stats.reconnects);
                }
                member.lose();
                self.settled = false;
                member.link = Some(link);
                Some(Lane::Repair)
            }
            Event::Down => {
                member.lose();
                self.settled = false;
                member.error = Some(NodeError::Lost);
                if self.handle.is_woken() {
                    member.keeper.urge();
                }
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
            Event::Saved(covered, result) => {
                member.saved(covered, result, &self.context);
                self.unsaved_end.then_some(Lane::User)
            }
            Event::Heard | Event::Deaf(_) | Event::Glanced(_) => None,
        };
        self.context.board.show_node(&self.id, member);
        self.save();
        lane
    }

    /// One pass, once its lane has room; false when the instance is gone.
    async fn pass_in_lane(&mut self, mut lane: Lane) -> bool {
        let context = Arc::clone(&self.context);
        let room = loop {
            let waits = self.handle.is_woken();
            let permits = match lane {
                Lane::User => &context.user_lane,
                // The node that a change waits for is back, or the change is tried again.
                Lane::Repair if waits => &context.user_lane,
                Lane::Sweep | Lane::Repair => &context.sweep_lane,
            };
            tokio::select! {
                // A change of a user does not queue behind sweeps.
                () = self.handle.wake.notified(), if lane != Lane::User => {
                    self.handle.wake.notify_one();
                    return true;
                }
                // What becomes of the nodes meanwhile is shown, and may be more than a sweep's.
                event = self.inbox.recv() => {
                    lane = lane.max(event.and_then(|e| self.absorb(e)).unwrap_or(lane));
                }
                room = permits.acquire() => break room,
            }
        };
        let Ok(_permit) = room else { return false };
        count(&context.stats.passes);
        if lane == Lane::Sweep || Instant::now() >= self.next_sweep {
            self.next_sweep = context.next_sweep();
            self.last_sweep = Some(Instant::now());
            return self.pass(true).await;
        }
        self.pass(false).await
    }

    async fn pass(&mut self, sweep: bool) -> bool {
        self.retry = None;
        self.consult(sweep).await;
        let undisturbed = self.settled && !self.unfollowed && !self.handle.is_woken();
        if sweep && undisturbed && self.is_quiet().await {
            return true;
        }
        if !self.context.duty.may_act() {
            self.retry = Some(Instant::now() + RETRY_SOON);
            return true;
        }
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
        self.meet(&held).await;
        if held.instance.state == InstanceState::Paused {
            self.settled = false;
            self.show();
            self.handle.saw(&held.instance);
            return true;
        }
        let mut desired = Desired::of(&held, &context.salt);
        self.drive(&held, &mut desired, sweep).await;
        if sweep {
            self.follow(&held);
        }
        self.show();
        let confirmed = self.conclude(&held, &desired, sweep).await;
        self.settled = confirmed && !self.unsaved_end;
        self.reckon_hurry(held.instance.revision);
        self.retry_pending();
        self.handle.saw(&held.instance);
        self.save();
        match (woken, confirmed) {
            (Some(at), true) => context.stats.took(at.elapsed()),
            (woken, _) => {
                if woken.is_some() {
                    self.urge_new();
                }
                self.handle.put_back(woken);
            }
        }
        true
    }

    /// What a node holds differently right after it was written is written again soon, a few
    /// times; then the sweep goes on trying.
    fn retry_pending(&mut self) {
        let ready = self.members.iter().filter(|member| member.is_ready());
        let pending = ready
            .flat_map(|member| &member.issues)
            .any(|issue| issue.standing == Standing::Pending);
        if !pending {
            self.retries = 0;
        } else if self.retries < RETRIES_MAX {
            self.retries += 1;
            self.retry_soon();
        }
    }
}
