//! Which nodes must agree.

use crate::observe::{Facts, Mode};
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{NodeSeed, Topology, TopologyChoice};
use claviger_core::node::NodeRole;
use claviger_core::reach::{AddressMap, reachable};

/// The most nodes that one instance may have.
pub(crate) const NODES_MAX: usize = 256;

/// How an instance is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// So.
    Known(Topology),
    /// No node has answered.
    Unknown,
}

impl Shape {
    pub(crate) fn topology(self) -> Option<Topology> {
        match self {
            Shape::Known(topology) => Some(topology),
            Shape::Unknown => None,
        }
    }

    pub(crate) fn is(self, topology: Topology) -> bool {
        self.topology() == Some(topology)
    }
}

/// A node as the cluster, or a Sentinel, lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where it is reached: the announced address, put through the instance's map.
    pub(crate) address: NodeAddress,
    /// The identity that whoever lists it knows it by: its id in the cluster, or its `run_id`.
    pub(crate) id: Box<str>,
    pub(crate) role: NodeRole,
}

/// A node that we hold.
pub(crate) struct Known<'a> {
    pub(crate) address: &'a NodeAddress,
    pub(crate) facts: Option<&'a Facts>,
    /// It answers, and the facts are of now.
    pub(crate) ready: bool,
}

impl Known<'_> {
    /// It is the node that is listed so. A node that is away and was listed under another address
    /// when it was last seen has moved: what answers at the new address is looked at anew.
    fn is(&self, peer: &Peer, map: &[AddressMap]) -> bool {
        if *self.address == peer.address {
            return true;
        }
        let Some(facts) = self
            .facts
            .filter(|f| !peer.id.is_empty() && f.node_id == peer.id)
        else {
            return false;
        };
        let announced = facts.announced.as_ref().map(|a| reachable(map, a));
        self.ready || announced.as_ref() == Some(&peer.address)
    }
}

/// What the operator said, else what the nodes say of themselves. `watched`: there are Sentinels
/// among those that answer; `before` is how it was last seen, for when only replicas answer.
pub(crate) fn shape(
    choice: TopologyChoice,
    nodes: &[&Facts],
    watched: bool,
    before: Option<Topology>,
) -> Shape {
    let has = |mode| nodes.iter().any(|facts| facts.mode == mode);
    match choice {
        TopologyChoice::Standalone => Shape::Known(Topology::Standalone),
        TopologyChoice::Replicated => Shape::Known(Topology::Replicated),
        TopologyChoice::Sentinel => Shape::Known(Topology::Sentinel),
        TopologyChoice::Cluster => Shape::Known(Topology::Cluster),
        TopologyChoice::Auto if watched => Shape::Known(Topology::Sentinel),
        TopologyChoice::Auto if has(Mode::Cluster) => Shape::Known(Topology::Cluster),
        TopologyChoice::Auto if before == Some(Topology::Sentinel) => {
            Shape::Known(Topology::Sentinel)
        }
        TopologyChoice::Auto if nodes.is_empty() => Shape::Unknown,
        TopologyChoice::Auto => {
            let replicated = nodes
                .iter()
                .any(|facts| facts.role == NodeRole::Replica || !facts.replicas.is_empty());
            Shape::Known(if replicated {
                Topology::Replicated
            } else {
                Topology::Standalone
            })
        }
    }
}

/// What is known of an instance's nodes, for [`members`].
pub(crate) struct Scene<'a> {
    pub(crate) shape: Shape,
    /// The registered nodes, without Sentinels.
    pub(crate) seeds: &'a [NodeSeed],
    /// Found nodes speak TLS, as the first registered one does.
    pub(crate) tls: bool,
    pub(crate) known: &'a [Known<'a>],
    /// What the cluster, or the Sentinels, list; empty if that is not known.
    pub(crate) peers: &'a [Peer],
    pub(crate) map: &'a [AddressMap],
}

