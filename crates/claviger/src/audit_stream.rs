//! The audit trail, told elsewhere as well: appended to a file, sent to a syslog.
//!
//! Rows are read from the store after they were committed, so nothing waits for it, nothing is
//! queued, and a target that was away gets what it missed. Rows that were forgotten before they
//! could be told are counted as lost.

use crate::config::{AuditTargets, SyslogTarget};
use crate::failure::Failure;
use claviger_core::audit::{AuditEnds, AuditQuery, AuditRow};
use claviger_core::ports::Store;
use claviger_core::query::Page;
use claviger_server::metrics::{Figure, Provider, Sample};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often new rows are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// Rows told in one step.
const STEP: u64 = 500;
/// The longest row that is read back from the end of a file, bytes.
const ROW_LEN_MAX: u64 = 256 * 1024;
/// The longest datagram: what syslog servers take at least is far less, what they cut is theirs.
const DATAGRAM_LEN_MAX: usize = 8_192;
/// Facility 13 (log audit), severity 5 (notice) and 4 (warning) as RFC 5424 numbers them.
const NOTICE: u8 = 13 * 8 + 5;
const WARNING: u8 = 13 * 8 + 4;

/// What became of the rows.
#[derive(Debug, Default)]
pub(crate) struct Told {
    rows: AtomicU64,
    lost: AtomicU64,
    failures: AtomicU64,
}

/// Where a row goes.
enum Target {
    File(PathBuf, File),
    Udp(UdpSocket),
    Unix(PathBuf, UnixDatagram),
}

/// Tells rows elsewhere.
pub(crate) struct Stream {
    store: Arc<dyn Store>,
    /// Each with the last row that it was told.
    targets: Vec<(Target, u64)>,
    told: Arc<Told>,
    complained: bool,
}

impl Stream {
    /// To these targets; `None` if there is none. A file goes on after its last row; a syslog
    /// begins with the next one.
    ///
    /// # Errors
    /// One line: a target cannot be opened, or the store cannot be read.
    pub(crate) async fn open(
        targets: &AuditTargets,
        store: Arc<dyn Store>,
    ) -> Result<Option<Self>, Failure> {
        let mut open = Vec::new();
        if let Some(path) = &targets.file {
            let (file, last) = open_file(path).map_err(|error| {
                let shown = path.display();
                Failure::refused(format!("cannot append to the audit file {shown}: {error}"))
            })?;
            open.push((Target::File(path.clone(), file), last));
        }
        if let Some(syslog) = &targets.syslog {
            let target = open_syslog(syslog).map_err(|error| {
                Failure::refused(format!("cannot send to the syslog {syslog:?}: {error}"))
            })?;
            open.push((target, head(&*store).await?.head.seq));
        }
        if open.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            store,
            targets: open,
            told: Arc::default(),
            complained: false,
        }))
    }

    /// Its figures.
    pub(crate) fn figures(&self) -> Provider {
        let told = Arc::clone(&self.told);
        Box::new(move || {
            let counter = |name, help, value: &AtomicU64| Sample {
                name,
                help,
                value: Figure::Counter(value.load(Ordering::Relaxed)),
            };
            vec![
                counter(
                    "audit_rows_told",
                    "Audit rows told to a file or syslog",
                    &told.rows,
                ),
                counter(
                    "audit_rows_lost",
                    "Audit rows forgotten before they were told",
                    &told.lost,
                ),
                counter(
                    "audit_failures",
                    "Failures to tell audit rows",
                    &told.failures,
                ),
            ]
        })
    }

    /// Tells rows until `stop`, and then those that are left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let stopping = stop
                .run_until_cancelled(tokio::time::sleep(LOOK))
                .await
                .is_none();
            for index in 0..self.targets.len() {
                self.catch_up(index).await;
            }
            if stopping {
                return;
            }
        }
    }

    async fn catch_up(&mut self, index: usize) {
        loop {
            let (_, last) = self.targets[index];
            let query = AuditQuery {
                after: Some(last),
                oldest_first: true,
                page: Page {
                    offset: 0,
                    limit: STEP,
                },
                ..AuditQuery::default()
            };
            let rows = match self.store.audit(&query).await {
                Ok(found) => found.rows,
                Err(error) => return self.failed(&error),
            };
            let Some(first) = rows.first() else {
                return;
            };
            // A new file is told what there is, which is no loss.
            let missed = first.seq.saturating_sub(last + 1);
            if last > 0 && missed > 0 {
                self.told.lost.fetch_add(missed, Ordering::Relaxed);
                tracing::warn!(missed, "audit rows were forgotten before they were told");
            }
            let full = rows.len() as u64 == STEP;
            let (target, last) = &mut self.targets[index];
            match tell(target, &rows) {
                Ok(()) => *last = rows.last().map_or(*last, |row| row.seq),
                Err(error) => return self.failed(&error),
            }
            self.complained = false;
            self.told
                .rows
                .fetch_add(rows.len() as u64, Ordering::Relaxed);
            if !full {
                return;
            }
        }
    }

    fn failed(&mut self, error: &dyn std::fmt::Display) {
        self.told.failures.fetch_add(1, Ordering::Relaxed);
        if !self.complained {
            tracing::warn!(%error, "audit rows could not be told; trying again");
        }
        self.complained = true;
    }
}

async fn head(store: &dyn Store) -> Result<AuditEnds, Failure> {
    let ends = store.audit_ends().await;
    ends.map_err(|error| Failure::refused(format!("the audit trail cannot be read: {error}")))
}

