//! What happens behind our back is found and put right, and status tells the truth meanwhile.

use crate::common::{PATIENCE, World, logs_in, pair};
use claviger_core::password::PasswordDigest;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_core::sight::SyncState;
use claviger_testkit::{Keeps, Server, ServerOptions, Session, eventually, found_engines};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_lost_in_a_restart_come_back() {
    for binary in found_engines() {
        let (mut primary, mut replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadWrite)
                .await;
        }
        world.in_sync(2).await;
        primary.restart().unwrap();
        replica.restart().unwrap();
        for server in [&primary, &replica] {
            eventually("the users are back", PATIENCE, || {
                ["ape", "bee"]
                    .iter()
                    .all(|name| logs_in(server, name, "first-Password1"))
            })
            .await;
        }
        world.in_sync(2).await;
        let stats = world.fleet.stats();
        assert!(stats.repairs >= 4 && stats.reconnects >= 2, "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hands_are_corrected() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        for name in ["ape", "bee", "cat", "dog", "elk"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        world.in_sync(1).await;
        let forbidden = |name: &str| {
            let session = Session::login(&server.address(), name, "first-Password1");
            session.is_ok_and(|mut session| !session.may(&["SET", "a", "1"]))
        };
        let hands: [&[&str]; 5] = [
            &["ACL", "DELUSER", "ape"],
            &["ACL", "SETUSER", "bee", "+set"],
            &["ACL", "SETUSER", "cat", ">other"],
            &["ACL", "SETUSER", "dog", "off"],
            &["ACL", "SETUSER", "elk", "nopass"],
        ];
        let mut repairs = world.fleet.stats().repairs;
        for hand in hands {
            let name = hand[2];
            server.ask(hand).unwrap();
            eventually(&format!("{hand:?} on {}", binary.engine), PATIENCE, || {
                world.fleet.stats().repairs > repairs
            })
            .await;
            repairs = world.fleet.stats().repairs;
            world.in_sync(1).await;
            assert!(forbidden(name), "{hand:?} on {}", binary.engine);
            assert!(!logs_in(&server, name, "other"));
        }
        assert_eq!(repairs, 5, "nothing was put right that was right");
        assert!(world.fleet.lacking(&world.id).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_that_cannot_be_repaired_is_shown() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        server
            .ask(&[
                "ACL",
                "SETUSER",
                "keeper",
                "on",
                ">keeper-Password",
                "+@all",
            ])
            .unwrap();
        let mut instance = crate::common::instance("r-test", &[server.address()]);
        instance.login.user = Some("keeper".into());
        instance.login.password = Some(claviger_core::secret::Secret::new("keeper-Password"));
        let world = World::new(instance, crate::common::quick());
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(1).await;
        assert!(world.fleet.lacking(&world.id).await.unwrap().is_empty());
        // The login loses what it needs, and a user goes.
        let may_not: &[&str] = if binary.engine.major >= 7 {
            &["ACL", "SETUSER", "keeper", "-acl|setuser"]
        } else {
            &["ACL", "SETUSER", "keeper", "-acl"]
        };
        server.ask(may_not).unwrap();
        server.ask(&["ACL", "DELUSER", "ape"]).unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let sight = world.sight().await;
            let told = sight.nodes[0]
                .error
                .as_deref()
                .unwrap_or_default()
                .contains("may not run ACL");
            if told && !sight.in_sync {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{sight:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        server.ask(&["ACL", "SETUSER", "keeper", "+@all"]).unwrap();
        world.in_sync(1).await;
        assert!(logs_in(&server, "ape", "first-Password1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_that_are_not_ours_are_left_alone() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        server
            .ask(&[
                "ACL",
                "SETUSER",
                "theirs",
                "on",
                ">their-Password",
                "+get",
                "~x",
            ])
            .unwrap();
        let before = server.ask(&["ACL", "GETUSER", "theirs"]).unwrap();
        // What a crash of ours might have left.
        server
            .ask(&["ACL", "SETUSER", "claviger:scratch:0123", "off"])
            .unwrap();
        let world = World::over(&[&server]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(1).await;
        let unmanaged = world.sight().await.unmanaged;
        assert_eq!(
            unmanaged.iter().map(|n| n.as_str()).collect::<Vec<_>>(),
            ["theirs"]
        );
        // The same name is asked for all the same: refused by what is there.
        world
            .store
            .create(&world.id, "theirs", "our-Password1", Privilege::ReadWrite);
        world.wake();
        world.reaches("theirs", SyncState::Failed).await;
        let account = world.account("theirs").await;
        assert!(
            account
                .reason
                .unwrap()
                .contains("is not managed by claviger")
        );
        assert_eq!(world.fleet.lacking(&world.id).await.unwrap().len(), 1);
        assert_eq!(server.ask(&["ACL", "GETUSER", "theirs"]).unwrap(), before);
        // It is ended: theirs stays.
        world.store.delete(&world.id, "theirs");
        world.wake();
        eventually("the account is gone", PATIENCE, || {
            world.store.account(&world.id, "theirs").is_none()
        })
        .await;
        assert_eq!(server.ask(&["ACL", "GETUSER", "theirs"]).unwrap(), before);
        // Made again, over the memory of the one that was ended: it is still theirs.
        world
            .store
            .create(&world.id, "theirs", "first-Password1", Privilege::ReadOnly);
        world.wake();
        world.reaches("theirs", SyncState::Failed).await;
        assert_eq!(server.ask(&["ACL", "GETUSER", "theirs"]).unwrap(), before);
        // Changed, and met by a service that has forgotten what it saw.
        world.store.change_account(&world.id, "theirs", |account| {
            account.password = Some(PasswordDigest::of(&Secret::new("other-Password2")));
        });
        world.wake();
        world.reaches("theirs", SyncState::Failed).await;
        let forgetful = World::restarted(&world);
        forgetful.reaches("theirs", SyncState::Failed).await;
        assert_eq!(server.ask(&["ACL", "GETUSER", "theirs"]).unwrap(), before);
        drop(forgetful);
        world.store.delete(&world.id, "theirs");
        world.wake();
        eventually("the account is gone again", PATIENCE, || {
            world.store.account(&world.id, "theirs").is_none()
        })
        .await;
        assert_eq!(server.ask(&["ACL", "GETUSER", "theirs"]).unwrap(), before);
        // One of ours ends, and somebody takes its name.
        world
            .create("ours", "first-Password1", Privilege::ReadOnly)
            .await;
        world.store.delete(&world.id, "ours");
        world.wake();
        eventually("ours is gone", PATIENCE, || {
            world.store.account(&world.id, "ours").is_none()
        })
        .await;
        server
            .ask(&["ACL", "SETUSER", "ours", "on", ">x", "+get"])
            .unwrap();
        let taken = server.ask(&["ACL", "GETUSER", "ours"]).unwrap();
        world
            .store
            .create(&world.id, "ours", "first-Password1", Privilege::ReadOnly);
        world.wake();
        world.reaches("ours", SyncState::Failed).await;
        assert_eq!(server.ask(&["ACL", "GETUSER", "ours"]).unwrap(), taken);
        eventually("the scratch user is removed", PATIENCE, || {
            !format!("{:?}", server.ask(&["ACL", "USERS"]).unwrap()).contains("scratch")
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_server_is_left_in_peace() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        for n in 0..18 {
            world.store.create(
                &world.id,
                &format!("app{n}"),
                "first-Password1",
                Privilege::ReadWrite,
            );
        }
        world.wake();
        world.settled("18 accounts").await;
        let passes = || world.fleet.stats().passes;
        // The lines of new users are learned by the first sweep after they were made.
        let from = passes();
        eventually("two sweeps", PATIENCE, || passes() >= from + 3).await;
        server.ask(&["CONFIG", "RESETSTAT"]).unwrap();
        let from = passes();
        eventually("two sweeps more", PATIENCE, || passes() >= from + 4).await;
        server.ask(&["CONFIG", "RESETSTAT"]).unwrap();
        let (from, seen) = (passes(), world.store.observations());
        eventually("three more", PATIENCE, || passes() >= from + 3).await;
        let stats = crate::common::text(&server.ask(&["INFO", "commandstats"]).unwrap());
        assert!(!stats.contains("setuser"), "{}: {stats}", binary.engine);
        let described: u64 = stats
            .lines()
            .filter_map(|line| line.strip_prefix("cmdstat_acl|getuser:calls="))
            .filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok())
            .sum();
        assert_eq!(described, 0, "{}: {stats}", binary.engine);
        assert_eq!(
            world.store.observations(),
            seen,
            "nothing new is not written"
        );
    }
}

/// Only shown, until the policy changes or the account does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_that_is_only_reported_is_left_as_it_is() {
    use claviger_core::policy::DriftPolicy;
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let mut own = crate::common::instance("r-test", &[server.address()]);
        own.policy.drift = DriftPolicy::Report;
        let mut world = World::new(own, crate::common::quick());
        for name in ["ape", "bee", "cat"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        world.store.set_default_password(&world.id, "one-Password1");
        world.wake();
        world.settled("all of them").await;
        world.in_sync(1).await;
        let ask = |words: &[&str]| {
            let mut session = Session::login(&server.address(), "default", "one-Password1");
            session.as_mut().unwrap().ask(words).unwrap()
        };
        ask(&["ACL", "SETUSER", "ape", "+publish"]);
        ask(&["ACL", "DELUSER", "bee"]);
        ask(&["ACL", "SETUSER", "default", ">by-hand-Password"]);
        for round in 0..2 {
            for name in ["ape", "bee", "default"] {
                world.reaches(name, SyncState::Drifted).await;
            }
            let reason = world.account("ape").await.reason.unwrap();
            assert!(reason.contains("has other rules"), "{reason}");
            world.reaches("cat", SyncState::InSync).await;
            // Some sweeps later, and after a restart of the service.
            let passes = world.fleet.stats().passes;
            eventually("it was looked at again", PATIENCE, || {
                world.fleet.stats().passes > passes + 2
            })
            .await;
            let lacking = world.fleet.lacking(&world.id).await.unwrap();
            assert_eq!(lacking.len(), 3, "{lacking:?} on {}", binary.engine);
            assert_eq!(world.fleet.stats().repairs, 0);
            assert!(!logs_in(&server, "bee", "first-Password1"));
            assert!(logs_in(&server, "default", "by-hand-Password"));
            let mut ape = Session::login(&server.address(), "ape", "first-Password1").unwrap();
            assert!(
                ape.may(&["PUBLISH", "a", "1"]),
                "{round} on {}",
                binary.engine
            );
            if round == 0 {
                world.fleet.stop(std::time::Duration::from_secs(5)).await;
                world = World::restarted(&world);
            }
        }
        // Put back by hand: seen as such.
        ask(&["ACL", "SETUSER", "ape", "-publish"]);
        if binary.engine.major < 7 {
            world.reaches("ape", SyncState::InSync).await;
        }
        // The account is changed: that is made true.
        world.store.change_account(&world.id, "bee", |account| {
            account.privilege = Privilege::ReadWrite;
        });
        world.wake();
        world.reaches("bee", SyncState::InSync).await;
        assert!(logs_in(&server, "bee", "first-Password1"));
        assert_eq!(world.account("default").await.state, SyncState::Drifted);
        // The policy is changed: all is put right.
        world.store.change_held(&world.id, |held| {
            held.instance.policy.drift = DriftPolicy::Repair;
        });
        world.wake();
        world.in_sync(1).await;
        assert!(!logs_in(&server, "default", "by-hand-Password"));
        let mut ape = Session::login(&server.address(), "ape", "first-Password1").unwrap();
        assert!(!ape.may(&["PUBLISH", "a", "1"]));
    }
}

/// What a restart has undone is no one's doing: it is put back in any case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_no_drift() {
    use claviger_core::policy::DriftPolicy;
    for binary in found_engines() {
        let mut server = Server::start(binary, &ServerOptions::default()).unwrap();
        let mut own = crate::common::instance("r-test", &[server.address()]);
        own.policy.drift = DriftPolicy::Report;
        let world = World::new(own, crate::common::quick());
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(1).await;
        server.restart().unwrap();
        eventually("it is back", PATIENCE, || {
            logs_in(&server, "ape", "first-Password1")
        })
        .await;
        world.in_sync(1).await;
    }
}
