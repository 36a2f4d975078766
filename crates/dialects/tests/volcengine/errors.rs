//! Every refusal as the client reads it.

use crate::support::{INSTANCE, KEY, REQUEST_ID, body, golden, request_id, shape};
use claviger_core::access::Action;
use claviger_core::refusal::Refusal;
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::{Dialect, Shape};
use serde_json::{Value, json};

fn missing(name: &'static str) -> Refusal {
    Refusal::ParameterMissing { name }
}

/// Refusal, code, status, the gateway's number.
type Row = (Refusal, &'static str, u16, Option<u64>);

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    use Refusal::*;
    let mismatch = SignatureMismatch {
        string_to_sign: "secret text".into(),
    };
    let denied = NotPermitted {
        action: Action::CreateAccount,
    };
    vec![
        (missing("Action"), "MissingParameter", 400, Some(100_002)),
        (missing("Version"), "MissingParameter", 400, Some(100_002)),
        (missing("X-Date"), "MissingParameter", 400, Some(100_002)),
        (Unsigned, "MissingAuthenticationToken", 401, Some(100_003)),
        (
            missing("accesskey"),
            "MissingRequestInfo",
            400,
            Some(100_004),
        ),
        (missing("region"), "MissingRequestInfo", 400, Some(100_004)),
        (missing("service"), "MissingRequestInfo", 400, Some(100_004)),
        (SignatureMissing, "MissingSignature", 401, Some(100_005)),
        (TimestampExpired, "InvalidTimestamp", 403, Some(100_006)),
        (TimestampMalformed, "InvalidTimestamp", 403, Some(100_006)),
        (ServiceUnknown, "ServiceNotFound", 404, Some(100_007)),
        (ActionUnknown, "InvalidActionOrVersion", 404, Some(100_008)),
        (VersionUnknown, "InvalidActionOrVersion", 404, Some(100_008)),
        (PathUnknown, "InvalidActionOrVersion", 404, Some(100_008)),
        (KeyUnknown, "InvalidAccessKey", 401, Some(100_009)),
        (KeyRevoked, "InvalidAccessKey", 401, Some(100_009)),
        (KeyLocked, "InvalidAccessKey", 401, Some(100_009)),
        (mismatch, "SignatureDoesNotMatch", 401, Some(100_010)),
        (denied, "AccessDenied", 403, Some(100_013)),
        (ProjectForeign, "AccessDenied", 403, Some(100_013)),
        (SignatureMalformed("w"), "InvalidAuthorization", 400, None),
        (
            SignatureMethodUnsupported,
            "InvalidAuthorization",
            400,
            None,
        ),
        (CredentialMalformed("w"), "InvalidCredential", 400, None),
        (TokenInvalid, "InvalidSecretToken", 401, None),
        (TokenExpired, "InvalidSecretToken", 401, None),
        (MethodUnsupported, "MethodNotAllowed", 405, None),
        (Throttled { limit: 5 }, "FlowLimitExceeded", 429, None),
        (Internal, "InternalError", 500, None),
        (Unavailable, "ServiceUnavailableTemp", 503, None),
        (TooLarge { limit: 1 }, "ParamError", 413, None),
        (Malformed("w"), "ParamError", 400, None),
        (missing("InstanceId"), "ParamError", 400, None),
        (
            ParameterInvalid {
                name: "PageSize",
                why: "w",
            },
            "ParamError",
            400,
            None,
        ),
        (
            ParameterUnknown { name: "x".into() },
            "ParamError",
            400,
            None,
        ),
        (BodyEmpty, "ParamError", 400, None),
        (PolicyInvalid, "ParamError", 400, None),
        (RegionUnknown, "ParamError", 400, None),
        (NonceUsed, "ParamError", 400, None),
        (TaskNotFound, "ParamError", 400, None),
        (
            OldPasswordWrong { tries_left: None },
            "ParamError",
            400,
            None,
        ),
        (PasswordLocked { minutes: 1 }, "ParamError", 400, None),
        (RoutingInvalid, "ParamError", 400, None),
        (ReplicaReadsOff, "ParamError", 400, None),
        (ReplicaReadsUsed, "ParamError", 400, None),
        (TokenReused, "ParamError", 400, None),
        (NameInvalid, "InvalidAccountName", 400, None),
        (PasswordInvalid, "InvalidPassword", 400, None),
        (PasswordUnchanged, "InvalidPassword", 400, None),
        (DescriptionInvalid, "AccountDescriptionTooLong", 400, None),
        (PrivilegeInvalid, "AccountRoleInvalid", 400, None),
        (InstanceNotFound, "InstanceNotExist", 400, None),
        (InstanceIdMalformed, "InstanceNotExist", 400, None),
        (InstanceNotRunning, "InstanceStatusNotMatch", 400, None),
        (TaskRunning, "InstanceStatusNotMatch", 400, None),
        (AccountBusy, "InstanceStatusNotMatch", 400, None),
        (AccountExists, "AccountExist", 400, None),
        (NameUnmanaged, "AccountExist", 400, None),
        (AccountNotFound, "AccountNotExist", 400, None),
        (DefaultProtected, "InvalidOperator", 400, None),
        (AccountLinked, "InvalidOperator", 400, None),
        (PasswordFreeDenied, "InvalidOperator", 400, None),
        (PasswordFreeCustom, "InvalidOperator", 400, None),
        (PasswordNeeded, "InvalidOperator", 400, None),
        (QuotaExceeded { limit: 99 }, "ResourceNotEnough", 400, None),
        (EngineTooOld, "InvalidEngineVersion", 400, None),
        (NotSupported("w"), "InvalidEngineVersion", 400, None),
    ]
}

