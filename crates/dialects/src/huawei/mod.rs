//! Huawei Cloud: DCS v2, the ACL accounts of Redis instances, over REST.
//!
//! Five signature schemes are spoken, and tokens of the small part of IAM that clients need to
//! find their project. The contract, fact by fact with sources, is `docs/wire/huawei.md`.

mod actions;
mod auth;
mod body;
mod canonical;
pub mod client;
mod curves;
mod errors;
mod instance_view;
mod params;
mod request;
mod rules;
mod task_view;
mod time;
mod token_request;
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

/// Seconds that a request's time may lie in the past (docs) or the future (ours).
const SKEW_S_MAX: u32 = 15 * 60;

/// Bound on a key's public half, bytes.
const KEY_LEN_MAX: usize = 128;

/// Huawei Cloud's dialect.
pub struct Huawei;

impl Dialect for Huawei {
    fn name(&self) -> &'static str {
        "huawei"
    }

    fn claims(&self, raw: &RawRequest) -> bool {
        request::claims(raw)
    }

    fn shape(&self, raw: &RawRequest) -> Shape {
        request::shape(raw)
    }

    fn open(&self, raw: &RawRequest) -> Result<Envelope, Refusal> {
        auth::open(raw)
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
        let action = actions::named(envelope.action).ok_or(Refusal::ActionUnknown)?;
        // One that is not of the form was not compared with the caller's own.
        params::check_project(&envelope.params)?;
        params::check_texts(action, &envelope.params)?;
        (action.decode)(&envelope.params)
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
        let reply = match result {
            Ok(answer) => actions::encode(shape, answer),
            Err(refusal) => Err(refusal.clone()),
        };
        match reply {
            Ok(reply) => wire::answer(request_id, reply),
            Err(refusal) => errors::encode(shape, request_id, &refusal),
        }
    }

    fn code(&self, refusal: &Refusal) -> &'static str {
        errors::code(refusal)
    }
}
