//! Makes the accounts true on every node: observe, plan, execute, read back.
//!
//! Each instance has a driver (`crew`), each node a keeper of its connection (`keeper`). Who
//! belongs to an instance is in `topology`, `membership` and `watch`, with what `cluster` and
//! `sentinel` are told; `discover` finds the same for `check`. A pass
//! compiles what is desired (`desired`), compares it with what the node is known to hold
//! (`marks`), looks where that is not known (`drive`, `sweep`, `scratch`), decides (`plan`, pure), acts and
//! reads back (`drive`, `default_user`, `legacy`), and tells the store (`conclude`). What is seen
//! now is on the `board`; what is only asked goes over connections of its own (`ask`, `check`). The facts of the servers that this relies on are in `docs/engines.md`.
//!
//! This is the only room that spells ACL commands; it names no cloud.

mod ask;
mod board;
mod check;
mod cluster;
mod conclude;
mod config;
mod connects;
mod context;
mod crew;
mod deeds;
mod default_user;
mod desired;
mod discover;
mod drive;
mod driver;
mod duty;
mod errors;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hurry;
mod join;
mod keeper;
mod legacy;
mod link;
mod links;
mod marks;
mod member;
mod membership;
mod observe;
mod plan;
mod preview;
mod reply;
mod resp;
mod returned;
mod roster;
mod round;
mod scratch;
mod sentinel;
mod sentinel_login;
mod sessions;
mod stats;
mod survey;
mod sweep;
mod takeover;
mod tls;
mod topology;
mod watch;
mod wire;

pub use config::FleetConfig;
pub use driver::Fleet;
pub use errors::{NodeError, Retry};
pub use stats::{FleetStats, LATENCY_BUCKETS_MS};
