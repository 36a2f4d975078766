//! Cases of accounts that are switched off, end or take no password; of policies, failures that
//! lock, and narrower look-ups.

mod past;

use super::*;
use claviger_core::account::Account;
use claviger_core::adopt::{Adopted, Adoption};
use claviger_core::clock::Timestamp;
use claviger_core::password::PasswordDigest;
use claviger_core::policy::{DriftPolicy, PasswordPolicy, SessionPolicy};
use claviger_core::ports::{Strike, Strikes};
use claviger_core::task::{TaskKind, TaskState};

pub(super) use past::{
    accounts_that_links_log_in_with, passwords_that_were_are_bounded,
    passwords_that_were_are_remembered,
};

type Any = Arc<dyn Store>;

pub(super) async fn accounts_keep_their_state(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    ask(&*store, create("r-1", "app", "p")).await.unwrap();
    let end = after_secs(500);
    let change = |set: fn(&mut ModifyAccount), target: Target| {
        let mut modify = modify("r-1", target);
        set(&mut modify);
        Command::Modify(modify)
    };
    let app = || Target::Name("app".into());
    ask(&*store, change(|m| m.enabled = Some(false), app()))
        .await
        .unwrap();
    let ending = Command::Modify(ModifyAccount {
        expires_at: Some(Some(end)),
        ..modify("r-1", app())
    });
    ask(&*store, ending).await.unwrap();
    let account = held(&*store, "r-1").await.account("app").unwrap().clone();
    assert!(!account.enabled && account.expires_at == Some(end));
    ask(&*store, change(|m| m.enabled = Some(true), app()))
        .await
        .unwrap();
    ask(&*store, change(|m| m.expires_at = Some(None), app()))
        .await
        .unwrap();
    let account = held(&*store, "r-1").await.account("app").unwrap().clone();
    assert!(account.enabled && account.expires_at.is_none());

    // The default account without a password, and with the one it had.
    ask(&*store, password("r-1", Target::Default, "d-1"))
        .await
        .unwrap();
    ask(
        &*store,
        change(|m| m.password_free = Some(true), Target::Default),
    )
    .await
    .unwrap();
    let free = held(&*store, "r-1").await;
    assert!(free.instance.view().password_free && free.accounts[0].password_free);
    let digest = free.accounts[0]
        .password
        .as_ref()
        .map(PasswordDigest::expose_hex);
    assert_eq!(
        digest,
        Some(PasswordDigest::of(&Secret::new("d-1")).expose_hex())
    );
    ask(
        &*store,
        change(|m| m.password_free = Some(false), Target::Default),
    )
    .await
    .unwrap();
    assert!(!held(&*store, "r-1").await.instance.view().password_free);
}

pub(super) async fn policies_are_kept(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    assert_eq!(
        held(&*store, "r-1").await.instance.policy,
        InstancePolicy::default()
    );
    let policy = InstancePolicy {
        passwords: PasswordPolicy {
            enabled: true,
            digits_min: 2,
            ..PasswordPolicy::default()
        },
        replica_reads: true,
        drift: DriftPolicy::Report,
        sessions: SessionPolicy::KillAfter(30),
    };
    let set = |id: &str| vec![Op::SetPolicy(id.into(), policy)];
    store.apply(set("r-1"), None).await.unwrap();
    assert_eq!(held(&*store, "r-1").await.instance.policy, policy);
    let viewed = store.viewed(&"r-1".into()).await.unwrap().unwrap();
    assert_eq!(viewed.instance.policy, policy, "no stale view");
    let missing = store.apply(set("r-9"), None).await;
    assert!(matches!(missing, Err(StoreError::NotFound)));
}

pub(super) async fn failures_are_counted(store: Any) {
    let strike = async |scope: &str, secs: i64| {
        let strike = Strike {
            scope: scope.into(),
            at: after_secs(secs),
            lock_s: 300,
        };
        store.apply(vec![Op::Strike(strike)], None).await.unwrap();
        store.strikes(scope).await.unwrap()
    };
    assert_eq!(store.strikes("a").await.unwrap(), Strikes::default());
    assert_eq!(strike("a", 0).await.count, 1);
    let second = strike("a", 10).await;
    assert_eq!((second.count, second.until), (2, after_secs(310)));
    assert_eq!(
        strike("b", 10).await.count,
        1,
        "each scope counts for itself"
    );
    assert_eq!(strike("a", 310).await.count, 1, "old ones are forgotten");
    store
        .apply(vec![Op::ClearStrikes("a".into())], None)
        .await
        .unwrap();
    assert_eq!(store.strikes("a").await.unwrap().count, 0);
    store
        .apply(vec![Op::Purge(after_secs(9_999))], None)
        .await
        .unwrap();
    assert_eq!(store.strikes("b").await.unwrap().count, 0);
}

