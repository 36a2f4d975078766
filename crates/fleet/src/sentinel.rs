//! What a Sentinel says, and hearing from it. Sentinels hold no accounts: they are asked, and
//! never changed, but for the password with which they log in to the nodes as the default user.

use crate::config::FleetConfig;
use crate::errors::NodeError;
use crate::keeper::Event;
use crate::link::{self, Access, Batch, Link};
use crate::observe::address;
use crate::reply;
use crate::resp::Value;
use crate::topology::Peer;
use claviger_core::ids::NodeAddress;
use claviger_core::node::NodeRole;
use tokio::sync::mpsc;

/// The most Sentinels of one instance that are held.
pub(crate) const SENTINELS_MAX: usize = 16;
/// What Sentinels tell of that may change who belongs to an instance, or in which part.
const CHANNELS: [&str; 13] = [
    "+switch-master",
    "+promoted-slave",
    "+failover-end",
    "+slave",
    "+slave-reconf-done",
    "+convert-to-slave",
    "+fix-slave-config",
    "+role-change",
    "+reboot",
    "+sdown",
    "-sdown",
    "+sentinel",
    "+reset-master",
];

/// What one Sentinel says of a primary. Addresses are as announced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The Sentinel process's own id.
    pub(crate) run_id: String,
    /// How it calls itself among Sentinels; empty before 6.2.
    pub(crate) my_id: String,
    /// The primary and its replicas.
    pub(crate) peers: Vec<Peer>,
    /// The other Sentinels.
    pub(crate) others: Vec<NodeAddress>,
}

/// Why a Sentinel is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Useless {
    /// It cannot be asked.
    Node(NodeError),
    /// It can, and does not know what we ask for.
    Name(String),
}

impl From<NodeError> for Useless {
    fn from(error: NodeError) -> Self {
        Useless::Node(error)
    }
}

impl std::fmt::Display for Useless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Useless::Node(error) => error.fmt(f),
            Useless::Name(text) => f.write_str(text),
        }
    }
}

/// Asks a Sentinel; without a name it must watch exactly one primary.
///
/// # Errors
/// When it does not answer, is none, or does not know the primary.
pub(crate) async fn look(link: &Link, name: Option<&str>) -> Result<View, Useless> {
    let name = named(link, name).await?;
    let mut batch = Batch::new();
    batch
        .add("SENTINEL MASTER", [&name])
        .add("SENTINEL REPLICAS", [&name])
        .add("SENTINEL SENTINELS", [&name])
        .word("INFO server")
        .word("SENTINEL MYID");
    let mut replies = link.run(&batch).await?.into_iter();
    let mut next = || replies.next().unwrap_or(Err(NodeError::Lost));
    let primary = match next() {
        Err(NodeError::Said { text, .. }) if text.contains("No such master") => {
            return Err(Useless::Name(format!(
                "the Sentinel watches no primary named {name}"
            )));
        }
        other => other?,
    };
    let (replicas, others, server) = (next()?, next()?, next()?);
    let my_id = next().ok();
    Ok(read(
        &primary,
        [&replicas, &others],
        &server,
        my_id.as_ref(),
    )?)
}

/// What the replies say; of the lists, what is no node is passed over.
pub(crate) fn read(
    primary: &Value,
    [replicas, others]: [&Value; 2],
    server: &Value,
    my_id: Option<&Value>,
) -> Result<View, NodeError> {
    let mut view = View::default();
    view.peers.extend(peer(primary, NodeRole::Primary));
    let replicas = reply::list(replicas).unwrap_or_default();
    let replicas = replicas.iter().filter_map(|r| peer(r, NodeRole::Replica));
    view.peers.extend(replicas);
    let others = reply::list(others).unwrap_or_default();
    view.others = others.iter().filter_map(place).collect();
    let server = reply::text(server).ok_or(NodeError::Garbage("INFO"))?;
    view.run_id = reply::info(&server, "run_id")
        .unwrap_or_default()
        .to_owned();
    view.my_id = my_id
        .and_then(|id| reply::text(id).map(|id| id.into_owned()))
        .unwrap_or_default();
    Ok(view)
}

/// That name, or that of the one primary that is watched.
pub(crate) async fn named(link: &Link, name: Option<&str>) -> Result<String, Useless> {
    match name {
        Some(name) => Ok(name.to_owned()),
        None => only_name(link).await,
    }
}

