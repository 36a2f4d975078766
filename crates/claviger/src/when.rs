//! Times as people give them: a moment, or a duration from now.

use crate::clock::SystemClock;
use crate::config::duration;
use crate::failure::Failure;
use claviger_core::ports::Clock as _;

fn now_ms() -> i64 {
    SystemClock.now().as_millis()
}

/// A moment such as `2026-01-31T08:00:00Z` in milliseconds since the Unix epoch; of a duration
/// such as `24h`, the moment that lies so far off in the given direction.
fn moment(text: &str, direction: i64) -> Result<i64, Failure> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let off = duration(text.strip_prefix('+').unwrap_or(text)).map_err(|_| {
        Failure::usage(format!(
            "{text:?} is neither a time such as 2026-01-31T08:00:00Z nor a duration such as 24h"
        ))
    })?;
    let off = i64::try_from(off.as_millis()).unwrap_or(i64::MAX / 2);
    Ok((now_ms() + direction * off).max(0))
}

/// A moment, or how long ago.
///
/// # Errors
/// Neither.
pub(crate) fn earlier(text: &str) -> Result<i64, Failure> {
    moment(text, -1)
}

/// A moment, or how far ahead.
///
/// # Errors
/// Neither.
pub(crate) fn later(text: &str) -> Result<i64, Failure> {
    moment(text, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations() {
        assert_eq!(earlier("1970-01-01T00:00:01Z").ok(), Some(1_000));
        let hour = later("1h").unwrap_or(0) - earlier("1h").unwrap_or(0);
        assert!((7_200_000..7_210_000).contains(&hour), "{hour}");
        let day = later("+1d").unwrap_or(0) - later("24h").unwrap_or(0);
        assert!((-10_000..10_000).contains(&day), "{day}");
        for bad in ["", "+", "yesterday", "1970-01-01", "24"] {
            assert!(earlier(bad).is_err(), "{bad}");
        }
    }
}
