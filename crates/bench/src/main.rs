//! Measures claviger beside its anchors, in one run, and prints the tables of
//! `docs/performance.md`.
//!
//! `claviger-bench scale --instances 10000` drives many instances; see `scale`.
//!
//! `claviger-bench all --claviger target/release/claviger` runs everything but `topology PATH`
//! (failovers and clusters, which takes minutes); `icount` is run under valgrind by
//! `scripts/bench.sh`. Figures are ratios where they can be: single times on a
//! shared machine say little.

mod anchor;
mod apply;
mod create;
mod http;
mod icount;
mod memory;
mod policy;
mod report;
mod requests;
mod scale;
mod serve;
mod topology;

use anyhow::{Context, bail};
use report::Report;
use std::path::PathBuf;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("icount") => {
            let what = words.get(1).context("icount WHAT COUNT")?;
            let count = words.get(2).context("icount WHAT COUNT")?.parse()?;
            icount::run(what, count)
        }
        Some("all") => {
            let path = after_word(&words, "--claviger").context("--claviger PATH")?;
            let quick = words.iter().any(|word| word == "--quick");
            let runtime = tokio::runtime::Runtime::new()?;
            let only = after_word(&words, "--only");
            runtime.block_on(all(PathBuf::from(path), quick, only))
        }
        Some("topology") => {
            let path = words.get(1).context("topology PATH")?;
            let failovers = words.get(2).map_or(Ok(50), |count| count.parse())?;
            let mut report = Report::default();
            let runtime = tokio::runtime::Runtime::new()?;
            let part = words.get(3).map(String::as_str);
            let run = topology::run(path.as_ref(), failovers, part, &mut report);
            runtime.block_on(run)?;
            report.print();
            Ok(())
        }
        Some("scale") => {
            let after = |name: &str| after_word(&words, name);
            let claviger = match after("--claviger") {
                Some(path) => PathBuf::from(path),
                None => std::env::current_exe()?.with_file_name("claviger"),
            };
            let instances = after("--instances").map_or(Ok(10_000), |text| text.parse())?;
            let sweep = after("--sweep-seconds").map_or(Ok(30), |text| text.parse())?;
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(scale::run(&claviger, instances, sweep))
        }
        Some("policy") => {
            let mut report = Report::default();
            policy::run(&mut report)?;
            report.print();
            Ok(())
        }
        _ => bail!(
            "usage: claviger-bench all --claviger PATH [--quick] \
             [--only policy|sqlite|postgres|apply|memory] | policy | topology PATH \
             [FAILOVERS [cluster|switch|crash]] | icount WHAT COUNT | scale [--instances N] \
             [--claviger PATH] [--sweep-seconds S]"
        ),
    }
}

/// What stands behind a word.
fn after_word<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).map(String::as_str)
}

async fn all(claviger: PathBuf, quick: bool, only: Option<&str>) -> anyhow::Result<()> {
    let mut report = Report::default();
    let seconds = if quick { 1 } else { 4 };
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    if wanted("policy") {
        policy::run(&mut report)?;
    }
    if wanted("sqlite") {
        create::run(&claviger, seconds, &mut report).await?;
    }
    if wanted("postgres") {
        create::run_on_postgres(&claviger, seconds, &mut report).await?;
    }
    if wanted("apply") {
        apply::run(&claviger, if quick { 50 } else { 400 }, &mut report).await?;
    }
    if wanted("memory") {
        memory::run(&claviger, if quick { 50 } else { 1_000 }, &mut report).await?;
    }
    report.print();
    Ok(())
}
