//! Answers in their HTTP form.

use crate::listen::Body;
use bytes::Bytes;
use claviger_dialects::raw::RawAnswer;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// The header under which a request's id is answered, beside whatever a vendor has for it.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer of a given type.
pub(crate) fn of(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// One line of plain words.
pub(crate) fn text(status: StatusCode, line: &'static str) -> Response<Body> {
    of(status, TEXT, line)
}

/// A dialect's answer, header by header. `content-length` and `date` are added on the way out.
pub(crate) fn raw(answer: RawAnswer) -> Response<Body> {
    let mut response = Response::new(Body::new(answer.body.into()));
    // A dialect's statuses and headers are constants of its own; should one not be valid, the
    // answer goes out without it rather than not at all.
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.reserve(answer.headers.len() + 2);
    for (name, value) in answer.headers {
        match HeaderValue::try_from(value) {
            Ok(value) => {
                headers.append(HeaderName::from_static(name), value);
            }
            Err(_) => tracing::warn!(header = name, "a header's value is not valid"),
        }
    }
    response
}
