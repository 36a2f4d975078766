//! claviger's own API, under `/claviger/v1/`: JSON in, JSON out.

pub(crate) mod auth;
pub(crate) mod fault;
pub(crate) mod operations;
pub(crate) mod routes;

use crate::App;
use crate::cloud::{BROKEN, SLOW};
use crate::listen::Body;
use crate::log::Line;
use crate::metrics::Kind;
use crate::read::{self, Unread};
use crate::reply::{self, JSON, REQUEST_ID};
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::refusal::Refusal;
use claviger_dialects::native::{SCHEME, Signed};
use claviger_service::Origin;
use claviger_service::ledger::Attempt;
use claviger_service::native::NativeContext;
use fault::Fault;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use operations::{Call, Query, Reply};
use routes::{Args, Found, Operation, PREFIX, Route, find};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Bound on a body, bytes: a thousand node URLs fit.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What a call may take longer that asks every node of an instance.
const NODES_TIMEOUT: Duration = Duration::from_secs(25);

/// Whether a path belongs to this API.
pub(crate) fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What became known of a call on the way.
struct Trace {
    route: Option<&'static Route>,
    key: Option<KeyId>,
    /// What is told of it in the audit trail if it is refused.
    attempt: Attempt,
    /// A header that the refusal asks for.
    header: Option<(HeaderName, HeaderValue)>,
}

/// Answers a request to this API.
pub(crate) async fn handle(
    app: &Arc<App>,
    request: Request<Incoming>,
    origin: Origin,
    begun: Instant,
) -> Response<Body> {
    let request_id = app.service.request_id();
    let mut trace = Trace {
        route: None,
        key: None,
        attempt: Attempt::default(),
        header: None,
    };
    let outcome = answer(app, request, origin, &request_id, &mut trace).await;
    finish(app, outcome, origin, &request_id, trace, begun)
}

async fn answer(
    app: &Arc<App>,
    request: Request<Incoming>,
    origin: Origin,
    request_id: &RequestId,
    trace: &mut Trace,
) -> Result<Reply, Fault> {
    let (parts, body) = request.into_parts();
    let (route, args) = lead(&parts, trace)?;
    trace.route = Some(route);
    if route.operation == Operation::Document {
        return Ok(operations::document());
    }
    note_target(&mut trace.attempt, route, &args);
    let credentials = auth::read(&parts.headers, &origin)?;
    trace.attempt.claimed = Some(credentials.key().clone());
    let body = read_body(app, &parts, body).await?;
    let signed = Signed {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        body: &body.bytes,
    };
    let principal = auth::verify(&app.service, &credentials, signed, &origin).await?;
    trace.key = Some(principal.key.clone());
    trace.attempt.principal = Some(principal.clone());
    takes(route, &parts, &body.bytes)?;
    let call = Call {
        route,
        args,
        query: Query::read(route, parts.uri.query().unwrap_or_default())?,
        body: body.bytes,
        context: NativeContext {
            principal,
            request_id: request_id.to_string(),
            origin,
        },
    };
    perform(app, call).await
}

/// What the request is about, as far as the path tells.
fn note_target(attempt: &mut Attempt, route: &Route, args: &Args) {
    attempt.changes = route.method != "GET" && route.operation != Operation::TestPolicy;
    if route.path.starts_with("/instances/{id}") {
        let mut texts = args.iter();
        attempt.instance = texts.next().cloned().unwrap_or_default();
        attempt.account = texts.next().cloned().unwrap_or_default();
    }
}

/// Tells the audit trail of what was not believed, not permitted, and of changes not made.
fn note_refusal(
    app: &App,
    fault: &Fault,
    (request_id, origin): (&str, Origin),
    route: &Route,
    attempt: Attempt,
) {
    let unsigned = fault.code == Refusal::Unsigned.word();
    let access = matches!(fault.status, 401 | 403) && !unsigned;
    let refused = attempt.changes && attempt.principal.is_some();
    if access || refused {
        let call = claviger_service::execute::Call {
            request_id: request_id.to_owned(),
            dialect: "native",
            action: route.name.to_owned(),
            source: origin.peer.to_string(),
            nonce: None,
        };
        app.service.note_outcome(&call, attempt, fault.code, "");
    }
}

