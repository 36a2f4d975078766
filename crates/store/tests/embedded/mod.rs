//! What only the embedded store must do: its files, its lock, its group commit, and the broken
//! days of its disk and its process.

mod access;

use crate::common::*;
use claviger_core::access::{AccessKey, FormerSecret, Role};
use claviger_core::audit::{AuditEnd, AuditQuery, Broken, Chain};
use claviger_core::command::Target;
use claviger_core::ids::InstanceId;
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{Op, Store, StoreError};
use claviger_core::query::TaskQuery;
use claviger_core::secret::Secret;
use claviger_store::{OpenError, SqliteStore};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

fn database(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("data").join("test.db")
}

fn open(path: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(path, sealer()).unwrap())
}

/// Runs `sql` on the file while no store has it open.
fn tamper(path: &Path, sql: &str) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_survives_being_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = open(&path);
    add(&*store, instance("r-1")).await.unwrap();
    let made = ask(&*store, create("r-1", "a", "p")).await.unwrap();
    let mut known = write(create("r-1", "b", "p"), RULES);
    known.idempotency = token("t", 1);
    known.nonce = nonce(1);
    let first = store.change(known).await.unwrap().unwrap();
    drop(store);
    let store = open(&path);
    let now_held = held(&*store, "r-1").await;
    assert_eq!(now_held.accounts.len(), 3);
    assert!(now_held.next_task > first.outcome.task);
    assert!(first.outcome.task > made.outcome.task);
    let mut replayed = write(create("r-1", "b", "p"), RULES);
    replayed.idempotency = token("t", 1);
    let again = store.change(replayed).await.unwrap().unwrap();
    assert!(again.replayed && again.outcome == first.outcome);
    let mut captured = write(create("r-1", "c", "p"), RULES);
    captured.nonce = nonce(1);
    assert!(store.change(captured).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_writes_share_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&database(&directory));
    for caller in 0..16 {
        add(&*store, instance(&format!("r-{caller}")))
            .await
            .unwrap();
    }
    let before = store.stats();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..16 {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for n in 0..18 {
                let command = create(&format!("r-{caller}"), &format!("a{n}"), "p");
                ask(&*store, command).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    let after = store.stats();
    let (writes, commits) = (after.writes - before.writes, after.commits - before.commits);
    assert_eq!(writes, 16 * 18);
    assert!(commits * 2 < writes, "{commits} commits of {writes} writes");
    assert!((2..=64).contains(&after.group_max), "{after:?}");
    assert_eq!(
        store.tasks(&TaskQuery::default()).await.unwrap().total,
        writes
    );
}

#[tokio::test]
async fn reads_do_not_wait_for_writes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&database(&directory));
    add(&*store, instance("r-1")).await.unwrap();
    let (entered, in_decision) = std::sync::mpsc::channel();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let mut slow = write(create("r-1", "a", "p"), RULES);
    let decide = Arc::clone(&slow.decide);
    slow.decide = Arc::new(move |held| {
        entered.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        decide(held)
    });
    let writer = Arc::clone(&store);
    let pending = tokio::spawn(async move { writer.change(slow).await });
    tokio::task::spawn_blocking(move || in_decision.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(held(&*store, "r-1").await.accounts.len(), 1);
    assert_eq!(store.tasks(&TaskQuery::default()).await.unwrap().total, 0);
    release.send(()).unwrap();
    assert!(pending.await.unwrap().unwrap().is_ok());
    assert_eq!(held(&*store, "r-1").await.accounts.len(), 2);
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = open(&path);
    let second = SqliteStore::open(&path, sealer());
    assert!(matches!(second, Err(OpenError::Locked(_))));
    drop(store);
    open(&path);
}

#[test]
fn another_master_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    open(&path);
    let wrong = SqliteStore::open(&path, sealer_of(8));
    assert!(matches!(wrong, Err(OpenError::WrongMasterKey)));
    open(&path);
}

