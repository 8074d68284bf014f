//! Every setting: its name, default, meaning and check, and where the value in force came from.
//!
//! The command line wins over the environment, that over `.env` in the working folder, that over the default.
//! The names are Flask's and Flask-SocketIO's where they have one, so that a deployment's `.env` goes on working.

mod check;
mod settings;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use zeroize::Zeroizing;

use check::Values;
pub use settings::{SETTINGS, Setting};

use crate::types::{DatabaseUrl, KeySource, Rate, Token};

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    CommandLine,
    Environment,
    DotEnv,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommandLine => "command line",
            Self::Environment => "environment",
            Self::DotEnv => ".env",
            Self::Default => "default",
        })
    }
}

/// A setting that cannot be used. The program ends with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{name} (from the {origin}): {problem}.")]
    Value { name: &'static str, origin: Origin, problem: String },
    #[error(".env cannot be read: {0}.")]
    DotEnv(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Which pages of other origins may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    Any,
    /// Besides the server's own.
    List(Vec<String>),
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    Open,
    Invite,
    Closed,
}

/// Where Flask-SocketIO's message queue is.
#[derive(Clone)]
pub struct FlaskQueue {
    pub client: redis::Client,
    pub channel: String,
    pub form: QueueForm,
}

/// What a list is, as the data of an event in the message queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueForm {
    Arguments,
    Value,
}

/// How often one may do what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub sends: Rate,
    pub logins: Rate,
    pub room_passwords: Rate,
    pub registrations: Rate,
    pub rooms: Rate,
    pub moderation: Rate,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub struct SocketLimits {
    pub per_account: usize,
    pub per_address: usize,
    pub join_timeout: Duration,
}

/// How long a login lasts.
#[derive(Clone, Copy, Debug)]
pub struct SessionLife {
    pub total: Duration,
    pub idle: Duration,
}

/// Backups that are made by themselves.
#[derive(Clone, Debug)]
pub struct Backups {
    /// `None`: beside the database.
    pub folder: Option<PathBuf>,
    pub every: Option<Duration>,
    pub keep: usize,
}

