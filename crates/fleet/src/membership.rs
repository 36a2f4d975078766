//! Which nodes a driver holds: the registered ones, those that were stored, those that were found.

use crate::context::Context;
use crate::crew::Crew;
use crate::errors::{NodeError, Retry};
use crate::join::join_all;
use crate::keeper::{Event, Keeper};
use crate::link::{Access, Batch};
use crate::member::Member;
use crate::observe::{self, Facts};
use crate::stats::count;
use crate::topology;
use claviger_core::ids::{NodeAddress, Revision};
use claviger_core::instance::{Held, NodeSeed};
use claviger_core::node::{NodeRole, Persistence};
use claviger_core::ports::Observed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long a node is kept that answers, that no primary lists any more, and that follows none
/// of ours: long enough for a failover to settle.
const DETACHED_KEEP: Duration = Duration::from_secs(60);
/// The wait after a failed write doubles this often.
const SAVE_BACKOFF_MAX: u32 = 5;

impl Crew {
    /// Reads the nodes that were known before this life of the service; false if it must be
    /// tried again.
    pub(crate) async fn recall(&mut self) -> bool {
        match self.context.store.nodes(&self.id).await {
            Ok(records) => {
                self.stored = records;
                self.recalled = true;
                true
            }
            Err(error) => {
                tracing::error!(instance = %self.id, "cannot read the nodes: {error}");
                false
            }
        }
    }

    /// Takes on the registered and the stored nodes, and what is new in how to reach them.
    pub(crate) fn enlist(&mut self, held: &Held) {
        for seed in &held.instance.seeds {
            self.take_on(held, seed);
        }
        let stored = std::mem::take(&mut self.stored);
        if let Some(topology) = held.instance.observed_topology
            && !stored.is_empty()
        {
            // What the store knows need not be written again.
            self.told = Some(Observed {
                instance: self.id.clone(),
                topology,
                engine: held.instance.engine,
                unmanaged: held.instance.unmanaged.clone(),
                nodes: stored.clone(),
            });
        }
        for record in stored {
            let seed = NodeSeed {
                address: record.address.clone(),
                tls: record.tls,
            };
            self.take_on(held, &seed);
            if let Some(member) = self
                .members
                .iter_mut()
                .find(|m| m.address == record.address)
            {
                member.confirmed = record.confirmed;
                member.saved = record.saved;
                let behind = record.saved < record.confirmed;
                member.saving.wanted = behind && record.persistence != Persistence::Volatile;
                member.stored = Some(record);
            }
        }
        for member in &mut self.members {
            member.seed = held
                .instance
                .seeds
                .iter()
                .any(|seed| seed.address == member.address);
            member
                .keeper
                .update(access(held, &member.address, member.tls));
        }
    }

    fn take_on(&mut self, held: &Held, seed: &NodeSeed) {
        let known = self
            .members
            .iter()
            .any(|member| member.address == seed.address);
        if known || self.members.len() >= topology::NODES_MAX {
            return;
        }
        let key = self.next_key;
        self.next_key += 1;
        let keeper = Keeper::start(
            key,
            access(held, &seed.address, seed.tls),
            Arc::clone(&self.context.config),
            Arc::clone(&self.context.connects),
            self.events.clone(),
        );
        let member = Member::new(key, seed.address.clone(), seed.tls, keeper);
        self.members.push(member);
    }

    /// Asks the nodes that are newly connected what they are. The others are asked by the sweep
    /// how they stand to each other; all of them here, where there is no other.
    pub(crate) async fn meet(&mut self, held: &Held, sweep: bool) {
        let all = sweep && self.shape.problem().is_some();
        let asked = self.members.iter_mut();
        let asked = asked.filter(|member| member.link.is_some() && (all || !member.looked));
        if !join_all(asked.map(meet_one)).await.is_empty() {
            self.follow(held);
        }
    }

    /// Goes by what the nodes say of each other: takes on what they name, lets go of what left.
    pub(crate) fn follow(&mut self, held: &Held) {
        let facts: Vec<&Facts> = self
            .members
            .iter()
            .filter_map(|m| m.facts.as_ref())
            .collect();
        self.shape = topology::shape(held.instance.topology, &facts);
        let facts = facts.into_iter();
        let wanted = topology::members(self.shape, &held.instance.seeds, facts);
        self.drop_aliases();
        for seed in &wanted {
            if !self.aliases.contains(&seed.address) {
                let before = self.members.len();
                self.take_on(held, seed);
                if self.members.len() > before {
                    tracing::info!(instance = %self.id, node = %seed.address, "found a node");
                }
            }
        }
        self.forget_strangers(&wanted);
    }

    /// One server may be known by two addresses, as registered and as its primary lists it.
    fn drop_aliases(&mut self) {
        let run_id = |member: &Member| {
            let facts = member.facts.as_ref().filter(|_| member.is_ready())?;
            (!facts.run_id.is_empty()).then(|| facts.run_id.clone())
        };
        let mut doubles = Vec::new();
        for (at, member) in self.members.iter().enumerate() {
            let Some(own) = run_id(member) else { continue };
            let twin = self.members.iter().enumerate().any(|(other, twin)| {
                let first = twin.seed || other < at;
                other != at && first && run_id(twin).as_ref() == Some(&own)
            });
            if twin && !member.seed {
                doubles.push(member.address.clone());
            }
        }
        self.members
            .retain(|member| !doubles.contains(&member.address));
        self.aliases.extend(doubles);
    }

