//! A node of an instance as its driver holds it.

use crate::deeds::{Deed, OF_PASS_MAX, What};
use crate::errors::NodeError;
use crate::keeper::Keeper;
use crate::link::Link;
use crate::links::Login;
use crate::marks::Marks;
use crate::observe::Facts;
use crate::sessions::Ending;
use crate::sweep::Suspects;
use claviger_core::engine::AclLevel;
use claviger_core::ids::{AccountName, NodeAddress, Revision};
use claviger_core::node::{NodeRecord, NodeRole, Persistence};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::time::Instant;

/// How an account stands on a node, when it is not simply confirmed there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Not confirmed yet.
    Pending,
    /// Found to differ from what had been confirmed.
    Drifted,
    /// Refused by the node, or by us.
    Failed,
}

/// An account that is not simply confirmed on a node.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) account: AccountName,
    /// Short form of the user's name.
    pub(crate) key: u64,
    /// The first revision that the node lacks.
    pub(crate) revision: Revision,
    pub(crate) standing: Standing,
    pub(crate) reason: String,
    /// It is left so, as the instance's policy wants it.
    pub(crate) held: bool,
}

/// The writing of a node's own file.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    /// Something changed since the last write began.
    pub(crate) wanted: bool,
    /// A write is under way.
    pub(crate) running: bool,
    /// When the last one began.
    pub(crate) last: Option<Instant>,
    /// How many failed in a row.
    pub(crate) failures: u32,
    /// Why the last one failed.
    pub(crate) error: Option<String>,
    /// The last one has written everything that was asked for up to here.
    pub(crate) through: Revision,
}

/// A node.
pub(crate) struct Member {
    pub(crate) key: u32,
    pub(crate) address: NodeAddress,
    pub(crate) tls: bool,
    /// Registered by the operator.
    pub(crate) seed: bool,
    pub(crate) keeper: Keeper,
    pub(crate) link: Option<Arc<Link>>,
    /// What it said of itself; kept while it is away.
    pub(crate) facts: Option<Facts>,
    /// The facts are of the present connection.
    pub(crate) looked: bool,
    pub(crate) marks: Marks,
    /// Names (short form) under which someone else's users were seen.
    pub(crate) foreign: BTreeSet<u64>,
    /// Rule → how this process renders it (short forms).
    pub(crate) renderings: Vec<(u64, u64)>,
    /// Why a rule could not be rendered there last.
    pub(crate) unrendered: Option<NodeError>,
    /// How it logs in to its primary; `None` while that is not known, or of no interest.
    pub(crate) login: Option<Login>,
    /// What is wrong with that.
    pub(crate) login_notice: Option<String>,
    /// Users that are not accounts, and were found not to have been any.
    pub(crate) judged: BTreeSet<AccountName>,
    pub(crate) issues: Vec<Issue>,
    /// Why it cannot be driven.
    pub(crate) error: Option<NodeError>,
    /// The error that was logged last; the same one is not logged at each pass.
    pub(crate) logged: Option<NodeError>,
    /// Everything up to here is confirmed by read-back.
    pub(crate) confirmed: Revision,
    /// Everything up to here was looked at in the last pass, which succeeded.
    pub(crate) driven: Revision,
    pub(crate) saved: Revision,
    pub(crate) saving: Saving,
    /// Sessions that are to end.
    pub(crate) endings: Vec<Ending>,
    /// What was to end before this life of the service was looked for.
    pub(crate) recalled: bool,
    /// What is noteworthy and keeps nothing up.
    pub(crate) notice: Option<String>,
    /// How many users it had at the last sweep.
    pub(crate) users: Option<usize>,
    /// ACL commands that the server had run, and that we had sent, when all was last compared.
    pub(crate) calls: Option<(u64, u64)>,
    /// Which user is compared next, where not all are at each sweep.
    pub(crate) cursor: usize,
    /// The password (short form) up to whose first stages the default user has come here; see
    /// `default_user`.
    pub(crate) default_staged: Option<u64>,
    /// The sweep found the default user changed.
    pub(crate) default_suspect: bool,
    /// The default user's line in ACL LIST at the last sweep.
    pub(crate) default_line: u64,
    /// What a sweep found that no pass has used yet.
    pub(crate) swept: Option<Suspects>,
    /// Scratch users that the last sweep has met.
    pub(crate) scratch: Vec<String>,
    /// How many sweeps there were.
    pub(crate) sweeps: u32,
    /// Our login's user.
    pub(crate) own_user: Box<str>,
    /// This connection was not swept yet: anything may have happened while there was none.
    pub(crate) unswept: bool,
    pub(crate) unmanaged: Vec<AccountName>,
    /// No primary lists it since then.
    pub(crate) unlisted: Option<Instant>,
    /// Another process than before; what else it was known by may not hold any more.
    pub(crate) renewed: bool,
    /// Seen before; another connection is a reconnection.
    pub(crate) met: bool,
    /// As stored, before it was seen in this life of the service.
    pub(crate) stored: Option<NodeRecord>,
    /// What this pass has done there.
    pub(crate) deeds: Vec<Deed>,
}

impl Member {
    /// A node that was not met yet.
    pub(crate) fn new(key: u32, address: NodeAddress, tls: bool, keeper: Keeper) -> Self {
        Self {
            key,
            address,
            tls,
            seed: false,
            keeper,
            link: None,
            facts: None,
            looked: false,
            marks: Marks::default(),
            foreign: BTreeSet::new(),
            renderings: Vec::new(),
            unrendered: None,
            login: None,
            login_notice: None,
            judged: BTreeSet::new(),
            issues: Vec::new(),
            error: None,
            logged: None,
            confirmed: Revision::ZERO,
            driven: Revision::ZERO,
            saved: Revision::ZERO,
            saving: Saving::default(),
            endings: Vec::new(),
            recalled: false,
            notice: None,
            users: None,
            calls: None,
            cursor: 0,
            deeds: Vec::new(),
            default_staged: None,
            default_suspect: false,
            default_line: 0,
            swept: None,
            scratch: Vec::new(),
            sweeps: 0,
            own_user: Box::default(),
            unswept: true,
            unmanaged: Vec::new(),
            unlisted: None,
            renewed: false,
            met: false,
            stored: None,
        }
    }

