//! `secure-chat doctor` on this machine: each thing that can be wrong is named, with what to do; nothing is changed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Ended, Server, fingerprints, run};

/// A report, in which checks are looked for by name.
struct Report {
    code: i32,
    json: Value,
}

impl Report {
    fn of(ended: Ended) -> Self {
        let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}{}", ended.stdout, ended.stderr));
        Self { code: ended.code, json }
    }

    /// Check and message of all that has this level.
    fn told(&self, level: &str) -> Vec<(&str, String)> {
        let checks = self.json["checks"].as_array().unwrap().iter().filter(|check| check["level"] == level);
        checks
            .map(|check| (check["check"].as_str().unwrap(), format!("{} {}", check["message"], check["run"])))
            .collect()
    }

    /// There is one problem, of this check, and its text says so.
    fn assert_problem(&self, check: &str, text: &str) {
        let problems = self.told("problem");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, check, "{problems:?}");
        assert!(problems[0].1.contains(text), "{problems:?}");
        assert_eq!((self.code, self.json["ok"].as_bool()), (1, Some(false)));
    }

    fn assert_well(&self) {
        assert_eq!(self.told("problem"), Vec::<(&str, String)>::new());
        assert_eq!((self.code, self.json["ok"].as_bool()), (0, Some(true)));
    }
}

/// Runs it on a folder; whatever it finds, all files are as before.
fn doctor(folder: &Path, settings: &[(&str, &str)]) -> Report {
    let before = fingerprints(folder);
    let report = Report::of(run(folder, &["doctor", "--json"], settings));
    assert_eq!(fingerprints(folder), before, "the doctor changes nothing");
    report
}

/// A folder in which a server has run, on SQLite.
fn used_folder() -> TempDir {
    let server = Server::start_with(&[]);
    let (status, folder) = server.stop();
    assert_eq!(status.code(), Some(0));
    folder
}

fn is_on_postgres() -> bool {
    std::env::var("TEST_POSTGRES").is_ok()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn python(folder: &Path, script: &str) {
    assert!(Command::new("python3").args(["-c", script]).current_dir(folder).status().unwrap().success());
}

#[test]
fn before_the_first_start_nothing_is_wrong_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let report = doctor(folder.path(), &[]);
    report.assert_well();
    let told = report.told("ok");
    for check in ["key", "database"] {
        assert!(told.iter().any(|(name, text)| *name == check && text.contains("made at the first start")), "{told:?}");
    }
}

#[test]
fn beside_a_running_server_nothing_is_wrong() {
    let server = Server::start();
    let port = server.addr.rsplit(':').next().unwrap().to_owned();
    let report = Report::of(server.command(&["doctor", "--json", "--port", &port], ""));
    report.assert_well();
    let told = report.told("ok");
    assert!(told.iter().any(|(name, text)| *name == "port" && text.contains("a server is running")), "{told:?}");
    assert!(told.iter().any(|(name, text)| *name == "key" && text.contains("opens the database")), "{told:?}");
    assert!(told.iter().any(|(name, _)| *name == "migrations"), "{told:?}");
}

#[test]
fn people_read_a_line_for_each_check_and_the_sum() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), "PROT=1\n").unwrap();
    set_mode(&folder.path().join(".env"), 0o644);
    let ended = run(folder.path(), &["doctor"], &[]);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "This machine");
    assert!(lines[1].starts_with("  note     settings        .env sets PROT"), "{lines:?}");
    assert!(lines.contains(&"  problem  files           .env is open to every user of this machine."), "{lines:?}");
    assert!(lines.iter().any(|line| line.trim() == "chmod 600 .env"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"1 problem, 1 note."));
    assert!(!ended.stdout.contains('\x1b'), "no colours where nobody looks");
}

#[test]
fn a_wrong_missing_or_open_key_is_a_problem() {
    if is_on_postgres() {
        return;
    }
    let folder = used_folder();
    let key = folder.path().join("master.key");
    let original = fs::read_to_string(&key).unwrap();
    doctor(folder.path(), &[]).assert_well();

    set_mode(&key, 0o644);
    doctor(folder.path(), &[]).assert_problem("key", "chmod 600 master.key");
    set_mode(&key, 0o600);
    fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    doctor(folder.path(), &[]).assert_problem("key", "sealed with another key");
    fs::remove_file(&key).unwrap();
    doctor(folder.path(), &[]).assert_problem("key", "is missing");
    fs::write(&key, original).unwrap();
}

#[test]
fn files_that_everybody_can_read_are_named_with_the_command_that_closes_them() {
    if is_on_postgres() {
        return;
    }
    let folder = used_folder();
    set_mode(&folder.path().join("chat_app.db"), 0o644);
    doctor(folder.path(), &[]).assert_problem("files", "chmod 600 chat_app.db");
    set_mode(&folder.path().join("chat_app.db"), 0o600);
    fs::create_dir(folder.path().join("attachments")).unwrap();
    set_mode(&folder.path().join("attachments"), 0o755);
    doctor(folder.path(), &[]).assert_problem("files", "chmod 700 attachments");
}

#[test]
fn a_missing_folder_is_named_with_the_command_that_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let report = doctor(folder.path(), &[("DATABASE_URL", "sqlite:///data/chat.db")]);
    report.assert_problem("files", "mkdir -p -m 700 data");
}

