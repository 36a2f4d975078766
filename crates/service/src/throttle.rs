//! A bound on the requests of each key, and of each action of a key: buckets that refill by the
//! second.
//!
//! Only verified keys and known actions are counted, so the table is as small as their lists.

use claviger_core::clock::Timestamp;
use claviger_core::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct Throttle {
    buckets: Mutex<HashMap<Box<str>, Bucket>>,
}

struct Bucket {
    /// Thousandths of a request that may still be made.
    left_milli: i64,
    filled_at: Timestamp,
}

impl Throttle {
    /// `per_second` requests a second in this scope, as many at once; 0 means no bound.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] if this one is too many.
    pub(crate) fn admit(
        &self,
        scope: &str,
        per_second: u32,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if per_second == 0 {
            return Ok(());
        }
        let rate = i64::from(per_second);
        let full = rate * 1000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(scope) {
            let bucket = Bucket {
                left_milli: full,
                filled_at: now,
            };
            buckets.insert(scope.into(), bucket);
        }
        let refusal = Refusal::Throttled { limit: per_second };
        let Some(bucket) = buckets.get_mut(scope) else {
            return Err(refusal);
        };
        // A clock that went back refills nothing; it only starts anew from there.
        let passed_ms = (now.as_millis() - bucket.filled_at.as_millis()).clamp(0, 1000);
        bucket.left_milli = full.min(bucket.left_milli + passed_ms * rate);
        bucket.filled_at = now;
        if bucket.left_milli < 1000 {
            return Err(refusal);
        }
        bucket.left_milli -= 1000;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refills_by_the_second() {
        let throttle = Throttle::default();
        let admit = |scope, ms| throttle.admit(scope, 2, Timestamp::from_millis(ms)).is_ok();
        assert!(admit("k", 0) && admit("k", 0));
        assert!(!admit("k", 100));
        assert!(admit("other", 100));
        assert!(admit("k", 600));
        assert!(!admit("k", 601));
        assert!(admit("k", 60_000) && admit("k", 60_000));
        assert!(!admit("k", 60_000));
    }

    #[test]
    fn zero_means_no_bound() {
        let throttle = Throttle::default();
        assert!((0..1000).all(|_| throttle.admit("k", 0, Timestamp::default()).is_ok()));
    }
}
