//! Reads: what is stored, and how far the nodes have confirmed it.

use crate::Service;
use crate::execute::store_refusal;
use claviger_core::access::{Action, Principal};
use claviger_core::account::AccountView;
use claviger_core::ids::InstanceId;
use claviger_core::instance::Held;
use claviger_core::outcome::{Answer, Region};
use claviger_core::query::{AccountQuery, InstanceQuery, Page, Query, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use std::collections::BTreeSet;

impl Service {
    /// Permits and answers a read. A list has only what its caller may see.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], [`Refusal::InstanceNotFound`], or a failure of the store.
    pub(crate) async fn ask(
        &self,
        principal: &Principal,
        query: Query,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let action = query.action();
        match query {
            Query::Accounts(query) => self.account_rows(principal, query, request_id).await,
            Query::Instances(query) => {
                let visible = self.visible(principal, action);
                let query = self.permit_list(principal, action, query)?.into_value();
                let visible = visible.map(|list| list.to_vec());
                let query = InstanceQuery { visible, ..query };
                let rows = self.store.instances(&query).await;
                let found = rows.map_err(|failure| store_refusal(&failure, request_id))?;
                let rows = found.rows.iter().map(|instance| instance.view()).collect();
                Ok(Answer::Instances(Rows {
                    rows,
                    total: found.total,
                }))
            }
            Query::Instance(id) => {
                let held = self.readable(principal, &id, request_id).await?;
                Ok(Answer::Instance(Box::new(held.instance.view())))
            }
            Query::Regions => self.regions(principal, request_id).await,
            Query::Tasks(query) => {
                let query = self.permit_tasks(principal, query, request_id).await?;
                Ok(Answer::Tasks(self.task_rows(&query, request_id).await?))
            }
            Query::Task(id) => {
                self.permit_list(principal, action, ())?;
                let task = self.find_task(principal, id, request_id).await?;
                Ok(Answer::Task(Box::new(task)))
            }
            Query::AclWords(id, category) => {
                self.readable(principal, &id, request_id).await?;
                let words = self.fleet.acl_words(&id, category.as_deref()).await?;
                Ok(Answer::AclWords(words))
            }
            Query::Caller => {
                self.permit(principal, action, None, request_id, ()).await?;
                Ok(Answer::Caller(self.caller(&principal.key)))
            }
            // It needs the caller's secret, which only the entrance has.
            Query::IssueToken => Err(Refusal::NotSupported("a token for a token")),
            Query::Nothing => {
                self.permit(principal, action, None, request_id, ()).await?;
                Ok(Answer::Nothing)
            }
        }
    }

    /// An instance that the caller may see.
    async fn readable(
        &self,
        principal: &Principal,
        id: &InstanceId,
        request_id: &str,
    ) -> Result<Held, Refusal> {
        let action = Action::ReadInstances;
        self.permit(principal, action, Some(id), request_id, ())
            .await?;
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
        held.ok_or(Refusal::InstanceNotFound)
    }

    /// The regions in which there is an instance that the caller may see.
    async fn regions(&self, principal: &Principal, request_id: &str) -> Result<Answer, Refusal> {
        let action = Action::ReadService;
        self.permit(principal, action, None, request_id, ()).await?;
        let visible = self.visible(principal, Action::ReadInstances);
        let query = InstanceQuery {
            visible: visible.map(|list| list.to_vec()),
            ..InstanceQuery::default()
        };
        let rows = self.store.instances(&query).await;
        let found = rows.map_err(|failure| store_refusal(&failure, request_id))?;
        let regions: BTreeSet<String> = found.rows.into_iter().map(|i| i.region).collect();
        let regions = regions.into_iter().map(|id| Region { id }).collect();
        Ok(Answer::Regions(regions))
    }

    /// Tasks of an instance, or of all that the caller may see.
    async fn permit_tasks(
        &self,
        principal: &Principal,
        query: TaskQuery,
        request_id: &str,
    ) -> Result<TaskQuery, Refusal> {
        let action = Action::ReadTasks;
        let visible = self.visible(principal, action);
        let query = match query.instance.clone() {
            Some(id) => {
                self.permit(principal, action, Some(&id), request_id, query)
                    .await?
            }
            None => self.permit_list(principal, action, query)?,
        };
        Ok(TaskQuery {
            visible: visible.map(|list| list.to_vec()),
            ..query.into_value()
        })
    }

    async fn account_rows(
        &self,
        principal: &Principal,
        query: AccountQuery,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let held = self.store.viewed(&query.instance).await;
        let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
        let id = query.instance.clone();
        let (query, seen) = self
            .permit_accounts(principal, held.as_ref(), &id, request_id, query)
            .await?;
        let query = query.into_value();
        let held = held.ok_or(Refusal::InstanceNotFound)?;
        let lacking = self.fleet.lacking(&query.instance).await;
        let lacking = lacking.map_err(|failure| store_refusal(&failure, request_id))?;
        let wanted = held.accounts.iter().filter(|account| {
            let name = account.name.as_str();
            query.name.as_deref().is_none_or(|exact| exact == name)
                && query
                    .name_part
                    .as_deref()
                    .is_none_or(|part| name.contains(part))
                && seen
                    .as_ref()
                    .is_none_or(|seen| seen.contains(&account.name))
        });
        let all: Vec<AccountView> = wanted
            .map(|account| account.view(lacking.contains(&account.name)))
            .collect();
        let total = all.len() as u64;
        let rows = Rows {
            rows: slice(all, query.page),
            total,
        };
        Ok(Answer::Accounts(query.instance, rows))
    }
}

fn slice<T>(all: Vec<T>, page: Page) -> Vec<T> {
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(page.limit.min(Page::LIMIT_MAX)).unwrap_or(usize::MAX);
    all.into_iter().skip(skip).take(take).collect()
}
