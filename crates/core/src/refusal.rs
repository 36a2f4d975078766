//! Every reason to refuse, with what a vendor's message needs. Each dialect maps it with an
//! exhaustive match, so a new reason does not compile until every vendor can say it.

use crate::access::Action;
use thiserror::Error;

/// What could not be read of the request, in plain words.
pub type Why = &'static str;

/// Why a request was refused. The `Display` text is for logs and the native API; it never
/// carries a secret or a value of the caller that could be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    // --- the request as such -------------------------------------------------------------
    /// The method is not one that the vendor takes.
    #[error("this HTTP method is not supported")]
    MethodUnsupported,
    /// Not readable as the vendor's protocol.
    #[error("malformed request: {0}")]
    Malformed(Why),
    /// Body or header larger than the bound.
    #[error("the request is larger than {limit} bytes")]
    TooLarge {
        /// The bound, bytes.
        limit: usize,
    },
    /// No such operation.
    #[error("no such action")]
    ActionUnknown,
    /// No such version of the API.
    #[error("no such version")]
    VersionUnknown,
    /// A parameter that must be there is not.
    #[error("the parameter {name} is missing")]
    ParameterMissing {
        /// The vendor's name of it.
        name: &'static str,
    },
    /// A parameter's value is of the wrong form, or it is given twice.
    #[error("the parameter {name} is not valid: {why}")]
    ParameterInvalid {
        /// The vendor's name of it.
        name: &'static str,
        /// In plain words.
        why: Why,
    },

    /// A parameter that the operation does not have.
    #[error("the operation has no such parameter")]
    ParameterUnknown {
        /// As the caller spelled it, bounded by the dialect.
        name: String,
    },
    /// A body where one is needed is empty.
    #[error("the request has no body")]
    BodyEmpty,
    /// A path that leads nowhere.
    #[error("no such path")]
    PathUnknown,
    /// Another product than the one that is served.
    #[error("no such service")]
    ServiceUnknown,
    /// Not a region.
    #[error("no such region")]
    RegionUnknown,

    // --- who asks ------------------------------------------------------------------------
    /// No credentials at all.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature's own fields are malformed or incomplete.
    #[error("the signature is malformed: {0}")]
    SignatureMalformed(Why),
    /// The scope of the credential is malformed or not the one that is served.
    #[error("the credential's scope is not valid: {0}")]
    CredentialMalformed(Why),
    /// Everything is there but the signature itself.
    #[error("the signature is missing")]
    SignatureMissing,
    /// A signature method that is not offered.
    #[error("this signature method is not supported")]
    SignatureMethodUnsupported,
    /// The key is not known.
    #[error("the access key is not known")]
    KeyUnknown,
    /// The key was revoked.
    #[error("the access key is revoked")]
    KeyRevoked,
    /// The signature does not fit. Carries what was signed on our side, for vendors that show
    /// it; it is built from the caller's own request.
    #[error("the signature does not match")]
    SignatureMismatch {
        /// Our string to sign.
        string_to_sign: String,
    },
    /// A time stamp that is not of the vendor's form.
    #[error("the time stamp is malformed")]
    TimestampMalformed,
    /// Too old, or too far in the future.
    #[error("the time stamp is out of the accepted window")]
    TimestampExpired,
    /// The nonce was used before.
    #[error("the nonce was used before")]
    NonceUsed,
    /// A temporary credential's token where none is accepted, or a bad one.
    #[error("the security token is not valid")]
    TokenInvalid,
    /// A token that is past its time.
    #[error("the token has expired")]
    TokenExpired,
    /// The key made too many bad signatures and is locked for a while.
    #[error("the access key is locked after too many bad signatures")]
    KeyLocked,
    /// The project that is named is not the caller's.
    #[error("the project is not the caller's")]
    ProjectForeign,
    /// The caller may not do this.
    #[error("the key is not permitted to do this ({action})")]
    NotPermitted {
        /// In claviger's own words.
        action: Action,
    },
    /// Too many requests of this key.
    #[error("too many requests: {limit} a second are allowed")]
    Throttled {
        /// How many a second are allowed; 0 if that is not the reason.
        limit: u32,
    },

    // --- what is asked -------------------------------------------------------------------
    /// No such instance.
    #[error("no such instance")]
    InstanceNotFound,
    /// Not the form of an instance's identity.
    #[error("the instance's identity is malformed")]
    InstanceIdMalformed,
    /// No such task.
    #[error("no such task")]
    TaskNotFound,
    /// The task is still running.
    #[error("the task is still running")]
    TaskRunning,
    /// The instance takes no changes now.
    #[error("the instance is not running")]
    InstanceNotRunning,
    /// The servers' version has no users.
    #[error("the servers are older than version 6.0 and have no accounts")]
    EngineTooOld,
    /// The vendor has this operation, claviger does not.
    #[error("not supported: {0}")]
    NotSupported(Why),
    /// The account name is not of the vendor's form, or reserved.
    #[error("the account name is not valid")]
    NameInvalid,
    /// An account of that name exists.
    #[error("an account of that name exists")]
    AccountExists,
    /// A user of that name is on the servers and is not claviger's: it is left alone.
    #[error("a user of that name is on the servers and is not managed by claviger")]
    NameUnmanaged,
    /// No such account.
    #[error("no such account")]
    AccountNotFound,
    /// The password is not of the vendor's form.
    #[error("the password does not meet the rules")]
    PasswordInvalid,
    /// The old password is wrong.
    #[error("the old password is wrong")]
    OldPasswordWrong {
        /// Tries that are left before it is locked; `None` where nothing is counted.
        tries_left: Option<u32>,
    },
    /// Too many wrong old passwords: locked for a while.
    #[error("locked after too many wrong passwords, for {minutes} minutes")]
    PasswordLocked {
        /// Whole minutes that are left, rounded up.
        minutes: u32,
    },
    /// The new password is the one that it has.
    #[error("the new password is the current one")]
    PasswordUnchanged,
    /// A password is needed and none is given or known.
    #[error("a password is needed")]
    PasswordNeeded,
    /// Connections without a password are not allowed here.
    #[error("the account cannot be without a password")]
    PasswordFreeDenied,
    /// Only the default account can be without a password.
    #[error("only the default account can be without a password")]
    PasswordFreeCustom,
    /// The description is not of the vendor's form.
    #[error("the description is not valid")]
    DescriptionInvalid,
    /// Not one of the vendor's privileges.
    #[error("the privilege is not valid")]
    PrivilegeInvalid,
    /// Not one of the vendor's routing policies.
    #[error("the read policy is not valid")]
    RoutingInvalid,
    /// Replicas serve no reads here.
    #[error("replicas serve no reads on this instance")]
    ReplicaReadsOff,
    /// Some account's reads are served by replicas.
    #[error("an account's reads are served by replicas")]
    ReplicaReadsUsed,
    /// A policy's numbers are out of their limits.
    #[error("the policy is not valid")]
    PolicyInvalid,
    /// The default account cannot be deleted or given other rights.
    #[error("the default account cannot be deleted, nor its privilege changed")]
    DefaultProtected,
    /// Links between the nodes would break without the account.
    #[error("replicas or Sentinels log in with the account: give them another login first")]
    AccountLinked,
    /// The account is being deleted.
    #[error("the account is being deleted")]
    AccountBusy,
    /// The instance has as many accounts as it may.
    #[error("the instance already has {limit} accounts")]
    QuotaExceeded {
        /// The bound.
        limit: u32,
    },
    /// The idempotency token was used with other parameters.
    #[error("the idempotency token was used with other parameters")]
    TokenReused,

    // --- ourselves -----------------------------------------------------------------------
    /// Something failed on our side; the log has it under the request id.
    #[error("internal error")]
    Internal,
    /// Try again later.
    #[error("temporarily unavailable")]
    Unavailable,
}

