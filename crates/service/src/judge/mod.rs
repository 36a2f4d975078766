//! What is permitted: the roles' policies and the operator's own, in one mechanism (Cedar).
//!
//! A decision is a pure function of the policies, the principal, the action and the resource.
//! What could concern a principal and an action at all is chosen once and kept, so that a
//! decision evaluates few statements however many there are.

mod entities;
pub mod schema;
pub(crate) mod statements;

use cedar_policy::{Authorizer, Decision, Entities, Entity, PolicySet, Request, Response};
use claviger_core::access::{Action, Judge, Principal, Resource, Scope};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::ids::KeyId;
use entities::Formless;
use statements::{Asked, Statement};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Pairs of key and action whose choice is kept; then all are forgotten.
const CHOSEN_MAX: usize = 4_096;

/// Policies of temporary credentials that are kept read; then all are forgotten.
const SESSIONS_MAX: usize = 1_024;

/// The judge: changed as a whole, so that no decision sees half a change.
pub struct CedarJudge {
    current: RwLock<Arc<Policies>>,
    sessions: Mutex<HashMap<Arc<str>, Arc<Vec<Statement>>>>,
    /// Rises with every change.
    edition: AtomicU64,
}

/// One state of the policies.
struct Policies {
    /// As they are stored.
    stored: Vec<AccessPolicy>,
    statements: Vec<Statement>,
    chosen: Mutex<HashMap<(KeyId, Action), Arc<Chosen>>>,
}

/// What can concern one key and one action.
struct Chosen {
    /// Statements that name no instance.
    everywhere: PolicySet,
    /// Of each instance that statements name: with those.
    on: HashMap<String, OnInstance>,
    /// All are the roles' own, which ask for nothing of an account.
    uniform: bool,
    /// The key, as itself and behind temporary credentials.
    key: [OnceLock<Result<Entity, Formless>>; 2],
    /// What the roles decide, where they alone do: see [`role_case`].
    of_role: [OnceLock<bool>; 8],
}

/// All that the roles' statements go by, beside the key and the action: whether the resource is
/// the service, whether it is in the key's scope, and whether the credentials are temporary. A
/// test compares what is kept by it with what Cedar says.
fn role_case(principal: &Principal, resource: &Resource<'_>) -> usize {
    let (service, within) = match (resource, &*principal.scope) {
        (Resource::Service, scope) => (true, matches!(scope, Scope::All)),
        (Resource::Instance(_) | Resource::Account(..), Scope::All) => (false, true),
        (Resource::Instance(facts) | Resource::Account(facts, _), Scope::Only(list)) => {
            (false, list.contains(&facts.id))
        }
    };
    usize::from(service) | usize::from(within) << 1 | usize::from(principal.session.is_some()) << 2
}

#[derive(Default)]
struct OnInstance {
    statements: Vec<Statement>,
    set: OnceLock<PolicySet>,
}

/// Why something is permitted or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// It is permitted.
    pub allowed: bool,
    /// The statements that decided it, sorted; none if nothing permits it.
    pub because: Vec<String>,
    /// Statements that could not be evaluated; any is a denial.
    pub errors: Vec<String>,
    /// The key itself is permitted, and the policy of its temporary credentials does not.
    pub by_session: bool,
}

impl Policies {
    fn read(stored: &[AccessPolicy]) -> Result<Self, String> {
        Ok(Self {
            statements: statements::of_all(stored)?,
            stored: stored.to_vec(),
            chosen: Mutex::default(),
        })
    }

    fn chosen(&self, principal: &Principal, action: Action) -> Arc<Chosen> {
        let mut all = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let of = (principal.key.clone(), action);
        if let Some(chosen) = all.get(&of) {
            return Arc::clone(chosen);
        }
        if all.len() >= CHOSEN_MAX {
            all.clear();
        }
        let chosen = Arc::new(choose(&self.statements, principal, action));
        all.insert(of, Arc::clone(&chosen));
        chosen
    }
}

/// The ids of statements are unique: those of a policy begin with its name, which is.
fn set_of<'a>(statements: impl Iterator<Item = &'a Statement>) -> PolicySet {
    let mut set = PolicySet::new();
    for statement in statements {
        if let Err(error) = set.add(statement.policy.clone()) {
            tracing::error!(%error, "a policy is passed over");
        }
    }
    set
}

fn choose(all: &[Statement], principal: &Principal, action: Action) -> Chosen {
    let asked = Asked::of(principal, action);
    let mut on: HashMap<String, OnInstance> = HashMap::new();
    let mut everywhere = Vec::new();
    let mut uniform = true;
    for statement in all.iter().filter(|s| asked.concerned_by(&s.policy)) {
        uniform &= statement.of_role;
        match statements::instance_of(&statement.policy) {
            Some(id) => on.entry(id).or_default().statements.push(statement.clone()),
            None => everywhere.push(statement),
        }
    }
    Chosen {
        everywhere: set_of(everywhere.into_iter()),
        on,
        uniform,
        key: Default::default(),
        of_role: Default::default(),
    }
}

impl Chosen {
    fn key(&self, principal: &Principal) -> Result<&Entity, &Formless> {
        let slot = &self.key[usize::from(principal.session.is_some())];
        slot.get_or_init(|| entities::key(principal)).as_ref()
    }

