//! ResetPassword: another password for the default account, or none at all.

use super::Action;
use crate::Shape;
use crate::huawei::body::Body;
use crate::huawei::wire::Reply;
use crate::raw::Params;
use claviger_core::command::{Ask, PasswordChange, Target};
use claviger_core::outcome::Answer;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ResetPassword",
    method: "POST",
    path: "/v2/{project_id}/instances/{instance_id}/password/reset",
    query: &[],
    takes_body: true,
    decode,
    encode,
};

fn decode(params: &Params) -> Result<Ask, Refusal> {
    let body = Body::read(params)?;
    super::modify_target(params, Target::Default, |change| {
        let free = body.truth("no_password_access")?;
        match (body.optional("new_password")?, free) {
            // A password beside it would mean nothing.
            (_, Some(true)) => change.password_free = Some(true),
            // A new password ends password-free access by itself.
            (Some(new), _) => {
                change.password = Some(PasswordChange {
                    old: None,
                    new: new.clone(),
                });
            }
            // Back to the last one, if it is known.
            (None, Some(false)) => change.password_free = Some(false),
            (None, None) => {
                return Err(Refusal::ParameterMissing {
                    name: "new_password",
                });
            }
        }
        Ok(())
    })
}

fn encode(_: &Shape, answer: &Answer) -> Option<Result<Reply, Refusal>> {
    let mut body = super::reset_done(answer)?;
    body["ext_message"] = serde_json::Value::Null;
    Some(Ok(Reply::Json(body)))
}
