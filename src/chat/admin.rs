//! What administrators alone may see: numbers about the server.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::Facts;
use super::policy::{self, Action};
use crate::app::App;
use crate::error::Result;
use crate::store::{admin, rooms};
use crate::types::{Actor, DatabaseUrl, RoomId, RoomName, Timestamp, Username};

/// `GET /admin/stats`, in the original's shape.
#[derive(Serialize, JsonSchema)]
pub struct Stats {
    database_info: DatabaseInfo,
    groups: BTreeMap<String, GroupInfo>,
    stats: Totals,
}

#[derive(Serialize, JsonSchema)]
struct DatabaseInfo {
    data_structure: DataStructure,
    /// Characters of a Fernet key.
    encryption_key_length: u32,
    file_exists: bool,
    file_path: String,
    file_size_bytes: u64,
    metadata: Metadata,
}

#[derive(Serialize, JsonSchema)]
struct DataStructure {
    groups: i64,
    public_messages: i64,
    sessions: i64,
    users: i64,
}

#[derive(Serialize, JsonSchema)]
struct Metadata {
    created_at: Timestamp,
    last_updated: Timestamp,
    version: &'static str,
}

#[derive(Serialize, JsonSchema)]
struct GroupInfo {
    created_at: Timestamp,
    creator: Option<Username>,
    has_password: bool,
    id: String,
    member_count: i64,
    message_count: i64,
    name: RoomName,
}

#[derive(Serialize, JsonSchema)]
struct Totals {
    active_sessions: i64,
    created_at: Timestamp,
    database_size: u64,
    last_updated: Timestamp,
    public_messages: i64,
    total_groups: i64,
    total_messages: i64,
    total_users: i64,
}

/// Numbers about the server. Nobody who is not signed in gets any.
pub async fn stats(app: &App, actor: &Actor) -> Result<Stats> {
    let (facts, actor) = (Facts::of(app), actor.clone());
    let (file_path, file_size_bytes, file_exists) = file(&app.config.database);
    app.db
        .read(move |reader| {
            policy::on_server(Action::ReadServerStats, facts.standing(reader, &actor)?)?;
            let (public, groups): (Vec<_>, Vec<_>) = rooms::all(reader)?
                .into_iter()
                .filter(|(room, _, _)| room.direct.is_none())
                .partition(|(room, _, _)| room.id == RoomId::PUBLIC);
            let public_messages = public.iter().map(|(_, _, messages)| messages).sum();
            let created_at = public.first().map_or(facts.at, |(room, _, _)| room.created_at);
            let counts = admin::counts(reader)?;
            let total_groups = groups.len() as i64;
            let total_messages = public_messages + groups.iter().map(|(_, _, messages)| messages).sum::<i64>();
            let groups = groups.into_iter().map(|(room, member_count, message_count)| {
                let info = GroupInfo {
                    created_at: room.created_at,
                    creator: room.creator,
                    has_password: room.password_hash.is_some(),
                    id: super::rooms::group_id(&room.name),
                    member_count,
                    message_count,
                    name: room.name.clone(),
                };
                (String::from(room.name), info)
            });
            Ok(Stats {
                database_info: DatabaseInfo {
                    data_structure: DataStructure {
                        groups: total_groups,
                        public_messages,
                        sessions: counts.sessions,
                        users: counts.users,
                    },
                    encryption_key_length: 44,
                    file_exists,
                    file_path,
                    file_size_bytes,
                    metadata: Metadata { created_at, last_updated: facts.at, version: env!("CARGO_PKG_VERSION") },
                },
                groups: groups.collect(),
                stats: Totals {
                    active_sessions: counts.sessions,
                    created_at,
                    database_size: file_size_bytes,
                    last_updated: facts.at,
                    public_messages,
                    total_groups,
                    total_messages,
                    total_users: counts.users,
                },
            })
        })
        .await
}

/// Where the database is, for people; its size, and whether there is a file, where it is one.
fn file(database: &DatabaseUrl) -> (String, u64, bool) {
    let size = match database {
        DatabaseUrl::Sqlite(path) => path.metadata().map(|metadata| metadata.len()).ok(),
        DatabaseUrl::Postgres(_) => None,
    };
    (database.describe(), size.unwrap_or_default(), size.is_some())
}
