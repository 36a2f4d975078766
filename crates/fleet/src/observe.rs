//! What a node says of itself: its server, its part, where it keeps users.

use crate::cluster;
use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::reply;
use crate::topology::Peer;
use claviger_core::engine::{AclLevel, Engine, Family};
use claviger_core::ids::NodeAddress;
use claviger_core::node::{NodeRole, Persistence};

/// How many replicas of one primary are followed.
const REPLICAS_MAX: usize = 64;

/// How the server runs, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Standalone,
    Sentinel,
    Cluster,
}

/// A node, as it tells of itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) engine: Engine,
    pub(crate) mode: Mode,
    /// The process's own id; another one means that the server restarted.
    pub(crate) run_id: String,
    pub(crate) role: NodeRole,
    pub(crate) persistence: Persistence,
    /// It has a configuration file that may be rewritten.
    pub(crate) config_file: bool,
    /// The replicas that are connected to it.
    pub(crate) replicas: Vec<NodeAddress>,
    /// Whom it follows, if it is a replica.
    pub(crate) primary: Option<NodeAddress>,
    /// By which others know it: its id in the cluster, else its `run_id`.
    pub(crate) node_id: Box<str>,
    /// Its own address in a cluster, as announced.
    pub(crate) announced: Option<NodeAddress>,
    /// What it said of the cluster when it was met, until that is taken.
    pub(crate) view: Vec<Peer>,
}

/// Asks a node.
///
/// # Errors
/// When it does not answer, may not be asked, or answers nonsense.
pub(crate) async fn facts(link: &Link, tls: bool) -> Result<Facts, NodeError> {
    let mut batch = Batch::new();
    batch
        .word("INFO server")
        .word("INFO replication")
        .add("CONFIG GET", ["aclfile"]);
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Garbage("INFO")));
    let server = next()?;
    let replication = next()?;
    let aclfile = next();
    let server = reply::text(&server).ok_or(NodeError::Garbage("INFO"))?;
    let replication = reply::text(&replication).ok_or(NodeError::Garbage("INFO"))?;
    let engine = engine(&server).ok_or(NodeError::Garbage("INFO"))?;
    let has = |value| reply::field(value, "aclfile").is_some_and(|path| !path.is_empty());
    let in_aclfile = aclfile.as_ref().is_ok_and(has);
    let config_file = reply::info(&server, "config_file").is_some_and(|path| !path.is_empty())
        && (in_aclfile || !tears_lines(engine));
    let persistence = match aclfile {
        Ok(_) if in_aclfile => Persistence::Aclfile,
        Ok(_) if config_file => Persistence::Config,
        Ok(_) => Persistence::Volatile,
        // Not ours to know; saving will show.
        Err(_) => Persistence::Unknown,
    };
    let run_id = reply::info(&server, "run_id")
        .unwrap_or_default()
        .to_owned();
    let mut facts = Facts {
        engine,
        mode: match reply::mode(&server) {
            Some("sentinel") => Mode::Sentinel,
            Some("cluster") => Mode::Cluster,
            _ => Mode::Standalone,
        },
        run_id: run_id.clone(),
        role: NodeRole::Unknown,
        persistence,
        config_file,
        replicas: Vec::new(),
        primary: None,
        node_id: run_id.into_boxed_str(),
        announced: None,
        view: Vec::new(),
    };
    facts.relate(&replication);
    if facts.mode == Mode::Cluster {
        let view = cluster::look(link, tls).await?;
        (facts.node_id, facts.announced) = (view.id, view.announced);
        facts.view = view.peers;
    }
    Ok(facts)
}

/// Redis 6 reads its configuration file in pieces of 1,024 bytes when it rewrites it: of a longer
/// `user` line that stands there already, the rest is kept as a line of its own, and the server
/// does not start again (`docs/engines.md`, section 3). A user's line is as long as the server
/// likes to make it, so there users go into no configuration file.
pub(crate) fn tears_lines(engine: Engine) -> bool {
    matches!(engine.acl_level(), AclLevel::Users | AclLevel::Channels)
}

impl Facts {
    /// Takes in how the node stands to others, as INFO replication tells: all that may change
    /// while a connection lives. True if it is not as before.
    pub(crate) fn relate(&mut self, replication: &str) -> bool {
        let role = reply::info(replication, "role");
        let replica = matches!(role, Some("slave" | "replica"));
        let role = if replica {
            NodeRole::Replica
        } else {
            NodeRole::Primary
        };
        let replicas = replicas(replication);
        let primary = replica.then(|| primary(replication)).flatten();
        let same = role == self.role && replicas == self.replicas && primary == self.primary;
        (self.role, self.replicas, self.primary) = (role, replicas, primary);
        !same
    }
}

pub(crate) fn engine(server: &str) -> Option<Engine> {
    let of = |family, field| {
        reply::info(server, field).and_then(|version| Engine::parse(family, version))
    };
    of(Family::Valkey, "valkey_version")
        .or_else(|| of(Family::Redict, "redict_version"))
        .or_else(|| of(Family::Redis, "redis_version"))
}

/// `slave0:ip=127.0.0.1,port=7002,state=online,...`
pub(crate) fn replicas(replication: &str) -> Vec<NodeAddress> {
    let mut found = Vec::new();
    for line in replication.lines() {
        let Some((name, rest)) = line.split_once(':') else {
            continue;
        };
        let numbered = name
            .strip_prefix("slave")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if !numbered || found.len() == REPLICAS_MAX {
            continue;
        }
        let part = |key: &str| {
            rest.split(',')
                .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
        };
        if let (Some(ip), Some(port)) = (part("ip"), part("port")) {
            found.push(address(ip, port.trim()));
        }
    }
    found
}

pub(crate) fn primary(replication: &str) -> Option<NodeAddress> {
    let host = reply::info(replication, "master_host")?;
    let port = reply::info(replication, "master_port")?;
    Some(address(host, port))
}

/// `host:port`, IPv6 hosts in brackets.
pub(crate) fn address(host: &str, port: &str) -> NodeAddress {
    if host.contains(':') {
        NodeAddress::new(format!("[{host}]:{port}"))
    } else {
        NodeAddress::new(format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_replicas_and_primaries() {
        let text = "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\
            slave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\r\n\
            slave1:ip=fd00::3,port=6380,state=wait_bgsave,offset=0,lag=0,type=replica\r\n\
            slave_expires_tracked_keys:0\r\n";
        let found = replicas(text);
        assert_eq!(
            found,
            [
                NodeAddress::from("10.0.0.2:6379"),
                NodeAddress::from("[fd00::3]:6380")
            ]
        );
        let text = "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\n";
        assert_eq!(primary(text), Some(NodeAddress::from("10.0.0.1:6379")));
    }

    #[test]
    fn tells_families_apart() {
        let family = |text: &str| engine(text).map(|engine| engine.to_string());
        assert_eq!(
            family("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n"),
            Some("valkey 9.1.2".into())
        );
        assert_eq!(
            family("redis_version:6.2.14\r\n"),
            Some("redis 6.2.14".into())
        );
        assert_eq!(family("hello"), None);
    }
}
