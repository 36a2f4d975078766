//! ModifyInstanceAccount. Nothing to change is legal: the vendor's own sample is such a call.

use super::{Action, task};
use crate::tencent::args::{Args, Kind, optional, required};
use claviger_core::command::{Ask, Asked, Command, ModifyAccount, PasswordChange, Target};
use claviger_core::privilege::Privilege;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyInstanceAccount",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("AccountName", Kind::Text),
        optional("AccountPassword", Kind::Password),
        optional("Remark", Kind::Free),
        optional("ReadonlyPolicy", Kind::Texts),
        optional("Privilege", Kind::Text),
        optional("NoAuth", Kind::Bool),
        optional("EncryptPassword", Kind::Bool),
    ],
    echo: &[],
    decode,
    encode: task,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    super::check_plain(args)?;
    let target = super::target(args)?;
    let of_root = target == Target::Default;
    let mut change = ModifyAccount::of(super::instance(args)?, target);
    change.privilege = args.text("Privilege").map(super::privilege);
    // Terraform sends the privilege with every change; root's own is no change of it.
    if of_root && change.privilege == Some(Asked::Known(Privilege::ReadWrite)) {
        change.privilege = None;
    }
    change.routing = super::routing(&args.texts("ReadonlyPolicy"));
    change.description = args.free("Remark").map(str::to_owned);
    change.password_free = match args.truth("NoAuth") {
        // A custom account has a password in any case.
        Some(false) if !of_root => None,
        free => free,
    };
    // Without a password, the one that is sent is of no use: password-free wins.
    if change.password_free != Some(true) {
        change.password = args
            .password("AccountPassword")
            .map(|new| PasswordChange { old: None, new });
    }
    Ok(super::command(Command::Modify(change)))
}
