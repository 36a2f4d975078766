//! After a pass: the board is brought up to date, and the store is told what was confirmed and,
//! if it differs from what it knows, what was seen.

use crate::crew::Crew;
use crate::desired::Desired;
use crate::member::Issue;
use crate::membership::leader;
use crate::sessions::{self, Ending};
use crate::topology::NODES_MAX;
use claviger_core::account::Life;
use claviger_core::ids::{AccountName, Revision};
use claviger_core::instance::{Held, InstanceState};
use claviger_core::ports::{Confirm, Observed, Op, StoreError};

/// How many users that are not ours are kept by name.
const UNMANAGED_MAX: usize = 256;

impl Crew {
    /// Shows the instance on the board.
    pub(crate) fn show(&self) {
        self.context.board.show(
            &self.id,
            self.shape.topology(),
            self.trouble(),
            self.members.iter(),
            self.sentinels(),
            self.unmanaged(),
        );
    }

    /// What keeps the instance as a whole from being in agreement.
    fn trouble(&self) -> Option<String> {
        if self.overfull {
            return Some(format!(
                "the instance has more than {NODES_MAX} nodes; the others are not driven"
            ));
        }
        self.unfound()
    }

    fn unmanaged(&self) -> Vec<AccountName> {
        let mut names: Vec<AccountName> = Vec::new();
        for member in &self.members {
            names.extend(member.unmanaged.iter().cloned());
        }
        names.sort();
        names.dedup();
        names.truncate(UNMANAGED_MAX);
        names
    }

    /// What was done on nodes goes into the audit trail.
    fn note_deeds(&mut self) {
        for member in &mut self.members {
            let deeds = std::mem::take(&mut member.deeds);
            if !deeds.is_empty() {
                let (node, now) = (&member.address, self.context.clock.now());
                self.context.deeds.note(&self.id, node, deeds, now);
            }
        }
    }

    /// Tells the store; true when every account is confirmed on every node.
    pub(crate) async fn conclude(&mut self, held: &Held, desired: &Desired, sweep: bool) -> bool {
        sessions::end_due(&mut self.members, desired).await;
        if let Some(due) = sessions::next_due(&self.members) {
            self.retry_by(due);
        }
        self.note_deeds();
        let complete = self.trouble().is_none()
            && !self.members.is_empty()
            && self
                .members
                .iter()
                .all(|m| m.is_ready() && m.error.is_none() && m.driven >= desired.revision);
        let (confirm, unsaved) = self.confirmations(desired, complete);
        self.await_files(unsaved);
        let mut ops = Vec::new();
        if !confirm.accounts.is_empty() || !confirm.gone.is_empty() {
            ops.push(Op::Confirm(
                self.id.clone(),
                confirm,
                self.context.clock.now(),
            ));
        }
        let clean = complete && self.members.iter().all(|member| member.issues.is_empty());
        let mut issues = self.members.iter().flat_map(|member| &member.issues);
        let done = complete && issues.all(|issue| issue.held);
        let observed = self.observation(held, sweep || !clean);
        if let Some(observed) = &observed {
            ops.push(Op::Observe(observed.clone()));
        }
        if !ops.is_empty() {
            ops.insert(0, Op::Fence(self.id.clone(), self.epoch));
            // In the same transaction, since it is rarely the same as before.
            let shown = self.to_show();
            if let Some(text) = &shown {
                ops.push(Op::Show(self.id.clone(), self.epoch, text.clone()));
            }
            match self.context.store.apply(ops, None).await {
                Ok(()) => {
                    if let Some(text) = shown {
                        self.shown = text;
                    }
                    if observed.is_some() {
                        self.told = observed;
                    }
                }
                // Removed meanwhile: the next pass sees it.
                Err(StoreError::NotFound) => return false,
                // Another process has taken over; what was seen here comes too late.
                Err(StoreError::Stale) => {
                    self.handle.dismissed.cancel();
                    return false;
                }
                Err(error) => {
                    tracing::error!(instance = %self.id, "cannot record confirmations: {error}");
                    self.retry_soon();
                    return false;
                }
            }
        }
        if done {
            self.seen = desired.revision;
        }
        clean
    }

