//! One cloud call, from raw request to raw answer.

use crate::execute::Call;
use crate::keyring::{self, Lookup};
use crate::replay::{self, Verdict};
use crate::{Origin, Service};
use claviger_core::access::{Principal, authorize};
use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::ports::NonceMark;
use claviger_core::refusal::Refusal;
use claviger_dialects::raw::{RawAnswer, RawRequest};
use claviger_dialects::{Dialect, Envelope};

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

/// What became known of a call on the way.
#[derive(Default)]
struct Trace {
    action: Option<&'static str>,
    key: Option<KeyId>,
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
        let (principal, nonce) = self.authenticate(dialect, raw, &envelope)?;
        trace.key = Some(principal.key.clone());
        if !self.admit(&principal.key) {
            return Err(Refusal::Throttled);
        }
        let ask = dialect.decode(&envelope)?;
        let (action, instance) = (ask.action(), ask.instance().cloned());
        let request_id = request_id.to_string();
        match ask {
            Ask::Query(query) => {
                let query = authorize(&principal, action, instance.as_ref(), query)?;
                self.answer(query, &request_id).await
            }
            Ask::Command { command, token } => {
                let command = authorize(&principal, action, instance.as_ref(), command)?;
                let call = Call {
                    request_id,
                    dialect: dialect.name(),
                    action: envelope.action.to_owned(),
                    source: origin.peer.to_string(),
                    nonce,
                };
                let changed = self.execute(command, token, dialect.rules(), &call).await?;
                Ok(Answer::Changed(changed))
            }
        }
    }

    /// Key, freshness, signature, nonce, in this order; a nonce is remembered only once the
    /// signature is known to be good, else anyone could burn it.
    fn authenticate(
        &self,
        dialect: &'static dyn Dialect,
        raw: &RawRequest,
        envelope: &Envelope,
    ) -> Result<(Principal, Option<NonceMark>), Refusal> {
        let key = match self.keys.look_up(&envelope.key) {
            Lookup::Live(key) => key,
            Lookup::Revoked => return Err(Refusal::KeyRevoked),
            Lookup::Unknown => return Err(Refusal::KeyUnknown),
        };
        if envelope.token.is_some() {
            // No temporary credentials are issued yet, so no token can be right.
            return Err(Refusal::TokenInvalid);
        }
        let now = self.now();
        if now.distance_ms(envelope.signed_at) > u64::from(envelope.skew_s_max) * 1000 {
            return Err(Refusal::TimestampExpired);
        }
        dialect.verify(raw, envelope, &key.secret)?;
        let nonce = match &envelope.nonce {
            None => None,
            Some((nonce, seconds)) => Some(self.use_nonce(&key.id, nonce, *seconds, now)?),
        };
        Ok((keyring::principal(&key), nonce))
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
            Verdict::Full => Err(Refusal::Throttled),
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
        code: result.err().map_or("ok", |refusal| dialect.code(refusal)),
        key: trace.key,
    }
}
