//! Bad connections and bad HTTP.

use crate::client::{Client, DEADLINE};
use crate::harness::{LIMITS, start, start_on, start_with};
use claviger_server::listen::Limits;
use std::time::{Duration, Instant};
use tokio::time::timeout;

const PLAIN: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_header_that_trickles_in_is_cut_off() {
    let server = start().await;
    let mut client = server.client().await;
    let begun = Instant::now();
    client.send("GET /healthz HTTP/1.1\r\nhost").await;
    assert!(client.next().await.is_none());
    assert!(begun.elapsed() >= LIMITS.header_timeout);
    assert!(begun.elapsed() < LIMITS.idle_timeout);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_off() {
    let server = start().await;
    let begun = Instant::now();
    assert!(server.client().await.next().await.is_none());
    assert!(begun.elapsed() < LIMITS.idle_timeout);
}

/// Between requests a client has longer than within a header, but not forever; and the header of
/// a later request has its own deadline.
#[tokio::test]
async fn idle_is_not_slow() {
    let server = start().await;
    let mut client = server.client().await;
    assert_eq!(client.ask(PLAIN).await.status, 200);
    let pause = LIMITS.header_timeout * 2;
    assert!(
        timeout(pause, client.next()).await.is_err(),
        "cut off while idle"
    );
    assert_eq!(client.ask(PLAIN).await.status, 200);
    let begun = Instant::now();
    client.send("GET /heal").await;
    assert!(client.next().await.is_none());
    assert!(
        begun.elapsed() < LIMITS.idle_timeout,
        "a slow second header"
    );

    let mut client = server.client().await;
    assert_eq!(client.ask(PLAIN).await.status, 200);
    let begun = Instant::now();
    assert!(client.next().await.is_none());
    assert!(begun.elapsed() >= LIMITS.idle_timeout.mul_f32(0.9));
}

/// The size is checked whenever a read leaves the header incomplete, so a header may be larger
/// by one read. A client that is still sending may see the connection break before the answer.
#[tokio::test]
async fn headers_are_bounded() {
    let server = start().await;
    let long = "x".repeat(200 * 1024);
    let many: String = (0..101).map(|n| format!("a{n}: 1\r\n")).collect();
    for head in [
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n"),
        format!("GET /healthz?{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
    ] {
        let mut client = server.client().await;
        let _ = client.try_send(head).await;
        if let Some(answer) = client.next().await {
            assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
            assert!(answer.body.is_empty());
        }
    }
    let fits = "x".repeat(40 * 1024);
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nlong: {fits}\r\n\r\n");
    assert_eq!(server.ask(head).await.status, 200);
}

#[tokio::test]
async fn what_is_not_http_gets_400() {
    let server = start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"*1\r\n$4\r\nPING\r\n",
        b"GET  /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = server.client().await;
        client.send(bytes).await;
        let answer = client.next().await;
        let status = answer.map_or(0, |answer| answer.status);
        assert!(matches!(status, 0 | 400 | 505), "{status} {bytes:?}");
        assert!(client.next().await.is_none(), "still open");
    }
    assert_eq!(server.ask(PLAIN).await.status, 200);
}

#[tokio::test]
async fn a_body_that_trickles_in_is_refused() {
    let server = start().await;
    let head = "POST /?Version=2015-01-01 HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nab";
    let mut client = server.client().await;
    let answer = client.ask(head).await;
    assert_eq!(answer.status, 408);
    assert!(
        client.next().await.is_none(),
        "the rest would be read as a request"
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start().await;
    let mut client = server.client().await;
    let nowhere = "GET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n";
    client.send(format!("{PLAIN}{nowhere}{PLAIN}")).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.next().await.unwrap().status);
    }
    assert_eq!(statuses, [200, 400, 200]);
}

#[tokio::test]
async fn more_connections_wait_for_room() {
    let limits = Limits {
        connections_max: 2,
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    let mut first = server.client().await;
    let mut second = server.client().await;
    assert_eq!(first.ask(PLAIN).await.status, 200);
    assert_eq!(second.ask(PLAIN).await.status, 200);
    let mut third = server.client().await;
    third.send(PLAIN).await;
    let early = timeout(Duration::from_millis(200), third.next()).await;
    assert!(early.is_err(), "no room yet");
    drop(first);
    assert_eq!(third.next().await.unwrap().status, 200);
}

/// An address of this machine by which it is not loopback; nothing is sent to find it.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[expect(
    clippy::print_stderr,
    reason = "a test that did not run must be seen to have not run"
)]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: this machine has loopback only, which is not counted");
}

/// One address takes not all the room: what it opens beyond its own is closed, not kept waiting.
#[tokio::test]
async fn connections_of_one_address_are_bounded() {
    let limits = Limits {
        connections_per_source_max: 2,
        ..LIMITS
    };
    let Some(host) = own_address() else {
        return skipped("connections_of_one_address_are_bounded");
    };
    let server = start_on(host, limits, None).await;
    let mut first = server.client().await;
    let mut second = server.client().await;
    assert_eq!(first.ask(PLAIN).await.status, 200);
    assert_eq!(second.ask(PLAIN).await.status, 200);
    let mut third = server.client().await;
    let _ = third.try_send(PLAIN).await;
    let answer = timeout(DEADLINE, third.next()).await;
    assert!(answer.expect("closed").is_none());
    assert_eq!(second.ask(PLAIN).await.status, 200);
    drop(first);
    // Its place is free when its end was seen.
    let again = async {
        loop {
            let mut fourth = server.client().await;
            if fourth.try_send(PLAIN).await.is_ok() && fourth.next().await.is_some() {
                break;
            }
        }
    };
    timeout(DEADLINE, again).await.expect("room again");
}

