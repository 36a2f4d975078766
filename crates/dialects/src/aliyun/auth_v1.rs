//! RPC V1: the signature is a parameter, made over all the other parameters. Headers are not
//! signed, so nothing is believed of them here.

use super::params::{invalid, masked, optional, required};
use super::{KEY_LEN_MAX, NONCE_KEPT_S, NONCE_LEN_MAX, SKEW_S_MAX, request, time};
use crate::encoding::{escape, escape_twice};
use crate::raw::{Params, RawRequest};
use crate::sign::{self, Hash};
use crate::{Envelope, Proof};
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest, params: Params) -> Result<Envelope, Refusal> {
    let anonymous = ["AccessKeyId", "Signature", "SignatureMethod"]
        .iter()
        .all(|name| params.get(name).is_none());
    // Only a request that is refused in any case may name its action in a header alone.
    let header = |name| if anonymous { raw.header(name) } else { None };
    let action = request::known(
        params.get("Action").or_else(|| header("x-acs-action")),
        params.get("Version").or_else(|| header("x-acs-version")),
    )?;
    if anonymous {
        return Err(Refusal::Unsigned);
    }
    let key = required(&params, "AccessKeyId")?;
    let method = required(&params, "SignatureMethod")?;
    let version = required(&params, "SignatureVersion")?;
    let nonce = required(&params, "SignatureNonce")?;
    let timestamp = required(&params, "Timestamp")?;
    required(&params, "Signature")?;
    // `PRIVATEKEY` and `BEARERTOKEN` exist in old SDKs; the plain methods send it empty.
    if hash(method).is_none() || optional(&params, "SignatureType").is_some() {
        return Err(Refusal::SignatureMethodUnsupported);
    }
    if version != "1.0" {
        return Err(invalid("SignatureVersion", "it is not 1.0"));
    }
    if nonce.len() > NONCE_LEN_MAX {
        return Err(invalid("SignatureNonce", "it is too long"));
    }
    let token = optional(&params, "SecurityToken").map(Secret::new);
    check_key(key, token.is_some())?;
    let signed_at = time::parse(timestamp).ok_or(Refusal::TimestampMalformed)?;
    Ok(Envelope {
        action: action.name,
        key: KeyId::new(key),
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

/// A key of the cloud's own temporary credentials needs a token; ours are told by the service.
pub(super) fn check_key(key: &str, has_token: bool) -> Result<(), Refusal> {
    if key.starts_with("STS.") && !has_token {
        let name = "SecurityToken";
        return Err(Refusal::ParameterMissing { name });
    }
    if key.len() > KEY_LEN_MAX {
        return Err(Refusal::KeyUnknown);
    }
    Ok(())
}

fn hash(method: &str) -> Option<Hash> {
    match method {
        "HMAC-SHA1" => Some(Hash::Sha1),
        // Not documented; no SDK sends it. Harmless, since the method itself is signed.
        "HMAC-SHA256" => Some(Hash::Sha256),
        _ => None,
    }
}

/// Feeds `out` with `METHOD&%2F&` and the twice-encoded, sorted parameters. The raw query is
/// never used: clients differ in how they encode it.
pub(super) fn string_to_sign(method: &str, params: &Params, out: &mut impl FnMut(&str)) {
    let mut sorted: Vec<(&str, &str)> = params
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    escape(method, out);
    out("&%2F&");
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out("%26");
        }
        escape_twice(name, out);
        out("%3D");
        escape_twice(value, out);
    }
}

/// The signature in base64.
pub(super) fn signature(hash: Hash, secret: &Secret, method: &str, params: &Params) -> String {
    let key = Secret::new(format!("{}&", secret.expose()));
    let mut mac = hash.hmac(key.expose().as_bytes());
    // The text goes straight into the code: it holds the request's passwords.
    string_to_sign(method, params, &mut |chunk| mac.update(chunk.as_bytes()));
    sign::base64(&mac.finish())
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(
    raw: &RawRequest,
    envelope: &Envelope,
    secret: &Secret,
) -> Result<(), Refusal> {
    let params = &envelope.params;
    let hash =
        hash(required(params, "SignatureMethod")?).ok_or(Refusal::SignatureMethodUnsupported)?;
    let theirs = required(params, "Signature")?;
    if sign::same(&signature(hash, secret, &raw.method, params), theirs) {
        return Ok(());
    }
    let mut text = String::new();
    let shown = masked(params);
    string_to_sign(&raw.method, &shown, &mut |chunk| text.push_str(chunk));
    Err(Refusal::SignatureMismatch {
        string_to_sign: text,
    })
}
