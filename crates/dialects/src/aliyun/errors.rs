//! Every refusal in this vendor's words: code, text, status. Sources are in section 6 of
//! `docs/wire/aliyun.md`.

use super::params::missing_code;
use super::wire::{self, Value};
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use claviger_core::refusal::Refusal;
use std::borrow::Cow;

/// Code, status and text of an error.
struct Row(&'static str, u16, &'static str);

const METHOD: Row = Row(
    "UnsupportedHTTPMethod",
    403,
    "This http method not supported.",
);
const ACTION: Row = Row(
    "InvalidAction.NotFound",
    404,
    "Specified api is not found, please check your url and method.",
);
const VERSION: Row = Row(
    "InvalidVersion",
    400,
    "Specified parameter Version is not valid.",
);
const TOO_LARGE: Row = Row("RequestEntityTooLarge", 413, "The request is too large.");
/// The text of these four is completed in [`message`].
const MALFORMED: Row = Row("InvalidParameter", 400, "The request is malformed: ");
const INVALID: Row = Row("InvalidParameter", 400, "Specified parameter ");
const OTHER: Row = Row("InvalidParameter", 400, "The request is not valid.");
const MISSING: Row = Row("MissingParameter", 400, " is mandatory for this action.");
const MISMATCH: Row = Row(
    "SignatureDoesNotMatch",
    400,
    "Specified signature is not matched with our calculation. server string to sign is:",
);
const UNSIGNED: Row = Row(
    "MissingAccessKeyId",
    400,
    "AccessKeyId is mandatory for this action.",
);
const SIGNATURE_FORM: Row = Row(
    "IncompleteSignature",
    400,
    "The request signature does not conform to Aliyun standards.",
);
const SIGNATURE_METHOD: Row = Row(
    "InvalidParameter",
    400,
    "Specified parameter SignatureMethod is not valid.",
);
/// A 404 on purpose, as the cloud does it; Terraform takes it for a resource that is gone.
const KEY: Row = Row(
    "InvalidAccessKeyId.NotFound",
    404,
    "Specified access key is not found.",
);
const KEY_REVOKED: Row = Row(
    "InvalidAccessKeyId.Inactive",
    400,
    "Specified access key is disabled.",
);
const TIME_FORM: Row = Row(
    "InvalidTimeStamp.Format",
    400,
    "Specified time stamp or date value is not well formatted.",
);
const TIME: Row = Row(
    "InvalidTimeStamp.Expired",
    400,
    "Specified time stamp or date value is expired.",
);
const NONCE: Row = Row(
    "SignatureNonceUsed",
    400,
    "Specified signature nonce was used already.",
);
const TOKEN: Row = Row(
    "InvalidSecurityToken.Malformed",
    400,
    "Specified SecurityToken is malformed.",
);
const TOKEN_EXPIRED: Row = Row(
    "InvalidSecurityToken.Expired",
    400,
    "Specified SecurityToken is expired.",
);
/// No code of the vendor's is known for it; ours.
const KEY_LOCKED: Row = Row(
    "InvalidAccessKeyId.Inactive",
    400,
    "Specified access key is disabled for a while after too many bad signatures.",
);
const REGION: Row = Row(
    "InvalidRegionId.NotFound",
    404,
    "The specified RegionId does not exist.",
);
/// This API has no look-up of one task; the row is there as for [`ROUTING`].
const TASK: Row = Row("InvalidTaskId.NotFound", 404, "The task is not found.");
const FORBIDDEN: Row = Row(
    "Forbidden.RAM",
    403,
    "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
);
const THROTTLED: Row = Row(
    "Throttling.User",
    400,
    "Request was denied due to user flow control.",
);
const INSTANCE: Row = Row(
    "InvalidInstanceId.NotFound",
    404,
    "The specified instance is not found.",
);
const INSTANCE_STATE: Row = Row(
    "IncorrectDBInstanceState",
    403,
    "Current DB instance state does not support this operation.",
);
const ENGINE: Row = Row(
    "InvalidEngineVersion.Format",
    400,
    "Current EngineVersion does not support operations.",
);
const NAME: Row = Row(
    "InvalidAccountName.Format",
    400,
    "Specified AccountName is not valid.",
);
const EXISTS: Row = Row(
    "InvalidAccountName.Duplicate",
    400,
    "Specified AccountName already exists in this instance.",
);
const ACCOUNT: Row = Row(
    "InvalidAccountName.NotFound",
    404,
    "Specified AccountName does not exist.",
);
const PASSWORD: Row = Row(
    "InvalidAccountPassword.Format",
    400,
    "Specified AccountPassword is not valid.",
);
const OLD_PASSWORD: Row = Row(
    "InvalidOldAccountPassword",
    400,
    "Specified OldAccountPassword is not valid.",
);
const DESCRIPTION: Row = Row(
    "InvalidAccountDescription.Format",
    400,
    "Specified AccountDescription is not valid.",
);
const PRIVILEGE: Row = Row(
    "InvalidAccountPrivilege.Format",
    400,
    "Specified AccountPrivilege is not valid.",
);
/// This API has no routing; the row is there for the day on which a caller gets here anyway.
const ROUTING: Row = Row("InvalidParameter", 400, "The read policy is not valid.");
const DEFAULT: Row = Row(
    "IncorrectAccount",
    400,
    "Current DB instance account does not support this operation.",
);
const BUSY: Row = Row(
    "OperationDenied.AccountStatus",
    403,
    "The operation is not permitted due to status of account.",
);
const QUOTA: Row = Row(
    "QuotaExceeded.AccountName",
    403,
    "The quota of account exceeds.",
);
const TOKEN_REUSED: Row = Row(
    "IdempotentParameterMismatch",
    400,
    "The request uses the same client token as a previous, but non-identical request.",
);
const INTERNAL: Row = Row(
    "InternalError",
    500,
    "The request processing has failed due to some unknown error, exception or failure.",
);
const UNAVAILABLE: Row = Row(
    "ServiceUnavailable",
    503,
    "The request has failed due to a temporary failure of the server.",
);

