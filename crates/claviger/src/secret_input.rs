//! Secrets that a person gives to a command: by file, standard input or environment, never by a
//! flag, which every user of the machine could read in the process list.

use crate::cli::PasswordArgs;
use crate::entropy::{self, SystemEntropy};
use crate::env::Env;
use crate::failure::Failure;
use claviger_core::secret::Secret;
use std::io::Read;
use std::path::Path;

/// The longest secret that is read, bytes: far beyond what any server takes.
const SECRET_LEN_MAX: u64 = 64 * 1024;
/// Length of a password that is made for the user: above 128 bits, within every cloud's bound.
const GENERATED_LEN: usize = 24;

/// A new password.
pub(crate) struct NewPassword {
    /// The password.
    pub(crate) secret: Secret,
    /// It was made here and must be shown.
    pub(crate) generated: bool,
}

/// The first line of a file; `-` means standard input.
///
/// # Errors
/// It cannot be read, is too long, empty, or not UTF-8.
pub(crate) fn first_line(path: &Path) -> Result<Secret, Failure> {
    let shown = path.display();
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::refused(format!("cannot read a secret from {shown}: {why}"))
    };
    let mut text = Secret::new(String::new());
    read_to(path, &mut text).map_err(|error| cannot(&error))?;
    if text.expose().len() as u64 > SECRET_LEN_MAX {
        return Err(cannot(&format_args!("longer than {SECRET_LEN_MAX} bytes")));
    }
    match text.expose().lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(cannot(&"its first line is empty")),
    }
}

/// A text that is no secret, such as a policy: all of a file; `-` means standard input.
///
/// # Errors
/// It cannot be read, or is too long.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let cannot =
        |why: &dyn std::fmt::Display| Failure::refused(format!("cannot read {shown}: {why}"));
    let mut text = Secret::new(String::new());
    read_to(path, &mut text).map_err(|error| cannot(&error))?;
    if text.expose().len() as u64 > SECRET_LEN_MAX {
        return Err(cannot(&format_args!("longer than {SECRET_LEN_MAX} bytes")));
    }
    Ok(text.expose().to_owned())
}

/// The whole of a file as it is; `-` means standard input.
///
/// # Errors
/// As [`first_line`].
fn read_to(path: &Path, into: &mut Secret) -> std::io::Result<()> {
    let mut text = String::new();
    let bound = SECRET_LEN_MAX + 1;
    let result = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(bound)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(bound).read_to_string(&mut text))
    };
    *into = Secret::new(text);
    result.map(|_| ())
}

/// The new password of an account, if one is given.
///
/// # Errors
/// The named source cannot be read.
pub(crate) fn new_password(
    args: &PasswordArgs,
    env: &dyn Env,
) -> Result<Option<NewPassword>, Failure> {
    let given = |secret| {
        Some(NewPassword {
            secret,
            generated: false,
        })
    };
    if args.generate_password {
        return Ok(Some(NewPassword {
            secret: entropy::password(&SystemEntropy, GENERATED_LEN),
            generated: true,
        }));
    }
    if args.password_stdin {
        return first_line(Path::new("-")).map(given);
    }
    if let Some(path) = &args.password_file {
        return first_line(path).map(given);
    }
    let of_env = env.get("CLAVIGER_ACCOUNT_PASSWORD")?;
    Ok(of_env.and_then(|text| given(Secret::new(text))))
}

/// The password of claviger's login on the nodes, if one is given beside the URL.
///
/// # Errors
/// The named file cannot be read.
pub(crate) fn node_password(file: Option<&Path>, env: &dyn Env) -> Result<Option<Secret>, Failure> {
    match file {
        Some(path) => first_line(path).map(Some),
        None => Ok(env.get("CLAVIGER_NODE_PASSWORD")?.map(Secret::new)),
    }
}

/// The password on the Sentinels, if they want another login than the nodes.
///
/// # Errors
/// The named file cannot be read.
pub(crate) fn sentinel_password(
    file: Option<&Path>,
    env: &dyn Env,
) -> Result<Option<Secret>, Failure> {
    match file {
        Some(path) => first_line(path).map(Some),
        None => Ok(env.get("CLAVIGER_SENTINEL_PASSWORD")?.map(Secret::new)),
    }
}
