//! Keys for life: new ones while people write, everything sealed anew, the old ones out of use.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::attachments::{get, upload};
use crate::client::{Client, ok};
use crate::server::Server;

fn key_file(server: &Server) -> PathBuf {
    server.folder.path().join("master.key")
}

/// Runs `secure-chat keys …`, which must do it. What it said.
pub async fn keys(server: &Server, arguments: &[&str]) -> String {
    let arguments = [&["keys"], arguments].concat();
    let ended = tokio::task::block_in_place(|| server.command(&arguments, ""));
    assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended.stdout
}

async fn refused(server: &Server, arguments: &[&str]) -> String {
    let arguments = [&["keys"], arguments].concat();
    let ended = tokio::task::block_in_place(|| server.command(&arguments, ""));
    assert_eq!(ended.code, 1, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    ended.stderr
}

/// Writes until it is told to stop.
pub struct Writer {
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
    written: Arc<Mutex<Vec<String>>>,
}

impl Writer {
    /// The messages that were acknowledged so far.
    pub fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    /// Stops. All that were acknowledged.
    pub async fn stop(self) -> Vec<String> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.written.lock().unwrap().clone()
    }
}

pub fn writer(server: &Server, name: String) -> Writer {
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let (addr, written) = (server.addr.clone(), Arc::new(Mutex::new(Vec::new())));
    let noted = written.clone();
    let task = tokio::spawn(async move {
        let mut client = Client::join_at(&addr, &name).await;
        for number in 0.. {
            if stopped.try_recv().is_ok() {
                return;
            }
            let text = format!("{name} {number}");
            ok(&mut client, "send_public_message", json!({ "message": text, "client_id": text })).await;
            noted.lock().unwrap().push(text);
        }
    });
    Writer { stop, task, written }
}

async fn texts(client: &mut Client) -> Vec<String> {
    let (mut texts, mut before) = (Vec::new(), Value::Null);
    loop {
        let mut ask = json!({ "room": "public", "limit": 100 });
        if !before.is_null() {
            ask["before"] = before;
        }
        let page = ok(client, "get_history", ask).await;
        texts.extend(page["messages"].as_array().unwrap().iter().map(|m| m["message"].as_str().unwrap().to_owned()));
        before = page["prev"].clone();
        if before.is_null() {
            return texts;
        }
    }
}

/// Comes back without what was missed.
async fn come_back(server: &Server, token: &str, name: &str) -> Client {
    let mut client = Client::sign_in(server, token).await;
    client.emit("join_chat", json!({ "username": name })).await;
    client.skip_to("chat_joined").await;
    client
}

