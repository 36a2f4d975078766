//! DeleteInstanceAccount.

use super::{Action, task};
use crate::tencent::args::{Args, Kind, required};
use claviger_core::command::{Ask, Command, DeleteAccount};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "DeleteInstanceAccount",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("AccountName", Kind::Text),
    ],
    echo: &[],
    decode,
    encode: task,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    Ok(super::command(Command::Delete(DeleteAccount {
        instance: super::instance(args)?,
        target: super::target(args)?,
    })))
}
