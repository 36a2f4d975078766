//! Noticing that nodes came, went, or changed their parts: by what Sentinels tell, by a glance at
//! a cluster now and then. Both only bring the next sweep forward, which finds it by itself.

use crate::cluster;
use crate::context::Lane;
use crate::crew::Crew;
use crate::errors::NodeError;
use crate::join::join_all;
use crate::keeper::{Event, Keeper};
use crate::link::{Access, Link};
use crate::sentinel::{self, SENTINELS_MAX, Useless};
use crate::topology::Peer;
use claviger_core::ids::NodeAddress;
use claviger_core::instance::{Held, NodeLogin, NodeSeed, Topology, TopologyChoice};
use claviger_core::reach::reachable;
use claviger_core::sight::SentinelSight;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The least time between two sweeps that signals have brought forward.
const SIGNAL_GAP: Duration = Duration::from_millis(200);

/// A Sentinel that we hold.
pub(crate) struct Post {
    pub(crate) key: u32,
    pub(crate) address: NodeAddress,
    /// Registered by the operator.
    pub(crate) seed: bool,
    keeper: Keeper,
    pub(crate) link: Option<Arc<Link>>,
    /// It was asked over the present connection.
    asked: bool,
    /// Ends the hearing of it.
    ear: Option<CancellationToken>,
    /// Its process's own id.
    run_id: String,
    /// How it calls itself among Sentinels, and on its connections to nodes.
    pub(crate) my_id: String,
    /// Why it cannot be asked.
    pub(crate) error: Option<Useless>,
    /// Why it cannot be heard.
    deaf: Option<NodeError>,
    /// No Sentinel lists it since then.
    unlisted: Option<Instant>,
    /// The default user's password (short form) that it needs no telling of.
    pub(crate) told: Option<u64>,
    /// As whom it was seen to log in to the nodes last.
    pub(crate) users: BTreeSet<String>,
    /// The account and its password (short form) that it was told last.
    pub(crate) told_link: Option<u64>,
}

impl Post {
    /// It answers, and knows our primary.
    pub(crate) fn is_ready(&self) -> bool {
        self.link.is_some() && self.asked && self.error.is_none()
    }

    fn lose(&mut self) {
        self.link = None;
        self.asked = false;
        if let Some(ear) = self.ear.take() {
            ear.cancel();
        }
    }

    fn sight(&self) -> SentinelSight {
        let error = self.error.as_ref().map(ToString::to_string);
        SentinelSight {
            address: self.address.clone(),
            reachable: self.is_ready(),
            error: error.or_else(|| self.deaf.as_ref().map(|deaf| format!("not heard: {deaf}"))),
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.lose();
    }
}

/// How to get into a Sentinel: by its own login, or by none and then that of the nodes.
pub(crate) fn sentinel_access(held: &claviger_core::instance::Instance, seed: &NodeSeed) -> Access {
    let own = held.login.sentinel.clone();
    let nodes = claviger_core::instance::SentinelLogin {
        user: held.login.user.clone(),
        password: held.login.password.clone(),
    };
    let first = own.clone().unwrap_or_default();
    Access {
        address: seed.address.clone(),
        tls: seed.tls,
        material: held.tls.clone(),
        login: NodeLogin {
            user: first.user,
            password: first.password,
            ..NodeLogin::default()
        },
        sentinel: own.is_none().then_some(nodes),
    }
}

impl Crew {
    /// The registered address is that of a Sentinel, as far as is known.
    pub(crate) fn is_post(&self, held: &Held, address: &NodeAddress) -> bool {
        let instance = &held.instance;
        let was = instance.topology == TopologyChoice::Auto
            && instance.observed_topology == Some(Topology::Sentinel);
        instance.topology == TopologyChoice::Sentinel
            || self.posts.iter().any(|post| post.address == *address)
            || (was && !self.members.iter().any(|member| member.address == *address))
    }

    /// Takes on a Sentinel.
    pub(crate) fn take_post(&mut self, held: &Held, seed: &NodeSeed, registered: bool) {
        if let Some(post) = self.posts.iter_mut().find(|p| p.address == seed.address) {
            post.seed |= registered;
            post.keeper.update(sentinel_access(&held.instance, seed));
            return;
        }
        let known = self.post_aliases.contains(&seed.address);
        if (known && !registered) || self.posts.len() >= SENTINELS_MAX {
            return;
        }
        let key = self.next_key;
        self.next_key += 1;
        let keeper = Keeper::start(
            key,
            sentinel_access(&held.instance, seed),
            Arc::clone(&self.context.config),
            Arc::clone(&self.context.connects),
            self.events.clone(),
        );
        self.posts.push(Post {
            key,
            address: seed.address.clone(),
            seed: registered,
            keeper,
            link: None,
            asked: false,
            ear: None,
            run_id: String::new(),
            my_id: String::new(),
            error: None,
            deaf: None,
            unlisted: None,
            told: None,
            users: BTreeSet::new(),
            told_link: None,
        });
    }

