//! The one list of settings: names, defaults and meanings.

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
    setting(
        "HTTP_IDLE_TIMEOUT",
        "75",
        "Seconds that a connection may wait for a request, its body, or a client that takes nothing of an answer",
    ),
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
    setting(
        "VAPID_SUBJECT",
        "mailto:admin@localhost",
        "mailto: or https: address under which push services reach who runs this server; some refuse the default",
    ),
    setting(
        "PUSH_ALLOW_PRIVATE",
        "false",
        "true: push services may be in private networks and speak plain HTTP; for tests, or one of your own",
    ),
    setting(
        "SAMPLE_EVERY",
        "3600",
        "Seconds between two counts of messages and people, which admins see over time; 0 makes none",
    ),
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
