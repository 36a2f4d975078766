//! Who signed, and with what: the `Authorization` header, or the query of a presigned address.
//! What is signed is the client's choice within limits; [`super::canonical`] builds it.

use super::canonical::{self, Signed};
use super::{AGE_S_MAX, EXPIRES_S_MAX, KEY_LEN_MAX, params, time};
use crate::Envelope;
use crate::encoding;
use crate::raw::{Params, RawRequest};
use crate::sign::{self, Hash};
use claviger_core::clock::Timestamp;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;
use std::borrow::Cow;

/// The one algorithm.
pub(super) const ALGORITHM: &str = "HMAC-SHA256";

/// The end of every scope.
pub(super) const TERMINATOR: &str = "request";

/// The product's name in a scope, in any case: clients write `redis`, the documents `Redis`.
pub(super) const SERVICE: &str = "redis";

/// Parts of a scope under which their absence is reported.
pub(super) const SCOPE_PARTS: [&str; 3] = ["accesskey", "region", "service"];

/// Bound on signed headers; the most seen is 7.
const SIGNED_HEADERS_MAX: usize = 64;

/// Where the proof is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the `Authorization` header.
    Header,
    /// Among the query's parameters.
    Query,
}

/// The form of a request; `None` if it is not signed at all.
pub(super) fn form(raw: &RawRequest) -> Option<Form> {
    if raw.headers.iter().any(|(name, _)| name == "authorization") {
        return Some(Form::Header);
    }
    let signed = |name| encoding::peek(raw.query_str(), name).is_some();
    ["X-Signature", "X-Credential", "X-Algorithm"]
        .into_iter()
        .any(signed)
        .then_some(Form::Query)
}

/// What a request says of who signed it.
#[derive(Clone, Debug)]
pub(super) struct Claim<'a> {
    /// Everything in the credential.
    pub(super) scope: Scope<'a>,
    /// Names of the signed headers, `;` between them, as received.
    signed_headers: Cow<'a, str>,
    /// Names of the signed parameters, in the query form.
    signed_queries: Option<Cow<'a, str>>,
    /// The time of signing, as received and as understood.
    date: Cow<'a, str>,
    pub(super) at: Timestamp,
    /// For how many seconds it is good.
    pub(super) age_s_max: u32,
    /// The signature as received.
    signature: Cow<'a, str>,
}

/// `{key}/{yyyymmdd}/{region}/{service}/request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    /// The key's public half.
    pub(super) key: Cow<'a, str>,
    /// Day of signing.
    pub(super) day: Cow<'a, str>,
    /// Region.
    pub(super) region: Cow<'a, str>,
    /// Product, as received.
    pub(super) service: Cow<'a, str>,
}

impl<'a> Scope<'a> {
    /// Splits a credential; what is in the parts is not looked at.
    fn split(text: &Cow<'a, str>) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [key, day, region, service, TERMINATOR] = parts[..] else {
            return None;
        };
        let own = |part: &str| Cow::Owned(part.to_owned());
        Some(Self {
            key: own(key),
            day: own(day),
            region: own(region),
            service: own(service),
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        for (name, part) in SCOPE_PARTS
            .into_iter()
            .zip([&self.key, &self.region, &self.service])
        {
            if part.is_empty() {
                return Err(Refusal::ParameterMissing { name });
            }
        }
        if self.day.len() != 8 || !self.day.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::CredentialMalformed("its date is not yyyymmdd"));
        }
        if !self.service.eq_ignore_ascii_case(SERVICE) {
            return Err(Refusal::ServiceUnknown);
        }
        if self.key.len() > KEY_LEN_MAX {
            return Err(Refusal::KeyUnknown);
        }
        Ok(())
    }
}

fn malformed<T>(why: Why) -> Result<T, Refusal> {
    Err(Refusal::SignatureMalformed(why))
}

/// The fields of an `Authorization` header, each as received.
#[derive(Default)]
struct Fields<'a> {
    credential: Option<&'a str>,
    signed_headers: Option<&'a str>,
    signature: Option<&'a str>,
}

