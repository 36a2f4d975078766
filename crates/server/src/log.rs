//! One line for each request. It never holds the target, a parameter or a body: those may carry
//! passwords.

use claviger_core::ids::{KeyId, RequestId};
use std::net::SocketAddr;
use std::time::Duration;

/// What is told of a request.
pub(crate) struct Line<'a> {
    pub(crate) request_id: &'a RequestId,
    pub(crate) dialect: &'static str,
    pub(crate) action: &'static str,
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) key: Option<&'a KeyId>,
    pub(crate) peer: SocketAddr,
    /// It reads only.
    pub(crate) reads: bool,
}

impl Line<'_> {
    /// A good read is for whoever debugs; a change or a refusal is for the operator; a failure
    /// of ours is a warning.
    pub(crate) fn write(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = %self.request_id,
                    dialect = self.dialect,
                    action = self.action,
                    code = self.code,
                    status = self.status,
                    duration_us = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
                    key = self.key.map(KeyId::as_str),
                    peer = %self.peer,
                    "request"
                )
            };
        }
        if self.status >= 500 {
            line!(warn);
        } else if self.reads && self.code == "ok" {
            line!(debug);
        } else {
            line!(info);
        }
    }
}
