//! How an operator says where nodes and Sentinels are, and how to get in.

use claviger_core::ids::NodeAddress;
use claviger_core::instance::{NodeLogin, NodeSeed, SentinelLogin};
use claviger_core::reach::AddressMap;
use claviger_core::secret::Secret;
use url::Url;

/// Registered nodes of an instance.
const SEEDS_MAX: usize = 1_000;

/// The seeds, and the one login that the URLs carry.
///
/// # Errors
/// In words for the caller, which never repeat a URL.
pub(crate) fn read_nodes(nodes: &[Secret]) -> Result<(Vec<NodeSeed>, NodeLogin), String> {
    if nodes.is_empty() || nodes.len() > SEEDS_MAX {
        return Err("an instance takes 1 to 1,000 nodes".into());
    }
    let mut seeds: Vec<NodeSeed> = Vec::new();
    let mut login: Option<NodeLogin> = None;
    for node in nodes {
        let (seed, this) = read_node(node)?;
        let differs = login
            .as_ref()
            .is_some_and(|login| !same_login(login, &this));
        if differs {
            return Err("all nodes of an instance take the same login".into());
        }
        login = Some(this);
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    Ok((seeds, login.unwrap_or_default()))
}

fn same_login(one: &NodeLogin, other: &NodeLogin) -> bool {
    let passwords = match (&one.password, &other.password) {
        (None, None) => true,
        (Some(one), Some(other)) => one.same_as(other),
        _ => false,
    };
    one.user == other.user && passwords
}

/// Errors never repeat the URL: it may carry a password.
fn read_node(node: &Secret) -> Result<(NodeSeed, NodeLogin), String> {
    let form = "a node is redis://[user[:password]@]host:port, or rediss:// for TLS";
    let url = Url::parse(node.expose()).map_err(|_| form.to_owned())?;
    let tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return Err(form.to_owned()),
    };
    let rest = url.query().is_none() && url.fragment().is_none();
    let host = url
        .host_str()
        .filter(|host| !host.is_empty() && rest)
        .ok_or(form)?;
    if !matches!(url.path(), "" | "/") {
        return Err(form.to_owned());
    }
    let decode = |text: &str| {
        let bytes = percent_encoding::percent_decode_str(text);
        bytes
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| form.to_owned())
    };
    let user = decode(url.username())?;
    let password = url.password().map(decode).transpose()?.map(Secret::new);
    let address = NodeAddress::new(format!("{host}:{}", url.port().unwrap_or(6379)));
    let user = (!user.is_empty()).then_some(user);
    Ok((
        NodeSeed { address, tls },
        NodeLogin {
            user,
            password,
            former: Vec::new(),
            sentinel: None,
        },
    ))
}

/// The login on the Sentinels.
///
/// # Errors
/// A user without a password.
pub(crate) fn sentinel_login(
    user: Option<String>,
    password: Option<Secret>,
) -> Result<Option<SentinelLogin>, String> {
    match (&user, &password) {
        (None, None) => Ok(None),
        (Some(_), None) => Err("a user on the Sentinels takes a password".into()),
        (_, Some(_)) => Ok(Some(SentinelLogin { user, password })),
    }
}

/// The address map is within its bounds.
///
/// # Errors
/// If it is not.
pub(crate) fn map_ok(map: &[AddressMap]) -> Result<(), String> {
    if map.len() <= AddressMap::COUNT_MAX && map.iter().all(AddressMap::is_valid) {
        Ok(())
    } else {
        Err("the address map takes 512 pairs at most, each host:port twice or host twice".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(url: &str) -> Result<(NodeSeed, NodeLogin), String> {
        read_node(&Secret::new(url))
    }

    #[test]
    fn node_urls_are_read() {
        let read = node("rediss://clav:p%40ss@h.example:7001").ok();
        let (seed, login) = read.unzip();
        assert_eq!(
            seed.as_ref().map(|s| (s.address.as_str(), s.tls)),
            Some(("h.example:7001", true))
        );
        let login = login.unwrap_or_default();
        assert_eq!(login.user.as_deref(), Some("clav"));
        assert_eq!(login.password.as_ref().map(|p| p.expose()), Some("p@ss"));
        let bare = node("redis://127.0.0.1").map(|(seed, _)| seed.address.to_string());
        assert_eq!(bare.as_deref(), Ok("127.0.0.1:6379"));
        for bad in [
            "127.0.0.1:6379",
            "http://h:1",
            "redis://h:1/x",
            "redis://",
            "redis://h:1?a",
        ] {
            let told = node(bad).err().unwrap_or_default();
            assert!(told.starts_with("a node is redis://"), "{bad}: {told}");
        }
    }

    #[test]
    fn one_login_for_all_nodes() {
        let urls =
            |list: &[&str]| -> Vec<Secret> { list.iter().map(|u| Secret::new(*u)).collect() };
        assert!(read_nodes(&urls(&["redis://:a@h:1", "redis://:a@h:2"])).is_ok());
        assert!(read_nodes(&urls(&["redis://:a@h:1", "redis://:b@h:2"])).is_err());
        assert!(read_nodes(&[]).is_err());
    }
}
