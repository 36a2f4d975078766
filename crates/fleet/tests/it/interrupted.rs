//! What is half done when the service, or a node, stops: written and not recorded, deleted and
//! not saved.

use crate::common::{PATIENCE, World, instance, logs_in, quick};
use claviger_core::engine::AclLevel;
use claviger_core::ids::InstanceId;
use claviger_core::password::PasswordDigest;
use claviger_core::ports::{Fleet as _, Store};
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_core::sight::SyncState;
use claviger_fleet::{Fleet, FleetConfig};
use claviger_testkit::{
    Keeps, MemoryStore, Server, ServerOptions, SystemClock, eventually, eventually_async,
    found_engines,
};
use std::sync::Arc;
use std::time::Duration;

/// As the store leaves it when the password changes before anything was confirmed.
fn change_password(store: &MemoryStore, id: &InstanceId, name: &str, password: &str) {
    store.change_account(id, name, |account| {
        let new = PasswordDigest::of(&Secret::new(password));
        account
            .former_passwords
            .extend(account.password.replace(new));
    });
}

/// The user was written, the service stopped before it was recorded, and the account changed
/// while nobody drove the node: the user is still known to be ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_was_written_and_not_recorded_is_ours() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let digest = |password: &str| {
            let digest = PasswordDigest::of(&Secret::new(password));
            format!("#{}", digest.expose_hex())
        };
        let written = |name: &str, password: &str| {
            let digest = digest(password);
            let words = ["ACL", "SETUSER", name, "reset", "on", &digest, "~*", "+get"];
            server.ask(&words).unwrap();
        };
        for name in ["ape", "bee", "cat"] {
            written(name, "first-Password1");
        }
        written("dog", "other-Password1");
        let store = Arc::new(MemoryStore::default());
        let id = InstanceId::from("r-test");
        store.add_instance(instance("r-test", &[server.address()]));
        for name in ["ape", "bee", "cat", "dog"] {
            store.create(&id, name, "first-Password1", Privilege::ReadOnly);
        }
        store.change_account(&id, "ape", |account| {
            account.privilege = Privilege::ReadWrite;
        });
        change_password(&store, &id, "bee", "second-Password1");
        change_password(&store, &id, "cat", "second-Password1");
        store.delete(&id, "cat");
        let shared: Arc<dyn Store> = store.clone();
        let fleet = Fleet::start(shared, Arc::new(SystemClock), quick());
        let world = World { id, store, fleet };
        for (name, password) in [("ape", "first-Password1"), ("bee", "second-Password1")] {
            world.reaches(name, SyncState::InSync).await;
            assert!(logs_in(&server, name, password), "{name}");
        }
        assert!(!logs_in(&server, "bee", "first-Password1"));
        eventually("the deleted one is gone", PATIENCE, || {
            !logs_in(&server, "cat", "first-Password1")
        })
        .await;
        // Someone else's stays, with its own password.
        world.reaches("dog", SyncState::Failed).await;
        assert!(logs_in(&server, "dog", "other-Password1"));
    }
}

/// A node that crashes right after a deletion comes back with a file of before it: the account is
/// not gone until that cannot happen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_lasts_until_the_file_is_written() {
    for binary in found_engines() {
        for keeps in [Keeps::Aclfile, Keeps::Config] {
            let level = binary.engine.acl_level();
            if keeps == Keeps::Config && level < AclLevel::Selectors {
                continue;
            }
            let options = ServerOptions {
                keeps,
                ..ServerOptions::default()
            };
            let mut server = Server::start(binary, &options).unwrap();
            // The file is written at the first change, and not again for an hour.
            let config = FleetConfig {
                save_interval: Duration::from_secs(3600),
                ..quick()
            };
            let world = World::new(instance("r-test", &[server.address()]), config);
            world
                .create("ape", "first-Password1", Privilege::ReadOnly)
                .await;
            eventually("saved", PATIENCE, || {
                server.own_file().unwrap().contains("user ape")
            })
            .await;
            world.store.delete(&world.id, "ape");
            world.wake();
            eventually("gone from the node", PATIENCE, || {
                !logs_in(&server, "ape", "first-Password1")
            })
            .await;
            eventually_async("seen to be gone", PATIENCE, || async {
                world.sight().await.in_sync
            })
            .await;
            assert!(
                world.store.account(&world.id, "ape").is_some(),
                "forgotten while the node's file still holds it"
            );
            server.restart().unwrap();
            eventually("gone again", PATIENCE, || {
                !logs_in(&server, "ape", "first-Password1")
            })
            .await;
            assert!(world.store.account(&world.id, "ape").is_some());
        }
    }
}

