//! Several services on one PostgreSQL, called in the words of all clouds, on days good and bad.

use crate::clouds::{self, Cloud, Creation, Made, send};
use crate::harness::{Place, Running, eventually};
use base64::Engine;
use claviger_dialects::raw::SignedRequest;
use claviger_testkit::{EngineBinary, Postgres, Server, ServerOptions, found_engines};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const ROOT: (&str, &str) = ("ROOTKEY0001", "root-secret-0123456789");

pub(crate) fn engine(test: &str) -> Option<EngineBinary> {
    let mut found = found_engines().iter();
    let engine = found.find(|e| e.engine.major >= 6).cloned();
    if engine.is_none() {
        skipped(test);
    }
    engine
}

#[expect(
    clippy::print_stderr,
    reason = "a test that did not run must be seen to have not run"
)]
fn skipped(test: &str) {
    eprintln!("SKIPPED {test}: there is no Redis or Valkey server");
}

fn master_key() -> String {
    base64::engine::general_purpose::STANDARD.encode([7; 32])
}

pub(crate) fn serve<'a>(place: &'a Place, url: &str) -> Running<'a> {
    let mut running = place.serve(
        &[
            "--sweep-interval",
            "1s",
            "--rate-limit",
            "0",
            "--action-rate-limit",
            "0",
        ],
        &[
            ("CLAVIGER_STORE", url),
            ("CLAVIGER_MASTER_KEY", &master_key()),
            ("CLAVIGER_ROOT_ACCESS_KEY", ROOT.0),
            ("CLAVIGER_ROOT_SECRET_KEY", ROOT.1),
        ],
    );
    running.keys = Some((ROOT.0.to_owned(), ROOT.1.to_owned()));
    running
}

fn signed(action: &str, params: &[(&str, &str)], key: (&str, &str)) -> SignedRequest {
    clouds::signed(Cloud::Aliyun, action, params, key)
}

pub(crate) fn call(endpoint: &str, action: &str, params: &[(&str, &str)]) -> (u16, String) {
    send(endpoint, &signed(action, params, ROOT))
}

pub(crate) fn create(endpoint: &str, instance: &str, name: &str) -> (u16, String) {
    let params = [
        ("InstanceId", instance),
        ("AccountName", name),
        ("AccountPassword", "Scale-Out-2026"),
        ("AccountPrivilege", "RoleReadWrite"),
    ];
    call(endpoint, "CreateAccount", &params)
}

fn accounts(endpoint: &str, instance: &str) -> Vec<(String, String)> {
    let (status, text) = call(endpoint, "DescribeAccounts", &[("InstanceId", instance)]);
    assert_eq!(status, 200, "{text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let list = answer["Accounts"]["Account"].as_array().unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let pairs = list.iter().map(|account| {
        (
            text(&account["AccountName"]),
            text(&account["AccountStatus"]),
        )
    });
    pairs.collect()
}

pub(crate) fn add_instance(service: &Running<'_>, id: &str, server: &Server) {
    let node = format!("redis://{}", server.address());
    service
        .run(&["instance", "add", id, "--node", &node])
        .fine();
}

