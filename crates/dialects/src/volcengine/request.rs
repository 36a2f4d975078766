//! The first look at a request: whose it is, what it asks, who signed it.

use super::auth::{self, Form};
use super::params::BODY;
use super::{LEAD_S_MAX, VERSION, actions, params, profile};
use crate::encoding;
use crate::raw::{Params, RawRequest};
use crate::{Envelope, Proof, Shape};
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

/// The marks of this vendor, and none of another's: other clouds have their own schemes, headers,
/// versions and, for one of them, paths.
pub(super) fn claims(raw: &RawRequest) -> bool {
    let authorization = raw.header("authorization").unwrap_or_default();
    let foreign_scheme = ["ACS3-", "TC3-", "SDK-HMAC-"];
    if raw.path.starts_with("/v2/")
        || raw.path.starts_with("/v3/")
        || foreign_scheme.iter().any(|s| authorization.starts_with(s))
        || raw
            .headers
            .iter()
            .any(|(name, _)| name.starts_with("x-tc-") || name == "x-auth-token")
    {
        return false;
    }
    let (mut ours, mut foreign) = (authorization.starts_with("HMAC-SHA256 "), false);
    for (name, value) in encoding::pairs(raw.query_str()) {
        let Ok(name) = encoding::decode(name) else {
            continue;
        };
        match &*name {
            "Version" => ours |= encoding::decode(value).as_deref() == Ok(VERSION),
            "X-Algorithm" => ours = true,
            "SecretId" => foreign = true,
            _ => {}
        }
    }
    ours && !foreign
}

/// The names under which the shape carries what an error's text repeats.
pub(super) const ECHO_KEY: &str = "(key)";
/// See [`ECHO_KEY`].
pub(super) const ECHO_SERVICE: &str = "(service)";
/// See [`ECHO_KEY`].
pub(super) const ECHO_INSTANCE: &str = "(instance)";

/// See [`crate::Dialect::shape`].
pub(super) fn shape(raw: &RawRequest) -> Shape {
    let query = raw.query_str();
    let said = |name| Shape::bounded(&encoding::peek(query, name).unwrap_or_default());
    let scope = auth::named(raw);
    let scope = |part: fn(&auth::Scope<'_>) -> String| scope.as_ref().map(part).unwrap_or_default();
    let action = said("Action");
    let mut echo = vec![
        (profile::ECHO, profile::of(raw).to_owned()),
        (ECHO_KEY, scope(|scope| Shape::bounded(&scope.key))),
        (ECHO_SERVICE, scope(|scope| Shape::bounded(&scope.service))),
    ];
    if let Some(known) = actions::find(&action)
        && let Ok(params) = read(raw).and_then(|params| params::complete(&params))
    {
        let given = |name: &str| Shape::bounded(params.get(name).unwrap_or_default());
        echo.push((ECHO_INSTANCE, given("InstanceId")));
        echo.extend(known.echo.iter().map(|name| (*name, given(name))));
    }
    Shape {
        action,
        version: said("Version"),
        region: scope(|scope| Shape::bounded(&scope.region)),
        xml: false,
        host: Shape::bounded(raw.header("host").unwrap_or_default()),
        echo,
    }
}

/// The parameters of query and form, and a JSON body unread. A parameter that comes twice is
/// refused, whatever its name: two readers could take different ones.
fn read(raw: &RawRequest) -> Result<Params, Refusal> {
    let mut params = Params::default();
    encoding::parse_form(raw.query_str(), &mut params)?;
    let form = is_form(raw);
    if form {
        encoding::parse_form_bytes(&raw.body, &mut params)?;
    }
    let mut sorted: Vec<&str> = params.iter().map(|(name, _)| name).collect();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::Malformed("a parameter is given twice"));
    }
    if !form && !raw.body.is_empty() {
        // What is not text is no JSON either, and is refused as such when its turn comes.
        let body = std::str::from_utf8(&raw.body).unwrap_or("not text");
        params.push(BODY.to_owned(), Secret::new(body));
    }
    Ok(params)
}

/// Anything that is not said to be a form is taken for JSON.
fn is_form(raw: &RawRequest) -> bool {
    let kind = raw.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// See [`crate::Dialect::open`]: route first, then who signed. The body's turn comes after the
/// signature.
pub(super) fn open(raw: &RawRequest) -> Result<Envelope, Refusal> {
    if raw.method != "GET" && raw.method != "POST" {
        return Err(Refusal::MethodUnsupported);
    }
    let params = read(raw)?;
    // In the query only, where it is signed in any case.
    let query = |name| encoding::peek(raw.query_str(), name).filter(|text| !text.is_empty());
    let missing = |name| Refusal::ParameterMissing { name };
    let action = query("Action").ok_or(missing("Action"))?;
    let version = query("Version").ok_or(missing("Version"))?;
    if version != VERSION {
        return Err(Refusal::VersionUnknown);
    }
    let action = actions::find(&action).ok_or(Refusal::ActionUnknown)?;
    let claim = auth::read(raw, &params)?;
    let token = match auth::form(raw) {
        Some(Form::Query) => params.get("X-Security-Token"),
        _ => raw.header("x-security-token"),
    };
    Ok(Envelope {
        action: action.name,
        key: KeyId::new(&*claim.scope.key),
        proof: Proof::Signature,
        signed_at: Some(claim.at),
        age_s_max: claim.age_s_max,
        lead_s_max: LEAD_S_MAX,
        project: None,
        nonce: None,
        token: token.map(Secret::new),
        params,
    })
}
