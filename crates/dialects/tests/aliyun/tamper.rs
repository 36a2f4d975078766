//! A signed request is taken as it was signed, or not at all; and nothing makes the dialect fall.

use crate::support::{
    INSTANCE, KEY, P1, accept, dumped, form, params, raw, request_id, secret, signed, sorted,
};
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::aliyun::Aliyun;
use claviger_dialects::aliyun::client::{Call, Signer, sign};
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, Envelope};
use proptest::prelude::*;

/// Everything that an accepted request means.
fn meaning((envelope, ask): &(Envelope, Ask)) -> String {
    format!(
        "{} {} {:?} {:?} {:?} {ask:?}",
        envelope.action,
        envelope.key,
        envelope.signed_at,
        envelope.nonce,
        sorted(&envelope.params)
    )
}

fn flipped(text: &[u8], at: usize, bits: u8) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes[at] ^= bits;
    bytes
}

fn flipped_text(text: &str, at: usize, bits: u8) -> Option<String> {
    String::from_utf8(flipped(text.as_bytes(), at, bits)).ok()
}

/// The request with one byte changed: every byte of every part, one after the other.
fn variants(raw: &RawRequest, bits: u8) -> Vec<RawRequest> {
    let mut out = Vec::new();
    for at in 0..raw.method.len() {
        out.extend(
            flipped_text(&raw.method, at, bits).map(|method| RawRequest {
                method,
                ..raw.clone()
            }),
        );
    }
    for at in 0..raw.path.len() {
        out.extend(flipped_text(&raw.path, at, bits).map(|path| RawRequest {
            path,
            ..raw.clone()
        }));
    }
    for at in 0..raw.query_str().len() {
        out.extend(
            flipped_text(raw.query_str(), at, bits).map(|query| RawRequest {
                query: Some(Secret::new(query)),
                ..raw.clone()
            }),
        );
    }
    for at in 0..raw.body.len() {
        out.push(RawRequest {
            body: flipped(&raw.body, at, bits),
            ..raw.clone()
        });
    }
    for (index, (name, value)) in raw.headers.iter().enumerate() {
        for at in 0..name.len() {
            let mut other = raw.clone();
            // A server hands names on in lower case, which undoes some flips.
            let changed = flipped_text(name, at, bits).map(|name| name.to_ascii_lowercase());
            if let Some(changed) = changed.filter(|changed| changed != name) {
                other.headers[index].0 = changed;
                out.push(other);
            }
        }
        for at in 0..value.len() {
            let mut other = raw.clone();
            other.headers[index].1 = flipped(value, at, bits);
            out.push(other);
        }
    }
    out
}

/// Flips every byte; says how many changed requests were refused and how many were accepted
/// because they mean the same.
fn flip_all(raw: &RawRequest) -> (usize, usize) {
    let good = meaning(&accept(raw).unwrap());
    let (mut refused, mut same) = (0, 0);
    for bits in [
        0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x0b, 0x0e, 0xff,
    ] {
        for other in variants(raw, bits) {
            match accept(&other) {
                Err(_) => refused += 1,
                Ok(accepted) => {
                    assert_eq!(meaning(&accepted), good);
                    same += 1;
                }
            }
        }
    }
    (refused, same)
}

const CREATE: &str = "CreateAccount";

#[test]
fn flipped_acs3_form() {
    for signer in [Signer::Acs3Sha256, Signer::Acs3Sm3] {
        let (refused, same) = flip_all(&signed(signer, CREATE, &P1));
        assert!(refused > 7_000, "{refused}");
        // Every header and the body as it came are signed: not even `%2b` for `%2B` passes.
        assert_eq!(same, 0);
    }
}

#[test]
fn flipped_v1_query_and_form() {
    let (refused, same) = flip_all(&signed(Signer::RpcV1, CREATE, &P1));
    assert!(refused > 4_000, "{refused}");
    // Headers are unsigned, and escapes have two spellings.
    assert!(same > 0);
}

#[test]
fn flipped_dumps() {
    for name in ["new-python", "node", "aliyuncli", "pop-core"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/aliyun");
        let text = std::fs::read_to_string(format!("{folder}/{name}.http")).unwrap();
        let (refused, _) = flip_all(&dumped(&text));
        assert!(refused > 1_500, "{name}: {refused}");
    }
}

/// Every byte of the signature counts, and it has one spelling only.
#[test]
fn flipped_signature() {
    for signer in [Signer::Acs3Sha256, Signer::Acs3Sm3, Signer::RpcV1] {
        let good = signed(signer, CREATE, &P1);
        let text = match signer {
            Signer::RpcV1 => good.query_str().to_owned(),
            _ => good.header("authorization").unwrap().to_owned(),
        };
        let start = text.find("Signature=").unwrap() + "Signature=".len();
        let set = |text: String| {
            let mut other = good.clone();
            match signer {
                Signer::RpcV1 => other.query = Some(Secret::new(text)),
                _ => other.headers.last_mut().unwrap().1 = text.into_bytes(),
            }
            other
        };
        for at in start..text.len() {
            for with in ["A", "0", "f", "="] {
                // Escapes are passed over: their digits have two spellings.
                let escaped = text[at.saturating_sub(2)..=at].contains('%');
                if escaped || text[at..].starts_with(with) {
                    continue;
                }
                let mut other = text.clone();
                other.replace_range(at..=at, with);
                assert!(accept(&set(other)).is_err(), "{at} {with}");
            }
        }
        for other in [
            format!("{}{}", &text[..start], text[start..].to_uppercase()),
            text[..text.len() - 1].to_owned(),
            format!("{text}0"),
            text[..start].to_owned(),
        ] {
            if other != text {
                assert!(accept(&set(other)).is_err());
            }
        }
    }
}

