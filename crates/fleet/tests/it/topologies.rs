//! What else accounts can do, where Sentinels watch and in clusters; and Sentinels behind TLS.

use crate::common::{PATIENCE, World, few_engines, instance, linked, logs_in, quick};
use crate::takeover::{make, plan};
use crate::tls::{Material, material, skipped};
use crate::{default_free, sessions};
use claviger_core::adopt::UsersAsk;
use claviger_core::instance::{Instance, NodeTls, Topology, TopologyChoice};
use claviger_core::policy::SessionPolicy;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::Privilege;
use claviger_core::sight::StepKind;
use claviger_testkit::sentinels::MASTER;
use claviger_testkit::server::free_port;
use claviger_testkit::{
    Cluster, EngineBinary, Keeps, Sentinels, Server, ServerOptions, Session, Watched, eventually,
    eventually_async, found_engines,
};
use std::path::Path;
use std::time::Duration;

/// A primary and two replicas; `lines` says what each is told besides, and the first one's port
/// that others follow.
fn three(binary: &EngineBinary, lines: impl Fn() -> (u16, Vec<String>)) -> Option<Vec<Server>> {
    let mut nodes: Vec<Server> = Vec::new();
    let mut primary = None;
    for _ in 0..3 {
        let (port, lines) = lines();
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            replica_of: primary,
            lines,
            ..ServerOptions::default()
        };
        let node = Server::start(binary, &options).ok()?;
        primary.get_or_insert(if port == 0 { node.port() } else { port });
        nodes.push(node);
    }
    Some(nodes)
}

fn by(seeds: &[String]) -> Instance {
    let mut instance = instance("r-test", seeds);
    instance.topology = TopologyChoice::Sentinel;
    instance.master_name = Some(MASTER.to_owned());
    instance
}