/// The route, or why there is none.
fn lead(parts: &Parts, trace: &mut Trace) -> Result<(&'static Route, Args), Fault> {
    match find(parts.method.as_str(), parts.uri.path()) {
        Found::Route(route, args) => Ok((route, args)),
        Found::Methods(methods) => {
            let allow = HeaderValue::try_from(methods.join(", "));
            trace.header = allow.ok().map(|allow| (ALLOW, allow));
            Err(Refusal::MethodUnsupported.into())
        }
        Found::Nothing => Err(Fault::new(
            404,
            "NoSuchRoute",
            "there is nothing here; /claviger/v1/openapi.json tells what there is",
        )),
    }
}

async fn read_body<'a>(
    app: &'a App,
    parts: &Parts,
    body: Incoming,
) -> Result<read::Whole<'a>, Fault> {
    let limit = app.limits.body_bytes_max.min(BODY_BYTES_MAX);
    read::body(&app.body_room, body, parts, app.limits.body_timeout, limit)
        .await
        .map_err(|unread| match unread {
            Unread::TooLarge(_) => Refusal::TooLarge { limit }.into(),
            Unread::TooSlow => Fault::new(408, "TooSlow", SLOW.trim_end()),
            Unread::Broken => Fault::invalid(BROKEN.trim_end()),
        })
}

/// Whether the route takes what was sent.
fn takes(route: &Route, parts: &Parts, body: &[u8]) -> Result<(), Fault> {
    if body.is_empty() {
        return Ok(());
    }
    if !route.operation.takes_body() {
        return Err(Fault::invalid("this route takes no body"));
    }
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.unwrap_or_default().split(|byte| *byte == b';').next();
    let kind = kind.unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/json") {
        Ok(())
    } else {
        let message = "the body must be application/json";
        Err(Fault::new(415, "MediaTypeUnsupported", message))
    }
}

/// Does it within the deadline. A change is detached from the connection: once begun it is
/// finished, whether or not the client is still there.
async fn perform(app: &Arc<App>, call: Call) -> Result<Reply, Fault> {
    let nodes = match call.route.operation.takes_long() {
        true => NODES_TIMEOUT,
        false => Duration::ZERO,
    };
    let wait = call.query.wait().unwrap_or_default();
    let deadline = app.limits.request_timeout + wait + nodes;
    let changes = call.route.method != "GET";
    let work = operations::run(Arc::clone(app), call);
    let late = |_| Fault::from(Refusal::Unavailable);
    if !changes {
        return timeout(deadline, work).await.map_err(late)?;
    }
    match timeout(deadline, tokio::spawn(work)).await.map_err(late)? {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "a native operation panicked");
            Err(Refusal::Internal.into())
        }
    }
}

fn finish(
    app: &App,
    outcome: Result<Reply, Fault>,
    origin: Origin,
    request_id: &RequestId,
    trace: Trace,
    begun: Instant,
) -> Response<Body> {
    let id = request_id.to_string();
    if let (Err(fault), Some(route)) = (&outcome, trace.route) {
        note_refusal(app, fault, (&id, origin), route, trace.attempt);
    }
    let code = outcome.as_ref().map_or_else(|fault| fault.code, |_| "ok");
    let (status, body) = match outcome {
        Ok(reply) => (reply.status, reply.body),
        Err(fault) => {
            let status = StatusCode::from_u16(fault.status);
            (
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                fault.body(&id),
            )
        }
    };
    let action = trace.route.map_or("unknown", |route| route.name);
    let kind = match trace.route {
        None => Kind::Unknown,
        Some(route) if route.method == "GET" => Kind::Read,
        Some(_) => Kind::Write,
    };
    let took = begun.elapsed();
    app.metrics.count("native", action, code, kind, took);
    Line {
        request_id,
        dialect: "native",
        action,
        code,
        status: status.as_u16(),
        took,
        key: trace.key.as_ref(),
        peer: origin.peer,
        reads: kind == Kind::Read,
    }
    .write();
    let mut response = reply::of(status, JSON, body);
    let headers = response.headers_mut();
    // An answer may carry a new key's secret.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(REQUEST_ID, id);
    }
    if status == StatusCode::UNAUTHORIZED {
        // Basic is not offered: a browser would remember it and send it unasked.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(SCHEME));
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(CONTENT_TYPE);
    }
    headers.extend(trace.header);
    response
}
