//! Passwords: the clear text lives until its digest is taken, which is what a node is told.

use crate::secret::Secret;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// SHA-256 of a password: the form that `ACL SETUSER name #...` takes.
///
/// Redis compares passwords by this unsalted digest, so it is itself a secret: sealed in the
/// store, absent from logs.
#[derive(Clone)]
pub struct PasswordDigest([u8; 32]);

impl PasswordDigest {
    /// The digest of a clear password.
    pub fn of(password: &Secret) -> Self {
        Self(Sha256::digest(password.expose().as_bytes()).into())
    }

    /// From stored bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hexadecimal digits in lower case, as the servers give it back.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if text.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The bytes, for sealing.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, as the servers want them.
    pub fn expose_hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text
    }

    /// Whether this is the digest of `password`; constant time.
    pub fn matches(&self, password: &Secret) -> bool {
        self.same_as(&Self::of(password))
    }

    /// Equal, in constant time.
    pub fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordDigest(..)")
    }
}

impl Drop for PasswordDigest {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// How many of the classes lower case, upper case, digit and special a password draws on, and
/// whether every character belongs to one of them. `special` lists the allowed special characters.
pub fn classes(password: &str, special: &str) -> (usize, bool) {
    let (mut lower, mut upper, mut digit, mut other, mut clean) = (0, 0, 0, 0, true);
    for c in password.chars() {
        match c {
            'a'..='z' => lower = 1,
            'A'..='Z' => upper = 1,
            '0'..='9' => digit = 1,
            c if special.contains(c) => other = 1,
            _ => clean = false,
        }
    }
    (lower + upper + digit + other, clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_what_redis_stores() {
        // From the Redis documentation of ACL SETUSER: the password "abc".
        let digest = PasswordDigest::of(&Secret::new("abc"));
        assert_eq!(
            digest.expose_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let back = PasswordDigest::from_hex(&digest.expose_hex());
        assert!(back.is_some_and(|back| back.same_as(&digest)));
        assert!(PasswordDigest::from_hex("BA").is_none());
        assert!(PasswordDigest::from_hex(&"G".repeat(64)).is_none());
        assert!(digest.matches(&Secret::new("abc")));
        assert!(!digest.matches(&Secret::new("abd")));
        assert_eq!(format!("{digest:?}"), "PasswordDigest(..)");
    }

    #[test]
    fn classes_are_counted() {
        assert_eq!(classes("abcABC12", "!"), (3, true));
        assert_eq!(classes("abc!", "!"), (2, true));
        assert_eq!(classes("abc?", "!"), (1, false));
    }
}
