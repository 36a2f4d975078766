//! Every refusal as the client reads it, and the seed page's error codes.

use crate::support::{refused, shape};
use claviger_core::access::Action;
use claviger_core::refusal::Refusal;
use claviger_dialects::Dialect;
use claviger_dialects::tencent::Tencent;
use std::collections::HashSet;

const CREATE: &str = "CreateInstanceAccount";
const MODIFY: &str = "ModifyInstanceAccount";

type Row = (Refusal, &'static str, &'static str);

fn of_the_request() -> Vec<Row> {
    use Refusal::*;
    vec![
        (MethodUnsupported, "UnsupportedProtocol", "Only the methods"),
        (
            Malformed("w"),
            "InvalidParameter",
            "The request is not valid. (w)",
        ),
        (
            Malformed("Url key and value should be splited by `=`."),
            "InvalidParameter",
            "Url key and value should be splited by `=`.",
        ),
        (
            Malformed("multipart x"),
            "InvalidRequest",
            "The multipart body is not valid.",
        ),
        (BodyEmpty, "InvalidParameter", "The request is not valid."),
        (PathUnknown, "InvalidRequest", "The path"),
        (
            TooLarge { limit: 1 },
            "RequestSizeLimitExceeded",
            "The request is too large.",
        ),
        (
            ActionUnknown,
            "InvalidAction",
            "The request action=`CreateInstanceAccount` is invalid or not found in \
             service=`redis` and version=`2018-04-12`.",
        ),
        (
            VersionUnknown,
            "NoSuchVersion",
            "The specified api version=`2018-04-12` does not exist in service=`redis`.",
        ),
        (ServiceUnknown, "NoSuchProduct", "The product"),
        (
            RegionUnknown,
            "UnsupportedRegion",
            "The region `ap-guangzhou` is not supported.",
        ),
        (
            ParameterMissing { name: "Region" },
            "MissingParameter",
            "The request is missing a required parameter `Region`.",
        ),
        (
            ParameterUnknown { name: "X".into() },
            "UnknownParameter",
            "The parameter `X` is not recognized.",
        ),
        (
            ParameterInvalid {
                name: "Limit",
                why: "its type is not valid",
            },
            "InvalidParameter",
            "The value type of parameter `Limit` is not valid.",
        ),
        (
            ParameterInvalid {
                name: "Limit",
                why: "w",
            },
            "InvalidParameterValue",
            "The value of parameter `Limit` is not valid: w.",
        ),
        (
            TimestampMalformed,
            "InvalidParameter",
            "The parameter `Timestamp`",
        ),
    ]
}

fn of_the_caller() -> Vec<Row> {
    use Refusal::*;
    let malformed = "AuthFailure.InvalidAuthorization";
    let forbidden = "AuthFailure.UnauthorizedOperation";
    let mismatch = SignatureMismatch {
        string_to_sign: "secret".into(),
    };
    vec![
        (Unsigned, malformed, "The request header"),
        (SignatureMalformed("w"), malformed, "The request header"),
        (CredentialMalformed("w"), malformed, "The request header"),
        (SignatureMissing, malformed, "The request header"),
        (SignatureMethodUnsupported, malformed, "The request header"),
        (
            KeyUnknown,
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found, please ensure that your SecretId is correct.",
        ),
        (
            KeyRevoked,
            "AuthFailure.SecretIdNotFound",
            "The SecretId is not found",
        ),
        (
            mismatch,
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is \
             correct.",
        ),
        (
            TimestampExpired,
            "AuthFailure.SignatureExpire",
            "The signature expired.",
        ),
        (NonceUsed, "AuthFailure.SignatureFailure", "The nonce"),
        (TokenInvalid, "AuthFailure.TokenFailure", "The token"),
        (TokenExpired, "AuthFailure.TokenFailure", "The token"),
        (KeyLocked, forbidden, "The key is locked"),
        (ProjectForeign, forbidden, "The project"),
        (
            NotPermitted {
                action: Action::CreateAccount,
            },
            "UnauthorizedOperation.NoCAMAuthed",
            "No CAM permissions",
        ),
        (
            Throttled { limit: 20 },
            "RequestLimitExceeded",
            "Your current request times equals to `21` in a second, which exceeds the frequency \
             limit `20` for a second. Please reduce the frequency of calls.",
        ),
        (
            Throttled { limit: 0 },
            "RequestLimitExceeded",
            "Too many requests.",
        ),
    ]
}

