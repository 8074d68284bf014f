//! Turns the values of settings into what they mean, or says what is wrong with one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use zeroize::Zeroizing;

use super::{
    AllowedOrigins, Backups, Config, ConfigError, FlaskQueue, Limits, LogFormat, Origin, QueueForm, Registration,
    SessionLife, Setting, SocketLimits, TlsFiles,
};
use crate::types::{DatabaseUrl, KeySource, Token};

#[derive(Clone)]
pub(super) struct Values(pub HashMap<&'static str, (Zeroizing<String>, Origin)>);

impl Values {
    pub fn get(&self, name: &str) -> &str {
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

    pub fn check(self, mut warnings: Vec<String>) -> Result<Config, ConfigError> {
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
            trusted_proxies,
            tls,
            hsts,
            limits: self.limits()?,
            socket_limits: self.socket_limits()?,
            sample_every: match self.between("SAMPLE_EVERY", 0, 86_400)? {
                0 => None,
                seconds => Some(Duration::from_secs(seconds as u64)),
            },
            log_level: self.parse("LOG_LEVEL", "one of error, warn, info, debug, trace")?,
            log_format: self.choice("LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
            metrics_addr: match self.get("METRICS_ADDR") {
                "" => None,
                _ => Some(self.parse("METRICS_ADDR", "an address and a port such as 127.0.0.1:9100")?),
            },
            ping_interval: self.seconds("PING_INTERVAL")?,
            ping_timeout: self.seconds("PING_TIMEOUT")?,
            http_idle: self.seconds("HTTP_IDLE_TIMEOUT")?,
            max_payload: self.between("MAX_HTTP_BUFFER_SIZE", 1_000, 100_000_000)?,
            max_message_length: self.between("MAX_MESSAGE_LENGTH", 1, 1_000_000)?,
            max_attachment: self.between("MAX_ATTACHMENT_SIZE", 0, 100_000_000_000)? as u64,
            attachment_quota: self.between("ATTACHMENTS_QUOTA", 0, 1_000_000_000_000_000)? as u64,
            attachments_dir: self.get("ATTACHMENTS_DIR").into(),
            flask_queue,
            emit_token: self.emit_token()?,
            vapid_subject: self.vapid_subject()?,
            push_allow_private: self.switch("PUSH_ALLOW_PRIVATE")?,
            warnings,
            values: self,
        })
    }

    pub fn line(&self, setting: &Setting) -> String {
        let (value, origin) = &self.0[setting.name];
        let shown = match self.shown(setting) {
            _ if value.is_empty() => "(not set)".into(),
            Some(shown) => shown,
            None => "(hidden)".into(),
        };
        format!("{} = {shown}  ({origin})", setting.name)
    }

    /// A value as people may see it; `None` of a secret.
    pub fn shown(&self, setting: &Setting) -> Option<String> {
        let value = self.get(setting.name);
        match setting.name {
            "DATABASE_URL" => {
                Some(value.parse::<DatabaseUrl>().map_or_else(|_| "(malformed)".into(), |url| url.describe()))
            }
            _ if setting.secret => None,
            _ => Some(value.to_owned()),
        }
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

    fn vapid_subject(&self) -> Result<String, ConfigError> {
        let value = self.get("VAPID_SUBJECT");
        let is_mail = value.strip_prefix("mailto:").and_then(|address| address.split_once('@'));
        let is_mail = is_mail.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        let is_page = value.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"));
        match (is_mail || is_page) && !value.contains(char::is_whitespace) {
            true => Ok(value.to_owned()),
            false => Err(self.error(
                "VAPID_SUBJECT",
                format!("\"{value}\" is neither mailto: with an address, such as mailto:ann@example.org, nor an https: address"),
            )),
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
