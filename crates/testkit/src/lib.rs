//! What the tests stand on: real servers, simulated nodes, a fixed clock.

pub mod simnode;
