//! What a node of a cluster says of the cluster: CLUSTER NODES, from 3.0 on.

use crate::errors::NodeError;
use crate::link::{Batch, Link};
use crate::observe::address;
use crate::reply;
use crate::topology::Peer;
use claviger_core::ids::NodeAddress;
use claviger_core::node::NodeRole;

/// What one node says. Addresses are as announced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The id of the node itself.
    pub(crate) id: Box<str>,
    /// Its own address, if it knows one.
    pub(crate) announced: Option<NodeAddress>,
    /// All nodes that are known with an address, itself included.
    pub(crate) peers: Vec<Peer>,
}

/// Asks a node. `tls`: certificates are for host names, so an announced name goes before an
/// address.
///
/// # Errors
/// When it does not answer, or may not be asked.
pub(crate) async fn look(link: &Link, tls: bool) -> Result<View, NodeError> {
    let mut batch = Batch::new();
    batch.word("CLUSTER NODES");
    let mut replies = link.run(&batch).await?.into_iter();
    let reply = replies.next().unwrap_or(Err(NodeError::Lost))?;
    let text = reply::text(&reply).ok_or(NodeError::Garbage("CLUSTER NODES"))?;
    parse(&text, tls).ok_or(NodeError::Garbage("CLUSTER NODES"))
}

/// `<id> <ip:port@bus[,hostname[,...]]> <flags> <primary> ...`, a line for each node. Left out
/// are nodes that are just being met, and those whose address is not known.
pub(crate) fn parse(text: &str, tls: bool) -> Option<View> {
    let mut view = View::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let (id, place, flags) = (words.next()?, words.next()?, words.next()?);
        let has = |flag: &str| flags.split(',').any(|held| held == flag);
        let announced = place_of(place, tls);
        if has("myself") {
            view.id = id.into();
            view.announced.clone_from(&announced);
        }
        let Some(address) = announced.filter(|_| !has("handshake") && !has("noaddr")) else {
            continue;
        };
        let role = if has("master") {
            NodeRole::Primary
        } else {
            NodeRole::Replica
        };
        view.peers.push(Peer {
            address,
            id: id.into(),
            role,
        });
    }
    (!view.id.is_empty()).then_some(view)
}

fn place_of(place: &str, tls: bool) -> Option<NodeAddress> {
    let mut parts = place.split(',');
    let (endpoint, _bus) = parts.next()?.split_once('@')?;
    let (ip, port) = endpoint.rsplit_once(':')?;
    let name = parts.next().filter(|name| !name.is_empty() && *name != "?");
    let host = match name {
        Some(name) if tls || ip.is_empty() => name,
        _ => ip,
    };
    let known = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
    known.then(|| address(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
aa 127.0.0.1:7001@17001,node-1.example,shard-id=69bc myself,master - 0 0 1 connected 0-5460\n\
bb 127.0.0.1:7002@17002,,tls-port=0 master,fail? - 0 1700000000000 2 connected 5461-10922\n\
cc fd00::3:7003@17003 slave aa 0 1700000000000 1 connected\n\
dd 127.0.0.1:7004@17004 handshake - 0 0 0 connected\n\
ee :0@0 master,noaddr - 0 0 0 disconnected\n";

    #[test]
    fn reads_nodes_of_old_and_new_servers() {
        let view = parse(NODES, false).unwrap_or_default();
        assert_eq!(&*view.id, "aa");
        assert_eq!(view.announced, Some("127.0.0.1:7001".into()));
        let seen: Vec<_> = view
            .peers
            .iter()
            .map(|peer| (peer.address.as_str(), peer.role))
            .collect();
        assert_eq!(
            seen,
            [
                ("127.0.0.1:7001", NodeRole::Primary),
                ("127.0.0.1:7002", NodeRole::Primary),
                ("[fd00::3]:7003", NodeRole::Replica),
            ]
        );
        let view = parse(NODES, true).unwrap_or_default();
        assert_eq!(view.announced, Some("node-1.example:7001".into()));
    }

    #[test]
    fn a_node_that_is_alone_knows_no_address() {
        let view = parse("aa :7001@17001 myself,master - 0 0 0 connected\n", false);
        let view = view.unwrap_or_default();
        assert_eq!((view.announced, view.peers.len()), (None, 0));
        assert_eq!(parse("ERR nonsense", false), None);
        assert_eq!(parse("", false), None);
    }
}
