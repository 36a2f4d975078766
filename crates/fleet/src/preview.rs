//! What a pass would change on each node now, and why, without changing it.

use crate::ask;
use crate::context::Context;
use crate::default_user;
use crate::desired::{DEFAULT_USER, Desired};
use crate::errors::NodeError;
use crate::join::join_all;
use crate::plan::{self, Action, Claim, Look, Target};
use crate::survey::Survey;
use claviger_core::account::Life;
use claviger_core::engine::AclLevel;
use claviger_core::ids::{AccountName, InstanceId, Revision};
use claviger_core::instance::{Held, NodeSeed};
use claviger_core::node::NodeRecord;
use claviger_core::refusal::Refusal;
use claviger_core::sight::{InstancePlan, NodePlan, PlannedStep, StepKind};
use std::collections::BTreeSet;

/// See [`claviger_core::ports::Fleet::plan`].
pub(crate) async fn instance(id: &InstanceId, context: &Context) -> Result<InstancePlan, Refusal> {
    let held = ask::held(id, context).await?;
    let desired = Desired::of(&held, &context.salt);
    let records = context.store.nodes(id).await.map_err(|error| {
        tracing::error!(instance = %id, "cannot read the nodes: {error}");
        Refusal::Unavailable
    })?;
    let nodes = ask::nodes(&held, context).await;
    let plans = nodes.iter().map(async |seed| {
        let record = records.iter().find(|r| r.address == seed.address);
        let mut plan = NodePlan {
            address: seed.address.clone(),
            error: None,
            right: 0,
            steps: Vec::new(),
        };
        if let Err(error) = node(&mut plan, &held, &desired, (seed, record), context).await {
            plan.error = Some(error.to_string());
        }
        plan
    });
    let mut nodes = join_all(plans).await;
    nodes.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(InstancePlan {
        instance: id.clone(),
        revision: held.instance.revision,
        nodes,
    })
}

async fn node(
    plan: &mut NodePlan,
    held: &Held,
    desired: &Desired,
    (seed, record): (&NodeSeed, Option<&NodeRecord>),
    context: &Context,
) -> Result<(), NodeError> {
    let mut survey = Survey::open(held, seed, context).await?;
    let engine = survey.facts.engine;
    if engine.acl_level() == AclLevel::None {
        plan.error = Some(format!(
            "{engine} has no users: only the default account's password is kept there"
        ));
        return Ok(());
    }
    let rules: Vec<_> = desired
        .wants
        .iter()
        .map(|want| {
            context
                .rules
                .rule(want.rights, &desired.roles, engine, &context.salt)
        })
        .collect();
    survey.render(&rules).await?;
    let names: Vec<&str> = desired
        .wants
        .iter()
        .map(|want| want.name.as_str())
        .collect();
    let looks = survey.look(&names).await?;
    let before = record.map_or(Revision::ZERO, |record| record.confirmed);
    let same_process = record.is_some_and(|record| record.run_id == survey.facts.run_id);
    let left = same_process && desired.only_reports();
    for ((want, rule), look) in desired.wants.iter().zip(&rules).zip(looks) {
        let digests: BTreeSet<String> = want.digests.iter().map(|d| d.expose_hex()).collect();
        let former: Vec<String> = want.former.iter().map(|d| d.expose_hex()).collect();
        let target = Target {
            name: want.name.as_str(),
            on: want.on,
            digests: &digests,
            former: &former,
            rules: survey.rendering(rule),
            gone: want.life == Life::Deleting,
            claim: Claim {
                ours: want.confirmed > Revision::ZERO
                    || before >= want.created_revision
                    || want.replaces,
                foreign: false,
                end_sessions: want.replaces && before < want.created_revision,
            },
        };
        let look = look.map_or(Look::Absent, |described| Look::Present(described.seen));
        let action = plan::decide(&target, &look, &desired.own_user);
        let differs = plan::difference(&target, &look);
        let reported = left && before >= want.revision && want.life == Life::Live;
        let (step, reason) = match action {
            Action::Nothing => {
                plan.right += 1;
                continue;
            }
            _ if reported => (
                StepKind::Leave,
                format!("{differs}; the policy is to report it"),
            ),
            Action::Set if look == Look::Absent => (StepKind::Create, differs.to_owned()),
            Action::Set if target.rules.is_none() => {
                let reason = format!("{differs}; the node refuses its rules");
                (StepKind::Set, reason)
            }
            Action::Set => (StepKind::Set, differs.to_owned()),
            Action::Replace => (StepKind::Replace, "its name was another account's".into()),
            Action::Remove => (StepKind::Remove, differs.to_owned()),
            Action::Clash => (StepKind::Leave, "the user of that name is not ours".into()),
            Action::Refuse(reason) => (StepKind::Leave, reason.to_owned()),
        };
        plan.steps.push(PlannedStep {
            user: want.name.clone(),
            account: want.account.clone(),
            step,
            reason,
        });
    }
    let known = left
        && desired
            .default
            .as_ref()
            .is_some_and(|d| before >= d.revision);
    default(plan, desired, &survey, known).await
}

async fn default(
    plan: &mut NodePlan,
    desired: &Desired,
    survey: &Survey<'_>,
    left: bool,
) -> Result<(), NodeError> {
    let Some(wanted) = &desired.default else {
        return Ok(());
    };
    let Some(Some(described)) = survey.look(&[DEFAULT_USER]).await?.pop() else {
        return Err(NodeError::Garbage("ACL GETUSER"));
    };
    match default_user::difference(wanted, &described.seen) {
        None => plan.right += 1,
        Some(differs) => plan.steps.push(PlannedStep {
            user: AccountName::from(DEFAULT_USER),
            account: wanted.account.clone(),
            step: if left { StepKind::Leave } else { StepKind::Set },
            reason: differs.to_owned(),
        }),
    }
    Ok(())
}
