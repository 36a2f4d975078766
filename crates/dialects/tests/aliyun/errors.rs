//! Every refusal as the client reads it.

use crate::support::{REQUEST_ID, body, request_id, shape};
use claviger_core::access::Action;
use claviger_core::refusal::Refusal;
use claviger_dialects::aliyun::Aliyun;
use claviger_dialects::{Dialect, Shape};
use std::collections::HashSet;

fn missing(name: &'static str) -> Refusal {
    Refusal::ParameterMissing { name }
}

type Row = (Refusal, u16, &'static str, &'static str);

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_the_request() -> Vec<Row> {
    use Refusal::*;
    vec![
        (
            MethodUnsupported,
            403,
            "UnsupportedHTTPMethod",
            "This http method not supported.",
        ),
        (
            Malformed("w"),
            400,
            "InvalidParameter",
            "The request is malformed: w.",
        ),
        (
            TooLarge { limit: 1 },
            413,
            "RequestEntityTooLarge",
            "The request is too large.",
        ),
        (
            ActionUnknown,
            404,
            "InvalidAction.NotFound",
            "Specified api is not found, please check your url and method.",
        ),
        (
            VersionUnknown,
            400,
            "InvalidVersion",
            "Specified parameter Version is not valid.",
        ),
        (
            missing("InstanceId"),
            400,
            "MissingInstanceId",
            "InstanceId is mandatory for this action.",
        ),
        (
            missing("AccountName"),
            400,
            "MissingAccountName",
            "AccountName is mandatory for this action.",
        ),
        (
            missing("SecurityToken"),
            400,
            "MissingSecurityToken",
            "SecurityToken is mandatory for this action.",
        ),
        (
            ParameterInvalid {
                name: "PageSize",
                why: "w",
            },
            400,
            "InvalidParameter",
            "Specified parameter PageSize is not valid.",
        ),
        (
            Unsigned,
            400,
            "MissingAccessKeyId",
            "AccessKeyId is mandatory for this action.",
        ),
        (
            SignatureMalformed("w"),
            400,
            "IncompleteSignature",
            "The request signature does not conform to Aliyun standards.",
        ),
        (
            SignatureMethodUnsupported,
            400,
            "InvalidParameter",
            "Specified parameter SignatureMethod is not valid.",
        ),
        (
            KeyUnknown,
            404,
            "InvalidAccessKeyId.NotFound",
            "Specified access key is not found.",
        ),
        (
            KeyRevoked,
            400,
            "InvalidAccessKeyId.Inactive",
            "Specified access key is disabled.",
        ),
        (
            SignatureMismatch {
                string_to_sign: "GET&%2F&a".into(),
            },
            400,
            "SignatureDoesNotMatch",
            "Specified signature is not matched with our calculation. server string to sign is:GET&%2F&a",
        ),
        (
            TimestampMalformed,
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        ),
        (
            TimestampExpired,
            400,
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ),
        (
            NonceUsed,
            400,
            "SignatureNonceUsed",
            "Specified signature nonce was used already.",
        ),
        (
            TokenInvalid,
            400,
            "InvalidSecurityToken.Malformed",
            "Specified SecurityToken is malformed.",
        ),
        (
            NotPermitted {
                action: Action::ReadKeys,
            },
            403,
            "Forbidden.RAM",
            "User not authorized to operate on the specified resource, or this API doesn't support RAM.",
        ),
        (
            Throttled { limit: 0 },
            400,
            "Throttling.User",
            "Request was denied due to user flow control.",
        ),
        (
            Internal,
            500,
            "InternalError",
            "The request processing has failed due to some unknown error, exception or failure.",
        ),
        (
            Unavailable,
            503,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn of_the_matter() -> Vec<Row> {
    use Refusal::*;
    vec![
        (
            InstanceNotFound,
            404,
            "InvalidInstanceId.NotFound",
            "The specified instance is not found.",
        ),
        (
            InstanceNotRunning,
            403,
            "IncorrectDBInstanceState",
            "Current DB instance state does not support this operation.",
        ),
        (
            EngineTooOld,
            400,
            "InvalidEngineVersion.Format",
            "Current EngineVersion does not support operations.",
        ),
        (
            NotSupported("w"),
            400,
            "InvalidEngineVersion.Format",
            "Current EngineVersion does not support operations.",
        ),
        (
            NameInvalid,
            400,
            "InvalidAccountName.Format",
            "Specified AccountName is not valid.",
        ),
        (
            AccountExists,
            400,
            "InvalidAccountName.Duplicate",
            "Specified AccountName already exists in this instance.",
        ),
        (
            NameUnmanaged,
            400,
            "InvalidAccountName.Duplicate",
            "Specified AccountName already exists in this instance.",
        ),
        (
            AccountNotFound,
            404,
            "InvalidAccountName.NotFound",
            "Specified AccountName does not exist.",
        ),
        (
            PasswordInvalid,
            400,
            "InvalidAccountPassword.Format",
            "Specified AccountPassword is not valid.",
        ),
        (
            OldPasswordWrong { tries_left: None },
            400,
            "InvalidOldAccountPassword",
            "Specified OldAccountPassword is not valid.",
        ),
        (
            DescriptionInvalid,
            400,
            "InvalidAccountDescription.Format",
            "Specified AccountDescription is not valid.",
        ),
        (
            PrivilegeInvalid,
            400,
            "InvalidAccountPrivilege.Format",
            "Specified AccountPrivilege is not valid.",
        ),
        (
            RoutingInvalid,
            400,
            "InvalidParameter",
            "The read policy is not valid.",
        ),
        (
            DefaultProtected,
            400,
            "IncorrectAccount",
            "Current DB instance account does not support this operation.",
        ),
        (
            AccountLinked,
            400,
            "IncorrectAccount",
            "Current DB instance account does not support this operation.",
        ),
        (
            AccountBusy,
            403,
            "OperationDenied.AccountStatus",
            "The operation is not permitted due to status of account.",
        ),
        (
            QuotaExceeded { limit: 18 },
            403,
            "QuotaExceeded.AccountName",
            "The quota of account exceeds.",
        ),
        (
            TokenReused,
            400,
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but non-identical request.",
        ),
    ]
}

fn table() -> Vec<Row> {
    let mut rows = of_the_request();
    rows.append(&mut of_the_matter());
    rows
}

#[test]
fn every_row() {
    let mut words = HashSet::new();
    for (refusal, status, code, message) in table() {
        words.insert(refusal.word());
        assert_eq!(Aliyun.code(&refusal), code);
        let recommend = format!(
            "https://api.aliyun.com/troubleshoot?q={code}&product=R-kvstore&requestId={REQUEST_ID}"
        );
        let answer = Aliyun.encode(&shape("X", &[], false), request_id(), Err(&refusal));
        assert_eq!(answer.status, status, "{code}");
        assert_eq!(
            body(&answer, false),
            format!(
                r#"{{"RequestId":"{REQUEST_ID}","HostId":"127.0.0.1:8379","Code":"{code}","Message":"{message}","Recommend":"{recommend}"}}"#
            )
        );
        let answer = Aliyun.encode(&shape("X", &[], true), request_id(), Err(&refusal));
        assert_eq!(answer.status, status, "{code}");
        let escaped = |text: &str| text.replace('&', "&amp;").replace('\'', "&apos;");
        assert_eq!(
            body(&answer, true),
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><RequestId>{REQUEST_ID}</RequestId><HostId>127.0.0.1:8379</HostId><Code>{code}</Code><Message>{}</Message><Recommend>{}</Recommend></Error>",
                escaped(message),
                escaped(&recommend)
            )
        );
    }
    assert_eq!(words.len(), 39, "a refusal is missing from the table");
}

#[test]
fn throttled_says_when_to_come_back() {
    let answer = Aliyun.encode(
        &Shape::default(),
        request_id(),
        Err(&Refusal::Throttled { limit: 0 }),
    );
    assert_eq!(answer.header("x-acs-retry-after"), Some("1"));
    // Without a host in the request, the vendor's own.
    assert!(body(&answer, false).contains(r#""HostId":"r-kvstore.aliyuncs.com""#));
}

/// The answer to a wrong signature is bounded, and cut between characters.
#[test]
fn mismatch_is_bounded() {
    let refusal = Refusal::SignatureMismatch {
        string_to_sign: "测".repeat(100_000),
    };
    let answer = Aliyun.encode(&Shape::default(), request_id(), Err(&refusal));
    assert!(answer.body.len() < 17 * 1024);
    assert!(body(&answer, false).contains("to sign is:测"));
    assert!(!refusal.to_string().contains('测'));
}
