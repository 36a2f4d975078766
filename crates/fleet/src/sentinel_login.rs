//! The Sentinels' login on the nodes, when it is the default user and its password changes.
//!
//! A Sentinel does not say as whom it logs in, but the nodes do: its connections are named after
//! it (`sentinel-<id>-cmd`). Whoever logs in as the default user is told the new password, which
//! it writes to its own file; only then may the former one go. Other logins of Sentinels are not
//! ours, and never touched: see [`Watchers::tell`].

use crate::desired::DEFAULT_USER;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::link::Batch;
use crate::member::Member;
use crate::reply;
use crate::sentinel::{self, Useless};
use crate::watch::Post;
use claviger_core::node::NodeRole;
use claviger_core::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};

/// How much of its id a Sentinel puts into the names of its connections.
const ID_SHOWN: usize = 8;

/// Sentinels (by the shown part of their ids) and the users that they are on one node.
type Logins = BTreeMap<String, BTreeSet<String>>;

/// The same for each node.
#[derive(Default)]
struct Seen(Vec<Logins>);

/// The Sentinels of an instance, and its name there.
pub(crate) struct Watchers<'a> {
    pub(crate) posts: &'a mut [Post],
    pub(crate) name: Option<&'a str>,
}

/// What the nodes say of a Sentinel's login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    /// It has one of its own.
    Other,
    /// It is seen as the default user on every node, and as nobody else. So is one whose login
    /// was refused, which the server does not tell apart.
    Default,
    /// It is seen nowhere.
    Unseen,
    /// It is seen as the default user on some nodes, and not at all on others.
    Partly,
}

impl Watchers<'_> {
    /// Tells the password to those that need it; `print` stands for it. Returns why the former
    /// password is still needed, if it is. To be called when every node answers.
    ///
    /// A Sentinel with a login of its own that is told a password uses that for its own user, and
    /// is locked out of every node. So it is told only what is certain; while it is not, the
    /// former password stays.
    pub(crate) async fn tell(
        &mut self,
        members: &[Member],
        password: &Secret,
        print: u64,
    ) -> Option<String> {
        let open: Vec<&mut Post> = self.posts.iter_mut().collect();
        let mut open: Vec<_> = open.into_iter().filter(|p| p.told != Some(print)).collect();
        if open.is_empty() {
            return None;
        }
        let name = self.name;
        let well = join_all(open.iter().map(|post| is_well(post, name))).await;
        let seen = match logins(members).await {
            Ok(seen) => seen,
            Err(reason) => return Some(reason),
        };
        let mut others = None;
        for (post, well) in open.iter_mut().zip(well) {
            match settle(post, well, &seen, name, password).await {
                Ok(()) => post.told = Some(print),
                Err(error) => others = Some(format!("the Sentinel {} ({error})", post.address)),
            }
        }
        others
    }
}

/// Does what there is to do for one Sentinel.
async fn settle(
    post: &Post,
    well: Result<bool, Useless>,
    seen: &Seen,
    name: Option<&str>,
    password: &Secret,
) -> Result<(), Useless> {
    let login = seen.login(&post.my_id);
    if login == Login::Other {
        return Ok(());
    }
    let well = well?;
    match login {
        Login::Default if well => tell(post, name, password).await,
        // Its login works, and it is not the default user's, or it would be seen; unless it was
        // just making a new connection.
        Login::Unseen if well && is_well(post, name).await? => Ok(()),
        _ => Err(Useless::Name(
            "it is not logged in to every node now, so it cannot be told as whom it logs in".into(),
        )),
    }
}

/// It finds the primary well: it is logged in there.
async fn is_well(post: &Post, name: Option<&str>) -> Result<bool, Useless> {
    let link = post.link.as_ref().ok_or(NodeError::Lost)?;
    let flags = sentinel::flags(link, name).await?;
    let amiss = ["s_down", "o_down", "disconnected"];
    Ok(!flags.split(',').any(|flag| amiss.contains(&flag)))
}

/// Notes as whom each Sentinel logs in to the nodes: asks all of them, or one.
pub(crate) async fn note_users(posts: &mut [Post], members: &[Member], all: bool) {
    let ready = members.iter().filter(|member| member.is_ready());
    let primary = ready
        .clone()
        .position(|member| member.role() == NodeRole::Primary);
    let one = ready.clone().skip(primary.unwrap_or(0)).take(1);
    let asked: Vec<&Member> = if all { ready.collect() } else { one.collect() };
    // A node that does not say is passed over.
    let lists = join_all(asked.into_iter().map(logins_on)).await;
    let mut seen = Logins::new();
    for (id, users) in lists.into_iter().flatten().flatten() {
        seen.entry(id).or_default().extend(users);
    }
    for post in posts {
        let users = match post.my_id.get(..ID_SHOWN) {
            Some(shown) => seen.get(shown).cloned(),
            None => (!seen.is_empty()).then(|| seen.values().flatten().cloned().collect()),
        };
        // One that is not connected is taken to be as it was.
        if let Some(users) = users {
            post.users = users;
        }
    }
}