    /// Takes in what a Sentinel's keeper, or its ear, tells.
    pub(crate) fn absorb_post(&mut self, at: usize, event: Event) -> Option<Lane> {
        let context = Arc::clone(&self.context);
        let (events, name) = (self.events.clone(), self.master_name.clone());
        let access = self.posts[at].keeper.access();
        let post = &mut self.posts[at];
        let lane = match event {
            Event::Up(link) => {
                post.lose();
                post.link = Some(link);
                post.deaf = None;
                let ear = CancellationToken::new();
                post.ear = Some(ear.clone());
                let key = post.key;
                tokio::spawn(async move {
                    let told = (key, &events);
                    let listening =
                        sentinel::listen(&access, &context.config, name.as_deref(), told);
                    tokio::select! {
                        () = ear.cancelled() => {}
                        error = listening => {
                            let _ = events.send((key, Event::Deaf(Box::new(error)))).await;
                        }
                    }
                });
                Some(Lane::Repair)
            }
            Event::Down => {
                post.lose();
                post.error = Some(NodeError::Lost.into());
                tracing::warn!(instance = %self.id, sentinel = %post.address, "connection lost");
                None
            }
            Event::Failed(error) => {
                let error = Useless::Node(*error);
                if post.error.as_ref() != Some(&error) {
                    tracing::warn!(
                        instance = %self.id, sentinel = %post.address,
                        "cannot reach the Sentinel: {error}"
                    );
                }
                post.error = Some(error);
                None
            }
            Event::Deaf(error) => {
                // Without the right to subscribe there is still the sweep; anything else is
                // mended by another connection.
                if !matches!(*error, NodeError::Denied { .. })
                    && let Some(link) = &post.link
                {
                    link.close();
                }
                post.deaf = Some(*error);
                None
            }
            Event::Heard => {
                self.signal();
                None
            }
            Event::Glanced(_) | Event::Saved(..) => None,
        };
        self.show_posts();
        lane
    }

    /// As [`Crew::urge`] or [`Crew::urge_new`].
    pub(crate) fn urge_posts(&self, new: bool) {
        let waited = |post: &&Post| post.link.is_none() && !(new && post.error.is_some());
        for post in self.posts.iter().filter(waited) {
            post.keeper.urge();
        }
    }

    /// Shows the Sentinels on the board.
    pub(crate) fn show_posts(&self) {
        self.context
            .board
            .show_sentinels(&self.id, self.sentinels());
    }

    pub(crate) fn sentinels(&self) -> Vec<SentinelSight> {
        self.posts.iter().map(Post::sight).collect()
    }

    /// Something may have changed on the nodes: looks them over soon, and tries at once to reach
    /// those that are away.
    pub(crate) fn signal(&mut self) {
        let soon = self
            .last_sweep
            .map_or_else(Instant::now, |last| (last + SIGNAL_GAP).max(Instant::now()));
        self.next_sweep = self.next_sweep.min(soon);
        self.call_now();
    }

    /// Asks the Sentinels: all of them, or those that are newly connected.
    pub(crate) async fn consult(&mut self, all: bool) {
        let name = self.master_name.clone();
        let asked = self.posts.iter_mut();
        let asked = asked.filter(|post| post.link.is_some() && (all || !post.asked));
        let views = join_all(asked.map(|post| consult_one(post, name.as_deref()))).await;
        let (now, mut others) = (Instant::now(), Vec::new());
        let answered = views.iter().any(Option::is_some);
        for view in views.into_iter().flatten() {
            let peers = self.mapped(view.peers);
            self.unfollowed |= self.roster.take(peers, now);
            others.extend(view.others.iter().map(|o| reachable(&self.map, o)));
        }
        if answered {
            self.unfollowed |= self.roster.expire(self.context.config.detached_keep);
            self.follow_posts(&others);
        }
    }

