//! Which nodes a driver holds: the registered ones, those that were stored, those that were found.

use crate::context::Context;
use crate::crew::Crew;
use crate::errors::{NodeError, Retry};
use crate::join::join_all;
use crate::keeper::{Covered, Event, Keeper};
use crate::link::{Access, Batch};
use crate::member::Member;
use crate::observe::{self, Facts, Mode};
use crate::stats::count;
use crate::topology::{self, Known};
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{Held, Instance, NodeSeed, Topology, TopologyChoice};
use claviger_core::node::{NodeRole, Persistence};
use claviger_core::ports::Observed;
use claviger_core::reach::{AddressMap, reachable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

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
        self.map.clone_from(&held.instance.map);
        self.master_name.clone_from(&held.instance.master_name);
        if !self.members.iter().any(Member::is_ready) {
            // Nobody is left to ask: begin anew where the operator said.
            self.retired.clear();
        }
        for seed in &held.instance.seeds {
            if self.is_post(held, &seed.address) {
                self.take_post(held, seed, true);
            } else if !self.retired.contains(&seed.address) {
                self.take_on(held, seed);
            }
        }
        let tls = held.instance.seeds.first().is_some_and(|seed| seed.tls);
        for address in std::mem::take(&mut self.other_posts) {
            tracing::info!(instance = %self.id, sentinel = %address, "found a Sentinel");
            self.take_post(held, &NodeSeed { address, tls }, false);
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
                link_users: held.instance.link_users.clone(),
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
            let seeds = &held.instance.seeds;
            member.seed = seeds.iter().any(|seed| seed.address == member.address);
            let access = access(&held.instance, &member.address, member.tls, member.seed);
            member.keeper.update(access);
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
        let registered = held.instance.seeds.contains(seed);
        let keeper = Keeper::start(
            key,
            access(&held.instance, &seed.address, seed.tls, registered),
            Arc::clone(&self.context.config),
            Arc::clone(&self.context.connects),
            self.events.clone(),
        );
        let member = Member::new(key, seed.address.clone(), seed.tls, keeper);
        self.members.push(member);
    }

    /// Asks the nodes that are newly connected what they are. The others are asked by the sweep
    /// how they stand to each other.
    pub(crate) async fn meet(&mut self, held: &Held) {
        let asked = self.members.iter_mut();
        let asked = asked.filter(|member| member.link.is_some() && !member.looked);
        let met = join_all(asked.map(meet_one)).await;
        let mut views = Vec::new();
        for member in &mut self.members {
            if let Some(facts) = &mut member.facts
                && !facts.view.is_empty()
            {
                views.push(std::mem::take(&mut facts.view));
            }
            if std::mem::take(&mut member.renewed) {
                self.aliases.retain(|(_, key)| *key != member.key);
            }
        }
        for view in views {
            let peers = self.mapped(view);
            self.unfollowed |= self.roster.take(peers, Instant::now());
        }
        if !met.is_empty() || self.unfollowed {
            self.follow(held);
        }
    }

    /// Sentinels among the registered nodes show only when they answer.
    fn sort_out(&mut self, held: &Held) {
        let is_sentinel = |member: &Member| {
            let facts = member.facts.as_ref();
            member.is_ready() && facts.is_some_and(|facts| facts.mode == Mode::Sentinel)
        };
        let found: Vec<NodeSeed> = self
            .members
            .iter()
            .filter(|member| is_sentinel(member))
            .map(|member| NodeSeed {
                address: member.address.clone(),
                tls: member.tls,
            })
            .collect();
        for seed in found {
            self.members.retain(|member| member.address != seed.address);
            self.take_post(held, &seed, true);
        }
    }

    /// Goes by what the nodes say of each other: takes on what they name, lets go of what left.
    pub(crate) fn follow(&mut self, held: &Held) {
        self.unfollowed = false;
        self.sort_out(held);
        let instance = &held.instance;
        let known: Vec<Known<'_>> = self
            .members
            .iter()
            .map(|member| Known {
                address: &member.address,
                facts: member.facts.as_ref(),
                ready: member.is_ready(),
            })
            .collect();
        let facts: Vec<&Facts> = known.iter().filter_map(|known| known.facts).collect();
        let watched = !self.posts.is_empty();
        // A registered node that answers and is no Sentinel says that there is none any more.
        let plain = self.members.iter().any(|m| m.seed && m.is_ready());
        let before = instance.observed_topology.filter(|_| !plain);
        self.shape = topology::shape(instance.topology, &facts, watched, before);
        let seeds: Vec<NodeSeed> = instance
            .seeds
            .iter()
            .filter(|seed| !self.is_post(held, &seed.address))
            .cloned()
            .collect();
        let (wanted, overfull) = topology::members(&topology::Scene {
            shape: self.shape,
            seeds: &seeds,
            tls: instance.seeds.first().is_some_and(|seed| seed.tls),
            known: &known,
            peers: &self.roster.peers(),
            map: &self.map,
        });
        self.overfull = overfull;
        self.drop_aliases();
        for seed in &wanted {
            let alias = self.aliases.iter().any(|(alias, _)| *alias == seed.address);
            if !alias {
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
            let twin = self.members.iter().enumerate().find(|(other, twin)| {
                let first = twin.seed || other < &at;
                *other != at && first && run_id(twin).as_ref() == Some(&own)
            });
            if let Some((_, twin)) = twin
                && !member.seed
            {
                doubles.push((member.address.clone(), twin.key));
            }
        }
        self.members
            .retain(|member| !doubles.iter().any(|(alias, _)| *alias == member.address));
        self.aliases.extend(doubles);
    }

    /// Lets go of nodes that have left: those that answer and follow none of ours after a while,
    /// those that do not answer after a long one. What a cluster says of its nodes is final, also
    /// of registered ones.
    fn forget_strangers(&mut self, wanted: &[NodeSeed]) {
        let now = Instant::now();
        let listing = self.roster.is_known();
        let cluster = self.shape.is(Topology::Cluster) && listing;
        let addresses: Vec<NodeAddress> = self.members.iter().map(|m| m.address.clone()).collect();
        let primary_of = |member: &Member, map: &[AddressMap]| {
            let primary = member.facts.as_ref()?.primary.as_ref()?;
            Some(reachable(map, primary))
        };
        let followed: Vec<NodeAddress> = self
            .members
            .iter()
            .filter_map(|member| primary_of(member, &self.map))
            .collect();
        for member in &mut self.members {
            let listed = wanted.iter().any(|seed| seed.address == member.address);
            let follows = || {
                primary_of(member, &self.map).is_some_and(|primary| addresses.contains(&primary))
            };
            let leads = || followed.contains(&member.address);
            let belongs = if cluster {
                listed
            } else {
                let related = listed || (member.is_ready() && (follows() || leads()));
                member.seed || related
            };
            if belongs {
                member.unlisted = None;
            } else {
                member.unlisted.get_or_insert(now);
            }
        }
        let id = &self.id;
        let config = &self.context.config;
        let retired = &mut self.retired;
        self.members.retain(|member| {
            let keep = if cluster && member.facts.is_some() {
                // The roster has waited.
                Duration::ZERO
            } else if member.is_ready() || listing {
                config.detached_keep
            } else {
                config.unlisted_keep
            };
            let gone = member
                .unlisted
                .is_some_and(|since| now.duration_since(since) >= keep);
            if gone {
                tracing::info!(instance = %id, node = %member.address, "the node has left");
                if member.seed {
                    retired.push(member.address.clone());
                }
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

/// How to get into a node; a registered one may turn out to be a Sentinel.
pub(crate) fn access(
    instance: &Instance,
    address: &NodeAddress,
    tls: bool,
    registered: bool,
) -> Access {
    let asked = instance.topology == TopologyChoice::Auto && registered;
    Access {
        address: address.clone(),
        tls,
        material: instance.tls.clone(),
        login: instance.login.clone(),
        sentinel: asked.then(|| instance.login.sentinel.clone().unwrap_or_default()),
    }
}

async fn meet_one(member: &mut Member) {
    let Some(link) = member.link.clone() else {
        return;
    };
    match observe::facts(&link, member.tls).await {
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
        let covered = Covered {
            confirmed: self.confirmed,
            driven: self.driven,
        };
        let (key, persistence) = (self.key, self.persistence());
        let rewrite = self.may_rewrite();
        tokio::spawn(async move {
            let result = write_file(&link, persistence, rewrite)
                .await
                .map_err(Box::new);
            // The driver is gone: nobody needs to know.
            let _ = events.send((key, Event::Saved(covered, result))).await;
        });
    }

    /// Takes in how a write ended.
    pub(crate) fn saved(
        &mut self,
        covered: Covered,
        result: Result<(), Box<NodeError>>,
        context: &Context,
    ) {
        self.saving.running = false;
        match result {
            Ok(()) => {
                count(&context.stats.saves);
                self.saved = self.saved.max(covered.confirmed);
                self.saving.through = self.saving.through.max(covered.driven);
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

/// Has the node write its users to its own file; `rewrite` tells whether its configuration file
/// may be rewritten.
pub(crate) async fn write_file(
    link: &crate::link::Link,
    persistence: Persistence,
    rewrite: bool,
) -> Result<(), NodeError> {
    let commands: &[&'static str] = match persistence {
        Persistence::Aclfile => &["ACL SAVE"],
        Persistence::Config => &["CONFIG REWRITE"],
        Persistence::Volatile => &[],
        Persistence::Unknown if rewrite => &["ACL SAVE", "CONFIG REWRITE"],
        Persistence::Unknown => &["ACL SAVE"],
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
