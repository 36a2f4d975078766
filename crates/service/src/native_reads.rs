//! claviger's own reads: status, tasks, the audit trail, and what this installation is.

use crate::Service;
use crate::native::{NativeContext, NativeError, store_error};
use claviger_core::access::Action;
use claviger_core::ids::{InstanceId, TaskId};
use claviger_core::outcome::Answer;
use claviger_core::query::{InstanceQuery, Page, Query, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::sight::InstanceSight;
use claviger_core::task::TaskView;
use serde::{Deserialize, Serialize};

/// What this installation is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Info {
    /// claviger's version.
    pub version: String,
    /// The 32 hexadecimal digits that Huawei paths carry.
    pub project_id: String,
    /// Regions in which instances are registered.
    pub regions: Vec<String>,
    /// How many instances the caller can see.
    pub instances: u64,
    /// The clouds' APIs that are served.
    pub dialects: Vec<String>,
}

impl Service {
    /// Account × node, of one instance or of all that the caller can see.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn status(
        &self,
        cx: &NativeContext,
        instance: Option<&InstanceId>,
    ) -> Result<Vec<InstanceSight>, NativeError> {
        let ids = match instance {
            Some(id) => vec![id.clone()],
            None => {
                let query = Query::Instances(InstanceQuery::default());
                match self.native_query(cx, query).await? {
                    Answer::Instances(rows) => rows.rows.into_iter().map(|i| i.id).collect(),
                    _ => return Err(Refusal::Internal.into()),
                }
            }
        };
        let mut sights = Vec::with_capacity(ids.len());
        for id in &ids {
            match self.sight(cx, id).await {
                // Seeing an instance is not seeing its accounts.
                Err(NativeError::Refused(Refusal::NotPermitted { .. })) if instance.is_none() => {}
                sight => sights.extend(sight?),
            }
        }
        if instance.is_some() && sights.is_empty() {
            return Err(Refusal::InstanceNotFound.into());
        }
        Ok(sights)
    }

    /// An instance as seen now, with the accounts that the caller may see.
    async fn sight(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
    ) -> Result<Option<InstanceSight>, NativeError> {
        let failed = |failure| store_error(&failure, &cx.request_id);
        let uniform = self.judge.is_uniform(&cx.principal, Action::ReadAccounts);
        let held = match uniform {
            true => None,
            false => self.store.viewed(id).await.map_err(failed)?,
        };
        let (_, seen) = self
            .permit_accounts(&cx.principal, held.as_ref(), id, &cx.request_id, ())
            .await?;
        let mut sight = self.fleet.sight(id).await.map_err(failed)?;
        if let (Some(sight), Some(seen)) = (&mut sight, seen) {
            sight
                .accounts
                .retain(|account| seen.contains(&account.name));
        }
        Ok(sight)
    }

    /// Tasks, newest first.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn tasks(
        &self,
        cx: &NativeContext,
        query: TaskQuery,
    ) -> Result<Rows<TaskView>, NativeError> {
        match self.native_query(cx, Query::Tasks(query)).await? {
            Answer::Tasks(rows) => Ok(rows),
            _ => Err(Refusal::Internal.into()),
        }
    }

    /// One task.
    ///
    /// # Errors
    /// Permission, an unknown task, or the store.
    pub async fn task(&self, cx: &NativeContext, id: TaskId) -> Result<TaskView, NativeError> {
        let query = TaskQuery {
            id: Some(id),
            ..TaskQuery::default()
        };
        let rows = self.tasks(cx, query).await?;
        rows.rows.into_iter().next().ok_or(NativeError::NotFound)
    }

    /// What this installation is.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn info(&self, cx: &NativeContext) -> Result<Info, NativeError> {
        let regions = match self.native_query(cx, Query::Regions).await? {
            Answer::Regions(regions) => regions.into_iter().map(|region| region.id).collect(),
            _ => return Err(Refusal::Internal.into()),
        };
        let one = Page {
            offset: 0,
            limit: 1,
        };
        let query = InstanceQuery {
            page: one,
            ..InstanceQuery::default()
        };
        let instances = match self.native_query(cx, Query::Instances(query)).await? {
            Answer::Instances(rows) => rows.total,
            _ => return Err(Refusal::Internal.into()),
        };
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            project_id: self.project_id.clone(),
            regions,
            instances,
            dialects: claviger_dialects::ALL
                .iter()
                .map(|d| d.name().to_owned())
                .collect(),
        })
    }
}
