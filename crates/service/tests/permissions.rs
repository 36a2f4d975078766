//! Who may do what: every action, role, scope and resource; policies of one's own; how long a
//! decision looks.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use claviger_core::access::{
    AccessKey, AccountFacts, Action, Circumstances, InstanceFacts, Judge, Principal, Resource,
    Role, Scope, Session, Tags,
};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::clock::Timestamp;
use claviger_core::ids::InstanceId;
use claviger_core::secret::Secret;
use claviger_service::judge::CedarJudge;
use std::sync::Arc;

fn tags(pairs: &[(&str, &str)]) -> Tags {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn key(role: Role, scope: Scope, tagged: &[(&str, &str)]) -> Principal {
    let secret = Secret::new("s");
    let key = AccessKey {
        scope,
        tags: tags(tagged),
        ..AccessKey::new("k-1".into(), secret, role, Timestamp::default())
    };
    Principal::of(&key, Circumstances::default())
}

fn instance(id: &str, tagged: &[(&str, &str)]) -> InstanceFacts {
    InstanceFacts {
        id: InstanceId::from(id),
        name: format!("name of {id}"),
        region: "cn-hangzhou".into(),
        tags: tags(tagged),
    }
}

fn account<'a>(name: &'a str, privilege: &'a str) -> AccountFacts<'a> {
    AccountFacts {
        name,
        privilege,
        is_default: name == "default",
        asked_privilege: None,
    }
}

fn judge(policies: &[(&str, &str)]) -> CedarJudge {
    let stored = policies.iter().map(|(name, text)| AccessPolicy {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        changed_at: Timestamp::default(),
        changed_by: "root".into(),
    });
    CedarJudge::of(&stored.collect::<Vec<_>>()).unwrap()
}

/// What the roles are to permit, said once more in other words.
fn expected(role: Role, limited: bool, action: Action, on: On) -> bool {
    use Action::*;
    let everything = || true;
    let operates = || {
        let word = action.as_str();
        word.starts_with("account:")
            || word.starts_with("task:")
            || matches!(action, ReadInstances | CheckInstance)
    };
    let audits = || {
        matches!(
            action,
            ReadAccounts
                | ReadTasks
                | ReadInstances
                | CheckInstance
                | ReadKeys
                | ReadPolicies
                | ReadAudit
                | ReadMasterKey
                | ReadService
        )
    };
    let by_role = match role {
        Role::Admin => everything(),
        Role::Operator => operates(),
        Role::Auditor => audits(),
        Role::None => false,
    };
    let lists = role != Role::None && matches!(action, ReadAccounts | ReadTasks | ReadInstances);
    match on {
        On::Service => (by_role && !limited) || lists || action == ReadService,
        On::Own => by_role,
        On::Foreign => by_role && !limited,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    Service,
    Own,
    Foreign,
}

/// Every action × every role × limited or not × the service, an own and a foreign instance, an
/// account of each; each twice, since what the roles decide is kept, and by temporary credentials.
#[test]
fn the_table() {
    let judge = judge(&[]);
    let (own, foreign) = (instance("r-own", &[]), instance("r-foreign", &[]));
    let app = account("app", "read-only");
    let mut checked = 0;
    for role in Role::ALL {
        for limited in [false, true] {
            let scope = match limited {
                true => Scope::Only(vec!["r-own".into()]),
                false => Scope::All,
            };
            let mut principal = key(role, scope, &[]);
            principal.key = format!("k-{role:?}-{limited}").as_str().into();
            for (action, temporary) in twice_by_both() {
                principal.session = temporary.then(|| Session {
                    key: "CLVS1".into(),
                    policy: None,
                });
                for (on, resource) in [
                    (On::Service, Resource::Service),
                    (On::Own, Resource::Instance(&own)),
                    (On::Own, Resource::Account(&own, app)),
                    (On::Foreign, Resource::Instance(&foreign)),
                    (On::Foreign, Resource::Account(&foreign, app)),
                ] {
                    let may = judge.permits(&principal, action, &resource);
                    let should = expected(role, limited, action, on);
                    assert_eq!(may, should, "{role:?} limited {limited} {action} {on:?}");
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 4 * 2 * Action::ALL.len() * 4 * 5);
}

fn twice_by_both() -> impl Iterator<Item = (Action, bool)> {
    let turns = [false, true, true, false];
    turns
        .into_iter()
        .flat_map(|temporary| Action::ALL.map(|action| (action, temporary)))
}

const TEAM: &str = r#"
permit (principal, action in [Action::"account:*", Action::"instance:read"], resource is Account)
when {
    principal.hasTag("team") && resource.instance.hasTag("team")
    && principal.getTag("team") == resource.instance.getTag("team")
};
permit (principal, action == Action::"instance:read", resource is Instance)
when {
    principal.hasTag("team") && resource.hasTag("team")
    && principal.getTag("team") == resource.getTag("team")
};
"#;

#[test]
fn by_tags() {
    let text = TEAM.replace(
        ", Action::\"instance:read\"], resource is Account",
        "], resource is Account",
    );
    let judge = judge(&[("team", &text)]);
    let orders = instance("r-orders", &[("team", "orders")]);
    let other = instance("r-other", &[("team", "billing")]);
    let bare = instance("r-bare", &[]);
    let app = account("app", "read-only");
    let member = key(Role::None, Scope::All, &[("team", "orders")]);
    let may = |who: &Principal, action, on: &InstanceFacts| {
        judge.permits(who, action, &Resource::Account(on, app))
    };
    for action in [
        Action::CreateAccount,
        Action::DeleteAccount,
        Action::ReadAccounts,
    ] {
        assert!(may(&member, action, &orders));
        assert!(!may(&member, action, &other) && !may(&member, action, &bare));
    }
    assert!(judge.permits(&member, Action::ReadInstances, &Resource::Instance(&orders)));
    assert!(!judge.permits(&member, Action::ReadInstances, &Resource::Instance(&other)));
    assert!(!judge.permits(&member, Action::SetInstance, &Resource::Instance(&orders)));
    let mut stranger = key(Role::None, Scope::All, &[]);
    stranger.key = "k-2".into();
    assert!(!may(&stranger, Action::ReadAccounts, &orders));
}

#[test]
fn forbidding_wins_over_every_role() {
    let judge = judge(&[(
        "no-administrators",
        r#"
        @reason("administrators are made by two people")
        forbid (principal, action in [Action::"account:create", Action::"account:set-privilege"], resource)
        when { context has asked_privilege && context.asked_privilege == "administrator" };
        forbid (principal, action, resource is Account)
        when { resource.privilege == "administrator" && !context.source.isInRange(ip("10.0.0.0/8")) };
        "#,
    )]);
    let here = instance("r-1", &[]);
    let admin = key(Role::Admin, Scope::All, &[]);
    let asked = |privilege| AccountFacts {
        asked_privilege: Some(privilege),
        ..account("app", "read-only")
    };
    let may = |who: &Principal, action, facts| {
        judge.permits(who, action, &Resource::Account(&here, facts))
    };
    assert!(may(&admin, Action::SetPrivilege, asked("read-write")));
    assert!(!may(&admin, Action::SetPrivilege, asked("administrator")));
    assert!(may(
        &admin,
        Action::DeleteAccount,
        account("app", "read-only")
    ));
    assert!(!may(
        &admin,
        Action::DeleteAccount,
        account("ops", "administrator")
    ));
    let mut inside = admin;
    inside.from.source = "10.1.2.3".parse().unwrap();
    assert!(may(
        &inside,
        Action::DeleteAccount,
        account("ops", "administrator")
    ));
    inside.from.source = "::ffff:10.1.2.3".parse().unwrap();
    assert!(may(
        &inside,
        Action::DeleteAccount,
        account("ops", "administrator")
    ));
}

#[test]
fn on_one_instance_or_one_account() {
    let judge = judge(&[
        (
            "one",
            r#"permit (principal == Key::"k-1", action in Action::"account:*", resource in Instance::"r-1");"#,
        ),
        (
            "two",
            r#"permit (principal == Key::"k-1", action == Action::"account:reset-password", resource == Account::"r-2/app");"#,
        ),
    ]);
    let who = key(Role::None, Scope::All, &[]);
    let (one, two) = (instance("r-1", &[]), instance("r-2", &[]));
    let may = |on: &InstanceFacts, name, action| {
        judge.permits(
            &who,
            action,
            &Resource::Account(on, account(name, "read-only")),
        )
    };
    assert!(may(&one, "any", Action::DeleteAccount));
    assert!(judge.permits(&who, Action::ReadAccounts, &Resource::Instance(&one)));
    assert!(may(&two, "app", Action::ResetPassword));
    assert!(!may(&two, "app", Action::DeleteAccount) && !may(&two, "web", Action::ResetPassword));
    let mut other = who.clone();
    other.key = "k-2".into();
    let on = Resource::Account(&one, account("any", "read-only"));
    assert!(!judge.permits(&other, Action::DeleteAccount, &on));
}

#[test]
fn a_session_may_what_both_permit() {
    let judge = judge(&[]);
    let here = instance("r-1", &[]);
    let on = Resource::Account(&here, account("app", "read-only"));
    let with = |role, policy: Option<&str>| Principal {
        session: Some(Session {
            key: "CLVSx".into(),
            policy: policy.map(Arc::from),
        }),
        ..key(role, Scope::All, &[])
    };
    let reads = r#"permit (principal, action in Action::"read", resource);"#;
    let all = "permit (principal, action, resource);";
    for (role, policy, action, may) in [
        (Role::Operator, None, Action::DeleteAccount, true),
        (Role::Operator, Some(reads), Action::ReadAccounts, true),
        (Role::Operator, Some(reads), Action::DeleteAccount, false),
        (Role::Operator, Some(all), Action::DeleteAccount, true),
        (Role::Operator, Some(all), Action::SetInstance, false),
        (Role::Auditor, Some(all), Action::DeleteAccount, false),
        (Role::None, Some(all), Action::ReadAccounts, false),
        // What is not understood permits nothing.
        (Role::Admin, Some("permit"), Action::ReadAccounts, false),
        (Role::Admin, Some(""), Action::ReadAccounts, false),
    ] {
        let mut principal = with(role, policy);
        principal.key = format!("k-{role:?}").as_str().into();
        assert_eq!(
            judge.permits(&principal, action, &on),
            may,
            "{role:?} {policy:?} {action}"
        );
    }
    // A policy can tell temporary credentials from a key.
    let judge = self::judge(&[(
        "no-temps",
        "forbid (principal, action, resource) when { principal.temporary };",
    )]);
    assert!(!judge.permits(&with(Role::Admin, None), Action::ReadAccounts, &on));
    assert!(judge.permits(
        &key(Role::Admin, Scope::All, &[]),
        Action::ReadAccounts,
        &on
    ));
}

#[test]
fn a_policy_that_is_not_understood_is_told() {
    let stored = AccessPolicy {
        name: "broken".into(),
        text: "permit (".into(),
        changed_at: Timestamp::default(),
        changed_by: "root".into(),
    };
    let told = CedarJudge::of(&[stored]).err().unwrap();
    assert!(told.starts_with("policy broken: not Cedar"), "{told}");
}

/// Names and tags may hold whatever an operator or a cloud's caller types.
#[test]
fn odd_texts_change_nothing() {
    let judge = judge(&[]);
    for odd in [
        "",
        "a\"b",
        "\u{0}",
        "\\",
        "\" || true",
        "名字",
        &"x".repeat(10_000),
    ] {
        let mut facts = instance("r-1", &[("t", odd)]);
        facts.name = odd.into();
        let on = Resource::Account(&facts, account(odd, odd));
        let mut principal = key(
            Role::Operator,
            Scope::Only(vec!["r-1".into()]),
            &[("t", odd)],
        );
        assert!(
            judge.permits(&principal, Action::ReadAccounts, &on),
            "{odd:?}"
        );
        principal.key = odd.into();
        principal.role = Role::None;
        assert!(
            !judge.permits(&principal, Action::ReadAccounts, &on),
            "{odd:?}"
        );
    }
}

/// What the documents show is taken.
#[test]
fn the_documents_policies_fit() {
    let text = include_str!("../../../docs/operations.md");
    let blocks = text.split("```").skip(1).step_by(2);
    let shown: Vec<_> = blocks.filter(|block| block.contains("permit (")).collect();
    assert!(!shown.is_empty());
    for (n, block) in shown.iter().enumerate() {
        judge(&[(&format!("p{n}"), block)]);
    }
    for action in Action::ALL {
        assert!(
            text.contains(action.as_str()),
            "{action} is not in the documents"
        );
    }
}
