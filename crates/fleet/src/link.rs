//! One connection to a node: opened with deadlines, logged in, noticed at once when it ends.

use crate::config::FleetConfig;
use crate::errors::NodeError;
use crate::reply;
use crate::resp::{self, Value};
use crate::tls;
use crate::wire::{Socket, Wire};
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{NodeLogin, NodeTls, SentinelLogin};
use claviger_core::secret::Secret;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How to get into a node.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Where.
    pub(crate) address: NodeAddress,
    /// Speak TLS to it.
    pub(crate) tls: bool,
    /// With these files.
    pub(crate) material: NodeTls,
    /// As this user.
    pub(crate) login: NodeLogin,
    /// As this one if that is refused and the server is a Sentinel.
    pub(crate) sentinel: Option<SentinelLogin>,
}

impl Access {
    /// Nothing that a connection depends on differs.
    pub(crate) fn same_as(&self, other: &Access) -> bool {
        let former = self.login.former.len() == other.login.former.len()
            && self
                .login
                .former
                .iter()
                .zip(&other.login.former)
                .all(|(a, b)| same_secret(a.as_ref(), b.as_ref()));
        let sentinel = match (&self.sentinel, &other.sentinel) {
            (None, None) => true,
            (Some(a), Some(b)) => {
                a.user == b.user && same_secret(a.password.as_ref(), b.password.as_ref())
            }
            _ => false,
        };
        self.address == other.address
            && sentinel
            && self.tls == other.tls
            && self.material == other.material
            && self.login.user == other.login.user
            && same_secret(self.login.password.as_ref(), other.login.password.as_ref())
            && former
    }
}

fn same_secret(a: Option<&Secret>, b: Option<&Secret>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.same_as(b),
        _ => false,
    }
}

/// Commands that are sent together; each gets its own answer.
pub(crate) struct Batch {
    bytes: Zeroizing<Vec<u8>>,
    labels: Vec<&'static str>,
    acl_calls: u64,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Zeroizing::default(),
            labels: Vec::new(),
            acl_calls: 0,
        }
    }

    /// Adds a command; `label` is how errors call it, its first words are the command.
    pub(crate) fn add<I, A>(&mut self, label: &'static str, arguments: I) -> &mut Self
    where
        I: IntoIterator<Item = A>,
        A: AsRef<[u8]>,
    {
        if label.starts_with("ACL ") {
            self.acl_calls += 1;
        }
        let arguments: Vec<A> = arguments.into_iter().collect();
        let mut words: Vec<&[u8]> = label.split(' ').map(str::as_bytes).collect();
        words.extend(arguments.iter().map(AsRef::as_ref));
        resp::encode(words.into_iter(), &mut self.bytes);
        self.labels.push(label);
        self
    }

    /// Adds a command without arguments.
    pub(crate) fn word(&mut self, label: &'static str) -> &mut Self {
        self.add(label, std::iter::empty::<&str>())
    }
}

/// What one command of a batch got.
pub(crate) type Reply = Result<Value, NodeError>;

/// A live, logged-in connection.
pub(crate) struct Link {
    socket: Arc<TcpStream>,
    wire: Mutex<Wire>,
    deadline: Duration,
    dead: CancellationToken,
    acl_calls: AtomicU64,
    /// A batch was begun and did not end: what is still to come cannot be told apart.
    torn: AtomicBool,
    /// How much room the last answer took.
    room: AtomicUsize,
}

impl Link {
    /// Sends the batch and waits for its answers, one for each command.
    ///
    /// # Errors
    /// When the connection is of no use any more; it is closed then.
    pub(crate) async fn run(&self, batch: &Batch) -> Result<Vec<Reply>, NodeError> {
        let Some(first) = batch.labels.first().copied() else {
            return Ok(Vec::new());
        };
        self.acl_calls.fetch_add(batch.acl_calls, Ordering::Relaxed);
        let exchange = timeout(self.deadline, self.exchange(batch));
        let result = exchange.await.unwrap_or_else(|_| {
            Err(NodeError::Timeout {
                what: first,
                millis: millis(self.deadline),
            })
        });
        if result.is_err() {
            self.dead.cancel();
        }
        result
    }

