//! Live sessions of accounts that change: they stay, end at once, or end later.

use crate::common::{PATIENCE, World, instance, linked, logs_in, pair, quick, text};
use claviger_core::account::Account;
use claviger_core::password::PasswordDigest;
use claviger_core::policy::SessionPolicy;
use claviger_core::ports::Clock as _;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_testkit::{EngineBinary, found_engines};
use claviger_testkit::{Keeps, Server, ServerOptions, Session, SystemClock, eventually};
use std::time::Duration;

pub(crate) fn policy(world: &World, sessions: SessionPolicy) {
    world
        .store
        .change_held(&world.id, |held| held.instance.policy.sessions = sessions);
    world.wake();
}

fn set(world: &World, name: &str, change: impl FnOnce(&mut Account)) {
    world.store.change_account(&world.id, name, change);
    world.wake();
}

fn set_password(world: &World, name: &str, password: &str) {
    set(world, name, |account| {
        account.password = Some(PasswordDigest::of(&Secret::new(password)));
        account.password_set_at = Some(SystemClock.now());
    });
}

fn enter(server: &Server, name: &str) -> Session {
    Session::login(&server.address(), name, "first-Password1").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_end_with_what_they_lose_and_no_others_do() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadWrite)
                .await;
        }
        policy(&world, SessionPolicy::Kill);
        world.in_sync(2).await;
        let both = [&primary, &replica];
        let reconnects = world.fleet.stats().reconnects;
        let mut bees: Vec<Session> = both.map(|server| enter(server, "bee")).into();
        let mut watcher = enter(&primary, "ape");
        watcher.ask(&["SUBSCRIBE", "news"]).unwrap();

        // Fewer rights.
        let mut apes: Vec<Session> = both.map(|server| enter(server, "ape")).into();
        set(&world, "ape", |account| {
            account.privilege = Privilege::ReadOnly
        });
        world.settled("fewer rights").await;
        assert!(apes.iter_mut().all(Session::is_closed), "{}", binary.engine);
        assert!(watcher.is_closed(), "one that only listens is one, too");

        // Nothing that a node holds.
        let mut apes: Vec<Session> = both.map(|server| enter(server, "ape")).into();
        set(&world, "ape", |account| {
            account.description = "an ape".into()
        });
        world.settled("a description").await;
        assert!(!apes.iter_mut().any(Session::is_closed));

        // Switched off; switched on again is no loss.
        set(&world, "ape", |account| account.enabled = false);
        world.settled("off").await;
        assert!(apes.iter_mut().all(Session::is_closed));
        set(&world, "ape", |account| account.enabled = true);
        world.settled("on").await;

        // Another password.
        let mut apes: Vec<Session> = both.map(|server| enter(server, "ape")).into();
        set_password(&world, "ape", "second-Password2");
        world.settled("another password").await;
        assert!(apes.iter_mut().all(Session::is_closed));
        assert!(logs_in(&replica, "ape", "second-Password2"));

        // A hand that was put right is no change of ours.
        let mut bee = enter(&primary, "bee");
        let repairs = world.fleet.stats().repairs;
        primary.ask(&["ACL", "SETUSER", "bee", "-get"]).unwrap();
        eventually("put right", PATIENCE, || {
            world.fleet.stats().repairs > repairs
        })
        .await;
        world.in_sync(2).await;
        assert!(!bee.is_closed() && !bees.iter_mut().any(Session::is_closed));
        assert_eq!(world.fleet.stats().reconnects, reconnects, "our own links");
        assert!(linked(&replica, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_ends_them_when_it_is_back() {
    let Some(binary) = found_engines().first() else {
        return;
    };
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let world = World::over(&[&server]);
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    policy(&world, SessionPolicy::Kill);
    world.in_sync(1).await;
    let mut ape = enter(&server, "ape");
    world.fleet.stop(Duration::from_secs(5)).await;
    // What a crash between writing and ending leaves behind.
    set(&world, "ape", |account| account.enabled = false);
    server.ask(&["ACL", "SETUSER", "ape", "off"]).unwrap();
    assert!(!ape.is_closed());
    let world = World::restarted(&world);
    world.settled("it is off").await;
    assert!(ape.is_closed());
}

fn info(server: &Server, password: &str, field: &str) -> String {
    let mut session = Session::login(&server.address(), "default", password).unwrap();
    let all = text(&session.ask(&["INFO"]).unwrap());
    let line = all.lines().find(|line| line.starts_with(field)).unwrap();
    line.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_the_default_user_end_but_neither_replication_nor_our_own() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        policy(&world, SessionPolicy::Kill);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.store.set_default_password(&world.id, "one-Password1");
        world.wake();
        world.settled("a password").await;
        world.in_sync(2).await;
        eventually("linked", PATIENCE, || {
            linked(&replica, Some("one-Password1"))
        })
        .await;
        let reconnects = world.fleet.stats().reconnects;
        let syncs = info(&primary, "one-Password1", "sync_partial_ok");
        let both = [&primary, &replica];
        let address = |server: &Server| server.address();
        let mut defaults: Vec<Session> = both
            .map(|server| Session::login(&address(server), "default", "one-Password1").unwrap())
            .into();
        let mut mirrors: Vec<Session> = both
            .map(|server| Session::login(&address(server), "r-test", "one-Password1").unwrap())
            .into();
        world.store.set_default_password(&world.id, "two-Password2");
        world.wake();
        world.settled("another password").await;
        assert!(
            defaults.iter_mut().all(Session::is_closed),
            "{}",
            binary.engine
        );
        assert!(mirrors.iter_mut().all(Session::is_closed));
        world.in_sync(2).await;
        assert!(linked(&replica, Some("two-Password2")));
        assert_eq!(info(&primary, "two-Password2", "sync_partial_ok"), syncs);
        assert_eq!(world.fleet.stats().reconnects, reconnects, "our own links");
    }
}

async fn later(binary: &EngineBinary, restart: bool) {
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let mut own = instance("r-test", &[server.address()]);
    own.policy.sessions = SessionPolicy::KillAfter(3);
    let mut world = World::new(own, quick());
    for name in ["ape", "bee", "cat"] {
        world
            .create(name, "first-Password1", Privilege::ReadOnly)
            .await;
    }
    let [mut ape, mut bee, mut cat] = ["ape", "bee", "cat"].map(|name| enter(&server, name));
    set_password(&world, "ape", "second-Password2");
    set(&world, "bee", |account| account.enabled = false);
    set(&world, "cat", |account| account.enabled = false);
    world.settled("the changes").await;
    let begun = std::time::Instant::now();
    assert!(
        ![&mut ape, &mut bee, &mut cat]
            .into_iter()
            .any(|s| s.is_closed())
    );
    if restart {
        world.fleet.stop(Duration::from_secs(5)).await;
        world = World::restarted(&world);
    }
    // Enabled again in time.
    set(&world, "cat", |account| account.enabled = true);
    world.settled("cat is back").await;
    let new = || Session::login(&server.address(), "ape", "second-Password2").unwrap();
    let mut late = None;
    eventually("they end", PATIENCE, || {
        if late.is_none() && begun.elapsed() > Duration::from_millis(1300) {
            late = Some(new());
        }
        ape.is_closed() && bee.is_closed()
    })
    .await;
    assert!(
        late.is_some_and(|mut session| !session.is_closed()),
        "it has the new password"
    );
    assert!(!cat.is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_end_later_also_after_a_restart_of_the_service() {
    for binary in found_engines() {
        for restart in [false, true] {
            later(binary, restart).await;
        }
    }
}