/// Users are taken over, sessions end, the default user is opened and closed, and a plan is told:
/// on every node.
async fn all_of_it(world: &World, nodes: &[Server], well: impl Fn() -> bool) {
    let all: Vec<&Server> = nodes.iter().collect();
    world.in_sync(nodes.len()).await;

    make(&all, &["app", "on", ">first-Password1", "~app:*", "+get"]);
    let ask = UsersAsk {
        names: vec!["app".into()],
        from: None,
    };
    let adopted = plan(world, &ask, true).await;
    assert_eq!(adopted.users.len(), 1);
    world.settled("taken over").await;
    assert!(
        all.iter()
            .all(|node| logs_in(node, "app", "first-Password1"))
    );

    sessions::policy(world, SessionPolicy::Kill);
    world.in_sync(nodes.len()).await;
    let enter = |node: &&Server| Session::login(&node.address(), "app", "first-Password1");
    let mut inside: Vec<Session> = all.iter().map(|node| enter(node).unwrap()).collect();
    let id = &world.id;
    world
        .store
        .change_account(id, "app", |app| app.enabled = false);
    world.wake();
    world.settled("switched off").await;
    assert!(inside.iter_mut().all(Session::is_closed));
    assert!(
        !all.iter()
            .any(|node| logs_in(node, "app", "first-Password1"))
    );

    let open = |node: &&Server| node.ask(&["PING"]).is_ok();
    default_free::set_password(world, "one-Password1");
    world.settled("a password").await;
    assert!(!all.iter().any(open));
    default_free::set_free(world, true);
    world.settled("none").await;
    assert!(all.iter().all(open));
    // Links that are made anew are made as well.
    for node in &all {
        node.ask(&["CLIENT", "KILL", "TYPE", "slave"]).unwrap();
        node.ask(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    }
    eventually("all are linked and well", PATIENCE, || {
        let follows = |node: &&Server| {
            let info = node.ask(&["INFO", "replication"]).unwrap();
            crate::common::text(&info).contains("role:master") || linked(node, None)
        };
        all.iter().all(follows) && well()
    })
    .await;
    world.in_sync(nodes.len()).await;

    // Nobody drives any more: what differs is told, and stays.
    world.fleet.stop(Duration::from_secs(5)).await;
    make(&all[1..2], &["app", "on"]);
    let planned = world.fleet.plan(&world.id).await.unwrap();
    assert_eq!(planned.nodes.len(), nodes.len());
    for node in planned.nodes {
        let steps: Vec<_> = node
            .steps
            .iter()
            .map(|s| (s.user.to_string(), s.step))
            .collect();
        let changed = node.address.as_str() == all[1].address();
        let expected = changed.then(|| ("app".to_owned(), StepKind::Set));
        assert_eq!((node.error, steps), (None, Vec::from_iter(expected)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_behind_sentinels() {
    for binary in few_engines() {
        let nodes = three(binary, || (0, Vec::new())).unwrap();
        for replica in &nodes[1..] {
            eventually("linked", PATIENCE, || linked(replica, None)).await;
        }
        let how = Watched::default();
        let sentinels = Sentinels::start(binary, 3, &nodes[0], 2, &how).unwrap();
        let seeds: Vec<String> = sentinels.each.iter().map(Server::address).collect();
        let world = World::new(by(&seeds), quick());
        all_of_it(&world, &nodes, || sentinels.are_calm()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_in_a_cluster() {
    for binary in few_engines() {
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            ..ServerOptions::default()
        };
        let cluster = Cluster::start(binary, 3, 3, &options).unwrap();
        let seed = cluster.nodes[0].address();
        let world = World::new(instance("r-test", &[seed]), quick());
        all_of_it(&world, &cluster.nodes, || true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_over_tls() {
    for binary in found_engines() {
        let directory = tempfile::tempdir().unwrap();
        let Material { ca, cert, key } = material(directory.path());
        let files = vec![
            format!("tls-cert-file {}", cert.display()),
            format!("tls-key-file {}", key.display()),
            format!("tls-ca-cert-file {}", ca.display()),
            "tls-auth-clients yes".to_owned(),
        ];
        let ports = std::cell::RefCell::new(Vec::new());
        let nodes = three(binary, || {
            let port = free_port().unwrap();
            ports.borrow_mut().push(port);
            let own = [format!("tls-port {port}"), "tls-replication yes".to_owned()];
            (port, files.iter().cloned().chain(own).collect())
        });
        let Some(nodes) = nodes else {
            skipped(&binary.engine.to_string());
            continue;
        };
        let ports = ports.into_inner();
        for replica in &nodes[1..] {
            eventually("linked", PATIENCE, || linked(replica, None)).await;
        }
        let how = Watched {
            lines: files,
            tls: Some(ports[0]),
            ..Watched::default()
        };
        let sentinels = Sentinels::start(binary, 3, &nodes[0], 2, &how).unwrap();
        let address = |port: &u16| format!("127.0.0.1:{port}");
        let mut own = by(&[address(&sentinels.tls_ports[0])]);
        own.seeds[0].tls = true;
        let text = |path: &Path| Some(path.display().to_string());
        own.tls = NodeTls {
            ca: text(&ca),
            cert: text(&cert),
            key: text(&key),
        };
        let world = World::new(own.clone(), quick());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        eventually_async("three Sentinels are held", PATIENCE, || async {
            let sight = world.sight().await;
            let reached = sight.sentinels.iter().filter(|s| s.reachable);
            sight.topology == Some(Topology::Sentinel) && reached.count() == 3
        })
        .await;
        let sight = world.sight().await;
        let mut shown: Vec<String> = sight.nodes.iter().map(|n| n.address.to_string()).collect();
        let mut expected: Vec<String> = ports.iter().map(address).collect();
        shown.sort();
        expected.sort();
        assert_eq!(shown, expected, "no port without TLS");
        let report = world.fleet.check(&own).await;
        assert!(report.is_fine(), "{report:#?}");
        // Told to the Sentinels over TLS as well, and they go on.
        world.store.set_default_password(&world.id, "one-Password1");
        world.wake();
        world.settled("the default account has a password").await;
        sentinels.switch().unwrap();
        eventually("switched", PATIENCE, || {
            sentinels
                .primary()
                .is_some_and(|now| now != address(&ports[0]))
        })
        .await;
        world
            .create("bee", "first-Password1", Privilege::ReadWrite)
            .await;
        for node in &nodes {
            for name in ["ape", "bee"] {
                assert!(logs_in(node, name, "first-Password1"), "{}", binary.engine);
            }
        }
        world.in_sync(3).await;
        // Without the client's certificate there is no way in.
        (own.tls.cert, own.tls.key) = (None, None);
        let report = world.fleet.check(&own).await;
        assert!(!report.is_fine() && !report.sentinels[0].problems.is_empty());
    }
}
