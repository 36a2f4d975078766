//! The command line as types: what an instance and its accounts may be set to, and how it is
//! written.

use crate::cli::ClientArgs;
use crate::config::duration;
use clap::{Args, ValueEnum};
use claviger_core::acl::custom_tokens_ok;
use claviger_core::policy::{PasswordPolicy, SessionPolicy};
use claviger_core::privilege::{Privilege, RoleName};
use std::time::Duration;

/// Which rules the privileges become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleProfileArg {
    /// What the clouds' pages promise
    Faithful,
    /// Without commands that block or empty the server
    Strict,
}

/// How far the administrator privilege reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AdministratorArg {
    /// All but what reveals secrets, changes users or breaks the topology
    Fenced,
    /// Every command
    Full,
}

/// What is done about users that were changed behind claviger's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriftArg {
    /// They are put right
    Repair,
    /// They are shown and left as they are
    Report,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Switch::On
    }
}

/// `claviger instance set`.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct InstanceSetArgs {
    /// The instance's identity
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Which rules the privileges become
    #[arg(long, value_enum, group = "change")]
    pub(crate) role_profile: Option<RoleProfileArg>,
    /// Commands taken from every account, such as flushall,keys; an empty text gives them back
    #[arg(long, value_name = "LIST", group = "change")]
    pub(crate) disabled_commands: Option<String>,
    /// How far the administrator privilege reaches
    #[arg(long, value_enum, group = "change")]
    pub(crate) administrator: Option<AdministratorArg>,
    /// A role of the instance's own: its name and rules; repeat for more
    ///
    /// Such as reporting="~app:* +@read -keys". Without a rule for keys it is on all keys,
    /// without one for channels on all channels.
    #[arg(long = "role", value_name = "NAME=RULES", value_parser = role, group = "change")]
    pub(crate) roles: Vec<RoleText>,
    /// End a role that no account has; repeat for more
    #[arg(long = "remove-role", value_name = "NAME", value_parser = role_name, group = "change")]
    pub(crate) remove_roles: Vec<RoleName>,
    /// What is done about users that were changed behind claviger's back
    #[arg(long, value_enum, group = "change")]
    pub(crate) drift: Option<DriftArg>,
    /// What happens to live sessions of an account that is disabled, loses rights or gets another
    /// password: keep, kill, or kill-after:30s
    #[arg(long, value_name = "POLICY", value_parser = sessions, group = "change")]
    pub(crate) sessions: Option<SessionPolicy>,
    /// Replicas serve reads: accounts may be routed there
    #[arg(long, value_enum, group = "change")]
    pub(crate) replica_reads: Option<Switch>,
    /// What every new password must have: off, or such as letters=2,digits=2,specials=1,length=10
    #[arg(long, value_name = "POLICY", value_parser = password_policy, group = "change")]
    pub(crate) password_policy: Option<PasswordPolicy>,
    /// A name for people
    #[arg(long, group = "change")]
    pub(crate) name: Option<String>,
    /// Region word
    #[arg(long, group = "change")]
    pub(crate) region: Option<String>,
    /// A tag for policies to go by; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE", group = "change")]
    pub(crate) tags: Vec<String>,
    /// A tag to take away; repeat for more
    #[arg(long = "untag", value_name = "NAME", group = "change")]
    pub(crate) untags: Vec<String>,
    /// Refuse changes and leave the nodes alone
    #[arg(long, group = "change", conflicts_with = "resume")]
    pub(crate) pause: bool,
    /// Take changes again
    #[arg(long, group = "change")]
    pub(crate) resume: bool,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger instance adopt`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstanceAdoptArgs {
    /// The instance's identity
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// A user; repeat for more [default: all that are not accounts]
    #[arg(long = "user", value_name = "NAME")]
    pub(crate) users: Vec<String>,
    /// The node that counts, host:port: others are made to hold what it holds [default: all nodes
    /// must hold the same]
    #[arg(long, value_name = "NODE")]
    pub(crate) from: Option<String>,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger plan`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// The instance's identity
    #[arg(value_name = "INSTANCE")]
    pub(crate) instance: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// A role as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleText {
    pub(crate) name: RoleName,
    pub(crate) rules: Vec<String>,
}

/// `NAME=RULES`.
fn role(text: &str) -> Result<RoleText, String> {
    let (name, rules) = text
        .split_once('=')
        .ok_or("a role is NAME=RULES, such as reporting=\"+@read -keys\"")?;
    let name = role_name(name)?;
    let rules = rule_tokens(rules);
    if !custom_tokens_ok(&rules) {
        return Err(
            "rules are such as +@read, -keys, ~app:*, &news.*, and none about passwords, on or off"
                .into(),
        );
    }
    Ok(RoleText { name, rules })
}

/// Words between spaces; a selector in parentheses is one word.
fn rule_tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    for word in text.split_whitespace() {
        match tokens.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(word);
            }
            _ => tokens.push(word.to_owned()),
        }
        open = (open || word.starts_with('(')) && !word.ends_with(')');
    }
    tokens
}