/// Tells a Sentinel the password of the user that it logs in as.
pub(crate) async fn tell(
    post: &Post,
    name: Option<&str>,
    password: &Secret,
) -> Result<(), Useless> {
    let link = post.link.as_ref().ok_or(NodeError::Lost)?;
    let name = sentinel::named(link, name).await?;
    let mut batch = Batch::new();
    batch.add("SENTINEL SET", [&name, "auth-pass", password.expose()]);
    let reply = link.run(&batch).await?.pop();
    match reply.unwrap_or(Err(NodeError::Lost)) {
        Ok(_) => Ok(()),
        // A server's words may quote what they do not like, which is the password here.
        Err(NodeError::Said { .. }) => {
            Err(Useless::Name("it refuses SENTINEL SET auth-pass".into()))
        }
        Err(error) => Err(error.into()),
    }
}

/// As whom the Sentinels are connected to the nodes; an error names the node that does not say.
async fn logins(members: &[Member]) -> Result<Seen, String> {
    let lists = members.iter().map(logins_on);
    let mut seen = Seen::default();
    for (member, node) in members.iter().zip(join_all(lists).await) {
        let node = node.map_err(|error| format!("{} ({error})", member.address))?;
        seen.0.push(node);
    }
    Ok(seen)
}

async fn logins_on(member: &Member) -> Result<Logins, NodeError> {
    let mut batch = Batch::new();
    batch.add("CLIENT LIST", ["TYPE", "normal"]);
    let link = member.link.as_ref().ok_or(NodeError::Lost)?;
    let list = link.run(&batch).await?.pop();
    let list = list.unwrap_or(Err(NodeError::Lost))?;
    let text = reply::text(&list).ok_or(NodeError::Garbage("CLIENT LIST"))?;
    Ok(note(&text))
}

/// `id=3 addr=... name=sentinel-5b8a77a5-cmd ... user=default ...`, a line for each connection.
fn note(clients: &str) -> Logins {
    let mut logins = Logins::new();
    for line in clients.lines() {
        let field = |name: &str| {
            line.split(' ')
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let id =
            field("name").and_then(|name| name.strip_prefix("sentinel-")?.strip_suffix("-cmd"));
        if let Some(id) = id {
            let users = logins.entry(id.to_owned()).or_default();
            // Before 6.0 there is no other user.
            users.insert(field("user").unwrap_or(DEFAULT_USER).to_owned());
        }
    }
    logins
}

impl Seen {
    /// As whom the Sentinel of that id logs in. Before 6.2 it does not tell its id, and is taken
    /// to do as the others do.
    fn login(&self, id: &str) -> Login {
        let own = id.get(..ID_SHOWN);
        let users = |node: &Logins| -> BTreeSet<String> {
            let its = node
                .iter()
                .filter(|(id, _)| own.is_none_or(|own| own == *id));
            its.flat_map(|(_, users)| users.clone()).collect()
        };
        let nodes: Vec<BTreeSet<String>> = self.0.iter().map(users).collect();
        let default = nodes.iter().filter(|users| !users.is_empty()).count();
        if nodes.iter().flatten().any(|user| user != DEFAULT_USER) {
            Login::Other
        } else if default == 0 {
            Login::Unseen
        } else if default == nodes.len() {
            Login::Default
        } else {
            Login::Partly
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_tell_as_whom_a_sentinel_logs_in() {
        let own = "name=sentinel-bbbbbbbb-cmd age=1 user=watcher\n";
        let first = note(&format!(
            "id=3 addr=127.0.0.1:5 name=sentinel-aaaaaaaa-cmd age=1 user=default resp=2\n\
             id=4 addr=127.0.0.1:6 {own}\
             id=5 addr=127.0.0.1:7 name= user=default\n\
             id=6 addr=127.0.0.1:7 name=sentinel-cccccccc-cmd user=default\n"
        ));
        // One whose login was refused here.
        let second = note(
            "id=3 name=sentinel-aaaaaaaa-cmd user=default\n\
             id=4 name=sentinel-bbbbbbbb-cmd flags=N\n",
        );
        let seen = Seen(vec![first, second]);
        assert_eq!(seen.login(&"a".repeat(40)), Login::Default);
        assert_eq!(seen.login(&"b".repeat(40)), Login::Other);
        assert_eq!(seen.login(&"c".repeat(40)), Login::Partly);
        assert_eq!(seen.login(&"d".repeat(40)), Login::Unseen);
        assert_eq!(seen.login(""), Login::Other);
        assert_eq!(Seen(vec![Logins::new()]).login(""), Login::Unseen);
        assert_eq!(Seen(seen.0[1..].to_vec()).login(""), Login::Default);
    }
}
