//! Every refusal in this vendor's words: code, status, number, text. Sources are in section 6 of
//! `docs/wire/volcengine.md`.

use super::auth::SCOPE_PARTS;
use super::request::{ECHO_INSTANCE, ECHO_KEY, ECHO_SERVICE};
use super::wire::{self, Members, Value};
use super::{actions, profile};
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use claviger_core::refusal::Refusal;
use std::borrow::Cow;

/// Code, status, the gateway's number of it (the product sends none), and the text.
struct Row(&'static str, u16, Option<u64>, &'static str);

/// The texts with a `%s` are completed in [`message`], as are those of [`PARAM`] and
/// [`MALFORMED`].
const MISSING: Row = Row(
    "MissingParameter",
    400,
    Some(100_002),
    "The request is missing %s parameter.",
);
const UNSIGNED: Row = Row(
    "MissingAuthenticationToken",
    401,
    Some(100_003),
    "Request is missing Authentication Token",
);
const MISSING_INFO: Row = Row(
    "MissingRequestInfo",
    400,
    Some(100_004),
    "The request is missing %s information.",
);
const NO_SIGNATURE: Row = Row(
    "MissingSignature",
    401,
    Some(100_005),
    "The request is missing signature.",
);
const TIME: Row = Row(
    "InvalidTimestamp",
    403,
    Some(100_006),
    "The Signature of the request is expired or its X-Date is not of the form \
     yyyyMMddTHHmmssZ.",
);
const SERVICE: Row = Row(
    "ServiceNotFound",
    404,
    Some(100_007),
    "This service[%s] not found.",
);
const ACTION: Row = Row(
    "InvalidActionOrVersion",
    404,
    Some(100_008),
    "Could not find operation %s for version %s.",
);
const KEY: Row = Row(
    "InvalidAccessKey",
    401,
    Some(100_009),
    "The accesskey [%s] included in the request is invalid.",
);
const MISMATCH: Row = Row(
    "SignatureDoesNotMatch",
    401,
    Some(100_010),
    "The request signature we calculated does not match the signature you provided. Check your \
     Secret Access Key and signing method. Consult the service documentation for details.",
);
const FORBIDDEN: Row = Row(
    "AccessDenied",
    403,
    Some(100_013),
    "User is not authorized to perform: %s on resource: %s.",
);
const AUTHORIZATION: Row = Row(
    "InvalidAuthorization",
    400,
    None,
    "The Authorization of the request is malformed: %s.",
);
const CREDENTIAL: Row = Row(
    "InvalidCredential",
    400,
    None,
    "The Credential of the request is malformed: %s.",
);
const TOKEN: Row = Row(
    "InvalidSecretToken",
    401,
    None,
    "Invalid secret token, msg: %s.",
);
const METHOD: Row = Row(
    "MethodNotAllowed",
    405,
    None,
    "Only POST and GET are allowed.",
);
const THROTTLED: Row = Row("FlowLimitExceeded", 429, None, "Too many requests.");
const INTERNAL: Row = Row(
    "InternalError",
    500,
    None,
    "The request has failed due to an unknown error.",
);
const UNAVAILABLE: Row = Row(
    "ServiceUnavailableTemp",
    503,
    None,
    "The service is unavailable for the moment.",
);
const TOO_LARGE: Row = Row("ParamError", 413, None, "The request is too large.");
const MALFORMED: Row = Row("ParamError", 400, None, "The request is malformed: %s.");
const PARAM: Row = Row(
    "ParamError",
    400,
    None,
    "The parameter %s is not right: %s.",
);
const ABSENT: Row = Row("ParamError", 400, None, "The parameter %s is missing.");
const TOKEN_REUSED: Row = Row(
    "ParamError",
    400,
    None,
    "The ClientToken was used before with other parameters.",
);
const NAME: Row = Row(
    "InvalidAccountName",
    400,
    None,
    "The account name must have 2 to 16 lower-case letters, digits and underscores, begin with a \
     letter and end with a letter or digit.",
);
const PASSWORD: Row = Row(
    "InvalidPassword",
    400,
    None,
    "The password must have 8 to 32 characters of at least two kinds of upper-case letters, \
     lower-case letters, digits and special characters, and meet the instance's own policy.",
);
const DESCRIPTION: Row = Row(
    "AccountDescriptionTooLong",
    400,
    None,
    "The description has more than 256 characters.",
);
const ROLE: Row = Row(
    "AccountRoleInvalid",
    400,
    None,
    "The role is neither built in nor one of the instance's own.",
);
/// The word `exist` beside `not`: Terraform finds a resource gone by it.
const INSTANCE: Row = Row(
    "InstanceNotExist",
    400,
    None,
    "The instance does not exist.",
);
const INSTANCE_STATUS: Row = Row(
    "InstanceStatusNotMatch",
    400,
    None,
    "The status of the instance does not allow this.",
);
const BUSY: Row = Row(
    "InstanceStatusNotMatch",
    400,
    None,
    "The account is being deleted.",
);
const EXISTS: Row = Row("AccountExist", 400, None, "The account exists already.");
const ACCOUNT: Row = Row("AccountNotExist", 400, None, "The account does not exist.");
const DELETE_DEFAULT: Row = Row(
    "DeleteDefaultAccount",
    400,
    None,
    "The default account cannot be deleted.",
);
const DEFAULT_ROLE: Row = Row(
    "InvalidOperator",
    400,
    None,
    "The role of the default account cannot be changed.",
);
const QUOTA: Row = Row(
    "ResourceNotEnough",
    400,
    None,
    "The instance has as many accounts as it may have.",
);
const ENGINE: Row = Row(
    "InvalidEngineVersion",
    400,
    None,
    "The engine of the instance has no accounts besides the default one.",
);
const PASSWORD_FREE: Row = Row(
    "InvalidOperator",
    400,
    None,
    "The instance's policy does not allow access without a password.",
);
const LINKED: Row = Row(
    "InvalidOperator",
    400,
    None,
    "Replicas or Sentinels log in with the account: give them another login first.",
);
const PASSWORD_NEEDED: Row = Row(
    "InvalidOperator",
    400,
    None,
    "The default account has no known password: set one with ModifyDBAccount first.",
);
/// This API has no such notions; the row is there for the day on which a caller gets here anyway.
const OTHER: Row = Row("ParamError", 400, None, "The request is not right.");

