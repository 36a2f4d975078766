//! How requests to claviger's own API are signed: one pure module for the server that checks and
//! the command line that signs.
//!
//! ```text
//! Authorization: CLAVIGER-HMAC-SHA256 Credential=<key>, Date=<unix seconds>, Nonce=<hex>, Signature=<hex>
//! ```
//! The signature is HMAC-SHA256 with the secret half of the key over six lines: method, path and
//! query as sent, date, nonce, and the SHA-256 of the body in hexadecimal.

use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The scheme in `Authorization`.
pub const SCHEME: &str = "CLAVIGER-HMAC-SHA256";

/// Seconds that the claimed date may lie in the past or the future.
pub const SKEW_S_MAX: u32 = 15 * 60;

/// Bound on the key's length in the header, bytes.
const KEY_LEN_MAX: usize = 128;

/// Bounds on the nonce, hexadecimal digits.
const NONCE_LEN: std::ops::RangeInclusive<usize> = 16..=64;

/// What is signed of a request.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Path as sent, undecoded.
    pub path: &'a str,
    /// Query as sent, undecoded and without the question mark; empty if there is none.
    pub query: &'a str,
    /// Body as sent; empty if there is none.
    pub body: &'a [u8],
}

/// What an `Authorization` header claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key that is said to have signed.
    pub key: KeyId,
    /// When it is said to have signed, seconds since the Unix epoch.
    pub date_s: i64,
    /// A value that the key does not use again before [`Claim::stale_at`].
    pub nonce: String,
    /// The signature, decoded.
    signature: [u8; 32],
}

/// The value of the `Authorization` header for a request. `nonce` is 16 to 64 hexadecimal digits,
/// new for each request.
pub fn sign(
    key: &KeyId,
    secret: &Secret,
    request: Signed<'_>,
    at: Timestamp,
    nonce: &str,
) -> String {
    let signature = mac(secret, request, at.as_secs(), nonce)
        .finalize()
        .into_bytes();
    format!(
        "{SCHEME} Credential={key}, Date={}, Nonce={nonce}, Signature={}",
        at.as_secs(),
        hex::encode(signature)
    )
}

/// Reads an `Authorization` header of this scheme.
///
/// # Errors
/// [`Refusal::SignatureMethodUnsupported`] for another scheme, [`Refusal::SignatureMalformed`]
/// if a field is missing, unknown, repeated or not of its form.
pub fn parse(header: &str) -> Result<Claim, Refusal> {
    let (scheme, fields) = header
        .trim()
        .split_once(' ')
        .ok_or(Refusal::SignatureMethodUnsupported)?;
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(Refusal::SignatureMethodUnsupported);
    }
    let (mut key, mut date, mut nonce, mut signature) = (None, None, None, None);
    for field in fields.split(',') {
        let (name, value) = field
            .trim()
            .split_once('=')
            .ok_or(Refusal::SignatureMalformed("a field without a value"))?;
        let slot = match name {
            "Credential" => &mut key,
            "Date" => &mut date,
            "Nonce" => &mut nonce,
            "Signature" => &mut signature,
            _ => return Err(Refusal::SignatureMalformed("an unknown field")),
        };
        if slot.replace(value).is_some() {
            return Err(Refusal::SignatureMalformed("a field is given twice"));
        }
    }
    let key = key
        .filter(|key| !key.is_empty() && key.len() <= KEY_LEN_MAX && key.is_ascii())
        .ok_or(Refusal::SignatureMalformed("Credential"))?;
    let date_s = date
        .filter(|date| date.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|date| date.parse::<i64>().ok())
        .ok_or(Refusal::SignatureMalformed("Date"))?;
    let nonce = nonce
        .filter(|nonce| NONCE_LEN.contains(&nonce.len()))
        .filter(|nonce| nonce.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or(Refusal::SignatureMalformed("Nonce"))?;
    let mut bytes = [0; 32];
    signature
        .and_then(|text| hex::decode_to_slice(text, &mut bytes).ok())
        .ok_or(Refusal::SignatureMalformed("Signature"))?;
    Ok(Claim {
        key: KeyId::from(key),
        date_s,
        nonce: nonce.to_owned(),
        signature: bytes,
    })
}

impl Claim {
    /// Whether the claimed date lies within the accepted window.
    ///
    /// # Errors
    /// [`Refusal::TimestampExpired`].
    pub fn fresh(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.date_s.abs_diff(now.as_secs()) <= u64::from(SKEW_S_MAX) {
            Ok(())
        } else {
            Err(Refusal::TimestampExpired)
        }
    }

    /// From when on the claim is refused as too old: until then its nonce must be remembered.
    pub fn stale_at(&self) -> Timestamp {
        Timestamp::from_secs(self.date_s.saturating_add(i64::from(SKEW_S_MAX) + 1))
    }

