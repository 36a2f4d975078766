//! claviger's own operations on accounts, tasks, status and the audit trail; the same decisions
//! and the same store as the clouds' calls.

use crate::execute::{Call, store_refusal};
use crate::native_rules::RULES;
use crate::{Origin, Service};
use claviger_core::access::Principal;
use claviger_core::account::AccountView;
use claviger_core::check_report::CheckReport;
use claviger_core::clock::Timestamp;
use claviger_core::command::{
    Asked, Command, CreateAccount, DeleteAccount, ModifyAccount, PasswordChange, Target,
};
use claviger_core::ids::InstanceId;
use claviger_core::outcome::{Answer, Changed};
use claviger_core::ports::StoreError;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::query::{AccountQuery, Page, Query, Rows};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::Deserialize;

/// Who asks, and under which request id.
#[derive(Clone, Debug)]
pub struct NativeContext {
    /// The caller, verified.
    pub principal: Principal,
    /// The request's id, as answered.
    pub request_id: String,
    /// Where it came from.
    pub origin: Origin,
}

impl NativeContext {
    /// The call, for the audit trail.
    pub fn call(&self, action: &str) -> Call {
        Call {
            request_id: self.request_id.clone(),
            dialect: "native",
            action: action.to_owned(),
            source: self.origin.peer.to_string(),
            nonce: None,
        }
    }
}

/// Why a native operation was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NativeError {
    /// Refused.
    Refused(Refusal),
    /// Something of that identity exists.
    Exists,
    /// No such thing.
    NotFound,
    /// A value is not valid, in plain words.
    Invalid(String),
    /// The nodes do not allow it, with what was found.
    CheckFailed(Box<CheckReport>),
}

impl NativeError {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            NativeError::Refused(refusal) => refusal_status(refusal),
            NativeError::Exists => 409,
            NativeError::NotFound => 404,
            NativeError::Invalid(_) => 400,
            NativeError::CheckFailed(_) => 422,
        }
    }

    /// A short fixed word.
    pub fn word(&self) -> &'static str {
        match self {
            NativeError::Refused(refusal) => refusal.word(),
            NativeError::Exists => "Exists",
            NativeError::NotFound => "NotFound",
            NativeError::Invalid(_) => "Invalid",
            NativeError::CheckFailed(_) => "CheckFailed",
        }
    }

    /// Plain words for the caller.
    pub fn message(&self) -> String {
        match self {
            NativeError::Refused(refusal) => refusal.to_string(),
            NativeError::Exists => "already exists".into(),
            NativeError::NotFound => "not found".into(),
            NativeError::Invalid(why) => why.clone(),
            NativeError::CheckFailed(report) => check_message(report),
        }
    }
}

fn check_message(report: &CheckReport) -> String {
    let mut lines: Vec<String> = Vec::new();
    for node in &report.nodes {
        lines.extend(
            node.problems
                .iter()
                .map(|p| format!("{}: {p}", node.node.address)),
        );
    }
    if report.nodes.is_empty() {
        let sentinels = report.sentinels.iter();
        lines.extend(sentinels.flat_map(|sentinel| {
            let problems = sentinel.problems.iter();
            problems.map(|p| format!("Sentinel {}: {p}", sentinel.address))
        }));
    }
    if lines.is_empty() {
        "no node answered".into()
    } else {
        lines.join("; ")
    }
}