async fn hits(client: &mut Client, query: &str) -> usize {
    ok(client, "search_messages", json!({ "query": query })).await["hits"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_while_people_write_and_the_old_ones_open_nothing() {
    let server = Server::start();
    let owner_token = own(&server).await;
    let mut owner = enter(&server, &owner_token, "owner").await;
    let ann_token = register(&server, "ann").await;
    let mut ann = enter(&server, &ann_token, "ann").await;
    let bob_token = register(&server, "bob").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    let mut eve = Client::join(&server, "eve").await;

    // Something in every table.
    ok(&mut ann, "create_group", json!({ "group_name": "Zürich", "password": "pw" })).await;
    let hello = ok(&mut ann, "send_public_message", json!({ "message": "hello @bob", "client_id": "one" })).await;
    ok(&mut ann, "edit_message", json!({ "id": hello["id"], "message": "hello dear @bob" })).await;
    ok(&mut bob, "react", json!({ "id": hello["id"], "emoji": "👍" })).await;
    ok(&mut owner, "pin_message", json!({ "id": hello["id"] })).await;
    ok(&mut ann, "block_user", json!({ "username": "eve" })).await;
    ok(&mut bob, "send_direct_message", json!({ "to": "ann", "message": "between us" })).await;
    ok(&mut bob, "mark_read", json!({ "room": "public" })).await;
    ok(&mut eve, "report_message", json!({ "id": hello["id"], "reason": "rude" })).await;
    ok(&mut owner, "ban_user", json!({ "username": "eve", "minutes": 60, "reason": "spam" })).await;
    let file = upload(&server, &ann_token, "public", "a.txt", &vec![7; 200_000]).await;
    ok(&mut ann, "send_public_message", json!({ "message": "see this", "attachments": [file["id"]] })).await;
    for client in [owner, bob, eve] {
        client.close().await;
    }
    // More than a block of the index.
    for number in 0..2_100 {
        ok(&mut ann, "send_public_message", json!({ "message": format!("number {number}") })).await;
    }

    let ann = ann.in_background();
    let old_key = std::fs::read_to_string(key_file(&server)).unwrap();
    let writers: Vec<_> = (0..100).map(|number| writer(&server, format!("writer {number}"))).collect();
    let rotated = keys(&server, &["rotate"]).await;
    assert!(rotated.contains("New master key"), "{rotated}");
    let both = std::fs::read_to_string(key_file(&server)).unwrap();
    assert!(both.ends_with(&old_key) && both.lines().count() == 2);
    assert_eq!(std::fs::metadata(key_file(&server)).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(refused(&server, &["retire"]).await.contains("still under an older key"));
    keys(&server, &["reencrypt"]).await;
    assert!(keys(&server, &["status"]).await.contains(" 0 of them under an older key"));
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.stop().await);
    }
    let retired = keys(&server, &["retire"]).await;
    assert!(retired.contains("They open nothing any more."), "{retired}");
    let new_key = std::fs::read_to_string(key_file(&server)).unwrap();
    assert!(!new_key.contains(old_key.trim()) && new_key.lines().count() == 1);

    // Nothing is under the old key, and nothing is lost: for who stayed, and after a start with the new key alone.
    let kept = server.folder.path().join("old.key");
    std::fs::write(&kept, &old_key).unwrap();
    std::fs::set_permissions(&kept, std::fs::Permissions::from_mode(0o600)).unwrap();
    let verified = keys(&server, &["verify", "--old", kept.to_str().unwrap()]).await;
    assert!(verified.contains("open none of the") && verified.contains("Nothing is under an older key."), "{verified}");
    let mut ann = ann.back().await;
    ok(&mut ann, "send_public_message", json!({ "message": "still here" })).await;
    let server = server.restart();
    let mut ann = come_back(&server, &ann_token, "ann").await;
    let all = texts(&mut ann).await;
    assert!(written.iter().all(|text| all.contains(text)), "lost a message");
    assert!(all.contains(&"still here".to_owned()));
    let mut owner = come_back(&server, &owner_token, "owner").await;
    let versions = ok(&mut owner, "message_versions", json!({ "id": hello["id"] })).await;
    assert_eq!(versions["versions"][0]["message"], "hello @bob");
    let again = ok(&mut ann, "send_public_message", json!({ "message": "x", "client_id": "one" })).await;
    assert_eq!(again["id"], hello["id"], "sending it again is known");
    assert_eq!((hits(&mut ann, "dear").await, hits(&mut ann, "\"number 7\"").await), (1, 1));
    assert_eq!(ok(&mut ann, "list_blocked", json!({})).await["blocked"], json!(["eve"]));
    assert_eq!(get(&server, &ann_token, &file["id"]).await.body, vec![7; 200_000]);
    let mut bob = come_back(&server, &bob_token, "bob").await;
    ok(&mut bob, "react", json!({ "id": hello["id"], "emoji": "👍", "remove": true })).await;
    let directs = ok(&mut bob, "list_directs", json!({})).await;
    assert_eq!(directs["directs"].as_array().unwrap().len(), 1, "{directs}");
    let mut eve = Client::connect(&server).await;
    let barred = eve.call("join_chat", json!({ "username": "eve" })).await;
    assert_eq!(barred["error"]["code"], "forbidden", "{barred}");
    let log = tokio::task::block_in_place(|| server.command(&["audit", "verify"], ""));
    assert_eq!(log.code, 0, "{}", log.stderr);
    assert!(refused(&server, &["verify", "--old", key_file(&server).to_str().unwrap()]).await.contains("data keys"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reencryption_that_was_killed_goes_on_where_it_was() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    for number in 0..3_000 {
        ok(&mut ann, "send_public_message", json!({ "message": format!("number {number}") })).await;
    }
    keys(&server, &["rotate"]).await;
    let newest = |server: &Server| server.number("count(*) AS bytes FROM messages WHERE body LIKE '2.%'");
    while newest(&server) < 200 {
        let mut process = server.spawn(&["keys", "reencrypt"]);
        while newest(&server) < 200 && process.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    assert!(newest(&server) < 3_000, "it was killed in between");
    keys(&server, &["reencrypt"]).await;
    keys(&server, &["retire"]).await;
    assert!(keys(&server, &["verify"]).await.contains("Nothing is under an older key."));
    assert_eq!(texts(&mut ann).await.len(), 3_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_protects_the_key_file_and_an_exported_key_opens_the_data() {
    let server = Server::start_with(&[("MASTER_KEY_PASSPHRASE", "correct horse battery")]);
    let file = std::fs::read_to_string(key_file(&server)).unwrap();
    assert!(file.starts_with("pbkdf2-sha256$600000$"), "{file}");
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "send_public_message", json!({ "message": "hello" })).await;
    let passphrase = server.folder.path().join("passphrase");
    std::fs::write(&passphrase, "another passphrase\n").unwrap();
    let exported = server.folder.path().join("exported.key");
    let arguments = ["export", exported.to_str().unwrap(), "--passphrase-file", passphrase.to_str().unwrap()];
    keys(&server, &arguments).await;
    assert!(refused(&server, &arguments).await.contains("nothing was written"), "it is there already");

    let server = server.restart_with(&[
        ("MASTER_KEY_FILE", exported.to_str().unwrap()),
        ("MASTER_KEY_PASSPHRASE", "another passphrase"),
    ]);
    let mut ann = Client::join(&server, "ann").await;
    assert_eq!(texts(&mut ann).await, ["hello"]);
    let wrong = server.command_with(&["keys", "status"], &[("MASTER_KEY_PASSPHRASE", "a wrong passphrase")]);
    assert_eq!(wrong.code, 3, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("does not open"), "{}", wrong.stderr);
}
