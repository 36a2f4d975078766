//! The first look at a request: whose it is, what it is about, its parameters.

use super::actions::{self, Action};
use super::token_request;
use crate::Shape;
use crate::encoding::{self, FormError, PARAMS_MAX, pairs};
use crate::raw::{Params, RawRequest};
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use std::borrow::Cow;

/// Beginnings of this vendor's `Authorization` schemes.
const SCHEMES: [&str; 2] = ["SDK-", "V11-HMAC-"];

/// Bound on segments of a path; the longest that is served has 8.
const SEGMENTS_MAX: usize = 16;

/// The name under which a JSON body is kept among the parameters.
pub(super) const BODY: &str = "body";

/// The paths of DCS and IAM. Elsewhere, a scheme of this vendor's and no mark of another's: the
/// caller went astray, and shall read so in words that it understands.
pub(super) fn claims(raw: &RawRequest) -> bool {
    if raw.path.starts_with("/v2/") || raw.path.starts_with("/v3/") {
        return true;
    }
    let authorization = raw.header("authorization").unwrap_or_default();
    let ours = SCHEMES.iter().any(|s| authorization.starts_with(s));
    let foreign = |name: &str| name.starts_with("x-acs-") || name.starts_with("x-tc-");
    // The others speak through parameters, in the query or a form.
    ours && raw.path != "/"
        && raw.query_str().is_empty()
        && !raw.headers.iter().any(|(name, _)| foreign(name))
        && !raw
            .header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("form"))
}

/// One segment of a path: as [`encoding::decode`], but a plus sign is one.
fn decode_segment(segment: &str) -> Result<Cow<'_, str>, FormError> {
    if segment.contains('+') {
        let kept = segment.replace('+', "%2B");
        return encoding::decode(&kept).map(|text| Cow::Owned(text.into_owned()));
    }
    encoding::decode(segment)
}

/// The segments of a path, decoded; `None` if one cannot be, or would hold a slash: the
/// signature does not tell `%2F` from `/`, so a path with it could be read in two ways.
pub(super) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let path = path.strip_prefix('/')?;
    // A slash at the end is neither needed nor wrong; signatures always have one.
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut found = Vec::new();
    for segment in path.split('/') {
        let segment = decode_segment(segment).ok()?;
        if segment.contains('/') || found.len() == SEGMENTS_MAX {
            return None;
        }
        found.push(segment);
    }
    Some(found)
}

/// What stands in the places of a path's template, by their names.
type Places = Vec<(&'static str, String)>;

/// The action of a path and method, and what stands in the places of the path's template.
///
/// # Errors
/// [`Refusal::PathUnknown`], [`Refusal::MethodUnsupported`].
fn route(raw: &RawRequest) -> Result<(&'static Action, Places), Refusal> {
    let segments = segments(&raw.path).ok_or(Refusal::PathUnknown)?;
    let mut refusal = Refusal::PathUnknown;
    for action in actions::ALL {
        if let Some(places) = fits(action.path, &segments) {
            if action.method == raw.method {
                return Ok((action, places));
            }
            refusal = Refusal::MethodUnsupported;
        }
    }
    Err(refusal)
}

/// The name of a template's place, such as `{task_id}`.
pub(super) fn place(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn fits(template: &'static str, segments: &[Cow<'_, str>]) -> Option<Places> {
    let mut places = Vec::new();
    let mut given = segments.iter();
    for wanted in template.split('/').skip(1) {
        let segment = given.next()?;
        match place(wanted) {
            Some(name) if !segment.is_empty() => places.push((name, segment.to_string())),
            None if wanted == *segment => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(places)
}

/// See [`crate::Dialect::shape`].
pub(super) fn shape(raw: &RawRequest) -> Shape {
    let mut shape = Shape {
        version: if raw.path.starts_with("/v3/") {
            "v3"
        } else {
            "v2"
        }
        .to_owned(),
        host: Shape::bounded(raw.header("host").unwrap_or_default()),
        ..Shape::default()
    };
    let Ok((action, places)) = route(raw) else {
        return shape;
    };
    action.name.clone_into(&mut shape.action);
    for (name, value) in places {
        shape.echo.push((name, Shape::bounded(&value)));
    }
    for name in action.query {
        if let Some(value) = encoding::peek(raw.query_str(), name) {
            shape.echo.push((name, Shape::bounded(&value)));
        }
    }
    if action.name == token_request::ACTION {
        shape.echo.extend(token_request::echo(&raw.body));
    }
    shape
}

/// What a request asks, unproven.
pub(super) struct Call {
    pub(super) action: &'static Action,
    /// The path's places, the parameters of the query that the action reads, and the body.
    pub(super) params: Params,
}

/// Path, method, query, body.
///
/// # Errors
/// Those of the path, or a query that cannot be decoded: it could not be signed either.
pub(super) fn read(raw: &RawRequest) -> Result<Call, Refusal> {
    let (action, places) = route(raw)?;
    let mut params = Params::default();
    for (name, value) in places {
        params.push(name.to_owned(), Secret::new(value));
    }
    let mut all = Params::default();
    encoding::parse_form(raw.query_str(), &mut all).map_err(|error| bad_query(error.why()))?;
    for name in action.query {
        // Signed in sorted order: which of two comes first is not known for sure.
        if all.count(name) > 1 && *name != "tags" {
            return Err(Refusal::ParameterInvalid {
                name,
                why: "it is given twice",
            });
        }
        if let Some(value) = all.secret(name) {
            params.push((*name).to_owned(), value.clone());
        }
    }
    // A body with GET is common (Node sends `{}`), and means nothing.
    if action.takes_body {
        let text = std::str::from_utf8(&raw.body);
        // Refused as JSON after the signature was seen to be good.
        params.push(BODY.to_owned(), Secret::new(text.unwrap_or("\u{fffd}")));
    }
    Ok(Call { action, params })
}

fn bad_query(why: &'static str) -> Refusal {
    Refusal::ParameterInvalid { name: "query", why }
}

/// The parameters of the query, decoded, in the order in which they are signed; `None` if they
/// cannot be read.
pub(super) fn sorted_query(text: &str) -> Option<Vec<(Cow<'_, str>, Cow<'_, str>)>> {
    let mut all = Vec::new();
    for (name, value) in pairs(text) {
        if all.len() == PARAMS_MAX {
            return None;
        }
        all.push((encoding::decode(name).ok()?, encoding::decode(value).ok()?));
    }
    all.sort_unstable();
    Some(all)
}
