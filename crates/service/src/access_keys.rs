//! Access keys: made, listed, rotated, revoked; temporary credentials made of them. A revoked
//! key is refused from the next request on.

use crate::instances::TAGS;
use crate::native::{NativeContext, NativeError, store_error};
use crate::{Service, judge, sessions};
use claviger_core::access::{AccessKey, Action, FormerSecret, Role, Scope, Tags, tags_ok};
use claviger_core::audit::Facts;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{InstanceId, KeyId};
use claviger_core::ports::Op;
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize, Serializer};

/// Make a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What its holder may do by itself.
    pub role: Role,
    /// On these instances only; on all if absent.
    #[serde(default)]
    pub instances: Option<Vec<InstanceId>>,
    /// For policies to go by.
    #[serde(default)]
    pub tags: Tags,
    /// From when on it is refused, milliseconds since the Unix epoch; never if absent.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// A note.
    #[serde(default)]
    pub description: String,
}

/// Give a key another secret.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotateKey {
    /// How long the former secret is good yet, seconds; a day if absent, at most 30 days.
    pub overlap_s: Option<u32>,
}

/// Make temporary credentials.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewSession {
    /// How long they are good, seconds: 60 to 43,200; an hour if absent.
    pub duration_s: Option<u32>,
    /// What they may do of what their key may, as a policy; all of it if absent.
    pub policy: Option<String>,
}

/// A key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// The public half.
    pub id: KeyId,
    /// What its holder may do by itself.
    pub role: Role,
    /// On these instances only; on all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Vec<InstanceId>>,
    /// For policies to go by.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// A note.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// From when on it is refused, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Until when the secret before the last rotation is good, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_secret_until: Option<Timestamp>,
}

/// A key just made or rotated: the only time that its secret is shown.
#[derive(Clone, Debug, Serialize)]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: KeyView,
    /// The secret half.
    #[serde(serialize_with = "expose")]
    pub secret: Secret,
}

/// Temporary credentials, shown this once.
#[derive(Clone, Debug, Serialize)]
pub struct CreatedSession {
    /// The public half.
    pub id: KeyId,
    /// The secret half.
    #[serde(serialize_with = "expose")]
    pub secret: Secret,
    /// The token, which goes with every request.
    #[serde(serialize_with = "expose")]
    pub token: Secret,
    /// The key that they are made of.
    pub key: KeyId,
    /// When they end.
    pub expires_at: Timestamp,
}

fn expose<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

/// Bound on a note, bytes, and on a key's list of instances.
const DESCRIPTION_LEN_MAX: usize = 1024;
const INSTANCES_MAX: usize = 1000;

/// How long a former secret is good if nothing else is said, and at most; seconds.
const OVERLAP_S: u32 = 24 * 3_600;
const OVERLAP_S_MAX: u32 = 30 * 24 * 3_600;

