//! Signatures made by the vendor's own signers for fixed input, and those that its pages print
//! (section 8 of `docs/wire/tencent.md`).

use crate::support::{HOST, INSTANCE, KEY, SECRET, accept, form, raw, secret, with_header};
use claviger_core::clock::Timestamp;
use claviger_core::command::{Ask, Command};
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::raw::{Params, RawRequest};
use claviger_dialects::sign::Hash;
use claviger_dialects::tencent::Tencent;
use claviger_dialects::tencent::client::{Call, Signer, sign};
use claviger_dialects::{Dialect, Envelope};

const BODY: &str = r#"{"InstanceId": "crs-5a4py64p", "AccountName": "app_1", "AccountPassword": "P@ss w0rd+/=&", "Remark": "\u5907\u6ce8", "ReadonlyPolicy": ["master", "replication"], "Privilege": "rw", "NoAuth": false}"#;
const QUERY: &str = "InstanceId=crs-5a4py64p&AccountName=app_1&AccountPassword=P%40ss+w0rd%2B%2F%3D%26&Remark=%E5%A4%87%E6%B3%A8&ReadonlyPolicy.0=master&ReadonlyPolicy.1=replication&Privilege=rw&NoAuth=False";
const FORM: &str = "application/x-www-form-urlencoded";

fn authorization(service: &str, signature: &str) -> String {
    format!(
        "TC3-HMAC-SHA256 Credential={KEY}/2023-11-14/{service}/tc3_request, \
         SignedHeaders=content-type;host, Signature={signature}"
    )
}

fn tc3(
    method: &str,
    query: &str,
    kind: &str,
    host: &str,
    body: impl Into<Vec<u8>>,
    authorization: &str,
) -> RawRequest {
    let headers = [
        ("content-type", kind),
        ("host", host),
        ("x-tc-action", "ModifyInstanceAccount"),
        ("x-tc-version", "2018-04-12"),
        ("x-tc-region", "ap-guangzhou"),
        ("x-tc-timestamp", "1700000000"),
        ("x-tc-language", "en-US"),
        ("authorization", authorization),
    ];
    raw(method, query, &headers, body)
}

/// The vector is accepted, means what V1 means, and is refused with another secret or byte.
fn check(raw: &RawRequest) {
    let (envelope, ask) = accept(raw).unwrap();
    assert_eq!(envelope.action, "ModifyInstanceAccount");
    let Ask::Command {
        command: Command::Modify(change),
        ..
    } = ask
    else {
        panic!("not a change");
    };
    assert_eq!(change.instance.as_str(), INSTANCE);
    assert_eq!(change.description.as_deref(), Some("备注"));
    assert_eq!(
        change.password.unwrap().new.expose(),
        "P@ss w0rd+/=&",
        "the password as it was meant"
    );
    let routing = format!("{:?}", change.routing.unwrap());
    assert!(routing.contains("primary: true, replica: true"));
    for other in ["", "clavigerTESTsecretkey00000EXAMPLF"] {
        let refusal = Tencent.verify(raw, &envelope, &Secret::new(other));
        assert!(matches!(refusal, Err(Refusal::SignatureMismatch { .. })));
    }
}

#[test]
fn v1_tc3_json() {
    assert_eq!(BODY.len(), 197);
    assert_eq!(
        Hash::Sha256.hex(BODY.as_bytes()),
        "4730f58d2514402938531fded0181c5185c19110296f36201482dd38ba3d93c6"
    );
    let signature = "032ce4f90cea1a3683c5f3b25b3120631e73dc81af01dd29654fb11eb0151d82";
    let signed = |s| {
        tc3(
            "POST",
            "",
            "application/json",
            HOST,
            BODY,
            &authorization("redis", s),
        )
    };
    check(&signed(signature));
    let unsigned = "41b6f2a39f57cbb050edfa3ea26e565b6304e5cda08dc9e8982da295c03a8b20";
    assert!(accept(&signed(unsigned)).is_err());
    let with = with_header(
        signed(unsigned),
        "x-tc-content-sha256",
        Some("UNSIGNED-PAYLOAD"),
    );
    check(&with);
}

#[test]
fn v2_tc3_get() {
    let signature = "c422abe965e5806a9464596a583fc09921fed622a1668d51ac0e247b045d26f1";
    check(&tc3(
        "GET",
        QUERY,
        FORM,
        HOST,
        "",
        &authorization("redis", signature),
    ));
}

