//! Settings of the service, in two steps: raw texts from flags, environment and file, then a
//! checked [`Config`]. A flag wins over the environment, the environment over the file.

use crate::cli::ServeArgs;
use crate::env::Env;
use crate::failure::Failure;
use claviger_core::secret::Secret;
use claviger_store::{Place, SQLITE_FILE};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod file;
mod parse;

use file::FileSettings;
pub(crate) use parse::duration;

/// Name of the master key's file in the data directory.
const MASTER_KEY_FILE: &str = "master.key";

/// Checked settings.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where everything of ours lives.
    pub(crate) data_dir: PathBuf,
    /// It was said where, and is not the default.
    pub(crate) data_dir_given: bool,
    /// Where to serve.
    pub(crate) listen: SocketAddr,
    /// The store.
    pub(crate) store: Place,
    /// Certificate chain and key; plain HTTP when absent.
    pub(crate) tls: Option<TlsFiles>,
    /// Where the master key is.
    pub(crate) master_key: MasterKey,
    /// The root key pair of the environment.
    pub(crate) root: Option<RootPair>,
    /// The project id that was asked for.
    pub(crate) project_id: Option<String>,
    /// Time between two full checks of a node.
    pub(crate) sweep_interval: Duration,
    /// Calls per second of one key; `None` means no bound.
    pub(crate) rate_limit_per_s: Option<u32>,
    /// Requests a second that a key may make of one action; `None`: what each cloud says.
    pub(crate) action_rate_limit_per_s: Option<u32>,
    /// Connections served at once.
    pub(crate) connections_max: usize,
    /// Bounds by the address that requests come from.
    pub(crate) sources: SourceBounds,
    /// Where rows of the audit trail also go.
    pub(crate) audit: AuditTargets,
    /// How logs are written; `None` means by what standard error is.
    pub(crate) log_format: Option<LogFormat>,
    /// From which level on.
    pub(crate) log_level: tracing::Level,
}

/// PEM files of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Certificate chain.
    pub(crate) cert: PathBuf,
    /// Private key.
    pub(crate) key: PathBuf,
    /// Authorities of the certificates that clients must show, if they must.
    pub(crate) client_ca: Option<PathBuf>,
}

/// Bounds by the address that requests come from; loopback is excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SourceBounds {
    /// Calls per second; 0 means no bound.
    pub(crate) per_second_max: u32,
    /// Bad signatures a minute; 0 means no bound.
    pub(crate) bad_signatures_max: u32,
    /// Connections at once.
    pub(crate) connections_max: usize,
}

/// Where rows of the audit trail also go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditTargets {
    /// Appended to this file.
    pub(crate) file: Option<PathBuf>,
    /// Sent to this syslog.
    pub(crate) syslog: Option<SyslogTarget>,
}

/// A syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SyslogTarget {
    /// By UDP, to `host:port`.
    Udp(String),
    /// By a datagram socket on this machine.
    Unix(PathBuf),
}

/// Where the master key is.
#[derive(Clone, Debug)]
pub(crate) enum MasterKey {
    /// In the environment, base64.
    Given(Secret),
    /// In this file, base64.
    File(PathBuf),
}

/// The root key pair of the environment.
#[derive(Clone, Debug)]
pub(crate) struct RootPair {
    /// The public half.
    pub(crate) access_key: String,
    /// The secret half.
    pub(crate) secret_key: Secret,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A raw text and where it came from, for messages.
struct Raw {
    text: String,
    origin: String,
}

impl Raw {
    fn check<T>(self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Failure> {
        parse(&self.text).map_err(|why| Failure::usage(format!("{}: {why}", self.origin)))
    }
}

/// The three places, in order of precedence.
struct Places<'a> {
    env: &'a dyn Env,
    file: FileSettings,
    file_name: String,
}

impl Places<'_> {
    /// The text of a setting; `key` is its name in the file and, with dashes before, its flag.
    fn raw(&self, key: &str, flag: Option<&str>) -> Result<Option<Raw>, Failure> {
        if let Some(text) = flag {
            return Ok(Some(Raw {
                text: text.to_owned(),
                origin: format!("--{key}"),
            }));
        }
        let variable = format!("CLAVIGER_{}", key.to_ascii_uppercase().replace('-', "_"));
        if let Some(text) = self.env.get(&variable)? {
            return Ok(Some(Raw {
                text,
                origin: variable,
            }));
        }
        Ok(self.file.text(key).map(|text| Raw {
            text,
            origin: format!("{key} in {}", self.file_name),
        }))
    }