    /// Connected, and known for what it is.
    pub(crate) fn is_ready(&self) -> bool {
        self.link.is_some() && self.looked
    }

    /// What its ACLs can express; the least, before it was seen.
    pub(crate) fn level(&self) -> AclLevel {
        let facts = self.facts.as_ref();
        facts.map_or(AclLevel::None, |facts| facts.engine.acl_level())
    }

    pub(crate) fn role(&self) -> NodeRole {
        match (&self.facts, &self.stored) {
            (Some(facts), _) => facts.role,
            (None, Some(record)) => record.role,
            (None, None) => NodeRole::Unknown,
        }
    }

    pub(crate) fn persistence(&self) -> Persistence {
        match (&self.facts, &self.stored) {
            (Some(facts), _) => facts.persistence,
            (None, Some(record)) => record.persistence,
            (None, None) => Persistence::Unknown,
        }
    }

    /// For the store.
    pub(crate) fn record(&self) -> NodeRecord {
        let stored = self.stored.as_ref();
        NodeRecord {
            address: self.address.clone(),
            tls: self.tls,
            role: self.role(),
            engine: self
                .facts
                .as_ref()
                .map(|facts| facts.engine)
                .or_else(|| stored.and_then(|record| record.engine)),
            run_id: self.facts.as_ref().map_or_else(
                || {
                    stored
                        .map(|record| record.run_id.clone())
                        .unwrap_or_default()
                },
                |facts| facts.run_id.clone(),
            ),
            persistence: self.persistence(),
            confirmed: self.confirmed,
            saved: self.saved,
        }
    }

    /// Takes over what was just seen. A process that is not the one that was read back before
    /// may hold anything: nothing is taken as confirmed there any more.
    pub(crate) fn meet(&mut self, facts: Facts) {
        let same = self
            .facts
            .as_ref()
            .is_some_and(|held| held.run_id == facts.run_id);
        if !same {
            self.renewed = true;
            self.marks.clear();
            self.renderings.clear();
            self.foreign.clear();
            self.judged.clear();
            self.issues.clear();
            self.default_staged = None;
            self.users = None;
            self.saving.through = Revision::ZERO;
        }
        self.facts = Some(facts);
        self.looked = true;
        self.error = None;
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self) {
        self.link = None;
        self.looked = false;
        self.driven = Revision::ZERO;
        self.unswept = true;
        self.swept = None;
        self.calls = None;
        self.saving.running = false;
    }

    /// Its configuration file can be rewritten without harm.
    pub(crate) fn may_rewrite(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.config_file)
    }

    /// A restart of the node cannot bring back what was there before this revision, as far as its
    /// own file goes.
    pub(crate) fn has_saved(&self, revision: Revision) -> bool {
        match self.persistence() {
            Persistence::Aclfile | Persistence::Config => {
                let Saving {
                    wanted, running, ..
                } = self.saving;
                !wanted && !running && self.saving.through >= revision
            }
            // No file, or none that we may know of.
            Persistence::Volatile | Persistence::Unknown => true,
        }
    }

    pub(crate) fn rendering(&self, rule: u64) -> Option<u64> {
        self.renderings
            .iter()
            .find_map(|(held, text)| (*held == rule).then_some(*text))
    }

    /// The node, and why it did not show how it renders a rule.
    pub(crate) fn unrendered(&self) -> String {
        match &self.unrendered {
            Some(error) => format!("{}: {error}", self.address),
            None => self.address.to_string(),
        }
    }

    /// This very process of the server had confirmed everything up to there before this life of
    /// the service.
    pub(crate) fn was_stored_at(&self, revision: Revision) -> bool {
        let now = self.facts.as_ref().map(|facts| facts.run_id.as_str());
        self.stored.as_ref().is_some_and(|record| {
            record.confirmed >= revision && now == Some(record.run_id.as_str())
        })
    }

    /// Up to where it had confirmed everything before this life of the service.
    pub(crate) fn stored_revision(&self) -> Revision {
        self.stored
            .as_ref()
            .map_or(Revision::ZERO, |record| record.confirmed)
    }

    /// Remembers what was done with a user, for the audit trail.
    pub(crate) fn did(&mut self, account: &AccountName, what: What, held: bool) {
        if self.deeds.len() < OF_PASS_MAX {
            let account = account.clone();
            self.deeds.push(Deed {
                account,
                what,
                held,
            });
        }
    }

    /// Replaces what was said of this user.
    pub(crate) fn settle(&mut self, key: u64, issue: Option<Issue>) {
        self.issues.retain(|held| held.key != key);
        self.issues.extend(issue);
    }

    /// Up to where everything is confirmed, given the newest revision.
    pub(crate) fn reckon(&mut self, newest: Revision) {
        let open = self.issues.iter().map(|issue| issue.revision.0).min();
        let before = self.confirmed;
        self.confirmed = match open {
            Some(revision) => Revision(newest.0.min(revision.saturating_sub(1))),
            None => newest,
        };
        // What changed nothing on the node changed nothing in its file.
        let unwritten = self.saving.wanted || self.saving.running;
        if !unwritten && before > Revision::ZERO && self.saved >= before {
            self.saved = self.saved.max(self.confirmed);
        }
    }
}