    /// Compares the signature in constant time. The caller also checks [`Claim::fresh`] before
    /// and that the nonce is new after.
    ///
    /// # Errors
    /// [`Refusal::SignatureMismatch`].
    pub fn verify(&self, secret: &Secret, request: Signed<'_>) -> Result<(), Refusal> {
        mac(secret, request, self.date_s, &self.nonce)
            .verify_slice(&self.signature)
            .map_err(|_| Refusal::SignatureMismatch {
                string_to_sign: String::new(),
            })
    }
}

fn mac(secret: &Secret, request: Signed<'_>, date_s: i64, nonce: &str) -> Hmac<Sha256> {
    let mut mac = keyed(secret.expose().as_bytes());
    for line in [request.method, request.path, request.query] {
        mac.update(line.as_bytes());
        mac.update(b"\n");
    }
    mac.update(format!("{date_s}\n{nonce}\n").as_bytes());
    mac.update(hex::encode(Sha256::digest(request.body)).as_bytes());
    mac
}

/// HMAC takes keys of any length; its own rule for keys longer than a block is to use their
/// digest, which leaves no length to refuse.
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0_u8; 64];
    let key: Cow<'_, [u8]> = if key.len() > block.len() {
        Cow::Owned(Sha256::digest(key).to_vec())
    } else {
        Cow::Borrowed(key)
    };
    block[..key.len()].copy_from_slice(&key);
    Hmac::<Sha256>::new(&block.into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    fn at() -> Timestamp {
        Timestamp::from_secs(1_700_000_000)
    }

    fn request(body: &[u8]) -> Signed<'_> {
        Signed {
            method: "POST",
            path: "/claviger/v1/instances",
            query: "limit=2",
            body,
        }
    }

    fn signed(secret: &str) -> String {
        let secret = Secret::new(secret);
        sign(&"AKtest".into(), &secret, request(b"{}"), at(), NONCE)
    }

    /// Computed with Python's `hmac` and `hashlib`.
    #[test]
    fn known_answer() {
        let expected = |signature: &str| {
            format!(
                "CLAVIGER-HMAC-SHA256 Credential=AKtest, Date=1700000000, Nonce={NONCE}, \
                 Signature={signature}"
            )
        };
        assert_eq!(
            signed("s3cret"),
            expected("15784958616b29e5b200f2bac287599e432c8e55d109791bebac097276cde185")
        );
        assert_eq!(
            signed(&"k".repeat(100)),
            expected("04b50c74d8cc0545537fd8feedb54b9ab9636853c0ceb90acbfef1cb0fb774ba")
        );
    }

    #[test]
    fn round_trip_and_every_change() {
        let claim = parse(&signed("s3cret")).unwrap();
        let secret = Secret::new("s3cret");
        assert_eq!(claim.key, KeyId::from("AKtest"));
        assert!(claim.verify(&secret, request(b"{}")).is_ok());
        assert!(claim.verify(&Secret::new("other"), request(b"{}")).is_err());
        let good = request(b"{}");
        for changed in [
            request(b"{ }"),
            Signed {
                method: "PUT",
                ..good
            },
            Signed {
                path: "/claviger/v1/instance",
                ..good
            },
            Signed {
                query: "limit=3",
                ..good
            },
            // A line break moved from one line to the next.
            Signed {
                path: "/claviger/v1/instances\nlimit=2",
                query: "",
                ..good
            },
        ] {
            assert!(claim.verify(&secret, changed).is_err());
        }
        for changed in [
            signed("s3cret").replace("1700000000", "1700000001"),
            signed("s3cret").replace("0011", "0012"),
        ] {
            let claim = parse(&changed).unwrap();
            assert!(claim.verify(&secret, good).is_err());
        }
    }

    #[test]
    fn window() {
        let claim = parse(&signed("s3cret")).unwrap();
        let skew = i64::from(SKEW_S_MAX);
        for (shift, ok) in [
            (0, true),
            (skew, true),
            (-skew, true),
            (skew + 1, false),
            (-skew - 1, false),
        ] {
            let now = Timestamp::from_secs(at().as_secs() + shift);
            assert_eq!(claim.fresh(now).is_ok(), ok, "{shift}");
        }
        assert!(claim.fresh(claim.stale_at()).is_err());
    }

    #[test]
    fn malformed() {
        let good = signed("s3cret");
        for bad in [
            "",
            "Basic abc",
            "CLAVIGER-HMAC-SHA256",
            "CLAVIGER-HMAC-SHA256 ",
            "CLAVIGER-HMAC-SHA256 Credential",
            &good.replace("AKtest", ""),
            &good.replace("AKtest", &"x".repeat(129)),
            &good.replace("Date=1700000000", "Date=-1"),
            &good.replace("Date=1700000000", "Date=99999999999999999999"),
            &good.replace("Date=1700000000, ", ""),
            &good.replace(NONCE, "0011"),
            &good.replace(NONCE, "zz112233445566778899aabbccddeeff"),
            &good.replace(", Signature=", ", Signature=00"),
            &format!("{good}, Nonce={NONCE}"),
            &format!("{good}, Other=1"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
