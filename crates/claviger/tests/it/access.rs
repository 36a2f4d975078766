//! Policies, rotation, temporary credentials, the audit trail and the master key, as a user has
//! them.

use crate::harness::{Place, Running, eventually, holds, shown_pair};

const READS: &str = r#"permit (principal, action in Action::"read", resource);"#;

fn pair(made: &serde_json::Value) -> (String, String) {
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// A service with a root pair, stopped once so that the pair is known.
fn start<'a>(place: &'a Place, args: &[&str]) -> (Running<'a>, (String, String)) {
    let (_, err) = place.serve(&[], &[]).stop();
    let root = shown_pair(&err).unwrap();
    let mut service = place.serve(args, &[]);
    service.keys = Some(root.clone());
    (service, root)
}

/// Temporary credentials through `claviger call`; the last of the environment is their token.
fn every_cloud_takes_them(place: &Place, env: &[(&str, &str); 4]) {
    for (cloud, action, refusal) in [
        (
            "aliyun",
            "DescribeInstances",
            "InvalidSecurityToken.Malformed",
        ),
        ("tencent", "DescribeInstances", "AuthFailure.TokenFailure"),
        ("volcengine", "DescribeDBInstances", "InvalidSecretToken"),
        ("huawei", "ListInstances", "decrypt token fail"),
    ] {
        place.run_with(&["call", cloud, action], env).fine();
        let refused = place.run_with(&["call", cloud, action], &env[..3]);
        let said = format!("{refused:?}");
        assert!(said.contains(refusal), "{said}");
    }
}

#[test]
fn policies_and_keys() {
    let place = Place::new();
    let (mut service, root) = start(&place, &[]);
    let made = [
        "key",
        "create",
        "--role",
        "none",
        "--tag",
        "team=orders",
        "--json",
    ];
    let key = pair(&service.run(&made).json());
    let reads = place.path("reads.cedar");
    std::fs::write(&reads, READS).unwrap();
    let reads = reads.to_str().unwrap();
    let test = [
        "policy",
        "test",
        "--key",
        &key.0,
        "--action",
        "instance:read",
    ];
    let line = service.run(&test).one_line(1);
    assert!(line.contains("no policy permits it"), "{line}");
    let with = format!("reads={reads}");
    let tried = service
        .run(&[&test[..], &["--with", &with]].concat())
        .fine();
    assert!(tried.contains("permitted by reads"), "{tried}");
    service.run(&["policy", "add", "reads", reads]).fine();
    assert!(service.run(&["policy", "list"]).fine().contains("reads"));
    assert_eq!(
        service.run(&["policy", "show", "reads"]).fine().trim_end(),
        READS
    );
    let broken = place.path("broken.cedar");
    std::fs::write(
        &broken,
        "permit (principal,\n  action, resource) when { resource.x };",
    )
    .unwrap();
    let line = service
        .run(&["policy", "add", "b", broken.to_str().unwrap()])
        .one_line(1);
    assert!(line.contains("line 2, column"), "{line}");

    service.keys = Some(key.clone());
    service.run(&["instance", "list"]).fine();
    service
        .run(&["key", "create", "--role", "admin"])
        .one_line(1);
    let temp = service
        .run(&["key", "session", "--duration", "10m", "--json"])
        .json();
    let token = temp["token"].as_str().unwrap().to_owned();
    let temp = pair(&temp);
    let env = [
        ("CLAVIGER_ACCESS_KEY", temp.0.as_str()),
        ("CLAVIGER_SECRET_KEY", &temp.1),
        ("CLAVIGER_ENDPOINT", &service.endpoint),
        ("CLAVIGER_SESSION_TOKEN", &token),
    ];
    place.run_with(&["instance", "list"], &env).fine();
    let line = place.run_with(&["instance", "list"], &env[..3]).one_line(1);
    assert!(line.contains("TokenInvalid"), "{line}");
    every_cloud_takes_them(&place, &env);

    service.keys = Some(root.clone());
    let rotate = ["key", "rotate", &key.0, "--overlap", "1h", "--json"];
    let next = pair(&service.run(&rotate).json());
    for pair in [&key, &next] {
        service.keys = Some(pair.clone());
        service.run(&["instance", "list"]).fine();
    }
    service.keys = Some(root);
    let listed = service.run(&["key", "list"]).fine();
    assert!(
        listed.contains("two secrets until") && listed.contains("team=orders"),
        "{listed}"
    );
    service.run(&["policy", "remove", "reads"]).fine();
    service.keys = Some(next);
    service.run(&["instance", "list"]).one_line(1);
    assert!(
        place
            .run(&["policy", "schema"])
            .fine()
            .contains("account:create")
    );
}

