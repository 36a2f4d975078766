//! A real cluster.

use crate::engines::EngineBinary;
use crate::server::{Server, ServerOptions};
use crate::session::text;
use anyhow::{Result, bail};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Slots of a cluster.
const SLOTS: u16 = 16384;
/// How far the cluster's own port is from a node's: fixed before 7.0.
const BUS: u16 = 10_000;
/// How long the nodes may take to agree.
const AGREED_MAX: Duration = Duration::from_secs(60);

/// A cluster.
pub struct Cluster {
    /// Its nodes: the primaries, then the replicas, and what was added.
    pub nodes: Vec<Server>,
    binary: EngineBinary,
    options: ServerOptions,
    /// Each node's port for TLS, if they speak it.
    tls: Option<Vec<u16>>,
}

impl Cluster {
    /// Starts so many primaries, and a replica for each of the first `replicas` of them, and
    /// waits until the nodes agree. A node is taken for down after 1,000 ms.
    ///
    /// # Errors
    /// When a node does not come up, or they do not agree.
    pub fn start(
        binary: &EngineBinary,
        primaries: u16,
        replicas: u16,
        options: &ServerOptions,
    ) -> Result<Self> {
        Self::build(binary, primaries, replicas, options, None)
    }

    /// The same, where the nodes speak TLS among themselves and to clients; `options` name the
    /// files. They also listen without, for the tests.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub fn start_tls(
        binary: &EngineBinary,
        primaries: u16,
        replicas: u16,
        options: &ServerOptions,
    ) -> Result<Self> {
        Self::build(binary, primaries, replicas, options, Some(Vec::new()))
    }

    fn build(
        binary: &EngineBinary,
        primaries: u16,
        replicas: u16,
        options: &ServerOptions,
        tls: Option<Vec<u16>>,
    ) -> Result<Self> {
        let mut cluster = Self {
            nodes: Vec::new(),
            binary: binary.clone(),
            options: options.clone(),
            tls,
        };
        for _ in 0..primaries + replicas {
            cluster.launch()?;
        }
        for (at, node) in cluster.nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()])?;
        }
        for at in 0..primaries {
            let share = |n: u16| u32::from(SLOTS) * u32::from(n) / u32::from(primaries);
            let slots: Vec<String> = (share(at)..share(at + 1)).map(|s| s.to_string()).collect();
            let mut words = vec!["CLUSTER", "ADDSLOTS"];
            words.extend(slots.iter().map(String::as_str));
            cluster.nodes[usize::from(at)].ask(&words)?;
        }
        for at in 1..cluster.nodes.len() {
            cluster.meet(at)?;
        }
        cluster.agree(cluster.nodes.len())?;
        for at in 0..replicas {
            cluster.replicate(usize::from(primaries + at), usize::from(at))?;
        }
        cluster.await_healthy()?;
        Ok(cluster)
    }

    fn launch(&mut self) -> Result<()> {
        let mut options = self.options.clone();
        options.port = Some(port()?);
        options.lines.extend([
            "cluster-enabled yes".to_owned(),
            "cluster-node-timeout 1000".to_owned(),
            "cluster-replica-validity-factor 0".to_owned(),
        ]);
        if let Some(ports) = &mut self.tls {
            let port = port()?;
            options.lines.push(format!("tls-port {port}"));
            options.lines.push("tls-cluster yes".to_owned());
            options.lines.push("tls-replication yes".to_owned());
            ports.push(port);
        }
        self.nodes.push(Server::start(&self.binary, &options)?);
        Ok(())
    }

    /// Adds an empty node: its place in [`Cluster::nodes`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn add(&mut self) -> Result<usize> {
        self.launch()?;
        let at = self.nodes.len() - 1;
        self.meet(at)?;
        Ok(at)
    }

    fn meet(&self, at: usize) -> Result<()> {
        let port = match &self.tls {
            Some(ports) => ports[at],
            None => self.nodes[at].port(),
        };
        let port = port.to_string();
        self.nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port])?;
        Ok(())
    }

    /// A node's port for TLS; 0 if there is none.
    pub fn tls_port(&self, at: usize) -> u16 {
        let ports = self.tls.as_deref().unwrap_or_default();
        ports.get(at).copied().unwrap_or(0)
    }

    /// The node's id in the cluster.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn id(&self, at: usize) -> Result<String> {
        Ok(text(&self.nodes[at].ask(&["CLUSTER", "MYID"])?))
    }

    /// Makes a node the replica of another, once it knows it.
    ///
    /// # Errors
    /// When it refuses for long.
    pub fn replicate(&self, at: usize, of: usize) -> Result<()> {
        let id = self.id(of)?;
        let begun = Instant::now();
        loop {
            match self.nodes[at].ask(&["CLUSTER", "REPLICATE", &id]) {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > AGREED_MAX => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Has all other nodes forget one that does not run any more.
    ///
    /// # Errors
    /// When one refuses.
    pub fn forget(&self, id: &str, gone: usize) -> Result<()> {
        for (at, node) in self.nodes.iter().enumerate() {
            if at != gone {
                node.ask(&["CLUSTER", "FORGET", id])?;
            }
        }
        Ok(())
    }

    /// Moves a slot without keys.
    ///
    /// # Errors
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) -> Result<()> {
        let (slot, old, new) = (slot.to_string(), self.id(from)?, self.id(to)?);
        self.nodes[to].ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &old])?;
        self.nodes[from].ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &new])?;
        for at in [to, from] {
            self.nodes[at].ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &new])?;
        }
        Ok(())
    }

    /// Waits until every node knows so many.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn agree(&self, count: usize) -> Result<()> {
        let known = format!("cluster_known_nodes:{count}\r");
        self.each_says("CLUSTER INFO", &known)
    }

    /// Waits until every node finds the cluster whole, and every replica is linked.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn await_healthy(&self) -> Result<()> {
        self.each_says("CLUSTER INFO", "cluster_state:ok")?;
        let begun = Instant::now();
        while !self.nodes.iter().all(|node| {
            let info = node.ask(&["INFO", "replication"]).map(|info| text(&info));
            info.is_ok_and(|info| !info.contains("master_link_status:down"))
        }) {
            if begun.elapsed() > AGREED_MAX {
                bail!("a replica is not linked");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn each_says(&self, command: &str, what: &str) -> Result<()> {
        let words: Vec<&str> = command.split(' ').collect();
        let begun = Instant::now();
        while !self.nodes.iter().all(|node| {
            let answer = node.ask(&words).map(|answer| text(&answer));
            answer.is_ok_and(|answer| answer.contains(what))
        }) {
            if begun.elapsed() > AGREED_MAX {
                bail!("the nodes do not all say {what}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// A port that is free together with the one for the cluster itself.
fn port() -> Result<u16> {
    for _ in 0..1_000 {
        let random = RandomState::new().build_hasher().finish() % 10_000;
        let port = 11_000 + u16::try_from(random)?;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + BUS) {
            return Ok(port);
        }
    }
    bail!("no free pair of ports")
}
