//! What each route does: read the parameters, call the service, give the answer its JSON.

use super::fault::Fault;
use super::routes::{Args, Operation, Route};
use crate::App;
use claviger_core::acl::{own_login_tokens, sentinel_login_tokens};
use claviger_core::audit::AuditQuery;
use claviger_core::clock::Timestamp;
use claviger_core::engine::{AclLevel, Engine, Family};
use claviger_core::ids::{InstanceId, KeyId, TaskId};
use claviger_core::query::{Page, Rows, TaskQuery};
use claviger_core::task::{TaskState, TaskView};
use claviger_dialects::encoding::{has_nul, parse_form};
use claviger_dialects::raw::Params;
use claviger_service::native::NativeContext;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Seconds that a call may ask to wait for a task.
pub(crate) const WAIT_S_MAX: u64 = 60;

/// Rows of a page if the caller does not say.
const LIMIT_DEFAULT: u64 = 100;

/// Bound on times, milliseconds since the Unix epoch, and on row numbers: what JSON clients keep
/// whole.
const TIME_MS_MAX: u64 = 1 << 53;

/// How often a waited-for task is looked at: from short, for nodes that are there, to long, for
/// nodes that are not.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_LAST: Duration = Duration::from_millis(250);

/// A call whose sender is known.
pub(crate) struct Call {
    pub(crate) route: &'static Route,
    pub(crate) args: Args,
    pub(crate) query: Query,
    pub(crate) body: Vec<u8>,
    pub(crate) context: NativeContext,
}

/// A good answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// The query's parameters: only those that the route takes, each at most once.
pub(crate) struct Query(Params);

impl Query {
    pub(crate) fn read(route: &Route, query: &str) -> Result<Self, Fault> {
        let mut params = Params::default();
        parse_form(query, &mut params).map_err(|error| Fault::invalid(error.why()))?;
        for (name, value) in params.iter() {
            if has_nul(value) {
                return Err(Fault::invalid("the query has a NUL character"));
            }
            if !route.query.contains(&name) {
                let takes = match route.query {
                    [] => "this route takes no query parameters".to_owned(),
                    names => format!("this route takes the parameters {}", names.join(", ")),
                };
                return Err(Fault::invalid(takes));
            }
            if params.count(name) > 1 {
                return Err(Fault::invalid(format!("{name} is given twice")));
            }
        }
        Ok(Self(params))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    fn number(&self, name: &'static str, default: u64, max: u64) -> Result<u64, Fault> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| *number <= max)
                .ok_or_else(|| Fault::invalid(format!("{name} is a number up to {max}"))),
        }
    }

    fn page(&self) -> Result<Page, Fault> {
        Ok(Page {
            // Within what every store can count.
            offset: self.number("offset", 0, u64::from(u32::MAX))?,
            limit: self.number("limit", LIMIT_DEFAULT, Page::LIMIT_MAX)?,
        })
    }

    /// How long the call asks to wait.
    pub(crate) fn wait(&self) -> Result<Duration, Fault> {
        self.number("wait", 0, WAIT_S_MAX).map(Duration::from_secs)
    }
}

impl Call {
    fn instance(&self) -> InstanceId {
        InstanceId::from(self.arg(0))
    }

    fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// Without a body, as if it said nothing.
    fn json_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Fault> {
        match self.body.is_empty() {
            true => Ok(T::default()),
            false => self.json(),
        }
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if names_nul(&self.body) {
            return Err(Fault::invalid("a text in the body has a NUL character"));
        }
        serde_json::from_slice(&self.body).map_err(|error| Fault::of_json(&error))
    }
}

/// Whether a JSON text spells a NUL character: only as an escape can one stand in a JSON string.
/// Not every store can keep one, and nothing needs it.
fn names_nul(json: &[u8]) -> bool {
    const NUL: &[u8] = b"\\u0000";
    let starts = (0..json.len()).filter(|at| json[*at..].starts_with(NUL));
    // After an odd number of backslashes the first of these is an escaped one itself.
    let mut starts = starts.map(|at| json[..at].iter().rev().take_while(|b| **b == b'\\').count());
    starts.any(|before| before % 2 == 0)
}

