//! Tencent Cloud: TencentDB for Redis, `redis` 2018-04-12.
//!
//! Two signatures are spoken: TC3-HMAC-SHA256, whose common parameters are headers, and version
//! 1, whose common parameters are fields beside the others. The contract, fact by fact with
//! sources, is `docs/wire/tencent.md`.

mod actions;
mod args;
mod auth_tc3;
mod auth_v1;
pub mod client;
mod errors;
mod instance_view;
mod json;
mod multipart;
mod packed;
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
use request::Scheme;

/// The one version of this API.
pub const VERSION: &str = "2018-04-12";

/// Seconds that a request's time may lie in the past or the future (docs).
const SKEW_S_MAX: u32 = 300;

/// Bound on a key's public half, bytes.
const KEY_LEN_MAX: usize = 128;

/// Tencent Cloud's dialect.
pub struct Tencent;

impl Dialect for Tencent {
    fn name(&self) -> &'static str {
        "tencent"
    }

    fn claims(&self, raw: &RawRequest) -> bool {
        request::claims(raw)
    }

    fn shape(&self, raw: &RawRequest) -> Shape {
        request::shape(raw)
    }

    fn open(&self, raw: &RawRequest) -> Result<Envelope, Refusal> {
        request::check_line(raw)?;
        match request::scheme(raw) {
            Scheme::Tc3 => auth_tc3::open(raw),
            Scheme::V1 => auth_v1::open(raw),
        }
    }

    fn verify(
        &self,
        raw: &RawRequest,
        envelope: &Envelope,
        secret: &Secret,
    ) -> Result<(), Refusal> {
        match request::scheme(raw) {
            Scheme::Tc3 => auth_tc3::verify(raw, secret),
            Scheme::V1 => auth_v1::verify(raw, &envelope.params, secret),
        }
    }

    /// Token, version, action, region and parameters: the vendor judges all of them after the
    /// signature (section 5.2 of the contract).
    fn decode(&self, envelope: &Envelope) -> Result<Ask, Refusal> {
        packed::check(&envelope.params)?;
        let action = actions::find(envelope.action).ok_or(Refusal::ActionUnknown)?;
        packed::check_region(&envelope.params)?;
        let args = packed::args(&envelope.params)?;
        args.check(action.parameters)?;
        (action.decode)(&args)
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
}
