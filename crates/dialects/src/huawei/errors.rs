//! Every refusal in this vendor's words: code, text, status. Sources are in section 6 of
//! `docs/wire/huawei.md`.

use super::wire;
use crate::Shape;
use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use claviger_core::refusal::Refusal;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Code, status and text of an error.
struct Row(&'static str, u16, &'static str);

/// The gateway's code for every trouble with the caller's identity.
const IDENTITY: &str = "APIGW.0301";

const PATH: Row = Row(
    "APIGW.0101",
    404,
    "The API does not exist or has not been published in the environment.",
);
const METHOD: Row = Row("DCS.5001", 405, "This request method is not allowed.");
const TOO_LARGE: Row = Row("APIGW.0201", 413, "Request entity too large.");
const UNSIGNED: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: x-auth-token not found",
);
const FORM: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: parse Authorization header failed",
);
const SCHEME: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: unsupported signing algorithm",
);
/// A revoked key is answered alike.
const KEY: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: Get secretKey failed",
);
/// Our canonical request follows.
const MISMATCH: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: verify aksk signature fail,canonicalRequest:",
);
const TIME: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: calc ak sk signature fail:signature expired",
);
const TIME_FORM: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: calc ak sk signature fail:X-Sdk-Date is malformed",
);
const LOCKED: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden.",
);
const TOKEN: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: decrypt token fail",
);
const TOKEN_EXPIRED: Row = Row(
    IDENTITY,
    401,
    "Incorrect IAM authentication information: token expires",
);
const PROJECT: Row = Row("DCS.1004", 401, "Project ID does not match the token.");
const FORBIDDEN: Row = Row(
    "DCS.2003",
    403,
    "This role does not have the permission to perform this operation.",
);
const THROTTLED: Row = Row(
    "APIGW.0308",
    429,
    "The throttling threshold has been reached.",
);
const BODY_EMPTY: Row = Row("DCS.4004", 400, "Empty request body.");
const BODY_FORM: Row = Row(
    "DCS.4005",
    400,
    "The message body contains invalid characters or is not in JSON format.",
);
/// The name is filled in by [`message`].
const PARAMETER: Row = Row("DCS.4800", 400, "Invalid {} in the request.");
const ACCOUNT: Row = Row("DCS.4961", 400, "Acl account request param invalid.");
const PROJECT_FORM: Row = Row("DCS.4002", 400, "Invalid project ID format.");
const INSTANCE_FORM: Row = Row("DCS.4061", 400, "Invalid instance ID format.");
const TASK_FORM: Row = Row("DCS.4070", 400, "Invalid task ID format.");
const TASK: Row = Row("DCS.4001", 404, "The requested URL does not exist.");
const TASK_RUNNING: Row = Row(
    "DCS.4017",
    400,
    "This DCS instance job task is still running.",
);
const INSTANCE: Row = Row("DCS.3022", 404, "This DCS instance does not exist.");
const NOT_RUNNING: Row = Row("DCS.4049", 400, "The instance status is not running.");
/// Terraform waits and tries again on it.
const BUSY: Row = Row(
    "DCS.4026",
    400,
    "This operation is not allowed when the DCS instance is in the current state.",
);
const ENGINE: Row = Row(
    "DCS.4008",
    400,
    "The selected cache engine version is not supported.",
);
const PASSWORD: Row = Row(
    "DCS.4019",
    400,
    "The password does not meet complexity requirements.",
);
const QUOTA: Row = Row("DCS.4039", 400, "The quota limit has been reached.");
const INTERNAL: Row = Row("DCS.5000", 500, "Internal service error.");
/// These three are results of a call that was well formed (section 4.5), not errors.
const WRONG_PASSWORD: Row = Row("passwordFailed", 200, "The old password is incorrect.");
const PASSWORD_LOCKED: Row = Row(
    "locked",
    200,
    "The account is locked after too many incorrect passwords.",
);
const SAME_PASSWORD: Row = Row(
    "failed",
    200,
    "The new password is the same as the old password.",
);

/// Members of the account calls' bodies: what is wrong with them has one code.
const OF_ACCOUNTS: [&str; 7] = [
    "account_name",
    "account_password",
    "account_read_policy",
    "account_role",
    "description",
    "new_password",
    "old_password",
];

fn parameter(name: &str) -> &'static Row {
    match name {
        "project_id" => &PROJECT_FORM,
        "task_id" | "job_id" => &TASK_FORM,
        name if OF_ACCOUNTS.contains(&name) => &ACCOUNT,
        _ => &PARAMETER,
    }
}

