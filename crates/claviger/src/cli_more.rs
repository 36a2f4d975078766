//! The command line as types, second part: accounts, tasks, calls, checks.

use crate::cli::{ClientArgs, ServeArgs};
use crate::cli_set::{End, Switch, end, privilege};
use clap::{Args, Subcommand, ValueEnum};
use claviger_core::privilege::Privilege;
use std::path::PathBuf;

/// `claviger account`.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// List the accounts of an instance
    List(AccountListArgs),
    /// Show one
    Show(AccountArgs),
    /// Make one
    Create(Box<AccountCreateArgs>),
    /// Change one
    Modify(Box<AccountModifyArgs>),
    /// Let one log in no more, without ending it
    Disable(AccountSwitchArgs),
    /// Let one log in again
    Enable(AccountSwitchArgs),
    /// End one
    Delete(AccountDeleteArgs),
}

/// `claviger account list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountListArgs {
    /// The instance's identity
    #[arg(value_name = "INSTANCE")]
    pub(crate) instance: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// One account.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountArgs {
    /// The instance's identity
    #[arg(value_name = "INSTANCE")]
    pub(crate) instance: String,
    /// The account's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Where a new password comes from. There is no flag for the password itself: it would show in
/// the process list and in the shell's history.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Password")]
pub(crate) struct PasswordArgs {
    /// File whose first line is the password [env: CLAVIGER_ACCOUNT_PASSWORD holds the password]
    #[arg(long, value_name = "FILE", group = "password_source")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from standard input, first line
    #[arg(long, group = "password_source")]
    pub(crate) password_stdin: bool,
    /// Make a password and print it once
    #[arg(long, group = "password_source")]
    pub(crate) generate_password: bool,
}

/// Whether to wait for the nodes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WaitArgs {
    /// Return when every node has confirmed the change, at the latest after --timeout
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: String,
}

/// `claviger account create`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountCreateArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// What it may do: read-only, read-write, write-only, replication, administrator,
    /// not-dangerous, or a role of the instance's own
    #[arg(long, value_parser = privilege, default_value = "read-write")]
    pub(crate) privilege: Privilege,
    /// When it is to be disabled: a moment such as 2030-01-31T12:00:00Z, +DURATION, or never
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) expires_at: Option<End>,
    /// Free text
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Its password.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// Waiting.
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// `claviger account modify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountModifyArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// What it may do: read-only, read-write, write-only, replication, administrator,
    /// not-dangerous, or a role of the instance's own
    #[arg(long, value_parser = privilege)]
    pub(crate) privilege: Option<Privilege>,
    /// When it is to be disabled: a moment such as 2030-01-31T12:00:00Z, +DURATION, or never
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) expires_at: Option<End>,
    /// Connections need no password, or one again; only of the account named default
    #[arg(long, value_enum)]
    pub(crate) password_free: Option<Switch>,
    /// Free text; an empty text clears it
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Its password.
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    /// Waiting.
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// `claviger account disable` and `claviger account enable`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountSwitchArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Waiting.
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// `claviger account delete`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AccountDeleteArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    /// Waiting.
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// `claviger status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    /// The instance's identity; all of them when absent
    #[arg(value_name = "INSTANCE")]
    pub(crate) instance: Option<String>,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger task`.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List tasks, newest first
    List(TaskListArgs),
    /// Show one
    Show(TaskArgs),
    /// Wait until one is done
    Wait(TaskWaitArgs),
}

/// `claviger task list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TaskListArgs {
    /// Of this instance only
    #[arg(long, value_name = "ID")]
    pub(crate) instance: Option<String>,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// One task.
#[derive(Clone, Debug, Args)]
pub(crate) struct TaskArgs {
    /// The task's number
    #[arg(value_name = "TASK")]
    pub(crate) id: i64,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger task wait`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TaskWaitArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) task: TaskArgs,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: String,
}

/// A cloud whose API is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CloudArg {
    /// Alibaba Cloud R-kvstore 2015-01-01
    Aliyun,
    /// Tencent Cloud (not in this version)
    Tencent,
    /// Volcengine and BytePlus, redis 2020-12-07
    Volcengine,
    /// Huawei Cloud DCS v2
    Huawei,
}

/// `claviger call`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CallArgs {
    /// The cloud
    #[arg(value_enum)]
    pub(crate) cloud: CloudArg,
    /// The API's action, such as DescribeAccounts or ListAclAccounts
    pub(crate) action: String,
    /// Its parameters; Name=@FILE reads the value from a file, Name=@- from standard input, so
    /// that a password stays out of the process list
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Print the signed request as a curl command instead of sending it
    #[arg(long)]
    pub(crate) curl: bool,
    /// Where to send it; may be the real cloud [env: CLAVIGER_ENDPOINT] [default: http://127.0.0.1:8379]
    ///
    /// The key pair is read from CLAVIGER_ACCESS_KEY and CLAVIGER_SECRET_KEY, else from
    /// CLAVIGER_ROOT_ACCESS_KEY and CLAVIGER_ROOT_SECRET_KEY, else from what `claviger dev`
    /// wrote for this user.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// PEM file of the authorities to trust for https [env: CLAVIGER_CA] [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) endpoint_ca: Option<PathBuf>,
}

/// `claviger doctor`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The settings that `serve` would be given.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The running service's address [env: CLAVIGER_ENDPOINT] [default: where it listens]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// PEM file of the authorities to trust for https [env: CLAVIGER_CA] [default: the system's]
    #[arg(long, value_name = "FILE")]
    pub(crate) endpoint_ca: Option<PathBuf>,
}