pub(crate) fn in_sync(service: &Running<'_>, id: &str) -> bool {
    let done = service.run(&["status", id, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&done.out).unwrap_or_default();
    let one = if value.is_array() { &value[0] } else { &value };
    let one = one.get("instances").map_or(one, |list| &list[0]);
    one["in_sync"] == true
}

pub(crate) fn users(server: &Server) -> BTreeSet<String> {
    let listed = server.ask(&["ACL", "USERS"]).unwrap();
    let listed: Vec<String> = redis::from_redis_value(listed).unwrap();
    listed.into_iter().collect()
}

#[test]
fn three_services_are_one() {
    let test = "three_services_are_one";
    let (Some(engine), Some(mut database)) = (engine(test), Postgres::for_test(test)) else {
        return;
    };
    let url = database.database("claviger").unwrap();
    let places = [Place::new(), Place::new(), Place::new()];
    let [one, two, three] = [0, 1, 2].map(|n| serve(&places[n], &url));
    let mut servers = [0, 1].map(|_| Server::start(&engine, &ServerOptions::default()).unwrap());
    for (n, server) in servers.iter().enumerate() {
        add_instance(&one, &format!("r-{n}"), server);
    }
    // Whoever is asked, the driver is woken, and everybody tells the same.
    for (n, service) in [&one, &two, &three].into_iter().enumerate() {
        let name = format!("made_by_{n}");
        for (instance, server) in servers.iter().enumerate() {
            let id = format!("r-{instance}");
            let (status, text) = create(&service.endpoint, &id, &name);
            assert_eq!(status, 200, "{text}");
            eventually("the node has it", || users(server).contains(&name));
            for other in [&one, &two, &three] {
                eventually("it is available everywhere", || {
                    let found = accounts(&other.endpoint, &id);
                    found.contains(&(name.clone(), "Available".into()))
                });
                eventually("status says so everywhere", || in_sync(other, &id));
            }
        }
    }
    // A key made here is known there; revoked here, it is refused there.
    let made = one
        .run(&["key", "create", "--role", "admin", "--json"])
        .json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let (key, secret) = (text("id"), text("secret"));
    let try_it = |service: &Running<'_>| {
        let request = signed("DescribeRegions", &[], (&key, &secret));
        send(&service.endpoint, &request).0
    };
    eventually("the key is known", || {
        try_it(&two) == 200 && try_it(&three) == 200
    });
    one.run(&["key", "revoke", &key]).fine();
    eventually("the key is refused", || {
        try_it(&two) != 200 && try_it(&three) != 200
    });
    // A captured request is no better elsewhere.
    let captured = signed("DescribeAccounts", &[("InstanceId", "r-0")], ROOT);
    assert_eq!(send(&two.endpoint, &captured).0, 200);
    let (status, text) = send(&three.endpoint, &captured);
    assert!(
        status == 400 && text.contains("SignatureNonceUsed"),
        "{text}"
    );
    // What the driver sees, all tell: a node that is gone, and that it is back.
    servers[0].kill();
    for service in [&one, &two, &three] {
        eventually("all know that the node is gone", || {
            !in_sync(service, "r-0")
        });
    }
    servers[0].start_again().unwrap();
    for service in [&one, &two, &three] {
        eventually("all know that it is back", || in_sync(service, "r-0"));
    }
    nul_bytes_are_refused(&one);
    without_the_database(&mut database, &one, &servers[0]);
    // One that stops leaves its instances to the others at once; one that dies, soon.
    assert_eq!(one.stop().0, 0);
    two.kill();
    let (status, text) = create(&three.endpoint, "r-0", "alone");
    assert_eq!(status, 200, "{text}");
    assert_eq!(create(&three.endpoint, "r-1", "alone").0, 200);
    for (n, server) in servers.iter().enumerate() {
        eventually("it is taken over", || users(server).contains("alone"));
        eventually("and in sync", || in_sync(&three, &format!("r-{n}")));
    }
}

