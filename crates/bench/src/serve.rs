//! The built binary, serving on a free port with a directory of its own.

use anyhow::{Context, bail};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Root pair of every bench.
pub(crate) const KEY: &str = "BENCHROOTKEY0001";
pub(crate) const SECRET: &str = "bench-root-secret-0123456789abcdef";
/// Services on one store have one master key: 32 zero bytes.
const MASTER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) ready_after: Duration,
}

impl Serving {
    pub(crate) fn start(claviger: &Path, data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let log = std::fs::File::create(data.join("bench.log"))?;
        let begun = Instant::now();
        let child = Command::new(claviger)
            .arg("serve")
            .args(["--data-dir".as_ref(), data.join("data").as_os_str()])
            .args([
                "--listen",
                &address.to_string(),
                "--rate-limit",
                "0",
                "--log-level",
                "warn",
            ])
            .args(more)
            .env("CLAVIGER_ROOT_ACCESS_KEY", KEY)
            .env("CLAVIGER_ROOT_SECRET_KEY", SECRET)
            .env("CLAVIGER_MASTER_KEY", MASTER_KEY)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", claviger.display()))?;
        let mut serving = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        let deadline = begun + Duration::from_secs(60);
        while !answers(address) {
            if Instant::now() > deadline || serving.child.try_wait()?.is_some() {
                let log = std::fs::read_to_string(data.join("bench.log")).unwrap_or_default();
                bail!("claviger did not come up: {log}");
            }
            std::thread::yield_now();
        }
        serving.ready_after = begun.elapsed();
        Ok(serving)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(format!(
            "/proc/{}/{file}",
            self.child.id()
        ))?)
    }

    /// Resident memory, KiB.
    pub(crate) fn rss_kib(&self) -> anyhow::Result<f64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The most that was ever resident, KiB.
    pub(crate) fn peak_kib(&self) -> anyhow::Result<f64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// CPU time used so far, milliseconds, in ticks of 10.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stat = self.proc("stat")?;
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .context("stat")?
            .1
            .split_whitespace()
            .collect();
        let user: f64 = fields.get(11).context("utime")?.parse()?;
        let system: f64 = fields.get(12).context("stime")?.parse()?;
        Ok((user + system) * 10.0)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn answers(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
