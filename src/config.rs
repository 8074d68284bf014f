//! Every setting: its name, default, meaning and check, and where the value in force came from.
//!
//! The command line wins over the environment, that over `.env` in the working folder, that over the default.
//! The names are Flask's and Flask-SocketIO's where they have one, so that a deployment's `.env` goes on working.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use zeroize::Zeroizing;

use crate::types::{DatabaseUrl, KeySource, Rate, Token};

/// A setting as people see it.
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub secret: bool,
    pub doc: &'static str,
}

const fn setting(name: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting { name, default, secret: false, doc }
}

const fn secret(name: &'static str, doc: &'static str) -> Setting {
    Setting { name, default: "", secret: true, doc }
}

/// The one list of settings.
pub const SETTINGS: &[Setting] = &[
    setting("HOST", "127.0.0.1", "Address to listen on; 0.0.0.0 for every address of the machine"),
    setting("PORT", "5000", "Port to listen on; 0 takes a free one"),
    setting(
        "FLASK_ENV",
        "development",
        "development or production; production wants a SECRET_KEY and shows no details of errors",
    ),
    secret("SECRET_KEY", "Goes into what browsers hold: who changes it ends all sessions"),
    setting(
        "DATABASE_URL",
        "sqlite:///chat_app.db",
        "sqlite:///relative.db, sqlite:////absolute.db or postgresql://user:password@host/database",
    ),
    setting("MASTER_KEY_FILE", "master.key", "The key of all data; made at the first start"),
    secret("MASTER_KEY", "The key itself, instead of the file; several, newest first, are separated by spaces"),
    secret("MASTER_KEY_PASSPHRASE", "Opens the key file, which is then of no use to who has it alone"),
    setting("BACKUP_DIR", "", "Folder of backups (default: backups, beside the database)"),
    setting("BACKUP_EVERY", "0", "Hours between two backups that are made by themselves; 0: none are"),
    setting("BACKUP_KEEP", "7", "How many of those are kept"),
    setting("STATIC_DIR", "", "Folder of /static (default: ./static where it exists, else the built-in page)"),
    setting("TEMPLATES_DIR", "", "Folder of index.html (default: ./templates where it exists, else the built-in page)"),
    setting("CORS_ALLOWED_ORIGINS", "", "Origins besides our own that may connect, separated by commas; * for all"),
    setting("GUEST_ACCESS", "open", "open: anyone may type a name and chat; off: accounts only"),
    setting(
        "REGISTRATION",
        "open",
        "Who may make an account: open (anyone), invite (who has a link) or closed (nobody)",
    ),
    setting("ADMIN_REQUIRE_2FA", "false", "Whether owners and admins have their rights only with a second factor"),
    setting("PERMANENT_SESSION_LIFETIME", "2678400", "Seconds after which one must log in again"),
    setting("SESSION_IDLE_TIMEOUT", "604800", "Seconds without a visit after which one must log in again"),
    setting("SESSION_COOKIE_SECURE", "", "true: cookies over HTTPS alone (default: where the page came over HTTPS)"),
    setting(
        "FLASK_SESSION_USER",
        "",
        "Key of a Flask session that has the name of an account, such as username: its cookie signs in once",
    ),
    setting("SESSION_COOKIE_NAME", "session", "Cookie of those Flask sessions"),
    setting(
        "FLASK_REMEMBER_COOKIE",
        "",
        "Flask-Login's cookie, such as remember_token, where its ids are names of accounts",
    ),
    setting("TRUSTED_PROXIES", "", "Proxies whose X-Forwarded-For is believed, such as 127.0.0.1, 10.0.0.0/8"),
    setting("TLS_CERT", "", "Certificate with its chain (PEM); with TLS_KEY the server speaks HTTPS and wss alone"),
    setting("TLS_KEY", "", "The certificate's private key (PEM); both files are read again when they change"),
    setting(
        "HSTS_MAX_AGE",
        "0",
        "Seconds for which browsers that were here refuse plain HTTP from this whole host; 0 says nothing of it",
    ),
    setting("RATELIMIT_ENABLED", "true", "Limits of how often one may do what; false for load tests"),
    setting("RATELIMIT_MESSAGES", "5/s burst 20", "Messages of one person"),
    setting("RATELIMIT_LOGINS", "3/m burst 5", "Failed logins to one account, and from one address"),
    setting("RATELIMIT_ROOM_PASSWORDS", "1/m burst 5", "Wrong group passwords of one person, and from one address"),
    setting("RATELIMIT_REGISTRATIONS", "3/h", "New accounts from one address (those by invitation do not count)"),
    setting("RATELIMIT_ROOMS", "5/h", "New groups of one person"),
    setting(
        "RATELIMIT_MODERATION",
        "6/m burst 30",
        "What one person does as moderator of a group; the server's own moderators are free",
    ),
    setting("MAX_SOCKETS_PER_ACCOUNT", "20", "Connections that one account may have"),
    setting("MAX_SOCKETS_PER_ADDRESS", "100", "Connections that one address may have"),
    setting("JOIN_TIMEOUT", "30", "Seconds after which a connection that has not joined the chat is closed"),
    secret("REDIS_URL", "Redis of Flask-SocketIO's message queue, such as redis://:password@host:6379/0"),
    secret("SOCKETIO_MESSAGE_QUEUE", "The same, where the queue has a Redis of its own"),
    setting(
        "FLASK_QUEUE",
        "off",
        "on: events of Flask-SocketIO's message queue, as Celery workers send them, reach clients",
    ),
    setting("FLASK_QUEUE_CHANNEL", "flask-socketio", "Channel of the message queue"),
    setting(
        "FLASK_QUEUE_FORM",
        "arguments",
        "What a list in a message is: arguments (python-socketio from 5.15.1 on), or one value (5.14.2 to 5.15.0)",
    ),
    secret("EMIT_TOKEN", "At least 32 characters: programs that show it may send events with POST /api/emit"),
    setting("LOG_LEVEL", "info", "error, warn, info, debug or trace"),
    setting("LOG_FORMAT", "text", "text or json"),
    setting("METRICS_ADDR", "", "Address and port for Prometheus, such as 127.0.0.1:9100 (default: none)"),
    setting("PING_INTERVAL", "25", "Seconds between two pings of a connection"),
    setting("PING_TIMEOUT", "20", "Seconds to wait for the answer to a ping"),
    setting("MAX_HTTP_BUFFER_SIZE", "1000000", "Largest packet that a client may send, in bytes"),
    setting("MAX_ATTACHMENT_SIZE", "25000000", "Largest file that can be attached, in bytes; 0 takes none"),
    setting(
        "ATTACHMENTS_QUOTA",
        "1000000000",
        "Bytes that the files of one account may have in all; guests have as many together",
    ),
    setting("ATTACHMENTS_DIR", "attachments", "Folder of attached files; several machines must share it"),
    setting("MAX_MESSAGE_LENGTH", "10000", "Longest message, in characters"),
];

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
    /// May hold a password: never shown. `None` where there is none.
    pub redis_url: Option<Zeroizing<String>>,
    /// `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// In seconds; 0: browsers are told nothing.
    pub hsts: u64,
    /// `None` where RATELIMIT_ENABLED is false.
    pub limits: Option<Limits>,
    pub socket_limits: Option<SocketLimits>,
    pub log_level: tracing::Level,
    pub log_format: LogFormat,
    pub metrics_addr: Option<std::net::SocketAddr>,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
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

