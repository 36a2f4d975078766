//! `POST /v3/auth/tokens`: a token for a day, in the header `X-Subject-Token`.

use super::{Action, keystone};
use crate::Shape;
use crate::huawei::wire::Reply;
use crate::huawei::{time, token_request};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::query::Query;
use claviger_core::refusal::Refusal;
use serde_json::json;

pub(super) const ACTION: Action = Action {
    name: token_request::ACTION,
    method: "POST",
    path: "/v3/auth/tokens",
    query: &[],
    takes_body: true,
    decode: |_| Ok(Ask::Query(Query::IssueToken)),
    encode,
};

fn encode(shape: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let Answer::Token(issued) = answer else {
        return None;
    };
    let caller = &issued.caller;
    let domain = keystone::domain(&caller.project);
    let key = caller.key.as_str();
    let mut token = json!({
        "expires_at": time::format_micros(issued.expires_at),
        "issued_at": time::format_micros(caller.now),
        "methods": [shape.echoed("method").unwrap_or("password")],
        // With endpoints of one's own, nobody needs it.
        "catalog": [],
        "roles": [],
        "user": {"id": key, "name": key, "domain": domain, "password_expires_at": ""},
    });
    if shape.echoed("scope") == Some("domain") {
        token["domain"] = domain;
    } else {
        token["project"] = json!({
            "id": caller.project,
            "name": keystone::project_name(shape),
            "domain": domain,
        });
    }
    Some(Ok(Reply::Token(
        issued.token.clone(),
        json!({ "token": token }),
    )))
}
