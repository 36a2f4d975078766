//! One cloud call, from raw request to raw answer.

use crate::execute::Call;
use crate::holder::Holder;
use crate::ledger::Attempt;
use crate::lockout::signature_scope;
use crate::replay::{self, Verdict};
use crate::{Origin, Service, tokens};
use claviger_core::access::{Action, Circumstances, Principal};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::{Answer, IssuedToken};
use claviger_core::ports::NonceMark;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::raw::{RawAnswer, RawRequest};
use claviger_dialects::{Dialect, Envelope, Proof};

/// An answered call, with what the logs and the metrics want to know of it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer, as it goes out.
    pub answer: RawAnswer,
    /// Its request id.
    pub request_id: RequestId,
    /// The dialect.
    pub dialect: &'static str,
    /// The action if the dialect knows it, else `unknown`: a bounded set.
    pub action: &'static str,
    /// `ok`, or the code on the wire.
    pub code: &'static str,
    /// The key that signed, once its signature was verified.
    pub key: Option<KeyId>,
}

/// A caller whose proof was good.
struct Caller {
    principal: Principal,
    secret: Secret,
}

/// What became known of a call on the way.
#[derive(Default)]
struct Trace {
    action: Option<&'static str>,
    key: Option<KeyId>,
    /// What is told of it in the audit trail if it is refused.
    attempt: Attempt,
}

impl Service {
    /// Answers a cloud call. Never fails: a failure is an answer too.
    pub async fn cloud(
        &self,
        dialect: &'static dyn Dialect,
        raw: &RawRequest,
        origin: &Origin,
    ) -> Served {
        let request_id = self.request_id();
        let mut trace = Trace::default();
        let result = self.run(dialect, raw, origin, request_id, &mut trace).await;
        if let Err(refusal) = &result {
            let attempt = std::mem::take(&mut trace.attempt);
            let call = Call {
                request_id: request_id.to_string(),
                dialect: dialect.name(),
                action: trace.action.unwrap_or("unknown").to_owned(),
                source: origin.peer.to_string(),
                nonce: None,
            };
            self.note_refusal(&call, attempt, refusal);
        }
        seal(dialect, raw, request_id, result.as_ref(), trace)
    }

    /// The vendor's own form of a refusal that was made before the call could be read.
    pub fn refuse(
        &self,
        dialect: &'static dyn Dialect,
        raw: &RawRequest,
        refusal: &Refusal,
    ) -> Served {
        seal(
            dialect,
            raw,
            self.request_id(),
            Err(refusal),
            Trace::default(),
        )
    }

    async fn run(
        &self,
        dialect: &'static dyn Dialect,
        raw: &RawRequest,
        origin: &Origin,
        request_id: RequestId,
        trace: &mut Trace,
    ) -> Result<Answer, Refusal> {
        let envelope = dialect.open(raw)?;
        trace.action = Some(envelope.action);
        let request_id = request_id.to_string();
        trace.attempt.claimed = Some(envelope.key.clone());
        let (caller, nonce) = self
            .authenticate(dialect, raw, &envelope, origin, &request_id)
            .await?;
        let principal = caller.principal;
        trace.key = Some(principal.key.clone());
        trace.attempt.principal = Some(principal.clone());
        self.admit(&principal.key)?;
        let ask = dialect.decode(&envelope)?;
        self.admit_action(dialect.rules(), envelope.action, &principal.key)?;
        trace.attempt.asks(&ask);
        let call = Call {
            request_id,
            dialect: dialect.name(),
            action: envelope.action.to_owned(),
            source: origin.peer.to_string(),
            nonce,
        };
        let secret = caller.secret;
        self.perform(ask, Caller { principal, secret }, dialect, &call)
            .await
    }

    async fn perform(
        &self,
        ask: Ask,
        caller: Caller,
        dialect: &'static dyn Dialect,
        call: &Call,
    ) -> Result<Answer, Refusal> {
        let principal = caller.principal;
        match ask {
            // A token is made from the caller's own secret: the same one twice is no harm.
            Ask::Query(Query::IssueToken) => self.issue_token(&principal, &caller.secret),
            Ask::Query(query) => {
                let at = self.now();
                self.share_nonce(call.nonce, at, &call.request_id).await?;
                self.ask(&principal, query, &call.request_id).await
            }
            Ask::Command { command, token } => {
                let request_id = &call.request_id;
                let command = self.permit_command(&principal, command, request_id).await?;
                let changed = self.execute(command, token, dialect.rules(), call).await?;
                Ok(Answer::Changed(changed))
            }
            Ask::Policy { instance, change } => {
                let at = self.now();
                self.share_nonce(call.nonce, at, &call.request_id).await?;
                let (action, id) = (Action::SetInstancePolicy, Some(&instance));
                let change = self
                    .permit(&principal, action, id, &call.request_id, change)
                    .await?;
                let view = self.change_policy(&instance, change, call).await?;
                Ok(Answer::PolicyChanged(Box::new(view)))
            }
            Ask::ForgetTask { task, instance } => {
                let at = self.now();
                self.share_nonce(call.nonce, at, &call.request_id).await?;
                let found = self.find_task(&principal, task, &call.request_id).await?;
                if instance.is_some_and(|id| id != found.task.instance) {
                    return Err(Refusal::TaskNotFound);
                }
                let (action, id) = (Action::ForgetTask, Some(&found.task.instance));
                let task = self
                    .permit(&principal, action, id, &call.request_id, task)
                    .await?;
                self.forget_task(task, call).await?;
                Ok(Answer::TaskForgotten)
            }
        }
    }

