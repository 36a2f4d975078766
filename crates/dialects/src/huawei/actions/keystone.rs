//! The look-ups of IAM that SDKs and Terraform make before they call DCS. There is one project
//! here, one domain, and the user is the key that asks.

use super::Action;
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use crate::sign::Hash;
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;
use serde_json::{Value, json};

/// Name of the project where the caller names none.
const PROJECT_NAME: &str = "cn-north-4";

/// Name of the domain.
const DOMAIN_NAME: &str = "claviger";

pub(super) const PROJECTS: Action = Action {
    name: "KeystoneListProjects",
    method: "GET",
    path: "/v3/projects",
    query: &["name"],
    takes_body: false,
    decode: caller,
    encode: projects,
};

pub(super) const REGIONS: Action = Action {
    name: "KeystoneListRegions",
    method: "GET",
    path: "/v3/regions",
    query: &[],
    takes_body: false,
    decode: |_| Ok(Ask::Query(Query::Regions)),
    encode: regions,
};

pub(super) const DOMAINS: Action = Action {
    name: "KeystoneListAuthDomains",
    method: "GET",
    path: "/v3/auth/domains",
    query: &[],
    takes_body: false,
    decode: caller,
    encode: domains,
};

pub(super) const USERS: Action = Action {
    name: "KeystoneListUsers",
    method: "GET",
    path: "/v3/users",
    query: &["name"],
    takes_body: false,
    decode: caller,
    encode: users,
};

fn caller(_: &Params) -> Result<Ask, Refusal> {
    Ok(Ask::Query(Query::Caller))
}

/// The domain's identity: made from the project's, so that it stays.
fn domain_id(project: &str) -> String {
    let mut id = Hash::Sha256.hex(format!("domain of {project}").as_bytes());
    id.truncate(32);
    id
}

pub(super) fn domain(project: &str) -> Value {
    json!({"id": domain_id(project), "name": DOMAIN_NAME})
}

/// The project is of every region that is asked for: claviger's instances are not told apart by
/// project, and a client gives up if its region has none.
pub(super) fn project_name(shape: &Shape) -> &str {
    shape.echoed("name").unwrap_or(PROJECT_NAME)
}

fn links(path: &str) -> Value {
    json!({"self": path, "next": null, "previous": null})
}

fn projects(shape: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Caller(caller) = answer else {
        return None;
    };
    let domain = domain_id(&caller.project);
    let project = json!({
        "id": caller.project,
        "name": project_name(shape),
        "domain_id": domain,
        "parent_id": domain,
        "enabled": true,
        "is_domain": false,
        "description": "",
        "links": {"self": format!("/v3/projects/{}", caller.project)},
    });
    let body = json!({"projects": [project], "links": links("/v3/projects")});
    Some(Ok(Reply::Json(body)))
}

fn regions(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Regions(regions) = answer else {
        return None;
    };
    let region = |id: &str| {
        json!({
            "id": id,
            "type": "public",
            "description": "",
            "parent_region_id": null,
            "locales": {"en-us": id, "zh-cn": id},
            "links": {"self": format!("/v3/regions/{id}")},
        })
    };
    let rows: Vec<Value> = regions.iter().map(|r| region(&r.id)).collect();
    Some(Ok(Reply::Json(
        json!({"regions": rows, "links": links("/v3/regions")}),
    )))
}

fn domains(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Caller(caller) = answer else {
        return None;
    };
    let id = domain_id(&caller.project);
    let domain = json!({
        "id": id,
        "name": DOMAIN_NAME,
        "enabled": true,
        "description": "",
        "links": {"self": format!("/v3/domains/{id}")},
    });
    let body = json!({"domains": [domain], "links": links("/v3/auth/domains")});
    Some(Ok(Reply::Json(body)))
}

/// The caller alone: other keys are nobody's to see here.
fn users(shape: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Caller(caller) = answer else {
        return None;
    };
    let key = caller.key.as_str();
    let user = json!({
        "id": key,
        "name": key,
        "domain_id": domain_id(&caller.project),
        "enabled": true,
        "description": "",
        "pwd_status": true,
        "links": {"self": format!("/v3/users/{key}")},
    });
    let wanted = shape.echoed("name").is_none_or(|name| name == key);
    let rows: Vec<Value> = wanted.then_some(user).into_iter().collect();
    Some(Ok(Reply::Json(
        json!({"users": rows, "links": links("/v3/users")}),
    )))
}
