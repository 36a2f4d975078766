//! Who asks: claviger's own signature, or key and secret as HTTP Basic where nobody on the way
//! can read them.

use super::fault::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claviger_core::access::Principal;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use claviger_dialects::native::{Claim, SCHEME, Signed, parse};
use claviger_service::{Origin, Service};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a request says of its sender, before it is believed and before its body is read.
pub(crate) struct Credentials {
    claim: Claimed,
    /// The token of temporary credentials.
    token: Option<Secret>,
}

enum Claimed {
    Signed(Claim),
    Basic(KeyId, Secret),
}

impl Credentials {
    /// The key that is claimed.
    pub(crate) fn key(&self) -> &KeyId {
        match &self.claim {
            Claimed::Signed(claim) => &claim.key,
            Claimed::Basic(key, _) => key,
        }
    }
}

/// The header that carries the token of temporary credentials. The secret that signs is derived
/// from it, so it needs no signature of its own.
pub(crate) const TOKEN: &str = "x-claviger-security-token";

/// Reads the headers that say who asks.
pub(crate) fn read(headers: &HeaderMap, origin: &Origin) -> Result<Credentials, Fault> {
    let claim = claim(headers, origin)?;
    let mut tokens = headers.get_all(TOKEN).iter();
    let token = match (tokens.next(), tokens.next()) {
        (None, _) => None,
        (Some(token), None) => {
            let token = token.to_str().map_err(|_| Refusal::TokenInvalid)?;
            Some(Secret::new(token))
        }
        (Some(_), Some(_)) => return Err(Refusal::TokenInvalid.into()),
    };
    Ok(Credentials { claim, token })
}

fn claim(headers: &HeaderMap, origin: &Origin) -> Result<Claimed, Fault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Unsigned)?;
    if values.next().is_some() {
        return Err(Refusal::SignatureMalformed("Authorization is given twice").into());
    }
    let value = value
        .to_str()
        .map_err(|_| Refusal::SignatureMalformed("Authorization is not plain text"))?;
    let scheme = value.split(' ').next().unwrap_or_default();
    if scheme.eq_ignore_ascii_case("Basic") {
        return basic(value, origin);
    }
    parse(value)
        .map(Claimed::Signed)
        .map_err(|refusal| match refusal {
            Refusal::SignatureMethodUnsupported => Fault::new(
                401,
                refusal.word(),
                format!("Authorization takes {SCHEME}, or Basic over TLS or on loopback"),
            ),
            other => other.into(),
        })
}

/// Basic carries the secret itself, so it is taken only where it cannot be read on the way. It is
/// refused before the secret is looked at, so that the answer tells nothing about it.
fn basic(value: &str, origin: &Origin) -> Result<Claimed, Fault> {
    if !origin.tls && !origin.peer.ip().to_canonical().is_loopback() {
        return Err(Fault::new(
            401,
            "BasicRefused",
            "Basic sends the secret key itself: it is taken over TLS or on loopback only; sign \
             the request instead, as the claviger command does",
        ));
    }
    let malformed = || Refusal::SignatureMalformed("Basic takes base64 of key:secret");
    let encoded = value.get("Basic ".len()..).ok_or_else(malformed)?;
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    let pair = String::from_utf8(decoded).map(Secret::new);
    let pair = pair.map_err(|_| malformed())?;
    let (key, secret) = pair.expose().split_once(':').ok_or_else(malformed)?;
    Ok(Claimed::Basic(KeyId::from(key), Secret::new(secret)))
}

/// Verifies the sender: key, date, signature, nonce, in this order, then counts the request. A
/// nonce is remembered only once the signature is known to be good, else anyone could burn it.
pub(crate) async fn verify(
    service: &Service,
    credentials: &Credentials,
    request: Signed<'_>,
    origin: &Origin,
) -> Result<Principal, Fault> {
    let key = credentials.key();
    let from = service.admit_source(origin, "native")?;
    let holder = service.holder(key, credentials.token.as_ref(), from);
    let holder = service
        .believe(holder, origin)
        .map_err(|refusal| match refusal {
            Refusal::KeyUnknown | Refusal::KeyRevoked => {
                let told = "the access key is not known, is revoked, or has ended";
                Fault::new(401, Refusal::KeyUnknown.word(), told)
            }
            other => other.into(),
        })?;
    match &credentials.claim {
        Claimed::Signed(claim) => {
            claim.fresh(service.now())?;
            let proven = holder.prove(|secret| claim.verify(secret, request));
            service.believe(proven, origin)?;
            let used = service.nonce_seen(key, &claim.nonce, claim.stale_at());
            if used.await? {
                return Err(Refusal::NonceUsed.into());
            }
        }
        Claimed::Basic(_, claimed) => {
            let proven = holder.prove(|secret| match secret.same_as(claimed) {
                true => Ok(()),
                false => Err(Refusal::SignatureMismatch {
                    string_to_sign: String::new(),
                }),
            });
            service.believe(proven, origin).map_err(|_| {
                let word = "SecretWrong";
                Fault::new(401, word, "the secret key is wrong")
            })?;
        }
    }
    let (principal, _) = holder.into_caller(service.now());
    // Temporary credentials share the bound of their key.
    service.admit(&principal.key)?;
    Ok(principal)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn read_from(value: &str, peer: &str, tls: bool) -> Result<Credentials, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        let peer = format!("{peer}:1").parse().unwrap();
        read(&headers, &Origin { peer, tls })
    }

    #[test]
    fn basic_only_where_nobody_listens() {
        // key:secret
        let value = "Basic a2V5OnNlY3JldA==";
        for (peer, tls, fine) in [
            ("127.0.0.1", false, true),
            ("[::1]", false, true),
            ("[::ffff:127.0.0.1]", false, true),
            ("192.0.2.7", true, true),
            ("192.0.2.7", false, false),
            ("10.0.0.1", false, false),
        ] {
            match read_from(value, peer, tls) {
                Ok(Credentials {
                    claim: Claimed::Basic(key, secret),
                    ..
                }) => {
                    assert!(fine, "{peer} {tls}");
                    assert_eq!((key.as_str(), secret.expose()), ("key", "secret"));
                }
                Ok(_) => panic!("not signed"),
                Err(fault) => {
                    assert!(!fine, "{peer} {tls}");
                    assert_eq!((fault.status, fault.code), (401, "BasicRefused"));
                    assert!(!fault.message.contains("secret="));
                }
            }
        }
    }

    #[test]
    fn malformed() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic a2V5",
            "Basic /w==",
            "Bearer x",
            "CLAVIGER-HMAC-SHA256 x",
            "ACS3-HMAC-SHA256 Credential=a",
        ] {
            let fault = read_from(value, "127.0.0.1", false).err().unwrap();
            assert_eq!(fault.status, 401, "{value}");
        }
        let mut headers = HeaderMap::new();
        let origin = Origin {
            peer: "127.0.0.1:1".parse().unwrap(),
            tls: false,
        };
        assert_eq!(read(&headers, &origin).err().unwrap().code, "Unsigned");
        headers.append(AUTHORIZATION, "Basic a2V5OnNlY3JldA==".parse().unwrap());
        headers.append(AUTHORIZATION, "Basic a2V5OnNlY3JldA==".parse().unwrap());
        let fault = read(&headers, &origin).err().unwrap();
        assert_eq!(fault.code, "SignatureMalformed");
    }
}