/// Does it.
pub(crate) async fn run(app: Arc<App>, call: Call) -> Result<Reply, Fault> {
    use Operation as Op;
    match call.route.operation {
        Op::ListInstances
        | Op::AddInstance
        | Op::ShowInstance
        | Op::SetInstance
        | Op::RemoveInstance
        | Op::CheckInstance
        | Op::AdoptUsers
        | Op::PlanInstance
        | Op::InstanceStatus
        | Op::Status => instances(&app, &call).await,
        Op::ListAccounts
        | Op::CreateAccount
        | Op::ShowAccount
        | Op::ModifyAccount
        | Op::DeleteAccount => accounts(&app, &call).await,
        Op::ListTasks | Op::ShowTask => tasks(&app, &call).await,
        Op::ListKeys | Op::CreateKey | Op::RevokeKey | Op::RotateKey | Op::CreateSession => {
            keys(&app, &call).await
        }
        Op::ListPolicies | Op::ShowPolicy | Op::PutPolicy | Op::RemovePolicy | Op::TestPolicy => {
            policies(&app, &call).await
        }
        Op::Audit => {
            let query = audit_query(&call.query)?;
            rows(app.service.audit(&call.context, query).await?)
        }
        Op::VerifyAudit => ok(&app.service.verify_audit(&call.context).await?),
        Op::MasterKey => ok(&app.service.master_key(&call.context).await?),
        Op::RotateMasterKey => ok(&app.service.rotate_master_key(&call.context).await?),
        Op::Info => ok(&app.service.info(&call.context).await?),
        Op::LoginRules => login_rules(&call),
        Op::Document => Ok(document()),
    }
}

async fn instances(app: &App, call: &Call) -> Result<Reply, Fault> {
    let (service, cx) = (&app.service, &call.context);
    match call.route.operation {
        Operation::ListInstances => {
            let search = call.query.text("search").map(str::to_owned);
            rows(service.instances(cx, search).await?)
        }
        Operation::AddInstance => created(&service.add_instance(cx, call.json()?).await?),
        Operation::SetInstance => ok(&service
            .set_instance(cx, &call.instance(), call.json()?)
            .await?),
        Operation::RemoveInstance => {
            service.remove_instance(cx, &call.instance()).await?;
            Ok(nothing())
        }
        Operation::CheckInstance => ok(&service.check_instance(cx, &call.instance()).await?),
        Operation::AdoptUsers => {
            let ask = call.json()?;
            ok(&service.adopt(cx, &call.instance(), ask).await?)
        }
        Operation::PlanInstance => ok(&service.plan(cx, &call.instance()).await?),
        Operation::InstanceStatus => {
            let mut sights = service.status(cx, Some(&call.instance())).await?;
            ok(&sights
                .pop()
                .ok_or(claviger_core::refusal::Refusal::InstanceNotFound)?)
        }
        Operation::Status => all(service.status(cx, None).await?),
        _ => ok(&service.instance(cx, &call.instance()).await?),
    }
}

async fn accounts(app: &App, call: &Call) -> Result<Reply, Fault> {
    let (service, cx, id) = (&app.service, &call.context, call.instance());
    match call.route.operation {
        Operation::ListAccounts => rows(service.accounts(cx, &id).await?),
        Operation::CreateAccount => accepted(&service.create_account(cx, &id, call.json()?).await?),
        Operation::ModifyAccount => {
            let modify = call.json()?;
            accepted(&service.modify_account(cx, &id, call.arg(1), modify).await?)
        }
        Operation::DeleteAccount => accepted(&service.delete_account(cx, &id, call.arg(1)).await?),
        _ => ok(&service.account(cx, &id, call.arg(1)).await?),
    }
}

async fn tasks(app: &App, call: &Call) -> Result<Reply, Fault> {
    if call.route.operation == Operation::ListTasks {
        let query = TaskQuery {
            instance: call.query.text("instance").map(InstanceId::from),
            page: call.query.page()?,
            ..TaskQuery::default()
        };
        return rows(app.service.tasks(&call.context, query).await?);
    }
    let not_found = || Fault::new(404, "NotFound", "no such task");
    let id = call.arg(0).parse().map_err(|_| not_found())?;
    ok(&await_task(app, call, TaskId(id)).await?)
}

/// The task once it is done, or as it is when the caller's patience or the service ends.
async fn await_task(app: &App, call: &Call, id: TaskId) -> Result<TaskView, Fault> {
    let until = Instant::now() + call.query.wait()?;
    let mut pause = LOOK_FIRST;
    loop {
        let task = app.service.task(&call.context, id).await?;
        let left = until.saturating_duration_since(Instant::now());
        if task.task.state != TaskState::Running || left.is_zero() || app.stop.is_cancelled() {
            return Ok(task);
        }
        let pausing = tokio::time::sleep(pause.min(left));
        let _ = app.stop.run_until_cancelled(pausing).await;
        pause = (pause * 2).min(LOOK_LAST);
    }
}

async fn keys(app: &App, call: &Call) -> Result<Reply, Fault> {
    let (service, cx) = (&app.service, &call.context);
    match call.route.operation {
        Operation::CreateKey => created(&service.create_key(cx, call.json()?).await?),
        Operation::RotateKey => {
            let id = KeyId::from(call.arg(0));
            ok(&service.rotate_key(cx, &id, call.json_or_default()?).await?)
        }
        Operation::CreateSession => {
            let id = KeyId::from(call.arg(0));
            let new = call.json_or_default()?;
            created(&service.create_session(cx, &id, new).await?)
        }
        Operation::RevokeKey => {
            service.revoke_key(cx, &KeyId::from(call.arg(0))).await?;
            Ok(nothing())
        }
        _ => all(service.keys(cx).await?),
    }
}

