//! The built binary on a data directory that outlives it.

use crate::api::{Api, KEY, SECRET};
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const READY_MAX: Duration = Duration::from_secs(120);

/// How often every node is checked in full.
pub(crate) const SWEEP: &str = "1s";

pub(crate) struct Service {
    directory: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
    pub(crate) api: Api,
}

impl Service {
    pub(crate) fn new() -> Self {
        let port = claviger_testkit::server::free_port().unwrap();
        Self {
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
        let begun = Instant::now();
        loop {
            if self.api.native("GET", "/info", None).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                return Err(format!("claviger ended at its start with {status}"));
            }
            if begun.elapsed() > READY_MAX {
                return Err("claviger did not come up".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
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

    /// A second process on the same data directory, by mistake: must be refused in plain words.
    pub(crate) fn second(&self) -> Result<(), String> {
        let port = claviger_testkit::server::free_port().unwrap();
        let mut command = self.command(port);
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(1) && said.contains("another process has this store open") {
            Ok(())
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

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only if it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