#[test]
fn a_damaged_database_is_a_problem() {
    if is_on_postgres() {
        return;
    }
    let folder = used_folder();
    // All pages but the first, as from a disk that fails.
    let path = folder.path().join("chat_app.db");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    python(
        folder.path(),
        "import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute('CREATE TABLE zz (x)'); c.executemany('INSERT INTO zz VALUES (?)', [('x' * 3000,)] * 50); c.commit(); c.execute('PRAGMA wal_checkpoint(TRUNCATE)'); c.close()",
    );
    assert!(file.metadata().unwrap().len() > length);
    file.write_all_at(&[0xA5; 40_000], length + 8192).unwrap();
    doctor(folder.path(), &[]).assert_problem("database", "is damaged");

    fs::write(&path, "not a database at all".repeat(100)).unwrap();
    doctor(folder.path(), &[]).assert_problem("database", "no SQLite file");
}

#[test]
fn a_newer_database_and_one_of_another_program_are_problems() {
    if is_on_postgres() {
        return;
    }
    let folder = used_folder();
    python(
        folder.path(),
        "import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute(\"INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')\"); c.commit(); c.close()",
    );
    doctor(folder.path(), &[]).assert_problem("database", "newer version of secure-chat");
    python(
        folder.path(),
        "import sqlite3; c = sqlite3.connect('other.db'); c.execute('CREATE TABLE users (id INTEGER)'); c.close()",
    );
    set_mode(&folder.path().join("other.db"), 0o600);
    doctor(folder.path(), &[("DATABASE_URL", "sqlite:///other.db")])
        .assert_problem("database", "belongs to another program");
}

#[test]
fn an_older_database_is_a_note_since_the_start_changes_it() {
    if is_on_postgres() {
        return;
    }
    let folder = used_folder();
    python(
        folder.path(),
        "import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute('DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)'); c.commit(); c.close()",
    );
    let report = doctor(folder.path(), &[]);
    report.assert_well();
    let notes = report.told("note");
    assert!(notes.iter().any(|(name, text)| *name == "migrations" && text.contains("1 change:")), "{notes:?}");
}

#[test]
fn a_postgres_that_does_not_answer_is_a_problem_and_its_password_stays_secret() {
    let folder = tempfile::tempdir().unwrap();
    let report = doctor(folder.path(), &[("DATABASE_URL", "postgresql://ann:p4ssword@127.0.0.1:1/chat")]);
    report.assert_problem("database", "postgresql://127.0.0.1:1/chat");
    assert!(!report.json.to_string().contains("p4ssword"));
}

#[test]
fn a_port_that_another_program_has_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    // It answers in its own way.
    std::thread::spawn(move || {
        for mut stream in taken.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
        }
    });
    doctor(folder.path(), &[("PORT", &port)]).assert_problem("port", "is taken by another program");
}

#[test]
fn redis_is_asked_with_its_password_which_stays_secret() {
    let folder = tempfile::tempdir().unwrap();
    let redis = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = |password: &str| format!("redis://:{password}@{}/0", redis.local_addr().unwrap());
    let (right, wrong) = (url("r3dis"), url("wr0ng"));
    // As much of Redis as the doctor asks: commands are lists of words, each behind a line with its length.
    let listener = redis.try_clone().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut writer = stream.try_clone().unwrap();
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            while let Some(count) = lines.next().and_then(|line| line.strip_prefix('*')?.parse::<usize>().ok()) {
                let words: Vec<_> = lines.by_ref().take(2 * count).skip(1).step_by(2).collect();
                let answer: &[u8] = match (words[0].as_str(), words.last().map(String::as_str)) {
                    ("AUTH", Some("wr0ng")) => b"-WRONGPASS invalid username-password pair\r\n",
                    ("PING", _) => b"+PONG\r\n",
                    _ => b"+OK\r\n",
                };
                writer.write_all(answer).unwrap();
            }
        }
    });
    let report = doctor(folder.path(), &[("FLASK_QUEUE", "on"), ("REDIS_URL", &right)]);
    report.assert_well();
    assert!(report.told("ok").iter().any(|(name, text)| *name == "redis" && text.contains("answers at 127.0.0.1:")));
    let report = doctor(folder.path(), &[("FLASK_QUEUE", "on"), ("REDIS_URL", &wrong)]);
    report.assert_problem("redis", "refuses the password");
    assert!(!report.json.to_string().contains("wr0ng"));
    doctor(folder.path(), &[("FLASK_QUEUE", "on"), ("REDIS_URL", "redis://127.0.0.1:1")])
        .assert_problem("redis", "There is no Redis at 127.0.0.1:1");
}

#[test]
fn plain_http_for_all_the_world_is_a_note() {
    let folder = tempfile::tempdir().unwrap();
    let report = doctor(folder.path(), &[("HOST", "0.0.0.0")]);
    report.assert_well();
    let notes = report.told("note");
    assert!(notes.iter().any(|(name, text)| *name == "https" && text.contains("can then be read")), "{notes:?}");
}

#[test]
fn a_wrong_setting_or_address_ends_with_code_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["doctor"], &[("PORT", "five")]).code, 2);
    let ended = run(folder.path(), &["doctor", "chat.example.org"], &[]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("is no address such as https://"), "{}", ended.stderr);
}

#[test]
fn straight_to_the_server_the_address_is_in_order() {
    let server = Server::start();
    let url = format!("http://{}", server.addr);
    let report = Report::of(server.command(&["doctor", "--json", "--fast", &url], ""));
    report.assert_well();
    let told = report.told("ok");
    for check in ["page", "static files", "origin", "websocket", "upgrade", "long poll", "uploads", "client address"] {
        assert!(told.iter().any(|(name, _)| *name == check), "{check} in {told:?}");
    }
}

#[test]
fn an_address_where_nobody_is_is_one_problem() {
    let folder = tempfile::tempdir().unwrap();
    let report = Report::of(run(folder.path(), &["doctor", "--json", "http://127.0.0.1:1"], &[]));
    report.assert_problem("page", "cannot connect to 127.0.0.1:1");
}
