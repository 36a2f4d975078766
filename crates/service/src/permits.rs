//! Permission asked for: on an instance, on an account, for a list. All of it ends in
//! [`claviger_core::access::authorize`].

use crate::Service;
use crate::execute::store_refusal;
use claviger_core::access::{
    AccountFacts, Action, Authorized, Circumstances, InstanceFacts, Judge as _, Principal,
    Resource, Scope, authorize,
};
use claviger_core::account::{Account, AccountKind};
use claviger_core::command::{Command, DeleteAccount, ModifyAccount, Target};
use claviger_core::ids::{AccountId, AccountName, InstanceId, KeyId};
use claviger_core::instance::Held;
use claviger_core::refusal::Refusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a caller may see: `None` means everything.
pub(crate) type Visible = Option<Arc<Vec<InstanceId>>>;

/// Callers and actions whose list is kept; then all are forgotten.
const LISTS_MAX: usize = 1_024;

/// Whose list, of what; temporary credentials have their own.
type Whose = (KeyId, Option<KeyId>, Action, Circumstances);

/// What callers may see, kept until a policy, a key or an instance changes.
#[derive(Default)]
pub(crate) struct Lists(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    edition: (u64, u64),
    lists: HashMap<Whose, Visible>,
}

impl Lists {
    fn find(&self, edition: (u64, u64), whose: &Whose) -> Option<Visible> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.lists.get(whose).filter(|_| kept.edition == edition);
        found.cloned()
    }

    fn keep(&self, edition: (u64, u64), whose: Whose, visible: Visible) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.edition != edition || kept.lists.len() >= LISTS_MAX {
            kept.lists.clear();
            kept.edition = edition;
        }
        kept.lists.insert(whose, visible);
    }
}

/// What policies may go by of an account.
pub(crate) fn facts_of(account: &Account) -> AccountFacts<'_> {
    AccountFacts {
        name: account.name.as_str(),
        privilege: account.privilege.as_str(),
        is_default: account.kind == AccountKind::Default,
        asked_privilege: None,
    }
}

fn target<'a>(held: &'a Held, target: &Target) -> Option<&'a Account> {
    match target {
        Target::Name(name) => held.account(name),
        Target::Id(id) => {
            let id = AccountId::parse(id)?;
            held.accounts.iter().find(|account| account.id == id)
        }
        Target::Default => {
            let mut all = held.accounts.iter();
            all.find(|account| account.kind == AccountKind::Default)
        }
    }
}

impl Service {
    /// What is known of an instance; of one that is not known, its identity only.
    pub(crate) async fn facts(
        &self,
        id: &InstanceId,
        request_id: &str,
    ) -> Result<Arc<InstanceFacts>, Refusal> {
        if let Some(facts) = self.directory.find(id) {
            return Ok(facts);
        }
        // Another service on the same store may have registered it.
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
        Ok(match held {
            Some(held) => {
                self.directory.put(held.instance.facts());
                Arc::new(held.instance.facts())
            }
            None => Arc::new(InstanceFacts::unknown(id.clone())),
        })
    }

    /// Permits something on an instance, or on the service as a whole.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], or the store's.
    pub(crate) async fn permit<T>(
        &self,
        principal: &Principal,
        action: Action,
        instance: Option<&InstanceId>,
        request_id: &str,
        value: T,
    ) -> Result<Authorized<T>, Refusal> {
        match instance {
            None => authorize(&self.judge, principal, &[action], &Resource::Service, value),
            Some(id) => {
                let facts = self.facts(id, request_id).await?;
                let on = Resource::Instance(&facts);
                authorize(&self.judge, principal, &[action], &on, value)
            }
        }
    }

