//! A node that is away while something waits for it, such as a deletion that it has not heard of,
//! is tried again and again at short intervals: what it still allows ends soon after it is back.
//! Few instances at a time may do so; the others wait as long as their keepers do.

use crate::crew::Crew;
use crate::member::Member;
use claviger_core::ids::Revision;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// Between two attempts: with the connection and the pass after it, well within a second.
const HURRY_GAP: Duration = Duration::from_millis(500);
/// How long after the last change; what is away for longer is looked for at the keeper's pace.
const HURRY_MOST: Duration = Duration::from_secs(600);
/// Instances that may hurry at once.
pub(crate) const HURRIES_MAX: usize = 64;

/// An instance in a hurry.
pub(crate) struct Hurry {
    /// The change that is waited with.
    revision: Revision,
    until: Instant,
    next: Instant,
    /// It is one of the few.
    permit: Option<OwnedSemaphorePermit>,
}

impl Crew {
    /// After a pass: whether something waits for a node that is away.
    pub(crate) fn reckon_hurry(&mut self, newest: Revision) {
        let waits = self
            .members
            .iter()
            .any(|member| !member.is_ready() && member.confirmed < newest);
        if !waits {
            self.hurry = None;
            return;
        }
        if self.hurry.as_ref().is_some_and(|h| h.revision == newest) {
            return;
        }
        let now = Instant::now();
        let held = self.hurry.take().and_then(|hurry| hurry.permit);
        let hurries = &self.context.hurries;
        let permit = held.or_else(|| std::sync::Arc::clone(hurries).try_acquire_owned().ok());
        self.hurry = Some(Hurry {
            revision: newest,
            until: if permit.is_some() {
                now + HURRY_MOST
            } else {
                now
            },
            next: now + HURRY_GAP,
            permit,
        });
    }

    /// A change waits for the nodes that are away: they are connected before others.
    pub(crate) fn urge(&self) {
        for member in self.members.iter().filter(|member| member.link.is_none()) {
            member.keeper.urge();
        }
        self.urge_posts(false);
    }

    /// The same for those that were taken on meanwhile. The others have been urged, and one that
    /// was silent then shall not take the room of others again with every pass.
    pub(crate) fn urge_new(&self) {
        let fresh = |member: &&Member| member.link.is_none() && member.error.is_none();
        for member in self.members.iter().filter(fresh) {
            member.keeper.urge();
        }
        self.urge_posts(true);
    }

    /// The nodes that are away are tried again without a wait.
    pub(crate) fn call_now(&self) {
        for member in self.members.iter().filter(|member| member.link.is_none()) {
            member.keeper.hurry();
        }
    }

    /// When the nodes that are away are to be tried again.
    pub(crate) fn hurry_due(&self) -> Option<Instant> {
        let hurry = self.hurry.as_ref()?;
        (hurry.next <= hurry.until).then_some(hurry.next)
    }

    /// Has them tried again, if it is time.
    pub(crate) fn hurry_on(&mut self, now: Instant) {
        let Some(hurry) = &mut self.hurry else { return };
        if hurry.next > hurry.until {
            // Others may want the place.
            hurry.permit = None;
            return;
        }
        if now >= hurry.next {
            hurry.next = now + HURRY_GAP;
            self.urge();
            self.call_now();
        }
    }
}
