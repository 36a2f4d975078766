//! Nodes that are down, frozen, cut off, new; a store that fails; logins that are refused.

use crate::common::{PATIENCE, World, instance, linked, logs_in, pair, quick};
use claviger_core::instance::{Instance, InstanceState, NodeSeed, Topology};
use claviger_core::node::{NodeRole, Persistence};
use claviger_core::ports::{Fleet as _, Op, Store as _};
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_core::sight::SyncState;
use claviger_testkit::{
    ChaosProxy, Fault, FaultProxy, Keeps, Server, ServerOptions, eventually, eventually_async,
    found_engines,
};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_down_holds_a_change_up_and_gets_it_when_it_is_back() {
    for binary in found_engines() {
        let (primary, mut replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        replica.kill();
        world.reaches("ape", SyncState::Pending).await;
        world
            .store
            .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
        world.wake();
        eventually("the primary has it", PATIENCE, || {
            logs_in(&primary, "bee", "first-Password1")
        })
        .await;
        eventually_async("status names the replica", PATIENCE, || async {
            let account = world.account("bee").await;
            let pending: Vec<_> = account.pending_on.iter().map(|n| n.as_str()).collect();
            account.state == SyncState::Pending && pending == [replica.address()]
        })
        .await;
        let sight = world.sight().await;
        let down = sight
            .nodes
            .iter()
            .find(|n| n.address.as_str() == replica.address())
            .unwrap();
        assert!(
            !down.reachable && !down.in_sync && down.error.is_some(),
            "{down:?}"
        );
        assert!(!world.store.all_confirmed(&world.id));
        replica.start_again().unwrap();
        world.settled("both nodes have it").await;
        assert!(logs_in(&replica, "bee", "first-Password1"));
        assert!(logs_in(&replica, "ape", "first-Password1"));
        world.in_sync(2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_node_delays_nobody_for_long() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        replica.freeze(true).unwrap();
        for name in ["bee", "cat"] {
            world
                .store
                .create(&world.id, name, "first-Password1", Privilege::ReadOnly);
            world.wake();
            eventually("the primary has it", PATIENCE, || {
                logs_in(&primary, name, "first-Password1")
            })
            .await;
        }
        eventually_async("the frozen node is named", PATIENCE, || async {
            let sight = world.sight().await;
            let node = sight
                .nodes
                .iter()
                .find(|n| n.address.as_str() == replica.address())
                .unwrap();
            node.error
                .as_deref()
                .unwrap_or_default()
                .contains("no answer")
        })
        .await;
        replica.freeze(false).unwrap();
        world.settled("the thawed node has it").await;
        assert!(logs_in(&replica, "cat", "first-Password1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_replica_gets_every_account() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(1).await;
        assert_eq!(world.sight().await.topology, Some(Topology::Standalone));
        let options = ServerOptions {
            replica_of: Some(server.port()),
            ..ServerOptions::default()
        };
        let replica = Server::start(binary, &options).unwrap();
        world.in_sync(2).await;
        assert!(logs_in(&replica, "ape", "first-Password1"));
        let sight = world.sight().await;
        assert_eq!(sight.topology, Some(Topology::Replicated));
        assert_eq!(sight.nodes[1].role, NodeRole::Replica);
        assert_eq!(
            world.fleet.stats().repairs,
            0,
            "filling a new node is no repair"
        );
        // The replica takes over, and the old primary follows it.
        replica.ask(&["REPLICAOF", "NO", "ONE"]).unwrap();
        let port = replica.port().to_string();
        server.ask(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
        eventually("turned round", PATIENCE, || linked(&server, None)).await;
        eventually_async("roles are seen", PATIENCE, || async {
            let sight = world.sight().await;
            sight
                .nodes
                .iter()
                .any(|n| n.address.as_str() == replica.address() && n.role == NodeRole::Primary)
        })
        .await;
        world
            .create("bee", "first-Password1", Privilege::ReadOnly)
            .await;
        assert!(logs_in(&server, "bee", "first-Password1"));
        assert!(logs_in(&replica, "bee", "first-Password1"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_are_noticed_at_once_and_made_anew() {
    let binary = &found_engines()[0];
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let proxy = ChaosProxy::start(server.address()).await.unwrap();
    let config = claviger_fleet::FleetConfig {
        sweep_interval: Duration::from_secs(3600),
        ..quick()
    };
    let world = World::new(instance("r-test", &[proxy.address()]), config);
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    for _ in 0..3 {
        // A change by hand while there is no connection is found when it is back.
        server.ask(&["ACL", "DELUSER", "ape"]).unwrap();
        let before = world.fleet.stats().reconnects;
        proxy.cut();
        eventually("connected anew", PATIENCE, || {
            world.fleet.stats().reconnects > before
        })
        .await;
        eventually("repaired", PATIENCE, || {
            logs_in(&server, "ape", "first-Password1")
        })
        .await;
    }
    proxy.swallow(true);
    world
        .store
        .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
    world.wake();
    world.reaches("bee", SyncState::Pending).await;
    proxy.swallow(false);
    world.settled("after the silence").await;
    proxy.delay_ms(20);
    world
        .create("cat", "first-Password1", Privilege::ReadOnly)
        .await;
    assert!(logs_in(&server, "cat", "first-Password1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_service_takes_up_where_it_was() {
    for binary in found_engines() {
        let (primary, mut replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        replica.kill();
        // Applied to one node, when the service ends.
        world
            .store
            .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
        world.wake();
        eventually("the primary has it", PATIENCE, || {
            logs_in(&primary, "bee", "first-Password1")
        })
        .await;
        world.fleet.stop(Duration::from_secs(5)).await;
        let digest = claviger_core::password::PasswordDigest::of(&Secret::new("next-Password2"));
        world
            .store
            .change_account(&world.id, "bee", |account| account.password = Some(digest));
        let shared: std::sync::Arc<dyn claviger_core::ports::Store> = world.store.clone();
        let clock = std::sync::Arc::new(claviger_testkit::SystemClock);
        let fleet = claviger_fleet::Fleet::start(shared, clock, quick());
        let world = World { fleet, ..world };
        eventually("the primary has the change", PATIENCE, || {
            logs_in(&primary, "bee", "next-Password2")
        })
        .await;
        // The replica is remembered, though the primary does not list it.
        let sight = world.sight().await;
        assert_eq!(sight.nodes.len(), 2, "{sight:#?}");
        assert_eq!(world.account("bee").await.state, SyncState::Pending);
        replica.start_again().unwrap();
        world.settled("both").await;
        assert!(
            logs_in(&replica, "bee", "next-Password2")
                && logs_in(&replica, "ape", "first-Password1")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_and_a_removed_instance() {
    let binary = &found_engines()[0];
    let server = Server::start(binary, &ServerOptions::default()).unwrap();
    let world = World::over(&[&server]);
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    world.store.fail(true);
    world.wake();
    tokio::task::yield_now().await;
    world
        .store
        .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
    world.store.fail(false);
    world.settled("after the store is back").await;
    world
        .store
        .apply(
            vec![Op::SetState(world.id.clone(), InstanceState::Paused)],
            None,
        )
        .await
        .unwrap();
    world.wake();
    server.ask(&["ACL", "DELUSER", "ape"]).unwrap();
    let passes = world.fleet.stats().passes;
    eventually("swept", PATIENCE, || {
        world.fleet.stats().passes > passes + 3
    })
    .await;
    assert!(
        !logs_in(&server, "ape", "first-Password1"),
        "a paused instance is left alone"
    );
    world
        .store
        .apply(vec![Op::RemoveInstance(world.id.clone())], None)
        .await
        .unwrap();
    world.fleet.track(&world.id);
    eventually("not driven any more", PATIENCE, || {
        world.fleet.stats().instances == 0
    })
    .await;
    assert!(
        logs_in(&server, "bee", "first-Password1"),
        "the nodes are left as they are"
    );
    assert_eq!(world.fleet.sight(&world.id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_is_wrong() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Aclfile).await;
        let world = World::over(&[&primary]);
        let fine = world
            .fleet
            .check(&instance("r-new", &[primary.address()]))
            .await;
        assert!(fine.is_fine(), "{fine:#?}");
        assert_eq!(
            (fine.topology, fine.nodes.len()),
            (Some(Topology::Replicated), 2)
        );
        assert_eq!(fine.engine, Some(binary.engine));
        assert_eq!(fine.nodes[0].node.persistence, Persistence::Aclfile);
        assert!(
            fine.nodes[0]
                .warnings
                .iter()
                .any(|w| w.contains("takes no password"))
        );

        let nothing = format!(
            "127.0.0.1:{}",
            claviger_testkit::server::free_port().unwrap()
        );
        let dead = world.fleet.check(&instance("r-new", &[nothing])).await;
        assert!(!dead.is_fine() && dead.topology.is_none());
        assert_eq!(dead.nodes[0].problems, ["connection refused"]);

        let mut refused = instance("r-new", &[primary.address()]);
        refused.login.user = Some("nobody".into());
        refused.login.password = Some(Secret::new("hunter2hunter2"));
        let report = format!("{:?}", world.fleet.check(&refused).await);
        assert!(
            report.contains("refuses the login of user") && !report.contains("hunter2"),
            "{report}"
        );

        let least = claviger_core::acl::own_login_tokens(binary.engine.acl_level(), true);
        for server in [&primary, &replica] {
            let mut words = vec![
                "ACL",
                "SETUSER",
                "keeper",
                "reset",
                "on",
                ">keeper-Password1",
            ];
            words.extend(least.iter().map(String::as_str));
            server.ask(&words).unwrap();
            let weak = [
                "ACL",
                "SETUSER",
                "weak",
                "on",
                ">weak-Password1",
                "+info",
                "+ping",
                "+auth",
            ];
            server.ask(&weak).unwrap();
        }
        let mut login = instance("r-new", &[primary.address()]);
        login.login.user = Some("keeper".into());
        login.login.password = Some(Secret::new("keeper-Password1"));
        let report = world.fleet.check(&login).await;
        assert!(report.is_fine(), "{} {report:#?}", binary.engine);
        assert_eq!(
            report
                .unmanaged
                .iter()
                .map(|n| n.as_str())
                .collect::<Vec<_>>(),
            ["weak"]
        );
        login.login.user = Some("weak".into());
        login.login.password = Some(Secret::new("weak-Password1"));
        let report = world.fleet.check(&login).await;
        let problems = format!("{:?}", report.nodes[0].problems);
        assert!(problems.contains("may not run ACL SETUSER"), "{problems}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_least_login_is_enough_and_is_never_an_account() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Config).await;
        let least = claviger_core::acl::own_login_tokens(binary.engine.acl_level(), false);
        for server in [&primary, &replica] {
            let mut words = vec![
                "ACL",
                "SETUSER",
                "keeper",
                "reset",
                "on",
                ">keeper-Password1",
            ];
            words.extend(least.iter().map(String::as_str));
            server.ask(&words).unwrap();
        }
        let mut own = instance("r-test", &[primary.address()]);
        own.login.user = Some("keeper".into());
        own.login.password = Some(Secret::new("keeper-Password1"));
        let world = World::new(own, quick());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(2).await;
        assert!(logs_in(&replica, "ape", "first-Password1"));
        world
            .store
            .create(&world.id, "keeper", "other-Password1", Privilege::ReadOnly);
        world.wake();
        world.reaches("keeper", SyncState::Failed).await;
        world.store.delete(&world.id, "keeper");
        world.wake();
        let passes = world.fleet.stats().passes;
        eventually("two passes", PATIENCE, || {
            world.fleet.stats().passes > passes + 2
        })
        .await;
        assert!(logs_in(&primary, "keeper", "keeper-Password1"));
        world.store.delete(&world.id, "ape");
        world.wake();
        eventually("ape is gone", PATIENCE, || {
            world.store.account(&world.id, "ape").is_none()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seed_under_another_name_is_one_node() {
    let binary = &found_engines()[0];
    let (primary, replica) = pair(binary, Keeps::Nothing).await;
    let mut seeds = instance("r-test", &[]);
    for port in [primary.port(), replica.port()] {
        seeds.seeds.push(NodeSeed {
            address: format!("localhost:{port}").as_str().into(),
            tls: false,
        });
    }
    let world = World::new(seeds, quick());
    world
        .create("ape", "first-Password1", Privilege::ReadOnly)
        .await;
    world.in_sync(2).await;
    let sight = world.sight().await;
    assert!(
        sight
            .nodes
            .iter()
            .all(|node| node.address.as_str().starts_with("localhost:"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_service_changes_and_writes_nothing() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Aclfile).await;
        let world = World::over(&[&primary]);
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        world.in_sync(2).await;
        let saved = || async {
            let nodes = world.store.nodes(&world.id).await.unwrap();
            nodes.len() == 2
                && nodes
                    .iter()
                    .all(|n| n.saved == n.confirmed && n.saved.0 == 2)
        };
        eventually_async("the store knows of the saves", PATIENCE, saved).await;
        world.fleet.stop(Duration::from_secs(5)).await;
        for server in [&primary, &replica] {
            server.ask(&["CONFIG", "RESETSTAT"]).unwrap();
        }
        let before = world.store.observations();
        let shared: std::sync::Arc<dyn claviger_core::ports::Store> = world.store.clone();
        let clock = std::sync::Arc::new(claviger_testkit::SystemClock);
        let fleet = claviger_fleet::Fleet::start(shared, clock, quick());
        let world = World { fleet, ..world };
        world.in_sync(2).await;
        let passes = world.fleet.stats().passes;
        eventually("swept", PATIENCE, || {
            world.fleet.stats().passes > passes + 2
        })
        .await;
        assert_eq!(world.store.observations(), before, "{}", binary.engine);
        let stats = world.fleet.stats();
        assert_eq!((stats.repairs, stats.saves), (0, 0), "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_finds_what_a_restart_would_open_and_what_is_not_saved() {
    for binary in found_engines() {
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            lines: vec!["requirepass old-Password0".into()],
            ..ServerOptions::default()
        };
        // The file says nopass, so requirepass protects nothing.
        let server = Server::start(binary, &options).unwrap();
        let world = World::over(&[&server]);
        let warnings = async |instance: Instance| {
            let report = world.fleet.check(&instance).await;
            report.nodes[0].warnings.join("; ")
        };
        let open = warnings(instance("r-new", &[server.address()])).await;
        for told in [
            "takes no password:",
            "no line for it",
            "requirepass is stale",
        ] {
            assert!(open.contains(told), "{} {told}: {open}", binary.engine);
        }
        let mut free = instance("r-new", &[server.address()]);
        free.password_free = true;
        let free = warnings(free).await;
        assert!(
            free.contains("as it was set") && !free.contains("no line for it"),
            "{free}"
        );
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        // Its file cannot be written any more: the directory is gone.
        let directory = server.directory().join("users.acl");
        eventually("a directory stands in its place", PATIENCE, || {
            // The file of the account before may just be written.
            let _ = std::fs::remove_file(&directory);
            std::fs::create_dir(&directory).is_ok()
        })
        .await;
        std::fs::write(directory.join("in-the-way"), "x").unwrap();
        world.store.set_default_password(&world.id, "one-Password1");
        world.wake();
        world.settled("a password").await;
        let held = || async {
            let held = claviger_core::ports::Store::held(&*world.store, &world.id).await;
            held.unwrap().unwrap().instance
        };
        claviger_testkit::eventually_async("the check names it", PATIENCE, || async {
            warnings(held().await).await.contains("users not saved")
        })
        .await;
        let told = warnings(held().await).await;
        assert!(!told.contains("requirepass"), "{told}");
        let sight = world.sight().await;
        let error = sight.nodes[0].error.clone().unwrap_or_default();
        assert!(error.contains("users not saved"), "{error}");
    }
}

/// A node that takes no new rules cannot show how it renders one: its users are not known to be
/// other than they should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_compared_is_no_drift() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let proxy = FaultProxy::start(server.address(), 1).await.unwrap();
        let own = instance("r-test", &[proxy.address().to_string()]);
        let mut world = World::new(own, quick());
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        world.in_sync(1).await;
        eventually_async("the store knows how far the node is", PATIENCE, || async {
            let nodes = world.store.nodes(&world.id).await.unwrap();
            nodes[0].confirmed == claviger_core::ids::Revision(2)
        })
        .await;
        world.fleet.stop(Duration::from_secs(5)).await;
        let refused = Fault::Refuses("ACL SETUSER".into(), "ERR not now".into());
        proxy.set(refused);
        world = World::restarted(&world);
        world.reaches("ape", SyncState::Pending).await;
        eventually_async("it says why", PATIENCE, || async {
            let reason = world.account("ape").await.reason.unwrap_or_default();
            reason.contains("ape cannot be compared on") && reason.contains("not now")
        })
        .await;
        let passes = world.fleet.stats().passes;
        eventually("some passes", PATIENCE, || {
            world.fleet.stats().passes > passes + 2
        })
        .await;
        assert_eq!(world.fleet.stats().repairs, 0, "{}", binary.engine);
        // What is seen to differ is drift all the same.
        server.ask(&["ACL", "SETUSER", "bee", "off"]).unwrap();
        eventually("bee is found", PATIENCE, || world.fleet.stats().repairs > 0).await;
        assert!(!logs_in(&server, "bee", "first-Password1"));
        assert_eq!(world.account("ape").await.state, SyncState::Pending);
        proxy.set(Fault::None);
        world.in_sync(1).await;
        assert!(logs_in(&server, "ape", "first-Password1"));
        assert!(logs_in(&server, "bee", "first-Password1"));
    }
}
