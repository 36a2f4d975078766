//! The test vectors of `docs/wire/aliyun.md`, made by the vendor's own signers.

use crate::support::{KEY, NONCE, P1, SECRET, TIME, form, raw};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::aliyun::Aliyun;
use claviger_dialects::encoding::{parse_form, parse_form_bytes};
use claviger_dialects::raw::{Params, RawRequest};
use claviger_dialects::sign::Hash;
use claviger_dialects::{Dialect, Envelope, Proof};

const STS_KEY: &str = "STS.NExampleStsId";
const STS_SECRET: &str = "StsExampleSecret";
const STS_TOKEN: &str = "TOKENabc/+=";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The envelope without the checks of `open`, some of which these vectors do not pass: they use
/// temporary keys, or another product's action.
fn envelope(raw: &RawRequest) -> Envelope {
    let mut params = Params::default();
    parse_form(raw.query_str(), &mut params).unwrap();
    parse_form_bytes(&raw.body, &mut params).unwrap();
    Envelope {
        action: "",
        key: KeyId::from(""),
        proof: Proof::Signature,
        signed_at: Some(Timestamp::default()),
        age_s_max: 0,
        lead_s_max: 0,
        project: None,
        nonce: None,
        token: None,
        params,
    }
}

fn verify(raw: &RawRequest, secret: &str) -> Result<(), Refusal> {
    Aliyun.verify(raw, &envelope(raw), &Secret::new(secret))
}

#[test]
fn no_password_in_a_mismatch() {
    for (method, scheme) in [("GET", "v1"), ("POST", "v1"), ("POST", "acs3")] {
        let mut query = P1.to_vec();
        query.push(("Action", "CreateAccount"));
        query.push(("OldAccountPassword", "Old-Pass-1"));
        let raw = if scheme == "v1" {
            v1(method, KEY, &query, "bm90IHRoaXM=", &[])
        } else {
            Acs3 {
                scheme: "ACS3-HMAC-SHA256",
                key: KEY,
                query: &query,
                headers: headers("CreateAccount", EMPTY),
                body: "",
                signature: "x",
            }
            .raw()
        };
        let told = format!("{:?}", verify(&raw, SECRET));
        assert!(told.contains("SignatureMismatch"), "{told}");
        assert!(
            !told.contains("uWonno21") && !told.contains("Old-Pass"),
            "{told}"
        );
    }
}

/// What we say that we sign.
fn string_to_sign(raw: &RawRequest) -> String {
    match verify(raw, "another secret") {
        Err(Refusal::SignatureMismatch { string_to_sign }) => string_to_sign,
        other => format!("{other:?}"),
    }
}

