//! One process over very many instances of 18 accounts each, on simulated nodes in this process:
//! memory, the cost of quiet sweeps, repair of everything at once, a user's change meanwhile, and
//! what dead nodes cost.

use crate::http::Caller;
use crate::report::{Goal, Report, progress, quantile};
use crate::requests;
use crate::serve::Serving;
use anyhow::bail;
use claviger_testkit::simnode::SimNodes;
use std::path::Path;
use std::time::{Duration, Instant};

/// Accounts on each instance.
const ACCOUNTS: usize = 18;
/// Sweeps of every instance that are measured.
const SWEEPS: u32 = 3;
/// Callers that fill the store.
const CALLERS: usize = 16;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(600);

struct Scale<'a> {
    nodes: &'a SimNodes,
    instances: usize,
    sweep: Duration,
}

pub(crate) async fn run(claviger: &Path, instances: usize, sweep: u64) -> anyhow::Result<()> {
    let mut report = Report::default();
    let dir = tempfile::tempdir()?;
    let nodes = SimNodes::start().await?;
    let interval = format!("{sweep}s");
    let more = ["--sweep-interval", interval.as_str()];
    let scale = Scale {
        nodes: &nodes,
        instances,
        sweep: Duration::from_secs(sweep),
    };
    let serving = Serving::start(claviger, dir.path(), &more)?;
    let idle = serving.rss_kib()?;
    scale.fill(&serving, &mut report).await?;
    let filled = serving.rss_kib()?;
    scale.each(&mut report, "after filling it in one go", filled - idle);
    drop(serving);

    let begun = Instant::now();
    let serving = Serving::start(claviger, dir.path(), &more)?;
    let ready = serving.ready_after.as_secs_f64() * 1000.0;
    info(
        &mut report,
        format!("cold start, {instances} instances, ms"),
        ready,
    );
    scale.looked_over(begun, &mut report).await?;
    scale.quiet(&serving, idle, &mut report).await?;
    scale
        .changes(&serving, "all quiet", 100, &mut report)
        .await?;
    scale.repair(&serving, &mut report).await?;
    scale.dead(&serving, &mut report).await?;
    let end = serving.rss_kib()?;
    scale.each(&mut report, "at the end", end - idle);
    let peak = serving.peak_kib()? / 1024.0;
    info(&mut report, "most memory since the start, MiB", peak);
    report.print();
    Ok(())
}

fn info(report: &mut Report, what: impl Into<String>, value: f64) {
    report.add(what, format!("{value:.1}"), value, Goal::None);
}

