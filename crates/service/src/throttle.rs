//! A bound on the requests of each key: a bucket that refills by the second.
//!
//! Only verified keys are counted, so the table is as small as the list of keys.

use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub(crate) struct Throttle {
    per_second: u32,
    buckets: Mutex<HashMap<KeyId, Bucket>>,
}

struct Bucket {
    /// Thousandths of a request that may still be made.
    left_milli: i64,
    filled_at: Timestamp,
}

impl Throttle {
    /// `per_second` requests a second and key, as many at once; 0 means no bound.
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            buckets: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) fn admit(&self, key: &KeyId, now: Timestamp) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let rate = i64::from(self.per_second);
        let full = rate * 1000;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(key) {
            buckets.insert(
                key.clone(),
                Bucket {
                    left_milli: full,
                    filled_at: now,
                },
            );
        }
        let Some(bucket) = buckets.get_mut(key) else {
            return false;
        };
        // A clock that went back refills nothing; it only starts anew from there.
        let passed_ms = (now.as_millis() - bucket.filled_at.as_millis()).clamp(0, 1000);
        bucket.left_milli = full.min(bucket.left_milli + passed_ms * rate);
        bucket.filled_at = now;
        let may = bucket.left_milli >= 1000;
        if may {
            bucket.left_milli -= 1000;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refills_by_the_second() {
        let throttle = Throttle::new(2);
        let key = KeyId::from("k");
        let at = Timestamp::from_millis;
        assert!(throttle.admit(&key, at(0)) && throttle.admit(&key, at(0)));
        assert!(!throttle.admit(&key, at(100)));
        assert!(throttle.admit(&"other".into(), at(100)));
        assert!(throttle.admit(&key, at(600)));
        assert!(!throttle.admit(&key, at(601)));
        assert!(throttle.admit(&key, at(60_000)) && throttle.admit(&key, at(60_000)));
        assert!(!throttle.admit(&key, at(60_000)));
    }

    #[test]
    fn zero_means_no_bound() {
        let throttle = Throttle::new(0);
        assert!((0..1000).all(|_| throttle.admit(&"k".into(), Timestamp::default())));
    }
}