pub(super) async fn only_finished_tasks_are_forgotten(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    let made = ask(&*store, create("r-1", "app", "p")).await.unwrap();
    let forget = |task| vec![Op::ForgetTask(task)];
    let running = store.apply(forget(made.outcome.task), None).await;
    assert!(matches!(running, Err(StoreError::NotFound)));
    let what = Confirm {
        accounts: vec![(
            held(&*store, "r-1").await.account("app").unwrap().id,
            made.revision,
        )],
        gone: Vec::new(),
    };
    let op = Op::Confirm("r-1".into(), what, after_secs(1));
    store.apply(vec![op], None).await.unwrap();
    store.apply(forget(made.outcome.task), None).await.unwrap();
    assert_eq!(store.tasks(&TaskQuery::default()).await.unwrap().total, 0);
    let next = ask(&*store, create("r-1", "more", "p")).await.unwrap();
    assert!(
        next.outcome.task > made.outcome.task,
        "numbers never return"
    );
}

pub(super) async fn narrower_look_ups(store: Any) {
    for (n, id) in ["r-a", "r-b", "r-c"].into_iter().enumerate() {
        let mut given = instance(id);
        given.name = format!("shop {n}");
        given.created_at = after_secs(i64::try_from(n).unwrap());
        given.observed_topology = (n > 0).then_some(Topology::Cluster);
        add(&*store, given).await.unwrap();
    }
    let op = Op::SetState("r-c".into(), InstanceState::Paused);
    store.apply(vec![op], None).await.unwrap();
    let instances = async |query: InstanceQuery| {
        let found = store.instances(&query).await.unwrap();
        let ids: Vec<_> = found.rows.iter().map(|i| i.id.to_string()).collect();
        assert_eq!(found.total, ids.len() as u64);
        ids.join(" ")
    };
    let any = InstanceQuery::default;
    let exact = |name: &str| InstanceQuery {
        name: Some(name.into()),
        ..any()
    };
    assert_eq!(instances(exact("shop 1")).await, "r-b");
    assert_eq!(instances(exact("shop")).await, "");
    let part = InstanceQuery {
        name_part: Some("shop".into()),
        newest_first: true,
        ..any()
    };
    assert_eq!(instances(part).await, "r-c r-b r-a");
    let states = InstanceQuery {
        states: vec![InstanceState::Paused],
        ..any()
    };
    assert_eq!(instances(states).await, "r-c");
    let clusters = InstanceQuery {
        topologies: vec![Topology::Cluster],
        ..any()
    };
    assert_eq!(instances(clusters).await, "r-b r-c");

    ask(&*store, create("r-a", "app", "p")).await.unwrap();
    ask(&*store, password("r-a", Target::Name("app".into()), "q"))
        .await
        .unwrap();
    ask(&*store, create("r-b", "app", "p")).await.unwrap();
    let tasks = async |query: TaskQuery| store.tasks(&query).await.unwrap().total;
    let any = TaskQuery::default;
    let kinds = |kinds: &[TaskKind]| TaskQuery {
        kinds: kinds.to_vec(),
        ..any()
    };
    assert_eq!(tasks(kinds(&[TaskKind::CreateAccount])).await, 2);
    assert_eq!(
        tasks(kinds(&[TaskKind::CreateAccount, TaskKind::ChangePassword])).await,
        3
    );
    let state = |state| TaskQuery {
        states: vec![state],
        ..any()
    };
    assert_eq!(tasks(state(TaskState::Running)).await, 3);
    assert_eq!(tasks(state(TaskState::Succeeded)).await, 0);
    let by = |key: &str| TaskQuery {
        by: vec![key.into()],
        ..any()
    };
    assert_eq!((tasks(by("root")).await, tasks(by("other")).await), (3, 0));
    let named = TaskQuery {
        instance_name: Some("shop 1".into()),
        ..any()
    };
    assert_eq!(tasks(named).await, 1);
}

fn ends(instance: &str, name: &str, end: Option<Timestamp>, enabled: Option<bool>) -> Command {
    Command::Modify(ModifyAccount {
        expires_at: Some(end),
        enabled,
        ..modify(instance, Target::Name(name.into()))
    })
}

