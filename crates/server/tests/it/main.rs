//! The server as its clients see it: real sockets, the real service, a store in memory.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test may panic, and a test explains itself"
)]

mod access;
mod bounds;
mod client;
mod cloud;
mod harness;
mod huawei;
mod logs;
mod memory;
mod native;
mod operator;
mod schema;
mod tls;
