//! The command line as types, third part: keys, policies, the audit trail, the master key.

use crate::cli::ClientArgs;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What the holder of a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Everything
    Admin,
    /// Sees instances; sees and changes accounts
    Operator,
    /// Sees instances, accounts, keys, policies and the audit trail
    Auditor,
    /// Nothing but what policies permit
    None,
}

impl RoleArg {
    /// The word on the native API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            RoleArg::Admin => "admin",
            RoleArg::Operator => "operator",
            RoleArg::Auditor => "auditor",
            RoleArg::None => "none",
        }
    }
}

/// `claviger key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair; the secret is shown once
    Create(Box<KeyCreateArgs>),
    /// List keys, without secrets
    List(ClientArgs),
    /// Give one another secret, shown once; the one before is good for a while yet
    Rotate(KeyRotateArgs),
    /// Make temporary credentials of a key; they are shown once
    Session(KeySessionArgs),
    /// Revoke one, at once
    Revoke(KeyArgs),
}

/// `claviger key create`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyCreateArgs {
    /// What its holder may do, before any policy
    #[arg(long, value_enum)]
    pub(crate) role: RoleArg,
    /// Only on this instance; repeat for more
    #[arg(long = "instance", value_name = "ID")]
    pub(crate) instances: Vec<String>,
    /// A tag for policies to go by; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
    /// From when on it is refused: a time such as 2027-01-31T00:00:00Z, or a duration such as 90d
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// A note
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// One key.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    /// The access key
    #[arg(value_name = "ACCESS_KEY")]
    pub(crate) id: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger key rotate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// How long the secret before is good yet; 0s ends it at once
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub(crate) overlap: String,
}

/// `claviger key session`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeySessionArgs {
    /// Of this key [default: the one that signs]
    #[arg(long, value_name = "ACCESS_KEY")]
    pub(crate) key: Option<String>,
    /// How long they are good: 1m to 12h
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub(crate) duration: String,
    /// File with a policy that says what they may do of what the key may, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Add a policy, or replace the one of its name
    Add(PolicyAddArgs),
    /// List policies
    List(ClientArgs),
    /// Show one
    Show(PolicyArgs),
    /// Tell whether a key would be permitted to do something, and why
    Test(Box<PolicyTestArgs>),
    /// Remove one
    Remove(PolicyArgs),
    /// Print the schema that policies are checked against
    Schema,
}

/// One policy.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The policy's name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger policy add`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyAddArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// File with its statements in Cedar, or - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `claviger policy test`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// The key that would ask
    #[arg(long, value_name = "ACCESS_KEY")]
    pub(crate) key: String,
    /// What it would ask for, such as account:create
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: String,
    /// On this instance; on the service as a whole when absent
    #[arg(long, value_name = "ID")]
    pub(crate) instance: Option<String>,
    /// On this account of it
    #[arg(long, value_name = "NAME", requires = "instance")]
    pub(crate) account: Option<String>,
    /// The privilege that the account is to get
    #[arg(long, value_name = "PRIVILEGE", requires = "account")]
    pub(crate) privilege: Option<String>,
    /// The address that it would ask from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<String>,
    /// It would ask over TLS
    #[arg(long)]
    pub(crate) tls: bool,
    /// File with the policy of temporary credentials that it would ask with
    #[arg(long, value_name = "FILE")]
    pub(crate) session: Option<PathBuf>,
    /// As if this policy were added; repeat for more
    #[arg(long = "with", value_name = "NAME=FILE")]
    pub(crate) with: Vec<String>,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger audit`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditArgs {
    /// What; `list` when absent.
    #[command(subcommand)]
    pub(crate) command: Option<AuditCommand>,
    /// Which rows.
    #[command(flatten)]
    pub(crate) list: AuditListArgs,
}

/// What to do with the audit trail.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show who did what, newest first
    List(Box<AuditListArgs>),
    /// Print rows as JSON Lines, oldest first
    Export(Box<AuditExportArgs>),
    /// Tell whether rows were changed, taken out or put in
    Verify(ClientArgs),
}

/// Which rows.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AuditFilterArgs {
    /// Of this instance
    #[arg(long, value_name = "ID")]
    pub(crate) instance: Option<String>,
    /// Of this account
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// By this key
    #[arg(long, value_name = "ACCESS_KEY")]
    pub(crate) key: Option<String>,
    /// With this outcome, such as ok or NotPermitted
    #[arg(long)]
    pub(crate) outcome: Option<String>,
    /// Of this operation, such as account.create or CreateAccount
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// At this time or later: 2026-01-31T08:00:00Z, or how long ago, such as 24h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time, given alike
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// `claviger audit list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditListArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) filter: AuditFilterArgs,
    /// How many rows at most
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger audit export`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditExportArgs {
    /// Which.
    #[command(flatten)]
    pub(crate) filter: AuditFilterArgs,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// `claviger master-key`.
#[derive(Debug, Subcommand)]
pub(crate) enum MasterKeyCommand {
    /// Show which master keys there are, and what is not sealed again yet
    Show(ClientArgs),
    /// Make another master key; what is sealed is sealed again in the background
    Rotate(ClientArgs),
}
