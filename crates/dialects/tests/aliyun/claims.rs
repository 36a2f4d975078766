//! Whose request it is.

use crate::support::raw;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, aliyun::Aliyun};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn claims(raw: &RawRequest) -> bool {
    Aliyun.claims(raw)
}

#[test]
fn ours() {
    for (query, headers, body) in [
        ("", &[("x-acs-action", "CreateAccount")][..], ""),
        (
            "",
            &[("authorization", "ACS3-HMAC-SHA256 Credential=a")],
            "",
        ),
        ("", &[("authorization", "ACS3-RSA-SHA256 x")], ""),
        ("Version=2015-01-01", &[], ""),
        ("Action=X&Version=2015%2D01-01", &[], ""),
        ("", &[FORM], "Action=X&Version=2015-01-01"),
        ("Action=X&Signature=s&SignatureMethod=HMAC-SHA1", &[], ""),
        ("Action=X&AccessKeyId=k&SignatureVersion=1.0", &[], ""),
        ("Action=X", &[FORM], "AccessKeyId=k&SignatureVersion=1.0"),
        ("%41ction=X&Version=2015-01-01", &[], ""),
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
        ("Action=X&Version=2018-04-12", &[], ""),
        ("Action=CreateDBAccount&Version=2020-12-07", &[], ""),
        // A JSON body is not looked at.
        (
            "",
            &[("content-type", "application/json")],
            "Version=2015-01-01",
        ),
        // Tencent Cloud.
        (
            "",
            &[
                ("x-tc-action", "CreateInstanceAccount"),
                ("x-acs-action", "X"),
            ],
            "",
        ),
        (
            "Version=2015-01-01",
            &[("authorization", "TC3-HMAC-SHA256 Credential=a")],
            "",
        ),
        (
            "Action=X&SecretId=k&Signature=s&SignatureMethod=HmacSHA1",
            &[],
            "",
        ),
        (
            "Action=X&Signature=s&SignatureMethod=HmacSHA1&Version=2018-04-12",
            &[],
            "",
        ),
        // Volcengine.
        ("Action=X&Version=2020-12-07", &[("x-acs-action", "X")], ""),
        (
            "Version=2015-01-01",
            &[("authorization", "HMAC-SHA256 Credential=a")],
            "",
        ),
        (
            "Action=X&Version=2015-01-01&X-Algorithm=HMAC-SHA256",
            &[],
            "",
        ),
        // Huawei Cloud.
        (
            "Version=2015-01-01",
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
        let mut request = raw("POST", "Version=2015-01-01", &[("x-acs-action", "X")], "");
        path.clone_into(&mut request.path);
        assert!(!claims(&request), "{path}");
    }
}
