//! Who asks: a signature in `Authorization`, or a token in `X-Auth-Token`.

use super::curves::Curve;
use super::request::{self, Call};
use super::{KEY_LEN_MAX, SKEW_S_MAX, canonical, params, time, token_request};
use crate::raw::RawRequest;
use crate::sign::{self, Hash};
use crate::{Envelope, Proof};
use claviger_core::ids::KeyId;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// A scheme of the `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// HMAC with the secret half as it is; SHA-256 or SM3 throughout.
    Hmac(Hash),
    /// HMAC-SHA256 with a key derived for a day, region and service.
    Derived,
    /// An elliptic curve.
    Curve(Curve),
}

/// Every scheme and its name on the wire.
pub(super) const SCHEMES: [(&str, Scheme); 5] = [
    ("SDK-HMAC-SHA256", Scheme::Hmac(Hash::Sha256)),
    ("V11-HMAC-SHA256", Scheme::Derived),
    ("SDK-HMAC-SM3", Scheme::Hmac(Hash::Sm3)),
    ("SDK-ECDSA-P256-SHA256", Scheme::Curve(Curve::P256)),
    ("SDK-SM2-SM3", Scheme::Curve(Curve::Sm2)),
];

impl Scheme {
    pub(super) fn hash(self) -> Hash {
        match self {
            Scheme::Hmac(hash) => hash,
            Scheme::Derived | Scheme::Curve(Curve::P256) => Hash::Sha256,
            Scheme::Curve(Curve::Sm2) => Hash::Sm3,
        }
    }
}

/// Bound on signed headers; the most seen is 6.
const SIGNED_HEADERS_MAX: usize = 64;

/// Services that a derived key may be for.
const SERVICES: [&str; 2] = ["dcs", "iam"];

/// The `Authorization` header.
pub(super) struct Authorization<'a> {
    name: &'static str,
    scheme: Scheme,
    key: &'a str,
    /// `YYYYMMDD/region/service`, for the derived scheme; else empty.
    info: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

fn malformed<T>(why: Why) -> Result<T, Refusal> {
    Err(Refusal::SignatureMalformed(why))
}

/// Reads `SCHEME Access=..., SignedHeaders=..., Signature=...`; the derived scheme has
/// `Credential=<key>/<day>/<region>/<service>` in the first place.
fn parse(header: &str) -> Result<Authorization<'_>, Refusal> {
    let Some((word, fields)) = header.trim().split_once(' ') else {
        return malformed("the Authorization header has one word only");
    };
    let known = SCHEMES.iter().find(|(name, _)| *name == word);
    let (name, scheme) = *known.ok_or(Refusal::SignatureMethodUnsupported)?;
    let holder = match scheme {
        Scheme::Derived => "Credential",
        Scheme::Hmac(_) | Scheme::Curve(_) => "Access",
    };
    let (mut key, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        let Some((field, value)) = field.trim_matches(' ').split_once('=') else {
            return malformed("a field of the Authorization header has no value");
        };
        let slot = match field {
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            field if field == holder => &mut key,
            _ => return malformed("the Authorization header has an unknown field"),
        };
        if slot.replace(value).is_some() {
            return malformed("the Authorization header has a field twice");
        }
    }
    let (Some(key), Some(signed_headers), Some(signature)) = (key, signed_headers, signature)
    else {
        return malformed("the Authorization header lacks a field");
    };
    let (key, info) = match scheme {
        Scheme::Derived => key.split_once('/').unwrap_or((key, "")),
        Scheme::Hmac(_) | Scheme::Curve(_) => (key, ""),
    };
    if key.is_empty() || key.len() > KEY_LEN_MAX || signature.is_empty() {
        return malformed("a field of the Authorization header is empty or too long");
    }
    Ok(Authorization {
        name,
        scheme,
        key,
        info,
        signed_headers,
        signature,
    })
}

/// The one header of that name; `None` if there is none or it is empty.
fn single<'a>(raw: &'a RawRequest, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = raw.headers.iter().filter(|(n, _)| n == name);
    let first = values.next();
    if values.next().is_some() {
        return malformed("a header of the caller's identity is repeated");
    }
    match first.map(|(_, value)| std::str::from_utf8(value)) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value.trim()).filter(|value| !value.is_empty())),
        Some(Err(_)) => malformed("a header of the caller's identity is not text"),
    }
}

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest) -> Result<Envelope, Refusal> {
    let call = request::read(raw)?;
    if call.action.name == token_request::ACTION {
        return token_request::open(raw, call);
    }
    // With both, the signature counts (ours).
    if let Some(header) = single(raw, "authorization")? {
        return signed(raw, call, &parse(header)?);
    }
    match single(raw, "x-auth-token")? {
        Some(token) => Ok(envelope(call, "", Proof::Bearer(Secret::new(token)))),
        None => Err(Refusal::Unsigned),
    }
}

/// An envelope with what does not depend on the kind of proof.
pub(super) fn envelope(call: Call, key: &str, proof: Proof) -> Envelope {
    Envelope {
        action: call.action.name,
        key: KeyId::new(key),
        proof,
        signed_at: None,
        age_s_max: SKEW_S_MAX,
        lead_s_max: SKEW_S_MAX,
        project: params::project(&call.params),
        nonce: None,
        token: None,
        params: call.params,
    }
}

