//! The two schemes with elliptic curves. Their private keys are made from the key pair, so a
//! verifier that knows the secret half can make the public key.

use crate::sign::Hash;
use claviger_core::secret::Secret;

/// A curve that some scheme signs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    /// NIST P-256, with ECDSA and SHA-256.
    P256,
    /// SM2, with its own signature and SM3.
    Sm2,
}

/// The identity that SM2 signatures mix in (GM/T 0009, the default one).
const SM2_ID: &str = "1234567812345678";

/// The orders of the two groups, less two (SEC 2, section 2.4.2; GB/T 32918.5).
const P256_LIMIT: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x4f,
];
const SM2_LIMIT: [u8; 32] = [
    0xff, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x72, 0x03, 0xdf, 0x6b, 0x21, 0xc6, 0x05, 0x2b, 0x53, 0xbb, 0xf4, 0x09, 0x39, 0xd5, 0x41, 0x21,
];

impl Curve {
    fn hash(self) -> Hash {
        match self {
            Curve::P256 => Hash::Sha256,
            Curve::Sm2 => Hash::Sm3,
        }
    }

    /// The private scalar of a key pair: the first code below the group's order less one, plus
    /// one. `None` if no counter gives one, which does not happen.
    fn scalar(self, scheme: &str, key: &str, secret: &Secret) -> Option<[u8; 32]> {
        let limit = match self {
            Curve::P256 => P256_LIMIT,
            Curve::Sm2 => SM2_LIMIT,
        };
        (0..=u8::MAX).find_map(|counter| {
            let mut mac = self.hash().hmac(secret.expose().as_bytes());
            mac.update(&1_u32.to_be_bytes());
            mac.update(scheme.as_bytes());
            mac.update(&[0]);
            mac.update(key.as_bytes());
            mac.update(&[counter]);
            mac.update(&256_u32.to_be_bytes());
            let mut scalar: [u8; 32] = mac.finish().try_into().ok()?;
            if scalar > limit {
                return None;
            }
            for byte in scalar.iter_mut().rev() {
                let (sum, carry) = byte.overflowing_add(1);
                *byte = sum;
                if !carry {
                    break;
                }
            }
            Some(scalar)
        })
    }

    /// Whether `signature`, DER in lower-case hexadecimal, is one of `text` by that key pair.
    pub(super) fn verifies(
        self,
        scheme: &str,
        key: &str,
        secret: &Secret,
        text: &str,
        signature: &str,
    ) -> bool {
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let bytes = signature
            .bytes()
            .all(lower)
            .then(|| hex::decode(signature).ok());
        let Some((r, s)) = bytes.flatten().as_deref().and_then(scalars) else {
            return false;
        };
        let Some(scalar) = self.scalar(scheme, key, secret) else {
            return false;
        };
        match self {
            Curve::P256 => p256_verifies(&scalar, text, r, s),
            Curve::Sm2 => sm2_verifies(&scalar, text, r, s),
        }
        .is_ok()
    }

    /// Signs, deterministically (RFC 6979).
    pub(super) fn sign(
        self,
        scheme: &str,
        key: &str,
        secret: &Secret,
        text: &str,
    ) -> Option<String> {
        let scalar = self.scalar(scheme, key, secret)?;
        let (r, s) = match self {
            Curve::P256 => {
                use p256::ecdsa::signature::Signer;
                let key = p256::ecdsa::SigningKey::from_slice(&scalar).ok()?;
                let signature: p256::ecdsa::Signature = key.try_sign(text.as_bytes()).ok()?;
                let (r, s) = signature.split_bytes();
                (<[u8; 32]>::from(r), <[u8; 32]>::from(s))
            }
            Curve::Sm2 => {
                use sm2::dsa::signature::Signer;
                let key = sm2::dsa::SigningKey::from_slice(SM2_ID, &scalar).ok()?;
                let signature: sm2::dsa::Signature = key.try_sign(text.as_bytes()).ok()?;
                (signature.r_bytes().into(), signature.s_bytes().into())
            }
        };
        let integers = [integer(&r), integer(&s)].concat();
        let mut der = vec![0x30, u8::try_from(integers.len()).ok()?];
        der.extend(integers);
        Some(hex::encode(der))
    }
}

