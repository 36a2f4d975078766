//! Whose request it is.

use crate::support::raw;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{ALL, Dialect, dialect_of, tencent::Tencent};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn claims(raw: &RawRequest) -> bool {
    let claimed = ALL.iter().filter(|d| d.claims(raw)).count();
    assert!(claimed <= 1);
    let ours = Tencent.claims(raw);
    assert_eq!(dialect_of(raw).map(Dialect::name) == Some("tencent"), ours);
    ours
}

#[test]
fn ours() {
    for (query, headers, body) in [
        ("", &[("x-tc-action", "CreateInstanceAccount")][..], ""),
        ("", &[("x-tc-timestamp", "1")], ""),
        ("", &[("authorization", "TC3-HMAC-SHA256 Credential=a")], ""),
        ("", &[("authorization", "SKIP"), ("x-tc-action", "X")], ""),
        (
            "Action=X&SecretId=k&Signature=s&SignatureMethod=HmacSHA1",
            &[],
            "",
        ),
        ("Action=X&Signature=s&Version=2018-04-12", &[], ""),
        ("Action=X&Signature=s&Version=2018%2D04-12", &[], ""),
        ("", &[FORM], "Action=X&SecretId=k"),
        ("", &[FORM], "Action=X&Version=2018-04-12"),
        // A version of another product is ours to refuse.
        ("Action=X&SecretId=k&Version=2015-01-01", &[], ""),
    ] {
        assert!(
            claims(&raw("POST", query, headers, body)),
            "{query} {headers:?}"
        );
    }
}

#[test]
fn not_ours() {
    for (query, headers, body) in [
        ("", &[][..], ""),
        ("Action=X", &[], ""),
        ("Action=X&Signature=s&Nonce=1&Timestamp=1", &[], ""),
        // A JSON body is not looked at.
        ("", &[("content-type", "application/json")], "SecretId=k"),
        // Alibaba Cloud.
        ("", &[("x-acs-action", "CreateAccount")], ""),
        (
            "",
            &[("authorization", "ACS3-HMAC-SHA256 Credential=a")],
            "",
        ),
        ("Version=2015-01-01&AccessKeyId=k", &[], ""),
        ("AccessKeyId=k&SecretId=k", &[], ""),
        // Volcengine.
        ("Action=X&Version=2020-12-07", &[], ""),
        ("SecretId=k&Version=2020-12-07", &[], ""),
        ("SecretId=k&X-Algorithm=HMAC-SHA256", &[], ""),
        (
            "SecretId=k",
            &[("authorization", "HMAC-SHA256 Credential=a")],
            "",
        ),
        // Huawei Cloud.
        (
            "SecretId=k",
            &[("authorization", "SDK-HMAC-SHA256 Access=a")],
            "",
        ),
    ] {
        assert!(
            !claims(&raw("POST", query, headers, body)),
            "{query} {headers:?}"
        );
    }
    for path in ["/v2/p/instances", "/v3/p/instances"] {
        let mut request = raw("POST", "SecretId=k", &[("x-tc-action", "X")], "");
        path.clone_into(&mut request.path);
        assert!(!claims(&request), "{path}");
    }
}
