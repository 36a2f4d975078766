//! Policies read, checked against the schema, and sorted by whom and what they can concern, so
//! that a decision looks at few of them.

use super::schema::{ACTION, ACTIONS, INSTANCE, KEY, ROLE, SCHEMA, groups};
use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint, ValidationMode, Validator,
};
use claviger_core::access::{Action, Principal, Role};
use claviger_core::access_policy::AccessPolicy;
use miette::Diagnostic;
use std::str::FromStr;
use std::sync::LazyLock;

/// Statements that one policy may have.
const STATEMENTS_MAX: usize = 64;

/// What the roles permit.
#[expect(clippy::expect_used, reason = "a fixed text, read by a test")]
static ROLES: LazyLock<Vec<Statement>> = LazyLock::new(|| {
    let set = PolicySet::from_str(include_str!("roles.cedar"));
    let set = set.expect("the roles' policies are read by a test");
    let named = set.policies().map(|policy| {
        let name = policy.annotation("id").unwrap_or_default().to_owned();
        Statement {
            policy: policy.new_id(PolicyId::new(name)),
            of_role: true,
        }
    });
    named.collect()
});

/// One statement.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) policy: Policy,
    /// It is one of ours, which go by a key's role, and by nothing of an account.
    pub(crate) of_role: bool,
}

/// The roles' statements, and those of the policies. A stored policy that this version does not
/// understand must not be passed over in silence: it might be the one that forbids.
///
/// # Errors
/// The name of such a policy, and why.
pub(crate) fn of_all(policies: &[AccessPolicy]) -> Result<Vec<Statement>, String> {
    let mut all = ROLES.clone();
    for policy in policies {
        let read = read(&policy.name, &policy.text);
        all.extend(read.map_err(|why| format!("policy {}: {why}", policy.name))?);
    }
    Ok(all)
}

/// Reads and checks a policy's text. Its statements are named after it: `name`, `name#2`, ...
///
/// # Errors
/// What is wrong, with line and column where that can be told.
pub(crate) fn read(name: &str, text: &str) -> Result<Vec<Statement>, String> {
    if text.len() > AccessPolicy::TEXT_LEN_MAX {
        let max = AccessPolicy::TEXT_LEN_MAX;
        return Err(format!("longer than {max} bytes"));
    }
    let set = PolicySet::from_str(text).map_err(|errors| {
        let all: Vec<_> = errors.iter().map(|error| located(text, error)).collect();
        format!("not Cedar: {}", all.join("; "))
    })?;
    if set.templates().next().is_some() {
        return Err("templates (?principal, ?resource) are not taken".to_owned());
    }
    let mut policies: Vec<_> = set.policies().collect();
    match policies.len() {
        0 => return Err("there is no statement in it".to_owned()),
        1..=STATEMENTS_MAX => {}
        _ => return Err(format!("more than {STATEMENTS_MAX} statements")),
    }
    // The parser numbers them as they stand.
    let place = |p: &Policy| {
        p.id()
            .to_string()
            .trim_start_matches("policy")
            .parse()
            .unwrap_or(0)
    };
    policies.sort_by_key(|policy| -> usize { place(policy) });
    let statements = policies.iter().zip(1..).map(|(policy, at)| {
        let id = match at {
            1 => name.to_owned(),
            _ => format!("{name}#{at}"),
        };
        Statement {
            policy: policy.new_id(PolicyId::new(id)),
            of_role: false,
        }
    });
    let statements: Vec<Statement> = statements.collect();
    validate(text, &statements)?;
    Ok(statements)
}

fn validate(text: &str, statements: &[Statement]) -> Result<(), String> {
    let policies = statements.iter().map(|s| s.policy.clone());
    let set = PolicySet::from_policies(policies).map_err(|error| error.to_string())?;
    let told = Validator::new(SCHEMA.clone()).validate(&set, ValidationMode::Strict);
    let all: Vec<_> = told.validation_errors().map(|e| located(text, e)).collect();
    match all.is_empty() {
        true => Ok(()),
        false => Err(format!("does not fit the schema: {}", all.join("; "))),
    }
}

