//! The audit trail read and verified.

use crate::Service;
use crate::native::{NativeContext, NativeError, store_error};
use claviger_core::access::Action;
use claviger_core::audit::{AuditEnds, AuditQuery, AuditRow, Broken, Chain, hex};
use claviger_core::ports::StoreError;
use claviger_core::query::{Page, Rows};
use serde::{Deserialize, Serialize};

/// Whether the chain holds, and from where to where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerdict {
    /// Every row follows from the one before, and none is missing.
    pub holds: bool,
    /// Rows that were checked.
    pub rows: u64,
    /// The row before the first: what is older was forgotten for its age.
    pub after: u64,
    /// The newest row.
    pub until: u64,
    /// The newest row's digest, 64 hexadecimal digits: noted elsewhere, it proves later that
    /// nothing before it was changed.
    pub hash: String,
    /// Where and how it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// How often a check begins again because rows were forgotten meanwhile.
const TRIES_MAX: u32 = 3;

impl Service {
    /// The audit trail.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn audit(
        &self,
        cx: &NativeContext,
        query: AuditQuery,
    ) -> Result<Rows<AuditRow>, NativeError> {
        let query = self
            .permit(
                &cx.principal,
                Action::ReadAudit,
                None,
                &cx.request_id,
                query,
            )
            .await?
            .into_value();
        let page = Page {
            limit: query.page.limit.min(Page::LIMIT_MAX),
            ..query.page
        };
        let rows = self.store.audit(&AuditQuery { page, ..query }).await;
        rows.map_err(|failure| store_error(&failure, &cx.request_id))
    }

    /// Follows the chain from one end to the other.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn verify_audit(&self, cx: &NativeContext) -> Result<AuditVerdict, NativeError> {
        self.permit(&cx.principal, Action::ReadAudit, None, &cx.request_id, ())
            .await?;
        let failed = |failure| store_error(&failure, &cx.request_id);
        let mut tries = 1;
        loop {
            let ends = match self.store.audit_ends().await {
                Ok(ends) => ends,
                Err(StoreError::Unreadable(why)) => {
                    let broken = format!("the ends of the chain were tampered with: {why}");
                    return Ok(verdict(AuditEnds::default(), 0, Some(broken)));
                }
                Err(failure) => return Err(failed(failure)),
            };
            let (rows, told) = self.follow(ends).await.map_err(failed)?;
            // Rows that were forgotten while they were read are no gap.
            let moved = matches!(self.store.audit_ends().await, Ok(now) if now.base != ends.base);
            if told.is_err() && moved && tries < TRIES_MAX {
                tries += 1;
                continue;
            }
            return Ok(verdict(
                ends,
                rows,
                told.err().map(|broken| broken.to_string()),
            ));
        }
    }

    async fn follow(&self, ends: AuditEnds) -> Result<(u64, Result<(), Broken>), StoreError> {
        let mut chain = Chain::after(ends.base);
        let mut count = 0;
        while chain.end().seq < ends.head.seq {
            let query = AuditQuery {
                after: Some(chain.end().seq),
                oldest_first: true,
                ..AuditQuery::default()
            };
            let found = self.store.audit(&query).await?;
            if found.rows.is_empty() {
                break;
            }
            for row in found.rows.iter().take_while(|row| row.seq <= ends.head.seq) {
                if let Err(broken) = chain.follow(row) {
                    return Ok((count, Err(broken)));
                }
                count += 1;
            }
            if found.rows.last().is_some_and(|row| row.seq > ends.head.seq) {
                break;
            }
        }
        Ok((count, chain.finish(ends.head)))
    }
}

fn verdict(ends: AuditEnds, rows: u64, broken: Option<String>) -> AuditVerdict {
    AuditVerdict {
        holds: broken.is_none(),
        rows,
        after: ends.base.seq,
        until: ends.head.seq,
        hash: hex(&ends.head.hash),
        broken,
    }
}
