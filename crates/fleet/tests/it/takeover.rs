//! Users that are on the servers already become accounts without a change on the wire; and what
//! would be changed is told without changing it.

use crate::common::{PATIENCE, World, logs_in, pair, text};
use claviger_core::acl::rule_tokens;
use claviger_core::adopt::{self, AdoptionPlan, UsersAsk, Verdict};
use claviger_core::clock::Timestamp;
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::ids::{AccountId, AccountName, NodeAddress};
use claviger_core::instance::RolePolicy;
use claviger_core::ports::{Fleet as _, Op, Store as _};
use claviger_core::privilege::Privilege;
use claviger_core::refusal::Refusal;
use claviger_core::sight::{StepKind, SyncState};
use claviger_testkit::{Keeps, Server, Session, eventually, found_engines};
use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) fn make(servers: &[&Server], words: &[&str]) {
    let all: Vec<&str> = ["ACL", "SETUSER"].iter().chain(words).copied().collect();
    for server in servers {
        server.ask(&all).unwrap();
    }
}

pub(crate) async fn plan(world: &World, ask: &UsersAsk, write: bool) -> AdoptionPlan {
    let held = world.store.held(&world.id).await.unwrap().unwrap();
    let found = world.fleet.users(&world.id, ask).await.unwrap();
    static COUNT: AtomicU8 = AtomicU8::new(100);
    let mut identity = || {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        AccountId::from_parts(Timestamp::default(), [count; 10])
    };
    let mut fresh = adopt::Fresh {
        at: Timestamp::default(),
        identity: &mut identity,
        quota: 100,
    };
    let (plan, adoption) = adopt::plan(&held, &found, ask, !write, &mut fresh);
    if write {
        let op = Op::Adopt(world.id.clone(), adoption);
        world.store.apply(vec![op], None).await.unwrap();
        world.wake();
    }
    plan
}

fn verdict(plan: &AdoptionPlan, name: &str) -> (Verdict, String, String) {
    let user = plan.users.iter().find(|user| user.name.as_str() == name);
    let user = user.unwrap();
    let privilege = user.privilege.map(|p| p.to_string()).unwrap_or_default();
    (
        user.verdict,
        privilege,
        user.reason.clone().unwrap_or_default(),
    )
}

/// How often users were written and ended, by anyone; from 7.0 on the server tells them apart.
fn writes(server: &Server) -> (i64, i64) {
    let info = text(&server.ask(&["INFO", "commandstats"]).unwrap());
    let calls = |command: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(command));
        let calls = line.and_then(|line| line.strip_prefix(":calls=")?.split(',').next());
        calls.map_or(0, |calls| calls.parse().unwrap())
    };
    (calls("cmdstat_acl|setuser"), calls("cmdstat_acl|deluser"))
}