/// The error of an answer, after checks of what every failure has.
fn error(shape: &Shape, refusal: &Refusal) -> (u16, Value) {
    let answer = Volcengine.encode(shape, request_id(), Err(refusal));
    let value: Value = serde_json::from_str(&body(&answer)).unwrap();
    assert_eq!(value.as_object().unwrap().len(), 1, "no Result: {value}");
    let metadata = &value["ResponseMetadata"];
    assert_eq!(metadata["RequestId"], REQUEST_ID);
    assert_eq!(metadata["Service"], "Redis");
    for name in ["Action", "Version", "Region"] {
        assert!(metadata[name].is_string(), "{name}");
    }
    (answer.status, metadata["Error"].clone())
}

#[test]
fn every_refusal() {
    let shape = shape("ModifyDBAccount", &[("InstanceId", INSTANCE)]);
    for (refusal, code, status, number) in rows() {
        let (got, error) = error(&shape, &refusal);
        assert_eq!((got, &error["Code"]), (status, &json!(code)), "{refusal:?}");
        assert_eq!(
            error.get("CodeN"),
            number.map(|n| json!(n)).as_ref(),
            "{code}"
        );
        let text = error["Message"].as_str().unwrap();
        assert!(!text.is_empty() && !text.contains("%s") && !text.contains("secret text"));
        assert_eq!(Volcengine.code(&refusal), code);
        assert_eq!(Volcengine.code_in(&shape, &refusal), code);
        // Terraform takes a text with these words for a resource that is gone. The two of the
        // gateway are the vendor's own.
        let lower = text.to_lowercase();
        let gone = [
            "not exist",
            "notfound",
            "not found",
            "not associate",
            "invalid",
        ];
        let vendors = ["InvalidAccessKey", "InvalidSecretToken", "ServiceNotFound"];
        let means_gone = ["InstanceNotExist", "AccountNotExist"].contains(&code);
        if !vendors.contains(&code) {
            assert_eq!(
                gone.iter().any(|word| lower.contains(word)),
                means_gone,
                "{text}"
            );
        }
    }
}

#[test]
fn the_default_account() {
    let refusal = Refusal::DefaultProtected;
    let delete = shape("DeleteDBAccount", &[]);
    let (status, found) = error(&delete, &refusal);
    assert_eq!(
        (status, &found["Code"]),
        (400, &json!("DeleteDefaultAccount"))
    );
    assert_eq!(
        Volcengine.code_in(&delete, &refusal),
        "DeleteDefaultAccount"
    );
}

#[test]
fn texts_are_filled() {
    let list = [("InstanceId", INSTANCE)];
    let shape = shape("DeleteDBAccount", &list);
    let text = |refusal: &Refusal| {
        error(&shape, refusal).1["Message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (refusal, expected) in [
        (
            missing("Action"),
            "The request is missing Action parameter.",
        ),
        (
            missing("region"),
            "The request is missing region information.",
        ),
        (Refusal::ServiceUnknown, "This service[redis] not found."),
        (
            Refusal::ActionUnknown,
            "Could not find operation DeleteDBAccount for version 2020-12-07.",
        ),
        (
            Refusal::NotPermitted {
                action: Action::CreateAccount,
            },
            "User is not authorized to perform: redis:DeleteDBAccount on resource: \
             redis-cn0212gzmh2xs0000.",
        ),
        (
            missing("AccountName"),
            "The parameter AccountName is missing.",
        ),
        (
            Refusal::SignatureMismatch {
                string_to_sign: String::new(),
            },
            "The request signature we calculated does not match the signature you provided. Check \
             your Secret Access Key and signing method. Consult the service documentation for \
             details.",
        ),
    ] {
        assert_eq!(text(&refusal), expected);
    }
    let key = format!("The accesskey [{KEY}] included in the request is invalid.");
    assert_eq!(text(&Refusal::KeyUnknown), key);
}

/// The one difference of BytePlus.
#[test]
fn byteplus() {
    let refusal = Refusal::TimestampExpired;
    let status = |name: &str, value: &str| {
        let mut request = golden("python");
        request.headers.retain(|(n, _)| n != name);
        request.headers.push((name.into(), value.into()));
        error(&Volcengine.shape(&request), &refusal).0
    };
    assert_eq!(status("user-agent", "volcstack-python-sdk/5.0.54"), 403);
    assert_eq!(status("user-agent", "byteplus-python-sdk-v2/3.0.63"), 400);
    for (host, expected) in [
        ("open.ap-southeast-1.byteplusapi.com", 400),
        ("open.ap-southeast-1.BytePlus-api.com:443", 400),
        ("redis.cn-beijing.volcengineapi.com", 403),
        ("byteplusapi.com.example.org", 403),
    ] {
        assert_eq!(status("host", host), expected, "{host}");
    }
    // Anything else is the same.
    let mut request = golden("python");
    request.headers.push((
        "host".into(),
        b"open.ap-southeast-1.byteplusapi.com".to_vec(),
    ));
    assert_eq!(
        error(&Volcengine.shape(&request), &Refusal::KeyUnknown).0,
        401
    );
}

#[test]
fn waits() {
    for (refusal, seconds) in [
        (Refusal::Throttled { limit: 1 }, Some("1")),
        (Refusal::Unavailable, Some("1")),
        (Refusal::Internal, None),
    ] {
        let answer = Volcengine.encode(&Shape::default(), request_id(), Err(&refusal));
        assert_eq!(answer.header("retry-after"), seconds, "{refusal:?}");
    }
}
