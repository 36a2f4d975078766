//! The signatures of section 1.6 of `docs/wire/huawei.md`: what the vendor's own signers made of
//! fixed input.

use crate::support::{DATE, INSTANCE, KEY, PROJECT, raw, secret};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::Dialect;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::raw::RawRequest;

const HOST: &str = "dcs.cn-north-4.myhuaweicloud.com";
const AGENT: &str = "terraform-provider-iac golangsdk/2.0.0";
const B1: &str = r#"{"account_name": "app-1", "account_role": "read", "account_password": "Passw0rd!1", "description": "demo"}"#;
const B2: &str = "{\"account_name\":\"app-1\",\"account_password\":\"Passw0rd!1\",\
                  \"account_role\":\"read\",\"description\":\"demo\"}\n";

fn path(rest: &str) -> String {
    format!("/v2/{PROJECT}/instances/{INSTANCE}{rest}")
}

/// A request as Python signs it: type, host, project, date, and more if told.
fn python(
    (scheme, holder): (&str, &str),
    (method, target, kind, body): (&str, &str, &str, &str),
    more: &[(&str, &str)],
    signature: &str,
) -> RawRequest {
    let mut headers = vec![
        ("content-type", kind),
        ("host", HOST),
        ("x-project-id", PROJECT),
        ("x-sdk-date", DATE),
    ];
    headers.extend_from_slice(more);
    with_authorization(scheme, holder, &headers, (method, target, body), signature)
}

fn with_authorization(
    scheme: &str,
    holder: &str,
    headers: &[(&str, &str)],
    (method, target, body): (&str, &str, &str),
    signature: &str,
) -> RawRequest {
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let value = format!(
        "{scheme} {holder}, SignedHeaders={}, Signature={signature}",
        names.join(";")
    );
    let mut headers = headers.to_vec();
    headers.push(("authorization", &value));
    raw(method, target, &headers, body)
}

/// A request as golangsdk signs it.
fn golang((scheme, holder): (&str, &str), with_type: bool, signature: &str) -> RawRequest {
    let mut headers = vec![("accept", "application/json")];
    if with_type {
        headers.push(("content-type", "application/json"));
    }
    headers.extend([("user-agent", AGENT), ("x-sdk-date", DATE)]);
    let target = path("/accounts");
    let mut request =
        with_authorization(scheme, holder, &headers, ("POST", &target, B2), signature);
    // Added after signing.
    for (name, value) in [("host", HOST), ("x-project-id", PROJECT)] {
        request
            .headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
    }
    request
}

/// The signature is good, and no longer so with another secret or another body.
fn good(request: &RawRequest) {
    let envelope = Huawei.open(request).unwrap();
    assert_eq!(envelope.key.as_str(), KEY);
    Huawei.verify(request, &envelope, &secret()).unwrap();
    let other = Secret::new("SKexampleSecretKey0000000000000000000002");
    let refused = |result| matches!(result, Err(Refusal::SignatureMismatch { .. }));
    assert!(refused(Huawei.verify(request, &envelope, &other)));
    let mut longer = request.clone();
    longer.body.push(b' ');
    assert!(refused(Huawei.verify(&longer, &envelope, &secret())));
}

const ACCESS: &str = "Access=AKEXAMPLE0000000001";
const CREDENTIAL: &str = "Credential=AKEXAMPLE0000000001/20260115/cn-north-4/dcs";
const JSON_UTF8: &str = "application/json;charset=utf-8";
const JSON: &str = "application/json";

fn v1(scheme: &str, signature: &str) -> RawRequest {
    let target = path("/accounts");
    python(
        (scheme, ACCESS),
        ("POST", &target, JSON_UTF8, B1),
        &[],
        signature,
    )
}

#[test]
fn v1_python() {
    assert_eq!(B1.len(), 106);
    good(&v1(
        "SDK-HMAC-SHA256",
        "43f2e7d2e869b2230828f4141922c97050b63667619a3816f1ce63beda665e95",
    ));
}

