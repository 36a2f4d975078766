//! Durable creates at 1, 16 and 64 callers, describes at 16, beside single-row commits of SQLite
//! on the same disk in the same run. The nodes are simulated ones in this process, so that
//! driving them is part of the load, and its cost on this machine too.

use crate::http::{Caller, load};
use crate::report::{Goal, Report, progress, quantile};
use crate::serve::Serving;
use crate::{anchor, requests};
use anyhow::bail;
use claviger_testkit::simnode::SimNodes;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Accounts an instance may have in this dialect.
const ACCOUNTS: usize = 18;

/// Registers instances `first..first + count`, each on a simulated node of its own.
pub(crate) async fn register(
    to: SocketAddr,
    nodes: &SimNodes,
    first: usize,
    count: usize,
) -> anyhow::Result<()> {
    let mut caller = Caller::connect(to).await?;
    for n in first..first + count {
        let node = nodes.address(u32::try_from(n)?);
        let body = format!(r#"{{"id":"r-{n}","nodes":["redis://{node}"],"force":true}}"#);
        let request = requests::native("POST", "/claviger/v1/instances", &body);
        let (status, body) = caller.call(&request).await?;
        if status / 100 != 2 {
            bail!(
                "registering answered {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
    }
    Ok(())
}

/// Creation requests for 18 accounts on each instance of a range, dealt to the callers.
fn creates(first: usize, instances: usize, callers: usize) -> Vec<Vec<Vec<u8>>> {
    let mut lanes = vec![Vec::new(); callers];
    let mut next = 0;
    for account in 0..ACCOUNTS {
        for instance in first..first + instances {
            let request = requests::create(&format!("r-{instance}"), &format!("app{account}"));
            lanes[next % callers].push(request);
            next += 1;
        }
    }
    lanes
}

pub(crate) async fn run(claviger: &Path, seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let nodes = SimNodes::start().await?;
    let serving = Serving::start(claviger, dir.path(), &[])?;
    let (anchor_rate, anchor_ms) =
        anchor::single_row_commits(dir.path(), Duration::from_secs(seconds))?;
    report.add(
        "anchor: SQLite FULL, one row a commit",
        format!("{anchor_rate:.0}/s, median {anchor_ms:.2} ms"),
        anchor_rate,
        Goal::None,
    );
    let mut first = 0;
    for (callers, gate, aim) in [(1, 0.6, 0.8), (16, 2.5, 4.0), (64, 2.5, 4.0)] {
        let per_second = if callers == 1 { 100 } else { 350 };
        let instances = per_second * usize::try_from(seconds)?;
        progress(&format!("registering {instances} instances"));
        register(serving.address, &nodes, first, instances).await?;
        let lanes = creates(first, instances, callers);
        first += instances;
        let before = serving.cpu_ms()?;
        let mut got = load(serving.address, lanes).await?;
        let cpu = (serving.cpu_ms()? - before) / got.each_ms.len() as f64;
        let ratio = got.rate / anchor_rate;
        let (p50, p99) = (
            quantile(&mut got.each_ms, 0.5),
            quantile(&mut got.each_ms, 0.99),
        );
        report.add(
            format!("durable creates, {callers} callers, times the anchor"),
            format!(
                "{ratio:.2} x ({:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms)",
                got.rate
            ),
            ratio,
            Goal::AtLeast(gate, aim),
        );
        report.add(
            format!("CPU of a create, {callers} callers, its nodes driven, ms"),
            format!("{cpu:.3}"),
            cpu,
            Goal::AtMost(0.25, 0.12),
        );
        if callers == 1 {
            let over = p50 - anchor_ms;
            report.add(
                "create p50 beyond one commit, 1 caller, ms",
                format!("{over:.2}"),
                over,
                Goal::AtMost(0.5, 0.25),
            );
        }
        if callers == 16 {
            report.add(
                "create p99, 16 callers, ms",
                format!("{p99:.2}"),
                p99,
                Goal::AtMost(10.0, 5.0),
            );
        }
    }
    describe(&serving, first, seconds, report).await
}

async fn describe(
    serving: &Serving,
    instances: usize,
    seconds: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let count = 10_000 * usize::try_from(seconds)?;
    let mut lanes = vec![Vec::new(); 16];
    for n in 0..count {
        let instance = format!("r-{}", n % instances.min(1_000));
        let request = requests::aliyun("DescribeAccounts", &[("InstanceId", &instance)]);
        lanes[n % 16].push(request);
    }
    let before = serving.cpu_ms()?;
    let mut got = load(serving.address, lanes).await?;
    let cpu = (serving.cpu_ms()? - before) / count as f64;
    let p99 = quantile(&mut got.each_ms, 0.99);
    report.add(
        "DescribeAccounts of 18 accounts, 16 callers",
        format!("{:.0}/s, p99 {p99:.2} ms", got.rate),
        got.rate,
        Goal::AtLeast(10_000.0, 25_000.0),
    );
    report.add(
        "CPU of a describe, ms",
        format!("{cpu:.3}"),
        cpu,
        Goal::AtMost(0.10, 0.05),
    );
    Ok(())
}