/// HTTP status of a refusal in the native API.
fn refusal_status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::MethodUnsupported => 405,
        Refusal::TooLarge { .. } => 413,
        Refusal::Unsigned
        | Refusal::CredentialMalformed(_)
        | Refusal::SignatureMissing
        | Refusal::TokenExpired
        | Refusal::KeyLocked
        | Refusal::SignatureMalformed(_)
        | Refusal::SignatureMethodUnsupported
        | Refusal::KeyUnknown
        | Refusal::KeyRevoked
        | Refusal::SignatureMismatch { .. }
        | Refusal::TimestampMalformed
        | Refusal::TimestampExpired
        | Refusal::NonceUsed
        | Refusal::TokenInvalid => 401,
        Refusal::NotPermitted { .. } | Refusal::ProjectForeign => 403,
        Refusal::Throttled { .. } | Refusal::PasswordLocked { .. } => 429,
        Refusal::ActionUnknown
        | Refusal::PathUnknown
        | Refusal::ServiceUnknown
        | Refusal::TaskNotFound
        | Refusal::InstanceNotFound
        | Refusal::AccountNotFound => 404,
        Refusal::InstanceNotRunning
        | Refusal::AccountExists
        | Refusal::NameUnmanaged
        | Refusal::AccountBusy
        | Refusal::TokenReused
        | Refusal::DefaultProtected
        | Refusal::AccountLinked
        | Refusal::TaskRunning
        | Refusal::ReplicaReadsOff
        | Refusal::ReplicaReadsUsed
        | Refusal::PasswordFreeDenied
        | Refusal::QuotaExceeded { .. } => 409,
        Refusal::Malformed(_)
        | Refusal::ParameterUnknown { .. }
        | Refusal::BodyEmpty
        | Refusal::RegionUnknown
        | Refusal::InstanceIdMalformed
        | Refusal::PasswordUnchanged
        | Refusal::PasswordNeeded
        | Refusal::PasswordFreeCustom
        | Refusal::PolicyInvalid
        | Refusal::VersionUnknown
        | Refusal::ParameterMissing { .. }
        | Refusal::ParameterInvalid { .. }
        | Refusal::EngineTooOld
        | Refusal::NotSupported(_)
        | Refusal::NameInvalid
        | Refusal::PasswordInvalid
        | Refusal::OldPasswordWrong { .. }
        | Refusal::DescriptionInvalid
        | Refusal::PrivilegeInvalid
        | Refusal::RoutingInvalid => 400,
        Refusal::Internal => 500,
        Refusal::Unavailable => 503,
    }
}

impl From<Refusal> for NativeError {
    fn from(refusal: Refusal) -> Self {
        NativeError::Refused(refusal)
    }
}

/// A store's failure in the native API; logged where it becomes an answer.
pub(crate) fn store_error(failure: &StoreError, request_id: &str) -> NativeError {
    match failure {
        StoreError::Exists => NativeError::Exists,
        StoreError::NotFound => NativeError::NotFound,
        StoreError::Unavailable(_) | StoreError::Unreadable(_) | StoreError::Stale => {
            NativeError::Refused(store_refusal(failure, request_id))
        }
    }
}

/// A secret in a request's JSON.
pub(crate) fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::new)
}

/// An optional secret in a request's JSON.
pub(crate) fn secret_option<'de, D>(from: D) -> Result<Option<Secret>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

/// Make an account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// Its password.
    #[serde(deserialize_with = "secret")]
    pub password: Secret,
    /// A privilege's word; `read-write` if absent.
    #[serde(default)]
    pub privilege: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// When it is to be disabled, if ever.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// The same token makes the account once, however often it is sent.
    #[serde(default)]
    pub client_token: Option<String>,
}

/// Change an account; absent fields stay.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModifyNative {
    /// Another privilege.
    #[serde(default)]
    pub privilege: Option<String>,
    /// Other free text; empty clears it.
    #[serde(default)]
    pub description: Option<String>,
    /// Another password.
    #[serde(default, deserialize_with = "secret_option")]
    pub password: Option<Secret>,
    /// Connections need no password, or one again; only of the default account.
    #[serde(default)]
    pub password_free: Option<bool>,
    /// It may log in.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Another end; null for none.
    #[serde(default, deserialize_with = "given")]
    pub expires_at: Option<Option<Timestamp>>,
}

/// A field that is there, be it null.
fn given<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::<Timestamp>::deserialize(from).map(Some)
}

/// The bound on a native idempotency token, bytes.
const TOKEN_LEN_MAX: usize = 128;

fn asked_privilege(word: &str) -> Asked<Privilege> {
    Privilege::parse(word).map_or(Asked::Unknown, Asked::Known)
}