/// And once it is written, the end is recorded at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_ends_with_the_file() {
    for binary in found_engines() {
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            ..ServerOptions::default()
        };
        let server = Server::start(binary, &options).unwrap();
        let world = World::over(&[&server]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.store.delete(&world.id, "ape");
        world.wake();
        eventually("forgotten", PATIENCE, || {
            world.store.account(&world.id, "ape").is_none()
        })
        .await;
        assert!(!server.own_file().unwrap().contains("user ape"));
    }
}

/// Long after their ends were recorded, a file of before them comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_accounts_that_an_old_file_brings_back_go_again() {
    for binary in found_engines() {
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            ..ServerOptions::default()
        };
        let mut server = Server::start(binary, &options).unwrap();
        let world = World::over(&[&server]);
        let names = ["ape", "bee", "cat", "dog", "elk"];
        for name in names {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        eventually("saved", PATIENCE, || {
            server.own_file().unwrap().contains("user elk on")
        })
        .await;
        let old = server.own_file().unwrap();
        // One had another password at its end.
        world
            .store
            .set_password(&world.id, "bee", "second-Password2");
        world.wake();
        world.settled("bee has another password").await;
        for name in names {
            world.store.delete(&world.id, name);
        }
        world.wake();
        eventually("forgotten", PATIENCE, || {
            let held = |name: &&str| world.store.account(&world.id, name).is_some();
            !names.iter().any(held)
        })
        .await;
        world.fleet.stop(Duration::from_secs(5)).await;
        server.kill();
        // A stranger's by its password, and one that takes any.
        let hex = |password: &str| PasswordDigest::of(&Secret::new(password)).expose_hex();
        let changed: Vec<String> = old
            .lines()
            .map(|line| match line.split(' ').nth(1) {
                Some("cat") => line.replace(&hex("first-Password1"), &hex("other-Password")),
                Some("dog") => {
                    let digest = format!("#{}", hex("first-Password1"));
                    line.replace(&digest, "nopass")
                }
                _ => line.to_owned(),
            })
            .collect();
        let file = server.directory().join("users.acl");
        std::fs::write(file, changed.join("\n") + "\n").unwrap();
        // The name of one is another account's by now.
        let world = World::restarted(&world);
        world
            .store
            .create(&world.id, "elk", "third-Password3", Privilege::ReadWrite);
        server.start_again().unwrap();
        world.wake();
        world.settled("the new account has the name").await;
        eventually("gone again", PATIENCE, || {
            let mut users = ["ape", "bee"].iter();
            !users.any(|name| logs_in(&server, name, "first-Password1"))
        })
        .await;
        world.in_sync(1).await;
        let unmanaged = world.sight().await.unmanaged;
        assert_eq!(unmanaged, ["cat".into(), "dog".into()]);
        assert!(logs_in(&server, "cat", "other-Password"));
        assert!(logs_in(&server, "dog", "anything"));
        assert!(logs_in(&server, "elk", "third-Password3"));
        assert!(!logs_in(&server, "elk", "first-Password1"));
        assert!(world.fleet.stats().repairs >= 3);
        eventually("the file does not hold them any more", PATIENCE, || {
            let file = server.own_file().unwrap();
            !file.contains("user ape") && !file.contains("user bee")
        })
        .await;
        server.restart().unwrap();
        world.in_sync(1).await;
        assert!(!logs_in(&server, "ape", "first-Password1"));
    }
}

/// Made open by hand before anything of it was recorded: nothing tells whose it is, so it is left,
/// and said loudly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_lets_anyone_in_is_named() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        for name in ["ape", "theirs"] {
            let words = ["ACL", "SETUSER", name, "on", "nopass", "~*", "+get"];
            server.ask(&words).unwrap();
        }
        let words = ["ACL", "SETUSER", "closed", "on", ">other", "~*", "+get"];
        server.ask(&words).unwrap();
        let own = instance("r-test", &[server.address()]);
        let world = World::new(own.clone(), quick());
        world
            .store
            .create(&world.id, "ape", "first-Password1", Privilege::ReadOnly);
        world.wake();
        world.reaches("ape", SyncState::Failed).await;
        let reason = world.account("ape").await.reason.unwrap();
        let open = "a user named ape exists, open to any password, on 127.0.0.1:";
        assert!(reason.starts_with(open), "{reason}");
        assert!(logs_in(&server, "ape", "anything"), "left alone");
        let report = world.fleet.check(&own).await;
        let warnings = &report.nodes[0].warnings;
        let warned = |name: &str| {
            let text = format!("the user {name} takes any password: anyone");
            warnings.iter().any(|warning| warning.starts_with(&text))
        };
        assert!(warned("ape") && warned("theirs"), "{warnings:?}");
        assert!(!warned("closed") && !warned("default"), "{warnings:?}");
    }
}
