//! Alibaba Cloud: R-kvstore 2015-01-01, the API of Redis and Tair instances.
//!
//! Two generations of signatures are spoken: RPC V1, whose action and signature are parameters,
//! and ACS3, whose action and signature are headers. The contract, fact by fact with sources, is
//! `docs/wire/aliyun.md`.

mod actions;
mod auth_acs3;
mod auth_v1;
pub mod client;
mod errors;
mod instance_view;
mod params;
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
pub const VERSION: &str = "2015-01-01";

/// Seconds that a request's time may lie in the past (docs) or the future (ours).
const SKEW_S_MAX: u32 = 15 * 60;

/// Seconds for which a nonce stays used, as the gateway's operator states (field).
const NONCE_KEPT_S: u32 = 31 * 60;

/// Bound on a nonce, bytes; the longest seen has 64.
const NONCE_LEN_MAX: usize = 128;

/// Bound on a key's public half, bytes.
const KEY_LEN_MAX: usize = 128;

/// Alibaba Cloud's dialect.
pub struct Aliyun;

impl Dialect for Aliyun {
    fn name(&self) -> &'static str {
        "aliyun"
    }

    fn claims(&self, raw: &RawRequest) -> bool {
        request::claims(raw)
    }

    fn shape(&self, raw: &RawRequest) -> Shape {
        request::shape(raw)
    }

    fn open(&self, raw: &RawRequest) -> Result<Envelope, Refusal> {
        let params = request::read(raw)?;
        match request::scheme(raw) {
            Scheme::Acs3 => auth_acs3::open(raw, params),
            Scheme::V1 => auth_v1::open(raw, params),
        }
    }

    fn verify(
        &self,
        raw: &RawRequest,
        envelope: &Envelope,
        secret: &Secret,
    ) -> Result<(), Refusal> {
        match request::scheme(raw) {
            Scheme::Acs3 => auth_acs3::verify(raw, envelope, secret),
            Scheme::V1 => auth_v1::verify(raw, envelope, secret),
        }
    }

    fn decode(&self, envelope: &Envelope) -> Result<Ask, Refusal> {
        let action = actions::find(envelope.action).ok_or(Refusal::ActionUnknown)?;
        params::check_texts(&envelope.params)?;
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
        match result {
            Ok(answer) => actions::encode(shape, request_id, answer)
                .unwrap_or_else(|| errors::encode(shape, request_id, &Refusal::Internal)),
            Err(refusal) => errors::encode(shape, request_id, refusal),
        }
    }

    fn code(&self, refusal: &Refusal) -> &'static str {
        errors::code(refusal)
    }
}