/// Reads `HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=...`; the space after a comma is
/// optional (seed).
fn fields(header: &str) -> Result<Fields<'_>, Refusal> {
    let Some((scheme, list)) = header.trim().split_once(' ') else {
        return malformed("the Authorization header has one word only");
    };
    if scheme != ALGORITHM {
        return malformed("the Authorization header is of another scheme");
    }
    let mut fields = Fields::default();
    for field in list.split(',') {
        let Some((name, value)) = field.trim().split_once('=') else {
            return malformed("a field of the Authorization header has no value");
        };
        let slot = match name {
            "Credential" => &mut fields.credential,
            "SignedHeaders" => &mut fields.signed_headers,
            "Signature" => &mut fields.signature,
            _ => return malformed("the Authorization header has an unknown field"),
        };
        if slot.replace(value).is_some() {
            return malformed("the Authorization header has a field twice");
        }
    }
    Ok(fields)
}

fn authorization(raw: &RawRequest) -> Result<&str, Refusal> {
    let mut values = raw.header_values("authorization");
    let (Some(value), None) = (values.next(), values.next()) else {
        return malformed("there is not exactly one Authorization header");
    };
    match std::str::from_utf8(value) {
        Ok(text) => Ok(text),
        Err(_) => malformed("the Authorization header is not text"),
    }
}

/// The region and the key that a request names, for its answer; empty if they cannot be read.
pub(super) fn named(raw: &RawRequest) -> Option<Scope<'_>> {
    let credential = match form(raw)? {
        Form::Header => Cow::Borrowed(fields(authorization(raw).ok()?).ok()?.credential?),
        Form::Query => encoding::peek(raw.query_str(), "X-Credential")?,
    };
    Scope::split(&credential)
}

/// Reads who signed, when, and what; no signature is checked yet.
pub(super) fn read<'a>(raw: &'a RawRequest, query: &Params) -> Result<Claim<'a>, Refusal> {
    let claim = match form(raw) {
        None => return Err(Refusal::Unsigned),
        Some(Form::Header) => from_header(raw)?,
        Some(Form::Query) => from_query(raw, query)?,
    };
    claim.scope.check()?;
    if !claim.date.starts_with(&*claim.scope.day) {
        return Err(Refusal::CredentialMalformed("its date is not X-Date's"));
    }
    check_signed_headers(raw, &claim)?;
    if claim.signature.is_empty() {
        return Err(Refusal::SignatureMissing);
    }
    Ok(claim)
}

fn from_header(raw: &RawRequest) -> Result<Claim<'_>, Refusal> {
    let fields = fields(authorization(raw)?)?;
    let scope = scope(fields.credential.map(Cow::Borrowed))?;
    let Some(signed_headers) = fields.signed_headers else {
        return malformed("the Authorization header has no SignedHeaders");
    };
    let missing = Refusal::ParameterMissing { name: "X-Date" };
    let date = raw.header("x-date").map(str::trim).ok_or(missing)?;
    Ok(Claim {
        scope,
        signed_headers: Cow::Borrowed(signed_headers),
        signed_queries: None,
        at: time::parse_compact(date).ok_or(Refusal::TimestampMalformed)?,
        date: Cow::Borrowed(date),
        age_s_max: AGE_S_MAX,
        signature: Cow::Borrowed(fields.signature.unwrap_or_default()),
    })
}

fn scope(credential: Option<Cow<'_, str>>) -> Result<Scope<'_>, Refusal> {
    credential
        .and_then(|text| Scope::split(&text))
        .ok_or(Refusal::CredentialMalformed(
            "it is not key/date/region/service/request",
        ))
}

fn from_query<'a>(raw: &'a RawRequest, query: &Params) -> Result<Claim<'a>, Refusal> {
    let given = |name: &str| query.get(name).map(|text| Cow::Owned(text.to_owned()));
    if query.get("X-Algorithm") != Some(ALGORITHM) {
        return malformed("X-Algorithm is not HMAC-SHA256");
    }
    let scope = scope(given("X-Credential"))?;
    let missing = Refusal::ParameterMissing { name: "X-Date" };
    let date: Cow<'a, str> = given("X-Date").ok_or(missing)?;
    let expires = params::number(query, "X-Expires")?.map_or(AGE_S_MAX, |seconds| {
        u32::try_from(seconds)
            .unwrap_or(u32::MAX)
            .min(EXPIRES_S_MAX)
    });
    let signed_queries = given("X-SignedQueries").filter(|list| !list.is_empty());
    check_signed_queries(query, signed_queries.as_deref())?;
    // Its digest is not signed, whatever it is.
    if !raw.body.is_empty() {
        return malformed("a presigned request has a body");
    }
    Ok(Claim {
        scope,
        signed_headers: given("X-SignedHeaders").unwrap_or_default(),
        signed_queries,
        at: time::parse_compact(&date).ok_or(Refusal::TimestampMalformed)?,
        date,
        age_s_max: expires,
        signature: given("X-Signature").unwrap_or_default(),
    })
}