/// A fault with the line and column at which it begins, and what would help.
fn located(text: &str, fault: &(impl Diagnostic + ?Sized)) -> String {
    let at = fault.labels().and_then(|mut labels| labels.next());
    let before = at.and_then(|label| text.get(..label.offset()));
    let mut told = fault.to_string();
    if let Some(before) = before {
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        told = format!("line {line}, column {column}: {told}");
    }
    if let Some(help) = fault.help() {
        told = format!("{told} ({help})");
    }
    told
}

/// The identities that a key is in.
pub(crate) fn roles_of(role: Role) -> Vec<EntityUid> {
    let mut roles = vec![ROLE.uid(role.as_str())];
    if role != Role::None {
        roles.push(ROLE.uid("any"));
    }
    roles
}

/// What the scopes of a statement are compared with.
pub(crate) struct Asked {
    principals: Vec<EntityUid>,
    actions: Vec<EntityUid>,
}

impl Asked {
    pub(crate) fn of(principal: &Principal, action: Action) -> Self {
        let mut principals = roles_of(principal.role);
        principals.push(KEY.uid(principal.key.as_str()));
        let mut actions: Vec<_> = groups(action).iter().map(|g| ACTION.uid(g)).collect();
        actions.extend(ACTIONS.get(&action).map(|(uid, _)| uid.clone()));
        Self {
            principals,
            actions,
        }
    }

    /// Whether a statement can concern this principal and action at all.
    pub(crate) fn concerned_by(&self, policy: &Policy) -> bool {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => true,
            PrincipalConstraint::Eq(uid)
            | PrincipalConstraint::In(uid)
            | PrincipalConstraint::IsIn(_, uid) => self.principals.contains(&uid),
        };
        let action = match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => self.actions.contains(&uid),
            ActionConstraint::In(list) => list.iter().any(|uid| self.actions.contains(uid)),
        };
        principal && action
    }
}

/// The one instance that a statement concerns, if it names one.
pub(crate) fn instance_of(policy: &Policy) -> Option<String> {
    let uid = match policy.resource_constraint() {
        ResourceConstraint::Eq(uid)
        | ResourceConstraint::In(uid)
        | ResourceConstraint::IsIn(_, uid) => uid,
        ResourceConstraint::Any | ResourceConstraint::Is(_) => return None,
    };
    let instance = INSTANCE.uid("");
    (uid.type_name() == instance.type_name()).then(|| uid.id().unescaped().to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn told(text: &str) -> String {
        read("p", text).err().unwrap_or_default()
    }

    #[test]
    fn roles_fit_the_schema() {
        let text = include_str!("roles.cedar");
        assert_eq!(read("roles", text).unwrap().len(), ROLES.len());
        for statement in ROLES.iter() {
            assert!(
                statement.policy.id().to_string().contains("e"),
                "it has a name"
            );
        }
    }

    #[test]
    fn statements_are_named_as_they_stand() {
        let text = "permit(principal, action, resource);".repeat(12);
        let names: Vec<_> = read("p", &text).unwrap();
        let names: Vec<_> = names.iter().map(|s| s.policy.id().to_string()).collect();
        assert_eq!((names[0].as_str(), names[11].as_str()), ("p", "p#12"));
    }

    #[test]
    fn faults_are_located() {
        assert!(told("permit(principal,\n  action resource);").contains("line 2, column"));
        let unknown = "permit(principal, action == Action::\"account:reed\", resource);";
        let unknown = told(unknown);
        assert!(
            unknown.starts_with("does not fit the schema: line 1"),
            "{unknown}"
        );
        assert!(unknown.contains("did you mean"), "{unknown}");
        let attribute = "permit(principal, action, resource is Instance)\n\
                         when { resource.regoin == \"x\" };";
        assert!(
            told(attribute).contains("line 2, column"),
            "{}",
            told(attribute)
        );
        assert!(told("").contains("no statement"));
        assert!(told("permit(principal == ?principal, action, resource);").contains("templates"));
        assert!(told(&"permit(principal, action, resource);".repeat(65)).contains("64"));
        assert!(told(&" ".repeat(16 * 1024 + 1)).contains("16384 bytes"));
        // A tag may not be there, and asking for it must be safe.
        let tag = "permit(principal, action, resource is Instance)\n\
                   when { resource.getTag(\"team\") == \"x\" };";
        assert!(told(tag).contains("line 2"), "{}", told(tag));
    }
}
