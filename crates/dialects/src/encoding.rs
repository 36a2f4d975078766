//! Percent-encoding and forms, as strict as a signature needs them: what is not well formed is
//! refused, never repaired, so that what was signed is exactly what is read.

use crate::raw::Params;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;

/// Parameters that one request may carry, query and body together. The largest known request
/// (DescribeInstances with 20 tags and every filter) has about 80.
pub const PARAMS_MAX: usize = 128;

/// Why a text with a NUL byte is refused: no cloud has a field for one, servers take none in a
/// name, and PostgreSQL none in a text.
pub const NUL: Why = "it has a NUL character";

/// Whether a text has a NUL byte.
pub fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

/// Why a query or form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormError {
    /// A `%` that is not followed by two hexadecimal digits.
    Escape,
    /// Bytes that are not UTF-8.
    Utf8,
    /// A value without a name.
    Nameless,
    /// More than [`PARAMS_MAX`].
    TooMany,
}

impl FormError {
    /// In plain words.
    pub fn why(self) -> Why {
        match self {
            FormError::Escape => "a percent sign is not followed by two hexadecimal digits",
            FormError::Utf8 => "a parameter is not UTF-8",
            FormError::Nameless => "a parameter has no name",
            FormError::TooMany => "too many parameters",
        }
    }
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        Refusal::Malformed(error.why())
    }
}

/// All but `A-Z a-z 0-9 - _ . ~`, which RFC 3986 calls unreserved: what every cloud's signature
/// escapes.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Feeds `out` with the RFC 3986 encoding of `text`: UTF-8, upper-case digits, unreserved
/// characters as they are.
pub fn escape(text: &str, out: &mut impl FnMut(&str)) {
    for chunk in utf8_percent_encode(text, UNRESERVED) {
        out(chunk);
    }
}

/// Feeds `out` with the encoding of the encoding of `text`.
pub fn escape_twice(text: &str, out: &mut impl FnMut(&str)) {
    // A chunk is either clean text or one escape, of which only the percent sign is reserved.
    for chunk in utf8_percent_encode(text, UNRESERVED) {
        match chunk.strip_prefix('%') {
            Some(digits) => {
                out("%25");
                out(digits);
            }
            None => out(chunk),
        }
    }
}

/// The RFC 3986 encoding of `text` at the end of `out`.
pub fn escape_into(text: &str, out: &mut String) {
    escape(text, &mut |chunk| out.push_str(chunk));
}

/// The name-value pairs of a query or form, undecoded. Empty segments are passed over; a segment
/// without `=` has an empty value.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&')
        .filter(|segment| !segment.is_empty())
        .map(|segment| segment.split_once('=').unwrap_or((segment, "")))
}

/// Decodes one name or value of a query or form: `+` is a space, escapes must be well formed,
/// the outcome must be UTF-8.
///
/// # Errors
/// [`FormError::Escape`], [`FormError::Utf8`].
pub fn decode(text: &str) -> Result<Cow<'_, str>, FormError> {
    let Some(first) = text.bytes().position(|byte| matches!(byte, b'%' | b'+')) else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    decoded.extend_from_slice(&bytes[..first]);
    let mut rest = bytes[first..].iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().copied().and_then(digit);
                let low = rest.next().copied().and_then(digit);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(FormError::Escape);
                };
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(decoded)
        .map(Cow::Owned)
        .map_err(|_| FormError::Utf8)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Adds the decoded pairs of a query or form to `params` and says how many it were.
///
/// # Errors
/// Any [`FormError`].
pub fn parse_form(text: &str, params: &mut Params) -> Result<usize, FormError> {
    let before = params.len();
    for (name, value) in pairs(text) {
        if params.len() == PARAMS_MAX {
            return Err(FormError::TooMany);
        }
        let name = decode(name)?;
        if name.is_empty() {
            return Err(FormError::Nameless);
        }
        params.push(name.into_owned(), Secret::new(decode(value)?));
    }
    Ok(params.len() - before)
}

/// Adds the decoded pairs of a form that came as bytes, and says how many it were.
///
/// # Errors
/// Any [`FormError`].
pub fn parse_form_bytes(body: &[u8], params: &mut Params) -> Result<usize, FormError> {
    let text = std::str::from_utf8(body).map_err(|_| FormError::Utf8)?;
    parse_form(text, params)
}

/// Whether an undecoded name of a query or form means `name`.
pub fn names(raw: &str, name: &str) -> bool {
    raw == name || (raw.contains('%') && decode(raw).is_ok_and(|decoded| decoded == name))
}

/// The first value of that name in an undecoded query or form, decoded; `None` also if it cannot
/// be decoded. For a first look at a request that is not parsed yet.
pub fn peek<'a>(text: &'a str, name: &str) -> Option<Cow<'a, str>> {
    pairs(text)
        .find(|(raw, _)| names(raw, name))
        .and_then(|(_, value)| decode(value).ok())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        escape_into(text, &mut out);
        out
    }

    #[test]
    fn rfc_3986() {
        assert_eq!(
            escaped("测试 a~b*c+/=%"),
            "%E6%B5%8B%E8%AF%95%20a~b%2Ac%2B%2F%3D%25"
        );
    }

    #[test]
    fn malformed_is_refused() {
        for (text, error) in [
            ("a=%", FormError::Escape),
            ("a=%2", FormError::Escape),
            ("a=%2g", FormError::Escape),
            ("%zz=1", FormError::Escape),
            ("a=%ff", FormError::Utf8),
            ("a=%C3%28", FormError::Utf8),
            ("=1", FormError::Nameless),
            ("a=1&=", FormError::Nameless),
        ] {
            let mut params = Params::default();
            assert_eq!(parse_form(text, &mut params), Err(error), "{text}");
        }
        let many = "a=1&".repeat(PARAMS_MAX);
        assert_eq!(
            parse_form(&many, &mut Params::default()),
            Ok(PARAMS_MAX),
            "the bound itself is allowed"
        );
        let more = "a=1&".repeat(PARAMS_MAX + 1);
        assert_eq!(
            parse_form(&more, &mut Params::default()),
            Err(FormError::TooMany)
        );
        assert_eq!(
            parse_form_bytes(b"a=\xff", &mut Params::default()),
            Err(FormError::Utf8)
        );
    }

    #[test]
    fn forms() {
        let mut params = Params::default();
        parse_form("&a=1+2&b&c=&&%64=x%3Dy=z&", &mut params).unwrap();
        let all: Vec<_> = params.iter().collect();
        assert_eq!(all, [("a", "1 2"), ("b", ""), ("c", ""), ("d", "x=y=z")]);
        assert_eq!(peek("x=1&%41ction=Q%20z", "Action").unwrap(), "Q z");
        assert_eq!(peek("x=1", "Action"), None);
    }

    proptest! {
        #[test]
        fn decode_inverts_escape(text in any::<String>()) {
            let encoded = escaped(&text);
            prop_assert_eq!(decode(&encoded).unwrap(), text.as_str());
            let mut twice = String::new();
            escape_twice(&text, &mut |chunk| twice.push_str(chunk));
            prop_assert_eq!(twice, escaped(&encoded));
        }

        #[test]
        fn anything_parses_or_is_refused(body in any::<Vec<u8>>()) {
            let mut params = Params::default();
            if parse_form_bytes(&body, &mut params).is_ok() {
                prop_assert!(params.len() <= PARAMS_MAX);
            }
        }
    }
}
