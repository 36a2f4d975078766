//! TC3-HMAC-SHA256: the signature is in the `Authorization` header, made over the method, the
//! query of a GET, the time, some headers and the body. Action, version, region and token are not
//! signed, at the cloud neither. There is no nonce, and clients send byte-identical calls within
//! a second, so repeats are taken (section 1.1 of `docs/wire/tencent.md`).

use super::packed::Common;
use super::request::{check_form, content_type};
use super::{KEY_LEN_MAX, SKEW_S_MAX, actions, multipart, time};
use crate::raw::{Params, RawRequest};
use crate::sign::{self, Hash};
use crate::{Envelope, Proof, encoding};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// The one algorithm of this version.
pub(super) const ALGORITHM: &str = "TC3-HMAC-SHA256";

/// The end of every credential scope.
const TERMINATOR: &str = "tc3_request";

/// What `X-TC-Content-SHA256` says when the body is not signed, and what is signed instead.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// Bound on signed headers; the most documented is 3.
const SIGNED_HEADERS_MAX: usize = 32;

/// Headers whose meaning must not depend on who reads them: once at most.
const ONCE: [&str; 9] = [
    "authorization",
    "content-type",
    "host",
    "x-tc-action",
    "x-tc-content-sha256",
    "x-tc-region",
    "x-tc-timestamp",
    "x-tc-token",
    "x-tc-version",
];

/// The `Authorization` header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Authorization<'a> {
    key: &'a str,
    /// `yyyy-mm-dd`, not checked yet.
    date: &'a str,
    /// Whatever the client takes for the product: Node takes the beginning of the host.
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

fn malformed<T>(why: Why) -> Result<T, Refusal> {
    Err(Refusal::SignatureMalformed(why))
}

/// Reads `TC3-HMAC-SHA256 Credential=<key>/<date>/<service>/tc3_request, SignedHeaders=<a;b>,
/// Signature=<hex>`; the spaces after commas may be missing.
pub(super) fn parse(header: &str) -> Result<Authorization<'_>, Refusal> {
    let Some((ALGORITHM, fields)) = header.trim().split_once(' ') else {
        // `SKIP` too: SDKs send it for calls that they do not sign.
        return malformed("the Authorization header is of another scheme");
    };
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        let Some((name, value)) = field.trim().split_once('=') else {
            return malformed("a field of the Authorization header has no value");
        };
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return malformed("the Authorization header has an unknown field"),
        };
        if slot.replace(value).is_some() {
            return malformed("the Authorization header has a field twice");
        }
    }
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (credential, signed_headers, signature)
    else {
        return malformed("the Authorization header lacks a field");
    };
    let scope: Vec<&str> = credential.split('/').collect();
    let [key, date, service, TERMINATOR] = scope[..] else {
        return malformed("the credential is not of the form key/date/service/tc3_request");
    };
    if key.is_empty() || date.is_empty() || service.is_empty() || signature.is_empty() {
        return malformed("a field of the Authorization header is empty");
    }
    Ok(Authorization {
        key,
        date,
        service,
        signed_headers,
        signature,
    })
}

fn authorization(raw: &RawRequest) -> Result<Authorization<'_>, Refusal> {
    match raw.header("authorization") {
        Some(text) => parse(text),
        None => malformed("there is no readable Authorization header"),
    }
}

fn header<'a>(raw: &'a RawRequest, name: &str) -> Option<&'a str> {
    raw.header(name).map(str::trim).filter(|v| !v.is_empty())
}

