//! Memory at rest and with many instances, the cost of sweeping them, and the cold start.

use crate::http::load;
use crate::report::{Goal, Report, progress};
use crate::serve::Serving;
use crate::{create, requests};
use anyhow::bail;
use claviger_testkit::simnode::SimNodes;
use std::path::Path;
use std::time::{Duration, Instant};

/// Accounts on each instance.
const ACCOUNTS: usize = 18;

pub(crate) async fn run(
    claviger: &Path,
    instances: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let size = std::fs::metadata(claviger)?.len() as f64 / 1048576.0;
    report.add(
        "binary, MiB",
        format!("{size:.1}"),
        size,
        Goal::AtMost(20.0, 12.0),
    );
    let dir = tempfile::tempdir()?;
    let nodes = SimNodes::start().await?;
    let sweep = Duration::from_secs(5);
    let more = ["--sweep-interval", "5s"];
    let serving = Serving::start(claviger, dir.path(), &more)?;
    let start_ms = serving.ready_after.as_secs_f64() * 1000.0;
    report.add(
        "cold start, first ever, ms",
        format!("{start_ms:.0}"),
        start_ms,
        Goal::None,
    );
    let idle = serving.rss_kib()? / 1024.0;
    report.add(
        "memory at rest, MiB",
        format!("{idle:.1}"),
        idle,
        Goal::AtMost(24.0, 12.0),
    );
    drop(serving);
    let serving = Serving::start(claviger, dir.path(), &more)?;
    let start_ms = serving.ready_after.as_secs_f64() * 1000.0;
    report.add(
        "cold start, empty, ms",
        format!("{start_ms:.0}"),
        start_ms,
        Goal::AtMost(100.0, 30.0),
    );

    fill(&serving, &nodes, instances).await?;
    let rss = serving.rss_kib()? / 1024.0;
    let each = (rss - idle) * 1024.0 / instances as f64;
    report.add(
        format!("memory with {instances} instances of 18 accounts, MiB"),
        format!("{rss:.1}"),
        rss,
        Goal::None,
    );
    report.add(
        "memory of an instance with 18 accounts and its connection, KiB",
        format!("{each:.1}"),
        each,
        Goal::AtMost(24.0, 10.0),
    );
    let (before, asked) = (serving.cpu_ms()?, nodes.commands());
    let rounds = 4;
    tokio::time::sleep(sweep * rounds).await;
    let passes = instances as f64 * f64::from(rounds);
    let cpu_us = (serving.cpu_ms()? - before) * 1000.0 / passes;
    let commands = (nodes.commands() - asked) as f64 / passes;
    report.add(
        "sweep without drift, CPU an instance, us",
        format!("{cpu_us:.0} ({commands:.1} commands to the node)"),
        cpu_us,
        Goal::AtMost(150.0, 60.0),
    );
    repair(&nodes, instances, report).await?;
    drop(serving);
    let serving = Serving::start(claviger, dir.path(), &more)?;
    let start_ms = serving.ready_after.as_secs_f64() * 1000.0;
    report.add(
        format!("cold start, {instances} instances, ms"),
        format!("{start_ms:.0}"),
        start_ms,
        Goal::AtMost(1500.0, 400.0),
    );
    Ok(())
}

/// Registers the instances, makes the accounts, waits until every node has its users.
async fn fill(serving: &Serving, nodes: &SimNodes, instances: usize) -> anyhow::Result<()> {
    create::register(serving.address, nodes, 0, instances).await?;
    let mut lanes = vec![Vec::new(); 16];
    for n in 0..instances * ACCOUNTS {
        let request = requests::create(
            &format!("r-{}", n % instances),
            &format!("app{}", n / instances),
        );
        lanes[n % 16].push(request);
    }
    load(&[serving.address], lanes).await?;
    settled(nodes, instances).await.map(|_| ())
}

/// Until every node has its users; how long that took.
async fn settled(nodes: &SimNodes, instances: usize) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut next = 0;
    while next < instances {
        if nodes.users(u32::try_from(next)?).len() == ACCOUNTS {
            next += 1;
        } else if begun.elapsed() > Duration::from_secs(120) {
            bail!("node {next} did not get its users");
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(begun.elapsed())
}

async fn repair(nodes: &SimNodes, instances: usize, report: &mut Report) -> anyhow::Result<()> {
    progress("taking all users from all nodes");
    nodes.wipe_all();
    let took = settled(nodes, instances).await?.as_secs_f64();
    report.add(
        format!("all users of {instances} nodes lost at once: found by the sweep and put back, s"),
        format!("{took:.1} (a sweep every 5 s)"),
        took,
        Goal::None,
    );
    Ok(())
}
