//! A running server.

use crate::client::{Answer, Client};
use crate::memory::{Memory, NoNodes};
use claviger_core::access::{AccessKey, Role};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::ports::{Clock, Entropy};
use claviger_core::secret::Secret;
use claviger_dialects::native::{self, Signed};
use claviger_server::listen::{Drained, Limits, serve};
use claviger_server::metrics::{Figure, Sample};
use claviger_server::tls::Tls;
use claviger_server::{Parts, Server};
use claviger_service::{Service, Settings};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const KEY: &str = "CLVGroot";
pub(crate) const SECRET: &str = "root-secret-of-the-tests";

/// Short, so that tests of deadlines are quick; long enough for a busy machine.
pub(crate) const LIMITS: Limits = Limits {
    connections_max: 64,
    connections_per_source_max: 64,
    header_timeout: Duration::from_millis(400),
    body_timeout: Duration::from_millis(400),
    request_timeout: Duration::from_secs(2),
    idle_timeout: Duration::from_secs(3),
    drain_timeout: Duration::from_secs(5),
    ..Limits::PRODUCTION
};

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) service: Arc<Service>,
    pub(crate) store: Arc<Memory>,
    pub(crate) ready: Arc<AtomicBool>,
    pub(crate) stop: CancellationToken,
    serving: JoinHandle<Drained>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "clients sign with the true time, and these tests are clients"
)]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        now()
    }
}

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// Unpredictable enough for a test.
struct Counting;

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Sixteen hexadecimal digits, new each time.
pub(crate) fn nonce() -> String {
    format!("{:016x}", COUNTER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) async fn start() -> Running {
    start_with(LIMITS, None).await
}

pub(crate) async fn start_with(limits: Limits, tls: Option<Arc<Tls>>) -> Running {
    start_on(std::net::Ipv4Addr::LOCALHOST.into(), limits, tls).await
}

pub(crate) async fn start_on(
    host: std::net::IpAddr,
    limits: Limits,
    tls: Option<Arc<Tls>>,
) -> Running {
    let store = Arc::new(Memory::default());
    let parts = claviger_service::Parts {
        store: store.clone(),
        fleet: Arc::new(NoNodes),
        clock: Arc::new(System),
        entropy: Arc::new(Counting),
        vault: None,
    };
    let settings = Settings {
        requests_per_second_max: 0,
        requests_per_action_max: None,
        requests_per_source_max: 0,
        bad_signatures_max: 0,
    };
    let root = AccessKey::new(KeyId::from(KEY), Secret::new(SECRET), Role::Admin, now());
    let service = Arc::new(Service::start(parts, settings, root).await.unwrap());
    let (stop, ready) = (CancellationToken::new(), Arc::new(AtomicBool::new(true)));
    let is_ready = Arc::clone(&ready);
    let server = Server::new(Parts {
        service: Arc::clone(&service),
        limits,
        ready: Box::new(move || is_ready.load(Ordering::Relaxed)),
        providers: vec![Box::new(samples)],
        stop: stop.clone(),
    });
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, tls, limits, Arc::new(server), stop.clone()));
    Running {
        address,
        service,
        store,
        ready,
        stop,
        serving,
    }
}

fn samples() -> Vec<Sample> {
    vec![
        Sample {
            name: "nodes_in_sync",
            help: "Nodes in sync",
            value: Figure::Gauge(3.0),
        },
        Sample {
            name: "repairs",
            help: "Repairs made",
            value: Figure::Counter(7),
        },
        Sample {
            name: "apply_duration_seconds",
            help: "Time to apply a change",
            value: Figure::Histogram {
                sum: 1.5,
                count: 3,
                buckets: vec![(0.1, 1), (f64::INFINITY, 2)],
            },
        },
    ]
}

impl Running {
    pub(crate) async fn client(&self) -> Client<tokio::net::TcpStream> {
        Client::connect(self.address).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, bytes: impl AsRef<[u8]>) -> Answer {
        self.client().await.ask(bytes).await
    }

    /// A signed call to the native API by the root key. `target` is below the prefix.
    pub(crate) async fn native(&self, method: &str, target: &str, body: &str) -> Answer {
        self.ask(native_request(KEY, SECRET, method, target, body))
            .await
    }

    /// An instance to work on.
    pub(crate) async fn with_instance(&self, id: &str) {
        let body = format!(r#"{{"id":"{id}","nodes":["redis://h:1"]}}"#);
        let answer = self.native("POST", "/instances", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Stops it, and tells how it ended.
    pub(crate) async fn stopped(self) -> Drained {
        self.stop.cancel();
        self.serving.await.unwrap()
    }
}

/// A signed native request as bytes.
pub(crate) fn native_request(
    key: &str,
    secret: &str,
    method: &str,
    target: &str,
    body: &str,
) -> String {
    let header = native_header(key, secret, (method, target, body), now(), &nonce());
    with_header(&header, method, target, body)
}

pub(crate) fn native_header(
    key: &str,
    secret: &str,
    (method, target, body): (&str, &str, &str),
    at: Timestamp,
    nonce: &str,
) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    native::sign(
        &KeyId::from(key),
        &Secret::new(secret),
        Signed {
            method,
            path: &format!("/claviger/v1{path}"),
            query,
            body: body.as_bytes(),
        },
        at,
        nonce,
    )
}

pub(crate) fn with_header(header: &str, method: &str, target: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} /claviger/v1{target} HTTP/1.1\r\nhost: x\r\nauthorization: {header}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
