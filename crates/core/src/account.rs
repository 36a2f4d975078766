//! Accounts: what the caller asked for, and how far it has come true.

use crate::clock::Timestamp;
use crate::ids::{AccountId, AccountName, Revision};
use crate::password::PasswordDigest;
use crate::privilege::{Privilege, Routing};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// The server's own `default` user. It exists from the start, is never deleted, and keeps
    /// the rights that the server gave it; its password may be set.
    Default,
    /// Made by a caller.
    Custom,
}

/// Where an account is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    /// Wanted on every node.
    Live,
    /// Deleted by a caller; kept until every node has confirmed that it is gone.
    Deleting,
}

/// One account of one instance.
#[derive(Clone, Debug)]
pub struct Account {
    /// Opaque identity.
    pub id: AccountId,
    /// The name of the user on the nodes.
    pub name: AccountName,
    /// Default or custom.
    pub kind: AccountKind,
    /// Its rights.
    pub privilege: Privilege,
    /// Where its reads may be served.
    pub routing: Routing,
    /// Free text of the caller; may be empty.
    pub description: String,
    /// The password's digest. `None` only on a default account whose password was never set
    /// through claviger: the servers keep theirs, and the user is left alone.
    pub password: Option<PasswordDigest>,
    /// Further passwords that are valid beside it: those of a user that was taken over with
    /// several. A new password ends them.
    pub more_passwords: Vec<PasswordDigest>,
    /// Passwords that a node may hold of it, or of the account that it replaces, though no
    /// confirmation was ever stored: written, then changed before that. Newest first; they let
    /// nobody in, they only tell that a user found on a node is ours.
    pub former_passwords: Vec<PasswordDigest>,
    /// Passwords that were valid before the last one was set, until every node has confirmed that:
    /// a replica or a Sentinel that still logs in with one keeps it valid.
    pub leaving_passwords: Vec<PasswordDigest>,
    /// The clear password, if replicas or Sentinels were seen to log in with the account when it
    /// was set: they have to be told it. Sealed at rest.
    pub link_password: Option<Secret>,
    /// Connections need no password at all. Only ever on the default account; its password is
    /// kept, for the day on which one is needed again.
    pub password_free: bool,
    /// It may log in. A disabled account stays on the nodes, switched off.
    pub enabled: bool,
    /// When it is to be disabled, if ever.
    pub expires_at: Option<Timestamp>,
    /// Live or being deleted.
    pub life: Life,
    /// Its name was used before by an account whose removal is not confirmed yet: a node that
    /// has not confirmed this one ends the old one's sessions first.
    pub replaces: bool,
    /// The instance's revision at which it was made.
    pub created_revision: Revision,
    /// The instance's revision of its last change.
    pub revision: Revision,
    /// The revision that every node has confirmed by read-back; zero before the first.
    pub confirmed: Revision,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub password_set_at: Option<Timestamp>,
}

impl Account {
    /// Every node has confirmed its last change.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed >= self.revision
    }

    /// claviger decides what this user is on the nodes. A default account whose password was
    /// never set through us is the servers' own affair.
    pub fn is_managed(&self) -> bool {
        self.kind == AccountKind::Custom || self.password.is_some() || self.password_free
    }

    /// It lets in the same passwords as the other one.
    pub fn has_passwords_of(&self, other: &Account) -> bool {
        let all = |account: &Account| {
            let all = account.password.iter().chain(&account.more_passwords);
            all.map(|digest| *digest.expose_bytes()).collect::<Vec<_>>()
        };
        all(self) == all(other)
    }

    /// The most of [`Account::former_passwords`]: so many changes in a row may stay unconfirmed.
    pub const FORMER_MAX: usize = 16;

    /// What a node may hold of it once its passwords have changed; empty if it was confirmed
    /// before, which tells more.
    pub(crate) fn former_after_change(&self) -> Vec<PasswordDigest> {
        if self.confirmed > Revision::ZERO {
            return Vec::new();
        }
        let held = self.password.iter().chain(&self.more_passwords);
        let all = held.chain(&self.former_passwords);
        all.take(Self::FORMER_MAX).cloned().collect()
    }

    /// Takes a new password; `linked` if replicas or Sentinels log in with the account.
    pub fn set_password(&mut self, new: &Secret, linked: bool) {
        self.former_passwords = self.former_after_change();
        self.leaving_passwords = self.leaving_after_change();
        self.link_password = linked.then(|| new.clone());
        self.password = Some(PasswordDigest::of(new));
        self.more_passwords.clear();
    }

    /// What is valid now, and what still may be since an earlier change is not confirmed.
    fn leaving_after_change(&self) -> Vec<PasswordDigest> {
        let open = !self.is_confirmed();
        let before = self.leaving_passwords.iter().filter(|_| open);
        let all = self.password.iter().chain(&self.more_passwords);
        all.chain(before).take(Self::FORMER_MAX).cloned().collect()
    }

    /// The server's default user, under the name that the servers give it.
    pub const DEFAULT_NAME: &'static str = "default";
}

/// An account as a caller may see it: no password, no digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Opaque identity, printed.
    pub id: String,
    /// Its name.
    pub name: AccountName,
    /// Default or custom.
    pub kind: AccountKind,
    /// Its rights.
    pub privilege: Privilege,
    /// Where its reads may be served.
    pub routing: Routing,
    /// Free text; may be empty.
    pub description: String,
    /// What the caller may rely on now.
    pub status: AccountStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub password_set_at: Option<Timestamp>,
    /// It may log in.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it is to be disabled, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Connections need no password (default account only).
    #[serde(default)]
    pub password_free: bool,
}

fn yes() -> bool {
    true
}

/// What a caller may rely on now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    /// Made, and not yet confirmed by every node for the first time.
    Creating,
    /// Every node has confirmed the last change by read-back, and none is known to lack it now.
    Available,
    /// Changed, and not yet confirmed by every node.
    Changing,
    /// As available, but switched off: it cannot log in.
    Disabled,
    /// Deleted, and not yet confirmed gone from every node.
    Deleting,
}

impl Account {
    /// The caller's view. `lacking` tells whether some node is known to lack the account now.
    pub fn view(&self, lacking: bool) -> AccountView {
        let status = match (self.life, self.is_confirmed() && !lacking) {
            (Life::Deleting, _) => AccountStatus::Deleting,
            (Life::Live, true) if self.enabled => AccountStatus::Available,
            (Life::Live, true) => AccountStatus::Disabled,
            (Life::Live, false) if self.confirmed == Revision::ZERO => AccountStatus::Creating,
            (Life::Live, false) => AccountStatus::Changing,
        };
        AccountView {
            id: self.id.to_string(),
            name: self.name.clone(),
            kind: self.kind,
            privilege: self.privilege,
            routing: self.routing,
            description: self.description.clone(),
            status,
            created_at: self.created_at,
            password_set_at: self.password_set_at,
            enabled: self.enabled,
            expires_at: self.expires_at,
            password_free: self.password_free,
        }
    }
}