    /// Permits a change of an account: every action that it needs, on the account as it is; on
    /// one that is made, as it is to be.
    ///
    /// # Errors
    /// As [`Service::permit`].
    pub(crate) async fn permit_command(
        &self,
        principal: &Principal,
        command: Command,
        request_id: &str,
    ) -> Result<Authorized<Command>, Refusal> {
        let actions = command.actions();
        let facts = self.facts(command.instance(), request_id).await?;
        if actions
            .iter()
            .all(|action| self.judge.is_uniform(principal, *action))
        {
            let on = Resource::Instance(&facts);
            return authorize(&self.judge, principal, &actions, &on, command);
        }
        let asked = command.asked_privilege();
        let asked_privilege = asked.as_ref().map(|privilege| privilege.as_str());
        let named = |name, privilege| AccountFacts {
            name,
            privilege,
            is_default: false,
            asked_privilege,
        };
        let of = match &command {
            Command::Create(create) => {
                let on = named(&create.name, asked_privilege.unwrap_or_default());
                let on = Resource::Account(&facts, on);
                return authorize(&self.judge, principal, &actions, &on, command.clone());
            }
            Command::Modify(ModifyAccount { target, .. })
            | Command::Delete(DeleteAccount { target, .. }) => target,
        };
        let held = self.store.viewed(command.instance()).await;
        let held = held.map_err(|failure| store_refusal(&failure, request_id))?;
        let found = held.as_ref().and_then(|held| target(held, of));
        let account = match found {
            Some(account) => AccountFacts {
                asked_privilege,
                ..facts_of(account)
            },
            None => named(command.account_label(), ""),
        };
        let on = Resource::Account(&facts, account);
        authorize(&self.judge, principal, &actions, &on, command.clone())
    }

    /// Permits a list, of what the caller may see. One that may see nothing may ask all the same
    /// if that is permitted on the service as a whole.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`].
    pub(crate) fn permit_list<T>(
        &self,
        principal: &Principal,
        action: Action,
        value: T,
    ) -> Result<Authorized<T>, Refusal> {
        let visible = self.visible(principal, action);
        let first = visible.as_ref().and_then(|list| list.first());
        let facts = first.map(|id| {
            let known = self.directory.find(id);
            known.unwrap_or_else(|| Arc::new(InstanceFacts::unknown(id.clone())))
        });
        let on = match &facts {
            Some(facts) => Resource::Instance(facts),
            None => Resource::Service,
        };
        authorize(&self.judge, principal, &[action], &on, value)
    }

    /// The instances on which the caller may do that. What the roles alone decide does not
    /// depend on what an instance is, but on whether the key is limited to some.
    pub(crate) fn visible(&self, principal: &Principal, action: Action) -> Visible {
        let may = |facts: &InstanceFacts| {
            self.judge
                .permits(principal, action, &Resource::Instance(facts))
        };
        let named = |id: &InstanceId| may(&InstanceFacts::unknown(id.clone()));
        if self.judge.is_uniform(principal, action) {
            let list = match &*principal.scope {
                Scope::All if named(&InstanceId::from("any")) => return None,
                Scope::All => Vec::new(),
                Scope::Only(list) => list.iter().filter(|id| named(id)).cloned().collect(),
            };
            return Some(Arc::new(list));
        }
        let session = principal.session.as_ref().map(|s| s.key.clone());
        let whose = (principal.key.clone(), session, action, principal.from);
        let edition = (self.judge.edition(), self.directory.edition());
        if let Some(visible) = self.lists.find(edition, &whose) {
            return visible;
        }
        let all = self.directory.all();
        let ids = all.iter().filter(|facts| may(facts));
        let visible = Some(Arc::new(ids.map(|facts| facts.id.clone()).collect()));
        self.lists.keep(edition, whose, visible.clone());
        visible
    }

    /// Which of an instance's accounts the caller may see; an instance of which it may see
    /// nothing at all is refused.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], or the store's.
    pub(crate) async fn permit_accounts<T>(
        &self,
        principal: &Principal,
        held: Option<&Held>,
        instance: &InstanceId,
        request_id: &str,
        value: T,
    ) -> Result<(Authorized<T>, Option<Vec<AccountName>>), Refusal> {
        let action = Action::ReadAccounts;
        let facts = self.facts(instance, request_id).await?;
        let whole = Resource::Instance(&facts);
        if self.judge.is_uniform(principal, action) {
            return Ok((
                authorize(&self.judge, principal, &[action], &whole, value)?,
                None,
            ));
        }
        let accounts = held.map_or(&[][..], |held| &held.accounts);
        let seen = accounts.iter().filter(|account| {
            let on = Resource::Account(&facts, facts_of(account));
            self.judge.permits(principal, action, &on)
        });
        let seen: Vec<_> = seen.collect();
        let on = match seen.first() {
            Some(account) => Resource::Account(&facts, facts_of(account)),
            None => whole,
        };
        let permit = authorize(&self.judge, principal, &[action], &on, value)?;
        Ok((permit, Some(seen.iter().map(|a| a.name.clone()).collect())))
    }
}
