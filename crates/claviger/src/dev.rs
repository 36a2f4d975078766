//! `claviger dev`: everything on this machine in one command, gone again with Ctrl-C.

use crate::cli::{DevArgs, ServeArgs};
use crate::client::{Call, Client, segment};
use crate::config::Config;
use crate::credentials::{self, Credentials, DevFile};
use crate::entropy::{self, SystemEntropy};
use crate::env::Env;
use crate::failure::Failure;
use crate::output::Out;
use crate::wire_up::{self, House};
use crate::{life, observe, private_file, serve};
use claviger_core::ids::InstanceId;
use claviger_core::secret::Secret;
use serde_json::json;
use std::path::{Path, PathBuf};

mod layout;
mod paste;
mod server;

use layout::Layout;
use server::Server;

/// Length of the password of the servers' default user.
const PASSWORD_LEN: usize = 32;

/// What a user needs to know to call it.
struct Facts {
    endpoint: String,
    access_key: String,
    secret_key: Secret,
    instance: String,
    /// The installation's project.
    project: String,
    /// `redis 7.0.15`.
    server: String,
    ports: Vec<u16>,
    password: Secret,
    data_dir: PathBuf,
    temporary: bool,
}

/// Does it.
///
/// # Errors
/// One line: what is in the way.
pub(crate) fn run(args: DevArgs, env: &dyn Env) -> Result<(), Failure> {
    let program = server::find(args.server.as_deref(), env)?;
    let (config, temporary) = settings(&args.serve, env)?;
    observe::start(&config)?;
    let dev_file = credentials::dev_file_path(env)?;
    let out = Out::new(args.json);
    serve::in_runtime(async move {
        let stop = life::begin()?;
        let house = wire_up::start(&config, &stop).await?;
        let (facts, servers) = prepare(&args, &config, &program, &house, temporary.is_some())
            .await
            .inspect_err(|_| stop.cancel())?;
        let written = dev_file.map(|path| DevCredentials::write(path, &facts));
        let written = written.transpose()?;
        let text = if out.is_json() {
            facts.json()
        } else {
            facts.text()
        };
        // A reader that went away is no reason to end.
        let _ = out.line(&text);
        let ended = tokio::select! {
            ended = house.end() => ended,
            gone = server::first_end(&servers) => {
                stop.cancel();
                Err(gone)
            }
        };
        for server in servers {
            server.stop().await;
        }
        drop(written);
        drop(temporary);
        ended
    })
}

/// A directory of this run alone; removed when it is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn make() -> Result<Self, Failure> {
        let name = format!("claviger-dev-{}", entropy::hex(&SystemEntropy, 8));
        let path = std::env::temp_dir().join(name);
        private_file::make_directory(&path).map_err(|error| {
            Failure::refused(format!("cannot make {}: {error}", path.display()))
        })?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(directory = %self.0.display(), %error, "left behind");
        }
    }
}

/// Without a data directory, a temporary one.
fn settings(args: &ServeArgs, env: &dyn Env) -> Result<(Config, Option<Temporary>), Failure> {
    let config = Config::load(args, env)?;
    if config.data_dir_given {
        return Ok((config, None));
    }
    let temporary = Temporary::make()?;
    let args = ServeArgs {
        data_dir: Some(temporary.0.clone()),
        ..args.clone()
    };
    Ok((Config::load(&args, env)?, Some(temporary)))
}

/// Starts the servers and registers the instance, unless it is registered from an earlier run in
/// the same data directory.
async fn prepare(
    args: &DevArgs,
    config: &Config,
    program: &server::Program,
    house: &House,
    temporary: bool,
) -> Result<(Facts, Vec<Server>), Failure> {
    let id = InstanceId::from(args.instance.as_str());
    let held = house.store.held(&id).await;
    let held = held.map_err(|e| Failure::refused(format!("the store cannot be used: {e}")))?;
    let known = held.and_then(|held| held.instance.login.password);
    let registered = known.is_some();
    let password = known.unwrap_or_else(|| entropy::password(&SystemEntropy, PASSWORD_LEN));
    let count = if args.with_replica { 2 } else { 1 };
    let layout = Layout::of(&config.data_dir, &args.instance, count, registered)?;
    let mut servers = Vec::new();
    for node in 0..layout.ports.len() {
        servers.push(Server::start(program, &layout, node, &password).await?);
    }
    if !registered {
        register(house, &args.instance, &layout, &password).await?;
    }
    let project = house.store.setting(wire_up::PROJECT_ID).await;
    let project =
        project.map_err(|e| Failure::refused(format!("the store cannot be used: {e}")))?;
    let facts = Facts {
        endpoint: house.endpoint.clone(),
        access_key: house.root.key.id.to_string(),
        secret_key: house.root.key.secret.clone(),
        instance: args.instance.clone(),
        project: project.unwrap_or_default(),
        server: program.title(),
        ports: layout.ports,
        password,
        data_dir: std::path::absolute(&config.data_dir).unwrap_or(config.data_dir.clone()),
        temporary,
    };
    Ok((facts, servers))
}

/// Registers the instance through the API, as a user would, with the same checks.
async fn register(
    house: &House,
    instance: &str,
    layout: &Layout,
    password: &Secret,
) -> Result<(), Failure> {
    let credentials = Credentials {
        endpoint: house.endpoint.clone(),
        key: house.root.key.id.clone(),
        secret: house.root.key.secret.clone(),
        token: None,
    };
    let nodes = layout
        .ports
        .iter()
        .map(|port| format!("redis://127.0.0.1:{port}"));
    let body = json!({
        "id": instance,
        "nodes": nodes.collect::<Vec<_>>(),
        "password": password.expose(),
    });
    let ca = house.certificate.clone();
    let instance = instance.to_owned();
    let work = move || {
        let client = Client::new(credentials, ca.as_deref(), &crate::env::ProcessEnv)?;
        client.call(Call::new("POST", "/instances").with_body(body))?;
        client.get(format!("/instances/{}", segment(&instance)))?;
        Ok(())
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Failure::refused(format!("registering failed: {error}"))),
    }
}

/// The file with which this user's client commands find the service; removed in the end.
struct DevCredentials {
    path: PathBuf,
    access_key: String,
}

impl DevCredentials {
    fn write(path: PathBuf, facts: &Facts) -> Result<Self, Failure> {
        let content = json!(DevFile {
            endpoint: facts.endpoint.clone(),
            access_key: facts.access_key.clone(),
            secret_key: facts.secret_key.expose().to_owned(),
        });
        let made = match path.parent() {
            Some(parent) => private_file::make_directory(parent),
            None => Ok(()),
        };
        made.and_then(|()| private_file::replace(&path, content.to_string().as_bytes()))
            .map_err(|error| {
                Failure::refused(format!("cannot write {}: {error}", path.display()))
            })?;
        Ok(Self {
            path,
            access_key: facts.access_key.clone(),
        })
    }
}

impl Drop for DevCredentials {
    /// Unless another `claviger dev` has written its own meanwhile.
    fn drop(&mut self) {
        let ours = |path: &Path| {
            let content: DevFile = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
            (content.access_key == self.access_key).then_some(())
        };
        if ours(&self.path).is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(file = %self.path.display(), %error, "left behind");
        }
    }
}