impl Refusal {
    /// Someone was not believed to be who they say, or may not do what they ask: it belongs in
    /// the audit trail.
    pub fn concerns_access(&self) -> bool {
        matches!(
            self,
            Refusal::KeyUnknown
                | Refusal::KeyRevoked
                | Refusal::KeyLocked
                | Refusal::SignatureMismatch { .. }
                | Refusal::NonceUsed
                | Refusal::TokenInvalid
                | Refusal::TokenExpired
                | Refusal::ProjectForeign
                | Refusal::NotPermitted { .. }
        )
    }

    /// A short fixed word for logs, metrics and the audit trail.
    pub fn word(&self) -> &'static str {
        match self {
            Refusal::MethodUnsupported => "MethodUnsupported",
            Refusal::Malformed(_) => "Malformed",
            Refusal::TooLarge { .. } => "TooLarge",
            Refusal::ActionUnknown => "ActionUnknown",
            Refusal::VersionUnknown => "VersionUnknown",
            Refusal::ParameterMissing { .. } => "ParameterMissing",
            Refusal::ParameterInvalid { .. } => "ParameterInvalid",
            Refusal::ParameterUnknown { .. } => "ParameterUnknown",
            Refusal::BodyEmpty => "BodyEmpty",
            Refusal::PathUnknown => "PathUnknown",
            Refusal::ServiceUnknown => "ServiceUnknown",
            Refusal::RegionUnknown => "RegionUnknown",
            Refusal::CredentialMalformed(_) => "CredentialMalformed",
            Refusal::SignatureMissing => "SignatureMissing",
            Refusal::TokenExpired => "TokenExpired",
            Refusal::KeyLocked => "KeyLocked",
            Refusal::ProjectForeign => "ProjectForeign",
            Refusal::InstanceIdMalformed => "InstanceIdMalformed",
            Refusal::TaskNotFound => "TaskNotFound",
            Refusal::TaskRunning => "TaskRunning",
            Refusal::PasswordLocked { .. } => "PasswordLocked",
            Refusal::PasswordUnchanged => "PasswordUnchanged",
            Refusal::PasswordNeeded => "PasswordNeeded",
            Refusal::PasswordFreeDenied => "PasswordFreeDenied",
            Refusal::PasswordFreeCustom => "PasswordFreeCustom",
            Refusal::ReplicaReadsOff => "ReplicaReadsOff",
            Refusal::ReplicaReadsUsed => "ReplicaReadsUsed",
            Refusal::PolicyInvalid => "PolicyInvalid",
            Refusal::Unsigned => "Unsigned",
            Refusal::SignatureMalformed(_) => "SignatureMalformed",
            Refusal::SignatureMethodUnsupported => "SignatureMethodUnsupported",
            Refusal::KeyUnknown => "KeyUnknown",
            Refusal::KeyRevoked => "KeyRevoked",
            Refusal::SignatureMismatch { .. } => "SignatureMismatch",
            Refusal::TimestampMalformed => "TimestampMalformed",
            Refusal::TimestampExpired => "TimestampExpired",
            Refusal::NonceUsed => "NonceUsed",
            Refusal::TokenInvalid => "TokenInvalid",
            Refusal::NotPermitted { .. } => "NotPermitted",
            Refusal::Throttled { .. } => "Throttled",
            Refusal::InstanceNotFound => "InstanceNotFound",
            Refusal::InstanceNotRunning => "InstanceNotRunning",
            Refusal::EngineTooOld => "EngineTooOld",
            Refusal::NotSupported(_) => "NotSupported",
            Refusal::NameInvalid => "NameInvalid",
            Refusal::AccountExists => "AccountExists",
            Refusal::NameUnmanaged => "NameUnmanaged",
            Refusal::AccountNotFound => "AccountNotFound",
            Refusal::PasswordInvalid => "PasswordInvalid",
            Refusal::OldPasswordWrong { .. } => "OldPasswordWrong",
            Refusal::DescriptionInvalid => "DescriptionInvalid",
            Refusal::PrivilegeInvalid => "PrivilegeInvalid",
            Refusal::RoutingInvalid => "RoutingInvalid",
            Refusal::DefaultProtected => "DefaultProtected",
            Refusal::AccountLinked => "AccountLinked",
            Refusal::AccountBusy => "AccountBusy",
            Refusal::QuotaExceeded { .. } => "QuotaExceeded",
            Refusal::TokenReused => "TokenReused",
            Refusal::Internal => "Internal",
            Refusal::Unavailable => "Unavailable",
        }
    }
}
