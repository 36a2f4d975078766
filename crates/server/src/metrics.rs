//! What is counted and timed, for Prometheus. Every label has a bounded set of values, and none
//! comes from a caller: an unknown action is `unknown`.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// A figure that another part of the program keeps, asked for at each scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Such as `nodes_in_sync`, which is shown as `claviger_nodes_in_sync`; a counter's name is
    /// given without `_total`.
    pub name: &'static str,
    /// One line of explanation, without a full stop.
    pub help: &'static str,
    /// The figure.
    pub value: Figure,
}

/// A figure's kind and value.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// May rise and fall.
    Gauge(f64),
    /// Only rises.
    Counter(u64),
    /// Durations: their sum in seconds, their count, and for each upper bound in seconds (rising,
    /// the last one infinite) how many lay between it and the bound before.
    Histogram {
        /// Seconds in all.
        sum: f64,
        /// How many.
        count: u64,
        /// Upper bounds in seconds, each with the number of its own bucket.
        buckets: Vec<(f64, u64)>,
    },
}

/// Asks another part of the program for its figures.
pub type Provider = Box<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// Whether a call reads or changes something; a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Read,
    Write,
    Unknown,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Write => "write",
            Kind::Unknown => "unknown",
        }
    }

    /// By the verb with which every cloud begins the name of a reading action.
    pub(crate) fn of_action(action: &str) -> Self {
        const READING: [&str; 5] = ["Describe", "List", "Get", "Query", "Show"];
        if action == "unknown" {
            Kind::Unknown
        } else if READING.iter().any(|verb| action.starts_with(verb)) {
            Kind::Read
        } else {
            Kind::Write
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    dialect: &'static str,
    action: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TimeLabels {
    dialect: &'static str,
    kind: &'static str,
}

/// Upper bounds of the request times, seconds: from a cached read to the request's deadline.
const BUCKETS: [f64; 15] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
    30.0, 100.0,
];

/// The server's own figures, and those of whoever registered.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    times: Family<TimeLabels, Histogram, fn() -> Histogram>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Metrics {
    pub(crate) fn new(providers: Vec<Provider>) -> Self {
        let calls = Family::default();
        let times: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(histogram);
        let (in_flight, connections) = (Gauge::default(), Gauge::default());
        let mut registry = Registry::with_prefix("claviger");
        registry.register(
            "requests",
            "API calls by dialect, action and outcome",
            Family::clone(&calls),
        );
        registry.register(
            "request_duration_seconds",
            "Time from a request's header to its answer",
            Family::clone(&times),
        );
        registry.register(
            "requests_in_flight",
            "Requests being answered",
            in_flight.clone(),
        );
        registry.register("connections", "Open connections", connections.clone());
        registry.register_collector(Box::new(Provided(providers)));
        Self {
            registry,
            calls,
            times,
            in_flight,
            connections,
        }
    }

    pub(crate) fn count(
        &self,
        dialect: &'static str,
        action: &'static str,
        code: &'static str,
        kind: Kind,
        took: Duration,
    ) {
        let labels = CallLabels {
            dialect,
            action,
            code,
        };
        self.calls.get_or_create(&labels).inc();
        let labels = TimeLabels {
            dialect,
            kind: kind.as_str(),
        };
        self.times
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads. Fails only if a provider's figure cannot be written.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

struct Provided(Vec<Provider>);

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provided({})", self.0.len())
    }
}

impl Collector for Provided {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for sample in self.0.iter().flat_map(|provider| provider()) {
            let kind = match sample.value {
                Figure::Gauge(_) => MetricType::Gauge,
                Figure::Counter(_) => MetricType::Counter,
                Figure::Histogram { .. } => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(sample.name, sample.help, None, kind)?;
            match sample.value {
                Figure::Gauge(value) => metric.encode_gauge(&value)?,
                Figure::Counter(value) => {
                    metric.encode_counter::<NoLabelSet, _, u64>(&value, None)?
                }
                Figure::Histogram {
                    sum,
                    count,
                    buckets,
                } => metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?,
            }
        }
        Ok(())
    }
}
