//! The common layer: what is refused before a signature is looked at.

use crate::support::{ACCOUNT, DATE, DATE_S, INSTANCE, KEY, PROJECT, raw};
use claviger_core::refusal::Refusal;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, Proof};

fn list() -> String {
    format!("/v2/{PROJECT}/instances/{INSTANCE}/accounts")
}

const GOOD: &str = "SDK-HMAC-SHA256 Access=AKEXAMPLE0000000001, \
                    SignedHeaders=host;x-sdk-date, Signature=00ff";

fn signed(authorization: &str) -> RawRequest {
    let headers = [
        ("host", "h"),
        ("x-sdk-date", DATE),
        ("authorization", authorization),
    ];
    raw("GET", &list(), &headers, "")
}

fn refusal(request: &RawRequest) -> Refusal {
    Huawei.open(request).unwrap_err()
}

#[test]
fn whole() {
    let envelope = Huawei.open(&signed(GOOD)).unwrap();
    assert_eq!(envelope.action, "ListAclAccounts");
    assert_eq!(envelope.key.as_str(), KEY);
    assert!(matches!(envelope.proof, Proof::Signature));
    assert_eq!(envelope.signed_at.unwrap().as_secs(), DATE_S);
    assert_eq!((envelope.age_s_max, envelope.lead_s_max), (900, 900));
    assert_eq!(envelope.project.as_deref(), Some(PROJECT));
    assert!(envelope.nonce.is_none() && envelope.token.is_none());
    for spelling in [
        GOOD.replace(", ", ","),
        GOOD.replace(", ", ",  "),
        GOOD.replace("SDK-HMAC-SHA256", "SDK-HMAC-SM3"),
        GOOD.replace("SDK-HMAC-SHA256", "SDK-ECDSA-P256-SHA256"),
        GOOD.replace("SDK-HMAC-SHA256", "SDK-SM2-SM3"),
        GOOD.replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256")
            .replace("Access=", "Credential=")
            .replace(KEY, &format!("{KEY}/20260115/cn-north-4/dcs")),
    ] {
        assert!(Huawei.open(&signed(&spelling)).is_ok(), "{spelling}");
    }
}

#[test]
fn tokens() {
    let request = |headers: &[(&str, &str)]| raw("GET", &list(), headers, "");
    let envelope = Huawei
        .open(&request(&[("x-auth-token", "clvt1.x")]))
        .unwrap();
    assert!(matches!(&envelope.proof, Proof::Bearer(token) if token.expose() == "clvt1.x"));
    assert!(envelope.key.as_str().is_empty() && envelope.signed_at.is_none());
    assert_eq!(envelope.project.as_deref(), Some(PROJECT));
    // With both, the signature counts.
    let mut both = signed(GOOD);
    both.headers
        .push(("x-auth-token".into(), b"clvt1.x".to_vec()));
    assert!(matches!(
        Huawei.open(&both).unwrap().proof,
        Proof::Signature
    ));
    for headers in [
        &[][..],
        &[("x-auth-token", "")],
        &[("authorization", ""), ("x-auth-token", " ")],
    ] {
        assert_eq!(refusal(&request(headers)), Refusal::Unsigned);
    }
    let twice = [("x-auth-token", "a"), ("x-auth-token", "b")];
    assert!(matches!(
        refusal(&request(&twice)),
        Refusal::SignatureMalformed(_)
    ));
    let mut with_token = signed(GOOD);
    with_token
        .headers
        .push(("x-security-token".into(), b"t".to_vec()));
    assert!(Huawei.open(&with_token).unwrap().token.is_some());
    with_token.headers.last_mut().unwrap().1.clear();
    assert!(Huawei.open(&with_token).unwrap().token.is_none());
}

#[test]
fn authorization() {
    for bad in [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access",
        "SDK-HMAC-SHA256 Access=a",
        &GOOD.replace("Access=", "Credential="),
        &GOOD.replace(KEY, ""),
        &GOOD.replace(KEY, &"k".repeat(129)),
        &GOOD.replace("00ff", ""),
        &format!("{GOOD}, Signature=00"),
        &format!("{GOOD}, X=00"),
        &format!("{GOOD},"),
        &GOOD.replace("host;x-sdk-date", "x-sdk-date;host"),
        &GOOD.replace("host;x-sdk-date", "host;host;x-sdk-date"),
        &GOOD.replace("host;x-sdk-date", "host"),
        &GOOD.replace("host;x-sdk-date", ""),
        &GOOD.replace("host;x-sdk-date", "accept;host;x-sdk-date"),
        &GOOD.replace("host;x-sdk-date", "Host;x-sdk-date"),
    ] {
        let refusal = refusal(&signed(bad));
        assert!(matches!(refusal, Refusal::SignatureMalformed(_)), "{bad}");
    }
    for other in [
        "TC3-HMAC-SHA256 x",
        "Bearer x",
        "sdk-hmac-sha256 x",
        "SDK-HMAC-SHA512 x",
    ] {
        assert_eq!(
            refusal(&signed(other)),
            Refusal::SignatureMethodUnsupported,
            "{other}"
        );
    }
    let derived = |scope: &str| {
        GOOD.replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256")
            .replace("Access=", "Credential=")
            .replace(KEY, &format!("{KEY}{scope}"))
    };
    for scope in [
        "",
        "/",
        "/20260115",
        "/20260115/cn-north-4",
        "/20260115/cn-north-4/",
        "/20260115/cn-north-4/obs",
        "/20260115//dcs",
        "/20260116/cn-north-4/dcs",
        "/2026011/cn-north-4/dcs",
        "/20260115/cn-north-4/dcs/x",
    ] {
        let refusal = refusal(&signed(&derived(scope)));
        assert!(
            matches!(refusal, Refusal::CredentialMalformed(_)),
            "{scope}"
        );
    }
    let mut twice = signed(GOOD);
    twice.headers.push(("host".into(), b"h".to_vec()));
    assert!(matches!(refusal(&twice), Refusal::SignatureMalformed(_)));
    let mut twice = signed(GOOD);
    let again = twice.headers[2].clone();
    twice.headers.push(again);
    assert!(matches!(refusal(&twice), Refusal::SignatureMalformed(_)));
    let mut time = signed(GOOD);
    time.headers[1].1 = b"2026-01-15T08:00:00Z".to_vec();
    assert_eq!(refusal(&time), Refusal::TimestampMalformed);
}

