//! The clouds' account APIs as pure codecs: bytes in, [`Ask`] out; [`Answer`] or [`Refusal`] in,
//! bytes out. No I/O, no clock, no store; a dialect never imports another.

pub mod aliyun;
pub mod encoding;
pub mod huawei;
pub mod native;
pub mod raw;
pub mod sign;
pub mod tencent;
pub mod volcengine;

use claviger_core::clock::Timestamp;
use claviger_core::command::Ask;
use claviger_core::ids::{KeyId, RequestId};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;
use claviger_core::rules::Rules;
use claviger_core::secret::Secret;
use raw::{Params, RawAnswer, RawRequest};

/// In what form, and to what, the answer goes. Read off a request by [`Dialect::shape`] before
/// anything is checked, so that a refusal too has the form that the client understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The action as the client spelled it, at most [`Shape::ACTION_LEN_MAX`] bytes; may be
    /// unknown or empty.
    pub action: String,
    /// The version as the client spelled it, bounded alike.
    pub version: String,
    /// The region as the client spelled it, bounded alike; empty if the dialect has none.
    pub region: String,
    /// XML instead of JSON.
    pub xml: bool,
    /// Host as received, for dialects that echo it; bounded alike.
    pub host: String,
    /// Parameters that the answer repeats or is narrowed by, such as page numbers, under the
    /// dialect's own names; each value bounded alike. Never a password.
    pub echo: Vec<(&'static str, String)>,
}

impl Shape {
    /// Bound on each echoed text, bytes: nothing longer is echoed.
    pub const ACTION_LEN_MAX: usize = 128;

    /// The text if it is within the bound, else nothing.
    pub fn bounded(text: &str) -> String {
        if text.len() <= Self::ACTION_LEN_MAX {
            text.to_owned()
        } else {
            String::new()
        }
    }

    /// The value of an echoed parameter, if it was given and is not empty.
    pub fn echoed(&self, name: &str) -> Option<&str> {
        self.echo
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// How a caller proves to be the holder of a key.
#[derive(Clone, Debug)]
pub enum Proof {
    /// By a signature, which [`Dialect::verify`] checks.
    Signature,
    /// By the secret half itself, as where a token is asked for.
    Secret(Secret),
    /// By a token that this service issued ([`claviger_core::outcome::IssuedToken`]).
    Bearer(Secret),
}

/// What a request says of itself before it is believed.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The action, one that the dialect knows; `unknown` if its vendor judges that only after
    /// the signature, in [`Dialect::decode`].
    pub action: &'static str,
    /// The key that is claimed; empty if the proof itself names it.
    pub key: KeyId,
    /// How the caller proves to be its holder.
    pub proof: Proof,
    /// The claimed time of signing; `None` if the proof has none.
    pub signed_at: Option<Timestamp>,
    /// Seconds that `signed_at` may lie in the past.
    pub age_s_max: u32,
    /// Seconds that `signed_at` may lie in the future.
    pub lead_s_max: u32,
    /// The project that is named, if the dialect has projects: it must be the caller's own.
    pub project: Option<String>,
    /// The nonce, if the dialect refuses repeated ones, and for how many seconds it does.
    pub nonce: Option<(String, u32)>,
    /// The token of a temporary credential, if one was sent.
    pub token: Option<Secret>,
    /// The parameters, decoded: may hold passwords.
    pub params: Params,
}

/// One cloud's wire protocol.
///
/// The steps of a call: [`claims`](Dialect::claims), [`shape`](Dialect::shape),
/// [`open`](Dialect::open), then the key's secret is looked up, [`verify`](Dialect::verify),
/// [`decode`](Dialect::decode), the service does it, [`encode`](Dialect::encode).
pub trait Dialect: Sync {
    /// `aliyun`, `tencent`, `volcengine` or `huawei`; a label in metrics and the audit trail.
    fn name(&self) -> &'static str;

    /// Whether the request bears this vendor's marks. At most one dialect claims a request.
    fn claims(&self, raw: &RawRequest) -> bool;

    /// In what form the answer goes. Never fails.
    fn shape(&self, raw: &RawRequest) -> Shape;

    /// Reads the common layer: method, action, version, who signed, when.
    ///
    /// # Errors
    /// What is missing, malformed or unknown there, in the vendor's order of checks.
    fn open(&self, raw: &RawRequest) -> Result<Envelope, Refusal>;

    /// Checks the signature against the secret half of the claimed key, in constant time.
    ///
    /// # Errors
    /// [`Refusal::SignatureMismatch`] and its kin.
    fn verify(&self, raw: &RawRequest, envelope: &Envelope, secret: &Secret)
    -> Result<(), Refusal>;

    /// Reads what is asked.
    ///
    /// # Errors
    /// Missing or ill-typed parameters. Business formats are judged later, by `decide`.
    fn decode(&self, envelope: &Envelope) -> Result<Ask, Refusal>;

    /// The vendor's limits.
    fn rules(&self) -> &'static Rules;

    /// Gives the answer its form.
    fn encode(
        &self,
        shape: &Shape,
        request_id: RequestId,
        result: Result<&Answer, &Refusal>,
    ) -> RawAnswer;

    /// The code under which this refusal goes on the wire, for metrics.
    fn code(&self, refusal: &Refusal) -> &'static str;

    /// The same where the code depends on what was asked.
    fn code_in(&self, shape: &Shape, refusal: &Refusal) -> &'static str {
        let _ = shape;
        self.code(refusal)
    }
}

/// Every dialect that is spoken.
pub static ALL: &[&dyn Dialect] = &[
    &aliyun::Aliyun,
    &tencent::Tencent,
    &volcengine::Volcengine,
    &huawei::Huawei,
];

/// The dialect whose marks the request bears.
pub fn dialect_of(raw: &RawRequest) -> Option<&'static dyn Dialect> {
    ALL.iter().copied().find(|dialect| dialect.claims(raw))
}
