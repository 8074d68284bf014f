//! How the server is set up, for administrators: settings in force, keys, backups. No secret is in it.

use schemars::JsonSchema;
use serde::Serialize;

use super::backups::{self, BackupState};
use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::config::Config;
use crate::error::Result;
use crate::store::keys::{self, Overview};
use crate::store::{Reader, admin};
use crate::types::{Actor, DatabaseUrl, Timestamp};

#[derive(Serialize, JsonSchema)]
pub struct State {
    version: &'static str,
    uptime_seconds: u64,
    database: Database,
    settings: Vec<InForce>,
    keys: KeyState,
    backups: BackupState,
}

#[derive(Serialize, JsonSchema)]
struct Database {
    /// `sqlite` or `postgresql`.
    kind: &'static str,
    /// Without a password.
    place: String,
    bytes: i64,
}

/// A setting and its value.
#[derive(Serialize, JsonSchema)]
struct InForce {
    name: &'static str,
    /// `null` of a secret, and where it is not set.
    value: Option<String>,
    secret: bool,
    set: bool,
    default: &'static str,
    /// `command line`, `environment`, `.env` or `default`.
    origin: String,
    about: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct KeyState {
    /// The file, or the setting that holds the key itself.
    source: String,
    /// Master keys; more than one while the old one is not retired.
    master_keys: usize,
    /// Data keys in use.
    data_keys: i64,
    /// Data keys that were replaced and are still there.
    replaced: i64,
    /// How often keys were made: one more than they were rotated.
    generation: i32,
    rotated_at: Option<Timestamp>,
    /// Values that are not under the newest keys; `null`: only `secure-chat keys status` can tell, since it reads everything.
    under_old_keys: Option<i64>,
}

pub async fn state(app: &App, actor: &Actor) -> Result<State> {
    let (facts, actor, config) = (Facts::of(app), actor.clone(), app.config.clone());
    let uptime_seconds = app.run.lasts().as_secs();
    app.db
        .read(move |reader| {
            policy::on_server(Action::ReadServerStats, facts.standing(reader, &actor)?)?;
            Ok(State {
                version: env!("CARGO_PKG_VERSION"),
                uptime_seconds,
                database: database(reader, &config)?,
                settings: settings(&config),
                keys: key_state(keys::overview(reader)?),
                backups: backups::state_of(reader, &config)?,
            })
        })
        .await
}

fn database(reader: &mut Reader, config: &Config) -> Result<Database> {
    let kind = match config.database {
        DatabaseUrl::Sqlite(_) => "sqlite",
        DatabaseUrl::Postgres(_) => "postgresql",
    };
    Ok(Database { kind, place: config.database.describe(), bytes: admin::bytes(reader)? })
}

fn settings(config: &Config) -> Vec<InForce> {
    let in_force = config.in_force().map(|(setting, value, set, origin)| InForce {
        name: setting.name,
        value: value.filter(|value| !value.is_empty()),
        secret: setting.secret,
        set,
        default: setting.default,
        origin: origin.to_string(),
        about: setting.doc,
    });
    in_force.collect()
}

fn key_state(overview: Overview) -> KeyState {
    let Overview { source, master, data_keys, replaced, generation, rotated_at } = overview;
    KeyState {
        source,
        master_keys: master,
        data_keys: data_keys - replaced,
        replaced,
        generation,
        rotated_at,
        under_old_keys: (replaced == 0).then_some(0),
    }
}
