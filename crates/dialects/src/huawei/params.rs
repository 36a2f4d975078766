//! Reading the path's places and the query.

use super::actions::Action;
use super::request::place;
use crate::Shape;
use crate::encoding::{NUL, has_nul};
use crate::raw::Params;
use claviger_core::clock::Timestamp;
use claviger_core::command::Target;
use claviger_core::ids::{AccountId, InstanceId, TaskId};
use claviger_core::query::Page;
use claviger_core::refusal::{Refusal, Why};

use super::time;

/// The vendor's default for `limit`.
const LIMIT: u64 = 10;

/// Bound on an instance's identity, bytes; claviger's own (the vendor's are UUIDs).
const INSTANCE_LEN_MAX: usize = 128;

/// The refusal of a value.
pub(super) fn invalid(name: &'static str, why: Why) -> Refusal {
    Refusal::ParameterInvalid { name, why }
}

/// 32 lower-case hexadecimal digits.
fn project_ok(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 32 && text.bytes().all(digit)
}

/// The path's project, if it has one that is of the form: the service compares it.
pub(super) fn project(params: &Params) -> Option<String> {
    let text = params.get("project_id").filter(|text| project_ok(text));
    text.map(str::to_owned)
}

/// Refuses a project that was never compared.
pub(super) fn check_project(params: &Params) -> Result<(), Refusal> {
    match params.get("project_id") {
        Some(text) if !project_ok(text) => Err(invalid("project_id", "it is not of the form")),
        _ => Ok(()),
    }
}

/// Refuses a NUL byte in a place of the path or in what is read of the query.
pub(super) fn check_texts(action: &Action, params: &Params) -> Result<(), Refusal> {
    let places = action.path.split('/').filter_map(place);
    let wrong = |name: &&str| {
        let mut of_name = params.iter().filter(|(given, _)| given == name);
        of_name.any(|(_, value)| has_nul(value))
    };
    match places.chain(action.query.iter().copied()).find(wrong) {
        Some(name) => Err(invalid(name, NUL)),
        None => Ok(()),
    }
}

/// The path's instance.
pub(super) fn instance(params: &Params) -> Result<InstanceId, Refusal> {
    let text = params.get("instance_id").unwrap_or_default();
    if instance_ok(text) {
        Ok(InstanceId::new(text))
    } else {
        Err(Refusal::InstanceIdMalformed)
    }
}

/// Of the form of claviger's identities, which a UUID is as well.
pub(super) fn instance_ok(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=INSTANCE_LEN_MAX).contains(&text.len()) && text.bytes().all(fine)
}

/// The path's account. An identity has several spellings; one is kept, since wrong passwords are
/// counted by it.
pub(super) fn account(params: &Params) -> Target {
    let text = params.get("account_id").unwrap_or_default();
    let canonical = AccountId::parse(text).map(|id| id.to_string());
    Target::Id(canonical.unwrap_or_else(|| text.to_owned()))
}

/// The path's task or job: a number here.
pub(super) fn task(params: &Params, name: &'static str) -> Result<TaskId, Refusal> {
    let text = params.get(name).unwrap_or_default();
    // Eighteen digits rule out overflow.
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let number = if plain { text.parse().ok() } else { None };
    number
        .map(TaskId)
        .ok_or(invalid(name, "it is not a number"))
}

/// The value, unless it is absent or empty.
pub(super) fn optional<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).filter(|value| !value.is_empty())
}

/// A value that the answer is narrowed by: it must be short enough to be echoed in the shape.
pub(super) fn check_echoed(params: &Params, name: &'static str) -> Result<(), Refusal> {
    match params.get(name) {
        Some(value) if value.len() > Shape::ACTION_LEN_MAX => Err(invalid(name, "it is too long")),
        _ => Ok(()),
    }
}

/// A whole number in decimal, without a sign, of at most nine digits.
fn number(text: &str) -> Option<u64> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// `offset` and `limit`.
pub(super) fn page(params: &Params) -> Result<Page, Refusal> {
    let value = |name: &'static str| match optional(params, name) {
        None => Ok(None),
        Some(text) => number(text)
            .map(Some)
            .ok_or(invalid(name, "it is not a whole number")),
    };
    let limit = value("limit")?.unwrap_or(LIMIT);
    if !(1..=Page::LIMIT_MAX).contains(&limit) {
        return Err(invalid("limit", "it is not between 1 and 1000"));
    }
    Ok(Page {
        offset: value("offset")?.unwrap_or(0),
        limit,
    })
}

/// The same from what the shape echoes; it was checked when it was read.
pub(super) fn page_echoed(shape: &Shape) -> Page {
    let value = |name| shape.echoed(name).and_then(number);
    Page {
        offset: value("offset").unwrap_or(0),
        limit: value("limit").unwrap_or(LIMIT),
    }
}

/// The page's rows.
pub(super) fn slice<T>(rows: Vec<T>, page: Page) -> Vec<T> {
    let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    rows.into_iter()
        .skip(count(page.offset))
        .take(count(page.limit))
        .collect()
}

/// A time in the query.
pub(super) fn moment(params: &Params, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    match optional(params, name) {
        None => Ok(None),
        Some(text) => time::parse_plain(text)
            .map(Some)
            .ok_or(invalid(name, "it is not of the form yyyyMMddHHmmss")),
    }
}