/// Certificate and private key, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// The settings in force. Its `Debug` shows no secret.
#[derive(Clone)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    pub production: bool,
    /// Empty where there is none.
    pub secret_key: Zeroizing<Vec<u8>>,
    pub database: DatabaseUrl,
    pub master_key: KeySource,
    pub backups: Backups,
    pub static_dir: Option<PathBuf>,
    pub templates_dir: Option<PathBuf>,
    pub allowed_origins: AllowedOrigins,
    pub guests: bool,
    pub registration: Registration,
    pub admins_need_second_factor: bool,
    /// Empty: Flask's sessions count for nothing.
    pub flask_session_user: String,
    pub flask_session_cookie: String,
    /// Empty: Flask-Login's cookies count for nothing.
    pub flask_remember_cookie: String,
    pub session_life: SessionLife,
    /// `None`: as the page came.
    pub secure_cookies: Option<bool>,
    pub trusted_proxies: Vec<IpNet>,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// In seconds; 0: browsers are told nothing.
    pub hsts: u64,
    /// `None` where RATELIMIT_ENABLED is false.
    pub limits: Option<Limits>,
    pub socket_limits: Option<SocketLimits>,
    /// `None`: no numbers are kept over time.
    pub sample_every: Option<Duration>,
    pub log_level: tracing::Level,
    pub log_format: LogFormat,
    pub metrics_addr: Option<std::net::SocketAddr>,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    /// How long a client may leave the server waiting: for a request, its body, or room for an answer.
    pub http_idle: Duration,
    pub max_payload: usize,
    pub max_message_length: usize,
    /// In bytes; 0: there are no attachments.
    pub max_attachment: u64,
    pub attachment_quota: u64,
    pub attachments_dir: PathBuf,
    /// `None` where FLASK_QUEUE is off.
    pub flask_queue: Option<FlaskQueue>,
    /// `None`: no program may send events over HTTP.
    pub emit_token: Option<Token>,
    /// Whom push services may write to.
    pub vapid_subject: String,
    /// Whether push services may be in private networks.
    pub push_allow_private: bool,
    /// What is odd, but no reason not to start.
    pub warnings: Vec<String>,
    values: Values,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl Config {
    /// `command_line` holds the settings given as options, under their names.
    pub fn load(command_line: HashMap<&'static str, String>) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::from_sources(command_line, environment, read_dot_env(Path::new(".env"))?)
    }

    pub fn from_sources(
        command_line: HashMap<&'static str, String>,
        environment: HashMap<String, String>,
        dot_env: HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let warnings = misspelled(&dot_env);
        let mut values = Values(HashMap::new());
        for setting in SETTINGS {
            let sources = [
                (Origin::CommandLine, command_line.get(setting.name)),
                (Origin::Environment, environment.get(setting.name)),
                (Origin::DotEnv, dot_env.get(setting.name)),
            ];
            // An empty value is no value: `SECRET_KEY=` in a template of an .env sets nothing.
            let found =
                sources.into_iter().find_map(|(origin, value)| Some((value.filter(|v| !v.is_empty())?, origin)));
            let (value, origin) = found.map_or((setting.default.into(), Origin::Default), |(v, o)| (v.clone(), o));
            values.0.insert(setting.name, (Zeroizing::new(value), origin));
        }
        values.check(warnings)
    }

    /// One line a setting: name, value (secrets hidden), origin.
    pub fn lines(&self) -> Vec<String> {
        SETTINGS.iter().map(|setting| self.values.line(setting)).collect()
    }

    /// Each setting with its value, unless it is a secret; whether it has one; and where that came from.
    pub fn in_force(&self) -> impl Iterator<Item = (&'static Setting, Option<String>, bool, Origin)> {
        SETTINGS.iter().map(|setting| {
            let (value, origin) = &self.values.0[setting.name];
            (setting, self.values.shown(setting), !value.is_empty(), *origin)
        })
    }

    /// Where each value came from.
    pub fn origins(&self) -> impl Iterator<Item = Origin> {
        SETTINGS.iter().map(|setting| self.values.0[setting.name].1)
    }

    /// Name and value of each setting that is no secret, for templates.
    pub fn public_values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let open = SETTINGS.iter().filter(|setting| !setting.secret && setting.name != "DATABASE_URL");
        open.map(|setting| (setting.name, self.values.get(setting.name)))
    }
}

fn read_dot_env(path: &Path) -> Result<HashMap<String, String>, ConfigError> {
    let entries = match dotenvy::from_path_iter(path) {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(error) => return Err(ConfigError::DotEnv(error.to_string())),
    };
    // A line that cannot be parsed is not repeated: it may hold a secret.
    entries
        .map(|entry| entry.map_err(|_| ConfigError::DotEnv("one of its lines is not of the form NAME=value".into())))
        .collect()
}

