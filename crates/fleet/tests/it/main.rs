//! The fleet on real servers, of every version that this machine has.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands"
)]

mod accounts;
mod audit;
mod clock;
mod cluster;
mod common;
mod default_account;
mod default_free;
mod drift;
mod interrupted;
mod life_cycle;
mod links;
mod matrix;
mod overtaking;
mod rights;
mod sentinel;
mod sessions;
mod takeover;
mod tls;
mod topologies;
mod trouble;
