//! What only the shared store must do, and the server on which its tests run.

use crate::common::*;
use claviger_core::access::{AccessKey, Role};
use claviger_core::instance::InstanceState;
use claviger_core::ports::{Ears, Epoch, Hint, LeaseAsk, Op, Store, StoreError};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_store::{OpenError, PostgresStore};
use claviger_testkit::{Postgres, eventually, eventually_async};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

static SERVER: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// One server for the tests that run at the same time; gone with the last of them.
fn server(test: &str) -> Option<Arc<Postgres>> {
    let mut held = SERVER.lock().unwrap();
    if let Some(server) = held.upgrade() {
        return Some(server);
    }
    let server = Arc::new(Postgres::for_test(test)?);
    *held = Arc::downgrade(&server);
    Some(server)
}

fn number() -> u32 {
    DATABASES.fetch_add(1, Ordering::Relaxed)
}

async fn open(url: &str) -> Result<Arc<PostgresStore>, OpenError> {
    let me = format!("test-{}", number());
    let store = PostgresStore::open(&Secret::new(url), sealer(), me).await?;
    Ok(Arc::new(store))
}

/// A database of its own.
pub(crate) fn database(test: &str) -> Option<(Arc<Postgres>, String, String)> {
    let server = server(test)?;
    let name = format!("t{}", number());
    let url = server.database(&name).unwrap();
    Some((server, name, url))
}

/// An empty store.
pub(crate) async fn empty(test: &str) -> Option<(Arc<Postgres>, Arc<dyn Store>)> {
    let (server, _, url) = database(test)?;
    Some((server, open(&url).await.unwrap()))
}

