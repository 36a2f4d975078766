//! Durable creates at 1, 16 and 64 callers, describes at 16, on either kind of store, beside
//! single-row commits of the raw engine on the same disk in the same run. The nodes are simulated ones in this process, so that
//! driving them is part of the load, and its cost on this machine too.

use crate::http::{Caller, load};
use crate::report::{Goal, Report, progress, quantile};
use crate::serve::Serving;
use crate::{anchor, requests};
use anyhow::bail;
use claviger_testkit::Postgres;
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

/// On the embedded store.
pub(crate) async fn run(claviger: &Path, seconds: u64, report: &mut Report) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let serving = Serving::start(claviger, dir.path(), &[])?;
    let (rate, ms) = anchor::single_row_commits(dir.path(), Duration::from_secs(seconds))?;
    report.add(
        "anchor: SQLite FULL, one row a commit",
        format!("{rate:.0}/s, median {ms:.2} ms"),
        rate,
        Goal::None,
    );
    let goals = [(1, (0.6, 0.8)), (16, (2.5, 4.0)), (64, (2.5, 4.0))];
    let goals = goals.map(|(callers, (gate, aim))| (callers, Goal::AtLeast(gate, aim)));
    let on = On {
        name: "",
        anchor_rate: rate,
        anchor_ms: ms,
        goals,
        server: None,
    };
    creates_and_describes(&serving, seconds, &on, report)
        .await
        .map(drop)
}

/// On PostgreSQL, one service, beside the raw server's own rates; nothing where it is not
/// installed.
pub(crate) async fn run_on_postgres(
    claviger: &Path,
    seconds: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some(server) = Postgres::for_test("the figures of PostgreSQL") else {
        return Ok(());
    };
    let url = server.database("claviger")?;
    server.database("anchor")?;
    let mut rates = Vec::new();
    for clients in [1, 16, 64] {
        let length = Duration::from_secs(seconds);
        let rate = anchor::postgres_commits(&server, "anchor", clients, length)?;
        report.add(
            format!("anchor: PostgreSQL, one row a commit, {clients} clients"),
            format!("{rate:.0}/s"),
            rate,
            Goal::None,
        );
        rates.push(rate);
    }
    let anchor_rate = rates.first().copied().unwrap_or(f64::NAN);
    let dir = tempfile::tempdir()?;
    let serving = Serving::start(claviger, dir.path(), &["--store", &url])?;
    let on = On {
        name: "PostgreSQL: ",
        anchor_rate,
        anchor_ms: 1e3 / anchor_rate,
        goals: [1, 16, 64].map(|callers| (callers, Goal::None)),
        server: Some(&server),
    };
    let one = creates_and_describes(&serving, seconds, &on, report).await?;
    let second = tempfile::tempdir()?;
    let other = Serving::start(claviger, second.path(), &["--store", &url])?;
    two_services([&serving, &other], seconds, one, report).await
}

/// Callers of both services, against the rate that one of them had with as many.
async fn two_services(
    services: [&Serving; 2],
    seconds: u64,
    one: Vec<(usize, f64)>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let nodes = SimNodes::start().await?;
    let mut first = TWO_FROM;
    for (callers, alone) in one.into_iter().filter(|(callers, _)| *callers > 1) {
        let instances = 350 * usize::try_from(seconds)?;
        progress(&format!(
            "registering {instances} instances with two services"
        ));
        register(services[0].address, &nodes, first, instances).await?;
        let lanes = creates(first, instances, callers);
        first += instances;
        let got = load(&services.map(|service| service.address), lanes).await?;
        let ratio = got.rate / alone;
        report.add(
            format!("PostgreSQL: durable creates, {callers} callers, two services against one"),
            format!("{ratio:.2} x ({:.0}/s)", got.rate),
            ratio,
            Goal::None,
        );
    }
    Ok(())
}

/// Instances of two services are numbered from here on.
const TWO_FROM: usize = 1_000_000;

