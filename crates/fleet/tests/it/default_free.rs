//! The server's own user without a password, back to one, and what it leaves behind.

use crate::common::{PATIENCE, World, instance, linked, logs_in, pair, quick, text};
use claviger_core::account::AccountKind;
use claviger_core::engine::AclLevel;
use claviger_core::password::PasswordDigest;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_core::sight::SyncState;
use claviger_testkit::fake::{FakeNode, array, bulk};
use claviger_testkit::{
    Keeps, Server, ServerOptions, Session, eventually, eventually_async, found_engines,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) fn set_free(world: &World, free: bool) {
    world.store.change_held(&world.id, |held| {
        let revision = held.instance.revision;
        let default = held.accounts.iter_mut();
        for account in default.filter(|a| a.kind == AccountKind::Default) {
            account.password_free = free;
            account.revision = revision;
        }
    });
    world.wake();
}

pub(crate) fn set_password(world: &World, password: &str) {
    world.store.set_default_password(&world.id, password);
    world.store.change_held(&world.id, |held| {
        for account in &mut held.accounts {
            account.password_free = false;
        }
    });
    world.wake();
}

fn is_open(server: &Server) -> bool {
    server.ask(&["GET", "k"]).is_ok()
}

/// Cuts the replica's link and waits until something new has come over another one.
async fn relink(primary: &Server, replica: &Server, password: Option<&str>) {
    let enter = |server: &Server| match password {
        Some(password) => Session::login(&server.address(), "default", password),
        None => server.session(),
    };
    let mark = format!("{password:?} {:?}", std::time::Instant::now());
    let mut session = enter(primary).unwrap();
    session.ask(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    session.ask(&["SET", "k", &mark]).unwrap();
    eventually("the replica has followed", PATIENCE, || {
        let value = enter(replica).and_then(|mut session| session.ask(&["GET", "k"]));
        linked(replica, password) && value.is_ok_and(|value| text(&value) == mark)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_password_and_back_under_replication() {
    for binary in found_engines() {
        for keeps in [Keeps::Nothing, Keeps::Aclfile, Keeps::Config] {
            let (primary, replica) = pair(binary, keeps).await;
            let world = World::over(&[&primary]);
            world
                .create("ape", "first-Password1", Privilege::ReadOnly)
                .await;
            set_password(&world, "one-Password1");
            world.settled("a password").await;
            assert!(!is_open(&primary) && !is_open(&replica));
            relink(&primary, &replica, Some("one-Password1")).await;
            set_free(&world, true);
            world.settled("none").await;
            assert!(is_open(&primary) && is_open(&replica), "{}", binary.engine);
            relink(&primary, &replica, None).await;
            // We are still let in ourselves, also over a new connection.
            let mut session = primary.session().unwrap();
            session.ask(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
            world
                .create("bee", "first-Password1", Privilege::ReadOnly)
                .await;
            // The password that was kept, then another one.
            set_free(&world, false);
            world.settled("the password is back").await;
            assert!(!is_open(&primary) && !is_open(&replica));
            relink(&primary, &replica, Some("one-Password1")).await;
            set_free(&world, true);
            world.settled("none again").await;
            set_password(&world, "two-Password2");
            world.settled("another password").await;
            assert!(!logs_in(&primary, "default", "one-Password1"));
            relink(&primary, &replica, Some("two-Password2")).await;
            world.in_sync(2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_user_that_was_never_ours_is_opened_and_kept_open() {
    for binary in found_engines() {
        let options = ServerOptions {
            lines: vec!["requirepass old-Password0".into()],
            ..ServerOptions::default()
        };
        let server = Server::start(binary, &options).unwrap();
        let mut own = instance("r-test", &[server.address()]);
        own.login.password = Some(Secret::new("old-Password0"));
        let world = World::new(own, quick());
        world.in_sync(1).await;
        assert!(!is_open(&server));
        set_free(&world, true);
        world.settled("open").await;
        assert!(is_open(&server));
        let repairs = world.fleet.stats().repairs;
        server
            .ask(&["ACL", "SETUSER", "default", ">by-hand-Password"])
            .unwrap();
        eventually("open again", PATIENCE, || {
            world.fleet.stats().repairs > repairs && is_open(&server)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_away_catches_up_with_what_it_missed() {
    for binary in found_engines() {
        // Redis 6 keeps no users in a configuration file.
        let level = binary.engine.acl_level();
        let keeps = if level < AclLevel::Selectors {
            Keeps::Aclfile
        } else {
            Keeps::Config
        };
        let (primary, mut replica) = pair(binary, keeps).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        set_password(&world, "one-Password1");
        world.settled("a password").await;
        world.in_sync(2).await;
        let one = PasswordDigest::of(&Secret::new("one-Password1")).expose_hex();
        eventually("its file holds it", PATIENCE, || {
            replica.own_file().unwrap().contains(&one)
        })
        .await;
        // Two rotations while it is away; it comes back with the first.
        replica.kill();
        world.reaches("ape", SyncState::Pending).await;
        for password in ["two-Password2", "three-Password3"] {
            set_password(&world, password);
            eventually("the primary takes it", PATIENCE, || {
                logs_in(&primary, "default", password)
            })
            .await;
        }
        assert!(
            logs_in(&primary, "default", "one-Password1"),
            "the replica may still need it"
        );
        replica.start_again().unwrap();
        world.settled("both have the newest").await;
        for server in [&primary, &replica] {
            for old in ["one-Password1", "two-Password2"] {
                assert!(!logs_in(server, "default", old), "{old}");
            }
        }
        relink(&primary, &replica, Some("three-Password3")).await;
        world.in_sync(2).await;
        // None while it is away.
        replica.kill();
        world.reaches("ape", SyncState::Pending).await;
        set_free(&world, true);
        eventually("the primary is open", PATIENCE, || is_open(&primary)).await;
        replica.start_again().unwrap();
        world.settled("both take none").await;
        relink(&primary, &replica, None).await;
        // And a password again.
        world.in_sync(2).await;
        replica.kill();
        world.reaches("ape", SyncState::Pending).await;
        set_password(&world, "four-Password4");
        eventually("the primary is closed", PATIENCE, || !is_open(&primary)).await;
        replica.start_again().unwrap();
        world.settled("both have the password").await;
        relink(&primary, &replica, Some("four-Password4")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_requirepass_is_emptied_without_opening_the_server() {
    for binary in found_engines() {
        for keeps in [Keeps::Config, Keeps::Aclfile] {
            let options = ServerOptions {
                keeps,
                lines: vec!["requirepass old-Password0".into()],
                ..ServerOptions::default()
            };
            let server = Server::start(binary, &options).unwrap();
            let mut own = instance("r-test", &[server.address()]);
            // With an ACL file it is that which counts, and it says nopass.
            own.login.password = (keeps == Keeps::Config).then(|| Secret::new("old-Password0"));
            let world = World::new(own, quick());
            world.in_sync(1).await;
            set_password(&world, "one-Password1");
            world.settled("the password").await;
            let mut session =
                Session::login(&server.address(), "default", "one-Password1").unwrap();
            let held = session.ask(&["CONFIG", "GET", "requirepass"]).unwrap();
            assert!(!format!("{held:?}").contains("old-Password0"), "{held:?}");
            let file = server.directory().join("server.conf");
            // Nor is that of Redis 6 rewritten, for it would break.
            let kept = keeps == Keeps::Aclfile || binary.engine.acl_level() >= AclLevel::Selectors;
            eventually("the file says nothing of it", PATIENCE, || {
                let text = std::fs::read_to_string(&file).unwrap();
                !kept || !text.contains("requirepass")
            })
            .await;
            // From outside, all along: stale again and again, and never open.
            let stop = Arc::new(AtomicBool::new(false));
            let (address, stopped) = (server.address(), Arc::clone(&stop));
            let guard = std::thread::spawn(move || {
                let mut entered = 0;
                while !stopped.load(Ordering::Relaxed) {
                    let session = Session::open(&address);
                    entered += u32::from(session.is_ok_and(|mut s| s.ask(&["GET", "k"]).is_ok()));
                }
                entered
            });
            for round in 0..5 {
                session
                    .ask(&["CONFIG", "SET", "requirepass", "stale-Password"])
                    .unwrap();
                let password = format!("round-Password{round}");
                set_password(&world, &password);
                world.settled("the next password").await;
                session = Session::login(&server.address(), "default", &password).unwrap();
                let held = session.ask(&["CONFIG", "GET", "requirepass"]).unwrap();
                assert!(!format!("{held:?}").contains("stale-Password"), "{held:?}");
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(guard.join().unwrap(), 0, "{}", binary.engine);
        }
    }
}

/// A server as Redis 5 was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_6_0_no_password_means_an_empty_requirepass() {
    let password = Arc::new(Mutex::new("old-Password0".to_owned()));
    let held = Arc::clone(&password);
    let node = FakeNode::start(Arc::new(move |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut held = held.lock().unwrap();
        match words.as_slice() {
            ["AUTH", _] if held.is_empty() => {
                "-ERR Client sent AUTH, but no password is set\r\n".into()
            }
            ["AUTH", given] if *given != held.as_str() => "-ERR invalid password\r\n".into(),
            ["AUTH", _] | ["PING"] => "+OK\r\n".into(),
            ["INFO", "server"] => bulk(
                "redis_version:5.0.14\r\nredis_mode:standalone\r\nrun_id:abc\r\nconfig_file:\r\n",
            ),
            ["INFO", "replication"] => bulk("role:master\r\nconnected_slaves:0\r\n"),
            ["CONFIG", "GET", "aclfile"] => array(&[]),
            ["CONFIG", "GET", "requirepass"] => array(&["requirepass", held.as_str()]),
            ["CONFIG", "SET", "requirepass", new] => {
                *held = (*new).to_owned();
                "+OK\r\n".into()
            }
            _ => "-ERR unknown command\r\n".into(),
        }
    }))
    .await
    .unwrap();
    let mut own = instance("r-test", &[node.address()]);
    own.login.password = Some(Secret::new("old-Password0"));
    let world = World::new(own, quick());
    world.in_sync(1).await;
    set_free(&world, true);
    eventually("it takes none", PATIENCE, || {
        password.lock().unwrap().is_empty()
    })
    .await;
    eventually_async("it is confirmed", PATIENCE, || async {
        world.store.all_confirmed(&world.id)
    })
    .await;
    set_password(&world, "new-Password1");
    eventually("it takes the new one", PATIENCE, || {
        *password.lock().unwrap() == "new-Password1"
    })
    .await;
}
