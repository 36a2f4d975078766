//! Users that are on the nodes already become accounts; and what a pass would change there.

use crate::Service;
use crate::native::{NativeContext, NativeError, store_error};
use crate::native_rules::RULES;
use claviger_core::access::Action;
use claviger_core::adopt::{self, Adoption, AdoptionPlan, FoundUsers, UsersAsk};
use claviger_core::ids::{AccountId, AccountName, InstanceId, NodeAddress};
use claviger_core::instance::{Held, InstanceState};
use claviger_core::ports::{Op, StoreError};
use claviger_core::refusal::Refusal;
use claviger_core::sight::InstancePlan;
use serde::Deserialize;

/// Take users over.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptUsers {
    /// These; empty means all that are not accounts.
    #[serde(default)]
    pub users: Vec<String>,
    /// What this node holds is what counts, `host:port`; else all nodes must hold the same.
    #[serde(default)]
    pub from: Option<String>,
    /// Only tell what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// Users that one call may name, and the bytes that a name may have.
const USERS_MAX: usize = 1_000;
const NAME_LEN_MAX: usize = 256;

impl Service {
    /// Makes accounts of users that are on the nodes, without a change on any node that holds
    /// them so already; or tells what that would do.
    ///
    /// # Errors
    /// Permission, an unknown or paused instance, values out of bounds, nodes that do not answer,
    /// a name that was taken meanwhile ([`NativeError::Exists`]), or the store.
    pub async fn adopt(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
        ask: AdoptUsers,
    ) -> Result<AdoptionPlan, NativeError> {
        // Who may make accounts may take them over; roles come with it, so instances as well.
        for action in [Action::AdoptAccount, Action::SetInstance] {
            self.permit(&cx.principal, action, Some(id), &cx.request_id, ())
                .await?;
        }
        let dry_run = ask.dry_run;
        let ask = asked(ask).map_err(NativeError::Invalid)?;
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let held = held.ok_or(Refusal::InstanceNotFound)?;
        if held.instance.state != InstanceState::Running {
            return Err(Refusal::InstanceNotRunning.into());
        }
        let found = self.fleet.users(id, &ask).await?;
        let at = self.now();
        let (plan, adoption) = self.decide_adoption(&held, &found, &ask, dry_run);
        if dry_run || adoption.accounts.is_empty() {
            return Ok(plan);
        }
        let names = adoption.accounts.iter().map(|a| a.account.name.as_str());
        let names: Vec<&str> = names.collect();
        let mut audit = cx
            .call("instance.adopt")
            .audit(&cx.principal, at, id.as_str(), "");
        audit.detail = format!("users {}", names.join(", "));
        let written = self
            .store
            .apply(vec![Op::Adopt(id.clone(), adoption)], Some(audit))
            .await;
        match written {
            Ok(()) => {}
            Err(StoreError::NotFound) => return Err(Refusal::InstanceNotFound.into()),
            Err(failure) => return Err(store_error(&failure, &cx.request_id)),
        }
        self.fleet.wake(id);
        Ok(plan)
    }

    fn decide_adoption(
        &self,
        held: &Held,
        found: &FoundUsers,
        ask: &UsersAsk,
        dry_run: bool,
    ) -> (AdoptionPlan, Adoption) {
        let at = self.now();
        let mut identity = || {
            let mut random = [0; 10];
            self.entropy.fill(&mut random);
            AccountId::from_parts(at, random)
        };
        let mut fresh = adopt::Fresh {
            at,
            identity: &mut identity,
            quota: usize::try_from(RULES.quota).unwrap_or(usize::MAX),
        };
        adopt::plan(held, found, ask, dry_run, &mut fresh)
    }

    /// What would be changed on each node now, and why.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn plan(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
    ) -> Result<InstancePlan, NativeError> {
        self.permit(
            &cx.principal,
            Action::ReadAccounts,
            Some(id),
            &cx.request_id,
            (),
        )
        .await?;
        Ok(self.fleet.plan(id).await?)
    }
}

fn asked(ask: AdoptUsers) -> Result<UsersAsk, String> {
    let fine = |name: &String| {
        (1..=NAME_LEN_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
    };
    if ask.users.len() > USERS_MAX || !ask.users.iter().all(fine) {
        return Err("users: up to 1,000 names of 1 to 256 bytes".into());
    }
    Ok(UsersAsk {
        names: ask.users.into_iter().map(AccountName::new).collect(),
        from: ask.from.map(NodeAddress::new),
    })
}