async fn policies(app: &App, call: &Call) -> Result<Reply, Fault> {
    let (service, cx, name) = (&app.service, &call.context, call.arg(0));
    match call.route.operation {
        Operation::PutPolicy => ok(&service.put_policy(cx, name, call.json()?).await?),
        Operation::RemovePolicy => {
            service.remove_policy(cx, name).await?;
            Ok(nothing())
        }
        Operation::TestPolicy => ok(&service.test_policy(cx, call.json()?).await?),
        Operation::ListPolicies => all(service.policies(cx).await?),
        _ => ok(&service.policy(cx, name).await?),
    }
}

/// Which rows of the audit trail.
fn audit_query(query: &Query) -> Result<AuditQuery, Fault> {
    let text = |name| query.text(name).map(str::to_owned);
    let time = |name| match query.text(name) {
        None => Ok(None),
        Some(_) => query.number(name, 0, TIME_MS_MAX).map(|ms| {
            let ms = i64::try_from(ms).unwrap_or(i64::MAX);
            Some(Timestamp::from_millis(ms))
        }),
    };
    let after = match query.text("after") {
        None => None,
        Some(_) => Some(query.number("after", 0, TIME_MS_MAX)?),
    };
    let oldest_first = match query.text("order") {
        None | Some("newest") => false,
        Some("oldest") => true,
        Some(_) => return Err(Fault::invalid("order is newest or oldest")),
    };
    Ok(AuditQuery {
        instance: query.text("instance").map(InstanceId::from),
        account: text("account"),
        key: text("key"),
        outcome: text("outcome"),
        action: text("action"),
        since: time("since")?,
        until: time("until")?,
        after,
        oldest_first,
        page: query.page()?,
    })
}

/// The rights that claviger's own login needs on a node.
#[derive(Serialize)]
struct LoginRule {
    /// From this version on.
    version: &'static str,
    /// As one line, for an ACL file.
    rule: String,
    /// The same for a Sentinel that has users.
    sentinel_rule: String,
}

fn login_rules(call: &Call) -> Result<Reply, Fault> {
    let masterauth = match call.query.text("masterauth") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Fault::invalid("masterauth is true or false")),
    };
    let wanted = match call.query.text("version") {
        None => None,
        Some(version) => {
            let engine = Engine::parse(Family::Redis, version);
            let level = engine.map(Engine::acl_level);
            let level = level.ok_or_else(|| Fault::invalid("version is such as 7.0"))?;
            if level == AclLevel::None {
                return Err(Fault::invalid("before version 6.0 there are no users"));
            }
            Some(level)
        }
    };
    const SINCE: [(AclLevel, &str); 4] = [
        (AclLevel::Users, "6.0"),
        (AclLevel::Channels, "6.2"),
        (AclLevel::Selectors, "7.0"),
        (AclLevel::Ordered, "7.2"),
    ];
    let fitting = SINCE
        .into_iter()
        .filter(|(level, _)| wanted.is_none_or(|wanted| wanted == *level));
    all(fitting
        .map(|(level, version)| LoginRule {
            version,
            rule: own_login_tokens(level, masterauth).join(" "),
            sentinel_rule: sentinel_login_tokens(level).join(" "),
        })
        .collect())
}

/// The OpenAPI document.
pub(crate) static DOCUMENT: &str = include_str!("openapi.json");

pub(crate) fn document() -> Reply {
    Reply {
        status: StatusCode::OK,
        body: DOCUMENT.as_bytes().to_vec(),
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Reply, Fault> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer has no JSON form");
        Fault::from(claviger_core::refusal::Refusal::Internal)
    })?;
    Ok(Reply { status, body })
}

fn ok(value: &impl Serialize) -> Result<Reply, Fault> {
    json(StatusCode::OK, value)
}

fn created(value: &impl Serialize) -> Result<Reply, Fault> {
    json(StatusCode::CREATED, value)
}

/// Durably recorded; the nodes follow.
fn accepted(value: &impl Serialize) -> Result<Reply, Fault> {
    json(StatusCode::ACCEPTED, value)
}

fn nothing() -> Reply {
    Reply {
        status: StatusCode::NO_CONTENT,
        body: Vec::new(),
    }
}

#[derive(Serialize)]
struct Listed<T> {
    rows: Vec<T>,
    total: u64,
}

fn rows<T: Serialize>(rows: Rows<T>) -> Result<Reply, Fault> {
    let Rows { rows, total } = rows;
    ok(&Listed { rows, total })
}

fn all<T: Serialize>(rows: Vec<T>) -> Result<Reply, Fault> {
    let total = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    ok(&Listed { rows, total })
}
