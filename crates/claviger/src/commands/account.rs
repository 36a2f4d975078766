//! `claviger account`: the cloud-neutral form of what the clouds' APIs do.

use super::task::{timeout, wait};
use super::{moment, rows, text};
use crate::cli::{
    AccountArgs, AccountCommand, AccountCreateArgs, AccountDeleteArgs, AccountListArgs,
    AccountModifyArgs, AccountSwitchArgs, End, WaitArgs,
};
use crate::client::{Answer, Call, Client, segment};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::secret_input::{self, NewPassword};
use claviger_core::ports::Clock as _;
use serde_json::{Value, json};
use std::time::Duration;

/// Does it.
///
/// # Errors
/// Why not.
pub(super) fn run(command: AccountCommand, env: &dyn Env) -> Result<(), Failure> {
    match command {
        AccountCommand::List(args) => list(&args, env),
        AccountCommand::Show(args) => {
            let answer = Client::from_args(&args.client, env)?.get(path(&args))?;
            let out = Out::new(args.client.json);
            if out.is_json() {
                return out.json(&answer.text);
            }
            show(&answer.value, out)
        }
        AccountCommand::Create(args) => create(&args, env),
        AccountCommand::Modify(args) => modify(&args, env),
        AccountCommand::Disable(args) => switch(&args, false, env),
        AccountCommand::Enable(args) => switch(&args, true, env),
        AccountCommand::Delete(args) => delete(&args, env),
    }
}

fn base(instance: &str) -> String {
    format!("/instances/{}/accounts", segment(instance))
}

fn path(args: &AccountArgs) -> String {
    format!("{}/{}", base(&args.instance), segment(&args.name))
}

fn list(args: &AccountListArgs, env: &dyn Env) -> Result<(), Failure> {
    let answer = Client::from_args(&args.client, env)?.get(base(&args.instance))?;
    let out = Out::new(args.client.json);
    if out.is_json() {
        return out.json(&answer.text);
    }
    let rows: Vec<_> = rows(&answer.value, "rows")
        .iter()
        .map(|account| {
            vec![
                text(account, "/name"),
                text(account, "/kind"),
                text(account, "/privilege"),
                text(account, "/status"),
                moment(account, "/created_at"),
                text(account, "/description"),
            ]
        })
        .collect();
    out.table(
        &[
            "ACCOUNT",
            "KIND",
            "PRIVILEGE",
            "STATUS",
            "CREATED",
            "DESCRIPTION",
        ],
        &rows,
    )
}

fn show(account: &Value, out: Out) -> Result<(), Failure> {
    out.pairs(&[
        ("account", text(account, "/name")),
        ("id", text(account, "/id")),
        ("kind", text(account, "/kind")),
        ("privilege", text(account, "/privilege")),
        ("status", text(account, "/status")),
        ("description", text(account, "/description")),
        ("created", moment(account, "/created_at")),
        ("password set", moment(account, "/password_set_at")),
        ("enabled", text(account, "/enabled")),
        ("expires", moment(account, "/expires_at")),
        ("password-free", text(account, "/password_free")),
    ])
}

/// An end in the service's words: milliseconds since the epoch, or null.
fn end_of(end: End) -> Result<Value, Failure> {
    let too_far = || Failure::usage("--expires-at: that is too far away");
    match end {
        End::Never => Ok(Value::Null),
        End::At(millis) => Ok(json!(millis)),
        End::In(after) => {
            let after = i64::try_from(after.as_millis()).map_err(|_| too_far())?;
            let now = crate::clock::SystemClock.now().as_millis();
            Ok(json!(now.checked_add(after).ok_or_else(too_far)?))
        }
    }
}

/// Read before anything is changed.
fn patience(args: &WaitArgs) -> Result<Option<Duration>, Failure> {
    let timeout = timeout(&args.timeout)?;
    Ok(args.wait.then_some(timeout))
}