    pub(crate) fn mapped(&self, mut peers: Vec<Peer>) -> Vec<Peer> {
        for peer in &mut peers {
            peer.address = reachable(&self.map, &peer.address);
        }
        peers
    }

    /// Takes note of the Sentinels that others list, and lets go of found ones that left.
    fn follow_posts(&mut self, others: &[NodeAddress]) {
        for address in others {
            let known = self.posts.iter().any(|post| post.address == *address);
            let noted = self.other_posts.contains(address) || self.post_aliases.contains(address);
            if !known && !noted && self.other_posts.len() < SENTINELS_MAX {
                self.other_posts.push(address.clone());
                self.unfollowed = true;
            }
        }
        // One Sentinel may be known by two addresses, as registered and as others list it.
        let mut doubles = Vec::new();
        for (at, post) in self.posts.iter().enumerate() {
            let mut before = self.posts[..at].iter().chain(&self.posts[at + 1..]);
            let twin = before.any(|twin| {
                twin.seed && twin.is_ready() && post.is_ready() && twin.run_id == post.run_id
            });
            if twin && !post.seed && !post.run_id.is_empty() {
                doubles.push(post.address.clone());
            }
        }
        self.posts.retain(|post| !doubles.contains(&post.address));
        self.post_aliases.extend(doubles);
        let (now, keep) = (Instant::now(), self.context.config.detached_keep);
        for post in &mut self.posts {
            if post.seed || post.is_ready() || others.contains(&post.address) {
                post.unlisted = None;
            } else {
                post.unlisted.get_or_insert(now);
            }
        }
        self.posts.retain(|post| {
            let since = post.unlisted.map(|since| now - since);
            since.is_none_or(|since| since <= keep)
        });
    }

    /// Why the instance cannot be found, if no Sentinel could say.
    pub(crate) fn unfound(&self) -> Option<String> {
        if self.roster.is_known() {
            return None;
        }
        self.posts.iter().find_map(|post| match &post.error {
            Some(error @ Useless::Name(_)) => Some(error.to_string()),
            _ => None,
        })
    }

    /// When a cluster is glanced at next.
    pub(crate) fn glance_due(&self) -> Option<Instant> {
        let cluster = self.shape.is(Topology::Cluster) && !self.glancing;
        cluster.then_some(self.next_glance)
    }

    /// Asks one node of a cluster, in turn, for its list.
    pub(crate) fn glance(&mut self) {
        let now = Instant::now();
        if self.glance_due().is_none_or(|due| due > now) {
            return;
        }
        self.next_glance = now + crate::keeper::jittered(self.context.config.glance_interval);
        let ready: Vec<_> = self.members.iter().filter(|m| m.is_ready()).collect();
        self.glance_turn = self.glance_turn.wrapping_add(1);
        let Some(member) = ready.get(self.glance_turn % ready.len().max(1)) else {
            return;
        };
        let (key, tls, Some(link)) = (member.key, member.tls, member.link.clone()) else {
            return;
        };
        self.glancing = true;
        let events = self.events.clone();
        tokio::spawn(async move {
            let view = cluster::look(&link, tls).await.ok();
            // The driver is gone: nobody needs to know.
            let _ = events.send((key, Event::Glanced(view))).await;
        });
    }

    /// Takes in what came of it.
    pub(crate) fn glanced(&mut self, key: u32, view: Option<cluster::View>) {
        self.glancing = false;
        let Some(view) = view else { return };
        if let Some(facts) = self
            .members
            .iter_mut()
            .find(|member| member.key == key)
            .and_then(|member| member.facts.as_mut())
        {
            (facts.node_id, facts.announced) = (view.id, view.announced);
        }
        let peers = self.mapped(view.peers);
        let new = self.roster.take(peers, Instant::now());
        if self.roster.expire(self.context.config.detached_keep) || new {
            self.unfollowed = true;
            self.signal();
        }
    }
}

async fn consult_one(post: &mut Post, name: Option<&str>) -> Option<sentinel::View> {
    let link = post.link.clone()?;
    post.asked = true;
    match sentinel::look(&link, name).await {
        Ok(mut view) => {
            post.run_id = std::mem::take(&mut view.run_id);
            post.my_id = std::mem::take(&mut view.my_id);
            post.error = None;
            Some(view)
        }
        Err(error) => {
            if let Useless::Node(error) = &error
                && error.retry() == crate::errors::Retry::Reconnect
            {
                link.close();
            }
            post.error = Some(error);
            None
        }
    }
}
