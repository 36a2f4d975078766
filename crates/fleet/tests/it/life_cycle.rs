//! Create, rotate, grant, delete; on a primary and its replica.

use crate::common::{PATIENCE, World, instance, logs_in, pair, quick};
use claviger_core::engine::AclLevel;
use claviger_core::instance::{RolePolicy, RoleProfile, Topology};
use claviger_core::node::Persistence;
use claviger_core::password::PasswordDigest;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_testkit::{
    EngineBinary, Keeps, Server, ServerOptions, Session, eventually, found_engines,
};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_lives_on_every_node() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Aclfile).await;
        let world = World::over(&[&primary]);
        world
            .create("app", "first-Password1", Privilege::ReadWrite)
            .await;
        for server in [&primary, &replica] {
            assert!(
                logs_in(server, "app", "first-Password1"),
                "{}",
                binary.engine
            );
            assert!(!logs_in(server, "app", "wrong"));
        }
        world.in_sync(2).await;
        let sight = world.sight().await;
        assert_eq!(sight.topology, Some(Topology::Replicated));
        assert!(
            sight
                .nodes
                .iter()
                .all(|n| n.engine == binary.engine.to_string())
        );

        let digest = PasswordDigest::of(&Secret::new("second-Password2"));
        world.store.change_account(&world.id, "app", |account| {
            account.password = Some(digest);
        });
        world.wake();
        world.settled("the new password").await;
        for server in [&primary, &replica] {
            assert!(logs_in(server, "app", "second-Password2"));
            assert!(!logs_in(server, "app", "first-Password1"));
        }

        world.store.change_account(&world.id, "app", |account| {
            account.privilege = Privilege::ReadOnly;
        });
        world.wake();
        world.settled("the new privilege").await;
        let mut session = Session::login(&primary.address(), "app", "second-Password2").unwrap();
        assert!(session.may(&["GET", "a"]) && !session.may(&["SET", "a", "1"]));

        world.store.delete(&world.id, "app");
        world.wake();
        eventually("the account is gone", PATIENCE, || {
            world.store.account(&world.id, "app").is_none()
        })
        .await;
        for server in [&primary, &replica] {
            assert!(!logs_in(server, "app", "second-Password2"));
        }
        assert!(session.is_closed(), "a deleted account's session ends");
        world.fleet.stop(Duration::from_secs(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_used_again_ends_the_old_sessions() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        world
            .create("app", "same-Password1", Privilege::ReadWrite)
            .await;
        let mut old = Session::login(&server.address(), "app", "same-Password1").unwrap();
        // Deleted and made again before the fleet looks, with the same password and rights.
        world.store.delete(&world.id, "app");
        world
            .create("app", "same-Password1", Privilege::ReadWrite)
            .await;
        assert!(old.is_closed(), "{}", binary.engine);
        assert!(logs_in(&server, "app", "same-Password1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_role_policy_reaches_every_account() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        world
            .create("app", "one-Password1", Privilege::ReadWrite)
            .await;
        let mut session = Session::login(&server.address(), "app", "one-Password1").unwrap();
        assert!(session.may(&["KEYS", "*"]) && session.may(&["FLUSHDB"]));
        world.store.change_held(&world.id, |held| {
            held.instance.roles = RolePolicy {
                profile: RoleProfile::Strict,
                disabled_commands: vec!["get".into()],
                ..RolePolicy::default()
            };
            for account in held.accounts.iter_mut().filter(|a| a.is_managed()) {
                account.revision = held.instance.revision;
            }
        });
        world.wake();
        world.settled("the policy").await;
        assert!(!session.may(&["KEYS", "*"]) && !session.may(&["FLUSHDB"]));
        assert!(!session.may(&["GET", "a"]) && session.may(&["SET", "a", "1"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_when_every_wake_up_is_lost() {
    let binary = &found_engines()[0];
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let world = World::new(instance("r-test", &[server.address()]), quick());
    world
        .store
        .create(&world.id, "app", "first-Password1", Privilege::ReadWrite);
    world.settled("the account, by the sweep alone").await;
    assert!(logs_in(&server, "app", "first-Password1"));
    world.store.delete(&world.id, "app");
    eventually("gone, by the sweep alone", PATIENCE, || {
        world.store.account(&world.id, "app").is_none()
    })
    .await;
    assert!(!logs_in(&server, "app", "first-Password1"));
}

/// Redis 6 breaks its configuration file by rewriting it twice with a long line in it.
fn tears_lines(binary: &EngineBinary) -> bool {
    let level = binary.engine.acl_level();
    level > AclLevel::None && level < AclLevel::Selectors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_file_that_would_break_is_left_alone() {
    for binary in found_engines().iter().filter(|binary| tears_lines(binary)) {
        let options = ServerOptions {
            keeps: Keeps::Config,
            ..ServerOptions::default()
        };
        let mut server = Server::start(binary, &options).unwrap();
        let before = server.own_file().unwrap();
        // A user of someone else, with a line of more than 1,024 bytes.
        let keys: Vec<String> = (0..200).map(|n| format!("~key{n}:*")).collect();
        let mut words = vec!["ACL", "SETUSER", "long", "on", "nopass", "+get"];
        words.extend(keys.iter().map(String::as_str));
        server.ask(&words).unwrap();
        let world = World::over(&[&server]);
        for name in ["ape", "bee", "cat"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
            world
                .store
                .set_default_password(&world.id, "default-Password1");
            world.wake();
            world.settled("the default password").await;
        }
        let node = world.sight().await.nodes.remove(0);
        assert_eq!(node.persistence, Persistence::Volatile);
        world.fleet.stop(Duration::from_secs(5)).await;
        assert_eq!(server.own_file().unwrap(), before);
        server.restart().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_own_files_hold_the_users() {
    for binary in found_engines() {
        for keeps in [Keeps::Aclfile, Keeps::Config] {
            if keeps == Keeps::Config && tears_lines(binary) {
                continue;
            }
            let mut server = Server::start(
                binary,
                &ServerOptions {
                    keeps,
                    ..ServerOptions::default()
                },
            )
            .unwrap();
            let world = World::over(&[&server]);
            for name in ["ape", "bee", "cat"] {
                world
                    .create(name, "first-Password1", Privilege::ReadOnly)
                    .await;
            }
            let what = format!("the file of {} ({keeps:?}) holds all", binary.engine);
            eventually(&what, PATIENCE, || {
                let file = server.own_file().unwrap();
                ["ape", "bee", "cat"]
                    .iter()
                    .all(|name| file.contains(&format!("user {name} on")))
            })
            .await;
            let file = server.own_file().unwrap();
            assert!(!file.contains("first-Password1") && !file.contains("claviger:scratch"));
            world.fleet.stop(Duration::from_secs(5)).await;
            server.restart().unwrap();
            assert!(
                logs_in(&server, "bee", "first-Password1"),
                "{} {keeps:?}",
                binary.engine
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_saves_what_was_not_saved_yet() {
    let binary = &found_engines()[0];
    let options = ServerOptions {
        keeps: Keeps::Aclfile,
        ..ServerOptions::default()
    };
    let server = Server::start(binary, &options).unwrap();
    let config = claviger_fleet::FleetConfig {
        save_interval: Duration::from_secs(3600),
        ..quick()
    };
    let world = World::new(instance("r-test", &[server.address()]), config);
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    world
        .create("bee", "first-Password1", Privilege::ReadOnly)
        .await;
    world.fleet.stop(Duration::from_secs(5)).await;
    let file = server.own_file().unwrap();
    assert!(
        file.contains("user ape on") && file.contains("user bee on"),
        "{file}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_usable_on_both_nodes_within_milliseconds() {
    let binary = found_engines()
        .iter()
        .max_by_key(|b| b.engine.major)
        .unwrap();
    let (primary, replica) = pair(binary, Keeps::Nothing).await;
    let world = World::over(&[&primary]);
    world
        .create("warm", "first-Password1", Privilege::ReadWrite)
        .await;
    world.in_sync(2).await;
    let mut times = Vec::new();
    for n in 0..50 {
        let name = format!("app{n}");
        world
            .store
            .create(&world.id, &name, "first-Password1", Privilege::ReadWrite);
        let begun = Instant::now();
        world.wake();
        while !world.store.all_confirmed(&world.id) {
            tokio::task::yield_now().await;
        }
        times.push(begun.elapsed());
        assert!(logs_in(&replica, &name, "first-Password1"));
    }
    times.sort();
    // The goal is 3 ms at the median on a quiet machine; here the machine may be busy.
    assert!(
        times[25] < Duration::from_millis(50),
        "median {:?}",
        times[25]
    );
    let stats = world.fleet.stats();
    assert!(stats.apply_latency_buckets.iter().sum::<u64>() >= 50);
    assert_eq!((stats.nodes_in_sync, stats.repairs), (2, 0));
}
