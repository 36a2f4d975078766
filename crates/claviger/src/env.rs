//! The process environment behind a trait, so that everything that reads it can be tested.

use crate::failure::Failure;
use std::collections::BTreeMap;

/// Named texts of the environment.
pub(crate) trait Env {
    /// The value of that name; an empty one counts as absent.
    ///
    /// # Errors
    /// The value is not UTF-8.
    fn get(&self, name: &str) -> Result<Option<String>, Failure>;
}

/// The real one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessEnv;

impl Env for ProcessEnv {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter; everything else is given an Env"
    )]
    fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        match std::env::var(name) {
            Ok(value) if value.is_empty() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Failure::refused(format!("{name} is not UTF-8 text")))
            }
        }
    }
}

impl Env for BTreeMap<&str, &str> {
    fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        let found = BTreeMap::get(self, name);
        Ok(found.filter(|v| !v.is_empty()).map(|&v| v.to_owned()))
    }
}
