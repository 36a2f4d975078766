//! From a create's answer to the account usable on a real primary and its replica, by asking
//! both for a login in a tight loop.

use crate::http::Caller;
use crate::report::{Goal, Report, quantile};
use crate::requests;
use crate::serve::Serving;
use anyhow::{Context, bail};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A `redis-server` of the path, gone when dropped.
struct Redis(Child, SocketAddr);

impl Redis {
    fn start(dir: &Path, primary: Option<SocketAddr>) -> anyhow::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let home = dir.join(address.port().to_string());
        std::fs::create_dir(&home)?;
        std::fs::write(
            home.join("users.acl"),
            "user default on nopass ~* &* +@all\n",
        )?;
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &address.port().to_string(),
                "--save",
                "",
                "--bind",
                "127.0.0.1",
            ])
            .args(["--dir".as_ref(), home.as_os_str()])
            .args(["--aclfile".as_ref(), home.join("users.acl").as_os_str()]);
        if let Some(primary) = primary {
            command.args(["--replicaof", "127.0.0.1", &primary.port().to_string()]);
        }
        let child = command
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server")?;
        let redis = Self(child, address);
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                bail!("redis-server did not come up");
            }
            std::thread::yield_now();
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Asks for a login until it is granted; how long that took.
async fn login(stream: &mut TcpStream, name: &str, since: Instant) -> anyhow::Result<f64> {
    let password = "Bench-Pass-2026";
    let ask = format!(
        "*3\r\n$4\r\nAUTH\r\n${}\r\n{name}\r\n${}\r\n{password}\r\n",
        name.len(),
        password.len()
    );
    let mut answer = [0; 256];
    while since.elapsed() < Duration::from_secs(10) {
        stream.write_all(ask.as_bytes()).await?;
        let length = stream.read(&mut answer).await?;
        if answer[..length].starts_with(b"+OK") {
            return Ok(since.elapsed().as_secs_f64() * 1000.0);
        }
    }
    bail!("the account was not usable within 10 s")
}

pub(crate) async fn run(claviger: &Path, count: usize, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let primary = Redis::start(dir.path(), None)?;
    let replica = Redis::start(dir.path(), Some(primary.1))?;
    let serving = Serving::start(claviger, dir.path(), &[])?;
    let mut caller = Caller::connect(serving.address).await?;
    let body = format!(
        r#"{{"id":"r-apply","nodes":["redis://{}","redis://{}"]}}"#,
        primary.1, replica.1
    );
    let (status, told) = caller
        .call(&requests::native("POST", "/claviger/v1/instances", &body))
        .await?;
    if status / 100 != 2 {
        bail!(
            "registering answered {status}: {}",
            String::from_utf8_lossy(&told)
        );
    }
    let mut each = Vec::new();
    for n in 0..count {
        each.push(one(&mut caller, n, [primary.1, replica.1]).await?);
    }
    let (p50, p99) = (quantile(&mut each, 0.5), quantile(&mut each, 0.99));
    let what = "create answered to usable on primary and replica";
    report.add(
        format!("{what}, p50, ms"),
        format!("{p50:.2}"),
        p50,
        Goal::AtMost(3.0, 1.0),
    );
    report.add(
        format!("{what}, p99, ms"),
        format!("{p99:.2}"),
        p99,
        Goal::AtMost(20.0, 5.0),
    );
    Ok(())
}

async fn one(caller: &mut Caller, n: usize, nodes: [SocketAddr; 2]) -> anyhow::Result<f64> {
    let name = format!("app{n}");
    let mut first = TcpStream::connect(nodes[0]).await?;
    let mut second = TcpStream::connect(nodes[1]).await?;
    first.set_nodelay(true)?;
    second.set_nodelay(true)?;
    let (status, told) = caller.call(&requests::create("r-apply", &name)).await?;
    if status != 200 {
        bail!(
            "create answered {status}: {}",
            String::from_utf8_lossy(&told)
        );
    }
    let since = Instant::now();
    let (one, two) = tokio::join!(
        login(&mut first, &name, since),
        login(&mut second, &name, since)
    );
    let took = one?.max(two?);
    let params = [("InstanceId", "r-apply"), ("AccountName", name.as_str())];
    let (status, told) = caller
        .call(&requests::aliyun("DeleteAccount", &params))
        .await?;
    if status != 200 {
        bail!(
            "delete answered {status}: {}",
            String::from_utf8_lossy(&told)
        );
    }
    Ok(took)
}
