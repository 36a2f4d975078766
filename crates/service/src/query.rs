//! Reads: what is stored, and how far the nodes have confirmed it.

use crate::Service;
use crate::execute::store_refusal;
use claviger_core::access::{Authorized, Scope};
use claviger_core::account::AccountView;
use claviger_core::ids::InstanceId;
use claviger_core::outcome::{Answer, Region};
use claviger_core::query::{AccountQuery, InstanceQuery, Page, Query, Rows, TaskQuery};
use claviger_core::refusal::Refusal;
use std::collections::BTreeSet;

impl Service {
    /// Answers a permitted read.
    ///
    /// # Errors
    /// [`Refusal::InstanceNotFound`], or a failure of the store.
    pub async fn answer(
        &self,
        query: Authorized<Query>,
        request_id: &str,
    ) -> Result<Answer, Refusal> {
        let principal = query.principal().clone();
        let visible = visible_to(&principal.scope);
        match query.into_value() {
            Query::Accounts(query) => {
                let rows = self.account_rows(&query, request_id).await?;
                Ok(Answer::Accounts(query.instance, rows))
            }
            Query::Instances(query) => {
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
                let held = self.store.viewed(&id).await;
                let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
                let held = held.ok_or(Refusal::InstanceNotFound)?;
                Ok(Answer::Instance(Box::new(held.instance.view())))
            }
            Query::Regions => {
                let query = InstanceQuery {
                    visible,
                    ..InstanceQuery::default()
                };
                let rows = self.store.instances(&query).await;
                let found = rows.map_err(|failure| store_refusal(&failure, request_id))?;
                let regions: BTreeSet<String> = found
                    .rows
                    .into_iter()
                    .map(|instance| instance.region)
                    .collect();
                Ok(Answer::Regions(
                    regions.into_iter().map(|id| Region { id }).collect(),
                ))
            }
            Query::Tasks(query) => {
                let query = TaskQuery { visible, ..query };
                Ok(Answer::Tasks(self.task_rows(&query, request_id).await?))
            }
            Query::Task(id) => {
                let task = self.find_task(&principal, id, request_id).await?;
                Ok(Answer::Task(Box::new(task)))
            }
            Query::AclWords(id, category) => {
                let held = self.store.viewed(&id).await;
                let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
                held.ok_or(Refusal::InstanceNotFound)?;
                let words = self.fleet.acl_words(&id, category.as_deref()).await?;
                Ok(Answer::AclWords(words))
            }
            Query::Caller => Ok(Answer::Caller(self.caller(&principal.key))),
            // It needs the caller's secret, which only the entrance has.
            Query::IssueToken => Err(Refusal::NotSupported("a token for a token")),
            Query::Nothing => Ok(Answer::Nothing),
        }
    }

    async fn account_rows(
        &self,
        query: &AccountQuery,
        request_id: &str,
    ) -> Result<Rows<AccountView>, Refusal> {
        let held = self.store.viewed(&query.instance).await;
        let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
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
        });
        let all: Vec<AccountView> = wanted
            .map(|account| account.view(lacking.contains(&account.name)))
            .collect();
        let total = all.len() as u64;
        Ok(Rows {
            rows: slice(all, query.page),
            total,
        })
    }
}

/// `None` means everything.
pub(crate) fn visible_to(scope: &Scope) -> Option<Vec<InstanceId>> {
    match scope {
        Scope::All => None,
        Scope::Only(list) => Some(list.clone()),
    }
}

fn slice<T>(all: Vec<T>, page: Page) -> Vec<T> {
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let take = usize::try_from(page.limit.min(Page::LIMIT_MAX)).unwrap_or(usize::MAX);
    all.into_iter().skip(skip).take(take).collect()
}