fn users(both: &[&Server], engine: Engine) -> Vec<&'static str> {
    let tokens = rule_tokens(Privilege::ReadOnly, &RolePolicy::default(), engine);
    let reader: Vec<&str> = ["reader", "on", ">first-Password1", ">second-Password2"]
        .into_iter()
        .chain(tokens.iter().map(String::as_str))
        .collect();
    make(both, &reader);
    for name in ["app", "app2"] {
        make(
            both,
            &[
                name,
                "on",
                ">first-Password1",
                "~app:*",
                "+get",
                "+set",
                "-@dangerous",
            ],
        );
    }
    make(both, &["keyless", "on", ">first-Password1", "+ping"]);
    make(
        both,
        &["sleepy", "off", ">first-Password1", "allkeys", "+@all"],
    );
    make(
        both,
        &["User:with@odd-name", "on", ">first-Password1", "~x", "+get"],
    );
    let mut all = vec![
        "reader",
        "app",
        "app2",
        "keyless",
        "sleepy",
        "User:with@odd-name",
    ];
    if engine.acl_level() >= AclLevel::Channels {
        make(
            both,
            &[
                "talker",
                "on",
                ">first-Password1",
                "resetchannels",
                "&news.*",
                "+publish",
            ],
        );
        all.push("talker");
    }
    if engine.acl_level() >= AclLevel::Selectors {
        make(
            both,
            &[
                "chooser",
                "on",
                ">first-Password1",
                "%R~a:*",
                "+get",
                "(~b:* +set)",
            ],
        );
        all.push("chooser");
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_become_accounts_as_they_are() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let both = [&primary, &replica];
        let all = users(&both, binary.engine);
        make(&both, &["open", "on", "nopass", "~*", "+get"]);
        make(&both, &["nobody", "on", "~*", "+get"]);
        make(&both, &["torn", "on", ">first-Password1", "~*", "+get"]);
        make(&[&replica], &["torn", "+set"]);
        make(
            &[&replica],
            &["lone", "on", ">first-Password1", "~*", "+get"],
        );
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        // Up to 7.0 a server may tell single commands in another order a moment later.
        let get = |server: &Server, name: &str| {
            let told = format!("{:?}", server.ask(&["ACL", "GETUSER", name]).unwrap());
            let mut words: Vec<String> = told.split([' ', '"']).map(str::to_owned).collect();
            words.sort();
            words
        };
        let describe = |server: &Server| -> Vec<Vec<String>> {
            all.iter().map(|name| get(server, name)).collect()
        };
        let before = both.map(describe);
        let written = both.map(writes);
        let mut session = Session::login(&primary.address(), "app", "first-Password1").unwrap();

        let dry = plan(&world, &UsersAsk::default(), false).await;
        assert_eq!(dry.users.len(), all.len() + 4, "{dry:#?}");
        assert!(world.store.account(&world.id, "app").is_none());
        let done = plan(&world, &UsersAsk::default(), true).await;
        assert_eq!(done.users, dry.users);
        for name in &all {
            assert_eq!(verdict(&done, name).0, Verdict::Adopt, "{done:#?}");
        }
        assert_eq!(verdict(&done, "reader").1, "read-only");
        let role = verdict(&done, "app").1;
        assert_eq!(role, verdict(&done, "app2").1);
        assert!(role.starts_with("adopted-"));
        for (name, word) in [("open", "any password"), ("nobody", "has no password")] {
            let (verdict, _, reason) = verdict(&done, name);
            assert!(
                verdict == Verdict::Refused && reason.contains(word),
                "{reason}"
            );
        }
        for (name, word) in [("torn", "other rules"), ("lone", "missing on")] {
            let (verdict, _, reason) = verdict(&done, name);
            assert!(
                verdict == Verdict::Conflict && reason.contains(word),
                "{reason}"
            );
        }
        world.in_sync(2).await;
        for name in &all {
            let account = world.store.account(&world.id, name).unwrap();
            assert!(account.is_confirmed());
            assert_eq!(account.enabled, *name != "sleepy");
            assert_eq!(world.account(name).await.state, SyncState::InSync);
        }
        assert_eq!(both.map(describe), before, "{}", binary.engine);
        assert!(!session.is_closed());
        assert!(logs_in(&replica, "reader", "second-Password2"));
        for (server, (set, deleted)) in both.into_iter().zip(written) {
            let (set_now, deleted_now) = writes(server);
            // Only scratch users, each of which went again.
            assert_eq!(set_now - set, deleted_now - deleted, "{}", binary.engine);
        }
        // They are accounts like any other now.
        let repairs = world.fleet.stats().repairs;
        make(&[&replica], &["app", "-set"]);
        eventually("put right", PATIENCE, || {
            world.fleet.stats().repairs > repairs
        })
        .await;
        world.in_sync(2).await;

        // Which node counts is said: the other one follows.
        let ask = UsersAsk {
            names: vec![AccountName::from("torn"), AccountName::from("nowhere")],
            from: Some(NodeAddress::new(primary.address())),
        };
        let done = plan(&world, &ask, true).await;
        let (what, _, reason) = verdict(&done, "torn");
        assert!(
            what == Verdict::Adopt && reason.contains("will be changed"),
            "{reason}"
        );
        assert_eq!(verdict(&done, "nowhere").0, Verdict::Refused);
        world.settled("both hold it").await;
        let mut torn = Session::login(&replica.address(), "torn", "first-Password1").unwrap();
        assert!(torn.may(&["GET", "a"]) && !torn.may(&["SET", "a", "b"]));
        world.in_sync(2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_be_asked_keeps_users_from_being_taken_over() {
    let Some(binary) = found_engines().first() else {
        return;
    };
    let (primary, mut replica) = pair(binary, Keeps::Nothing).await;
    make(
        &[&primary, &replica],
        &["app", "on", ">first-Password1", "~*", "+get"],
    );
    let world = World::over(&[&primary]);
    world.in_sync(2).await;
    replica.kill();
    let found = plan(&world, &UsersAsk::default(), false).await;
    let (what, _, reason) = verdict(&found, "app");
    assert!(
        what == Verdict::Conflict && reason.contains(&replica.address()),
        "{reason}"
    );
    let ask = |from: String| UsersAsk {
        names: Vec::new(),
        from: Some(NodeAddress::new(from)),
    };
    let away = world.fleet.users(&world.id, &ask(replica.address())).await;
    assert_eq!(away.err(), Some(Refusal::Unavailable));
    let strange = world.fleet.users(&world.id, &ask("other:1".into())).await;
    assert!(matches!(
        strange.err(),
        Some(Refusal::ParameterInvalid { .. })
    ));
    plan(&world, &ask(primary.address()), true).await;
    world.reaches("app", SyncState::Pending).await;
    replica.start_again().unwrap();
    world.settled("the replica has it").await;
    assert!(logs_in(&replica, "app", "first-Password1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_tells_and_changes_nothing() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        for name in ["ape", "bee", "cat"] {
            world
                .create(name, "first-Password1", Privilege::ReadOnly)
                .await;
        }
        world.in_sync(2).await;
        let steps = async || {
            let plan = world.fleet.plan(&world.id).await.unwrap();
            let mut all = Vec::new();
            for node in plan.nodes {
                let place = if node.address.as_str() == primary.address() {
                    "primary"
                } else {
                    "replica"
                };
                assert_eq!(node.error, None);
                for step in node.steps {
                    all.push((place, step.user.to_string(), step.step, step.reason));
                }
            }
            all
        };
        assert_eq!(steps().await, []);
        // Nobody drives any more: what differs stays.
        world.fleet.stop(std::time::Duration::from_secs(5)).await;
        make(&[&primary], &["bee", "off"]);
        replica.ask(&["ACL", "DELUSER", "ape"]).unwrap();
        make(
            &[&primary],
            &["dog", "on", ">by-hand-Password", "~*", "+get"],
        );
        world
            .store
            .create(&world.id, "dog", "first-Password1", Privilege::ReadOnly);
        world.store.delete(&world.id, "cat");
        world.store.set_default_password(&world.id, "one-Password1");
        let told = steps().await;
        let has = |place, user: &str, step, reason: &str| {
            let fits = |told: &&(&str, String, StepKind, String)| {
                (told.0, told.1.as_str(), told.2) == (place, user, step) && told.3.contains(reason)
            };
            assert!(
                told.iter().any(|told| fits(&told)),
                "{user} {step:?}: {told:#?}"
            );
        };
        has("primary", "bee", StepKind::Set, "is switched off");
        has("replica", "ape", StepKind::Create, "is missing");
        has("primary", "dog", StepKind::Leave, "not ours");
        has("replica", "dog", StepKind::Create, "is missing");
        has("primary", "cat", StepKind::Remove, "is back");
        has("replica", "default", StepKind::Set, "takes any password");
        has("replica", "r-test", StepKind::Create, "is missing");
        assert_eq!(told.len(), 10, "{told:#?}");
        assert_eq!(steps().await, told, "nothing was changed");
        assert!(logs_in(&primary, "cat", "first-Password1"));
        assert!(!logs_in(&replica, "ape", "first-Password1"));
    }
}
