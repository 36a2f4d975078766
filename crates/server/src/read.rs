//! Reading a request: whole, within bounds, and as it came.

use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use tokio::time::timeout;

/// Why a body was not read. What had come by then is kept: it may tell the dialect.
pub(crate) enum Unread {
    /// Larger than the bound.
    TooLarge(Vec<u8>),
    /// The client took too long.
    TooSlow,
    /// The connection broke, or the body's framing is wrong. There may be nobody left to tell.
    Broken,
}

/// How much of an oversized body is read and thrown away, as a multiple of the bound: most
/// clients read no answer before they have sent everything, and would see a broken connection
/// instead of the reason.
const DISCARD_FACTOR: usize = 8;

/// Reads a body up to the bound.
pub(crate) async fn body(
    body: Incoming,
    parts: &Parts,
    patience: Duration,
    bytes_max: usize,
) -> Result<Vec<u8>, Unread> {
    if body.is_end_stream() {
        return Ok(Vec::new());
    }
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    let asks_first = parts.headers.contains_key(http::header::EXPECT);
    if asks_first && announced.is_some_and(|length| length > bytes_max) {
        // The client waits for leave to send: it reads the answer now.
        return Err(Unread::TooLarge(Vec::new()));
    }
    match timeout(patience, collect(body, announced, bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Room that is made on the word of a header alone, bytes; more only as the bytes come.
const ANNOUNCED_MAX: usize = 16 * 1024;

async fn collect(
    mut body: Incoming,
    announced: Option<usize>,
    bytes_max: usize,
) -> Result<Vec<u8>, Unread> {
    let mut whole = Vec::with_capacity(announced.unwrap_or(0).min(ANNOUNCED_MAX));
    let mut discarded = 0_usize;
    let mut too_large = announced.is_some_and(|length| length > bytes_max);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Unread::Broken);
        };
        // Trailers mean nothing to any dialect.
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = bytes_max - whole.len();
        too_large |= data.len() > room;
        let kept = data.len().min(room);
        whole.extend_from_slice(&data[..kept]);
        discarded += data.len() - kept;
        if discarded > bytes_max.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    if too_large {
        Err(Unread::TooLarge(whole))
    } else {
        Ok(whole)
    }
}

/// The request as the dialects want it: nothing decoded, nothing reordered.
pub(crate) fn raw(parts: Parts, body: Vec<u8>) -> RawRequest {
    let uri = parts.uri;
    let mut headers = Vec::with_capacity(parts.headers.len() + 1);
    for (name, value) in &parts.headers {
        headers.push((name.as_str().to_owned(), value.as_bytes().to_vec()));
    }
    // In absolute form the target names the host; a Host header is then for show (RFC 9112,
    // section 3.2.2), and may be missing before HTTP/1.1.
    if let Some(authority) = uri.authority()
        && !parts.headers.contains_key(http::header::HOST)
    {
        headers.push(("host".to_owned(), authority.as_str().as_bytes().to_vec()));
    }
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    RawRequest {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: uri.query().map(Secret::new),
        headers,
        body,
    }
}
