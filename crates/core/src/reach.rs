//! Where a node is reached that announces another address: behind address translation, in
//! containers, in a cluster with addresses of its own.

use crate::ids::NodeAddress;
use serde::{Deserialize, Serialize};

/// One announced address and where it is reached. Both are `host:port`, or both are `host`, which
/// stands for all its ports. IPv6 hosts stand in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressMap {
    /// What nodes and Sentinels say.
    pub announced: String,
    /// Where to connect instead.
    pub reachable: String,
}

impl AddressMap {
    /// The most of them that one instance may have.
    pub const COUNT_MAX: usize = 512;
    /// The longest address, bytes: a host name takes 253.
    const LEN_MAX: usize = 270;

    /// Both sides are addresses of the same form.
    pub fn is_valid(&self) -> bool {
        let form = |text: &str| {
            let (host, port) = split(text);
            let host_ok = !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'=' && b != b'@');
            let bare = host.starts_with('[') == host.contains(':');
            (host_ok && bare && text.len() <= Self::LEN_MAX).then_some(port.is_some())
        };
        let (one, other) = (form(&self.announced), form(&self.reachable));
        one.is_some() && one == other
    }

    fn apply(&self, address: &NodeAddress) -> Option<NodeAddress> {
        if self.announced == address.as_str() {
            return Some(NodeAddress::from(self.reachable.as_str()));
        }
        let (host, port) = split(address.as_str());
        let port = port?;
        let whole = split(&self.announced) == (host, None);
        whole.then(|| NodeAddress::new(format!("{}:{port}", self.reachable)))
    }
}

/// Host and, if there is one, port.
fn split(text: &str) -> (&str, Option<u16>) {
    let port = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    match port.and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

/// Where the node is reached that announces this address: an entry for host and port goes before
/// one for the host.
pub fn reachable(map: &[AddressMap], announced: &NodeAddress) -> NodeAddress {
    let exact = map.iter().find(|m| m.announced == announced.as_str());
    let entry = exact.into_iter().chain(map);
    entry
        .into_iter()
        .find_map(|entry| entry.apply(announced))
        .unwrap_or_else(|| announced.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(announced: &str, reachable: &str) -> AddressMap {
        AddressMap {
            announced: announced.to_owned(),
            reachable: reachable.to_owned(),
        }
    }

    #[test]
    fn ports_go_before_hosts() {
        let list = [
            map("10.0.0.1", "gate.example"),
            map("10.0.0.1:7001", "127.0.0.1:9001"),
            map("[fd00::1]", "10.9.9.9"),
        ];
        let of = |text: &str| reachable(&list, &NodeAddress::from(text)).to_string();
        assert_eq!(of("10.0.0.1:7001"), "127.0.0.1:9001");
        assert_eq!(of("10.0.0.1:7002"), "gate.example:7002");
        assert_eq!(of("[fd00::1]:7002"), "10.9.9.9:7002");
        assert_eq!(of("10.0.0.11:7002"), "10.0.0.11:7002");
    }

    #[test]
    fn both_sides_have_one_form() {
        for (one, other, fine) in [
            ("10.0.0.1:7001", "127.0.0.1:9001", true),
            ("a.example", "b.example", true),
            ("[fd00::1]", "b.example", true),
            ("[fd00::1]:1", "[::1]:2", true),
            ("fd00::1", "b.example", false),
            ("a.example:1", "b.example", false),
            ("", "b.example", false),
            ("a b", "c", false),
            ("user@h", "c", false),
        ] {
            assert_eq!(map(one, other).is_valid(), fine, "{one} {other}");
        }
    }
}
