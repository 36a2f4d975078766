//! Who may do what: key pairs, roles, scopes, what is asked for. [`authorize`] is the only maker
//! of a permit; what it goes by is a [`Judge`], given to it as a value.

pub use crate::action::Action;
use crate::clock::Timestamp;
use crate::ids::{InstanceId, KeyId};
use crate::refusal::Refusal;
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Names and values that an operator gives to keys and instances, for policies to go by.
pub type Tags = BTreeMap<String, String>;

/// Bounds on tags: how many, and the length of a name and of a value, bytes.
pub const TAGS_MAX: usize = 50;
const TAG_NAME_LEN_MAX: usize = 128;
const TAG_VALUE_LEN_MAX: usize = 256;

/// Whether tags are within their bounds and of plain text.
pub fn tags_ok(tags: &Tags) -> bool {
    let plain = |text: &str, max: usize| text.len() <= max && !text.chars().any(char::is_control);
    tags.len() <= TAGS_MAX
        && tags.iter().all(|(name, value)| {
            !name.is_empty() && plain(name, TAG_NAME_LEN_MAX) && plain(value, TAG_VALUE_LEN_MAX)
        })
}

/// What the holder of a key may do by itself, before any policy of the operator's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads everything in scope; changes accounts.
    Operator,
    /// Reads everything in scope.
    Auditor,
    /// Nothing: policies of the operator's own say what.
    None,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Admin, Role::Operator, Role::Auditor, Role::None];

    /// The word in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Auditor => "auditor",
            Role::None => "none",
        }
    }
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

/// The secret that a key had before, good for a while yet.
#[derive(Clone, Debug)]
pub struct FormerSecret {
    /// The secret.
    pub secret: Secret,
    /// Until when it is good.
    pub until: Timestamp,
}

/// An API caller's key pair.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The public half.
    pub id: KeyId,
    /// The secret half: claviger verifies signatures, so it must know it. Sealed at rest.
    pub secret: Secret,
    /// The secret before the last rotation, while both are good.
    pub former: Option<FormerSecret>,
    /// What its holder may do.
    pub role: Role,
    /// On which instances.
    pub scope: Scope,
    /// For policies to go by.
    pub tags: Tags,
    /// A note of the operator.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// From when on it is refused, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, about: written now and then.
    pub last_used_at: Option<Timestamp>,
}

impl AccessKey {
    /// A key of that role on all instances, with nothing else said of it.
    pub fn new(id: KeyId, secret: Secret, role: Role, created_at: Timestamp) -> Self {
        Self {
            id,
            secret,
            former: None,
            role,
            scope: Scope::All,
            tags: Tags::new(),
            description: String::new(),
            created_at,
            revoked_at: None,
            expires_at: None,
            last_used_at: None,
        }
    }

    /// The secrets that are good now, the newest first.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let former = self.former.as_ref().filter(|former| now < former.until);
        std::iter::once(&self.secret).chain(former.map(|former| &former.secret))
    }
}

/// Temporary credentials in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Their public half.
    pub key: KeyId,
    /// What they may do of what their key may; all of it if absent.
    pub policy: Option<Arc<str>>,
}

/// How a request came, for policies to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Circumstances {
    /// The client's address.
    pub source: IpAddr,
    /// It came over TLS.
    pub tls: bool,
    /// The API that was spoken.
    pub dialect: &'static str,
}

impl Default for Circumstances {
    fn default() -> Self {
        Self {
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            tls: false,
            dialect: "native",
        }
    }
}

/// The caller of a request whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key that signed, or that the temporary credentials were made of.
    pub key: KeyId,
    /// What its holder may do.
    pub role: Role,
    /// On which instances.
    pub scope: Arc<Scope>,
    /// The key's tags.
    pub tags: Arc<Tags>,
    /// The temporary credentials that signed, if it was some.
    pub session: Option<Session>,
    /// How the request came.
    pub from: Circumstances,
}

impl Principal {
    /// The holder of a key.
    pub fn of(key: &AccessKey, from: Circumstances) -> Self {
        Self {
            key: key.id.clone(),
            role: key.role,
            scope: Arc::new(key.scope.clone()),
            tags: Arc::new(key.tags.clone()),
            session: None,
            from,
        }
    }
}

