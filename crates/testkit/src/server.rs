//! A real server of its own, on a free port, in a directory of its own, gone when dropped.

use crate::engines::EngineBinary;
use crate::session::Session;
use anyhow::{Context, Result, bail};
use claviger_core::engine::AclLevel;
use redis::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to listen.
const READY_MAX: Duration = Duration::from_secs(15);
/// How often another port is tried when one was taken meanwhile.
const STARTS_MAX: u32 = 4;

/// Where the server keeps its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Nowhere.
    Nothing,
    /// In an ACL file.
    Aclfile,
    /// In its configuration file.
    Config,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Where it keeps its users.
    pub keeps: Keeps,
    /// The port of the primary that it follows.
    pub replica_of: Option<u16>,
    /// Further lines of configuration, `name value`.
    pub lines: Vec<String>,
    /// It is a Sentinel, which keeps its configuration file.
    pub sentinel: bool,
    /// On this port; a free one if absent.
    pub port: Option<u16>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            keeps: Keeps::Nothing,
            replica_of: None,
            lines: Vec::new(),
            sentinel: false,
            port: None,
        }
    }
}

/// A running server, or one that was stopped and may be started again.
pub struct Server {
    binary: EngineBinary,
    options: ServerOptions,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(binary: &EngineBinary, options: &ServerOptions) -> Result<Self> {
        let mut failure = None;
        for _ in 0..STARTS_MAX {
            let mut server = Self {
                binary: binary.clone(),
                options: options.clone(),
                directory: tempfile::tempdir()?,
                port: options.port.map_or_else(free_port, Ok)?,
                child: None,
            };
            server.configure()?;
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| anyhow::anyhow!("the server did not start")))
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What its own file says: the ACL file, or the configuration file.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn own_file(&self) -> Result<String> {
        let name = match self.options.keeps {
            Keeps::Aclfile => "users.acl",
            Keeps::Config => "server.conf",
            Keeps::Nothing => bail!("this server has no file of its own"),
        };
        Ok(fs::read_to_string(self.directory().join(name))?)
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn session(&self) -> Result<Session> {
        Session::open(&self.address())
    }

    /// One command over a connection of its own, without a login.
    ///
    /// # Errors
    /// The server's error, or the network's.
    pub fn ask(&self, words: &[&str]) -> Result<Value> {
        self.session()?.ask(words)
    }

    /// Kills it at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Gone already, or about to be: either way it does not run on.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Kills it and starts it again with what its own file holds.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.start_again()
    }

    /// Starts it again after [`Server::kill`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        let mut last = Ok(());
        for _ in 0..STARTS_MAX {
            last = self.launch();
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Stops (true) or resumes (false) its process: it is there and does not answer.
    ///
    /// # Errors
    /// When there is no process.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let child = self.child.as_ref().context("the server does not run")?;
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "kill {signal} failed");
        Ok(())
    }

    fn settings(&self) -> Vec<String> {
        let mut lines = vec![
            format!("port {}", self.port),
            "bind 127.0.0.1".into(),
            format!("dir {}", self.directory().display()),
        ];
        if self.options.sentinel {
            lines.extend(self.options.lines.iter().cloned());
            return lines;
        }
        lines.extend([
            "save \"\"".into(),
            "appendonly no".into(),
            "repl-diskless-sync-delay 0".into(),
        ]);
        if let Some(port) = self.options.replica_of {
            lines.push(format!("replicaof 127.0.0.1 {port}"));
        }
        lines.extend(self.options.lines.iter().cloned());
        lines
    }

    fn configure(&self) -> Result<()> {
        let mut lines = self.settings();
        match self.options.keeps {
            Keeps::Nothing => return Ok(()),
            Keeps::Config => {}
            Keeps::Aclfile => {
                let channels = if self.binary.engine.acl_level() >= AclLevel::Channels {
                    "&* "
                } else {
                    ""
                };
                let users = format!("user default on nopass ~* {channels}+@all\n");
                let path = self.directory().join("users.acl");
                fs::write(&path, users)?;
                lines.push(format!("aclfile {}", path.display()));
            }
        }
        fs::write(
            self.directory().join("server.conf"),
            lines.join("\n") + "\n",
        )?;
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary.path);
        match self.options.keeps {
            Keeps::Nothing => {
                for line in self.settings() {
                    let (name, value) = line.split_once(' ').context("a setting without value")?;
                    command.arg(format!("--{name}"));
                    command.args(value.split(' ').map(|word| word.trim_matches('"')));
                }
            }
            Keeps::Aclfile | Keeps::Config => {
                command.arg(self.directory().join("server.conf"));
                if self.options.sentinel {
                    command.arg("--sentinel");
                }
            }
        }
        let log = fs::File::create(self.directory().join("log"))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.child = Some(command.spawn().context("start the server")?);
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                let log = fs::read_to_string(self.directory().join("log")).unwrap_or_default();
                bail!("the server ended with {status}: {log}");
            }
            // Any answer will do, also that a password is wanted.
            if let Ok(mut session) = self.session() {
                match session.ask(&["PING"]) {
                    Ok(_) => return Ok(()),
                    Err(error) if error.to_string().starts_with("NOAUTH") => return Ok(()),
                    Err(error) if error.to_string().starts_with("MASTERDOWN") => return Ok(()),
                    Err(_) => {}
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("the server did not answer within {READY_MAX:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