/// Why a signature is not good is nobody's business.
struct Bad;

fn p256_verifies(scalar: &[u8; 32], text: &str, r: [u8; 32], s: [u8; 32]) -> Result<(), Bad> {
    use p256::ecdsa::signature::Verifier;
    let key = p256::ecdsa::SigningKey::from_slice(scalar).map_err(|_| Bad)?;
    let signature = p256::ecdsa::Signature::from_scalars(r, s).map_err(|_| Bad)?;
    let verified = key.verifying_key().verify(text.as_bytes(), &signature);
    verified.map_err(|_| Bad)
}

fn sm2_verifies(scalar: &[u8; 32], text: &str, r: [u8; 32], s: [u8; 32]) -> Result<(), Bad> {
    use sm2::dsa::signature::Verifier;
    let key = sm2::dsa::SigningKey::from_slice(SM2_ID, scalar).map_err(|_| Bad)?;
    let signature = sm2::dsa::Signature::from_scalars(r, s).map_err(|_| Bad)?;
    let verified = key.verifying_key().verify(text.as_bytes(), &signature);
    verified.map_err(|_| Bad)
}

/// Reads a DER sequence of two positive integers of at most 32 bytes, in its one right spelling.
fn scalars(der: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let [0x30, length, rest @ ..] = der else {
        return None;
    };
    if usize::from(*length) != rest.len() {
        return None;
    }
    let (r, rest) = read_integer(rest)?;
    let (s, rest) = read_integer(rest)?;
    rest.is_empty().then_some((r, s))
}

fn read_integer(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [0x02, length, rest @ ..] = bytes else {
        return None;
    };
    let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
    let magnitude = match digits {
        [] => return None,
        [first, ..] if *first >= 0x80 => return None,
        [0] => return None,
        // A zero in front only where the sign needs it.
        [0, next, ..] if *next < 0x80 => return None,
        [0, magnitude @ ..] => magnitude,
        magnitude => magnitude,
    };
    let mut number = [0; 32];
    let start = 32_usize.checked_sub(magnitude.len())?;
    number[start..].copy_from_slice(magnitude);
    Some((number, rest))
}

fn integer(number: &[u8; 32]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(31);
    let magnitude = &number[start..];
    let sign = usize::from(magnitude[0] >= 0x80);
    let mut out = vec![0x02];
    out.extend(u8::try_from(magnitude.len() + sign));
    out.resize(2 + sign, 0);
    out.extend_from_slice(magnitude);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows V9 and V10 of the contract: the scalars that the vendor's own signer derives.
    #[test]
    fn derived_scalars() {
        let secret = Secret::new("SKexampleSecretKey0000000000000000000001");
        for (curve, scheme, wanted) in [
            (
                Curve::P256,
                "SDK-ECDSA-P256-SHA256",
                "b0f3e8b2babd03edf394834504925660ea12fad737820eaf23784b07e47f02d8",
            ),
            (
                Curve::Sm2,
                "SDK-SM2-SM3",
                "6071fae4d2502b2f5838ff5e57900284baf2eabcc6a291a6c6dbc1b61aaacfba",
            ),
        ] {
            let scalar = curve.scalar(scheme, "AKEXAMPLE0000000001", &secret);
            assert_eq!(scalar.map(hex::encode).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn der_has_one_spelling() {
        let good = [0x30, 6, 2, 1, 1, 2, 1, 0x7f];
        assert!(scalars(&good).is_some());
        for bad in [
            &[][..],
            &[0x30, 5, 2, 1, 1, 2, 1, 0x7f],
            &[0x31, 6, 2, 1, 1, 2, 1, 0x7f],
            &[0x30, 6, 2, 1, 0, 2, 1, 0x7f],
            &[0x30, 6, 2, 1, 1, 2, 1, 0x80],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 0x7f],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x30, 7, 2, 1, 1, 2, 1, 0x7f, 0],
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 0x7f],
            &[0x30, 6, 2, 9, 1, 2, 1, 0x7f],
        ] {
            assert!(scalars(bad).is_none(), "{bad:?}");
        }
        let mut large = [0; 32];
        large[31] = 0x80;
        assert_eq!(integer(&large), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0x80; 32]).len(), 35);
    }
}