impl Scale<'_> {
    fn each(&self, report: &mut Report, when: &str, kib: f64) {
        let each = kib / self.instances as f64;
        report.add(
            format!("memory of an instance and its connection, {when}, KiB"),
            format!("{each:.1}"),
            each,
            Goal::AtMost(24.0, 10.0),
        );
    }

    /// Registers the instances and makes the accounts.
    async fn fill(&self, serving: &Serving, report: &mut Report) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut lanes = Vec::new();
        for lane in 0..CALLERS {
            let mut caller = Caller::connect(serving.address).await?;
            let own: Vec<_> = (lane..self.instances)
                .step_by(CALLERS)
                .map(|n| Ok((n, self.nodes.address(u32::try_from(n)?))))
                .collect::<anyhow::Result<_>>()?;
            lanes.push(tokio::spawn(async move {
                for (n, node) in own {
                    let body =
                        format!(r#"{{"id":"r-{n}","nodes":["redis://{node}"],"force":true}}"#);
                    let add = requests::native("POST", "/claviger/v1/instances", &body);
                    expect(caller.call(&add).await?)?;
                    for account in 0..ACCOUNTS {
                        let create = requests::create(&format!("r-{n}"), &format!("app{account}"));
                        expect(caller.call(&create).await?)?;
                    }
                }
                anyhow::Ok(())
            }));
        }
        for lane in lanes {
            lane.await??;
        }
        self.settled().await?;
        info(
            report,
            format!(
                "registering {} instances, {ACCOUNTS} accounts each, all on their nodes, s",
                self.instances
            ),
            begun.elapsed().as_secs_f64(),
        );
        Ok(())
    }

    /// Until every node has its users.
    async fn settled(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut next = 0;
        while next < self.instances {
            if self.nodes.users(u32::try_from(next)?).len() >= ACCOUNTS {
                next += 1;
            } else if begun.elapsed() > PATIENCE {
                bail!("node {next} did not get its users");
            } else {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Ok(())
    }

    /// Until every node is connected and was looked at, and nothing more is asked.
    async fn looked_over(&self, begun: Instant, report: &mut Report) -> anyhow::Result<()> {
        let all = u64::try_from(self.instances)?;
        while self.nodes.connections() < all {
            if begun.elapsed() > PATIENCE {
                bail!("only {} nodes are connected", self.nodes.connections());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        info(
            report,
            "from the start to all nodes connected, s",
            begun.elapsed().as_secs_f64(),
        );
        // First looks end before the first sweeps are due.
        tokio::time::sleep(self.sweep.mul_f64(1.3)).await;
        Ok(())
    }

    async fn quiet(&self, serving: &Serving, idle: f64, report: &mut Report) -> anyhow::Result<()> {
        let rss = serving.rss_kib()?;
        self.each(report, "after a restart", rss - idle);
        info(
            report,
            format!("memory with {} instances, MiB", self.instances),
            rss / 1024.0,
        );
        let (before, asked) = (serving.cpu_ms()?, self.nodes.commands());
        let mut seconds = Vec::new();
        let mut last = asked;
        let begun = Instant::now();
        while begun.elapsed() < self.sweep * SWEEPS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.nodes.commands();
            seconds.push((now - last) as f64);
            last = now;
        }
        let took = begun.elapsed().as_secs_f64();
        let cpu = serving.cpu_ms()? - before;
        let passes = self.instances as f64 * took / self.sweep.as_secs_f64();
        let each = cpu * 1000.0 / passes;
        let commands = (last - asked) as f64 / passes;
        report.add(
            "sweep without drift, CPU an instance, us",
            format!("{each:.0} ({commands:.1} commands to the node)"),
            each,
            Goal::AtMost(150.0, 60.0),
        );
        let hour = cpu / 1000.0 / took * 3600.0;
        report.add(
            format!(
                "CPU of a quiet hour, s (extrapolated from {took:.0} s, a sweep every {} s)",
                self.sweep.as_secs()
            ),
            format!("{hour:.0} ({:.1} % of a core)", hour / 36.0),
            hour,
            Goal::None,
        );
        let mean = seconds.iter().sum::<f64>() / seconds.len().max(1) as f64;
        let peak = quantile(&mut seconds, 1.0) / mean.max(1.0);
        info(
            report,
            "busiest second of the sweeps, times the mean second",
            peak,
        );
        Ok(())
    }

    /// One caller changes accounts of instances here and there: from the answer to the node.
    async fn changes(
        &self,
        serving: &Serving,
        when: &str,
        count: usize,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let mut each = Vec::new();
        for n in 0..count {
            each.push(self.change(serving, n).await?);
        }
        self.told_changes(when, each, report);
        Ok(())
    }

    fn told_changes(&self, when: &str, mut each: Vec<f64>, report: &mut Report) {
        let (p50, most) = (quantile(&mut each, 0.5), quantile(&mut each, 1.0));
        report.add(
            format!("a create answered to its user on the node, {when}, ms"),
            format!("p50 {p50:.1}, longest {most:.1} of {}", each.len()),
            p50,
            Goal::None,
        );
    }

    /// Makes an account and deletes it; milliseconds from the answer until it is on the node.
    async fn change(&self, serving: &Serving, n: usize) -> anyhow::Result<f64> {
        let at = n * 7919 % self.instances;
        let name = format!("extra{n}");
        let path = format!("/claviger/v1/instances/r-{at}/accounts");
        let body = format!(r#"{{"name":"{name}","password":"Bench-Pass-2026"}}"#);
        let mut caller = Caller::connect(serving.address).await?;
        expect(caller.call(&requests::native("POST", &path, &body)).await?)?;
        let since = Instant::now();
        while !self.nodes.users(u32::try_from(at)?).contains(&name) {
            if since.elapsed() > PATIENCE {
                bail!("{name} did not reach node {at}");
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let took = since.elapsed().as_secs_f64() * 1000.0;
        let path = format!("{path}/{name}");
        expect(caller.call(&requests::native("DELETE", &path, "")).await?)?;
        Ok(took)
    }

    /// Every node is restarted without its users; meanwhile someone makes accounts.
    async fn repair(&self, serving: &Serving, report: &mut Report) -> anyhow::Result<()> {
        progress("every node is restarted without its users");
        let before = serving.cpu_ms()?;
        let begun = Instant::now();
        self.nodes.restart_all();
        let repaired = async {
            self.settled().await?;
            anyhow::Ok(begun.elapsed().as_secs_f64())
        };
        let changes = async {
            let mut each = Vec::new();
            for n in 1_000..1_000_000 {
                each.push(self.change(serving, n).await?);
                let all = self.settled();
                if tokio::time::timeout(Duration::from_millis(100), all)
                    .await
                    .is_ok()
                {
                    break;
                }
            }
            anyhow::Ok(each)
        };
        let (took, each) = tokio::try_join!(repaired, changes)?;
        report.add(
            format!(
                "all {} nodes restarted without users: all users back, s",
                self.instances
            ),
            format!(
                "{took:.1} (CPU of an instance {:.2} ms)",
                (serving.cpu_ms()? - before) / self.instances as f64
            ),
            took,
            Goal::None,
        );
        self.told_changes("meanwhile", each, report);
        Ok(())
    }

    /// Every node is down for a while.
    async fn dead(&self, serving: &Serving, report: &mut Report) -> anyhow::Result<()> {
        progress("every node is down");
        self.nodes.stop_all(true);
        // The waits have grown to their longest by then.
        tokio::time::sleep(Duration::from_secs(20)).await;
        let (attempts, cpu) = (self.nodes.attempts(), serving.cpu_ms()?);
        let begun = Instant::now();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let took = begun.elapsed().as_secs_f64();
        let each = (self.nodes.attempts() - attempts) as f64 / took / self.instances as f64;
        let share = (serving.cpu_ms()? - cpu) / took / 10.0;
        report.add(
            format!(
                "all {} nodes down: attempts a second and node",
                self.instances
            ),
            format!("{each:.2} ({share:.0} % of a core)"),
            each,
            Goal::None,
        );
        self.nodes.stop_all(false);
        let begun = Instant::now();
        let all = u64::try_from(self.instances)?;
        while self.nodes.connections() < all {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "only {} nodes are connected again",
                    self.nodes.connections()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        info(
            report,
            "all up again: all connected, s",
            begun.elapsed().as_secs_f64(),
        );
        tokio::time::sleep(self.sweep.mul_f64(1.3)).await;
        Ok(())
    }
}

fn expect((status, body): (u16, Vec<u8>)) -> anyhow::Result<()> {
    if status / 100 != 2 {
        bail!("answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
