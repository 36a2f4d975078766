//! The end of the service: softly on the first signal, at once on the second.

use crate::failure::Failure;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The longest that an orderly end may take before the process leaves anyway: the listener's own
/// drain, and the fleet's and the store's ends after it.
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The exit status of a process that a second signal ended, as shells count it for SIGINT.
const FORCED: i32 = 130;

/// The wish to stop, and who listens for it.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    stop: CancellationToken,
}

impl Life {
    /// Listens for SIGTERM and SIGINT from now on; a second one ends the process.
    ///
    /// # Errors
    /// Signals cannot be listened for.
    pub(crate) fn begin() -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::refused(format!("signals cannot be listened for: {error}"))
        };
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let stop = CancellationToken::new();
        let token = stop.clone();
        tokio::spawn(async move {
            for first in [true, false] {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if first {
                    tracing::info!(signal = name, "stopping; a second signal stops at once");
                    token.cancel();
                } else {
                    tracing::warn!(signal = name, "stopped at once");
                    std::process::exit(FORCED);
                }
            }
        });
        Ok(Self { stop })
    }

    /// The token that is cancelled when the end is wished for.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }
}
