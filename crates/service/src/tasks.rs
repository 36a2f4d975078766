//! Tasks: what is stored of them, and whom a running one waits for.

use crate::Service;
use crate::execute::{Call, store_refusal};
use claviger_core::access::{Action, Authorized, Principal};
use claviger_core::ids::TaskId;
use claviger_core::ports::{Op, StoreError};
use claviger_core::query::{Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use claviger_core::task::{Task, TaskState, TaskView};

/// Running tasks of one answer whose nodes are looked up; the rest say only that they run.
const LOOKED_AT_MAX: usize = 20;

impl Service {
    pub(crate) async fn task_rows(
        &self,
        query: &TaskQuery,
        request_id: &str,
    ) -> Result<Rows<TaskView>, Refusal> {
        let found = self.store.tasks(query).await;
        let found = found.map_err(|failure| store_refusal(&failure, request_id))?;
        let mut rows = Vec::with_capacity(found.rows.len());
        let mut looked_at = 0;
        for task in found.rows {
            let running = task.state == TaskState::Running;
            looked_at += usize::from(running);
            rows.push(if running && looked_at <= LOOKED_AT_MAX {
                self.task_view(task).await
            } else {
                TaskView {
                    task,
                    waiting_on: Vec::new(),
                    reason: None,
                }
            });
        }
        Ok(Rows {
            rows,
            total: found.total,
        })
    }

    /// With the nodes that it waits for, as seen now.
    async fn task_view(&self, task: Task) -> TaskView {
        // What is not known is not said: the task runs in any case.
        let sight = self.fleet.sight(&task.instance).await.ok().flatten();
        let account = sight.and_then(|sight| {
            sight
                .accounts
                .into_iter()
                .find(|a| a.name == task.account_name)
        });
        let (waiting_on, reason) = account
            .map(|a| (a.pending_on, a.reason))
            .unwrap_or_default();
        TaskView {
            task,
            waiting_on,
            reason,
        }
    }

    /// The task of that number, if the caller may see it.
    pub(crate) async fn find_task(
        &self,
        principal: &Principal,
        id: TaskId,
        request_id: &str,
    ) -> Result<TaskView, Refusal> {
        let query = TaskQuery {
            id: Some(id),
            visible: self
                .visible(principal, Action::ReadTasks)
                .map(|list| list.to_vec()),
            ..TaskQuery::default()
        };
        let rows = self.task_rows(&query, request_id).await?;
        rows.rows.into_iter().next().ok_or(Refusal::TaskNotFound)
    }

    pub(crate) async fn forget_task(
        &self,
        task: Authorized<TaskId>,
        call: &Call,
    ) -> Result<(), Refusal> {
        let audit = call.audit(task.principal(), self.now(), "", "");
        let op = Op::ForgetTask(*task.value());
        match self.store.apply(vec![op], Some(audit)).await {
            // It was there a moment ago.
            Err(StoreError::NotFound) => Err(Refusal::TaskRunning),
            Err(failure) => Err(store_refusal(&failure, &call.request_id)),
            Ok(()) => Ok(()),
        }
    }
}
