//! Which columns are sealed, and the bytes that are sealed there.

use crate::fault::Fault;
use crate::seal::{Place, Sealer};
use claviger_core::account::Account;
use claviger_core::ids::AccountId;
use claviger_core::instance::{NodeLogin, SentinelLogin};
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

/// The digests that an account's last change of the password has left behind.
pub(crate) fn leaving_passwords<'a>(instance: &'a str, account: &'a str) -> Place<'a> {
    Place {
        table: "account",
        row: [instance, account],
        column: "sealed_leaving",
    }
}

/// The clear password of an account that replicas or Sentinels log in with.
pub(crate) fn link_password<'a>(instance: &'a str, account: &'a str) -> Place<'a> {
    Place {
        table: "account",
        row: [instance, account],
        column: "sealed_link",
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

/// The secret half that a key pair had before.
pub(crate) fn former_secret(key: &str) -> Place<'_> {
    Place {
        table: "access_key",
        row: [key, ""],
        column: "sealed_former",
    }
}

/// A known text by which a wrong master key is noticed at the start.
pub(crate) const CANARY: Place<'static> = Place {
    table: "canary",
    row: ["1", ""],
    column: "sealed",
};

/// That text.
pub(crate) const CANARY_TEXT: &[u8] = b"claviger";

/// Stands between the passwords that are valid and the former ones; no password has this digest.
const FORMER_FOLLOW: [u8; 32] = [0; 32];

/// Seals an account's digests, 32 bytes each: those that are valid, the newest first, then the
/// former ones, if there are any. `None` without a digest.
pub(crate) fn seal_digests(
    sealer: &Sealer,
    place: Place<'_>,
    account: &Account,
) -> Result<Option<Vec<u8>>, Fault> {
    let valid = account.password.iter().chain(&account.more_passwords);
    let former = &account.former_passwords;
    let count = 2 + account.more_passwords.len() + former.len();
    let mut bytes = Zeroizing::new(Vec::with_capacity(count * 32));
    for digest in valid {
        bytes.extend_from_slice(digest.expose_bytes());
    }
    if !former.is_empty() {
        bytes.extend_from_slice(&FORMER_FOLLOW);
    }
    for digest in former {
        bytes.extend_from_slice(digest.expose_bytes());
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(sealer.seal(place, &bytes)?))
}

/// Passwords that are valid, and former ones.
pub(crate) type Digests = (Vec<PasswordDigest>, Vec<PasswordDigest>);

/// Opens an account's digests, or remembers them. `id` is the text of `account`. Only an account
/// with one is remembered: several are had by few, and not for long.
pub(crate) fn open_digests(
    sealer: &Sealer,
    instance: &str,
    account: AccountId,
    id: &str,
    blob: &[u8],
) -> Result<Digests, Fault> {
    if let Some(known) = sealer.memo.find(instance, account, blob) {
        return Ok((vec![known], Vec::new()));
    }
    let clear = sealer.open(account_password(instance, id), blob)?;
    let (chunks, rest) = clear.as_chunks::<32>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(Fault::unreadable("a digest"));
    }
    let mut parts = chunks.split(|bytes| *bytes == FORMER_FOLLOW);
    let mut digests = || {
        let part = parts.next().unwrap_or_default();
        let digests = part.iter().map(|bytes| PasswordDigest::from_bytes(*bytes));
        digests.collect::<Vec<_>>()
    };
    let (valid, former) = (digests(), digests());
    if let ([digest], []) = (valid.as_slice(), former.as_slice()) {
        sealer.memo.keep(instance, account, blob, digest);
    }
    Ok((valid, former))
}

/// What is sealed, where there is anything.
type Sealed = Option<Vec<u8>>;

/// Seals what an account has in columns of their own: the digests that are leaving, and the clear
/// password for links.
pub(crate) fn seal_link(
    sealer: &Sealer,
    instance: &str,
    id: &str,
    account: &Account,
) -> Result<(Sealed, Sealed), Fault> {
    let digests = &account.leaving_passwords;
    let mut bytes = Zeroizing::new(Vec::with_capacity(digests.len() * 32));
    for digest in digests {
        bytes.extend_from_slice(digest.expose_bytes());
    }
    let leaving = (!bytes.is_empty())
        .then(|| sealer.seal(leaving_passwords(instance, id), &bytes))
        .transpose()?;
    let link = account.link_password.as_ref();
    let link = link
        .map(|secret| seal_secret(sealer, link_password(instance, id), secret))
        .transpose()?;
    Ok((leaving, link))
}

