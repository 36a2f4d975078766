//! A permitted change of how an instance treats its accounts.

use crate::Service;
use crate::execute::{Call, store_refusal};
use crate::instance_settings::differences;
use claviger_core::access::Authorized;
use claviger_core::audit::Facts;
use claviger_core::decide::decide_policy;
use claviger_core::ids::InstanceId;
use claviger_core::instance::InstanceView;
use claviger_core::policy::{InstancePolicy, PolicyChange};
use claviger_core::ports::Op;
use claviger_core::refusal::Refusal;

fn json_of(policy: &InstancePolicy) -> String {
    serde_json::to_string(policy).unwrap_or_default()
}

impl Service {
    /// Decides and writes it; the instance as it is then. Two changes at once may meet: the last
    /// one wins as a whole, and neither is half.
    ///
    /// # Errors
    /// [`Refusal::InstanceNotFound`], the refusal of the decision, or a failure of the store.
    pub(crate) async fn change_policy(
        &self,
        instance: &InstanceId,
        change: Authorized<PolicyChange>,
        call: &Call,
    ) -> Result<InstanceView, Refusal> {
        let failed = |failure| store_refusal(&failure, &call.request_id);
        let held = self.store.viewed(instance).await.map_err(failed)?;
        let mut held = held.ok_or(Refusal::InstanceNotFound)?;
        let policy = decide_policy(&held, change.value())?;
        let mut audit = call.audit(change.principal(), self.now(), instance.as_str(), "");
        let told = |policy| Facts::from([("policy".to_owned(), json_of(policy))]);
        (audit.before, audit.after) = differences(told(&held.instance.policy), told(&policy));
        let op = Op::SetPolicy(instance.clone(), policy);
        self.store
            .apply(vec![op], Some(audit))
            .await
            .map_err(failed)?;
        self.fleet.wake(instance);
        held.instance.policy = policy;
        Ok(held.instance.view())
    }
}
