//! Tokens that stand for a key for a day: made here, checked here, kept nowhere.
//!
//! A token names its key and its times and carries a MAC of them under the key's secret half: it
//! dies with its key, and nobody without the secret can make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long a token is good, milliseconds.
pub(crate) const LIFE_MS: i64 = 24 * 3_600 * 1_000;

/// Bound on a token, bytes; ours have some 200.
const LEN_MAX: usize = 2_048;

/// What ours begin with.
const PREFIX: &str = "clvt1.";

/// What the MAC is for.
const TOKEN: &[u8] = b"claviger token\0";

#[derive(Serialize, Deserialize)]
struct Claims {
    key: KeyId,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// What a token says of itself, before it is believed.
pub(crate) struct Claimed {
    claims: Claims,
    signed: String,
    mac: Vec<u8>,
}

impl Claimed {
    /// Whose it claims to be.
    pub(crate) fn key(&self) -> &KeyId {
        &self.claims.key
    }

    /// Checks it against its key's secret half, in constant time, and its end.
    ///
    /// # Errors
    /// [`Refusal::TokenInvalid`], [`Refusal::TokenExpired`].
    pub(crate) fn check(&self, secret: &Secret, now: Timestamp) -> Result<(), Refusal> {
        verify(secret, TOKEN, &self.signed, &self.mac)?;
        if self.claims.expires_at <= now {
            return Err(Refusal::TokenExpired);
        }
        Ok(())
    }
}

fn mac_of(secret: &Secret, purpose: &[u8], signed: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("any key length");
    mac.update(purpose);
    mac.update(signed.as_bytes());
    mac
}

/// A MAC of a text under a key's secret half. `purpose` ends with a zero, and no two are alike.
pub(crate) fn mac(secret: &Secret, purpose: &[u8], signed: &str) -> [u8; 32] {
    mac_of(secret, purpose, signed)
        .finalize()
        .into_bytes()
        .into()
}

/// Compares a MAC in constant time.
///
/// # Errors
/// [`Refusal::TokenInvalid`].
pub(crate) fn verify(
    secret: &Secret,
    purpose: &[u8],
    signed: &str,
    mac: &[u8],
) -> Result<(), Refusal> {
    let ours = mac_of(secret, purpose, signed);
    ours.verify_slice(mac).map_err(|_| Refusal::TokenInvalid)
}

/// Takes a token apart: what is signed, its MAC, and the JSON in it.
///
/// # Errors
/// [`Refusal::TokenInvalid`] if it has another form.
pub(crate) fn parts<'a>(
    text: &'a str,
    prefix: &str,
    len_max: usize,
) -> Result<(&'a str, Vec<u8>, Vec<u8>), Refusal> {
    let parts = text.rsplit_once('.').filter(|_| text.len() <= len_max);
    let (signed, mac) = parts.ok_or(Refusal::TokenInvalid)?;
    let json = signed.strip_prefix(prefix).ok_or(Refusal::TokenInvalid)?;
    let decode = |text| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| Refusal::TokenInvalid)
    };
    Ok((signed, decode(mac)?, decode(json)?))
}

/// A token for `key`, and its end.
pub(crate) fn issue(key: &KeyId, secret: &Secret, now: Timestamp) -> (Secret, Timestamp) {
    let expires_at = Timestamp::from_millis(now.as_millis() + LIFE_MS);
    let claims = Claims {
        key: key.clone(),
        issued_at: now,
        expires_at,
    };
    let json = serde_json::to_vec(&claims).unwrap_or_default();
    let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
    let mac = mac(secret, TOKEN, &signed);
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    (Secret::new(token), expires_at)
}

/// Reads a token.
///
/// # Errors
/// [`Refusal::TokenInvalid`] if it is none of ours.
pub(crate) fn read(token: &Secret) -> Result<Claimed, Refusal> {
    let (signed, mac, json) = parts(token.expose(), PREFIX, LEN_MAX)?;
    Ok(Claimed {
        claims: serde_json::from_slice(&json).map_err(|_| Refusal::TokenInvalid)?,
        signed: signed.to_owned(),
        mac,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn good_for_its_key_and_its_day() {
        let now = Timestamp::from_secs(1_000);
        let secret = Secret::new("s1");
        let (token, end) = issue(&"k".into(), &secret, now);
        let claimed = read(&token).unwrap();
        assert_eq!(claimed.key(), &KeyId::from("k"));
        assert!(claimed.check(&secret, now).is_ok());
        let last = Timestamp::from_millis(end.as_millis() - 1);
        assert!(claimed.check(&secret, last).is_ok());
        assert_eq!(claimed.check(&secret, end), Err(Refusal::TokenExpired));
        let other = Secret::new("s2");
        assert_eq!(claimed.check(&other, now), Err(Refusal::TokenInvalid));
    }

    #[test]
    fn no_byte_may_change() {
        let secret = Secret::new("s1");
        let now = Timestamp::from_secs(1_000);
        let (token, _) = issue(&"k".into(), &secret, now);
        for at in 0..token.expose().len() {
            let mut bytes = token.expose().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            let passed = read(&Secret::new(text)).is_ok_and(|t| t.check(&secret, now).is_ok());
            // The last character of a base64 text may carry bits that mean nothing.
            assert!(!passed || at + 1 == token.expose().len(), "byte {at}");
        }
        for bad in ["", ".", "clvt1.", "clvt1..", "clvt1.e30.AA", "x"] {
            assert!(read(&Secret::new(bad)).is_err(), "{bad}");
        }
    }
}
