//! ModifyInstancePassword, and its older name ModfiyInstancePassword, which is still served: of
//! the default account, whose password must be proven.

use super::{Action, task};
use crate::tencent::args::{Args, Kind, optional, required};
use claviger_core::command::{Ask, Command, ModifyAccount, PasswordChange, Target};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyInstancePassword",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("OldPassword", Kind::Password),
        required("Password", Kind::Password),
    ],
    echo: &[],
    decode,
    encode: task,
};

pub(super) const MISSPELT: Action = Action {
    name: "ModfiyInstancePassword",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("OldPassword", Kind::Password),
        required("Password", Kind::Password),
        // Only this one has it.
        optional("EncryptPassword", Kind::Bool),
    ],
    echo: &[],
    decode,
    encode: task,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    super::check_plain(args)?;
    let mut change = ModifyAccount::of(super::instance(args)?, Target::Default);
    let old = args
        .password("OldPassword")
        .ok_or(Refusal::PasswordNeeded)?;
    let new = args.password("Password").ok_or(Refusal::PasswordNeeded)?;
    change.password = Some(PasswordChange {
        old: Some(old),
        new,
    });
    Ok(super::command(Command::Modify(change)))
}
