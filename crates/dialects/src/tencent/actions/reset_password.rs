//! ResetPassword: of the default account.

use super::{Action, task};
use crate::tencent::args::{Args, Kind, optional, required};
use claviger_core::command::{Ask, Command, ModifyAccount, PasswordChange, Target};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ResetPassword",
    parameters: &[
        required("InstanceId", Kind::Text),
        // Terraform sends an empty one with `NoAuth`.
        optional("Password", Kind::Password),
        optional("NoAuth", Kind::Bool),
        optional("EncryptPassword", Kind::Bool),
    ],
    echo: &[],
    decode,
    encode: task,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    super::check_plain(args)?;
    let mut change = ModifyAccount::of(super::instance(args)?, Target::Default);
    change.password_free = args.truth("NoAuth");
    if change.password_free != Some(true) {
        change.password = args
            .password("Password")
            .map(|new| PasswordChange { old: None, new });
        // A reset to nothing; with `NoAuth=false` the last password is meant.
        if change.password.is_none() && change.password_free.is_none() {
            return Err(Refusal::PasswordNeeded);
        }
        // A new password ends the password-free state by itself: the task is one of a password.
        if change.password.is_some() {
            change.password_free = None;
        }
    }
    Ok(super::command(Command::Modify(change)))
}
