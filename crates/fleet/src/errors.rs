//! What can go wrong with a node, in words that an operator can act on. Never a secret: texts of
//! the server are cut before anything that could be a password or its digest.

use std::io;
use thiserror::Error;

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The connection is of no use any more: make another one, after a growing wait.
    Reconnect,
    /// The connection is fine; ask again at the next pass.
    NextPass,
    /// Nothing changes until someone changes something on the node; the sweep looks again.
    Sweep,
}

/// Why a node could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NodeError {
    /// The name leads nowhere, or the address is not `host:port`.
    #[error("the address cannot be resolved")]
    Unresolvable,
    /// Nothing listens there.
    #[error("connection refused")]
    Refused,
    /// Any other failure of the network.
    #[error("network: {0}")]
    Network(String),
    /// No answer in time.
    #[error("no answer within {millis} ms ({what})")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long, in milliseconds.
        millis: u64,
    },
    /// The connection ended.
    #[error("connection lost")]
    Lost,
    /// The TLS session could not be made.
    #[error("TLS: {0}")]
    Tls(String),
    /// None of the known passwords is accepted.
    #[error("the node refuses the login of user {user:?}")]
    LoginRefused {
        /// Whose login.
        user: String,
    },
    /// The node wants a login and none is configured.
    #[error("the node requires a login and none is configured")]
    LoginRequired,
    /// The login lacks a right.
    #[error("the login may not run {command}")]
    Denied {
        /// The command.
        command: String,
    },
    /// Still starting.
    #[error("the server is loading its data")]
    Loading,
    /// A replica that takes no such command.
    #[error("the server is read-only")]
    ReadOnly,
    /// A replica without its primary that serves no stale data.
    #[error("the replica has lost its primary and refuses to answer")]
    PrimaryDown,
    /// Its memory limit is reached.
    #[error("the server is out of memory")]
    OutOfMemory,
    /// It takes no further client.
    #[error("the server takes no further client")]
    TooManyClients,
    /// The lease on its instance was not renewed in time, or another process has it.
    #[error("this process may not drive the node now")]
    NotOurs,
    /// What came back is not what this command answers.
    #[error("the answer to {0} makes no sense; is this a Redis or Valkey server?")]
    Garbage(&'static str),
    /// Anything else that the server said.
    #[error("{command} failed: {text}")]
    Said {
        /// The command, without arguments.
        command: String,
        /// The server's words, without what might be secret.
        text: String,
    },
}

impl NodeError {
    /// What to do now.
    pub fn retry(&self) -> Retry {
        match self {
            NodeError::Unresolvable
            | NodeError::Refused
            | NodeError::Network(_)
            | NodeError::Timeout { .. }
            | NodeError::Lost
            | NodeError::Tls(_)
            | NodeError::LoginRefused { .. }
            | NodeError::LoginRequired
            | NodeError::TooManyClients
            | NodeError::Garbage(_) => Retry::Reconnect,
            NodeError::Loading
            | NodeError::OutOfMemory
            | NodeError::PrimaryDown
            | NodeError::NotOurs => Retry::NextPass,
            NodeError::ReadOnly | NodeError::Denied { .. } | NodeError::Said { .. } => Retry::Sweep,
        }
    }

    /// From the operating system's word on a connection.
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => NodeError::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted => NodeError::Lost,
            io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => NodeError::Unresolvable,
            kind if error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) =>
            {
                let _ = kind;
                NodeError::Tls(error.to_string())
            }
            kind => match error.raw_os_error() {
                // getaddrinfo failures carry no kind of their own.
                None => NodeError::Unresolvable,
                Some(_) => NodeError::Network(kind.to_string()),
            },
        }
    }

    /// From an error reply: its code (`NOPERM`), and the rest of the line.
    pub(crate) fn from_reply(command: &str, code: &str, detail: &str) -> Self {
        match code {
            "NOPERM" => NodeError::Denied {
                command: command.to_owned(),
            },
            "NOAUTH" => NodeError::LoginRequired,
            "WRONGPASS" => NodeError::LoginRefused {
                user: String::new(),
            },
            "LOADING" => NodeError::Loading,
            "READONLY" => NodeError::ReadOnly,
            "MASTERDOWN" => NodeError::PrimaryDown,
            "OOM" => NodeError::OutOfMemory,
            "ERR" if detail.starts_with("max number of clients") => NodeError::TooManyClients,
            _ => NodeError::Said {
                command: command.to_owned(),
                text: harmless(detail),
            },
        }
    }
}

/// How much of a server's words is passed on.
const TEXT_BYTES_MAX: usize = 200;

/// As many hexadecimal digits in a row are taken for a digest, or most of one.
const DIGEST_DIGITS: usize = 32;

/// Server texts quote the argument that they do not like, which may be a digest or a password:
/// everything is dropped from the first word on that begins like such an argument, quoted or not,
/// or that looks like a digest.
fn harmless(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    let mut before = ' ';
    let mut digits = 0;
    let mut end = clean.len().min(TEXT_BYTES_MAX);
    for (at, char) in clean.char_indices() {
        digits = if char.is_ascii_hexdigit() {
            digits + 1
        } else {
            0
        };
        let begins = matches!(before, ' ' | '\'' | '"') && matches!(char, '#' | '>' | '<' | '!');
        if begins || digits == DIGEST_DIGITS {
            // Hexadecimal digits are one byte each.
            end = end.min(at + 1 - digits.max(1));
            break;
        }
        before = char;
    }
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    let opened = |c: char| c.is_whitespace() || matches!(c, '\'' | '"');
    clean[..end].trim_end_matches(opened).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_carry_no_digest() {
        let said = NodeError::from_reply(
            "ACL SETUSER",
            "ERR",
            "Error in ACL SETUSER modifier '#ba7816bf': The password hash must be",
        );
        assert_eq!(
            said.to_string(),
            "ACL SETUSER failed: Error in ACL SETUSER modifier"
        );
        let said = NodeError::from_reply(
            "ACL SETUSER",
            "ERR",
            "Error in ACL SETUSER modifier '+client|setinfo': Unknown command",
        );
        assert!(said.to_string().contains("+client|setinfo"));
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for text in [
            format!("it says 'd\0 user app on #{digest} ~*"),
            format!("it says {digest}"),
            format!("it says {}\u{1}{} more", &digest[..20], &digest[20..]),
            "it says >secret".to_owned(),
            "it says \"<secret\"".to_owned(),
        ] {
            let said = NodeError::from_reply("ACL SETUSER", "ERR", &text).to_string();
            assert!(said.starts_with("ACL SETUSER failed: it says"), "{said}");
            assert!(
                !said.contains("secret") && !said.contains("ba7816"),
                "{said}"
            );
        }
        let long = "é".repeat(150);
        let said = NodeError::from_reply("INFO", "ERR", &long).to_string();
        assert!(said.len() < 250);
    }

    #[test]
    fn codes_become_words() {
        let of = |code| NodeError::from_reply("INFO", code, "x").to_string();
        assert_eq!(of("NOPERM"), "the login may not run INFO");
        assert_eq!(of("LOADING"), "the server is loading its data");
        assert!(of("NOAUTH").contains("requires a login"));
        assert_eq!(
            NodeError::from_reply("INFO", "OOM", "").retry(),
            Retry::NextPass
        );
    }
}