fn row(action: &str, refusal: &Refusal) -> &'static Row {
    match refusal {
        Refusal::MethodUnsupported => &METHOD,
        Refusal::Malformed(_) => &MALFORMED,
        Refusal::TooLarge { .. } => &TOO_LARGE,
        Refusal::ActionUnknown | Refusal::VersionUnknown | Refusal::PathUnknown => &ACTION,
        Refusal::ParameterMissing { name } => missing(name),
        Refusal::ParameterInvalid { .. } => &PARAM,
        Refusal::ServiceUnknown => &SERVICE,
        Refusal::Unsigned => &UNSIGNED,
        Refusal::SignatureMalformed(_) | Refusal::SignatureMethodUnsupported => &AUTHORIZATION,
        Refusal::CredentialMalformed(_) => &CREDENTIAL,
        Refusal::SignatureMissing => &NO_SIGNATURE,
        Refusal::KeyUnknown | Refusal::KeyRevoked | Refusal::KeyLocked => &KEY,
        Refusal::SignatureMismatch { .. } => &MISMATCH,
        Refusal::TimestampMalformed | Refusal::TimestampExpired => &TIME,
        Refusal::TokenInvalid | Refusal::TokenExpired => &TOKEN,
        Refusal::NotPermitted { .. } | Refusal::ProjectForeign => &FORBIDDEN,
        Refusal::Throttled { .. } => &THROTTLED,
        Refusal::InstanceNotFound | Refusal::InstanceIdMalformed => &INSTANCE,
        Refusal::InstanceNotRunning | Refusal::TaskRunning => &INSTANCE_STATUS,
        Refusal::EngineTooOld | Refusal::NotSupported(_) => &ENGINE,
        Refusal::NameInvalid => &NAME,
        Refusal::AccountExists | Refusal::NameUnmanaged => &EXISTS,
        Refusal::AccountNotFound => &ACCOUNT,
        Refusal::PasswordInvalid | Refusal::PasswordUnchanged => &PASSWORD,
        Refusal::PasswordNeeded => &PASSWORD_NEEDED,
        Refusal::PasswordFreeDenied | Refusal::PasswordFreeCustom => &PASSWORD_FREE,
        Refusal::DescriptionInvalid => &DESCRIPTION,
        Refusal::PrivilegeInvalid => &ROLE,
        Refusal::DefaultProtected if action == actions::DELETE => &DELETE_DEFAULT,
        Refusal::DefaultProtected => &DEFAULT_ROLE,
        Refusal::AccountLinked => &LINKED,
        Refusal::AccountBusy => &BUSY,
        Refusal::QuotaExceeded { .. } => &QUOTA,
        Refusal::TokenReused => &TOKEN_REUSED,
        Refusal::Internal => &INTERNAL,
        Refusal::Unavailable => &UNAVAILABLE,
        // Not reached by this API.
        Refusal::ParameterUnknown { .. }
        | Refusal::BodyEmpty
        | Refusal::PolicyInvalid
        | Refusal::RegionUnknown
        | Refusal::NonceUsed
        | Refusal::TaskNotFound
        | Refusal::OldPasswordWrong { .. }
        | Refusal::PasswordLocked { .. }
        | Refusal::RoutingInvalid
        | Refusal::ReplicaReadsOff
        | Refusal::ReplicaReadsUsed => &OTHER,
    }
}