    fn path(&self, key: &str, flag: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
        if let Some(path) = flag {
            return Ok(Some(path.to_owned()));
        }
        Ok(self.raw(key, None)?.map(|raw| PathBuf::from(raw.text)))
    }

    fn flag(&self, key: &str, flag: bool) -> Result<bool, Failure> {
        if flag {
            return Ok(true);
        }
        match self.raw(key, None)? {
            Some(raw) => raw.check(parse::boolean),
            None => Ok(false),
        }
    }

    fn checked<T>(
        &self,
        key: &str,
        flag: Option<&str>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        match self.raw(key, flag)? {
            Some(raw) => raw.check(parse),
            None => Ok(default),
        }
    }
}

/// The most connections that may be asked for: each costs a file descriptor.
const CONNECTIONS_MAX: usize = 100_000;
/// The most calls per second of one key that may be asked for.
const RATE_MAX: u32 = 1_000_000;

impl Config {
    /// Reads and checks all settings.
    ///
    /// # Errors
    /// One line that names the setting, where it came from, and what is wrong with it.
    pub(crate) fn load(args: &ServeArgs, env: &dyn Env) -> Result<Self, Failure> {
        let places = places(args, env)?;
        let data_dir = places.path("data-dir", args.data_dir.as_deref())?;
        let data_dir_given = data_dir.is_some();
        let data_dir = data_dir.unwrap_or_else(|| PathBuf::from("claviger-data"));
        let listen_default = SocketAddr::from(([127, 0, 0, 1], 8379));
        let listen = places.checked(
            "listen",
            args.listen.as_deref(),
            listen_default,
            parse::listen,
        )?;
        let tls = tls(args, &places)?;
        let insecure = places.flag("insecure-http", args.insecure_http)?;
        if tls.is_none() && !insecure && !listen.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "plain HTTP on {listen} would be readable on the network: give --tls-cert and \
                 --tls-key, or --insecure-http behind a proxy that ends TLS"
            )));
        }
        let store = places.checked("store", args.store.as_deref(), None, parse::store)?;
        if args.store.is_some() && store.as_ref().is_some_and(Place::has_password) {
            return Err(Failure::usage(
                "a password in --store could be read by every user of this machine: set \
                 CLAVIGER_STORE, or `store` in a settings file",
            ));
        }
        let project_id = args.project_id.as_deref();
        Ok(Self {
            store: store.unwrap_or_else(|| Place::Sqlite(data_dir.join(SQLITE_FILE))),
            master_key: master_key(args, &places, &data_dir)?,
            root: root_pair(env)?,
            project_id: places.checked("project-id", project_id, None, parse::project_id)?,
            sweep_interval: places.checked(
                "sweep-interval",
                args.sweep_interval.as_deref(),
                Duration::from_secs(30),
                parse::sweep_interval,
            )?,
            rate_limit_per_s: places.checked(
                "rate-limit",
                args.rate_limit.as_deref(),
                Some(100),
                |text| parse::number(text, &(0..=RATE_MAX)).map(|n| (n > 0).then_some(n)),
            )?,
            action_rate_limit_per_s: places.checked(
                "action-rate-limit",
                args.action_rate_limit.as_deref(),
                None,
                |text| parse::number(text, &(0..=RATE_MAX)).map(Some),
            )?,
            connections_max: places.checked(
                "max-connections",
                args.max_connections.as_deref(),
                4096,
                |text| parse::number(text, &(1..=CONNECTIONS_MAX)),
            )?,
            sources: sources(args, &places)?,
            audit: AuditTargets {
                file: places.path("audit-file", args.audit_file.as_deref())?,
                syslog: places.checked(
                    "audit-syslog",
                    args.audit_syslog.as_deref(),
                    None,
                    parse::syslog,
                )?,
            },
            log_format: places.checked(
                "log-format",
                args.log_format.as_deref(),
                None,
                parse::log_format,
            )?,
            log_level: places.checked(
                "log-level",
                args.log_level.as_deref(),
                tracing::Level::INFO,
                parse::log_level,
            )?,
            data_dir,
            data_dir_given,
            listen,
            tls,
        })
    }

    /// The address under which a client on this machine reaches the service.
    pub(crate) fn endpoint(&self) -> String {
        endpoint_of(self.listen, self.tls.is_some())
    }
}

