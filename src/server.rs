//! Composition: builds the app, attaches the edges, runs until told to stop, and stops in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::{App, Clock, SystemClock};
use crate::config::Config;
use crate::hub::Publisher;
use crate::listener::{Listener, Peer};
use crate::passwords::Passwords;
use crate::store::{self, Db, OpenError, Prepared};
use crate::{http, socket};

/// How long what was accepted may take to be answered, when the server stops.
const FINISHING: Duration = Duration::from_secs(3);
/// How long connections may take to close after that.
const CLOSING: Duration = Duration::from_secs(1);

/// Opens the database with its key.
pub fn prepare(config: &Config) -> Result<Prepared, OpenError> {
    store::prepare(config.database.clone(), &config.master_key, SystemClock.now().into())
}

/// Serves until `shutdown` is done; then takes no new work, commits and acknowledges what it has accepted, closes every
/// connection, and returns within 5 s.
pub async fn run(
    config: Config,
    prepared: Prepared,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let hub = socket::build(&config);
    let publisher = Publisher::start(hub.clone());
    let app = Arc::new(App {
        db: Db::start(prepared, publisher.clone())?,
        config,
        hub: hub.clone(),
        publisher,
        passwords: Passwords::new(),
        clock: Arc::new(SystemClock),
    });
    let edge = socket::attach(app.clone(), hub);
    let router = http::router(app.clone(), edge.router());

    let (stop, stopping) = oneshot::channel::<()>();
    let service = router.into_make_service_with_connect_info::<Peer>();
    let server = axum::serve(Listener(listener), service).with_graceful_shutdown(async move {
        let _ = stopping.await;
    });
    let server = tokio::spawn(server.into_future());

    shutdown.await;
    tracing::info!("stopping");
    edge.refuse_new();
    if tokio::time::timeout(FINISHING, edge.finish()).await.is_err() {
        tracing::warn!("some events were not answered in time");
    }
    let _ = stop.send(());
    let _ = tokio::time::timeout(CLOSING, edge.close()).await;
    let _ = tokio::time::timeout(CLOSING, server).await;
    tokio::task::spawn_blocking(move || app.db.close()).await?;
    Ok(())
}

/// Takes the port, or says in one line why not.
pub async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let addr = SocketAddr::from((config.host, config.port));
    TcpListener::bind(addr).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "port {} is taken by another program. Stop that one, or choose another port, for example: PORT={} secure-chat",
            config.port,
            config.port.wrapping_add(1)
        ),
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("this user may not listen on port {}. Choose one above 1023 with PORT", config.port)
        }
        std::io::ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("this machine has no address {}. HOST names one of its own, or 0.0.0.0 for all", config.host)
        }
        _ => anyhow::anyhow!("cannot listen on {addr}: {error}"),
    })
}
