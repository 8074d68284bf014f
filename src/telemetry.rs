//! Logs and metrics. Neither ever holds a name, a text or a key.

use std::net::SocketAddr;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Logs go to standard error. The level is for our own events: those of libraries could show what people write.
pub fn start_logging(config: &Config) {
    let filter = EnvFilter::new(format!("warn,secure_chat={}", config.log_level));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Serves `/metrics` for Prometheus on a listener of its own.
pub async fn serve_metrics(addr: SocketAddr) -> anyhow::Result<SocketAddr> {
    let handle: PrometheusHandle = PrometheusBuilder::new().install_recorder().context("cannot start metrics")?;
    let listener = TcpListener::bind(addr).await.with_context(|| format!("cannot listen on {addr} (METRICS_ADDR)"))?;
    let bound = listener.local_addr()?;
    let router = Router::new().route("/metrics", get(async move || handle.render()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(bound)
}