/// What the gateway misses and what the product misses are different errors.
fn missing(name: &str) -> &'static Row {
    match name {
        "Action" | "Version" | "X-Date" => &MISSING,
        name if SCOPE_PARTS.contains(&name) => &MISSING_INFO,
        _ => &ABSENT,
    }
}

/// The code on the wire; of the default account it depends on what was asked.
pub(super) fn code(action: &str, refusal: &Refusal) -> &'static str {
    row(action, refusal).0
}

/// The text with each `%s` replaced by the next of `parts`.
fn fill(text: &str, parts: &[&str]) -> Cow<'static, str> {
    let mut out = String::with_capacity(text.len() + 64);
    let mut parts = parts.iter();
    for (index, piece) in text.split("%s").enumerate() {
        if index > 0 {
            out.push_str(parts.next().unwrap_or(&""));
        }
        out.push_str(piece);
    }
    out.into()
}

fn message(shape: &Shape, refusal: &Refusal) -> Cow<'static, str> {
    let text = row(&shape.action, refusal).3;
    let echoed = |name| shape.echoed(name).unwrap_or_default();
    match refusal {
        Refusal::Malformed(why)
        | Refusal::SignatureMalformed(why)
        | Refusal::CredentialMalformed(why) => fill(text, &[why]),
        Refusal::SignatureMethodUnsupported => fill(text, &["its algorithm is not HMAC-SHA256"]),
        Refusal::ParameterInvalid { name, why } => fill(text, &[name, why]),
        Refusal::ParameterMissing { name } => fill(text, &[name]),
        Refusal::ActionUnknown | Refusal::VersionUnknown | Refusal::PathUnknown => {
            fill(text, &[&shape.action, &shape.version])
        }
        Refusal::ServiceUnknown => fill(text, &[echoed(ECHO_SERVICE)]),
        Refusal::KeyUnknown | Refusal::KeyRevoked | Refusal::KeyLocked => {
            fill(text, &[echoed(ECHO_KEY)])
        }
        Refusal::TokenInvalid | Refusal::TokenExpired => {
            fill(text, &["temporary credentials are not issued here"])
        }
        Refusal::NotPermitted { .. } | Refusal::ProjectForeign => {
            let action = format!("redis:{}", shape.action);
            let resource = shape.echoed(ECHO_INSTANCE).unwrap_or("*");
            fill(text, &[&action, resource])
        }
        _ => Cow::Borrowed(text),
    }
}

/// The whole answer.
pub(super) fn encode(shape: &Shape, request_id: RequestId, refusal: &Refusal) -> RawAnswer {
    let Row(code, status, number, _) = row(&shape.action, refusal);
    let mut error: Members = Vec::with_capacity(3);
    // An integer or nothing: the Go client reads it as one.
    error.extend(number.map(|number| ("CodeN", Value::Int(number))));
    error.push(("Code", (*code).into()));
    error.push(("Message", Value::Text(message(shape, refusal))));
    let status = match *code {
        // The one status in which the two brands' pages differ.
        "InvalidTimestamp" if profile::is_byteplus(shape) => 400,
        _ => *status,
    };
    let mut answer = wire::failure(shape, request_id, status, error);
    if status == 429 || status == 503 {
        // The Go client waits for as long.
        answer.headers.push(("retry-after", "1".to_owned()));
    }
    answer
}