/// The URL of a listener as a client on this machine reaches it.
pub(crate) fn endpoint_of(listen: SocketAddr, tls: bool) -> String {
    let mut address = listen;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            std::net::IpAddr::from([127, 0, 0, 1])
        } else {
            std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST)
        };
        address.set_ip(loopback);
    }
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

fn places<'a>(args: &ServeArgs, env: &'a dyn Env) -> Result<Places<'a>, Failure> {
    let path = match &args.config {
        Some(path) => Some(path.clone()),
        None => env.get("CLAVIGER_CONFIG")?.map(PathBuf::from),
    };
    let file = match &path {
        Some(path) => FileSettings::read(path)?,
        None => FileSettings::default(),
    };
    let file_name = path.map_or_else(String::new, |path| path.display().to_string());
    Ok(Places {
        env,
        file,
        file_name,
    })
}

fn sources(args: &ServeArgs, places: &Places<'_>) -> Result<SourceBounds, Failure> {
    let rate = |text: &str| parse::number(text, &(0..=RATE_MAX));
    Ok(SourceBounds {
        per_second_max: places.checked(
            "source-rate-limit",
            args.source_rate_limit.as_deref(),
            0,
            rate,
        )?,
        bad_signatures_max: places.checked(
            "bad-signature-limit",
            args.bad_signature_limit.as_deref(),
            100,
            rate,
        )?,
        connections_max: places.checked(
            "max-source-connections",
            args.max_source_connections.as_deref(),
            1024,
            |text| parse::number(text, &(1..=CONNECTIONS_MAX)),
        )?,
    })
}

fn tls(args: &ServeArgs, places: &Places<'_>) -> Result<Option<TlsFiles>, Failure> {
    let client_ca = places.path("tls-client-ca", args.tls_client_ca.as_deref())?;
    let cert = places.path("tls-cert", args.tls_cert.as_deref())?;
    let key = places.path("tls-key", args.tls_key.as_deref())?;
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles {
            cert,
            key,
            client_ca,
        })),
        (None, None) if client_ca.is_some() => Err(Failure::usage(
            "--tls-client-ca is given without --tls-cert and --tls-key",
        )),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Failure::usage("--tls-cert is given without --tls-key")),
        (None, Some(_)) => Err(Failure::usage("--tls-key is given without --tls-cert")),
    }
}

fn master_key(
    args: &ServeArgs,
    places: &Places<'_>,
    data_dir: &Path,
) -> Result<MasterKey, Failure> {
    let file = places.path("master-key-file", args.master_key_file.as_deref())?;
    let given = places.env.get("CLAVIGER_MASTER_KEY")?;
    match (given, file) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "CLAVIGER_MASTER_KEY and a master key file are both given; give one",
        )),
        (Some(text), None) => Ok(MasterKey::Given(Secret::new(text))),
        (None, Some(path)) => Ok(MasterKey::File(path)),
        (None, None) => Ok(MasterKey::File(data_dir.join(MASTER_KEY_FILE))),
    }
}

/// The root pair of the environment: both halves or neither.
fn root_pair(env: &dyn Env) -> Result<Option<RootPair>, Failure> {
    let access = env.get("CLAVIGER_ROOT_ACCESS_KEY")?;
    let secret = env.get("CLAVIGER_ROOT_SECRET_KEY")?;
    match (access, secret) {
        (Some(access_key), Some(secret)) => {
            parse::access_key(&access_key)
                .map_err(|why| Failure::usage(format!("CLAVIGER_ROOT_ACCESS_KEY: {why}")))?;
            parse::secret_key(&secret)
                .map_err(|why| Failure::usage(format!("CLAVIGER_ROOT_SECRET_KEY: {why}")))?;
            Ok(Some(RootPair {
                access_key,
                secret_key: Secret::new(secret),
            }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Failure::usage(
            "CLAVIGER_ROOT_ACCESS_KEY is set without CLAVIGER_ROOT_SECRET_KEY",
        )),
        (None, Some(_)) => Err(Failure::usage(
            "CLAVIGER_ROOT_SECRET_KEY is set without CLAVIGER_ROOT_ACCESS_KEY",
        )),
    }
}

#[cfg(test)]
mod tests;
