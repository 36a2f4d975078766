//! A signed request is taken as it was signed, or not at all; and nothing makes the dialect fall.
//!
//! What TC3 does not sign (action, version, region, token, and any further header) is left out of
//! the flips, as it is left out at the cloud.

use crate::support::{
    INSTANCE, KEY, MODIFY, P1, SIGNERS, accept, dumped, params, raw, request_id, secret, signed,
    signed_body,
};
use crate::vectors::multipart;
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::tencent::Tencent;
use claviger_dialects::tencent::client::{Call, Signer, sign};
use claviger_dialects::{Dialect, Envelope};
use proptest::prelude::*;

/// Everything that an accepted request means, passwords too.
fn meaning((envelope, ask): &(Envelope, Ask)) -> String {
    let secrets: Vec<_> = envelope.params.iter().collect();
    // The spelling of a form may differ where its meaning does not.
    let mut sorted = secrets;
    sorted.sort_unstable();
    format!(
        "{} {} {:?} {sorted:?} {ask:?}",
        envelope.action, envelope.key, envelope.signed_at
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

/// The headers that are signed: of version 1 the host alone.
fn signed_headers(raw: &RawRequest) -> &'static [&'static str] {
    if raw.header("authorization").is_some() {
        &["authorization", "content-type", "host", "x-tc-timestamp"]
    } else {
        &["host"]
    }
}

/// The request with one byte changed: every byte of every signed part, one after the other.
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
        if !signed_headers(raw).contains(&name.as_str()) {
            continue;
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

#[test]
fn flipped_requests() {
    for signer in SIGNERS {
        let (refused, same) = flip_all(&signed(signer, MODIFY, &P1));
        assert!(refused > 3_500, "{signer:?} {refused}");
        // Upper case in a signed header, which the documentation lowers; the second spelling of
        // an escape in a form.
        assert!(same < 100, "{signer:?} {same}");
    }
}

#[test]
fn flipped_multipart() {
    let body = multipart("b0und");
    let raw = signed_body(
        MODIFY,
        "multipart/form-data; boundary=b0und",
        body.as_bytes(),
    );
    let (refused, _) = flip_all(&raw);
    assert!(refused > 8_000, "{refused}");
}

#[test]
fn flipped_dumps() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tencent");
    for name in ["python", "python-get", "node", "node-intl", "tccli"] {
        let text = std::fs::read_to_string(format!("{folder}/{name}.http")).unwrap();
        let (refused, _) = flip_all(&dumped(&text));
        assert!(refused > 1_500, "{name}: {refused}");
    }
}

/// Every byte of the signature counts, and it has one spelling only.
#[test]
fn flipped_signature() {
    let good = signed(Signer::Tc3, MODIFY, &P1);
    let text = good.header("authorization").unwrap().to_owned();
    let start = text.find("Signature=").unwrap() + "Signature=".len();
    let set = |text: String| {
        let mut other = good.clone();
        other.headers.last_mut().unwrap().1 = text.into_bytes();
        other
    };
    for at in start..text.len() {
        for with in ["A", "0", "f", "="] {
            if text[at..].starts_with(with) {
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
        assert!(accept(&set(other)).is_err());
    }
}

/// The body may be left out of a signature only by the word for that, and that word is signed.
#[test]
fn unsigned_payload() {
    let good = signed(Signer::Tc3, MODIFY, &P1);
    let marked = crate::support::with_header(
        good.clone(),
        "x-tc-content-sha256",
        Some("UNSIGNED-PAYLOAD"),
    );
    assert!(matches!(
        accept(&marked).unwrap_err(),
        Refusal::SignatureMismatch { .. }
    ));
    let other = crate::support::with_header(good, "x-tc-content-sha256", Some("whatever"));
    accept(&other).unwrap();
}

#[test]
fn another_secret() {
    for signer in SIGNERS {
        let raw = signed(signer, MODIFY, &P1);
        let envelope = Tencent.open(&raw).unwrap();
        for other in ["", "clavigerTESTsecretkey00000EXAMPL", "TC3"] {
            let refusal = Tencent.verify(&raw, &envelope, &Secret::new(other));
            assert!(matches!(refusal, Err(Refusal::SignatureMismatch { .. })));
        }
    }
}

fn signers() -> impl Strategy<Value = Signer> {
    proptest::sample::select(SIGNERS.to_vec())
}

/// Fragments of real requests and anything else.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Action=CreateInstanceAccount".to_owned()),
        Just("Version=2018-04-12".to_owned()),
        Just(format!("InstanceId={INSTANCE}")),
        Just("AccountName=demo".to_owned()),
        Just("AccountPassword=abcABC12".to_owned()),
        Just("ReadonlyPolicy.0=master".to_owned()),
        Just("Signature=x".to_owned()),
        Just(format!("SecretId={KEY}")),
        Just("SignatureMethod=HmacSHA256".to_owned()),
        Just("Nonce=1".to_owned()),
        Just("Region=ap-guangzhou".to_owned()),
        Just("Timestamp=1700000000".to_owned()),
        Just(r#"{"InstanceId":"a","Limit":20,"ReadonlyPolicy":["master"]}"#.to_owned()),
        Just(
            "TC3-HMAC-SHA256 Credential=a/2023-11-14/redis/tc3_request, \
             SignedHeaders=content-type;host, Signature=b"
                .to_owned()
        ),
        Just("--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\n1\r\n--b--".to_owned()),
        "[%&=+;,: a-zA-Z0-9_.-]{0,20}",
        any::<String>(),
    ];
    let joint = prop_oneof![Just("&"), Just(""), Just("\r\n")];
    (proptest::collection::vec(piece, 0..14), joint).prop_map(|(pieces, joint)| pieces.join(joint))
}

fn header_names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("authorization".to_owned()),
        Just("content-type".to_owned()),
        Just("host".to_owned()),
        Just("x-tc-action".to_owned()),
        Just("x-tc-version".to_owned()),
        Just("x-tc-region".to_owned()),
        Just("x-tc-timestamp".to_owned()),
        Just("x-tc-content-sha256".to_owned()),
        "[a-z-]{1,10}",
    ]
}

