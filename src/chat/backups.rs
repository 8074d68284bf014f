//! Backups: for administrators who ask for one, and by a schedule.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::audit;
use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hub::{Audience, Outbound, Publication};
use crate::store::backup::{self, Manifest};
use crate::store::files::blocking;
use crate::store::{Lane, Reader, state};
use crate::types::{Actor, DatabaseUrl, Reason, Timestamp};

/// What the files begin with that the schedule makes, and removes again.
const SCHEDULED: &str = "scheduled_";
const ENDING: &str = ".backup";
/// How often it is looked whether a backup is due.
const LOOK: Duration = Duration::from_secs(30);

/// To who asked: the backup's file, in the folder for backups.
#[derive(Serialize, JsonSchema)]
pub struct BackupCreated {
    pub backup_file: String,
}

impl Outbound for BackupCreated {
    const NAME: &'static str = "backup_created";
}

/// Makes a backup while people go on writing.
pub async fn back_up(app: &App, actor: &Actor) -> Result<BackupCreated> {
    let (facts, who) = (Facts::of(app), actor.clone());
    app.db.read(move |reader| policy::on_server(Action::BackUp, facts.standing(reader, &who)?)).await?;
    // The original's name for it.
    let name = format!("backup_encrypted_chat_{}.db", facts.at.file_stamp());
    make(app, &folder(app)?.join(&name)).await?;
    let created = BackupCreated { backup_file: name };
    let actor = actor.clone();
    app.db
        .write(Lane::People, move |tx| {
            if let Some(conn) = actor.conn {
                tx.publish(Publication::emit(Audience::Conn(conn), &created));
            }
            audit::note(tx, facts.at, Some(&actor), "backup_database", None, None, Reason::default());
            Ok(created)
        })
        .await
}

/// Makes a backup in a new file, and reads it again.
pub async fn make(app: &App, file: &Path) -> Result<Manifest> {
    let (at, files, path) = (app.now(), app.files.clone(), file.to_owned());
    let made = app
        .db
        .read_outside(move |reader| backup::make(reader, &files, &path, at).map_err(|error| failed(&path, &error)));
    made.await?;
    let (source, path) = (app.config.master_key.clone(), file.to_owned());
    let verified =
        blocking(move || backup::verify(&path, &source).map_err(|error| failed(&path, &error.into()))).await?;
    if let Err(error) = note(app, file, at).await {
        tracing::warn!("the backup {} is made, but it could not be noted: {error}", file.display());
    }
    Ok(verified)
}

/// For those who ask later when the last one was made.
async fn note(app: &App, file: &Path, at: Timestamp) -> Result<()> {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let noted = Noted { file: path.display().to_string(), at: at.micros(), bytes };
    app.db
        .write(Lane::People, move |tx| {
            state::touch(tx, state::BACKUP)?;
            state::set(tx, state::BACKUP, &noted)
        })
        .await
}

#[derive(Serialize, Deserialize)]
struct Noted {
    file: String,
    at: i64,
    bytes: u64,
}

/// How the data is backed up, for administrators.
#[derive(Serialize, JsonSchema)]
pub struct BackupState {
    /// Whether this server makes backups: PostgreSQL has its own tools for it.
    possible: bool,
    folder: String,
    /// Hours between two that are made by themselves; `null`: none are.
    every_hours: Option<u64>,
    /// How many of those are kept.
    keep: usize,
    /// Those of them that are there.
    scheduled: usize,
    /// The last one, by whomever it was made.
    last: Option<LastBackup>,
}

#[derive(Serialize, JsonSchema)]
struct LastBackup {
    file: String,
    at: Timestamp,
    bytes: u64,
    /// All of it was read again when it was made.
    verified: bool,
    /// Whether the file is still there, as far as this server can see.
    there: bool,
}

/// For [`super::server_state`], which asks whether one may know.
pub(super) fn state_of(reader: &mut Reader, config: &Config) -> Result<BackupState> {
    let folder = place(config);
    let noted: Option<Noted> = state::get(reader, state::BACKUP)?;
    let last = noted.and_then(|Noted { file, at, bytes }| {
        let there = Path::new(&file).exists();
        Some(LastBackup { at: Timestamp::from_micros(at)?, there, file, bytes, verified: true })
    });
    Ok(BackupState {
        possible: matches!(config.database, DatabaseUrl::Sqlite(_)),
        every_hours: config.backups.every.map(|every| every.as_secs() / 3_600),
        keep: config.backups.keep,
        scheduled: scheduled(&folder).len(),
        folder: std::path::absolute(&folder).unwrap_or(folder).display().to_string(),
        last,
    })
}

fn failed(file: &Path, error: &anyhow::Error) -> Error {
    tracing::error!("the backup {} could not be made: {error:#}", file.display());
    Error::Unavailable(format!("The backup could not be made: {error:#}.").into())
}

/// Where backups go: BACKUP_DIR, or `backups` beside the database.
fn place(config: &Config) -> PathBuf {
    match (&config.backups.folder, &config.database) {
        (Some(folder), _) => folder.clone(),
        (None, DatabaseUrl::Sqlite(path)) => path.parent().map_or_else(PathBuf::new, PathBuf::from).join("backups"),
        (None, DatabaseUrl::Postgres(_)) => PathBuf::from("backups"),
    }
}

/// That folder, made where it is not there.
fn folder(app: &App) -> Result<PathBuf> {
    use std::fs::DirBuilder;
    use std::os::unix::fs::DirBuilderExt;

    let folder = place(&app.config);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| {
        tracing::error!("the folder {} for backups cannot be made: {error}", folder.display());
        Error::Unavailable("The folder for backups cannot be made. The server's log says more.".into())
    })?;
    Ok(folder)
}

/// Runs for as long as the server: makes a backup whenever one is due, and removes the oldest ones of its own.
pub async fn schedule(app: Arc<App>) {
    let Some(every) = app.config.backups.every else { return };
    if let DatabaseUrl::Postgres(_) = app.config.database {
        return tracing::warn!("BACKUP_EVERY is set, but a PostgreSQL database is backed up with its own tools");
    }
    loop {
        let due = folder(&app).map(|folder| is_due(&folder, every));
        if matches!(due, Ok(true)) {
            match make_scheduled(&app).await {
                Ok(file) => tracing::info!("made the backup {}", file.display()),
                Err(error) => tracing::error!("the scheduled backup could not be made: {error}"),
            }
        }
        tokio::time::sleep(LOOK.min(every)).await;
    }
}

async fn make_scheduled(app: &App) -> Result<PathBuf> {
    let folder = folder(app)?;
    let file = folder.join(format!("{SCHEDULED}{}{ENDING}", app.now().file_stamp()));
    make(app, &file).await?;
    let mut scheduled = scheduled(&folder);
    while scheduled.len() > app.config.backups.keep {
        let oldest = scheduled.remove(0);
        if let Err(error) = std::fs::remove_file(&oldest) {
            tracing::warn!("the old backup {} cannot be removed: {error}", oldest.display());
        }
    }
    Ok(file)
}

/// The newest one tells, so that a server that was off makes one when it comes back, and one that restarts often does not.
fn is_due(folder: &Path, every: Duration) -> bool {
    let newest = scheduled(folder).pop();
    let age = newest.and_then(|file| file.metadata().ok()?.modified().ok()?.elapsed().ok());
    age.is_none_or(|age| age >= every)
}

/// The backups that the schedule has made, the oldest first: their names are their times.
fn scheduled(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(SCHEDULED) && name.ends_with(ENDING)
    };
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_ours).collect();
    found.sort();
    found
}
