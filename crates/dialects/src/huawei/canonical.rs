//! The canonical request, which all of this vendor's schemes sign, and its digest.

use super::request;
use crate::encoding::escape;
use crate::raw::RawRequest;
use crate::sign::Hash;

/// Feeds `out` with the canonical request. Path and query must be decodable, which
/// [`request::read`] has seen to. The body's digest is always that of the body as it came: the
/// header in which a client may claim another one is compared with it, never believed.
pub(super) fn request(
    raw: &RawRequest,
    signed_headers: &str,
    hash: Hash,
    out: &mut impl FnMut(&[u8]),
) {
    out(raw.method.as_bytes());
    out(b"\n");
    for segment in request::segments(&raw.path).unwrap_or_default() {
        out(b"/");
        escape(&segment, &mut |chunk| out(chunk.as_bytes()));
    }
    // The slash at the end exists in the signed form only.
    out(b"/\n");
    let query = request::sorted_query(raw.query_str()).unwrap_or_default();
    for (index, (name, value)) in query.iter().enumerate() {
        if index > 0 {
            out(b"&");
        }
        escape(name, &mut |chunk| out(chunk.as_bytes()));
        out(b"=");
        escape(value, &mut |chunk| out(chunk.as_bytes()));
    }
    out(b"\n");
    for name in signed_headers.split(';') {
        let value = raw.header_values(name).next().unwrap_or_default();
        out(name.as_bytes());
        out(b":");
        out(value.trim_ascii());
        out(b"\n");
    }
    out(b"\n");
    out(signed_headers.as_bytes());
    out(b"\n");
    out(hash.hex(&raw.body).as_bytes());
}

/// The digest of the canonical request, in hexadecimal.
pub(super) fn digest(raw: &RawRequest, signed_headers: &str, hash: Hash) -> String {
    let mut digest = hash.digest();
    request(raw, signed_headers, hash, &mut |chunk| digest.update(chunk));
    hex::encode(digest.finish())
}

/// Headers whose values are shown to nobody.
const MASKED: [&str; 2] = ["x-auth-token", "x-security-token"];

/// The canonical request as text for an error: line feeds as bars, as this vendor prints it, and
/// tokens masked.
pub(super) fn shown(raw: &RawRequest, signed_headers: &str, hash: Hash) -> String {
    let mut masked = raw.clone();
    for (name, value) in &mut masked.headers {
        if MASKED.contains(&name.as_str()) {
            *value = b"***".to_vec();
        }
    }
    let mut bytes = Vec::new();
    request(&masked, signed_headers, hash, &mut |chunk| {
        bytes.extend_from_slice(chunk);
    });
    String::from_utf8_lossy(&bytes).replace('\n', "|")
}