/// An `.env` may be shared with other programs, so foreign names are fine; what is nearly one of ours is most likely a slip.
fn misspelled(dot_env: &HashMap<String, String>) -> Vec<String> {
    let is_ours = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
    let mut warnings: Vec<_> = dot_env
        .keys()
        .filter(|name| !is_ours(name))
        .filter_map(|name| {
            let distance = |setting: &Setting| strsim::damerau_levenshtein(setting.name, name);
            let near = SETTINGS.iter().min_by_key(|setting| distance(setting))?;
            if distance(near) > (near.name.len() / 5).max(1) {
                return None;
            }
            Some(format!(".env sets {name}, which is no setting. Did you mean {}?", near.name))
        })
        .collect();
    warnings.sort();
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(environment: &[(&str, &str)], dot_env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Config::from_sources(HashMap::new(), map(environment), map(dot_env))
    }

    #[test]
    fn the_environment_wins_over_dot_env_and_that_over_the_default() {
        let config = load(&[("PORT", "1")], &[("PORT", "2"), ("PING_TIMEOUT", "7")]).unwrap();
        assert_eq!(config.port, 1);
        assert_eq!(config.ping_timeout, Duration::from_secs(7));
        assert_eq!(config.ping_interval, Duration::from_secs(25));
        let lines = config.lines().join("\n");
        assert!(lines.contains("PORT = 1  (environment)"), "{lines}");
        assert!(lines.contains("PING_TIMEOUT = 7  (.env)"), "{lines}");
    }

    #[test]
    fn a_malformed_value_names_the_setting_and_where_it_came_from() {
        let error = load(&[], &[("PORT", "five")]).unwrap_err().to_string();
        assert_eq!(error, "PORT (from the .env): \"five\" is not a port number from 0 to 65535.");
    }

    #[test]
    fn production_refuses_a_missing_or_well_known_secret_key() {
        for key in ["", "your-secret-key-change-this", "dev", "short"] {
            assert!(load(&[("FLASK_ENV", "production"), ("SECRET_KEY", key)], &[]).is_err(), "{key}");
        }
        assert!(load(&[("FLASK_ENV", "production"), ("SECRET_KEY", "0123456789abcdef0123")], &[]).is_ok());
    }

    #[test]
    fn a_name_that_is_nearly_ours_gets_a_warning_and_a_foreign_one_none() {
        let slips = [("PROT", "1"), ("SECRETKEY", "x"), ("TRUSTED_PROXY", "x"), ("LOGLEVEL", "x")];
        assert_eq!(load(&[], &slips).unwrap().warnings.len(), slips.len());
        for name in [
            "CELERY_BROKER",
            "FLASK_APP",
            "FLASK_DEBUG",
            "REDIS_HOST",
            "SESSION_COOKIE_SAMESITE",
            "SQLALCHEMY_DATABASE_URI",
        ] {
            assert_eq!(load(&[], &[(name, "x")]).unwrap().warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn the_queue_needs_a_redis_and_says_what_is_wrong_with_its_url() {
        let queue = |pairs: &[(&str, &str)]| load(&[pairs, &[("FLASK_QUEUE", "on")]].concat(), &[]);
        assert!(queue(&[]).unwrap_err().to_string().contains("REDIS_URL"));
        for url in ["redis://:hidden@h:port", "amqp://hidden@h", "rediss://:hidden@h", "hidden"] {
            let error = queue(&[("REDIS_URL", url)]).unwrap_err().to_string();
            assert!(error.starts_with("REDIS_URL (from the environment)") && !error.contains("hidden"), "{error}");
        }
        for url in ["redis://", "redis:///2", "redis://:p@h:6379/1", "unix:///run/redis.sock"] {
            assert!(queue(&[("SOCKETIO_MESSAGE_QUEUE", url)]).unwrap().flask_queue.is_some(), "{url}");
        }
        let unused = load(&[("REDIS_URL", "redis://h")], &[]).unwrap();
        assert_eq!(unused.warnings, ["REDIS_URL is set, but not used: FLASK_QUEUE is off"]);
        assert!(unused.flask_queue.is_none());
    }

    #[test]
    fn a_short_emit_token_is_refused() {
        assert!(load(&[("EMIT_TOKEN", "too short")], &[]).is_err());
        assert!(load(&[("EMIT_TOKEN", &"x".repeat(32))], &[]).unwrap().emit_token.is_some());
    }

    #[test]
    fn no_secret_is_shown() {
        let secrets = [
            ("SECRET_KEY", "s3cret-s3cret-s3cret"),
            ("MASTER_KEY", "m4ster"),
            ("MASTER_KEY_PASSPHRASE", "phr4se"),
            ("DATABASE_URL", "postgresql://u:p4ss@h/d"),
            ("REDIS_URL", "redis://:r3dis@h"),
            ("SOCKETIO_MESSAGE_QUEUE", "redis://:qu3ue@h"),
            ("FLASK_QUEUE", "on"),
            ("EMIT_TOKEN", "3mit-3mit-3mit-3mit-3mit-3mit-3mit"),
        ];
        let config = load(&secrets, &[]).unwrap();
        let shown = format!("{:?} {config:?}", config.lines());
        for secret in ["s3cret", "m4ster", "phr4se", "p4ss", "r3dis", "qu3ue", "3mit"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
