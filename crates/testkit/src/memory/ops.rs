//! The writes that are not changes of accounts.

use super::{MemoryStore, State, confirm, insert, observe};
use claviger_core::account::Account;
use claviger_core::clock::Timestamp;
use claviger_core::ports::{Op, StoreError, Strikes};
use claviger_core::task::{Task, TaskState};
use std::sync::atomic::Ordering;

impl MemoryStore {
    pub(super) fn apply_one(&self, state: &mut State, op: Op) -> Result<(), StoreError> {
        match op {
            Op::AddInstance {
                instance,
                default_account,
            } => {
                if state.instances.contains_key(&instance.id) {
                    return Err(StoreError::Exists);
                }
                insert(state, *instance, default_account);
            }
            Op::RemoveInstance(id) => {
                state.instances.remove(&id).ok_or(StoreError::NotFound)?;
                state.nodes.remove(&id);
                state.tasks.retain(|task| task.instance != id);
            }
            Op::SetRoles(id, roles) => {
                let held = state.instances.get_mut(&id).ok_or(StoreError::NotFound)?;
                held.instance.revision = held.instance.revision.next();
                held.instance.roles = roles;
                for account in held.accounts.iter_mut().filter(|a| a.is_managed()) {
                    account.revision = held.instance.revision;
                }
            }
            Op::SetState(id, to) => {
                let held = state.instances.get_mut(&id).ok_or(StoreError::NotFound)?;
                held.instance.state = to;
            }
            Op::SetLabels {
                instance,
                name,
                region,
            } => {
                let held = state
                    .instances
                    .get_mut(&instance)
                    .ok_or(StoreError::NotFound)?;
                held.instance.name = name.unwrap_or_else(|| held.instance.name.clone());
                held.instance.region = region.unwrap_or_else(|| held.instance.region.clone());
            }
            Op::SetPolicy(id, policy) => {
                let held = state.instances.get_mut(&id).ok_or(StoreError::NotFound)?;
                held.instance.policy = policy;
            }
            Op::Adopt(id, adoption) => {
                let held = state.instances.get_mut(&id).ok_or(StoreError::NotFound)?;
                let after = adoption.after(&held.instance).ok_or(StoreError::Exists)?;
                let taken = |a: &Account| held.account(a.name.as_str()).is_some();
                if after.accounts.iter().any(taken) {
                    return Err(StoreError::Exists);
                }
                held.instance.revision = after.revision;
                held.instance.roles = after.roles;
                held.accounts.extend(after.accounts);
            }
            Op::ForgetTask(id) => {
                let gone = |task: &Task| task.id == id && task.state != TaskState::Running;
                let at = state.tasks.iter().position(gone);
                state.tasks.remove(at.ok_or(StoreError::NotFound)?);
            }
            Op::Strike(strike) => {
                let lock_ms = i64::from(strike.lock_s) * 1_000;
                let until = Timestamp::from_millis(strike.at.as_millis() + lock_ms);
                let known = state.strikes.entry(strike.scope).or_default();
                let count = if known.until <= strike.at {
                    1
                } else {
                    known.count + 1
                };
                *known = Strikes { count, until };
            }
            Op::ClearStrikes(scope) => {
                state.strikes.remove(&scope);
            }
            Op::Confirm(id, what, at) => confirm(state, &id, &what, at),
            Op::Observe(observed) => {
                self.observations.fetch_add(1, Ordering::Relaxed);
                observe(state, observed);
            }
            Op::AddKey(key) => state.keys.push(key),
            Op::PutRootKey(key) => {
                state.keys.retain(|held| held.id != key.id);
                state.keys.push(key);
            }
            Op::RevokeKey(id, at) => {
                for key in state.keys.iter_mut().filter(|key| key.id == id) {
                    key.revoked_at = Some(at);
                }
            }
            Op::Purge(_) | Op::Fence(..) | Op::Show(..) => {}
        }
        Ok(())
    }
}
