//! `dev` with a real server, where one is installed.

use crate::harness::{Place, Running, eventually, holds};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Whether there is a server program; a machine without one says so and passes.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn servers() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .any(|dir| dir.join("redis-server").is_file() || dir.join("valkey-server").is_file());
    if !found {
        eprintln!("SKIPPED: neither redis-server nor valkey-server is installed");
    }
    found
}

/// Reads the JSON that `dev --json` prints.
pub(crate) fn facts(running: &mut Running<'_>) -> Value {
    let mut text = String::new();
    loop {
        let line = running.line();
        text.push_str(&line);
        if line == "}" {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// What a node answers to a few inline commands.
pub(crate) fn ask(node: &str, commands: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(node)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    for command in commands {
        stream.write_all(format!("{command}\r\n").as_bytes())?;
    }
    stream.write_all(b"QUIT\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

pub(crate) fn nodes(facts: &Value) -> Vec<String> {
    let nodes = facts["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node.as_str().unwrap().to_owned())
        .collect()
}

/// The account `app`, which may read, as each cloud's API tells of it.
fn every_cloud_tells_of_app(place: &Place) {
    let called = place.run(&[
        "call",
        "aliyun",
        "DescribeAccounts",
        "InstanceId=r-dev",
        "AccountName=app",
    ]);
    let called = called.json();
    assert_eq!(called["Accounts"]["Account"][0]["AccountName"], "app");
    let called = place.run(&[
        "call",
        "tencent",
        "DescribeInstanceAccount",
        "InstanceId=r-dev",
    ]);
    let called = called.json();
    let rows = &called["Response"]["Accounts"];
    assert_eq!(rows[0]["AccountName"], "root");
    assert_eq!(
        (&rows[1]["AccountName"], &rows[1]["Status"]),
        (&"app".into(), &2.into())
    );
    // A refusal has status 200 there, and ends with 1 all the same.
    let refused = place.run(&[
        "call",
        "tencent",
        "DeleteInstanceAccount",
        "InstanceId=r-none",
    ]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("MissingParameter"), "{refused:?}");
    let called = place.run(&[
        "call",
        "volcengine",
        "ListDBAccount",
        "InstanceId=r-dev",
        "AccountName=app",
    ]);
    let called = called.json();
    let row = &called["Result"]["Accounts"][0];
    assert_eq!(
        (&row["AccountName"], &row["RoleName"]),
        (&"app".into(), &"ReadOnly".into())
    );
    // The project is looked up.
    let called = place.run(&["call", "huawei", "ListAclAccounts", "instance_id=r-dev"]);
    let called = called.json();
    assert_eq!(called["accounts"][1]["account_name"], "app");
    assert_eq!(called["accounts"][1]["account_role"], "read");
}

#[test]
fn an_account_logs_in_on_both_nodes() {
    if !servers() {
        return;
    }
    let place = Place::new();
    let args = ["dev", "--listen", "127.0.0.1:0", "--with-replica", "--json"];
    let mut dev = place.start(&args, &[]);
    let facts = facts(&mut dev);
    let nodes = nodes(&facts);
    assert_eq!(nodes.len(), 2);
    for node in &nodes {
        let open = ask(node, &["GET x"]).unwrap();
        assert!(open.starts_with("-NOAUTH"), "an open server: {open}");
    }
    // Commands find the key by themselves.
    let create = [
        "account",
        "create",
        "r-dev",
        "app",
        "--privilege",
        "read-only",
    ];
    let create: Vec<_> = create
        .into_iter()
        .chain(["--generate-password", "--wait", "--json"])
        .collect();
    let made = place.run(&create).json();
    let login = format!("AUTH app {}", made["password"].as_str().unwrap());
    for node in &nodes {
        let answer = ask(node, &[&login, "GET x", "SET x 1"]).unwrap();
        let answers: Vec<_> = answer.lines().collect();
        assert_eq!(answers[..2], ["+OK", "$-1"], "{answer}");
        assert!(answers[2].starts_with("-NOPERM"), "{answer}");
    }
    let status = place.run(&["status", "r-dev", "--json"]).json();
    assert_eq!(
        (&status["in_sync"], &status["topology"]),
        (&Value::Bool(true), &"replicated".into())
    );
    every_cloud_tells_of_app(&place);
    let deleted = place
        .run(&["account", "delete", "r-dev", "app", "--wait"])
        .fine();
    assert!(deleted.contains("every node has confirmed it"), "{deleted}");
    for node in &nodes {
        assert!(ask(node, &[&login]).unwrap().starts_with("-WRONGPASS"));
    }
    let directory = facts["data_dir"].as_str().unwrap().to_owned();
    let (code, err) = dev.stop();
    assert_eq!(code, 0, "{err}");
    for node in &nodes {
        assert!(ask(node, &["PING"]).is_err(), "a server was left behind");
    }
    assert!(
        !std::path::Path::new(&directory).exists(),
        "{directory} was left behind"
    );
    assert!(!place.path(".config/claviger/dev.json").exists());
}

#[test]
fn killed_it_leaves_no_server_and_loses_nothing() {
    if !servers() {
        return;
    }
    let place = Place::new();
    let args = [
        "dev",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        "data",
        "--json",
    ];
    let mut dev = place.start(&args, &[]);
    let first = facts(&mut dev);
    let node = nodes(&first).remove(0);
    let create = [
        "account",
        "create",
        "r-dev",
        "app",
        "--generate-password",
        "--wait",
        "--json",
    ];
    let made = place.run(&create).json();
    let password = made["password"].as_str().unwrap().to_owned();
    dev.kill();
    eventually("the server ends", || TcpStream::connect(&node).is_err());
    for secret in [
        &password,
        first["secret_key"].as_str().unwrap(),
        first["node_password"].as_str().unwrap(),
    ] {
        assert_eq!(
            holds(&place.data(), secret),
            None,
            "a secret in the data directory"
        );
    }
    let mut dev = place.start(&args, &[]);
    let second = facts(&mut dev);
    assert_eq!(first["nodes"], second["nodes"]);
    assert_eq!(first["access_key"], second["access_key"]);
    let login = format!("AUTH app {password}");
    eventually("the account is there again", || {
        ask(&node, &[&login]).is_ok_and(|answer| answer.starts_with("+OK"))
    });
    assert_eq!(dev.stop().0, 0);
}

#[test]
fn without_a_server_program_it_says_what_to_install() {
    let place = Place::new();
    let line = place
        .run_with(&["dev"], &[("PATH", "/nowhere")])
        .one_line(1);
    assert!(
        line.starts_with("neither redis-server nor valkey-server is in PATH"),
        "{line}"
    );
    let line = place.run(&["dev", "--server", "/bin/true"]).one_line(1);
    assert!(line.contains("is no Redis or Valkey server"), "{line}");
}
