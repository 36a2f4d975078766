//! The accept loop: a bound on connections, deadlines on each, and an orderly end.

use crate::peers::Peers;
use crate::stall::{Patience, Phase, Watched};
use crate::tls::Tls;
use bytes::Bytes;
use claviger_service::Origin;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The body of every answer: whole, in memory.
pub type Body = Full<Bytes>;

/// Bounds on what clients may take of the service. Every one has a value; none is endless.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue until one ends.
    pub connections_max: usize,
    /// Connections at once from one address other than loopback; more are closed at once.
    pub connections_per_source_max: usize,
    /// From the first byte of a request to the end of its header.
    pub header_timeout: Duration,
    /// Request line and headers together, bytes; checked at each read, so one read more may
    /// pass. At most 100 headers besides.
    pub header_bytes_max: usize,
    /// From the end of the header to the end of the body.
    pub body_timeout: Duration,
    /// A body, bytes.
    pub body_bytes_max: usize,
    /// From the end of the body to the answer; a call that asks to wait may take as much longer
    /// as it asks for.
    pub request_timeout: Duration,
    /// Between two requests on a connection.
    pub idle_timeout: Duration,
    /// A client that does not take its answer.
    pub write_timeout: Duration,
    /// A TLS handshake.
    pub handshake_timeout: Duration,
    /// From the wish to stop to the end of the last connection; what is left then is cut off.
    pub drain_timeout: Duration,
}

impl Limits {
    /// What a service in production starts with.
    pub const PRODUCTION: Limits = Limits {
        connections_max: 4096,
        connections_per_source_max: 1024,
        header_timeout: Duration::from_secs(10),
        header_bytes_max: 64 * 1024,
        body_timeout: Duration::from_secs(20),
        body_bytes_max: 1024 * 1024,
        request_timeout: Duration::from_secs(30),
        // Longer than common client pools keep an unused connection, so that the client closes.
        idle_timeout: Duration::from_secs(75),
        write_timeout: Duration::from_secs(30),
        handshake_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(15),
    };
}

/// Plain HTTP would leave the machine without anyone having asked for it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "plain HTTP on {0} can be read on the way: give a certificate (--tls-cert, --tls-key), listen \
     on a loopback address, or say --insecure-http if something in front does TLS"
)]
pub struct Exposed(pub SocketAddr);

/// Checks that secrets do not go over the network in the clear unless that was asked for.
///
/// # Errors
/// [`Exposed`] for an address other than loopback without TLS and without `insecure_http`.
pub fn check_exposure(listen: SocketAddr, tls: bool, insecure_http: bool) -> Result<(), Exposed> {
    if tls || insecure_http || listen.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(Exposed(listen))
    }
}

/// What answers requests.
pub trait Handle: Send + Sync + 'static {
    /// Answers one; a failure is an answer too.
    fn handle(
        &self,
        request: Request<Incoming>,
        origin: Origin,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// How many connections are open now, for the metrics.
    fn connections(&self, _open: usize) {}
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because they had not ended in time.
    pub cut_off: usize,
}

/// Serves a listener until `stop`; then no connection is accepted any more, requests under way
/// are answered, and what is not done by [`Limits::drain_timeout`] is cut off.
pub async fn serve<H: Handle>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: Limits,
    handler: Arc<H>,
    stop: CancellationToken,
) -> Drained {
    let room = Arc::new(Semaphore::new(limits.connections_max));
    let tracker = TaskTracker::new();
    let cut = CancellationToken::new();
    let shared = Arc::new(Shared {
        limits,
        handler,
        open: AtomicUsize::new(0),
        drain: stop.clone(),
    });
    let peers = Arc::new(Peers::default());
    let accepting = accept_all(&listener, &room, |stream, peer, permit| {
        let Some(place) = Peers::enter(&peers, peer.ip(), limits.connections_per_source_max) else {
            tracing::debug!(%peer, "too many connections from one address");
            return;
        };
        let (shared, tls, cut) = (Arc::clone(&shared), tls.clone(), cut.clone());
        tracker.spawn(async move {
            let open = Open::new(&shared);
            // Dropping a connection's future is how it is cut off.
            let _ = cut
                .run_until_cancelled(connection(&shared, tls, stream, peer))
                .await;
            drop((open, permit, place));
        });
    });
    let _ = stop.run_until_cancelled(accepting).await;
    drop(listener);
    tracker.close();
    let _ = timeout(limits.drain_timeout, tracker.wait()).await;
    let cut_off = tracker.len();
    cut.cancel();
    tracker.wait().await;
    Drained { cut_off }
}

