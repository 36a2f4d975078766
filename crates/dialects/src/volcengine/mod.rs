//! Volcengine and BytePlus: Cache for Redis, `redis` 2020-12-07.
//!
//! One signature, HMAC-SHA256, in the `Authorization` header or in the query. BytePlus is the same
//! API under other hosts; what little differs is in `profile.rs`. The contract, fact by fact with
//! sources, is `docs/wire/volcengine.md`.

mod actions;
mod auth;
mod canonical;
pub mod client;
mod errors;
mod instance_view;
mod json;
mod params;
mod profile;
mod request;
mod rules;
mod time;
mod wire;

pub use rules::RULES;

use crate::raw::{RawAnswer, RawRequest};
use crate::{Dialect, Envelope, Shape};
use claviger_core::command::Ask;
use claviger_core::ids::RequestId;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::rules::Rules;
use claviger_core::secret::Secret;

/// The one version of this API.
pub const VERSION: &str = "2020-12-07";

/// Seconds that a request's time may lie in the past unless `X-Expires` says otherwise (docs).
const AGE_S_MAX: u32 = 900;

/// Seconds that it may lie in the future (ours).
const LEAD_S_MAX: u32 = 900;

/// Bound on `X-Expires`, seconds: a week (ours).
const EXPIRES_S_MAX: u32 = 7 * 24 * 3600;

/// Bound on a key's public half, bytes.
const KEY_LEN_MAX: usize = 128;

/// Volcengine's dialect.
pub struct Volcengine;

impl Dialect for Volcengine {
    fn name(&self) -> &'static str {
        "volcengine"
    }

    fn claims(&self, raw: &RawRequest) -> bool {
        request::claims(raw)
    }

    fn shape(&self, raw: &RawRequest) -> Shape {
        request::shape(raw)
    }

    fn open(&self, raw: &RawRequest) -> Result<Envelope, Refusal> {
        request::open(raw)
    }

    fn verify(
        &self,
        raw: &RawRequest,
        envelope: &Envelope,
        secret: &Secret,
    ) -> Result<(), Refusal> {
        auth::verify(raw, envelope, secret)
    }

    fn decode(&self, envelope: &Envelope) -> Result<Ask, Refusal> {
        let action = actions::find(envelope.action).ok_or(Refusal::ActionUnknown)?;
        (action.decode)(&params::complete(&envelope.params)?)
    }

    fn rules(&self) -> &'static Rules {
        &RULES
    }

    fn encode(
        &self,
        shape: &Shape,
        request_id: RequestId,
        result: Result<&Answer, &Refusal>,
    ) -> RawAnswer {
        match result {
            Ok(answer) => actions::encode(shape, request_id, answer)
                .unwrap_or_else(|| errors::encode(shape, request_id, &Refusal::Internal)),
            Err(refusal) => errors::encode(shape, request_id, refusal),
        }
    }

    fn code(&self, refusal: &Refusal) -> &'static str {
        errors::code("", refusal)
    }

    fn code_in(&self, shape: &Shape, refusal: &Refusal) -> &'static str {
        errors::code(&shape.action, refusal)
    }
}