    /// The statements to look at for this resource.
    fn set(&self, resource: &Resource<'_>) -> &PolicySet {
        let instance = match resource {
            Resource::Service => return &self.everywhere,
            Resource::Instance(facts) | Resource::Account(facts, _) => facts.id.as_str(),
        };
        match self.on.get(instance) {
            None => &self.everywhere,
            Some(here) => here.set.get_or_init(|| {
                let mut set = self.everywhere.clone();
                for statement in &here.statements {
                    if let Err(error) = set.add(statement.policy.clone()) {
                        tracing::error!(%error, "a policy is passed over");
                    }
                }
                set
            }),
        }
    }
}

impl CedarJudge {
    /// Made of these policies.
    ///
    /// # Errors
    /// The name of a policy that is not understood, and why.
    pub fn of(policies: &[AccessPolicy]) -> Result<Self, String> {
        Ok(Self {
            current: RwLock::new(Arc::new(Policies::read(policies)?)),
            sessions: Mutex::default(),
            edition: AtomicU64::default(),
        })
    }

    /// Which state of the policies this is.
    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// Goes by these policies from now on.
    ///
    /// # Errors
    /// As [`CedarJudge::of`]; then nothing changes.
    pub(crate) fn put(&self, policies: &[AccessPolicy]) -> Result<(), String> {
        if self.current().stored == policies {
            return Ok(());
        }
        let next = Arc::new(Policies::read(policies)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.edition.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn current(&self) -> Arc<Policies> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// One answer holds for all accounts of an instance: whatever decides for this principal
    /// and action asks for nothing of an account.
    pub(crate) fn is_uniform(&self, principal: &Principal, action: Action) -> bool {
        let narrowed = principal
            .session
            .as_ref()
            .is_some_and(|s| s.policy.is_some());
        !narrowed && self.current().chosen(principal, action).uniform
    }

    /// The statements of temporary credentials' policy.
    fn session(&self, policy: &Arc<str>) -> Result<Arc<Vec<Statement>>, String> {
        let mut known = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statements) = known.get(policy) {
            return Ok(Arc::clone(statements));
        }
        let statements = Arc::new(statements::read("session", policy)?);
        if known.len() >= SESSIONS_MAX {
            known.clear();
        }
        known.insert(Arc::clone(policy), Arc::clone(&statements));
        Ok(statements)
    }

    /// Why something is permitted or not.
    pub(crate) fn explain(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource<'_>,
    ) -> Explanation {
        let chosen = self.current().chosen(principal, action);
        self.explain_by(&chosen, principal, action, resource)
    }

    fn explain_by(
        &self,
        chosen: &Chosen,
        principal: &Principal,
        action: Action,
        resource: &Resource<'_>,
    ) -> Explanation {
        let question = chosen
            .key(principal)
            .map_err(Clone::clone)
            .and_then(|key| entities::question(key, principal, action, resource));
        let (request, entities) = match question {
            Ok(question) => question,
            Err(Formless(why)) => {
                return Explanation {
                    errors: vec![why],
                    ..Explanation::default()
                };
            }
        };
        let own = evaluate(&request, &entities, chosen.set(resource));
        let Some(policy) = principal.session.as_ref().and_then(|s| s.policy.as_ref()) else {
            return own;
        };
        if !own.allowed {
            return own;
        }
        let narrowed = match self.session(policy) {
            Ok(statements) => evaluate(&request, &entities, &set_of(statements.iter())),
            Err(why) => Explanation {
                errors: vec![why],
                ..Explanation::default()
            },
        };
        let mut because = narrowed.because;
        if narrowed.allowed {
            because.extend(own.because);
        }
        Explanation {
            allowed: narrowed.allowed,
            because,
            errors: narrowed.errors,
            by_session: !narrowed.allowed,
        }
    }
}

/// Whether a text is a policy that could be added.
///
/// # Errors
/// What is wrong with it, with line and column where that can be told.
pub fn check(text: &str) -> Result<(), String> {
    statements::read("policy", text).map(|_| ())
}

fn evaluate(request: &Request, entities: &Entities, set: &PolicySet) -> Explanation {
    explained(&Authorizer::new().is_authorized(request, set, entities))
}

fn explained(response: &Response) -> Explanation {
    let diagnostics = response.diagnostics();
    let mut because: Vec<_> = diagnostics.reason().map(ToString::to_string).collect();
    because.sort();
    let errors: Vec<_> = diagnostics.errors().map(ToString::to_string).collect();
    Explanation {
        // One that could not be evaluated might be the one that forbids.
        allowed: response.decision() == Decision::Allow && errors.is_empty(),
        because,
        errors,
        by_session: false,
    }
}

/// What claviger does by itself when an account's end has come: that was permitted when the end
/// was set, and no policy of today keeps it from coming.
pub(crate) struct Ends;

impl Judge for Ends {
    fn permits(&self, _: &Principal, action: Action, _: &Resource<'_>) -> bool {
        action == Action::SetEnabled
    }
}

impl Judge for CedarJudge {
    fn permits(&self, principal: &Principal, action: Action, resource: &Resource<'_>) -> bool {
        let narrowed = principal.session.as_ref().and_then(|s| s.policy.as_ref());
        let chosen = self.current().chosen(principal, action);
        let kept = (chosen.uniform && narrowed.is_none())
            .then(|| &chosen.of_role[role_case(principal, resource)]);
        if let Some(&decided) = kept.and_then(OnceLock::get) {
            return decided;
        }
        let told = self.explain_by(&chosen, principal, action, resource);
        // One that failed is told each time.
        if let Some(slot) = kept.filter(|_| told.errors.is_empty()) {
            let _ = slot.set(told.allowed);
        }
        for error in &told.errors {
            tracing::error!(%error, %action, key = %principal.key, "a policy fails: denied");
        }
        told.allowed
    }
}
