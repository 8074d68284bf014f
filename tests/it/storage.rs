//! What is on the disk: nothing that people wrote, no name, no time.

use std::process::Command;

use serde_json::json;

use crate::client::Client;
use crate::http::call;
use crate::server::{Server, files};

#[tokio::test]
async fn no_canary_can_be_found_in_the_files_of_a_running_server_nor_in_its_log() {
    let server = Server::start_with(&[("LOG_LEVEL", "trace")]);
    let mut needles = people_and_messages(&server).await;
    needles.extend(an_account(&server).await);
    if server.is_on_sqlite() {
        // Running: rows are in the WAL as well as in the database.
        let found = files(server.folder.path());
        assert!(found.iter().any(|(path, bytes)| path.ends_with("chat_app.db-wal") && !bytes.is_empty()));
        for (path, bytes) in &found {
            assert_none(&needles, &String::from_utf8_lossy(bytes), &path.display().to_string());
        }
    }
    let log = server.stop_for_log();
    assert!(log.contains("stopping"), "{log}");
    // A log has times of its own.
    needles.remove(0);
    assert_none(&needles, &log, "the log");
}

fn assert_none(needles: &[String], text: &str, place: &str) {
    let text = text.to_lowercase();
    for needle in needles {
        assert!(!text.contains(&needle.to_lowercase()), "{needle} in {place}");
    }
}

/// What guests write; what is not to be found of it, the time of sending first.
async fn people_and_messages(server: &Server) -> Vec<String> {
    let mut ann = Client::connect(server).await;
    ann.call("join_chat", json!({ "username": "Canaryname", "public_key": "Canarykey" })).await;
    ann.call("create_group", json!({ "group_name": "Canarygroup", "password": "Canarypassword" })).await;
    ann.call("send_public_message", json!({ "message": "Canarytext", "encrypted_content": "Canarycontent" })).await;
    let sent = ann.call("send_group_message", json!({ "group_name": "Canarygroup", "message": "Canarysecret" })).await;
    let mut eve = Client::join(server, "Canary eve").await;
    for number in 0..300 {
        ann.call("join_chat", json!({ "username": format!("Canary {number}") })).await;
        ann.call("send_public_message", json!({ "message": format!("Canaryword{number}") })).await;
        eve.call("create_group", json!({ "group_name": format!("Canaryroom{number}") })).await;
        if number % 50 == 0 {
            let guess = format!("Canaryguess{number}");
            ann.call("join_group", json!({ "group_name": "Canarygroup", "password": guess })).await;
            ann.say("42[\"Canaryevent\",{\"canary\":\"Canaryvalue\"}]").await;
        }
    }
    let (time, id) = (sent["timestamp"].as_str().unwrap(), sent["id"].as_str().unwrap());
    vec![time[..13].into(), "canary".into(), "\"public\"".into(), id.into()]
}

/// What comes with an account; what is not to be found of it.
async fn an_account(server: &Server) -> Vec<String> {
    let password = "Canarypassword for the owner";
    let body = json!({ "username": "Canaryowner", "password": password, "invite": server.owner_invite() });
    let made = call(server, "POST", "/api/register", None, body).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let mut needles = vec![server.owner_invite(), token.clone(), made.cookie("secure_chat_device")];
    call(server, "POST", "/api/login", None, json!({ "username": "Canaryowner", "password": "Canaryguess" })).await;
    let set_up = call(server, "POST", "/api/second-factor", Some(&token), json!({ "password": password })).await;
    needles.push(set_up.json()["secret"].as_str().unwrap().to_owned());
    let invite = call(server, "POST", "/api/invites", Some(&token), json!({})).await;
    needles.push(invite.json()["token"].as_str().unwrap().to_owned());
    let mut owner = Client::sign_in(server, &token).await;
    let ban = json!({ "username": "Canary 7", "reason": "Canaryreason", "minutes": 5 });
    assert_eq!(owner.call("ban_user", ban).await["ok"], true);
    assert_eq!(owner.call("block_user", json!({ "username": "Canary 8" })).await["ok"], true);
    let sent = owner.call("send_public_message", json!({ "message": "Canaryreported" })).await;
    let report = json!({ "id": sent["id"], "reason": "Canarycomplaint" });
    assert_eq!(owner.call("report_message", report).await["ok"], true);
    needles
}

#[tokio::test]
async fn pythons_fernet_opens_what_the_master_key_sealed() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let script = r#"
import base64, hashlib, hmac, sqlite3, struct
key = base64.urlsafe_b64decode(open("master.key").read().strip())
rows = sqlite3.connect("file:chat_app.db?mode=ro", uri=True).execute("SELECT purpose, sealed FROM data_keys").fetchall()
assert len(rows) >= 5, rows
for purpose, token in rows:
    raw = base64.urlsafe_b64decode(token)
    assert raw[0] == 0x80
    assert hmac.new(key[:16], raw[:-32], hashlib.sha256).digest() == raw[-32:], purpose
print("signed by the master key:", len(rows))
"#;
    let output = Command::new("python3").args(["-c", script]).current_dir(server.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A row moved elsewhere by somebody who can write to the file does not open; the others do.
#[tokio::test]
async fn a_row_moved_to_another_room_does_not_open() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g" })).await;
    ann.call("send_group_message", json!({ "group_name": "g", "message": "secret" })).await;
    ann.call("create_group", json!({ "group_name": "h" })).await;
    ann.call("send_group_message", json!({ "group_name": "h", "message": "harmless" })).await;
    let script = r#"
import sqlite3
c = sqlite3.connect("chat_app.db")
rooms = [row[0] for row in c.execute("SELECT id FROM rooms WHERE id <> 1")]
bodies = {room: c.execute("SELECT body FROM messages WHERE room_id = ?", (room,)).fetchone()[0] for room in rooms}
a, b = rooms
c.execute("UPDATE messages SET body = ? WHERE room_id = ?", (bodies[a], b))
c.commit()
"#;
    let output = Command::new("python3").args(["-c", script]).current_dir(server.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut codes = Vec::new();
    for group in ["g", "h"] {
        let ack = ann.call("join_group", json!({ "group_name": group })).await;
        codes.push(ack["error"]["code"].as_str().unwrap_or("ok").to_owned());
    }
    codes.sort();
    assert_eq!(codes, ["internal", "ok"]);
}

/// The disk is full: people hear `unavailable`, what was told before is kept, and it goes on when there is room again.
#[tokio::test]
async fn a_full_disk_loses_nothing_and_heals() {
    let server = Server::start();
    if !server.is_on_sqlite() {
        return;
    }
    let mut ann = Client::join(&server, "ann").await;
    ann.call("send_public_message", json!({ "message": "before" })).await;
    // A limit on the size of files stands in for the disk: the server cannot write either way.
    let limit = |bytes: &str| {
        let pid = server.id().to_string();
        Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}")]).status().unwrap()
    };
    assert!(limit("1000:unlimited").success());
    let ack = ann.call("send_public_message", json!({ "message": "while full" })).await;
    assert_eq!(ack["error"]["code"], "unavailable", "{ack}");
    assert!(limit("unlimited:unlimited").success());
    let ack = ann.call("send_public_message", json!({ "message": "after" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let server = server.crash_and_restart();
    let mut bob = Client::connect(&server).await;
    bob.emit("join_chat", json!({ "username": "bob" })).await;
    let joined = bob.expect("chat_joined").await;
    let texts: Vec<_> = joined["public_messages"].as_array().unwrap().iter().map(|m| m["message"].clone()).collect();
    assert_eq!(texts, ["before", "after"]);
}
