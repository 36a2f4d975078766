//! Alibaba Cloud: R-kvstore 2015-01-01.

use crate::raw::{RawAnswer, RawRequest};
use crate::{Dialect, Envelope, Shape};
use claviger_core::command::Ask;
use claviger_core::ids::RequestId;
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::rules::Rules;
use claviger_core::secret::Secret;

/// Alibaba Cloud's dialect.
pub struct Aliyun;

static RULES: Rules = Rules {
    order: &claviger_core::rules::Check::ALL,
    name_ok: |_, _| true,
    password_ok: |_| true,
    description_ok: |_| true,
    privileges: &[],
    quota: 18,
};

impl Dialect for Aliyun {
    fn name(&self) -> &'static str {
        "aliyun"
    }
    fn claims(&self, _: &RawRequest) -> bool {
        false
    }
    fn shape(&self, _: &RawRequest) -> Shape {
        Shape {
            action: String::new(),
            version: String::new(),
            region: String::new(),
            xml: false,
            host: String::new(),
        }
    }
    fn open(&self, _: &RawRequest) -> Result<Envelope, Refusal> {
        Err(Refusal::ActionUnknown)
    }
    fn verify(&self, _: &RawRequest, _: &Envelope, _: &Secret) -> Result<(), Refusal> {
        Err(Refusal::Unsigned)
    }
    fn decode(&self, _: &Envelope) -> Result<Ask, Refusal> {
        Err(Refusal::ActionUnknown)
    }
    fn rules(&self) -> &'static Rules {
        &RULES
    }
    fn encode(&self, _: &Shape, _: RequestId, _: Result<&Answer, &Refusal>) -> RawAnswer {
        RawAnswer {
            status: 500,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
    fn code(&self, refusal: &Refusal) -> &'static str {
        refusal.word()
    }
}
