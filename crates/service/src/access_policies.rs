//! Policies of the operator's own: added, listed, removed, and tried out.

use crate::Service;
use crate::judge::{CedarJudge, Explanation, statements};
use crate::native::{NativeContext, NativeError, store_error};
use crate::permits::facts_of;
use claviger_core::access::{AccountFacts, Action, Circumstances, Principal, Resource, Session};
use claviger_core::access_policy::AccessPolicy;
use claviger_core::ids::{InstanceId, KeyId};
use claviger_core::ports::Op;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// A policy's text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// Its statements, in Cedar.
    pub text: String,
}

/// Something to be tried: would this key be permitted to do that?
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// The key that asks.
    pub key: KeyId,
    /// What it asks for, such as `account:create`.
    pub action: String,
    /// On this instance; on the service as a whole if absent.
    #[serde(default)]
    pub instance: Option<InstanceId>,
    /// On this account of it.
    #[serde(default)]
    pub account: Option<String>,
    /// The privilege that the account is to get.
    #[serde(default)]
    pub privilege: Option<String>,
    /// The address that it asks from; the caller's own if absent.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// Whether it asks over TLS; as the caller does if absent.
    #[serde(default)]
    pub tls: Option<bool>,
    /// With temporary credentials of this policy.
    #[serde(default)]
    pub session: Option<String>,
    /// As if this policy, by its name, had this text: tried before it is added.
    #[serde(default)]
    pub policies: Vec<TriedPolicy>,
}

/// A policy that is tried without being added.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriedPolicy {
    /// Its name.
    pub name: String,
    /// Its statements.
    pub text: String,
}

/// What came of a [`PolicyTest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVerdict {
    /// It is permitted.
    pub allowed: bool,
    /// The statements that decided it; none if nothing permits it.
    pub because: Vec<String>,
    /// The same in plain words.
    pub reason: String,
    /// Statements that could not be evaluated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

fn in_words(told: &Explanation) -> String {
    let list = told.because.join(", ");
    match (told.allowed, told.because.is_empty()) {
        _ if !told.errors.is_empty() => "denied: a policy could not be evaluated".to_owned(),
        (true, _) => format!("permitted by {list}"),
        (false, true) if told.by_session => {
            "denied: the policy of the temporary credentials does not permit it".to_owned()
        }
        (false, true) => "denied: no policy permits it".to_owned(),
        (false, false) => format!("denied: forbidden by {list}"),
    }
}

/// Policies that a test may bring along.
const TRIED_MAX: usize = 16;

