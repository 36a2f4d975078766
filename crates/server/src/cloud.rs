//! The clouds' APIs: raw request, dialect, service, answer.

use crate::App;
use crate::listen::Body;
use crate::log::Line;
use crate::metrics::Kind;
use crate::read::{self, Unread};
use crate::reply::{self, REQUEST_ID};
use claviger_core::refusal::Refusal;
use claviger_dialects::dialect_of;
use claviger_service::Origin;
use claviger_service::cloud::Served;
use http::header::HeaderValue;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use std::time::Instant;
use tokio::time::timeout;

/// What a request gets that bears no vendor's marks.
const UNCLAIMED: &str = "This is claviger. The request bears the marks of no API that is served \
here: use a cloud's SDK with this address as its endpoint, or claviger's own API under \
/claviger/v1/.\n";

/// Answers a request that is meant for one of the clouds.
pub(crate) async fn handle(
    app: &App,
    request: Request<Incoming>,
    origin: Origin,
    begun: Instant,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let limit = app.limits.body_bytes_max;
    let (body, unread) =
        match read::body(&app.body_room, body, &parts, app.limits.body_timeout, limit).await {
            Ok(body) => (body, None),
            Err(Unread::TooLarge(beginning)) => (beginning, Some(Refusal::TooLarge { limit })),
            Err(Unread::TooSlow) => {
                return unclaimed(app, origin, begun, StatusCode::REQUEST_TIMEOUT, SLOW);
            }
            Err(Unread::Broken) => {
                return unclaimed(app, origin, begun, StatusCode::BAD_REQUEST, BROKEN);
            }
        };
    let raw = read::raw(parts, body.bytes);
    let Some(dialect) = dialect_of(&raw) else {
        let status = match unread {
            Some(_) => StatusCode::PAYLOAD_TOO_LARGE,
            None => StatusCode::BAD_REQUEST,
        };
        return unclaimed(app, origin, begun, status, UNCLAIMED);
    };
    let served = match unread {
        Some(refusal) => app.service.refuse(dialect, &raw, &refusal),
        // A change that was begun is finished even if nobody waits for it any more.
        None => {
            let call = app.service.cloud(dialect, &raw, &origin);
            match timeout(app.limits.request_timeout, call).await {
                Ok(served) => served,
                Err(_) => app.service.refuse(dialect, &raw, &Refusal::Unavailable),
            }
        }
    };
    answer(app, served, origin, begun)
}

/// What a client gets whose body does not come.
pub(crate) const SLOW: &str = "The request's body did not come in time.\n";

/// What a client gets whose body cannot be read.
pub(crate) const BROKEN: &str = "The request's body cannot be read.\n";

fn answer(app: &App, served: Served, origin: Origin, begun: Instant) -> Response<Body> {
    let took = begun.elapsed();
    app.metrics.count(
        served.dialect,
        served.action,
        served.code,
        Kind::of_action(served.action),
        took,
    );
    Line {
        request_id: &served.request_id,
        dialect: served.dialect,
        action: served.action,
        code: served.code,
        status: served.answer.status,
        took,
        key: served.key.as_ref(),
        peer: origin.peer,
        reads: Kind::of_action(served.action) == Kind::Read,
    }
    .write();
    reply::raw(served.answer)
}

fn unclaimed(
    app: &App,
    origin: Origin,
    begun: Instant,
    status: StatusCode,
    text: &'static str,
) -> Response<Body> {
    let request_id = app.service.request_id();
    let took = begun.elapsed();
    app.metrics
        .count("none", "unknown", "Unclaimed", Kind::Unknown, took);
    Line {
        request_id: &request_id,
        dialect: "none",
        action: "unknown",
        code: "Unclaimed",
        status: status.as_u16(),
        took,
        key: None,
        peer: origin.peer,
        reads: false,
    }
    .write();
    let mut response = reply::text(status, text);
    if let Ok(value) = HeaderValue::try_from(request_id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
