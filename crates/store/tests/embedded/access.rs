//! The audit trail edited behind the store's back; the master key changed.

use super::*;
use claviger_core::instance::{Held, Topology};
use claviger_core::password::PasswordDigest;
use claviger_core::ports::Observed;
use rusqlite::Connection;

/// Follows the chain; why it does not hold, in the store's or the chain's words.
async fn follow(store: &SqliteStore) -> Result<u64, String> {
    let ends = store.audit_ends().await.map_err(|e| e.to_string())?;
    let query = AuditQuery {
        after: Some(ends.base.seq),
        oldest_first: true,
        ..AuditQuery::default()
    };
    let rows = store.audit(&query).await.map_err(|e| e.to_string())?.rows;
    let mut chain = Chain::after(ends.base);
    let followed = rows.iter().try_for_each(|row| chain.follow(row));
    let told = |broken: Broken| broken.to_string();
    followed.map_err(told)?;
    chain.finish(ends.head).map_err(told)?;
    Ok(rows.len() as u64)
}

async fn with_rows(path: &Path, count: usize) {
    let store = SqliteStore::open(path, sealer()).unwrap();
    for n in 0..count {
        let entry = audit_entry(&format!("action {n}"));
        store.apply(Vec::new(), Some(entry)).await.unwrap();
    }
}

#[tokio::test]
async fn an_edit_of_the_file_shows() {
    for (sql, told) in [
        (
            "UPDATE audit SET outcome = 'ok, really' WHERE id = 3",
            "row 3 was changed",
        ),
        (
            "UPDATE audit SET hash = zeroblob(32) WHERE id = 3",
            "row 3 was changed",
        ),
        (
            "UPDATE audit SET after = '{\"x\":\"y\"}' WHERE id = 5",
            "row 5 was changed",
        ),
        (
            "DELETE FROM audit WHERE id = 2",
            "row 2 is expected, and row 3 follows",
        ),
        (
            "DELETE FROM audit WHERE id = 1",
            "row 1 is expected, and row 2 follows",
        ),
        (
            "DELETE FROM audit WHERE id >= 5",
            "ends with row 4, and should end with row 5",
        ),
        (
            "DELETE FROM audit",
            "ends with row 0, and should end with row 5",
        ),
        (
            "UPDATE audit SET id = 9 WHERE id = 5",
            "row 5 is expected, and row 9 follows",
        ),
        (
            "DELETE FROM audit_end WHERE which = 'base'",
            "which is missing",
        ),
        ("DELETE FROM audit_end", "which is missing"),
        (
            "UPDATE audit_end SET sealed_end = (SELECT sealed_end FROM audit_end WHERE which = 'base')",
            "damaged or not in its place",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.db");
        with_rows(&path, 5).await;
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        // A head that cannot be believed keeps the store from opening: a chain that went on from
        // there would hide the cut.
        let followed = match SqliteStore::open(&path, sealer()) {
            Ok(store) => follow(&store).await.unwrap_err(),
            Err(error) => error.to_string(),
        };
        assert!(followed.contains(told), "{sql}: {followed}");
    }
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart_and_after_forgetting() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.db");
    with_rows(&path, 3).await;
    with_rows(&path, 3).await;
    let store = SqliteStore::open(&path, sealer()).unwrap();
    assert_eq!(follow(&store).await, Ok(6));
    drop(store);
    // As if a million rows had been written since: what is older than that is forgotten.
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "INSERT INTO audit (id, at, request_id, access_key, source, dialect, action, instance,
             account, outcome, detail)
         VALUES (1000004, 0, '', '', '', '', '', '', '', '', '')",
    )
    .unwrap();
    drop(db);
    let store = SqliteStore::open(&path, sealer()).unwrap();
    store.apply(vec![Op::Purge(now())], None).await.unwrap();
    let ends = store.audit_ends().await.unwrap();
    assert_eq!((ends.base.seq, ends.head.seq), (4, 6));
    drop(store);
    let db = Connection::open(&path).unwrap();
    db.execute_batch("DELETE FROM audit WHERE id = 1000004")
        .unwrap();
    drop(db);
    let store = SqliteStore::open(&path, sealer()).unwrap();
    assert_eq!(follow(&store).await, Ok(2));
}

/// A database of an older version: its rows stay, the chain begins after them.
#[tokio::test]
async fn the_chain_begins_after_older_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.db");
    with_rows(&path, 3).await;
    let db = Connection::open(&path).unwrap();
    db.execute_batch("UPDATE audit SET hash = NULL; DELETE FROM audit_end;")
        .unwrap();
    drop(db);
    with_rows(&path, 2).await;
    let store = SqliteStore::open(&path, sealer()).unwrap();
    let ends = store.audit_ends().await.unwrap();
    assert_eq!(
        ends.base,
        AuditEnd {
            seq: 3,
            hash: [0; 32]
        }
    );
    assert_eq!(follow(&store).await, Ok(2));
    assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().total, 5);
}

