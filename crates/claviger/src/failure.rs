//! Why a command did not do what was asked: one line for a person, and the exit status.

use std::fmt;
use std::process::ExitCode;

/// A command's failure. The first line says it all; lines after it may add what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Wrong usage: exit status 2.
    Usage,
    /// Refused or failed: exit status 1.
    Refused,
    /// Already said, nothing more to print: exit status 1.
    Said,
    /// The reader of standard output went away, which is its right: exit status 0.
    ReaderGone,
}

impl Failure {
    /// The command line or a setting is wrong.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Usage,
            text: text.into(),
        }
    }

    /// It was refused, or it failed.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Refused,
            text: text.into(),
        }
    }

    /// It failed and the output already says how.
    pub(crate) fn said() -> Self {
        Self {
            kind: Kind::Said,
            text: String::new(),
        }
    }

    /// Standard output could not be written.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self {
                kind: Kind::ReaderGone,
                text: String::new(),
            };
        }
        Self::refused(format!("cannot write to standard output: {error}"))
    }

    /// What to print on standard error, if anything.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.kind {
            Kind::Usage | Kind::Refused => Some(&self.text),
            Kind::Said | Kind::ReaderGone => None,
        }
    }

    /// The process's exit status.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Usage => ExitCode::from(2),
            Kind::Refused | Kind::Said => ExitCode::from(1),
            Kind::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::refused(format!("{error:#}"))
    }
}