    /// Lets go of found nodes that have left: those that answer and follow none of ours after a
    /// while, those that do not answer after a long one.
    fn forget_strangers(&mut self, wanted: &[NodeSeed]) {
        let now = Instant::now();
        let addresses: Vec<NodeAddress> = self.members.iter().map(|m| m.address.clone()).collect();
        let followed: Vec<NodeAddress> = self
            .members
            .iter()
            .filter_map(|m| m.facts.as_ref()?.primary.clone())
            .collect();
        let keep_away = self.context.config.unlisted_keep;
        for member in &mut self.members {
            let listed = wanted.iter().any(|seed| seed.address == member.address);
            let follows = member
                .facts
                .as_ref()
                .and_then(|facts| facts.primary.as_ref())
                .is_some_and(|primary| addresses.contains(primary));
            let leads = followed.contains(&member.address);
            let belongs = member.seed || (member.is_ready() && (listed || follows || leads));
            let belongs = belongs || (!member.is_ready() && listed);
            if belongs {
                member.unlisted = None;
            } else {
                member.unlisted.get_or_insert(now);
            }
        }
        let id = &self.id;
        self.members.retain(|member| {
            let keep = if member.is_ready() {
                DETACHED_KEEP
            } else {
                keep_away
            };
            let gone = member
                .unlisted
                .is_some_and(|since| now.duration_since(since) > keep);
            if gone {
                tracing::info!(instance = %id, node = %member.address, "the node has left");
            }
            !gone
        });
    }

    /// Has the nodes write their own files where that is due.
    pub(crate) fn save(&mut self) {
        let interval = self.context.config.save_interval;
        let now = Instant::now();
        for member in &mut self.members {
            if member.persistence() == Persistence::Volatile {
                member.saving.wanted = false;
            }
            if member.save_due(interval, now).is_some_and(|due| due <= now) {
                member.begin_save(self.events.clone(), now);
            }
        }
    }
}

fn access(held: &Held, address: &NodeAddress, tls: bool) -> Access {
    Access {
        address: address.clone(),
        tls,
        material: held.instance.tls.clone(),
        login: held.instance.login.clone(),
    }
}

async fn meet_one(member: &mut Member) {
    let Some(link) = member.link.clone() else {
        return;
    };
    match observe::facts(&link).await {
        Ok(facts) => member.meet(facts),
        Err(error) => {
            if error.retry() == Retry::Reconnect {
                link.close();
            }
            member.looked = false;
            member.error = Some(error);
        }
    }
}

impl Member {
    /// When the node's own file is to be written next, if it is; the first write is due `now`.
    pub(crate) fn save_due(&self, interval: Duration, now: Instant) -> Option<Instant> {
        if !self.saving.wanted || self.saving.running || !self.is_ready() {
            return None;
        }
        // A write that fails, say on a full disk, is tried again, less and less often.
        let wait = interval * (1 << self.saving.failures.min(SAVE_BACKOFF_MAX));
        Some(self.saving.last.map_or(now, |last| last + wait))
    }

    fn begin_save(&mut self, events: mpsc::Sender<(u32, Event)>, now: Instant) {
        let Some(link) = self.link.clone() else {
            return;
        };
        self.saving.wanted = false;
        self.saving.running = true;
        self.saving.last = Some(now);
        let (key, covered, persistence) = (self.key, self.confirmed, self.persistence());
        tokio::spawn(async move {
            let result = write_file(&link, persistence).await.map_err(Box::new);
            // The driver is gone: nobody needs to know.
            let _ = events.send((key, Event::Saved(covered, result))).await;
        });
    }

    /// Takes in how a write ended.
    pub(crate) fn saved(
        &mut self,
        covered: Revision,
        result: Result<(), Box<NodeError>>,
        context: &Context,
    ) {
        self.saving.running = false;
        match result {
            Ok(()) => {
                count(&context.stats.saves);
                self.saved = self.saved.max(covered);
                self.saving.error = None;
                self.saving.failures = 0;
            }
            Err(error) => {
                count(&context.stats.saves_failed);
                tracing::warn!(node = %self.address, "users not saved on the node: {error}");
                self.saving.wanted = true;
                self.saving.failures = self.saving.failures.saturating_add(1);
                self.saving.error = Some(format!("users not saved: {error}"));
            }
        }
    }
}

/// Has the node write its users to its own file.
pub(crate) async fn write_file(
    link: &crate::link::Link,
    persistence: Persistence,
) -> Result<(), NodeError> {
    let commands: &[&'static str] = match persistence {
        Persistence::Aclfile => &["ACL SAVE"],
        Persistence::Config => &["CONFIG REWRITE"],
        Persistence::Volatile => &[],
        Persistence::Unknown => &["ACL SAVE", "CONFIG REWRITE"],
    };
    let mut outcome = Ok(());
    for command in commands {
        let mut batch = Batch::new();
        batch.word(command);
        outcome = link
            .run(&batch)
            .await?
            .pop()
            .unwrap_or(Err(NodeError::Lost))
            .map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// The node whose version speaks for the instance: the primary, else any that was seen.
pub(crate) fn leader(members: &[Member]) -> Option<&Facts> {
    let seen = || members.iter().filter_map(|member| member.facts.as_ref());
    seen()
        .find(|facts| facts.role == NodeRole::Primary)
        .or_else(|| seen().next())
}
