//! A Redis or Valkey server as a child of `claviger dev`: never open, never left behind.

use super::layout::Layout;
use crate::env::Env;
use crate::failure::Failure;
use crate::private_file;
use claviger_core::account::Account;
use claviger_core::engine::{AclLevel, Engine, Family};
use claviger_core::password::PasswordDigest;
use claviger_core::secret::Secret;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// Programs that are looked for, in this order.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(10);
/// How often it is asked meanwhile.
const ASK: Duration = Duration::from_millis(20);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a server may take to end before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// How many bytes of a server's log are shown when it does not start.
const LOG_SHOWN: usize = 300;

/// A server program and its version.
pub(super) struct Program {
    path: PathBuf,
    engine: Engine,
}

impl Program {
    /// `redis 7.0.15`.
    pub(super) fn title(&self) -> String {
        let family = match self.engine.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
            Family::Redict => "redict",
        };
        let Engine {
            major,
            minor,
            patch,
            ..
        } = self.engine;
        format!("{family} {major}.{minor}.{patch}")
    }
}

/// Finds the server program: the one given, else one in `PATH`.
///
/// # Errors
/// There is none, or it is too old to have users.
pub(super) fn find(given: Option<&Path>, env: &dyn Env) -> Result<Program, Failure> {
    let path = match given {
        Some(path) => path.to_owned(),
        None => in_path(&env.get("PATH")?.unwrap_or_default()).ok_or_else(|| {
            Failure::refused(
                "neither redis-server nor valkey-server is in PATH: install one (Debian: apt \
                 install redis-server; macOS: brew install redis), or name it with --server",
            )
        })?,
    };
    let shown = path.display();
    let output = std::process::Command::new(&path).arg("--version").output();
    let output =
        output.map_err(|error| Failure::refused(format!("cannot run {shown}: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let engine = version(&text)
        .ok_or_else(|| Failure::refused(format!("{shown} is no Redis or Valkey server")))?;
    if engine.acl_level() == AclLevel::None {
        return Err(Failure::refused(format!(
            "{shown} is older than version 6.0 and has no users"
        )));
    }
    Ok(Program { path, engine })
}

/// Reads `Redis server v=7.0.15 sha=...` or `Valkey server v=8.0.1 ...`.
fn version(text: &str) -> Option<Engine> {
    let family = match text.split_whitespace().next()? {
        "Redis" => Family::Redis,
        "Valkey" => Family::Valkey,
        "Redict" => Family::Redict,
        _ => return None,
    };
    let version = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))?;
    Engine::parse(family, version)
}

fn in_path(path: &str) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = std::env::split_paths(path).collect();
    PROGRAMS.iter().find_map(|program| {
        let candidates = directories.iter().map(|directory| directory.join(program));
        candidates.into_iter().find(|candidate| candidate.is_file())
    })
}

/// A running server, and the process that ends it if ours is killed.
pub(super) struct Server {
    port: u16,
    child: Mutex<Child>,
    /// Waits for its standard input to close, which the system does for us even when this
    /// process is killed, and then asks the server to end.
    guard: Child,
}

impl Server {
    /// Starts a server and waits until it answers. Servers after the first replicate it.
    ///
    /// # Errors
    /// It does not start; with the last words of its log.
    pub(super) async fn start(
        program: &Program,
        layout: &Layout,
        node: usize,
        password: &Secret,
    ) -> Result<Self, Failure> {
        let shown = program.path.display();
        let cannot = |why: &dyn std::fmt::Display| {
            Failure::refused(format!("{shown} cannot be started: {why}"))
        };
        let users = layout.users(node);
        let kept = match std::fs::read_to_string(&users) {
            Ok(text) if layout.registered => text,
            _ => String::new(),
        };
        let text = users_file(&kept, program.engine, password);
        private_file::replace(&users, text.as_bytes()).map_err(|e| cannot(&e))?;
        let settings = settings(layout, node, password);
        let log = File::create(layout.log(node)).map_err(|e| cannot(&e))?;
        let log_too = log.try_clone().map_err(|e| cannot(&e))?;
        let mut child = Command::new(&program.path)
            // Settings come by standard input: a replica's hold the password.
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(log_too)
            // Ctrl-C reaches this process alone, which then ends the server after its clients.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| cannot(&e))?;
        if let Some(mut input) = child.stdin.take() {
            let sent = input.write_all(settings.expose().as_bytes()).await;
            sent.map_err(|e| cannot(&e))?;
        }
        let guard = guard(&child).map_err(|e| cannot(&e))?;
        let server = Self {
            port: layout.ports[node],
            child: Mutex::new(child),
            guard,
        };
        match timeout(START, server.answers()).await {
            Ok(true) => Ok(server),
            _ => Err(cannot(&last_words(&layout.log(node)))),
        }
    }

