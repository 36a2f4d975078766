//! All of a store, moved: between the kinds, into a backup and back.

use crate::common::*;
use crate::shared;
use claviger_core::access::{AccessKey, Role, Scope};
use claviger_core::audit::AuditQuery;
use claviger_core::command::Target;
use claviger_core::instance::Topology;
use claviger_core::ports::{Entropy, LeaseAsk, Observed, Op, Store};
use claviger_core::query::TaskQuery;
use claviger_core::secret::Secret;
use claviger_store::{Opened, Place, TransferError, backup, copy, open, restore};
use std::path::PathBuf;
use std::sync::Arc;

fn passphrase() -> Secret {
    Secret::new("correct horse battery")
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Counted)
}

fn sqlite(directory: &tempfile::TempDir, name: &str) -> Place {
    Place::Sqlite(directory.path().join(name))
}

async fn opened(place: &Place) -> Arc<dyn Store> {
    open(place, sealer(), "test").await.unwrap().store()
}

/// A bit of everything.
async fn fill(store: &dyn Store) {
    for id in ["r-1", "r-2"] {
        add(store, instance(id)).await.unwrap();
    }
    for n in 0..300 {
        let mut write = write(create("r-1", &format!("a{n}"), "p-1"), MANY);
        write.idempotency = token(&format!("t-{n}"), 1);
        write.nonce = (n < 250).then(|| nonce(u8::try_from(n).unwrap())).flatten();
        store.change(write).await.unwrap().unwrap();
    }
    ask(store, password("r-2", Target::Default, "Ünïcode \"1\"\\\n"))
        .await
        .unwrap();
    // An account that replicas log in with, and its password before.
    let seen = Op::Observe(Observed {
        instance: "r-1".into(),
        topology: Topology::Replicated,
        engine: None,
        unmanaged: Vec::new(),
        link_users: vec!["a299".into()],
        nodes: Vec::new(),
    });
    store.apply(vec![seen], None).await.unwrap();
    for new in ["p-0", "p-1"] {
        let renew = password("r-1", Target::Name("a299".into()), new);
        store.change(write(renew, MANY)).await.unwrap().unwrap();
    }
    let key = AccessKey {
        scope: Scope::Only(vec!["r-1".into()]),
        description: "it's \\x00ff, [\"quoted\"]".into(),
        revoked_at: Some(after_secs(1)),
        ..AccessKey::new("k-1".into(), Secret::new("s-1"), Role::Operator, now())
    };
    let audit = Some(audit_entry("AddKey"));
    store.apply(vec![Op::AddKey(key)], audit).await.unwrap();
    store.setting_or("project_id", "ab".into()).await.unwrap();
}