fn create(args: &AccountCreateArgs, env: &dyn Env) -> Result<(), Failure> {
    let wait = patience(&args.wait)?;
    let password = secret_input::new_password(&args.password, env)?.ok_or_else(|| {
        Failure::usage(
            "a password is needed: --password-file, --password-stdin, --generate-password or \
             CLAVIGER_ACCOUNT_PASSWORD",
        )
    })?;
    let client = Client::from_args(&args.account.client, env)?;
    let mut body = json!({
        "name": args.account.name,
        "password": password.secret.expose(),
        "privilege": args.privilege.as_str(),
    });
    if let Some(description) = &args.description {
        body["description"] = json!(description);
    }
    if let Some(end) = args.expires_at {
        body["expires_at"] = end_of(end)?;
    }
    let call = Call::new("POST", base(&args.account.instance)).with_body(body);
    let answer = client.call(call)?;
    let done = Done {
        client: &client,
        account: &args.account,
        wait,
        verb: "created",
    };
    done.tell(&answer, Some(&password))
}

fn modify(args: &AccountModifyArgs, env: &dyn Env) -> Result<(), Failure> {
    let wait = patience(&args.wait)?;
    let mut body = json!({});
    if let Some(privilege) = args.privilege {
        body["privilege"] = json!(privilege.as_str());
    }
    if let Some(description) = &args.description {
        body["description"] = json!(description);
    }
    if let Some(end) = args.expires_at {
        body["expires_at"] = end_of(end)?;
    }
    if let Some(free) = args.password_free {
        body["password_free"] = json!(free.is_on());
    }
    let password = secret_input::new_password(&args.password, env)?;
    if let Some(password) = &password {
        body["password"] = json!(password.secret.expose());
    }
    if body.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Failure::usage(
            "nothing to change: give --privilege, --description, --expires-at, --password-free or \
             a new password",
        ));
    }
    let client = Client::from_args(&args.account.client, env)?;
    let answer = client.call(Call::new("PATCH", path(&args.account)).with_body(body))?;
    let done = Done {
        client: &client,
        account: &args.account,
        wait,
        verb: "changed",
    };
    done.tell(&answer, password.as_ref())
}

fn switch(args: &AccountSwitchArgs, enabled: bool, env: &dyn Env) -> Result<(), Failure> {
    let wait = patience(&args.wait)?;
    let client = Client::from_args(&args.account.client, env)?;
    let body = json!({ "enabled": enabled });
    let answer = client.call(Call::new("PATCH", path(&args.account)).with_body(body))?;
    let done = Done {
        client: &client,
        account: &args.account,
        wait,
        verb: if enabled { "enabled" } else { "disabled" },
    };
    done.tell(&answer, None)
}

fn delete(args: &AccountDeleteArgs, env: &dyn Env) -> Result<(), Failure> {
    let wait = patience(&args.wait)?;
    let client = Client::from_args(&args.account.client, env)?;
    let answer = client.call(Call::new("DELETE", path(&args.account)))?;
    let done = Done {
        client: &client,
        account: &args.account,
        wait,
        verb: "deleted",
    };
    done.tell(&answer, None)
}

/// What is said of an accepted change.
struct Done<'a> {
    client: &'a Client,
    account: &'a AccountArgs,
    /// How long to wait for the nodes, if at all.
    wait: Option<Duration>,
    verb: &'a str,
}

impl Done<'_> {
    /// Prints the change, and a password that was made here, before any waiting: it cannot be
    /// asked for again.
    fn tell(&self, answer: &Answer, password: Option<&NewPassword>) -> Result<(), Failure> {
        let out = Out::new(self.account.client.json);
        let made = password.filter(|password| password.generated);
        let task = text(&answer.value, "/task");
        if out.is_json() {
            let mut value = answer.value.clone();
            match made {
                Some(made) => {
                    value["password"] = json!(made.secret.expose());
                    out.json(&value.to_string())?;
                }
                None => out.json(&answer.text)?,
            }
        } else {
            let name = crate::output::printable(&self.account.name);
            out.line(&format!(
                "account {name} of {} is {}; task {task} follows the nodes",
                self.account.instance, self.verb
            ))?;
            if let Some(made) = made {
                out.line(&format!("password  {}", made.secret.expose()))?;
                out.line("The password is shown this once.")?;
            }
        }
        if let Some(timeout) = self.wait {
            wait(self.client, &task, timeout)?;
            if !out.is_json() {
                out.line("every node has confirmed it")?;
            }
        }
        Ok(())
    }
}