impl Service {
    /// All policies, by name.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn policies(&self, cx: &NativeContext) -> Result<Vec<AccessPolicy>, NativeError> {
        self.permit(
            &cx.principal,
            Action::ReadPolicies,
            None,
            &cx.request_id,
            (),
        )
        .await?;
        let all = self.store.access_policies().await;
        all.map_err(|failure| store_error(&failure, &cx.request_id))
    }

    /// One policy.
    ///
    /// # Errors
    /// As [`Service::policies`], and an unknown policy.
    pub async fn policy(
        &self,
        cx: &NativeContext,
        name: &str,
    ) -> Result<AccessPolicy, NativeError> {
        let all = self.policies(cx).await?;
        let found = all.into_iter().find(|policy| policy.name == name);
        found.ok_or(NativeError::NotFound)
    }

    /// Adds a policy, or replaces the one of its name. It holds from the next request on.
    ///
    /// # Errors
    /// Permission, a text that is not understood or does not fit the schema, one policy too
    /// many, or the store.
    pub async fn put_policy(
        &self,
        cx: &NativeContext,
        name: &str,
        text: PolicyText,
    ) -> Result<AccessPolicy, NativeError> {
        self.permit(&cx.principal, Action::AddPolicy, None, &cx.request_id, ())
            .await?;
        if !AccessPolicy::name_ok(name) {
            return Err(NativeError::Invalid(
                "a policy's name takes 1 to 64 lower-case letters, digits, '-', '_' and '.', a \
                 letter or digit first"
                    .into(),
            ));
        }
        statements::read(name, &text.text).map_err(NativeError::Invalid)?;
        let failed = |failure| store_error(&failure, &cx.request_id);
        let _one_at_a_time = self.changing_policies.lock().await;
        let all = self.store.access_policies().await.map_err(failed)?;
        let before = all.iter().find(|policy| policy.name == name);
        if before.is_none() && all.len() >= AccessPolicy::COUNT_MAX {
            let told = format!("there are {} policies already", all.len());
            return Err(NativeError::Invalid(told));
        }
        let now = self.now();
        let policy = AccessPolicy {
            name: name.to_owned(),
            text: text.text,
            changed_at: now,
            changed_by: cx.principal.key.clone(),
        };
        let mut audit = cx.call("policy.add").audit(&cx.principal, now, "", "");
        audit.detail = format!("policy {name}");
        audit
            .before
            .extend(before.map(|p| ("text".to_owned(), p.text.clone())));
        audit.after.insert("text".to_owned(), policy.text.clone());
        let op = Op::PutAccessPolicy(policy.clone());
        self.store
            .apply(vec![op], Some(audit))
            .await
            .map_err(failed)?;
        self.judge_again(cx).await?;
        Ok(policy)
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// Permission, an unknown policy, or the store.
    pub async fn remove_policy(&self, cx: &NativeContext, name: &str) -> Result<(), NativeError> {
        self.permit(
            &cx.principal,
            Action::RemovePolicy,
            None,
            &cx.request_id,
            (),
        )
        .await?;
        let failed = |failure| store_error(&failure, &cx.request_id);
        let _one_at_a_time = self.changing_policies.lock().await;
        let all = self.store.access_policies().await.map_err(failed)?;
        let before = all.iter().find(|policy| policy.name == name);
        let mut audit = cx
            .call("policy.remove")
            .audit(&cx.principal, self.now(), "", "");
        audit.detail = format!("policy {name}");
        audit
            .before
            .extend(before.map(|p| ("text".to_owned(), p.text.clone())));
        let op = Op::RemoveAccessPolicy(name.to_owned());
        self.store
            .apply(vec![op], Some(audit))
            .await
            .map_err(failed)?;
        self.judge_again(cx).await
    }

    async fn judge_again(&self, cx: &NativeContext) -> Result<(), NativeError> {
        let failed = |failure| store_error(&failure, &cx.request_id);
        let all = self.store.access_policies().await.map_err(failed)?;
        self.judge.put(&all).map_err(|why| {
            tracing::error!(
                why,
                "a stored policy is not understood: the ones before hold"
            );
            NativeError::Invalid(why)
        })
    }

    /// Tells whether something would be permitted, and why.
    ///
    /// # Errors
    /// Permission, an unknown key or action, a policy that is not understood, or the store.
    pub async fn test_policy(
        &self,
        cx: &NativeContext,
        test: PolicyTest,
    ) -> Result<PolicyVerdict, NativeError> {
        self.permit(
            &cx.principal,
            Action::ReadPolicies,
            None,
            &cx.request_id,
            (),
        )
        .await?;
        let action = Action::parse(&test.action).ok_or_else(|| {
            let all: Vec<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
            NativeError::Invalid(format!("action is one of {}", all.join(", ")))
        })?;
        let principal = self.tried_principal(cx, &test)?;
        let tried = self.tried_judge(cx, &test).await?;
        let judge = tried.as_ref().unwrap_or(&self.judge);
        let Some(id) = &test.instance else {
            let told = judge.explain(&principal, action, &Resource::Service);
            return Ok(verdict(told));
        };
        let facts = self.facts(id, &cx.request_id).await?;
        let Some(name) = &test.account else {
            let told = judge.explain(&principal, action, &Resource::Instance(&facts));
            return Ok(verdict(told));
        };
        let held = self.store.viewed(id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let found = held.as_ref().and_then(|held| held.account(name));
        let asked_privilege = test.privilege.as_deref();
        let account = match found {
            Some(account) => AccountFacts {
                asked_privilege,
                ..facts_of(account)
            },
            None => AccountFacts {
                name,
                privilege: asked_privilege.unwrap_or_default(),
                is_default: false,
                asked_privilege,
            },
        };
        let told = judge.explain(&principal, action, &Resource::Account(&facts, account));
        Ok(verdict(told))
    }

    fn tried_principal(
        &self,
        cx: &NativeContext,
        test: &PolicyTest,
    ) -> Result<Principal, NativeError> {
        let held = self.keys.find(&test.key).ok_or(NativeError::NotFound)?;
        let from = Circumstances {
            source: test.source.unwrap_or(cx.principal.from.source),
            tls: test.tls.unwrap_or(cx.principal.from.tls),
            dialect: "native",
        };
        let session = match &test.session {
            None => None,
            Some(text) => {
                let read = statements::read("session", text);
                read.map_err(|why| NativeError::Invalid(format!("session: {why}")))?;
                Some(Session {
                    key: KeyId::from("session"),
                    policy: Some(Arc::from(text.as_str())),
                })
            }
        };
        Ok(Principal {
            session,
            ..held.principal(from)
        })
    }

    /// The judge as it would be with the policies that the test brings along.
    async fn tried_judge(
        &self,
        cx: &NativeContext,
        test: &PolicyTest,
    ) -> Result<Option<CedarJudge>, NativeError> {
        if test.policies.is_empty() {
            return Ok(None);
        }
        if test.policies.len() > TRIED_MAX {
            return Err(NativeError::Invalid(format!(
                "policies: at most {TRIED_MAX}"
            )));
        }
        let all = self.store.access_policies().await;
        let mut all = all.map_err(|failure| store_error(&failure, &cx.request_id))?;
        for tried in &test.policies {
            all.retain(|policy| policy.name != tried.name);
            all.push(AccessPolicy {
                name: tried.name.clone(),
                text: tried.text.clone(),
                changed_at: self.now(),
                changed_by: cx.principal.key.clone(),
            });
        }
        CedarJudge::of(&all).map(Some).map_err(NativeError::Invalid)
    }
}

fn verdict(told: Explanation) -> PolicyVerdict {
    PolicyVerdict {
        allowed: told.allowed,
        reason: in_words(&told),
        because: told.because,
        errors: told.errors,
    }
}
