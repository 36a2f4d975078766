//! What is logged of a request, and what never is.

use crate::cloud::request;
use crate::harness::{KEY, SECRET, native_request, start};
use claviger_dialects::aliyun::client::Signer;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Kept;

    fn make_writer(&'a self) -> Kept {
        self.clone()
    }
}

#[tokio::test]
async fn lines_without_secrets() {
    const PASSWORD: &str = "Tr0ub4dor-3";
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(kept.clone())
        .finish();
    // The whole test runs on this thread.
    let guard = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone in the process, a line that another test's thread reaches first would be put down
    // as of interest to nobody: that thread has none. With two, all of them are asked.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let server = start().await;
    server.with_instance("r-1").await;
    let account = [
        ("InstanceId", "r-1"),
        ("AccountName", "app"),
        ("AccountPassword", PASSWORD),
    ];
    for signer in [Signer::RpcV1, Signer::Acs3Sha256] {
        server.ask(request(signer, "CreateAccount", &account)).await;
    }
    let target = format!("/?Action=CreateAccount&Version=2015-01-01&AccountPassword={PASSWORD}");
    server
        .ask(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"))
        .await;
    server
        .ask(format!(
            "GET /{PASSWORD} HTTP/1.1\r\nhost: {PASSWORD}\r\n\r\n"
        ))
        .await;
    server.ask(format!("BAD {PASSWORD}\r\n\r\n")).await;
    let body = format!(r#"{{"name":"two","password":"{PASSWORD}"}}"#);
    server
        .native("POST", "/instances/r-1/accounts", &body)
        .await;
    server
        .native("POST", "/instances/r-1/accounts", &format!("[{body}]"))
        .await;
    let body = format!(r#"{{"id":"r-2","nodes":["redis://u:{PASSWORD}@h:1"]}}"#);
    server.native("POST", "/instances", &body).await;
    let listing = native_request(KEY, SECRET, "GET", "/instances", "");
    let answer = server.ask(listing).await;
    drop(guard);

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(!log.contains(PASSWORD) && !log.contains(SECRET), "{log}");
    assert!(
        !log.contains("hmac-sha256 credential") && !log.contains("Signature="),
        "{log}"
    );
    let id = answer.header("x-request-id").unwrap();
    let line = log.lines().find(|line| line.contains(id)).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "DEBUG");
    for (field, value) in [
        ("dialect", "native"),
        ("action", "instance.list"),
        ("code", "ok"),
        ("key", KEY),
    ] {
        assert_eq!(line["fields"][field], value);
    }
    assert_eq!(line["fields"]["status"], 200);
    assert!(line["fields"]["duration_us"].is_u64() && line["fields"]["peer"].is_string());
    assert!(
        log.contains(r#""action":"CreateAccount","code":"ok""#),
        "{log}"
    );
}