fn signed(raw: &RawRequest, call: Call, auth: &Authorization<'_>) -> Result<Envelope, Refusal> {
    check_signed_headers(raw, auth.signed_headers)?;
    let date = raw.header("x-sdk-date").unwrap_or_default().trim();
    let signed_at = time::parse_signed(date).ok_or(Refusal::TimestampMalformed)?;
    if auth.scheme == Scheme::Derived {
        let parts: Vec<&str> = auth.info.split('/').collect();
        let fine = matches!(parts[..], [day, region, service]
            if date.starts_with(day) && day.len() == 8 && !region.is_empty()
                && SERVICES.contains(&service));
        if !fine {
            return Err(Refusal::CredentialMalformed(
                "it is not of the form key/day/region/service",
            ));
        }
    }
    let token = single(raw, "x-security-token")?.map(Secret::new);
    Ok(Envelope {
        signed_at: Some(signed_at),
        token,
        ..envelope(call, auth.key, Proof::Signature)
    })
}

/// Which headers are signed is the client's choice: Terraform signs neither host nor project.
/// Only the time must be, and each signed header must be there once.
fn check_signed_headers(raw: &RawRequest, list: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = list.split(';').collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return malformed("too many signed headers");
    }
    if names.windows(2).any(|pair| pair[0] >= pair[1]) {
        return malformed("the signed headers are not sorted");
    }
    if !names.contains(&"x-sdk-date") {
        return malformed("the time is not signed");
    }
    if names
        .iter()
        .any(|name| raw.header_values(name).count() != 1)
    {
        return malformed("a signed header is absent or repeated");
    }
    Ok(())
}

/// The key's text for the derived scheme: HKDF-SHA256 of 32 bytes, printed.
fn derived_key(key: &str, secret: &Secret, info: &str) -> String {
    let mut extract = Hash::Sha256.hmac(key.as_bytes());
    extract.update(secret.expose().as_bytes());
    let mut expand = Hash::Sha256.hmac(&extract.finish());
    expand.update(info.as_bytes());
    expand.update(&[1]);
    hex::encode(expand.finish())
}

/// What is signed: the scheme's name, the time, the derived key's scope if there is one, and the
/// digest of the canonical request.
fn string_to_sign(raw: &RawRequest, auth: &Authorization<'_>) -> String {
    let date = raw.header("x-sdk-date").unwrap_or_default().trim();
    let digest = canonical::digest(raw, auth.signed_headers, auth.scheme.hash());
    if auth.scheme == Scheme::Derived {
        return format!("{}\n{date}\n{}\n{digest}", auth.name, auth.info);
    }
    format!("{}\n{date}\n{digest}", auth.name)
}

/// The signature of a request, of which `name` says how.
pub(super) fn signature(
    raw: &RawRequest,
    (name, scheme): (&'static str, Scheme),
    (key, info): (&str, &str),
    signed_headers: &str,
    secret: &Secret,
) -> Option<String> {
    let auth = Authorization {
        name,
        scheme,
        key,
        info,
        signed_headers,
        signature: "",
    };
    let text = string_to_sign(raw, &auth);
    let hmac = |hash: Hash, key: &[u8]| {
        let mut mac = hash.hmac(key);
        mac.update(text.as_bytes());
        hex::encode(mac.finish())
    };
    match scheme {
        Scheme::Hmac(hash) => Some(hmac(hash, secret.expose().as_bytes())),
        Scheme::Derived => {
            let key = derived_key(key, secret, info);
            Some(hmac(Hash::Sha256, key.as_bytes()))
        }
        Scheme::Curve(curve) => curve.sign(name, key, secret, &text),
    }
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(
    raw: &RawRequest,
    envelope: &Envelope,
    secret: &Secret,
) -> Result<(), Refusal> {
    if !matches!(envelope.proof, Proof::Signature) {
        return Err(Refusal::Internal);
    }
    let header = single(raw, "authorization")?.ok_or(Refusal::Unsigned)?;
    let auth = parse(header)?;
    let good = match auth.scheme {
        Scheme::Curve(curve) => {
            let text = string_to_sign(raw, &auth);
            curve.verifies(auth.name, auth.key, secret, &text, auth.signature)
        }
        Scheme::Hmac(_) | Scheme::Derived => {
            let named = (auth.name, auth.scheme);
            let ours = signature(
                raw,
                named,
                (auth.key, auth.info),
                auth.signed_headers,
                secret,
            );
            ours.is_some_and(|ours| sign::same(&ours, auth.signature))
        }
    };
    if good && claimed_digest_ok(raw, auth.scheme.hash()) {
        return Ok(());
    }
    Err(Refusal::SignatureMismatch {
        string_to_sign: canonical::shown(raw, auth.signed_headers, auth.scheme.hash()),
    })
}

/// A client may name the body's digest itself, or say that it is unsigned; only the truth is
/// accepted, since no account call needs anything else.
fn claimed_digest_ok(raw: &RawRequest, hash: Hash) -> bool {
    let name = match hash {
        Hash::Sm3 => "x-sdk-content-sm3",
        Hash::Sha1 | Hash::Sha256 => "x-sdk-content-sha256",
    };
    let ours = hash.hex(&raw.body);
    raw.body.is_empty()
        || raw
            .header_values(name)
            .all(|claimed| claimed.trim_ascii() == ours.as_bytes())
}
