//! The common layer: what is refused before a signature is looked at.

use crate::support::{KEY, NONCE, TIME, form, raw};
use claviger_core::refusal::Refusal;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, aliyun::Aliyun};

fn refusal(raw: &RawRequest) -> Refusal {
    Aliyun.open(raw).unwrap_err()
}

fn missing(name: &'static str) -> Refusal {
    Refusal::ParameterMissing { name }
}

fn is_invalid(refusal: &Refusal, wanted: &str) -> bool {
    matches!(refusal, Refusal::ParameterInvalid { name, .. } if *name == wanted)
}

const COMMON: [(&str, &str); 8] = [
    ("Action", "DescribeAccounts"),
    ("Version", "2015-01-01"),
    ("AccessKeyId", KEY),
    ("SignatureMethod", "HMAC-SHA1"),
    ("SignatureVersion", "1.0"),
    ("SignatureNonce", NONCE),
    ("Timestamp", TIME),
    ("Signature", "x"),
];

/// A V1 request with one parameter changed, or left out.
fn v1(name: &str, value: Option<&str>) -> RawRequest {
    let mut list: Vec<_> = COMMON.into_iter().filter(|(n, _)| *n != name).collect();
    list.extend(value.map(|value| (name, value)));
    raw("GET", &form(&list), &[], "")
}

#[test]
fn v1_whole() {
    let envelope = Aliyun.open(&v1("X", None)).unwrap();
    assert_eq!(envelope.action, "DescribeAccounts");
    assert_eq!((envelope.age_s_max, envelope.lead_s_max), (900, 900));
    assert_eq!(envelope.nonce, Some((NONCE.to_owned(), 1860)));
    assert!(envelope.token.is_none());
    assert!(Aliyun.open(&v1("SignatureType", Some(""))).is_ok());
    let token = |value| {
        Aliyun
            .open(&v1("SecurityToken", Some(value)))
            .unwrap()
            .token
    };
    assert!(token("").is_none());
    assert!(token("t").is_some_and(|token| token.expose() == "t"));
    assert!(
        Aliyun
            .open(&v1("SignatureMethod", Some("HMAC-SHA256")))
            .is_ok()
    );
    assert!(
        Aliyun
            .open(&v1("SignatureNonce", Some(&"n".repeat(128))))
            .is_ok()
    );
}

#[test]
fn v1_missing() {
    for (name, _) in COMMON {
        for value in [None, Some("")] {
            assert_eq!(refusal(&v1(name, value)), missing(name), "{name}");
        }
    }
}

#[test]
fn v1_wrong() {
    for (name, value, wanted) in [
        ("Action", "CreateAccounts", Refusal::ActionUnknown),
        ("Action", "createaccount", Refusal::ActionUnknown),
        ("Version", "2014-05-26", Refusal::VersionUnknown),
        (
            "SignatureMethod",
            "SHA256withRSA",
            Refusal::SignatureMethodUnsupported,
        ),
        (
            "SignatureMethod",
            "hmac-sha1",
            Refusal::SignatureMethodUnsupported,
        ),
        (
            "SignatureType",
            "BEARERTOKEN",
            Refusal::SignatureMethodUnsupported,
        ),
        (
            "SignatureType",
            "PRIVATEKEY",
            Refusal::SignatureMethodUnsupported,
        ),
        (
            "Timestamp",
            "2026-01-02 03:04:05",
            Refusal::TimestampMalformed,
        ),
        ("Timestamp", "1767323045", Refusal::TimestampMalformed),
        ("AccessKeyId", "STS.abc", missing("SecurityToken")),
        ("AccessKeyId", &"k".repeat(129), Refusal::KeyUnknown),
    ] {
        assert_eq!(refusal(&v1(name, Some(value))), wanted, "{name}={value}");
    }
    let long = "n".repeat(129);
    assert!(is_invalid(
        &refusal(&v1("SignatureNonce", Some(&long))),
        "SignatureNonce"
    ));
    assert!(is_invalid(
        &refusal(&v1("SignatureVersion", Some("2.0"))),
        "SignatureVersion"
    ));
}

#[test]
fn methods_and_paths() {
    for method in ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "get", ""] {
        let mut request = v1("X", None);
        method.clone_into(&mut request.method);
        assert_eq!(refusal(&request), Refusal::MethodUnsupported, "{method}");
    }
    for path in ["//", "/x", "*", "/?"] {
        let mut request = v1("X", None);
        path.clone_into(&mut request.path);
        assert_eq!(refusal(&request), Refusal::ActionUnknown, "{path}");
    }
}

