//! Runs the binary with an environment of its own, and services that end with the test.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that anything may take here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Exit status 0; standard output.
    pub(crate) fn fine(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Exit status 0; standard output as JSON.
    pub(crate) fn json(self) -> serde_json::Value {
        let out = self.fine();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// That exit status, nothing on standard output, one line on standard error; that line.
    pub(crate) fn one_line(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        let line = self
            .err
            .strip_prefix("claviger: ")
            .expect("the program's name first");
        assert_eq!(line.matches('\n').count(), 1, "{self:?}");
        line.trim_end().to_owned()
    }
}

/// A directory with a home in it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The binary, seeing nothing of the surrounding environment but PATH.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        self.run_with(args, &[])
    }

    pub(crate) fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Done {
        let mut command = self.command(args);
        let output = command.envs(env.iter().copied()).output().unwrap();
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts `serve` on a free port and waits until it serves.
    pub(crate) fn serve(&self, args: &[&str], env: &[(&str, &str)]) -> Running<'_> {
        let data = self.data();
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir"];
        all.push(data.to_str().unwrap());
        all.extend(args);
        let mut running = self.start(&all, env);
        let line = running.line();
        let endpoint = line
            .strip_prefix("claviger serves on ")
            .expect(&line)
            .to_owned();
        running.endpoint = endpoint;
        running
    }

    /// Starts something that goes on running.
    pub(crate) fn start(&self, args: &[&str], env: &[(&str, &str)]) -> Running<'_> {
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = mpsc::channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut errors = child.stderr.take().unwrap();
        let (send, err) = mpsc::channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            let _ = send.send(text);
        });
        Running {
            place: self,
            child,
            lines,
            err,
            endpoint: String::new(),
            keys: None,
        }
    }
}

/// A process that runs; killed when the test ends before it.
pub(crate) struct Running<'a> {
    place: &'a Place,
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
    err: mpsc::Receiver<String>,
    pub(crate) endpoint: String,
    /// The key pair of the commands that are run against it.
    pub(crate) keys: Option<(String, String)>,
}

impl Running<'_> {
    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(_) => {
                let _ = self.child.kill();
                let err = self.err.recv_timeout(DEADLINE).unwrap_or_default();
                panic!("it said nothing more; standard error: {err}");
            }
        }
    }

    /// Runs a client command against it.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        let mut env = vec![("CLAVIGER_ENDPOINT", self.endpoint.as_str())];
        if let Some((access, secret)) = &self.keys {
            env.push(("CLAVIGER_ACCESS_KEY", access));
            env.push(("CLAVIGER_SECRET_KEY", secret));
        }
        self.place.run_with(args, &env)
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &line])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Asks it to end; exit status and standard error.
    pub(crate) fn stop(mut self) -> (i32, String) {
        self.signal("TERM");
        // Standard error ends when the process does.
        let err = self.err.recv_timeout(DEADLINE).expect("it does not end");
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), err)
    }

    /// Kills it; standard error.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        let err = self.err.recv_timeout(DEADLINE).expect("it does not end");
        self.child.wait().unwrap();
        err
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The pair that a first start shows on standard error.
pub(crate) fn shown_pair(err: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let line = err.lines().find_map(|line| line.trim().strip_prefix(name));
        line.map(str::to_owned)
    };
    Some((
        value("CLAVIGER_ACCESS_KEY=")?,
        value("CLAVIGER_SECRET_KEY=")?,
    ))
}

/// Asks again until it is true.
pub(crate) fn eventually(what: &str, mut question: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !question() {
        assert!(
            begun.elapsed() < DEADLINE,
            "not within the deadline: {what}"
        );
        // Slower than the requests a second that one key may make.
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Whether some file below the directory holds the text.
pub(crate) fn holds(directory: &Path, text: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let found = if path.is_dir() {
            holds(&path, text)
        } else {
            let content = std::fs::read(&path).unwrap();
            let found = content
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            found.then_some(path)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