pub(crate) fn multipart(boundary: &str) -> String {
    let mut body = String::new();
    for (name, kind, value) in [
        ("InstanceId", "", "crs-5a4py64p"),
        ("AccountName", "", "app_1"),
        ("AccountPassword", "", "P@ss w0rd+/=&"),
        ("Remark", "", "备注"),
        (
            "ReadonlyPolicy",
            "Content-Type: application/json\r\n",
            r#"["master", "replication"]"#,
        ),
        ("Privilege", "", "rw"),
    ] {
        body.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n{kind}\r\n{value}\r\n"
        ));
    }
    body + &format!("--{boundary}--\r\n")
}

#[test]
fn v3_tc3_multipart() {
    let boundary = "0123456789abcdef0123456789abcdef";
    let body = multipart(boundary);
    assert_eq!(
        Hash::Sha256.hex(body.as_bytes()),
        "536ee09d9f3abb26532a23bc431f8cf719b61d181dc5f7cc05f20e60ff13a1dd"
    );
    let kind = format!("multipart/form-data; boundary={boundary}");
    let signature = "9aa0e71e3a0cc3ce22cf505de8ae1967144698983e10b7d49beb02a1069a16c6";
    check(&tc3(
        "POST",
        "",
        &kind,
        HOST,
        body,
        &authorization("redis", signature),
    ));
}

fn v1_fields(method: &str, token: bool) -> Vec<(&str, &str)> {
    let mut fields = vec![
        ("AccountName", "app_1"),
        ("AccountPassword", "P@ss w0rd+/=&"),
        ("Action", "ModifyInstanceAccount"),
        ("InstanceId", "crs-5a4py64p"),
        ("Language", "en-US"),
        ("NoAuth", "False"),
        ("Nonce", "11886"),
        ("Privilege", "rw"),
        ("ReadonlyPolicy.0", "master"),
        ("ReadonlyPolicy.1", "replication"),
        ("Region", "ap-guangzhou"),
        ("Remark", "备注"),
        ("RequestClient", "SDK_PYTHON_3.1.189"),
        ("SecretId", KEY),
        ("SignatureMethod", method),
        ("Timestamp", "1700000000"),
    ];
    if token {
        fields.push(("Token", "TOKENEXAMPLE"));
    }
    fields.push(("Version", "2018-04-12"));
    fields
}

fn v1(http: &str, method: &str, signature: &str, token: bool) -> RawRequest {
    let mut fields = v1_fields(method, token);
    fields.push(("Signature", signature));
    // The order of fields in the request does not matter.
    fields.reverse();
    let form = form(&fields);
    let headers = [("host", HOST), ("content-type", FORM)];
    match http {
        "GET" => raw("GET", &form, &headers[..1], ""),
        _ => raw("POST", "", &headers, form),
    }
}

#[test]
fn v4_version_1() {
    for (http, method, signature) in [
        ("GET", "HmacSHA1", "QgyGkn2vLXMRntWVFl4Uab/r4Ak="),
        ("POST", "HmacSHA1", "ywcaALDZ4avnsyxvli+Q6iE4Oac="),
        (
            "GET",
            "HmacSHA256",
            "367ofQHDQ8KQYq0C2E8vZZ3Q5oZFZ0L1PsCbynoehJg=",
        ),
    ] {
        check(&v1(http, method, signature, false));
        let other = if http == "GET" { "POST" } else { "GET" };
        assert!(accept(&v1(other, method, signature, false)).is_err());
    }
}

/// The token is signed, and handed on.
#[test]
fn v4_with_token() {
    let signature = "frBcq5OPVlDiSURxZu6XGMpagAtzIDX2JK/BTXQVS2Q=";
    let raw = v1("POST", "HmacSHA256", signature, true);
    let envelope = Tencent.open(&raw).unwrap();
    assert_eq!(Tencent.verify(&raw, &envelope, &secret()), Ok(()));
    assert!(
        envelope
            .token
            .is_some_and(|token| token.expose() == "TOKENEXAMPLE")
    );
}

fn listed(host: &str, service: &str, signature: &str) -> RawRequest {
    let body = r#"{"InstanceId":"crs-5a4py64p","Limit":20,"Offset":0}"#;
    let raw = tc3(
        "POST",
        "",
        "application/json",
        host,
        body,
        &authorization(service, signature),
    );
    with_header(raw, "x-tc-action", Some("DescribeInstanceAccount"))
}

