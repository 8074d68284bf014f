//! Starting: what the first start makes, and every reason not to start, in one clear line that says what to do.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::client::Client;
use crate::server::{Server, fingerprints, run};

#[tokio::test]
async fn the_first_start_says_what_it_made_and_how_to_own_it() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let greeting = server.greeting.clone();
    let lines: Vec<_> = greeting.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with("Made the database chat_app.db (in /"), "{lines:?}");
    assert!(lines[1].starts_with("Made the key master.key"), "{lines:?}");
    assert!(lines[2].starts_with("Back up both"), "{lines:?}");
    assert!(lines[3].starts_with("Nobody owns this server yet."), "{lines:?}");
    for file in ["master.key", "chat_app.db"] {
        let mode = fs::metadata(server.folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let again = server.crash_and_restart();
    assert_eq!(again.greeting.lines().count(), 1, "the second start makes nothing but a new link: {}", again.greeting);
    assert!(again.greeting.starts_with("Nobody owns"), "{}", again.greeting);
    assert_ne!(again.greeting.lines().next(), Some(lines[3]));
}

#[tokio::test]
async fn a_second_server_on_the_same_database_does_not_start() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let ended = run(server.folder.path(), &["serve"], &[("PORT", "0")]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("another secure-chat server runs on the database chat_app.db"), "{}", ended.stderr);
    assert_eq!(server.command(&["keys", "status"], "").code, 0, "commands work beside it");
    // However a server ends, the next one starts.
    Client::join(&server.crash_and_restart(), "ann").await;
}

/// Starts once, so that there is a database with its key; then hands over the folder.
fn used_folder() -> tempfile::TempDir {
    let (status, folder) = Server::start_with(&[]).stop();
    assert_eq!(status.code(), Some(0));
    folder
}

#[test]
fn a_wrong_missing_or_open_key_ends_with_code_3_and_nothing_is_written() {
    if std::env::var("TEST_POSTGRES").is_ok() {
        return;
    }
    let folder = used_folder();
    let key = folder.path().join("master.key");
    let original = fs::read_to_string(&key).unwrap();
    let before = fingerprints(folder.path());

    fs::remove_file(&key).unwrap();
    let ended = run(folder.path(), &["serve"], &[]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("master.key is missing"), "{}", ended.stderr);

    let cut = &original[..30];
    for (content, problem) in [
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "sealed with another key"),
        (cut, "line 1 is not a Fernet key"),
        ("", "holds no key"),
        ("not a key\n", "line 1 is not a Fernet key"),
    ] {
        fs::write(&key, content).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let ended = run(folder.path(), &["serve"], &[]);
        assert_eq!(ended.code, 3, "{}", ended.stderr);
        assert!(ended.stderr.contains(problem), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(!ended.stderr.contains("AAAA"), "no key in an error");
    }

    fs::write(&key, &original).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = run(folder.path(), &["serve"], &[]);
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    assert_eq!(fingerprints(folder.path()), before);
}

#[tokio::test]
async fn the_key_may_come_from_the_environment() {
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let server = Server::start_with(&[("MASTER_KEY", key)]);
    Client::join(&server, "ann").await;
    assert!(!server.folder.path().join("master.key").exists());
    Client::join(&server.crash_and_restart(), "ann").await;
}

type Settings<'a> = &'a [(&'a str, &'a str)];

