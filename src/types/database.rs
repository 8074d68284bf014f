//! Where the data and its key are, as the settings say.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use zeroize::Zeroizing;

/// Where the setting says that the master key is.
#[derive(Clone)]
pub enum KeySource {
    /// `MASTER_KEY`: the key itself.
    Environment(Zeroizing<String>),
    /// `MASTER_KEY_FILE`: made at the first start. With `MASTER_KEY_PASSPHRASE`, what is in it is sealed.
    File(PathBuf, Option<Zeroizing<String>>),
}

impl KeySource {
    /// For people: what to look at.
    pub fn describe(&self) -> String {
        match self {
            Self::Environment(_) => "MASTER_KEY".into(),
            Self::File(path, _) => path.display().to_string(),
        }
    }

    /// What the key file is sealed under.
    pub fn passphrase(&self) -> Option<&str> {
        match self {
            Self::Environment(_) => None,
            Self::File(_, passphrase) => passphrase.as_deref().map(String::as_str),
        }
    }
}

/// A file of the same name with an ending more, such as SQLite lays beside its own.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// `DATABASE_URL`, in Flask-SQLAlchemy's spellings.
#[derive(Clone)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// In libpq's spelling. It may hold a password: never shown.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        const HELP: &str = "use sqlite:///chat_app.db (relative to the working folder), sqlite:////absolute/path.db or postgresql://user:password@host/database";
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("it is not a database URL: {HELP}"))?;
        let (dialect, driver) =
            scheme.split_once('+').map_or((scheme, None), |(dialect, driver)| (dialect, Some(driver)));
        match (dialect, driver) {
            ("sqlite", None | Some("pysqlite")) => {
                let path =
                    rest.strip_prefix('/').ok_or_else(|| format!("sqlite:// is followed by a third slash: {HELP}"))?;
                let path = path.split('?').next().unwrap_or_default();
                if path.is_empty() || path == ":memory:" || path.ends_with('/') {
                    return Err(format!("it names no file: {HELP}"));
                }
                Ok(Self::Sqlite(path.into()))
            }
            ("postgresql" | "postgres", None | Some("psycopg2" | "psycopg" | "pg8000" | "asyncpg")) => {
                if rest.is_empty() {
                    return Err(format!("it names no host and database: {HELP}"));
                }
                Ok(Self::Postgres(format!("postgresql://{rest}")))
            }
            _ => Err(format!("\"{scheme}\" is no kind of database that this server has: {HELP}")),
        }
    }
}

impl DatabaseUrl {
    /// For people; without the password.
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => match url.rsplit_once('@') {
                Some((_, place)) => format!("postgresql://{place}"),
                None => url.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(url: &str) -> Result<String, String> {
        url.parse::<DatabaseUrl>().map(|url| url.describe())
    }

    #[test]
    fn flask_sqlalchemys_spellings_are_understood() {
        assert_eq!(describe("sqlite:///chat_app.db").unwrap(), "chat_app.db");
        assert_eq!(describe("sqlite:////var/lib/chat.db").unwrap(), "/var/lib/chat.db");
        for scheme in ["postgresql", "postgres", "postgresql+psycopg2"] {
            let url = format!("{scheme}://ann:secret@db.example/chat");
            assert_eq!(describe(&url).unwrap(), "postgresql://db.example/chat");
        }
    }

    #[test]
    fn a_mistyped_url_is_refused() {
        for url in [
            "",
            "chat_app.db",
            "sqlite://chat.db",
            "sqlite:///",
            "sqllite:///chat.db",
            "mysql://host/db",
            "postgresql://",
        ] {
            assert!(describe(url).is_err(), "{url}");
        }
    }
}
