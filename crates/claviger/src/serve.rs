//! `claviger serve`: the service in the foreground, until a signal ends it.

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::env::Env;
use crate::failure::Failure;
use crate::life;
use crate::observe;
use crate::output::Out;
use crate::root_key::Root;
use crate::wire_up;
use std::future::Future;
use std::io::Write;
use std::time::Duration;

/// How long threads that are still busy at the end are waited for.
const THREADS_STOP: Duration = Duration::from_secs(2);

/// Does it.
///
/// # Errors
/// One line: what is in the way.
pub(crate) fn run(args: &ServeArgs, env: &dyn Env) -> Result<(), Failure> {
    let config = Config::load(args, env)?;
    observe::start(&config)?;
    in_runtime(async move {
        let stop = life::begin()?;
        let house = wire_up::start(&config, &stop).await?;
        show_root_once(&house.root);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            endpoint = house.endpoint,
            store = %config.store,
            "serving"
        );
        // A reader of this line that went away is no reason not to serve.
        let _ = Out::new(false).line(&format!("claviger serves on {}", house.endpoint));
        house.end().await
    })
}

/// Runs it in a runtime of its own, which ends with it.
///
/// # Errors
/// As the future, or the runtime cannot be made.
pub(crate) fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("claviger")
        .build()
        .map_err(|error| Failure::refused(format!("threads cannot be started: {error}")))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(THREADS_STOP);
    result
}

/// The root pair that was just made, on standard error, as text: it belongs in no log.
fn show_root_once(root: &Root) {
    if !root.made {
        return;
    }
    let text = format!(
        "\nThe root key pair was made. It is shown this once; keep it safe.\n\n  \
         CLAVIGER_ACCESS_KEY={}\n  CLAVIGER_SECRET_KEY={}\n\n",
        root.key.id,
        root.key.secret.expose()
    );
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
