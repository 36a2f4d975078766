//! What every store must do, written against the port alone: [`suite`] takes a way to make an
//! empty store, so that the next kind of store runs the same cases.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;
mod embedded;
mod shared;
mod transfer;

use claviger_core::access::{AccessKey, FormerSecret, Role, Scope, Tags};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::account::{AccountKind, Life};
use claviger_core::audit::{AuditEntry, AuditQuery, Broken, Chain, Facts};
use claviger_core::command::{Command, ModifyAccount, Target};
use claviger_core::engine::{Engine, Family};
use claviger_core::ids::{InstanceId, KeyId, Revision, TaskId};
use claviger_core::instance::{
    AdministratorReach, CustomRole, InstanceState, RolePolicy, RoleProfile, SentinelLogin, Topology,
};
use claviger_core::node::{NodeRecord, NodeRole, Persistence};
use claviger_core::policy::InstancePolicy;
use claviger_core::ports::{Confirm, Observed, Op, Store, StoreError};
use claviger_core::privilege::{Privilege, RoleName, Routing};
use claviger_core::query::{InstanceQuery, Page, TaskQuery};
use claviger_core::reach::AddressMap;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_core::task::{TaskKind, TaskState};
use claviger_store::SqliteStore;
use common::*;
use std::sync::Arc;

/// The suite as tests of a module: `$open` makes an empty store and whatever must outlive it, or
/// says why there is none.
macro_rules! suite {
    ($module:ident, $open:expr) => {
        mod $module {
            use super::*;
            each! { $open;
                instances_come_as_they_went,
                an_account_lives_and_ends,
                refusals_write_nothing,
                a_token_makes_it_once,
                a_token_among_a_hundred,
                nonces_are_used_once,
                a_name_is_used_again,
                a_deletion_supersedes_what_was_not_done,
                confirmations_never_go_back,
                a_late_confirmation_proves_little,
                the_default_password_changes_the_login,
                roles_make_a_revision,
                observations_replace,
                labels_and_state,
                instances_by_query,
                tasks_by_query,
                task_numbers_never_return,
                keys,
                keys_are_rotated_and_end,
                last_uses_only_rise,
                access_policies,
                tags_are_kept,
                audit_newest_first,
                audit_by_query,
                audit_is_a_chain,
                what_is_undone_leaves_no_gap,
                operations_are_all_or_nothing,
                settings_are_written_once,
                purge_forgets_what_is_past,
                a_panicking_decision_harms_nobody,
                views_open_nothing,
                views_are_never_stale,
                removal_takes_everything,
                accounts_keep_their_state,
                policies_are_kept,
                failures_are_counted,
                only_finished_tasks_are_forgotten,
                narrower_look_ups,
                ends_that_have_come,
                users_are_taken_over,
                passwords_that_were_are_remembered,
                passwords_that_were_are_bounded,
                accounts_that_links_log_in_with,
            }
        }
    };
}

macro_rules! each {
    ($open:expr; $($case:ident),+ $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let name = concat!(module_path!(), "::", stringify!($case));
            if let Some((_keep, store)) = $open(name).await {
                cases::$case(store).await;
            }
        }
    )+ };
}

async fn embedded(_: &str) -> Option<(tempfile::TempDir, Arc<dyn Store>)> {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&directory.path().join("test.db"), sealer()).unwrap();
    Some((directory, Arc::new(store)))
}

suite!(sqlite, embedded);
suite!(postgres, shared::empty);

mod more;

mod cases {
    use super::*;

    pub(super) use super::more::{
        accounts_keep_their_state, accounts_that_links_log_in_with, ends_that_have_come,
        failures_are_counted, narrower_look_ups, only_finished_tasks_are_forgotten,
        passwords_that_were_are_bounded, passwords_that_were_are_remembered, policies_are_kept,
        users_are_taken_over,
    };

    type Any = Arc<dyn Store>;

    async fn with_instance(store: &Any) -> InstanceId {
        add(&**store, instance("r-1")).await.unwrap();
        "r-1".into()
    }

    async fn confirm(store: &Any, id: &InstanceId, what: Confirm) {
        let op = Op::Confirm(id.clone(), what, after_secs(1));
        store.apply(vec![op], None).await.unwrap();
    }

    /// Confirms every live account and every deletion as they are now.
    async fn confirm_all(store: &Any, id: &InstanceId) {
        let held = store.held(id).await.unwrap().unwrap();
        let (gone, live): (Vec<_>, Vec<_>) = held
            .accounts
            .iter()
            .partition(|account| account.life == Life::Deleting);
        let pairs = |list: Vec<&claviger_core::account::Account>| {
            list.iter().map(|a| (a.id, a.revision)).collect()
        };
        let what = Confirm {
            accounts: pairs(live),
            gone: pairs(gone),
        };
        confirm(store, id, what).await;
    }

    async fn task_states(store: &Any) -> Vec<(TaskKind, TaskState)> {
        let tasks = store.tasks(&TaskQuery::default()).await.unwrap();
        tasks.rows.iter().map(|t| (t.kind, t.state)).collect()
    }

