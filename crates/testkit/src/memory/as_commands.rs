//! Changes of accounts as accepted commands make them, said in one line of a test.

use super::{MemoryStore, identity};
use claviger_core::account::{Account, AccountKind, Life};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountName, InstanceId, Revision};
use claviger_core::instance::Held;
use claviger_core::password::PasswordDigest;
use claviger_core::privilege::{Privilege, Routing};
use claviger_core::secret::Secret;

impl MemoryStore {
    /// Makes a custom account, as an accepted command would.
    pub fn create(&self, id: &InstanceId, name: &str, password: &str, privilege: Privilege) {
        let mut state = self.lock();
        let identity = identity(&mut state);
        let Some(held) = state.instances.get_mut(id) else {
            return;
        };
        held.instance.revision = held.instance.revision.next();
        let revision = held.instance.revision;
        let earlier = held.accounts.iter().position(|a| a.name.as_str() == name);
        let earlier = earlier.map(|at| held.accounts.remove(at));
        held.accounts.push(Account {
            id: identity,
            name: AccountName::new(name),
            kind: AccountKind::Custom,
            privilege,
            routing: Routing {
                primary: true,
                replica: true,
            },
            description: String::new(),
            password: Some(PasswordDigest::of(&Secret::new(password))),
            more_passwords: Vec::new(),
            former_passwords: Vec::new(),
            leaving_passwords: Vec::new(),
            link_password: None,
            password_free: false,
            enabled: true,
            expires_at: None,
            life: Life::Live,
            replaces: earlier.is_some_and(|a| a.replaces || a.confirmed > Revision::ZERO),
            created_revision: revision,
            revision,
            confirmed: Revision::ZERO,
            created_at: Timestamp::default(),
            password_set_at: None,
        });
    }

    /// Sets an account's password, as an accepted command would.
    pub fn set_password(&self, id: &InstanceId, name: &str, password: &str) {
        let mut past = Vec::new();
        self.change_held(id, |held| {
            let linked = held.instance.links_with(&AccountName::new(name));
            let revision = held.instance.revision;
            let account = held.accounts.iter_mut().find(|a| a.name.as_str() == name);
            if let Some(account) = account {
                past.extend(account.password.clone());
                account.set_password(&Secret::new(password), linked);
                account.revision = revision;
            }
        });
        let past = past.into_iter();
        let past = past.map(|digest| (id.clone(), AccountName::new(name), digest));
        self.lock().past.extend(past);
    }

    /// Changes an account, as an accepted command would.
    pub fn change_account(&self, id: &InstanceId, name: &str, change: impl FnOnce(&mut Account)) {
        self.change_held(id, |held| {
            let revision = held.instance.revision;
            let account = held.accounts.iter_mut().find(|a| a.name.as_str() == name);
            if let Some(account) = account {
                change(account);
                account.revision = revision;
            }
        });
    }

    /// Changes anything of an instance at its next revision.
    pub fn change_held(&self, id: &InstanceId, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.lock().instances.get_mut(id) {
            held.instance.revision = held.instance.revision.next();
            change(held);
        }
    }

    /// Sets the default account's password, as an accepted command would.
    pub fn set_default_password(&self, id: &InstanceId, password: &str) {
        self.change_held(id, |held| {
            let revision = held.instance.revision;
            let new = Secret::new(password);
            let login = &mut held.instance.login;
            if login.is_default_user() {
                let former = login.password.replace(new.clone());
                login.former.insert(0, former);
            }
            held.instance.default_password = Some(new.clone());
            let default = held
                .accounts
                .iter_mut()
                .find(|a| a.kind == AccountKind::Default);
            if let Some(account) = default {
                account.password = Some(PasswordDigest::of(&new));
                account.revision = revision;
            }
        });
    }

    /// Begins an account's end.
    pub fn delete(&self, id: &InstanceId, name: &str) {
        self.change_account(id, name, |account| account.life = Life::Deleting);
    }
}
