//! Moving in: the original's own files, as it wrote them, come into the database. And out again.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::Client;
use crate::server::{Ended, Server};

const PASSWORD: &str = "your-super-secure-database-password-2024";
const VIEW: &str = include_str!("../vectors/flask/chat_data.api_view.json");

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/flask").join(format!("{name}.token"))
}

/// Brings a file in, from where the server's data is.
fn import(server: &Server, file: &Path, options: &[&str]) -> Ended {
    std::fs::write(server.folder.path().join("password"), PASSWORD).unwrap();
    let file = file.display().to_string();
    let arguments = [&["import-flask", &file, "--timezone", "Europe/Berlin", "--password-file", "password"], options];
    server.command(&arguments.concat(), "")
}

async fn history(client: &mut Client, room: &str) -> Vec<Value> {
    let ack = client.call("get_history", json!({ "room": room, "limit": 100 })).await;
    assert_eq!(ack["ok"], true, "{room}: {ack}");
    ack["messages"].as_array().unwrap().clone()
}

/// What stays of the original's message: the same words by the same person, at the same time in Berlin, in winter.
fn expected(message: &Value) -> Option<Value> {
    let text = message["message"].as_str().unwrap().replace('\0', "\u{FFFD}");
    let time = message["timestamp"].as_str().unwrap();
    let (hour, rest) = time.strip_prefix("2026-01-02T").unwrap().split_at(2);
    let fraction = if rest.contains('.') { "" } else { ".000000" };
    let time = format!("2026-01-02T{:02}{rest}{fraction}+00:00", hour.parse::<u32>().unwrap() - 1);
    let fields = json!([message["user_id"], message["username"], text, message["encrypted_content"], time]);
    (!text.is_empty()).then_some(fields)
}

fn found(message: &Value) -> Value {
    json!(["user_id", "username", "message", "encrypted_content", "timestamp"].map(|field| &message[field]))
}

#[tokio::test]
async fn all_that_the_original_shows_is_shown_here_and_again_brings_nothing_new() {
    let server = Server::start();
    let view: Value = serde_json::from_str(VIEW).unwrap();
    let before = std::fs::read(vector("chat_data")).unwrap();
    let ended = import(&server, &vector("chat_data"), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    insta::assert_snapshot!("report", ended.stdout);
    assert_eq!(std::fs::read(vector("chat_data")).unwrap(), before);

    let mut ann = Client::join(&server, "ann").await;
    let groups = [("open", "open", None), ("secret", "secret", Some("pässwörd 🔑")), ("public", "public 2", None)];
    for (original, name, password) in groups {
        if let Some(password) = password {
            let refused = ann.call("join_group", json!({ "group_name": name, "password": "wrong" })).await;
            assert_eq!(refused["ok"], false);
            ann.call("join_group", json!({ "group_name": name, "password": password })).await;
        } else {
            ann.call("join_group", json!({ "group_name": name })).await;
        }
        let members = ann.skip_to("group_joined").await["members"].clone();
        for member in view["get_group"][original]["members"].as_array().into_iter().flatten() {
            assert!(members.as_array().unwrap().contains(member), "{name}: {members}");
        }
        let messages = history(&mut ann, name).await;
        let originals = view["get_group_messages"][original].as_array().unwrap();
        let found: Vec<_> = messages.iter().map(found).collect();
        assert_eq!(found, originals.iter().filter_map(expected).collect::<Vec<_>>(), "{name}");
    }
    let public: Vec<_> = history(&mut ann, "public").await.iter().map(found).collect();
    let originals = view["get_public_messages(50)"].as_array().unwrap();
    assert_eq!(public, originals.iter().filter_map(expected).collect::<Vec<_>>());
    // What was brought is found by its words.
    let hits = ann.call("search_messages", json!({ "query": "ghost in:public" })).await;
    assert_eq!(hits["hits"][0]["message"], "from a ghost");

    let again = import(&server, &vector("backup"), &[]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("Stored 0 users, 0 groups and 0 messages"), "{}", again.stdout);
    assert_eq!(history(&mut ann, "public").await.len(), public.len());
}

#[tokio::test]
async fn a_group_of_people_here_is_not_taken_for_one_of_the_file() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "secret", "password": "ours" })).await;
    ann.call("send_group_message", json!({ "group_name": "secret", "message": "our own" })).await;
    assert_eq!(import(&server, &vector("chat_data"), &[]).code, 0);
    let own: Vec<_> = history(&mut ann, "secret").await.iter().map(|message| message["message"].clone()).collect();
    assert_eq!(own, ["our own"]);
    let joined = ann.call("join_group", json!({ "group_name": "secret 2", "password": "pässwörd 🔑" })).await;
    assert_eq!(joined["ok"], true, "{joined}");
    assert_eq!(history(&mut ann, "secret 2").await.len(), 3);
}

