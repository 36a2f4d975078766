//! A fleet member's settings: how privileges become rules, names, tags, set aside or not.

use crate::Service;
use crate::instance_set::{SetInstance, set_ops};
use crate::native::{NativeContext, NativeError, store_error};
use claviger_core::access::{Action, Resource, authorize};
use claviger_core::audit::Facts;
use claviger_core::ids::InstanceId;
use claviger_core::instance::{Instance, InstanceView};
use claviger_core::ports::Op;
use claviger_core::refusal::Refusal;

impl Service {
    /// Changes an instance's settings; role settings go to every account at once.
    ///
    /// # Errors
    /// Permission, an unknown instance, values out of bounds, or the store.
    pub async fn set_instance(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
        set: SetInstance,
    ) -> Result<InstanceView, NativeError> {
        self.permit(
            &cx.principal,
            Action::SetInstance,
            Some(id),
            &cx.request_id,
            (),
        )
        .await?;
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let held = held.ok_or(NativeError::Refused(Refusal::InstanceNotFound))?;
        if set.changes_policy() {
            let action = Action::SetInstancePolicy;
            self.permit(&cx.principal, action, Some(id), &cx.request_id, ())
                .await?;
        }
        let ops = set_ops(&held, set)?;
        let next = self.may_become(cx, &held.instance, &ops)?;
        let changes = differences(facts(&held.instance), facts(&next));
        if !ops.is_empty() {
            let call = cx.call("instance.set");
            let mut audit = call.audit(&cx.principal, self.now(), id.as_str(), "");
            (audit.before, audit.after) = changes;
            audit.detail = audit.after.keys().cloned().collect::<Vec<_>>().join(", ");
            let written = self.store.apply(ops, Some(audit)).await;
            written.map_err(|failure| store_error(&failure, &cx.request_id))?;
            self.fleet.wake(id);
        }
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let held = held.ok_or(NativeError::Refused(Refusal::InstanceNotFound))?;
        self.directory.put(held.instance.facts());
        Ok(held.instance.view())
    }

    /// What it is to become. Whoever may set an instance by its tags, name or region must also
    /// be allowed to set that: else setting them would be a way to more rights.
    fn may_become(
        &self,
        cx: &NativeContext,
        held: &Instance,
        ops: &[Op],
    ) -> Result<Instance, NativeError> {
        let mut next = held.clone();
        for op in ops {
            match op {
                Op::SetTags(_, tags) => next.tags.clone_from(tags),
                Op::SetLabels { name, region, .. } => {
                    next.name = name.clone().unwrap_or(next.name);
                    next.region = region.clone().unwrap_or(next.region);
                }
                Op::SetRoles(_, roles) => next.roles = roles.clone(),
                Op::SetPolicy(_, policy) => next.policy = *policy,
                Op::SetState(_, state) => next.state = *state,
                _ => {}
            }
        }
        let became = next.facts();
        let (actions, on) = ([Action::SetInstance], Resource::Instance(&became));
        authorize(&self.judge, &cx.principal, &actions, &on, ())?;
        Ok(next)
    }
}

/// What is told of an instance's settings in the audit trail.
fn facts(instance: &Instance) -> Facts {
    let roles = &instance.roles;
    let mut facts = Facts::from([
        ("name".to_owned(), instance.name.clone()),
        ("region".to_owned(), instance.region.clone()),
        (
            "state".to_owned(),
            format!("{:?}", instance.state).to_lowercase(),
        ),
        (
            "role_profile".to_owned(),
            format!("{:?}", roles.profile).to_lowercase(),
        ),
        (
            "administrator".to_owned(),
            format!("{:?}", roles.administrator).to_lowercase(),
        ),
        (
            "disabled_commands".to_owned(),
            roles.disabled_commands.join(","),
        ),
    ]);
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let policy = serde_json::to_string(&instance.policy);
    facts.insert("policy".to_owned(), json(policy));
    for role in &roles.custom {
        facts.insert(format!("role {}", role.name), role.rules.join(" "));
    }
    let tags = instance.tags.iter();
    facts.extend(tags.map(|(name, value)| (format!("tag {name}"), value.clone())));
    facts
}

/// What differs, before and after.
pub(crate) fn differences(mut before: Facts, mut after: Facts) -> (Facts, Facts) {
    let same = before
        .iter()
        .filter(|(name, value)| after.get(*name) == Some(*value));
    let same: Vec<String> = same.map(|(name, _)| name.clone()).collect();
    for name in same {
        before.remove(&name);
        after.remove(&name);
    }
    (before, after)
}
