//! The clock: callers' signatures are valid for some minutes only, so a wrong one refuses all.

use super::Finding;
use crate::clock::SystemClock;
use claviger_core::clock::Timestamp;
use claviger_core::ports::Clock;

const CHECK: &str = "clock";
/// No true clock shows less: this version did not exist, seconds since the epoch.
const EARLIEST_S: i64 = 1_750_000_000;
/// How far the store may be ahead, ms: less than callers' signatures are allowed.
const AHEAD_MS: i64 = 60_000;

/// Against the newest moment that was written down, if any.
pub(super) fn judge(newest: Option<Timestamp>) -> Finding {
    of(SystemClock.now(), newest)
}

fn of(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    const REMEDY: &str = "set the clock, and keep it by NTP (timedatectl, chronyc)";
    if now.as_secs() < EARLIEST_S {
        return Finding::fail(CHECK, "it is years behind", REMEDY);
    }
    match newest.map(|newest| newest.as_millis().saturating_sub(now.as_millis())) {
        Some(ahead) if ahead > AHEAD_MS => Finding::fail(
            CHECK,
            format!(
                "it is {} s behind the newest entry of the audit trail",
                ahead / 1000
            ),
            REMEDY,
        ),
        Some(_) => Finding::ok(CHECK, "agrees with the newest entry of the audit trail"),
        None => Finding::ok(CHECK, "plausible; nothing is written down to compare with"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Weight;
    use super::*;

    #[test]
    fn verdicts() {
        let at = Timestamp::from_secs;
        let now = EARLIEST_S + 1000;
        assert_eq!(of(at(0), None).result, Weight::Fail);
        assert_eq!(of(at(now), None).result, Weight::Ok);
        assert_eq!(of(at(now), Some(at(now + 59))).result, Weight::Ok);
        assert_eq!(of(at(now), Some(at(now + 61))).result, Weight::Fail);
        assert_eq!(of(at(now), Some(at(now - 9999))).result, Weight::Ok);
    }
}