fn target(name: &str) -> Target {
    Target::Name(name.to_owned())
}

impl Service {
    pub(crate) async fn native_query(
        &self,
        cx: &NativeContext,
        query: Query,
    ) -> Result<Answer, NativeError> {
        Ok(self.ask(&cx.principal, query, &cx.request_id).await?)
    }

    async fn native_change(
        &self,
        cx: &NativeContext,
        action: &str,
        command: Command,
        token: Option<String>,
    ) -> Result<Changed, NativeError> {
        if token
            .as_ref()
            .is_some_and(|t| t.is_empty() || t.len() > TOKEN_LEN_MAX)
        {
            return Err(NativeError::Invalid("client_token: 1 to 128 bytes".into()));
        }
        let command = self
            .permit_command(&cx.principal, command, &cx.request_id)
            .await?;
        Ok(self
            .execute(command, token, &RULES, &cx.call(action))
            .await?)
    }

    /// All accounts of an instance.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn accounts(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
    ) -> Result<Rows<AccountView>, NativeError> {
        self.accounts_named(cx, instance, None).await
    }

    async fn accounts_named(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
        name: Option<String>,
    ) -> Result<Rows<AccountView>, NativeError> {
        let query = AccountQuery {
            instance: instance.clone(),
            name,
            name_part: None,
            page: Page::ALL,
        };
        match self.native_query(cx, Query::Accounts(query)).await? {
            Answer::Accounts(_, rows) => Ok(rows),
            _ => Err(Refusal::Internal.into()),
        }
    }

    /// One account.
    ///
    /// # Errors
    /// As [`Service::accounts`], and an unknown account.
    pub async fn account(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
        name: &str,
    ) -> Result<AccountView, NativeError> {
        let rows = self
            .accounts_named(cx, instance, Some(name.to_owned()))
            .await?;
        rows.rows
            .into_iter()
            .next()
            .ok_or(NativeError::Refused(Refusal::AccountNotFound))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// Any refusal of the decision, permission, or the store.
    pub async fn create_account(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
        new: NewAccount,
    ) -> Result<Changed, NativeError> {
        self.future(new.expires_at)?;
        let privilege = new
            .privilege
            .as_deref()
            .unwrap_or(Privilege::ReadWrite.as_str());
        let command = Command::Create(CreateAccount {
            instance: instance.clone(),
            name: new.name,
            password: new.password,
            privilege: asked_privilege(privilege),
            routing: Asked::Known(Routing::PRIMARY),
            description: new.description,
            expires_at: new.expires_at,
        });
        self.native_change(cx, "account.create", command, new.client_token)
            .await
    }

    /// Changes an account.
    ///
    /// # Errors
    /// As [`Service::create_account`].
    pub async fn modify_account(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
        name: &str,
        modify: ModifyNative,
    ) -> Result<Changed, NativeError> {
        self.future(modify.expires_at.flatten())?;
        let command = Command::Modify(ModifyAccount {
            privilege: modify.privilege.as_deref().map(asked_privilege),
            description: modify.description,
            password: modify.password.map(|new| PasswordChange { old: None, new }),
            password_free: modify.password_free,
            enabled: modify.enabled,
            expires_at: modify.expires_at,
            ..ModifyAccount::of(instance.clone(), target(name))
        });
        self.native_change(cx, "account.modify", command, None)
            .await
    }

    fn future(&self, end: Option<Timestamp>) -> Result<(), NativeError> {
        if end.is_some_and(|end| end <= self.now()) {
            return Err(NativeError::Invalid("expires_at is in the past".into()));
        }
        Ok(())
    }

    /// Ends an account.
    ///
    /// # Errors
    /// As [`Service::create_account`].
    pub async fn delete_account(
        &self,
        cx: &NativeContext,
        instance: &InstanceId,
        name: &str,
    ) -> Result<Changed, NativeError> {
        let command = Command::Delete(DeleteAccount {
            instance: instance.clone(),
            target: target(name),
        });
        self.native_change(cx, "account.delete", command, None)
            .await
    }
}