/// Node signs the host without its port, and takes its beginning for the product.
#[test]
fn v5_node() {
    let local = "43870a113a6124c3b350bd740b86633ee2160f677077f64a4bd2914ec5d7ec83";
    accept(&listed("127.0.0.1:8080", "127", local)).unwrap();
    accept(&listed("127.0.0.1", "127", local)).unwrap();
    assert!(accept(&listed("127.0.0.2:8080", "127", local)).is_err());
    assert!(accept(&listed("127.0.0.1:8080", "redis", local)).is_err());
    let cloud = "d32c3dc7660a0f490188807abdc855eb0a7b6d2972745bcda5572182cca2c3f3";
    accept(&listed(HOST, "redis", cloud)).unwrap();
}

/// Only the digest of the canonical request is printed on the older page; the newer page signs a
/// third header, whose value it lowers. Both requests are of another product, so they are only
/// verified.
#[test]
fn v6_published_tc3() {
    let verify = |raw: &RawRequest, key: &str| {
        let envelope: Envelope = Tencent.open(raw).unwrap();
        Tencent.verify(raw, &envelope, &Secret::new(key))
    };
    let request = |kind: &str, signed: &str, signature: &str, body: &str| {
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/\
             tc3_request, SignedHeaders={signed}, Signature={signature}"
        );
        let headers = [
            ("content-type", kind),
            ("host", "cvm.tencentcloudapi.com"),
            ("x-tc-action", "DescribeInstances"),
            ("x-tc-version", "2017-03-12"),
            ("x-tc-region", "ap-guangzhou"),
            ("x-tc-timestamp", "1551113065"),
            ("authorization", &authorization),
        ];
        raw("POST", "", &headers, body)
    };
    let kind = "application/json; charset=utf-8";
    let body =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
    assert_eq!(
        Hash::Sha256.hex(body.as_bytes()),
        "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
    );
    let old = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168";
    let raw = request(kind, "content-type;host", old, body);
    assert_eq!(verify(&raw, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"), Ok(()));
    let new = "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f";
    let raw = request(kind, "content-type;host;x-tc-action", new, body);
    assert_eq!(verify(&raw, &"*".repeat(32)), Ok(()));
    assert!(verify(&raw, &"*".repeat(31)).is_err());
}

#[test]
fn v6_published_version_1() {
    let fields = [
        ("Action", "DescribeInstances"),
        ("InstanceIds.0", "ins-09dx96dg"),
        ("Limit", "20"),
        ("Nonce", "11886"),
        ("Offset", "0"),
        ("Region", "ap-guangzhou"),
        ("SecretId", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"),
        ("Timestamp", "1465185768"),
        ("Version", "2017-03-12"),
        ("Signature", "EliP9YW3pW28FpsEdkXt/+WcGeI="),
    ];
    let headers = [("host", "cvm.tencentcloudapi.com")];
    let raw = raw("GET", &form(&fields), &headers, "");
    let envelope = Tencent.open(&raw).unwrap();
    let key = Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
    assert_eq!(Tencent.verify(&raw, &envelope, &key), Ok(()));
    assert_eq!(
        Tencent.decode(&envelope).unwrap_err(),
        Refusal::VersionUnknown
    );
}

/// Our own client signs as the vendor's does.
#[test]
fn our_client() {
    let mut params = Params::default();
    for (name, value) in [("InstanceId", INSTANCE), ("Limit", "20"), ("Offset", "0")] {
        params.push(name.to_owned(), Secret::new(value));
    }
    let signed = sign(&Call {
        action: "DescribeInstanceAccount",
        params: &params,
        region: "ap-guangzhou",
        host: HOST,
        key: &KeyId::from(KEY),
        secret: &Secret::new(SECRET),
        token: None,
        at: Timestamp::from_secs(1_700_000_000),
        nonce: "1",
        signer: Signer::Tc3,
    });
    assert_eq!(
        signed.body.expose(),
        r#"{"InstanceId":"crs-5a4py64p","Limit":20,"Offset":0}"#
    );
    let (_, authorization) = signed.headers.last().unwrap();
    assert!(
        authorization.ends_with(
            "Signature=d32c3dc7660a0f490188807abdc855eb0a7b6d2972745bcda5572182cca2c3f3"
        )
    );
}
