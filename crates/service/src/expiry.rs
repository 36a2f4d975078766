//! Accounts whose end has come are disabled: found in the store again and again, by every process
//! that serves, and decided once, in the transaction that writes it.

use crate::Service;
use crate::execute::Call;
use crate::judge::Ends;
use crate::native_rules::RULES;
use claviger_core::access::{AccessKey, Circumstances, Principal, Resource, Role, authorize};
use claviger_core::clock::Timestamp;
use claviger_core::command::{Command, ModifyAccount, Target};
use claviger_core::ids::{AccountName, InstanceId};
use claviger_core::instance::Held;
use claviger_core::ports::StoreError;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;

/// Under which key claviger's own changes stand in the audit trail.
const OWN_KEY: &str = "claviger";

/// What is no longer due when it is decided; nobody sees it.
const NOT_DUE: Refusal = Refusal::NotSupported("the account's end was put off, or it is disabled");

impl Service {
    /// Disables every account whose end has come; how many.
    ///
    /// # Errors
    /// When the store cannot be asked. What cannot be disabled now is found again.
    pub async fn expire_due(&self) -> Result<usize, StoreError> {
        let due = self.store.expiring(self.now()).await?;
        let mut done = 0;
        for (instance, name) in due {
            match self.expire(&instance, &name).await {
                Ok(()) => {
                    done += 1;
                    tracing::info!(%instance, account = %name, "the account's end has come");
                }
                // Another process was first, or someone gave it another end.
                Err(refusal) if refusal == NOT_DUE => {}
                Err(refusal) => {
                    tracing::warn!(%instance, account = %name, "not disabled yet: {refusal}");
                }
            }
        }
        Ok(done)
    }

    async fn expire(&self, instance: &InstanceId, name: &AccountName) -> Result<(), Refusal> {
        let key = AccessKey::new(OWN_KEY.into(), Secret::new(""), Role::None, self.now());
        let principal = Principal::of(&key, Circumstances::default());
        let command = Command::Modify(ModifyAccount {
            enabled: Some(false),
            ..ModifyAccount::of(instance.clone(), Target::Name(name.to_string()))
        });
        let actions = command.actions();
        let command = authorize(&Ends, &principal, &actions, &Resource::Service, command)?;
        let call = Call {
            request_id: self.request_id().to_string(),
            dialect: "fleet",
            action: "account.expire".to_owned(),
            source: String::new(),
            nonce: None,
        };
        let (now, name) = (self.now(), name.clone());
        let still = move |held: &Held| {
            if is_due(held, &name, now) {
                Ok(())
            } else {
                Err(NOT_DUE)
            }
        };
        self.execute_if(command, &RULES, &call, still).await?;
        Ok(())
    }
}

fn is_due(held: &Held, name: &AccountName, now: Timestamp) -> bool {
    held.account(name.as_str())
        .is_some_and(|account| account.enabled && account.expires_at.is_some_and(|end| end <= now))
}
