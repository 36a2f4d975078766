//! The holder of a key or of temporary credentials: found here, for the clouds' calls and the
//! native API alike; proven by whoever can check the signature.

use crate::keyring::{Held, Lookup};
use crate::{Origin, Service, sessions};
use claviger_core::access::{Circumstances, Principal, Session};
use claviger_core::clock::Timestamp;
use claviger_core::ids::KeyId;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use std::sync::Arc;

/// Whose a request claims to be. Nothing may be done with it before [`Holder::prove`].
pub struct Holder {
    /// The key that signs.
    signer: KeyId,
    principal: Principal,
    /// What it may be signed with, the newest first: one, or two while a rotation overlaps.
    secrets: Vec<Secret>,
    held: Arc<Held>,
}

impl Holder {
    /// The key that signs: a temporary one, if it is one.
    pub fn key(&self) -> &KeyId {
        &self.signer
    }

    /// Proves it by whichever of its secrets is the right one.
    ///
    /// # Errors
    /// What the check says of the newest secret, if no secret passes.
    pub fn prove(&self, check: impl Fn(&Secret) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let mut told = Err(Refusal::Internal);
        for (at, secret) in self.secrets.iter().enumerate() {
            match check(secret) {
                Ok(()) => return Ok(()),
                failed if at == 0 => told = failed,
                _ => {}
            }
        }
        told
    }

    /// The caller, once it is proven, and its newest secret.
    pub fn into_caller(mut self, now: Timestamp) -> (Principal, Secret) {
        self.held.mark_used(now);
        (self.principal, self.secrets.swap_remove(0))
    }
}

impl Service {
    /// How a request came, if its address may send one more.
    ///
    /// # Errors
    /// [`Refusal::Throttled`] if it sent too many, or too many badly signed ones.
    pub fn admit_source(
        &self,
        origin: &Origin,
        dialect: &'static str,
    ) -> Result<Circumstances, Refusal> {
        let source = origin.peer.ip();
        self.sources
            .admit(source, self.settings.sources(), self.now())?;
        Ok(Circumstances {
            source,
            tls: origin.tls,
            dialect,
        })
    }

    /// Counts a failed proof against the address that it came from.
    ///
    /// # Errors
    /// As given.
    pub fn believe<T>(&self, proven: Result<T, Refusal>, origin: &Origin) -> Result<T, Refusal> {
        let bad = matches!(
            proven,
            Err(Refusal::SignatureMismatch { .. }
                | Refusal::KeyUnknown
                | Refusal::KeyRevoked
                | Refusal::TokenInvalid)
        );
        if bad {
            let (address, bounds) = (origin.peer.ip(), self.settings.sources());
            self.sources.strike(address, bounds, self.now());
        }
        proven
    }

    /// The holder of a key, or of temporary credentials with their token.
    ///
    /// # Errors
    /// [`Refusal::KeyUnknown`], [`Refusal::KeyRevoked`]; [`Refusal::TokenInvalid`] for a token
    /// that is not this key's, and for a temporary key without one; [`Refusal::TokenExpired`].
    pub fn holder(
        &self,
        key: &KeyId,
        token: Option<&Secret>,
        from: Circumstances,
    ) -> Result<Holder, Refusal> {
        let now = self.now();
        if let Some(token) = token {
            return self.temporary(key, token, from, now);
        }
        match self.keys.look_up(key, now) {
            Lookup::Live(held) => Ok(Holder {
                signer: key.clone(),
                principal: held.principal(from),
                secrets: held.key.secrets(now).cloned().collect(),
                held,
            }),
            Lookup::Revoked => Err(Refusal::KeyRevoked),
            Lookup::Unknown if key.as_str().starts_with(sessions::KEY_PREFIX) => {
                Err(Refusal::TokenInvalid)
            }
            Lookup::Unknown => Err(Refusal::KeyUnknown),
        }
    }

    fn temporary(
        &self,
        key: &KeyId,
        token: &Secret,
        from: Circumstances,
        now: Timestamp,
    ) -> Result<Holder, Refusal> {
        let claimed = sessions::read(token)?;
        if claimed.id() != key {
            return Err(Refusal::TokenInvalid);
        }
        let Lookup::Live(held) = self.keys.look_up(claimed.key(), now) else {
            return Err(Refusal::TokenInvalid);
        };
        let checked = held
            .key
            .secrets(now)
            .map(|secret| claimed.check(secret, now));
        // Any that is good; else the one that says most.
        let checked = checked.reduce(|one, other| match (&one, &other) {
            (Ok(_), _) | (Err(Refusal::TokenExpired), Err(_)) => one,
            _ => other,
        });
        let secret = checked.unwrap_or(Err(Refusal::TokenInvalid))?;
        let session = Some(Session {
            key: key.clone(),
            policy: claimed.policy().map(Arc::from),
        });
        let principal = Principal {
            session,
            ..held.principal(from)
        };
        Ok(Holder {
            signer: key.clone(),
            principal,
            secrets: vec![secret],
            held,
        })
    }
}
