//! ACS3: the signature is in the `Authorization` header, made over method, query, chosen headers
//! and the digest of the body. Which headers is the client's choice, within limits.

use super::auth_v1::check_key;
use super::params::{invalid, masked};
use super::{NONCE_KEPT_S, NONCE_LEN_MAX, SKEW_S_MAX, request, time};
use crate::encoding::{escape, pairs};
use crate::raw::{Params, RawRequest};
use crate::sign::{self, Hash};
use crate::{Envelope, Proof};
use claviger_core::ids::KeyId;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// Headers that must be there once each, and signed: without them a signature could be taken to
/// another host, action, time or body.
const REQUIRED: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
];

/// Bound on signed headers; the most seen is 11.
const SIGNED_HEADERS_MAX: usize = 64;

/// The `Authorization` header.
#[derive(Debug)]
pub(super) struct Authorization<'a> {
    scheme: &'a str,
    hash: Hash,
    key: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

fn malformed<T>(why: Why) -> Result<T, Refusal> {
    Err(Refusal::SignatureMalformed(why))
}

/// Reads `ACS3-HMAC-SHA256 Credential=<key>,SignedHeaders=<a;b>,Signature=<hex>`; spaces after
/// the commas are tolerated.
pub(super) fn parse(header: &str) -> Result<Authorization<'_>, Refusal> {
    let Some((scheme, fields)) = header.trim().split_once(' ') else {
        return malformed("the Authorization header has one word only");
    };
    let hash = match scheme {
        "ACS3-HMAC-SHA256" => Hash::Sha256,
        "ACS3-HMAC-SM3" => Hash::Sm3,
        _ if scheme.starts_with("ACS3-") => return Err(Refusal::SignatureMethodUnsupported),
        _ => return malformed("the Authorization header is of another scheme"),
    };
    let (mut key, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        let Some((name, value)) = field.trim().split_once('=') else {
            return malformed("a field of the Authorization header has no value");
        };
        let slot = match name {
            "Credential" => &mut key,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return malformed("the Authorization header has an unknown field"),
        };
        if slot.replace(value).is_some() {
            return malformed("the Authorization header has a field twice");
        }
    }
    match (key, signed_headers, signature) {
        (Some(key), Some(signed_headers), Some(signature))
            if !key.is_empty() && !signature.is_empty() =>
        {
            Ok(Authorization {
                scheme,
                hash,
                key,
                signed_headers,
                signature,
            })
        }
        _ => malformed("the Authorization header lacks a field"),
    }
}

fn authorization(raw: &RawRequest) -> Result<Authorization<'_>, Refusal> {
    let mut values = raw.header_values("authorization");
    let (Some(value), None) = (values.next(), values.next()) else {
        return malformed("there is not exactly one Authorization header");
    };
    match std::str::from_utf8(value) {
        Ok(text) => parse(text),
        Err(_) => malformed("the Authorization header is not text"),
    }
}

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest, params: Params) -> Result<Envelope, Refusal> {
    let header = |name| raw.header(name).map(str::trim).filter(|v| !v.is_empty());
    let action = request::known(header("x-acs-action"), header("x-acs-version"))?;
    let authorization = authorization(raw)?;
    check_signed_headers(raw, authorization.signed_headers)?;
    for (param, value) in [("Action", action.name), ("Version", super::VERSION)] {
        if params.get(param).is_some_and(|other| other != value) {
            return Err(invalid(param, "it differs from the header"));
        }
    }
    let missing = |name| Refusal::ParameterMissing { name };
    let nonce = header("x-acs-signature-nonce").ok_or(missing("SignatureNonce"))?;
    let date = header("x-acs-date").ok_or(missing("Timestamp"))?;
    if nonce.len() > NONCE_LEN_MAX {
        return Err(invalid("SignatureNonce", "it is too long"));
    }
    // The `SecurityToken` among the parameters is an ordinary one here.
    let token = header("x-acs-security-token").map(Secret::new);
    check_key(authorization.key, token.is_some())?;
    if header("x-acs-accesskey-id").is_some_and(|key| key != authorization.key) {
        return malformed("two different access keys are given");
    }
    let signed_at = time::parse(date).ok_or(Refusal::TimestampMalformed)?;
    Ok(Envelope {
        action: action.name,
        key: KeyId::new(authorization.key),
        proof: Proof::Signature,
        signed_at: Some(signed_at),
        age_s_max: SKEW_S_MAX,
        lead_s_max: SKEW_S_MAX,
        project: None,
        nonce: Some((nonce.to_owned(), NONCE_KEPT_S)),
        token,
        params,
    })
}

