//! Fleet members: registered, checked, set, removed.

use crate::Service;
use crate::instance_set::custom_roles_ok;
use crate::native::{NativeContext, NativeError, secret_option, store_error};
use crate::node_urls::{map_ok, read_nodes, sentinel_login};
use claviger_core::access::{Action, Resource, Tags, authorize, tags_ok};
use claviger_core::check_report::CheckReport;
use claviger_core::clock::Timestamp;
use claviger_core::ids::{AccountId, InstanceId, Revision};
use claviger_core::instance::{
    Instance, InstanceState, InstanceView, NodeTls, RolePolicy, TopologyChoice,
};
use claviger_core::outcome::Answer;
use claviger_core::policy::InstancePolicy;
use claviger_core::ports::{Observed, Op};
use claviger_core::query::{InstanceQuery, Query, Rows};
use claviger_core::reach::AddressMap;
use claviger_core::refusal::Refusal;
use claviger_core::secret::Secret;
use serde::{Deserialize, Serialize};

/// Register a fleet member.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewInstance {
    /// Its identity.
    pub id: String,
    /// A name for people; the identity if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// Region word; `cn-hangzhou` if absent.
    #[serde(default)]
    pub region: Option<String>,
    /// `redis://[user[:password]@]host:port` or `rediss://...`; one login for all.
    #[serde(deserialize_with = "node_urls")]
    pub nodes: Vec<Secret>,
    /// What to take the topology for.
    #[serde(default)]
    pub topology: TopologyChoice,
    /// Sentinel's name of the primary.
    #[serde(default)]
    pub master_name: Option<String>,
    /// The user on the Sentinels, if they have users of their own.
    #[serde(default)]
    pub sentinel_user: Option<String>,
    /// The password on the Sentinels. With neither, no login is tried there, then that of the
    /// nodes.
    #[serde(default, deserialize_with = "secret_option")]
    pub sentinel_password: Option<Secret>,
    /// Where nodes are reached that announce other addresses.
    #[serde(default)]
    pub map: Vec<AddressMap>,
    /// TLS files for the nodes, on the service's machine.
    #[serde(default)]
    pub tls: NodeTls,
    /// The login's password, if the URLs do not carry it.
    #[serde(default, deserialize_with = "secret_option")]
    pub password: Option<Secret>,
    /// How privileges become rules.
    #[serde(default)]
    pub roles: RolePolicy,
    /// For policies to go by.
    #[serde(default)]
    pub tags: Tags,
    /// Register it even if the check finds problems.
    #[serde(default)]
    pub force: bool,
}

fn node_urls<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Secret>, D::Error> {
    Ok(Vec::<String>::deserialize(from)?
        .into_iter()
        .map(Secret::new)
        .collect())
}

/// A member just registered, and what the check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddedInstance {
    /// The instance.
    pub instance: InstanceView,
    /// What was found on its nodes.
    pub check: CheckReport,
}

/// Region of instances registered without one.
const REGION_DEFAULT: &str = "cn-hangzhou";
/// Bounds: length of names, disabled commands.
const LABEL_LEN_MAX: usize = 128;
const DISABLED_MAX: usize = 500;
/// What tags must be.
pub(crate) const TAGS: &str = "tags are 50 at most, names of 1 to 128 bytes and values of up to 256, without control \
     characters";

impl Service {
    /// Instances that the caller can see, filtered by a part of name or identity.
    ///
    /// # Errors
    /// Permission or the store.
    pub async fn instances(
        &self,
        cx: &NativeContext,
        search: Option<String>,
    ) -> Result<Rows<InstanceView>, NativeError> {
        let query = Query::Instances(InstanceQuery {
            search,
            ..InstanceQuery::default()
        });
        match self.native_query(cx, query).await? {
            Answer::Instances(rows) => Ok(rows),
            _ => Err(Refusal::Internal.into()),
        }
    }