fn row(refusal: &Refusal) -> &'static Row {
    match refusal {
        Refusal::MethodUnsupported => &METHOD,
        Refusal::Malformed(_) => &MALFORMED,
        Refusal::TooLarge { .. } => &TOO_LARGE,
        Refusal::ActionUnknown => &ACTION,
        Refusal::VersionUnknown => &VERSION,
        Refusal::ParameterMissing { .. } => &MISSING,
        Refusal::ParameterInvalid { .. } => &INVALID,
        // Not reached by this API, which has no such notions.
        Refusal::ParameterUnknown { .. } | Refusal::BodyEmpty | Refusal::PolicyInvalid => &OTHER,
        Refusal::PathUnknown | Refusal::ServiceUnknown => &ACTION,
        Refusal::RegionUnknown => &REGION,
        Refusal::Unsigned => &UNSIGNED,
        Refusal::SignatureMalformed(_)
        | Refusal::SignatureMissing
        | Refusal::CredentialMalformed(_) => &SIGNATURE_FORM,
        Refusal::SignatureMethodUnsupported => &SIGNATURE_METHOD,
        Refusal::KeyUnknown => &KEY,
        Refusal::KeyRevoked => &KEY_REVOKED,
        Refusal::SignatureMismatch { .. } => &MISMATCH,
        Refusal::TimestampMalformed => &TIME_FORM,
        Refusal::TimestampExpired => &TIME,
        Refusal::NonceUsed => &NONCE,
        Refusal::TokenInvalid => &TOKEN,
        Refusal::TokenExpired => &TOKEN_EXPIRED,
        Refusal::KeyLocked => &KEY_LOCKED,
        Refusal::NotPermitted { .. } | Refusal::ProjectForeign => &FORBIDDEN,
        Refusal::Throttled { .. } => &THROTTLED,
        Refusal::InstanceNotFound | Refusal::InstanceIdMalformed => &INSTANCE,
        Refusal::TaskNotFound => &TASK,
        Refusal::TaskRunning => &INSTANCE_STATE,
        Refusal::InstanceNotRunning => &INSTANCE_STATE,
        Refusal::EngineTooOld | Refusal::NotSupported(_) => &ENGINE,
        Refusal::NameInvalid => &NAME,
        Refusal::AccountExists | Refusal::NameUnmanaged => &EXISTS,
        Refusal::AccountNotFound => &ACCOUNT,
        Refusal::PasswordInvalid | Refusal::PasswordUnchanged | Refusal::PasswordNeeded => {
            &PASSWORD
        }
        Refusal::OldPasswordWrong { .. } | Refusal::PasswordLocked { .. } => &OLD_PASSWORD,
        Refusal::DescriptionInvalid => &DESCRIPTION,
        Refusal::PrivilegeInvalid => &PRIVILEGE,
        Refusal::RoutingInvalid | Refusal::ReplicaReadsOff | Refusal::ReplicaReadsUsed => &ROUTING,
        Refusal::DefaultProtected
        | Refusal::AccountLinked
        | Refusal::PasswordFreeDenied
        | Refusal::PasswordFreeCustom => &DEFAULT,
        Refusal::AccountBusy => &BUSY,
        Refusal::QuotaExceeded { .. } => &QUOTA,
        Refusal::TokenReused => &TOKEN_REUSED,
        Refusal::Internal => &INTERNAL,
        Refusal::Unavailable => &UNAVAILABLE,
    }
}

