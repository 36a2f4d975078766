//! The store: can it be opened, is there room for it.

use super::{Finding, clock};
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::master_key;
use claviger_core::clock::Timestamp;
use claviger_core::ports::{Store, StoreError};
use claviger_core::query::Page;
use claviger_store::{OpenError, Sealer, SqliteStore};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const CHECK: &str = "store";
/// Below this, writes may soon fail, MiB.
const ROOM_MIB: u64 = 512;
/// Below this, they are about to, MiB.
const ROOM_MIB_LEAST: u64 = 64;

/// The store's file, what is newest in it, and the room on its disk.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let shown = config.store_file.display();
    let mut findings = if config.store_file.exists() {
        opened(config)
    } else {
        vec![
            Finding::ok(CHECK, format!("{shown} will be made at the first start")),
            clock::judge(None),
        ]
    };
    findings.extend(room(&config.data_dir));
    findings
}

fn opened(config: &Config) -> Vec<Finding> {
    let shown = config.store_file.display();
    let Ok(master) = master_key::load(config, &SystemEntropy) else {
        // Told by the check of the key.
        return vec![Finding::warn(
            CHECK,
            format!("{shown} was not opened, for lack of its key"),
            "see the master key",
        )];
    };
    let sealer = Sealer::new(&master.key, Arc::new(SystemEntropy));
    match SqliteStore::open(&config.store_file, sealer) {
        Ok(store) => match newest(&store) {
            Ok(newest) => vec![
                Finding::ok(CHECK, format!("{shown} opens and can be read")),
                clock::judge(newest),
            ],
            Err(error) => vec![Finding::fail(
                CHECK,
                format!("{shown} opens, but: {error}"),
                "restore the data directory from a copy",
            )],
        },
        // A running service has it; that service is asked for the time.
        Err(OpenError::Locked(_)) => {
            vec![Finding::ok(
                CHECK,
                format!("{shown} is in use by a running service"),
            )]
        }
        Err(error) => {
            let remedy = match &error {
                OpenError::WrongMasterKey => "give the master key that it was made with",
                OpenError::Newer { .. } => "run the newer version of claviger",
                OpenError::Io { .. } => "let this user read and write the data directory",
                _ => "restore the data directory from a copy",
            };
            let error = anyhow::Error::new(error);
            vec![Finding::fail(CHECK, format!("{shown}: {error:#}"), remedy)]
        }
    }
}

/// When the newest entry of the audit trail was written.
fn newest(store: &SqliteStore) -> Result<Option<Timestamp>, StoreError> {
    let one = Page {
        offset: 0,
        limit: 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let audit = runtime.block_on(store.audit(one))?;
    Ok(audit.rows.first().map(|entry| entry.at))
}

/// Room on the disk of the data directory, or of the nearest directory above that is there.
fn room(data_dir: &Path) -> Option<Finding> {
    const CHECK: &str = "disk";
    let absolute = std::path::absolute(data_dir).ok()?;
    let directory = absolute.ancestors().find(|directory| directory.is_dir())?;
    let output = Command::new("df").arg("-Pk").arg(directory).output().ok()?;
    let mib = available_mib(&String::from_utf8_lossy(&output.stdout))?;
    let message = format!("{mib} MiB are free at {}", directory.display());
    Some(match mib {
        ..ROOM_MIB_LEAST => Finding::fail(CHECK, message, "make room: writes are about to fail"),
        ROOM_MIB_LEAST..ROOM_MIB => Finding::warn(CHECK, message, "make room"),
        _ => Finding::ok(CHECK, message),
    })
}

/// Reads what POSIX `df -Pk` prints: the fourth word of the second line, KiB.
fn available_mib(text: &str) -> Option<u64> {
    let line = text.lines().nth(1)?;
    let kib: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/vda1 100 50 2097152 50% /\n";
        assert_eq!(available_mib(text), Some(2048));
        assert_eq!(available_mib("nonsense"), None);
    }
}
