//! A run of faults: calls and failures in an order that a seed decides, on a real service over
//! real servers, and at the end every node is compared with what was acknowledged. Nothing may
//! be lost, nothing may be extra.
//!
//! ```text
//! CLAVIGER_CHAOS_STEPS=10000 CLAVIGER_CHAOS_SEED=7 CLAVIGER_CHAOS_TOPOLOGY=replicated \
//!     cargo test --release -p claviger --test chaos -- --nocapture
//! ```
//!
//! A seed decides what is done at each step; how the threads of the service and of the servers
//! interleave, it does not. `CLAVIGER_CHAOS_ENGINE` (such as `redis 7.0`) picks a server version,
//! else the seed does; `CLAVIGER_CHAOS_STORE=postgres` keeps the store there. `CLAVIGER_CHAOS_BINARY` is another claviger than the one just built.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a failed test may panic, a long one tells how far it is, and lets faults last"
)]

mod api;
mod check;
mod cluster;
mod dice;
mod model;
mod node;
mod run;
mod sentinel;
mod service;
mod topology;

use claviger_testkit::{EngineBinary, Postgres, found_engines};
use dice::Dice;
use run::Run;
use service::Service;
use topology::{Replicated, Topology};

/// Steps where nobody says how many: under a minute in a debug build.
const STEPS: u64 = 60;
/// After so many steps, a new world.
const WORLD_STEPS: u64 = 1_000;

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("CLAVIGER_CHAOS_{name}")).ok()
}

fn number(name: &str, default: u64) -> u64 {
    setting(name).map_or(default, |text| text.parse().unwrap())
}

fn engine(dice: &mut Dice) -> &'static EngineBinary {
    let wanted = setting("ENGINE").unwrap_or_default();
    let fitting: Vec<&EngineBinary> = found_engines()
        .iter()
        .filter(|binary| binary.engine.to_string().starts_with(&wanted))
        .collect();
    assert!(!fitting.is_empty(), "no server {wanted:?} on this machine");
    fitting[dice.below(fitting.len())]
}

/// One world: its own servers, its own service.
fn world(runtime: &tokio::runtime::Runtime, topology: &str, seed: u64, steps: u64) {
    let mut dice = Dice::new(seed, 0);
    let binary = engine(&mut dice);
    let own = dice.percent(50);
    let built: Box<dyn Topology> = match topology {
        "replicated" => Box::new(Replicated::start(runtime, binary, own, &mut dice).unwrap()),
        "sentinel" => Box::new(sentinel::Sentinel::start(runtime, binary, own, &mut dice).unwrap()),
        "cluster" => Box::new(cluster::Cluster::start(runtime, binary, own, &mut dice).unwrap()),
        other => panic!("CLAVIGER_CHAOS_TOPOLOGY: {other:?} is not known"),
    };
    let login = if own {
        "a login of its own"
    } else {
        "the default user"
    };
    let keeps: Vec<&str> = built
        .nodes()
        .iter()
        .map(|node| match (node.has_aclfile(), node.is_volatile()) {
            (true, _) => "aclfile",
            (_, true) => "volatile",
            _ => "config",
        })
        .collect();
    let store = setting("STORE").unwrap_or_else(|| "sqlite".to_owned());
    let database = match store.as_str() {
        "sqlite" => None,
        "postgres" => Some(Postgres::for_test("chaos").unwrap()),
        other => panic!("CLAVIGER_CHAOS_STORE: {other:?} is not known"),
    };
    eprintln!(
        "chaos: seed {seed}, {} steps, {}, {}, {store}, {login}, nodes {}",
        steps,
        built.name(),
        binary.engine,
        keeps.join(" ")
    );
    let begun = std::time::Instant::now();
    let mut run = Run::new(seed, built, Service::new(database), own);
    let result = run.run(steps);
    let log = std::fs::read_to_string(run.service.log()).unwrap_or_default();
    let result = match log.lines().find(|line| line.contains("panicked at")) {
        Some(line) => Err(format!("claviger panicked: {line}")),
        None => result,
    };
    if let Err(error) = result {
        let kept = run.service.keep();
        let trail = run.trail.join("\n  ");
        panic!(
            "chaos: seed {seed}, step {}, {topology}, {}: {error}\n  {trail}\n  data: {kept}",
            run.step, binary.engine
        );
    }
    let mut done = std::collections::BTreeMap::new();
    for node in run.topology.nodes() {
        for (what, count) in node.proxy.done() {
            *done.entry(what).or_insert(0) += count;
        }
    }
    eprintln!(
        "chaos: seed {seed} held in {:.0} s: {:?}; at the proxies {done:?}; longest, ms {:?}",
        begun.elapsed().as_secs_f64(),
        run.counts,
        run.longest
    );
}

#[test]
fn nothing_is_lost_and_nothing_is_extra() {
    let topology = setting("TOPOLOGY").unwrap_or_else(|| "all".to_owned());
    let topologies: Vec<&str> = match topology.as_str() {
        "all" => vec!["replicated", "sentinel", "cluster"],
        one => vec![one],
    };
    let (steps, mut seed) = (number("STEPS", STEPS), number("SEED", 1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut left = steps;
    while left > 0 {
        let now = left.min(WORLD_STEPS);
        for topology in &topologies {
            world(&runtime, topology, seed, now);
        }
        left -= now;
        seed += 1;
    }
}