    /// Key, freshness, proof, project, nonce, in this order; a nonce is remembered only once the
    /// signature is known to be good, else anyone could burn it.
    async fn authenticate(
        &self,
        dialect: &'static dyn Dialect,
        raw: &RawRequest,
        envelope: &Envelope,
        origin: &Origin,
        request_id: &str,
    ) -> Result<(Caller, Option<NonceMark>), Refusal> {
        let from = self.admit_source(origin, dialect.name())?;
        let holder = self.believe(self.claimed_holder(envelope, from), origin)?;
        let now = self.now();
        if let Some(signed_at) = envelope.signed_at {
            let age_ms = now.as_millis().saturating_sub(signed_at.as_millis());
            let fresh = age_ms <= i64::from(envelope.age_s_max) * 1000
                && -age_ms <= i64::from(envelope.lead_s_max) * 1000;
            if !fresh {
                return Err(Refusal::TimestampExpired);
            }
        }
        let key = holder.key().clone();
        let lockout = dialect.rules().signature_lockout;
        let lockout = lockout.map(|rule| (signature_scope(dialect.name(), &key), rule));
        if let Some((scope, rule)) = &lockout
            && self.locked_ms(scope, *rule, request_id).await?.is_some()
        {
            return Err(Refusal::KeyLocked);
        }
        let proven = match &envelope.proof {
            // A bearer token was checked when its holder was found.
            Proof::Bearer(_) => Ok(()),
            Proof::Secret(secret) => holder.prove(|ours| match ours.same_as(secret) {
                true => Ok(()),
                false => Err(Refusal::SignatureMismatch {
                    string_to_sign: String::new(),
                }),
            }),
            Proof::Signature => holder.prove(|ours| dialect.verify(raw, envelope, ours)),
        };
        match (&proven, &lockout) {
            (Err(Refusal::SignatureMismatch { .. }), Some((scope, rule))) => {
                self.strike(scope, *rule, request_id).await?;
            }
            (Ok(()), Some((scope, _))) => self.clear_strikes(scope).await,
            _ => {}
        }
        self.believe(proven, origin)?;
        if envelope
            .project
            .as_ref()
            .is_some_and(|p| *p != self.project_id)
        {
            return Err(Refusal::ProjectForeign);
        }
        let nonce = match &envelope.nonce {
            None => None,
            Some((nonce, seconds)) => Some(self.use_nonce(&key, nonce, *seconds, now)?),
        };
        let (principal, secret) = holder.into_caller(now);
        Ok((Caller { principal, secret }, nonce))
    }

    /// Who the request says it is from. Nothing of it is believed yet, but for a bearer token,
    /// which is a proof by itself.
    fn claimed_holder(&self, envelope: &Envelope, from: Circumstances) -> Result<Holder, Refusal> {
        let Proof::Bearer(token) = &envelope.proof else {
            return self.holder(&envelope.key, envelope.token.as_ref(), from);
        };
        let claimed = tokens::read(token)?;
        // A token is no better than one that never was, once its key is gone.
        let holder = self.holder(claimed.key(), None, from);
        let holder = holder.map_err(|_| Refusal::TokenInvalid)?;
        holder.prove(|secret| claimed.check(secret, self.now()))?;
        Ok(holder)
    }

    fn issue_token(&self, principal: &Principal, secret: &Secret) -> Result<Answer, Refusal> {
        if principal.session.is_some() {
            // It would last longer than they do, and say nothing of what narrows them.
            return Err(Refusal::NotSupported("a token for temporary credentials"));
        }
        let now = self.now();
        let (token, expires_at) = tokens::issue(&principal.key, secret, now);
        Ok(Answer::Token(IssuedToken {
            caller: self.caller(&principal.key),
            token,
            expires_at,
        }))
    }

    fn use_nonce(
        &self,
        key: &KeyId,
        nonce: &str,
        seconds: u32,
        now: Timestamp,
    ) -> Result<NonceMark, Refusal> {
        let until = Timestamp::from_millis(now.as_millis() + i64::from(seconds) * 1000);
        let digest = replay::digest(key, nonce);
        match self.replay.seen(digest, until, now) {
            Verdict::Fresh => Ok(NonceMark { digest, until }),
            Verdict::Used => Err(Refusal::NonceUsed),
            Verdict::Full => Err(Refusal::Throttled { limit: 0 }),
        }
    }
}

fn seal(
    dialect: &'static dyn Dialect,
    raw: &RawRequest,
    request_id: RequestId,
    result: Result<&Answer, &Refusal>,
    trace: Trace,
) -> Served {
    let shape = dialect.shape(raw);
    Served {
        answer: dialect.encode(&shape, request_id, result),
        request_id,
        dialect: dialect.name(),
        action: trace.action.unwrap_or("unknown"),
        code: result
            .err()
            .map_or("ok", |refusal| dialect.code_in(&shape, refusal)),
        key: trace.key,
    }
}
