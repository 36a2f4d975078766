//! Failures in a row that lock for a while: wrong old passwords, bad signatures. They are counted
//! in the store, so that they hold over restarts and for every process on one store.

use crate::Service;
use crate::execute::store_refusal;
use claviger_core::clock::Timestamp;
use claviger_core::command::{Command, ModifyAccount, Target};
use claviger_core::ids::KeyId;
use claviger_core::ports::{Op, Strike};
use claviger_core::refusal::Refusal;
use claviger_core::rules::Lockout;

/// Whose password is tried.
pub(crate) fn password_scope(command: &Command) -> Option<String> {
    let Command::Modify(ModifyAccount {
        instance,
        target,
        password: Some(change),
        ..
    }) = command
    else {
        return None;
    };
    change.old.as_ref()?;
    // Name and identity are counted apart: a caller uses one of them.
    let account = match target {
        Target::Name(name) => format!("name/{name}"),
        Target::Id(id) => format!("id/{id}"),
        Target::Default => "default".to_owned(),
    };
    Some(format!("password/{instance}/{account}"))
}

/// Whose signature is tried.
pub(crate) fn signature_scope(dialect: &str, key: &KeyId) -> String {
    format!("signature/{dialect}/{key}")
}

impl Service {
    /// How long the scope is locked yet, milliseconds; `None` if it is not.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn locked_ms(
        &self,
        scope: &str,
        rule: Lockout,
        request_id: &str,
    ) -> Result<Option<i64>, Refusal> {
        let strikes = self.store.strikes(scope).await;
        let strikes = strikes.map_err(|failure| store_refusal(&failure, request_id))?;
        let left = strikes.until.as_millis() - self.now().as_millis();
        Ok((strikes.count >= rule.tries_max && left > 0).then_some(left))
    }

    /// Counts a failure; how many tries are left.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn strike(
        &self,
        scope: &str,
        rule: Lockout,
        request_id: &str,
    ) -> Result<u32, Refusal> {
        let strike = Strike {
            scope: scope.to_owned(),
            at: self.now(),
            lock_s: rule.lock_s,
        };
        let written = self.store.apply(vec![Op::Strike(strike)], None).await;
        written.map_err(|failure| store_refusal(&failure, request_id))?;
        let strikes = self.store.strikes(scope).await;
        let strikes = strikes.map_err(|failure| store_refusal(&failure, request_id))?;
        Ok(rule.tries_max.saturating_sub(strikes.count))
    }

    /// A success ends the count; only written if there was one.
    pub(crate) async fn clear_strikes(&self, scope: &str) {
        let counted = self.store.strikes(scope).await;
        if counted.is_ok_and(|strikes| strikes.until > Timestamp::default()) {
            let op = Op::ClearStrikes(scope.to_owned());
            // A count that stays only locks a little earlier, until its time is over.
            if let Err(failure) = self.store.apply(vec![op], None).await {
                tracing::warn!(error = %failure, "a count of failures was not cleared");
            }
        }
    }
}

/// Whole minutes, rounded up.
pub(crate) fn minutes(ms: i64) -> u32 {
    u32::try_from(ms.max(0).unsigned_abs().div_ceil(60_000)).unwrap_or(u32::MAX)
}
