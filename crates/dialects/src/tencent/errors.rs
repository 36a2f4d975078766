//! Every refusal in this vendor's words: code and text. Sources are in section 6 of
//! `docs/wire/tencent.md`; the status is always 200.

use super::args::WRONG_TYPE;
use super::request::NO_EQUALS;
use super::wire::{self, Value};
use super::{VERSION, actions, multipart};
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use claviger_core::refusal::Refusal;
use std::borrow::Cow;

/// What one kind of refusal is called, and said where no more can be told.
struct Row(&'static str, &'static str);

const INVALID_PARAMETER: &str = "InvalidParameter";

fn row(refusal: &Refusal) -> Row {
    match refusal {
        Refusal::MethodUnsupported => Row(
            "UnsupportedProtocol",
            "Only the methods GET and POST are supported.",
        ),
        Refusal::Malformed(why) if why.starts_with(multipart::PREFIX) => {
            Row("InvalidRequest", "The multipart body is not valid.")
        }
        Refusal::Malformed(_) | Refusal::BodyEmpty => {
            Row(INVALID_PARAMETER, "The request is not valid.")
        }
        Refusal::PathUnknown => Row("InvalidRequest", "The path of every request is `/`."),
        Refusal::TooLarge { .. } => Row("RequestSizeLimitExceeded", "The request is too large."),
        Refusal::ActionUnknown => Row("InvalidAction", "The action is not valid."),
        Refusal::VersionUnknown => Row("NoSuchVersion", "The version does not exist."),
        Refusal::ServiceUnknown => Row("NoSuchProduct", "The product does not exist."),
        Refusal::RegionUnknown => Row("UnsupportedRegion", "The region is not supported."),
        Refusal::ParameterMissing { .. } => Row("MissingParameter", "A parameter is missing."),
        Refusal::ParameterInvalid { why, .. } if *why == WRONG_TYPE => {
            Row(INVALID_PARAMETER, "A parameter is of the wrong type.")
        }
        Refusal::ParameterInvalid { .. } => {
            Row("InvalidParameterValue", "A parameter's value is not valid.")
        }
        Refusal::ParameterUnknown { .. } => Row("UnknownParameter", "A parameter is not known."),
        Refusal::TimestampMalformed => Row(
            INVALID_PARAMETER,
            "The parameter `Timestamp` is not a number of seconds.",
        ),
        // No wildcard here: a new reason to refuse must be given its words.
        Refusal::Unsigned
        | Refusal::SignatureMalformed(_)
        | Refusal::CredentialMalformed(_)
        | Refusal::SignatureMissing
        | Refusal::SignatureMethodUnsupported
        | Refusal::KeyUnknown
        | Refusal::KeyRevoked
        | Refusal::SignatureMismatch { .. }
        | Refusal::TimestampExpired
        | Refusal::NonceUsed
        | Refusal::TokenInvalid
        | Refusal::TokenExpired
        | Refusal::KeyLocked
        | Refusal::ProjectForeign
        | Refusal::NotPermitted { .. }
        | Refusal::Throttled { .. } => who(refusal),
        Refusal::InstanceNotFound
        | Refusal::InstanceIdMalformed
        | Refusal::InstanceNotRunning
        | Refusal::EngineTooOld
        | Refusal::NotSupported(_)
        | Refusal::ReplicaReadsOff
        | Refusal::ReplicaReadsUsed
        | Refusal::TaskNotFound
        | Refusal::TaskRunning
        | Refusal::PolicyInvalid
        | Refusal::Internal
        | Refusal::Unavailable => instance(refusal),
        Refusal::AccountExists
        | Refusal::NameUnmanaged
        | Refusal::TokenReused
        | Refusal::AccountNotFound
        | Refusal::AccountBusy
        | Refusal::NameInvalid
        | Refusal::DescriptionInvalid
        | Refusal::PrivilegeInvalid
        | Refusal::RoutingInvalid
        | Refusal::PasswordInvalid
        | Refusal::PasswordUnchanged
        | Refusal::PasswordNeeded
        | Refusal::OldPasswordWrong { .. }
        | Refusal::PasswordLocked { .. }
        | Refusal::PasswordFreeDenied
        | Refusal::PasswordFreeCustom
        | Refusal::DefaultProtected
        | Refusal::AccountLinked
        | Refusal::QuotaExceeded { .. } => account(refusal),
    }
}

const INTERNAL: Row = Row("InternalError.InternalError", "Internal error.");

