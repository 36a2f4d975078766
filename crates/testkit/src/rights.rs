//! What a store in memory keeps of keys, policies and failures.

use claviger_core::access::AccessKey;
use claviger_core::access_policy::AccessPolicy;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::ports::{Op, StoreError, Strike, Strikes};
use std::collections::HashMap;

/// Keys, policies and failures.
#[derive(Default)]
pub struct Rights {
    keys: Vec<AccessKey>,
    policies: Vec<AccessPolicy>,
    strikes: HashMap<String, Strikes>,
}

impl Rights {
    /// Does it if it concerns keys or policies; gives it back if not.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Exists`].
    pub fn apply(&mut self, op: Op) -> Result<Option<Op>, StoreError> {
        match op {
            Op::AddKey(key) => {
                if self.key(&key.id).is_some() {
                    return Err(StoreError::Exists);
                }
                self.keys.push(key);
            }
            Op::PutRootKey(key) => {
                self.keys.retain(|held| held.id != key.id);
                self.keys.push(key);
            }
            Op::RevokeKey(id, at) => self.change(&id, |key| key.revoked_at = Some(at))?,
            Op::SetKey(new) => {
                let id = new.id.clone();
                self.change(&id, |key| {
                    *key = AccessKey {
                        role: key.role,
                        scope: key.scope.clone(),
                        created_at: key.created_at,
                        revoked_at: key.revoked_at,
                        last_used_at: key.last_used_at,
                        ..new
                    };
                })?;
            }
            Op::KeysUsed(used) => self.used(&used),
            Op::Strike(strike) => self.strike(strike),
            Op::ClearStrikes(scope) => drop(self.strikes.remove(&scope)),
            Op::PutAccessPolicy(policy) => {
                self.policies.retain(|held| held.name != policy.name);
                self.policies.push(policy);
                self.policies.sort_by(|a, b| a.name.cmp(&b.name));
            }
            Op::RemoveAccessPolicy(name) => {
                let at = self.policies.iter().position(|held| held.name == name);
                self.policies.remove(at.ok_or(StoreError::NotFound)?);
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    fn strike(&mut self, strike: Strike) {
        let lock_ms = i64::from(strike.lock_s) * 1_000;
        let until = Timestamp::from_millis(strike.at.as_millis() + lock_ms);
        let known = self.strikes.entry(strike.scope).or_default();
        let count = match known.until <= strike.at {
            true => 1,
            false => known.count + 1,
        };
        *known = Strikes { count, until };
    }

    /// The failures of a scope.
    pub fn strikes(&self, scope: &str) -> Strikes {
        self.strikes.get(scope).copied().unwrap_or_default()
    }

    fn used(&mut self, used: &[(KeyId, Timestamp)]) {
        for (id, at) in used {
            for key in self.keys.iter_mut().filter(|key| key.id == *id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
    }

    fn change(
        &mut self,
        id: &KeyId,
        change: impl FnOnce(&mut AccessKey),
    ) -> Result<(), StoreError> {
        let key = self.keys.iter_mut().find(|key| key.id == *id);
        change(key.ok_or(StoreError::NotFound)?);
        Ok(())
    }

    /// A key.
    pub fn key(&self, id: &KeyId) -> Option<AccessKey> {
        self.keys.iter().find(|key| key.id == *id).cloned()
    }

    /// All keys.
    pub fn keys(&self) -> Vec<AccessKey> {
        self.keys.clone()
    }

    /// All policies, by name.
    pub fn policies(&self) -> Vec<AccessPolicy> {
        self.policies.clone()
    }
}