fn key_of(byte: u8) -> zeroize::Zeroizing<[u8; 32]> {
    zeroize::Zeroizing::new([byte; 32])
}

/// Everything that is sealed, opened; what it says.
async fn opened(store: &SqliteStore) -> String {
    let held = store.held(&"r-1".into()).await.unwrap().unwrap();
    let key = store.key(&"k-1".into()).await.unwrap().unwrap();
    let password = |secret: Option<&Secret>| secret.map(|s| s.expose().to_owned());
    format!(
        "{:?} {:?} {} {} {:?} {:?}",
        password(held.instance.login.password.as_ref()),
        password(held.instance.default_password.as_ref()),
        key.secret.expose(),
        key.former.unwrap().secret.expose(),
        held.accounts
            .iter()
            .map(|a| a.password.as_ref().map(|p| p.expose_hex()))
            .collect::<Vec<_>>(),
        store.audit_ends().await.unwrap(),
    ) + &links(store, &held).await
}

/// What stands beside the passwords that are valid.
async fn links(store: &SqliteStore, held: &Held) -> String {
    let names: Vec<_> = held.accounts.iter().map(|a| a.name.clone()).collect();
    let past = store.past_passwords(&"r-1".into(), &names).await.unwrap();
    assert_eq!(past.len(), 2);
    let hex = |digest: &PasswordDigest| digest.expose_hex();
    let mut text = format!("{:?}", past.iter().map(|(_, d)| hex(d)).collect::<Vec<_>>());
    for account in &held.accounts {
        let link = account.link_password.as_ref().map(Secret::expose);
        let leaving: Vec<_> = account.leaving_passwords.iter().map(hex).collect();
        text += &format!("{link:?} {leaving:?}");
    }
    assert!(text.contains("p-2"));
    text
}

async fn filled(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path, sealer_of(1)).unwrap();
    let mut new = instance("r-1");
    new.default_password = Some(Secret::new("default-1"));
    add(&store, new).await.unwrap();
    for n in 0..20 {
        let write = write(create("r-1", &format!("a{n}"), "p"), MANY);
        store.change(write).await.unwrap().unwrap();
    }
    let seen = Op::Observe(Observed {
        instance: "r-1".into(),
        topology: Topology::Replicated,
        engine: None,
        unmanaged: Vec::new(),
        link_users: vec!["a1".into()],
        nodes: Vec::new(),
    });
    store.apply(vec![seen], None).await.unwrap();
    for name in ["a1", "a2"] {
        let renew = password("r-1", Target::Name(name.into()), "p-2");
        store.change(write(renew, MANY)).await.unwrap().unwrap();
    }
    let key = AccessKey {
        former: Some(FormerSecret {
            secret: Secret::new("s-0"),
            until: after_secs(60),
        }),
        ..AccessKey::new("k-1".into(), Secret::new("s-1"), Role::Admin, now())
    };
    store.apply(vec![Op::AddKey(key)], None).await.unwrap();
    store
}

#[tokio::test]
async fn the_master_key_is_changed_in_any_number_of_steps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.db");
    let store = filled(&path).await;
    let before = opened(&store).await;
    assert_eq!(store.reseal(0).await.unwrap(), 0);
    drop(store);
    // The new key, and the one before; stopped after every few secrets.
    let both = || sealer_of(2).with_former(&key_of(1));
    let mut left = u64::MAX;
    loop {
        let store = SqliteStore::open(&path, both()).unwrap();
        let now = store.reseal(0).await.unwrap();
        assert!(now < left, "{now}");
        left = now;
        assert_eq!(opened(&store).await, before);
        if left == 0 {
            break;
        }
        let more = store.reseal(7).await.unwrap();
        assert_eq!(more == 0, store.reseal(0).await.unwrap() == 0);
    }
    // The one before is not needed any more, and is of no use any more.
    let store = SqliteStore::open(&path, sealer_of(2)).unwrap();
    assert_eq!(opened(&store).await, before);
    drop(store);
    let old = SqliteStore::open(&path, sealer_of(1)).err().unwrap();
    assert!(matches!(old, OpenError::WrongMasterKey));
}

#[tokio::test]
async fn without_the_former_key_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.db");
    let store = filled(&path).await;
    let before = opened(&store).await;
    drop(store);
    let alone = SqliteStore::open(&path, sealer_of(2)).err().unwrap();
    assert!(matches!(alone, OpenError::WrongMasterKey));
    // Half way, with the new key alone: the canary is the new key's, other secrets are not.
    let store = SqliteStore::open(&path, sealer_of(2).with_former(&key_of(1))).unwrap();
    assert_ne!(store.reseal(3).await.unwrap(), 0);
    drop(store);
    let store = SqliteStore::open(&path, sealer_of(2)).unwrap();
    let told = store.reseal(100).await.unwrap_err().to_string();
    assert!(told.contains("another master key"), "{told}");
    drop(store);
    let store = SqliteStore::open(&path, sealer_of(2).with_former(&key_of(1))).unwrap();
    assert_eq!(opened(&store).await, before);
}
