//! How the nodes belong together. A topology is a few verbs; all else is done to nodes.

use crate::dice::Dice;
use crate::node::{Node, State, plain};
use claviger_core::engine::AclLevel;
use claviger_testkit::{EngineBinary, Keeps};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long nodes may take to find each other again once nothing is broken.
const HEALED_MAX: Duration = Duration::from_secs(90);

/// The nodes of one instance.
pub(crate) trait Topology {
    fn name(&self) -> &'static str;
    fn nodes(&self) -> &[Node];
    fn nodes_mut(&mut self) -> &mut [Node];
    /// What the registration says besides the nodes' addresses.
    fn registration(&self) -> serde_json::Value {
        serde_json::json!({})
    }
    /// The addresses to register; all nodes' if the topology has no other door.
    fn seeds(&self, own: bool) -> Vec<String> {
        self.nodes().iter().map(|node| node.url(own)).collect()
    }
    /// Another node leads from now on; what was done, or `None` if that is not possible now.
    fn fail_over(&mut self, dice: &mut Dice) -> Result<Option<String>, String>;
    /// After a node was started: it finds its place again.
    fn rejoin(&mut self, at: usize) -> Result<(), String>;
    /// Nothing is broken any more: waits until the nodes stand to each other as they should.
    fn heal(&mut self) -> Result<(), String>;
}

/// One primary and its replicas, watched by nobody but the operator.
pub(crate) struct Replicated {
    nodes: Vec<Node>,
    primary: usize,
}

/// A primary and two replicas, each keeping its users where the dice say.
pub(crate) fn replicated_nodes(
    runtime: &Runtime,
    binary: &EngineBinary,
    own: bool,
    dice: &mut Dice,
) -> Result<Vec<Node>, String> {
    // The configuration file of Redis 6 does not survive what Sentinel does to it.
    let mut keeps = vec![Keeps::Aclfile, Keeps::Nothing];
    if binary.engine.acl_level() >= AclLevel::Selectors {
        keeps.push(Keeps::Config);
    }
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..3 {
        let primary = nodes.first().map(|node| node.proxy.port());
        let lines = |port: u16| {
            let mut lines = vec![
                format!("replica-announce-port {port}"),
                "replica-announce-ip 127.0.0.1".to_owned(),
                "repl-timeout 5".to_owned(),
                "repl-ping-replica-period 1".to_owned(),
            ];
            lines.extend(primary.map(|port| format!("replicaof 127.0.0.1 {port}")));
            lines
        };
        let keeps = *dice.pick(&keeps);
        nodes.push(Node::start(
            runtime,
            binary,
            keeps,
            &lines,
            own,
            dice.next(),
        )?);
    }
    Ok(nodes)
}

impl Replicated {
    pub(crate) fn start(
        runtime: &Runtime,
        binary: &EngineBinary,
        own: bool,
        dice: &mut Dice,
    ) -> Result<Self, String> {
        let nodes = replicated_nodes(runtime, binary, own, dice)?;
        let mut replicated = Self { nodes, primary: 0 };
        replicated.heal()?;
        Ok(replicated)
    }

    /// The node leads or follows, as it should.
    fn place(&self, at: usize) -> Result<(), String> {
        let node = &self.nodes[at];
        if node.state != State::Up {
            return Ok(());
        }
        let info = plain(&node.say("INFO replication")?);
        if at == self.primary {
            if !info.contains("role:master") {
                node.say("REPLICAOF NO ONE")?;
            }
            return Ok(());
        }
        let port = self.nodes[self.primary].proxy.port();
        if !info.contains(&format!("master_port:{port}\r")) {
            node.say(&format!("REPLICAOF 127.0.0.1 {port}"))?;
        }
        Ok(())
    }
}

impl Topology for Replicated {
    fn name(&self) -> &'static str {
        "replicated"
    }

    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    fn fail_over(&mut self, dice: &mut Dice) -> Result<Option<String>, String> {
        let next = dice.below(self.nodes.len());
        if next == self.primary || self.nodes[next].state != State::Up {
            return Ok(None);
        }
        self.primary = next;
        self.place(next)?;
        for at in 0..self.nodes.len() {
            self.place(at)?;
        }
        Ok(Some(format!("{} leads", self.nodes[next].address())))
    }

    fn rejoin(&mut self, at: usize) -> Result<(), String> {
        self.place(at)
    }

    fn heal(&mut self) -> Result<(), String> {
        for at in 0..self.nodes.len() {
            self.place(at)?;
        }
        Ok(())
    }
}

/// Asks again until it is so.
pub(crate) fn eventually(
    what: &str,
    mut look: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let told = match look() {
            Ok(true) => return Ok(()),
            Ok(false) => String::new(),
            Err(error) => error,
        };
        if begun.elapsed() > HEALED_MAX {
            return Err(format!("not within {HEALED_MAX:?}: {what} {told}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