    /// Lets the other processes see what this one sees, if it is something else than before.
    pub(crate) async fn tell_others(&mut self) {
        let Some(text) = self.to_show() else {
            return;
        };
        let fence = Op::Fence(self.id.clone(), self.epoch);
        let show = Op::Show(self.id.clone(), self.epoch, text.clone());
        match self.context.store.apply(vec![fence, show], None).await {
            Ok(()) => self.shown = text,
            Err(StoreError::Stale) => self.handle.dismissed.cancel(),
            // Tried again with the next event or sweep.
            Err(error) => tracing::debug!(instance = %self.id, %error, "not shown to others"),
        }
    }

    /// What the other processes are to see, unless there are none, or it is as before.
    fn to_show(&self) -> Option<String> {
        if !self.context.duty.is_shared() {
            return None;
        }
        let text = self.context.board.text(&self.id)?;
        (text != self.shown).then_some(text)
    }

    /// The store knows how far each node has come.
    pub(crate) fn knows_records(&self) -> bool {
        self.told.as_ref().is_some_and(|told| {
            told.nodes.len() == self.members.len()
                && told.link_users == self.link_users(&told.link_users)
                && told.nodes.iter().zip(&self.members).all(|(told, now)| {
                    told.address == now.address
                        && told.confirmed == now.confirmed
                        && told.saved == now.saved
                })
        })
    }

    /// An account is gone when no node's own file can bring it back: files that still hold it are
    /// written, and the pass after that records its end.
    fn await_files(&mut self, unsaved: Option<Revision>) {
        self.unsaved_end = unsaved.is_some();
        let Some(revision) = unsaved else { return };
        for member in &mut self.members {
            member.saving.wanted |= !member.saving.running && !member.has_saved(revision);
        }
    }

    /// What is confirmed and not known to the store as such; and the newest of the ends that are
    /// confirmed but for the nodes' own files.
    fn confirmations(&self, desired: &Desired, complete: bool) -> (Confirm, Option<Revision>) {
        let mut confirm = Confirm::default();
        let mut unsaved = None;
        for standing in &desired.standings {
            let open = || {
                self.members.iter().any(|member| {
                    let issue = |issue: &Issue| issue.account == standing.name;
                    // Sessions that should have ended by now.
                    let session = |end: &Ending| end.account == standing.name && end.is_due();
                    member.issues.iter().any(issue) || member.endings.iter().any(session)
                })
            };
            if !(standing.unmanaged || (complete && !open())) {
                continue;
            }
            match standing.life {
                Life::Deleting if !self.members.iter().all(|m| m.has_saved(standing.revision)) => {
                    unsaved = unsaved.max(Some(standing.revision));
                }
                Life::Deleting => confirm.gone.push((standing.id, standing.revision)),
                // Also what was confirmed when it was accepted, once: a task may wait for it.
                Life::Live if !standing.confirmed || standing.revision > self.seen => {
                    confirm.accounts.push((standing.id, standing.revision));
                }
                Life::Live => {}
            }
        }
        (confirm, unsaved)
    }

    /// What was seen, if the store does not know it. How far each node has come is only worth a
    /// write of its own when `exact`: in between, confirmations say the same.
    fn observation(&self, held: &Held, exact: bool) -> Option<Observed> {
        let topology = self.shape.topology()?;
        if !self.members.iter().any(|m| m.facts.is_some()) {
            return None;
        }
        let some_ready = self.members.iter().any(crate::member::Member::is_ready);
        let observed = Observed {
            instance: self.id.clone(),
            topology,
            engine: leader(&self.members).map(|facts| facts.engine),
            unmanaged: if some_ready {
                self.unmanaged()
            } else {
                held.instance.unmanaged.clone()
            },
            link_users: self.link_users(&held.instance.link_users),
            nodes: self
                .members
                .iter()
                .map(crate::member::Member::record)
                .collect(),
        };
        let registering = held.instance.state == InstanceState::Registering;
        let same = self.told.as_ref().is_some_and(|told| {
            told.topology == observed.topology
                && told.engine == observed.engine
                && told.unmanaged == observed.unmanaged
                && told.link_users == observed.link_users
                && told.nodes.len() == observed.nodes.len()
                && told.nodes.iter().zip(&observed.nodes).all(|(told, now)| {
                    let mut told = told.clone();
                    if !exact {
                        told.confirmed = now.confirmed;
                        told.saved = now.saved;
                    }
                    told == *now
                })
        });
        (registering || !same).then_some(observed)
    }
}