#[test]
fn the_audit_trail_goes_elsewhere_and_verifies() {
    let place = Place::new();
    let file = place.path("audit.jsonl");
    let file = file.to_str().unwrap();
    let (mut service, root) = start(&place, &["--audit-file", file]);
    let key = pair(
        &service
            .run(&["key", "create", "--role", "auditor", "--json"])
            .json(),
    );
    service.keys = Some(key.clone());
    service.run(&["key", "revoke", "nobody"]).one_line(1);
    service.keys = Some(root.clone());
    eventually("the refusal is told", || {
        let rows = service
            .run(&["audit", "--outcome", "NotPermitted", "--json"])
            .json();
        rows["total"] == 1 && rows["rows"][0]["key"] == key.0.as_str()
    });
    let verified = service.run(&["audit", "verify"]).fine();
    assert!(verified.contains("holds"), "{verified}");
    let exported = service.run(&["audit", "export"]).fine();
    assert!(
        service
            .run(&["audit", "export", "--until", "1h"])
            .fine()
            .is_empty()
    );
    assert_eq!(
        service
            .run(&["audit", "list", "--since", "1h", "--json"])
            .json()["total"],
        exported.lines().count()
    );
    let err = service.stop().1;
    let told = std::fs::read_to_string(file).unwrap();
    assert!(
        exported.lines().count() >= 2 && told.starts_with(&exported),
        "{err}"
    );
    // It goes on where it was.
    let mut service = place.serve(&["--audit-file", file], &[]);
    service.keys = Some(root);
    service.run(&["key", "create", "--role", "auditor"]).fine();
    let all = service.run(&["audit", "export"]).fine();
    eventually("the file has it", || {
        std::fs::read_to_string(file).unwrap() == all
    });
    let verified = service.run(&["audit", "verify", "--json"]).json();
    assert_eq!(verified["holds"], true);
    assert_eq!(service.stop().0, 0);
}

#[test]
fn another_master_key() {
    let place = Place::new();
    let (mut service, root) = start(&place, &[]);
    let key = pair(
        &service
            .run(&["key", "create", "--role", "auditor", "--json"])
            .json(),
    );
    let before = service.run(&["master-key", "show", "--json"]).json();
    let after = service.run(&["master-key", "rotate", "--json"]).json();
    assert_eq!(after["former"][0], before["current"]);
    eventually("all is sealed again", || {
        let now = service.run(&["master-key", "show", "--json"]).json();
        now["sealed_under_former"] == 0 && now["current"] == after["current"]
    });
    service.keys = Some(key.clone());
    service.run(&["instance", "list"]).fine();
    service.stop();
    // The former key is not needed any more.
    let path = place.data().join("master.key");
    let text = std::fs::read_to_string(&path).unwrap();
    let (new, old) = text.split_once('\n').unwrap();
    assert_eq!(holds(&place.data(), &key.1), None);
    std::fs::write(&path, new).unwrap();
    let mut service = place.serve(&[], &[]);
    service.keys = Some(key);
    service.run(&["instance", "list"]).fine();
    service.keys = Some(root);
    assert!(service.run(&["audit", "verify"]).fine().contains("holds"));
    service.stop();
    std::fs::write(&path, old).unwrap();
    let data = place.data();
    let args = [
        "serve",
        "--data-dir",
        data.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    let line = place.run(&args).one_line(1);
    assert!(line.contains("master key"), "{line}");
}
