//! Who may do what: key pairs, roles, scopes. [`authorize`] is the only maker of a permit.

use crate::clock::Timestamp;
use crate::ids::{InstanceId, KeyId};
use crate::refusal::Refusal;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads everything in scope; changes accounts.
    Operator,
    /// Reads everything in scope.
    Auditor,
}

/// On which instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// On all.
    All,
    /// On these only.
    Only(Vec<InstanceId>),
}

impl Scope {
    /// Whether the instance is in it.
    pub fn covers(&self, instance: &InstanceId) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(list) => list.contains(instance),
        }
    }
}

/// An API caller's key pair.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half.
    pub id: KeyId,
    /// The secret half: claviger verifies signatures, so it must know it. Sealed at rest.
    pub secret: Secret,
    /// What its holder may do.
    pub role: Role,
    /// On which instances.
    pub scope: Scope,
    /// A note of the operator.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The caller of a request whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key that signed.
    pub key: KeyId,
    /// What its holder may do.
    pub role: Role,
    /// On which instances.
    pub scope: Scope,
}

/// An operation in claviger's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// See accounts, tasks and their state.
    ReadAccounts,
    /// Create, modify, delete accounts.
    ChangeAccounts,
    /// See instances.
    ReadInstances,
    /// Register, set, remove instances.
    ChangeInstances,
    /// See keys, without secrets.
    ReadKeys,
    /// Make and revoke keys.
    ChangeKeys,
}

/// Proof that the caller may do what the value says. Only [`authorize`] makes one.
#[derive(Clone, Debug)]
pub struct Authorized<T> {
    principal: Principal,
    value: T,
}

impl<T> Authorized<T> {
    /// Who asked.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What was permitted.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// What was permitted, taken out.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// Permits `value`, an `action` on `instance` (`None`: on the service as a whole, which a scope
/// limited to some instances does not reach unless the answer is filtered by it).
///
/// # Errors
/// [`Refusal::NotPermitted`].
pub fn authorize<T>(
    principal: &Principal,
    action: Action,
    instance: Option<&InstanceId>,
    value: T,
) -> Result<Authorized<T>, Refusal> {
    use Action::{ChangeAccounts, ReadAccounts, ReadInstances};
    let by_role = match principal.role {
        Role::Admin => true,
        Role::Operator => matches!(action, ReadAccounts | ChangeAccounts | ReadInstances),
        Role::Auditor => matches!(action, ReadAccounts | ReadInstances | Action::ReadKeys),
    };
    let by_scope = match (instance, &principal.scope) {
        (Some(instance), scope) => scope.covers(instance),
        (None, Scope::All) => true,
        (None, Scope::Only(_)) => matches!(action, ReadAccounts | ReadInstances),
    };
    if by_role && by_scope {
        Ok(Authorized {
            principal: principal.clone(),
            value,
        })
    } else {
        Err(Refusal::NotPermitted { action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every role × action × instance in or out of scope.
    #[test]
    fn table() {
        use Action::*;
        let own = InstanceId::from("r-own");
        let other = InstanceId::from("r-other");
        let all = [
            ReadAccounts,
            ChangeAccounts,
            ReadInstances,
            ChangeInstances,
            ReadKeys,
            ChangeKeys,
        ];
        for (role, allowed) in [
            (Role::Admin, &all[..]),
            (
                Role::Operator,
                &[ReadAccounts, ChangeAccounts, ReadInstances][..],
            ),
            (Role::Auditor, &[ReadAccounts, ReadInstances, ReadKeys][..]),
        ] {
            for action in all {
                let wide = Principal {
                    key: "k".into(),
                    role,
                    scope: Scope::All,
                };
                let narrow = Principal {
                    scope: Scope::Only(vec![own.clone()]),
                    ..wide.clone()
                };
                let may = allowed.contains(&action);
                assert_eq!(authorize(&wide, action, Some(&other), ()).is_ok(), may);
                assert_eq!(authorize(&narrow, action, Some(&own), ()).is_ok(), may);
                assert!(authorize(&narrow, action, Some(&other), ()).is_err());
                let reads = matches!(action, ReadAccounts | ReadInstances);
                assert_eq!(authorize(&narrow, action, None, ()).is_ok(), may && reads);
            }
        }
    }
}