#[test]
fn a_newer_or_edited_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    open(&path);
    tamper(&path, "INSERT INTO migration VALUES (99, 'later', 'x')");
    let newer = SqliteStore::open(&path, sealer());
    let Err(OpenError::Newer { found: 99, .. }) = newer else {
        panic!("{newer:?}", newer = newer.err());
    };
    tamper(&path, "DELETE FROM migration WHERE version = 99");
    open(&path);
    tamper(
        &path,
        "UPDATE migration SET checksum = 'x' WHERE version = 1",
    );
    let edited = SqliteStore::open(&path, sealer());
    assert!(matches!(edited, Err(OpenError::Edited { version: 1 })));
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "a letter, not a database\n".repeat(100)).unwrap();
    let answer = SqliteStore::open(&text, sealer());
    assert!(matches!(answer, Err(OpenError::NotADatabase(_))));
    let kept = std::fs::read_to_string(&text).unwrap();
    assert!(kept.starts_with("a letter"));

    let theirs = directory.path().join("theirs.db");
    tamper(&theirs, "CREATE TABLE theirs (id INTEGER)");
    let answer = SqliteStore::open(&theirs, sealer());
    assert!(matches!(answer, Err(OpenError::Foreign)));

    let nowhere = SqliteStore::open(&text.join("below").join("a.db"), sealer());
    assert!(matches!(nowhere, Err(OpenError::Io { .. })));
    let unknown = claviger_store::Place::parse("mysql://x");
    assert!(matches!(unknown, Err(OpenError::UnknownStore)));
    assert!(claviger_store::Place::parse("sqlite:a.db").is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = open(&path);
    add(&*store, instance("r-1")).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let data = path.parent().unwrap();
    assert_eq!(mode(data), 0o700);
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(data).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.insert(entry.file_name().into_string().unwrap());
    }
    let expected = ["test.db", "test.db-shm", "test.db-wal", "test.db.lock"];
    assert_eq!(names, expected.map(String::from).into());
    drop(store);
    // A mode that was loosened is tightened again.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    open(&path);
    assert_eq!(mode(&path), 0o600);
}

/// Every file's bytes, as they are on the disk now.
fn bytes_of(directory: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    all
}

#[tokio::test]
async fn no_secret_is_found_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = open(&path);
    let mut new = instance("r-1");
    new.login.password = Some(Secret::new("Clear-Login-1"));
    new.default_password = Some(Secret::new("Clear-Default-1"));
    add(&*store, new).await.unwrap();
    ask(&*store, create("r-1", "a", "Clear-Account-1"))
        .await
        .unwrap();
    let changed = password("r-1", Target::Default, "Clear-Default-2");
    let mut changed = write(changed, RULES);
    changed.idempotency = token("t", 1);
    store.change(changed).await.unwrap().unwrap();
    let key = AccessKey {
        former: Some(FormerSecret {
            secret: Secret::new("Clear-Key-0"),
            until: after_secs(60),
        }),
        description: "Visible-Description".into(),
        ..AccessKey::new("k-1".into(), Secret::new("Clear-Key-1"), Role::Admin, now())
    };
    store.apply(vec![Op::AddKey(key)], None).await.unwrap();
    let open_files = bytes_of(path.parent().unwrap());
    drop(store);
    let closed_files = bytes_of(path.parent().unwrap());
    for bytes in [open_files, closed_files] {
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
        assert!(has(b"Visible-Description"), "the search itself works");
        assert!(!has(b"Clear-"));
        for password in ["Clear-Account-1", "Clear-Default-1", "Clear-Default-2"] {
            let digest = PasswordDigest::of(&Secret::new(password));
            assert!(!has(digest.expose_bytes()));
            assert!(!has(digest.expose_hex().as_bytes()));
            assert!(!has(digest.expose_hex().to_uppercase().as_bytes()));
        }
    }
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_row_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    let store = open(&path);
    add(&*store, instance("r-1")).await.unwrap();
    add(&*store, instance("r-2")).await.unwrap();
    ask(&*store, create("r-1", "a", "p-1")).await.unwrap();
    ask(&*store, create("r-1", "b", "p-2")).await.unwrap();
    drop(store);
    tamper(
        &path,
        "UPDATE account SET sealed_password =
             (SELECT sealed_password FROM account WHERE name = 'b') WHERE name = 'a'",
    );
    let store = open(&path);
    let answer = store.held(&InstanceId::from("r-1")).await;
    assert!(matches!(answer, Err(StoreError::Unreadable(_))));
    let answer = store.change(write(create("r-1", "c", "p"), RULES)).await;
    assert!(matches!(answer, Err(StoreError::Unreadable(_))));
    // It says so without harming the others.
    assert!(store.viewed(&InstanceId::from("r-1")).await.is_ok());
    ask(&*store, create("r-2", "c", "p")).await.unwrap();
    drop(store);
    tamper(
        &path,
        "UPDATE instance SET sealed_login =
             (SELECT sealed_login FROM instance WHERE id = 'r-1') WHERE id = 'r-2'",
    );
    let store = open(&path);
    let answer = store.held(&InstanceId::from("r-2")).await;
    assert!(matches!(answer, Err(StoreError::Unreadable(_))));
}

// --- the process or the disk gives out -------------------------------------------------------

/// In the child: where the store is.
const CHILD_PATH: &str = "CLAVIGER_STORE_TEST_CHILD_PATH";

/// What the child writes before the name of each acknowledged account.
const ACKNOWLEDGED: &str = "acknowledged ";

