//! The writes that are not changes of accounts.

use super::{MemoryStore, State, confirm, insert, observe};
use claviger_core::account::Account;
use claviger_core::ports::{Op, StoreError};
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
            Op::Confirm(id, what, at) => confirm(state, &id, &what, at),
            Op::Observe(observed) => {
                self.observations.fetch_add(1, Ordering::Relaxed);
                observe(state, observed);
            }
            Op::SetTags(id, tags) => {
                let held = state.instances.get_mut(&id).ok_or(StoreError::NotFound)?;
                held.instance.tags = tags;
            }
            Op::Audit(entry) => state.trail.put(entry),
            other => drop(state.rights.apply(other)?),
        }
        Ok(())
    }
}
