//! The users on an instance's nodes that are not its accounts, read so that they can become some
//! without a change: with the digests of their passwords, and rules that are proven, by a scratch
//! user on each node, to give exactly what they have.

use crate::ask;
use crate::context::Context;
use crate::desired::{DEFAULT_USER, Rights, Rule};
use crate::errors::NodeError;
use crate::join::join_all;
use crate::plan::{self, Claim, Look, SCRATCH_PREFIX, Target};
use crate::survey::{Described, Survey};
use claviger_core::adopt::{FoundRights, FoundUser, FoundUsers, UsersAsk};
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::ids::{AccountName, InstanceId, NodeAddress};
use claviger_core::instance::{CustomRole, Held, RolePolicy};
use claviger_core::node::NodeRole;
use claviger_core::password::PasswordDigest;
use claviger_core::privilege::{Privilege, RoleName};
use claviger_core::refusal::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Users that are looked at in one call.
const USERS_MAX: usize = 1_000;

/// A user on the node that counts.
struct Candidate {
    name: String,
    described: Option<Described>,
    rights: FoundRights,
    /// The rule that gives these rights.
    rule: Option<Rights>,
}

type Opened<'a> = (NodeAddress, Result<Survey<'a>, NodeError>);

/// See [`claviger_core::ports::Fleet::users`].
pub(crate) async fn users(
    id: &InstanceId,
    ask: &UsersAsk,
    context: &Context,
) -> Result<FoundUsers, Refusal> {
    let held = ask::held(id, context).await?;
    let seeds = ask::nodes(&held, context).await;
    if let Some(from) = &ask.from
        && !seeds.iter().any(|seed| seed.address == *from)
    {
        return Err(Refusal::ParameterInvalid {
            name: "from",
            why: "not a node of this instance",
        });
    }
    let opened = seeds.iter().map(async |seed| {
        let survey = Survey::open(&held, seed, context).await;
        (seed.address.clone(), survey)
    });
    let mut opened = one_each(join_all(opened).await, ask.from.as_ref());
    let first = reference(&opened, ask.from.as_ref()).ok_or(Refusal::Unavailable)?;
    let (node, survey) = opened.remove(first);
    let mut survey = survey.map_err(|_| Refusal::Unavailable)?;
    if survey.level() == AclLevel::None {
        return Err(Refusal::EngineTooOld);
    }
    let failed = |error: NodeError| {
        tracing::warn!(instance = %id, "cannot read the users: {error}");
        Refusal::Unavailable
    };
    let names = names(&held, ask, &survey, &opened).await.map_err(failed)?;
    if names.len() > USERS_MAX {
        return Err(Refusal::NotSupported(
            "there are more than 1,000 users to take over; name those that are meant",
        ));
    }
    let candidates = candidates(&held, names, &mut survey, context).await;
    let candidates = candidates.map_err(failed)?;
    let mut found = found(&candidates);
    let mut away = Vec::new();
    for (address, survey) in opened {
        let compared = match survey {
            Ok(survey) => compare(&held, &candidates, survey, context).await,
            Err(error) => Err(error),
        };
        match compared {
            Err(error) => away.push((address, error.to_string())),
            Ok(differs) => {
                for (user, why) in found.iter_mut().zip(differs) {
                    let differs = why.map(|why| (address.clone(), why.to_owned()));
                    user.differs.extend(differs);
                }
            }
        }
    }
    Ok(FoundUsers {
        node,
        users: found,
        away,
    })
}

/// The same server under two addresses is one node; the one that is asked for is kept.
fn one_each<'a>(all: Vec<Opened<'a>>, from: Option<&NodeAddress>) -> Vec<Opened<'a>> {
    let mut kept: Vec<Opened<'a>> = Vec::new();
    for (address, survey) in all {
        let run_id = |opened: &Opened<'_>| match &opened.1 {
            Ok(survey) => survey.facts.run_id.clone(),
            Err(_) => String::new(),
        };
        let new = (address, survey);
        let own = run_id(&new);
        let twin = kept
            .iter()
            .position(|held| !own.is_empty() && run_id(held) == own);
        match twin {
            Some(at) if from == Some(&new.0) => kept[at] = new,
            Some(_) => {}
            None => kept.push(new),
        }
    }
    kept
}

/// Which node counts: the one that is asked for, else a primary, else any that answers.
fn reference(opened: &[Opened<'_>], from: Option<&NodeAddress>) -> Option<usize> {
    let answers = |opened: &Opened<'_>| opened.1.is_ok();
    if let Some(from) = from {
        return opened.iter().position(|one| one.0 == *from && answers(one));
    }
    let primary = |opened: &Opened<'_>| {
        let survey = opened.1.as_ref();
        survey.is_ok_and(|survey| survey.facts.role == NodeRole::Primary)
    };
    opened
        .iter()
        .position(primary)
        .or_else(|| opened.iter().position(answers))
}

