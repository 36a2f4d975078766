//! Every operation that needs a permission, in claviger's own words. Policies name them so; the
//! words are a promise, and only new ones are added.

use std::fmt;

/// An operation in claviger's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See accounts and how far they are on the nodes.
    ReadAccounts,
    /// Make an account.
    CreateAccount,
    /// Change an account's description, routing or end.
    ModifyAccount,
    /// Give an account other rights.
    SetPrivilege,
    /// Give an account another password.
    ResetPassword,
    /// Let the default account be used without a password, or not.
    SetPasswordFree,
    /// Switch an account on or off.
    SetEnabled,
    /// End an account.
    DeleteAccount,
    /// Take over a user that is on the nodes already.
    AdoptAccount,
    /// See tasks.
    ReadTasks,
    /// Forget a finished task.
    ForgetTask,
    /// See instances.
    ReadInstances,
    /// Look at an instance's nodes.
    CheckInstance,
    /// Register an instance.
    AddInstance,
    /// Change an instance's settings, tags included.
    SetInstance,
    /// Change how an instance treats its accounts: its policy of passwords and the like.
    SetInstancePolicy,
    /// Forget an instance.
    RemoveInstance,
    /// See keys, without secrets.
    ReadKeys,
    /// Make a key.
    CreateKey,
    /// Give a key another secret.
    RotateKey,
    /// Revoke a key.
    RevokeKey,
    /// Make temporary credentials of another key. Of one's own is always permitted.
    IssueSession,
    /// See policies, and try what they say.
    ReadPolicies,
    /// Add or replace a policy.
    AddPolicy,
    /// Remove a policy.
    RemovePolicy,
    /// See the audit trail and verify it.
    ReadAudit,
    /// See what is sealed under which master key.
    ReadMasterKey,
    /// Make another master key.
    RotateMasterKey,
    /// Know who one is, in which regions there is something to see, and the like.
    ReadService,
}

/// What the actions can be done on, for the schema of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// An account, or the instance whose accounts are meant.
    Accounts,
    /// An instance.
    Instances,
    /// The service as a whole.
    Service,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 29] = [
        Action::ReadAccounts,
        Action::CreateAccount,
        Action::ModifyAccount,
        Action::SetPrivilege,
        Action::ResetPassword,
        Action::SetPasswordFree,
        Action::SetEnabled,
        Action::DeleteAccount,
        Action::AdoptAccount,
        Action::ReadTasks,
        Action::ForgetTask,
        Action::ReadInstances,
        Action::CheckInstance,
        Action::AddInstance,
        Action::SetInstance,
        Action::SetInstancePolicy,
        Action::RemoveInstance,
        Action::ReadKeys,
        Action::CreateKey,
        Action::RotateKey,
        Action::RevokeKey,
        Action::IssueSession,
        Action::ReadPolicies,
        Action::AddPolicy,
        Action::RemovePolicy,
        Action::ReadAudit,
        Action::ReadMasterKey,
        Action::RotateMasterKey,
        Action::ReadService,
    ];

    /// The word in policies, the native API and the audit trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::ReadAccounts => "account:read",
            Action::CreateAccount => "account:create",
            Action::ModifyAccount => "account:modify",
            Action::SetPrivilege => "account:set-privilege",
            Action::ResetPassword => "account:reset-password",
            Action::SetPasswordFree => "account:set-password-free",
            Action::SetEnabled => "account:set-enabled",
            Action::DeleteAccount => "account:delete",
            Action::AdoptAccount => "account:adopt",
            Action::ReadTasks => "task:read",
            Action::ForgetTask => "task:forget",
            Action::ReadInstances => "instance:read",
            Action::CheckInstance => "instance:check",
            Action::AddInstance => "instance:add",
            Action::SetInstance => "instance:set",
            Action::SetInstancePolicy => "instance:set-policy",
            Action::RemoveInstance => "instance:remove",
            Action::ReadKeys => "key:read",
            Action::CreateKey => "key:create",
            Action::RotateKey => "key:rotate",
            Action::RevokeKey => "key:revoke",
            Action::IssueSession => "key:session",
            Action::ReadPolicies => "policy:read",
            Action::AddPolicy => "policy:add",
            Action::RemovePolicy => "policy:remove",
            Action::ReadAudit => "audit:read",
            Action::ReadMasterKey => "master-key:read",
            Action::RotateMasterKey => "master-key:rotate",
            Action::ReadService => "service:read",
        }
    }

    /// The inverse of [`Action::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == word)
    }

    /// What it can be done on besides the service as a whole, which stands for a list.
    pub const fn on(self) -> On {
        match self {
            Action::ReadAccounts
            | Action::CreateAccount
            | Action::ModifyAccount
            | Action::SetPrivilege
            | Action::ResetPassword
            | Action::SetPasswordFree
            | Action::SetEnabled
            | Action::DeleteAccount
            | Action::AdoptAccount => On::Accounts,
            Action::ReadTasks
            | Action::ForgetTask
            | Action::ReadInstances
            | Action::CheckInstance
            | Action::AddInstance
            | Action::SetInstance
            | Action::SetInstancePolicy
            | Action::RemoveInstance => On::Instances,
            Action::ReadKeys
            | Action::CreateKey
            | Action::RotateKey
            | Action::RevokeKey
            | Action::IssueSession
            | Action::ReadPolicies
            | Action::AddPolicy
            | Action::RemovePolicy
            | Action::ReadAudit
            | Action::ReadMasterKey
            | Action::RotateMasterKey
            | Action::ReadService => On::Service,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
        let mut words: Vec<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::ALL.len());
        assert_eq!(Action::parse("account:*"), None);
    }
}
