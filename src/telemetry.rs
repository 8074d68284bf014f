//! Logs, ids of what is being worked at, and metrics. None of them ever holds a name, a text or a key.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing::{Instrument, Span};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::types::random_uuid;

/// Logs go to standard error. The level is for our own events: those of libraries could show what people write.
pub fn start_logging(config: &Config) {
    let filter = EnvFilter::new(format!("warn,secure_chat={}", config.log_level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Between two times at which measured values are put into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Of the request or the event that this task works at.
    static ID: String;
}

/// An id that no other request or event has.
pub fn new_id() -> String {
    random_uuid().simple().to_string()
}

/// The id of what is being worked at.
pub fn current_id() -> Option<String> {
    ID.try_with(String::clone).ok()
}

/// Does work under an id, which the span shows in the log.
pub async fn traced<T>(id: String, span: Span, work: impl Future<Output = T>) -> T {
    ID.scope(id, work.instrument(span)).await
}

/// Serves `/metrics` for Prometheus on a listener of its own, and nothing else there.
pub async fn serve_metrics(addr: SocketAddr) -> anyhow::Result<SocketAddr> {
    let builder = HISTOGRAMS.iter().try_fold(PrometheusBuilder::new(), |builder, (name, _, buckets)| {
        builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)
    });
    let handle: PrometheusHandle =
        builder.and_then(PrometheusBuilder::install_recorder).context("cannot start metrics")?;
    describe();
    let listener = TcpListener::bind(addr).await.with_context(|| format!("cannot listen on {addr} (METRICS_ADDR)"))?;
    let bound = listener.local_addr()?;
    tokio::spawn(tidy_up(handle.clone()));
    let render = async move || {
        if let Some(bytes) = resident_bytes() {
            metrics::gauge!(MEMORY).set(bytes as f64);
        }
        handle.render()
    };
    let router = Router::new().route("/metrics", get(render));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(bound)
}

/// Histograms keep each value until it is put into its bucket, which would otherwise happen only when somebody asks.
async fn tidy_up(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        handle.run_upkeep();
    }
}

/// The name that all of Prometheus' clients give it.
const MEMORY: &str = "process_resident_memory_bytes";

const GAUGES: [(&str, &str); 4] = [
    ("secure_chat_connections", "Connections to the chat and to rooms"),
    ("secure_chat_writes_waiting", "Writes that wait for their commit to begin"),
    ("secure_chat_pressure", "Room that is left on the machine: 0 calm, 1 tight, 2 scarce"),
    (MEMORY, "Memory that the process holds, in bytes"),
];

/// Those with labels are there from the first time on that something counts.
const COUNTERS: [(&str, &str, bool); 6] = [
    (
        "secure_chat_events_total",
        "Events of clients, by their names and by what was answered: ok, or an error's code",
        true,
    ),
    ("secure_chat_limited_total", "Acts that were refused since they came too often", true),
    (
        "secure_chat_pushes_total",
        "Notifications to browsers, by outcome: sent, gone (the browser wants no more), failed, or dropped (too many at once)",
        true,
    ),
    ("secure_chat_deliveries_total", "Events that went out, counted for each connection", false),
    ("secure_chat_slow_readers_total", "Connections that were cut off since they did not read", false),
    ("secure_chat_commits_failed_total", "Transactions that failed and were rolled back", false),
];

const HISTOGRAMS: [(&str, &str, &[f64]); 2] = [
    (
        "secure_chat_event_seconds",
        "From an event's turn to its answer, in seconds",
        &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
    ),
    (
        "secure_chat_commit_batch_size",
        "Writes that were committed together",
        &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0],
    ),
];

/// Says what each metric is, and shows those that count nothing yet as 0.
fn describe() {
    for (name, about) in GAUGES {
        metrics::describe_gauge!(name, about);
        metrics::gauge!(name).increment(0.0);
    }
    for (name, about, labelled) in COUNTERS {
        metrics::describe_counter!(name, about);
        if !labelled {
            metrics::counter!(name).increment(0);
        }
    }
    for (name, about, _) in HISTOGRAMS {
        metrics::describe_histogram!(name, about);
    }
}

/// Where the system tells it (proc_pid_statm(5)).
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