/// How long temporary credentials are good if nothing else is said; seconds.
const SESSION_S: u32 = 3_600;

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
        let (who, request_id) = (&cx.principal, &cx.request_id);
        let new = self
            .permit(who, Action::CreateKey, None, request_id, new)
            .await?;
        let new = new.into_value();
        let listed = new.instances.as_ref().map_or(1, Vec::len);
        if new.description.len() > DESCRIPTION_LEN_MAX || !(1..=INSTANCES_MAX).contains(&listed) {
            return Err(NativeError::Invalid(
                "a key takes 1 to 1,000 instances and a description of 1,024 bytes".into(),
            ));
        }
        if !tags_ok(&new.tags) {
            return Err(NativeError::Invalid(TAGS.into()));
        }
        let now = self.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(NativeError::Invalid(
                "expires_at is not in the future".into(),
            ));
        }
        let id = KeyId::new(format!("CLVG{}", self.random_letters(16)));
        let secret = Secret::new(self.random_letters(40));
        let key = AccessKey {
            scope: new.instances.map_or(Scope::All, Scope::Only),
            tags: new.tags,
            description: new.description,
            expires_at: new.expires_at,
            ..AccessKey::new(id, secret, new.role, now)
        };
        let mut audit = cx.call("key.create").audit(&cx.principal, now, "", "");
        audit.detail = format!("key {}", key.id);
        audit.after = facts(&key);
        let written = self
            .store
            .apply(vec![Op::AddKey(key.clone())], Some(audit))
            .await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        self.keys.put(key.clone());
        Ok(self.shown(key))
    }

    fn shown(&self, key: AccessKey) -> CreatedKey {
        CreatedKey {
            key: self.key_view(&key),
            secret: key.secret,
        }
    }

    /// Gives a key another secret; the one before is good for a while yet.
    ///
    /// # Errors
    /// Permission, an unknown or revoked key, an overlap out of bounds, or the store.
    pub async fn rotate_key(
        &self,
        cx: &NativeContext,
        id: &KeyId,
        rotate: RotateKey,
    ) -> Result<CreatedKey, NativeError> {
        self.permit(&cx.principal, Action::RotateKey, None, &cx.request_id, ())
            .await?;
        let overlap_s = rotate.overlap_s.unwrap_or(OVERLAP_S);
        if overlap_s > OVERLAP_S_MAX {
            let told = format!("overlap_s: at most {OVERLAP_S_MAX}");
            return Err(NativeError::Invalid(told));
        }
        let failed = |failure| store_error(&failure, &cx.request_id);
        let key = self.store.key(id).await.map_err(failed)?;
        let key = key.ok_or(NativeError::NotFound)?;
        if key.revoked_at.is_some() {
            return Err(NativeError::Invalid("the key is revoked".into()));
        }
        let now = self.now();
        let until = Timestamp::from_millis(now.as_millis() + i64::from(overlap_s) * 1_000);
        let secret = key.secret.clone();
        let key = AccessKey {
            secret: Secret::new(self.random_letters(40)),
            former: (overlap_s > 0).then_some(FormerSecret { secret, until }),
            ..key
        };
        let mut audit = cx.call("key.rotate").audit(&cx.principal, now, "", "");
        audit.detail = format!("key {id}, the former secret is good for {overlap_s} s");
        let ops = vec![Op::SetKey(key.clone())];
        self.store.apply(ops, Some(audit)).await.map_err(failed)?;
        self.keys.put(key.clone());
        Ok(self.shown(key))
    }

    /// Makes temporary credentials of a key. Of one's own that needs no permission: they can do
    /// no more than the key itself. Temporary credentials make no others.
    ///
    /// # Errors
    /// Permission, an unknown or revoked key, values out of bounds, a policy that is not
    /// understood, or the store.
    pub async fn create_session(
        &self,
        cx: &NativeContext,
        id: &KeyId,
        new: NewSession,
    ) -> Result<CreatedSession, NativeError> {
        if cx.principal.session.is_some() {
            let told = "temporary credentials cannot make others";
            return Err(NativeError::Invalid(told.into()));
        }
        if *id != cx.principal.key {
            self.permit(
                &cx.principal,
                Action::IssueSession,
                None,
                &cx.request_id,
                (),
            )
            .await?;
        }
        let duration_s = new.duration_s.unwrap_or(SESSION_S);
        if !sessions::DURATION_S.contains(&duration_s) {
            let (least, most) = (sessions::DURATION_S.start(), sessions::DURATION_S.end());
            return Err(NativeError::Invalid(format!(
                "duration_s: {least} to {most}"
            )));
        }
        if let Some(policy) = &new.policy {
            let long = policy.len() > sessions::POLICY_LEN_MAX;
            let read = judge::statements::read("session", policy).map(|_| ());
            let told = match long {
                true => Err(format!("longer than {} bytes", sessions::POLICY_LEN_MAX)),
                false => read,
            };
            told.map_err(|why| NativeError::Invalid(format!("policy: {why}")))?;
        }
        let now = self.now();
        let held = self.keys.find(id).ok_or(NativeError::NotFound)?;
        let dead = held.key.revoked_at.is_some() || held.key.expires_at.is_some_and(|e| e <= now);
        if dead {
            return Err(NativeError::Invalid(
                "the key is revoked or has ended".into(),
            ));
        }
        let session = KeyId::new(format!(
            "{}{}",
            sessions::KEY_PREFIX,
            self.random_letters(16)
        ));
        let secret = &held.key.secret;
        let mut audit = cx.call("key.session").audit(&cx.principal, now, "", "");
        audit.detail = format!("temporary credentials {session} of key {id} for {duration_s} s");
        audit
            .after
            .extend(new.policy.clone().map(|text| ("policy".to_owned(), text)));
        let issued = sessions::issue(&session, id, secret, (now, duration_s), new.policy);
        // Before they are shown: whoever has them is in the audit trail.
        let written = self.store.apply(Vec::new(), Some(audit)).await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        Ok(CreatedSession {
            id: session,
            secret: issued.secret,
            token: issued.token,
            key: id.clone(),
            expires_at: issued.expires_at,
        })
    }

    /// All keys, without secrets.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn keys(&self, cx: &NativeContext) -> Result<Vec<KeyView>, NativeError> {
        self.permit(&cx.principal, Action::ReadKeys, None, &cx.request_id, ())
            .await?;
        let keys = self.store.keys().await;
        let keys = keys.map_err(|failure| store_error(&failure, &cx.request_id))?;
        Ok(keys.iter().map(|key| self.key_view(key)).collect())
    }

    /// Revokes a key at once. The key that asks cannot revoke itself: that would be a way to
    /// lock oneself out.
    ///
    /// # Errors
    /// Permission, an unknown key, or the store.
    pub async fn revoke_key(&self, cx: &NativeContext, id: &KeyId) -> Result<(), NativeError> {
        self.permit(&cx.principal, Action::RevokeKey, None, &cx.request_id, ())
            .await?;
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

    fn key_view(&self, key: &AccessKey) -> KeyView {
        let now = self.now();
        let former = key.former.as_ref().filter(|former| now < former.until);
        let known = self.keys.find(&key.id).and_then(|held| held.last_used());
        KeyView {
            id: key.id.clone(),
            role: key.role,
            instances: match &key.scope {
                Scope::All => None,
                Scope::Only(list) => Some(list.clone()),
            },
            tags: key.tags.clone(),
            description: key.description.clone(),
            created_at: key.created_at,
            revoked_at: key.revoked_at,
            expires_at: key.expires_at,
            last_used_at: known.max(key.last_used_at),
            former_secret_until: former.map(|former| former.until),
        }
    }
}

/// What is told of a key in the audit trail.
fn facts(key: &AccessKey) -> Facts {
    let mut facts = Facts::from([("role".to_owned(), key.role.as_str().to_owned())]);
    if let Scope::Only(list) = &key.scope {
        let ids: Vec<_> = list.iter().map(InstanceId::as_str).collect();
        facts.insert("instances".to_owned(), ids.join(","));
    }
    let end = key.expires_at.map(|end| end.as_millis().to_string());
    facts.extend(end.map(|end| ("expires_at".to_owned(), end)));
    let tags = key.tags.iter();
    facts.extend(tags.map(|(name, value)| (format!("tag {name}"), value.clone())));
    facts
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
