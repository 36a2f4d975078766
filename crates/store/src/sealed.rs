//! Which columns are sealed, and the bytes that are sealed there.

use crate::fault::Fault;
use crate::seal::{Place, Sealer};
use claviger_core::ids::AccountId;
use claviger_core::instance::NodeLogin;
use claviger_core::password::PasswordDigest;
use claviger_core::secret::Secret;
use zeroize::Zeroizing;

/// An account's digest.
pub(crate) fn account_password<'a>(instance: &'a str, account: &'a str) -> Place<'a> {
    Place {
        table: "account",
        row: [instance, account],
        column: "sealed_password",
    }
}

/// An instance's login.
pub(crate) fn instance_login(instance: &str) -> Place<'_> {
    Place {
        table: "instance",
        row: [instance, ""],
        column: "sealed_login",
    }
}

/// The clear password of an instance's default account.
pub(crate) fn default_password(instance: &str) -> Place<'_> {
    Place {
        table: "instance",
        row: [instance, ""],
        column: "sealed_default_password",
    }
}

/// The secret half of a key pair.
pub(crate) fn key_secret(key: &str) -> Place<'_> {
    Place {
        table: "access_key",
        row: [key, ""],
        column: "sealed_secret",
    }
}

/// A known text by which a wrong master key is noticed at the start.
pub(crate) const CANARY: Place<'static> = Place {
    table: "canary",
    row: ["1", ""],
    column: "sealed",
};

/// Seals an account's digests, the newest first: 32 bytes each.
pub(crate) fn seal_digests(
    sealer: &Sealer,
    place: Place<'_>,
    digests: &[&PasswordDigest],
) -> Result<Vec<u8>, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(digests.len() * 32));
    for digest in digests {
        bytes.extend_from_slice(digest.expose_bytes());
    }
    Ok(sealer.seal(place, &bytes)?)
}

/// Opens an account's digests, or remembers them. `id` is the text of `account`. Only an account
/// with one is remembered: several are had by few, and not for long.
pub(crate) fn open_digests(
    sealer: &Sealer,
    instance: &str,
    account: AccountId,
    id: &str,
    blob: &[u8],
) -> Result<Vec<PasswordDigest>, Fault> {
    if let Some(known) = sealer.memo.find(instance, account, blob) {
        return Ok(vec![known]);
    }
    let clear = sealer.open(account_password(instance, id), blob)?;
    let (chunks, rest) = clear.as_chunks::<32>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(Fault::unreadable("a digest"));
    }
    let digests: Vec<_> = chunks
        .iter()
        .map(|bytes| PasswordDigest::from_bytes(*bytes))
        .collect();
    if let [digest] = digests.as_slice() {
        sealer.memo.keep(instance, account, blob, digest);
    }
    Ok(digests)
}

/// Seals a text.
pub(crate) fn seal_secret(
    sealer: &Sealer,
    place: Place<'_>,
    secret: &Secret,
) -> Result<Vec<u8>, Fault> {
    Ok(sealer.seal(place, secret.expose().as_bytes())?)
}

/// Opens a text.
pub(crate) fn open_secret(sealer: &Sealer, place: Place<'_>, blob: &[u8]) -> Result<Secret, Fault> {
    text(&sealer.open(place, blob)?)
}

fn text(bytes: &[u8]) -> Result<Secret, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::unreadable("a sealed text"))?;
    Ok(Secret::new(text))
}

/// Seals a login's passwords; its user name is no secret and stands in a column of its own.
pub(crate) fn seal_login(
    sealer: &Sealer,
    place: Place<'_>,
    login: &NodeLogin,
) -> Result<Vec<u8>, Fault> {
    Ok(sealer.seal(place, &encode_login(login))?)
}

/// Opens a login.
pub(crate) fn open_login(
    sealer: &Sealer,
    place: Place<'_>,
    user: Option<String>,
    blob: &[u8],
) -> Result<NodeLogin, Fault> {
    let clear = sealer.open(place, blob)?;
    decode_login(user, &clear).ok_or_else(|| Fault::unreadable("a sealed login"))
}

/// The present password, then the former ones; each as one byte 0 (none), or one byte 1, its
/// length (4 bytes, big endian) and its text.
fn encode_login(login: &NodeLogin) -> Zeroizing<Vec<u8>> {
    let all = || std::iter::once(&login.password).chain(&login.former);
    let length = |secret: &Option<Secret>| 1 + secret.as_ref().map_or(0, |s| 4 + s.expose().len());
    // Room for all of it at once: growing would leave copies behind that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(all().map(length).sum()));
    for secret in all() {
        match secret {
            None => bytes.push(0),
            Some(secret) => {
                let text = secret.expose().as_bytes();
                bytes.push(1);
                bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_be_bytes());
                bytes.extend_from_slice(text);
            }
        }
    }
    bytes
}

fn decode_login(user: Option<String>, mut bytes: &[u8]) -> Option<NodeLogin> {
    let mut secrets = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        secrets.push(match tag {
            0 => None,
            1 => {
                let (length, rest) = bytes.split_first_chunk::<4>()?;
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                let (secret, rest) = rest.split_at_checked(length)?;
                bytes = rest;
                Some(text(secret).ok()?)
            }
            _ => return None,
        });
    }
    let mut secrets = secrets.into_iter();
    Some(NodeLogin {
        user,
        password: secrets.next()?,
        former: secrets.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn login_round_trip() {
        let login = NodeLogin {
            user: Some("admin".into()),
            password: Some(Secret::new("now")),
            former: vec![None, Some(Secret::new("")), Some(Secret::new("förmer"))],
        };
        let bytes = encode_login(&login);
        assert_eq!(bytes.len(), bytes.capacity(), "no growth, no copies left");
        let back = decode_login(login.user, &bytes).unwrap();
        assert_eq!(back.user.as_deref(), Some("admin"));
        assert_eq!(back.password.unwrap().expose(), "now");
        let former: Vec<_> = back
            .former
            .iter()
            .map(|f| f.as_ref().map(Secret::expose))
            .collect();
        assert_eq!(former, [None, Some(""), Some("förmer")]);
        for end in 1..bytes.len() {
            let cut = decode_login(None, &bytes[..end]);
            assert!(cut.is_none_or(|login| login.former.len() < 3));
        }
        assert!(decode_login(None, &[]).is_none());
        assert!(decode_login(None, &[2]).is_none());
    }
}
