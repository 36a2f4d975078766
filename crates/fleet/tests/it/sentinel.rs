//! Instances that Sentinels watch.

use crate::common::{PATIENCE, World, few_engines, instance, linked, logs_in, quick, unswept};
use claviger_core::acl::sentinel_login_tokens;
use claviger_core::engine::AclLevel;
use claviger_core::instance::{Instance, SentinelLogin, Topology, TopologyChoice};
use claviger_core::node::NodeRole;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use claviger_testkit::sentinels::MASTER;
use claviger_testkit::server::free_port;
use claviger_testkit::{
    EngineBinary, Keeps, Sentinels, Server, ServerOptions, Session, Watched, eventually,
    eventually_async, found_engines,
};
use std::time::Duration;

/// A primary, two replicas, three Sentinels.
struct Group {
    nodes: Vec<Server>,
    sentinels: Sentinels,
}

/// Three nodes; `prepare` sees each before the next begins to follow.
fn nodes(
    binary: &EngineBinary,
    keeps: Keeps,
    lines: &[&str],
    prepare: impl Fn(&Server),
) -> Vec<Server> {
    let options = ServerOptions {
        keeps,
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        ..ServerOptions::default()
    };
    let primary = Server::start(binary, &options).unwrap();
    prepare(&primary);
    let options = ServerOptions {
        replica_of: Some(primary.port()),
        ..options
    };
    let mut nodes = vec![primary];
    for _ in 0..2 {
        let replica = Server::start(binary, &options).unwrap();
        prepare(&replica);
        nodes.push(replica);
    }
    nodes
}

async fn watched(nodes: Vec<Server>, binary: &EngineBinary, watched: &Watched) -> Group {
    for replica in &nodes[1..] {
        eventually("the replica is linked", PATIENCE, || linked(replica, None)).await;
    }
    let sentinels = Sentinels::start(binary, 3, &nodes[0], 2, watched).unwrap();
    Group { nodes, sentinels }
}

async fn group(binary: &EngineBinary, keeps: Keeps) -> Group {
    let nodes = nodes(binary, keeps, &[], |_| {});
    watched(nodes, binary, &Watched::default()).await
}

impl Group {
    /// Registered by these Sentinels.
    fn by(&self, sentinels: &[usize]) -> Instance {
        let each = &self.sentinels.each;
        let seeds: Vec<String> = sentinels.iter().map(|at| each[*at].address()).collect();
        let mut instance = instance("r-test", &seeds);
        instance.topology = TopologyChoice::Sentinel;
        instance.master_name = Some(MASTER.to_owned());
        instance
    }

    /// The node that the Sentinels call the primary.
    fn primary(&self) -> Option<&Server> {
        let address = self.sentinels.primary()?;
        self.nodes.iter().find(|node| node.address() == address)
    }

    fn primary_is(&self, at: usize) -> bool {
        self.sentinels.primary() == Some(self.nodes[at].address())
    }
}

fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_primary_while_accounts_are_made() {
    for binary in few_engines() {
        let mut group = group(binary, Keeps::Nothing).await;
        // The kind of the seeds is not said; the first one is gone.
        let seeds = [nowhere(), group.sentinels.each[0].address()];
        let world = World::new(instance("r-test", &seeds), unswept());
        eventually_async("the Sentinels are found", PATIENCE, || async {
            world.sight().await.topology == Some(Topology::Sentinel)
        })
        .await;
        drop(world);
        // A seed that never answered may be anything, so it stands in the way here; see the next
        // test for Sentinels that are known as such.
        let world = World::new(group.by(&[0]), unswept());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        let sight = world.sight().await;
        assert_eq!(sight.topology, Some(Topology::Sentinel));
        assert_eq!(sight.sentinels.len(), 3, "{sight:#?}");
        group.nodes[0].kill();
        let mut names = world.create_until("during", || !group.primary_is(0)).await;
        names.push("ape".into());
        let primary = group.primary().unwrap();
        world.shows(&primary.address(), NodeRole::Primary).await;
        for name in &names {
            eventually(&format!("{name} is there"), PATIENCE, || {
                logs_in(primary, name, "first-Password1")
            })
            .await;
        }
        // Accounts wait for the node that is down.
        assert!(!world.store.all_confirmed(&world.id));
        group.nodes[0].start_again().unwrap();
        world.settled("the old primary has them").await;
        world.in_sync(3).await;
        for name in &names {
            assert!(logs_in(&group.nodes[0], name, "first-Password1"));
        }
        eventually("the old primary follows", PATIENCE, || {
            linked(&group.nodes[0], None)
        })
        .await;
        world
            .shows(&group.nodes[0].address(), NodeRole::Replica)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_by_hand_while_accounts_are_made_and_one_sentinel_is_left() {
    for binary in few_engines() {
        let mut group = group(binary, Keeps::Aclfile).await;
        // No name is given: there is one primary.
        let mut own = group.by(&[1, 0, 2]);
        own.master_name = None;
        own.seeds[0].address = nowhere().as_str().into();
        let world = World::new(own, unswept());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        group.sentinels.switch().unwrap();
        let names = world.create_until("during", || !group.primary_is(0)).await;
        let primary = group.primary().unwrap();
        world.shows(&primary.address(), NodeRole::Primary).await;
        world.settled("all is confirmed after the switch").await;
        for node in &group.nodes {
            for name in &names {
                assert!(logs_in(node, name, "first-Password1"), "{name}");
            }
        }
        world
            .shows(&group.nodes[0].address(), NodeRole::Replica)
            .await;
        // All Sentinels but one go. What was known stays, and changes are taken.
        group.sentinels.each[0].kill();
        group.sentinels.each[1].kill();
        eventually_async("two Sentinels are shown to be down", PATIENCE, || async {
            let sight = world.sight().await;
            sight.sentinels.iter().filter(|s| s.reachable).count() == 1
        })
        .await;
        world
            .create("bee", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        // The service starts over, and finds everyone by the one that is left.
        world.fleet.stop(Duration::from_secs(5)).await;
        let world = World::restarted(&world);
        world
            .create("cat", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        assert_eq!(world.fleet.stats().repairs, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_comes_back_with_an_old_file_and_a_new_replica_joins() {
    for binary in few_engines() {
        let mut group = group(binary, Keeps::Aclfile).await;
        let world = World::new(group.by(&[0, 1, 2]), unswept());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        let file = group.nodes[0].directory().join("users.acl");
        eventually("the file is written", PATIENCE, || {
            group.nodes[0].own_file().is_ok_and(|f| f.contains("ape"))
        })
        .await;
        let old = std::fs::read(&file).unwrap();
        group.nodes[0].kill();
        eventually("switched", PATIENCE, || !group.primary_is(0)).await;
        let digest = claviger_core::password::PasswordDigest::of(&Secret::new("next-Password2"));
        world
            .store
            .change_account(&world.id, "ape", |account| account.password = Some(digest));
        world
            .store
            .create(&world.id, "bee", "first-Password1", Privilege::ReadOnly);
        world.wake();
        std::fs::write(&file, old).unwrap();
        group.nodes[0].start_again().unwrap();
        world.settled("the old file is put right").await;
        assert!(logs_in(&group.nodes[0], "ape", "next-Password2"));
        assert!(!logs_in(&group.nodes[0], "ape", "first-Password1"));
        assert!(logs_in(&group.nodes[0], "bee", "first-Password1"));
        // A replica that nobody told us of: the Sentinels do, once they have seen it.
        let options = ServerOptions {
            keeps: Keeps::Aclfile,
            replica_of: Some(group.primary().unwrap().port()),
            ..ServerOptions::default()
        };
        let fourth = Server::start(binary, &options).unwrap();
        world.in_sync(4).await;
        assert!(logs_in(&fourth, "ape", "next-Password2"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_found_by_the_sweep_if_no_signal_comes() {
    let binary = found_engines().last().unwrap();
    let group = group(binary, Keeps::Nothing).await;
    for sentinel in &group.sentinels.each {
        let rule = sentinel_login_tokens(binary.engine.acl_level());
        let mut words = vec!["ACL", "SETUSER", "mute", "reset", "on", ">mute-Password1"];
        words.extend(rule.iter().map(String::as_str));
        words.push("-subscribe");
        sentinel.ask(&words).unwrap();
    }
    let mut own = group.by(&[0]);
    own.login.sentinel = Some(SentinelLogin {
        user: Some("mute".into()),
        password: Some(Secret::new("mute-Password1")),
    });
    let world = World::new(own, quick());
    world
        .create("ape", "first-Password1", Privilege::ReadWrite)
        .await;
    world.in_sync(3).await;
    let sight = world.sight().await;
    assert!(
        sight.sentinels.iter().all(|s| s.reachable
            && s.error
                .as_deref()
                .is_some_and(|e| e.contains("may not run SUBSCRIBE"))),
        "{sight:#?}"
    );
    group.sentinels.switch().unwrap();
    eventually("switched", PATIENCE, || !group.primary_is(0)).await;
    let primary = group.primary().unwrap();
    world.shows(&primary.address(), NodeRole::Primary).await;
}

/// The rule for the Sentinels' login on the nodes (`docs/engines.md`).
fn sentinel_user(level: AclLevel) -> Vec<&'static str> {
    let mut words = vec![
        "ACL",
        "SETUSER",
        "watcher",
        "reset",
        "on",
        ">watcher-Password1",
    ];
    words.extend(
        "resetkeys -@all +auth +hello +multi +exec +ping +info +role +publish +subscribe +slaveof \
         +replicaof +config|rewrite +client|setname +client|kill +script|kill"
            .split_whitespace(),
    );
    if level >= AclLevel::Channels {
        words.extend(["allchannels", "+failover"]);
    }
    words
}

fn keeper(level: AclLevel) -> Vec<String> {
    let words = [
        "ACL",
        "SETUSER",
        "keeper",
        "reset",
        "on",
        ">keeper-Password1",
    ];
    let rule = claviger_core::acl::own_login_tokens(level, true);
    words.iter().map(|w| (*w).to_owned()).chain(rule).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_with_logins_of_their_own_keep_working() {
    for binary in few_engines() {
        let level = binary.engine.acl_level();
        let nodes = nodes(binary, Keeps::Config, &[], |node| {
            node.ask(&sentinel_user(level)).unwrap();
            let keeper = keeper(level);
            let keeper: Vec<&str> = keeper.iter().map(String::as_str).collect();
            node.ask(&keeper).unwrap();
        });
        let how = Watched {
            login: Some((Some("watcher".into()), "watcher-Password1".into())),
            ..Watched::default()
        };
        let group = watched(nodes, binary, &how).await;
        // The Sentinels have users, other than the nodes'; before 6.2 they have none.
        let with_users = level >= AclLevel::Channels;
        for sentinel in group.sentinels.each.iter().filter(|_| with_users) {
            let mut words = vec![
                "ACL",
                "SETUSER",
                "looker",
                "reset",
                "on",
                ">looker-Password1",
            ];
            let rule = sentinel_login_tokens(level);
            words.extend(rule.iter().map(String::as_str));
            sentinel.ask(&words).unwrap();
        }
        let mut own = group.by(&[0, 1, 2]);
        own.login.user = Some("keeper".into());
        own.login.password = Some(Secret::new("keeper-Password1"));
        own.login.sentinel = with_users.then(|| SentinelLogin {
            user: Some("looker".into()),
            password: Some(Secret::new("looker-Password1")),
        });
        let world = World::new(own.clone(), unswept());
        let report = world.fleet.check(&own).await;
        assert!(report.is_fine(), "{} {report:#?}", binary.engine);
        assert_eq!((report.nodes.len(), report.sentinels.len()), (3, 3));
        assert_eq!(report.topology, Some(Topology::Sentinel));
        for name in ["ape", "bee"] {
            world
                .create(name, "first-Password1", Privilege::ReadWrite)
                .await;
        }
        world.store.delete(&world.id, "bee");
        // The default user of the nodes gets a password; nobody else used it.
        world
            .store
            .set_default_password(&world.id, "first-Default1");
        world.wake();
        world.settled("the default account has a password").await;
        world.in_sync(3).await;
        group.sentinels.switch().unwrap();
        eventually("switched", PATIENCE, || !group.primary_is(0)).await;
        let primary = group.primary().unwrap();
        assert!(logs_in(primary, "ape", "first-Password1"));
        world.shows(&primary.address(), NodeRole::Primary).await;
        let flags = group.sentinels.each[0].ask(&["SENTINEL", "MASTER", MASTER]);
        assert!(!format!("{:?}", flags.unwrap()).contains("s_down"));
        world
            .shows(&group.nodes[0].address(), NodeRole::Replica)
            .await;
        let mut log = Session::login(&primary.address(), "default", "first-Default1").unwrap();
        let denied = format!("{:?}", log.ask(&["ACL", "LOG"]).unwrap());
        assert!(!denied.contains("watcher"), "{denied}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_of_sentinels_says_what_is_wrong() {
    let binary = found_engines().last().unwrap();
    let mut group = group(binary, Keeps::Aclfile).await;
    let world = World::new(group.by(&[0]), quick());
    let mut wrong = group.by(&[0]);
    wrong.master_name = Some("other".into());
    let report = world.fleet.check(&wrong).await;
    assert!(!report.is_fine() && report.nodes.is_empty());
    let problem = &report.sentinels[0].problems[0];
    assert_eq!(problem, "the Sentinel watches no primary named other");
    // Not said, but recognised, also with a login on the nodes that the Sentinels do not know.
    let mut auto = group.by(&[0]);
    auto.topology = TopologyChoice::Auto;
    assert_eq!(
        world.fleet.check(&auto).await.topology,
        Some(Topology::Sentinel)
    );
    auto.login.user = Some("nobody".into());
    auto.login.password = Some(Secret::new("nobody-Password1"));
    let report = world.fleet.check(&auto).await;
    assert_eq!((report.nodes.len(), report.sentinels.len()), (3, 3));
    let problem = &report.nodes[0].problems[0];
    assert!(problem.contains("refuses the login"), "{problem}");
    // A node in place of a Sentinel.
    let mut plain = group.by(&[0]);
    plain.seeds[0].address = group.nodes[0].address().as_str().into();
    let report = world.fleet.check(&plain).await;
    assert!(report.sentinels[0].problems[0].starts_with("this is no Sentinel"));
    // A replica that is down is known by the Sentinels alone.
    group.nodes[2].kill();
    let report = world.fleet.check(&group.by(&[0])).await;
    assert_eq!(report.nodes.len(), 3, "{report:#?}");
    let away = report
        .nodes
        .iter()
        .find(|n| !n.problems.is_empty())
        .unwrap();
    assert_eq!(away.node.address.as_str(), group.nodes[2].address());
    assert_eq!(away.problems, ["connection refused"]);
    world.wake();
    eventually_async("it is shown as such", PATIENCE, || async {
        let sight = world.sight().await;
        let mut nodes = sight.nodes.iter();
        nodes.any(|n| n.address.as_str() == group.nodes[2].address() && !n.reachable)
    })
    .await;
    group.nodes[2].start_again().unwrap();
    world.in_sync(3).await;
    // One Sentinel is enough.
    group.sentinels.each[1].kill();
    let report = world.fleet.check(&group.by(&[1, 0])).await;
    assert!(report.is_fine(), "{report:#?}");
    assert_eq!(report.sentinels[0].problems, ["connection refused"]);
}

/// How each Sentinel finds the primary.
fn flags(group: &Group) -> Vec<String> {
    let each = group.sentinels.each.iter();
    each.map(|s| format!("{:?}", s.ask(&["SENTINEL", "MASTER", MASTER]).unwrap()))
        .collect()
}

/// A Sentinel whose login is refused looks like one that logs in as the default user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_whose_own_login_fails_is_told_no_password() {
    for binary in few_engines() {
        let level = binary.engine.acl_level();
        let nodes = nodes(binary, Keeps::Aclfile, &[], |node| {
            node.ask(&sentinel_user(level)).unwrap();
        });
        let how = Watched {
            login: Some((Some("watcher".into()), "watcher-Password1".into())),
            ..Watched::default()
        };
        let group = watched(nodes, binary, &how).await;
        let world = World::new(group.by(&[0, 1, 2]), quick());
        world.in_sync(3).await;
        world.store.set_default_password(&world.id, OLD);
        world.wake();
        world.settled("the default account has a password").await;
        let by_hand = |words: &[&str]| {
            for node in &group.nodes {
                // The default user's passwords change meanwhile.
                let log_in = |password| Session::login(&node.address(), "default", password);
                let mut session = log_in(NEW).or_else(|_| log_in(OLD)).unwrap();
                session.ask(words).unwrap();
            }
        };
        by_hand(&["ACL", "DELUSER", "watcher"]);
        eventually("the Sentinels are locked out", PATIENCE, || {
            flags(&group).iter().all(|flags| flags.contains("s_down"))
        })
        .await;
        world.store.set_default_password(&world.id, NEW);
        world.wake();
        eventually_async("the Sentinels are waited for", PATIENCE, || async {
            let reason = world.account("default").await.reason.unwrap_or_default();
            reason.contains("Sentinel")
        })
        .await;
        by_hand(&sentinel_user(level));
        world.settled("the password has changed").await;
        by_hand(&["CLIENT", "KILL", "USER", "watcher"]);
        eventually("the Sentinels are logged in", PATIENCE, || {
            let calm = |flags: &String| !flags.contains("_down") && !flags.contains("disconnected");
            flags(&group).iter().all(calm)
        })
        .await;
        for node in &group.nodes {
            assert!(!logs_in(node, "default", OLD), "{}", binary.engine);
        }
    }
}

const OLD: &str = "first-Default0";
const NEW: &str = "next-Default1";

/// The replica follows its primary, asked with either password.
fn follows(node: &Server) -> bool {
    linked(node, Some(NEW)) || linked(node, Some(OLD))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_that_replicas_and_sentinels_log_in_with_changes() {
    for binary in few_engines() {
        let lines = [format!("requirepass {OLD}"), format!("masterauth {OLD}")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let nodes = nodes(binary, Keeps::Config, &lines, |_| {});
        for replica in &nodes[1..] {
            eventually("the replica is linked", PATIENCE, || follows(replica)).await;
        }
        let how = Watched {
            login: Some((None, OLD.into())),
            ..Watched::default()
        };
        let sentinels = Sentinels::start(binary, 3, &nodes[0], 2, &how).unwrap();
        let mut group = Group { nodes, sentinels };
        let mut own = group.by(&[0, 1, 2]);
        own.login.password = Some(Secret::new(OLD));
        let world = World::new(own, unswept());
        world
            .create("ape", "first-Password1", Privilege::ReadWrite)
            .await;
        world.in_sync(3).await;
        assert_eq!(world.sight().await.sentinels.len(), 3);
        // A replica and a Sentinel are away meanwhile.
        group.nodes[2].kill();
        group.sentinels.each[2].kill();
        let address = group.sentinels.each[2].address();
        eventually_async("the Sentinel is missed", PATIENCE, || async {
            let sight = world.sight().await;
            sight
                .sentinels
                .iter()
                .any(|s| s.address.as_str() == address && !s.reachable)
        })
        .await;
        world.store.set_default_password(&world.id, NEW);
        world.wake();
        eventually("the new password works", PATIENCE, || {
            logs_in(&group.nodes[0], "default", NEW) && logs_in(&group.nodes[1], "default", NEW)
        })
        .await;
        assert!(logs_in(&group.nodes[0], "default", OLD), "still needed");
        group.nodes[2].start_again().unwrap();
        eventually_async("the Sentinel is waited for", PATIENCE, || async {
            let reason = world.account("default").await.reason.unwrap_or_default();
            reason.contains(&address)
        })
        .await;
        for node in &group.nodes {
            assert!(logs_in(node, "default", OLD), "still needed");
        }
        group.sentinels.each[2].start_again().unwrap();
        world.settled("the password has changed").await;
        world.in_sync(3).await;
        for node in &group.nodes {
            assert!(!logs_in(node, "default", OLD));
            assert!(logs_in(node, "default", NEW));
        }
        // Every link is made anew, and a switch goes through.
        for node in &group.nodes {
            let mut session = Session::login(&node.address(), "default", NEW).unwrap();
            let _ = session.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            let _ = session.ask(&["CLIENT", "KILL", "TYPE", "slave"]);
        }
        for replica in &group.nodes[1..] {
            eventually("linked anew", PATIENCE, || linked(replica, Some(NEW))).await;
        }
        group.sentinels.switch().unwrap();
        eventually("switched", PATIENCE, || !group.primary_is(0)).await;
        eventually("the old primary follows", PATIENCE, || {
            linked(&group.nodes[0], Some(NEW))
        })
        .await;
        world.in_sync(3).await;
        for sentinel in &group.sentinels.each {
            let master = sentinel.ask(&["SENTINEL", "MASTER", MASTER]).unwrap();
            assert!(!format!("{master:?}").contains("s_down"), "{master:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_alone_learns_how_to_follow() {
    for binary in few_engines() {
        let first = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&first]);
        world.in_sync(1).await;
        world.store.set_default_password(&world.id, NEW);
        world.wake();
        world.settled("the password is set").await;
        let options = ServerOptions {
            replica_of: Some(first.port()),
            lines: vec![format!("masterauth {NEW}")],
            ..ServerOptions::default()
        };
        let second = Server::start(binary, &options).unwrap();
        world.in_sync(2).await;
        let mut session = Session::login(&first.address(), "default", NEW).unwrap();
        let auth = session.ask(&["CONFIG", "GET", "masterauth"]).unwrap();
        assert!(format!("{auth:?}").contains(NEW), "{auth:?}");
        // So the two may change places.
        let mut other = Session::login(&second.address(), "default", NEW).unwrap();
        other.ask(&["REPLICAOF", "NO", "ONE"]).unwrap();
        let port = second.port().to_string();
        session.ask(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
        eventually("turned round", PATIENCE, || linked(&first, Some(NEW))).await;
    }
}
