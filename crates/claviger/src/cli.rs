//! The command line as types. Every name here is a promise to users: it may grow, not change.

pub(crate) use crate::cli_access::{
    AuditArgs, AuditCommand, AuditExportArgs, AuditFilterArgs, AuditListArgs, KeyCommand,
    KeyCreateArgs, KeyRotateArgs, KeySessionArgs, MasterKeyCommand, PolicyAddArgs, PolicyCommand,
    PolicyTestArgs,
};
pub(crate) use crate::cli_store::{BackupArgs, CopyArgs, StoreCommand};

pub(crate) use crate::cli_more::{
    AccountArgs, AccountCommand, AccountCreateArgs, AccountDeleteArgs, AccountListArgs,
    AccountModifyArgs, AccountSwitchArgs, CallArgs, CloudArg, DoctorArgs, PasswordArgs, StatusArgs,
    TaskCommand, TaskWaitArgs, WaitArgs,
};
pub(crate) use crate::cli_set::{
    AdministratorArg, DriftArg, End, InstanceAdoptArgs, InstanceSetArgs, PlanArgs, RoleProfileArg,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// An open, self-hosted account service for Redis and Valkey that speaks the clouds' own APIs.
#[derive(Debug, Parser)]
#[command(name = "claviger", version)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: a store, a Redis or Valkey server, an instance, a key pair
    Dev(Box<DevArgs>),
    /// Run the service
    Serve(Box<ServeArgs>),
    /// Register and look after instances
    #[command(subcommand)]
    Instance(InstanceCommand),
    /// Manage the accounts of an instance
    #[command(subcommand)]
    Account(AccountCommand),
    /// Show what is in sync on the nodes, what is pending, what drifted and why
    Status(StatusArgs),
    /// Show what would be changed on each node of an instance now, and why, without changing it
    Plan(PlanArgs),
    /// Manage the access keys of API callers
    #[command(subcommand)]
    Key(KeyCommand),
    /// Follow asynchronous work
    #[command(subcommand)]
    Task(TaskCommand),
    /// Sign and send one call of a cloud's account API
    Call(CallArgs),
    /// Say who may do what: policies of one's own
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show who did what, newest first; export and verify it
    Audit(Box<AuditArgs>),
    /// See and change the master key
    #[command(subcommand)]
    MasterKey(MasterKeyCommand),
    /// Move a store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Write all of the store into a new, encrypted file; services may run meanwhile
    Backup(Box<BackupArgs>),
    /// Read a backup into an empty store
    Restore(Box<BackupArgs>),
    /// Bring the store's schema up to this version, as `serve` does at its start
    Migrate(Box<ServeArgs>),
    /// Find what is misconfigured: store, master key file, clock, ports, nodes
    Doctor(Box<DoctorArgs>),
    /// Show the running service's version, project id and dialects
    Info(ClientArgs),
    /// Print the version
    Version(OutputArgs),
    /// Print the completion script of a shell
    Completions {
        /// For this shell.
        shell: clap_complete::Shell,
    },
}

/// How to print.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to reach a running service. The key pair is read from the environment, never from flags.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ClientArgs {
    /// Print JSON
    #[arg(long, help_heading = "Options")]
    pub(crate) json: bool,
    /// The service's address [env: CLAVIGER_ENDPOINT] [default: http://127.0.0.1:8379]
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

/// Settings of the service. Each may also come from the environment or the file.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// TOML file whose keys are the names of these flags [env: CLAVIGER_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the store and the master key live [env: CLAVIGER_DATA_DIR] [default: ./claviger-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address to serve on [env: CLAVIGER_LISTEN] [default: 127.0.0.1:8379]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// `sqlite` (in the data directory), `sqlite:PATH`, or `postgres://...` for several services [env: CLAVIGER_STORE]
    #[arg(long, value_name = "STORE")]
    pub(crate) store: Option<String>,
    /// PEM file of the certificate chain for https [env: CLAVIGER_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file of its private key [env: CLAVIGER_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// PEM file of authorities: clients must show a certificate of one [env: CLAVIGER_TLS_CLIENT_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// Allow plain HTTP on an address that other machines reach [env: CLAVIGER_INSECURE_HTTP]
    #[arg(long)]
    pub(crate) insecure_http: bool,
    /// File with the base64 of the 32-byte master key [env: CLAVIGER_MASTER_KEY holds the key itself]
    ///
    /// Made at the first start, mode 0600, in the data directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// 32 hex digits [env: CLAVIGER_PROJECT_ID] [default: made at the first start]
    #[arg(long, value_name = "HEX")]
    pub(crate) project_id: Option<String>,
    /// Time between two full checks of a node [env: CLAVIGER_SWEEP_INTERVAL] [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(crate) sweep_interval: Option<String>,
    /// Calls per second that one access key may make, 0 for no bound [env: CLAVIGER_RATE_LIMIT] [default: 100]
    #[arg(long, value_name = "CALLS")]
    pub(crate) rate_limit: Option<String>,
    /// Connections served at once [env: CLAVIGER_MAX_CONNECTIONS] [default: 4096]
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_connections: Option<String>,
    /// Calls per second that one access key may make of one action, 0 for no bound [env: CLAVIGER_ACTION_RATE_LIMIT] [default: what each cloud documents]
    #[arg(long, value_name = "CALLS")]
    pub(crate) action_rate_limit: Option<String>,
    /// Calls per second from one address other than loopback, 0 for no bound [env: CLAVIGER_SOURCE_RATE_LIMIT] [default: 0]
    #[arg(long, value_name = "CALLS")]
    pub(crate) source_rate_limit: Option<String>,
    /// Bad signatures a minute from one address other than loopback, which shut it out for a minute, 0 for no bound [env: CLAVIGER_BAD_SIGNATURE_LIMIT] [default: 100]
    #[arg(long, value_name = "COUNT")]
    pub(crate) bad_signature_limit: Option<String>,
    /// Connections served at once from one address other than loopback [env: CLAVIGER_MAX_SOURCE_CONNECTIONS] [default: 1024]
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_source_connections: Option<String>,
    /// File that every row of the audit trail is also appended to, as JSON Lines [env: CLAVIGER_AUDIT_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_file: Option<PathBuf>,
    /// Syslog that they are also sent to: udp:HOST:PORT, or unix:PATH such as unix:/dev/log [env: CLAVIGER_AUDIT_SYSLOG]
    #[arg(long, value_name = "TARGET")]
    pub(crate) audit_syslog: Option<String>,
    /// `text` or `json` [env: CLAVIGER_LOG_FORMAT] [default: text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
    /// error, warn, info, debug or trace [env: CLAVIGER_LOG_LEVEL] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
}

