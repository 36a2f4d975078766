//! Passwords that accounts had, and those that links log in with.

use super::*;
use claviger_core::ids::{AccountName, Revision};
use claviger_core::ports::{PAST_KEPT_MS, PAST_MAX};

async fn past(store: &Any, name: &str) -> Vec<String> {
    let names = [AccountName::new("nobody"), AccountName::new(name)];
    let found = store.past_passwords(&"r-1".into(), &names).await.unwrap();
    assert!(found.iter().all(|(held, _)| held.as_str() == name));
    found
        .iter()
        .map(|(_, digest)| digest.expose_hex())
        .collect()
}

fn hex(password: &str) -> String {
    PasswordDigest::of(&Secret::new(password)).expose_hex()
}

async fn confirmed(store: &Any, name: &str, gone: bool) {
    let account = held(&**store, "r-1").await.account(name).unwrap().clone();
    let one = vec![(account.id, account.revision)];
    let what = match gone {
        true => Confirm {
            gone: one,
            ..Confirm::default()
        },
        false => Confirm {
            accounts: one,
            ..Confirm::default()
        },
    };
    let op = Op::Confirm("r-1".into(), what, after_secs(1));
    store.apply(vec![op], None).await.unwrap();
}

fn renew(name: &str, new: &str) -> Command {
    password("r-1", Target::Name(name.into()), new)
}

pub(crate) async fn passwords_that_were_are_remembered(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    ask(&*store, create("r-1", "a", "p-1")).await.unwrap();
    ask(&*store, renew("a", "p-2")).await.unwrap();
    assert_eq!(past(&store, "a").await, [hex("p-1")]);
    // Neither other changes nor the same password again, nor the default account's.
    ask(&*store, grant("r-1", "a", Privilege::ReadWrite))
        .await
        .unwrap();
    ask(&*store, renew("a", "p-2")).await.unwrap();
    ask(&*store, password("r-1", Target::Default, "p-9"))
        .await
        .unwrap();
    assert_eq!(past(&store, "a").await, [hex("p-1")]);
    // An end that is not the present one takes nothing.
    let account = held(&*store, "r-1").await.account("a").unwrap().clone();
    let late = Confirm {
        gone: vec![(account.id, account.revision)],
        ..Confirm::default()
    };
    let op = Op::Confirm("r-1".into(), late, after_secs(1));
    store.apply(vec![op], None).await.unwrap();
    assert_eq!(past(&store, "a").await, [hex("p-1")]);
    ask(&*store, delete("r-1", "a")).await.unwrap();
    confirmed(&store, "a", true).await;
    assert!(held(&*store, "r-1").await.account("a").is_none());
    // The account had both unconfirmed: what is sealed there came along.
    let mut all = past(&store, "a").await;
    all.sort();
    all.dedup();
    let mut expected = [hex("p-1"), hex("p-2")];
    expected.sort();
    assert_eq!(all, expected);
    // One whose name was used again before it was gone.
    ask(&*store, create("r-1", "b", "p-3")).await.unwrap();
    ask(&*store, delete("r-1", "b")).await.unwrap();
    ask(&*store, create("r-1", "b", "p-4")).await.unwrap();
    assert_eq!(past(&store, "b").await, [hex("p-3")]);
    store
        .apply(vec![Op::Purge(after_secs(60))], None)
        .await
        .unwrap();
    assert_eq!(past(&store, "b").await, [hex("p-3")]);
    let end = Timestamp::from_millis(after_secs(1).as_millis() + PAST_KEPT_MS);
    store.apply(vec![Op::Purge(end)], None).await.unwrap();
    assert!(past(&store, "a").await.is_empty() && past(&store, "b").await.is_empty());
}

pub(crate) async fn passwords_that_were_are_bounded(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    ask(&*store, create("r-1", "a", "p-0")).await.unwrap();
    confirmed(&store, "a", false).await;
    for n in 1..=PAST_MAX + 2 {
        ask(&*store, renew("a", &format!("p-{n}"))).await.unwrap();
    }
    let kept = past(&store, "a").await;
    assert_eq!(kept.len(), PAST_MAX);
    assert_eq!(kept[0], hex(&format!("p-{}", PAST_MAX + 1)));
    assert!(!kept.contains(&hex("p-1")) && kept.contains(&hex("p-2")));
}

fn seen(users: &[&str]) -> Op {
    Op::Observe(Observed {
        instance: "r-1".into(),
        topology: Topology::Replicated,
        engine: None,
        unmanaged: Vec::new(),
        link_users: users.iter().map(|user| AccountName::new(*user)).collect(),
        nodes: Vec::new(),
    })
}

pub(crate) async fn accounts_that_links_log_in_with(store: Any) {
    add(&*store, instance("r-1")).await.unwrap();
    for name in ["a", "b"] {
        ask(&*store, create("r-1", name, "p-1")).await.unwrap();
        confirmed(&store, name, false).await;
    }
    store.apply(vec![seen(&["a"])], None).await.unwrap();
    assert_eq!(held(&*store, "r-1").await.instance.link_users, ["a".into()]);
    for name in ["a", "b"] {
        ask(&*store, renew(name, "p-2")).await.unwrap();
    }
    let now = held(&*store, "r-1").await;
    let (a, b) = (now.account("a").unwrap(), now.account("b").unwrap());
    assert_eq!(a.link_password.as_ref().unwrap().expose(), "p-2");
    assert!(b.link_password.is_none());
    for account in [a, b] {
        let leaving: Vec<String> = account
            .leaving_passwords
            .iter()
            .map(|d| d.expose_hex())
            .collect();
        assert_eq!(leaving, [hex("p-1")]);
    }
    // Reads that open nothing show nothing.
    let viewed = store.viewed(&"r-1".into()).await.unwrap().unwrap();
    let a = viewed.account("a").unwrap();
    assert!(a.link_password.is_none() && a.leaving_passwords.is_empty());
    // What is confirmed has left nothing behind; what comes too late says nothing of it.
    let earlier = Confirm {
        accounts: vec![(now.account("a").unwrap().id, Revision(1))],
        ..Confirm::default()
    };
    let op = Op::Confirm("r-1".into(), earlier, after_secs(1));
    store.apply(vec![op], None).await.unwrap();
    let a = held(&*store, "r-1").await.account("a").unwrap().clone();
    assert_eq!(a.leaving_passwords.len(), 1);
    confirmed(&store, "a", false).await;
    let a = held(&*store, "r-1").await.account("a").unwrap().clone();
    assert!(a.leaving_passwords.is_empty() && a.link_password.is_some());
    let refused = ask(&*store, delete("r-1", "a")).await;
    assert_eq!(refused.unwrap_err(), Refusal::AccountLinked);
    // Nobody logs in with it any more.
    store.apply(vec![seen(&["b"])], None).await.unwrap();
    let a = held(&*store, "r-1").await.account("a").unwrap().clone();
    assert!(a.link_password.is_none());
    ask(&*store, delete("r-1", "a")).await.unwrap();
}