/// Opens digests, of whatever kind.
pub(crate) fn open_list(
    sealer: &Sealer,
    place: Place<'_>,
    blob: &[u8],
) -> Result<Vec<PasswordDigest>, Fault> {
    let clear = sealer.open(place, blob)?;
    let (chunks, rest) = clear.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Fault::unreadable("a digest"));
    }
    let digests = chunks.iter().filter(|bytes| **bytes != FORMER_FOLLOW);
    Ok(digests
        .map(|bytes| PasswordDigest::from_bytes(*bytes))
        .collect())
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

/// Marks the login on the Sentinels, which ends what is sealed.
const SENTINEL: u8 = 2;

/// The present password, then the former ones; each as one byte 0 (none), or one byte 1, its
/// length (4 bytes, big endian) and its text. A login on the Sentinels follows as one byte 2, its
/// user and its password in the same form.
fn encode_login(login: &NodeLogin) -> Zeroizing<Vec<u8>> {
    let mut parts: Vec<Option<&str>> = Vec::with_capacity(login.former.len() + 3);
    parts.push(login.password.as_ref().map(Secret::expose));
    parts.extend(login.former.iter().map(|f| f.as_ref().map(Secret::expose)));
    let own = parts.len();
    if let Some(sentinel) = &login.sentinel {
        parts.push(sentinel.user.as_deref());
        parts.push(sentinel.password.as_ref().map(Secret::expose));
    }
    let length = |part: &Option<&str>| 1 + part.map_or(0, |text| 4 + text.len());
    // Room for all of it at once: growing would leave copies behind that nobody wipes.
    let room = parts.iter().map(length).sum::<usize>() + usize::from(own < parts.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    for (at, part) in parts.into_iter().enumerate() {
        if at == own {
            bytes.push(SENTINEL);
        }
        match part {
            None => bytes.push(0),
            Some(text) => {
                bytes.push(1);
                bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_be_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
    bytes
}

/// One text that may be absent, and what follows it.
fn decode_part(bytes: &[u8]) -> Option<(Option<Secret>, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((None, rest)),
        (1, rest) => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (secret, rest) = rest.split_at_checked(length)?;
            Some((Some(text(secret).ok()?), rest))
        }
        _ => None,
    }
}

fn decode_login(user: Option<String>, mut bytes: &[u8]) -> Option<NodeLogin> {
    let mut secrets = Vec::new();
    let mut sentinel = None;
    while let Some((tag, rest)) = bytes.split_first() {
        if *tag == SENTINEL {
            let (user, rest) = decode_part(rest)?;
            let (password, rest) = decode_part(rest)?;
            let user = user.map(|user| user.expose().to_owned());
            sentinel = Some(SentinelLogin { user, password });
            if !rest.is_empty() {
                return None;
            }
            break;
        }
        let (secret, rest) = decode_part(bytes)?;
        secrets.push(secret);
        bytes = rest;
    }
    let mut secrets = secrets.into_iter();
    Some(NodeLogin {
        user,
        password: secrets.next()?,
        former: secrets.collect(),
        sentinel,
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
            sentinel: None,
        };
        let bytes = encode_login(&login);
        assert_eq!(bytes.len(), bytes.capacity(), "no growth, no copies left");
        let back = decode_login(login.user.clone(), &bytes).unwrap();
        assert_eq!(back.user.as_deref(), Some("admin"));
        assert_eq!(back.password.unwrap().expose(), "now");
        let former: Vec<_> = back
            .former
            .iter()
            .map(|f| f.as_ref().map(Secret::expose))
            .collect();
        assert_eq!(former, [None, Some(""), Some("förmer")]);
        let watched = NodeLogin {
            sentinel: Some(SentinelLogin {
                user: Some("watch".into()),
                password: Some(Secret::new("höre")),
            }),
            ..login
        };
        let longer = encode_login(&watched);
        assert_eq!(longer.len(), longer.capacity(), "no growth, no copies left");
        let back = decode_login(None, &longer).unwrap();
        assert_eq!(back.former.len(), 3);
        let sentinel = back.sentinel.unwrap();
        assert_eq!(sentinel.user.as_deref(), Some("watch"));
        assert_eq!(sentinel.password.unwrap().expose(), "höre");
        for end in bytes.len() + 1..longer.len() {
            assert!(decode_login(None, &longer[..end]).is_none());
        }
        for end in 1..bytes.len() {
            let cut = decode_login(None, &bytes[..end]);
            assert!(cut.is_none_or(|login| login.former.len() < 3));
        }
        assert!(decode_login(None, &[]).is_none());
        assert!(decode_login(None, &[2]).is_none());
        assert!(decode_login(None, &[3]).is_none());
    }
}
