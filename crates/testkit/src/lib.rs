//! For tests of the other rooms: real Redis and Valkey servers on free ports, a proxy that breaks
//! connections, a clock that stands still, a store in memory. A dependency of no room, only of
//! their tests.

pub mod clock;
pub mod cluster;
pub mod engines;
pub mod fake;
pub mod fault_proxy;
pub mod memory;
pub mod postgres;
pub mod proxy;
pub mod rights;
pub mod sentinels;
pub mod server;
pub mod session;
pub mod simnode;
pub mod trail;
pub mod wait;

pub use clock::{FixedClock, SystemClock};
pub use cluster::Cluster;
pub use engines::{EngineBinary, found_engines};
pub use fault_proxy::{Fault, FaultProxy};
pub use memory::MemoryStore;
pub use postgres::Postgres;
pub use proxy::ChaosProxy;
pub use sentinels::{Sentinels, Watched};
pub use server::{Keeps, Server, ServerOptions};
pub use session::Session;
pub use wait::{eventually, eventually_async};