/// A client that does not read its answers does not keep its connection.
#[tokio::test]
async fn answers_that_nobody_reads() {
    let limits = Limits {
        write_timeout: Duration::from_millis(300),
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    let mut client = server.client().await;
    let many = "GET /claviger/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500);
    let flood = async { while client.try_send(&many).await.is_ok() {} };
    timeout(DEADLINE, flood).await.expect("cut off");
}

#[tokio::test]
async fn draining_answers_what_is_under_way() {
    let server = start().await;
    server.with_instance("r-1").await;
    let gate = server.store.close_gate();
    let mut idle = server.client().await;
    assert_eq!(idle.ask(PLAIN).await.status, 200);
    let mut fresh = server.client().await;
    let mut busy = server.client().await;
    let request = crate::harness::native_request(
        crate::harness::KEY,
        crate::harness::SECRET,
        "GET",
        "/instances/r-1/accounts",
        "",
    );
    busy.send(request).await;
    let metrics = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    let in_flight = async {
        while !server.ask(metrics).await.text().contains("in_flight 2") {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, in_flight).await.expect("under way");
    let address = server.address;
    server.stop.cancel();
    assert!(idle.next().await.is_none(), "idle connections are closed");
    assert!(
        fresh.next().await.is_none(),
        "unused connections are closed"
    );
    let refused = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, refused)
        .await
        .expect("nobody new is let in");
    gate.add_permits(1);
    assert_eq!(busy.next().await.unwrap().status, 200);
    assert!(busy.next().await.is_none());
    assert_eq!(server.stopped().await.cut_off, 0);
}

#[tokio::test]
async fn draining_ends() {
    let limits = Limits {
        drain_timeout: Duration::from_millis(200),
        request_timeout: Duration::from_secs(60),
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    server.with_instance("r-1").await;
    let _gate = server.store.close_gate();
    let mut client: Client<_> = server.client().await;
    client
        .send(crate::harness::native_request(
            crate::harness::KEY,
            crate::harness::SECRET,
            "GET",
            "/instances/r-1",
            "",
        ))
        .await;
    let metrics = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n";
    let in_flight = async {
        while !server.ask(metrics).await.text().contains("in_flight 2") {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, in_flight).await.expect("under way");
    let drained = timeout(DEADLINE, server.stopped()).await.expect("an end");
    assert_eq!(drained.cut_off, 1);
    assert!(client.next().await.is_none());
}

/// When descriptors run out, the listener waits and goes on. Descriptors are counted by process,
/// so this test runs itself again in one of its own that may have only a few.
#[test]
fn out_of_descriptors() {
    const CHILD: &str = "CLAVIGER_TEST_FEW_DESCRIPTORS";
    if std::env::var_os(CHILD).is_some() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        return runtime.block_on(use_up_descriptors());
    }
    let ran = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 48; exec \"$0\" --exact bounds::out_of_descriptors",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("1 passed"), "{told}");
}

async fn use_up_descriptors() {
    let limits = Limits {
        connections_max: 1000,
        header_timeout: DEADLINE,
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    let mut patient = server.client().await;
    assert_eq!(patient.ask(PLAIN).await.status, 200);
    let mut clients = Vec::new();
    while let Ok(stream) = tokio::net::TcpStream::connect(server.address).await {
        clients.push(stream);
        tokio::task::yield_now().await;
        assert!(clients.len() < 48);
    }
    // Those that are in go on being served, and the rest as soon as there is room.
    assert_eq!(patient.ask(PLAIN).await.status, 200);
    let last = clients.pop().unwrap();
    drop(clients);
    assert_eq!(Client::over(last).ask(PLAIN).await.status, 200);
    assert_eq!(server.ask(PLAIN).await.status, 200);
}

/// Large bodies share their room: those that find none are not read, small ones do not notice,
/// and what is taken is given back.
#[tokio::test]
async fn large_bodies_share_their_room() {
    let limits = Limits {
        connections_max: 200,
        body_timeout: Duration::from_secs(4),
        ..LIMITS
    };
    let server = start_with(limits, None).await;
    let length = limits.body_bytes_max;
    let head = format!("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let part = "x".repeat(40 * 1024);
    // As many as there is room for, each short of its end.
    let mut holding = Vec::new();
    for _ in 0..64 {
        let mut client = server.client().await;
        client.send(format!("{head}{part}")).await;
        holding.push(client);
    }
    let small = "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nxx";
    assert_eq!(server.ask(small).await.status, 400);
    let rest = "x".repeat(length - part.len());
    let whole = format!("{head}{part}{rest}");
    let begun = Instant::now();
    let late = server.ask(&whole).await;
    assert!(begun.elapsed() > limits.body_timeout / 4, "there was room");
    assert!(matches!(late.status, 400 | 408));
    for client in &mut holding {
        assert_eq!(client.next().await.unwrap().status, 408);
    }
    assert_eq!(server.ask(&whole).await.status, 400, "there is room again");
}