/// One kind of store.
struct On<'a> {
    name: &'static str,
    /// Single-row commits a second of one caller of the raw engine.
    anchor_rate: f64,
    anchor_ms: f64,
    goals: [(usize, Goal); 3],
    /// The server, if it is not the embedded store.
    server: Option<&'a Postgres>,
}

async fn creates_and_describes(
    serving: &Serving,
    seconds: u64,
    on: &On<'_>,
    report: &mut Report,
) -> anyhow::Result<Vec<(usize, f64)>> {
    let nodes = SimNodes::start().await?;
    let mut rates = Vec::new();
    let name = on.name;
    let free = name.is_empty();
    let bound = |gate, aim| {
        if free {
            Goal::AtMost(gate, aim)
        } else {
            Goal::None
        }
    };
    let mut first = 0;
    for (callers, goal) in on.goals {
        let per_second = if callers == 1 { 100 } else { 350 };
        let instances = per_second * usize::try_from(seconds)?;
        progress(&format!("registering {instances} instances"));
        register(serving.address, &nodes, first, instances).await?;
        let lanes = creates(first, instances, callers);
        first += instances;
        let before = serving.cpu_ms()?;
        let before_server = on.server.map(Postgres::cpu_ms);
        let mut got = load(&[serving.address], lanes).await?;
        let cpu = (serving.cpu_ms()? - before) / got.each_ms.len() as f64;
        if let (Some(server), Some(before)) = (on.server, before_server) {
            let cpu = (server.cpu_ms() - before) / got.each_ms.len() as f64;
            report.add(
                format!("{name}CPU of the server of a create, {callers} callers, ms"),
                format!("{cpu:.3}"),
                cpu,
                Goal::None,
            );
        }
        rates.push((callers, got.rate));
        let ratio = got.rate / on.anchor_rate;
        let (p50, p99) = (
            quantile(&mut got.each_ms, 0.5),
            quantile(&mut got.each_ms, 0.99),
        );
        report.add(
            format!("{name}durable creates, {callers} callers, times the anchor"),
            format!(
                "{ratio:.2} x ({:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms)",
                got.rate
            ),
            ratio,
            goal,
        );
        report.add(
            format!("{name}CPU of a create, {callers} callers, its nodes driven, ms"),
            format!("{cpu:.3}"),
            cpu,
            bound(0.25, 0.12),
        );
        if callers == 1 {
            let over = p50 - on.anchor_ms;
            report.add(
                format!("{name}create p50 beyond one commit, 1 caller, ms"),
                format!("{over:.2}"),
                over,
                bound(0.5, 0.25),
            );
        }
        if callers == 16 {
            report.add(
                format!("{name}create p99, 16 callers, ms"),
                format!("{p99:.2}"),
                p99,
                bound(10.0, 5.0),
            );
        }
    }
    describe(serving, first, seconds, on, report).await?;
    Ok(rates)
}

async fn describe(
    serving: &Serving,
    instances: usize,
    seconds: u64,
    on: &On<'_>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = on.name;
    let free = name.is_empty();
    let count = 10_000 * usize::try_from(seconds)?;
    let mut lanes = vec![Vec::new(); 16];
    for n in 0..count {
        let instance = format!("r-{}", n % instances.min(1_000));
        let request = requests::aliyun("DescribeAccounts", &[("InstanceId", &instance)]);
        lanes[n % 16].push(request);
    }
    let before = serving.cpu_ms()?;
    let mut got = load(&[serving.address], lanes).await?;
    let cpu = (serving.cpu_ms()? - before) / count as f64;
    let p99 = quantile(&mut got.each_ms, 0.99);
    report.add(
        format!("{name}DescribeAccounts of 18 accounts, 16 callers"),
        format!("{:.0}/s, p99 {p99:.2} ms", got.rate),
        got.rate,
        if free {
            Goal::AtLeast(10_000.0, 25_000.0)
        } else {
            Goal::None
        },
    );
    report.add(
        format!("{name}CPU of a describe, ms"),
        format!("{cpu:.3}"),
        cpu,
        if free {
            Goal::AtMost(0.10, 0.05)
        } else {
            Goal::None
        },
    );
    Ok(())
}