fn header_values() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"application/json".to_vec()),
        Just(b"multipart/form-data; boundary=b".to_vec()),
        Just(b"application/x-www-form-urlencoded".to_vec()),
        Just(b"ModifyInstanceAccount".to_vec()),
        Just(b"2018-04-12".to_vec()),
        Just(b"1700000000".to_vec()),
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
        name in "[a-z]{1,8}",
        password in "\\PC{1,30}",
        remark in any::<String>(),
        host in "[a-z0-9.:-]{1,20}",
        nonce in "[0-9]{1,18}",
        at in 0_i64..4_000_000_000,
    ) {
        let list = [
            ("InstanceId", INSTANCE),
            ("AccountName", &name),
            ("AccountPassword", &password),
            ("Remark", &remark),
        ];
        let raw = crate::support::received(&sign(&Call {
            action: MODIFY,
            params: &params(&list),
            region: "ap-guangzhou",
            host: &host,
            key: &KeyId::from(KEY),
            secret: &secret(),
            token: None,
            at: Timestamp::from_secs(at),
            nonce: &nonce,
            signer,
        }));
        prop_assert!(Tencent.claims(&raw));
        let (envelope, ask) = accept(&raw).unwrap();
        prop_assert_eq!(envelope.signed_at.unwrap().as_secs(), at);
        let Ask::Command { command: claviger_core::command::Command::Modify(change), .. } = ask
        else {
            panic!("not a change");
        };
        prop_assert_eq!(change.description, Some(remark));
        let new = change.password.unwrap().new;
        prop_assert_eq!(new.expose(), password);
    }

    /// Any one byte set to any other value.
    #[test]
    fn any_byte(signer in signers(), place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let good = signed(signer, MODIFY, &P1);
        let all = variants(&good, bits);
        if let Ok(accepted) = accept(place.get(&all)) {
            prop_assert_eq!(meaning(&accepted), meaning(&accept(&good).unwrap()));
        }
    }

    #[test]
    fn anything_at_all(
        method in prop_oneof![Just("GET".to_owned()), Just("POST".to_owned()), any::<String>()],
        path in prop_oneof![Just("/".to_owned()), any::<String>()],
        query in prop_oneof![Just(String::new()), texts()],
        headers in proptest::collection::vec((header_names(), header_values()), 0..12),
        body in prop_oneof![texts().prop_map(String::into_bytes), any::<Vec<u8>>()],
    ) {
        let mut request = raw(&method, &query, &[], body);
        request.path = path;
        request.headers = headers;
        let shape = Tencent.shape(&request);
        Tencent.claims(&request);
        let refusal = match Tencent.open(&request) {
            Err(refusal) => refusal,
            Ok(envelope) => {
                let _ = Tencent.decode(&envelope);
                Tencent.verify(&request, &envelope, &secret()).unwrap_err()
            }
        };
        let answer = Tencent.encode(&shape, request_id(), Err(&refusal));
        prop_assert!(std::str::from_utf8(&answer.body).is_ok());
    }
}
