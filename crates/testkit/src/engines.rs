//! Which servers this machine has to test against.

use claviger_core::engine::{Engine, Family};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A server program.
#[derive(Clone, Debug)]
pub struct EngineBinary {
    /// Family and version.
    pub engine: Engine,
    /// Where it is.
    pub path: PathBuf,
}

/// The versions that the tests should run against; `make engines` fetches what a distribution
/// does not carry. Redict 7.3 is a fork of Redis 7.2 and stands in for it.
const WANTED: [(&str, Family, u16, u16); 9] = [
    ("redis 6.0", Family::Redis, 6, 0),
    ("redis 6.2", Family::Redis, 6, 2),
    ("redis 7.0", Family::Redis, 7, 0),
    ("redict 7.3", Family::Redict, 7, 3),
    ("redis 8.0", Family::Redis, 8, 0),
    ("redis 8.6", Family::Redis, 8, 6),
    ("valkey 8.0", Family::Valkey, 8, 0),
    ("valkey 8.1", Family::Valkey, 8, 1),
    ("valkey 9.x", Family::Valkey, 9, 1),
];

/// Every server program of this machine, one for each version: those on the search path, and
/// those under `.engines/` of the repository or under `CLAVIGER_TEST_ENGINES`. A wanted version
/// that is missing is named on standard error.
pub fn found_engines() -> &'static [EngineBinary] {
    static FOUND: OnceLock<Vec<EngineBinary>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut found = BTreeMap::new();
        for path in candidates() {
            if let Some(engine) = ask_version(&path) {
                found
                    .entry(engine.to_string())
                    .or_insert(EngineBinary { engine, path });
            }
        }
        let found: Vec<EngineBinary> = found.into_values().collect();
        for (label, family, major, minor) in WANTED {
            let has = found.iter().any(|binary| {
                let engine = binary.engine;
                engine.family == family && engine.major == major && engine.minor == minor
            });
            if !has {
                skipped(label);
            }
        }
        found
    })
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped engine must not go unnoticed"
)]
fn skipped(label: &str) {
    eprintln!("SKIPPED engine {label}: not found (make engines fetches what can be had)");
}

fn candidates() -> Vec<PathBuf> {
    const PROGRAMS: [&str; 3] = ["redis-server", "valkey-server", "redict-server"];
    let mut directories: Vec<PathBuf> = Vec::new();
    let own = std::env::var_os("CLAVIGER_TEST_ENGINES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.engines"),
        PathBuf::from,
    );
    if let Ok(entries) = std::fs::read_dir(own) {
        directories.extend(entries.flatten().map(|entry| entry.path()));
    }
    if let Some(path) = std::env::var_os("PATH") {
        directories.extend(std::env::split_paths(&path));
    }
    let programs = directories
        .iter()
        .flat_map(|directory| PROGRAMS.map(|program| directory.join(program)));
    programs.filter(|path| path.is_file()).collect()
}

/// `Redis server v=7.0.15 sha=...`, `Valkey server v=9.1.2 ...`
fn ask_version(path: &Path) -> Option<Engine> {
    let output = Command::new(path).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let family = match text.split(' ').next()? {
        "Valkey" => Family::Valkey,
        "Redict" => Family::Redict,
        _ => Family::Redis,
    };
    let version = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("v="))?;
    Engine::parse(family, version)
}