pub(super) async fn ends_that_have_come(store: Any) {
    for id in ["r-1", "r-2"] {
        add(&*store, instance(id)).await.unwrap();
        for name in ["late", "never", "off", "soon"] {
            ask(&*store, create(id, name, "p")).await.unwrap();
        }
        for (name, end, enabled) in [
            ("late", Some(after_secs(20)), None),
            ("soon", Some(after_secs(10)), None),
            ("off", Some(after_secs(10)), Some(false)),
            ("never", None, None),
        ] {
            ask(&*store, ends(id, name, end, enabled)).await.unwrap();
        }
    }
    let due = async |secs| -> Vec<String> {
        let due = store.expiring(after_secs(secs)).await.unwrap();
        due.iter()
            .map(|(id, name)| format!("{id} {name}"))
            .collect()
    };
    assert!(due(9).await.is_empty());
    let mut soon = due(10).await;
    soon.sort();
    assert_eq!(soon, ["r-1 soon", "r-2 soon"]);
    // The earliest first.
    let all = due(20).await;
    assert_eq!(all.len(), 4);
    assert!(
        all[..2].iter().all(|text| text.ends_with("soon")),
        "{all:?}"
    );
    // One that is set aside takes no changes, and one that is being deleted ends anyway.
    let pause = Op::SetState("r-1".into(), InstanceState::Paused);
    store.apply(vec![pause], None).await.unwrap();
    ask(&*store, delete("r-2", "soon")).await.unwrap();
    assert_eq!(due(20).await, ["r-2 late"]);
}

fn taken(name: &str, privilege: Privilege, agreed: bool) -> Adopted {
    let digest = |byte| PasswordDigest::from_bytes([byte; 32]);
    Adopted {
        account: Account {
            id: fresh_id(),
            name: name.into(),
            kind: AccountKind::Custom,
            privilege,
            routing: Routing::PRIMARY,
            description: String::new(),
            password: Some(digest(1)),
            more_passwords: vec![digest(2), digest(3)],
            former_passwords: vec![digest(4)],
            leaving_passwords: Vec::new(),
            link_password: None,
            password_free: false,
            enabled: false,
            expires_at: None,
            life: Life::Live,
            replaces: false,
            created_revision: Revision::ZERO,
            revision: Revision::ZERO,
            confirmed: Revision::ZERO,
            created_at: now(),
            password_set_at: None,
        },
        agreed,
    }
}

pub(super) async fn users_are_taken_over(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    ask(&*store, create("r-1", "held", "p")).await.unwrap();
    let name = RoleName::parse("adopted-1").unwrap();
    let role = |rule: &str| CustomRole {
        name,
        rules: vec![rule.to_owned()],
    };
    let own = Privilege::Custom(name);
    let adopt = async |accounts, rule: &str| {
        let adoption = Adoption {
            accounts,
            roles: vec![role(rule)],
        };
        let op = Op::Adopt("r-1".into(), adoption);
        store.apply(vec![op], Some(audit_entry("Adopt"))).await
    };
    let two = vec![
        taken("one", own, true),
        taken("two", Privilege::ReadOnly, false),
    ];
    adopt(two, "+get").await.unwrap();
    let after = held(&*store, "r-1").await;
    assert_eq!(after.instance.revision, Revision(3));
    assert_eq!(after.instance.roles.custom, [role("+get")]);
    let one = after.account("one").unwrap();
    assert!(one.is_confirmed() && !one.enabled && one.privilege == own);
    assert_eq!(one.more_passwords.len(), 2);
    assert_eq!(one.former_passwords.len(), 1);
    assert!(one.former_passwords[0].same_as(&PasswordDigest::from_bytes([4; 32])));
    assert!(
        one.password
            .as_ref()
            .unwrap()
            .same_as(&PasswordDigest::from_bytes([1; 32]))
    );
    let two = after.account("two").unwrap();
    assert_eq!((two.created_revision, two.confirmed, two.revision), {
        (Revision(2), Revision(2), Revision(3))
    });
    assert_eq!(
        after.account("held").unwrap().revision,
        Revision(1),
        "not touched"
    );
    // A name that is taken, be it of an account or of another role, refuses all of it.
    for (accounts, rule) in [
        (
            vec![taken("new", own, true), taken("held", own, true)],
            "+get",
        ),
        (vec![taken("new", own, true)], "+set"),
    ] {
        let answer = adopt(accounts, rule).await;
        assert!(matches!(answer, Err(StoreError::Exists)));
        let now_held = held(&*store, "r-1").await;
        assert_eq!(now_held.instance.revision, Revision(3));
        assert!(now_held.account("new").is_none());
    }
    let nowhere = Op::Adopt("r-9".into(), Adoption::default());
    let answer = store.apply(vec![nowhere], None).await;
    assert!(matches!(answer, Err(StoreError::NotFound)));
    let viewed = store.viewed(&"r-1".into()).await.unwrap().unwrap();
    assert_eq!(viewed.accounts.len(), 4);
}
