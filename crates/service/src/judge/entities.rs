//! A question put in Cedar's terms: who, what, on what, how it came.

use super::schema::{ACCOUNT, ACTIONS, INSTANCE, KEY, SCOPE, SERVICE};
use super::statements::roles_of;
use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use claviger_core::access::{
    AccountFacts, Action, Circumstances, InstanceFacts, Principal, Resource, Scope, Tags,
};
use std::collections::{HashMap, HashSet};

/// Why a question has no form: a text that Cedar cannot hold. Never permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Formless(pub(crate) String);

fn formless(error: &dyn std::fmt::Display) -> Formless {
    Formless(error.to_string())
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn tags(tags: &Tags) -> impl Iterator<Item = (String, RestrictedExpression)> {
    tags.iter().map(|(name, value)| (name.clone(), text(value)))
}

/// The scope of a key: everything, or what its list names.
fn scope_of(principal: &Principal) -> EntityUid {
    match &*principal.scope {
        Scope::All => SCOPE.uid("all"),
        Scope::Only(_) => SCOPE.uid(principal.key.as_str()),
    }
}

/// A key.
pub(crate) fn key(principal: &Principal) -> Result<Entity, Formless> {
    let attributes = [
        ("role".to_owned(), text(principal.role.as_str())),
        (
            "scope".to_owned(),
            RestrictedExpression::new_entity_uid(scope_of(principal)),
        ),
        (
            "temporary".to_owned(),
            RestrictedExpression::new_bool(principal.session.is_some()),
        ),
    ];
    let uid = KEY.uid(principal.key.as_str());
    Entity::new_with_tags(
        uid,
        attributes,
        roles_of(principal.role),
        tags(&principal.tags),
    )
    .map_err(|error| formless(&error))
}

fn instance(facts: &InstanceFacts, principal: &Principal) -> Result<Entity, Formless> {
    let mut scopes = vec![SCOPE.uid("all")];
    if matches!(&*principal.scope, Scope::Only(list) if list.contains(&facts.id)) {
        scopes.push(scope_of(principal));
    }
    let attributes = [
        ("name".to_owned(), text(&facts.name)),
        ("region".to_owned(), text(&facts.region)),
    ];
    let uid = INSTANCE.uid(facts.id.as_str());
    Entity::new_with_tags(uid, attributes, scopes, tags(&facts.tags))
        .map_err(|error| formless(&error))
}

fn account(on: &InstanceFacts, facts: &AccountFacts<'_>) -> Result<Entity, Formless> {
    let instance = INSTANCE.uid(on.id.as_str());
    let uid = ACCOUNT.uid(&format!("{}/{}", on.id, facts.name));
    let attributes = HashMap::from([
        (
            "instance".to_owned(),
            RestrictedExpression::new_entity_uid(instance.clone()),
        ),
        ("name".to_owned(), text(facts.name)),
        ("privilege".to_owned(), text(facts.privilege)),
        (
            "is_default".to_owned(),
            RestrictedExpression::new_bool(facts.is_default),
        ),
    ]);
    Entity::new(uid, attributes, HashSet::from([instance])).map_err(|error| formless(&error))
}

fn context(from: &Circumstances, asked: Option<&str>) -> Result<Context, Formless> {
    let source = from.source.to_canonical().to_string();
    let mut pairs = vec![
        ("source".to_owned(), RestrictedExpression::new_ip(source)),
        ("tls".to_owned(), RestrictedExpression::new_bool(from.tls)),
        ("dialect".to_owned(), text(from.dialect)),
    ];
    pairs.extend(asked.map(|privilege| ("asked_privilege".to_owned(), text(privilege))));
    Context::from_pairs(pairs).map_err(|error| formless(&error))
}

/// The question, and all that is to be known for its answer.
pub(crate) fn question(
    key: &Entity,
    principal: &Principal,
    action: Action,
    resource: &Resource<'_>,
) -> Result<(Request, Entities), Formless> {
    let mut entities = vec![key.clone()];
    let (on, asked) = match resource {
        Resource::Service => {
            let service = SERVICE.uid("claviger");
            let scopes = HashSet::from([SCOPE.uid("all")]);
            let entity = Entity::new(service.clone(), HashMap::new(), scopes);
            entities.push(entity.map_err(|error| formless(&error))?);
            (service, None)
        }
        Resource::Instance(facts) => {
            entities.push(instance(facts, principal)?);
            (INSTANCE.uid(facts.id.as_str()), None)
        }
        Resource::Account(facts, of) => {
            entities.push(instance(facts, principal)?);
            let entity = account(facts, of)?;
            let uid = entity.uid();
            entities.push(entity);
            (uid, of.asked_privilege)
        }
    };
    let (action, groups) = ACTIONS
        .get(&action)
        .ok_or_else(|| Formless("an unknown action".to_owned()))?;
    entities.extend(groups.clone());
    let context = context(&principal.from, asked)?;
    // Built by us after the schema: checking each of them against it would only cost time.
    let request = Request::new(key.uid(), action.clone(), on, context, None);
    let request = request.map_err(|error| formless(&error))?;
    let entities = Entities::from_entities(entities, None).map_err(|error| formless(&error))?;
    Ok((request, entities))
}