/// Runs the command where there is no database, and none is to be made.
fn alone(folder: &TempDir, arguments: &[&str], password: Option<&str>) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_secure-chat"));
    command.args(["import-flask"]).args(arguments).current_dir(folder.path()).env_clear();
    command.stdin(std::process::Stdio::null());
    if let Some(password) = password {
        command.env("FLASK_DATA_PASSWORD", password);
    }
    Ended::of(command.output().unwrap())
}

#[test]
fn a_dry_run_says_what_would_come_and_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, password, code) in [
        ("chat_data", PASSWORD, 1),
        ("chat_data_custom_password", "kn0wn-pässword 🔐", 1),
        ("chat_data_library_default", "default-db-password", 1),
        ("chat_data_empty", PASSWORD, 0),
        ("backup", PASSWORD, 1),
        ("chat_data", "a wrong password", 3),
    ] {
        let file = vector(name).display().to_string();
        let ended = alone(&folder, &[&file, "--timezone", "UTC", "--dry-run"], Some(password));
        assert_eq!(ended.code, code, "{name}: {}{}", ended.stdout, ended.stderr);
        if code != 3 {
            assert!(ended.stdout.contains(" users, "), "{name}: {}", ended.stdout);
        }
    }
    let whole = std::fs::read(vector("chat_data")).unwrap();
    for (cut, bytes) in [("half", &whole[..whole.len() / 2]), ("empty", b"".as_slice()), ("other", b"hello \xff")] {
        let file = folder.path().join(cut);
        std::fs::write(&file, bytes).unwrap();
        let file = file.display().to_string();
        let ended = alone(&folder, &[&file, "--timezone", "UTC", "--dry-run"], Some(PASSWORD));
        assert_eq!(ended.code, 3, "{cut}: {}", ended.stderr);
        assert!(ended.stderr.contains("damaged"), "{}", ended.stderr);
        std::fs::remove_file(file).unwrap();
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_wrong_time_zone_can_be_seen_before_and_what_comes_late_is_said() {
    let server = Server::start();
    let dry = import(&server, &vector("chat_data"), &["--dry-run"]);
    assert!(dry.stdout.contains("in Europe/Berlin, 2026-01-02"), "{}", dry.stdout);
    let mut ann = Client::join(&server, "ann").await;
    ann.call("send_public_message", json!({ "message": "am I the first?" })).await;
    let ended = import(&server, &vector("chat_data"), &[]);
    assert!(ended.stdout.contains(" of them stand below newer ones"), "{}", ended.stdout);
}

#[test]
fn what_is_missing_on_the_command_line_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = vector("chat_data").display().to_string();
    for (arguments, password, words) in [
        (vec![file.as_str()], Some(PASSWORD), "--timezone"),
        (vec![&file, "--timezone", "Berlin"], Some(PASSWORD), "there is no time zone Berlin"),
        (vec![&file, "--timezone", "UTC"], None, "--password-file"),
        (vec!["/nowhere", "--timezone", "UTC"], Some(PASSWORD), "/nowhere cannot be read"),
    ] {
        let ended = alone(&folder, &arguments, password);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_way_back_is_a_file_that_comes_in_again() {
    let server = Server::start();
    assert_eq!(import(&server, &vector("chat_data"), &[]).code, 0);
    let mut ann = Client::join(&server, "ann").await;
    ann.call("send_public_message", json!({ "message": "said here" })).await;
    ann.call("create_group", json!({ "group_name": "new", "password": "pw" })).await;
    let export = ["export-flask", "back.db", "--timezone", "Europe/Berlin", "--password-file", "password"];
    let ended = server.command(&export, "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.starts_with("Wrote 6 users and 24 messages to back.db."), "{}", ended.stdout);
    let back = server.folder.path().join("back.db");
    // Nothing is overwritten.
    assert_eq!(server.command(&export, "").code, 1);

    let other = Server::start();
    let ended = import(&other, &back, &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("Stored 6 users, 7 groups and 24 messages"), "{}", ended.stdout);
    let mut bob = Client::join(&other, "bob").await;
    let (here, there) = (history(&mut ann, "public").await, history(&mut bob, "public").await);
    let words = |messages: &[Value]| messages.iter().map(found).collect::<Vec<_>>();
    assert_eq!(words(&there), words(&here));
}
