//! Reading parameters: from a query, a form or a JSON body, all under the same names.

use super::json;
use crate::encoding::{NUL, PARAMS_MAX, has_nul};
use crate::raw::Params;
use claviger_core::account::Account;
use claviger_core::command::Target;
use claviger_core::ids::InstanceId;
use claviger_core::refusal::{Refusal, Why};
use claviger_core::secret::Secret;

/// The name under which the parameters carry a JSON body until it is read: no query or form can
/// have a parameter without a name.
pub(super) const BODY: &str = "";

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// A list of which only matters whether anything is in it; in a form, `Name.1.Key` and so on.
    List,
}

/// Every parameter that is read, besides those of the signature. Others are ignored.
const KNOWN: [(&str, Kind); 26] = [
    ("AccountName", Kind::Text),
    ("Category", Kind::Text),
    ("ChargeType", Kind::Text),
    ("ClientToken", Kind::Text),
    ("CreationEndTime", Kind::Text),
    ("CreationStartTime", Kind::Text),
    ("DataLayout", Kind::Text),
    ("Description", Kind::Text),
    ("EngineVersion", Kind::Text),
    ("InstanceId", Kind::Text),
    ("InstanceName", Kind::Text),
    ("PageNumber", Kind::Int),
    ("PageSize", Kind::Int),
    ("Password", Kind::Text),
    ("ProjectName", Kind::Text),
    ("RegionId", Kind::Text),
    ("RoleName", Kind::Text),
    ("ServiceType", Kind::Text),
    ("ShardedCluster", Kind::Int),
    ("Status", Kind::Text),
    ("TagFilters", Kind::List),
    ("TaskId", Kind::Text),
    ("TaskName", Kind::Text),
    ("VpcAuthMode", Kind::Text),
    ("VpcId", Kind::Text),
    ("ZoneId", Kind::Text),
];

fn known(name: &str) -> Option<(&'static str, Kind)> {
    KNOWN.iter().find(|(known, _)| *known == name).copied()
}

/// Whether the parameter is a whole number, which the JSON of the clients writes as such.
pub(super) fn is_number(name: &str) -> bool {
    known(name).is_some_and(|(_, kind)| kind == Kind::Int)
}

/// The parameters with a JSON body's members among them. A name that comes in the query and in
/// the body is refused: two readers could take different ones.
pub(super) fn complete(params: &Params) -> Result<Params, Refusal> {
    let mut all = Params::default();
    for (name, value) in params.iter().filter(|(name, _)| *name != BODY) {
        // The form's spelling of a list.
        let name = match name.split_once('.') {
            Some(("TagFilters", _)) => "TagFilters",
            _ => name,
        };
        all.push(name.to_owned(), Secret::new(value));
    }
    let Some(body) = params.get(BODY) else {
        return checked(all);
    };
    for (name, value) in json::read(body, known)? {
        if all.get(name).is_some() {
            return Err(invalid(name, "it is given twice"));
        }
        if all.len() == PARAMS_MAX {
            return Err(Refusal::Malformed("too many parameters"));
        }
        all.push(name.to_owned(), value);
    }
    checked(all)
}

/// The parameters, if nothing that is read of them has a NUL byte.
fn checked(all: Params) -> Result<Params, Refusal> {
    let wrong = |(name, _): &&(&str, Kind)| all.get(name).is_some_and(has_nul);
    match KNOWN.iter().find(wrong) {
        Some((name, _)) => Err(invalid(name, NUL)),
        None => Ok(all),
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

/// The value as an owned text, unless it is absent or empty.
pub(super) fn text(params: &Params, name: &str) -> Option<String> {
    optional(params, name).map(str::to_owned)
}

/// The value, which must be there; an empty one counts as absent.
pub(super) fn required<'a>(params: &'a Params, name: &'static str) -> Result<&'a str, Refusal> {
    optional(params, name).ok_or(Refusal::ParameterMissing { name })
}

/// `InstanceId`, which must be there.
pub(super) fn instance(params: &Params) -> Result<InstanceId, Refusal> {
    Ok(InstanceId::new(required(params, "InstanceId")?))
}

/// The account that `AccountName` means; the servers' default user goes by its own name here.
pub(super) fn target(params: &Params) -> Result<Target, Refusal> {
    let name = required(params, "AccountName")?;
    Ok(if name == Account::DEFAULT_NAME {
        Target::Default
    } else {
        Target::Name(name.to_owned())
    })
}

/// Bound on an idempotency token, characters (seed).
const TOKEN_LEN_MAX: usize = 127;

/// `ClientToken`.
pub(super) fn token(params: &Params) -> Result<Option<String>, Refusal> {
    let name = "ClientToken";
    match optional(params, name) {
        Some(token) if !token.is_ascii() => Err(invalid(name, "it is not ASCII")),
        Some(token) if token.len() > TOKEN_LEN_MAX => {
            Err(invalid(name, "it is longer than 127 characters"))
        }
        token => Ok(token.map(str::to_owned)),
    }
}

/// A whole number in decimal, without a sign.
pub(super) fn number(params: &Params, name: &'static str) -> Result<Option<u64>, Refusal> {
    optional(params, name)
        .map(|text| parse(text).ok_or(invalid(name, "it is not a whole number within bounds")))
        .transpose()
}

/// Nine digits hold every number of this API and rule out overflow in what is made of it.
fn parse(text: &str) -> Option<u64> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Which slice of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// Counts from one.
    pub(super) number: u64,
    /// Rows on a page.
    pub(super) size: u64,
}

impl Paging {
    /// The vendor's default.
    const SIZE: u64 = 10;

    /// The vendor's bound.
    const SIZE_MAX: u64 = 100;

    /// Reads and checks `PageNumber` and `PageSize`.
    pub(super) fn read(params: &Params) -> Result<Self, Refusal> {
        let page = Self {
            number: number(params, "PageNumber")?.unwrap_or(1),
            size: number(params, "PageSize")?.unwrap_or(Self::SIZE),
        };
        if page.number == 0 {
            return Err(invalid("PageNumber", "it counts from 1"));
        }
        if !(1..=Self::SIZE_MAX).contains(&page.size) {
            return Err(invalid("PageSize", "it is not between 1 and 100"));
        }
        Ok(page)
    }

    /// How many rows come before the page.
    pub(super) fn offset(self) -> u64 {
        (self.number - 1) * self.size
    }

    /// The page's rows.
    pub(super) fn slice<T>(self, rows: Vec<T>) -> Vec<T> {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        rows.into_iter()
            .skip(count(self.offset()))
            .take(count(self.size))
            .collect()
    }
}
