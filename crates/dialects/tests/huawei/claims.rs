//! Whose a request is.

use crate::support::{ACCOUNT, INSTANCE, PROJECT, raw};
use claviger_dialects::{Dialect, dialect_of};

fn claimed(method: &str, target: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
    let request = raw(method, target, headers, "");
    let all = claviger_dialects::ALL.iter();
    assert!(all.filter(|dialect| dialect.claims(&request)).count() <= 1);
    dialect_of(&request).map(Dialect::name)
}

#[test]
fn paths_and_schemes() {
    let delete = format!("/v2/{PROJECT}/instances/{INSTANCE}/accounts/{ACCOUNT}");
    for target in [
        delete.as_str(),
        "/v2/x",
        "/v3/projects?name=x",
        "/v3/auth/tokens",
        "/v2/?Action=DescribeAccounts&Version=2015-01-01",
    ] {
        assert_eq!(claimed("GET", target, &[]), Some("huawei"), "{target}");
    }
    for scheme in [
        "SDK-HMAC-SHA256",
        "V11-HMAC-SHA256",
        "SDK-HMAC-SM3",
        "SDK-ECDSA-P256-SHA256",
        "SDK-SM2-SM3",
    ] {
        let header = format!("{scheme} Access=a, SignedHeaders=b, Signature=c");
        let headers = [("authorization", header.as_str())];
        assert_eq!(claimed("GET", "/v1.0/x", &headers), Some("huawei"));
        assert_eq!(claimed("GET", "/v2", &headers), Some("huawei"));
        assert_eq!(claimed("GET", "/", &headers), None);
    }
}

#[test]
fn others() {
    let ours = (
        "authorization",
        "SDK-SM2-SM3 Access=a, SignedHeaders=b, Signature=c",
    );
    for (target, headers) in [
        ("/", &[][..]),
        ("/v2", &[]),
        ("/v20/x", &[]),
        ("/v1/x", &[]),
        ("/claviger/v1/info", &[]),
    ] {
        assert_eq!(claimed("GET", target, headers), None, "{target}");
    }
    let volcengine = [("authorization", "HMAC-SHA256 Credential=a")];
    assert_ne!(claimed("GET", "/x", &volcengine), Some("huawei"));
    let version = "/x?Version=2015-01-01&Action=DescribeAccounts";
    assert_eq!(claimed("GET", version, &[ours]), Some("aliyun"));
    let acs = [ours, ("x-acs-action", "DescribeAccounts")];
    assert_eq!(claimed("GET", "/x", &acs), Some("aliyun"));
    let tc = [ours, ("x-tc-action", "DescribeInstanceAccount")];
    assert_ne!(claimed("GET", "/x", &tc), Some("huawei"));
    let form = [ours, ("content-type", "application/x-www-form-urlencoded")];
    assert_ne!(claimed("POST", "/x", &form), Some("huawei"));
}