/// `claviger dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Settings of the service. Without --data-dir everything lives in a temporary directory.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Identity of the instance that is registered
    #[arg(long, value_name = "ID", default_value = "r-dev")]
    pub(crate) instance: String,
    /// Start a second server as a replica of the first
    #[arg(long)]
    pub(crate) with_replica: bool,
    /// The server program [default: redis-server, else valkey-server, from PATH]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
    /// Print what to paste as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `claviger instance`.
#[derive(Debug, Subcommand)]
pub(crate) enum InstanceCommand {
    /// Register an instance, checking its nodes first
    Add(Box<InstanceAddArgs>),
    /// List instances
    List(ClientArgs),
    /// Show one
    Show(InstanceArgs),
    /// Forget one; its nodes keep their users
    Remove(InstanceArgs),
    /// Check again that every node answers and may be driven
    Check(InstanceArgs),
    /// Change its settings
    Set(Box<InstanceSetArgs>),
    /// Make accounts of users that are on the nodes already, without changing them there
    Adopt(InstanceAdoptArgs),
    /// Print the least login that claviger needs on a node, per engine version
    LoginRules(OutputArgs),
}

/// One instance.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstanceArgs {
    /// The instance's identity
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// How the nodes belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopologyArg {
    /// Ask the servers
    Auto,
    /// One primary
    Standalone,
    /// One primary and its replicas
    Replicated,
    /// Watched by Sentinels
    Sentinel,
    /// A Redis or Valkey Cluster
    Cluster,
}

impl TopologyArg {
    /// The word on the native API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TopologyArg::Auto => "auto",
            TopologyArg::Standalone => "standalone",
            TopologyArg::Replicated => "replicated",
            TopologyArg::Sentinel => "sentinel",
            TopologyArg::Cluster => "cluster",
        }
    }
}

/// `claviger instance add`.
#[derive(Clone, Debug, Args)]
pub(crate) struct InstanceAddArgs {
    /// The identity that API callers use, such as r-bp1zxszhcgatnx01
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Nodes as URLs.
    #[arg(
        long = "node",
        value_name = "URL",
        required = true,
        help = "A node or a Sentinel: redis://[user[:password]@]host:port, or rediss:// for TLS; \
                repeat for more"
    )]
    pub(crate) nodes: Vec<String>,
    /// How the nodes belong together
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) topology: TopologyArg,
    /// Sentinel's name of the primary
    #[arg(long, value_name = "NAME")]
    pub(crate) master_name: Option<String>,
    /// The user on the Sentinels, if they want another login than the nodes
    #[arg(long, value_name = "USER")]
    pub(crate) sentinel_user: Option<String>,
    /// File whose first line is the password on the Sentinels [env: CLAVIGER_SENTINEL_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(crate) sentinel_password_file: Option<PathBuf>,
    /// A node that announces another address is reached here: host:port=host:port, or host=host
    /// for all its ports; repeat for more
    #[arg(long, value_name = "ANNOUNCED=REACHABLE")]
    pub(crate) map: Vec<String>,
    /// Region word, such as cn-hangzhou
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// A name for people [default: the identity]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// File whose first line is the password of claviger's login on the nodes, or - for standard
    /// input [env: CLAVIGER_NODE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// PEM file of the authorities to trust for the nodes, readable by the service
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// PEM file of the client certificate for the nodes
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// A tag for policies to go by; repeat for more
    #[arg(long = "tag", value_name = "NAME=VALUE")]
    pub(crate) tags: Vec<String>,
    /// Register it even if the check finds problems
    #[arg(long)]
    pub(crate) force: bool,
    /// Connection.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}
