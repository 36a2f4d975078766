//! A real PostgreSQL of its own, on a free port, in a directory of its own, gone when dropped;
//! and a second one that follows it, whose word every commit waits for.

use crate::server::free_port;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server may take to listen, or to take over.
const READY_MAX: Duration = Duration::from_secs(60);

/// The user that the server runs as where this process is root, which it refuses.
const SYSTEM_USER: &str = "postgres";

/// A running PostgreSQL, or one that was killed and may be started again.
pub struct Postgres {
    binaries: PathBuf,
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

/// Where the server's programs are: the newest of Debian's packages, or wherever `postgres` is
/// found.
pub fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    let mut places: Vec<PathBuf> = found.into_iter().rev().map(|(_, path)| path).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path));
    places
        .into_iter()
        .find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

#[expect(
    clippy::print_stderr,
    reason = "a test that did not run must be seen to have not run"
)]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: PostgreSQL is not installed (apt-get install postgresql)");
}

impl Postgres {
    /// Makes an empty one and starts it; `None`, and a word on standard error that names `test`,
    /// where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is installed and does not come up.
    pub fn for_test(test: &str) -> Option<Self> {
        let Some(binaries) = binaries() else {
            skipped(test);
            return None;
        };
        match Self::start(&binaries) {
            Ok(server) => Some(server),
            Err(error) => panic!("PostgreSQL does not start for {test}: {error:#}"),
        }
    }

