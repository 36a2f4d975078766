//! The Volcengine dialect, through its public face.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod answers;
mod claims;
mod decides;
mod decodes;
mod errors;
mod golden;
mod opens;
mod support;
mod tamper;
mod vectors;