/// What [`fill`] left is there, works, and goes on.
async fn check(store: &dyn Store) {
    let one = held(store, "r-1").await;
    assert_eq!(one.accounts.len(), 301);
    let account = one.account("a299").unwrap();
    assert!(
        account
            .password
            .as_ref()
            .unwrap()
            .matches(&Secret::new("p-1"))
    );
    assert_eq!(account.link_password.as_ref().unwrap().expose(), "p-1");
    assert_eq!(account.leaving_passwords.len(), 2);
    let names = ["a299".into()];
    let past = store.past_passwords(&"r-1".into(), &names).await.unwrap();
    assert_eq!(past.len(), 3, "each with what it had unconfirmed");
    assert_eq!(
        one.instance.login.password.unwrap().expose(),
        "login-password-1"
    );
    let two = held(store, "r-2").await.instance;
    let password = two.default_password.unwrap();
    assert_eq!(password.expose(), "Ünïcode \"1\"\\\n");
    let key = store.key(&"k-1".into()).await.unwrap().unwrap();
    assert_eq!(key.secret.expose(), "s-1");
    assert_eq!(key.description, "it's \\x00ff, [\"quoted\"]");
    assert_eq!(key.revoked_at, Some(after_secs(1)));
    assert_eq!(
        store.audit(&AuditQuery::default()).await.unwrap().total,
        304
    );
    let tasks = store.tasks(&TaskQuery::default()).await.unwrap();
    assert_eq!(tasks.total, 303);
    assert_eq!(
        store.setting("project_id").await.unwrap().as_deref(),
        Some("ab")
    );
    let mut again = write(create("r-1", "a5", "p-1"), MANY);
    again.idempotency = token("t-5", 1);
    assert!(store.change(again).await.unwrap().unwrap().replayed);
    let mut captured = write(create("r-1", "b", "p-1"), MANY);
    captured.nonce = nonce(7);
    assert!(store.change(captured).await.unwrap().is_err());
    assert_eq!(one.next_task.0, 304);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_the_other_kind_and_back() {
    let Some((_server, _, url)) = shared::database("to_the_other_kind_and_back") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (first, last) = (
        sqlite(&directory, "first.db"),
        sqlite(&directory, "last.db"),
    );
    let between = Place::parse(&url).unwrap();
    let store = opened(&first).await;
    fill(&*store).await;
    // What a running service accepts meanwhile would be lost.
    let busy = copy(&first, &between, sealer()).await;
    assert!(matches!(busy, Err(TransferError::InUse(_))), "{busy:?}");
    drop(store);
    let nothing = copy(&sqlite(&directory, "none.db"), &between, sealer()).await;
    assert!(matches!(nothing, Err(TransferError::Open { .. })));
    let copied = copy(&first, &between, sealer()).await.unwrap();
    assert_eq!(copied.tables["account"].0, 302);
    let full = copy(&first, &between, sealer()).await;
    assert!(matches!(full, Err(TransferError::NotEmpty(_))), "{full:?}");
    let store = opened(&between).await;
    let ask = LeaseAsk {
        holder: "x".into(),
        lasting_ms: 60_000,
        claim_max: 0,
    };
    store.lease(&ask).await.unwrap();
    let busy = copy(&between, &last, sealer()).await;
    assert!(matches!(busy, Err(TransferError::InUse(_))), "{busy:?}");
    store.release("x", None).await.unwrap();
    let back = copy(&between, &last, sealer()).await.unwrap();
    assert_eq!(back, copied);
    check(&*store).await;
    // Numbers go on where they were.
    let next = crate::common::ask(&*store, create("r-2", "b", "p"))
        .await
        .unwrap();
    assert!(next.outcome.task.0 >= 302);
    check(&*opened(&last).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_beside_a_running_service() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "first.db");
    let store = opened(&from).await;
    fill(&*store).await;
    let file = directory.path().join("backup");
    let made = backup(&from, sealer(), &file, &passphrase(), &entropy())
        .await
        .unwrap();
    let again = backup(&from, sealer(), &file, &passphrase(), &entropy()).await;
    assert!(matches!(again, Err(TransferError::Io(_))));
    // What comes later is not in it, and does no harm to it.
    ask(&*store, create("r-2", "later", "p")).await.unwrap();
    let bytes = std::fs::read(&file).unwrap();
    for clear in [&b"r-1"[..], b"a299", b"project_id"] {
        assert!(!bytes.windows(clear.len()).any(|part| part == clear));
    }
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o077, 0);
    let to = sqlite(&directory, "second.db");
    let read = restore(&file, &passphrase(), &to, sealer()).await.unwrap();
    assert_eq!(read, made);
    check(&*opened(&to).await).await;
    let full = restore(&file, &passphrase(), &to, sealer()).await;
    assert!(full.is_err());
    if let Some((_server, _, url)) = shared::database("a_backup_beside_a_running_service") {
        let to = Place::parse(&url).unwrap();
        let read = restore(&file, &passphrase(), &to, sealer()).await.unwrap();
        assert_eq!(read, made);
        let store = opened(&to).await;
        check(&*store).await;
        let second = directory.path().join("backup-2");
        let (secret, entropy) = (passphrase(), entropy());
        let again = backup(&to, sealer(), &second, &secret, &entropy)
            .await
            .unwrap();
        // The check above has changed nothing.
        assert_eq!(again, made);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_backup_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let from = sqlite(&directory, "first.db");
    fill(&*opened(&from).await).await;
    let file = directory.path().join("backup");
    let short = backup(&from, sealer(), &file, &Secret::new("short"), &entropy()).await;
    assert!(matches!(short, Err(TransferError::ShortPassphrase)));
    assert!(!file.exists());
    backup(&from, sealer(), &file, &passphrase(), &entropy())
        .await
        .unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.len() > 3 * 65_600, "several chunks: {}", bytes.len());
    let database = shared::database("a_bad_backup_leaves_nothing");
    let mut number = 0;
    let mut to = |shared: bool| match (&database, shared) {
        (Some((_, _, url)), true) => Place::parse(url).unwrap(),
        _ => {
            number += 1;
            sqlite(&directory, &format!("to-{number}.db"))
        }
    };
    let damaged = directory.path().join("damaged");
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (bytes[..40].to_vec(), "not a backup"),
        (b"a letter".repeat(40), "not a backup"),
        (flipped(30), "passphrase"),
        (flipped(100), "passphrase"),
        (flipped(bytes.len() / 2), "damaged"),
        (flipped(bytes.len() - 1), "damaged"),
        (bytes[..bytes.len() - 1].to_vec(), "cut off"),
        (bytes[..bytes.len() / 2].to_vec(), "cut off"),
        // A whole number of chunks, the last one missing.
        (bytes[..62 + 2 * (65_536 + 16 + 4)].to_vec(), "cut off"),
        ([&bytes[..], b"x"].concat(), "damaged"),
    ];
    for (content, expected) in cases {
        std::fs::write(&damaged, &content).unwrap();
        // Deriving the key is slow, by design: the shared kind gets what is found late.
        let late = matches!(expected, "damaged" | "cut off");
        for shared in [false, true].into_iter().take(1 + usize::from(late)) {
            let to = to(shared);
            let error = restore(&damaged, &passphrase(), &to, sealer()).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
            let left = opened(&to).await.instance_ids().await.unwrap();
            assert!(left.is_empty());
        }
    }
    {
        let to = to(false);
        let other = Secret::new("correct horse batterz");
        let error = restore(&file, &other, &to, sealer()).await.unwrap_err();
        assert!(matches!(error, TransferError::WrongPassphrase));
    }
    // The right passphrase and another master key: what is sealed would be of no use.
    let to = to(false);
    let error = restore(&file, &passphrase(), &to, sealer_of(8)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, TransferError::NotSealedByUs { .. }),
        "{error}"
    );
    let left: PathBuf = match &to {
        Place::Sqlite(path) => path.clone(),
        Place::Postgres(_) => unreachable!("a file was asked for"),
    };
    let Opened::Sqlite(left) = open(&Place::Sqlite(left), sealer_of(8), "x").await.unwrap() else {
        unreachable!("a file was asked for");
    };
    assert!(left.instance_ids().await.unwrap().is_empty());
}