/// A parameter that moves between query and body is the same parameter in V1, and another
/// request in ACS3.
#[test]
fn moved_parameters() {
    let list = [("InstanceId", INSTANCE)];
    for (signer, fine) in [(Signer::RpcV1, true), (Signer::Acs3Sha256, false)] {
        let good = signed(signer, "DescribeAccounts", &list);
        let mut moved = good.clone();
        let query = format!("{}&{}", good.query_str(), form(&list));
        moved.query = Some(Secret::new(query));
        moved.body.clear();
        assert!(accept(&good).is_ok());
        assert_eq!(accept(&moved).is_ok(), fine, "{signer:?}");
    }
}

#[test]
fn another_secret() {
    for signer in [Signer::Acs3Sha256, Signer::Acs3Sm3, Signer::RpcV1] {
        let raw = signed(signer, CREATE, &P1);
        let envelope = Aliyun.open(&raw).unwrap();
        for other in [
            "",
            "ExampleAccessKeySecret12345",
            "ExampleAccessKeySecret123456&",
        ] {
            let refusal = Aliyun.verify(&raw, &envelope, &Secret::new(other));
            assert!(matches!(refusal, Err(Refusal::SignatureMismatch { .. })));
        }
    }
}

fn signers() -> impl Strategy<Value = Signer> {
    prop_oneof![
        Just(Signer::Acs3Sha256),
        Just(Signer::Acs3Sm3),
        Just(Signer::RpcV1)
    ]
}

/// Fragments of real requests and anything else.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Action=CreateAccount".to_owned()),
        Just("Version=2015-01-01".to_owned()),
        Just(format!("InstanceId={INSTANCE}")),
        Just("AccountName=demo".to_owned()),
        Just("AccountPassword=abcABC12".to_owned()),
        Just("Signature=x".to_owned()),
        Just(format!("AccessKeyId={KEY}")),
        Just("SignatureMethod=HMAC-SHA1".to_owned()),
        Just("SignatureVersion=1.0".to_owned()),
        Just("SignatureNonce=1".to_owned()),
        Just("Timestamp=2026-01-02T03%3A04%3A05Z".to_owned()),
        Just("PageSize=10".to_owned()),
        Just("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b".to_owned()),
        "[%&=+;,: a-zA-Z0-9_-]{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join("&"))
}

fn header_names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("authorization".to_owned()),
        Just("content-type".to_owned()),
        Just("host".to_owned()),
        Just("accept".to_owned()),
        Just("x-acs-action".to_owned()),
        Just("x-acs-version".to_owned()),
        Just("x-acs-date".to_owned()),
        Just("x-acs-signature-nonce".to_owned()),
        Just("x-acs-content-sha256".to_owned()),
        "[a-z-]{1,10}",
    ]
}

fn header_values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"application/x-www-form-urlencoded".to_vec()),
        Just(b"CreateAccount".to_vec()),
        Just(b"2015-01-01".to_vec()),
        texts().prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is signed by the client is opened, verified and read here as it was meant.
    #[test]
    fn round_trip(
        signer in signers(),
        list in proptest::collection::btree_map("p[ -~]{0,8}|P.{1,4}", any::<String>(), 0..12),
        host in "[a-z0-9.:-]{1,20}",
        nonce in "[0-9a-f]{16,64}",
        at in 0_i64..4_000_000_000,
    ) {
        let mut list: Vec<(&str, &str)> =
            list.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        list.push(("InstanceId", INSTANCE));
        let raw = crate::support::received(&sign(&Call {
            action: "DescribeAccounts",
            params: &params(&list),
            host: &host,
            key: &KeyId::from(KEY),
            secret: &secret(),
            token: None,
            at: claviger_core::clock::Timestamp::from_secs(at),
            nonce: &nonce,
            signer,
        }));
        prop_assert!(Aliyun.claims(&raw));
        let (envelope, _) = accept(&raw).unwrap();
        prop_assert_eq!(envelope.signed_at.unwrap().as_secs(), at);
        prop_assert_eq!(&envelope.nonce.as_ref().unwrap().0, &nonce);
        for (name, value) in list {
            prop_assert_eq!(envelope.params.get(name), Some(value));
        }
    }

    /// Any one byte set to any other value.
    #[test]
    fn any_byte(signer in signers(), place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let good = signed(signer, CREATE, &P1);
        let all = variants(&good, bits);
        if let Ok(accepted) = accept(place.get(&all)) {
            prop_assert_eq!(meaning(&accepted), meaning(&accept(&good).unwrap()));
        }
    }

    #[test]
    fn anything_at_all(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), any::<String>()],
        path in prop_oneof![Just("/".to_owned()), any::<String>()],
        query in texts(),
        headers in proptest::collection::vec((header_names(), header_values()), 0..12),
        body in prop_oneof![texts().prop_map(String::into_bytes), any::<Vec<u8>>()],
    ) {
        let mut request = raw(&method, &query, &[], body);
        request.path = path;
        request.headers = headers;
        let shape = Aliyun.shape(&request);
        Aliyun.claims(&request);
        let refusal = match Aliyun.open(&request) {
            Err(refusal) => refusal,
            Ok(envelope) => {
                prop_assert_eq!(envelope.action, shape.action.as_str());
                let _ = Aliyun.decode(&envelope);
                Aliyun.verify(&request, &envelope, &secret()).unwrap_err()
            }
        };
        let answer = Aliyun.encode(&shape, request_id(), Err(&refusal));
        prop_assert!(std::str::from_utf8(&answer.body).is_ok());
    }
}