    /// One instance.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn instance(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
    ) -> Result<InstanceView, NativeError> {
        let query = Query::Instance(id.clone());
        match self.native_query(cx, query).await? {
            Answer::Instance(view) => Ok(*view),
            _ => Err(Refusal::Internal.into()),
        }
    }

    /// Registers an instance after looking at its nodes.
    ///
    /// # Errors
    /// Permission, values out of bounds, an identity that is taken, nodes that cannot be driven
    /// ([`NativeError::CheckFailed`], unless forced), or the store.
    pub async fn add_instance(
        &self,
        cx: &NativeContext,
        new: NewInstance,
    ) -> Result<AddedInstance, NativeError> {
        let force = new.force;
        let instance = build(new, self.now()).map_err(NativeError::Invalid)?;
        // On the instance as it is to be: a policy may go by its region or tags.
        let facts = instance.facts();
        let (actions, on) = ([Action::AddInstance], Resource::Instance(&facts));
        authorize(&self.judge, &cx.principal, &actions, &on, ())?;
        let taken = self.store.viewed(&instance.id).await;
        if taken
            .map_err(|failure| store_error(&failure, &cx.request_id))?
            .is_some()
        {
            return Err(NativeError::Exists);
        }
        let check = self.fleet.check(&instance).await;
        if !check.is_fine() && !force {
            return Err(NativeError::CheckFailed(Box::new(check)));
        }
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let default_account = AccountId::from_parts(self.now(), random);
        let id = instance.id.clone();
        let mut ops = vec![Op::AddInstance {
            instance: Box::new(instance),
            default_account,
        }];
        ops.extend(observed(&id, &check).map(Op::Observe));
        let audit = cx
            .call("instance.add")
            .audit(&cx.principal, self.now(), id.as_str(), "");
        let written = self.store.apply(ops, Some(audit)).await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        self.directory.put(facts);
        self.fleet.track(&id);
        let held = self.store.viewed(&id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let held = held.ok_or(NativeError::Refused(Refusal::InstanceNotFound))?;
        Ok(AddedInstance {
            instance: held.instance.view(),
            check,
        })
    }

    /// Looks at an instance's nodes again.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn check_instance(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
    ) -> Result<CheckReport, NativeError> {
        self.permit(
            &cx.principal,
            Action::CheckInstance,
            Some(id),
            &cx.request_id,
            (),
        )
        .await?;
        let held = self.store.held(id).await;
        let held = held.map_err(|failure| store_error(&failure, &cx.request_id))?;
        let held = held.ok_or(NativeError::Refused(Refusal::InstanceNotFound))?;
        let mut report = self.fleet.check(&held.instance).await;
        // The check looks at an instance as if it were new: our own users are not strangers.
        let ours = |name: &str| held.account(name).is_some() || name == id.as_str();
        report.unmanaged.retain(|name| !ours(name.as_str()));
        Ok(report)
    }

    /// Forgets an instance; its nodes keep the users that they have.
    ///
    /// # Errors
    /// Permission, an unknown instance, or the store.
    pub async fn remove_instance(
        &self,
        cx: &NativeContext,
        id: &InstanceId,
    ) -> Result<(), NativeError> {
        self.permit(
            &cx.principal,
            Action::RemoveInstance,
            Some(id),
            &cx.request_id,
            (),
        )
        .await?;
        let audit = cx
            .call("instance.remove")
            .audit(&cx.principal, self.now(), id.as_str(), "");
        let written = self
            .store
            .apply(vec![Op::RemoveInstance(id.clone())], Some(audit))
            .await;
        written.map_err(|failure| store_error(&failure, &cx.request_id))?;
        self.directory.remove(id);
        self.fleet.track(id);
        Ok(())
    }
}

/// What a check saw, for the store; nothing if no node answered.
fn observed(id: &InstanceId, check: &CheckReport) -> Option<Observed> {
    Some(Observed {
        instance: id.clone(),
        topology: check.topology?,
        engine: check.engine,
        unmanaged: check.unmanaged.clone(),
        // The fleet finds out.
        link_users: Vec::new(),
        nodes: check.nodes.iter().map(|node| node.node.clone()).collect(),
    })
}

fn build(new: NewInstance, now: Timestamp) -> Result<Instance, String> {
    let id_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = new.id.starts_with(|c: char| c.is_ascii_alphanumeric());
    if new.id.len() > LABEL_LEN_MAX || !begins || !new.id.chars().all(id_ok) {
        return Err(
            "the id takes 1 to 128 letters, digits, '-', '_', '.', a letter or digit first".into(),
        );
    }
    if new.id == "default" || new.id.starts_with("claviger") {
        return Err("this id is reserved: it would also be the name of a user".into());
    }
    let name = new.name.unwrap_or_else(|| new.id.clone());
    let region = new.region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
    label_ok("name", &name)?;
    label_ok("region", &region)?;
    disabled_ok(&new.roles.disabled_commands)?;
    custom_roles_ok(&new.roles.custom)?;
    tags_fit(&new.tags)?;
    let (seeds, mut login) = read_nodes(&new.nodes)?;
    if new.password.is_some() {
        login.password = new.password;
    }
    login.sentinel = sentinel_login(new.sentinel_user, new.sentinel_password)?;
    map_ok(&new.map)?;
    if let Some(name) = &new.master_name {
        label_ok("master name", name)?;
    }
    Ok(Instance {
        id: InstanceId::new(new.id),
        name,
        region,
        tags: new.tags,
        topology: new.topology,
        master_name: new.master_name,
        seeds,
        tls: new.tls,
        map: new.map,
        login,
        default_password: None,
        roles: new.roles,
        policy: InstancePolicy::default(),
        primaries: 0,
        replicas: 0,
        password_free: false,
        state: InstanceState::Registering,
        engine: None,
        observed_topology: None,
        unmanaged: Vec::new(),
        link_users: Vec::new(),
        revision: Revision::ZERO,
        created_at: now,
    })
}

pub(crate) fn label_ok(what: &str, text: &str) -> Result<(), String> {
    let fine = (1..=LABEL_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(format!("the {what} takes 1 to {LABEL_LEN_MAX} bytes"))
    }
}

pub(crate) fn tags_fit(tags: &Tags) -> Result<(), String> {
    match tags_ok(tags) {
        true => Ok(()),
        false => Err(TAGS.to_owned()),
    }
}

pub(crate) fn disabled_ok(commands: &[String]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let fine = |c: &String| (1..=64).contains(&c.len()) && c.chars().all(plain);
    if commands.len() <= DISABLED_MAX && commands.iter().all(fine) {
        Ok(())
    } else {
        Err("disabled commands are lower-case command names, 500 at most".into())
    }
}