    /// Asks until it answers; false if it ended.
    async fn answers(&self) -> bool {
        loop {
            if matches!(timeout(ANSWER, ping(self.port)).await, Ok(Ok(true))) {
                return true;
            }
            if !matches!(self.child.lock().await.try_wait(), Ok(None)) {
                return false;
            }
            sleep(ASK).await;
        }
    }

    /// Ends it, softly if it takes that.
    pub(super) async fn stop(self) {
        let Self {
            child, mut guard, ..
        } = self;
        let mut child = child.into_inner();
        // The guard asks the server to end when its input closes.
        drop(guard.stdin.take());
        if timeout(STOP, child.wait()).await.is_err() {
            tracing::warn!("a server had to be killed");
            // Fails only if it has ended by now.
            let _ = child.kill().await;
        }
        let _ = timeout(STOP, guard.wait()).await;
    }
}

/// Waits until one of the servers ends by itself.
pub(super) async fn first_end(servers: &[Server]) -> Failure {
    loop {
        for server in servers {
            if !matches!(server.child.lock().await.try_wait(), Ok(None)) {
                return Failure::refused(format!(
                    "the server on port {} ended by itself",
                    server.port
                ));
            }
        }
        sleep(ANSWER).await;
    }
}

/// A shell that outlives us by a moment.
fn guard(child: &Child) -> std::io::Result<Child> {
    let id = child.id().map_or_else(String::new, |id| id.to_string());
    Command::new("sh")
        .args(["-c", "read -r _; kill -TERM \"$1\" 2>/dev/null", "sh", &id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Any reply to a PING but "still loading" will do: without a login it is a refusal.
async fn ping(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut reply = [0; 8];
    let length = stream.read(&mut reply).await?;
    Ok(reply[..length].starts_with(b"-NOAUTH") || reply[..length].starts_with(b"+PONG"))
}

/// The default user's line in the file of users.
fn default_user(engine: Engine, password: &Secret) -> String {
    let channels = if engine.acl_level() >= AclLevel::Channels {
        " &*"
    } else {
        ""
    };
    let digest = PasswordDigest::of(password).expose_hex();
    format!("user default on #{digest} ~*{channels} +@all")
}

/// The file of users: those that were kept, and the default user with the password that we know.
/// A server that was killed may have had no time to write down its newest one; and with a file
/// without a default user it would be open to everyone.
fn users_file(kept: &str, engine: Engine, password: &Secret) -> String {
    let mut text = format!("{}\n", default_user(engine, password));
    let others = kept.lines().filter(|line| {
        let name = line
            .strip_prefix("user ")
            .and_then(|rest| rest.split(' ').next());
        name.is_some_and(|name| name != Account::DEFAULT_NAME)
    });
    for line in others {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The server's settings, in the form of its settings file.
fn settings(layout: &Layout, node: usize, password: &Secret) -> Secret {
    let mut text = format!(
        "bind 127.0.0.1\nport {}\ndaemonize no\ndir {}\naclfile {}\n",
        layout.ports[node],
        quoted(&layout.directory(node)),
        quoted(&layout.users(node)),
    );
    if node > 0 {
        text.push_str(&format!(
            "replicaof 127.0.0.1 {}\nmasterauth {}\n",
            layout.ports[0],
            password.expose()
        ));
    }
    Secret::new(text)
}

/// A path as one word of the settings file.
fn quoted(path: &Path) -> String {
    let mut text = String::from("\"");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            0x20..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}

/// The end of a log, in one line.
fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let last: String = last
        .unwrap_or("it said nothing")
        .chars()
        .take(LOG_SHOWN)
        .collect();
    format!(
        "{} (log {})",
        crate::output::printable(last.trim()),
        log.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, title) in [
            (
                "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
                Some("redis 7.0.15"),
            ),
            ("Valkey server v=8.1.1 sha=00000000:0", Some("valkey 8.1.1")),
            ("BusyBox v1.35", None),
            ("", None),
        ] {
            let found = version(text).map(|engine| {
                let path = PathBuf::new();
                Program { path, engine }.title()
            });
            assert_eq!(found.as_deref(), title);
        }
        let quoted = quoted(Path::new("/a \"b\\é"));
        assert_eq!(quoted, r#""/a \"b\\\xc3\xa9""#);
    }

    #[test]
    fn the_default_user_is_never_open() {
        let password = Secret::new("abc");
        for (version, channels) in [("6.0.16", false), ("6.2.14", true), ("7.0.15", true)] {
            let engine = Engine::parse(Family::Redis, version);
            let line = engine
                .map(|engine| default_user(engine, &password))
                .unwrap_or_default();
            assert!(
                line.contains("on #ba7816bf") && !line.contains("nopass"),
                "{line}"
            );
            assert_eq!(line.contains("&*"), channels);
            let kept = "user app on #00 ~* -@all\nuser default on nopass ~* +@all\n";
            let text = engine.map(|engine| users_file(kept, engine, &password));
            assert_eq!(text, Some(format!("{line}\nuser app on #00 ~* -@all\n")));
        }
    }
}