#[derive(Clone)]
struct Values(HashMap<&'static str, (Zeroizing<String>, Origin)>);

impl Values {
    fn get(&self, name: &str) -> &str {
        &self.0[name].0
    }

    fn error(&self, name: &'static str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Value { name, origin: self.0[name].1, problem: problem.into() }
    }

    /// A value as another type; `expected` says which, for people.
    fn parse<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<T, ConfigError> {
        let value = self.get(name);
        value.parse().map_err(|_| self.error(name, format!("\"{value}\" is not {expected}")))
    }

    fn between(&self, name: &'static str, low: usize, high: usize) -> Result<usize, ConfigError> {
        let expected = format!("a whole number from {low} to {high}");
        let value = self.parse(name, &expected)?;
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(self.error(name, format!("{value} is not {expected}")))
    }

    fn choice<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let value = self.get(name);
        let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(value));
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.error(name, format!("\"{value}\" is none of {}", words.join(", ")))
        })
    }

    fn seconds(&self, name: &'static str) -> Result<Duration, ConfigError> {
        self.between(name, 1, 3600).map(|seconds| Duration::from_secs(seconds as u64))
    }

    /// How long something lasts that outlives a visit: up to ten years, in seconds.
    fn life(&self, name: &'static str) -> Result<Duration, ConfigError> {
        self.between(name, 1, 315_360_000).map(|seconds| Duration::from_secs(seconds as u64))
    }

    /// A folder that must exist, or else the one of that name in the working folder where there is one.
    fn folder(&self, name: &'static str, usual: &str) -> Result<Option<PathBuf>, ConfigError> {
        let value = self.get(name);
        if value.is_empty() {
            return Ok(Some(PathBuf::from(usual)).filter(|folder| folder.is_dir()));
        }
        let folder = PathBuf::from(value);
        if !folder.is_dir() {
            return Err(self.error(name, format!("there is no folder {value}")));
        }
        Ok(Some(folder))
    }

    fn check(self, mut warnings: Vec<String>) -> Result<Config, ConfigError> {
        let production =
            self.choice("FLASK_ENV", &[("development", false), ("production", true), ("testing", false)])?;
        let flask_queue = self.flask_queue()?;
        let redis = ["REDIS_URL", "SOCKETIO_MESSAGE_QUEUE"].into_iter().find(|name| !self.get(name).is_empty());
        if let (Some(name), None) = (redis, &flask_queue) {
            warnings.push(format!("{name} is set, but not used: FLASK_QUEUE is off"));
        }
        let (host, trusted_proxies) = (self.host()?, self.trusted_proxies()?);
        let (tls, hsts) = self.tls(&mut warnings)?;
        if tls.is_none() && trusted_proxies.is_empty() && !host.is_loopback() {
            warnings.push(format!(
                "this server speaks plain HTTP on {host}: whoever is on the network between can read and change what people write, and take their passwords. Set TLS_CERT and TLS_KEY, or put a proxy with TLS in front and name it in TRUSTED_PROXIES"
            ));
        }
        Ok(Config {
            host,
            port: self.parse("PORT", "a port number from 0 to 65535")?,
            production,
            secret_key: self.secret_key(production)?,
            database: self
                .get("DATABASE_URL")
                .parse()
                .map_err(|problem: String| self.error("DATABASE_URL", problem))?,
            master_key: self.master_key(),
            backups: Backups {
                folder: Some(self.get("BACKUP_DIR")).filter(|folder| !folder.is_empty()).map(PathBuf::from),
                every: match self.between("BACKUP_EVERY", 0, 8_760)? {
                    0 => None,
                    hours => Some(Duration::from_secs(hours as u64 * 3_600)),
                },
                keep: self.between("BACKUP_KEEP", 1, 100_000)?,
            },
            static_dir: self.folder("STATIC_DIR", "static")?,
            templates_dir: self.folder("TEMPLATES_DIR", "templates")?,
            allowed_origins: self.allowed_origins()?,
            guests: self.choice("GUEST_ACCESS", &[("open", true), ("off", false)])?,
            registration: self.choice(
                "REGISTRATION",
                &[("open", Registration::Open), ("invite", Registration::Invite), ("closed", Registration::Closed)],
            )?,
            admins_need_second_factor: self.switch("ADMIN_REQUIRE_2FA")?,
            flask_session_user: self.get("FLASK_SESSION_USER").to_owned(),
            flask_session_cookie: self.get("SESSION_COOKIE_NAME").to_owned(),
            flask_remember_cookie: self.get("FLASK_REMEMBER_COOKIE").to_owned(),
            session_life: SessionLife {
                total: self.life("PERMANENT_SESSION_LIFETIME")?,
                idle: self.life("SESSION_IDLE_TIMEOUT")?,
            },
            secure_cookies: match self.get("SESSION_COOKIE_SECURE") {
                "" => None,
                _ => Some(self.switch("SESSION_COOKIE_SECURE")?),
            },
            redis_url: Some(self.get("REDIS_URL")).filter(|url| !url.is_empty()).map(|url| url.to_owned().into()),
            trusted_proxies,
            tls,
            hsts,
            limits: self.limits()?,
            socket_limits: self.socket_limits()?,
            log_level: self.parse("LOG_LEVEL", "one of error, warn, info, debug, trace")?,
            log_format: self.choice("LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
            metrics_addr: match self.get("METRICS_ADDR") {
                "" => None,
                _ => Some(self.parse("METRICS_ADDR", "an address and a port such as 127.0.0.1:9100")?),
            },
            ping_interval: self.seconds("PING_INTERVAL")?,
            ping_timeout: self.seconds("PING_TIMEOUT")?,
            max_payload: self.between("MAX_HTTP_BUFFER_SIZE", 1_000, 100_000_000)?,
            max_message_length: self.between("MAX_MESSAGE_LENGTH", 1, 1_000_000)?,
            max_attachment: self.between("MAX_ATTACHMENT_SIZE", 0, 100_000_000_000)? as u64,
            attachment_quota: self.between("ATTACHMENTS_QUOTA", 0, 1_000_000_000_000_000)? as u64,
            attachments_dir: self.get("ATTACHMENTS_DIR").into(),
            flask_queue,
            emit_token: self.emit_token()?,
            warnings,
            values: self,
        })
    }

    fn line(&self, setting: &Setting) -> String {
        let (value, origin) = &self.0[setting.name];
        let shown = match setting.name {
            "DATABASE_URL" => value.parse::<DatabaseUrl>().map_or_else(|_| "(malformed)".into(), |url| url.describe()),
            _ if value.is_empty() => "(not set)".into(),
            _ if setting.secret => "(hidden)".into(),
            _ => value.to_string(),
        };
        format!("{} = {shown}  ({origin})", setting.name)
    }

    fn host(&self) -> Result<IpAddr, ConfigError> {
        match self.get("HOST") {
            "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            _ => self.parse("HOST", "an IP address (0.0.0.0 listens on all of them)"),
        }
    }

    fn switch(&self, name: &'static str) -> Result<bool, ConfigError> {
        let words = [
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
            ("on", true),
            ("off", false),
            ("yes", true),
            ("no", false),
        ];
        self.choice(name, &words)
    }

    fn secret_key(&self, production: bool) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
        /// What tutorials, templates and the original app have in its place.
        const WELL_KNOWN: [&str; 9] = [
            "your-secret-key-change-this",
            "your-secret-key",
            "your_secret_key",
            "secret!",
            "secret",
            "dev",
            "change-me",
            "changeme",
            "secret_key",
        ];
        const HELP: &str = "make one with: python3 -c 'import secrets; print(secrets.token_hex(32))'";

        let value = self.get("SECRET_KEY");
        // Who knows it could make a cookie for anybody.
        let by_cookie =
            ["FLASK_SESSION_USER", "FLASK_REMEMBER_COOKIE"].into_iter().find(|name| !self.get(name).is_empty());
        let needed_by = if production { Some("FLASK_ENV=production") } else { by_cookie };
        if let Some(name) = needed_by.filter(|_| value.is_empty()) {
            return Err(self.error("SECRET_KEY", format!("{name} needs one; {HELP}")));
        }
        if needed_by.is_some() && (WELL_KNOWN.contains(&value.to_lowercase().as_str()) || value.len() < 16) {
            return Err(self.error("SECRET_KEY", format!("this one is well known or too short to be a secret; {HELP}")));
        }
        Ok(Zeroizing::new(value.as_bytes().to_vec()))
    }

    fn flask_queue(&self) -> Result<Option<FlaskQueue>, ConfigError> {
        if !self.switch("FLASK_QUEUE")? {
            return Ok(None);
        }
        let urls = ["SOCKETIO_MESSAGE_QUEUE", "REDIS_URL"].into_iter().find(|name| !self.get(name).is_empty());
        let name = urls.ok_or_else(|| self.error("FLASK_QUEUE", "it needs REDIS_URL or SOCKETIO_MESSAGE_QUEUE"))?;
        // Flask-SocketIO's own examples have `redis://`, which is this machine.
        let url = match self.get(name).strip_prefix("redis://") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                Zeroizing::new(format!("redis://127.0.0.1{rest}"))
            }
            _ => Zeroizing::new(self.get(name).to_owned()),
        };
        // The library's words could repeat the password.
        let client = redis::Client::open(url.as_str()).map_err(|_| {
            self.error(name, "not the URL of a Redis such as redis://:password@host:6379/0 (without TLS)")
        })?;
        let form =
            self.choice("FLASK_QUEUE_FORM", &[("arguments", QueueForm::Arguments), ("value", QueueForm::Value)])?;
        Ok(Some(FlaskQueue { client, channel: self.get("FLASK_QUEUE_CHANNEL").to_owned(), form }))
    }

    fn emit_token(&self) -> Result<Option<Token>, ConfigError> {
        const HELP: &str = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'";

        match self.get("EMIT_TOKEN") {
            "" => Ok(None),
            token if token.len() < 32 => Err(self.error("EMIT_TOKEN", format!("has fewer than 32 characters; {HELP}"))),
            token => Token::try_from(token.to_owned())
                .map(Some)
                .map_err(|_| self.error("EMIT_TOKEN", format!("too long; {HELP}"))),
        }
    }

    fn limits(&self) -> Result<Option<Limits>, ConfigError> {
        let rate = |name| self.parse(name, "a rate such as 5/s, 3/m, 10/h or 5/s burst 20");
        let limits = Limits {
            sends: rate("RATELIMIT_MESSAGES")?,
            logins: rate("RATELIMIT_LOGINS")?,
            room_passwords: rate("RATELIMIT_ROOM_PASSWORDS")?,
            registrations: rate("RATELIMIT_REGISTRATIONS")?,
            rooms: rate("RATELIMIT_ROOMS")?,
            moderation: rate("RATELIMIT_MODERATION")?,
        };
        Ok(self.switch("RATELIMIT_ENABLED")?.then_some(limits))
    }

    fn socket_limits(&self) -> Result<Option<SocketLimits>, ConfigError> {
        let limits = SocketLimits {
            per_account: self.between("MAX_SOCKETS_PER_ACCOUNT", 1, 1_000_000)?,
            per_address: self.between("MAX_SOCKETS_PER_ADDRESS", 1, 1_000_000)?,
            join_timeout: self.seconds("JOIN_TIMEOUT")?,
        };
        Ok(self.switch("RATELIMIT_ENABLED")?.then_some(limits))
    }

    fn trusted_proxies(&self) -> Result<Vec<IpNet>, ConfigError> {
        let value = self.get("TRUSTED_PROXIES");
        let network = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
        words
            .map(|word| {
                network(word).map_err(|_| {
                    self.error(
                        "TRUSTED_PROXIES",
                        format!("\"{word}\" is neither an IP address nor a network such as 10.0.0.0/8"),
                    )
                })
            })
            .collect()
    }

    /// The files, and for how long browsers are to insist.
    fn tls(&self, warnings: &mut Vec<String>) -> Result<(Option<TlsFiles>, u64), ConfigError> {
        let hsts = self.between("HSTS_MAX_AGE", 0, 315_360_000)? as u64;
        let files = match [self.get("TLS_CERT"), self.get("TLS_KEY")] {
            ["", ""] => None,
            ["", _] => return Err(self.error("TLS_CERT", "TLS_KEY is set, and a key without a certificate is no use")),
            [_, ""] => return Err(self.error("TLS_KEY", "TLS_CERT is set, and a certificate needs its key")),
            [certificate, key] => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
        };
        if hsts > 0 && files.is_none() {
            warnings.push("HSTS_MAX_AGE is set, but without TLS_CERT it is for the proxy to say".into());
        }
        Ok((files, hsts))
    }

    fn master_key(&self) -> KeySource {
        match self.get("MASTER_KEY") {
            "" => {
                let passphrase = Some(self.get("MASTER_KEY_PASSPHRASE")).filter(|passphrase| !passphrase.is_empty());
                let passphrase = passphrase.map(|passphrase| Zeroizing::new(passphrase.to_owned()));
                KeySource::File(self.get("MASTER_KEY_FILE").into(), passphrase)
            }
            key => KeySource::Environment(Zeroizing::new(key.to_owned())),
        }
    }

    fn allowed_origins(&self) -> Result<AllowedOrigins, ConfigError> {
        let value = self.get("CORS_ALLOWED_ORIGINS");
        let origins: Vec<_> = value.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
        if origins.contains(&"*") {
            return Ok(AllowedOrigins::Any);
        }
        let is_origin = |origin: &str| {
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        if let Some(wrong) = origins.iter().find(|origin| !is_origin(origin)) {
            return Err(self.error(
                "CORS_ALLOWED_ORIGINS",
                format!(
                    "\"{wrong}\" is no origin: write scheme and host as in https://chat.example.org, without a path"
                ),
            ));
        }
        Ok(AllowedOrigins::List(origins.into_iter().map(str::to_owned).collect()))
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

/// An `.env` may be shared with other programs, so foreign names are fine; one letter off ours is most likely a slip.
fn misspelled(dot_env: &HashMap<String, String>) -> Vec<String> {
    let is_ours = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
    let mut warnings: Vec<_> = dot_env
        .keys()
        .filter(|name| !is_ours(name))
        .filter_map(|name| {
            let near = SETTINGS.iter().find(|setting| strsim::damerau_levenshtein(setting.name, name) == 1)?;
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
    fn a_name_one_letter_off_gets_a_warning_and_a_foreign_one_none() {
        let config = load(&[], &[("CELERY_BROKER", "x"), ("PROT", "1"), ("SECRETKEY", "x")]).unwrap();
        assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
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