/// The list is sorted and has no repetition; what must be signed is; nothing of the vendor's own
/// is left unsigned.
fn check_signed_headers(raw: &RawRequest, list: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = list.split(';').collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return malformed("too many signed headers");
    }
    if names.windows(2).any(|pair| pair[0] >= pair[1]) {
        return malformed("the signed headers are not sorted");
    }
    for name in REQUIRED {
        if names.binary_search(&name).is_err() {
            return malformed("a header that must be signed is not");
        }
        if raw.header_values(name).count() != 1 {
            return malformed("a header that must be signed is absent or repeated");
        }
    }
    for (name, value) in &raw.headers {
        let signed = names.binary_search(&name.as_str()).is_ok();
        if name.starts_with("x-acs-") && !signed {
            return malformed("an x-acs header is not signed");
        }
        if signed && std::str::from_utf8(value).is_err() {
            return malformed("a signed header is not text");
        }
    }
    Ok(())
}

/// The query's own parameters: they come before those of the body.
fn query<'a>(raw: &RawRequest, params: &'a Params) -> Vec<(&'a str, &'a str)> {
    let count = pairs(raw.query_str()).count();
    let mut sorted: Vec<_> = params.iter().take(count).collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    sorted
}

/// Feeds `out` with the canonical request.
pub(super) fn canonical_request(
    raw: &RawRequest,
    params: &Params,
    signed_headers: &str,
    payload: &str,
    out: &mut impl FnMut(&str),
) {
    out(&raw.method);
    out("\n/\n");
    for (index, (name, value)) in query(raw, params).into_iter().enumerate() {
        if index > 0 {
            out("&");
        }
        escape(name, out);
        out("=");
        escape(value, out);
    }
    out("\n");
    for name in signed_headers.split(';') {
        let mut values: Vec<&str> = raw
            .header_values(name)
            .map(|value| std::str::from_utf8(value).unwrap_or_default().trim())
            .collect();
        values.sort_unstable();
        out(name);
        out(":");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                out(",");
            }
            out(value);
        }
        out("\n");
    }
    out("\n");
    out(signed_headers);
    out("\n");
    out(payload);
}

/// Digest of the canonical request, and the signature, both in hexadecimal.
pub(super) fn signature(
    raw: &RawRequest,
    params: &Params,
    (scheme, hash): (&str, Hash),
    signed_headers: &str,
    payload: &str,
    secret: &Secret,
) -> (String, String) {
    let mut digest = hash.digest();
    canonical_request(raw, params, signed_headers, payload, &mut |chunk| {
        digest.update(chunk.as_bytes());
    });
    let digest = hex::encode(digest.finish());
    let mut mac = hash.hmac(secret.expose().as_bytes());
    for part in [scheme, "\n", &digest] {
        mac.update(part.as_bytes());
    }
    (digest, hex::encode(mac.finish()))
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(
    raw: &RawRequest,
    envelope: &Envelope,
    secret: &Secret,
) -> Result<(), Refusal> {
    let auth = authorization(raw)?;
    let params = &envelope.params;
    let payload = auth.hash.hex(&raw.body);
    let claimed = raw.header("x-acs-content-sha256").unwrap_or_default();
    let (digest, ours) = signature(
        raw,
        params,
        (auth.scheme, auth.hash),
        auth.signed_headers,
        &payload,
        secret,
    );
    // The body's digest is signed twice: within its header and by itself. Both must be right.
    if sign::same(&ours, auth.signature) && sign::same(&payload, claimed.trim()) {
        return Ok(());
    }
    let mut text = format!("{}\n{digest}\ncanonical request:\n", auth.scheme);
    let shown = masked(params);
    canonical_request(raw, &shown, auth.signed_headers, &payload, &mut |chunk| {
        text.push_str(chunk);
    });
    Err(Refusal::SignatureMismatch {
        string_to_sign: text,
    })
}
