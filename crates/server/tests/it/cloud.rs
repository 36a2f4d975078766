//! The clouds' entrance, spoken to in Alibaba Cloud's dialect.

use crate::client::Answer;
use crate::harness::{KEY, LIMITS, Running, SECRET, nonce, now, start, start_with};
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use claviger_dialects::aliyun::client::{Call, Signer, sign};
use claviger_dialects::raw::Params;
use claviger_server::listen::Limits;
use std::fmt::Write as _;
use std::time::Duration;

/// A signed call as bytes.
pub(crate) fn request(signer: Signer, action: &str, params: &[(&str, &str)]) -> String {
    signed((KEY, SECRET), signer, action, params)
}

/// A call signed with this key pair.
pub(crate) fn signed(
    (key, secret): (&str, &str),
    signer: Signer,
    action: &str,
    params: &[(&str, &str)],
) -> String {
    let mut given = Params::default();
    for (name, value) in params {
        given.push((*name).into(), Secret::new(*value));
    }
    let signed = sign(&Call {
        action,
        params: &given,
        host: "127.0.0.1",
        key: &KeyId::from(key),
        secret: &Secret::new(secret),
        token: None,
        at: now(),
        nonce: &nonce(),
        signer,
    });
    let mut bytes = format!("{} {} HTTP/1.1\r\n", signed.method, signed.target.expose());
    for (name, value) in &signed.headers {
        write!(bytes, "{name}: {value}\r\n").unwrap();
    }
    let body = signed.body.expose();
    write!(bytes, "content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    bytes
}

async fn call(server: &Running, signer: Signer, action: &str, params: &[(&str, &str)]) -> Answer {
    server.ask(request(signer, action, params)).await
}

#[tokio::test]
async fn an_account_by_every_signature() {
    let server = start().await;
    server.with_instance("r-1").await;
    for (signer, name) in [
        (Signer::Acs3Sha256, "first"),
        (Signer::Acs3Sm3, "second"),
        (Signer::RpcV1, "third"),
    ] {
        let account = [
            ("InstanceId", "r-1"),
            ("AccountName", name),
            ("AccountPassword", "Passw0rd+%&="),
        ];
        let made = call(&server, signer, "CreateAccount", &account).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(made.json()["InstanceId"], "r-1");
        let listed = call(&server, signer, "DescribeAccounts", &account[..1]).await;
        assert_eq!(listed.status, 200, "{}", listed.text());
        assert!(listed.text().contains(name));
        assert!(listed.header("content-type").is_some());
    }
}

#[tokio::test]
async fn absolute_form_and_relative_form_are_one() {
    let server = start().await;
    let absolute = request(Signer::Acs3Sha256, "DescribeRegions", &[]).replacen(
        "POST / ",
        "POST http://127.0.0.1/ ",
        1,
    );
    let answer = server.ask(absolute).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn refusals_have_the_vendors_form() {
    let server = start().await;
    let wrong = request(Signer::Acs3Sha256, "DescribeRegions", &[])
        .replace("x-acs-date: 2", "x-acs-date: 1");
    let answer = server.ask(wrong).await;
    assert!((400..500).contains(&answer.status));
    let json = answer.json();
    assert!(
        json["Code"].is_string() && json["RequestId"].is_string(),
        "{json}"
    );

    // Replayed to the letter.
    let once = request(Signer::Acs3Sha256, "DescribeRegions", &[]);
    assert_eq!(server.ask(&once).await.status, 200);
    assert_eq!(server.ask(&once).await.json()["Code"], "SignatureNonceUsed");
}

#[tokio::test]
async fn a_request_that_fits_nothing() {
    let server = start().await;
    for request in [
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /favicon.ico HTTP/1.1\r\nhost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v9/x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
        "BREW /pot HTTP/1.1\r\nhost: \u{ff}\r\nx: \u{fffd}\r\n\r\n",
    ] {
        let answer = server.ask(request).await;
        assert_eq!(answer.status, 400, "{request}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(answer.header("x-request-id").is_some());
        assert!(answer.text().contains("no API that is served here"));
    }
    let mut client = server.client().await;
    client.send("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.next_head().await.unwrap().status, 400);
    let healthy = client.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(healthy.status, 200, "HEAD must have no body");
}

#[tokio::test]
async fn headers_that_are_not_text() {
    let server = start().await;
    let mut bytes =
        b"POST /?Version=2015-01-01&Action=DescribeRegions HTTP/1.1\r\nhost: x\r\nx-a: ".to_vec();
    bytes.extend_from_slice(b"\xff\xfe\r\nauthorization: \xff\r\ncontent-length: 0\r\n\r\n");
    let answer = server.ask(bytes).await;
    assert!((400..500).contains(&answer.status));
    assert!(answer.text().contains("RequestId"));
}

/// The vendor's own refusal, although the client sends everything before it reads.
#[tokio::test]
async fn a_body_over_the_bound() {
    let limits = Limits {
        body_bytes_max: 64 * 1024,
        body_timeout: Duration::from_secs(10),
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    let action = "Action=DescribeRegions&Version=2015-01-01";
    let kind = "content-type: application/x-www-form-urlencoded";
    let over = "x".repeat(256 * 1024);
    let answer = server
        .ask(format!(
            "POST / HTTP/1.1\r\nhost: x\r\n{kind}\r\ncontent-length: {}\r\n\r\n{action}&a={over}",
            action.len() + 3 + over.len()
        ))
        .await;
    assert!((400..500).contains(&answer.status));
    assert!(answer.text().contains("RequestId"), "{}", answer.text());

    // In chunks, with no length announced.
    let mut client = server.client().await;
    client
        .send(format!(
            "POST /?{action} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{over}\r\n0\r\n\r\n",
            over.len()
        ))
        .await;
    let answer = client.next().await.unwrap();
    assert!((400..500).contains(&answer.status));
    assert!(answer.text().contains("RequestId"));

    // A client that asks before it sends is told at once.
    let answer = server
        .ask(format!(
            "POST /?{action} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n"
        ))
        .await;
    assert!((400..500).contains(&answer.status));

    // One that never ends is cut off, not read forever.
    let mut client = server.client().await;
    client
        .send(format!(
            "POST /?{action} HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n"
        ))
        .await;
    let chunk = vec![b'x'; 64 * 1024];
    let mut sent = 0;
    while client.try_send(&chunk).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 64 * 1024 * 1024, "read without a bound");
    }

    // Nothing that fits no vendor is told more than that.
    let answer = server
        .ask(format!(
            "POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{over}",
            over.len()
        ))
        .await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_call_that_takes_too_long() {
    let limits = Limits {
        request_timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    server.with_instance("r-1").await;
    let _gate = server.store.close_gate();
    let instance = [("InstanceId", "r-1")];
    let answer = call(&server, Signer::RpcV1, "DescribeAccounts", &instance).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.json()["RequestId"].is_string());
    let native = server.native("GET", "/instances/r-1/accounts", "").await;
    assert_eq!(
        (native.status, &native.json()["error"]["code"]),
        (503, &"Unavailable".into())
    );
}
