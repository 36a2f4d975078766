//! Reading a request: whole, within bounds, and as it came.

use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// A body, and the room that it takes of what all bodies may take together.
pub(crate) struct Whole<'a> {
    pub(crate) bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'a>>,
}

impl Whole<'_> {
    fn empty() -> Self {
        Self {
            bytes: Vec::new(),
            _room: None,
        }
    }
}

/// Why a body was not read. What had come by then is kept: it may tell the dialect.
pub(crate) enum Unread<'a> {
    /// Larger than the bound.
    TooLarge(Whole<'a>),
    /// The client took too long.
    TooSlow,
    /// The connection broke, or the body's framing is wrong. There may be nobody left to tell.
    Broken,
}

/// How much of an oversized body is read and thrown away, as a multiple of the bound: most
/// clients read no answer before they have sent everything, and would see a broken connection
/// instead of the reason.
const DISCARD_FACTOR: usize = 8;

/// Bodies up to this size take no room: every known call of a cloud is smaller.
const SMALL_BYTES_MAX: usize = 16 * 1024;

/// Room for all larger bodies together, KiB. Who finds none waits, and is not read meanwhile.
const LARGE_KIB_MAX: usize = 64 * 1024;

/// The room for larger bodies, a permit for each KiB.
pub(crate) fn room() -> Semaphore {
    Semaphore::new(LARGE_KIB_MAX)
}

/// Reads a body up to the bound.
pub(crate) async fn body<'a>(
    room: &'a Semaphore,
    body: Incoming,
    parts: &Parts,
    patience: Duration,
    bytes_max: usize,
) -> Result<Whole<'a>, Unread<'a>> {
    if body.is_end_stream() {
        return Ok(Whole::empty());
    }
    let announced = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    let asks_first = parts.headers.contains_key(http::header::EXPECT);
    if asks_first && announced.is_some_and(|length| length > bytes_max) {
        // The client waits for leave to send: it reads the answer now.
        return Err(Unread::TooLarge(Whole::empty()));
    }
    match timeout(patience, collect(room, body, announced, bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(Unread::TooSlow),
    }
}

async fn collect(
    room: &Semaphore,
    mut body: Incoming,
    announced: Option<usize>,
    bytes_max: usize,
) -> Result<Whole<'_>, Unread<'_>> {
    // No more room is made on the word of a header alone.
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(SMALL_BYTES_MAX));
    let mut taken = None;
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
        let left = bytes_max - bytes.len();
        too_large |= data.len() > left;
        let kept = data.len().min(left);
        if taken.is_none() && bytes.len() + kept > SMALL_BYTES_MAX {
            taken = Some(take(room, bytes_max).await?);
        }
        bytes.extend_from_slice(&data[..kept]);
        discarded += data.len() - kept;
        if discarded > bytes_max.saturating_mul(DISCARD_FACTOR) {
            break;
        }
    }
    let whole = Whole {
        bytes,
        _room: taken,
    };
    if too_large {
        Err(Unread::TooLarge(whole))
    } else {
        Ok(whole)
    }
}

/// Room for one large body. It is taken whole and at once, so that no two bodies wait for each
/// other with half of it.
async fn take(room: &Semaphore, bytes_max: usize) -> Result<SemaphorePermit<'_>, Unread<'_>> {
    let kib = bytes_max.div_ceil(1024).min(LARGE_KIB_MAX);
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    // It is never closed.
    room.acquire_many(kib).await.map_err(|_| Unread::TooSlow)
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