#[test]
fn v2_security_token() {
    let target = path("/tasks?limit=10&offset=0&start_time=20260101000000");
    let request = python(
        ("SDK-HMAC-SHA256", ACCESS),
        ("GET", &target, JSON, ""),
        &[("x-security-token", "STSTOKEN+/=")],
        "ae9bcaad8fd53976420244fef224a5319e4c75477d90ce970dfb5e04c20310ab",
    );
    good(&request);
    let token = Huawei.open(&request).unwrap().token.unwrap();
    assert_eq!(token.expose(), "STSTOKEN+/=");
    // The order on the wire is free.
    let mut turned = request;
    turned.query = Some(Secret::new("start_time=20260101000000&offset=%30&limit=10"));
    good(&turned);
}

#[test]
fn v3_encoding() {
    let list = format!("/v2/{PROJECT}/instances");
    for query in [
        "name=dcs%20a%2Fb&limit=10&tags=%7Bk%7D%7Bv%7D&ip=%2A~",
        "ip=*~&limit=10&name=dcs+a/b&tags={k}{v}",
    ] {
        good(&python(
            ("SDK-HMAC-SHA256", ACCESS),
            ("GET", &format!("{list}?{query}"), JSON, ""),
            &[("x-security-token", "STSTOKEN+/=")],
            "65bf55f9f76ac7f4bbfa95f4109e06516ff200277ccec3ca9c543cfbb4a6ed62",
        ));
    }
}

#[test]
fn v4_derived() {
    let target = path("/accounts/acc1");
    good(&python(
        ("V11-HMAC-SHA256", CREDENTIAL),
        ("DELETE", &target, JSON, ""),
        &[],
        "0f4e385ade1055f2c02aaeb13eab4a3307b5cae27cf472146dfcb9ef8ae1c40c",
    ));
}

#[test]
fn v5_golangsdk() {
    good(&golang(
        ("SDK-HMAC-SHA256", ACCESS),
        true,
        "38b84f8c27a66122cf572d697b358fe9bb0c32f7f83c361703a1407d833b1465",
    ));
}

#[test]
fn v6_golangsdk_derived() {
    good(&golang(
        ("V11-HMAC-SHA256", CREDENTIAL),
        true,
        "8e7db2413ccd5dc14e751e9995491c8ee463a6db44cd6194abc02b05d6df3349",
    ));
}

#[test]
fn v7_sm3() {
    good(&v1(
        "SDK-HMAC-SM3",
        "bca37c6f261d8ecbe21299d663d6fb98c145dac4abf05657b2c318d26ce63c76",
    ));
}

#[test]
fn v8_golangsdk_sm3() {
    good(&golang(
        ("SDK-HMAC-SM3", ACCESS),
        false,
        "75e6bcbce15412dc9ca1ad3c6b9bbc749079b4c2a9fb84a195f4c18010574521",
    ));
}

#[test]
fn v9_ecdsa() {
    good(&v1(
        "SDK-ECDSA-P256-SHA256",
        "3045022043ae6eab32d0ae77f82fd1e24548a775957ed40378b39e4e98510d037ac2b181\
         022100b228d9257703062f04ecde5c48908f0e085d36e61fb6eedbc3fe40b3492b22f0",
    ));
}

#[test]
fn v10_sm2() {
    good(&v1(
        "SDK-SM2-SM3",
        "304502201eb5adf84e343172ce208577a4684aa520378055af51567dfa23fae465ec4890\
         0221008baa5a5f9a4092453fda960a79d7a9c86970c8c35e0ba79f7d71834b5ad7d9e0",
    ));
}

/// The canonical request of V1, line by line, as an error shows it.
#[test]
fn the_canonical_request() {
    let request = v1("SDK-HMAC-SHA256", "00");
    let envelope = Huawei.open(&request).unwrap();
    let Err(Refusal::SignatureMismatch { string_to_sign }) =
        Huawei.verify(&request, &envelope, &secret())
    else {
        unreachable!("a signature of one byte is good");
    };
    let lines: Vec<_> = string_to_sign.split('|').collect();
    assert_eq!(
        lines,
        [
            "POST",
            &path("/accounts/"),
            "",
            "content-type:application/json;charset=utf-8",
            "host:dcs.cn-north-4.myhuaweicloud.com",
            &format!("x-project-id:{PROJECT}"),
            "x-sdk-date:20260115T080000Z",
            "",
            "content-type;host;x-project-id;x-sdk-date",
            "b47d7bf5107d4e1b218e3e758fbff508f8ad76c7c335bc0dbeb907db0015fb94",
        ]
    );
}
