//! Clusters.

use crate::common::{PATIENCE, World, few_engines, instance, linked, logs_in, quick, unswept};
use claviger_core::instance::{NodeTls, Topology};
use claviger_core::node::NodeRole;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::Privilege;
use claviger_core::reach::AddressMap;
use claviger_core::sight::SyncState;
use claviger_fleet::FleetConfig;
use claviger_testkit::server::free_port;
use claviger_testkit::{
    Cluster, Keeps, Server, ServerOptions, Session, eventually, eventually_async, found_engines,
};
use std::time::{Duration, Instant};

fn aclfile() -> ServerOptions {
    ServerOptions {
        keeps: Keeps::Aclfile,
        ..ServerOptions::default()
    }
}

fn world(cluster: &Cluster, seeds: &[usize], config: FleetConfig) -> World {
    let seeds: Vec<String> = seeds
        .iter()
        .map(|at| cluster.nodes[*at].address())
        .collect();
    World::new(instance("r-test", &seeds), config)
}

/// A failover by hand. The cluster gives it up after five seconds, which on a busy machine is
/// soon: it is asked for again then.
struct Failover {
    session: Session,
    asked: Option<Instant>,
}

impl Failover {
    fn of(replica: &Server, password: Option<&str>) -> Self {
        let session = match password {
            Some(password) => Session::login(&replica.address(), "default", password),
            None => replica.session(),
        };
        Self {
            session: session.unwrap(),
            asked: None,
        }
    }

    fn done(&mut self) -> bool {
        let info = self.session.ask(&["INFO", "replication"]).unwrap();
        if crate::common::text(&info).contains("role:master") {
            return true;
        }
        if self
            .asked
            .is_none_or(|at| at.elapsed() > Duration::from_secs(6))
        {
            // Refused while the replica is still out of touch: asked again.
            let _ = self.session.ask(&["CLUSTER", "FAILOVER"]);
            self.asked = Some(Instant::now());
        }
        false
    }
}

