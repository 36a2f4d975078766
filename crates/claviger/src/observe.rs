//! Logs: text for people on a terminal, one JSON object a line for machines, on standard error.

use crate::config::{Config, LogFormat};
use crate::failure::Failure;
use std::io::IsTerminal;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging; once in the life of the process.
///
/// # Errors
/// It was started before.
pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let terminal = std::io::stderr().is_terminal();
    let format = config.log_format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    // Other libraries tell of their own affairs; only their warnings concern an operator.
    let ours = LevelFilter::from_level(config.log_level);
    let filter = Targets::new()
        .with_default(LevelFilter::WARN.min(ours))
        .with_target("claviger", ours);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Text => {
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(terminal);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
    };
    started.map_err(|error| Failure::refused(format!("logging cannot start: {error}")))
}
