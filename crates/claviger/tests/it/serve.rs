//! `serve` from its first start to its last, and the client commands against it.

use crate::harness::{Place, holds, shown_pair};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

const ROOT: [(&str, &str); 2] = [
    ("CLAVIGER_ROOT_ACCESS_KEY", "ROOTKEY0001"),
    ("CLAVIGER_ROOT_SECRET_KEY", "root-secret-0123456789"),
];

fn root() -> Option<(String, String)> {
    Some((ROOT[0].1.to_owned(), ROOT[1].1.to_owned()))
}

#[test]
fn first_start_second_start_and_keys() {
    let place = Place::new();
    let first = place.serve(&[], &[]);
    let (code, err) = first.stop();
    assert_eq!(code, 0, "{err}");
    let pair = shown_pair(&err).expect("the root pair is shown at the first start");
    for line in err.lines().filter(|line| line.starts_with('{')) {
        assert!(!line.contains(&pair.1), "a secret in the log: {line}");
    }
    for name in ["", "master.key", "claviger.db"] {
        let mode = std::fs::metadata(place.data().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name} is open to others");
    }
    assert_eq!(holds(&place.data(), &pair.1), None);

    let mut service = place.serve(&[], &[]);
    service.keys = Some(pair.clone());
    let project = service.run(&["info", "--json"]).json()["project_id"].clone();
    assert_eq!(project.as_str().map(str::len), Some(32));
    let made = service
        .run(&["key", "create", "--role", "auditor", "--json"])
        .json();
    let key = (
        made["id"].as_str().unwrap().to_owned(),
        made["secret"].as_str().unwrap().to_owned(),
    );
    service.keys = Some(key.clone());
    assert!(service.run(&["key", "list"]).fine().contains(&key.0));
    let line = service
        .run(&["key", "create", "--role", "admin"])
        .one_line(1);
    assert!(line.contains("NotPermitted"), "{line}");
    service.keys = Some(pair.clone());
    service.run(&["key", "revoke", &key.0]).fine();
    service.keys = Some(key.clone());
    let line = service.run(&["key", "list"]).one_line(1);
    assert!(line.contains("key") && line.contains("request "), "{line}");

    let err = service.kill();
    assert!(shown_pair(&err).is_none(), "shown a second time");
    let mut service = place.serve(&[], &[]);
    service.keys = Some(key);
    service.run(&["key", "list"]).one_line(1);
    service.keys = Some(pair);
    let list = service.run(&["key", "list", "--json"]).json();
    assert_eq!(list["total"], 2);
    assert_eq!(
        service.run(&["info", "--json"]).json()["project_id"],
        project
    );
    let audit = service.run(&["audit"]).fine();
    assert!(audit.contains("key.revoke"), "{audit}");
    assert_eq!(service.stop().0, 0);
}

#[test]
fn a_new_root_pair_retires_the_former() {
    let place = Place::new();
    let (_, err) = place.serve(&[], &[]).stop();
    let former = shown_pair(&err);
    let mut service = place.serve(&[], &ROOT);
    service.keys = former;
    service.run(&["key", "list"]).one_line(1);
    service.keys = root();
    service.run(&["key", "list"]).fine();
    let (_, err) = service.stop();
    assert!(
        shown_pair(&err).is_none() && !err.contains(ROOT[1].1),
        "{err}"
    );
    // And without the environment a pair is made again.
    let (_, err) = place.serve(&[], &[]).stop();
    assert!(shown_pair(&err).is_some());
}

