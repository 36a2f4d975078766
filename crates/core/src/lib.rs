//! The domain of claviger: accounts of Redis and Valkey fleets, every decision about them, and
//! the ports through which the outside is reached.
//!
//! Nothing here does I/O, reads a clock or makes randomness; those arrive as values. In reading
//! order: [`privilege`], [`account`], [`instance`], [`access`], [`command`], [`decide`],
//! [`outcome`], [`refusal`], [`acl`], [`ports`].

pub mod access;
pub mod access_policy;
pub mod account;
pub mod acl;
pub mod acl_equal;
pub mod action;
pub mod adopt;
pub mod audit;
pub mod check_report;
mod checks;
pub mod clock;
pub mod command;
pub mod decide;
pub mod engine;
pub mod ids;
pub mod instance;
pub mod node;
pub mod outcome;
pub mod password;
pub mod policy;
pub mod ports;
pub mod privilege;
pub mod query;
pub mod reach;
pub mod refusal;
pub mod rules;
pub mod secret;
pub mod sight;
pub mod task;
