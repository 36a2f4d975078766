//! The way to PostgreSQL: the URL, TLS, the settings of a session.

use crate::fault::Fault;
use crate::open::OpenError;
use claviger_core::ports::StoreError;
use claviger_core::secret::Secret;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, NoTls, TlsConnect, TlsStream};
use tokio_postgres::{AsyncMessage, Client, Config, Connection};
use tokio_rustls::TlsConnector;

/// For one host; a host that is gone must not hold up the way to the next one.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// For all hosts together.
const CONNECT_ALL_MAX: Duration = Duration::from_secs(8);

/// A connection whose other end is silently gone is noticed after about this long.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Where the system keeps the certificates that it trusts, if no file is named.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What every session is given. Commits wait for the disk, and for the synchronous standby if
/// there is one, even if the database's default is not to. No statement timeout: it would end the
/// wait for the standby, and the server would then report the commit as done. A process that stops
/// in the middle of a transaction holds others up for five seconds, less than their patience.
const SESSION: &str = "SET application_name TO 'claviger'; \
     SET idle_in_transaction_session_timeout TO '5s'; \
     SET lock_timeout TO '8s'; \
     SET client_min_messages TO 'warning'; \
     SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// What a connection's task is told by the server beside answers.
pub(crate) type Told = tokio::sync::mpsc::UnboundedSender<(String, String)>;

/// Where the database is and how it is spoken to. Its Debug form shows no password.
pub(crate) struct Target {
    config: Config,
    /// TLS, with the file of root certificates if one is named.
    tls: Option<Option<PathBuf>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target(..)")
    }
}

fn wrong(why: impl Into<String>) -> OpenError {
    OpenError::BadUrl(why.into())
}

/// Parameters of the URL that are ours: the client crate knows only some of them.
#[derive(Default)]
struct Tls {
    mode: Option<String>,
    roots: Option<PathBuf>,
}

impl Target {
    /// Reads `postgres://user:password@host1,host2/database?...`. TLS is used unless
    /// `sslmode=disable` or every host is this machine; the server's certificate is always
    /// verified, against `sslrootcert` or the system's own roots.
    ///
    /// # Errors
    /// [`OpenError::BadUrl`], which does not repeat the URL: there may be a password in it.
    pub(crate) fn parse(url: &Secret) -> Result<Self, OpenError> {
        let (url, tls) = take_tls(url.expose());
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            use std::error::Error;
            let why = error
                .source()
                .map_or_else(String::new, |s| format!(": {s}"));
            wrong(format!("it is not understood{why}"))
        })?;
        if config.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        if config.get_dbname().is_none() {
            return Err(wrong("it names no database"));
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT_MAX)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives_idle(SILENCE_MAX / 2)
            .keepalives_interval(SILENCE_MAX / 4)
            .keepalives_retries(2);
        let local = config.get_hosts().iter().all(is_local);
        let tls = match tls.mode.as_deref() {
            Some("disable") => None,
            None if local && tls.roots.is_none() => None,
            None | Some("require" | "verify-ca" | "verify-full") => Some(tls.roots),
            Some(_) => {
                let modes = "sslmode is neither disable, require, verify-ca nor verify-full";
                return Err(wrong(modes));
            }
        };
        config.ssl_mode(if tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        Ok(Self { config, tls })
    }

    /// There is a password in the URL.
    pub(crate) fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// For messages: the hosts and the database, without user and password.
    pub(crate) fn shown(&self) -> String {
        let ports = self.config.get_ports();
        let hosts = self.config.get_hosts().iter().enumerate();
        let hosts: Vec<String> = hosts
            .map(|(n, host)| {
                let port = ports.get(n).or(ports.first()).unwrap_or(&5432);
                match host {
                    Host::Tcp(name) => format!("{name}:{port}"),
                    #[cfg(unix)]
                    Host::Unix(path) => path.display().to_string(),
                }
            })
            .collect();
        let database = self.config.get_dbname().unwrap_or_default();
        format!("postgres://{}/{database}", hosts.join(","))
    }

    /// Reads the root certificates.
    ///
    /// # Errors
    /// [`OpenError::BadUrl`] when there are none.
    pub(crate) fn ready(self) -> Result<Way, OpenError> {
        let tls = self.tls.map(|roots| RustlsConnect::new(roots.as_deref()));
        Ok(Way {
            tls: tls.transpose()?,
            config: self.config,
        })
    }
}

/// A target with all that is needed to connect to it.
pub(crate) struct Way {
    config: Config,
    tls: Option<RustlsConnect>,
}

impl Way {
    /// A new session on the first host that takes writes.
    pub(crate) async fn connect(&self) -> Result<Client, Fault> {
        self.connect_told(None).await
    }

