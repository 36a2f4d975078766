//! Simulated nodes: thousands of them on one listener, each with its own users.
//!
//! The whole of 127.0.0.0/8 is this machine, so a listener on 0.0.0.0 serves as many nodes as
//! there are loopback addresses: `127.1.0.7:PORT` and `127.1.0.8:PORT` are two nodes with users
//! of their own. They speak as much RESP2 as driving a node takes; rules are kept as the text
//! that was sent. For scale tests and benches: what a real server answers is tested on real ones.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Many simulated nodes on one port.
pub struct SimNodes {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    nodes: Mutex<HashMap<IpAddr, Node>>,
    commands: AtomicU64,
    connections: AtomicU64,
    attempts: AtomicU64,
    unheard: AtomicU64,
    down: AtomicBool,
    cut: Notify,
}

struct Node {
    users: BTreeMap<String, User>,
    run_id: u64,
    /// How often its connections were ended.
    cuts: u64,
    down: bool,
    mute: bool,
    /// Commands that it has answered.
    heard: u64,
}

#[derive(Clone, Default)]
struct User {
    on: bool,
    digests: Vec<String>,
    rules: Vec<String>,
}

impl Node {
    fn fresh(run_id: u64) -> Self {
        let open = User {
            on: true,
            digests: Vec::new(),
            rules: vec!["~*".into(), "+@all".into()],
        };
        Self {
            users: BTreeMap::from([("default".into(), open)]),
            run_id,
            cuts: 0,
            down: false,
            mute: false,
            heard: 0,
        }
    }

    fn wipe(&mut self) {
        self.users = Self::fresh(0).users;
        self.run_id += 1;
    }
}

impl Shared {
    /// Does something with a node; with a new one if nobody has spoken to it yet.
    fn with<T>(&self, ip: IpAddr, act: impl FnOnce(&mut Node) -> T) -> T {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        act(nodes.entry(ip).or_insert_with(|| Node::fresh(1)))
    }

    fn with_all(&self, act: impl FnMut(&mut Node)) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.values_mut().for_each(act);
    }

    /// Until connections of the node are ended that were there when it had seen so many ends.
    async fn end(&self, ip: IpAddr, cuts: u64) {
        loop {
            let mut cut = std::pin::pin!(self.cut.notified());
            cut.as_mut().enable();
            if self.with(ip, |node| node.cuts) != cuts {
                return;
            }
            cut.await;
        }
    }
}

/// The `n`th node's loopback address; up to 16 million.
pub fn address_of(n: u32) -> Ipv4Addr {
    let [_, b, c, d] = (n + 0x0001_0001).to_be_bytes();
    Ipv4Addr::new(127, b, c, d)
}

impl SimNodes {
    /// Listens on a free port, on every loopback address.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                shared.attempts.fetch_add(1, Ordering::Relaxed);
                let Ok(ip) = stream.local_addr().map(|address| address.ip()) else {
                    continue;
                };
                let (down, cuts) = shared.with(ip, |node| (node.down, node.cuts));
                if down || shared.down.load(Ordering::Relaxed) {
                    continue;
                }
                tokio::spawn(async move {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    tokio::select! {
                        // A client that goes away is the ordinary end of a connection.
                        _ended = serve(stream, ip, &shared) => {}
                        () = shared.end(ip, cuts) => {}
                    }
                    shared.connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self { port, shared })
    }

    /// The `n`th node.
    pub fn address(&self, n: u32) -> SocketAddr {
        SocketAddr::from((address_of(n), self.port))
    }

