//! A signed request is taken as it was signed, or not at all; and nothing makes the dialect fall.

use crate::support::{
    ACCOUNT, INSTANCE, KEY, PROJECT, accept, dumped, params, raw, received, request_id, secret,
    signed,
};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::huawei::Huawei;
use claviger_dialects::huawei::client::{Call, Signer, sign};
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, Envelope};
use proptest::prelude::*;

/// Everything that an accepted request means.
fn meaning((envelope, ask): &(Envelope, Ask)) -> String {
    let mut params: Vec<_> = envelope.params.iter().collect();
    params.sort_unstable();
    format!(
        "{} {} {:?} {:?} {params:?} {ask:?}",
        envelope.action, envelope.key, envelope.signed_at, envelope.project,
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
        let changed = flipped_text(&raw.method, at, bits);
        out.extend(changed.map(|method| RawRequest {
            method,
            ..raw.clone()
        }));
    }
    for at in 0..raw.path.len() {
        let changed = flipped_text(&raw.path, at, bits);
        out.extend(changed.map(|path| RawRequest {
            path,
            ..raw.clone()
        }));
    }
    for at in 0..raw.query_str().len() {
        let changed = flipped_text(raw.query_str(), at, bits);
        out.extend(changed.map(|query| RawRequest {
            query: Some(Secret::new(query)),
            ..raw.clone()
        }));
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
fn flip_all(raw: &RawRequest, flips: &[u8]) -> (usize, usize) {
    let good = meaning(&accept(raw).unwrap());
    let (mut refused, mut same) = (0, 0);
    for bits in flips {
        for other in variants(raw, *bits) {
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

const FLIPS: [u8; 11] = [
    0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x0b, 0x0e, 0xff,
];

const CREATE: &str = "CreateAclAccount";
const WHOLE: [(&str, &str); 4] = [
    ("account_name", "app-1"),
    ("account_role", "read"),
    ("account_password", "Passw0rd!<>é"),
    ("description", "デモ"),
];

#[test]
fn flipped_requests() {
    for signer in Signer::ALL {
        // Curves are slow.
        let flips = match signer {
            Signer::EcdsaP256 | Signer::Sm2 => &FLIPS[..2],
            _ => &FLIPS[..],
        };
        let (refused, same) = flip_all(&signed(signer, CREATE, &WHOLE), flips);
        assert!(refused > 400 * flips.len(), "{signer:?}: {refused}");
        // Everything that there is was signed.
        assert_eq!(same, 0, "{signer:?}");
    }
}

#[test]
fn flipped_dumps() {
    for (name, unsigned) in [
        ("python-create", true),
        ("python-list-instances", true),
        ("python-delete", true),
        ("python-projects", true),
        ("node-list-instances", true),
        ("node-remark", true),
        ("terraform", true),
    ] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/huawei");
        let text = std::fs::read_to_string(format!("{folder}/{name}.http")).unwrap();
        let (refused, same) = flip_all(&dumped(&text), &FLIPS);
        assert!(refused > 2_500, "{name}: {refused}");
        // Headers of the connection, which no client signs.
        assert_eq!(same > 0, unsigned, "{name}");
    }
}

/// Every digit of the signature counts, and it has one spelling only.
#[test]
fn flipped_signature() {
    for signer in Signer::ALL {
        let good = signed(signer, CREATE, &WHOLE);
        let text = good.header("authorization").unwrap().to_owned();
        let start = text.find("Signature=").unwrap() + "Signature=".len();
        let set = |text: String| {
            let mut other = good.clone();
            other.headers.last_mut().unwrap().1 = text.into_bytes();
            other
        };
        for at in start..text.len() {
            for with in ["A", "0", "f", "g", "="] {
                if text[at..].starts_with(with) {
                    continue;
                }
                let mut other = text.clone();
                other.replace_range(at..=at, with);
                assert!(accept(&set(other)).is_err(), "{signer:?} {at} {with}");
            }
        }
        for other in [
            format!("{}{}", &text[..start], text[start..].to_uppercase()),
            text[..text.len() - 1].to_owned(),
            text[..text.len() - 2].to_owned(),
            format!("{text}0"),
            format!("{text}00"),
            format!("{}00{}", &text[..start], &text[start..]),
            text[..start].to_owned(),
        ] {
            assert!(accept(&set(other)).is_err());
        }
    }
}

/// A signature of one scheme is none of another.
#[test]
fn schemes_are_not_exchanged() {
    let names = [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SM3",
        "SDK-ECDSA-P256-SHA256",
        "SDK-SM2-SM3",
    ];
    for signer in Signer::ALL {
        let good = signed(signer, CREATE, &WHOLE);
        let text = good.header("authorization").unwrap().to_owned();
        let own = text.split(' ').next().unwrap();
        for other in names.iter().filter(|name| **name != own) {
            let mut changed = good.clone();
            let value = text.replacen(own, other, 1);
            changed.headers.last_mut().unwrap().1 = value.into_bytes();
            assert!(accept(&changed).is_err(), "{own} as {other}");
        }
    }
}

/// What a client says of its body is never believed.
#[test]
fn claimed_digests() {
    for (signer, name) in [
        (Signer::HmacSha256, "x-sdk-content-sha256"),
        (Signer::HmacSm3, "x-sdk-content-sm3"),
    ] {
        let good = signed(signer, CREATE, &WHOLE);
        let digest = match signer {
            Signer::HmacSm3 => claviger_dialects::sign::Hash::Sm3,
            _ => claviger_dialects::sign::Hash::Sha256,
        };
        let truth = digest.hex(&good.body);
        for (claim, fine) in [
            (truth.as_str(), true),
            ("UNSIGNED-PAYLOAD", false),
            (&"0".repeat(64), false),
            (&truth.to_uppercase(), false),
        ] {
            let mut claimed = good.clone();
            claimed
                .headers
                .push((name.to_owned(), claim.as_bytes().to_vec()));
            assert_eq!(accept(&claimed).is_ok(), fine, "{claim}");
        }
    }
}

/// What clients leave unsigned means nothing: another project or host changes nothing.
#[test]
fn unsigned_headers_mean_nothing() {
    let good = signed(Signer::HmacSha256, "DeleteAclAccount", &[]);
    let meant = meaning(&accept(&good).unwrap());
    for (name, value) in [
        ("x-project-id", "ffffffffffffffffffffffffffffffff"),
        ("x-domain-id", "x"),
        ("x-language", "en-us"),
        ("x-auth-token", "clvt1.x"),
        ("x-http-method-override", "GET"),
        ("x-original-url", "/v2/x"),
    ] {
        let mut more = good.clone();
        more.headers
            .push((name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(meaning(&accept(&more).unwrap()), meant, "{name}");
    }
}

/// Two spellings of one path are signed alike, so they must mean the same.
#[test]
fn spellings_of_a_path() {
    let good = signed(Signer::HmacSha256, "DeleteAclAccount", &[]);
    let meant = meaning(&accept(&good).unwrap());
    for path in [
        format!("{}/", good.path),
        good.path.replace("accounts", "acc%6Funts"),
        good.path.replace('-', "%2d"),
    ] {
        let other = RawRequest {
            path,
            ..good.clone()
        };
        assert_eq!(meaning(&accept(&other).unwrap()), meant);
    }
    for path in [
        good.path.replace("/accounts/", "%2Faccounts/"),
        good.path.replace("/accounts/", "/accounts%2F"),
        format!("{}//", good.path),
        format!("{}%2F", good.path),
    ] {
        let other = RawRequest {
            path,
            ..good.clone()
        };
        assert!(accept(&other).is_err());
    }
}

#[test]
fn another_secret_and_tokens_are_masked() {
    for signer in Signer::ALL {
        let mut request = signed(signer, CREATE, &WHOLE);
        request
            .headers
            .push(("x-security-token".into(), b"TOPSECRET".to_vec()));
        let value = request.headers[3].1.clone();
        let value = String::from_utf8(value).unwrap();
        let value = value.replace("x-sdk-date,", "x-sdk-date;x-security-token,");
        request.headers[3].1 = value.into_bytes();
        let envelope = Huawei.open(&request).unwrap();
        for other in ["", "SKexampleSecretKey000000000000000000000"] {
            let Err(Refusal::SignatureMismatch { string_to_sign }) =
                Huawei.verify(&request, &envelope, &Secret::new(other))
            else {
                unreachable!("{signer:?}");
            };
            assert!(string_to_sign.contains("x-security-token:***|"));
            assert!(!string_to_sign.contains("TOPSECRET"));
            assert!(!string_to_sign.contains("Passw0rd"));
        }
    }
}

fn signers() -> impl Strategy<Value = Signer> {
    prop_oneof![
        Just(Signer::HmacSha256),
        Just(Signer::Derived),
        Just(Signer::HmacSm3)
    ]
}

fn targets() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/v2".to_owned()),
        Just("/v3/auth/tokens".to_owned()),
        Just("/v3/projects".to_owned()),
        Just(format!("/{PROJECT}/instances")),
        Just(format!("/{INSTANCE}")),
        Just("/accounts".to_owned()),
        Just(format!("/{ACCOUNT}")),
        Just("/tasks".to_owned()),
        Just("/password/reset".to_owned()),
        Just("/role".to_owned()),
        "[/%.a-f0-9+]{0,8}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 1..7).prop_map(|pieces| pieces.concat())
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(r#"{"account_name":"a","account_role":"read","account_password":"p"}"#.to_owned()),
        Just(
            r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"#.to_owned()
        ),
        Just("limit=5".to_owned()),
        Just("offset=1".to_owned()),
        Just("SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=b".to_owned()),
        Just(format!(
            "V11-HMAC-SHA256 Credential={KEY}/20260115/r/dcs, SignedHeaders=x-sdk-date"
        )),
        Just("20260115T080000Z".to_owned()),
        "[%&=+;,:{}\"\\[\\] a-zA-Z0-9_-]{0,20}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.join("&"))
}

fn header_names() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("authorization".to_owned()),
        Just("content-type".to_owned()),
        Just("host".to_owned()),
        Just("x-sdk-date".to_owned()),
        Just("x-auth-token".to_owned()),
        Just("x-security-token".to_owned()),
        Just("x-sdk-content-sha256".to_owned()),
        "[a-z-]{1,10}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// What is signed by the client is opened, verified and read here as it was meant.
    #[test]
    fn round_trip(
        signer in signers(),
        name in any::<String>(),
        role in any::<String>(),
        password in any::<String>(),
        instance in "[A-Za-z0-9._-]{1,40}",
        host in "[a-z0-9.:-]{1,20}",
        at in 0_i64..4_000_000_000,
    ) {
        let list = [
            ("project_id", PROJECT),
            ("instance_id", &instance),
            ("account_name", &name),
            ("account_role", &role),
            ("account_password", &password),
        ];
        let request = received(&sign(&Call {
            action: CREATE,
            params: &params(&list),
            host: &host,
            key: &KeyId::from(KEY),
            secret: &secret(),
            token: None,
            at: Timestamp::from_secs(at),
            signer,
        }).unwrap());
        prop_assert!(Huawei.claims(&request));
        let (envelope, ask) = accept(&request).unwrap();
        prop_assert_eq!(envelope.signed_at.unwrap().as_secs(), at);
        let Ask::Command { command: claviger_core::command::Command::Create(create), .. } = ask
        else {
            return Err(TestCaseError::fail("no creation"));
        };
        prop_assert_eq!(create.instance.as_str(), instance);
        prop_assert_eq!(create.name, name);
        prop_assert_eq!(create.password.expose(), password);
    }

    /// Any one byte set to any other value.
    #[test]
    fn any_byte(signer in signers(), place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let good = signed(signer, CREATE, &WHOLE);
        let all = variants(&good, bits);
        prop_assert!(accept(place.get(&all)).is_err());
    }

    #[test]
    fn anything_at_all(
        method in prop_oneof![
            Just("GET".to_owned()), Just("POST".to_owned()), Just("PUT".to_owned()),
            Just("DELETE".to_owned()), any::<String>()
        ],
        path in targets(),
        query in texts(),
        headers in proptest::collection::vec(
            (header_names(), prop_oneof![texts().prop_map(String::into_bytes), any::<Vec<u8>>()]),
            0..8,
        ),
        body in prop_oneof![texts().prop_map(String::into_bytes), any::<Vec<u8>>()],
    ) {
        let mut request = raw(&method, "/", &[], body);
        request.path = path;
        request.query = Some(Secret::new(query));
        request.headers = headers;
        let shape = Huawei.shape(&request);
        Huawei.claims(&request);
        let refusal = match Huawei.open(&request) {
            Err(refusal) => refusal,
            Ok(envelope) => {
                prop_assert_eq!(envelope.action, shape.action.as_str());
                let _ = Huawei.decode(&envelope);
                match Huawei.verify(&request, &envelope, &secret()) {
                    Err(refusal) => refusal,
                    Ok(()) => return Err(TestCaseError::fail("it verifies")),
                }
            }
        };
        let answer = Huawei.encode(&shape, request_id(), Err(&refusal));
        prop_assert!(std::str::from_utf8(&answer.body).is_ok());
    }
}
