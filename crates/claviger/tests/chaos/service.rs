//! The built binary on a data directory that outlives it.

use crate::api::{Api, KEY, SECRET};
use claviger_testkit::Postgres;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const READY_MAX: Duration = Duration::from_secs(120);

/// 32 bytes; services that share a store share it.
const MASTER_KEY: &str = "Y2hhb3MtbWFzdGVyLWtleS0wMTIzNDU2Nzg5YWJjZGU=";

/// How often every node is checked in full.
pub(crate) const SWEEP: &str = "1s";

pub(crate) struct Service {
    /// Where several services may share a store.
    database: Option<Postgres>,
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
    pub(crate) api: Api,
}

impl Service {
    /// With a PostgreSQL, or else the store in its directory.
    pub(crate) fn new(database: Option<Postgres>) -> Self {
        let port = claviger_testkit::server::free_port().unwrap();
        Self {
            database,
            directory: tempfile::tempdir().unwrap(),
            port,
            child: None,
            api: Api::new(port),
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn command(&self, port: u16) -> Command {
        let built = env!("CARGO_BIN_EXE_claviger").to_owned();
        let mut command = Command::new(crate::setting("BINARY").unwrap_or(built));
        command
            .arg("serve")
            .args([
                "--data-dir".as_ref(),
                self.directory.path().join("data").as_os_str(),
            ])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--sweep-interval", SWEEP, "--rate-limit", "0"])
            .args(["--log-level", "info", "--log-format", "text"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CLAVIGER_ROOT_ACCESS_KEY", KEY)
            .env("CLAVIGER_ROOT_SECRET_KEY", SECRET)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some(database) = &self.database {
            command
                .env("CLAVIGER_STORE", database.url("postgres"))
                .env("CLAVIGER_MASTER_KEY", MASTER_KEY);
        }
        command
    }

    fn log_file(&self) -> File {
        let mut open = OpenOptions::new();
        open.create(true).append(true).open(self.log()).unwrap()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let mut command = self.command(self.port);
        self.child = Some(command.stderr(self.log_file()).spawn().unwrap());
        // Kept connections lead to the process before.
        self.api = Api::new(self.port);
        await_up(&self.api, self.child.as_mut().unwrap())
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks it to end and waits.
    pub(crate) fn stop(&mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        let kill = Command::new("kill").arg(child.id().to_string()).status();
        assert!(kill.unwrap().success());
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            match child.try_wait().unwrap() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("claviger stopped with {status}")),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        // Nothing of it is left when the test goes on.
        let _ = child.kill();
        let _ = child.wait();
        Err("claviger does not stop".to_owned())
    }

    /// A second process on the same store: in a data directory that is a mistake, and must be
    /// refused in plain words; on PostgreSQL it may serve, and is killed while it does.
    pub(crate) fn second(&self) -> Result<&'static str, String> {
        let port = claviger_testkit::server::free_port().unwrap();
        let mut command = self.command(port);
        if self.database.is_some() {
            let mut child = command.stderr(self.log_file()).spawn().unwrap();
            let served = await_up(&Api::new(port), &mut child);
            child.kill().unwrap();
            child.wait().unwrap();
            return served.map(|()| "second claviger killed");
        }
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(1) && said.contains("another process has this store open") {
            Ok("second claviger refused")
        } else {
            Err(format!(
                "a second process was not refused: {} {said}",
                output.status
            ))
        }
    }

    /// The data directory stays when something is wrong.
    pub(crate) fn keep(&mut self) -> String {
        self.directory.disable_cleanup(true);
        self.directory.path().display().to_string()
    }
}

fn await_up(api: &Api, child: &mut Child) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        if api.native("GET", "/info", None).is_ok() {
            return Ok(());
        }
        if let Some(status) = child.try_wait().unwrap() {
            return Err(format!("claviger ended at its start with {status}"));
        }
        if begun.elapsed() > READY_MAX {
            return Err("claviger did not come up".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only if it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
