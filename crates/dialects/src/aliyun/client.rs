//! The other side: signing a request to this API, for `claviger call aliyun`. Pure; time and
//! nonce are given.

use super::{VERSION, auth_acs3, auth_v1, time};
use crate::encoding::escape_into;
use crate::raw::{Params, RawRequest, SignedRequest};
use crate::sign::Hash;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::secret::Secret;

/// How to sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signer {
    /// ACS3-HMAC-SHA256, as new SDKs do.
    #[default]
    Acs3Sha256,
    /// ACS3-HMAC-SM3.
    Acs3Sm3,
    /// RPC V1 with HMAC-SHA1, as old SDKs do.
    RpcV1,
}

/// What to call, and as whom.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The action.
    pub action: &'a str,
    /// Its parameters; a name should come once. May hold passwords.
    pub params: &'a Params,
    /// The host as it goes into the `host` header, with the port unless it is the default.
    pub host: &'a str,
    /// The key's public half.
    pub key: &'a KeyId,
    /// The key's secret half.
    pub secret: &'a Secret,
    /// The session token, of temporary credentials.
    pub token: Option<&'a Secret>,
    /// Now.
    pub at: Timestamp,
    /// A new one for each request; hexadecimal, at least 16 digits.
    pub nonce: &'a str,
    /// How to sign.
    pub signer: Signer,
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Signs. The parameters go into a form body, so that passwords stay out of addresses.
pub fn sign(call: &Call<'_>) -> SignedRequest {
    match call.signer {
        Signer::Acs3Sha256 => acs3(call, ("ACS3-HMAC-SHA256", Hash::Sha256)),
        Signer::Acs3Sm3 => acs3(call, ("ACS3-HMAC-SM3", Hash::Sm3)),
        Signer::RpcV1 => rpc_v1(call),
    }
}

fn form<'a>(params: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::new();
    for (name, value) in params {
        if !form.is_empty() {
            form.push('&');
        }
        escape_into(name, &mut form);
        form.push('=');
        escape_into(value, &mut form);
    }
    form
}

fn acs3(call: &Call<'_>, (scheme, hash): (&str, Hash)) -> SignedRequest {
    let body = form(call.params.iter());
    let payload = hash.hex(body.as_bytes());
    let text = str::to_owned;
    let mut headers = vec![
        ("accept", text("application/json")),
        ("content-type", text(FORM)),
        ("host", text(call.host)),
        ("x-acs-action", text(call.action)),
        ("x-acs-content-sha256", payload.clone()),
        ("x-acs-date", time::format(call.at)),
        ("x-acs-signature-nonce", text(call.nonce)),
        ("x-acs-version", text(VERSION)),
    ];
    if let Some(token) = call.token {
        headers.push(("x-acs-security-token", text(token.expose())));
        headers.sort_unstable();
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let raw = RawRequest {
        method: text("POST"),
        path: text("/"),
        query: None,
        headers: headers
            .iter()
            .map(|(name, value)| (text(name), value.as_bytes().to_vec()))
            .collect(),
        body: body.into_bytes(),
    };
    let (_, signature) = auth_acs3::signature(
        &raw,
        &Params::default(),
        (scheme, hash),
        &names,
        &payload,
        call.secret,
    );
    let authorization = format!(
        "{scheme} Credential={},SignedHeaders={names},Signature={signature}",
        call.key
    );
    headers.push(("authorization", authorization));
    SignedRequest {
        method: "POST",
        target: Secret::new("/"),
        headers,
        body: Secret::new(String::from_utf8(raw.body).unwrap_or_default()),
    }
}

fn rpc_v1(call: &Call<'_>) -> SignedRequest {
    let mut common = Params::default();
    for (name, value) in [
        ("Action", call.action),
        ("Version", VERSION),
        ("Format", "JSON"),
        ("AccessKeyId", call.key.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", call.nonce),
        ("Timestamp", &time::format(call.at)),
    ] {
        common.push(name.to_owned(), Secret::new(value));
    }
    if let Some(token) = call.token {
        common.push("SecurityToken".to_owned(), token.clone());
    }
    let mut all = common.clone();
    for (name, value) in call.params.iter() {
        all.push(name.to_owned(), Secret::new(value));
    }
    let signature = auth_v1::signature(Hash::Sha1, call.secret, "POST", &all);
    common.push("Signature".to_owned(), Secret::new(signature));
    SignedRequest {
        method: "POST",
        target: Secret::new(format!("/?{}", form(common.iter()))),
        headers: vec![
            ("accept", "application/json".to_owned()),
            ("content-type", FORM.to_owned()),
            ("host", call.host.to_owned()),
        ],
        body: Secret::new(form(call.params.iter())),
    }
}
