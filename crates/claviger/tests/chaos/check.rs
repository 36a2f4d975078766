//! Every node against what was acknowledged.

use crate::model::{INSTANCE, Live, Model};
use crate::node::Node;
use claviger_core::acl::rule_tokens;
use claviger_core::password::PasswordDigest;
use claviger_core::secret::Secret;
use std::collections::BTreeSet;

pub(crate) fn digest(password: &str) -> String {
    PasswordDigest::of(&Secret::new(password)).expose_hex()
}

/// The account is on the node as it was acknowledged: password, rules, and nothing of before.
pub(crate) fn account(node: &Node, model: &Model, name: &str, live: &Live) -> Result<(), String> {
    let at = node.address();
    let user = node.user(name)?;
    let user = user.ok_or_else(|| format!("{name} is lost on {at}"))?;
    if user.on != live.enabled || user.nopass || user.digests != [digest(&live.password)] {
        return Err(format!("{name} on {at} lets in others: {user:?}"));
    }
    let tokens = rule_tokens(live.privilege, &model.roles, node.engine);
    let rules = node.rendering(&tokens)?;
    if user.rules != rules {
        return Err(format!(
            "{name} on {at} has other rules: {} instead of {rules}",
            user.rules
        ));
    }
    if node.logs_in(name, &live.password) != live.enabled {
        let (not, on) = (if live.enabled { "not" } else { "" }, live.enabled);
        return Err(format!("{name} can{not} log in on {at}, enabled {on}"));
    }
    match live.former.last() {
        Some(former) if node.logs_in(name, former) => {
            Err(format!("the former password of {name} works on {at}"))
        }
        _ => Ok(()),
    }
}

/// Everything on the node.
pub(crate) fn node(node: &Node, model: &Model) -> Result<(), String> {
    let at = node.address();
    for (name, live) in &model.live {
        account(node, model, name, live)?;
    }
    if let Some(password) = model.default.last() {
        for name in ["default", INSTANCE] {
            let user = node.user(name)?;
            let user = user.ok_or_else(|| format!("{name} is lost on {at}"))?;
            if !user.on || user.nopass || user.digests != [digest(password)] {
                return Err(format!("{name} on {at} lets in others: {user:?}"));
            }
            if !node.logs_in(name, password) {
                return Err(format!("{name} cannot log in on {at}"));
            }
        }
    }
    let expected: BTreeSet<String> = model
        .live
        .keys()
        .cloned()
        .chain(node.foreign.keys().cloned())
        .chain(["default".to_owned()])
        .chain((!model.default.is_empty()).then(|| INSTANCE.to_owned()))
        .collect();
    let found: BTreeSet<String> = node.users()?.into_iter().collect();
    if found != expected {
        let lost: Vec<_> = expected.difference(&found).collect();
        let extra: Vec<_> = found.difference(&expected).collect();
        return Err(format!("{at}: lost {lost:?}, extra {extra:?}"));
    }
    for (name, described) in &node.foreign {
        let now = node.user(name)?.map(|user| user.described());
        if now.as_ref() != Some(described) {
            return Err(format!(
                "{name} on {at} is not ours and was changed: {now:?} instead of {described}"
            ));
        }
    }
    for (name, passwords) in &model.gone {
        let mut passwords = passwords.iter();
        if !model.live.contains_key(name)
            && let Some(password) = passwords.find(|password| node.logs_in(name, password))
        {
            return Err(format!("{name} was deleted and {password} works on {at}"));
        }
    }
    Ok(())
}
