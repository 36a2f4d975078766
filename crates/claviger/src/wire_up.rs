//! The only place where the parts meet.

use crate::audit_stream::Stream;
use crate::clock::SystemClock;
use crate::config::{Config, endpoint_of};
use crate::entropy::SystemEntropy;
use crate::failure::Failure;
use crate::figures;
use crate::root_key::{self, Root};
use crate::store;
use crate::vault::{self, KeyFile};
use claviger_core::ports::{Clock, Entropy, Op, Store, StoreError};
use claviger_fleet::{Fleet, FleetConfig};
use claviger_server::listen::{self, Drained, Limits};
use claviger_server::tls::Tls;
use claviger_server::{Parts as ServerParts, Server};
use claviger_service::{Parts as ServiceParts, Service, Settings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often what is past its time is forgotten.
const PURGE_INTERVAL: Duration = Duration::from_secs(3600);
/// How often accounts are looked for whose end has come.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);
/// How often refusals and last uses of keys are written.
const COUNTS_INTERVAL: Duration = Duration::from_secs(2);
/// How long nodes may still be driven once the listener has ended.
const FLEET_STOP: Duration = Duration::from_secs(5);
/// File descriptors that are not for the listener: store, nodes, logs.
const DESCRIPTORS_KEPT: usize = 256;
/// The name under which the store keeps the project id; the service makes it if it is not set.
pub(crate) const PROJECT_ID: &str = "project_id";

/// A running service.
pub(crate) struct House {
    /// Where a client on this machine reaches it.
    pub(crate) endpoint: String,
    /// The root key pair.
    pub(crate) root: Root,
    /// Durable state.
    pub(crate) store: Arc<dyn Store>,
    /// File of the listener's certificate, if it has one.
    pub(crate) certificate: Option<PathBuf>,
    fleet: Arc<Fleet>,
    listening: JoinHandle<Drained>,
    /// Ends after its last counts are written.
    counting: JoinHandle<()>,
    /// After this nothing is added to the audit trail.
    last_words: CancellationToken,
    streaming: Option<JoinHandle<()>>,
}

/// Opens the store, starts driving the nodes and serves, until `stop`.
///
/// # Errors
/// One line: what is in the way. Nothing is left running.
pub(crate) async fn start(config: &Config, stop: &CancellationToken) -> Result<House, Failure> {
    // What fails most often comes first, before anything is made.
    let (listener, tls) = listener(config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::refused(format!("the listener has no address: {error}")))?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let me = store::process_name(&*entropy);
    let (opened, sealer) = store::open(config, &entropy, &me).await?;
    let store = opened.store();
    let unusable =
        |error: StoreError| Failure::refused(format!("the store cannot be used: {error}"));
    keep_project_id(config, &*store).await?;
    let root = root_key::find(&*store, config.root.as_ref(), &*entropy, clock.now())
        .await
        .map_err(unusable)?;
    let fleet = Fleet::start(
        Arc::clone(&store),
        Arc::clone(&clock),
        FleetConfig {
            sweep_interval: config.sweep_interval,
            holder: me,
            ..FleetConfig::default()
        },
    );
    let parts = ServiceParts {
        store: Arc::clone(&store),
        fleet: Arc::clone(&fleet) as Arc<dyn claviger_core::ports::Fleet>,
        clock: Arc::clone(&clock),
        vault: Some(Arc::new(KeyFile::of(
            config,
            Arc::clone(&sealer),
            Arc::clone(&entropy),
        ))),
        entropy,
    };
    let settings = Settings {
        requests_per_second_max: config.rate_limit_per_s.unwrap_or(0),
        requests_per_action_max: config.action_rate_limit_per_s,
        requests_per_source_max: config.sources.per_second_max,
        bad_signatures_max: config.sources.bad_signatures_max,
    };
    root_key::retire_others(&*store, &root.key.id, clock.now())
        .await
        .map_err(unusable)?;
    let service = Service::start(parts, settings, root.key.clone())
        .await
        .map_err(unusable)?;
    let service = Arc::new(service);
    let stream = Stream::open(&config.audit, Arc::clone(&store)).await?;
    let mut providers = vec![figures::of_fleet(&fleet), figures::of_store(&opened)];
    providers.extend(stream.as_ref().map(Stream::figures));
    let limits = Limits {
        connections_max: connections_max(config.connections_max),
        connections_per_source_max: config.sources.connections_max,
        ..Limits::PRODUCTION
    };
    tokio::spawn(follow_keys(Arc::clone(&service), stop.clone()));
    let server = Server::new(ServerParts {
        service: Arc::clone(&service),
        limits,
        ready: Box::new(|| true),
        providers,
        stop: stop.clone(),
    });
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).watch(stop.clone()));
    }
    tokio::spawn(purge(Arc::clone(&store), clock, stop.clone()));
    tokio::spawn(expire(Arc::clone(&service), stop.clone()));
    tokio::spawn(vault::reseal(Arc::clone(&store), sealer, stop.clone()));
    let counting = tokio::spawn(write_counts(service, stop.clone()));
    let last_words = CancellationToken::new();
    let streaming = stream.map(|stream| tokio::spawn(stream.run(last_words.clone())));
    let secured = tls.is_some();
    let serving = listen::serve(listener, tls, limits, Arc::new(server), stop.clone());
    Ok(House {
        endpoint: endpoint_of(address, secured),
        root,
        store,
        certificate: config.tls.as_ref().map(|files| files.cert.clone()),
        fleet,
        listening: tokio::spawn(serving),
        counting,
        last_words,
        streaming,
    })
}

