//! How soon accounts are usable after a failover, and how soon a change is read back from every
//! node of a cluster; with real Sentinels and a real cluster of the `redis-server` of the path.

use crate::http::Caller;
use crate::report::{Goal, Report, progress, quantile};
use crate::requests;
use crate::serve::Serving;
use anyhow::{Context, bail, ensure};
use claviger_testkit::sentinels::MASTER;
use claviger_testkit::{
    Cluster, EngineBinary, Keeps, Sentinels, Server, ServerOptions, Session, Watched, found_engines,
};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long Sentinels may take to agree on a failover.
const SWITCH_MAX: Duration = Duration::from_secs(20);
/// Accounts that are there before the failovers.
const ACCOUNTS: usize = 10;
const PASSWORD: &str = "Bench-Pass-2026";

/// Runs all of it, or the part that is named: `cluster`, `switch` or `crash`.
pub(crate) async fn run(
    claviger: &Path,
    failovers: usize,
    part: Option<&str>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let binary = found_engines()
        .iter()
        .find(|binary| binary.path.starts_with("/usr"))
        .context("no server on the path")?;
    report.add("server", binary.engine.to_string(), 0.0, Goal::None);
    let wanted = |name| part.is_none_or(|part| part == name);
    if wanted("cluster") {
        cluster(claviger, binary, failovers * 4, report).await?;
    }
    if wanted("switch") {
        switches(claviger, binary, failovers, false, report).await?;
    }
    if wanted("crash") {
        switches(claviger, binary, failovers, true, report).await?;
    }
    Ok(())
}

async fn told(service: SocketAddr, request: &[u8], what: &str) -> anyhow::Result<String> {
    // Anew each time: the service ends connections on which nothing comes for a while.
    let mut caller = Caller::connect(service).await?;
    let (status, told) = caller.call(request).await?;
    let told = String::from_utf8_lossy(&told).into_owned();
    ensure!(status / 100 == 2, "{what} answered {status}: {told}");
    Ok(told)
}

async fn register(service: SocketAddr, body: &str) -> anyhow::Result<()> {
    let request = requests::native("POST", "/claviger/v1/instances", body);
    told(service, &request, "registering").await.map(drop)
}

async fn create(service: SocketAddr, name: &str) -> anyhow::Result<()> {
    let request = requests::create("r-bench", name);
    told(service, &request, "create").await.map(drop)
}

async fn delete(service: SocketAddr, name: &str) -> anyhow::Result<()> {
    let params = [("InstanceId", "r-bench"), ("AccountName", name)];
    let request = requests::aliyun("DeleteAccount", &params);
    told(service, &request, "delete").await.map(drop)
}

/// Waits until the whole instance is in sync.
async fn in_sync(service: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let request = requests::native("GET", "/claviger/v1/instances/r-bench/status", "");
        let status = told(service, &request, "status").await?;
        let top = status.split("\"nodes\"").next().unwrap_or_default();
        if top.contains("\"in_sync\":true") {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "not in sync: {status}");
    }
}

