//! Composition: builds the app, attaches the edges, runs until told to stop, and stops in order.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::app::{App, Clock, SystemClock};
use crate::config::Config;
use crate::hub::{Fanout, Nobody, Publisher};
use crate::images::Images;
use crate::limits::Limits;
use crate::listener::Listener;
use crate::passwords::Passwords;
use crate::pressure::Pressure;
use crate::push::Push;
use crate::run::Run;
use crate::serve::serve;
use crate::signer::Signer;
use crate::store::{self, Db, OpenError, Prepared};
use crate::tls::Tls;
use crate::types::{DatabaseUrl, Token};
use crate::{chat, flask, http, socket};

/// How long what was accepted may take to be answered, when the server stops.
const FINISHING: Duration = Duration::from_secs(3);
/// How long connections may take to close after that.
const CLOSING: Duration = Duration::from_secs(1);

/// Opens the database with its key.
pub fn prepare(config: &Config) -> Result<Prepared, OpenError> {
    store::prepare(config.database.clone(), &config.master_key, SystemClock.now().into())
}

/// What there is to announce.
pub struct Started {
    pub addr: SocketAddr,
    /// http or https.
    pub scheme: &'static str,
    /// Opens the page that makes the owner's account, on a server that has none.
    pub owner_invite: Option<Token>,
}

/// Serves until `shutdown` is done; then takes no new work, commits and acknowledges what it has accepted, closes every
/// connection, and returns within 5 s.
pub async fn run(
    config: Config,
    prepared: Prepared,
    listener: TcpListener,
    tls: Option<Tls>,
    started: impl FnOnce(Started),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let hub = socket::build(&config);
    let publisher = Publisher::start(hub.clone());
    let mut app = build(config, prepared, hub.clone(), publisher)?;
    app.run = Run::new(app.db.read(store::rooms::last_seqs).await.map_err(|error| anyhow::anyhow!("{error}"))?);
    let app = Arc::new(app);
    let asking = hub.clone().keep_asking();
    let edge = socket::attach(app.clone(), hub);
    let router = http::router(app.clone(), edge.router(), socket::asyncapi::document());
    let owner_invite = chat::invites::owner_link(&app).await.unwrap_or_else(|error| {
        tracing::warn!("no link for the owner could be made: {error}");
        None
    });
    let scheme = if tls.is_some() { "https" } else { "http" };
    started(Started { addr: listener.local_addr()?, scheme, owner_invite });
    let listener = Listener::new(listener, tls.as_ref().map(Tls::acceptor), app.config.http_idle);
    let mut watchers = vec![
        tokio::spawn(asking),
        tokio::spawn(chat::watch::watch(app.clone())),
        tokio::spawn(chat::presence::watch(app.clone())),
        tokio::spawn(chat::push::run(app.clone())),
        tokio::spawn(watch_pressure(app.clone())),
        tokio::spawn(chat::backups::schedule(app.clone())),
        tokio::spawn(chat::samples::schedule(app.clone())),
    ];
    if let Some(queue) = app.config.flask_queue.clone() {
        watchers.push(tokio::spawn(flask::queue::run(app.clone(), queue)));
    }
    watchers.extend(tls.map(|tls| {
        let app = app.clone();
        tokio::spawn(tls.watch(move || app.now().into()))
    }));

    let (stop, stopping) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, router, app.config.http_idle, async move {
        let _ = stopping.await;
    }));

    shutdown.await;
    tracing::info!("stopping");
    edge.refuse_new();
    if tokio::time::timeout(FINISHING, edge.finish()).await.is_err() {
        tracing::warn!("some events were not answered in time");
    }
    let _ = tokio::time::timeout(CLOSING, chat::presence::all_go(&app)).await;
    let _ = stop.send(());
    let _ = tokio::time::timeout(CLOSING, edge.close()).await;
    let _ = tokio::time::timeout(CLOSING, server).await;
    for watcher in watchers {
        // It holds the app, and with it connections: SQLite tidies up only when the last one is closed.
        watcher.abort();
        let _ = watcher.await;
    }
    tokio::task::spawn_blocking(move || app.db.close()).await?;
    Ok(())
}

/// The shared state without a server around it: for commands.
pub fn build_alone(config: Config, prepared: Prepared) -> anyhow::Result<App> {
    let hub = Arc::new(Nobody);
    build(config, prepared, hub.clone(), Publisher::start(hub))
}

fn build(config: Config, prepared: Prepared, hub: Arc<dyn Fanout>, publisher: Publisher) -> anyhow::Result<App> {
    let db = Db::start(prepared, publisher.clone())?;
    let signer = Signer::new(db.derive("signer", &config.secret_key)?);
    Ok(App {
        limits: Arc::new(Limits::new(config.limits)),
        files: db.files(config.attachments_dir.clone()),
        images: Images::new(),
        db,
        hub,
        publisher,
        passwords: Passwords::new(),
        pressure: Pressure::default(),
        push: Push::new(&config),
        signer: Arc::new(signer),
        clock: Arc::new(SystemClock),
        run: Run::new(Default::default()),
        banned_networks: RwLock::default(),
        here: RwLock::default(),
        config,
    })
}

async fn watch_pressure(app: Arc<App>) {
    let mut folders = vec![app.config.attachments_dir.clone()];
    if let DatabaseUrl::Sqlite(path) = &app.config.database {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        folders.push(folder.unwrap_or(Path::new(".")).to_owned());
    }
    app.pressure.watch(folders, || app.db.queue_percent()).await;
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