#[test]
fn paths() {
    let open = |method: &str, path: &str| {
        let mut request = signed(GOOD);
        method.clone_into(&mut request.method);
        path.clone_into(&mut request.path);
        Huawei.open(&request)
    };
    let list = list();
    let account = format!("{list}/{ACCOUNT}");
    for path in [
        format!("{list}/"),
        list.replace("accounts", "%61ccounts"),
        list.replace("-2222-", "%2D2222%2d"),
    ] {
        let envelope = open("GET", &path).unwrap();
        assert_eq!(envelope.action, "ListAclAccounts");
        assert_eq!(envelope.params.get("instance_id"), Some(INSTANCE));
    }
    for path in [
        format!("{list}//"),
        format!("/{list}"),
        list.replace("/instances", "//instances"),
        list.replace("/instances/", "/Instances/"),
        list.replace(PROJECT, ""),
        list.replace("/accounts", "%2Faccounts"),
        list.replace("/accounts", "%2faccounts"),
        list.replace(INSTANCE, "%"),
        list.replace(INSTANCE, "%2"),
        list.replace(INSTANCE, "%zz"),
        list.replace(INSTANCE, "%ff"),
        list.replace(INSTANCE, ".."),
        format!("{account}/x"),
        format!("/v2/{PROJECT}"),
        "/v2/".into(),
        "/v2//".into(),
        "/v3/".into(),
        "/v3/projects/x".into(),
        "/v1/x".into(),
        "*".into(),
        "".into(),
        format!("/v2/{}", "x/".repeat(1000)),
    ] {
        let opened = open("GET", &path).map(|envelope| envelope.action);
        // Two dots are an instance that does not exist; nothing is resolved.
        if path.contains("..") {
            assert_eq!(opened.unwrap(), "ListAclAccounts");
        } else {
            assert_eq!(opened.unwrap_err(), Refusal::PathUnknown, "{path}");
        }
    }
    // A plus sign in a path is one.
    let plus = list.replace(INSTANCE, "a+b%2Bc");
    let envelope = open("GET", &plus).unwrap();
    assert_eq!(envelope.params.get("instance_id"), Some("a+b+c"));
    for (method, path) in [
        ("PATCH", &list),
        ("DELETE", &list),
        ("HEAD", &list),
        ("get", &list),
        ("POST", &account),
        ("GET", &account),
        ("OPTIONS", &account),
    ] {
        let refusal = open(method, path).unwrap_err();
        assert_eq!(refusal, Refusal::MethodUnsupported, "{method} {path}");
    }
}

#[test]
fn queries() {
    let open = |query: &str| {
        let target = format!("/v2/{PROJECT}/instances?{query}");
        let headers = [("host", "h"), ("x-sdk-date", DATE), ("authorization", GOOD)];
        Huawei.open(&raw("GET", &target, &headers, ""))
    };
    let fine = open("x=1&x=2&limit=5&&tags=a&tags=b&offset&project_id=z").unwrap();
    assert_eq!(fine.params.get("limit"), Some("5"));
    assert_eq!(fine.params.get("offset"), Some(""));
    assert_eq!(fine.params.get("x"), None);
    // The query cannot stand in for the path.
    assert_eq!(fine.params.get("project_id"), Some(PROJECT));
    assert_eq!(fine.params.count("project_id"), 1);
    for (query, wanted) in [
        ("limit=1&limit=2", "limit"),
        ("limit=1&l%69mit=1", "limit"),
        ("limit=%", "query"),
        ("x=%zz", "query"),
        ("x=%ff", "query"),
        ("=1", "query"),
        (&"x=1&".repeat(129), "query"),
    ] {
        let refusal = open(query).unwrap_err();
        assert!(
            matches!(refusal, Refusal::ParameterInvalid { name, .. } if name == wanted),
            "{query}"
        );
    }
}