fn of_the_business() -> Vec<Row> {
    use Refusal::*;
    let unsupported = "FailedOperation.UnSupportError";
    let system = "FailedOperation.SystemError";
    let invalid = "InvalidParameter.InvalidParameter";
    let not_supported = "InvalidParameter.NotSupported";
    let rule = "InvalidParameterValue.PasswordRuleError";
    let wrong = "InvalidParameterValue.PasswordError";
    vec![
        (
            InstanceNotFound,
            "ResourceNotFound.InstanceNotExists",
            "record not found",
        ),
        (
            InstanceIdMalformed,
            "ResourceNotFound.InstanceNotExists",
            "record not found",
        ),
        (
            InstanceNotRunning,
            "ResourceUnavailable.InstanceStatusError",
            "Operation unsupported",
        ),
        (EngineTooOld, unsupported, "The servers"),
        (
            NotSupported("EncryptPassword"),
            unsupported,
            "This is not supported. (EncryptPassword)",
        ),
        (ReplicaReadsOff, unsupported, "The policy `replication`"),
        (ReplicaReadsUsed, unsupported, "An account has"),
        (AccountExists, system, "The account already exists."),
        (NameUnmanaged, system, "A user of that name"),
        (TokenReused, system, "The token"),
        (
            AccountNotFound,
            "ResourceNotFound",
            "The account does not exist.",
        ),
        (
            AccountBusy,
            "ResourceUnavailable.InstanceLockedError",
            "The account is being",
        ),
        (TaskNotFound, invalid, "The task does not exist."),
        (TaskRunning, invalid, "The task is still running."),
        (NameInvalid, invalid, "AccountName"),
        (DescriptionInvalid, invalid, "Remark"),
        (PrivilegeInvalid, invalid, "Privilege"),
        (RoutingInvalid, invalid, "ReadonlyPolicy"),
        (PolicyInvalid, invalid, "PasswordPolicy"),
        (PasswordInvalid, rule, "The password"),
        (PasswordUnchanged, rule, "The password"),
        (
            PasswordNeeded,
            "InvalidParameterValue.PasswordEmpty",
            "The password is empty.",
        ),
        (
            OldPasswordWrong { tries_left: None },
            wrong,
            "The old password is wrong.",
        ),
        (
            PasswordLocked { minutes: 1 },
            wrong,
            "The old password is wrong.",
        ),
        (
            PasswordFreeDenied,
            "InvalidParameterValue.PasswordFreeDenied",
            "The password policy",
        ),
        (DefaultProtected, not_supported, "root"),
        (AccountLinked, not_supported, "Replicas or Sentinels"),
        (PasswordFreeCustom, not_supported, "Custom accounts"),
        (
            QuotaExceeded { limit: 100 },
            "LimitExceeded",
            "The instance already has 100 accounts.",
        ),
        (Unavailable, "InternalError.DbOperationFailed", "The store"),
        (Internal, "InternalError.InternalError", "Internal error."),
    ]
}

#[test]
fn all() {
    let mut words = HashSet::new();
    let rows = [of_the_request(), of_the_caller(), of_the_business()].concat();
    for (refusal, code, message) in rows {
        words.insert(refusal.word());
        let (got, text) = refused(CREATE, &refusal);
        assert_eq!(got, code, "{refusal:?}");
        assert_eq!(Tencent.code(&refusal), code, "{refusal:?}");
        assert!(text.starts_with(message), "{text}");
        assert!(!text.contains("secret"));
        // Terraform would retry these for minutes, and Go resends them.
        assert!(!code.starts_with("ResourceInUse") && !code.starts_with("ResourceBusy"));
    }
    assert_eq!(words.len(), 60, "every reason has its row");
}

/// The eight codes of the seed page: six are sent, and two are about what there is not here (see
/// `docs/wire/tencent.md`, section 6).
#[test]
fn codes_of_the_seed() {
    let code = |refusal: Refusal| refused(MODIFY, &refusal).0;
    let forbidden = Refusal::NotPermitted {
        action: Action::CreateAccount,
    };
    let seed = [
        (code(Refusal::AccountExists), "FailedOperation.SystemError"),
        (
            code(Refusal::ReplicaReadsOff),
            "FailedOperation.UnSupportError",
        ),
        (code(Refusal::Internal), "InternalError.InternalError"),
        (
            refused("DescribeTaskInfo", &forbidden).0,
            "InvalidParameter.PermissionDenied",
        ),
        (
            code(Refusal::InstanceNotRunning),
            "ResourceUnavailable.InstanceStatusError",
        ),
        (code(forbidden), "UnauthorizedOperation.NoCAMAuthed"),
    ];
    for (got, wanted) in seed {
        assert_eq!(got, wanted);
    }
}

#[test]
fn codes_by_action() {
    let paused = |action| refused(action, &Refusal::InstanceNotRunning).0;
    for action in [
        "ResetPassword",
        "ModifyInstancePassword",
        "ModfiyInstancePassword",
    ] {
        assert_eq!(paused(action), "ResourceUnavailable.InstanceStatusAbnormal");
    }
    for action in [CREATE, MODIFY, "DeleteInstanceAccount"] {
        assert_eq!(paused(action), "ResourceUnavailable.InstanceStatusError");
    }
}

/// What is not known is named as it was spelled, within bounds.
#[test]
fn echoed_words() {
    let (_, text) = refused("Nonsense", &Refusal::ActionUnknown);
    assert!(text.contains("action=`Nonsense`"), "{text}");
    let long = "a".repeat(129);
    assert_eq!(shape(&long, &[]).action, "");
    let (_, text) = refused(&long, &Refusal::ActionUnknown);
    assert!(text.contains("action=``"), "{text}");
}
