//! The Sentinels' login on the nodes, when it is the default user and its password changes.
//!
//! A Sentinel does not say as whom it logs in, but the nodes do: its connections are named after
//! it (`sentinel-<id>-cmd`). Whoever logs in as the default user is told the new password, which
//! it writes to its own file; only then may the former one go. Other logins of Sentinels are not
//! ours, and never touched.

use crate::desired::DEFAULT_USER;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::link::Batch;
use crate::member::Member;
use crate::reply;
use crate::sentinel;
use crate::watch::Post;
use claviger_core::node::NodeRole;
use claviger_core::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};

/// How much of its id a Sentinel puts into the names of its connections.
const ID_SHOWN: usize = 8;

/// Sentinels (by the shown part of their ids) and the users that they log in as.
type Logins = BTreeMap<String, BTreeSet<String>>;

/// The Sentinels of an instance, and its name there.
pub(crate) struct Watchers<'a> {
    pub(crate) posts: &'a mut [Post],
    pub(crate) name: Option<&'a str>,
}

impl Watchers<'_> {
    /// Tells the password to those that need it; `print` stands for it. Returns why the former
    /// password is still needed, if it is.
    pub(crate) async fn tell(
        &mut self,
        members: &[Member],
        password: &Secret,
        print: u64,
    ) -> Option<String> {
        let open = |post: &Post| post.told != Some(print);
        if !self.posts.iter().any(open) {
            return None;
        }
        let seen = logins(members).await;
        let mut others = None;
        for post in self.posts.iter_mut().filter(|post| open(post)) {
            match who(&seen, &post.my_id) {
                // It has another login, or one that we cannot see and that works.
                Some(false) => post.told = Some(print),
                None if post.is_ready() && !seen.is_empty() => post.told = Some(print),
                None if !any_default(&seen) && !seen.is_empty() => post.told = Some(print),
                _ => match tell(post, self.name, password).await {
                    Ok(()) => post.told = Some(print),
                    Err(error) => {
                        others = Some(format!("the Sentinel {} ({error})", post.address));
                    }
                },
            }
        }
        others
    }
}

/// Notes as whom each Sentinel logs in to the nodes: asks all of them, or one.
pub(crate) async fn note_users(posts: &mut [Post], members: &[Member], all: bool) {
    let ready = members.iter().filter(|member| member.is_ready());
    let primary = ready
        .clone()
        .position(|member| member.role() == NodeRole::Primary);
    let one = ready.clone().skip(primary.unwrap_or(0)).take(1);
    let asked: Vec<&Member> = if all { ready.collect() } else { one.collect() };
    let seen = logins(asked).await;
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
) -> Result<(), sentinel::Useless> {
    let link = post.link.as_ref().ok_or(NodeError::Lost)?;
    let found;
    let name = match name {
        Some(name) => name,
        None => {
            found = sentinel::only_name(link).await?;
            &found
        }
    };
    let mut batch = Batch::new();
    batch.add("SENTINEL SET", [name, "auth-pass", password.expose()]);
    let reply = link.run(&batch).await?.pop();
    match reply.unwrap_or(Err(NodeError::Lost)) {
        Ok(_) => Ok(()),
        // A server's words may quote what they do not like, which is the password here.
        Err(NodeError::Said { .. }) => Err(sentinel::Useless::Name(
            "it refuses SENTINEL SET auth-pass".into(),
        )),
        Err(error) => Err(error.into()),
    }
}

/// As whom the Sentinels are connected to the nodes that answer.
async fn logins(members: impl IntoIterator<Item = &Member>) -> Logins {
    let mut batch = Batch::new();
    batch.add("CLIENT LIST", ["TYPE", "normal"]);
    let links = members
        .into_iter()
        .filter_map(|member| member.link.as_ref());
    let lists = join_all(links.map(|link| link.run(&batch))).await;
    let mut seen = Logins::new();
    for list in lists.into_iter().flatten().flatten().flatten() {
        if let Some(text) = reply::text(&list) {
            note(&text, &mut seen);
        }
    }
    seen
}

/// `id=3 addr=... name=sentinel-5b8a77a5-cmd ... user=default ...`, a line for each connection.
fn note(clients: &str, seen: &mut Logins) {
    for line in clients.lines() {
        let field = |name: &str| {
            line.split(' ')
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let id =
            field("name").and_then(|name| name.strip_prefix("sentinel-")?.strip_suffix("-cmd"));
        if let (Some(id), Some(user)) = (id, field("user")) {
            let users = seen.entry(id.to_owned()).or_default();
            users.insert(user.to_owned());
        }
    }
}

/// Whether a Sentinel logs in as the default user, if that can be told. Before 6.2 it does not
/// tell its id, and is taken to do as the others do.
fn who(seen: &Logins, id: &str) -> Option<bool> {
    match id.get(..ID_SHOWN) {
        Some(shown) => Some(seen.get(shown)?.contains(DEFAULT_USER)),
        None => (!seen.is_empty()).then(|| any_default(seen)),
    }
}

fn any_default(seen: &Logins) -> bool {
    seen.values().any(|users| users.contains(DEFAULT_USER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_tell_as_whom_a_sentinel_logs_in() {
        let mut seen = Logins::new();
        note(
            "id=3 addr=127.0.0.1:5 name=sentinel-aaaaaaaa-cmd age=1 user=default resp=2\n\
             id=4 addr=127.0.0.1:6 name=sentinel-bbbbbbbb-cmd age=1 user=watcher\n\
             id=5 addr=127.0.0.1:7 name= user=default\n\
             id=6 addr=127.0.0.1:7 name=sentinel-cccccccc-cmd user=watcher\n",
            &mut seen,
        );
        assert_eq!(who(&seen, &"a".repeat(40)), Some(true));
        assert_eq!(who(&seen, &"b".repeat(40)), Some(false));
        assert_eq!(who(&seen, &"d".repeat(40)), None);
        assert_eq!(who(&seen, ""), Some(true));
        assert_eq!(who(&Logins::new(), ""), None);
    }
}