/// Who asks. The texts of the documented codes are the gateway's own where one was ever quoted.
fn who(refusal: &Refusal) -> Row {
    match refusal {
        Refusal::Unsigned
        | Refusal::SignatureMalformed(_)
        | Refusal::CredentialMalformed(_)
        | Refusal::SignatureMissing
        | Refusal::SignatureMethodUnsupported => Row(
            "AuthFailure.InvalidAuthorization",
            "The request header `Authorization` does not conform to the Tencent Cloud standard.",
        ),
        Refusal::KeyUnknown | Refusal::KeyRevoked => Row(
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found, please ensure that your SecretId is correct.",
        ),
        Refusal::SignatureMismatch { .. } => Row(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is \
             correct.",
        ),
        Refusal::TimestampExpired => Row("AuthFailure.SignatureExpire", "The signature expired."),
        // No dialect rule makes this one: repeats are taken.
        Refusal::NonceUsed => Row("AuthFailure.SignatureFailure", "The nonce was used before."),
        Refusal::TokenInvalid | Refusal::TokenExpired => {
            Row("AuthFailure.TokenFailure", "The token is not valid.")
        }
        Refusal::KeyLocked => Row(
            "AuthFailure.UnauthorizedOperation",
            "The key is locked for a while after too many bad signatures.",
        ),
        Refusal::ProjectForeign => Row(
            "AuthFailure.UnauthorizedOperation",
            "The project is not the caller's.",
        ),
        Refusal::NotPermitted { .. } => Row(
            "UnauthorizedOperation.NoCAMAuthed",
            "No CAM permissions: the key's role or scope does not permit this.",
        ),
        Refusal::Throttled { .. } => Row("RequestLimitExceeded", "Too many requests."),
        _ => INTERNAL,
    }
}

/// What is asked of instances and tasks. Most conditions have no known code at the cloud; the
/// choices are ours.
fn instance(refusal: &Refusal) -> Row {
    match refusal {
        Refusal::InstanceNotFound | Refusal::InstanceIdMalformed => {
            Row("ResourceNotFound.InstanceNotExists", "record not found")
        }
        Refusal::InstanceNotRunning => Row(
            "ResourceUnavailable.InstanceStatusError",
            "Operation unsupported: the instance is not running.",
        ),
        Refusal::EngineTooOld => Row(
            UNSUPPORTED,
            "The servers of the instance have no accounts: they are older than 6.0.",
        ),
        Refusal::NotSupported(_) => Row(UNSUPPORTED, "This is not supported."),
        Refusal::ReplicaReadsOff => Row(
            UNSUPPORTED,
            "The policy `replication` needs replica reads, which are off.",
        ),
        Refusal::ReplicaReadsUsed => Row(
            UNSUPPORTED,
            "An account has the policy `replication`: replica reads cannot be switched off.",
        ),
        Refusal::TaskNotFound => Row(INVALID, "The task does not exist."),
        Refusal::TaskRunning => Row(INVALID, "The task is still running."),
        Refusal::PolicyInvalid => Row(
            INVALID,
            "PasswordPolicy is out of its limits: counts are 1 to 16, the length is 8 to 64 and \
             not less than their sum.",
        ),
        Refusal::Unavailable => Row(
            "InternalError.DbOperationFailed",
            "The store is unavailable; try again.",
        ),
        _ => INTERNAL,
    }
}

