//! `doctor` before, while and after a service runs, and when things are broken.

use crate::harness::Place;
use serde_json::Value;
use std::net::TcpListener;

fn result(findings: &Value, check: &str) -> String {
    let found = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} in {findings}"));
    found["result"].as_str().unwrap().to_owned()
}

#[test]
fn finds_what_is_wrong_and_ends_with_1() {
    let place = Place::new();
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let args = ["doctor", "--data-dir", "data", "--listen", &free, "--json"];
    let findings = place.run(&args).json();
    for check in [
        "settings",
        "master key",
        "store",
        "clock",
        "disk",
        "listener",
    ] {
        assert_eq!(result(&findings, check), "ok", "{findings}");
    }
    assert!(!place.data().exists(), "it makes nothing");

    let env = [
        ("CLAVIGER_ROOT_ACCESS_KEY", "ROOTKEY0001"),
        ("CLAVIGER_ROOT_SECRET_KEY", "root-secret-0123456789"),
    ];
    let service = place.serve(&[], &env);
    let listen = service.endpoint.strip_prefix("http://").unwrap().to_owned();
    let args = [
        "doctor",
        "--data-dir",
        "data",
        "--listen",
        &listen,
        "--json",
    ];
    let findings = place.run_with(&args, &env).json();
    for (check, expected) in [("store", "ok"), ("listener", "ok"), ("nodes", "warn")] {
        assert_eq!(result(&findings, check), expected, "{findings}");
    }
    assert_eq!(service.stop().0, 0);

    std::fs::write(place.data().join("master.key"), "damaged").unwrap();
    let done = place.run(&args);
    assert_eq!((done.code, done.err.as_str()), (1, ""), "{done:?}");
    let findings = serde_json::from_str(&done.out).unwrap();
    assert_eq!(result(&findings, "master key"), "fail");
    let done = place.run(&["doctor", "--listen", "nonsense"]);
    assert_eq!(done.code, 1);
    assert!(done.out.starts_with("fail  settings"), "{}", done.out);
    assert!(done.out.contains("-> "), "{}", done.out);
}