    pub(super) async fn instances_come_as_they_went(store: Any) {
        let mut given = instance("r-1");
        given.login.user = Some("admin".into());
        given.login.former = vec![None, Some(Secret::new("older"))];
        given.default_password = Some(Secret::new("default-password"));
        given.master_name = Some("mymaster".into());
        given.login.sentinel = Some(SentinelLogin {
            user: Some("watch".into()),
            password: Some(Secret::new("sentinel-password")),
        });
        given.map = vec![AddressMap {
            announced: "10.0.0.1".into(),
            reachable: "gate.example".into(),
        }];
        given.observed_topology = Some(Topology::Replicated);
        given.roles = RolePolicy {
            profile: RoleProfile::Strict,
            disabled_commands: vec!["keys".into()],
            administrator: AdministratorReach::Full,
            custom: vec![CustomRole {
                name: RoleName::parse("reporting").unwrap(),
                rules: vec!["+@read".into()],
            }],
        };
        add(&*store, given.clone()).await.unwrap();
        let held = held(&*store, "r-1").await;
        let back = &held.instance;
        assert_eq!(back.view(), given.view());
        assert_eq!(back.tls, given.tls);
        assert_eq!(back.map, given.map);
        let sentinel = back.login.sentinel.as_ref().unwrap();
        assert_eq!(sentinel.user.as_deref(), Some("watch"));
        let password = sentinel.password.as_ref().unwrap();
        assert_eq!(password.expose(), "sentinel-password");
        assert_eq!(back.master_name, given.master_name);
        assert_eq!(back.unmanaged, given.unmanaged);
        assert_eq!(back.login.user.as_deref(), Some("admin"));
        let password = back.login.password.as_ref().unwrap();
        assert_eq!(password.expose(), "login-password-1");
        assert_eq!(back.login.former.len(), 2);
        assert!(back.login.former[0].is_none());
        assert_eq!(back.login.former[1].as_ref().unwrap().expose(), "older");
        let password = back.default_password.as_ref().unwrap();
        assert_eq!(password.expose(), "default-password");
        assert_eq!(held.accounts.len(), 1);
        let account = &held.accounts[0];
        assert_eq!(account.kind, AccountKind::Default);
        assert_eq!(account.name.as_str(), "default");
        assert!(!account.is_managed() && account.is_confirmed());
        assert_eq!(store.instance_ids().await.unwrap(), ["r-1".into()]);

        let again = add(&*store, instance("r-1")).await;
        assert!(matches!(again, Err(StoreError::Exists)));
        let none = store.held(&"r-2".into()).await.unwrap();
        assert!(none.is_none());
        assert!(store.viewed(&"r-2".into()).await.unwrap().is_none());
    }

    pub(super) async fn an_account_lives_and_ends(store: Any) {
        let id = with_instance(&store).await;
        let made = ask(&*store, create("r-1", "zoe", "p-1")).await.unwrap();
        assert_eq!((made.revision, made.replayed), (Revision(1), false));
        ask(&*store, create("r-1", "adam", "p-2")).await.unwrap();
        let now_held = held(&*store, "r-1").await;
        let names: Vec<_> = now_held.accounts.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["default", "adam", "zoe"]);
        let zoe = now_held.account("zoe").unwrap();
        assert!(zoe.password.as_ref().unwrap().matches(&Secret::new("p-1")));
        assert_eq!(zoe.description, "about zoe");
        assert_eq!(zoe.id.to_string(), made.outcome.account.id);
        assert_eq!(zoe.routing, Routing::PRIMARY);
        assert_eq!(now_held.instance.revision, Revision(2));

        let granted = grant("r-1", "zoe", Privilege::Replication);
        assert_eq!(ask(&*store, granted).await.unwrap().revision, Revision(3));
        let changed = password("r-1", Target::Name("zoe".into()), "p-3");
        ask(&*store, changed).await.unwrap();
        let policy = InstancePolicy {
            replica_reads: true,
            ..InstancePolicy::default()
        };
        let op = Op::SetPolicy("r-1".into(), policy);
        store.apply(vec![op], None).await.unwrap();
        let routed = Command::Modify(ModifyAccount {
            routing: Some(claviger_core::command::Asked::Known(Routing {
                primary: false,
                replica: true,
            })),
            ..modify("r-1", Target::Name("zoe".into()))
        });
        ask(&*store, routed).await.unwrap();
        let now_held = held(&*store, "r-1").await;
        let zoe = now_held.account("zoe").unwrap();
        assert_eq!(zoe.privilege, Privilege::Replication);
        assert!(zoe.password.as_ref().unwrap().matches(&Secret::new("p-3")));
        assert!(zoe.routing.replica && !zoe.routing.primary);
        assert_eq!((zoe.revision, zoe.confirmed), (Revision(5), Revision::ZERO));