/// How a Sentinel finds the primary, such as `s_down,master,disconnected`.
pub(crate) async fn flags(link: &Link, name: Option<&str>) -> Result<String, Useless> {
    let mut batch = Batch::new();
    batch.add("SENTINEL MASTER", [named(link, name).await?]);
    let reply = link.run(&batch).await?.pop();
    let master = reply.unwrap_or(Err(NodeError::Lost))?;
    let flags = reply::field(&master, "flags");
    Ok(flags.ok_or(NodeError::Garbage("SENTINEL MASTER"))?)
}

async fn only_name(link: &Link) -> Result<String, Useless> {
    let mut batch = Batch::new();
    batch.word("SENTINEL MASTERS");
    let mut replies = link.run(&batch).await?.into_iter();
    let reply = replies.next().unwrap_or(Err(NodeError::Lost))?;
    let masters = reply::list(&reply).unwrap_or_default();
    let names: Vec<String> = masters
        .iter()
        .filter_map(|master| reply::field(master, "name"))
        .collect();
    match names.as_slice() {
        [name] => Ok(name.clone()),
        [] => Err(Useless::Name("the Sentinel watches no primary".into())),
        [first, ..] => Err(Useless::Name(format!(
            "the Sentinel watches {} primaries, one of them {first}: say which by its master name",
            names.len()
        ))),
    }
}

fn place(value: &Value) -> Option<NodeAddress> {
    let (host, port) = (reply::field(value, "ip")?, reply::field(value, "port")?);
    let known = !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
    known.then(|| address(&host, &port))
}

fn peer(value: &Value, role: NodeRole) -> Option<Peer> {
    Some(Peer {
        address: place(value)?,
        id: reply::field(value, "runid").unwrap_or_default().into(),
        role,
    })
}

/// Hears a Sentinel until the connection ends; tells when something may have changed for the
/// primary of that name.
pub(crate) async fn listen(
    access: &Access,
    config: &FleetConfig,
    name: Option<&str>,
    told: (u32, &mpsc::Sender<(u32, Event)>),
) -> NodeError {
    let link = match link::open(access, config).await {
        Ok(link) => link,
        Err(error) => return error,
    };
    let mut batch = Batch::new();
    batch.add("SUBSCRIBE", CHANNELS);
    let (sender, mut heard) = mpsc::channel(1);
    let hear = |message: &Value| {
        if concerns(message, name) {
            // One that waits says all that a second would.
            let _ = sender.try_send(());
        }
    };
    let listening = link.listen(&batch, hear);
    let passing = async {
        while heard.recv().await.is_some() {
            // The driver is gone: nobody needs to know.
            let _ = told.1.send((told.0, Event::Heard)).await;
        }
    };
    tokio::select! {
        error = listening => error,
        () = passing => NodeError::Lost,
    }
}

/// A message (`message`, channel, text), whose text names the primary among its words.
pub(crate) fn concerns(message: &Value, name: Option<&str>) -> bool {
    let Some([kind, _, text]) = reply::list(message) else {
        return false;
    };
    let is_message = reply::text(kind).is_some_and(|kind| kind == "message");
    let text = reply::text(text).unwrap_or_default();
    is_message && name.is_none_or(|name| text.split(' ').any(|word| word == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn messages_of_other_primaries_are_not_heard() {
        let message =
            |text: &str| Value::List(vec![bulk("message"), bulk("+switch-master"), bulk(text)]);
        let switch = message("main 127.0.0.1 7001 127.0.0.1 7002");
        assert!(concerns(&switch, Some("main")) && concerns(&switch, None));
        assert!(!concerns(&switch, Some("other")));
        let slave = message("slave 127.0.0.1:7002 127.0.0.1 7002 @ main 127.0.0.1 7001");
        assert!(concerns(&slave, Some("main")));
        let welcome = Value::List(vec![bulk("subscribe"), bulk("main"), Value::Int(1)]);
        assert!(!concerns(&welcome, Some("main")));
    }

    #[test]
    fn a_place_needs_a_port() {
        let of = |ip: &str, port: &str| {
            let fields = [bulk("ip"), bulk(ip), bulk("port"), bulk(port)];
            place(&Value::List(fields.into()))
        };
        assert_eq!(of("10.0.0.1", "6379"), Some("10.0.0.1:6379".into()));
        assert_eq!(of("10.0.0.1", "0"), None);
        assert_eq!(of("", "6379"), None);
    }
}