fn lease_ask(holder: &str, lasting_ms: u32) -> LeaseAsk {
    LeaseAsk {
        holder: holder.into(),
        lasting_ms,
        claim_max: 100,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_make_one_schema() {
    let Some((_server, _, url)) = database("processes_that_start_together") else {
        return;
    };
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        openers.spawn(async move { open(&url).await.map(drop) });
    }
    for opened in openers.join_all().await {
        opened.unwrap();
    }
    let store = open(&url).await.unwrap();
    add(&*store, instance("r-1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_left_alone() {
    let Some((server, name, url)) = database("what_does_not_fit") else {
        return;
    };
    let sql = |text: &str| server.sql(&name, text).unwrap();
    drop(open(&url).await.unwrap());
    let other = PostgresStore::open(&Secret::new(&*url), sealer_of(8), "x".into()).await;
    assert!(matches!(other, Err(OpenError::WrongMasterKey)));
    sql("INSERT INTO migration VALUES (99, 'later', 'x')");
    let newer = open(&url).await;
    assert!(matches!(newer, Err(OpenError::Newer { found: 99, .. })));
    sql("DELETE FROM migration WHERE version = 99");
    sql("UPDATE migration SET checksum = 'x' WHERE version = 1");
    let edited = open(&url).await;
    assert!(matches!(edited, Err(OpenError::Edited { version: 1 })));

    let theirs = format!("{name}-theirs");
    let foreign = server.database(&theirs).unwrap();
    server
        .sql(&theirs, "CREATE TABLE theirs (id INTEGER)")
        .unwrap();
    assert!(matches!(open(&foreign).await, Err(OpenError::Foreign)));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(server.sql(&theirs, tables).unwrap().trim(), "1");

    let read_only = format!("{name}-read-only");
    let quiet = server.database(&read_only).unwrap();
    let set = format!("ALTER DATABASE \"{read_only}\" SET default_transaction_read_only = on");
    server.sql("postgres", &set).unwrap();
    let error = open(&quiet).await.err().unwrap().to_string();
    assert!(error.contains("cannot be used"), "{error}");

    let nobody = open("postgres://u@127.0.0.1:1/x").await;
    let error = nobody.err().unwrap().to_string();
    assert!(error.contains("error connecting to server"), "{error}");
}

/// A full disk, as the server would say it: every write of a row fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some((server, name, url)) = database("a_full_disk") else {
        return;
    };
    let store = open(&url).await.unwrap();
    add(&*store, instance("r-1")).await.unwrap();
    server
        .sql(
            &name,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON task
             FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        .unwrap();
    let refused = store.change(write(create("r-1", "a", "p"), RULES)).await;
    let Err(StoreError::Unavailable(reason)) = refused else {
        panic!("{refused:?}");
    };
    assert!(reason.contains("disk is full"), "{reason}");
    assert_eq!(held(&*store, "r-1").await.accounts.len(), 1);
    server.sql(&name, "DROP TRIGGER full_disk ON task").unwrap();
    ask(&*store, create("r-1", "a", "p")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_token_and_one_nonce_hold_for_all() {
    let Some((_server, _, url)) = database("one_token_and_one_nonce") else {
        return;
    };
    let stores = [open(&url).await.unwrap(), open(&url).await.unwrap()];
    for n in 0..8 {
        add(&*stores[0], instance(&format!("r-{n}"))).await.unwrap();
    }
    // The same token on different instances: one is done, the others are told.
    for round in 0..10 {
        let mut callers = tokio::task::JoinSet::new();
        for n in 0..8_u8 {
            let store = Arc::clone(&stores[usize::from(n % 2)]);
            let name = format!("a{round}");
            callers.spawn(async move {
                let mut write = write(create(&format!("r-{n}"), &name, "p"), RULES);
                write.idempotency = token(&format!("t-{round}"), n);
                write.nonce = nonce(n + 8 * round);
                store.change(write).await.unwrap()
            });
        }
        let answers = callers.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        let reused = |a: &&Result<_, Refusal>| matches!(a, Err(Refusal::TokenReused));
        assert_eq!(answers.iter().filter(reused).count(), 7);
    }
    let mark = nonce(200).unwrap();
    assert!(stores[0].use_nonce(mark, now()).await.unwrap());
    assert!(!stores[1].use_nonce(mark, now()).await.unwrap());
    let mut captured = write(create("r-1", "z", "p"), RULES);
    captured.nonce = Some(mark);
    let answer = stores[1].change(captured).await.unwrap();
    assert_eq!(answer.unwrap_err(), Refusal::NonceUsed);
    assert!(stores[1].use_nonce(mark, after_secs(900)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_shared_out_taken_over_and_fenced() {
    let Some((server, name, url)) = database("leases_are_shared_out") else {
        return;
    };
    let store = open(&url).await.unwrap();
    for n in 0..5 {
        add(&*store, instance(&format!("r-{n}"))).await.unwrap();
    }
    let lease =
        async |holder: &str, ms| store.lease(&lease_ask(holder, ms)).await.unwrap().unwrap();
    let first = lease("a", 60_000).await;
    assert_eq!((first.held.len(), first.surplus, first.members), (5, 0, 1));
    assert_eq!(lease("b", 60_000).await.held.len(), 0, "none is free");
    let now_held = lease("a", 60_000).await;
    assert_eq!((now_held.surplus, now_held.members), (2, 2));
    assert_eq!(store.sharers(), 2);
    let given: Vec<_> = now_held.held[..2]
        .iter()
        .map(|(id, _)| id.clone())
        .collect();
    store.release("a", Some(&given)).await.unwrap();
    let taken = lease("b", 60_000).await;
    let ids: Vec<_> = taken.held.iter().map(|(id, _)| id.clone()).collect();
    assert!(ids.len() == 2 && given.iter().all(|id| ids.contains(id)));

    // What the one before says late is refused, and nothing of it is written.
    let fenced = |epoch| {
        let id = given[0].clone();
        let state = Op::SetState(id.clone(), InstanceState::Paused);
        store.apply(vec![Op::Fence(id, epoch), state], None)
    };
    assert!(matches!(fenced(Epoch(1)).await, Err(StoreError::Stale)));
    let state = async || held(&*store, given[0].as_str()).await.instance.state;
    assert_eq!(state().await, InstanceState::Running);
    fenced(Epoch(2)).await.unwrap();
    assert_eq!(state().await, InstanceState::Paused);

    // What the driver sees, others may read; not what an older one says.
    let show = |epoch, text: &str| Op::Show(given[0].clone(), Epoch(epoch), text.into());
    store.apply(vec![show(2, "new")], None).await.unwrap();
    store.apply(vec![show(1, "old")], None).await.unwrap();
    let shown = store.shown(&given[0]).await.unwrap().unwrap();
    assert_eq!((shown.text.as_str(), shown.live), ("new", true));

    // One that does not speak any more loses all, once its time is over.
    server
        .sql(&name, "UPDATE member SET until = now() WHERE id = 'b'")
        .unwrap();
    assert!(!store.shown(&given[0]).await.unwrap().unwrap().live);
    let all = lease("a", 60_000).await;
    assert_eq!((all.held.len(), all.members), (5, 1));
    assert!(matches!(fenced(Epoch(2)).await, Err(StoreError::Stale)));
    // One that goes leaves all at once.
    store.release("a", None).await.unwrap();
    assert_eq!(lease("c", 60_000).await.held.len(), 5);
}

#[derive(Default)]
struct Heard(Mutex<Vec<Hint>>);

impl Ears for Heard {
    fn hear(&self, hint: &Hint) {
        self.0.lock().unwrap().push(hint.clone());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_hear_of_each_other_but_not_of_themselves() {
    let Some((_server, _, url)) = database("processes_hear_of_each_other") else {
        return;
    };
    let (one, two) = (open(&url).await.unwrap(), open(&url).await.unwrap());
    let (ears_one, ears_two) = (Arc::new(Heard::default()), Arc::new(Heard::default()));
    one.tell(Arc::clone(&ears_one) as Arc<dyn Ears>);
    two.tell(Arc::clone(&ears_two) as Arc<dyn Ears>);
    let version = two.keys_version().await.unwrap();
    // Listening begins some time after opening: said again until it is heard.
    add(&*one, instance("r-1")).await.unwrap();
    let heard = |ears: &Heard, hint: &Hint| ears.0.lock().unwrap().contains(hint);
    let changed = Hint::Instance("r-1".into());
    eventually_async("the change is heard of", PATIENCE, async || {
        let state = Op::SetState("r-1".into(), InstanceState::Paused);
        one.apply(vec![state], None).await.unwrap();
        heard(&ears_two, &changed)
    })
    .await;
    let key = AccessKey::new("k-1".into(), Secret::new("s"), Role::Admin, now());
    one.apply(vec![Op::AddKey(key)], None).await.unwrap();
    assert_ne!(two.keys_version().await.unwrap(), version);
    eventually("the key is heard of", PATIENCE, || {
        heard(&ears_two, &Hint::Keys)
    })
    .await;
    assert!(!heard(&ears_one, &changed) && !heard(&ears_one, &Hint::Keys));
}

/// The certificate counts: its authority and its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_verifies_the_server() {
    let Some(server) = Postgres::for_test("tls_verifies_the_server") else {
        return;
    };
    server.database("t").unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    server
        .use_tls(&made.cert.pem(), &made.signing_key.serialize_pem())
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let strangers = directory.path().join("strangers.pem");
    std::fs::write(&strangers, other.cert.pem()).unwrap();
    let url = |host: &str, roots: &std::path::Path| {
        let port = server.port();
        let roots = roots.display();
        format!("postgres://claviger@{host}:{port}/t?sslmode=verify-full&sslrootcert={roots}")
    };
    let store = open(&url("localhost", &roots)).await.unwrap();
    add(&*store, instance("r-1")).await.unwrap();
    let encrypted = "SELECT count(*) > 0 FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
         WHERE s.ssl AND a.application_name = 'claviger'";
    assert_eq!(server.sql("t", encrypted).unwrap().trim(), "t");
    let unknown = open(&url("localhost", &strangers)).await.err().unwrap();
    let misnamed = open(&url("127.0.0.1", &roots)).await.err().unwrap();
    for error in [unknown, misnamed] {
        let text = error.to_string();
        assert!(text.contains("cannot be used"), "{text}");
    }
}

// --- the database gives out -------------------------------------------------------------------

/// The database is killed and started again: what needs it fails in plain words and soon, and
/// everything goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_after_the_database_was_away() {
    let Some(mut server) = Postgres::for_test("it_goes_on_after_the_database_was_away") else {
        return;
    };
    let store = open(&server.database("t").unwrap()).await.unwrap();
    add(&*store, instance("r-1")).await.unwrap();
    ask(&*store, create("r-1", "a", "p")).await.unwrap();
    server.kill();
    let refused = store.change(write(create("r-1", "b", "p"), RULES)).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = store.held(&"r-1".into()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    server.start_again().unwrap();
    eventually_async("reads are back", PATIENCE, async || {
        store.held(&"r-1".into()).await.is_ok()
    })
    .await;
    ask(&*store, create("r-1", "c", "p")).await.unwrap();
    assert_eq!(held(&*store, "r-1").await.accounts.len(), 3);
}

/// The primary is killed in the middle of writes and the synchronous standby takes its place:
/// whatever was acknowledged is there, and nothing is there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_nothing_acknowledged() {
    let Some(mut primary) = Postgres::for_test("a_failover_loses_nothing_acknowledged") else {
        return;
    };
    primary.database("t").unwrap();
    let standby = primary.add_standby().unwrap();
    let url = format!(
        "postgres://claviger@127.0.0.1:{},127.0.0.1:{}/t",
        primary.port(),
        standby.port()
    );
    let store = open(&url).await.unwrap();
    for caller in 0..6 {
        add(&*store, instance(&format!("r-{caller}")))
            .await
            .unwrap();
    }
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..6 {
        let (store, acknowledged, stop) = (
            Arc::clone(&store),
            Arc::clone(&acknowledged),
            Arc::clone(&stop),
        );
        callers.spawn(async move {
            for n in 0.. {
                let name = format!("r-{caller}/a{n}");
                // Each is asked for until it is acknowledged, with its token.
                loop {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut write = write(create(&format!("r-{caller}"), &name, "p"), MANY);
                    write.idempotency = token(&name, 1);
                    if let Ok(done) = store.change(write).await {
                        done.unwrap();
                        acknowledged.lock().unwrap().insert(name);
                        break;
                    }
                }
            }
        });
    }
    let count = || acknowledged.lock().unwrap().len();
    eventually("writes are under way", PATIENCE, || count() > 60).await;
    primary.kill();
    let at_the_end = count();
    standby.promote().unwrap();
    eventually("writes go on", PATIENCE, || count() > at_the_end + 60).await;
    stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    let mut found = BTreeSet::new();
    for caller in 0..6 {
        let held = held(&*store, &format!("r-{caller}")).await;
        let names: Vec<_> = held.accounts.iter().map(|a| a.name.to_string()).collect();
        let distinct: BTreeSet<_> = names.iter().cloned().collect();
        assert_eq!(distinct.len(), names.len());
        found.extend(distinct);
    }
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<_> = acknowledged.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