/// See [`crate::Dialect::open`].
pub(super) fn open(raw: &RawRequest) -> Result<Envelope, Refusal> {
    let repeated = |name: &&&str| raw.header_values(name).count() > 1;
    if ONCE.iter().find(repeated).is_some() {
        return Err(Refusal::Malformed("a header is given twice"));
    }
    let params = read(raw)?;
    let must =
        |header_name, name| header(raw, header_name).ok_or(Refusal::ParameterMissing { name });
    let action = must("x-tc-action", "Action")?;
    let version = must("x-tc-version", "Version")?;
    let region = must("x-tc-region", "Region")?;
    let timestamp = must("x-tc-timestamp", "Timestamp")?;
    let authorization = authorization(raw)?;
    check_signed_headers(raw, authorization.signed_headers)?;
    let signed_at = time::unix(timestamp).ok_or(Refusal::TimestampMalformed)?;
    if authorization.key.len() > KEY_LEN_MAX {
        return Err(Refusal::KeyUnknown);
    }
    let json = match &params {
        Read::Json(text) => Some(*text),
        Read::Pairs(_) => None,
    };
    let common = Common {
        version,
        region,
        json,
        mixed: false,
    };
    let mut packed = common.pack();
    if let Read::Pairs(pairs) = params {
        for (name, value) in pairs.iter() {
            packed.push(name.to_owned(), Secret::new(value));
        }
    }
    Ok(Envelope {
        action: actions::find(action).map_or("unknown", |known| known.name),
        key: KeyId::new(authorization.key),
        proof: Proof::Signature,
        signed_at: Some(signed_at),
        age_s_max: SKEW_S_MAX,
        lead_s_max: SKEW_S_MAX,
        project: None,
        nonce: None,
        token: header(raw, "x-tc-token").map(Secret::new),
        params: packed,
    })
}

enum Read<'a> {
    Json(&'a str),
    Pairs(Params),
}

/// The parameters as they came. What the signature does not cover, the query of a POST and the
/// body of a GET, must not be there.
fn read(raw: &RawRequest) -> Result<Read<'_>, Refusal> {
    let mut params = Params::default();
    if raw.method == "GET" {
        if !raw.body.is_empty() {
            return Err(Refusal::Malformed("a GET has a body"));
        }
        check_form(raw.query_str())?;
        encoding::parse_form(raw.query_str(), &mut params)?;
        return Ok(Read::Pairs(params));
    }
    if !raw.query_str().is_empty() {
        return Err(Refusal::Malformed("a POST has a query"));
    }
    let whole = raw.header("content-type").unwrap_or_default();
    if multipart::is_multipart(whole) {
        multipart::read(whole, &raw.body, &mut params)?;
        return Ok(Read::Pairs(params));
    }
    if !content_type(raw).eq_ignore_ascii_case("application/json") {
        return Err(Refusal::Malformed("the body is neither JSON nor multipart"));
    }
    let text = std::str::from_utf8(&raw.body);
    let text = text.map_err(|_| Refusal::Malformed("the body is not UTF-8"))?;
    if text.trim().is_empty() {
        return Ok(Read::Pairs(params));
    }
    super::json::members(text)?;
    Ok(Read::Json(text))
}

/// At least `content-type` and `host` are signed (docs); what is signed is there once.
fn check_signed_headers(raw: &RawRequest, list: &str) -> Result<(), Refusal> {
    let names: Vec<&str> = list.split(';').collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return malformed("too many signed headers");
    }
    if !names.contains(&"content-type") || !names.contains(&"host") {
        return malformed("content-type and host are not both signed");
    }
    for name in names {
        let mut values = raw.header_values(name);
        let (Some(value), None) = (values.next(), values.next()) else {
            return malformed("a signed header is absent or repeated");
        };
        if std::str::from_utf8(value).is_err() {
            return malformed("a signed header is not text");
        }
    }
    Ok(())
}

/// How a client may have written the signed headers: values in lower case or as sent, the host
/// with its port or without. The documentation lowers them, no SDK does; Node signs the bare
/// host name and sends the port.
#[derive(Clone, Copy)]
pub(super) struct Form {
    lower: bool,
    bare_host: bool,
}

const FORMS: [Form; 4] = [
    Form {
        lower: true,
        bare_host: false,
    },
    Form {
        lower: false,
        bare_host: false,
    },
    Form {
        lower: true,
        bare_host: true,
    },
    Form {
        lower: false,
        bare_host: true,
    },
];