/// The role that a node says it has.
fn is_primary(node: &Server) -> bool {
    node.ask(&["INFO", "replication"])
        .is_ok_and(|info| crate::common::text(&info).contains("role:master"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_and_moved_slots_while_accounts_are_made() {
    for binary in few_engines() {
        let mut cluster = Cluster::start(binary, 3, 3, &aclfile()).unwrap();
        // One seed is enough, a replica too; another one is gone.
        let seeds = [
            format!("127.0.0.1:{}", free_port().unwrap()),
            cluster.nodes[4].address(),
        ];
        let config = FleetConfig {
            detached_keep: Duration::from_millis(500),
            ..quick()
        };
        let world = World::new(instance("r-test", &seeds), config);
        world.in_sync(6).await;
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        let sight = world.sight().await;
        assert_eq!(sight.topology, Some(Topology::Cluster));
        let primaries = sight.nodes.iter().filter(|n| n.role == NodeRole::Primary);
        assert_eq!(primaries.count(), 3);
        // By hand, while slots move and accounts are made.
        let mut failover = Failover::of(&cluster.nodes[3], None);
        let mut slot = 16_000;
        let mut names = world
            .create_until("hand", || {
                cluster.move_slot(slot, 2, 1).unwrap();
                slot += 1;
                failover.done()
            })
            .await;
        world.settled("all is confirmed after the failover").await;
        world
            .shows(&cluster.nodes[3].address(), NodeRole::Primary)
            .await;
        world
            .shows(&cluster.nodes[0].address(), NodeRole::Replica)
            .await;
        // By a crash; the node comes back with the file that it had.
        let old = std::fs::read(cluster.nodes[1].directory().join("users.acl")).unwrap();
        cluster.nodes[1].kill();
        names.extend(
            world
                .create_until("crash", || is_primary(&cluster.nodes[4]))
                .await,
        );
        names.push("ape".into());
        for name in &names {
            eventually(&format!("{name} is there"), PATIENCE, || {
                logs_in(&cluster.nodes[4], name, "first-Password1")
            })
            .await;
        }
        world
            .shows(&cluster.nodes[4].address(), NodeRole::Primary)
            .await;
        std::fs::write(cluster.nodes[1].directory().join("users.acl"), old).unwrap();
        cluster.nodes[1].start_again().unwrap();
        world.settled("the node that was down has them").await;
        world.in_sync(6).await;
        for node in &cluster.nodes {
            for name in &names {
                assert!(logs_in(node, name, "first-Password1"), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_are_added_get_accounts_and_forgotten_ones_leave() {
    for binary in few_engines() {
        let options = ServerOptions::default();
        let mut cluster = Cluster::start(binary, 3, 0, &options).unwrap();
        let config = FleetConfig {
            detached_keep: Duration::from_millis(1500),
            ..unswept()
        };
        // The registered node will be the one that leaves.
        let world = world(&cluster, &[2], config);
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        // Without slots: a replica of the first.
        let fourth = cluster.add().unwrap();
        world.in_sync(4).await;
        assert!(logs_in(&cluster.nodes[fourth], "ape", "first-Password1"));
        cluster.replicate(fourth, 0).unwrap();
        world
            .shows(&cluster.nodes[fourth].address(), NodeRole::Replica)
            .await;
        // Moved to another primary.
        cluster.replicate(fourth, 1).unwrap();
        // With slots, and away before it had its accounts: shown as not in sync.
        let fifth = cluster.add().unwrap();
        cluster.agree(5).unwrap();
        for slot in 12_000..12_010 {
            cluster.move_slot(slot, 2, fifth).unwrap();
        }
        world.in_sync(5).await;
        assert!(logs_in(&cluster.nodes[fifth], "ape", "first-Password1"));
        cluster.nodes[fifth].freeze(true).unwrap();
        world
            .store
            .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
        world.wake();
        eventually("the others have it", PATIENCE, || {
            let mut others = cluster.nodes[..fifth].iter();
            others.all(|node| logs_in(node, "bee", "first-Password1"))
        })
        .await;
        world.reaches("bee", SyncState::Pending).await;
        cluster.nodes[fifth].freeze(false).unwrap();
        world.settled("the frozen node has it").await;
        // The registered node loses its slots, stops and is forgotten.
        let id = cluster.id(2).unwrap();
        let new = cluster.id(0).unwrap();
        let slots: Vec<String> = (10_923..16_384).map(|slot| slot.to_string()).collect();
        for node in &cluster.nodes {
            for slot in &slots {
                if node
                    .ask(&["CLUSTER", "SETSLOT", slot, "NODE", &new])
                    .is_err()
                {
                    // A node that does not hold it may not be asked for it.
                    break;
                }
            }
        }
        cluster.nodes[2].kill();
        cluster.forget(&id, 2).unwrap();
        world.in_sync(4).await;
        let sight = world.sight().await;
        let gone = cluster.nodes[2].address();
        assert!(sight.nodes.iter().all(|n| n.address.as_str() != gone));
        world
            .create("cat", "first-Password1", Privilege::ReadOnly)
            .await;
        // And after a restart of the service, with no registered node left.
        world.fleet.stop(Duration::from_secs(5)).await;
        let world = World::restarted(&world);
        eventually_async("the others are driven", PATIENCE, || async {
            let sight = world.sight().await;
            sight.nodes.iter().filter(|n| n.in_sync).count() == 4
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_restarts_empty_and_one_that_moved() {
    for binary in few_engines() {
        let mut cluster = Cluster::start(binary, 3, 0, &ServerOptions::default()).unwrap();
        let world = world(&cluster, &[0, 1, 2], unswept());
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadWrite)
                .await;
        }
        world.in_sync(3).await;
        cluster.nodes[1].restart().unwrap();
        eventually("put back", PATIENCE, || {
            ["ape", "bee"]
                .iter()
                .all(|name| logs_in(&cluster.nodes[1], name, "first-Password1"))
        })
        .await;
        world.in_sync(3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_that_replicas_log_in_with_changes_while_one_is_away() {
    const NEW: &str = "next-Default1";
    for binary in few_engines() {
        let options = ServerOptions {
            keeps: Keeps::Config,
            ..ServerOptions::default()
        };
        let mut cluster = Cluster::start(binary, 3, 2, &options).unwrap();
        let world = world(&cluster, &[0, 1], unswept());
        world.in_sync(5).await;
        let gone = cluster.nodes[4].address();
        cluster.nodes[4].kill();
        world.store.set_default_password(&world.id, NEW);
        world.wake();
        eventually("the new password works", PATIENCE, || {
            let mut up = cluster.nodes[..4].iter();
            up.all(|node| logs_in(node, "default", NEW))
        })
        .await;
        eventually_async("the node is waited for", PATIENCE, || async {
            let reason = world.account("default").await.reason.unwrap_or_default();
            reason.contains(&gone)
        })
        .await;
        cluster.nodes[4].start_again().unwrap();
        world.settled("the password has changed").await;
        world.in_sync(5).await;
        let up = |node: &Server| linked(node, Some(NEW));
        // Every primary knows how to follow as well.
        for at in [3, 4] {
            eventually("the replica is linked", PATIENCE, || up(&cluster.nodes[at])).await;
            let mut failover = Failover::of(&cluster.nodes[at], Some(NEW));
            eventually("the former primary follows", PATIENCE, || {
                failover.done() && up(&cluster.nodes[at - 3])
            })
            .await;
        }
        world
            .shows(&cluster.nodes[4].address(), NodeRole::Primary)
            .await;
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped engine must not go unnoticed"
)]
fn skipped(engine: &str) {
    eprintln!("SKIPPED TLS on {engine}: this build has none");
}

/// What servers say that were built without TLS.
fn without_tls(text: &str) -> bool {
    text.contains("TLS support") || text.contains("Bad directive")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_and_with_other_addresses_than_those_announced() {
    for binary in found_engines() {
        let directory = tempfile::tempdir().unwrap();
        let material = crate::tls::material(directory.path());
        // The certificate is for 127.0.0.1 alone, so what is announced is of no use by itself.
        let options = ServerOptions {
            lines: vec![
                format!("tls-cert-file {}", material.cert.display()),
                format!("tls-key-file {}", material.key.display()),
                format!("tls-ca-cert-file {}", material.ca.display()),
                "tls-auth-clients yes".to_owned(),
                "bind 127.0.0.1 127.0.0.2".to_owned(),
                "cluster-announce-ip 127.0.0.2".to_owned(),
            ],
            ..ServerOptions::default()
        };
        let cluster = match Cluster::start_tls(binary, 3, 1, &options) {
            Ok(cluster) => cluster,
            Err(error) if without_tls(&error.to_string()) => {
                skipped(&binary.engine.to_string());
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let text = |path: &std::path::Path| Some(path.display().to_string());
        let seed = format!("127.0.0.1:{}", cluster.tls_port(0));
        let mut own = instance("r-test", &[seed]);
        own.seeds[0].tls = true;
        own.tls = NodeTls {
            ca: text(&material.ca),
            cert: text(&material.cert),
            key: text(&material.key),
        };
        let world = World::new(own.clone(), quick());
        let report = world.fleet.check(&own).await;
        assert!(!report.is_fine(), "{report:#?}");
        drop(world);
        own.map = vec![AddressMap {
            announced: "127.0.0.2".into(),
            reachable: "127.0.0.1".into(),
        }];
        let world = World::new(own.clone(), unswept());
        let report = world.fleet.check(&own).await;
        assert!(report.is_fine(), "{} {report:#?}", binary.engine);
        assert_eq!(
            (report.nodes.len(), report.topology),
            (4, Some(Topology::Cluster))
        );
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(4).await;
        for node in &cluster.nodes {
            assert!(logs_in(node, "ape", "first-Password1"));
        }
        let sight = world.sight().await;
        let mapped = |address: &str| address.starts_with("127.0.0.1:");
        assert!(sight.nodes.iter().all(|n| mapped(n.address.as_str())));
    }
}
