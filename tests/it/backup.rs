//! Backups: made while people write, sealed, checked, restored; by hand, by a schedule, and before an upgrade.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::attachments::{get, upload};
use crate::client::{Client, ok};
use crate::keys::writer;
use crate::server::{Ended, Server, files, run};

/// A command of this server that takes its time.
fn command(server: &Server, arguments: &[&str]) -> Ended {
    tokio::task::block_in_place(|| server.command(arguments, ""))
}

/// An empty place with the server's key.
fn elsewhere(server: &Server) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(server.folder.path().join("master.key"), folder.path().join("master.key")).unwrap();
    folder
}

fn restore(folder: &Path, backup: &Path) -> Ended {
    tokio::task::block_in_place(|| run(folder, &["restore", backup.to_str().unwrap()], &[]))
}

fn texts(folder: &Path) -> Vec<String> {
    let exported = tokio::task::block_in_place(|| run(folder, &["export", "-"], &[]));
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let lines = exported.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|line| Some(line["message"].as_str()?.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_that_was_acknowledged_before_a_backup_is_in_it() {
    // The whole proof has 20.
    let rounds = std::env::var("BACKUP_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap());
    let server = Server::start();
    if !server.is_on_sqlite() {
        let refused = command(&server, &["backup", "x.backup"]);
        assert!(refused.code == 1 && refused.stderr.contains("pg_dump"), "{}", refused.stderr);
        return;
    }
    for round in 0..rounds {
        let writers: Vec<_> = (0..10).map(|number| writer(&server, format!("r{round}w{number}"))).collect();
        let mut ann = Client::join(&server, "ann").await;
        let mut before = Vec::new();
        for number in 0..50 {
            let text = format!("r{round} before {number}");
            ok(&mut ann, "send_public_message", json!({ "message": text })).await;
            before.push(text);
        }
        let so_far: Vec<String> = writers.iter().flat_map(|writer| writer.written()).collect();
        let backup = server.folder.path().join(format!("{round}.backup"));
        let made = command(&server, &["backup", backup.to_str().unwrap()]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let mut count = 0;
        for writer in writers {
            count += writer.stop().await.len();
        }
        assert!(count > so_far.len(), "people wrote on meanwhile");
        let folder = elsewhere(&server);
        let restored = restore(folder.path(), &backup);
        assert_eq!(restored.code, 0, "{}", restored.stderr);
        let stored = texts(folder.path());
        for text in before.iter().chain(&so_far) {
            assert!(stored.contains(text), "{text} is not in the backup");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_brings_everything_back_and_shows_nothing() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let file = upload(&server, &token, "public", "a.txt", &vec![7; 200_000]).await;
    ok(&mut ann, "send_public_message", json!({ "message": "canary", "attachments": [file["id"]] })).await;
    let backup = server.folder.path().join("all.backup");
    let path = backup.to_str().unwrap();
    assert_eq!(command(&server, &["backup", path]).code, 0);
    let again = command(&server, &["backup", path]);
    assert!(again.code == 1 && again.stderr.contains("is there already"), "{}", again.stderr);
    let bytes = std::fs::read(&backup).unwrap();
    for shown in [&b"canary"[..], b"SQLite format", b"manifest.json", b"ann"] {
        assert!(!bytes.windows(shown.len()).any(|found| found == shown), "{}", String::from_utf8_lossy(shown));
    }

    // Not over what is there, not with another key, not when it is damaged: and nothing is left of the attempts.
    let verify = |folder: &Path, backup: &Path| run(folder, &["backup", "--verify", backup.to_str().unwrap()], &[]);
    let refused = command(&server, &["restore", path]);
    assert!(refused.code == 1 && refused.stderr.contains("Move it away"), "{}", refused.stderr);
    let other = tempfile::tempdir().unwrap();
    let no_key = restore(other.path(), &backup);
    assert!(no_key.code == 3 && no_key.stderr.contains("no master key"), "{}", no_key.stderr);
    run(other.path(), &["user", "list"], &[("DATABASE_URL", "sqlite:///other.db")]);
    let wrong = restore(other.path(), &backup);
    assert!(wrong.code == 3 && wrong.stderr.contains("under another master key"), "{}", wrong.stderr);
    let folder = elsewhere(&server);
    let damaged = folder.path().join("damaged.backup");
    let tests = [
        bytes[..bytes.len() - 1].to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        flipped(&bytes, bytes.len() / 2),
        Vec::new(),
    ];
    for damage in tests {
        std::fs::write(&damaged, damage).unwrap();
        for ended in [restore(folder.path(), &damaged), verify(folder.path(), &damaged)] {
            assert_eq!((ended.code, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
        }
        let names: Vec<_> =
            files(folder.path()).into_iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["damaged.backup", "master.key"]);
    }

    let whole = verify(folder.path(), &backup);
    assert!(
        whole.code == 0 && whole.stdout.contains("1 messages, 1 users, 1 files"),
        "{} {}",
        whole.stdout,
        whole.stderr
    );
    assert_eq!(restore(folder.path(), &backup).code, 0);
    drop(server);
    let server = Server::start_on(folder);
    let mut ann = enter(&server, &token, "ann").await;
    assert_eq!(ok(&mut ann, "get_history", json!({ "room": "public" })).await["messages"][0]["message"], "canary");
    assert_eq!(get(&server, &token, &file["id"]).await.body, vec![7; 200_000]);
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_makes_a_backup_when_one_is_due_and_keeps_as_many_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("kept");
    std::fs::create_dir(&backups).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for name in ["scheduled_20200101_000000.backup", "scheduled_20200102_000000.backup", "mine.backup"] {
        let file = std::fs::File::create(backups.join(name)).unwrap();
        file.set_modified(old).unwrap();
    }
    let settings = [("BACKUP_DIR", backups.to_str().unwrap()), ("BACKUP_EVERY", "1"), ("BACKUP_KEEP", "2")];
    let server = Server::start_with(&settings);
    if !server.is_on_sqlite() {
        return;
    }
    let names = || -> Vec<PathBuf> { files(&backups).into_iter().map(|(path, _)| path).collect() };
    while names().iter().any(|path| path.ends_with("scheduled_20200101_000000.backup")) {
        tokio::task::yield_now().await;
    }
    let names = names();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].ends_with("mine.backup") && names[1].ends_with("scheduled_20200102_000000.backup"), "{names:?}");
    let whole = command(&server, &["backup", "--verify", names[2].to_str().unwrap()]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_kept_as_it_was_before_an_upgrade() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    own(&server).await;
    let (_, folder) = server.stop();
    // As the version before the newest migration has left it.
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut newest: Vec<_> = std::fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().path()).collect();
    newest.sort();
    let newest = newest.pop().unwrap();
    let down = std::fs::read_to_string(newest.join("down.sql")).unwrap();
    let version = newest.file_name().unwrap().to_str().unwrap().split('_').next().unwrap().replace('-', "");
    let path = folder.path().join("chat_app.db");
    let mut database = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}';");
    database.batch_execute(&format!("{down} {forget}")).unwrap();
    drop(database);
    let before = || {
        let names = files(folder.path()).into_iter().map(|(path, _)| path.file_name().unwrap().display().to_string());
        names.filter(|name| name.contains(".before-")).collect::<Vec<_>>()
    };
    assert_eq!(before(), Vec::<String>::new());
    let list = run(folder.path(), &["user", "list"], &[]);
    assert_eq!((list.code, list.stdout.as_str()), (0, "owner      owner\n"), "{}", list.stderr);
    assert_eq!(before().len(), 1, "{:?}", before());
    let kept = folder.path().join(&before()[0]);
    let url = format!("sqlite:///{}", kept.display());
    let list = run(folder.path(), &["user", "list"], &[("DATABASE_URL", &url)]);
    assert_eq!(list.stdout, "owner      owner\n", "{}", list.stderr);
}
