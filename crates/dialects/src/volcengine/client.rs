//! The other side: signing a request to this API, for `claviger call volcengine`. Pure; time is
//! given.

use super::canonical::{self, Queries, Signed};
use super::{VERSION, auth, params, time};
use crate::encoding::escape_into;
use crate::raw::{Params, RawRequest, SignedRequest};
use crate::sign::Hash;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What to call, and as whom.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The action.
    pub action: &'a str,
    /// Its parameters; a name should come once. May hold passwords.
    pub params: &'a Params,
    /// The host as it goes into the `host` header, with the port unless it is the default.
    pub host: &'a str,
    /// The region of the credential's scope.
    pub region: &'a str,
    /// The key's public half.
    pub key: &'a KeyId,
    /// The key's secret half.
    pub secret: &'a Secret,
    /// The session token, of temporary credentials.
    pub token: Option<&'a Secret>,
    /// Now.
    pub at: Timestamp,
}

/// The parameters as the JSON that the vendor's clients send: whole numbers as such.
struct Body<'a>(&'a Params);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            match value.parse::<u64>() {
                Ok(number) if params::is_number(name) => map.serialize_entry(name, &number)?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

/// Signs, as the vendor's Go client does. The parameters go into the body, so that passwords stay
/// out of addresses.
pub fn sign(call: &Call<'_>) -> SignedRequest {
    let body = serde_json::to_string(&Body(call.params)).unwrap_or_default();
    let payload = Hash::Sha256.hex(body.as_bytes());
    let date = time::format_compact(call.at);
    let text = str::to_owned;
    let mut headers = vec![
        ("content-type", text("application/json; charset=utf-8")),
        ("host", text(call.host)),
        ("x-content-sha256", payload.clone()),
        ("x-date", date.clone()),
    ];
    if let Some(token) = call.token {
        headers.push(("x-security-token", text(token.expose())));
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let mut query = text("Action=");
    escape_into(call.action, &mut query);
    query.push_str("&Version=");
    query.push_str(VERSION);
    let raw = RawRequest {
        method: text("POST"),
        path: text("/"),
        query: Some(Secret::new(query.as_str())),
        headers: headers
            .iter()
            .map(|(name, value)| (text(name), value.as_bytes().to_vec()))
            .collect(),
        body: Vec::new(),
    };
    let signed = Signed {
        headers: &names,
        queries: Queries::AllBut("X-Signature"),
        // The vendor's clients sign it without a default port.
        host: call.host,
        payload: &payload,
    };
    let mut digest = Hash::Sha256.digest();
    canonical::request(&raw, &signed, &mut |chunk| digest.update(chunk.as_bytes()));
    let day = date.get(..8).unwrap_or_default();
    let scope = [day, call.region, auth::SERVICE];
    let digest = hex::encode(digest.finish());
    let signature = auth::signature(call.secret, &date, scope, &digest);
    headers.push(("accept", text("application/json")));
    headers.push((
        "authorization",
        format!(
            "{} Credential={}/{}/{}, SignedHeaders={names}, Signature={signature}",
            auth::ALGORITHM,
            call.key,
            scope.join("/"),
            auth::TERMINATOR,
        ),
    ));
    SignedRequest {
        method: "POST",
        target: Secret::new(format!("/?{query}")),
        headers,
        body: Secret::new(body),
    }
}