    /// Makes an empty one and starts it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(binaries: &Path) -> Result<Self> {
        let mut server = Self::prepare(binaries)?;
        let data = server.data();
        let data = data.as_os_str();
        let superuser = OsStr::new("--username=claviger");
        let words = [
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ];
        let words = words.map(OsStr::new);
        let mut all = vec![OsStr::new("-D"), data, superuser];
        all.extend(words);
        server.run("initdb", &all)?;
        server.configure(&[])?;
        server.launch()?;
        Ok(server)
    }

    /// Another one that follows this one; from then on this one's commits wait for it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn add_standby(&self) -> Result<Self> {
        let mut standby = Self::prepare(&self.binaries)?;
        let data = standby.data();
        let from = format!(
            "host=127.0.0.1 port={} user=claviger application_name=standby",
            self.port
        );
        standby.run(
            "pg_basebackup",
            &[
                OsStr::new("-D"),
                data.as_os_str(),
                OsStr::new("-d"),
                OsStr::new(&from),
                OsStr::new("-R"),
                OsStr::new("-X"),
                OsStr::new("stream"),
                OsStr::new("-c"),
                OsStr::new("fast"),
                OsStr::new("--no-sync"),
            ],
        )?;
        standby.configure(&[])?;
        standby.launch()?;
        self.sql(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
        )?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        let begun = Instant::now();
        let asked = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while self.sql("postgres", asked)?.trim() != "1" {
            if begun.elapsed() > READY_MAX {
                bail!("the standby does not follow");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(standby)
    }

    /// Makes this standby the primary.
    ///
    /// # Errors
    /// When it does not take over.
    pub fn promote(&self) -> Result<()> {
        // Nobody follows the new primary yet: it must not wait for one.
        self.sql("postgres", "SELECT pg_promote(true, 60)")?;
        let begun = Instant::now();
        while self.sql("postgres", "SELECT pg_is_in_recovery()")?.trim() != "f" {
            if begun.elapsed() > READY_MAX {
                bail!("the standby does not take over");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names")?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        Ok(())
    }

    /// Takes TLS connections from now on, with this certificate and key.
    ///
    /// # Errors
    /// When it does not take them.
    pub fn use_tls(&self, certificate: &str, key: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            if is_root() {
                let status = Command::new("chown").arg(SYSTEM_USER).arg(&path).status()?;
                anyhow::ensure!(status.success(), "there is no user {SYSTEM_USER}");
            }
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on")?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        let begun = Instant::now();
        while self.sql("postgres", "SHOW ssl")?.trim() != "on" {
            anyhow::ensure!(begun.elapsed() < READY_MAX, "it takes no TLS");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// CPU time that it used so far with all its processes, milliseconds, in ticks of 10.
    pub fn cpu_ms(&self) -> f64 {
        let Some(child) = &self.child else {
            return 0.0;
        };
        let postmaster = child.id();
        let used = |pid: u32, ended: bool| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let ticks = fields.split_whitespace().skip(11);
            let ticks = ticks.take(if ended { 4 } else { 2 });
            ticks.filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() * 10.0
        };
        let living = children_of(postmaster).into_iter();
        used(postmaster, true) + living.map(|pid| used(pid, false)).sum::<f64>()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://claviger@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database and says its URL.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn database(&self, name: &str) -> Result<String> {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\""))?;
        Ok(self.url(name))
    }

    /// Runs SQL and says what comes back, as text without decoration.
    ///
    /// # Errors
    /// The server's.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new(self.binaries.join("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"])
            .args(["-d", &self.url(database), "-c", sql])
            .stdin(Stdio::null())
            .output()
            .context("start psql")?;
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Kills it at once, all its processes, as a power cut would.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // The children of a killed postmaster end by themselves, at their next look; a session
        // in the middle of a commit might still finish it, so they are killed as well.
        let postmaster = child.id();
        let family = children_of(postmaster);
        let all = std::iter::once(postmaster).chain(family);
        let _ = Command::new("kill")
            .arg("-9")
            .args(all.map(|pid| pid.to_string()))
            .stderr(Stdio::null())
            .status();
        let _ = child.wait();
    }

    /// Starts it again after [`Postgres::kill`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_again(&mut self) -> Result<()> {
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        self.launch()
    }

    fn prepare(binaries: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let server = Self {
            binaries: binaries.to_owned(),
            port: free_port()?,
            directory,
            child: None,
        };
        if is_root() {
            let path = server.directory.path();
            let status = Command::new("chown").arg(SYSTEM_USER).arg(path).status()?;
            anyhow::ensure!(status.success(), "there is no user {SYSTEM_USER}");
        }
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn configure(&self, further: &[&str]) -> Result<()> {
        let sockets = self.directory.path().display().to_string();
        let lines = [
            format!("port = {}", self.port),
            "listen_addresses = '127.0.0.1'".into(),
            format!("unix_socket_directories = '{sockets}'"),
            "max_connections = 100".into(),
            "shared_buffers = 32MB".into(),
            "wal_level = replica".into(),
            "hot_standby = on".into(),
            "wal_keep_size = 256MB".into(),
        ];
        let text = lines
            .iter()
            .map(String::as_str)
            .chain(further.iter().copied());
        let text: Vec<&str> = text.collect();
        let path = self.data().join("postgresql.conf");
        let file = fs::OpenOptions::new().append(true).open(&path);
        use std::io::Write;
        writeln!(file.context("the configuration")?, "{}", text.join("\n"))?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let program = self.binaries.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER])
                .arg("--clear-groups")
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        command
            .current_dir(self.directory.path())
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        command
    }

    fn run(&mut self, program: &str, words: &[&OsStr]) -> Result<()> {
        let output = self.command(program).args(words).output()?;
        if !output.status.success() {
            bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let log = fs::File::create(self.directory.path().join("log"))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data());
        command.stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().context("start PostgreSQL")?);
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                let log = fs::read_to_string(self.directory.path().join("log"));
                bail!("it ended with {status}: {}", log.unwrap_or_default());
            }
            if self.sql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("it did not answer within {READY_MAX:?}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|line| line.split_whitespace().nth(1)) == Some("0")
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name stands in brackets and may hold anything; after it: state, parent.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        after.split_whitespace().nth(1) == Some(&parent.to_string())
    })
    .collect()
}
