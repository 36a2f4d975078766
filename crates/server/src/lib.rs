//! HTTP: one listener for the clouds' APIs, claviger's own API, health and metrics.
//!
//! [`listen`] accepts connections and bounds them; `App` sends each request to the room that
//! it is meant for: `admin`, `native` or `cloud`. There is no SQL here, and no rule of a node.

mod admin;
mod cloud;
pub mod listen;
mod log;
pub mod metrics;
mod native;
mod peers;
mod read;
mod reply;
mod stall;
pub mod tls;

use claviger_service::{Origin, Service};
use http::{Request, Response};
use hyper::body::Incoming;
use listen::{Body, Handle, Limits};
use metrics::{Metrics, Provider};
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Whether the service can serve now; called at each `/readyz`, so it must be quick.
pub type Ready = Box<dyn Fn() -> bool + Send + Sync>;

/// What the application is made of.
pub struct Parts {
    /// What answers.
    pub service: Arc<Service>,
    /// The same bounds that the listener is given.
    pub limits: Limits,
    /// Whether it can serve now.
    pub ready: Ready,
    /// Figures of other parts of the program, for `/metrics`.
    pub providers: Vec<Provider>,
    /// The token that also stops the listener: calls that wait for a task end early with it.
    pub stop: CancellationToken,
}

/// Everything that answers requests; give it to [`listen::serve`].
pub struct Server(Arc<App>);

pub(crate) struct App {
    service: Arc<Service>,
    limits: Limits,
    ready: Ready,
    metrics: Metrics,
    body_room: Semaphore,
    stop: CancellationToken,
}

impl Server {
    /// Puts it together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(App {
            service: parts.service,
            limits: parts.limits,
            ready: parts.ready,
            metrics: Metrics::new(parts.providers),
            body_room: read::room(),
            stop: parts.stop,
        }))
    }
}

/// Counts a request as being answered while it lives.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Handle for Server {
    async fn handle(&self, request: Request<Incoming>, origin: Origin) -> Response<Body> {
        let app = &self.0;
        let begun = Instant::now();
        let _in_flight = InFlight::new(&app.metrics.in_flight);
        let path = request.uri().path();
        if let Some(answer) = admin::handle(app, request.method(), path) {
            return answer;
        }
        if native::owns(path) {
            return native::handle(app, request, origin, begun).await;
        }
        cloud::handle(app, request, origin, begun).await
    }

    fn connections(&self, open: usize) {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.0.metrics.connections.set(open);
    }
}
