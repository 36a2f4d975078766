//! The settings of a fleet member: roles, policy, labels, whether it takes changes.

use crate::instances::{disabled_ok, label_ok, tags_fit};
use crate::native::NativeError;
use claviger_core::account::Life;
use claviger_core::acl::{CUSTOM_TOKENS_MAX, custom_tokens_ok};
use claviger_core::decide::decide_policy;
use claviger_core::instance::{
    AdministratorReach, CustomRole, Held, InstanceState, RolePolicy, RoleProfile,
};
use claviger_core::policy::{DriftPolicy, PasswordPolicy, PolicyChange, SessionPolicy};
use claviger_core::ports::Op;
use claviger_core::privilege::{Privilege, RoleName};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Settings to change; absent ones stay.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetInstance {
    /// Faithful or strict.
    #[serde(default)]
    pub role_profile: Option<RoleProfile>,
    /// Commands taken from every role; empty takes none.
    #[serde(default)]
    pub disabled_commands: Option<Vec<String>>,
    /// How far Administrator reaches.
    #[serde(default)]
    pub administrator: Option<AdministratorReach>,
    /// Roles of the operator's own by name: the rule tokens that each has from now on, or none
    /// for one that ends. Those that are not named stay.
    #[serde(default)]
    pub custom_roles: Option<BTreeMap<String, Option<Vec<String>>>>,
    /// What is done about drift.
    #[serde(default)]
    pub drift: Option<DriftPolicy>,
    /// What happens to live sessions.
    #[serde(default)]
    pub sessions: Option<SessionPolicy>,
    /// Replicas serve reads.
    #[serde(default)]
    pub replica_reads: Option<bool>,
    /// What every new password must have.
    #[serde(default)]
    pub password_policy: Option<PasswordPolicy>,
    /// A name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Region word.
    #[serde(default)]
    pub region: Option<String>,
    /// Set aside: changes are refused, nodes left alone.
    #[serde(default)]
    pub paused: Option<bool>,
    /// Tags to set; one without a value is taken away. Others stay.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
}

impl SetInstance {
    /// It changes how the instance treats its accounts.
    pub(crate) fn changes_policy(&self) -> bool {
        self.drift.is_some()
            || self.sessions.is_some()
            || self.replica_reads.is_some()
            || self.password_policy.is_some()
    }
}

/// The longest that sessions may outlive a change, seconds: a day. What is to be ended later
/// would hardly be remembered.
const KILL_AFTER_S_MAX: u32 = 24 * 3600;

/// The writes that make it so; none if all is so already.
///
/// # Errors
/// Values out of their bounds, or that something in use forbids.
pub(crate) fn set_ops(held: &Held, set: SetInstance) -> Result<Vec<Op>, NativeError> {
    let instance = &held.instance;
    let mut ops = Vec::new();
    let roles = roles_after(held, &set).map_err(NativeError::Invalid)?;
    if roles != instance.roles {
        ops.push(Op::SetRoles(instance.id.clone(), roles));
    }
    let change = policy_change(&set).map_err(NativeError::Invalid)?;
    let policy = decide_policy(held, &change)?;
    if policy != instance.policy {
        ops.push(Op::SetPolicy(instance.id.clone(), policy));
    }
    if set.name.is_some() || set.region.is_some() {
        for (what, label) in [("name", &set.name), ("region", &set.region)] {
            let fine = label.as_ref().map_or(Ok(()), |text| label_ok(what, text));
            fine.map_err(NativeError::Invalid)?;
        }
        ops.push(Op::SetLabels {
            instance: instance.id.clone(),
            name: set.name,
            region: set.region,
        });
    }
    let mut tags = instance.tags.clone();
    for (name, value) in set.tags {
        match value {
            Some(value) => tags.insert(name, value),
            None => tags.remove(&name),
        };
    }
    if tags != instance.tags {
        tags_fit(&tags).map_err(NativeError::Invalid)?;
        ops.push(Op::SetTags(instance.id.clone(), tags));
    }
    if let Some(paused) = set.paused {
        let state = match (paused, instance.engine.is_some()) {
            (true, _) => InstanceState::Paused,
            (false, true) => InstanceState::Running,
            (false, false) => InstanceState::Registering,
        };
        if state != instance.state {
            ops.push(Op::SetState(instance.id.clone(), state));
        }
    }
    Ok(ops)
}

fn policy_change(set: &SetInstance) -> Result<PolicyChange, String> {
    if let Some(SessionPolicy::KillAfter(seconds)) = set.sessions
        && !(1..=KILL_AFTER_S_MAX).contains(&seconds)
    {
        return Err(format!(
            "sessions: kill-after takes 1 to {KILL_AFTER_S_MAX} seconds"
        ));
    }
    Ok(PolicyChange {
        passwords: set.password_policy,
        replica_reads: set.replica_reads,
        drift: set.drift,
        sessions: set.sessions,
    })
}

fn roles_after(held: &Held, set: &SetInstance) -> Result<RolePolicy, String> {
    let mut roles = held.instance.roles.clone();
    roles.profile = set.role_profile.unwrap_or(roles.profile);
    roles.administrator = set.administrator.unwrap_or(roles.administrator);
    if let Some(commands) = &set.disabled_commands {
        roles.disabled_commands.clone_from(commands);
    }
    disabled_ok(&roles.disabled_commands)?;
    for (name, rules) in set.custom_roles.iter().flatten() {
        let form = "a role's name is 1 to 31 letters, digits, '_' and '-', a letter first, and no \
                    built-in privilege";
        let name = RoleName::parse(name).ok_or(form)?;
        match rules {
            Some(rules) => put_role(&mut roles, name, rules.clone()),
            None => remove_role(&mut roles, name, held)?,
        }
    }
    custom_roles_ok(&roles.custom)?;
    Ok(roles)
}

fn put_role(roles: &mut RolePolicy, name: RoleName, rules: Vec<String>) {
    match roles.custom.iter_mut().find(|role| role.name == name) {
        Some(role) => role.rules = rules,
        None => roles.custom.push(CustomRole { name, rules }),
    }
}

fn remove_role(roles: &mut RolePolicy, name: RoleName, held: &Held) -> Result<(), String> {
    let before = roles.custom.len();
    roles.custom.retain(|role| role.name != name);
    if roles.custom.len() == before {
        return Err(format!("there is no role {name}"));
    }
    let live = held.accounts.iter().filter(|a| a.life == Life::Live);
    let mut having = live.filter(|a| a.privilege == Privilege::Custom(name));
    match having.next() {
        Some(account) => Err(format!("the account {} has the role {name}", account.name)),
        None => Ok(()),
    }
}

/// Whether these may be an instance's roles.
pub(crate) fn custom_roles_ok(roles: &[CustomRole]) -> Result<(), String> {
    if roles.len() > RolePolicy::CUSTOM_MAX {
        let most = RolePolicy::CUSTOM_MAX;
        return Err(format!("an instance has {most} roles of its own at most"));
    }
    for (index, role) in roles.iter().enumerate() {
        if !custom_tokens_ok(&role.rules) {
            return Err(format!(
                "the role {} takes 1 to {CUSTOM_TOKENS_MAX} rules such as +@read, -keys, \
                 ~app:*, &news.*, and none about passwords, on or off",
                role.name
            ));
        }
        if roles[..index].iter().any(|other| other.name == role.name) {
            return Err(format!("the role {} is given twice", role.name));
        }
    }
    Ok(())
}
