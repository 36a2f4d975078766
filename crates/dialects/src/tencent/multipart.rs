//! `multipart/form-data` (RFC 7578) as this vendor's clients write it: one part for each
//! parameter, a list or object as a part of JSON of its own.

use super::json::{self, Value};
use crate::encoding::PARAMS_MAX;
use crate::raw::Params;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// How every reason given here begins; such a refusal has a code of its own.
pub(super) const PREFIX: &str = "multipart";

const NO_BOUNDARY: Why = "multipart body without a valid boundary";
const UNREADABLE: Why = "multipart body that cannot be read";
const NO_NAME: Why = "multipart body with a part that has no name";
const NOT_TEXT: Why = "multipart body with a part that is not UTF-8 text";
const NOT_JSON: Why = "multipart body with a part that is not the JSON that it says";
const TOO_MANY: Why = "multipart body with too many parts";

/// Bound of RFC 2046, section 5.1.1.
const BOUNDARY_LEN_MAX: usize = 70;

/// Bound on the header lines of one part, bytes; real ones have about 80.
const HEAD_LEN_MAX: usize = 1024;

/// The boundary that a content type names, if the type is `multipart/form-data`.
pub(super) fn is_multipart(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameter = |text: &'_ str| -> Option<(usize, usize)> {
        let (name, value) = text.split_once('=')?;
        let at = text.len() - value.len();
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some((at, text.len()))
    };
    let mut found = content_type
        .split(';')
        .skip(1)
        .filter_map(|text| parameter(text).map(|(from, to)| text[from..to].trim()));
    let (first, None) = (found.next()?, found.next()) else {
        return None;
    };
    let text = match first.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => first,
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    let fine = (1..=BOUNDARY_LEN_MAX).contains(&text.len()) && text.bytes().all(legal);
    fine.then_some(text)
}

/// Adds the parts to `params`, lists and objects in the form of a query (`Name.0`).
///
/// # Errors
/// [`Refusal::Malformed`] with a reason that begins with [`PREFIX`].
pub(super) fn read(content_type: &str, body: &[u8], params: &mut Params) -> Result<(), Refusal> {
    let malformed = Refusal::Malformed;
    let boundary = boundary(content_type).ok_or(malformed(NO_BOUNDARY))?;
    let delimiter = format!("\r\n--{boundary}");
    let first = delimiter.as_bytes().get(2..).unwrap_or_default();
    let mut rest = body.strip_prefix(first).ok_or(malformed(UNREADABLE))?;
    let mut parts = 0;
    loop {
        if let Some(end) = rest.strip_prefix(b"--") {
            return match end {
                b"" | b"\r\n" => Ok(()),
                _ => Err(malformed(UNREADABLE)),
            };
        }
        parts += 1;
        if parts > PARAMS_MAX {
            return Err(malformed(TOO_MANY));
        }
        rest = rest.strip_prefix(b"\r\n").ok_or(malformed(UNREADABLE))?;
        let end = position(rest, delimiter.as_bytes()).ok_or(malformed(UNREADABLE))?;
        part(&rest[..end], params)?;
        rest = &rest[end + delimiter.len()..];
    }
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

fn part(bytes: &[u8], params: &mut Params) -> Result<(), Refusal> {
    let window = &bytes[..bytes.len().min(HEAD_LEN_MAX)];
    let at = position(window, b"\r\n\r\n").ok_or(Refusal::Malformed(UNREADABLE))?;
    let head = std::str::from_utf8(&bytes[..at]).map_err(|_| Refusal::Malformed(UNREADABLE))?;
    let value = std::str::from_utf8(&bytes[at + 4..]).map_err(|_| Refusal::Malformed(NOT_TEXT))?;
    let (mut name, mut json) = (None, false);
    for line in head.split("\r\n") {
        let Some((field, content)) = line.split_once(':') else {
            return Err(Refusal::Malformed(UNREADABLE));
        };
        let field = field.trim();
        if field.eq_ignore_ascii_case("content-disposition") {
            name = self::name(content);
        } else if field.eq_ignore_ascii_case("content-type") {
            let kind = content.split(';').next().unwrap_or_default().trim();
            json = kind.eq_ignore_ascii_case("application/json");
        }
    }
    let name = name.ok_or(Refusal::Malformed(NO_NAME))?;
    if json {
        let value = json::value(value).ok_or(Refusal::Malformed(NOT_JSON))?;
        return flatten(name.to_owned(), &value, params);
    }
    push(params, name.to_owned(), value)
}

/// The name in `form-data; name="X"; filename="..."`.
fn name(disposition: &str) -> Option<&str> {
    let mut fields = disposition.split(';').map(str::trim);
    if !fields.next()?.eq_ignore_ascii_case("form-data") {
        return None;
    }
    let value = fields.find_map(|field| field.strip_prefix("name="))?;
    let name = value.strip_prefix('"')?.strip_suffix('"')?;
    (!name.is_empty()).then_some(name)
}

fn push(params: &mut Params, name: String, value: &str) -> Result<(), Refusal> {
    if params.len() >= 2 * PARAMS_MAX {
        return Err(Refusal::Malformed(TOO_MANY));
    }
    params.push(name, Secret::new(value));
    Ok(())
}

fn flatten(name: String, value: &Value, params: &mut Params) -> Result<(), Refusal> {
    match value {
        Value::Plain(text) | Value::Text(text) => push(params, name, text.expose()),
        Value::Int(number) => push(params, name, &number.to_string()),
        Value::Bool(truth) => push(params, name, if *truth { "true" } else { "false" }),
        Value::Null => Ok(()),
        Value::Fraction => Err(Refusal::Malformed(NOT_JSON)),
        Value::List(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| flatten(format!("{name}.{at}"), item, params)),
        Value::Object(members) => members
            .iter()
            .try_for_each(|(member, value)| flatten(format!("{name}.{member}"), value, params)),
    }
}