    /// Commands answered so far, by all nodes together.
    pub fn commands(&self) -> u64 {
        self.shared.commands.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections that were ever asked for.
    pub fn attempts(&self) -> u64 {
        self.shared.attempts.load(Ordering::Relaxed)
    }

    /// Commands that mute nodes have got so far, and will not answer.
    pub fn unheard(&self) -> u64 {
        self.shared.unheard.load(Ordering::Relaxed)
    }

    /// One node takes connections and commands and answers nothing any more.
    pub fn mute(&self, n: u32) {
        self.shared
            .with(address_of(n).into(), |node| node.mute = true);
    }

    /// Commands that the `n`th node has answered so far.
    pub fn heard(&self, n: u32) -> u64 {
        self.shared.with(address_of(n).into(), |node| node.heard)
    }

    /// One node's connections end.
    pub fn cut(&self, n: u32) {
        self.shared
            .with(address_of(n).into(), |node| node.cuts += 1);
        self.shared.cut.notify_waiters();
    }

    /// One node stops: its connections end, and new ones end at once; or it runs again.
    pub fn stop(&self, n: u32, down: bool) {
        self.shared
            .with(address_of(n).into(), |node| node.down = down);
        if down {
            self.cut(n);
        }
    }

    /// All nodes stop: connections end, and new ones end at once; or they run again, with the
    /// users that they had.
    pub fn stop_all(&self, down: bool) {
        self.shared.down.store(down, Ordering::Relaxed);
        if down {
            self.cut_all();
        }
    }

    fn cut_all(&self) {
        self.shared.with_all(|node| node.cuts += 1);
        self.shared.cut.notify_waiters();
    }

    /// All nodes are restarted without their users: connections end.
    pub fn restart_all(&self) {
        self.wipe_all();
        self.cut_all();
    }

    /// Names of a node's users, but for `default`.
    pub fn users(&self, n: u32) -> Vec<String> {
        let nodes = self
            .shared
            .nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let node = nodes.get(&IpAddr::V4(address_of(n)));
        let names = node.map(|node| node.users.keys().cloned().collect::<Vec<_>>());
        names
            .unwrap_or_default()
            .into_iter()
            .filter(|name| name != "default")
            .collect()
    }

    /// Takes all users from every node, as restarts of servers without a user file would.
    pub fn wipe_all(&self) {
        self.shared.with_all(Node::wipe);
    }
}

async fn serve(mut stream: TcpStream, ip: IpAddr, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    let mut output = Vec::new();
    loop {
        let mut used = 0;
        while let Some((words, length)) = read_command(&input[used..])? {
            used += length;
            let heard = shared.with(ip, |node| {
                if !node.mute {
                    node.heard += 1;
                    answer(node, ip, &words, &mut output);
                }
                !node.mute
            });
            if !heard {
                shared.unheard.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>().await;
            }
            shared.commands.fetch_add(1, Ordering::Relaxed);
        }
        input.drain(..used);
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// One command in RESP arrays of bulk strings, and how many bytes it took; `None` if it is not
/// whole yet.
fn read_command(input: &[u8]) -> std::io::Result<Option<(Vec<String>, usize)>> {
    let bad = || std::io::Error::new(std::io::ErrorKind::InvalidData, "not a command");
    let line = |from: usize| {
        let rest = input.get(from..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        Some((std::str::from_utf8(&rest[..end]).ok()?, from + end + 2))
    };
    let Some((head, mut at)) = line(0) else {
        return Ok(None);
    };
    let count: usize = head
        .strip_prefix('*')
        .and_then(|n| n.parse().ok())
        .ok_or_else(bad)?;
    let mut words = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let Some((head, from)) = line(at) else {
            return Ok(None);
        };
        let length: usize = head
            .strip_prefix('$')
            .and_then(|n| n.parse().ok())
            .ok_or_else(bad)?;
        let Some(word) = input.get(from..from + length) else {
            return Ok(None);
        };
        if input.len() < from + length + 2 {
            return Ok(None);
        }
        words.push(String::from_utf8_lossy(word).into_owned());
        at = from + length + 2;
    }
    Ok(Some((words, at)))
}

fn bulk(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n{text}\r\n", text.len()).as_bytes());
}

fn list<'a>(items: impl ExactSizeIterator<Item = &'a str>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
    items.for_each(|item| bulk(item, out));
}

fn answer(node: &mut Node, ip: IpAddr, words: &[String], out: &mut Vec<u8>) {
    let word = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
    let upper = |n: usize| word(n).to_ascii_uppercase();
    match (upper(0).as_str(), upper(1).as_str()) {
        ("INFO", _) => bulk(&info(node, ip), out),
        ("ROLE", _) => out.extend_from_slice(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
        ("PING", _) => out.extend_from_slice(b"+PONG\r\n"),
        ("HELLO", _) => out.extend_from_slice(b"-NOPROTO unsupported protocol version\r\n"),
        ("CONFIG", "GET") => list([word(2), ""].into_iter(), out),
        ("ACL", "WHOAMI") => bulk("default", out),
        ("ACL", "DRYRUN") => out.extend_from_slice(b"+OK\r\n"),
        ("ACL", "USERS") => list(node.users.keys().map(String::as_str), out),
        ("ACL", "LIST") => {
            let lines: Vec<String> = node.users.iter().map(|(n, u)| u.line(n)).collect();
            list(lines.iter().map(String::as_str), out);
        }
        ("ACL", "GETUSER") => match node.users.get(word(2)) {
            Some(user) => user.describe(out),
            None => out.extend_from_slice(b"*-1\r\n"),
        },
        ("ACL", "SETUSER") => {
            let user = node.users.entry(word(2).to_owned()).or_default();
            words[3..].iter().for_each(|token| user.take(token));
            out.extend_from_slice(b"+OK\r\n");
        }
        ("ACL", "DELUSER") => {
            let gone = words[2..]
                .iter()
                .filter(|name| node.users.remove(*name).is_some())
                .count();
            out.extend_from_slice(format!(":{gone}\r\n").as_bytes());
        }
        ("CLIENT", "KILL") => out.extend_from_slice(b":0\r\n"),
        _ => out.extend_from_slice(b"+OK\r\n"),
    }
}

fn info(node: &Node, ip: IpAddr) -> String {
    format!(
        "# Server\r\nredis_version:7.0.15\r\nrun_id:{:039x}{:x}\r\nconfig_file:\r\n\
         # Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_host:{ip}\r\n",
        node.run_id, 0
    )
}

impl User {
    fn take(&mut self, token: &str) {
        match token {
            "reset" => *self = User::default(),
            "on" => self.on = true,
            "off" => self.on = false,
            "resetpass" => self.digests.clear(),
            _ => match token.strip_prefix('#') {
                Some(digest) => self.digests.push(digest.to_owned()),
                None => self.rules.push(token.to_owned()),
            },
        }
    }

    /// Rules are kept as text, so any of the three fields may carry all of it.
    fn commands(&self) -> String {
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.starts_with(['+', '-']));
        rules.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn keys(&self) -> String {
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.starts_with(['~', '%']));
        rules.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    fn channels(&self) -> &'static str {
        if self.rules.iter().any(|rule| rule == "allchannels") {
            "&*"
        } else {
            ""
        }
    }

    fn line(&self, name: &str) -> String {
        let state = if self.on { "on" } else { "off" };
        let digests: Vec<String> = self.digests.iter().map(|d| format!("#{d}")).collect();
        let (digests, keys, channels) = (digests.join(" "), self.keys(), self.channels());
        format!(
            "user {name} {state} {digests} {keys} {channels} {}",
            self.commands()
        )
    }

    fn describe(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"*12\r\n$5\r\nflags\r\n");
        list([if self.on { "on" } else { "off" }].into_iter(), out);
        bulk("passwords", out);
        list(self.digests.iter().map(String::as_str), out);
        for (field, value) in [
            ("commands", self.commands()),
            ("keys", self.keys()),
            ("channels", self.channels().to_owned()),
        ] {
            bulk(field, out);
            bulk(&value, out);
        }
        out.extend_from_slice(b"$9\r\nselectors\r\n*0\r\n");
    }
}
