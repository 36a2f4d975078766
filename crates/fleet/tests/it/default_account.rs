//! The server's own user: its password changes without breaking replication and without locking
//! us out, from no password at all on.

use crate::common::{PATIENCE, World, instance, linked, logs_in, pair, pair_with, quick};
use claviger_core::account::Account;
use claviger_core::engine::AclLevel;
use claviger_core::ids::AccountName;
use claviger_core::instance::InstanceState;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_core::sight::SyncState;
use claviger_testkit::fake::{FakeNode, array, bulk};
use claviger_testkit::{
    EngineBinary, Keeps, Server, Session, eventually, eventually_async, found_engines,
};
use std::sync::{Arc, Mutex};

fn anonymous_is_refused(server: &Server) -> bool {
    server
        .ask(&["GET", "k"])
        .is_err_and(|e| e.to_string().starts_with("NOAUTH"))
}

/// Cuts the replica's link and waits until it is up again.
async fn relink(primary: &Server, replica: &Server, password: &str) {
    let mut session = Session::login(&primary.address(), "default", password).unwrap();
    session.ask(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    session.ask(&["SET", "k", password]).unwrap();
    eventually("the replica has followed", PATIENCE, || {
        let Ok(mut session) = Session::login(&replica.address(), "default", password) else {
            return false;
        };
        let value = session
            .ask(&["GET", "k"])
            .map(|value| crate::common::text(&value));
        linked(replica, Some(password)) && value.is_ok_and(|value| value == password)
    })
    .await;
}

async fn rotate(world: &World, servers: [&Server; 2], old: Option<&str>, new: &str) {
    world.store.set_default_password(&world.id, new);
    world.wake();
    world.settled("the default account's password").await;
    for server in servers {
        assert!(logs_in(server, "default", new) && anonymous_is_refused(server));
        // Clients that use the instance's id as user name.
        assert!(logs_in(server, "r-test", new));
        let mut session = server.session().unwrap();
        session.ask(&["AUTH", new]).unwrap();
        assert!(session.may(&["FLUSHDB"]) && session.may(&["ACL", "LIST"]));
        if let Some(old) = old {
            assert!(!logs_in(server, "default", old) && !logs_in(server, "r-test", old));
        }
    }
    relink(servers[0], servers[1], new).await;
}

async fn through_passwords(binary: &EngineBinary, keeps: Keeps) {
    let (mut primary, mut replica) = pair(binary, keeps).await;
    let world = World::over(&[&primary]);
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    rotate(&world, [&primary, &replica], None, "one-Password1").await;
    rotate(
        &world,
        [&primary, &replica],
        Some("one-Password1"),
        "two-Password2",
    )
    .await;
    world.in_sync(2).await;
    // Our own login went along.
    world
        .create("bee", "first-Password1", Privilege::ReadOnly)
        .await;
    // Redis 6 writes users to no configuration file.
    let kept = keeps == Keeps::Aclfile || binary.engine.acl_level() >= AclLevel::Selectors;
    if keeps == Keeps::Nothing || !kept {
        return;
    }
    eventually("both files hold it", PATIENCE, || {
        let saved = |server: &Server| server.own_file().unwrap().contains("user bee on");
        saved(&primary) && saved(&replica)
    })
    .await;
    primary.restart().unwrap();
    replica.restart().unwrap();
    for server in [&primary, &replica] {
        assert!(anonymous_is_refused(server), "{} {keeps:?}", binary.engine);
        assert!(logs_in(server, "default", "two-Password2"));
    }
    relink(&primary, &replica, "two-Password2").await;
    world.in_sync(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_password_rotates_under_replication() {
    for binary in found_engines() {
        for keeps in [Keeps::Nothing, Keeps::Aclfile, Keeps::Config] {
            through_passwords(binary, keeps).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_had_a_password_keeps_it_until_every_node_has_the_new_one() {
    for binary in found_engines() {
        let lines = ["requirepass old-Password0", "masterauth old-Password0"];
        let options = claviger_testkit::ServerOptions {
            lines: lines.map(str::to_owned).to_vec(),
            ..Default::default()
        };
        let primary = Server::start(binary, &options).unwrap();
        let options = claviger_testkit::ServerOptions {
            replica_of: Some(primary.port()),
            ..options
        };
        let mut replica = Server::start(binary, &options).unwrap();
        eventually("linked", PATIENCE, || {
            linked(&replica, Some("old-Password0"))
        })
        .await;
        let mut own = instance("r-test", &[primary.address()]);
        own.login.password = Some(Secret::new("old-Password0"));
        let world = World::new(own, quick());
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        replica.kill();
        world.reaches("ape", SyncState::Pending).await;
        world.store.set_default_password(&world.id, "new-Password1");
        world.wake();
        eventually("the primary takes both", PATIENCE, || {
            logs_in(&primary, "default", "new-Password1")
        })
        .await;
        assert!(
            logs_in(&primary, "default", "old-Password0"),
            "the replica still needs it"
        );
        let default = world.account("default").await;
        assert_eq!(default.state, SyncState::Pending);
        replica.start_again().unwrap();
        world.settled("both nodes have the new one").await;
        assert!(!logs_in(&primary, "default", "old-Password0"));
        relink(&primary, &replica, "new-Password1").await;
        // By hand: a further password, and none at all.
        for hand in [">third-Password3", "nopass"] {
            let repairs = world.fleet.stats().repairs;
            let mut session =
                Session::login(&primary.address(), "default", "new-Password1").unwrap();
            session.ask(&["ACL", "SETUSER", "default", hand]).unwrap();
            eventually("put right", PATIENCE, || {
                world.fleet.stats().repairs > repairs
            })
            .await;
            world.in_sync(2).await;
            assert!(!logs_in(&primary, "default", "third-Password3"));
            assert!(anonymous_is_refused(&primary));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_with_a_login_of_their_own_keep_it() {
    for binary in found_engines() {
        let (primary, replica) = pair_with(binary, Keeps::Nothing, &[]).await;
        primary
            .ask(&[
                "ACL",
                "SETUSER",
                "repl",
                "on",
                ">repl-Password1",
                "+psync",
                "+replconf",
                "+ping",
            ])
            .unwrap();
        replica
            .ask(&["CONFIG", "SET", "masteruser", "repl"])
            .unwrap();
        replica
            .ask(&["CONFIG", "SET", "masterauth", "repl-Password1"])
            .unwrap();
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        rotate(&world, [&primary, &replica], None, "one-Password1").await;
        let mut session = Session::login(&replica.address(), "default", "one-Password1").unwrap();
        let auth = session.ask(&["CONFIG", "GET", "masterauth"]).unwrap();
        assert!(
            format!("{auth:?}").contains("repl-Password1") || format!("{auth:?}").contains("repl")
        );
        assert!(logs_in(&primary, "repl", "repl-Password1"));
    }
}

/// A server as Redis 5 was: one password, no users.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_6_0_only_the_default_password_is_managed() {
    let password = Arc::new(Mutex::new(String::new()));
    let held = Arc::clone(&password);
    let node = FakeNode::start(Arc::new(move |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut held = held.lock().unwrap();
        match words.as_slice() {
            ["AUTH", given] if held.is_empty() || *given != held.as_str() => {
                "-ERR Client sent AUTH, but no password is set\r\n".into()
            }
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
            ["AUTH", _] | ["PING"] => "+OK\r\n".into(),
            _ => "-ERR unknown command\r\n".into(),
        }
    }))
    .await
    .unwrap();
    let world = World::new(instance("r-test", &[node.address()]), quick());
    eventually_async("it is running", PATIENCE, || async {
        let held = claviger_core::ports::Store::held(&*world.store, &world.id).await;
        held.unwrap().unwrap().instance.state == InstanceState::Running
    })
    .await;
    world
        .store
        .create(&world.id, "ape", "first-Password1", Privilege::ReadOnly);
    world.store.set_default_password(&world.id, "new-Password1");
    world.wake();
    eventually("the password is set", PATIENCE, || {
        *password.lock().unwrap() == "new-Password1"
    })
    .await;
    world.reaches("ape", SyncState::Failed).await;
    assert!(
        world
            .account("ape")
            .await
            .reason
            .unwrap()
            .contains("begin with Redis 6.0")
    );
    eventually("the default account is confirmed", PATIENCE, || {
        world
            .store
            .default_account(&world.id)
            .is_some_and(|account| account.is_confirmed())
    })
    .await;
    assert_eq!(
        world.account(Account::DEFAULT_NAME).await.state,
        SyncState::InSync
    );
    assert_eq!(world.account("ape").await.name, AccountName::from("ape"));
    assert!(
        node.log()
            .iter()
            .all(|words| words.first().is_none_or(|word| word != "ACL"))
    );
}

/// From a backup, or because it died before it had written its file: the password that it holds
/// is a former one, and so is our login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_back_with_an_old_file_does_not_lock_us_out() {
    for binary in found_engines() {
        let (mut primary, _replica) = pair(binary, Keeps::Aclfile).await;
        let world = World::over(&[&primary]);
        for (password, rounds) in [("one-Password1", 1), ("two-Password2", 2)] {
            world.store.set_default_password(&world.id, password);
            world.wake();
            world.settled("the default account's password").await;
            if rounds == 1 {
                let digest = claviger_core::password::PasswordDigest::of(&Secret::new(password))
                    .expose_hex();
                eventually("its file holds the first", PATIENCE, || {
                    primary.own_file().unwrap().contains(&digest)
                })
                .await;
                let file = primary.directory().join("users.acl");
                std::fs::copy(&file, file.with_extension("old")).unwrap();
            }
        }
        world.in_sync(2).await;
        primary.kill();
        let file = primary.directory().join("users.acl");
        std::fs::copy(file.with_extension("old"), &file).unwrap();
        primary.start_again().unwrap();
        eventually("the newest password is put back", PATIENCE, || {
            logs_in(&primary, "default", "two-Password2")
                && !logs_in(&primary, "default", "one-Password1")
        })
        .await;
        world.in_sync(2).await;
    }
}