/// How long to pause when the machine has no room for another connection: long enough not to
/// spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts forever. Accepting fails in two ways: this connection is broken already (go on), or
/// descriptors or memory are used up (wait until something ends).
async fn accept_all(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    mut begin: impl FnMut(TcpStream, SocketAddr, OwnedSemaphorePermit),
) {
    let mut complained = false;
    loop {
        let Ok(permit) = Arc::clone(room).acquire_owned().await else {
            return; // Never closed.
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                complained = false;
                begin(stream, peer, permit);
            }
            Err(error) if is_of_the_connection(&error) => {}
            Err(error) => {
                if !complained {
                    tracing::warn!(%error, "no room for another connection");
                }
                complained = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// What all connections of a listener share.
struct Shared<H> {
    limits: Limits,
    handler: Arc<H>,
    open: AtomicUsize,
    drain: CancellationToken,
}

/// Counts a connection as open while it lives.
struct Open<'a, H: Handle>(&'a Shared<H>);

impl<'a, H: Handle> Open<'a, H> {
    fn new(shared: &'a Shared<H>) -> Self {
        let open = shared.open.fetch_add(1, Ordering::Relaxed) + 1;
        shared.handler.connections(open);
        Self(shared)
    }
}

impl<H: Handle> Drop for Open<'_, H> {
    fn drop(&mut self) {
        let open = self.0.open.fetch_sub(1, Ordering::Relaxed) - 1;
        self.0.handler.connections(open);
    }
}

async fn connection<H: Handle>(
    shared: &Shared<H>,
    tls: Option<Arc<Tls>>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    // An answer is one write; there is nothing to wait for. A failure costs latency only.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return speak(shared, stream, Origin { peer, tls: false }).await;
    };
    let handshake = timeout(
        shared.limits.handshake_timeout,
        tls.acceptor().accept(stream),
    );
    match shared.drain.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => speak(shared, stream, Origin { peer, tls: true }).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "no TLS handshake"),
        Some(Err(_)) => tracing::debug!(%peer, "the TLS handshake took too long"),
        None => {}
    }
}

/// HTTP/1 over one connection.
async fn speak<H, S>(shared: &Shared<H>, stream: S, origin: Origin)
where
    H: Handle,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &shared.limits;
    let phase = Phase::new();
    let patience = Patience {
        header: limits.header_timeout,
        idle: limits.idle_timeout,
        write: limits.write_timeout,
    };
    let watched = Watched::new(stream, Arc::clone(&phase), patience);
    let service = service_fn(|request| {
        let phase = &phase;
        async move {
            phase.begin();
            let answer = shared.handler.handle(request, origin).await;
            phase.answer();
            Ok::<_, Infallible>(answer)
        }
    });
    let mut http = http1::Builder::new();
    // The header's deadline is kept by `Watched`, which can tell it from idleness.
    http.header_read_timeout(None)
        .max_buf_size(limits.header_bytes_max.max(HYPER_BUF_MIN));
    let mut connection = pin!(http.serve_connection(TokioIo::new(watched), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %origin.peer, %error, "connection ended");
    }
}

/// hyper refuses smaller buffers.
const HYPER_BUF_MIN: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposure() {
        for (address, tls, insecure, fine) in [
            ("127.0.0.1:1", false, false, true),
            ("127.9.9.9:1", false, false, true),
            ("[::1]:1", false, false, true),
            ("[::ffff:127.0.0.1]:1", false, false, true),
            ("0.0.0.0:1", false, false, false),
            ("[::]:1", false, false, false),
            ("192.0.2.1:1", false, false, false),
            ("192.0.2.1:1", true, false, true),
            ("192.0.2.1:1", false, true, true),
        ] {
            let checked = address
                .parse()
                .map(|address| check_exposure(address, tls, insecure).is_ok());
            assert_eq!(checked, Ok(fine), "{address}");
        }
        let told = "192.0.2.1:1"
            .parse()
            .map(|a| check_exposure(a, false, false));
        let told = told.ok().and_then(Result::err).map(|e| e.to_string());
        assert!(told.is_some_and(|told| told.contains("--insecure-http")));
    }
}
