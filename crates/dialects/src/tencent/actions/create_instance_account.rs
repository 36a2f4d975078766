//! CreateInstanceAccount.

use super::{Action, task};
use crate::tencent::args::{Args, Kind, optional, required};
use claviger_core::command::{Ask, Asked, Command, CreateAccount};
use claviger_core::privilege::Routing;
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "CreateInstanceAccount",
    parameters: &[
        required("InstanceId", Kind::Text),
        required("AccountName", Kind::Text),
        required("AccountPassword", Kind::Password),
        required("ReadonlyPolicy", Kind::Texts),
        required("Privilege", Kind::Text),
        optional("Remark", Kind::Free),
        optional("EncryptPassword", Kind::Bool),
    ],
    echo: &[],
    decode,
    encode: task,
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    super::check_plain(args)?;
    let password = args.password("AccountPassword");
    let routing = super::routing(&args.texts("ReadonlyPolicy"));
    Ok(super::command(Command::Create(CreateAccount {
        instance: super::instance(args)?,
        name: args.must("AccountName")?.to_owned(),
        password: password.ok_or(Refusal::PasswordNeeded)?,
        // `w` is documented for a change only; taken here as well.
        privilege: super::privilege(args.must("Privilege")?),
        routing: routing.unwrap_or(Asked::Known(Routing::PRIMARY)),
        description: args.free("Remark").map(str::to_owned),
        expires_at: None,
    })))
}