fn v1(
    method: &str,
    key: &str,
    query: &[(&str, &str)],
    signature: &str,
    body: &[(&str, &str)],
) -> RawRequest {
    let mut all = query.to_vec();
    all.extend([
        ("Version", "2015-01-01"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", TIME),
        ("SignatureNonce", NONCE),
        ("AccessKeyId", key),
        ("Signature", signature),
    ]);
    raw(method, &form(&all), &[FORM], form(body))
}

#[test]
fn v1_1_query() {
    let mut query = P1.to_vec();
    query.extend([
        ("Action", "CreateAccount"),
        ("RegionId", "cn-hangzhou"),
        ("Format", "JSON"),
        ("SignatureType", ""),
    ]);
    let raw = v1("POST", KEY, &query, "B4XZSC1OKAWQ7Q3mC+QcTmdSVYQ=", &[]);
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert_eq!(Aliyun.open(&raw).unwrap().action, "CreateAccount");
    assert_eq!(
        string_to_sign(&raw),
        "POST&%2F&AccessKeyId%3DLTAI5tExampleKeyId%26AccountDescription%3D%25E6%25B5%258B%25E8%25AF%2595%2520a~b%252Ac%26AccountName%3Ddemoaccount%26AccountPassword%3D%252A%252A%252A%26AccountPrivilege%3DRoleReadOnly%26Action%3DCreateAccount%26Format%3DJSON%26InstanceId%3Dr-bp1zxszhcgatnx01%26RegionId%3Dcn-hangzhou%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D0123456789abcdef0123456789abcdef%26SignatureType%3D%26SignatureVersion%3D1.0%26Timestamp%3D2026-01-02T03%253A04%253A05Z%26Version%3D2015-01-01"
    );
}

const V1_2: [(&str, &str); 5] = [
    ("Action", "DescribeAccounts"),
    ("InstanceId", "r-bp1zxszhcgatnx01"),
    ("RegionId", "cn-hangzhou"),
    ("Format", "JSON"),
    ("SignatureType", ""),
];

#[test]
fn v1_2_get_with_token() {
    let mut query = V1_2.to_vec();
    query.push(("SecurityToken", STS_TOKEN));
    let signature = "Xz/47HV3OxiU1qvmLWbVi0MOcXw=";
    let raw = v1("GET", STS_KEY, &query, signature, &[]);
    assert_eq!(verify(&raw, STS_SECRET), Ok(()));
    // Right, and refused all the same: no temporary credentials are issued here.
    let token = Aliyun.open(&raw).unwrap().token;
    assert!(token.is_some_and(|token| token.expose() == STS_TOKEN));
}

#[test]
fn v1_3_form() {
    let body = [("AccountName", "demo account")];
    let raw = v1("POST", KEY, &V1_2, "Cr9zo6GcBSMijtilLhkAmS3yjLo=", &body);
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert!(Aliyun.open(&raw).is_ok());
}

#[test]
fn v1_4_new_sdk() {
    let query = [
        ("Action", "DescribeAccounts"),
        ("Format", "json"),
        ("InstanceId", "r-bp1zxszhcgatnx01"),
    ];
    let raw = v1("POST", KEY, &query, "s1Sdl+ZS+8ce51f+VDSsYHzVLD8=", &[]);
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert!(Aliyun.open(&raw).is_ok());
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Acs3<'a> {
    scheme: &'a str,
    key: &'a str,
    query: &'a [(&'a str, &'a str)],
    /// All of them signed.
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
    signature: &'a str,
}

impl Acs3<'_> {
    fn raw(&self) -> RawRequest {
        let mut headers = self.headers.clone();
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let authorization = format!(
            "{} Credential={},SignedHeaders={},Signature={}",
            self.scheme,
            self.key,
            names.join(";"),
            self.signature
        );
        headers.push(("authorization", &authorization));
        raw("POST", &form(self.query), &headers, self.body)
    }
}

fn headers<'a>(action: &'a str, payload: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("accept", "application/json"),
        ("host", "r-kvstore.aliyuncs.com"),
        ("user-agent", "claviger-test/1"),
        ("x-acs-action", action),
        ("x-acs-version", "2015-01-01"),
        ("x-acs-date", TIME),
        ("x-acs-signature-nonce", NONCE),
        ("x-acs-content-sha256", payload),
    ]
}

/// The digest of the canonical request, from what a refusal says.
fn canonical_digest(raw: &RawRequest) -> String {
    string_to_sign(raw).lines().nth(1).unwrap().to_owned()
}

#[test]
fn a3_1_query() {
    let raw = Acs3 {
        scheme: "ACS3-HMAC-SHA256",
        key: KEY,
        query: &P1,
        headers: headers("CreateAccount", EMPTY),
        body: "",
        signature: "21d5ead57b7408382fa0a766b9c8518180f49a0dd15d6f8f6b92894101398935",
    }
    .raw();
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert_eq!(
        canonical_digest(&raw),
        "90da96f2c6cb1bdbf04245b4ee2ce124ff4abc868a3ca11ed2e7f963f1e879b7"
    );
    let text = string_to_sign(&raw);
    assert!(text.contains("\nPOST\n/\nAccountDescription=%E6%B5%8B%E8%AF%95%20a~b%2Ac&"));
    assert_eq!(Aliyun.open(&raw).unwrap().action, "CreateAccount");
}