#[test]
fn what_cannot_work_is_one_line_that_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fs::write(folder.path().join("chat_data.db"), "gAAAAABm_not_a_database".repeat(50)).unwrap();
    let cases: &[(Settings, i32, &str)] = &[
        (&[("PORT", &port)], 1, "is taken by another program"),
        (&[("PORT", "five")], 2, "PORT (from the environment): \"five\" is not a port number"),
        (&[("HOST", "203.0.113.1")], 1, "HOST"),
        (
            &[("DATABASE_URL", "sqlite:///no/such/folder/chat.db")],
            1,
            "Does the folder exist, and may this user write there",
        ),
        (&[("DATABASE_URL", "sqlite:///chat_data.db")], 1, "another DATABASE_URL"),
        (&[("DATABASE_URL", "sqllite:///chat.db")], 2, "DATABASE_URL (from the environment)"),
        (
            &[("DATABASE_URL", "postgresql://u:p4ssword@127.0.0.1:1/chat")],
            1,
            "cannot open the database postgresql://127.0.0.1:1/chat",
        ),
        (&[("STATIC_DIR", "/no/such/folder")], 2, "STATIC_DIR"),
        (&[("FLASK_ENV", "production")], 2, "SECRET_KEY"),
        (&[("CORS_ALLOWED_ORIGINS", "chat.example.org")], 2, "CORS_ALLOWED_ORIGINS"),
    ];
    for (settings, code, text) in cases {
        let ended = run(folder.path(), &[], settings);
        assert_eq!(ended.code, *code, "{settings:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{settings:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("p4ssword"));
    }
    assert!(!folder.path().join("chat.db").exists(), "a mistyped URL makes no file");
}

#[test]
fn a_locked_database_is_named_as_such() {
    if std::env::var("TEST_POSTGRES").is_ok() {
        return;
    }
    let folder = used_folder();
    // Python's sqlite3, since this is what a colleague's forgotten shell looks like.
    let script = "import sqlite3, sys; c = sqlite3.connect('chat_app.db', isolation_level=None); c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE'); c.execute('UPDATE rooms SET last_seq = last_seq'); print('locked', flush=True); sys.stdin.read()";
    let mut locker = Command::new("python3")
        .args(["-c", script])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(locker.stdout.take().unwrap()), &mut line).unwrap();
    let ended = run(folder.path(), &["serve"], &[]);
    drop(locker.stdin.take());
    locker.wait().unwrap();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("database is locked"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Another program is using it"), "{}", ended.stderr);
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("python3")
        .args([
            "-c",
            "import sqlite3; sqlite3.connect('chat_app.db').execute('CREATE TABLE users (id INTEGER, username TEXT)')",
        ])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(made.success());
    let before = fingerprints(folder.path());
    let ended = run(folder.path(), &[], &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("belongs to another program"), "{}", ended.stderr);
    assert_eq!(fingerprints(folder.path()), before);
}

#[test]
fn a_newer_database_is_left_alone() {
    if std::env::var("TEST_POSTGRES").is_ok() {
        return;
    }
    let folder = used_folder();
    let changed = Command::new("python3")
        .args(["-c", "import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute(\"INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')\"); c.commit(); c.close()"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(changed.success());
    let before = fingerprints(folder.path());
    let ended = run(folder.path(), &[], &[]);
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("newer version of secure-chat"), "{}", ended.stderr);
    assert_eq!(fingerprints(folder.path()), before);
}

#[test]
fn config_shows_what_is_in_force_and_where_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let dot_env = "PORT=7000\nSECRET_KEY=s3cret-s3cret\nCELERY_BROKER=x\nMASTER_KEY_FLIE=other.key\n";
    fs::write(folder.path().join(".env"), dot_env).unwrap();
    let ended = run(folder.path(), &["config", "--ping-timeout", "30"], &[("LOG_LEVEL", "debug")]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // The test's own environment sets PORT, which wins over .env.
    for line in [
        "PORT = 0  (environment)",
        "PING_TIMEOUT = 30  (command line)",
        "LOG_LEVEL = debug  (environment)",
        "SECRET_KEY = (hidden)  (.env)",
        "PING_INTERVAL = 25  (default)",
    ] {
        assert!(ended.stdout.contains(line), "{line} in {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("s3cret"));
    assert!(ended.stderr.contains("MASTER_KEY_FLIE"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("CELERY_BROKER"), "{}", ended.stderr);
}
