//! Nonces seen, so that a captured request cannot be sent again. Memory is bounded: when the
//! window is full nothing is believed to be fresh, and callers are told to slow down.

use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use sha2::{Digest, Sha256};
use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// At most this many nonces are remembered: 1 million of 16 bytes is some 40 MB with the table.
const NONCES_MAX: usize = 1_000_000;

/// Nonces are dropped a bucket at a time; a bucket covers this much of their expiry time.
const BUCKET_MS: i64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fresh,
    Used,
    Full,
}

/// Digest of a key and its nonce: 128 bits, so that a collision is no one's worry.
pub(crate) fn digest(key: &KeyId, nonce: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(key.as_str().as_bytes());
    hash.update([0]);
    hash.update(nonce.as_bytes());
    let full: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

#[derive(Default)]
pub(crate) struct ReplayWindow(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// Buckets by rising expiry; each holds the digests that expire within its minute.
    buckets: VecDeque<(i64, HashSet<[u8; 16]>)>,
    count: usize,
}

impl ReplayWindow {
    /// Remembers the digest until then.
    pub(crate) fn seen(&self, digest: [u8; 16], until: Timestamp, now: Timestamp) -> Verdict {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        window.drop_expired(now);
        if window.buckets.iter().any(|(_, set)| set.contains(&digest)) {
            return Verdict::Used;
        }
        if window.count >= NONCES_MAX {
            return Verdict::Full;
        }
        window.insert(digest, until.as_millis().div_euclid(BUCKET_MS));
        Verdict::Fresh
    }
}

impl Window {
    fn drop_expired(&mut self, now: Timestamp) {
        let current = now.as_millis().div_euclid(BUCKET_MS);
        while let Some((minute, set)) = self.buckets.front() {
            if *minute >= current {
                break;
            }
            self.count -= set.len();
            self.buckets.pop_front();
        }
    }

    fn insert(&mut self, digest: [u8; 16], minute: i64) {
        self.count += 1;
        let at = self.buckets.partition_point(|(m, _)| *m < minute);
        match self.buckets.get_mut(at) {
            Some((m, set)) if *m == minute => {
                set.insert(digest);
            }
            _ => self.buckets.insert(at, (minute, HashSet::from([digest]))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * BUCKET_MS)
    }

    #[test]
    fn used_until_it_expires() {
        let window = ReplayWindow::default();
        let nonce = digest(&"k".into(), "n");
        assert_eq!(window.seen(nonce, at(31), at(0)), Verdict::Fresh);
        assert_eq!(window.seen(nonce, at(31), at(30)), Verdict::Used);
        assert_eq!(window.seen(nonce, at(31), at(31)), Verdict::Used);
        assert_eq!(window.seen(nonce, at(63), at(32)), Verdict::Fresh);
        assert_ne!(nonce, digest(&"k2".into(), "n"));
    }

    #[test]
    fn buckets_stay_in_order_and_are_dropped() {
        let window = ReplayWindow::default();
        for (n, minute) in [5, 3, 4, 3, 5].into_iter().enumerate() {
            let nonce = digest(&"k".into(), &n.to_string());
            assert_eq!(window.seen(nonce, at(minute), at(0)), Verdict::Fresh);
        }
        let inner =
            |f: &dyn Fn(&Window)| f(&window.0.lock().unwrap_or_else(PoisonError::into_inner));
        inner(&|w| assert_eq!((w.buckets.len(), w.count), (3, 5)));
        assert_eq!(
            window.seen(digest(&"k".into(), "x"), at(9), at(5)),
            Verdict::Fresh
        );
        inner(&|w| assert_eq!((w.buckets.len(), w.count), (2, 3)));
    }
}
