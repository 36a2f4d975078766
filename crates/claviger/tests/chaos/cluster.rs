//! Three primaries and three replicas of a cluster. They announce the proxies to clients and
//! speak to each other beside them.

use crate::dice::Dice;
use crate::node::{Node, State, plain};
use crate::topology::{Topology, eventually};
use claviger_testkit::{EngineBinary, Keeps};
use std::net::TcpListener;
use tokio::runtime::Runtime;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// How far the cluster's own port is from a node's.
const BUS: u16 = 10_000;

pub(crate) struct Cluster {
    nodes: Vec<Node>,
}

/// A port that is free together with the one for the cluster itself.
fn port(dice: &mut Dice) -> u16 {
    loop {
        let port = 21_000 + u16::try_from(dice.below(10_000)).unwrap();
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + BUS) {
            return port;
        }
    }
}

impl Cluster {
    pub(crate) fn start(
        runtime: &Runtime,
        binary: &EngineBinary,
        own: bool,
        dice: &mut Dice,
    ) -> Result<Self, String> {
        let mut nodes = Vec::new();
        // Another test may take a port between the look and the start.
        let mut free = Dice::new(u64::from(std::process::id()), dice.next());
        for _ in 0..PRIMARIES * 2 {
            let port = port(&mut free);
            let lines = |announced: u16| {
                vec![
                    "cluster-enabled yes".to_owned(),
                    "cluster-node-timeout 1500".to_owned(),
                    "cluster-replica-validity-factor 0".to_owned(),
                    format!("cluster-announce-ip 127.0.0.1"),
                    format!("cluster-announce-port {announced}"),
                    format!("cluster-announce-bus-port {}", port + BUS),
                    "repl-timeout 5".to_owned(),
                ]
            };
            let keeps = *dice.pick(&[Keeps::Aclfile, Keeps::Config, Keeps::Nothing]);
            let seed = dice.next();
            nodes.push(Node::start_on(
                runtime, binary, keeps, &lines, own, seed, port,
            )?);
        }
        let mut cluster = Self { nodes };
        cluster.build()?;
        Ok(cluster)
    }

    fn build(&mut self) -> Result<(), String> {
        for (at, node) in self.nodes.iter().enumerate() {
            node.say(&format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1))?;
        }
        for (at, node) in self.nodes.iter().take(PRIMARIES).enumerate() {
            let share = |n: usize| SLOTS * n / PRIMARIES;
            let slots: Vec<String> = (share(at)..share(at + 1)).map(|s| s.to_string()).collect();
            node.say(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")))?;
        }
        for node in &self.nodes[1..] {
            let port = node.server.port();
            self.nodes[0].say(&format!("CLUSTER MEET 127.0.0.1 {port} {}", port + BUS))?;
        }
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        self.each("CLUSTER INFO", &known)?;
        for at in 0..PRIMARIES {
            let id = plain(&self.nodes[at].say("CLUSTER MYID")?);
            let replica = &self.nodes[PRIMARIES + at];
            eventually("a replica of the cluster", || {
                replica.say(&format!("CLUSTER REPLICATE {id}"))?;
                Ok(true)
            })?;
        }
        self.heal()
    }

    fn each(&self, command: &str, what: &str) -> Result<(), String> {
        eventually(&format!("every node says {what:?}"), || {
            for node in &self.nodes {
                let said = plain(&node.say(command)?);
                if !said.contains(what) {
                    return Err(format!("{}: {said}", node.address()));
                }
            }
            Ok(true)
        })
    }

    /// One slot goes to another primary.
    fn move_slot(&self, dice: &mut Dice) -> Result<Option<String>, String> {
        let primaries: Vec<&Node> = self
            .nodes
            .iter()
            .filter(|node| {
                node.state == State::Up
                    && node
                        .say("INFO replication")
                        .is_ok_and(|info| plain(&info).contains("role:master"))
            })
            .collect();
        let slot = dice.below(SLOTS);
        let (from, to) = (dice.pick(&primaries), dice.pick(&primaries));
        let (old, new) = (
            plain(&from.say("CLUSTER MYID")?),
            plain(&to.say("CLUSTER MYID")?),
        );
        // Refused by a node that does not have the slot: then nothing moves.
        if old == new
            || from
                .say(&format!("CLUSTER SETSLOT {slot} MIGRATING {new}"))
                .is_err()
        {
            return Ok(None);
        }
        to.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {old}"))
            .ok();
        for node in [to, from] {
            node.say(&format!("CLUSTER SETSLOT {slot} NODE {new}")).ok();
        }
        Ok(Some(format!("slot {slot} moved")))
    }
}

impl Topology for Cluster {
    fn name(&self) -> &'static str {
        "cluster"
    }

    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    fn registration(&self) -> serde_json::Value {
        serde_json::json!({"topology": "cluster"})
    }

    fn fail_over(&mut self, dice: &mut Dice) -> Result<Option<String>, String> {
        if dice.percent(40) {
            return self.move_slot(dice);
        }
        let node = dice.pick(&self.nodes);
        if node.state != State::Up {
            return Ok(None);
        }
        // Refused by a primary, and by a replica that is out of touch.
        let asked = node.say("CLUSTER FAILOVER");
        Ok(asked.ok().map(|_| format!("{} takes over", node.address())))
    }

    fn rejoin(&mut self, _: usize) -> Result<(), String> {
        Ok(())
    }

    fn heal(&mut self) -> Result<(), String> {
        self.each("CLUSTER INFO", "cluster_state:ok")
    }
}