        confirm_all(&store, &id).await;
        let gone = ask(&*store, delete("r-1", "zoe")).await.unwrap();
        assert_eq!(gone.revision, Revision(6));
        let now_held = held(&*store, "r-1").await;
        let zoe = now_held.account("zoe").unwrap();
        assert_eq!((zoe.life, zoe.revision), (Life::Deleting, Revision(6)));
        confirm_all(&store, &id).await;
        assert!(held(&*store, "r-1").await.account("zoe").is_none());
        let states = task_states(&store).await;
        assert_eq!(states[0].0, TaskKind::DeleteAccount);
        assert_eq!(states.len(), 6);
        assert!(states.iter().all(|(_, s)| *s == TaskState::Succeeded));
        let task = &store.tasks(&TaskQuery::default()).await.unwrap().rows[0];
        assert_eq!(task.finished_at, Some(after_secs(1)));
        assert_eq!(
            (task.account_name.as_str(), task.by.as_str()),
            ("zoe", "root")
        );
    }

    pub(super) async fn refusals_write_nothing(store: Any) {
        let missing = ask(&*store, create("r-1", "a", "p")).await;
        assert_eq!(missing.unwrap_err(), Refusal::InstanceNotFound);
        with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let mut refused = write(create("r-1", "a", "p"), RULES);
        refused.idempotency = token("t", 1);
        refused.nonce = nonce(1);
        let answer = store.change(refused).await.unwrap();
        assert_eq!(answer.unwrap_err(), Refusal::AccountExists);
        // Neither token nor nonce was used up.
        let mut good = write(create("r-1", "b", "p"), RULES);
        good.idempotency = token("t", 2);
        good.nonce = nonce(1);
        assert!(store.change(good).await.unwrap().is_ok());
        assert_eq!(held(&*store, "r-1").await.instance.revision, Revision(2));
        assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().total, 2);
        assert_eq!(task_states(&store).await.len(), 2);
    }

    pub(super) async fn a_token_makes_it_once(store: Any) {
        with_instance(&store).await;
        let with = |name: &str, t: &str, fingerprint| {
            let mut write = write(create("r-1", name, "p"), RULES);
            write.idempotency = token(t, fingerprint);
            write
        };
        let first = store.change(with("a", "t-1", 1)).await.unwrap().unwrap();
        let again = store.change(with("a", "t-1", 1)).await.unwrap().unwrap();
        assert!(again.replayed && !first.replayed);
        assert_eq!(again.outcome, first.outcome);
        assert_eq!(again.revision, first.revision);
        let other = store.change(with("b", "t-1", 2)).await.unwrap();
        assert_eq!(other.unwrap_err(), Refusal::TokenReused);
        // Another caller's token of the same text is another token.
        let mut elsewhere = with("c", "t-1", 3);
        elsewhere.idempotency.as_mut().unwrap().scope = "other".into();
        let accepted = store.change(elsewhere).await.unwrap().unwrap();
        assert!(!accepted.replayed);
        // Past its time it is as if never seen.
        let mut late = with("d", "t-1", 4);
        late.at = after_secs(3_600);
        late.idempotency.as_mut().unwrap().until = after_secs(7_200);
        assert!(!store.change(late).await.unwrap().unwrap().replayed);
        assert_eq!(held(&*store, "r-1").await.instance.revision, Revision(3));
        // An instance that is gone has no answers any more.
        let gone = Op::RemoveInstance("r-1".into());
        store.apply(vec![gone], None).await.unwrap();
        let again = store.change(with("d", "t-1", 4)).await.unwrap();
        assert_eq!(again.unwrap_err(), Refusal::InstanceNotFound);
    }

    pub(super) async fn a_token_among_a_hundred(store: Any) {
        with_instance(&store).await;
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let store = Arc::clone(&store);
            callers.spawn(async move {
                let mut write = write(create("r-1", "a", "p"), RULES);
                write.idempotency = token("t", 1);
                store.change(write).await.unwrap().unwrap()
            });
        }
        let answers = callers.join_all().await;
        assert_eq!(answers.iter().filter(|a| !a.replayed).count(), 1);
        assert!(answers.iter().all(|a| a.outcome == answers[0].outcome));
        assert_eq!(held(&*store, "r-1").await.accounts.len(), 2);
        assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().total, 1);
    }

    pub(super) async fn nonces_are_used_once(store: Any) {
        with_instance(&store).await;
        let with = |name: &str, n| {
            let mut write = write(create("r-1", name, "p"), RULES);
            write.nonce = nonce(n);
            write
        };
        assert!(store.change(with("a", 1)).await.unwrap().is_ok());
        let again = store.change(with("b", 1)).await.unwrap();
        assert_eq!(again.unwrap_err(), Refusal::NonceUsed);
        assert!(store.change(with("b", 2)).await.unwrap().is_ok());
        let mut late = with("c", 1);
        late.at = after_secs(900);
        assert!(store.change(late).await.unwrap().is_ok());
    }

    pub(super) async fn a_name_is_used_again(store: Any) {
        let id = with_instance(&store).await;
        let first = ask(&*store, create("r-1", "a", "p-1")).await.unwrap();
        confirm_all(&store, &id).await;
        let old = held(&*store, "r-1").await.account("a").unwrap().id;
        ask(&*store, delete("r-1", "a")).await.unwrap();
        let second = ask(&*store, create("r-1", "a", "p-2")).await.unwrap();
        assert_ne!(first.outcome.account.id, second.outcome.account.id);
        let now_held = held(&*store, "r-1").await;
        assert_eq!(now_held.accounts.len(), 2);
        let new = now_held.account("a").unwrap().clone();
        assert!(new.replaces && new.life == Life::Live && new.id != old);
        // What the fleet says of the old one comes too late.
        let late = Confirm {
            accounts: vec![],
            gone: vec![(old, Revision(2))],
        };
        confirm(&store, &id, late).await;
        assert!(held(&*store, "r-1").await.account("a").is_some());
        let running = |states: Vec<(TaskKind, TaskState)>| {
            states.iter().filter(|s| s.1 == TaskState::Running).count()
        };
        assert_eq!(running(task_states(&store).await), 2);
        // The new one's confirmation ends the work on the old one as well.
        confirm_all(&store, &id).await;
        assert_eq!(running(task_states(&store).await), 0);
        let now_held = held(&*store, "r-1").await;
        assert!(!now_held.account("a").unwrap().replaces);
    }

    /// What was never confirmed did not succeed by being undone.
    pub(super) async fn a_deletion_supersedes_what_was_not_done(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p-1")).await.unwrap();
        ask(&*store, delete("r-1", "a")).await.unwrap();
        confirm_all(&store, &id).await;
        assert_eq!(
            task_states(&store).await,
            [
                (TaskKind::DeleteAccount, TaskState::Succeeded),
                (TaskKind::CreateAccount, TaskState::Superseded),
            ]
        );
    }

    pub(super) async fn confirmations_never_go_back(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        ask(&*store, create("r-1", "b", "p")).await.unwrap();
        ask(&*store, grant("r-1", "a", Privilege::ReadWrite))
            .await
            .unwrap();
        let a = held(&*store, "r-1").await.account("a").unwrap().id;
        let up_to = |revision| Confirm {
            accounts: vec![(a, Revision(revision))],
            gone: vec![],
        };
        let confirmed = async || {
            let held = held(&*store, "r-1").await;
            held.account("a").unwrap().confirmed.0
        };
        confirm(&store, &id, up_to(1)).await;
        assert_eq!(confirmed().await, 1);
        let states = task_states(&store).await;
        assert_eq!(
            states[0].1,
            TaskState::Running,
            "the grant is not confirmed"
        );
        assert_eq!(states[2].1, TaskState::Succeeded, "the creation is");
        confirm(&store, &id, up_to(3)).await;
        confirm(&store, &id, up_to(1)).await;
        assert_eq!(confirmed().await, 3);
        // The instance may be further than the account; the account is not.
        confirm(&store, &id, up_to(99)).await;
        assert_eq!(confirmed().await, 3);
        assert_eq!(task_states(&store).await[1].1, TaskState::Running, "b's");
        let nowhere = Op::Confirm("r-9".into(), Confirm::default(), now());
        let answer = store.apply(vec![nowhere], None).await;
        assert!(
            answer.is_ok(),
            "the instance was removed meanwhile: nothing to confirm"
        );
    }

    pub(super) async fn a_late_confirmation_proves_little(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let a = held(&*store, "r-1").await.account("a").unwrap().id;
        ask(&*store, delete("r-1", "a")).await.unwrap();
        // "It is there at revision 2" cannot be meant of one that is deleted at revision 2.
        let wrong = Confirm {
            accounts: vec![(a, Revision(2))],
            gone: vec![(a, Revision(1))],
        };
        confirm(&store, &id, wrong).await;
        let account = held(&*store, "r-1").await.account("a").unwrap().clone();
        assert_eq!(account.confirmed, Revision::ZERO);
        // "It was there at revision 1" is true and ends the creation's task only.
        let late = Confirm {
            accounts: vec![(a, Revision(1))],
            gone: vec![],
        };
        confirm(&store, &id, late).await;
        let states = task_states(&store).await;
        assert_eq!(states[0], (TaskKind::DeleteAccount, TaskState::Running));
        assert_eq!(states[1], (TaskKind::CreateAccount, TaskState::Succeeded));
    }

    pub(super) async fn the_default_password_changes_the_login(store: Any) {
        let id = with_instance(&store).await;
        let changed = password("r-1", Target::Default, "new-default-1");
        ask(&*store, changed).await.unwrap();
        let again = password("r-1", Target::Default, "new-default-2");
        ask(&*store, again).await.unwrap();
        let now_held = held(&*store, "r-1").await;
        let login = &now_held.instance.login;
        assert_eq!(login.password.as_ref().unwrap().expose(), "new-default-2");
        let former: Vec<_> = login
            .former
            .iter()
            .map(|f| f.as_ref().unwrap().expose())
            .collect();
        assert_eq!(former, ["new-default-1", "login-password-1"]);
        let kept = now_held.instance.default_password.as_ref().unwrap();
        assert_eq!(kept.expose(), "new-default-2");
        assert!(now_held.accounts[0].is_managed());
        // The former logins stay: a node may come back with an old file.
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let default = now_held.accounts[0].id;
        let some = Confirm {
            accounts: vec![(default, Revision(2))],
            gone: vec![],
        };
        confirm(&store, &id, some).await;
        assert_eq!(held(&*store, "r-1").await.instance.login.former.len(), 2);
        confirm_all(&store, &id).await;
        let login = held(&*store, "r-1").await.instance.login;
        assert_eq!(login.former.len(), 2);
        assert_eq!(login.password.unwrap().expose(), "new-default-2");
    }

    pub(super) async fn roles_make_a_revision(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        confirm_all(&store, &id).await;
        let roles = RolePolicy {
            disabled_commands: vec!["flushall".into()],
            ..RolePolicy::default()
        };
        let op = Op::SetRoles(id.clone(), roles.clone());
        store
            .apply(vec![op], Some(audit_entry("SetRoles")))
            .await
            .unwrap();
        let now_held = held(&*store, "r-1").await;
        assert_eq!(now_held.instance.roles, roles);
        assert_eq!(now_held.instance.revision, Revision(2));
        assert_eq!(now_held.account("a").unwrap().revision, Revision(2));
        assert!(!now_held.account("a").unwrap().is_confirmed());
        let default = &now_held.accounts[0];
        assert!(default.is_confirmed() && default.revision == Revision::ZERO);
        let nowhere = Op::SetRoles("r-9".into(), roles);
        let answer = store.apply(vec![nowhere], None).await;
        assert!(matches!(answer, Err(StoreError::NotFound)));
    }

    fn node(address: &str, role: NodeRole) -> NodeRecord {
        NodeRecord {
            address: address.into(),
            tls: true,
            role,
            engine: Engine::parse(Family::Valkey, "9.0.1"),
            run_id: "0123456789".into(),
            persistence: Persistence::Aclfile,
            confirmed: Revision(3),
            saved: Revision(2),
        }
    }

    pub(super) async fn observations_replace(store: Any) {
        let mut new = instance("r-1");
        new.state = InstanceState::Registering;
        new.engine = None;
        add(&*store, new).await.unwrap();
        let id = InstanceId::from("r-1");
        let seen = |nodes: Vec<NodeRecord>, users| {
            Op::Observe(Observed {
                instance: "r-1".into(),
                topology: Topology::Replicated,
                engine: Engine::parse(Family::Valkey, "9.0.1"),
                unmanaged: (0..users)
                    .map(|n| format!("u{n}").as_str().into())
                    .collect(),
                link_users: Vec::new(),
                nodes,
            })
        };
        let two = vec![
            node("z:1", NodeRole::Primary),
            node("a:1", NodeRole::Replica),
        ];
        let op = seen(two.clone(), 5_000);
        store.apply(vec![op], None).await.unwrap();
        let instance = held(&*store, "r-1").await.instance;
        assert_eq!(instance.state, InstanceState::Running);
        assert_eq!(instance.observed_topology, Some(Topology::Replicated));
        assert_eq!(instance.engine.unwrap().to_string(), "valkey 9.0.1");
        assert_eq!(instance.unmanaged.len(), 1_000);
        assert_eq!(store.nodes(&id).await.unwrap(), two);
        let one = vec![node("z:1", NodeRole::Primary)];
        store.apply(vec![seen(one.clone(), 0)], None).await.unwrap();
        assert_eq!(store.nodes(&id).await.unwrap(), one);
        // A paused instance stays paused.
        let pause = Op::SetState(id.clone(), InstanceState::Paused);
        store.apply(vec![pause, seen(two, 1)], None).await.unwrap();
        let instance = held(&*store, "r-1").await.instance;
        assert_eq!(instance.state, InstanceState::Paused);
        assert!(store.nodes(&"r-9".into()).await.unwrap().is_empty());
    }

    pub(super) async fn labels_and_state(store: Any) {
        let id = with_instance(&store).await;
        let labels = |name: Option<&str>, region: Option<&str>| Op::SetLabels {
            instance: "r-1".into(),
            name: name.map(str::to_owned),
            region: region.map(str::to_owned),
        };
        store
            .apply(vec![labels(Some("new"), None)], None)
            .await
            .unwrap();
        store
            .apply(vec![labels(None, Some("eu"))], None)
            .await
            .unwrap();
        let pause = Op::SetState(id, InstanceState::Paused);
        store.apply(vec![pause], None).await.unwrap();
        let instance = held(&*store, "r-1").await.instance;
        assert_eq!(
            (instance.name.as_str(), instance.region.as_str()),
            ("new", "eu")
        );
        let refused = ask(&*store, create("r-1", "a", "p")).await;
        assert_eq!(refused.unwrap_err(), Refusal::InstanceNotRunning);
    }

    pub(super) async fn instances_by_query(store: Any) {
        for (id, name, region) in [
            ("r-c", "orders", "eu"),
            ("r-a", "sessions", "eu"),
            ("r-b", "orders-50%_test", "us"),
        ] {
            let mut new = instance(id);
            new.name = name.into();
            new.region = region.into();
            add(&*store, new).await.unwrap();
        }
        let ask = async |query: InstanceQuery| {
            let rows = store.instances(&query).await.unwrap();
            let ids: Vec<_> = rows.rows.iter().map(|i| i.id.to_string()).collect();
            (ids.join(" "), rows.total)
        };
        let any = InstanceQuery::default;
        let list = |ids: &[&str]| {
            ids.iter()
                .map(|id| InstanceId::from(*id))
                .collect::<Vec<_>>()
        };
        let with = |all: &str, total| (all.to_owned(), total);
        assert_eq!(ask(any()).await, with("r-a r-b r-c", 3));
        let q = InstanceQuery {
            region: Some("eu".into()),
            ..any()
        };
        assert_eq!(ask(q).await, with("r-a r-c", 2));
        for (part, expected) in [
            ("orders", "r-b r-c"),
            ("r-a", "r-a"),
            ("%", "r-b"),
            ("x", ""),
        ] {
            let q = InstanceQuery {
                search: Some(part.into()),
                ..any()
            };
            assert_eq!(ask(q).await.0, expected, "{part}");
        }
        let q = InstanceQuery {
            ids: list(&["r-c", "r-a", "r-x"]),
            visible: Some(list(&["r-b", "r-c"])),
            ..any()
        };
        assert_eq!(ask(q).await, with("r-c", 1));
        let q = InstanceQuery {
            visible: Some(vec![]),
            ..any()
        };
        assert_eq!(ask(q).await, with("", 0));
        let q = InstanceQuery {
            page: Page {
                offset: 1,
                limit: 1,
            },
            region: Some("eu".into()),
            search: Some("s".into()),
            ..any()
        };
        assert_eq!(ask(q).await, with("r-c", 2));
        let rows = store.instances(&any()).await.unwrap().rows;
        assert!(rows.iter().all(|i| i.login.password.is_none()));
    }

    pub(super) async fn tasks_by_query(store: Any) {
        with_instance(&store).await;
        add(&*store, instance("r-2")).await.unwrap();
        let mut numbers = Vec::new();
        for n in 0..6 {
            let on = if n % 2 == 0 { "r-1" } else { "r-2" };
            let made = ask(&*store, create(on, &format!("a{n}"), "p"))
                .await
                .unwrap();
            numbers.push(made.outcome.task);
        }
        assert!(numbers.is_sorted(), "{numbers:?}");
        let ask = async |query: TaskQuery| {
            let rows = store.tasks(&query).await.unwrap();
            let names: Vec<_> = rows
                .rows
                .iter()
                .map(|t| t.account_name.to_string())
                .collect();
            (names.join(" "), rows.total)
        };
        let any = TaskQuery::default;
        assert_eq!(ask(any()).await, ("a5 a4 a3 a2 a1 a0".into(), 6));
        let page = TaskQuery {
            page: Page {
                offset: 2,
                limit: 2,
            },
            ..any()
        };
        assert_eq!(ask(page).await, ("a3 a2".into(), 6));
        let on = TaskQuery {
            instance: Some("r-2".into()),
            ..any()
        };
        assert_eq!(ask(on).await, ("a5 a3 a1".into(), 3));
        let exactly = TaskQuery {
            id: Some(numbers[2]),
            ..any()
        };
        assert_eq!(ask(exactly).await, ("a2".into(), 1));
        let seen = TaskQuery {
            visible: Some(vec!["r-1".into()]),
            instance: Some("r-2".into()),
            ..any()
        };
        assert_eq!(ask(seen).await, (String::new(), 0));
        let seen = TaskQuery {
            visible: Some(vec!["r-1".into()]),
            ..any()
        };
        assert_eq!(ask(seen).await.1, 3);
        for (from, until, total) in [(0, 1, 6), (0, 0, 0), (1, 2, 0)] {
            let within = TaskQuery {
                from: Some(after_secs(from)),
                until: Some(after_secs(until)),
                ..any()
            };
            assert_eq!(ask(within).await.1, total);
        }
    }

    pub(super) async fn task_numbers_never_return(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let last = ask(&*store, create("r-1", "b", "p")).await.unwrap();
        let next = held(&*store, "r-1").await.next_task;
        assert_eq!(next, TaskId(last.outcome.task.0 + 1));
        store
            .apply(vec![Op::RemoveInstance(id)], None)
            .await
            .unwrap();
        with_instance(&store).await;
        let made = ask(&*store, create("r-1", "a", "p")).await.unwrap();
        assert!(made.outcome.task > last.outcome.task);
    }

    fn key(id: &str, secret: &str) -> AccessKey {
        AccessKey {
            scope: Scope::Only(vec!["r-1".into(), "r-2".into()]),
            description: "for tests".into(),
            ..AccessKey::new(id.into(), Secret::new(secret), Role::Operator, now())
        }
    }

    pub(super) async fn keys(store: Any) {
        let mut later = key("k-a", "s-1");
        later.created_at = after_secs(5);
        later.scope = Scope::All;
        later.role = Role::Auditor;
        let ops = vec![Op::AddKey(later), Op::AddKey(key("k-b", "s-2"))];
        store
            .apply(ops, Some(audit_entry("CreateKey")))
            .await
            .unwrap();
        let ids: Vec<_> = store.keys().await.unwrap();
        let ids: Vec<_> = ids.iter().map(|k| k.id.as_str()).collect();
        assert_eq!(ids, ["k-b", "k-a"]);
        let found = async |id: &str| store.key(&KeyId::from(id)).await.unwrap().unwrap();
        let b = found("k-b").await;
        assert_eq!((b.secret.expose(), b.role), ("s-2", Role::Operator));
        assert_eq!(b.scope, Scope::Only(vec!["r-1".into(), "r-2".into()]));
        assert_eq!(b.description, "for tests");
        assert!(b.revoked_at.is_none());
        assert!(store.key(&"k-x".into()).await.unwrap().is_none());

        let revoke = |id: &str, secs| Op::RevokeKey(id.into(), after_secs(secs));
        store.apply(vec![revoke("k-b", 7)], None).await.unwrap();
        store.apply(vec![revoke("k-b", 9)], None).await.unwrap();
        assert_eq!(found("k-b").await.revoked_at, Some(after_secs(7)));
        let nobody = store.apply(vec![revoke("k-x", 7)], None).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
        let taken = store.apply(vec![Op::AddKey(key("k-b", "s-3"))], None).await;
        assert!(matches!(taken, Err(StoreError::Exists)));
        assert_eq!(found("k-b").await.secret.expose(), "s-2");

        let mut root = key("k-b", "s-4");
        root.role = Role::Admin;
        root.scope = Scope::All;
        root.created_at = after_secs(50);
        store.apply(vec![Op::PutRootKey(root)], None).await.unwrap();
        let b = found("k-b").await;
        assert_eq!((b.secret.expose(), b.role), ("s-4", Role::Admin));
        assert_eq!((b.revoked_at, b.created_at), (None, now()));
        let root = Op::PutRootKey(key("k-root", "s-5"));
        store.apply(vec![root], None).await.unwrap();
        assert_eq!(found("k-root").await.secret.expose(), "s-5");
    }

    pub(super) async fn audit_newest_first(store: Any) {
        with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let mut refused = audit_entry("DeleteAccount");
        refused.outcome = "AccountNotFound".into();
        store.apply(vec![], Some(refused.clone())).await.unwrap();
        let rows = store.audit(&AuditQuery::default()).await.unwrap();
        assert_eq!(rows.total, 2);
        assert_eq!(rows.rows[0].entry, refused);
        let made = &rows.rows[1].entry;
        assert_eq!((made.outcome.as_str(), made.account.as_str()), ("ok", "a"));
        assert_eq!(
            (made.instance.as_str(), made.request_id.as_str()),
            ("r-1", "A-1")
        );
        assert_eq!(made.detail, "created with privilege read-only");
        let page = Page {
            offset: 1,
            limit: 1,
        };
        let query = AuditQuery {
            page,
            ..AuditQuery::default()
        };
        let rows = store.audit(&query).await.unwrap();
        assert_eq!((rows.rows.len(), rows.total), (1, 2));
        assert_eq!(rows.rows[0].entry.outcome, "ok");
        assert_eq!(made.after["privilege"], "read-only");
        assert!(made.before.is_empty() && !made.after["password_set_at"].is_empty());
    }

    pub(super) async fn keys_are_rotated_and_end(store: Any) {
        let mut new = key("k-a", "s-1");
        new.tags = Tags::from([("team".into(), "orders".into())]);
        new.expires_at = Some(after_secs(90));
        store.apply(vec![Op::AddKey(new)], None).await.unwrap();
        let found = async || store.key(&"k-a".into()).await.unwrap().unwrap();
        let held = found().await;
        assert_eq!(held.tags["team"], "orders");
        assert_eq!(held.expires_at, Some(after_secs(90)));
        assert!(held.former.is_none() && held.last_used_at.is_none());
        let rotated = AccessKey {
            secret: Secret::new("s-2"),
            former: Some(FormerSecret {
                secret: held.secret.clone(),
                until: after_secs(60),
            }),
            expires_at: None,
            // None of these may change.
            role: Role::Admin,
            scope: Scope::All,
            created_at: after_secs(5),
            revoked_at: Some(now()),
            ..held
        };
        store.apply(vec![Op::SetKey(rotated)], None).await.unwrap();
        let held = found().await;
        let former = held.former.unwrap();
        assert_eq!(
            (held.secret.expose(), former.secret.expose()),
            ("s-2", "s-1")
        );
        assert_eq!((former.until, held.expires_at), (after_secs(60), None));
        assert_eq!((held.role, held.created_at), (Role::Operator, now()));
        assert!(held.scope != Scope::All && held.revoked_at.is_none());
        let nobody = store.apply(vec![Op::SetKey(key("k-x", "s"))], None).await;
        assert!(matches!(nobody, Err(StoreError::NotFound)));
    }

    pub(super) async fn last_uses_only_rise(store: Any) {
        let new = vec![Op::AddKey(key("k-a", "s")), Op::AddKey(key("k-b", "s"))];
        store.apply(new, None).await.unwrap();
        for (secs, expected) in [(10, 10), (5, 10), (20, 20)] {
            let used = vec![("k-a".into(), after_secs(secs)), ("k-x".into(), now())];
            store.apply(vec![Op::KeysUsed(used)], None).await.unwrap();
            let held = store.key(&"k-a".into()).await.unwrap().unwrap();
            assert_eq!(held.last_used_at, Some(after_secs(expected)));
        }
        let other = store.key(&"k-b".into()).await.unwrap().unwrap();
        assert_eq!(other.last_used_at, None);
    }

    pub(super) async fn access_policies(store: Any) {
        let policy = |name: &str, text: &str, secs| AccessPolicy {
            name: name.into(),
            text: text.into(),
            changed_at: after_secs(secs),
            changed_by: "root".into(),
        };
        assert!(store.access_policies().await.unwrap().is_empty());
        let ops = vec![
            Op::PutAccessPolicy(policy("b", "two", 1)),
            Op::PutAccessPolicy(policy("a", "one", 2)),
            Op::PutAccessPolicy(policy("b", "three", 3)),
        ];
        store.apply(ops, None).await.unwrap();
        let wanted = [policy("a", "one", 2), policy("b", "three", 3)];
        assert_eq!(store.access_policies().await.unwrap(), wanted);
        let remove = || vec![Op::RemoveAccessPolicy("a".into())];
        store.apply(remove(), None).await.unwrap();
        let again = store.apply(remove(), None).await;
        assert!(matches!(again, Err(StoreError::NotFound)));
        assert_eq!(store.access_policies().await.unwrap().len(), 1);
    }

    pub(super) async fn tags_are_kept(store: Any) {
        let id = with_instance(&store).await;
        assert_eq!(held(&*store, "r-1").await.instance.tags["team"], "orders");
        let tags = Tags::from([("env".into(), "pröd".into())]);
        // Read before, so that a view that is kept would show.
        store.viewed(&id).await.unwrap();
        let op = Op::SetTags(id.clone(), tags.clone());
        store.apply(vec![op], None).await.unwrap();
        assert_eq!(held(&*store, "r-1").await.instance.tags, tags);
        let viewed = store.viewed(&id).await.unwrap().unwrap();
        assert_eq!(viewed.instance.tags, tags);
        let nowhere = store
            .apply(vec![Op::SetTags("r-9".into(), tags)], None)
            .await;
        assert!(matches!(nowhere, Err(StoreError::NotFound)));
    }

    fn entry(action: &str, secs: i64) -> AuditEntry {
        AuditEntry {
            at: after_secs(secs),
            key: "k-a".into(),
            session: "CLVSx".into(),
            instance: "r-1".into(),
            account: "a".into(),
            outcome: "ok".into(),
            before: Facts::from([("privilege".into(), "read-only".into())]),
            after: Facts::from([("privilege".into(), "read-write".into())]),
            ..audit_entry(action)
        }
    }

    pub(super) async fn audit_by_query(store: Any) {
        for n in 0..5_i64 {
            let mut entry = entry(&format!("action-{}", n % 2), n);
            entry.account = format!("account-{n}");
            if n == 3 {
                entry.outcome = "NotPermitted".into();
                entry.key = "k-b".into();
                entry.instance = "r-2".into();
            }
            store.apply(vec![Op::Audit(entry)], None).await.unwrap();
        }
        let whole = store.audit(&AuditQuery::default()).await.unwrap();
        assert_eq!(whole.total, 5);
        let some = |text: &str| Some(text.to_owned());
        let queries = [
            (
                AuditQuery {
                    instance: Some("r-2".into()),
                    ..AuditQuery::default()
                },
                1,
            ),
            (
                AuditQuery {
                    account: some("account-2"),
                    ..AuditQuery::default()
                },
                1,
            ),
            (
                AuditQuery {
                    key: some("k-a"),
                    ..AuditQuery::default()
                },
                4,
            ),
            (
                AuditQuery {
                    outcome: some("NotPermitted"),
                    ..AuditQuery::default()
                },
                1,
            ),
            (
                AuditQuery {
                    action: some("action-0"),
                    ..AuditQuery::default()
                },
                3,
            ),
            (
                AuditQuery {
                    since: Some(after_secs(2)),
                    ..AuditQuery::default()
                },
                3,
            ),
            (
                AuditQuery {
                    until: Some(after_secs(2)),
                    ..AuditQuery::default()
                },
                2,
            ),
            (
                AuditQuery {
                    after: Some(whole.rows[1].seq),
                    ..AuditQuery::default()
                },
                1,
            ),
        ];
        for (mut query, count) in queries {
            let found = store.audit(&query).await.unwrap();
            assert_eq!(
                (found.rows.len(), found.total),
                (count, count as u64),
                "{query:?}"
            );
            let meant: Vec<_> = whole.rows.iter().filter(|row| query.meets(row)).collect();
            assert!(found.rows.iter().eq(meant), "{query:?}");
            query.oldest_first = true;
            let mut turned = store.audit(&query).await.unwrap().rows;
            turned.reverse();
            assert_eq!(turned, found.rows, "{query:?}");
        }
        assert_eq!(whole.rows[4].entry, {
            let mut first = entry("action-0", 0);
            first.account = "account-0".into();
            first
        });
    }

    /// Follows the chain as the service does, with a page of two rows.
    async fn follow(store: &Any) -> Result<u64, Broken> {
        let ends = store.audit_ends().await.unwrap();
        let mut chain = Chain::after(ends.base);
        let mut count = 0;
        loop {
            let query = AuditQuery {
                after: Some(chain.end().seq),
                oldest_first: true,
                page: Page {
                    offset: 0,
                    limit: 2,
                },
                ..AuditQuery::default()
            };
            let rows = store.audit(&query).await.unwrap().rows;
            if rows.is_empty() {
                return chain.finish(ends.head).map(|()| count);
            }
            for row in &rows {
                chain.follow(row)?;
                count += 1;
            }
        }
    }

    pub(super) async fn audit_is_a_chain(store: Any) {
        assert_eq!(follow(&store).await, Ok(0));
        with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let ops = vec![Op::Audit(entry("one", 1)), Op::Audit(entry("two", 2))];
        store.apply(ops, Some(entry("three", 3))).await.unwrap();
        assert_eq!(follow(&store).await, Ok(4));
        // Many at once still have one order.
        let all = (0..40).map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let entry = entry(&format!("at once {n}"), n);
                store.apply(Vec::new(), Some(entry)).await.unwrap();
            })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert_eq!(follow(&store).await, Ok(44));
        let ends = store.audit_ends().await.unwrap();
        assert_eq!((ends.base.seq, ends.head.seq), (0, 44));
    }

    pub(super) async fn what_is_undone_leaves_no_gap(store: Any) {
        with_instance(&store).await;
        store
            .apply(Vec::new(), Some(entry("before", 1)))
            .await
            .unwrap();
        for _ in 0..3 {
            // The row is written, and then the operation after it fails.
            let ops = vec![
                Op::Audit(entry("undone", 2)),
                Op::RevokeKey("k-x".into(), now()),
            ];
            assert!(store.apply(ops, None).await.is_err());
            let refused = ask(&*store, delete("r-1", "nobody")).await;
            assert_eq!(refused.unwrap_err(), Refusal::AccountNotFound);
        }
        store
            .apply(Vec::new(), Some(entry("after", 3)))
            .await
            .unwrap();
        assert_eq!(follow(&store).await, Ok(2));
    }

    pub(super) async fn operations_are_all_or_nothing(store: Any) {
        let ops = vec![
            Op::AddKey(key("k-a", "s")),
            Op::RevokeKey("k-x".into(), now()),
        ];
        let answer = store.apply(ops, Some(audit_entry("x"))).await;
        assert!(matches!(answer, Err(StoreError::NotFound)));
        assert!(store.key(&"k-a".into()).await.unwrap().is_none());
        assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().total, 0);
    }

    pub(super) async fn settings_are_written_once(store: Any) {
        assert_eq!(store.setting("project").await.unwrap(), None);
        let first = store.setting_or("project", "one".into()).await.unwrap();
        let second = store.setting_or("project", "two".into()).await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("one", "one"));
        assert_eq!(
            store.setting("project").await.unwrap().as_deref(),
            Some("one")
        );
    }

    pub(super) async fn purge_forgets_what_is_past(store: Any) {
        let id = with_instance(&store).await;
        let mut first = write(create("r-1", "a", "p"), RULES);
        first.idempotency = token("t", 1);
        first.nonce = nonce(1);
        store.change(first).await.unwrap().unwrap();
        confirm_all(&store, &id).await;
        ask(&*store, create("r-1", "b", "p")).await.unwrap();
        let purge = async |secs| {
            let op = Op::Purge(after_secs(secs));
            store.apply(vec![op], None).await.unwrap();
            store.tasks(&TaskQuery::default()).await.unwrap().total
        };
        let day = 24 * 3_600;
        assert_eq!(
            purge(30 * day).await,
            2,
            "not thirty days since it finished"
        );
        assert_eq!(purge(30 * day + 1).await, 1, "the running one stays");
        // The token and the nonce are forgotten, even for one whose clock is behind.
        let mut again = write(create("r-1", "c", "p"), RULES);
        again.idempotency = token("t", 2);
        again.nonce = nonce(1);
        assert!(!store.change(again).await.unwrap().unwrap().replayed);
        assert_eq!(store.audit(&AuditQuery::default()).await.unwrap().total, 3);
        let next = ask(&*store, create("r-1", "d", "p")).await.unwrap();
        assert_eq!(next.outcome.task, TaskId(4));
    }

    pub(super) async fn a_panicking_decision_harms_nobody(store: Any) {
        with_instance(&store).await;
        let mut bad = write(create("r-1", "a", "p"), RULES);
        bad.decide = Arc::new(|_| panic!("a fault of the domain"));
        let answer = store.change(bad).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        assert_eq!(held(&*store, "r-1").await.instance.revision, Revision(1));
    }

    /// Readers of the same instance run all the while, so that a view is read, kept or forgotten
    /// at every possible moment of a change.
    pub(super) async fn views_are_never_stale(store: Any) {
        let id = with_instance(&store).await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let reading = |store: Any, id: InstanceId| async move {
            while !*stopped.borrow() {
                store.viewed(&id).await.unwrap().unwrap();
                tokio::task::yield_now().await;
            }
        };
        let reader = tokio::spawn(reading(Arc::clone(&store), id.clone()));
        for n in 0..18 {
            ask(&*store, create("r-1", &format!("a{n}"), "p"))
                .await
                .unwrap();
            let view = store.viewed(&id).await.unwrap().unwrap();
            assert_eq!(view.instance.revision, Revision(n + 1));
            assert_eq!(view.accounts.len() as u64, n + 2);
            confirm_all(&store, &id).await;
            let view = store.viewed(&id).await.unwrap().unwrap();
            assert!(view.accounts.iter().all(|account| account.is_confirmed()));
        }
        stop.send(true).unwrap();
        reader.await.unwrap();
        store
            .apply(vec![Op::RemoveInstance(id.clone())], None)
            .await
            .unwrap();
        assert!(store.viewed(&id).await.unwrap().is_none());
    }

    pub(super) async fn views_open_nothing(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let view = store.viewed(&id).await.unwrap().unwrap();
        assert!(view.instance.login.password.is_none());
        assert!(view.instance.login.former.is_empty());
        assert!(view.instance.default_password.is_none());
        let managed: Vec<_> = view.accounts.iter().map(|a| a.is_managed()).collect();
        assert_eq!(managed, [false, true]);
        let digest = view.accounts[1].password.as_ref().unwrap();
        assert!(!digest.matches(&Secret::new("p")));
        let changed = password("r-1", Target::Default, "new");
        ask(&*store, changed).await.unwrap();
        let view = store.viewed(&id).await.unwrap().unwrap();
        assert!(view.accounts[0].is_managed());
        assert!(view.instance.default_password.is_none());
    }

    pub(super) async fn removal_takes_everything(store: Any) {
        let id = with_instance(&store).await;
        ask(&*store, create("r-1", "a", "p")).await.unwrap();
        let seen = Op::Observe(Observed {
            instance: id.clone(),
            topology: Topology::Standalone,
            engine: None,
            unmanaged: vec![],
            link_users: Vec::new(),
            nodes: vec![node("a:1", NodeRole::Primary)],
        });
        store.apply(vec![seen], None).await.unwrap();
        let remove = || vec![Op::RemoveInstance("r-1".into())];
        store.apply(remove(), None).await.unwrap();
        assert!(store.held(&id).await.unwrap().is_none());
        assert!(store.nodes(&id).await.unwrap().is_empty());
        assert_eq!(store.tasks(&TaskQuery::default()).await.unwrap().total, 0);
        let again = store.apply(remove(), None).await;
        assert!(matches!(again, Err(StoreError::NotFound)));
        // The same identity may be registered again, and starts from nothing.
        with_instance(&store).await;
        assert_eq!(held(&*store, "r-1").await.accounts.len(), 1);
    }
}