/// Opens the file for appending, and reads the number of its last row. A half row at the end, of
/// a service that was killed while it wrote, is cut off and told again.
fn open_file(path: &Path) -> std::io::Result<(File, u64)> {
    let mut options = File::options();
    let mut file = options
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(ROW_LEN_MAX)))?;
    let mut tail = Vec::new();
    (&mut file).take(ROW_LEN_MAX).read_to_end(&mut tail)?;
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    file.set_len(length - (tail.len() - whole) as u64)?;
    let last = tail[..whole.saturating_sub(1)]
        .rsplit(|byte| *byte == b'\n')
        .next();
    let row = last.and_then(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let seq = row.and_then(|row| row["seq"].as_u64());
    Ok((file, seq.unwrap_or(0)))
}

fn open_syslog(target: &SyslogTarget) -> std::io::Result<Target> {
    match target {
        SyslogTarget::Udp(address) => {
            let socket = UdpSocket::bind(("0.0.0.0", 0)).and_then(|socket| {
                socket.connect(address)?;
                Ok(socket)
            });
            // The target may be reachable by IPv6 only.
            let socket = socket.or_else(|_| {
                let socket = UdpSocket::bind(("::", 0))?;
                socket.connect(address)?;
                Ok::<_, std::io::Error>(socket)
            })?;
            socket.set_nonblocking(true)?;
            Ok(Target::Udp(socket))
        }
        SyslogTarget::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_nonblocking(true)?;
            Ok(Target::Unix(path.clone(), socket))
        }
    }
}

/// Tells rows. A step that fails half way is told again as a whole: twice is better than never.
fn tell(target: &mut Target, rows: &[AuditRow]) -> std::io::Result<()> {
    match target {
        Target::File(path, file) => {
            let mut text = Vec::new();
            for row in rows {
                serde_json::to_writer(&mut text, row)?;
                text.push(b'\n');
            }
            if !path.exists() {
                // Moved away by whoever rotates logs: go on in a new one.
                (*file, _) = open_file(path)?;
            }
            file.write_all(&text)?;
            file.sync_data()
        }
        Target::Udp(socket) => rows.iter().try_for_each(|row| {
            socket.send(&datagram(row)?)?;
            Ok(())
        }),
        Target::Unix(path, socket) => {
            let sent = rows.iter().try_for_each(|row| {
                socket.send(&datagram(row)?)?;
                Ok(())
            });
            if sent.is_err() {
                // The syslog was started again: its socket is another one.
                let again = UnixDatagram::unbound()?;
                again.connect(path)?;
                again.set_nonblocking(true)?;
                *socket = again;
            }
            sent
        }
    }
}

/// A row as RFC 5424 has it, with the row's JSON as the message.
fn datagram(row: &AuditRow) -> std::io::Result<Vec<u8>> {
    let priority = if row.entry.outcome == "ok" {
        NOTICE
    } else {
        WARNING
    };
    let at = jiff::Timestamp::from_millisecond(row.entry.at.as_millis()).unwrap_or_default();
    let mut text = format!(
        "<{priority}>1 {at:.3} - claviger {} audit - ",
        std::process::id()
    );
    text.push_str(&serde_json::to_string(row)?);
    let mut bytes = text.into_bytes();
    bytes.truncate(DATAGRAM_LEN_MAX);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use claviger_core::audit::AuditEntry;

    fn row(seq: u64) -> AuditRow {
        AuditRow {
            seq,
            entry: AuditEntry {
                action: "account.create".into(),
                outcome: "ok".into(),
                ..AuditEntry::default()
            },
            hash: "0".repeat(64),
        }
    }

    #[test]
    fn a_file_goes_on_after_its_last_whole_row() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let (file, last) = open_file(&path).unwrap();
        assert_eq!(last, 0);
        let mut target = Target::File(path.clone(), file);
        tell(&mut target, &[row(7), row(8)]).unwrap();
        assert_eq!(open_file(&path).unwrap().1, 8);
        let half = format!(
            "{}\n{{\"seq\":9",
            std::fs::read_to_string(&path).unwrap().trim_end()
        );
        std::fs::write(&path, half).unwrap();
        let (file, last) = open_file(&path).unwrap();
        assert_eq!(last, 8);
        tell(&mut Target::File(path.clone(), file), &[row(9)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let seqs: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].clone())
            .collect();
        assert_eq!(seqs, [7, 8, 9]);
        // Whoever rotates logs moves it away.
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        tell(&mut target, &[row(10)]).unwrap();
        assert_eq!(open_file(&path).unwrap().1, 10);
    }

    #[test]
    fn datagrams() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let mut target = open_syslog(&SyslogTarget::Unix(path.clone())).unwrap();
        let refused = AuditRow {
            entry: AuditEntry {
                outcome: "NotPermitted".into(),
                ..row(1).entry
            },
            ..row(1)
        };
        tell(&mut target, &[row(1), refused]).unwrap();
        let mut buffer = [0; 4096];
        for priority in ["<109>1 1970-01-01T00:00:00.000Z - claviger ", "<108>1 "] {
            let length = server.recv(&mut buffer).unwrap();
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            assert!(text.starts_with(priority), "{text}");
            assert!(text.contains(" audit - {\"seq\":1,"), "{text}");
        }
        // Started again, it is found again.
        drop(server);
        std::fs::remove_file(&path).unwrap();
        assert!(tell(&mut target, &[row(2)]).is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        let _ = tell(&mut target, &[row(2)]);
        tell(&mut target, &[row(2)]).unwrap();
        assert!(server.recv(&mut buffer).is_ok());
    }
}
