//! Every refusal as the client reads it, and the seed page's errors field by field.

use crate::support::{ACCOUNT, INSTANCE, PROJECT, REQUEST_ID, body, raw, request_id, shape};
use claviger_core::access::Action;
use claviger_core::refusal::Refusal;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::{Dialect, Shape};
use serde_json::{Value, json};

type Row = (Refusal, u16, &'static str, &'static str);

const IDENTITY: &str = "Incorrect IAM authentication information: ";

fn bad(name: &'static str) -> Refusal {
    Refusal::ParameterInvalid { name, why: "w" }
}

fn missing(name: &'static str) -> Refusal {
    Refusal::ParameterMissing { name }
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    use Refusal::*;
    let acl = "Acl account request param invalid.";
    let engine = "The selected cache engine version is not supported.";
    let path = "The API does not exist or has not been published in the environment.";
    vec![
        (
            MethodUnsupported,
            405,
            "DCS.5001",
            "This request method is not allowed.",
        ),
        (PathUnknown, 404, "APIGW.0101", path),
        (ActionUnknown, 404, "APIGW.0101", path),
        (VersionUnknown, 404, "APIGW.0101", path),
        (ServiceUnknown, 404, "APIGW.0101", path),
        (RegionUnknown, 404, "APIGW.0101", path),
        (
            TooLarge { limit: 1 },
            413,
            "APIGW.0201",
            "Request entity too large.",
        ),
        (
            Malformed("w"),
            400,
            "DCS.4005",
            "The message body contains invalid characters or is not in JSON format.",
        ),
        (BodyEmpty, 400, "DCS.4004", "Empty request body."),
        (missing("account_name"), 400, "DCS.4961", acl),
        (missing("new_password"), 400, "DCS.4961", acl),
        (bad("description"), 400, "DCS.4961", acl),
        (bad("account_read_policy"), 400, "DCS.4961", acl),
        (
            bad("offset"),
            400,
            "DCS.4800",
            "Invalid offset in the request.",
        ),
        (
            missing("user"),
            400,
            "DCS.4800",
            "Invalid user in the request.",
        ),
        (
            ParameterUnknown { name: "x".into() },
            400,
            "DCS.4800",
            "Invalid x in the request.",
        ),
        (
            bad("project_id"),
            400,
            "DCS.4002",
            "Invalid project ID format.",
        ),
        (bad("task_id"), 400, "DCS.4070", "Invalid task ID format."),
        (bad("job_id"), 400, "DCS.4070", "Invalid task ID format."),
        (
            InstanceIdMalformed,
            400,
            "DCS.4061",
            "Invalid instance ID format.",
        ),
        (Unsigned, 401, "APIGW.0301", "x-auth-token not found"),
        (
            SignatureMissing,
            401,
            "APIGW.0301",
            "x-auth-token not found",
        ),
        (
            SignatureMalformed("w"),
            401,
            "APIGW.0301",
            "parse Authorization header failed",
        ),
        (
            CredentialMalformed("w"),
            401,
            "APIGW.0301",
            "parse Authorization header failed",
        ),
        (
            SignatureMethodUnsupported,
            401,
            "APIGW.0301",
            "unsupported signing algorithm",
        ),
        (KeyUnknown, 401, "APIGW.0301", "Get secretKey failed"),
        (KeyRevoked, 401, "APIGW.0301", "Get secretKey failed"),
        (
            SignatureMismatch {
                string_to_sign: "GET|/v2/".into(),
            },
            401,
            "APIGW.0301",
            "verify aksk signature fail,canonicalRequest:GET|/v2/",
        ),
        (
            TimestampExpired,
            401,
            "APIGW.0301",
            "calc ak sk signature fail:signature expired",
        ),
        (
            TimestampMalformed,
            401,
            "APIGW.0301",
            "calc ak sk signature fail:X-Sdk-Date is malformed",
        ),
        (
            NonceUsed,
            401,
            "APIGW.0301",
            "calc ak sk signature fail:signature expired",
        ),
        (
            KeyLocked,
            401,
            "APIGW.0301",
            "AK access failed to reach the limit,forbidden.",
        ),
        (TokenInvalid, 401, "APIGW.0301", "decrypt token fail"),
        (TokenExpired, 401, "APIGW.0301", "token expires"),
        (
            ProjectForeign,
            401,
            "DCS.1004",
            "Project ID does not match the token.",
        ),
        (
            NotPermitted {
                action: Action::CreateAccount,
            },
            403,
            "DCS.2003",
            "This role does not have the permission to perform this operation.",
        ),
        (
            Throttled { limit: 5 },
            429,
            "APIGW.0308",
            "The throttling threshold has been reached.",
        ),
        (
            InstanceNotFound,
            404,
            "DCS.3022",
            "This DCS instance does not exist.",
        ),
        (
            TaskNotFound,
            404,
            "DCS.4001",
            "The requested URL does not exist.",
        ),
        (
            TaskRunning,
            400,
            "DCS.4017",
            "This DCS instance job task is still running.",
        ),
        (
            InstanceNotRunning,
            400,
            "DCS.4049",
            "The instance status is not running.",
        ),
        (
            AccountBusy,
            400,
            "DCS.4026",
            "This operation is not allowed when the DCS instance is in the current state.",
        ),
        (EngineTooOld, 400, "DCS.4008", engine),
        (NotSupported("w"), 400, "DCS.4008", engine),
        (NameInvalid, 400, "DCS.4961", acl),
        (AccountExists, 400, "DCS.4961", acl),
        (NameUnmanaged, 400, "DCS.4961", acl),
        (AccountNotFound, 400, "DCS.4961", acl),
        (DescriptionInvalid, 400, "DCS.4961", acl),
        (PrivilegeInvalid, 400, "DCS.4961", acl),
        (RoutingInvalid, 400, "DCS.4961", acl),
        (ReplicaReadsOff, 400, "DCS.4961", acl),
        (ReplicaReadsUsed, 400, "DCS.4961", acl),
        (PolicyInvalid, 400, "DCS.4961", acl),
        (DefaultProtected, 400, "DCS.4961", acl),
        (AccountLinked, 400, "DCS.4961", acl),
        (PasswordFreeDenied, 400, "DCS.4961", acl),
        (PasswordFreeCustom, 400, "DCS.4961", acl),
        (TokenReused, 400, "DCS.4961", acl),
        (
            PasswordInvalid,
            400,
            "DCS.4019",
            "The password does not meet complexity requirements.",
        ),
        (
            PasswordNeeded,
            400,
            "DCS.4019",
            "The password does not meet complexity requirements.",
        ),
        (
            QuotaExceeded { limit: 18 },
            400,
            "DCS.4039",
            "The quota limit has been reached.",
        ),
        (Internal, 500, "DCS.5000", "Internal service error."),
        (Unavailable, 500, "DCS.5000", "Internal service error."),
    ]
}

