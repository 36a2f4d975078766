//! What the accounts of an instance should be on its nodes, compiled from what the store holds.

use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::acl::rule_tokens;
use claviger_core::clock::Timestamp;
use claviger_core::engine::{AclLevel, Engine};
use claviger_core::ids::{AccountId, AccountName, Revision};
use claviger_core::instance::{Held, RolePolicy};
use claviger_core::password::PasswordDigest;
use claviger_core::policy::{DriftPolicy, InstancePolicy};
use claviger_core::privilege::Privilege;
use claviger_core::secret::Secret;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

/// Whose rights a user gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rights {
    /// Those of a privilege.
    Of(Privilege),
    /// Those of the server's default user: everything.
    Everything,
}

/// The rules of a user on servers of one level, and their short name.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) tokens: Vec<String>,
    pub(crate) key: u64,
}

impl Rule {
    pub(crate) fn made(tokens: Vec<String>, salt: &RandomState) -> Arc<Self> {
        let key = salt.hash_one(&tokens);
        Arc::new(Self { tokens, key })
    }
}

/// A user that should be on every node, or on none.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// The user's name on the nodes.
    pub(crate) name: AccountName,
    /// The account's name, under which people see it; differs for the default account's mirror.
    pub(crate) account: AccountName,
    /// Short form of the name.
    pub(crate) key: u64,
    pub(crate) id: AccountId,
    /// Short form of the account's identity: the same name may come back as another account.
    pub(crate) id_key: u64,
    /// It may log in.
    pub(crate) on: bool,
    /// With each of these passwords.
    pub(crate) digests: Vec<PasswordDigest>,
    /// So many of these, the last ones, are former ones that are kept for links; see `links`.
    pub(crate) kept: usize,
    /// Passwords that were valid until the last change.
    pub(crate) leaving: Vec<PasswordDigest>,
    /// The clear password, if links were known to log in with the account.
    pub(crate) link: Option<Secret>,
    /// Passwords by which a user is known to be ours, though none of these is wanted any more.
    pub(crate) former: Vec<PasswordDigest>,
    pub(crate) rights: Rights,
    pub(crate) life: Life,
    pub(crate) replaces: bool,
    pub(crate) created_revision: Revision,
    pub(crate) revision: Revision,
    pub(crate) confirmed: Revision,
    pub(crate) password_set_at: Option<Timestamp>,
}

/// The default account, when how it logs in is ours to set.
#[derive(Clone, Debug)]
pub(crate) struct DefaultWanted {
    pub(crate) account: AccountName,
    /// Short form of the user's name.
    pub(crate) key: u64,
    /// Connections need no password.
    pub(crate) free: bool,
    /// Else these, each of which will do.
    pub(crate) digests: Vec<PasswordDigest>,
    /// The clear password, which replicas need to follow their primary.
    pub(crate) password: Option<Secret>,
    pub(crate) revision: Revision,
    /// Every node has confirmed it at this revision before.
    pub(crate) confirmed: bool,
    pub(crate) password_set_at: Option<Timestamp>,
}

/// An account as far as confirming goes.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: AccountId,
    pub(crate) name: AccountName,
    pub(crate) revision: Revision,
    pub(crate) confirmed: bool,
    pub(crate) life: Life,
    /// Nothing of it is ours to make true on nodes.
    pub(crate) unmanaged: bool,
}

/// Everything that an instance's nodes should agree on.
pub(crate) struct Desired {
    pub(crate) revision: Revision,
    /// Our own login's user on the nodes.
    pub(crate) own_user: String,
    pub(crate) roles: RolePolicy,
    pub(crate) policy: InstancePolicy,
    pub(crate) wants: Vec<Wanted>,
    pub(crate) default: Option<DefaultWanted>,
    pub(crate) standings: Vec<Standing>,
}

impl Desired {
    /// Compiles it. A custom account without a password cannot be; it is passed over.
    pub(crate) fn of(held: &Held, salt: &RandomState) -> Self {
        let mut desired = Self {
            revision: held.instance.revision,
            own_user: held
                .instance
                .login
                .user
                .clone()
                .unwrap_or_else(|| DEFAULT_USER.to_owned()),
            roles: held.instance.roles.clone(),
            policy: held.instance.policy,
            wants: Vec::with_capacity(held.accounts.len()),
            default: None,
            standings: Vec::with_capacity(held.accounts.len()),
        };
        for account in &held.accounts {
            desired.standings.push(Standing {
                id: account.id,
                name: account.name.clone(),
                revision: account.revision,
                confirmed: account.is_confirmed(),
                life: account.life,
                unmanaged: !account.is_managed(),
            });
            if account.kind == AccountKind::Default && account.is_managed() {
                desired.default = Some(DefaultWanted::of(held, account, salt));
            }
            desired.wants.extend(Wanted::of(held, account, salt));
        }
        desired
    }