    async fn exchange(&self, batch: &Batch) -> Result<Vec<Reply>, NodeError> {
        let mut wire = self.wire.lock().await;
        if self.torn.swap(true, Ordering::AcqRel) || self.dead.is_cancelled() {
            return Err(NodeError::Lost);
        }
        let lost = |error: std::io::Error| NodeError::from_io(&error);
        wire.write_all(&batch.bytes).await.map_err(lost)?;
        wire.flush().await.map_err(lost)?;
        let mut held = Vec::with_capacity(self.room.load(Ordering::Relaxed).max(READ_BYTES));
        let mut replies = Vec::with_capacity(batch.labels.len());
        let mut used = 0;
        for label in &batch.labels {
            let value = loop {
                match resp::decode(&held[used..]) {
                    Ok(Some((value, length))) => {
                        used += length;
                        break value;
                    }
                    Ok(None) => {}
                    Err(resp::NotResp) => return Err(NodeError::Garbage(label)),
                }
                held.drain(..std::mem::take(&mut used));
                // Room for twice what has come: a long reply is not looked at for every piece.
                held.reserve(held.len().max(READ_BYTES));
                if wire.read_buf(&mut held).await.map_err(lost)? == 0 {
                    return Err(NodeError::Lost);
                }
                if held.len() > REPLY_BYTES_MAX {
                    return Err(NodeError::Garbage(label));
                }
            };
            replies.push(match value {
                Value::Error(code, detail) => Err(NodeError::from_reply(label, &code, &detail)),
                value => Ok(value),
            });
        }
        if used < held.len() {
            // Nobody asked for that.
            return Err(NodeError::Garbage("a batch"));
        }
        // Sweeps get the same answer again and again: room for it at once.
        let room = held.capacity().min(ROOM_BYTES_MAX);
        self.room.store(room, Ordering::Relaxed);
        self.torn.store(false, Ordering::Release);
        Ok(replies)
    }

    /// Subscribes by `batch`, which every further answer of the server is given to `hear`. Asks
    /// for a sign of life when there was none for a while. Returns why it ended.
    pub(crate) async fn listen(&self, batch: &Batch, hear: impl Fn(&Value)) -> NodeError {
        let error = match self.hear_all(batch, hear).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        self.dead.cancel();
        error
    }

    async fn hear_all(
        &self,
        batch: &Batch,
        hear: impl Fn(&Value),
    ) -> Result<Infallible, NodeError> {
        let lost = |error: std::io::Error| NodeError::from_io(&error);
        let mut wire = self.wire.lock().await;
        self.torn.store(true, Ordering::Release);
        wire.write_all(&batch.bytes).await.map_err(lost)?;
        wire.flush().await.map_err(lost)?;
        let mut held = Vec::with_capacity(READ_BYTES);
        let mut asked = false;
        loop {
            match timeout(SILENCE_MAX, wire.read_buf(&mut held)).await {
                Ok(read) => {
                    if read.map_err(lost)? == 0 {
                        return Err(NodeError::Lost);
                    }
                    asked = false;
                }
                Err(_) if asked => return Err(NodeError::Lost),
                Err(_) => {
                    asked = true;
                    wire.write_all(b"*1\r\n$4\r\nPING\r\n")
                        .await
                        .map_err(lost)?;
                    wire.flush().await.map_err(lost)?;
                }
            }
            let garbage = || NodeError::Garbage("SUBSCRIBE");
            while let Some((value, length)) = resp::decode(&held).map_err(|_| garbage())? {
                held.drain(..length);
                match value {
                    Value::Error(code, detail) => {
                        return Err(NodeError::from_reply("SUBSCRIBE", &code, &detail));
                    }
                    value => hear(&value),
                }
            }
            if held.len() > MESSAGE_BYTES_MAX {
                return Err(garbage());
            }
        }
    }

    /// How many ACL commands were sent over this connection.
    pub(crate) fn acl_calls(&self) -> u64 {
        self.acl_calls.load(Ordering::Relaxed)
    }

    /// Closes the connection.
    pub(crate) fn close(&self) {
        self.dead.cancel();
    }

    /// Waits for the connection's end, noticing also an end that comes while nobody asks
    /// anything.
    pub(crate) async fn ended(&self) {
        tokio::select! {
            () = self.dead.cancelled() => {}
            () = self.watch() => self.dead.cancel(),
        }
    }

    async fn watch(&self) {
        loop {
            if self.socket.readable().await.is_err() {
                return;
            }
            // Whoever waits for an answer reads first; what is readable after that is the end
            // of the connection, or a word of TLS about itself.
            let mut wire = self.wire.lock().await;
            let mut byte = [0; 1];
            let idle = poll_fn(|context| {
                let mut buffer = ReadBuf::new(&mut byte);
                let read = std::pin::Pin::new(&mut *wire).poll_read(context, &mut buffer);
                Poll::Ready(read.is_pending())
            });
            if !idle.await {
                return;
            }
        }
    }
}

/// How long a subscribed connection may be silent before it is asked for a sign of life, and
/// again before it is given up.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// The most that is held of one message.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// How much room there is for what comes, at first.
const READ_BYTES: usize = 4096;
/// The most room that is made before anything has come.
const ROOM_BYTES_MAX: usize = 32 * 1024;
/// The most that is held of one reply.
const REPLY_BYTES_MAX: usize = 64 << 20;

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Connects and logs in.
///
/// The known passwords are tried in order, so a change of our own login's password cannot lock
/// us out halfway.
///
/// # Errors
/// Whatever stands in the way, within the deadlines of `config`.
pub(crate) async fn open(access: &Access, config: &FleetConfig) -> Result<Link, NodeError> {
    let within = |what| NodeError::Timeout {
        what,
        millis: millis(config.connect_deadline),
    };
    let link = timeout(config.connect_deadline, connect(access, config))
        .await
        .map_err(|_| within("connecting"))??;
    timeout(config.connect_deadline, enter(&link, access))
        .await
        .map_err(|_| within("logging in"))??;
    Ok(link)
}

