//! A primary and two replicas watched by three Sentinels, which see them through the proxies: a
//! fault that lasts makes them switch.

use crate::dice::Dice;
use crate::node::{ADMIN, Node, State, plain};
use crate::topology::{Topology, eventually, replicated_nodes};
use claviger_testkit::{EngineBinary, Keeps, Server, ServerOptions, Session};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NAME: &str = "main";
/// How long the Sentinels may take to agree by themselves.
const DISPUTE_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Sentinel {
    nodes: Vec<Node>,
    sentinels: Vec<Server>,
}

impl Sentinel {
    pub(crate) fn start(
        runtime: &Runtime,
        binary: &EngineBinary,
        own: bool,
        dice: &mut Dice,
    ) -> Result<Self, String> {
        let nodes = replicated_nodes(runtime, binary, own, dice)?;
        let port = nodes[0].proxy.port();
        let mut lines = vec![
            format!("sentinel monitor {NAME} 127.0.0.1 {port} 2"),
            format!("sentinel down-after-milliseconds {NAME} 1000"),
            format!("sentinel failover-timeout {NAME} 3000"),
            format!("sentinel auth-pass {NAME} {}", ADMIN.1),
        ];
        lines.push(format!("sentinel auth-user {NAME} {}", ADMIN.0));
        let options = ServerOptions {
            keeps: Keeps::Config,
            lines,
            sentinel: true,
            ..ServerOptions::default()
        };
        let sentinels: Result<Vec<Server>, String> = (0..3)
            .map(|_| Server::start(binary, &options).map_err(|e| format!("{e:#}")))
            .collect();
        let mut made = Self {
            nodes,
            sentinels: sentinels?,
        };
        made.heal()?;
        Ok(made)
    }

    fn ask(&self, at: usize, command: &str) -> Result<redis::Value, String> {
        let mut session =
            Session::open(&self.sentinels[at].address()).map_err(|e| e.to_string())?;
        let words: Vec<&str> = command.split(' ').collect();
        session.ask(&words).map_err(|e| e.to_string())
    }

    /// What each Sentinel makes of each node, and what it has logged last.
    fn views(&self) -> String {
        let mut views = String::new();
        for (at, sentinel) in self.sentinels.iter().enumerate() {
            let mut told = Vec::new();
            for command in ["MASTER", "REPLICAS"] {
                let answer = self.ask(at, &format!("SENTINEL {command} {NAME}"));
                told.push(answer.map_or_else(|error| error, |answer| plain(&answer)));
            }
            let log = std::fs::read_to_string(sentinel.directory().join("log"));
            let log = log.unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n  ");
            views.push_str(&format!(
                "{}\n  {}\n  {last}\n",
                sentinel.address(),
                told.join("\n  ")
            ));
        }
        for node in &self.nodes {
            let info = node.say("INFO replication").map(|info| plain(&info));
            views.push_str(&format!("{} {:?} {info:?}\n", node.address(), node.state));
        }
        views
    }

    /// The place of the primary, if all Sentinels name the same.
    fn primary(&self) -> Option<usize> {
        let named = self.named();
        let [one] = named.as_slice() else {
            return None;
        };
        let of = |node: &Node| *one == node.proxy.port().to_string();
        self.nodes.iter().position(of)
    }

    /// The port of the primary that each Sentinel names.
    fn each_names(&self) -> Vec<String> {
        let names = |at| {
            let command = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}");
            let named = self.ask(at, &command).map(|named| plain(&named));
            let named = named.unwrap_or_default();
            let port = named.trim_matches(['[', ']']).split('|').next_back();
            port.unwrap_or_default().to_owned()
        };
        (0..self.sentinels.len()).map(names).collect()
    }

    /// The ports that they name, the one that most of them name first.
    fn named(&self) -> Vec<String> {
        let each = self.each_names();
        let mut named = each.clone();
        named.sort_by_key(|port| {
            let by = each.iter().filter(|other| *other == port).count();
            (std::cmp::Reverse(by), port.clone())
        });
        named.dedup();
        named
    }

    /// A switch by hand asks no other Sentinel. One that meets another switch under way can end
    /// in two primaries under the same number, and no Sentinel gives way to an equal: it takes
    /// another switch, which has a greater one.
    fn settle_dispute(&self) {
        let (named, each) = (self.named(), self.each_names());
        let of_most = (0..each.len()).find(|at| named.first() == each.get(*at));
        if let Some(at) = of_most {
            // Refused while there is one: it is asked for again.
            let _ = self.ask(at, &format!("SENTINEL FAILOVER {NAME}"));
        }
    }
}