/// Asks the node for a login until it is granted.
fn usable(session: &mut Session, name: &str) -> anyhow::Result<()> {
    let begun = Instant::now();
    while session.ask(&["AUTH", name, PASSWORD]).is_err() {
        ensure!(begun.elapsed() < PATIENCE, "{name} is not usable");
    }
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn add(report: &mut Report, what: &str, mut each: Vec<f64>) {
    let count = each.len();
    for (name, q) in [("p50", 0.5), ("p99", 0.99)] {
        let value = quantile(&mut each, q);
        let what = format!("{what}, {name} of {count}, ms");
        report.add(what, format!("{value:.2}"), value, Goal::None);
    }
}

async fn cluster(
    claviger: &Path,
    binary: &EngineBinary,
    changes: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let options = ServerOptions {
        keeps: Keeps::Aclfile,
        ..ServerOptions::default()
    };
    let cluster = Cluster::start(binary, 3, 3, &options)?;
    let serving = Serving::start(claviger, dir.path(), &[])?;
    let seed = cluster.nodes[0].address();
    let body = format!(r#"{{"id":"r-bench","nodes":["redis://{seed}"]}}"#);
    register(serving.address, &body).await?;
    in_sync(serving.address).await?;
    let (mut logins, mut synced) = (Vec::new(), Vec::new());
    for n in 0..changes {
        let name = format!("app{n}");
        let sessions = cluster.nodes.iter().map(Server::session);
        let mut sessions = sessions.collect::<anyhow::Result<Vec<Session>>>()?;
        create(serving.address, &name).await?;
        let since = Instant::now();
        if n % 2 == 0 {
            in_sync(serving.address).await?;
            synced.push(ms(since));
        } else {
            for session in &mut sessions {
                usable(session, &name)?;
            }
            logins.push(ms(since));
        }
        in_sync(serving.address).await?;
        delete(serving.address, &name).await?;
        in_sync(serving.address).await?;
    }
    add(
        report,
        "cluster of 6: create answered to read back from all, as status says",
        synced,
    );
    add(
        report,
        "cluster of 6: create answered to a login on each of the nodes",
        logins,
    );
    Ok(())
}

struct Group {
    nodes: Vec<Server>,
    sentinels: Sentinels,
}

impl Group {
    fn start(binary: &EngineBinary) -> anyhow::Result<Self> {
        let options = ServerOptions::default();
        let primary = Server::start(binary, &options)?;
        let options = ServerOptions {
            replica_of: Some(primary.port()),
            ..options
        };
        let mut nodes = vec![primary];
        for _ in 0..2 {
            nodes.push(Server::start(binary, &options)?);
        }
        let begun = Instant::now();
        while !nodes[1..].iter().all(linked) {
            ensure!(begun.elapsed() < PATIENCE, "the replicas are not linked");
        }
        let sentinels = Sentinels::start(binary, 3, &nodes[0], 2, &Watched::default())?;
        for sentinel in &sentinels.each {
            sentinel.ask(&["SENTINEL", "SET", MASTER, "failover-timeout", "2000"])?;
            sentinel.ask(&["SENTINEL", "SET", MASTER, "down-after-milliseconds", "1000"])?;
            // Only for the pace of the bench: replicas are asked for their state more often.
            sentinel.ask(&["SENTINEL", "DEBUG", "INFO-PERIOD", "200"])?;
        }
        Ok(Self { nodes, sentinels })
    }

    fn at(&self, address: &str) -> anyhow::Result<usize> {
        let mut nodes = self.nodes.iter();
        let at = nodes.position(|node| node.address() == address);
        at.context("the Sentinels name an unknown primary")
    }

    /// Waits until the Sentinels name another primary: its place. On a busy machine they may
    /// never agree.
    fn switched(&self, from: usize) -> anyhow::Result<Option<usize>> {
        let begun = Instant::now();
        loop {
            if let Some(address) = self.sentinels.primary() {
                let at = self.at(&address)?;
                if at != from {
                    return Ok(Some(at));
                }
            }
            if begun.elapsed() > SWITCH_MAX {
                return Ok(None);
            }
        }
    }
}

impl Group {
    /// Waits until two of the nodes follow the third, and every Sentinel has ended the failover:
    /// otherwise the next one may get stuck.
    fn settle(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !(self.sentinels.are_calm()
            && self.nodes.iter().filter(|node| linked(node)).count() == 2)
        {
            if begun.elapsed() > PATIENCE {
                bail!("a replica is not linked");
            }
        }
        Ok(())
    }
}

fn linked(node: &Server) -> bool {
    let info = node.ask(&["INFO", "replication"]);
    info.is_ok_and(|info| format!("{info:?}").contains("master_link_status:up"))
}

async fn switches(
    claviger: &Path,
    binary: &EngineBinary,
    count: usize,
    crash: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let what = if crash { "crash" } else { "SENTINEL FAILOVER" };
    let dir = tempfile::tempdir()?;
    let mut group = Group::start(binary)?;
    let serving = Serving::start(claviger, dir.path(), &[])?;
    let seeds: Vec<String> = group
        .sentinels
        .each
        .iter()
        .map(|s| format!("\"redis://{}\"", s.address()))
        .collect();
    let body = format!(
        r#"{{"id":"r-bench","topology":"sentinel","master_name":"{MASTER}","nodes":[{}]}}"#,
        seeds.join(",")
    );
    register(serving.address, &body).await?;
    for n in 0..ACCOUNTS {
        create(serving.address, &format!("app{n}")).await?;
    }
    in_sync(serving.address).await?;
    let (mut all, mut new, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..count {
        let address = group.sentinels.primary().context("no Sentinel answers")?;
        let primary = group.at(&address)?;
        // One account is accepted in the moment before.
        let last = format!("last{round}");
        create(serving.address, &last).await?;
        if crash {
            group.nodes[primary].kill();
        } else {
            group.sentinels.switch()?;
        }
        let Some(promoted) = group.switched(primary)? else {
            progress(&format!(
                "{what} {round}: the Sentinels did not switch over"
            ));
            if crash {
                group.nodes[primary].start_again()?;
            }
            group.settle()?;
            delete(serving.address, &last).await?;
            continue;
        };
        let since = Instant::now();
        let mut session = group.nodes[promoted].session()?;
        for n in 0..ACCOUNTS {
            usable(&mut session, &format!("app{n}"))?;
        }
        usable(&mut session, &last)?;
        all.push(ms(since));
        let next = format!("next{round}");
        create(serving.address, &next).await?;
        let since = Instant::now();
        usable(&mut session, &next)?;
        new.push(ms(since));
        if crash {
            group.nodes[primary].start_again()?;
            let since = Instant::now();
            let mut session = group.nodes[primary].session()?;
            usable(&mut session, &last)?;
            usable(&mut session, &next)?;
            for n in 0..ACCOUNTS {
                usable(&mut session, &format!("app{n}"))?;
            }
            back.push(ms(since));
            // The Sentinels would do so themselves, ten seconds later.
            let port = group.nodes[promoted].port().to_string();
            group.nodes[primary].ask(&["REPLICAOF", "127.0.0.1", &port])?;
        }
        group.settle()?;
        for name in [&last, &next] {
            delete(serving.address, name).await?;
        }
        in_sync(serving.address).await?;
        let last = |each: &[f64]| each.last().copied().unwrap_or_default();
        progress(&format!(
            "{what} {round}: {:.2} {:.2} {:.2} ms",
            last(&all),
            last(&new),
            last(&back)
        ));
    }
    let title = format!("{what}: switch to all accounts usable on the new primary");
    add(report, &title, all);
    let title = format!("{what}: create answered after the switch to usable there");
    add(report, &title, new);
    if crash {
        add(
            report,
            "crash: the old primary is back without users to all usable there",
            back,
        );
    }
    Ok(())
}
