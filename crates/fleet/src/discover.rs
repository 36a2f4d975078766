//! Finding the nodes of an instance that may not be registered yet, from its seeds: by what
//! Sentinels, the cluster, or primaries and replicas say. What the driver does over time
//! (`membership`, `watch`), in one go.

use crate::check::{self, Visit};
use crate::context::Context;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::link;
use crate::observe::{Facts, Mode};
use crate::sentinel::{self, SENTINELS_MAX, Useless};
use crate::topology::{self, Known, NODES_MAX, Peer, Shape};
use crate::watch::sentinel_access;
use claviger_core::check_report::SentinelCheck;
use claviger_core::instance::{Instance, NodeSeed, Topology, TopologyChoice};
use claviger_core::reach::reachable;

/// What was found.
pub(crate) struct Found {
    pub(crate) visits: Vec<Visit>,
    pub(crate) shape: Shape,
    pub(crate) sentinels: Vec<SentinelCheck>,
}

/// Looks at the registered nodes and at those found through them.
pub(crate) async fn discover(instance: &Instance, context: &Context) -> Found {
    let mut found = Found {
        visits: Vec::new(),
        shape: Shape::Unknown,
        sentinels: Vec::new(),
    };
    let mut peers: Vec<Peer> = Vec::new();
    let (mut posts, mut waiting) = (Vec::new(), Vec::new());
    if instance.topology == TopologyChoice::Sentinel {
        posts.clone_from(&instance.seeds);
    } else {
        waiting.clone_from(&instance.seeds);
    }
    // Each round adds what the last one found; a chain of replicas is short.
    while !(waiting.is_empty() && posts.is_empty()) && found.visits.len() < NODES_MAX {
        let round = posts.drain(..).map(|seed| ask(instance, seed, context));
        let round = join_all(round).await;
        for (sentinel, view) in round {
            found.sentinels.push(sentinel);
            peers.extend(view.peers);
            let others = view.others.into_iter().map(|other| NodeSeed {
                address: reachable(&instance.map, &other),
                tls: instance.seeds.first().is_some_and(|seed| seed.tls),
            });
            posts.extend(others);
        }
        let round = waiting
            .drain(..)
            .map(|seed| check::visit(instance, seed, context));
        found.visits.extend(join_all(round).await);
        let is_sentinel = |visit: &Visit| visit.facts.as_ref().is_some_and(is_sentinel);
        posts.extend(
            found
                .visits
                .iter()
                .filter(|v| is_sentinel(v))
                .map(|v| v.seed.clone()),
        );
        found.visits.retain(|visit| !is_sentinel(visit));
        let known = |seed: &NodeSeed| found.sentinels.iter().any(|s| s.address == seed.address);
        posts.retain(|seed| !known(seed));
        posts.sort_by(|a, b| a.address.cmp(&b.address));
        posts.dedup();
        posts.truncate(SENTINELS_MAX.saturating_sub(found.sentinels.len()));
        for facts in found.visits.iter_mut().filter_map(|v| v.facts.as_mut()) {
            peers.extend(facts.view.drain(..).map(|mut peer| {
                peer.address = reachable(&instance.map, &peer.address);
                peer
            }));
        }
        waiting = found.unseen(instance, &mut peers, !posts.is_empty());
    }
    found.drop_doubles();
    found.drop_unlisted(instance, &peers);
    found.name_trouble();
    found
}

fn is_sentinel(facts: &Facts) -> bool {
    facts.mode == Mode::Sentinel
}

