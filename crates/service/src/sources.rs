//! Bounds by the address that requests come from: how many, and how many badly signed ones.
//!
//! Loopback is excepted: what comes from there is a person on the machine, or a proxy, behind
//! which everyone looks alike.

use claviger_core::clock::Timestamp;
use claviger_core::refusal::Refusal;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Addresses that are remembered; when there are more, those that were quiet for a while are
/// forgotten, and if that is not enough, all.
const SOURCES_MAX: usize = 65_536;

/// How long bad signatures count and an address is shut out, milliseconds; and how long a quiet
/// address is remembered.
const WINDOW_MS: i64 = 60_000;

/// The bounds; 0 means none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Requests a second.
    pub(crate) per_second_max: u32,
    /// Bad signatures within [`WINDOW_MS`].
    pub(crate) bad_max: u32,
}

#[derive(Default)]
pub(crate) struct Sources(Mutex<HashMap<IpAddr, Source>>);

#[derive(Clone, Copy)]
struct Source {
    /// Thousandths of a request that may still be made.
    left_milli: i64,
    seen_ms: i64,
    bad: u32,
    bad_since_ms: i64,
}

/// What is counted together: an IPv4 address; of IPv6 the network of 64 bits, within which an
/// address costs nothing.
fn counted(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << 64);
            Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
    }
}

impl Sources {
    /// Counts a request.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] if the address made too many, or too many badly signed ones.
    pub(crate) fn admit(
        &self,
        address: IpAddr,
        bounds: Bounds,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let Some(address) = counted(address).filter(|_| bounds.per_second_max + bounds.bad_max > 0)
        else {
            return Ok(());
        };
        let now = now.as_millis();
        let full = i64::from(bounds.per_second_max) * 1_000;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = entry(&mut all, address, full, now);
        let passed = (now - source.seen_ms).clamp(0, 1_000);
        source.left_milli = full.min(source.left_milli + passed * full / 1_000);
        source.seen_ms = now;
        let shut = now - source.bad_since_ms < WINDOW_MS && now >= source.bad_since_ms;
        if bounds.bad_max > 0 && shut && source.bad >= bounds.bad_max {
            return Err(Refusal::Throttled { limit: 0 });
        }
        if bounds.per_second_max == 0 {
            return Ok(());
        }
        if source.left_milli < 1_000 {
            let limit = bounds.per_second_max;
            return Err(Refusal::Throttled { limit });
        }
        source.left_milli -= 1_000;
        Ok(())
    }

    /// Counts a bad signature, an unknown key or a bad token.
    pub(crate) fn strike(&self, address: IpAddr, bounds: Bounds, now: Timestamp) {
        let Some(address) = counted(address).filter(|_| bounds.bad_max > 0) else {
            return;
        };
        let now = now.as_millis();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = i64::from(bounds.per_second_max) * 1_000;
        let source = entry(&mut all, address, full, now);
        if now - source.bad_since_ms >= WINDOW_MS || now < source.bad_since_ms {
            source.bad = 0;
            source.bad_since_ms = now;
        }
        source.bad += 1;
        if source.bad == bounds.bad_max {
            // The last one too many begins the time for which it is shut out.
            source.bad_since_ms = now;
            tracing::warn!(%address, bad = source.bad, "too many bad signatures: shut out");
        }
    }
}

fn entry(all: &mut HashMap<IpAddr, Source>, address: IpAddr, full: i64, now: i64) -> &mut Source {
    if all.len() >= SOURCES_MAX && !all.contains_key(&address) {
        all.retain(|_, source| now - source.seen_ms < WINDOW_MS);
        // Cutting little each time would be slow, and so would be of use to a flood.
        if all.len() >= SOURCES_MAX / 2 {
            all.clear();
        }
    }
    all.entry(address).or_insert(Source {
        left_milli: full,
        seen_ms: now,
        bad: 0,
        bad_since_ms: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn requests_refill() {
        let sources = Sources::default();
        let bounds = Bounds {
            per_second_max: 2,
            bad_max: 0,
        };
        let admit = |text, ms| sources.admit(ip(text), bounds, at(ms)).is_ok();
        assert!(admit("192.0.2.1", 0) && admit("192.0.2.1", 0) && !admit("192.0.2.1", 0));
        assert!(admit("192.0.2.2", 0));
        assert!(admit("192.0.2.1", 500) && !admit("192.0.2.1", 501));
        // Neighbours in one IPv6 network count together; loopback does not count.
        assert!(admit("2001:db8::1", 0) && admit("2001:db8::2", 0) && !admit("2001:db8::3", 0));
        assert!((0..10).all(|_| admit("127.0.0.1", 0) && admit("::1", 0)));
    }

    #[test]
    fn bad_signatures_shut_out_for_a_while() {
        let sources = Sources::default();
        let bounds = Bounds {
            per_second_max: 0,
            bad_max: 3,
        };
        let admit = |ms| sources.admit(ip("192.0.2.1"), bounds, at(ms)).is_ok();
        for ms in [0, 10, 20] {
            assert!(admit(ms));
            sources.strike(ip("192.0.2.1"), bounds, at(ms));
        }
        assert!(!admit(21) && !admit(60_019));
        assert!(sources.admit(ip("192.0.2.2"), bounds, at(21)).is_ok());
        assert!(admit(60_020));
        // Old ones do not count.
        sources.strike(ip("192.0.2.1"), bounds, at(70_000));
        sources.strike(ip("192.0.2.1"), bounds, at(90_000));
        sources.strike(ip("192.0.2.1"), bounds, at(140_001));
        assert!(admit(140_002));
    }

    #[test]
    fn the_table_is_bounded() {
        let sources = Sources::default();
        let bounds = Bounds {
            per_second_max: 1,
            bad_max: 1,
        };
        for n in 0..70_000_u32 {
            let address = IpAddr::V4((0x0A00_0000 + n).into());
            let _ = sources.admit(address, bounds, at(0));
        }
        let all = sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(all.len() <= SOURCES_MAX);
    }
}
