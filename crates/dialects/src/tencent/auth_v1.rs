//! Version 1, HmacSHA1 or HmacSHA256: the signature is a field, made over all the other fields.
//! Values are joined without encoding; that two different lists of fields can make one text is
//! the cloud's own weakness.

use super::auth_tc3::bare_host;
use super::packed::{self, Common};
use super::request::{check_form, form};
use super::{KEY_LEN_MAX, SKEW_S_MAX, actions, time};
use crate::raw::{Params, RawRequest};
use crate::sign::{self, Hash};
use crate::{Envelope, Proof, encoding};
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest) -> Result<Envelope, Refusal> {
    let fields = read(raw)?;
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::Malformed("a parameter is given twice"));
    }
    let must = |name: &'static str| {
        let value = fields.get(name).filter(|value| !value.is_empty());
        value.ok_or(Refusal::ParameterMissing { name })
    };
    let action = must("Action")?;
    let version = must("Version")?;
    let region = must("Region")?;
    let timestamp = must("Timestamp")?;
    // Documented as needed; whether a repeated one is refused is unknown, so it is not.
    must("Nonce")?;
    let key = must("SecretId")?;
    must("Signature")?;
    let signed_at = time::unix(timestamp).ok_or(Refusal::TimestampMalformed)?;
    if key.len() > KEY_LEN_MAX {
        return Err(Refusal::KeyUnknown);
    }
    let token = fields.get("Token").filter(|token| !token.is_empty());
    let common = Common {
        version,
        region,
        json: None,
        mixed: true,
    };
    let (action, key) = (actions::find(action), KeyId::new(key));
    let mut packed = common.pack();
    for (name, value) in fields.iter() {
        packed.push(name.to_owned(), Secret::new(value));
    }
    Ok(Envelope {
        action: action.map_or("unknown", |known| known.name),
        key,
        proof: Proof::Signature,
        signed_at: Some(signed_at),
        age_s_max: SKEW_S_MAX,
        lead_s_max: SKEW_S_MAX,
        project: None,
        nonce: None,
        token: token.map(Secret::new),
        params: packed,
    })
}

/// The fields of query and form body, both of which are signed.
fn read(raw: &RawRequest) -> Result<Params, Refusal> {
    let mut fields = Params::default();
    check_form(raw.query_str())?;
    encoding::parse_form(raw.query_str(), &mut fields)?;
    if let Some(body) = form(raw) {
        let text = std::str::from_utf8(body).map_err(|_| encoding::FormError::Utf8)?;
        check_form(text)?;
        encoding::parse_form(text, &mut fields)?;
    } else if !raw.body.is_empty() && fields.is_empty() {
        // A TC3 call whose headers got lost: the cloud misses its fields one by one.
        return Ok(fields);
    } else if !raw.body.is_empty() {
        return Err(Refusal::Malformed("the body is not a form"));
    }
    Ok(fields)
}

/// SHA-256 only by its name; SHA-1 in every other case, also if none is given (docs).
fn hash(method: Option<&str>) -> Hash {
    match method {
        Some("HmacSHA256") => Hash::Sha256,
        _ => Hash::Sha1,
    }
}

/// The signature in base64 over `METHOD host/?a=1&b=2` without the space.
pub(super) fn signature<'a>(
    method: &str,
    host: &str,
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    secret: &Secret,
) -> String {
    let mut sorted: Vec<(&str, &str)> = fields.filter(|(name, _)| *name != "Signature").collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let given = sorted.iter().find(|(name, _)| *name == "SignatureMethod");
    let mut mac = hash(given.map(|(_, value)| *value)).hmac(secret.expose().as_bytes());
    for part in [method, host, "/?"] {
        mac.update(part.as_bytes());
    }
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        let joint = if index > 0 { "&" } else { "" };
        for part in [joint, name, "=", value] {
            mac.update(part.as_bytes());
        }
    }
    sign::base64(&mac.finish())
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(raw: &RawRequest, params: &Params, secret: &Secret) -> Result<(), Refusal> {
    let theirs = packed::pairs(params).find(|(name, _)| *name == "Signature");
    let theirs = theirs.map_or("", |(_, value)| value);
    let host = raw.header("host").unwrap_or_default().trim();
    // SDKs sign the host as they send it; one without its port is taken as well.
    let hosts = [Some(host), bare_host(host)];
    let mut good = false;
    for host in hosts.into_iter().flatten() {
        let ours = signature(&raw.method, host, packed::pairs(params), secret);
        good |= sign::same(&ours, theirs);
    }
    if good {
        Ok(())
    } else {
        Err(Refusal::SignatureMismatch {
            string_to_sign: String::new(),
        })
    }
}
