//! The built binary, used as a user would.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test may panic"
)]

mod access;
mod clouds;
mod dev;
mod doctor;
mod harness;
mod offline;
mod pauses;
mod scale_out;
mod serve;
mod settings;
mod store;
mod topologies;
