//! Instances behind Sentinels, and clusters, as a user registers and sees them.

use crate::harness::{Place, eventually};
use claviger_testkit::sentinels::MASTER;
use claviger_testkit::{
    Cluster, Keeps, Sentinels, Server, ServerOptions, Session, Watched, found_engines,
};

const ROOT: [(&str, &str); 2] = [
    ("CLAVIGER_ROOT_ACCESS_KEY", "ROOTKEY0001"),
    ("CLAVIGER_ROOT_SECRET_KEY", "root-secret-0123456789"),
];

fn replica_linked(node: &Server) -> bool {
    let info = node.ask(&["INFO", "replication"]);
    info.is_ok_and(|info| format!("{info:?}").contains("master_link_status:up"))
}

#[test]
fn sentinels_are_registered_and_shown() {
    let binary = found_engines().last().unwrap();
    let options = ServerOptions {
        keeps: Keeps::Aclfile,
        ..ServerOptions::default()
    };
    let primary = Server::start(binary, &options).unwrap();
    let options = ServerOptions {
        replica_of: Some(primary.port()),
        ..options
    };
    let replica = Server::start(binary, &options).unwrap();
    eventually("the replica is linked", || replica_linked(&replica));
    let sentinels = Sentinels::start(binary, 3, &primary, 1, &Watched::default()).unwrap();
    // The Sentinels know one user more, whose password comes from a file.
    for sentinel in &sentinels.each {
        let words = "ACL SETUSER looker on >looker-Password1 allchannels +@all";
        let words: Vec<&str> = words.split(' ').collect();
        sentinel.ask(&words).unwrap();
    }
    let place = Place::new();
    let mut service = place.serve(&[], &ROOT);
    service.keys = Some((ROOT[0].1.to_owned(), ROOT[1].1.to_owned()));
    std::fs::write(place.path("pw"), "looker-Password1\n").unwrap();
    let node = format!("redis://{}", sentinels.each[0].address());
    let gone = "redis://127.0.0.1:1".to_owned();
    let file = place.path("pw").display().to_string();
    let mut words = vec!["instance", "add", "r-watched", "--topology", "sentinel"];
    words.extend([
        "--node",
        &gone,
        "--node",
        &node,
        "--sentinel-user",
        "looker",
    ]);
    words.extend(["--sentinel-password-file", &file]);
    let wrong = [words.clone(), vec!["--master-name", "other"]].concat();
    let refused = service.run(&wrong);
    assert_eq!(refused.code, 1);
    assert!(
        refused.out.contains("watches no primary named other")
            || refused.err.contains("watches no primary named other"),
        "{} {}",
        refused.out,
        refused.err
    );
    words.extend(["--master-name", MASTER]);
    let told = service.run(&words).fine();
    assert!(told.contains("sentinel"), "{told}");
    let sight = || service.run(&["status", "r-watched", "--json"]).json();
    eventually("both nodes are in sync", || {
        let sight = sight();
        sight["in_sync"] == true && sight["nodes"].as_array().is_some_and(|n| n.len() == 2)
    });
    assert_eq!(sight()["topology"], "sentinel");
    eventually("three Sentinels are found", || {
        let sight = sight();
        let sentinels = sight["sentinels"].as_array().cloned().unwrap_or_default();
        sentinels.iter().filter(|s| s["reachable"] == true).count() == 3
    });
    let table = service.run(&["status", "r-watched"]).fine();
    assert!(table.contains("SENTINEL"), "{table}");
    let file = place.path("app").display().to_string();
    std::fs::write(place.path("app"), "first-Password1\n").unwrap();
    let mut words = vec!["account", "create", "r-watched", "app", "--privilege"];
    words.extend(["read-write", "--password-file", &file, "--wait"]);
    service.run(&words).fine();
    for node in [&primary, &replica] {
        Session::login(&node.address(), "app", "first-Password1").unwrap();
    }
    service.run(&["instance", "check", "r-watched"]).fine();
    let shown = service.run(&["instance", "show", "r-watched"]).fine();
    assert!(
        shown.contains(&format!("master name        {MASTER}")),
        "{shown}"
    );
    let shown = service.run(&["instance", "show", "r-watched", "--json"]);
    assert_eq!(shown.json()["master_name"], MASTER);
    let doctor = service.run(&["doctor"]);
    assert!(
        doctor.out.contains("sentinel 127.0.0.1:1"),
        "{}",
        doctor.out
    );
}

#[test]
fn a_cluster_with_a_map_is_registered_and_shown() {
    let binary = found_engines().last().unwrap();
    let options = ServerOptions {
        lines: vec![
            "bind 127.0.0.1 127.0.0.2".to_owned(),
            "cluster-announce-ip 127.0.0.2".to_owned(),
        ],
        ..ServerOptions::default()
    };
    let cluster = Cluster::start(binary, 3, 0, &options).unwrap();
    let place = Place::new();
    let mut service = place.serve(&[], &ROOT);
    service.keys = Some((ROOT[0].1.to_owned(), ROOT[1].1.to_owned()));
    let node = format!("redis://{}", cluster.nodes[0].address());
    let mut words = vec!["instance", "add", "r-cluster", "--node", &node];
    let bad = [words.clone(), vec!["--map", "127.0.0.2:1=127.0.0.1"]].concat();
    let line = service.run(&bad).one_line(1);
    assert!(line.contains("address map"), "{line}");
    words.extend(["--map", "127.0.0.2=127.0.0.1"]);
    service.run(&words).fine();
    eventually("all nodes are in sync", || {
        let sight = service.run(&["status", "r-cluster", "--json"]).json();
        let nodes = sight["nodes"].as_array().cloned().unwrap_or_default();
        let mapped = |node: &serde_json::Value| {
            let address = node["address"].as_str().unwrap_or_default();
            address.starts_with("127.0.0.1:")
        };
        sight["in_sync"] == true && nodes.len() == 3 && nodes.iter().all(mapped)
    });
    service.run(&["doctor"]);
    service.run(&["instance", "check", "r-cluster"]).fine();
    let shown = service.run(&["instance", "show", "r-cluster"]).fine();
    assert!(shown.contains("127.0.0.2=127.0.0.1"), "{shown}");
    let shown = service.run(&["instance", "show", "r-cluster", "--json"]);
    let map = serde_json::json!([{"announced": "127.0.0.2", "reachable": "127.0.0.1"}]);
    assert_eq!(shown.json()["map"], map);
}