/// Each cloud says in its own words that a value is not one; PostgreSQL, which takes no such byte
/// in a text, is not asked. What is told of it in the trail stops nothing.
fn nul_bytes_are_refused(service: &Running<'_>) {
    let project = clouds::project(&service.endpoint, ROOT);
    for cloud in Cloud::ALL {
        for (instance, name) in [("r-0", "a\0b"), ("r\0", "ab")] {
            let creation = Creation {
                cloud,
                key: ROOT,
                project: &project,
                instance,
                name,
            };
            let made = creation.send(&service.endpoint);
            let Made::Refused(status, text) = made else {
                panic!("{cloud:?} {instance:?} {name:?}: {made:?}");
            };
            let fine = if cloud == Cloud::Tencent { 200 } else { 400 };
            assert_eq!(status, fine, "{text}");
        }
        let (action, params) = match cloud {
            Cloud::Aliyun => ("DeleteAccount", vec![("InstanceId", "r-0")]),
            Cloud::Tencent => ("DeleteInstanceAccount", vec![("InstanceId", "r-0")]),
            Cloud::Volcengine => ("DeleteDBAccount", vec![("InstanceId", "r-0")]),
            Cloud::Huawei => (
                "DeleteAclAccount",
                vec![("project_id", &*project), ("instance_id", "r-0")],
            ),
        };
        let name = if cloud == Cloud::Huawei {
            "account_id"
        } else {
            "AccountName"
        };
        let params = [&params[..], &[(name, "a\0b")]].concat();
        let request = clouds::signed(cloud, action, &params, ROOT);
        let (status, text) = send(&service.endpoint, &request);
        assert!(matches!(status, 200 | 400), "{cloud:?}: {status} {text}");
        assert!(cloud != Cloud::Tencent || text.contains("InvalidParameterValue"));
    }
    let added = service.run(&["instance", "set", "r-0", "--name", "fine"]);
    added.fine();
    let verified = service.run(&["audit", "verify"]).fine();
    assert!(verified.contains("holds"), "{verified}");
}

/// Calls get the vendor's own "try again"; the node keeps what it has; then everything goes on.
fn without_the_database(database: &mut Postgres, service: &Running<'_>, server: &Server) {
    let before = users(server);
    database.kill();
    for action in ["CreateAccount", "DescribeAccounts"] {
        let params = [
            ("InstanceId", "r-0"),
            ("AccountName", "later"),
            ("AccountPassword", "Scale-Out-2026"),
        ];
        let params = &params[..if action == "CreateAccount" { 3 } else { 1 }];
        let (status, text) = call(&service.endpoint, action, params);
        assert!(
            status >= 500 && text.contains("\"Code\""),
            "{status} {text}"
        );
    }
    assert_eq!(users(server), before);
    database.start_again().unwrap();
    eventually("changes are taken again", || {
        create(&service.endpoint, "r-0", "afterwards").0 == 200
    });
    eventually("and reach the node", || {
        users(server).contains("afterwards")
    });
    assert_eq!(before.difference(&users(server)).count(), 0);
}

const INSTANCES: usize = 8;
const EACH: usize = 16;

/// What callers share.
struct Calling {
    endpoints: Mutex<Vec<String>>,
    /// Huawei Cloud's.
    project: String,
    /// By instance and name.
    acknowledged: Mutex<BTreeSet<(usize, String)>>,
    /// How many may be acknowledged by now, so that the kills fall into the middle.
    allowed: AtomicUsize,
}

impl Calling {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Lets callers get on by so many, and waits until they have.
    fn get_on(&self, more: usize) {
        let upto = (self.count() + more).min(INSTANCES * EACH);
        self.allowed.fetch_max(upto, Ordering::Relaxed);
        eventually("callers get on", || self.count() >= upto);
    }

    /// Lets them go on by so many, and does not wait.
    fn let_on(&self, more: usize) {
        self.allowed
            .fetch_max(self.count() + more, Ordering::Relaxed);
    }

    /// Makes the accounts of one instance as the clouds' clients do, one cloud after the other:
    /// again, and elsewhere, until it is told that it is done. That one exists already means that
    /// an answer was lost.
    fn create_all(&self, instance: usize) {
        for k in 0..EACH {
            eventually("the caller is let on", || {
                self.count() < self.allowed.load(Ordering::Relaxed)
            });
            let (id, name) = (format!("r-{instance}"), format!("u{instance}_{k}"));
            let creation = Creation {
                cloud: Cloud::ALL[(instance + k) % Cloud::ALL.len()],
                key: ROOT,
                project: &self.project,
                instance: &id,
                name: &name,
            };
            let mut tries = instance + k;
            eventually("the creation is acknowledged", || {
                let endpoint = {
                    let endpoints = self.endpoints.lock().unwrap();
                    endpoints[tries % endpoints.len()].clone()
                };
                tries += 1;
                match creation.send(&endpoint) {
                    Made::Done | Made::Before => true,
                    Made::Again => false,
                    Made::Refused(status, text) => {
                        panic!("{:?}: {status} {text}", creation.cloud)
                    }
                }
            });
            self.acknowledged.lock().unwrap().insert((instance, name));
        }
    }
}