/// The code on the wire.
pub(super) fn code(refusal: &Refusal) -> &'static str {
    if let Refusal::ParameterMissing { name } = refusal {
        return missing_code(name);
    }
    row(refusal).0
}

/// Bound on the echoed string to sign, bytes: a signature that fails must not cost the server
/// an answer many times the size of the request. Real ones have about 1,000.
const STRING_TO_SIGN_LEN_MAX: usize = 16 * 1024;

fn message(refusal: &Refusal) -> Cow<'static, str> {
    let text = row(refusal).2;
    if let Refusal::Malformed(why) = refusal {
        return format!("{text}{why}.").into();
    }
    if let Refusal::ParameterInvalid { name, .. } = refusal {
        return format!("{text}{name} is not valid.").into();
    }
    if let Refusal::ParameterMissing { name } = refusal {
        return format!("{name}{text}").into();
    }
    if let Refusal::SignatureMismatch { string_to_sign } = refusal {
        // Old Python and Go clients read our string after the colon and compare it with theirs;
        // without a colon the former crash. Passwords in it are masked already.
        let end = string_to_sign.floor_char_boundary(STRING_TO_SIGN_LEN_MAX);
        return format!("{text}{}", &string_to_sign[..end]).into();
    }
    text.into()
}

/// The host that an error names if the request named none.
const HOST: &str = "r-kvstore.aliyuncs.com";

/// The whole answer.
pub(super) fn encode(shape: &Shape, request_id: RequestId, refusal: &Refusal) -> RawAnswer {
    let code = code(refusal);
    let host = if shape.host.is_empty() {
        HOST
    } else {
        &shape.host
    };
    let id = request_id.upper();
    let recommend =
        format!("https://api.aliyun.com/troubleshoot?q={code}&product=R-kvstore&requestId={id}");
    // All of them texts: the old Go SDK insists.
    let members = vec![
        ("RequestId", id.into()),
        ("HostId", Value::text(host)),
        ("Code", code.into()),
        ("Message", Value::Text(message(refusal))),
        ("Recommend", recommend.into()),
    ];
    let mut answer = wire::answer(shape.xml, request_id, row(refusal).1, "Error", members);
    if matches!(refusal, Refusal::Throttled { .. }) {
        // New Python clients raise their own kind of exception on it.
        answer.headers.push(("x-acs-retry-after", "1".to_owned()));
    }
    answer
}
