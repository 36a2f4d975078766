//! ModifyInstancePasswordPolicy. The policy holds for every new password of the instance, in
//! every dialect; members that are absent get the vendor's defaults.

use super::Action;
use crate::tencent::args::{Args, Kind, optional, required};
use claviger_core::command::Ask;
use claviger_core::outcome::Answer;
use claviger_core::policy::{PasswordPolicy, PolicyChange};
use claviger_core::refusal::Refusal;

pub(super) const ACTION: Action = Action {
    name: "ModifyInstancePasswordPolicy",
    parameters: &[
        required("InstanceId", Kind::Text),
        required(
            "PasswordPolicy",
            Kind::Object(&[
                optional("Enabled", Kind::Bool),
                optional("MinLetterCount", Kind::Uint),
                optional("MinDigitCount", Kind::Uint),
                optional("MinSpecialCount", Kind::Uint),
                optional("MinLength", Kind::Uint),
            ]),
        ),
    ],
    echo: &[],
    decode,
    encode: |_, answer| matches!(answer, Answer::PolicyChanged(_)).then(Vec::new),
};

fn decode(args: &Args) -> Result<Ask, Refusal> {
    let name = "PasswordPolicy";
    let given = args
        .object(name)
        .ok_or(Refusal::ParameterMissing { name })?;
    let or = PasswordPolicy::default();
    // What no byte can hold is out of the limits as well, and refused with them.
    let number = |name, default| {
        let number = given.uint(name).map(u8::try_from);
        number.map_or(default, |n| n.unwrap_or(u8::MAX))
    };
    let passwords = PasswordPolicy {
        enabled: given.truth("Enabled").unwrap_or(or.enabled),
        letters_min: number("MinLetterCount", or.letters_min),
        digits_min: number("MinDigitCount", or.digits_min),
        specials_min: number("MinSpecialCount", or.specials_min),
        length_min: number("MinLength", or.length_min),
    };
    Ok(Ask::Policy {
        instance: super::instance(args)?,
        change: PolicyChange {
            passwords: Some(passwords),
            ..PolicyChange::default()
        },
    })
}
