//! The Huawei Cloud dialect, through its public face.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

mod answers;
mod claims;
mod decodes;
mod errors;
mod golden;
mod iam;
mod opens;
mod support;
mod tamper;
mod vectors;