#[test]
fn malformed_parameters() {
    let base = form(&COMMON);
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    for query in ["a=%", "a=%4", "a=%gg", "%=1", "a=%ff", "=1"] {
        let request = raw("GET", &format!("{base}&{query}"), &[], "");
        assert!(
            matches!(refusal(&request), Refusal::Malformed(_)),
            "{query}"
        );
        let request = raw("POST", &base, &[form_type], query);
        assert!(
            matches!(refusal(&request), Refusal::Malformed(_)),
            "{query}"
        );
    }
    let request = raw("POST", &base, &[form_type], b"a=\xff".to_vec());
    assert!(matches!(refusal(&request), Refusal::Malformed(_)));
    let many: String = (0..128).map(|n| format!("&p{n}=1")).collect();
    let request = raw("GET", &format!("{base}{many}"), &[], "");
    assert!(matches!(refusal(&request), Refusal::Malformed(_)));
    // A body that is not said to be a form.
    for headers in [&[][..], &[("content-type", "application/json")]] {
        let request = raw("POST", &base, headers, "InstanceId=r-1");
        assert!(matches!(refusal(&request), Refusal::Malformed(_)));
    }
}

#[test]
fn repeated_parameters() {
    let base = form(&COMMON);
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    for (name, value) in COMMON {
        let again = form(&[(name, value)]);
        for request in [
            raw("GET", &format!("{base}&{again}"), &[], ""),
            raw("POST", &base, &[form_type], again.clone()),
        ] {
            assert!(is_invalid(&refusal(&request), name), "{name}");
        }
    }
    let request = raw("GET", &format!("{base}&SourceIp=1&SourceIp=1"), &[], "");
    assert!(matches!(refusal(&request), Refusal::Malformed(_)));
    // The same name in another spelling is the same name.
    let request = raw("GET", &format!("{base}&%41ction=CreateAccount"), &[], "");
    assert!(is_invalid(&refusal(&request), "Action"));
}

#[test]
fn unsigned() {
    let both = [("Action", "DescribeAccounts"), ("Version", "2015-01-01")];
    let request = raw("GET", &form(&both), &[], "");
    assert_eq!(refusal(&request), Refusal::Unsigned);
    let headers = [
        ("x-acs-action", "DescribeAccounts"),
        ("x-acs-version", "2015-01-01"),
    ];
    let request = raw("POST", "InstanceId=r-1&Format=json", &headers, "");
    assert_eq!(refusal(&request), Refusal::Unsigned);
    assert_eq!(refusal(&raw("GET", "", &[], "")), missing("Action"));
    let request = raw("GET", "Action=X&Version=2015-01-01", &[], "");
    assert_eq!(refusal(&request), Refusal::ActionUnknown);
}