/// The names of the users to look at: those that are asked for, else all that are on any node and
/// are neither accounts nor the servers' own.
async fn names(
    held: &Held,
    ask: &UsersAsk,
    survey: &Survey<'_>,
    others: &[Opened<'_>],
) -> Result<BTreeSet<String>, NodeError> {
    let own = held.instance.login.user.as_deref().unwrap_or(DEFAULT_USER);
    let taken = |name: &str| {
        name == DEFAULT_USER
            || name == own
            || name == held.instance.id.as_str()
            || name.starts_with(SCRATCH_PREFIX)
    };
    if !ask.names.is_empty() {
        let asked = ask.names.iter().map(AccountName::as_str);
        return Ok(asked
            .filter(|name| !taken(name))
            .map(str::to_owned)
            .collect());
    }
    let mut names: BTreeSet<String> = survey.names().await?.into_iter().collect();
    if ask.from.is_none() {
        for survey in others.iter().filter_map(|(_, survey)| survey.as_ref().ok()) {
            // A node that fails now is away when it is compared.
            names.extend(survey.names().await.unwrap_or_default());
        }
    }
    names.retain(|name| !taken(name) && held.account(name).is_none());
    Ok(names)
}

/// Describes the users on the node that counts, and finds what gives each its rights.
async fn candidates(
    held: &Held,
    names: BTreeSet<String>,
    survey: &mut Survey<'_>,
    context: &Context,
) -> Result<Vec<Candidate>, NodeError> {
    let engine = survey.facts.engine;
    let roles = &held.instance.roles;
    let own = roles.custom.iter().map(|role| Privilege::Custom(role.name));
    let known: Vec<Privilege> = Privilege::BUILT_IN.into_iter().chain(own).collect();
    let rule = |privilege: &Privilege| {
        let rights = Rights::Of(*privilege);
        context.rules.rule(rights, roles, engine, &context.salt)
    };
    let rules: Vec<Arc<Rule>> = known.iter().map(rule).collect();
    survey.render(&rules).await?;
    let listed: Vec<&str> = names.iter().map(String::as_str).collect();
    let described = survey.look(&listed).await?;
    let mut candidates: Vec<Candidate> = Vec::with_capacity(described.len());
    for (name, described) in names.into_iter().zip(described) {
        let mut candidate = Candidate {
            name,
            described,
            rights: FoundRights::Beyond,
            rule: None,
        };
        if let Some(described) = &candidate.described {
            let same = |rule: &Arc<Rule>| survey.rendering(rule) == Some(described.seen.rules);
            match rules.iter().position(same) {
                Some(at) => {
                    candidate.rights = FoundRights::Known(known[at]);
                    candidate.rule = Some(Rights::Of(known[at]));
                }
                None => {
                    let rule = trial(&described.tokens, roles, engine, context);
                    survey.render(std::slice::from_ref(&rule)).await?;
                    if survey.rendering(&rule) == Some(described.seen.rules) {
                        candidate.rights = FoundRights::Rules(described.tokens.clone());
                    }
                }
            }
        }
        candidates.push(candidate);
    }
    Ok(candidates)
}

/// The rule of an account whose role has these tokens.
fn trial(tokens: &[String], roles: &RolePolicy, engine: Engine, context: &Context) -> Arc<Rule> {
    let mut policy = roles.clone();
    policy.custom.clear();
    let Some(name) = RoleName::parse("trial") else {
        return Rule::made(Vec::new(), &context.salt);
    };
    policy.custom.push(CustomRole {
        name,
        rules: tokens.to_vec(),
    });
    let tokens = claviger_core::acl::rule_tokens(Privilege::Custom(name), &policy, engine);
    Rule::made(tokens, &context.salt)
}

fn found(candidates: &[Candidate]) -> Vec<FoundUser> {
    let user = |candidate: &Candidate| {
        let seen = candidate
            .described
            .as_ref()
            .map(|described| &described.seen);
        let digests = seen.into_iter().flat_map(|seen| &seen.digests);
        FoundUser {
            name: AccountName::new(candidate.name.as_str()),
            absent: seen.is_none(),
            on: seen.is_some_and(|seen| seen.on),
            nopass: seen.is_some_and(|seen| seen.nopass),
            digests: digests
                .filter_map(|hex| PasswordDigest::from_hex(hex))
                .collect(),
            rights: candidate.rights.clone(),
            differs: Vec::new(),
        }
    };
    candidates.iter().map(user).collect()
}

/// How each user differs on another node, if it does.
async fn compare(
    held: &Held,
    candidates: &[Candidate],
    mut survey: Survey<'_>,
    context: &Context,
) -> Result<Vec<Option<&'static str>>, NodeError> {
    let engine = survey.facts.engine;
    let roles = &held.instance.roles;
    let rules: BTreeMap<usize, Arc<Rule>> = candidates
        .iter()
        .enumerate()
        .filter_map(|(at, candidate)| {
            let rule = match (&candidate.rule, &candidate.rights) {
                (Some(rights), _) => context.rules.rule(*rights, roles, engine, &context.salt),
                (None, FoundRights::Rules(tokens)) => trial(tokens, roles, engine, context),
                (None, _) => return None,
            };
            Some((at, rule))
        })
        .collect();
    let all: Vec<Arc<Rule>> = rules.values().cloned().collect();
    survey.render(&all).await?;
    let names: Vec<&str> = candidates.iter().map(|c| c.name.as_str()).collect();
    let looks = survey.look(&names).await?;
    let differs = candidates.iter().zip(looks).enumerate();
    let differs = differs.map(
        |(at, (candidate, look))| match (&candidate.described, look) {
            (None, None) => None,
            (None, Some(_)) => Some("is there"),
            (Some(_), None) => Some("is missing"),
            (Some(described), Some(other)) => {
                let rule = rules.get(&at)?;
                let (seen, other) = (&described.seen, other.seen);
                let target = Target {
                    name: &candidate.name,
                    on: seen.on,
                    digests: &seen.digests,
                    former: &[],
                    rules: survey.rendering(rule),
                    gone: false,
                    claim: Claim::default(),
                };
                let nopass = seen.nopass || plan::holds(&target, &other);
                (!nopass).then(|| plan::difference(&target, &Look::Present(other)))
            }
        },
    );
    Ok(differs.collect())
}
