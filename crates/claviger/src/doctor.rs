//! `claviger doctor`: finds what is misconfigured. It repairs nothing; a store that no service has
//! open is opened as `serve` does it.

use crate::cli::{ClientArgs, DoctorArgs};
use crate::client::{Call, Client};
use crate::config::{Config, MasterKey};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::{master_key, private_file, wire_up};
use serde::Serialize;

mod clock;
mod nodes;
mod store;

/// How a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Weight {
    /// As it should be.
    Ok,
    /// Works, and could hurt later.
    Warn,
    /// Does not work.
    Fail,
}

/// One finding, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    result: Weight,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            result: Weight::Ok,
            message: message.into(),
            remedy: None,
        }
    }

    fn warn(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            result: Weight::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(check, message)
        }
    }

    fn fail(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            result: Weight::Fail,
            remedy: Some(remedy.into()),
            ..Self::ok(check, message)
        }
    }
}

/// Does it.
///
/// # Errors
/// Some finding is a failure.
pub(crate) fn run(args: &DoctorArgs, env: &dyn Env) -> Result<(), Failure> {
    let mut findings = Vec::new();
    match Config::load(&args.serve, env) {
        Ok(config) => {
            findings.push(Finding::ok("settings", "read and consistent"));
            findings.push(master_key_file(&config));
            findings.extend(store::look(&config));
            findings.push(descriptors(&config));
            findings.extend(tls(&config));
            findings.extend(service(args, &config, env));
        }
        Err(error) => findings.push(Finding::fail(
            "settings",
            error.to_string(),
            "correct the flag, the variable or the line of the file that is named",
        )),
    }
    let out = Out::new(args.json);
    if out.is_json() {
        let text = serde_json::to_string(&findings).unwrap_or_default();
        out.json(&text)?;
    } else {
        print(&findings, out)?;
    }
    let failed = findings
        .iter()
        .any(|finding| finding.result == Weight::Fail);
    if failed { Err(Failure::said()) } else { Ok(()) }
}

fn print(findings: &[Finding], out: Out) -> Result<(), Failure> {
    for finding in findings {
        let word = match finding.result {
            Weight::Ok => "ok",
            Weight::Warn => "warn",
            Weight::Fail => "fail",
        };
        let message = crate::output::printable(&finding.message);
        out.line(&format!("{word:4}  {:10}  {message}", finding.check))?;
        if let Some(remedy) = &finding.remedy {
            out.line(&format!("{:4}  {:10}  -> {remedy}", "", ""))?;
        }
    }
    Ok(())
}

fn master_key_file(config: &Config) -> Finding {
    const CHECK: &str = "master key";
    let path = match &config.master_key {
        MasterKey::Given(text) => {
            return match master_key::decode(text, "CLAVIGER_MASTER_KEY") {
                Ok(_) => Finding::ok(CHECK, "given by CLAVIGER_MASTER_KEY"),
                Err(error) => {
                    Finding::fail(CHECK, error.to_string(), "give the base64 of 32 bytes")
                }
            };
        }
        MasterKey::File(path) => path,
    };
    let shown = path.display();
    if !path.exists() {
        return if master_key::is_there(&config.store) {
            Finding::fail(
                CHECK,
                format!("{shown} is missing, and the store cannot be read without it"),
                "put the key back from where you keep a copy",
            )
        } else {
            Finding::ok(CHECK, format!("{shown} will be made at the first start"))
        };
    }
    match (master_key::read(path), private_file::open_to_others(path)) {
        (Err(error), _) => Finding::fail(
            CHECK,
            error.to_string(),
            "put the right key there: the base64 of 32 bytes",
        ),
        (Ok(_), Ok(0)) => Finding::ok(CHECK, format!("{shown} holds a key and is private")),
        (Ok(_), _) => Finding::warn(
            CHECK,
            format!("{shown} is open to other users"),
            format!("chmod 600 {shown}"),
        ),
    }
}

fn descriptors(config: &Config) -> Finding {
    const CHECK: &str = "open files";
    match wire_up::descriptors_max() {
        Some(limit) if limit < config.connections_max => Finding::warn(
            CHECK,
            format!(
                "the limit of {limit} allows fewer connections than the {} asked for",
                config.connections_max
            ),
            "raise it: ulimit -n, or LimitNOFILE= in the unit",
        ),
        Some(limit) => Finding::ok(CHECK, format!("the limit is {limit}")),
        None => Finding::ok(CHECK, "the limit is not told by this system"),
    }
}

fn tls(config: &Config) -> Option<Finding> {
    const CHECK: &str = "tls";
    let files = config.tls.as_ref()?;
    let loaded =
        claviger_server::tls::Tls::load(&files.cert, &files.key, files.client_ca.as_deref());
    Some(match loaded {
        Ok(_) => Finding::ok(CHECK, format!("{} and its key fit", files.cert.display())),
        Err(error) => Finding::fail(
            CHECK,
            format!("{:#}", anyhow::Error::new(error)),
            "give a PEM certificate chain and its private key",
        ),
    })
}

/// The port is free, or claviger answers there; then its clock and its nodes can be asked for.
fn service(args: &DoctorArgs, config: &Config, env: &dyn Env) -> Vec<Finding> {
    const CHECK: &str = "listener";
    let endpoint = match (&args.endpoint, env.get("CLAVIGER_ENDPOINT")) {
        (Some(endpoint), _) => Some(endpoint.clone()),
        (None, given) => given.ok().flatten(),
    };
    if endpoint.is_none() && config.listen.port() != 0 {
        match std::net::TcpListener::bind(config.listen) {
            Ok(_) => {
                return vec![
                    Finding::ok(
                        CHECK,
                        format!("{} is free: nothing is running there", config.listen),
                    ),
                    Finding::warn(
                        "nodes",
                        "not looked at, since the service is not running",
                        "start it, then run this again",
                    ),
                ];
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => {
                return vec![Finding::fail(
                    CHECK,
                    format!("cannot listen on {}: {error}", config.listen),
                    "give an address of this machine and a port above 1023",
                )];
            }
        }
    }
    let client = ClientArgs {
        json: false,
        endpoint: endpoint.or_else(|| Some(config.endpoint())),
        endpoint_ca: args.endpoint_ca.clone(),
    };
    let client = match Client::from_args(&client, env) {
        Ok(client) => client,
        Err(error) => {
            return vec![Finding::warn(
                CHECK,
                format!(
                    "something listens on {}; it was not asked: {error}",
                    config.listen
                ),
                "set the key pair, then run this again",
            )];
        }
    };
    match client.call(Call::new("GET", "/info")) {
        Ok(_) => {
            let mut findings = vec![Finding::ok(CHECK, format!("{} answers", client.base()))];
            findings.extend(nodes::clock(&client));
            findings.extend(nodes::look(&client));
            findings
        }
        Err(error) => vec![Finding::fail(
            CHECK,
            error.to_string(),
            "see that the endpoint, the key pair and both machines' clocks are right",
        )],
    }
}
