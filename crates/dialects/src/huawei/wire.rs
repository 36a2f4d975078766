//! The envelope of answers: a status, perhaps a JSON body, and the request's id in a header.

use crate::raw::RawAnswer;
use claviger_core::ids::RequestId;
use claviger_core::secret::Secret;
use serde_json::Value;

/// A successful answer before it has its form.
pub(super) enum Reply {
    /// 200 and a body, which is never empty: Terraform decodes it even where it means nothing.
    Json(Value),
    /// 204, nothing else.
    Empty,
    /// 201, a body, and the token in its own header.
    Token(Secret, Value),
}

/// The form of a success.
pub(super) fn answer(request_id: RequestId, reply: Reply) -> RawAnswer {
    match reply {
        Reply::Json(body) => json(request_id, 200, &body),
        Reply::Empty => RawAnswer {
            status: 204,
            headers: vec![("x-request-id", request_id.to_string())],
            body: Vec::new(),
        },
        Reply::Token(token, body) => {
            let mut answer = json(request_id, 201, &body);
            let token = token.expose().to_owned();
            answer.headers.push(("x-subject-token", token));
            answer
        }
    }
}

/// Any answer with a JSON body.
pub(super) fn json(request_id: RequestId, status: u16, body: &Value) -> RawAnswer {
    RawAnswer {
        status,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-request-id", request_id.to_string()),
        ],
        body: body.to_string().into_bytes(),
    }
}