fn encoded(shape: &Shape, refusal: &Refusal) -> (u16, Value) {
    let answer = Huawei.encode(shape, request_id(), Err(refusal));
    (answer.status, body(&answer))
}

/// Table 2 to table 6 of the seed page, and the gateway's own form beside it.
#[test]
fn the_table() {
    let shape = shape("DeleteAclAccount", &[]);
    let mut seen = std::collections::BTreeSet::new();
    for (refusal, status, code, text) in rows() {
        let (told, body) = encoded(&shape, &refusal);
        assert_eq!(told, status, "{refusal:?}");
        assert_eq!(Huawei.code(&refusal), code);
        let gateway = code.starts_with("APIGW.");
        let text = if code == "APIGW.0301" {
            format!("{IDENTITY}{text}")
        } else {
            text.to_owned()
        };
        let mut wanted = json!({
            "error_code": code,
            "error_msg": text,
            "error_ext_msg": null,
        });
        if gateway {
            wanted["request_id"] = REQUEST_ID.into();
        }
        assert_eq!(body, wanted, "{refusal:?}");
        seen.insert(status);
    }
    for status in [400, 401, 403, 404, 500] {
        assert!(seen.contains(&status), "{status}");
    }
}

/// The seed page's example: the request, and its answer of 400.
#[test]
fn the_seed_example() {
    let target = format!("/v2/{PROJECT}/instances/{INSTANCE}/accounts/{ACCOUNT}");
    let shape = Huawei.shape(&raw("DELETE", &target, &[], ""));
    assert_eq!(shape.action, "DeleteAclAccount");
    let (status, body) = encoded(&shape, &Refusal::AccountNotFound);
    assert_eq!(status, 400);
    let sample: Value = serde_json::from_str(
        r#"{
  "error_code" : "DCS.4961",
  "error_msg" : "Acl account request param invalid."
}"#,
    )
    .unwrap();
    for (name, value) in sample.as_object().unwrap() {
        assert_eq!(&body[name], value, "{name}");
    }
    // "This parameter is not used currently and is set to null."
    assert_eq!(body.get("error_ext_msg"), Some(&Value::Null));
    assert_eq!(body.as_object().unwrap().len(), 3);
}