    /// The same; what the server tells unasked goes to `told`, which is closed with the connection.
    pub(crate) async fn connect_told(&self, told: Option<Told>) -> Result<Client, Fault> {
        let late = || StoreError::Unavailable("PostgreSQL cannot be reached".into());
        let made = timeout(CONNECT_ALL_MAX, async {
            let client = match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    spawn(connection, told);
                    client
                }
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    spawn(connection, told);
                    client
                }
            };
            client.batch_execute(SESSION).await?;
            Ok::<_, Fault>(client)
        });
        made.await.unwrap_or_else(|_| Err(late().into()))
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let ip = name.parse::<std::net::IpAddr>();
            name == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// The URL without the parameters of TLS, and these.
fn take_tls(url: &str) -> (String, Tls) {
    let mut tls = Tls::default();
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), tls);
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => tls.mode = Some(mode.to_owned()),
            Some(("sslrootcert", path)) => tls.roots = Some(unescape(path).into()),
            // Always read-write: anything else could only lose us.
            Some(("target_session_attrs", _)) => {}
            _ => kept.push(pair),
        }
    }
    let rest = kept.join("&");
    let url = if rest.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{rest}")
    };
    (url, tls)
}

/// `%2F` and its like in a path.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let pair = tail.get(..2).filter(|_| byte == b'%');
        let code = pair
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a connection until it ends; what ends it is seen by whoever waits for an answer.
fn spawn<S>(mut connection: Connection<tokio_postgres::Socket, S>, told: Option<Told>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let next = |cx: &mut Context<'_>| connection.poll_message(cx);
        let mut next = next;
        while let Some(Ok(message)) = std::future::poll_fn(&mut next).await {
            if let (AsyncMessage::Notification(note), Some(told)) = (message, &told)
                && told
                    .send((note.channel().to_owned(), note.payload().to_owned()))
                    .is_err()
            {
                return;
            }
        }
    });
}

/// TLS by rustls, as everywhere in claviger.
#[derive(Clone)]
struct RustlsConnect {
    config: Arc<rustls::ClientConfig>,
}

impl RustlsConnect {
    fn new(roots: Option<&Path>) -> Result<Self, OpenError> {
        let path = roots.unwrap_or(Path::new(SYSTEM_ROOTS));
        let cannot = |why: &dyn fmt::Display| {
            let shown = path.display();
            wrong(format!(
                "the root certificates {shown} cannot be used: {why}"
            ))
        };
        let mut store = rustls::RootCertStore::empty();
        let found = CertificateDer::pem_file_iter(path).map_err(|e| cannot(&e))?;
        let found: Result<Vec<_>, _> = found.collect();
        store.add_parsable_certificates(found.map_err(|e| cannot(&e))?);
        if store.is_empty() {
            return Err(cannot(&"there is none in it"));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| cannot(&e))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

impl MakeTlsConnect<tokio_postgres::Socket> for RustlsConnect {
    type Stream = Encrypted;
    type TlsConnect = OneConnect;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, name: &str) -> Result<OneConnect, Self::Error> {
        Ok(OneConnect {
            config: Arc::clone(&self.config),
            name: ServerName::try_from(name.to_owned())?,
        })
    }
}

struct OneConnect {
    config: Arc<rustls::ClientConfig>,
    name: ServerName<'static>,
}

impl TlsConnect<tokio_postgres::Socket> for OneConnect {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, socket: tokio_postgres::Socket) -> Self::Future {
        Box::pin(async move {
            let connector = TlsConnector::from(self.config);
            Ok(Encrypted(connector.connect(self.name, socket).await?))
        })
    }
}

struct Encrypted(tokio_rustls::client::TlsStream<tokio_postgres::Socket>);

impl TlsStream for Encrypted {
    /// Passwords are sent by SCRAM within the verified channel; binding it adds a digest per
    /// certificate algorithm for little.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn parse(url: &str) -> Result<Target, String> {
        Target::parse(&Secret::new(url)).map_err(|error| error.to_string())
    }

    #[test]
    fn urls() {
        let two = parse("postgres://u:p%40ss@127.0.0.1:5001,localhost:5002/db").unwrap();
        assert_eq!(two.shown(), "postgres://127.0.0.1:5001,localhost:5002/db");
        assert!(two.tls.is_none());
        assert!(!format!("{two:?}").contains("p@ss"));
        for bad in [
            "postgres://u:Hidden@db.example/x?sslmode=maybe",
            "postgres://u:Hidden@db.example/x?what=ever",
            "postgres://u:Hidden@db.example",
        ] {
            let error = parse(bad).unwrap_err();
            assert!(!error.contains("Hidden"), "{error}");
        }
        let nowhere = parse("postgres://u:Hidden@db.example/x?sslrootcert=%2Fnowhere.pem");
        let error = nowhere.unwrap().ready().err().unwrap().to_string();
        assert!(
            error.contains("/nowhere.pem") && !error.contains("Hidden"),
            "{error}"
        );
        let plain = parse("postgres://u@db.example/x?sslmode=disable").unwrap();
        assert!(plain.tls.is_none());
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("%2Fetc%2Fca%20x.pem"), "/etc/ca x.pem");
        assert_eq!(unescape("100%"), "100%");
    }
}
