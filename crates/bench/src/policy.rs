//! What a decision on a permission costs.

use crate::report::{Goal, Report};
use anyhow::{Context, anyhow};
use claviger_core::access::{
    AccessKey, AccountFacts, Action, Circumstances, InstanceFacts, Judge, Principal, Resource,
    Role, Session, Tags,
};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::clock::Timestamp;
use claviger_core::secret::Secret;
use claviger_service::judge::CedarJudge;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Decisions of one figure.
const DECISIONS: u32 = 20_000;

/// A policy of the kind that operators write: teams by their tags.
const TEAM: &str = r#"
permit (principal, action in Action::"account:*", resource is Account)
when {
    principal.hasTag("team") && resource.instance.hasTag("team")
    && principal.getTag("team") == resource.instance.getTag("team")
};
forbid (principal, action == Action::"account:set-privilege", resource)
when { context has asked_privilege && context.asked_privilege == "administrator" };
"#;

fn stored(name: String, text: String) -> AccessPolicy {
    AccessPolicy {
        name,
        text,
        changed_at: Timestamp::default(),
        changed_by: "root".into(),
    }
}

fn principal(role: Role) -> Principal {
    let key = AccessKey {
        tags: Tags::from([("team".into(), "orders".into())]),
        ..AccessKey::new("k-1".into(), Secret::new("s"), role, Timestamp::default())
    };
    Principal::of(&key, Circumstances::default())
}

/// Measures decisions as they come with requests, the first one, which chooses, left out.
pub(crate) fn run(report: &mut Report) -> anyhow::Result<()> {
    // Policies of a thousand teams' own instances, of which one concerns the key that asks.
    let many: Vec<_> = (0..998)
        .map(|n| {
            let text = format!(
                "permit (principal == Key::\"k-{n}\", action in Action::\"account:*\", \
                 resource in Instance::\"r-{n}\");"
            );
            stored(format!("key-{n}"), text)
        })
        .collect();
    let team = vec![stored("team".into(), TEAM.into())];
    let narrow = "permit (principal, action in Action::\"account:*\", resource);";
    let mut session = principal(Role::None);
    session.session = Some(Session {
        key: "CLVSx".into(),
        policy: Some(Arc::from(narrow)),
    });
    let all: Vec<_> = many.iter().chain(&team).cloned().collect();
    for (what, policies, who) in [
        ("by role", &Vec::new(), principal(Role::Operator)),
        ("by tags", &team, principal(Role::None)),
        ("by tags, among 999 policies", &all, principal(Role::None)),
        ("by tags, temporary credentials", &team, session),
    ] {
        let judge = CedarJudge::of(policies).map_err(|why| anyhow!(why))?;
        let us = decisions(&judge, &who).context(what)?;
        report.add(
            format!("decision on a permission {what}, µs"),
            format!("{us:.1}"),
            us,
            Goal::AtMost(50.0, 20.0),
        );
    }
    Ok(())
}

fn decisions(judge: &CedarJudge, who: &Principal) -> anyhow::Result<f64> {
    let instance = InstanceFacts {
        id: "r-orders".into(),
        name: "orders".into(),
        region: "cn-hangzhou".into(),
        tags: Tags::from([
            ("team".into(), "orders".into()),
            ("env".into(), "dev".into()),
        ]),
    };
    let account = AccountFacts {
        name: "app",
        privilege: "read-only",
        is_default: false,
        asked_privilege: None,
    };
    let on = Resource::Account(&instance, account);
    anyhow::ensure!(
        judge.permits(who, Action::DeleteAccount, &on),
        "not permitted"
    );
    let begun = Instant::now();
    for _ in 0..DECISIONS {
        black_box(judge.permits(black_box(who), Action::DeleteAccount, &on));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS))
}
