//! What an account may be besides its password and privilege: switched off, with further
//! passwords, with a role of the operator's own.

use crate::common::{PATIENCE, World, logs_in, pair};
use claviger_core::account::Account;
use claviger_core::ids::Revision;
use claviger_core::instance::{CustomRole, RolePolicy};
use claviger_core::password::PasswordDigest;
use claviger_core::ports::Fleet as _;
use claviger_core::privilege::{Privilege, RoleName};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_core::sight::{AccountProof, SyncState};
use claviger_testkit::{
    Keeps, Server, ServerOptions, Session, eventually, eventually_async, found_engines,
};

fn set(world: &World, name: &str, change: impl FnOnce(&mut Account)) {
    world.store.change_account(&world.id, name, change);
    world.wake();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_account_is_off_on_every_node_until_it_is_enabled() {
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        let mut open = Session::login(&primary.address(), "ape", "first-Password1").unwrap();
        set(&world, "ape", |account| account.enabled = false);
        world.settled("it is off").await;
        for server in [&primary, &replica] {
            assert!(
                !logs_in(server, "ape", "first-Password1"),
                "{}",
                binary.engine
            );
        }
        assert!(!open.is_closed(), "sessions stay by default");
        // Switched on by hand: put right.
        let repairs = world.fleet.stats().repairs;
        replica.ask(&["ACL", "SETUSER", "ape", "on"]).unwrap();
        eventually("it is off again", PATIENCE, || {
            world.fleet.stats().repairs > repairs
        })
        .await;
        world.in_sync(2).await;
        assert!(!logs_in(&replica, "ape", "first-Password1"));
        set(&world, "ape", |account| account.enabled = true);
        world.settled("it is on").await;
        for server in [&primary, &replica] {
            assert!(logs_in(server, "ape", "first-Password1"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_takes_each_of_its_passwords_and_no_other() {
    for binary in found_engines() {
        let server = Server::start(binary, &ServerOptions::default()).unwrap();
        let world = World::over(&[&server]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        set(&world, "ape", |account| {
            for more in ["second-Password2", "a-third-Password"] {
                let digest = PasswordDigest::of(&Secret::new(more));
                account.more_passwords.push(digest);
            }
        });
        world.settled("all three are there").await;
        let all = ["first-Password1", "second-Password2", "a-third-Password"];
        assert!(all.iter().all(|password| logs_in(&server, "ape", password)));
        // By hand: one more, and one less.
        let less = PasswordDigest::of(&Secret::new("second-Password2")).expose_hex();
        for hand in [">by-hand-Password".to_owned(), format!("!{less}")] {
            let repairs = world.fleet.stats().repairs;
            server.ask(&["ACL", "SETUSER", "ape", &hand]).unwrap();
            eventually("put right", PATIENCE, || {
                world.fleet.stats().repairs > repairs
            })
            .await;
            world.in_sync(1).await;
            assert!(all.iter().all(|password| logs_in(&server, "ape", password)));
            assert!(!logs_in(&server, "ape", "by-hand-Password"));
        }
        // The order in which they are kept means nothing.
        set(&world, "ape", |account| account.more_passwords.reverse());
        world.settled("nothing has changed").await;
        set(&world, "ape", |account| {
            account.password = Some(PasswordDigest::of(&Secret::new("a-new-Password4")));
            account.more_passwords.clear();
        });
        world.settled("the new one is there").await;
        assert!(logs_in(&server, "ape", "a-new-Password4"));
        assert!(!all.iter().any(|password| logs_in(&server, "ape", password)));
    }
}

fn roles(rules: &[&str]) -> RolePolicy {
    RolePolicy {
        custom: vec![CustomRole {
            name: RoleName::parse("reporting").unwrap(),
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        }],
        ..RolePolicy::default()
    }
}

fn set_roles(world: &World, roles: RolePolicy) {
    world.store.change_held(&world.id, |held| {
        held.instance.roles = roles;
        let revision = held.instance.revision;
        for account in held.accounts.iter_mut().filter(|a| a.is_managed()) {
            account.revision = revision;
        }
    });
    world.wake();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_of_ones_own_reaches_every_account_and_says_what_a_node_refuses() {
    let reporting = Privilege::parse("reporting").unwrap();
    for binary in found_engines() {
        let (primary, replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&primary]);
        world
            .create("cat", "first-Password1", Privilege::ReadWrite)
            .await;
        set_roles(&world, roles(&["~app:*", "+@read", "-keys"]));
        for name in ["ape", "bee"] {
            world.create(name, "first-Password1", reporting).await;
        }
        for server in [&primary, &replica] {
            let mut session = Session::login(&server.address(), "ape", "first-Password1").unwrap();
            assert!(session.may(&["GET", "app:1"]) && !session.may(&["GET", "other"]));
            assert!(!session.may(&["KEYS", "*"]) && !session.may(&["SET", "app:1", "x"]));
        }
        set_roles(&world, roles(&["+@read", "+set"]));
        world.settled("the other rules").await;
        for name in ["ape", "bee"] {
            let mut session = Session::login(&replica.address(), name, "first-Password1").unwrap();
            assert!(session.may(&["GET", "other"]) && session.may(&["SET", "x", "x"]));
        }
        // What the servers do not know is refused, with their reason; the rest stays as it was.
        set_roles(&world, roles(&["+@read", "+no-such-command"]));
        for name in ["ape", "bee"] {
            world.reaches(name, SyncState::Failed).await;
            let reason = world.account(name).await.reason.unwrap();
            assert!(reason.contains("no-such-command"), "{reason}");
            assert!(logs_in(&primary, name, "first-Password1"));
        }
        world.reaches("cat", SyncState::InSync).await;
        set_roles(&world, roles(&["+@read"]));
        world.in_sync(2).await;
        // Gone from under its accounts: they may do nothing.
        set_roles(&world, RolePolicy::default());
        world.settled("the role is gone").await;
        let mut session = Session::login(&primary.address(), "ape", "first-Password1").unwrap();
        assert!(!session.may(&["GET", "other"]) && !session.may(&["PING"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_the_servers_are_told() {
    for binary in found_engines() {
        let (primary, mut replica) = pair(binary, Keeps::Nothing).await;
        let world = World::over(&[&replica, &primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        world.in_sync(2).await;
        let words = async |category| world.fleet.acl_words(&world.id, category).await;
        let categories = words(None).await.unwrap();
        assert!(categories.iter().any(|word| word == "read") && categories.is_sorted());
        // A node that is down is passed over.
        replica.kill();
        let commands = words(Some("transaction")).await.unwrap();
        assert!(commands.iter().any(|word| word == "multi") && commands.is_sorted());
        for bad in ["nonsense", "", "a b"] {
            let refusal = words(Some(bad)).await.unwrap_err();
            assert!(
                matches!(refusal, Refusal::ParameterInvalid { .. }),
                "{refusal:?}"
            );
        }
        drop(primary);
        assert_eq!(words(None).await, Err(Refusal::Unavailable));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_back_is_told_node_by_node() {
    for binary in found_engines() {
        let (mut primary, _replica) = pair(binary, Keeps::Aclfile).await;
        let world = World::over(&[&primary]);
        world
            .create("ape", "first-Password1", Privilege::ReadOnly)
            .await;
        let proven = async |revision| {
            let proof = world.account("ape").await.proof;
            let fits = |proof: &AccountProof| proof.saved && proof.revision == Revision(revision);
            proof.len() == 2 && proof.iter().all(fits)
        };
        eventually_async("both nodes have it saved", PATIENCE, || proven(1)).await;
        let first = world.account("ape").await.proof;
        // What no node holds needs no new proof.
        set(&world, "ape", |account| {
            account.description = "an ape".into()
        });
        eventually_async("it is true of the next revision", PATIENCE, || proven(2)).await;
        let second = world.account("ape").await.proof;
        assert_eq!(second[0].read_back_at, first[0].read_back_at);
        set(&world, "ape", |account| {
            account.privilege = Privilege::ReadWrite
        });
        eventually_async("it is proven anew", PATIENCE, || proven(3)).await;
        // Another process proves itself.
        let run_id = world.sight().await.nodes[0].run_id.clone();
        primary.restart().unwrap();
        eventually_async("it is another process", PATIENCE, || async {
            let sight = world.sight().await;
            sight.in_sync && sight.nodes[0].run_id != run_id && proven(3).await
        })
        .await;
    }
}
