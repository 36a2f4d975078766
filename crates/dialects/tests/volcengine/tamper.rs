//! A signed request is taken as it was signed, or not at all; and nothing makes the dialect fall.

use crate::support::{
    DUMPS, INSTANCE, KEY, P1, REGION, accept, golden, params, raw, received, request_id, secret,
    signed,
};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::volcengine::client::{Call, sign};
use claviger_dialects::{Dialect, Envelope};
use proptest::prelude::*;

/// Everything that an accepted request means.
fn meaning((envelope, ask): &(Envelope, Ask)) -> String {
    let mut params: Vec<_> = envelope.params.iter().collect();
    params.sort_unstable();
    let (action, key) = (envelope.action, &envelope.key);
    let good = (envelope.signed_at, envelope.age_s_max, &envelope.token);
    format!("{action} {key} {good:?} {params:?} {ask:?}")
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
    let texts = [&raw.method, &raw.path, &raw.query_str().to_owned()].map(String::clone);
    for (part, text) in texts.iter().enumerate() {
        for at in 0..text.len() {
            let mut other = raw.clone();
            match (part, flipped_text(text, at, bits)) {
                (_, None) => continue,
                (0, Some(method)) => other.method = method,
                (1, Some(path)) => other.path = path,
                (_, Some(query)) => other.query = Some(Secret::new(query)),
            }
            out.push(other);
        }
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

const CREATE: &str = "CreateDBAccount";

#[test]
fn flipped_own() {
    let (refused, same) = flip_all(&signed(CREATE, &P1));
    assert!(refused > 5_000, "{refused}");
    // `accept` alone is not signed.
    let accept_bytes = 11 * ("accept".len() + "application/json".len());
    assert!(same <= accept_bytes, "{same}");
}

#[test]
fn flipped_dumps() {
    for name in DUMPS {
        let (refused, _) = flip_all(&golden(name));
        assert!(refused > 2_000, "{name}: {refused}");
    }
}

/// Every byte of the signature counts, and it has one spelling only.
#[test]
fn flipped_signature() {
    let good = golden("node-openapi");
    let text = good.header("authorization").unwrap().to_owned();
    let start = text.find("Signature=").unwrap() + "Signature=".len();
    let set = |text: String| {
        let mut other = good.clone();
        for (name, value) in &mut other.headers {
            if name == "authorization" {
                *value = text.clone().into_bytes();
            }
        }
        other
    };
    assert!(accept(&set(text.clone())).is_ok());
    for other in [
        format!("{}{}", &text[..start], text[start..].to_uppercase()),
        text[..text.len() - 1].to_owned(),
        format!("{text}0"),
        text[..start].to_owned(),
    ] {
        assert!(accept(&set(other)).is_err());
    }
}

/// A default port may be there or not; another may not.
#[test]
fn ports_of_the_host() {
    let of = |host: &str, sent: &str| {
        let mut request = received(&sign(&Call {
            action: "ListDBAccount",
            params: &params(&[("InstanceId", INSTANCE)]),
            host,
            region: REGION,
            key: &KeyId::from(KEY),
            secret: &secret(),
            token: None,
            at: Timestamp::from_secs(1_767_323_045),
        }));
        for (name, value) in &mut request.headers {
            if name == "host" {
                *value = sent.as_bytes().to_vec();
            }
        }
        accept(&request).is_ok()
    };
    assert!(of("h:80", "h:80") && of("h", "h:80") && of("h", "h:443") && of("h:8080", "h:8080"));
    assert!(!of("h", "h:8080") && !of("h:80", "h") && !of("h", "h:8443") && !of("h", "g:80"));
}

/// Fragments of real requests and anything else.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Action=CreateDBAccount".to_owned()),
        Just("Action=ListDBAccount".to_owned()),
        Just("Version=2020-12-07".to_owned()),
        Just(format!("InstanceId={INSTANCE}")),
        Just("AccountName=demo".to_owned()),
        Just("Password=abcABC12".to_owned()),
        Just("X-Algorithm=HMAC-SHA256".to_owned()),
        Just(format!("X-Credential={KEY}/20260102/r/redis/request")),
        Just("X-Date=20260102T030405Z".to_owned()),
        Just("X-SignedHeaders=host".to_owned()),
        Just("X-SignedQueries=Action;Version".to_owned()),
        Just("X-Signature=x".to_owned()),
        Just("X-Expires=60".to_owned()),
        "[%&=+;,: a-zA-Z0-9_-]{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.join("&"))
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(r#"{"InstanceId":"i","#.to_owned()),
        Just(r#""AccountName":"demo","#.to_owned()),
        Just(r#""PageSize":10,"#.to_owned()),
        Just(r#""PageSize":1e999,"#.to_owned()),
        Just(r#""TagFilters":[{"#.to_owned()),
        Just("[[[[[[[[".to_owned()),
        Just("}".to_owned()),
        Just(r#""\ud83d"#.to_owned()),
        r#"[{}\[\],:"0-9.eE+-]{0,12}"#,
    ];
    prop_oneof![
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes()),
        texts().prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ]
}

fn headers() -> impl Strategy<Value = (String, Vec<u8>)> {
    let scope = format!("{KEY}/20260102/cn-beijing/redis/request");
    let good = format!("HMAC-SHA256 Credential={scope}, SignedHeaders=x-date, Signature=ab");
    let names = prop_oneof![
        Just("authorization".to_owned()),
        Just("content-type".to_owned()),
        Just("host".to_owned()),
        Just("x-date".to_owned()),
        Just("x-content-sha256".to_owned()),
        Just("x-security-token".to_owned()),
        "[a-z-]{1,10}",
    ];
    let values = prop_oneof![
        Just(b"application/x-www-form-urlencoded".to_vec()),
        Just(b"application/json".to_vec()),
        Just(b"20260102T030405Z".to_vec()),
        Just(good.into_bytes()),
        "HMAC-SHA256 [A-Za-z=/,; -]{0,40}".prop_map(String::into_bytes),
        any::<Vec<u8>>(),
    ];
    (names, values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is signed by the client is opened, verified and read here as it was meant.
    #[test]
    fn round_trip(
        name in any::<String>(),
        description in any::<String>(),
        host in "[a-z0-9.-]{1,20}(:[0-9]{1,5})?",
        region in "[a-z0-9-]{1,20}",
        at in 0_i64..4_000_000_000,
    ) {
        let list = [
            ("InstanceId", INSTANCE),
            ("AccountName", "test1"),
            ("Anything", name.as_str()),
            ("PageSize", "7"),
            ("Description", description.as_str()),
        ];
        let raw = received(&sign(&Call {
            action: "ModifyDBAccount",
            params: &params(&list),
            host: &host,
            region: &region,
            key: &KeyId::from(KEY),
            secret: &secret(),
            token: None,
            at: Timestamp::from_secs(at),
        }));
        prop_assert!(Volcengine.claims(&raw));
        prop_assert_eq!(Volcengine.shape(&raw).region, region);
        let envelope = Volcengine.open(&raw).unwrap();
        prop_assert_eq!(envelope.signed_at.unwrap().as_secs(), at);
        prop_assert!(Volcengine.verify(&raw, &envelope, &secret()).is_ok());
        match Volcengine.decode(&envelope) {
            Ok(Ask::Command { command: claviger_core::command::Command::Modify(change), .. }) => {
                let sent = Some(description).filter(|text| !text.is_empty());
                prop_assert_eq!(change.description, sent);
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(_) => prop_assert!(description.chars().count() > 256),
        }
    }

    /// Any one byte set to any other value.
    #[test]
    fn any_byte(place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let good = golden("python");
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
        headers in proptest::collection::vec(headers(), 0..8),
        body in bodies(),
    ) {
        let mut request = raw(&method, &query, &[], body);
        request.path = path;
        request.headers = headers;
        let claimed = claviger_dialects::ALL.iter().filter(|d| d.claims(&request)).count();
        prop_assert!(claimed <= 1);
        let shape = Volcengine.shape(&request);
        let refusal = match Volcengine.open(&request) {
            Err(refusal) => refusal,
            Ok(envelope) => {
                prop_assert_eq!(envelope.action, shape.action.as_str());
                let _ = Volcengine.decode(&envelope);
                Volcengine.verify(&request, &envelope, &secret()).unwrap_err()
            }
        };
        let answer = Volcengine.encode(&shape, request_id(), Err(&refusal));
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok());
    }

    /// Any body in a request that is otherwise good.
    #[test]
    fn any_body(body in bodies()) {
        let mut request = signed("DescribeDBInstances", &[]);
        request.body = body;
        if let Ok(envelope) = Volcengine.open(&request) {
            let _ = Volcengine.decode(&envelope);
        }
    }
}