    /// What was found changed is left as it is, and shown.
    pub(crate) fn only_reports(&self) -> bool {
        self.policy.drift == DriftPolicy::Report
    }

    /// The user of that name is one of ours, or the servers' own.
    pub(crate) fn knows(&self, name: &str) -> bool {
        name == DEFAULT_USER
            || name == self.own_user
            || self.wants.iter().any(|want| want.name.as_str() == name)
    }
}

impl DefaultWanted {
    fn of(held: &Held, account: &Account, salt: &RandomState) -> Self {
        let digests = if account.password_free {
            Vec::new()
        } else {
            passwords(account)
        };
        Self {
            account: account.name.clone(),
            key: salt.hash_one(DEFAULT_USER),
            free: account.password_free,
            digests,
            password: held.instance.default_password.clone(),
            revision: account.revision,
            confirmed: account.is_confirmed(),
            password_set_at: account.password_set_at,
        }
    }
}

impl Wanted {
    /// The user of an account under a name of its own: for the default account that is its
    /// mirror, for clients that log in with the instance's id as user name. It keeps its
    /// password while the default user needs none.
    fn of(held: &Held, account: &Account, salt: &RandomState) -> Option<Self> {
        let digests = passwords(account);
        if digests.is_empty() {
            return None;
        }
        let (name, rights) = match account.kind {
            AccountKind::Custom => (account.name.clone(), Rights::Of(account.privilege)),
            AccountKind::Default => {
                let mirror = AccountName::new(held.instance.id.as_str());
                (mirror, Rights::Everything)
            }
        };
        Some(Self {
            key: salt.hash_one(name.as_str()),
            id: account.id,
            id_key: salt.hash_one(account.id),
            name,
            account: account.name.clone(),
            // The default account is never switched off.
            on: account.enabled || account.kind == AccountKind::Default,
            digests,
            kept: 0,
            leaving: match account.kind {
                AccountKind::Custom => account.leaving_passwords.clone(),
                // Nothing but clients logs in as the mirror.
                AccountKind::Default => Vec::new(),
            },
            link: account.link_password.clone(),
            former: account.former_passwords.clone(),
            rights,
            life: account.life,
            // The mirror has no life of its own: what is found under its name is replaced.
            replaces: account.replaces,
            created_revision: account.created_revision,
            revision: account.revision,
            confirmed: account.confirmed,
            password_set_at: account.password_set_at,
        })
    }

    /// Every node has confirmed it.
    pub(crate) fn is_settled(&self) -> bool {
        self.life == Life::Live && self.confirmed >= self.revision
    }
}

fn passwords(account: &Account) -> Vec<PasswordDigest> {
    let all = account.password.iter().chain(&account.more_passwords);
    all.cloned().collect()
}

/// The server's own user.
pub(crate) const DEFAULT_USER: &str = claviger_core::account::Account::DEFAULT_NAME;

/// How many compiled rules are kept; a fleet has a handful of policies.
const RULES_MAX: usize = 1024;

/// Compiled rules, shared by all instances.
#[derive(Default)]
pub(crate) struct RuleBook {
    rules: Mutex<HashMap<(Rights, RolePolicy, AclLevel), Arc<Rule>>>,
}

impl RuleBook {
    /// The rules of these rights on this server.
    pub(crate) fn rule(
        &self,
        rights: Rights,
        policy: &RolePolicy,
        engine: Engine,
        salt: &RandomState,
    ) -> Arc<Rule> {
        let key = (rights, policy.clone(), engine.acl_level());
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = rules.get(&key) {
            return Arc::clone(rule);
        }
        if rules.len() >= RULES_MAX {
            rules.clear();
        }
        let tokens = match rights {
            Rights::Of(privilege) => rule_tokens(privilege, policy, engine),
            Rights::Everything => everything(engine),
        };
        let rule = Rule::made(tokens, salt);
        rules.insert(key, Arc::clone(&rule));
        rule
    }
}

/// What the default user of a server may do that nobody has touched.
fn everything(engine: Engine) -> Vec<String> {
    let mut tokens = vec!["~*".to_owned()];
    if engine.acl_level() >= AclLevel::Channels {
        tokens.push("&*".to_owned());
    }
    tokens.push("+@all".to_owned());
    tokens
}