/// The nodes that belong to the instance by what is known now. Asked again when new ones have
/// answered, it follows chains of replicas. The second value: there are more than are driven.
pub(crate) fn members(scene: &Scene<'_>) -> (Vec<NodeSeed>, bool) {
    let mut found: Vec<NodeSeed> = Vec::new();
    let mut more = false;
    let mut add = |address: &NodeAddress, tls: bool| {
        if found.iter().any(|seed| seed.address == *address) {
            return;
        }
        more |= found.len() >= NODES_MAX;
        if found.len() < NODES_MAX {
            let address = address.clone();
            found.push(NodeSeed { address, tls });
        }
    };
    let cluster = scene.shape.is(Topology::Cluster);
    if !cluster || scene.peers.is_empty() {
        scene
            .seeds
            .iter()
            .for_each(|seed| add(&seed.address, seed.tls));
    }
    if cluster || scene.shape.is(Topology::Sentinel) {
        for peer in scene.peers {
            // A node that we know under another name stays under that one.
            let held = scene.known.iter().find(|known| known.is(peer, scene.map));
            add(held.map_or(&peer.address, |known| known.address), scene.tls);
        }
    }
    if matches!(
        scene.shape,
        Shape::Known(Topology::Replicated | Topology::Sentinel)
    ) {
        for facts in scene.known.iter().filter_map(|known| known.facts) {
            for address in facts.primary.iter().chain(&facts.replicas) {
                add(&reachable(scene.map, address), scene.tls);
            }
        }
    }
    (found, more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_core::engine::{Engine, Family};
    use claviger_core::node::Persistence;

    fn facts(role: NodeRole, primary: Option<&str>, replicas: &[&str]) -> Facts {
        Facts {
            engine: Engine {
                family: Family::Redis,
                major: 7,
                minor: 0,
                patch: 15,
            },
            mode: Mode::Standalone,
            run_id: String::new(),
            role,
            persistence: Persistence::Volatile,
            config_file: false,
            replicas: replicas.iter().map(|a| NodeAddress::from(*a)).collect(),
            primary: primary.map(NodeAddress::from),
            node_id: Box::default(),
            announced: None,
            view: Vec::new(),
        }
    }

    fn names(scene: &Scene<'_>) -> Vec<String> {
        let (found, more) = members(scene);
        assert!(!more);
        found.iter().map(|seed| seed.address.to_string()).collect()
    }

    fn peer(address: &str, id: &str) -> Peer {
        Peer {
            address: address.into(),
            id: id.into(),
            role: NodeRole::Primary,
        }
    }

    #[test]
    fn a_replica_leads_to_its_primary_and_that_to_all_replicas() {
        let seeds = [NodeSeed {
            address: NodeAddress::from("r1:1"),
            tls: true,
        }];
        let replica = facts(NodeRole::Replica, Some("p:1"), &[]);
        let shape = shape(TopologyChoice::Auto, &[&replica], false, None);
        assert_eq!(shape, Shape::Known(Topology::Replicated));
        let primary = facts(NodeRole::Primary, None, &["r1:1", "r2:1"]);
        let (one, other) = ("r1:1".into(), "p:1".into());
        let known = [(&one, &replica), (&other, &primary)].map(|(address, facts)| Known {
            address,
            facts: Some(facts),
            ready: true,
        });
        let scene = Scene {
            shape,
            seeds: &seeds,
            tls: true,
            known: &known,
            peers: &[],
            map: &[],
        };
        assert_eq!(names(&scene), ["r1:1", "p:1", "r2:1"]);
        assert!(members(&scene).0.iter().all(|seed| seed.tls));
    }

    #[test]
    fn what_is_forced_stays() {
        let primary = facts(NodeRole::Primary, None, &["r1:1"]);
        let of = |choice, nodes: &[&Facts]| shape(choice, nodes, false, None);
        assert_eq!(
            of(TopologyChoice::Standalone, &[&primary]),
            Shape::Known(Topology::Standalone)
        );
        assert_eq!(of(TopologyChoice::Auto, &[]), Shape::Unknown);
        let mut cluster = primary.clone();
        cluster.mode = Mode::Cluster;
        assert_eq!(
            of(TopologyChoice::Auto, &[&cluster]),
            Shape::Known(Topology::Cluster)
        );
        let sentinel = Some(Topology::Sentinel);
        assert_eq!(
            shape(TopologyChoice::Auto, &[&primary], false, sentinel),
            Shape::Known(Topology::Sentinel)
        );
    }

    #[test]
    fn a_cluster_is_what_it_lists_and_names_stay() {
        let seeds = ["localhost:1", "gone:1"].map(|address| NodeSeed {
            address: address.into(),
            tls: false,
        });
        let mut held = facts(NodeRole::Primary, None, &[]);
        held.node_id = "aa".into();
        held.announced = Some("10.0.0.1:1".into());
        let address = NodeAddress::from("localhost:1");
        let peers = [peer("10.0.0.1:1", "aa"), peer("10.0.0.2:1", "bb")];
        let scene = |peers, ready| {
            let known = [Known {
                address: &address,
                facts: Some(&held),
                ready,
            }];
            names(&Scene {
                shape: Shape::Known(Topology::Cluster),
                seeds: &seeds,
                tls: false,
                known: &known,
                peers,
                map: &[],
            })
        };
        assert_eq!(scene(&[], true), ["localhost:1", "gone:1"]);
        assert_eq!(scene(&peers, true), ["localhost:1", "10.0.0.2:1"]);
        assert_eq!(scene(&peers, false), ["localhost:1", "10.0.0.2:1"]);
        // The same node at another address.
        let moved = [peer("10.0.0.9:1", "aa")];
        assert_eq!(scene(&moved, true), ["localhost:1"]);
        assert_eq!(scene(&moved, false), ["10.0.0.9:1"]);
    }
}
