//! Health, readiness, figures.

use crate::harness::start;
use std::sync::atomic::Ordering;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

#[tokio::test]
async fn health_and_readiness() {
    let server = start().await;
    assert_eq!(server.ask(get("/healthz")).await.status, 200);
    assert_eq!(server.ask(get("/readyz")).await.status, 200);
    server.ready.store(false, Ordering::Relaxed);
    assert_eq!(server.ask(get("/readyz")).await.status, 503);
    assert_eq!(server.ask(get("/healthz")).await.status, 200);
    let answer = server
        .ask("POST /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD"))
    );
    let mut client = server.client().await;
    client
        .send("HEAD /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let head = client.next_head().await.unwrap();
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("3"))
    );
}

#[tokio::test]
async fn figures() {
    let server = start().await;
    server.with_instance("r-1").await;
    server
        .ask(get("/secret-path?AccountPassword=hunter2"))
        .await;
    server.ask(get("/claviger/v1/nothing-here")).await;
    server
        .ask(get(
            "/?Action=Bogus%20Action&Version=2015-01-01&AccessKeyId=x",
        ))
        .await;
    let answer = server.ask(get("/metrics")).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text();
    for line in [
        r#"claviger_requests_total{dialect="native",action="instance.add",code="ok"} 1"#,
        r#"claviger_requests_total{dialect="native",action="unknown",code="NoSuchRoute"} 1"#,
        r#"claviger_requests_total{dialect="none",action="unknown",code="Unclaimed"} 1"#,
        r#"claviger_request_duration_seconds_count{dialect="native",kind="write"} 1"#,
        "claviger_requests_in_flight 1",
        "claviger_connections ",
        "claviger_nodes_in_sync 3.0",
        "claviger_repairs_total 7",
        "claviger_apply_duration_seconds_sum 1.5",
        "claviger_apply_duration_seconds_count 3",
        r#"claviger_apply_duration_seconds_bucket{le="0.1"} 1"#,
        r#"claviger_apply_duration_seconds_bucket{le="+Inf"} 3"#,
    ] {
        assert!(
            text.contains(&format!("\n{line}")),
            "{line} is not in\n{text}"
        );
    }
    assert!(
        text.contains(r#"dialect="aliyun",action="unknown""#),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
    for leak in ["hunter2", "secret-path", "Bogus", "nothing-here", "r-1"] {
        assert!(!text.contains(leak), "{leak}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').expect("name and value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
