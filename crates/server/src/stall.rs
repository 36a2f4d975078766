//! Deadlines of a connection that no request is to blame for: a header that trickles in, a client
//! that has gone quiet between requests, an answer that nobody reads.
//!
//! The HTTP library has one deadline for "the next header is complete", which an idle connection
//! would run into as well. A client may keep a connection for a minute, but must not take a
//! minute to send a header, so the two are told apart here, at the socket.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a connection is doing, as told by the request handler.
const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const ANSWERING: u8 = 3;

/// Where a connection is in its life; shared by the socket and the request handler.
#[derive(Debug)]
pub(crate) struct Phase(AtomicU8);

impl Phase {
    /// A connection from which a header is expected at once.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU8::new(HEAD)))
    }

    /// A header is complete: from here on the request's own deadlines hold.
    pub(crate) fn begin(&self) {
        self.0.store(BUSY, Ordering::Relaxed);
    }

    /// The answer is ready to be written.
    pub(crate) fn answer(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }
}

/// How long a connection may be in a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// From a header's first byte (or from accepting the connection) to its end.
    pub(crate) header: Duration,
    /// From an answer to the next header's first byte.
    pub(crate) idle: Duration,
    /// Without any progress in writing.
    pub(crate) write: Duration,
}

/// A stream whose reads and writes fail once the client has been waited for too long.
pub(crate) struct Watched<S> {
    stream: S,
    phase: Arc<Phase>,
    patience: Patience,
    /// When the current wait for the client's bytes ends.
    read_by: Instant,
    /// When the current wait for the client to take bytes ends, while there is one.
    write_by: Option<Instant>,
    /// One timer for both; made with the first wait, set again only when it fires or when a
    /// deadline lies before it, so that a busy connection does not touch the timer wheel.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, phase: Arc<Phase>, patience: Patience) -> Self {
        Self {
            stream,
            phase,
            patience,
            read_by: Instant::now() + patience.header,
            write_by: None,
            timer: None,
        }
    }

    /// Fails once `by` has passed; otherwise makes sure that the task is woken then.
    fn wait(&mut self, by: Instant, context: &mut Context<'_>) -> io::Result<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(by)));
        if by < timer.deadline() {
            timer.as_mut().reset(by);
        }
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= by {
                return Err(io::ErrorKind::TimedOut.into());
            }
            timer.as_mut().reset(by);
        }
        Ok(())
    }

    /// Nothing to read now.
    fn read_waits(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.phase.is(IDLE) || self.phase.is(HEAD) {
            self.wait(self.read_by, context)?;
        }
        Ok(())
    }

    /// Bytes of the client came.
    fn read_moves(&mut self) {
        if self.phase.is(IDLE) {
            self.phase.set(HEAD);
            self.read_by = Instant::now() + self.patience.header;
        }
    }

    /// The client does not take bytes now.
    fn write_waits(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let by = *self
            .write_by
            .get_or_insert_with(|| Instant::now() + self.patience.write);
        self.wait(by, context)
    }

    /// The client took bytes. With the first ones of an answer begins the wait for the next
    /// request; the timer is set here, because no read need be tried before that request comes.
    fn write_moves(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.write_by = None;
        if self.phase.is(ANSWERING) {
            self.phase.set(IDLE);
            self.read_by = Instant::now() + self.patience.idle;
            self.wait(self.read_by, context)?;
        }
        Ok(())
    }

    fn write_polled<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        match polled {
            Poll::Pending => {
                self.write_waits(context)?;
                Poll::Pending
            }
            ready => {
                self.write_moves(context)?;
                ready
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) else {
            this.read_waits(context)?;
            return Poll::Pending;
        };
        this.read_moves();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.write_polled(polled, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        this.write_polled(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if flushed.is_pending() {
            this.write_waits(context)?;
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.stream).poll_shutdown(context);
        if closed.is_pending() {
            this.write_waits(context)?;
        }
        closed
    }
}
