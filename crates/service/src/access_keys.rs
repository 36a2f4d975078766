//! Access keys: made, listed, revoked. A revoked key is refused from the next request on.

use crate::Service;
use crate::native::{NativeContext, NativeError, store_error};
use claviger_core::access::{AccessKey, Action, Role, Scope, authorize};
use claviger_core::clock::Timestamp;
use claviger_core::ids::{InstanceId, KeyId};
use claviger_core::ports::Op;
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};

/// Make a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What its holder may do.
    pub role: Role,
    /// On these instances only; on all if absent.
    #[serde(default)]
    pub instances: Option<Vec<InstanceId>>,
    /// A note.
    #[serde(default)]
    pub description: String,
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The public half.
    pub id: KeyId,
    /// What its holder may do.
    pub role: Role,
    /// On these instances only; on all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<InstanceId>>,
    /// A note.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// A key just made: the only time that its secret is shown.
#[derive(Clone, Debug, Serialize)]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// The secret half.
    #[serde(serialize_with = "expose")]
    pub secret: Secret,
}

fn expose<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

/// Bound on a note, bytes, and on a key's list of instances.
const DESCRIPTION_LEN_MAX: usize = 1024;
const INSTANCES_MAX: usize = 1000;

/// The letters of generated key ids and secrets: none that a shell or a URL would have to quote.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Letters from random bytes; a byte beyond the last whole multiple of 62 is passed over, so
/// that no letter is likelier than another.
pub fn letters(random: &[u8], count: usize) -> Option<String> {
    let even = random.iter().filter(|byte| usize::from(**byte) < 248);
    let text: String = even
        .take(count)
        .map(|byte| char::from(LETTERS[usize::from(*byte) % 62]))
        .collect();
    (text.len() == count).then_some(text)
}

impl Service {
    fn random_letters(&self, count: usize) -> String {
        loop {
            let mut random = vec![0_u8; count * 2 + 16];
            self.entropy.fill(&mut random);
            if let Some(text) = letters(&random, count) {
                return text;
            }
        }
    }

    /// Makes a key; its holder is known from this moment.
    ///
    /// # Errors
    /// Permission, a value out of bounds, or the store.
    pub async fn create_key(
        &self,
        cx: &NativeContext,
        new: NewKey,
    ) -> Result<CreatedKey, NativeError> {
        let new = authorize(&cx.principal, Action::ChangeKeys, None, new)?.into_value();
        let listed = new.instances.as_ref().map_or(1, Vec::len);
        if new.description.len() > DESCRIPTION_LEN_MAX || !(1..=INSTANCES_MAX).contains(&listed) {
            return Err(NativeError::Invalid(
                "a key takes 1 to 1,000 instances and a description of 1,024 bytes".into(),
            ));
        }
        let key = AccessKey {
            id: KeyId::new(format!("CLVG{}", self.random_letters(16))),
            secret: Secret::new(self.random_letters(40)),
            role: new.role,
            scope: new.instances.map_or(Scope::All, Scope::Only),
            description: new.description,
            created_at: self.now(),
            revoked_at: None,
        };
        let mut audit = cx
            .call("key.create")
            .audit(&cx.principal, self.now(), "", "");
        audit.detail = format!("key {}", key.id);
        let written = self
            .store
            .apply(vec![Op::AddKey(key.clone())], Some(audit))
            .await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        self.keys.put(key.clone());
        Ok(CreatedKey {
            key: view(&key),
            secret: key.secret,
        })
    }

    /// All keys, without secrets.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn keys(&self, cx: &NativeContext) -> Result<Vec<KeyView>, NativeError> {
        authorize(&cx.principal, Action::ReadKeys, None, ())?;
        let keys = self.store.keys().await;
        let keys = keys.map_err(|failure| store_error(&failure, &cx.request_id))?;
        Ok(keys.iter().map(view).collect())
    }

    /// Revokes a key at once. The key that asks cannot revoke itself: that would be a way to
    /// lock oneself out.
    ///
    /// # Errors
    /// Permission, an unknown key, or the store.
    pub async fn revoke_key(&self, cx: &NativeContext, id: &KeyId) -> Result<(), NativeError> {
        authorize(&cx.principal, Action::ChangeKeys, None, ())?;
        if *id == cx.principal.key {
            return Err(NativeError::Invalid("a key cannot revoke itself".into()));
        }
        let now = self.now();
        let mut audit = cx.call("key.revoke").audit(&cx.principal, now, "", "");
        audit.detail = format!("key {id}");
        let written = self
            .store
            .apply(vec![Op::RevokeKey(id.clone(), now)], Some(audit))
            .await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let key = self.store.key(id).await;
        if let Some(key) = key.map_err(|failure| store_error(&failure, &cx.request_id))? {
            self.keys.put(key);
        }
        Ok(())
    }
}

fn view(key: &AccessKey) -> KeyView {
    KeyView {
        id: key.id.clone(),
        role: key.role,
        instances: match &key.scope {
            Scope::All => None,
            Scope::Only(list) => Some(list.clone()),
        },
        description: key.description.clone(),
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    }
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn letters_are_even_and_counted() {
        assert_eq!(letters(&[0, 61, 62, 255, 247], 3).as_deref(), Some("A9A"));
        assert_eq!(letters(&[255, 250], 1), None);
    }
}