fn row(refusal: &Refusal) -> &'static Row {
    match refusal {
        Refusal::MethodUnsupported => &METHOD,
        Refusal::PathUnknown
        | Refusal::ActionUnknown
        | Refusal::VersionUnknown
        | Refusal::ServiceUnknown
        | Refusal::RegionUnknown => &PATH,
        Refusal::TooLarge { .. } => &TOO_LARGE,
        Refusal::Malformed(_) => &BODY_FORM,
        Refusal::BodyEmpty => &BODY_EMPTY,
        Refusal::ParameterMissing { name } | Refusal::ParameterInvalid { name, .. } => {
            parameter(name)
        }
        Refusal::ParameterUnknown { .. } => &PARAMETER,
        Refusal::Unsigned | Refusal::SignatureMissing => &UNSIGNED,
        Refusal::SignatureMalformed(_) | Refusal::CredentialMalformed(_) => &FORM,
        Refusal::SignatureMethodUnsupported => &SCHEME,
        Refusal::KeyUnknown | Refusal::KeyRevoked => &KEY,
        Refusal::SignatureMismatch { .. } => &MISMATCH,
        // This vendor has no nonces.
        Refusal::TimestampExpired | Refusal::NonceUsed => &TIME,
        Refusal::TimestampMalformed => &TIME_FORM,
        Refusal::KeyLocked => &LOCKED,
        Refusal::TokenInvalid => &TOKEN,
        Refusal::TokenExpired => &TOKEN_EXPIRED,
        Refusal::ProjectForeign => &PROJECT,
        Refusal::NotPermitted { .. } => &FORBIDDEN,
        Refusal::Throttled { .. } => &THROTTLED,
        Refusal::InstanceNotFound => &INSTANCE,
        Refusal::InstanceIdMalformed => &INSTANCE_FORM,
        Refusal::TaskNotFound => &TASK,
        Refusal::TaskRunning => &TASK_RUNNING,
        Refusal::InstanceNotRunning => &NOT_RUNNING,
        Refusal::EngineTooOld | Refusal::NotSupported(_) => &ENGINE,
        Refusal::AccountBusy => &BUSY,
        Refusal::PasswordInvalid | Refusal::PasswordNeeded => &PASSWORD,
        Refusal::QuotaExceeded { .. } => &QUOTA,
        Refusal::OldPasswordWrong { .. } => &WRONG_PASSWORD,
        Refusal::PasswordLocked { .. } => &PASSWORD_LOCKED,
        Refusal::PasswordUnchanged => &SAME_PASSWORD,
        Refusal::NameInvalid
        | Refusal::AccountExists
        | Refusal::NameUnmanaged
        | Refusal::AccountNotFound
        | Refusal::DescriptionInvalid
        | Refusal::PrivilegeInvalid
        | Refusal::RoutingInvalid
        | Refusal::ReplicaReadsOff
        | Refusal::ReplicaReadsUsed
        | Refusal::PolicyInvalid
        | Refusal::DefaultProtected
        | Refusal::AccountLinked
        | Refusal::PasswordFreeDenied
        | Refusal::PasswordFreeCustom
        | Refusal::TokenReused => &ACCOUNT,
        // Of the statuses that the seed page has, 500 is the one for trouble of our own.
        Refusal::Internal | Refusal::Unavailable => &INTERNAL,
    }
}

/// The code on the wire.
pub(super) fn code(refusal: &Refusal) -> &'static str {
    row(refusal).0
}

/// Bound on the canonical request that is shown, bytes; real ones have some 400.
const SHOWN_LEN_MAX: usize = 16 * 1024;

fn message(shape: &Shape, refusal: &Refusal) -> Cow<'static, str> {
    let text = row(refusal).2;
    // Whether it is the name or the password is not told.
    let of_login = matches!(
        refusal,
        Refusal::KeyUnknown | Refusal::KeyRevoked | Refusal::SignatureMismatch { .. }
    );
    if of_login && shape.action == super::token_request::ACTION {
        return "The username or password is wrong.".into();
    }
    match refusal {
        Refusal::SignatureMismatch { string_to_sign } => {
            let end = string_to_sign.floor_char_boundary(SHOWN_LEN_MAX);
            format!("{text}{}", &string_to_sign[..end]).into()
        }
        Refusal::ParameterMissing { name } | Refusal::ParameterInvalid { name, .. } => {
            text.replace("{}", name).into()
        }
        Refusal::ParameterUnknown { name } => text.replace("{}", name).into(),
        _ => text.into(),
    }
}

/// The whole answer.
pub(super) fn encode(shape: &Shape, request_id: RequestId, refusal: &Refusal) -> RawAnswer {
    let Row(code, status, _) = *row(refusal);
    if status == 200 {
        return wire::json(request_id, status, &result(refusal));
    }
    let message = message(shape, refusal);
    // The members of the seed page, in every status; Terraform ends in a panic over a 400 whose
    // code is not a text.
    let mut body = json!({
        "error_code": code,
        "error_msg": message,
        "error_ext_msg": null,
    });
    if let Some(members) = body.as_object_mut() {
        if code.starts_with("APIGW.") {
            members.insert("request_id".into(), request_id.to_string().into());
        }
        if shape.version == "v3" {
            // IAM's own form.
            let error = json!({"code": status, "message": message, "title": title(status)});
            members.insert("error".into(), error);
        }
    }
    wire::json(request_id, status, &body)
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        _ => "Internal Server Error",
    }
}

/// The body of a password change that was well formed and failed: minutes and tries as text.
fn result(refusal: &Refusal) -> Value {
    let Row(result, _, message) = *row(refusal);
    let (lock, left, tries) = match refusal {
        Refusal::PasswordLocked { minutes } => {
            let rule = super::RULES.old_password_lockout;
            let whole = rule.map_or(0, |rule| rule.lock_s.div_ceil(60));
            (whole, *minutes, 0)
        }
        Refusal::OldPasswordWrong { tries_left } => (0, 0, tries_left.unwrap_or(0)),
        _ => (0, 0, super::actions::TRIES),
    };
    json!({
        "result": result,
        "message": message,
        "lock_time": lock.to_string(),
        "lock_time_left": left.to_string(),
        "retry_times_left": tries.to_string(),
    })
}
