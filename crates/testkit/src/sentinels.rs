//! Real Sentinels over a primary and its replicas.

use crate::engines::EngineBinary;
use crate::server::{Keeps, Server, ServerOptions, free_port};
use crate::session::text;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// The name that they know the primary by.
pub const MASTER: &str = "main";
/// How long they may take to know everyone.
const KNOWN_MAX: Duration = Duration::from_secs(30);

/// How the Sentinels watch.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// User and password with which they log in to the nodes.
    pub login: Option<(Option<String>, String)>,
    /// Further lines of configuration for each.
    pub lines: Vec<String>,
    /// The primary's port for TLS: the Sentinels speak that to nodes and to each other, and
    /// listen on it as well; `lines` name the files.
    pub tls: Option<u16>,
}

/// Sentinels.
pub struct Sentinels {
    /// Each of them.
    pub each: Vec<Server>,
    /// Their ports for TLS, if they have them.
    pub tls_ports: Vec<u16>,
}

impl Sentinels {
    /// Starts so many over the primary, whose replicas are linked, and waits until each knows
    /// the others and the replicas. They take a node for down after a second.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn start(
        binary: &EngineBinary,
        count: usize,
        primary: &Server,
        replicas: usize,
        watched: &Watched,
    ) -> Result<Self> {
        let quorum = count / 2 + 1;
        let mut lines = vec![
            format!(
                "sentinel monitor {MASTER} 127.0.0.1 {} {quorum}",
                watched.tls.unwrap_or(primary.port())
            ),
            format!("sentinel down-after-milliseconds {MASTER} 1000"),
            format!("sentinel failover-timeout {MASTER} 2000"),
        ];
        if let Some((user, password)) = &watched.login {
            if let Some(user) = user {
                lines.push(format!("sentinel auth-user {MASTER} {user}"));
            }
            lines.push(format!("sentinel auth-pass {MASTER} {password}"));
        }
        lines.extend(watched.lines.iter().cloned());
        let options = ServerOptions {
            keeps: Keeps::Config,
            lines,
            sentinel: true,
            ..ServerOptions::default()
        };
        let mut sentinels = Self {
            each: Vec::new(),
            tls_ports: Vec::new(),
        };
        for _ in 0..count {
            let mut options = options.clone();
            if watched.tls.is_some() {
                let port = free_port()?;
                options.lines.push(format!("tls-port {port}"));
                options.lines.push("tls-replication yes".to_owned());
                sentinels.tls_ports.push(port);
            }
            sentinels.each.push(Server::start(binary, &options)?);
        }
        let begun = Instant::now();
        while !sentinels.each.iter().all(|s| knows(s, count - 1, replicas)) {
            if begun.elapsed() > KNOWN_MAX {
                bail!("the Sentinels do not know each other");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sentinels)
    }

    /// The address of the primary as the first one that answers says.
    pub fn primary(&self) -> Option<String> {
        self.each.iter().find_map(|sentinel| {
            let answer = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]);
            match answer.ok()? {
                redis::Value::Array(words) => {
                    let words: Vec<String> = words.iter().map(text).collect();
                    Some(words.join(":"))
                }
                _ => None,
            }
        })
    }

    /// Each finds the primary well, and is not in the middle of a failover.
    pub fn are_calm(&self) -> bool {
        let calm = |sentinel: &Server| {
            let answer = sentinel.ask(&["SENTINEL", "MASTER", MASTER]);
            answer.is_ok_and(|answer| field(&answer, "flags").as_deref() == Some("master"))
        };
        self.each.iter().all(calm)
    }

    /// Has them switch over, trying until they can.
    ///
    /// # Errors
    /// When they refuse for long.
    pub fn switch(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.each[0].ask(&["SENTINEL", "FAILOVER", MASTER]) {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > KNOWN_MAX => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// It knows so many others, and so many replicas that it could promote. Asked without a login,
/// so a protected one is taken to know them.
fn knows(sentinel: &Server, others: usize, replicas: usize) -> bool {
    let answer = match sentinel.ask(&["SENTINEL", "MASTER", MASTER]) {
        Ok(answer) => answer,
        Err(error) => return error.to_string().starts_with("NOAUTH"),
    };
    let count = |name| field(&answer, name).and_then(|count| count.parse().ok());
    count("num-other-sentinels") == Some(others) && count("num-slaves") == Some(replicas)
}

/// A field of a list of names and values in turn.
fn field(answer: &redis::Value, name: &str) -> Option<String> {
    let redis::Value::Array(words) = answer else {
        return None;
    };
    let at = words
        .iter()
        .step_by(2)
        .position(|word| text(word) == name)?;
    words.get(2 * at + 1).map(text)
}