/// Callers in the child, each on an instance of its own.
const CALLERS: usize = 8;

/// Not a test by itself: what the tests below run as another process. It makes accounts until it
/// is killed or a write is refused, and says each name once its creation was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_creates() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its own child process where to work; no setting of claviger"
    )]
    let path = std::env::var(CHILD_PATH);
    let Ok(path) = path else {
        return;
    };
    let store = open(Path::new(&path));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let store = Arc::clone(&store);
        callers.spawn(async move { create_until_refused(&store, caller, 0).await });
    }
    callers.join_all().await;
    // A group did not fit; single writes may, until they do not either. Reads go on.
    create_until_refused(&store, 0, u32::MAX / 2).await;
    assert!(store.held(&InstanceId::from("r-0")).await.is_ok());
    writeln!(std::io::stdout(), "refused").unwrap();
}

async fn create_until_refused(store: &SqliteStore, caller: usize, first: u32) {
    for n in first.. {
        let name = format!("r-{caller}/a{n}");
        let mut write = write(create(&format!("r-{caller}"), &name, "p"), MANY);
        write.idempotency = token(&name, 1);
        match store.change(write).await {
            Ok(accepted) => drop(accepted.unwrap()),
            Err(StoreError::Unavailable(_)) => return,
            Err(other) => panic!("{other}"),
        }
        // One write call each: a line is there whole or not at all.
        let line = format!("{ACKNOWLEDGED}{name}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

async fn prepare_for_child(path: &Path) {
    let store = open(path);
    for caller in 0..CALLERS {
        add(&*store, instance(&format!("r-{caller}")))
            .await
            .unwrap();
    }
}

/// `shell` runs before this test binary takes the shell's place.
fn child(shell: &str, path: &Path) -> std::process::Child {
    let line = format!("{shell} exec \"$0\" embedded::child_that_creates --exact --nocapture");
    Process::new("sh")
        .arg("-c")
        .arg(line)
        .arg(std::env::current_exe().unwrap())
        .env(CHILD_PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Everything acknowledged is there, and whatever is there is there whole.
async fn check_after(path: &Path, acknowledged: &BTreeSet<String>) {
    let store = open(path);
    let mut found = BTreeSet::new();
    for caller in 0..CALLERS {
        let held = held(&*store, &format!("r-{caller}")).await;
        let names = held.accounts.iter().map(|a| a.name.to_string());
        found.extend(names.filter(|name| name != "default"));
        let revision = held.accounts.iter().map(|a| a.revision).max();
        assert_eq!(revision, Some(held.instance.revision));
    }
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // At most what was under way when it ended.
    assert!(found.len() <= acknowledged.len() + CALLERS);
    let whole = found.len() as u64;
    assert_eq!(
        store.tasks(&TaskQuery::default()).await.unwrap().total,
        whole
    );
    assert_eq!(
        store.audit(&AuditQuery::default()).await.unwrap().total,
        whole
    );
    // Each has its token: trying again makes nothing new.
    for name in &found {
        let (instance, _) = name.split_once('/').unwrap();
        let mut again = write(create(instance, name, "p"), MANY);
        again.idempotency = token(name, 1);
        assert!(store.change(again).await.unwrap().unwrap().replayed);
    }
    let next = write(create("r-0", "after", "p"), MANY);
    assert!(store.change(next).await.unwrap().is_ok());
}

#[tokio::test]
async fn killed_in_the_middle_nothing_acknowledged_is_lost() {
    for round in 1..=3 {
        let directory = tempfile::tempdir().unwrap();
        let path = database(&directory);
        prepare_for_child(&path).await;
        let mut child = child("", &path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = BTreeSet::new();
        let mut take = |line: std::io::Result<String>| {
            if let Some(name) = line.unwrap().strip_prefix(ACKNOWLEDGED) {
                acknowledged.insert(name.to_owned());
            }
            acknowledged.len()
        };
        for line in lines.by_ref() {
            if take(line) >= 100 * round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had still said before it died.
        for line in lines {
            take(line);
        }
        assert!(acknowledged.len() >= 100 * round);
        check_after(&path, &acknowledged).await;
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = database(&directory);
    prepare_for_child(&path).await;
    // No file may grow beyond about a megabyte; the signal that would end the process is
    // ignored, so that writing gives an error as a full disk does.
    let mut child = child("trap '' XFSZ; ulimit -f 2048;", &path);
    let mut acknowledged = BTreeSet::new();
    let mut refused = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        refused |= line == "refused";
        if let Some(name) = line.strip_prefix(ACKNOWLEDGED) {
            acknowledged.insert(name.to_owned());
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(refused && !acknowledged.is_empty());
    check_after(&path, &acknowledged).await;
}
