//! The key and the database, as the server would open them.

use std::time::Duration;

use super::{Finding, count};
use crate::app::{Clock, SystemClock};
use crate::config::Config;
use crate::store::{self, DatabaseState, Engine, Examination, KeyError, KeyState};
use crate::types::DatabaseUrl;

const KEY: &str = "key";
const DATABASE: &str = "database";
/// How long libpq tries to connect, in seconds.
const CONNECTING: &str = "connect_timeout=10";
/// How far the clocks of two machines may be apart.
const APART: Duration = Duration::from_secs(5);
/// Part of a file that may be free before it is worth a word, in percent.
const MUCH_FREE: i64 = 50;

/// Opens both, and changes neither.
pub async fn key_and_database(config: &Config) -> Vec<Finding> {
    let (url, source) = (patient(&config.database), config.master_key.clone());
    let examined = tokio::task::spawn_blocking(move || {
        let examination = store::examine(&url, &source);
        (examination, SystemClock.now().timestamp_micros())
    });
    let Ok((Examination { key, database }, now)) = examined.await else {
        return vec![Finding::problem(DATABASE, "The look at the database broke off.")];
    };
    let mut findings = vec![key_finding(config, key, database.is_ok())];
    match database {
        Ok(None) => findings
            .push(Finding::ok(DATABASE, format!("{} will be made at the first start", config.database.describe()))),
        Ok(Some(state)) => findings.extend(database_findings(config, state, now)),
        Err(error) => findings.push(Finding::problem(DATABASE, unreadable(config, &format!("{error:#}")))),
    }
    findings
}

/// The same database, without waiting for minutes for a machine that does not answer.
fn patient(url: &DatabaseUrl) -> DatabaseUrl {
    match url {
        DatabaseUrl::Postgres(address) if !address.contains("connect_timeout") => {
            let sign = if address.contains('?') { '&' } else { '?' };
            DatabaseUrl::Postgres(format!("{address}{sign}{CONNECTING}"))
        }
        _ => url.clone(),
    }
}

fn key_finding(config: &Config, key: Result<KeyState, KeyError>, readable: bool) -> Finding {
    let place = config.master_key.describe();
    match key {
        Ok(KeyState::OpensAll) => Finding::ok(KEY, format!("{place} opens the database")),
        Ok(KeyState::ToBeMade) if readable => Finding::ok(KEY, format!("{place} will be made at the first start")),
        Ok(KeyState::ToBeMade) => Finding::note(KEY, format!("There is no {place}.")),
        Ok(KeyState::Usable) if readable => Finding::ok(KEY, format!("{place} is one; there is no database yet")),
        Ok(KeyState::Usable) => {
            Finding::note(KEY, format!("{place} is a key. Whether it opens the database cannot be found out."))
        }
        Err(error) => Finding::problem(KEY, error.to_string()),
    }
}

fn unreadable(config: &Config, error: &str) -> String {
    let advice = match (&config.database, error) {
        (_, error) if error.contains("Nothing was changed") || error.contains("choose another") => "",
        (_, error) if error.contains("database is locked") => " Another program is using it: stop that one first.",
        (_, error) if error.contains("unable to open database file") => " This user may not read it.",
        (DatabaseUrl::Sqlite(_), _) => " It is damaged, or no SQLite file: stop the server and restore your backup.",
        (DatabaseUrl::Postgres(_), _) => " Is it running, and are host, name, user and password in DATABASE_URL right?",
    };
    format!("{}.{advice}", error.trim_end().replace('\n', " "))
}

fn database_findings(config: &Config, state: DatabaseState, now: i64) -> Vec<Finding> {
    let mut findings = match state.engine {
        Engine::Sqlite { damage, .. } if !damage.is_empty() => vec![Finding::problem(
            DATABASE,
            format!(
                "{} is damaged: {}. Stop the server, keep a copy of the file, and restore your backup.",
                config.database.describe(),
                damage.join("; ")
            ),
        )],
        Engine::Sqlite { wal, pages, free_pages, page_size, .. } => {
            vec![sqlite(config, wal, pages * page_size, free_pages * 100 / pages.max(1))]
        }
        Engine::Postgres { version, now: theirs } => vec![
            Finding::ok(DATABASE, format!("PostgreSQL {version} at {}", config.database.describe())),
            clocks(now - theirs),
        ],
    };
    findings.push(match state.pending {
        0 => Finding::ok("migrations", "all are done"),
        pending => Finding::note(
            "migrations",
            format!(
                "The next start makes {}: back up database and key first. A version before this one then no longer opens it.",
                count(pending, "change")
            ),
        ),
    });
    findings
}

fn sqlite(config: &Config, wal: bool, bytes: i64, free_percent: i64) -> Finding {
    let place = config.database.describe();
    let size = format!("{:.1} MB", bytes as f64 / 1e6);
    if !wal {
        return Finding::note(
            DATABASE,
            format!(
                "{place} is whole ({size}), but has no WAL: another program has changed its journal mode. The next start changes it back."
            ),
        );
    }
    if free_percent >= MUCH_FREE {
        return Finding::note(
            DATABASE,
            format!("{place} is whole ({size}); {free_percent} % of it is free. With the server stopped, this makes it small:"),
        )
        .run(format!("sqlite3 {} VACUUM", super::files::quoted(place.as_ref())));
    }
    Finding::ok(DATABASE, format!("{place} is whole ({size}, WAL, {free_percent} % free)"))
}

fn clocks(difference_micros: i64) -> Finding {
    let seconds = difference_micros as f64 / 1e6;
    match difference_micros.unsigned_abs() > APART.as_micros() as u64 {
        true => Finding::problem(
            "clocks",
            format!("This machine's clock is {seconds:+.0} s off from the one of PostgreSQL. Let both follow NTP."),
        ),
        false => Finding::ok("clocks", "this machine and PostgreSQL agree"),
    }
}
