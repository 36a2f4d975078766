//! Every privilege, tried by the account's own login, in both profiles.

use crate::common::World;
use claviger_core::instance::{AdministratorReach, RolePolicy, RoleProfile};
use claviger_core::privilege::Privilege;
use claviger_testkit::{Server, ServerOptions, Session, found_engines};

/// What a privilege may and may not run, in one profile.
struct Case {
    privilege: Privilege,
    profile: RoleProfile,
    may: &'static [&'static str],
    may_not: &'static [&'static str],
}

/// Nobody but a full administrator may do these.
const NEVER: &[&str] = &[
    "ACL SETUSER x on",
    "ACL LIST",
    "CONFIG GET requirepass",
    "CONFIG SET maxmemory 0",
    "SHUTDOWN NOSAVE NOW",
    "REPLICAOF NO ONE",
    "MIGRATE h 1 k 0 1",
    "MODULE LIST",
    "CLUSTER RESET",
];

const READS: &[&str] = &[
    "GET k",
    "HGETALL h",
    "SCAN 0",
    "TTL k",
    "PING",
    "SELECT 0",
    "INFO",
];

const CASES: &[Case] = &[
    Case {
        privilege: Privilege::ReadOnly,
        profile: RoleProfile::Faithful,
        may: &["KEYS *", "SUBSCRIBE c", "MULTI"],
        may_not: &[
            "SET k v",
            "DEL k",
            "FLUSHALL",
            "EVAL return 0",
            "PUBLISH c m",
            "MONITOR",
        ],
    },
    Case {
        privilege: Privilege::ReadOnly,
        profile: RoleProfile::Strict,
        may: &["MULTI"],
        may_not: &["KEYS *", "SET k v", "SORT l"],
    },
    Case {
        privilege: Privilege::ReadWrite,
        profile: RoleProfile::Faithful,
        may: &[
            "SET k v",
            "KEYS *",
            "SORT l",
            "FLUSHDB",
            "EVAL return 0",
            "PUBLISH c m",
            "SCRIPT FLUSH",
        ],
        may_not: &[
            "MONITOR",
            "CLIENT LIST",
            "CLIENT KILL 1.2.3.4:5",
            "SAVE",
            "SLOWLOG GET",
            "LATENCY LATEST",
            "MEMORY PURGE",
        ],
    },
    Case {
        privilege: Privilege::ReadWrite,
        profile: RoleProfile::Strict,
        may: &["SET k v", "EVAL return 0", "PUBLISH c m"],
        may_not: &["KEYS *", "SORT l", "FLUSHDB", "SCRIPT FLUSH", "MONITOR"],
    },
    Case {
        privilege: Privilege::Replication,
        profile: RoleProfile::Faithful,
        may: &["SET k v", "GET k", "REPLCONF listening-port 1", "KEYS *"],
        may_not: &["MONITOR", "SAVE"],
    },
    Case {
        privilege: Privilege::NotDangerous,
        profile: RoleProfile::Faithful,
        may: &["SET k v", "GET k", "EVAL return 0"],
        may_not: &["KEYS *", "FLUSHALL", "MONITOR", "SORT l"],
    },
    Case {
        privilege: Privilege::Administrator,
        profile: RoleProfile::Faithful,
        may: &[
            "SET k v",
            "KEYS *",
            "FLUSHDB",
            "CLIENT LIST",
            "SLOWLOG GET",
            "CONFIG RESETSTAT",
        ],
        may_not: &[],
    },
];

/// `EVAL return 0` needs its key count, and its script is one word.
fn words(command: &str) -> Vec<&str> {
    if command == "EVAL return 0" {
        return vec!["EVAL", "return 0", "0"];
    }
    command.split(' ').collect()
}

fn try_all(server: &Server, name: &str, case: &Case, label: &str) {
    let session = || Session::login(&server.address(), name, "first-Password1").unwrap();
    let reads: &[&str] = match case.privilege {
        Privilege::WriteOnly => &[],
        _ => READS,
    };
    for command in case.may.iter().chain(reads) {
        assert!(
            session().may(&words(command)),
            "{label}: {command} should be allowed"
        );
    }
    for command in case.may_not.iter().chain(NEVER) {
        assert!(
            !session().may(&words(command)),
            "{label}: {command} should be refused"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_privilege_grants_what_it_says_and_no_more() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        server.ask(&["SET", "k", "v"]).unwrap();
        let world = World::over(&[&server]);
        for profile in [RoleProfile::Faithful, RoleProfile::Strict] {
            world.store.change_held(&world.id, |held| {
                held.instance.roles = RolePolicy {
                    profile,
                    ..RolePolicy::default()
                };
                let revision = held.instance.revision;
                for account in held.accounts.iter_mut().filter(|a| a.is_managed()) {
                    account.revision = revision;
                }
            });
            for case in CASES.iter().filter(|case| case.profile == profile) {
                let name = format!("{}-{profile:?}", case.privilege).to_lowercase();
                world.create(&name, "first-Password1", case.privilege).await;
                let label = format!("{} {name}", binary.engine);
                try_all(&server, &name, case, &label);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_only_writes_and_a_full_administrator_may_everything() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        world
            .create("writer", "first-Password1", Privilege::WriteOnly)
            .await;
        let mut writer = Session::login(&server.address(), "writer", "first-Password1").unwrap();
        assert!(writer.may(&["SET", "k", "v"]) && writer.may(&["PUBLISH", "c", "m"]));
        for refused in [
            &["GET", "k"][..],
            &["KEYS", "*"],
            &["FLUSHALL"],
            &["EVAL", "return 0", "0"],
        ] {
            assert!(!writer.may(refused), "{} {refused:?}", binary.engine);
        }
        world.store.change_held(&world.id, |held| {
            held.instance.roles.administrator = AdministratorReach::Full;
        });
        world
            .create("root", "first-Password1", Privilege::Administrator)
            .await;
        let mut root = Session::login(&server.address(), "root", "first-Password1").unwrap();
        assert!(root.may(&["ACL", "LIST"]) && root.may(&["CONFIG", "GET", "maxmemory"]));
    }
}
