//! Who did what, from where, with what outcome; never a secret.

use crate::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// The request's id, as answered to the caller.
    pub request_id: String,
    /// The caller's key; empty if it could not be told.
    pub key: String,
    /// The caller's address.
    pub source: String,
    /// `aliyun`, `native`, ... or `fleet` for changes that claviger made by itself.
    pub dialect: String,
    /// The operation, in the dialect's words.
    pub action: String,
    /// The instance concerned; may be empty.
    pub instance: String,
    /// The account concerned; may be empty.
    pub account: String,
    /// `ok`, or the name of the refusal.
    pub outcome: String,
    /// What changed, without secrets; may be empty.
    pub detail: String,
}