/// The host without its port, if it has one. What comes before the colon is taken as it is:
/// `tccli` sends whole addresses.
pub(super) fn bare_host(host: &str) -> Option<&str> {
    let (bare, port) = host.rsplit_once(':')?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (digits && !bare.is_empty()).then_some(bare)
}

/// The digest of the canonical request, in hexadecimal.
pub(super) fn canonical_hash(
    raw: &RawRequest,
    signed_headers: &str,
    payload: &str,
    form: Form,
) -> String {
    let mut digest = Hash::Sha256.digest();
    let mut out = |text: &str| digest.update(text.as_bytes());
    let query = if raw.method == "GET" {
        raw.query_str()
    } else {
        ""
    };
    // The query as received, in its own order and spelling.
    for part in [raw.method.as_str(), "\n/\n", query, "\n"] {
        out(part);
    }
    for name in signed_headers.split(';') {
        let value = raw.header(name).unwrap_or_default().trim();
        let value = match bare_host(value) {
            Some(bare) if form.bare_host && name == "host" => bare,
            _ => value,
        };
        out(name);
        out(":");
        if form.lower {
            out(&value.to_lowercase());
        } else {
            out(value);
        }
        out("\n");
    }
    for part in ["\n", signed_headers, "\n", payload] {
        out(part);
    }
    hex::encode(digest.finish())
}

/// Of the body; or the word for a body that is not signed.
fn payload(raw: &RawRequest) -> String {
    if raw.header("x-tc-content-sha256") == Some(UNSIGNED) {
        return Hash::Sha256.hex(UNSIGNED.as_bytes());
    }
    Hash::Sha256.hex(&raw.body)
}

/// The signature over a canonical request's digest, in hexadecimal.
pub(super) fn signature(
    canonical_hash: &str,
    timestamp: &str,
    (date, service): (&str, &str),
    secret: &Secret,
) -> String {
    let start = Secret::new(format!("TC3{}", secret.expose()));
    let hmac = |key: &[u8], parts: &[&str]| {
        let mut mac = Hash::Sha256.hmac(key);
        for part in parts {
            mac.update(part.as_bytes());
        }
        mac.finish()
    };
    let key = hmac(start.expose().as_bytes(), &[date]);
    let key = hmac(&key, &[service]);
    let key = hmac(&key, &[TERMINATOR]);
    let signed = hmac(
        &key,
        &[
            ALGORITHM,
            "\n",
            timestamp,
            "\n",
            date,
            "/",
            service,
            "/",
            TERMINATOR,
            "\n",
            canonical_hash,
        ],
    );
    hex::encode(signed)
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(raw: &RawRequest, secret: &Secret) -> Result<(), Refusal> {
    let authorization = authorization(raw)?;
    let timestamp = header(raw, "x-tc-timestamp").unwrap_or_default();
    let day = time::unix(timestamp).map(Timestamp::as_secs).map(time::day);
    let payload = payload(raw);
    let scope = (authorization.date, authorization.service);
    let has_port = raw
        .header("host")
        .is_some_and(|h| bare_host(h.trim()).is_some());
    let mut good = false;
    for form in FORMS.iter().filter(|form| has_port || !form.bare_host) {
        let hash = canonical_hash(raw, authorization.signed_headers, &payload, *form);
        let ours = signature(&hash, timestamp, scope, secret);
        good |= sign::same(&ours, authorization.signature);
    }
    // The scope's date must be the day of the time (docs); it is a fault of the signature.
    if good && day.as_deref() == Some(authorization.date) {
        Ok(())
    } else {
        Err(Refusal::SignatureMismatch {
            string_to_sign: String::new(),
        })
    }
}

/// What the official SDKs sign: values as sent, the host with its port.
pub(super) const AS_SENT: Form = Form {
    lower: false,
    bare_host: false,
};
