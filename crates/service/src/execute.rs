//! A permitted change: decided and written in one transaction, then the fleet is woken.

use crate::{Service, idempotency, lockout};
use claviger_core::access::{Authorized, Principal};
use claviger_core::audit::AuditEntry;
use claviger_core::command::Command;
use claviger_core::decide::{Fresh, decide};
use claviger_core::ids::AccountId;
use claviger_core::instance::Held;
use claviger_core::outcome::Changed;
use claviger_core::ports::{AccountWrite, Idempotency, NonceMark, StoreError};
use claviger_core::refusal::Refusal;
use claviger_core::rules::Rules;
use std::sync::Arc;
use tracing::{error, info};

/// Who asks, in which words, for the audit trail.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request's id, as answered.
    pub request_id: String,
    /// The dialect.
    pub dialect: &'static str,
    /// The action, in the dialect's words.
    pub action: String,
    /// The client's address.
    pub source: String,
    /// The request's nonce, if the dialect has one.
    pub nonce: Option<NonceMark>,
}

impl Call {
    /// An audit row of this call by that caller.
    pub fn audit(
        &self,
        principal: &Principal,
        at: claviger_core::clock::Timestamp,
        instance: &str,
        account: &str,
    ) -> AuditEntry {
        let session = principal.session.as_ref().map(|s| s.key.to_string());
        AuditEntry {
            at,
            request_id: self.request_id.clone(),
            key: principal.key.to_string(),
            session: session.unwrap_or_default(),
            source: self.source.clone(),
            dialect: self.dialect.to_owned(),
            action: self.action.clone(),
            instance: instance.to_owned(),
            account: account.to_owned(),
            outcome: "ok".to_owned(),
            ..AuditEntry::default()
        }
    }
}

impl Service {
    /// Executes a permitted change. When it returns `Ok` the change is durable.
    ///
    /// The work is detached from the caller: a client that hangs up after the commit must not
    /// keep the fleet from being woken.
    ///
    /// # Errors
    /// The refusal of the decision; [`Refusal::Unavailable`] or [`Refusal::Internal`] when the
    /// store failed; then nothing is written, or, if the way to a shared store broke during the
    /// commit, perhaps all of it: who asks again is told.
    pub async fn execute(
        &self,
        ask: Authorized<Command>,
        token: Option<String>,
        rules: &'static Rules,
        call: &Call,
    ) -> Result<Changed, Refusal> {
        let scope = lockout::password_scope(ask.value());
        let guard = scope.zip(rules.old_password_lockout);
        if let Some((scope, rule)) = &guard
            && let Some(left) = self.locked_ms(scope, *rule, &call.request_id).await?
        {
            let minutes = lockout::minutes(left);
            return Err(Refusal::PasswordLocked { minutes });
        }
        let decided = self.write(ask, token, rules, call).await;
        let Some((scope, rule)) = guard else {
            return decided;
        };
        match decided {
            Err(Refusal::OldPasswordWrong { .. }) => {
                match self.strike(&scope, rule, &call.request_id).await? {
                    0 => Err(Refusal::PasswordLocked {
                        minutes: rule.lock_s.div_ceil(60),
                    }),
                    left => Err(Refusal::OldPasswordWrong {
                        tries_left: Some(left),
                    }),
                }
            }
            Ok(changed) => {
                self.clear_strikes(&scope).await;
                Ok(changed)
            }
            refused @ Err(_) => refused,
        }
    }

    async fn write(
        &self,
        ask: Authorized<Command>,
        token: Option<String>,
        rules: &'static Rules,
        call: &Call,
    ) -> Result<Changed, Refusal> {
        let write = self.account_write(ask, token, rules, call);
        self.commit(write, call).await
    }

    /// As [`Service::execute`], if a condition still holds when it is decided.
    pub(crate) async fn execute_if(
        &self,
        ask: Authorized<Command>,
        rules: &'static Rules,
        call: &Call,
        still: impl Fn(&Held) -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Result<Changed, Refusal> {
        let mut write = self.account_write(ask, None, rules, call);
        let decide = write.decide;
        write.decide = Arc::new(move |held| still(held).and_then(|()| decide(held)));
        self.commit(write, call).await
    }

    async fn commit(&self, write: AccountWrite, call: &Call) -> Result<Changed, Refusal> {
        let (store, fleet) = (Arc::clone(&self.store), Arc::clone(&self.fleet));
        let request_id = call.request_id.clone();
        let work = tokio::spawn(async move {
            let instance = write.instance.clone();
            let result = store.change(write).await;
            if let Ok(Ok(accepted)) = &result
                && !accepted.replayed
            {
                fleet.wake(&instance);
                let task = accepted.outcome.task;
                info!(%request_id, %instance, %task, revision = accepted.revision.0, "accepted");
            }
            result
        });
        match work.await {
            Ok(Ok(decided)) => decided.map(|accepted| accepted.outcome),
            Ok(Err(failure)) => Err(store_refusal(&failure, &call.request_id)),
            Err(failure) => {
                error!(request_id = call.request_id, error = %failure, "a change panicked");
                Err(Refusal::Internal)
            }
        }
    }

    fn account_write(
        &self,
        ask: Authorized<Command>,
        token: Option<String>,
        rules: &'static Rules,
        call: &Call,
    ) -> AccountWrite {
        let at = self.now();
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let fresh = Fresh {
            at,
            account: AccountId::from_parts(at, random),
        };
        let command = ask.value();
        let instance = command.instance().clone();
        let audit = call.audit(
            ask.principal(),
            at,
            instance.as_str(),
            command.account_label(),
        );
        let key = &ask.principal().key;
        let idempotency = token.map(|token| Idempotency {
            scope: format!("{}/{key}/{}", call.dialect, call.action),
            token,
            fingerprint: idempotency::fingerprint(command),
            until: claviger_core::clock::Timestamp::from_millis(
                at.as_millis() + idempotency::REMEMBERED_MS,
            ),
        });
        AccountWrite {
            instance,
            decide: Arc::new(move |held| decide(held, &ask, rules, fresh)),
            idempotency,
            nonce: call.nonce,
            audit,
            at,
        }
    }
}

/// What a caller is told of a failed store; the log has the rest.
pub(crate) fn store_refusal(failure: &StoreError, request_id: &str) -> Refusal {
    error!(request_id, error = %failure, "the store failed");
    match failure {
        StoreError::Unavailable(_) => Refusal::Unavailable,
        StoreError::Unreadable(_)
        | StoreError::Exists
        | StoreError::NotFound
        | StoreError::Stale => Refusal::Internal,
    }
}
