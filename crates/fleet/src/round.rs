//! What a pass does with the nodes: asking whether anything is different, and making them agree.

use crate::crew::{Crew, RETRY_SOON};
use crate::default_user;
use crate::desired::{Desired, Wanted};
use crate::drive;
use crate::errors::Retry;
use crate::join::join_all;
use crate::links;
use crate::member::Member;
use crate::returned;
use crate::sentinel_login::Watchers;
use crate::sweep;
use claviger_core::ids::Revision;
use claviger_core::instance::Held;
use std::sync::Arc;
use tokio::time::Instant;

impl Crew {
    /// Asks every node whether anything is different; true if nothing is. The store is not asked:
    /// what changes there wakes this driver, or is found by the fleet's own listing.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        let context = Arc::clone(&self.context);
        let quiet = self.members.iter_mut().map(async |member| {
            if !drive::has_users(member) || member.default_suspect {
                return false;
            }
            match sweep::suspects(member, &context).await {
                Ok(suspects) => {
                    let quiet = suspects.is_quiet(member);
                    member.swept = (!quiet).then_some(suspects);
                    quiet
                }
                // The pass that follows meets it again, and deals with it.
                Err(_) => false,
            }
        });
        let quiet = join_all(quiet).await.into_iter().all(|quiet| quiet);
        self.quiet_sweeps = self.quiet_sweeps.wrapping_add(1);
        if !self.posts.is_empty() && self.quiet_sweeps.is_multiple_of(links::POSTS_SWEEPS) {
            links::refresh(&mut self.members, &mut self.posts, false, true).await;
        }
        quiet && self.knows_records()
    }

    /// All nodes at once, each at its own pace.
    pub(crate) async fn drive(&mut self, held: &Held, desired: &mut Desired, sweep: bool) {
        let context = Arc::clone(&self.context);
        let id = self.id.clone();
        let told = |member: &Member| context.board.show_node(&id, member);
        let leaving = desired.wants.iter().any(Wanted::is_leaving);
        links::refresh(&mut self.members, &mut self.posts, leaving, sweep).await;
        let (stored, done) = (&held.instance.link_users, &mut self.links_done);
        let staged = links::keep(&self.members, &self.posts, desired, stored, done);
        self.drive_nodes(desired, sweep, &told).await;
        let mut watchers = Watchers {
            posts: &mut self.posts,
            name: self.master_name.as_deref(),
        };
        let by = (&mut self.links_done, &*context);
        let members = &mut self.members;
        if links::advance(members, &mut watchers, desired, &staged, by).await {
            self.drive_nodes(desired, false, &told).await;
        }
        links::mend(&mut self.members, desired, &context).await;
        if returned::remove(&mut self.members, &self.id, desired, &context).await {
            self.drive_nodes(desired, false, &told).await;
        }
        let watchers = Watchers {
            posts: &mut self.posts,
            name: self.master_name.as_deref(),
        };
        default_user::advance(&mut self.members, desired, &context, &told, watchers).await;
        self.reckon_nodes(desired);
    }

    async fn drive_nodes(
        &mut self,
        desired: &Desired,
        sweep: bool,
        told: &(dyn Fn(&Member) + Sync),
    ) {
        let context = &self.context;
        let ready = self.members.iter_mut().filter(|member| member.is_ready());
        let passes = ready.map(|member| drive::node(member, desired, context, sweep, told));
        join_all(passes).await;
    }

    fn reckon_nodes(&mut self, desired: &Desired) {
        for member in self.members.iter_mut().filter(|member| member.is_ready()) {
            match &member.error {
                None => {
                    member.logged = None;
                    member.driven = desired.revision;
                    member.reckon(desired.revision);
                }
                Some(error) => {
                    member.driven = Revision::ZERO;
                    if member.logged.as_ref() != Some(error) {
                        tracing::warn!(
                            instance = %self.id, node = %member.address,
                            "cannot drive the node: {error}"
                        );
                        member.logged = Some(error.clone());
                    }
                    match error.retry() {
                        Retry::Reconnect => member.link.iter().for_each(|link| link.close()),
                        Retry::NextPass => self.retry = Some(Instant::now() + RETRY_SOON),
                        Retry::Sweep => {}
                    }
                }
            }
        }
    }
}