impl Topology for Sentinel {
    fn name(&self) -> &'static str {
        "sentinel"
    }

    fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    fn registration(&self) -> serde_json::Value {
        serde_json::json!({"topology": "sentinel", "master_name": NAME})
    }

    fn seeds(&self, own: bool) -> Vec<String> {
        let login = crate::node::login(own);
        let urls = self.sentinels.iter();
        urls.map(|s| format!("redis://{login}{}", s.address()))
            .collect()
    }

    fn fail_over(&mut self, dice: &mut Dice) -> Result<Option<String>, String> {
        let at = dice.below(self.sentinels.len());
        if dice.percent(50) {
            // Refused while a switch is under way, or while no replica is good enough.
            let asked = self.ask(at, &format!("SENTINEL FAILOVER {NAME}"));
            return Ok(asked.ok().map(|_| "SENTINEL FAILOVER".to_owned()));
        }
        let Some(primary) = self.primary() else {
            return Ok(None);
        };
        if self.nodes.iter().any(|node| node.state != State::Up) {
            return Ok(None);
        }
        self.nodes[primary].kill();
        self.nodes[primary].drifted = true;
        let switched = eventually("the Sentinels switch", || {
            Ok(self.primary().is_some_and(|now| now != primary))
        });
        self.nodes[primary].start_again()?;
        self.rejoin(primary)?;
        // The others may all be broken just now.
        Ok(switched.ok().map(|()| "a crash of the primary".to_owned()))
    }

    /// A node that starts with an old file, or with the words of its first start, follows whom it
    /// followed then. A primary that does so follows its own replica: none of them has a link, and
    /// once the Sentinels notice, none has had one for so long that none is good enough to be
    /// promoted. They never get out of that; whoever starts a node must ask them first.
    fn rejoin(&mut self, at: usize) -> Result<(), String> {
        let named = self.named();
        let Some(port) = named.first() else {
            return Ok(());
        };
        let node = &self.nodes[at];
        let said = if *port == node.proxy.port().to_string() {
            node.say("REPLICAOF NO ONE")
        } else {
            node.say(&format!("REPLICAOF 127.0.0.1 {port}"))
        };
        said.map(drop)
    }

    fn heal(&mut self) -> Result<(), String> {
        let mut disputed = Instant::now();
        let healed = eventually("the Sentinels have everyone in place", || {
            let Some(primary) = self.primary() else {
                if disputed.elapsed() > DISPUTE_MAX {
                    self.settle_dispute();
                    disputed = Instant::now();
                }
                return Err("they do not agree on a primary".to_owned());
            };
            let port = self.nodes[primary].proxy.port();
            for (at, node) in self.nodes.iter().enumerate() {
                let info = plain(&node.say("INFO replication")?);
                let right = if at == primary {
                    info.contains("role:master")
                } else {
                    info.contains("role:slave") && info.contains(&format!("master_port:{port}\r"))
                };
                if !right {
                    let lines = info
                        .lines()
                        .filter(|line| line.starts_with("role") || line.starts_with("master_"));
                    let lines: Vec<&str> = lines.take(4).collect();
                    return Err(format!("{} says {lines:?}, primary {port}", node.address()));
                }
            }
            Ok(true)
        });
        healed.map_err(|error| format!("{error}\n{}", self.views()))
    }
}
