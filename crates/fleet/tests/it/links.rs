//! Accounts that replicas and Sentinels log in with: their passwords change, and no link breaks.

use crate::common::{PATIENCE, World, few_engines, instance, linked, logs_in, quick, text};
use claviger_core::instance::{AdministratorReach, NodeSeed, TopologyChoice};
use claviger_core::privilege::Privilege;
use claviger_core::sight::SyncState;
use claviger_testkit::sentinels::MASTER;
use claviger_testkit::{
    Cluster, EngineBinary, Keeps, Sentinels, Server, ServerOptions, Watched, eventually,
    eventually_async, found_engines,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const FIRST: &str = "first-Password1";
const SECOND: &str = "second-Password2";
const THIRD: &str = "third-Password3";

fn aclfile() -> ServerOptions {
    ServerOptions {
        keeps: Keeps::Aclfile,
        ..ServerOptions::default()
    }
}

/// A primary, and a replica that logs in as an account of ours.
async fn linked_pair(binary: &EngineBinary) -> (Server, Server, World) {
    let primary = Server::start(binary, &aclfile()).unwrap();
    let world = World::over(&[&primary]);
    world.create("repl", FIRST, Privilege::Replication).await;
    let lines = ["masteruser repl".to_owned(), format!("masterauth {FIRST}")];
    let options = ServerOptions {
        replica_of: Some(primary.port()),
        lines: lines.to_vec(),
        ..aclfile()
    };
    let replica = Server::start(binary, &options).unwrap();
    eventually("linked", PATIENCE, || linked(&replica, None)).await;
    world.in_sync(2).await;
    known(&world, "repl").await;
    (primary, replica, world)
}

/// The store knows that links log in with the account.
async fn known(world: &World, name: &str) {
    eventually(&format!("links are known to use {name}"), PATIENCE, || {
        world.store.link_users(&world.id) == [name.into()]
    })
    .await;
}

fn masterauth(server: &Server) -> String {
    format!(
        "{:?}",
        server.ask(&["CONFIG", "GET", "masterauth"]).unwrap()
    )
}

/// Cuts the link and waits until it is there again.
async fn relink(primary: &Server, replica: &Server, mark: &str) {
    primary.ask(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
    primary.ask(&["SET", "k", mark]).unwrap();
    eventually("the replica has followed", PATIENCE, || {
        let value = replica.ask(&["GET", "k"]).map(|value| text(&value));
        linked(replica, None) && value.is_ok_and(|value| value == mark)
    })
    .await;
    let list = text(&primary.ask(&["CLIENT", "LIST", "TYPE", "replica"]).unwrap());
    assert!(list.contains("user=repl"), "{list}");
}

/// Nobody was refused a login there.
fn nobody_was_refused(server: &Server, user: &str) {
    let log = format!("{:?}", server.ask(&["ACL", "LOG"]).unwrap());
    assert!(!log.contains(user), "{log}");
}

async fn renewed(world: &World, name: &str, password: &str) {
    world.store.set_password(&world.id, name, password);
    world.wake();
    world.settled(&format!("{name} has another password")).await;
}

async fn some_passes(world: &World) {
    let passes = world.fleet.stats().passes;
    eventually("some passes", PATIENCE, || {
        world.fleet.stats().passes > passes + 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replicas_own_account_changes_its_password() {
    for binary in found_engines() {
        let (primary, mut replica, world) = linked_pair(binary).await;
        // The link is cut all the time, and no login is ever refused.
        let (stop, address) = (Arc::new(AtomicBool::new(false)), primary.address());
        let stopped = Arc::clone(&stop);
        let cutter = std::thread::spawn(move || {
            let mut session = claviger_testkit::Session::open(&address).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                session.ask(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
                std::thread::yield_now();
            }
        });
        renewed(&world, "repl", SECOND).await;
        stop.store(true, Ordering::Relaxed);
        cutter.join().unwrap();
        nobody_was_refused(&primary, "repl");
        for server in [&primary, &replica] {
            assert!(logs_in(server, "repl", SECOND) && !logs_in(server, "repl", FIRST));
        }
        assert!(masterauth(&replica).contains(SECOND));
        relink(&primary, &replica, "one").await;
        // Logins of this test were refused, as they should be.
        primary.ask(&["ACL", "LOG", "RESET"]).unwrap();
        renewed(&world, "repl", THIRD).await;
        world.in_sync(2).await;
        // It is in the replica's own configuration.
        replica.restart().unwrap();
        relink(&primary, &replica, "two").await;
        world.in_sync(2).await;
        nobody_was_refused(&primary, "repl");
        // By hand: put right, since the link would fail the next time.
        replica
            .ask(&["CONFIG", "SET", "masterauth", "wrong-Password"])
            .unwrap();
        eventually("put right", PATIENCE, || {
            masterauth(&replica).contains(THIRD)
        })
        .await;
        relink(&primary, &replica, "three").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_away_keeps_the_former_password_valid() {
    for binary in found_engines() {
        let (primary, mut replica, world) = linked_pair(binary).await;
        replica.kill();
        world.reaches("repl", SyncState::Pending).await;
        world.store.set_password(&world.id, "repl", SECOND);
        world.wake();
        let both = || logs_in(&primary, "repl", SECOND) && logs_in(&primary, "repl", FIRST);
        eventually("the primary takes both", PATIENCE, both).await;
        some_passes(&world).await;
        assert!(both(), "{}", binary.engine);
        let account = world.account("repl").await;
        let waits = format!("waiting for {}", replica.address());
        assert_eq!(account.state, SyncState::Pending);
        assert!(account.reason.unwrap().contains(&waits));
        // A service that has just started knows of it too.
        world.fleet.stop(Duration::from_secs(5)).await;
        let world = World::restarted(&world);
        world.reaches("repl", SyncState::Pending).await;
        some_passes(&world).await;
        assert!(both(), "{}", binary.engine);
        primary.ask(&["ACL", "LOG", "RESET"]).unwrap();
        replica.start_again().unwrap();
        world.settled("everyone has the new one").await;
        relink(&primary, &replica, "one").await;
        nobody_was_refused(&primary, "repl");
        assert!(masterauth(&replica).contains(SECOND));
        // What is over does not come back.
        replica.kill();
        world.reaches("repl", SyncState::Pending).await;
        some_passes(&world).await;
        assert!(logs_in(&primary, "repl", SECOND) && !logs_in(&primary, "repl", FIRST));
    }
}

/// It was set before anybody knew that links log in with the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_nobody_knows_breaks_no_link() {
    for binary in few_engines() {
        let (primary, replica, world) = linked_pair(binary).await;
        world.store.change_account(&world.id, "repl", |account| {
            account.set_password(&claviger_core::secret::Secret::new(SECOND), false);
        });
        world.wake();
        eventually("both take both", PATIENCE, || {
            logs_in(&primary, "repl", SECOND) && logs_in(&replica, "repl", SECOND)
        })
        .await;
        eventually_async("it says why", PATIENCE, || async {
            let account = world.account("repl").await;
            let reason = account.reason.unwrap_or_default();
            account.state == SyncState::Pending
                && reason.contains("does not know the new password in the clear")
                && reason.contains(&replica.address())
        })
        .await;
        some_passes(&world).await;
        assert!(logs_in(&primary, "repl", FIRST));
        assert!(masterauth(&replica).contains(FIRST));
        relink(&primary, &replica, "one").await;
        renewed(&world, "repl", THIRD).await;
        for former in [FIRST, SECOND] {
            assert!(!logs_in(&primary, "repl", former));
        }
        relink(&primary, &replica, "two").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_log_in_with_an_account() {
    let binary = found_engines().last().unwrap();
    let mut cluster = Cluster::start(binary, 3, 3, &aclfile()).unwrap();
    let world = World::new(instance("r-test", &[cluster.nodes[0].address()]), quick());
    world.in_sync(6).await;
    world.create("repl", FIRST, Privilege::Replication).await;
    for node in &cluster.nodes {
        node.ask(&["CONFIG", "SET", "masteruser", "repl"]).unwrap();
        node.ask(&["CONFIG", "SET", "masterauth", FIRST]).unwrap();
        node.ask(&["CONFIG", "REWRITE"]).unwrap();
    }
    known(&world, "repl").await;
    let cut = |cluster: &Cluster| {
        for node in &cluster.nodes {
            node.ask(&["CLIENT", "KILL", "TYPE", "replica"]).unwrap();
        }
    };
    cut(&cluster);
    cluster.nodes[5].kill();
    world.reaches("repl", SyncState::Pending).await;
    world.store.set_password(&world.id, "repl", SECOND);
    world.wake();
    eventually("the others take both", PATIENCE, || {
        let mut others = cluster.nodes[..5].iter();
        others.all(|node| logs_in(node, "repl", SECOND) && logs_in(node, "repl", FIRST))
    })
    .await;
    cluster.nodes[5].start_again().unwrap();
    world.settled("everyone has the new one").await;
    world.in_sync(6).await;
    cut(&cluster);
    for (at, node) in cluster.nodes.iter().enumerate() {
        assert!(masterauth(node).contains(SECOND), "{at}");
        assert!(!logs_in(node, "repl", FIRST));
    }
    for replica in &cluster.nodes[3..] {
        eventually("linked anew", PATIENCE, || linked(replica, None)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_log_in_with_an_account_are_told() {
    for binary in few_engines() {
        let primary = Server::start(binary, &aclfile()).unwrap();
        let options = ServerOptions {
            replica_of: Some(primary.port()),
            ..aclfile()
        };
        let replica = Server::start(binary, &options).unwrap();
        let mut own = instance("r-test", &[primary.address()]);
        own.roles.administrator = AdministratorReach::Full;
        let world = World::new(own, quick());
        world.in_sync(2).await;
        world.create("watch", FIRST, Privilege::Administrator).await;
        let how = Watched {
            login: Some((Some("watch".into()), FIRST.into())),
            lines: Vec::new(),
            tls: None,
        };
        let mut sentinels = Sentinels::start(binary, 3, &primary, 1, &how).unwrap();
        world.store.change_held(&world.id, |held| {
            held.instance.topology = TopologyChoice::Sentinel;
            held.instance.master_name = Some(MASTER.to_owned());
            let seeds = sentinels.each.iter().map(|sentinel| NodeSeed {
                address: sentinel.address().as_str().into(),
                tls: false,
            });
            held.instance.seeds = seeds.collect();
        });
        world.fleet.stop(Duration::from_secs(5)).await;
        let world = World::restarted(&world);
        world.in_sync(2).await;
        known(&world, "watch").await;
        sentinels.each[2].kill();
        eventually_async("it is missed", PATIENCE, || async {
            world.sight().await.sentinels.iter().any(|s| !s.reachable)
        })
        .await;
        world.store.set_password(&world.id, "watch", SECOND);
        world.wake();
        eventually_async("it says whom it waits for", PATIENCE, || async {
            let reason = world.account("watch").await.reason.unwrap_or_default();
            reason.contains(&format!("the Sentinel {}", sentinels.each[2].address()))
        })
        .await;
        assert!(logs_in(&primary, "watch", FIRST) && logs_in(&primary, "watch", SECOND));
        sentinels.each[2].start_again().unwrap();
        world.settled("everyone has the new one").await;
        world.in_sync(2).await;
        for node in [&primary, &replica] {
            assert!(!logs_in(node, "watch", FIRST) && logs_in(node, "watch", SECOND));
            node.ask(&["ACL", "LOG", "RESET"]).unwrap();
            node.ask(&["CLIENT", "KILL", "USER", "watch"]).unwrap();
        }
        sentinels.switch().unwrap();
        eventually("switched", PATIENCE, || {
            sentinels.primary() == Some(replica.address())
        })
        .await;
        eventually("the old primary follows", PATIENCE, || {
            linked(&primary, None)
        })
        .await;
        world.in_sync(2).await;
        for node in [&primary, &replica] {
            nobody_was_refused(node, "watch");
        }
    }
}