/// Terraform ends in a panic without it.
#[test]
fn every_error_has_a_code_that_is_text() {
    let shapes = [
        Shape::default(),
        shape("DeleteAclAccount", &[]),
        shape("KeystoneListProjects", &[]),
        Huawei.shape(&raw("POST", "/v3/auth/tokens", &[], "{}")),
        Huawei.shape(&raw("GET", "/v2/nowhere", &[], "")),
    ];
    for (refusal, status, ..) in rows() {
        for shape in &shapes {
            let (told, body) = encoded(shape, &refusal);
            assert_eq!(told, status);
            assert!(body["error_code"].is_string(), "{refusal:?}");
            assert!(body["error_msg"].is_string() && body.get("error_ext_msg").is_some());
        }
    }
}

/// A wrong old password is a result, not an error.
#[test]
fn results() {
    let shape = shape(
        "UpdateAclAccountPassWord",
        &[("old_password", "a"), ("new_password", "b")],
    );
    let result = |refusal: Refusal| {
        let (status, body) = encoded(&shape, &refusal);
        assert_eq!(status, 200);
        assert_eq!(body["result"], Huawei.code(&refusal));
        assert!(body["message"].is_string() && body.get("error_code").is_none());
        let of = |name: &str| body[name].as_str().unwrap().to_owned();
        (
            of("result"),
            of("lock_time"),
            of("lock_time_left"),
            of("retry_times_left"),
        )
    };
    let wanted = |result: &str, lock: &str, left: &str, tries: &str| {
        (result.into(), lock.into(), left.into(), tries.into())
    };
    assert_eq!(
        result(Refusal::OldPasswordWrong {
            tries_left: Some(4)
        }),
        wanted("passwordFailed", "0", "0", "4")
    );
    assert_eq!(
        result(Refusal::OldPasswordWrong { tries_left: None }),
        wanted("passwordFailed", "0", "0", "0")
    );
    assert_eq!(
        result(Refusal::PasswordLocked { minutes: 3 }),
        wanted("locked", "5", "3", "0")
    );
    assert_eq!(
        result(Refusal::PasswordUnchanged),
        wanted("failed", "0", "0", "5")
    );
}

#[test]
fn the_canonical_request_is_bounded() {
    let shape = shape("DeleteAclAccount", &[]);
    let refusal = Refusal::SignatureMismatch {
        string_to_sign: "é".repeat(40_000),
    };
    let answer = Huawei.encode(&shape, request_id(), Err(&refusal));
    assert!(answer.body.len() < 17 * 1024);
}
