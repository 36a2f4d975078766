//! Waiting for something to become true, with a deadline instead of a hope.

use std::future::Future;
use std::time::{Duration, Instant};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until the answer is yes.
///
/// # Panics
/// When `deadline` has passed; the message says what was waited for.
pub async fn eventually(what: &str, deadline: Duration, mut look: impl FnMut() -> bool) {
    eventually_async(what, deadline, || std::future::ready(look())).await;
}

/// The same for a question that has to be awaited.
///
/// # Panics
/// When `deadline` has passed; the message says what was waited for.
pub async fn eventually_async<F: Future<Output = bool>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) {
    let begun = Instant::now();
    while !look().await {
        assert!(
            begun.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