/// Asks a Sentinel.
async fn ask(
    instance: &Instance,
    seed: NodeSeed,
    context: &Context,
) -> (SentinelCheck, sentinel::View) {
    let access = sentinel_access(instance, &seed);
    let looked = async {
        let opened = match context.connects.urgent().await {
            Ok(_permit) => link::open(&access, &context.config).await,
            Err(_) => Err(NodeError::Lost),
        };
        sentinel::look(&opened?, instance.master_name.as_deref()).await
    };
    let mut check = SentinelCheck {
        address: seed.address.clone(),
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    match looked.await {
        Ok(mut view) => {
            for peer in &mut view.peers {
                peer.address = reachable(&instance.map, &peer.address);
            }
            if view.others.is_empty() {
                let alone = "it knows no other Sentinel: alone it can hardly switch over";
                check.warnings.push(alone.to_owned());
            }
            (check, view)
        }
        Err(error) => {
            let none = matches!(&error, Useless::Node(NodeError::Said { command, .. })
                if command.starts_with("SENTINEL"));
            check.problems.push(if none {
                "this is no Sentinel: register the Sentinels of an instance that has them".into()
            } else {
                error.to_string()
            });
            (check, sentinel::View::default())
        }
    }
}

impl Found {
    /// Notes the shape; the nodes that belong to it and were not looked at yet.
    fn unseen(
        &mut self,
        instance: &Instance,
        peers: &mut Vec<Peer>,
        watched: bool,
    ) -> Vec<NodeSeed> {
        peers.sort_by(|a, b| a.address.cmp(&b.address));
        peers.dedup_by(|a, b| a.address == b.address);
        let watched = watched || !self.sentinels.is_empty();
        let facts: Vec<&Facts> = self
            .visits
            .iter()
            .filter_map(|v| v.facts.as_ref())
            .collect();
        self.shape = topology::shape(instance.topology, &facts, watched, None);
        let known: Vec<Known<'_>> = self
            .visits
            .iter()
            .map(|visit| Known {
                address: &visit.seed.address,
                facts: visit.facts.as_ref(),
                ready: visit.facts.is_some(),
            })
            .collect();
        let is_post = |seed: &&NodeSeed| {
            let asked = self.sentinels.iter().any(|s| s.address == seed.address);
            instance.topology == TopologyChoice::Sentinel || asked
        };
        let seeds = instance.seeds.iter().filter(|seed| !is_post(seed));
        let (wanted, _) = topology::members(&topology::Scene {
            shape: self.shape,
            seeds: &seeds.cloned().collect::<Vec<_>>(),
            tls: instance.seeds.first().is_some_and(|seed| seed.tls),
            known: &known,
            peers,
            map: &instance.map,
        });
        let new = |seed: &NodeSeed| {
            let visited = self.visits.iter().any(|v| v.seed.address == seed.address);
            // A seed that has just turned out to be a Sentinel is asked as one.
            !(visited || (watched && instance.seeds.contains(seed)))
        };
        wanted.into_iter().filter(new).collect()
    }

    /// The same server under two names: the registered one is kept.
    fn drop_doubles(&mut self) {
        let mut known: Vec<String> = Vec::new();
        self.visits.retain(|visit| {
            let Some(facts) = &visit.facts else {
                return true;
            };
            let first = facts.run_id.is_empty() || !known.contains(&facts.run_id);
            known.push(facts.run_id.clone());
            first
        });
    }

    /// A registered node that does not answer, and that the cluster does not list, is not one of
    /// its nodes.
    fn drop_unlisted(&mut self, instance: &Instance, peers: &[Peer]) {
        if !self.shape.is(Topology::Cluster) || peers.is_empty() {
            return;
        }
        let listed = |visit: &Visit| peers.iter().any(|p| p.address == visit.seed.address);
        let (stay, gone): (Vec<Visit>, Vec<Visit>) = std::mem::take(&mut self.visits)
            .into_iter()
            .partition(|visit| visit.facts.is_some() || listed(visit));
        self.visits = stay;
        let gone = gone.iter().filter(|v| instance.seeds.contains(&v.seed));
        let warnings: Vec<String> = gone
            .map(|visit| {
                let why = visit.problems.join(", ");
                format!(
                    "{} is registered, does not answer ({why}), and is no node of the cluster",
                    visit.seed.address
                )
            })
            .collect();
        if let Some(first) = self.visits.first_mut() {
            first.warnings.extend(warnings);
        }
    }

    /// What concerns the instance as a whole stands beside its first node.
    fn name_trouble(&mut self) {
        if self.visits.len() >= NODES_MAX
            && let Some(first) = self.visits.first_mut()
        {
            first.problems.push(format!(
                "the instance has {NODES_MAX} nodes or more; no more are driven"
            ));
        }
    }
}