impl House {
    /// Waits for the wish to stop, and for the orderly end that follows it.
    ///
    /// # Errors
    /// The listener died.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let drained = self.listening.await;
        self.fleet.stop(FLEET_STOP).await;
        // A panic of theirs was logged where it was.
        let _ = self.counting.await;
        self.last_words.cancel();
        if let Some(streaming) = self.streaming {
            let _ = streaming.await;
        }
        match drained {
            Ok(Drained { cut_off: 0 }) => tracing::info!("stopped"),
            Ok(Drained { cut_off }) => tracing::warn!(cut_off, "stopped; connections were cut off"),
            Err(error) => {
                return Err(Failure::refused(format!("the listener died: {error}")));
            }
        }
        Ok(())
    }
}

async fn listener(config: &Config) -> Result<(TcpListener, Option<Arc<Tls>>), Failure> {
    let tls = match &config.tls {
        Some(files) => {
            let tls = Tls::load(&files.cert, &files.key, files.client_ca.as_deref());
            Some(Arc::new(tls.map_err(|error| {
                Failure::refused(format!("TLS: {:#}", anyhow::Error::new(error)))
            })?))
        }
        None => None,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => " (--listen 127.0.0.1:0 takes any free port)",
            _ => "",
        };
        Failure::refused(format!("cannot listen on {}: {error}{hint}", config.listen))
    })?;
    Ok((listener, tls))
}

/// The project id is part of what clients were told: it is set once.
async fn keep_project_id(config: &Config, store: &dyn Store) -> Result<(), Failure> {
    let Some(wanted) = &config.project_id else {
        return Ok(());
    };
    let held = store.setting_or(PROJECT_ID, wanted.clone()).await;
    let held = held.map_err(|e| Failure::refused(format!("the store cannot be used: {e}")))?;
    if held == *wanted {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "this installation's project id is {held}, and not {wanted}: clients know it, so it does \
         not change"
    )))
}

/// As many connections as were asked for, or as the process may have descriptors.
fn connections_max(wanted: usize) -> usize {
    let Some(descriptors) = descriptors_max() else {
        return wanted;
    };
    let room = descriptors.saturating_sub(DESCRIPTORS_KEPT).max(1);
    if room < wanted {
        tracing::info!(
            descriptors,
            connections_max = room,
            "fewer connections than asked for: the limit on open files (ulimit -n) is lower"
        );
    }
    wanted.min(room)
}

/// The process's soft limit on open files, where the system tells it.
pub(crate) fn descriptors_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

async fn follow_keys(service: Arc<Service>, stop: CancellationToken) {
    let _ = stop.run_until_cancelled(service.follow_keys()).await;
}

/// Writes refusals and last uses of keys every few seconds, and once more at the end.
async fn write_counts(service: Arc<Service>, stop: CancellationToken) {
    loop {
        let pause = tokio::time::sleep(COUNTS_INTERVAL);
        let going_on = stop.run_until_cancelled(pause).await.is_some();
        service.write_counts(!going_on).await;
        if !going_on {
            return;
        }
    }
}

async fn purge(store: Arc<dyn Store>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut timer = tokio::time::interval(PURGE_INTERVAL);
    while stop.run_until_cancelled(timer.tick()).await.is_some() {
        if let Err(error) = store.apply(vec![Op::Purge(clock.now())], None).await {
            tracing::warn!(%error, "what is past its time could not be forgotten");
        }
    }
}

async fn expire(service: Arc<Service>, stop: CancellationToken) {
    let mut timer = tokio::time::interval(EXPIRY_INTERVAL);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(timer.tick()).await.is_some() {
        if let Err(error) = service.expire_due().await {
            tracing::warn!(%error, "accounts whose end has come could not be looked for");
        }
    }
}
