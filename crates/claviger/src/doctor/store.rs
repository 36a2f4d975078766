//! The store: can it be opened, is there room for it.

use super::{Finding, clock};
use crate::config::{Config, MasterKey};
use crate::entropy::SystemEntropy;
use crate::master_key;
use claviger_core::audit::AuditQuery;
use claviger_core::clock::Timestamp;
use claviger_core::ports::StoreError;
use claviger_core::query::Page;
use claviger_store::{OpenError, Place, Sealer};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const CHECK: &str = "store";
const RESTORE: &str = "restore it from a backup";
/// Below this, writes may soon fail, MiB.
const ROOM_MIB: u64 = 512;
/// Below this, they are about to, MiB.
const ROOM_MIB_LEAST: u64 = 64;

/// The store, what is newest in it, and the room on its disk.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let missing = matches!(&config.store, Place::Sqlite(path) if !path.exists());
    let mut findings = if missing {
        vec![
            Finding::ok(
                CHECK,
                format!("{} will be made at the first start", config.store),
            ),
            clock::judge(None),
        ]
    } else {
        opened(config)
    };
    findings.extend(room(&config.data_dir));
    findings
}

fn opened(config: &Config) -> Vec<Finding> {
    let shown = &config.store;
    let made = matches!(&config.master_key, MasterKey::File(path) if !path.exists());
    if made {
        // Told by the check of the key. Looking makes none.
        return vec![Finding::warn(
            CHECK,
            format!("{shown} was not opened, for lack of its key"),
            "see the master key",
        )];
    }
    let Ok(master) = master_key::load(config, &SystemEntropy) else {
        return vec![Finding::warn(
            CHECK,
            format!("{shown} was not opened, for lack of its key"),
            "see the master key",
        )];
    };
    let sealer = Arc::new(master_key::sealer(&master, Arc::new(SystemEntropy)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let looked = match runtime {
        Ok(runtime) => runtime.block_on(newest(&config.store, sealer)),
        Err(error) => Ok(Err(StoreError::Unavailable(error.to_string()))),
    };
    match looked {
        Ok(Ok(newest)) => vec![
            Finding::ok(CHECK, format!("{shown} opens and can be read")),
            clock::judge(newest),
        ],
        Ok(Err(error)) => vec![Finding::fail(
            CHECK,
            format!("{shown} opens, but: {error}"),
            RESTORE,
        )],
        // A running service has it; that service is asked for the time.
        Err(OpenError::Locked(_)) => {
            vec![Finding::ok(
                CHECK,
                format!("{shown} is in use by a running service"),
            )]
        }
        Err(error) => {
            let remedy = match (&error, &config.store) {
                (OpenError::WrongMasterKey, _) => "give the master key that it was made with",
                (OpenError::Newer { .. }, _) => "run the newer version of claviger",
                (OpenError::Io { .. }, _) => "let this user read and write the data directory",
                (_, Place::Postgres(_)) => "see that the database runs and lets this user in",
                _ => RESTORE,
            };
            let error = anyhow::Error::new(error);
            vec![Finding::fail(CHECK, format!("{shown}: {error:#}"), remedy)]
        }
    }
}

/// When the newest entry of the audit trail was written.
async fn newest(
    place: &Place,
    sealer: Arc<Sealer>,
) -> Result<Result<Option<Timestamp>, StoreError>, OpenError> {
    let one = Page {
        offset: 0,
        limit: 1,
    };
    let query = AuditQuery {
        page: one,
        ..AuditQuery::default()
    };
    let opened = claviger_store::open(place, sealer, "doctor").await?;
    let audit = opened.store().audit(&query).await;
    Ok(audit.map(|audit| audit.rows.first().map(|row| row.entry.at)))
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