/// Headers are not signed in V1, so the action there counts for nothing.
#[test]
fn v1_ignores_the_action_header() {
    let mut request = v1("X", None);
    request
        .headers
        .push(("x-acs-action".into(), b"CreateAccount".to_vec()));
    assert_eq!(Aliyun.open(&request).unwrap().action, "DescribeAccounts");
    assert_eq!(Aliyun.shape(&request).action, "DescribeAccounts");
    let mut request = v1("Action", None);
    request
        .headers
        .push(("x-acs-action".into(), b"CreateAccount".to_vec()));
    assert_eq!(refusal(&request), missing("Action"));
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const NAMES: &str =
    "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";

fn acs3_headers() -> Vec<(&'static str, String)> {
    vec![
        ("host", "h".into()),
        ("x-acs-action", "DescribeAccounts".into()),
        ("x-acs-content-sha256", EMPTY.into()),
        ("x-acs-date", TIME.into()),
        ("x-acs-signature-nonce", NONCE.into()),
        ("x-acs-version", "2015-01-01".into()),
        (
            "authorization",
            format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={NAMES},Signature=00"),
        ),
    ]
}

/// An ACS3 request with one header changed, or left out.
fn acs3(name: &str, value: Option<&str>) -> RawRequest {
    let mut list = acs3_headers();
    list.retain(|(n, _)| *n != name);
    let mut list: Vec<_> = list.iter().map(|(n, v)| (*n, v.as_str())).collect();
    list.extend(value.map(|value| (name, value)));
    raw("POST", "InstanceId=r-1", &list, "")
}

fn authorized(value: &str) -> RawRequest {
    acs3("authorization", Some(value))
}

#[test]
fn acs3_whole() {
    let envelope = Aliyun.open(&acs3("x", None)).unwrap();
    assert_eq!(envelope.action, "DescribeAccounts");
    assert_eq!(envelope.nonce, Some((NONCE.to_owned(), 1860)));
    for value in [
        format!("ACS3-HMAC-SM3 Credential={KEY}, SignedHeaders={NAMES},  Signature=00"),
        format!("ACS3-HMAC-SHA256 Signature=00,Credential={KEY},SignedHeaders={NAMES}"),
    ] {
        assert!(Aliyun.open(&authorized(&value)).is_ok(), "{value}");
    }
    // An ordinary parameter here.
    let mut request = acs3("x", None);
    let query = "InstanceId=r-1&SecurityToken=t&Action=DescribeAccounts";
    request.query = Some(claviger_core::secret::Secret::new(query));
    assert!(Aliyun.open(&request).is_ok());
    request.query = Some(claviger_core::secret::Secret::new("Action=CreateAccount"));
    assert!(is_invalid(&refusal(&request), "Action"));
    // The key again, without a token.
    let signed = NAMES.replace("x-acs-action", "x-acs-accesskey-id;x-acs-action");
    for (key, ok) in [(KEY, true), ("other", false)] {
        let value =
            format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={signed},Signature=00");
        let mut request = authorized(&value);
        request
            .headers
            .push(("x-acs-accesskey-id".into(), key.into()));
        assert_eq!(Aliyun.open(&request).is_ok(), ok);
    }
}

#[test]
fn acs3_wrong() {
    let malformed = |raw: &RawRequest| matches!(refusal(raw), Refusal::SignatureMalformed(_));
    for (name, value, wanted) in [
        ("x-acs-action", None, missing("Action")),
        ("x-acs-action", Some("X"), Refusal::ActionUnknown),
        ("x-acs-version", None, missing("Version")),
        ("x-acs-version", Some("2014-05-26"), Refusal::VersionUnknown),
        ("x-acs-date", Some("yesterday"), Refusal::TimestampMalformed),
        ("x-acs-date", Some(""), missing("Timestamp")),
        (
            "x-acs-signature-nonce",
            Some(" "),
            missing("SignatureNonce"),
        ),
    ] {
        assert_eq!(refusal(&acs3(name, value)), wanted, "{name}");
    }
    for name in [
        "host",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
    ] {
        assert!(malformed(&acs3(name, None)), "{name}");
        let mut twice = acs3("x", None);
        twice.headers.push((name.into(), b"h".to_vec()));
        assert!(malformed(&twice), "{name}");
    }
    let long = "n".repeat(129);
    let request = acs3("x-acs-signature-nonce", Some(&long));
    assert!(is_invalid(&refusal(&request), "SignatureNonce"));
    // Unsigned headers of the vendor's own.
    assert!(malformed(&acs3("x-acs-security-token", Some("t"))));
    let mut twice = acs3("x", None);
    let again = twice.header("authorization").unwrap().as_bytes().to_vec();
    twice.headers.push(("authorization".into(), again));
    assert!(malformed(&twice));
}

#[test]
fn acs3_authorization() {
    for value in [
        "ACS3-HMAC-SHA256".to_owned(),
        "ACS3-HMAC-SHA256 ".into(),
        "ACS3-HMAC-SHA256 Credential".into(),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={NAMES}"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},Signature=00"),
        format!("ACS3-HMAC-SHA256 SignedHeaders={NAMES},Signature=00"),
        format!("ACS3-HMAC-SHA256 Credential=,SignedHeaders={NAMES},Signature=00"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={NAMES},Signature="),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={NAMES},Signature=0,Signature=0"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={NAMES},Signature=0,X=0"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=host,Signature=0"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=z;{NAMES},Signature=0"),
        format!("ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=host;{NAMES},Signature=0"),
        format!("Basic Credential={KEY},SignedHeaders={NAMES},Signature=00"),
        format!("acs {KEY}:c2ln"),
        String::new(),
    ] {
        assert!(
            matches!(refusal(&authorized(&value)), Refusal::SignatureMalformed(_)),
            "{value}"
        );
    }
    for scheme in ["ACS3-RSA-SHA256", "ACS3-HMAC-SHA1"] {
        let value = format!("{scheme} Credential={KEY},SignedHeaders={NAMES},Signature=00");
        assert_eq!(
            refusal(&authorized(&value)),
            Refusal::SignatureMethodUnsupported
        );
    }
    let value = format!("ACS3-HMAC-SHA256 Credential=STS.x,SignedHeaders={NAMES},Signature=0");
    assert_eq!(refusal(&authorized(&value)), missing("SecurityToken"));
    let mut binary = acs3("authorization", None);
    binary
        .headers
        .push(("authorization".into(), b"ACS3-\xff".to_vec()));
    assert!(matches!(refusal(&binary), Refusal::SignatureMalformed(_)));
}