#[test]
fn a3_2_token() {
    let mut headers = headers("DescribeAccounts", EMPTY);
    headers.push(("x-acs-accesskey-id", STS_KEY));
    headers.push(("x-acs-security-token", STS_TOKEN));
    let raw = Acs3 {
        scheme: "ACS3-HMAC-SHA256",
        key: STS_KEY,
        query: &[("InstanceId", "r-bp1zxszhcgatnx01")],
        headers,
        body: "",
        signature: "709e18a75f97d38faaec4ed2c7ac49c7de5201847ffd2f01cc10c8256c52d554",
    }
    .raw();
    assert_eq!(verify(&raw, STS_SECRET), Ok(()));
    assert_eq!(
        canonical_digest(&raw),
        "b43ac7743bcba931bf76f1571d52b5e016c180dbb462573207c8fc29aad14c81"
    );
    let token = Aliyun.open(&raw).unwrap().token;
    assert!(token.is_some_and(|token| token.expose() == STS_TOKEN));
}

#[test]
fn a3_3_form() {
    let payload = "6098702f1cc76045f7adde4b233b5d16cab980aa56abfbb7f63d2828c23b39ef";
    let mut headers = headers("DescribeAccounts", payload);
    headers.push(FORM);
    let raw = Acs3 {
        scheme: "ACS3-HMAC-SHA256",
        key: KEY,
        query: &[],
        headers,
        body: "AccountName=demoaccount&InstanceId=r-bp1zxszhcgatnx01",
        signature: "0b464f463540135e5db25b48ab3b716132908fe82b3b5c865211716624d7904b",
    }
    .raw();
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert_eq!(
        canonical_digest(&raw),
        "04324342454643b1f99130395c00693831675de29ddf8a6f8f3523da0bfa44f6"
    );
    assert!(Aliyun.open(&raw).is_ok());
}

#[test]
fn a3_4_sm3() {
    let payload = "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b";
    let raw = Acs3 {
        scheme: "ACS3-HMAC-SM3",
        key: KEY,
        query: &[("InstanceId", "r-bp1zxszhcgatnx01")],
        headers: headers("DescribeAccounts", payload),
        body: "",
        signature: "45a4d0a9198a189d5a8067d385c8e674baf641c446695c3f7ce1a9178cd6d6b0",
    }
    .raw();
    assert_eq!(verify(&raw, SECRET), Ok(()));
    assert!(Aliyun.open(&raw).is_ok());
}

#[test]
fn a3_docs() {
    let raw = Acs3 {
        scheme: "ACS3-HMAC-SHA256",
        key: "YourAccessKeyId",
        query: &[
            (
                "ImageId",
                "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
            ),
            ("RegionId", "cn-shanghai"),
        ],
        headers: vec![
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-version", "2014-05-26"),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-content-sha256", EMPTY),
        ],
        body: "",
        signature: "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
    }
    .raw();
    assert_eq!(verify(&raw, "YourAccessKeySecret"), Ok(()));
    assert_eq!(Aliyun.open(&raw).unwrap_err(), Refusal::VersionUnknown);
}

/// A signer that says another digest than the body's, and signs what it says.
#[test]
fn lying_digest() {
    let signed = |payload: &str| {
        let unsigned = |signature: &str| {
            Acs3 {
                scheme: "ACS3-HMAC-SHA256",
                key: KEY,
                query: &P1,
                headers: headers("CreateAccount", payload),
                body: "",
                signature,
            }
            .raw()
        };
        let text = string_to_sign(&unsigned("x"));
        let lines: Vec<&str> = text.lines().take(2).collect();
        let mut mac = Hash::Sha256.hmac(SECRET.as_bytes());
        mac.update(lines.join("\n").as_bytes());
        unsigned(&hex::encode(mac.finish()))
    };
    assert_eq!(verify(&signed(EMPTY), SECRET), Ok(()));
    for payload in ["UNSIGNED-PAYLOAD", &EMPTY.to_uppercase(), &"0".repeat(64)] {
        assert!(verify(&signed(payload), SECRET).is_err(), "{payload}");
    }
}