/// What is asked of accounts; likewise.
fn account(refusal: &Refusal) -> Row {
    match refusal {
        // Never ResourceInUse: Terraform would retry it for five minutes.
        Refusal::AccountExists => Row(SYSTEM, "The account already exists."),
        Refusal::NameUnmanaged => Row(
            SYSTEM,
            "A user of that name is on the servers and is not managed here.",
        ),
        Refusal::TokenReused => Row(SYSTEM, "The token was used with other parameters."),
        // Not AccountDoesNotExists, which is about an account of the cloud itself.
        Refusal::AccountNotFound => Row("ResourceNotFound", "The account does not exist."),
        Refusal::AccountBusy => Row(
            "ResourceUnavailable.InstanceLockedError",
            "The account is being deleted.",
        ),
        Refusal::NameInvalid => Row(
            INVALID,
            "AccountName must be 1 to 32 letters, digits, `_` or `-`, and not be reserved.",
        ),
        Refusal::DescriptionInvalid => Row(INVALID, "Remark must have at most 64 bytes."),
        Refusal::PrivilegeInvalid => Row(INVALID, "Privilege must be r, w or rw."),
        Refusal::RoutingInvalid => {
            Row(INVALID, "ReadonlyPolicy must be of master and replication.")
        }
        Refusal::PasswordInvalid | Refusal::PasswordUnchanged => Row(
            "InvalidParameterValue.PasswordRuleError",
            "The password does not meet the rules.",
        ),
        Refusal::PasswordNeeded => Row(
            "InvalidParameterValue.PasswordEmpty",
            "The password is empty.",
        ),
        Refusal::OldPasswordWrong { .. } | Refusal::PasswordLocked { .. } => Row(
            "InvalidParameterValue.PasswordError",
            "The old password is wrong.",
        ),
        Refusal::PasswordFreeDenied => Row(
            "InvalidParameterValue.PasswordFreeDenied",
            "The password policy of the instance forbids password-free access.",
        ),
        Refusal::DefaultProtected => Row(
            NOT_SUPPORTED,
            "root cannot be deleted, nor its privilege changed.",
        ),
        Refusal::AccountLinked => Row(
            NOT_SUPPORTED,
            "Replicas or Sentinels log in with the account: give them another login first.",
        ),
        Refusal::PasswordFreeCustom => Row(
            NOT_SUPPORTED,
            "Custom accounts do not support password-free access.",
        ),
        Refusal::QuotaExceeded { .. } => Row(
            "LimitExceeded",
            "The instance has as many accounts as it may.",
        ),
        _ => INTERNAL,
    }
}

const NOT_SUPPORTED: &str = "InvalidParameter.NotSupported";
const INVALID: &str = "InvalidParameter.InvalidParameter";
const UNSUPPORTED: &str = "FailedOperation.UnSupportError";
const SYSTEM: &str = "FailedOperation.SystemError";

/// The code on the wire for a refusal of this action; an empty one means any.
pub(super) fn code(action: &str, refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::InstanceNotRunning if actions::is_of_password(action) => {
            "ResourceUnavailable.InstanceStatusAbnormal"
        }
        // The lists of these two have no NoCAMAuthed.
        Refusal::NotPermitted { .. }
            if matches!(action, "DescribeTaskInfo" | "DescribeTaskList") =>
        {
            "InvalidParameter.PermissionDenied"
        }
        refusal => row(refusal).0,
    }
}

fn message(shape: &Shape, refusal: &Refusal) -> Cow<'static, str> {
    let (action, version) = (&shape.action, &shape.version);
    match refusal {
        Refusal::ParameterMissing { name } => {
            format!("The request is missing a required parameter `{name}`.").into()
        }
        Refusal::ParameterUnknown { name } => {
            format!("The parameter `{name}` is not recognized.").into()
        }
        Refusal::ParameterInvalid { name, why } if *why == WRONG_TYPE => {
            format!("The value type of parameter `{name}` is not valid.").into()
        }
        Refusal::ParameterInvalid { name, why } => {
            format!("The value of parameter `{name}` is not valid: {why}.").into()
        }
        Refusal::ActionUnknown => format!(
            "The request action=`{action}` is invalid or not found in service=`redis` and \
             version=`{VERSION}`."
        )
        .into(),
        Refusal::VersionUnknown => {
            format!("The specified api version=`{version}` does not exist in service=`redis`.")
                .into()
        }
        Refusal::RegionUnknown => format!("The region `{}` is not supported.", shape.region).into(),
        Refusal::Throttled { limit } if *limit > 0 => format!(
            "Your current request times equals to `{}` in a second, which exceeds the frequency \
             limit `{limit}` for a second. Please reduce the frequency of calls.",
            limit + 1
        )
        .into(),
        Refusal::QuotaExceeded { limit } => {
            format!("The instance already has {limit} accounts.").into()
        }
        Refusal::Malformed(why) if *why == NO_EQUALS => NO_EQUALS.into(),
        Refusal::Malformed(why)
        | Refusal::SignatureMalformed(why)
        | Refusal::CredentialMalformed(why) => format!("{} ({why})", row(refusal).1).into(),
        Refusal::NotSupported(why) => format!("{} ({why})", row(refusal).1).into(),
        refusal => row(refusal).1.into(),
    }
}

/// The whole answer.
pub(super) fn encode(shape: &Shape, request_id: RequestId, refusal: &Refusal) -> RawAnswer {
    let error = vec![
        ("Code", code(&shape.action, refusal).into()),
        ("Message", Value::Text(message(shape, refusal))),
    ];
    wire::answer(shape, request_id, vec![("Error", Value::Object(error))])
}
