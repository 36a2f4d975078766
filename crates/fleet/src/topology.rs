//! Which nodes must agree. Standalone and replicated instances are driven; Sentinel and Cluster
//! are recognised, named, and left for later: their place is [`Shape`] and [`members`].

use crate::observe::{Facts, Mode};
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{NodeSeed, Topology, TopologyChoice};
use claviger_core::node::NodeRole;

/// The most nodes that one instance may have.
pub(crate) const NODES_MAX: usize = 128;

/// How an instance is built, and whether that is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Driven.
    Driven(Topology),
    /// Recognised, and not driven yet.
    NotDriven(Topology),
    /// No node has answered.
    Unknown,
}

impl Shape {
    pub(crate) fn topology(self) -> Option<Topology> {
        match self {
            Shape::Driven(topology) | Shape::NotDriven(topology) => Some(topology),
            Shape::Unknown => None,
        }
    }

    /// Why it is not driven.
    pub(crate) fn problem(self) -> Option<&'static str> {
        match self {
            Shape::NotDriven(Topology::Sentinel) => {
                Some("instances watched by Sentinel are not driven yet")
            }
            Shape::NotDriven(Topology::Cluster) => {
                Some("Redis and Valkey Cluster are not driven yet")
            }
            Shape::NotDriven(_) | Shape::Driven(_) | Shape::Unknown => None,
        }
    }
}

/// What the operator said, else what the nodes say of themselves.
pub(crate) fn shape(choice: TopologyChoice, nodes: &[&Facts]) -> Shape {
    let has = |mode| nodes.iter().any(|facts| facts.mode == mode);
    match choice {
        TopologyChoice::Sentinel => Shape::NotDriven(Topology::Sentinel),
        TopologyChoice::Cluster => Shape::NotDriven(Topology::Cluster),
        _ if has(Mode::Sentinel) => Shape::NotDriven(Topology::Sentinel),
        _ if has(Mode::Cluster) => Shape::NotDriven(Topology::Cluster),
        TopologyChoice::Standalone => Shape::Driven(Topology::Standalone),
        TopologyChoice::Replicated => Shape::Driven(Topology::Replicated),
        TopologyChoice::Auto if nodes.is_empty() => Shape::Unknown,
        TopologyChoice::Auto => {
            let replicated = nodes
                .iter()
                .any(|facts| facts.role == NodeRole::Replica || !facts.replicas.is_empty());
            Shape::Driven(if replicated {
                Topology::Replicated
            } else {
                Topology::Standalone
            })
        }
    }
}

/// The nodes that belong to the instance by what is known now: the registered ones, the primary
/// of each replica among them, and the replicas of each. Asked again when new ones have answered,
/// it follows chains of replicas.
pub(crate) fn members<'a>(
    shape: Shape,
    seeds: &[NodeSeed],
    facts: impl Iterator<Item = &'a Facts>,
) -> Vec<NodeSeed> {
    let mut found: Vec<NodeSeed> = Vec::new();
    let mut add = |address: &NodeAddress, tls: bool| {
        let known = found.iter().any(|seed| seed.address == *address);
        if !known && found.len() < NODES_MAX {
            found.push(NodeSeed {
                address: address.clone(),
                tls,
            });
        }
    };
    for seed in seeds {
        add(&seed.address, seed.tls);
    }
    match shape {
        Shape::Driven(Topology::Replicated) => {
            // Replicas are reached as their primary is.
            let tls = seeds.first().is_some_and(|seed| seed.tls);
            for facts in facts {
                for address in facts.primary.iter().chain(&facts.replicas) {
                    add(address, tls);
                }
            }
        }
        // Sentinel: SENTINEL REPLICAS of the master name; Cluster: CLUSTER NODES.
        Shape::Driven(_) | Shape::NotDriven(_) | Shape::Unknown => {}
    }
    found
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
        }
    }

    #[test]
    fn a_replica_leads_to_its_primary_and_that_to_all_replicas() {
        let seeds = [NodeSeed {
            address: NodeAddress::from("r1:1"),
            tls: true,
        }];
        let replica = facts(NodeRole::Replica, Some("p:1"), &[]);
        let shape = shape(TopologyChoice::Auto, &[&replica]);
        assert_eq!(shape, Shape::Driven(Topology::Replicated));
        let primary = facts(NodeRole::Primary, None, &["r1:1", "r2:1"]);
        let found = members(shape, &seeds, [&replica, &primary].into_iter());
        let names: Vec<_> = found.iter().map(|seed| seed.address.as_str()).collect();
        assert_eq!(names, ["r1:1", "p:1", "r2:1"]);
        assert!(found.iter().all(|seed| seed.tls));
    }

    #[test]
    fn standalone_stays_alone_when_forced() {
        let primary = facts(NodeRole::Primary, None, &["r1:1"]);
        assert_eq!(
            shape(TopologyChoice::Standalone, &[&primary]),
            Shape::Driven(Topology::Standalone)
        );
        assert_eq!(shape(TopologyChoice::Auto, &[]), Shape::Unknown);
        let mut cluster = primary;
        cluster.mode = Mode::Cluster;
        assert_eq!(
            shape(TopologyChoice::Auto, &[&cluster]),
            Shape::NotDriven(Topology::Cluster)
        );
    }
}
