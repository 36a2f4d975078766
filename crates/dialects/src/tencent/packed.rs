//! What [`super::auth_tc3`] and [`super::auth_v1`] hand on for [`crate::Dialect::decode`]: the
//! common fields that are judged only after the signature, and the parameters in the form in
//! which they came. All of it travels in one [`Params`].

use super::args::Args;
use super::{VERSION, json};
use crate::raw::Params;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

/// Names of what is packed begin with this byte; the first value of a name counts, so a
/// parameter of the caller's that begins with it changes nothing.
const VERSION_FIELD: &str = "\u{1}version";
const REGION_FIELD: &str = "\u{1}region";
const BODY_FIELD: &str = "\u{1}json";
const SCHEME_FIELD: &str = "\u{1}scheme";

/// The common fields of a request, and where its parameters begin.
pub(super) struct Common<'a> {
    pub(super) version: &'a str,
    pub(super) region: &'a str,
    /// The body, if it is JSON; otherwise the parameters follow one by one.
    pub(super) json: Option<&'a str>,
    /// The common fields of version 1 stand among the parameters.
    pub(super) mixed: bool,
}

impl Common<'_> {
    /// Params that begin with these fields.
    pub(super) fn pack(&self) -> Params {
        let mut params = Params::default();
        let mut push = |name: &str, value: &str| params.push(name.to_owned(), Secret::new(value));
        push(VERSION_FIELD, self.version);
        push(REGION_FIELD, self.region);
        push(BODY_FIELD, self.json.unwrap_or_default());
        push(SCHEME_FIELD, if self.mixed { "v1" } else { "tc3" });
        params
    }
}

/// How many entries [`Common::pack`] makes.
const FIELDS: usize = 4;

/// The parameters themselves, when they came one by one.
pub(super) fn pairs(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.iter().skip(FIELDS)
}

/// The version.
pub(super) fn check(params: &Params) -> Result<(), Refusal> {
    if params.get(VERSION_FIELD) != Some(VERSION) {
        return Err(Refusal::VersionUnknown);
    }
    Ok(())
}

/// Bound on a region word, bytes; the longest known has 18.
const REGION_LEN_MAX: usize = 64;

/// The region has the form of one, such as `ap-guangzhou` or `ap-shanghai-fsi`. Which one it is
/// does not matter: an instance is served whatever region its caller believes it to be in.
pub(super) fn check_region(params: &Params) -> Result<(), Refusal> {
    let region = params.get(REGION_FIELD).unwrap_or_default();
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric());
    if region.len() <= REGION_LEN_MAX && region.contains('-') && region.split('-').all(word) {
        Ok(())
    } else {
        Err(Refusal::RegionUnknown)
    }
}

/// The common fields of version 1.
pub(super) const COMMON: [&str; 11] = [
    "Action",
    "Version",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Token",
    "Language",
    "RequestClient",
];

/// The action's parameters.
pub(super) fn args(params: &Params) -> Result<Args, Refusal> {
    match params.get(BODY_FIELD) {
        Some(body) if !body.is_empty() => Ok(Args::of_members(json::members(body)?)),
        _ => {
            let mixed = params.get(SCHEME_FIELD) == Some("v1");
            let own = pairs(params).filter(|(name, _)| !(mixed && COMMON.contains(name)));
            Args::of_pairs(own)
        }
    }
}
