//! Which nodes a cluster, or the Sentinels of an instance, list: the union of what several of
//! them say, each view a moment old. Whom nobody has listed for a while has left.

use crate::topology::{NODES_MAX, Peer};
use std::time::Duration;
use tokio::time::Instant;

struct Listed {
    peer: Peer,
    seen: Instant,
}

/// The list.
#[derive(Default)]
pub(crate) struct Roster {
    listed: Vec<Listed>,
    /// When the last view came.
    told: Option<Instant>,
}

impl Roster {
    /// Takes in what one of them says; true if that is new.
    pub(crate) fn take(&mut self, view: Vec<Peer>, now: Instant) -> bool {
        let mut new = false;
        for peer in view {
            let listed = self.listed.len();
            let mut held = self.listed.iter_mut();
            let held = held.find(|held| held.peer.address == peer.address);
            match held {
                Some(held) => {
                    new |= held.peer != peer;
                    held.peer = peer;
                    held.seen = now;
                }
                // One more than is driven, so that it is known that there are more.
                None if listed <= NODES_MAX => {
                    new = true;
                    self.listed.push(Listed { peer, seen: now });
                }
                None => {}
            }
        }
        self.told = Some(now);
        new
    }

    /// Drops whom no view has listed for so long; true if there was anyone. While there is no
    /// view nobody leaves.
    pub(crate) fn expire(&mut self, keep: Duration) -> bool {
        let before = self.listed.len();
        if let Some(told) = self.told {
            self.listed.retain(|held| told - held.seen <= keep);
        }
        self.listed.len() < before
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.listed.iter().map(|held| held.peer.clone()).collect()
    }

    pub(crate) fn is_known(&self) -> bool {
        self.told.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_core::node::NodeRole;

    fn view(addresses: &[&str]) -> Vec<Peer> {
        let peer = |address: &&str| Peer {
            address: (*address).into(),
            id: Box::default(),
            role: NodeRole::Replica,
        };
        addresses.iter().map(peer).collect()
    }

    #[test]
    fn whom_nobody_lists_leaves_after_a_while() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut roster = Roster::default();
        assert!(!roster.is_known());
        assert!(roster.take(view(&["a:1", "b:1"]), start));
        assert!(!roster.take(view(&["b:1"]), start + second));
        assert!(roster.take(view(&["b:1", "c:1"]), start + 2 * second));
        assert!(!roster.expire(2 * second));
        assert_eq!(roster.peers().len(), 3);
        roster.take(view(&["b:1"]), start + 3 * second);
        assert!(roster.expire(2 * second));
        let left: Vec<_> = roster
            .peers()
            .iter()
            .map(|p| p.address.to_string())
            .collect();
        assert_eq!(left, ["b:1", "c:1"]);
        let mut promoted = view(&["b:1"]);
        promoted[0].role = NodeRole::Primary;
        assert!(roster.take(promoted, start + 3 * second));
    }

    #[test]
    fn it_is_bounded() {
        let mut roster = Roster::default();
        let many: Vec<String> = (0..2 * NODES_MAX).map(|n| format!("h:{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        roster.take(view(&many), Instant::now());
        assert_eq!(roster.peers().len(), NODES_MAX + 1);
    }
}
