//! How many connections each address has open. Loopback is not counted: what comes from there is
//! a person on the machine, or a proxy, behind which everyone looks alike.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The counts: as many as there are addresses with connections, so bounded by those.
#[derive(Default)]
pub(crate) struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A connection's place in the count, given back when dropped.
pub(crate) struct Place {
    peers: Arc<Peers>,
    /// `None`: not counted.
    address: Option<IpAddr>,
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

impl Peers {
    /// Counts a connection; `None` if the address has as many as it may.
    pub(crate) fn enter(peers: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let address = counted(address);
        if let Some(address) = address {
            let mut counts = peers.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(address).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        let peers = Arc::clone(peers);
        Some(Place { peers, address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else {
            return;
        };
        let mut counts = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn places_are_given_back() {
        let peers = Arc::new(Peers::default());
        let enter = |text: &str| Peers::enter(&peers, text.parse().unwrap(), 2);
        let (one, two) = (enter("192.0.2.1"), enter("192.0.2.1"));
        assert!(one.is_some() && two.is_some() && enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some());
        drop(one);
        let three = enter("192.0.2.1");
        assert!(three.is_some() && enter("::ffff:192.0.2.1").is_none());
        let network = [enter("2001:db8::1"), enter("2001:db8::2")];
        assert!(enter("2001:db8::3").is_none());
        let local: Vec<_> = (0..10).map(|_| enter("127.0.0.1")).collect();
        assert!(local.iter().all(Option::is_some));
        drop((two, three, network, local));
        assert!(peers.0.lock().unwrap().is_empty());
    }
}
