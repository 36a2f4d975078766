//! The end of the service: softly on the first signal, at once on the second.

use crate::failure::Failure;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit status of a process that a second signal ended, as shells count it for SIGINT.
const FORCED: i32 = 130;

/// Listens for SIGTERM and SIGINT from now on: the first cancels the token, the second ends the
/// process. Must be called within a runtime.
///
/// # Errors
/// Signals cannot be listened for.
pub(crate) fn begin() -> Result<CancellationToken, Failure> {
    let cannot =
        |error: std::io::Error| Failure::refused(format!("signals cannot be heard: {error}"));
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
                #[expect(
                    clippy::disallowed_methods,
                    reason = "whoever asks twice wants no orderly end; what matters is on disk"
                )]
                std::process::exit(FORCED);
            }
        }
    });
    Ok(stop)
}
