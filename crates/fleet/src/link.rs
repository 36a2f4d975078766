//! One connection to a node: opened with deadlines, logged in, noticed at once when it ends.

use crate::config::FleetConfig;
use crate::errors::NodeError;
use crate::tls;
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{NodeLogin, NodeTls};
use claviger_core::secret::Secret;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, Value};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How many requests may wait in a connection; ours come from one reconcile and one save.
const REQUESTS_WAITING_MAX: usize = 2;

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
        self.address == other.address
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
    pipe: Pipeline,
    labels: Vec<&'static str>,
    acl_calls: u64,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            pipe: Pipeline::new(),
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
        let mut command = redis::Cmd::new();
        for word in label.split(' ') {
            command.arg(word);
        }
        for argument in arguments {
            command.arg(argument.as_ref());
        }
        self.pipe.add_command(command);
        self.labels.push(label);
        self
    }

    /// Adds a command without arguments.
    pub(crate) fn word(&mut self, label: &'static str) -> &mut Self {
        self.add(label, std::iter::empty::<&str>())
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }
}

/// What one command of a batch got.
pub(crate) type Reply = Result<Value, NodeError>;

/// A live, logged-in connection.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    deadline: Duration,
    dead: CancellationToken,
    acl_calls: AtomicU64,
}

/// The future that moves a link's bytes; it ends when the connection does.
pub(crate) type Mover = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Link {
    /// Sends the batch and waits for its answers, one for each command.
    ///
    /// # Errors
    /// When the connection is of no use any more; it is closed then.
    pub(crate) async fn run(&self, batch: &Batch) -> Result<Vec<Reply>, NodeError> {
        let count = batch.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        self.acl_calls.fetch_add(batch.acl_calls, Ordering::Relaxed);
        let mut connection = self.connection.clone();
        let sent = timeout(
            self.deadline,
            connection.send_packed_commands(&batch.pipe, 0, count),
        );
        let failure = match sent.await {
            Ok(Ok(values)) if values.len() == count => {
                let labelled = values.into_iter().zip(&batch.labels);
                return Ok(labelled.map(|(value, label)| reply(value, label)).collect());
            }
            Ok(Ok(_)) => NodeError::Garbage("a pipeline"),
            Ok(Err(error)) if is_parse_error(&error) => {
                NodeError::Garbage(batch.labels.first().copied().unwrap_or("a command"))
            }
            Ok(Err(_)) => NodeError::Lost,
            Err(_) => NodeError::Timeout {
                what: batch.labels.first().copied().unwrap_or("a command"),
                millis: millis(self.deadline),
            },
        };
        // What is still to come on this connection cannot be told apart any more.
        self.dead.cancel();
        Err(failure)
    }

    /// How many ACL commands were sent over this connection.
    pub(crate) fn acl_calls(&self) -> u64 {
        self.acl_calls.load(Ordering::Relaxed)
    }

    /// Closes the connection.
    pub(crate) fn close(&self) {
        self.dead.cancel();
    }

    /// It was closed by us, or its answers cannot be trusted any more.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        self.dead.clone().cancelled_owned()
    }
}

fn reply(value: Value, label: &str) -> Reply {
    match value {
        Value::ServerError(error) => Err(NodeError::from_reply(
            label,
            error.code(),
            error.details().unwrap_or_default(),
        )),
        value => Ok(value),
    }
}

fn is_parse_error(error: &redis::RedisError) -> bool {
    matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    )
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Connects and logs in. The returned future must be driven for the link to work.
///
/// The known passwords are tried in order, so a change of our own login's password cannot lock
/// us out halfway.
///
/// # Errors
/// Whatever stands in the way, within the deadlines of `config`.
pub(crate) async fn open(
    access: &Access,
    config: &FleetConfig,
) -> Result<(Link, Mover), NodeError> {
    let within = |what| NodeError::Timeout {
        what,
        millis: millis(config.connect_deadline),
    };
    let (link, mut mover) = timeout(config.connect_deadline, connect(access, config))
        .await
        .map_err(|_| within("connecting"))??;
    let logged_in = timeout(config.connect_deadline, async {
        tokio::select! {
            result = log_in(&link, &access.login) => result,
            () = &mut mover => Err(NodeError::Lost),
        }
    });
    logged_in.await.map_err(|_| within("logging in"))??;
    Ok((link, mover))
}

async fn connect(access: &Access, config: &FleetConfig) -> Result<(Link, Mover), NodeError> {
    let (host, port) = split(&access.address).ok_or(NodeError::Unresolvable)?;
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(|error| NodeError::from_io(&error))?;
    // A change is a few hundred bytes that must not wait for more.
    stream
        .set_nodelay(true)
        .map_err(|error| NodeError::from_io(&error))?;
    // CLIENT SETINFO stays off: 7.0 and earlier do not know it, and least logins may not run it.
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let settings = AsyncConnectionConfig::new()
        .set_pipeline_buffer_size(REQUESTS_WAITING_MAX)
        .set_response_timeout(None);
    let garbage = |_| NodeError::Garbage("the connection");
    let (connection, mover): (_, Mover) = if access.tls {
        let stream = tls::open(stream, host, &access.material).await?;
        let made = MultiplexedConnection::new_with_config(&info, stream, settings);
        let (connection, mover) = made.await.map_err(garbage)?;
        (connection, Box::pin(mover))
    } else {
        let made = MultiplexedConnection::new_with_config(&info, stream, settings);
        let (connection, mover) = made.await.map_err(garbage)?;
        (connection, Box::pin(mover))
    };
    let link = Link {
        connection,
        deadline: config.command_deadline,
        dead: CancellationToken::new(),
        acl_calls: AtomicU64::new(0),
    };
    Ok((link, mover))
}

fn split(address: &NodeAddress) -> Option<(&str, u16)> {
    let (host, port) = address.as_str().rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host, port.parse().ok()?))
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
    batch.word("PING");
    for reply in link.run(&batch).await? {
        match reply {
            Ok(_) => {}
            // AUTH to a default user that takes no password, or with a user name below 6.0.
            Err(NodeError::Said { command, .. }) if command == "AUTH" => return Err(refused()),
            // The login is fine; the least login may lack PING, a replica may be out of touch.
            Err(NodeError::Denied { .. } | NodeError::PrimaryDown | NodeError::Loading) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