async fn connect(access: &Access, config: &FleetConfig) -> Result<Link, NodeError> {
    let (host, port) = split(&access.address).ok_or(NodeError::Unresolvable)?;
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| NodeError::from_io(&error))?;
    // A change is a few hundred bytes that must not wait for more.
    stream
        .set_nodelay(true)
        .map_err(|error| NodeError::from_io(&error))?;
    let socket = Arc::new(stream);
    let plain = Socket(Arc::clone(&socket));
    let wire = if access.tls {
        let stream = tls::open(plain, host, &access.material).await?;
        Wire::Tls(Box::new(stream))
    } else {
        Wire::Plain(plain)
    };
    Ok(Link {
        socket,
        wire: Mutex::new(wire),
        deadline: config.command_deadline,
        dead: CancellationToken::new(),
        acl_calls: AtomicU64::new(0),
        torn: AtomicBool::new(false),
        room: AtomicUsize::new(0),
    })
}

/// How this process's connections are called on the nodes.
pub(crate) fn client_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| format!("claviger-{:016x}", crate::keeper::random()))
}

fn split(address: &NodeAddress) -> Option<(&str, u16)> {
    let (host, port) = address.as_str().rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host, port.parse().ok()?))
}

/// Logs in; to a Sentinel, whose users are others than the nodes', also by its own login.
async fn enter(link: &Link, access: &Access) -> Result<(), NodeError> {
    let refusal = match log_in(link, &access.login).await {
        Err(error @ (NodeError::LoginRefused { .. } | NodeError::LoginRequired)) => error,
        other => return other,
    };
    let Some(sentinel) = &access.sentinel else {
        return Err(refusal);
    };
    let user = sentinel.user.as_deref();
    if attempt(link, user, sentinel.password.as_ref())
        .await
        .is_err()
    {
        return Err(refusal);
    }
    // Nothing but a Sentinel is entered in another way than the operator has said.
    let mut batch = Batch::new();
    batch.word("INFO server");
    let reply = link
        .run(&batch)
        .await?
        .pop()
        .unwrap_or(Err(NodeError::Lost));
    let info = reply
        .ok()
        .and_then(|info| reply::text(&info).map(|t| t.into_owned()));
    let mode = info.as_deref().and_then(reply::mode);
    if mode == Some("sentinel") {
        Ok(())
    } else {
        link.close();
        Err(refusal)
    }
}

/// Tries the current password, then the former ones.
async fn log_in(link: &Link, login: &NodeLogin) -> Result<(), NodeError> {
    let user = login.user.as_deref();
    let mut refusal = NodeError::LoginRequired;
    for password in std::iter::once(&login.password).chain(&login.former) {
        match attempt(link, user, password.as_ref()).await {
            Ok(()) => return Ok(()),
            Err(error @ (NodeError::LoginRefused { .. } | NodeError::LoginRequired)) => {
                refusal = match error {
                    NodeError::LoginRefused { .. } => NodeError::LoginRefused {
                        user: user.unwrap_or("default").to_owned(),
                    },
                    // The first reason says more than that a former login had no password.
                    _ if matches!(refusal, NodeError::LoginRefused { .. }) => refusal,
                    other => other,
                };
            }
            Err(error) => return Err(error),
        }
    }
    Err(refusal)
}

async fn attempt(
    link: &Link,
    user: Option<&str>,
    password: Option<&Secret>,
) -> Result<(), NodeError> {
    let refused = || NodeError::LoginRefused {
        user: String::new(),
    };
    let mut batch = Batch::new();
    match (user, password) {
        (None, None) => {}
        // A named user whose password is any text: what `nopass` accepts.
        (Some(user), None) => {
            batch.add("AUTH", [user, ""]);
        }
        (user, Some(password)) => {
            batch.add("AUTH", user.into_iter().chain([password.expose()]));
        }
    }
    batch.word("PING").add("CLIENT SETNAME", [client_name()]);
    let mut useless = false;
    for reply in link.run(&batch).await? {
        match reply {
            Ok(_) => {}
            // AUTH to a default user that takes no password, or with a user name below 6.0.
            Err(NodeError::Said { command, .. }) if command == "AUTH" => useless = true,
            Err(NodeError::Said { command, .. }) if command == "CLIENT SETNAME" => {}
            // The login is fine; the least login may lack PING, a replica may be out of touch.
            Err(NodeError::Denied { .. } | NodeError::PrimaryDown | NodeError::Loading) => {}
            Err(error) => return Err(error),
        }
    }
    // Whoever meant the default user and is let in without a password is that user.
    if useless && user.is_some() {
        return Err(refused());
    }
    Ok(())
}