/// What policies may go by of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFacts {
    /// Its identity.
    pub id: InstanceId,
    /// Its name for people.
    pub name: String,
    /// Its region word.
    pub region: String,
    /// Its tags.
    pub tags: Tags,
}

impl InstanceFacts {
    /// Of an instance that is not known.
    pub fn unknown(id: InstanceId) -> Self {
        Self {
            id,
            name: String::new(),
            region: String::new(),
            tags: Tags::new(),
        }
    }
}

/// What policies may go by of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its privilege's word; empty if there is no such account.
    pub privilege: &'a str,
    /// It is the server's default user.
    pub is_default: bool,
    /// The privilege that it is to get, if it is to get one.
    pub asked_privilege: Option<&'a str>,
}

/// What a permission is asked for on.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// The service as a whole.
    Service,
    /// An instance and all that it has.
    Instance(&'a InstanceFacts),
    /// One account of it.
    Account(&'a InstanceFacts, AccountFacts<'a>),
}

/// What says whether something is permitted: a pure function of what it was made of.
pub trait Judge: Send + Sync {
    /// Whether this principal may do this on that. What nothing permits is not permitted.
    fn permits(&self, principal: &Principal, action: Action, resource: &Resource<'_>) -> bool;
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

/// Permits `value`, which needs all of `actions` on `resource`.
///
/// # Errors
/// [`Refusal::NotPermitted`] with the first action that is not.
pub fn authorize<T>(
    judge: &dyn Judge,
    principal: &Principal,
    actions: &[Action],
    resource: &Resource<'_>,
    value: T,
) -> Result<Authorized<T>, Refusal> {
    if actions.is_empty() {
        // Nothing was asked for, so nothing was permitted.
        return Err(Refusal::Internal);
    }
    for &action in actions {
        if !judge.permits(principal, action, resource) {
            return Err(Refusal::NotPermitted { action });
        }
    }
    Ok(Authorized {
        principal: principal.clone(),
        value,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    struct Reads;

    impl Judge for Reads {
        fn permits(&self, _: &Principal, action: Action, _: &Resource<'_>) -> bool {
            action.as_str().ends_with(":read")
        }
    }

    #[test]
    fn all_actions_are_needed() {
        let key = AccessKey::new(
            "k".into(),
            Secret::new("s"),
            Role::Admin,
            Timestamp::default(),
        );
        let principal = Principal::of(&key, Circumstances::default());
        let ask = |actions: &[Action]| {
            authorize(&Reads, &principal, actions, &Resource::Service, 7).map(|a| a.into_value())
        };
        assert_eq!(ask(&[Action::ReadKeys, Action::ReadAudit]).unwrap(), 7);
        let action = Action::CreateKey;
        assert_eq!(
            ask(&[Action::ReadKeys, action]),
            Err(Refusal::NotPermitted { action })
        );
        assert!(ask(&[]).is_err());
    }

    #[test]
    fn former_secrets_end() {
        let now = Timestamp::from_secs(10);
        let mut key = AccessKey::new("k".into(), Secret::new("new"), Role::Admin, now);
        key.former = Some(FormerSecret {
            secret: Secret::new("old"),
            until: Timestamp::from_secs(20),
        });
        assert_eq!(key.secrets(now).count(), 2);
        assert_eq!(key.secrets(Timestamp::from_secs(20)).count(), 1);
    }

    #[test]
    fn tags_have_bounds() {
        let tag = |name: &str, value: &str| Tags::from([(name.to_owned(), value.to_owned())]);
        assert!(tags_ok(&Tags::new()) && tags_ok(&tag("team", "")));
        for (name, value) in [("", "x"), ("a\n", "x"), ("a", "\0")] {
            assert!(!tags_ok(&tag(name, value)));
        }
        assert!(!tags_ok(&tag(&"a".repeat(129), "x")) && !tags_ok(&tag("a", &"x".repeat(257))));
        let many = (0..51).map(|n| (n.to_string(), String::new())).collect();
        assert!(!tags_ok(&many));
    }
}