/// Parameters of a presigned request that need not be signed: changing them makes the signature
/// wrong or the request refused. The token is signed by some clients and not by others.
const UNSIGNED: [&str; 3] = ["X-Signature", "X-SignedQueries", "X-Security-Token"];

/// Nothing that means something is left unsigned: else it could be added by anyone.
fn check_signed_queries(query: &Params, list: Option<&str>) -> Result<(), Refusal> {
    let Some(list) = list else {
        return Ok(());
    };
    let names: Vec<&str> = list.split(';').collect();
    let loose = |name: &str| !UNSIGNED.contains(&name) && !names.contains(&name);
    if query.iter().any(|(name, _)| loose(name)) {
        return malformed("a parameter of a presigned request is not signed");
    }
    Ok(())
}

/// Names and values are such that each is signed once and as it is read.
fn check_signed_headers(raw: &RawRequest, claim: &Claim<'_>) -> Result<(), Refusal> {
    let names: Vec<&str> = claim.header_names().collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return malformed("too many signed headers");
    }
    // Without it a signature would be good for ever.
    if claim.signed_queries.is_none()
        && form(raw) == Some(Form::Header)
        && !names.contains(&"x-date")
    {
        return malformed("X-Date is not signed");
    }
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return malformed("a signed header is named twice");
        }
        let mut values = raw.header_values(name);
        match (values.next(), values.next()) {
            (Some(value), None) if std::str::from_utf8(value).is_ok() => {}
            _ => return malformed("a signed header is absent, repeated or not text"),
        }
    }
    Ok(())
}

impl Claim<'_> {
    fn header_names(&self) -> impl Iterator<Item = &str> {
        self.signed_headers
            .split(';')
            .filter(|name| !name.is_empty())
    }

    /// The signature that it should have; `host` is the value that is signed as such.
    fn expected(&self, raw: &RawRequest, payload: &str, host: &str, secret: &Secret) -> String {
        let signed = Signed {
            headers: &self.signed_headers,
            queries: match &self.signed_queries {
                Some(list) => canonical::Queries::Named(list),
                None => canonical::Queries::AllBut("X-Signature"),
            },
            host,
            payload,
        };
        let mut digest = Hash::Sha256.digest();
        canonical::request(raw, &signed, &mut |chunk| digest.update(chunk.as_bytes()));
        let digest = hex::encode(digest.finish());
        let scope = &self.scope;
        signature(
            secret,
            &self.date,
            [&scope.day, &scope.region, &scope.service],
            &digest,
        )
    }
}

/// The signature over the digest of a canonical request; `scope` is day, region and service.
pub(super) fn signature(secret: &Secret, date: &str, scope: [&str; 3], digest: &str) -> String {
    let code = |key: &[u8], parts: &[&str]| {
        let mut mac = Hash::Sha256.hmac(key);
        for part in parts {
            mac.update(part.as_bytes());
        }
        mac.finish()
    };
    let [day, region, service] = scope;
    // The secret goes in as it is, without a prefix.
    let key = [day, region, service, TERMINATOR]
        .iter()
        .fold(secret.expose().as_bytes().to_vec(), |key, part| {
            code(&key, &[part])
        });
    let text = [
        ALGORITHM, "\n", date, "\n", day, "/", region, "/", service, "/", TERMINATOR, "\n", digest,
    ];
    hex::encode(code(&key, &text))
}

/// See [`crate::Dialect::verify`].
pub(super) fn verify(
    raw: &RawRequest,
    envelope: &Envelope,
    secret: &Secret,
) -> Result<(), Refusal> {
    let claim = read(raw, &envelope.params)?;
    let payload = Hash::Sha256.hex(&raw.body);
    let digests_agree = raw
        .header_values("x-content-sha256")
        .all(|value| sign::same(&payload, String::from_utf8_lossy(value).trim()));
    let host = raw.header("host").unwrap_or_default().trim();
    // Python and Go sign the host without a default port and send it with one; Node does neither.
    let bare = [":80", ":443"].iter().find_map(|p| host.strip_suffix(p));
    let fits = |host| {
        sign::same(
            &claim.expected(raw, &payload, host, secret),
            &claim.signature,
        )
    };
    if digests_agree && (fits(host) || bare.is_some_and(fits)) {
        return Ok(());
    }
    // This vendor does not show what it signed.
    Err(Refusal::SignatureMismatch {
        string_to_sign: String::new(),
    })
}