/// Callers of all clouds that never stop; each service and the primary database are killed in
/// turn, at last the one that took over, which comes back by itself.
#[test]
fn kills_lose_nothing_acknowledged() {
    let test = "kills_lose_nothing_acknowledged";
    let (Some(engine), Some(mut primary)) = (engine(test), Postgres::for_test(test)) else {
        return;
    };
    primary.database("claviger").unwrap();
    let mut standby = primary.add_standby().unwrap();
    let url = format!(
        "postgres://claviger@127.0.0.1:{},127.0.0.1:{}/claviger",
        primary.port(),
        standby.port()
    );
    let places = [Place::new(), Place::new(), Place::new()];
    let mut services: Vec<Running<'_>> = places.iter().map(|place| serve(place, &url)).collect();
    let servers = [0, 1, 2, 3].map(|_| Server::start(&engine, &ServerOptions::default()).unwrap());
    for n in 0..INSTANCES {
        let server = &servers[n % servers.len()];
        add_instance(&services[n % 3], &format!("r-{n}"), server);
    }
    let endpoints = services.iter().map(|service| service.endpoint.clone());
    let calling = Arc::new(Calling {
        endpoints: Mutex::new(endpoints.collect()),
        project: clouds::project(&services[0].endpoint, ROOT),
        acknowledged: Mutex::default(),
        allowed: AtomicUsize::new(0),
    });
    let callers: Vec<_> = (0..INSTANCES)
        .map(|n| {
            let calling = Arc::clone(&calling);
            std::thread::spawn(move || calling.create_all(n))
        })
        .collect();
    calling.get_on(8);
    for (n, place) in places.iter().enumerate() {
        calling.let_on(20);
        services.remove(0).kill();
        calling.get_on(10);
        services.push(serve(place, &url));
        calling.endpoints.lock().unwrap()[n].clone_from(&services[2].endpoint);
        calling.let_on(20);
        match n {
            0 => {
                primary.kill();
                standby.promote().unwrap();
            }
            2 => {
                standby.kill();
                standby.start_again().unwrap();
            }
            _ => {}
        }
        calling.get_on(10);
    }
    calling.allowed.store(INSTANCES * EACH, Ordering::Relaxed);
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(calling.count(), INSTANCES * EACH);
    let acknowledged = calling.acknowledged.lock().unwrap();
    for n in 0..INSTANCES {
        let id = format!("r-{n}");
        let server = &servers[n % servers.len()];
        for service in &services {
            eventually("all is in sync", || in_sync(service, &id));
            let found = accounts(&service.endpoint, &id);
            let distinct: BTreeSet<_> = found.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(distinct.len(), found.len(), "made twice");
            let on_node = users(server);
            for (_, name) in acknowledged.iter().filter(|(i, _)| *i == n) {
                assert!(distinct.contains(name), "{name} is lost");
                assert!(on_node.contains(name), "{name} is not on its node");
            }
        }
    }
    // The trail is whole, whoever is asked.
    for service in &services {
        let verified = service.run(&["audit", "verify"]).fine();
        assert!(verified.contains("holds"), "{verified}");
    }
    // None was made a second time: there is one row of its making in the trail, whoever was
    // asked how often.
    let made = "SELECT count(*), count(DISTINCT (instance, account)) FROM audit
         WHERE account LIKE 'u%' AND outcome = 'ok' AND action LIKE 'Create%'";
    let all = INSTANCES * EACH;
    let counted = standby.sql("claviger", made).unwrap();
    assert_eq!(counted.trim(), format!("{all}|{all}"));
    let dialects = "SELECT count(DISTINCT dialect) FROM audit
         WHERE account LIKE 'u%' AND action LIKE 'Create%'";
    assert_eq!(standby.sql("claviger", dialects).unwrap().trim(), "4");
}
