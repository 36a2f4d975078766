//! For whoever operates the service: alive, ready, figures. Open to anyone who can reach the
//! listener; nothing here is a secret.

use crate::App;
use crate::listen::Body;
use crate::reply;
use http::header::{ALLOW, HeaderValue};
use http::{Method, Response, StatusCode};

const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers if the path is one of these.
pub(crate) fn handle(app: &App, method: &Method, path: &str) -> Option<Response<Body>> {
    let answer: fn(&App) -> Response<Body> = match path {
        "/healthz" => |_| reply::text(StatusCode::OK, "ok\n"),
        "/readyz" => ready,
        "/metrics" => figures,
        _ => return None,
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD only\n");
        let allow = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allow);
        return Some(response);
    }
    Some(answer(app))
}

fn ready(app: &App) -> Response<Body> {
    if app.stop.is_cancelled() {
        return reply::text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if (app.ready)() {
        reply::text(StatusCode::OK, "ready\n")
    } else {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

fn figures(app: &App) -> Response<Body> {
    match app.metrics.text() {
        Ok(text) => reply::of(StatusCode::OK, OPENMETRICS, text),
        Err(_) => reply::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the figures cannot be written\n",
        ),
    }
}
