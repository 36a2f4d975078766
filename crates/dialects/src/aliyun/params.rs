//! Reading parameters, and the names under which they are missed.

use crate::Shape;
use crate::encoding::{NUL, has_nul};
use crate::raw::Params;
use claviger_core::command::Target;
use claviger_core::ids::InstanceId;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// What stands for a password in a text that is shown.
const MASK: &str = "***";

/// The parameters with every password masked: for texts that leave the signature's code. Answers
/// end up in the logs of clients and proxies.
pub(super) fn masked(params: &Params) -> Params {
    let mut shown = Params::default();
    for (name, value) in params.iter() {
        let value = if name.ends_with("Password") {
            MASK
        } else {
            value
        };
        shown.push(name.to_owned(), Secret::new(value));
    }
    shown
}

macro_rules! parameters {
    ($($name:literal),* $(,)?) => {
        /// Each parameter that is read, and the code for its absence.
        static PARAMETERS: &[(&str, &str)] = &[$(($name, concat!("Missing", $name))),*];
    };
}

parameters!(
    "AccessKeyId",
    "AccountDescription",
    "AccountName",
    "AccountPassword",
    "AccountPrivilege",
    "AccountType",
    "Action",
    "ArchitectureType",
    "ChargeType",
    "ClientToken",
    "EditionType",
    "EngineVersion",
    "Expired",
    "Format",
    "FromStartTime",
    "GlobalInstance",
    "InstanceClass",
    "InstanceId",
    "InstanceIds",
    "InstanceStatus",
    "InstanceType",
    "NetworkType",
    "NewAccountPassword",
    "NodeType",
    "OldAccountPassword",
    "PageNumber",
    "PageSize",
    "Parameters",
    "PrivateIp",
    "RegionId",
    "ResourceGroupId",
    "SearchAccountName",
    "SearchKey",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "Timestamp",
    "ToStartTime",
    "VSwitchId",
    "Version",
    "VpcId",
    "ZoneId",
);

/// The code for the absence of a parameter.
pub(super) fn missing_code(name: &str) -> &'static str {
    PARAMETERS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or("MissingParameter", |(_, code)| code)
}

/// The refusal of a parameter that comes twice.
pub(super) fn repeated(name: &str) -> Refusal {
    match PARAMETERS.iter().find(|(known, _)| *known == name) {
        Some((name, _)) => invalid(name, "it is given twice"),
        None => Refusal::Malformed("a parameter is given twice"),
    }
}

/// Refuses a NUL byte in anything that is read.
pub(super) fn check_texts(params: &Params) -> Result<(), Refusal> {
    let wrong = |(name, _): &&(&str, _)| {
        let mut of_name = params.iter().filter(|(given, _)| given == name);
        of_name.any(|(_, value)| has_nul(value))
    };
    match PARAMETERS.iter().find(wrong) {
        Some((name, _)) => Err(invalid(name, NUL)),
        None => Ok(()),
    }
}

/// The refusal of a value.
pub(super) fn invalid(name: &'static str, why: Why) -> Refusal {
    Refusal::ParameterInvalid { name, why }
}

/// The value, unless it is absent or empty.
pub(super) fn optional<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).filter(|value| !value.is_empty())
}

/// The value, which must be there; an empty one counts as absent.
pub(super) fn required<'a>(params: &'a Params, name: &'static str) -> Result<&'a str, Refusal> {
    optional(params, name).ok_or(Refusal::ParameterMissing { name })
}

/// `InstanceId`, which must be there.
pub(super) fn instance(params: &Params) -> Result<InstanceId, Refusal> {
    Ok(InstanceId::new(required(params, "InstanceId")?))
}

/// The account that `AccountName` means on that instance: both names of the default account are
/// the server's one default user (section 8 of the contract).
pub(super) fn target(params: &Params, instance: &InstanceId) -> Result<Target, Refusal> {
    let name = required(params, "AccountName")?;
    Ok(if is_default(name, instance) {
        Target::Default
    } else {
        Target::Name(name.to_owned())
    })
}

/// Whether the name is one of the default account's two.
pub(super) fn is_default(name: &str, instance: &InstanceId) -> bool {
    name == instance.as_str() || name == claviger_core::account::Account::DEFAULT_NAME
}

/// Bound on an idempotency token, bytes; Terraform's have 36.
const TOKEN_LEN_MAX: usize = 128;

/// `ClientToken`: undocumented for this product, sent by Terraform.
pub(super) fn token(params: &Params) -> Result<Option<String>, Refusal> {
    match optional(params, "ClientToken") {
        Some(token) if token.len() > TOKEN_LEN_MAX => Err(invalid("ClientToken", "it is too long")),
        token => Ok(token.map(str::to_owned)),
    }
}

/// A value that the answer is narrowed by: it must be short enough to be echoed in the shape.
pub(super) fn check_echoed(params: &Params, name: &'static str) -> Result<(), Refusal> {
    match params.get(name) {
        Some(value) if value.len() > Shape::ACTION_LEN_MAX => Err(invalid(name, "it is too long")),
        _ => Ok(()),
    }
}

/// A whole number in decimal, without a sign.
fn number(text: &str) -> Option<u64> {
    // Nine digits hold every number of this API and rule out overflow in what is made of it.
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Which slice of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// Counts from one.
    pub(super) number: u64,
    /// `None`: everything on one page.
    pub(super) size: Option<u64>,
}

impl Paging {
    /// Reads and checks `PageNumber` and `PageSize`.
    pub(super) fn read(
        params: &Params,
        sizes: std::ops::RangeInclusive<u64>,
    ) -> Result<Self, Refusal> {
        let value = |name: &'static str| match optional(params, name) {
            None => Ok(None),
            Some(text) => number(text)
                .filter(|n| *n > 0)
                .map(Some)
                .ok_or(invalid(name, "it is not a positive whole number")),
        };
        let size = value("PageSize")?;
        if size.is_some_and(|size| !sizes.contains(&size)) {
            return Err(invalid("PageSize", "it is out of bounds"));
        }
        Ok(Self {
            number: value("PageNumber")?.unwrap_or(1),
            size,
        })
    }

    /// The same from what the shape echoes; it was checked when it was read.
    pub(super) fn echoed(shape: &Shape) -> Self {
        let value = |name| shape.echoed(name).and_then(number).filter(|n| *n > 0);
        Self {
            number: value("PageNumber").unwrap_or(1),
            size: value("PageSize"),
        }
    }

    /// How many rows come before the page.
    pub(super) fn offset(self, size: u64) -> u64 {
        (self.number - 1) * size
    }

    /// The page's rows.
    pub(super) fn slice<T>(self, rows: Vec<T>) -> Vec<T> {
        let size = self.size.unwrap_or(rows.len() as u64);
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        rows.into_iter()
            .skip(count(self.offset(size)))
            .take(count(size))
            .collect()
    }
}
