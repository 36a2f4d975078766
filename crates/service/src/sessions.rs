//! Temporary credentials: a key pair with a token, made of a key that lasts. They are kept
//! nowhere. The token names the key and the times, carries the policy that narrows it, and has a
//! MAC of all that under the key's secret; the temporary secret is derived from the same. So they
//! end with their time, with the revocation of their key, and with the end of the secret that
//! made them, and any service on the same store takes them.

use crate::tokens;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize};

/// Bounds on how long temporary credentials are good, seconds.
pub const DURATION_S: std::ops::RangeInclusive<u32> = 60..=12 * 3_600;

/// Bound on a policy, bytes: the token goes with every request.
pub const POLICY_LEN_MAX: usize = 2_048;

/// What every temporary key begins with.
pub(crate) const KEY_PREFIX: &str = "CLVS";

/// What ours begin with.
const PREFIX: &str = "clvs1.";

/// Bound on a token, bytes: the longest policy in base64, twice escaped in JSON, and the rest.
const LEN_MAX: usize = 8_192;

/// What the MACs are for.
const TOKEN: &[u8] = b"claviger session\0";
const SECRET: &[u8] = b"claviger session secret\0";

/// Length of a temporary secret, letters.
const SECRET_LEN: usize = 40;

#[derive(Serialize, Deserialize)]
struct Claims {
    id: KeyId,
    key: KeyId,
    issued_at: Timestamp,
    expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

/// What a token says of itself, before it is believed.
pub(crate) struct Claimed {
    claims: Claims,
    signed: String,
    mac: Vec<u8>,
}

impl Claimed {
    /// The temporary key that it belongs to.
    pub(crate) fn id(&self) -> &KeyId {
        &self.claims.id
    }

    /// The key that it claims to be made of.
    pub(crate) fn key(&self) -> &KeyId {
        &self.claims.key
    }

    /// The policy that it claims to be narrowed by.
    pub(crate) fn policy(&self) -> Option<&str> {
        self.claims.policy.as_deref()
    }

    /// Checks it against one of its key's secrets, in constant time, and its end; the temporary
    /// secret.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`].
    pub(crate) fn check(&self, secret: &Secret, now: Timestamp) -> Result<Secret, Refusal> {
        tokens::verify(secret, TOKEN, &self.signed, &self.mac)?;
        if self.claims.expires_at <= now {
            return Err(Refusal::TokenExpired);
        }
        Ok(derived(secret, &self.signed))
    }
}

fn derived(secret: &Secret, signed: &str) -> Secret {
    let mut text = URL_SAFE_NO_PAD.encode(tokens::mac(secret, SECRET, signed));
    text.truncate(SECRET_LEN);
    Secret::new(text)
}

/// Temporary credentials.
pub(crate) struct Issued {
    pub(crate) secret: Secret,
    pub(crate) token: Secret,
    pub(crate) expires_at: Timestamp,
}

/// Makes temporary credentials of `key`.
pub(crate) fn issue(
    id: &KeyId,
    key: &KeyId,
    secret: &Secret,
    (now, duration_s): (Timestamp, u32),
    policy: Option<String>,
) -> Issued {
    let expires_at = Timestamp::from_millis(now.as_millis() + i64::from(duration_s) * 1_000);
    let claims = Claims {
        id: id.clone(),
        key: key.clone(),
        issued_at: now,
        expires_at,
        policy,
    };
    let json = serde_json::to_vec(&claims).unwrap_or_default();
    let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
    let mac = URL_SAFE_NO_PAD.encode(tokens::mac(secret, TOKEN, &signed));
    Issued {
        secret: derived(secret, &signed),
        token: Secret::new(format!("{signed}.{mac}")),
        expires_at,
    }
}

/// Reads a token.
///
/// # Errors
/// [`Refusal::TokenInvalid`] if it is none of ours.
pub(crate) fn read(token: &Secret) -> Result<Claimed, Refusal> {
    let text = token.expose();
    let (signed, mac, json) = tokens::parts(text, PREFIX, LEN_MAX)?;
    let claims: Claims = serde_json::from_slice(&json).map_err(|_| Refusal::TokenInvalid)?;
    let long = claims
        .policy
        .as_ref()
        .is_some_and(|p| p.len() > POLICY_LEN_MAX);
    if long || !claims.id.as_str().starts_with(KEY_PREFIX) {
        return Err(Refusal::TokenInvalid);
    }
    Ok(Claimed {
        claims,
        signed: signed.to_owned(),
        mac,
    })
}

/// Whether anything can be made of a token: for the fuzzer.
pub fn reads(token: &str) -> bool {
    read(&Secret::new(token)).is_ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn made(policy: Option<&str>) -> (Issued, Secret) {
        let secret = Secret::new("s1");
        let now = Timestamp::from_secs(1_000);
        let policy = policy.map(str::to_owned);
        let issued = issue(&"CLVSx".into(), &"k".into(), &secret, (now, 60), policy);
        (issued, secret)
    }

    #[test]
    fn good_for_its_key_and_its_time() {
        let (issued, secret) = made(Some("permit(principal, action, resource);"));
        let claimed = read(&issued.token).unwrap();
        assert_eq!(
            (claimed.id().as_str(), claimed.key().as_str()),
            ("CLVSx", "k")
        );
        assert!(claimed.policy().unwrap().starts_with("permit"));
        let last = Timestamp::from_millis(issued.expires_at.as_millis() - 1);
        let derived = claimed.check(&secret, last).unwrap();
        assert!(derived.same_as(&issued.secret));
        assert_eq!(derived.expose().len(), SECRET_LEN);
        let check = |secret, now| claimed.check(secret, now).err();
        assert_eq!(
            check(&secret, issued.expires_at),
            Some(Refusal::TokenExpired)
        );
        assert_eq!(check(&Secret::new("s2"), last), Some(Refusal::TokenInvalid));
    }

    #[test]
    fn no_byte_may_change() {
        let (issued, secret) = made(None);
        let now = Timestamp::from_secs(1_000);
        let token = issued.token.expose();
        for at in 0..token.len() - 1 {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let text = Secret::new(String::from_utf8(bytes).unwrap());
            let passed = read(&text).is_ok_and(|t| t.check(&secret, now).is_ok());
            assert!(!passed, "byte {at}");
        }
        for bad in ["", ".", "clvs1.", "clvs1..", "clvs1.e30.AA", "clvt1.e30.AA"] {
            assert!(!reads(bad), "{bad}");
        }
    }

    /// A token for a day is made with the same secret, and is something else.
    #[test]
    fn not_a_bearer_token() {
        let secret = Secret::new("s1");
        let now = Timestamp::from_secs(1_000);
        let (bearer, _) = tokens::issue(&"k".into(), &secret, now);
        assert!(read(&bearer).is_err());
        let (issued, _) = made(None);
        assert!(tokens::read(&issued.token).is_err());
    }
}
