//! `claviger instance login-rules`: the least login that claviger needs on a node.

use crate::failure::Failure;
use crate::output::Out;

/// Prints it.
///
/// # Errors
/// Standard output is closed.
pub(super) fn run(out: Out) -> Result<(), Failure> {
    out.line("")
}