#[test]
fn what_stands_in_the_way_is_told_in_one_line() {
    let place = Place::new();
    let data = place.data();
    let data = data.to_str().unwrap();
    let service = place.serve(&[], &ROOT);
    let again = [
        "serve",
        "--data-dir",
        data,
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "error",
    ];
    let line = place.run(&again).one_line(1);
    assert!(
        line.contains("another process has this store open"),
        "{line}"
    );
    assert_eq!(service.stop().0, 0);

    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let line = place
        .run_with(&again, &[("CLAVIGER_MASTER_KEY", other)])
        .one_line(1);
    assert!(line.contains("master key is not the one"), "{line}");
    assert!(!line.contains(other), "{line}");
    let line = place
        .run_with(&again, &[("CLAVIGER_MASTER_KEY", "c2hvcnQ=")])
        .one_line(1);
    assert!(line.contains("32 bytes"), "{line}");
    let args = [
        &again[..],
        &["--project-id", "0123456789abcdef0123456789abcdef"],
    ]
    .concat();
    let line = place.run(&args).one_line(1);
    assert!(line.contains("project id"), "{line}");
    let key = place.data().join("master.key");
    std::fs::rename(&key, place.path("kept.key")).unwrap();
    let line = place.run(&again).one_line(1);
    assert!(line.contains("is missing"), "{line}");
    assert!(!key.exists(), "no new key beside an old store");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = place
        .run(&["serve", "--data-dir", "other", "--listen", &address])
        .one_line(1);
    assert!(
        line.starts_with(&format!("cannot listen on {address}")),
        "{line}"
    );
    assert!(!place.path("other").exists(), "nothing was made");
}

#[test]
fn chosen_project_id_and_settings_file() {
    let place = Place::new();
    let id = "0123456789ABCDEF0123456789abcdef";
    let file = format!("project-id = '{id}'\nrate-limit = 2\nlog-level = 'warn'\n");
    std::fs::write(place.path("c.toml"), file).unwrap();
    let mut service = place.serve(&["--config", "c.toml"], &ROOT);
    service.keys = root();
    let info = service.run(&["info", "--json"]).json();
    assert_eq!(info["project_id"], id.to_lowercase());
    let refused = (0..20)
        .map(|_| service.run(&["instance", "list"]))
        .find(|done| done.code != 0);
    let line = refused
        .expect("the bound of two calls a second holds")
        .one_line(1);
    assert!(line.contains("Throttled"), "{line}");
    assert_eq!(service.stop().0, 0);
}

#[test]
fn health_and_figures_are_served() {
    let place = Place::new();
    let service = place.serve(&[], &ROOT);
    let get = |path: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let mut answer = agent
            .get(format!("{}{path}", service.endpoint))
            .call()
            .unwrap();
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().unwrap(),
        )
    };
    assert_eq!(get("/healthz").0, 200);
    assert_eq!(get("/readyz").0, 200);
    let (status, figures) = get("/metrics");
    assert_eq!(status, 200);
    assert!(!figures.contains("claviger_claviger"), "{figures}");
    for name in [
        "claviger_nodes_in_sync",
        "claviger_nodes_pending",
        "claviger_nodes_drifted",
        "claviger_apply_duration_seconds",
        "claviger_store_commits",
    ] {
        assert!(figures.contains(name), "{name} is not in {figures}");
    }
    assert!(!figures.contains(ROOT[1].1));
    assert_eq!(get("/nonsense").0, 400);
}

#[test]
fn over_tls_with_a_private_authority() {
    let place = Place::new();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(place.path("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(place.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut service = place.serve(&["--tls-cert", "cert.pem", "--tls-key", "key.pem"], &ROOT);
    assert!(service.endpoint.starts_with("https://"));
    service.keys = root();
    let listed = service.run(&["instance", "list", "--endpoint-ca", "cert.pem", "--json"]);
    assert_eq!(listed.json()["total"], 0);
    let by_env = [
        ("CLAVIGER_ENDPOINT", service.endpoint.as_str()),
        ("CLAVIGER_ACCESS_KEY", ROOT[0].1),
        ("CLAVIGER_SECRET_KEY", ROOT[1].1),
        ("SSL_CERT_FILE", "cert.pem"),
    ];
    place.run_with(&["instance", "list"], &by_env).fine();
    // Nobody else vouches for it.
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(place.path("other.pem"), other.cert.pem()).unwrap();
    let refused = service.run(&["instance", "list", "--endpoint-ca", "other.pem"]);
    refused.one_line(1);
    assert_eq!(service.stop().0, 0);
}