fn role_name(text: &str) -> Result<RoleName, String> {
    RoleName::parse(text).ok_or_else(|| {
        "a role's name is 1 to 31 letters, digits, '_' and '-', a letter first, and no built-in \
         privilege"
            .into()
    })
}

/// A privilege's word, or the name of a role of the instance's own.
pub(crate) fn privilege(text: &str) -> Result<Privilege, String> {
    Privilege::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Privilege::BUILT_IN.iter().map(Privilege::as_str).collect();
        format!("not one of {}, nor a role's name", known.join(", "))
    })
}

/// `keep`, `kill`, `kill-after:DURATION`.
fn sessions(text: &str) -> Result<SessionPolicy, String> {
    match text {
        "keep" => return Ok(SessionPolicy::Keep),
        "kill" => return Ok(SessionPolicy::Kill),
        _ => {}
    }
    let after = text
        .strip_prefix("kill-after:")
        .ok_or("not keep, kill, or kill-after:DURATION such as kill-after:30s")?;
    let seconds = duration(after)?.as_secs();
    match u32::try_from(seconds) {
        Ok(seconds @ 1..) => Ok(SessionPolicy::KillAfter(seconds)),
        _ => Err("kill-after takes a second at least".into()),
    }
}

/// `off`, or numbers for `letters`, `digits`, `specials` and `length`; those that are not given
/// are the least that there are.
fn password_policy(text: &str) -> Result<PasswordPolicy, String> {
    let mut policy = PasswordPolicy::default();
    if text == "off" {
        return Ok(policy);
    }
    policy.enabled = true;
    for part in text.split(',') {
        let form = "not off, or such as letters=2,digits=2,specials=1,length=10";
        let (name, number) = part.split_once('=').ok_or(form)?;
        let slot = match name.trim() {
            "letters" => &mut policy.letters_min,
            "digits" => &mut policy.digits_min,
            "specials" => &mut policy.specials_min,
            "length" => &mut policy.length_min,
            _ => return Err(form.into()),
        };
        *slot = number.trim().parse().map_err(|_| form)?;
    }
    if policy.is_sound() {
        Ok(policy)
    } else {
        Err(
            "letters, digits and specials are 1 to 16, length is 8 to 64 and no less than the \
             three together"
                .into(),
        )
    }
}

/// When an account ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Never.
    Never,
    /// Then, milliseconds since the epoch.
    At(i64),
    /// So long from now.
    In(Duration),
}

/// `never`, a moment such as `2030-01-31T12:00:00Z`, or `+DURATION`.
pub(crate) fn end(text: &str) -> Result<End, String> {
    if text == "never" {
        return Ok(End::Never);
    }
    if let Some(after) = text.strip_prefix('+') {
        let days = after
            .strip_suffix('d')
            .and_then(|days| days.parse::<u32>().ok());
        return match days {
            Some(days) => Ok(End::In(Duration::from_secs(u64::from(days) * 86_400))),
            None => duration(after).map(End::In),
        };
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => Ok(End::At(at.as_millisecond())),
        Err(_) => Err(format!(
            "{text:?} is not never, a moment such as 2030-01-31T12:00:00Z, or +DURATION such as \
             +12h or +30d"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let tokens = |text| role(text).map(|role| role.rules).unwrap_or_default();
        assert_eq!(
            tokens("r=~a:* (~b +get) +@read  -keys"),
            ["~a:*", "(~b +get)", "+@read", "-keys"]
        );
        assert_eq!(tokens("r=~a=b +get"), ["~a=b", "+get"]);
        for bad in [
            "r",
            "r=",
            "=+get",
            "read-only=+get",
            "r=on",
            "r=>secret",
            "1=+get",
        ] {
            assert!(role(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn policies() {
        assert_eq!(sessions("keep"), Ok(SessionPolicy::Keep));
        assert_eq!(sessions("kill-after:2m"), Ok(SessionPolicy::KillAfter(120)));
        for bad in [
            "",
            "kill-after",
            "kill-after:",
            "kill-after:0s",
            "kill-after:x",
            "end",
        ] {
            assert!(sessions(bad).is_err(), "{bad}");
        }
        assert!(password_policy("off").is_ok_and(|policy| !policy.enabled));
        let some = password_policy("letters=2,length=10");
        assert!(some.is_ok_and(|p| p.enabled && (p.letters_min, p.length_min) == (2, 10)));
        for bad in [
            "",
            "on",
            "letters",
            "letters=x",
            "words=1",
            "length=7",
            "letters=17",
        ] {
            assert!(password_policy(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ends() {
        assert_eq!(end("never"), Ok(End::Never));
        assert_eq!(end("+30d"), Ok(End::In(Duration::from_secs(30 * 86_400))));
        assert_eq!(end("1970-01-01T00:00:01Z"), Ok(End::At(1000)));
        assert_eq!(end("1970-01-01T01:00:01+01:00"), Ok(End::At(1000)));
        for bad in ["", "+", "tomorrow", "2030-01-31", "+5"] {
            assert!(end(bad).is_err(), "{bad}");
        }
    }
}
