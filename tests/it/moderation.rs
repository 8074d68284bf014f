//! Blocking, muting, kicking, banning, deleting, reporting: what everyone hears of it.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::accounts::{PASSWORD, enter, own, register};
use crate::client::{Client, ok};
use crate::http::call;
use crate::server::Server;

/// An owner in the chat, and a guest.
async fn owner_and_guest(server: &Server) -> (Client, Client) {
    let token = own(server).await;
    let owner = enter(server, &token, "owner").await;
    let bob = Client::join(server, "bob").await;
    (owner, bob)
}

async fn refused(client: &mut Client, event: &str, payload: Value, code: &str) {
    let ack = client.call(event, payload).await;
    assert_eq!(ack["error"]["code"], code, "{event}: {ack}");
    client.skip_to("error").await;
}

#[tokio::test]
async fn who_blocks_somebody_hears_nothing_of_them() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    let mut cat = Client::join(&server, "cat").await;
    ok(&mut bob, "send_public_message", json!({ "message": "before" })).await;
    ok(&mut ann, "block_user", json!({ "username": "bob" })).await;
    assert_eq!(ok(&mut ann, "list_blocked", json!({})).await["blocked"], json!(["bob"]));
    let ack = ok(&mut bob, "send_public_message", json!({ "message": "blocked" })).await;
    assert_eq!(ack.as_object().unwrap().keys().collect::<Vec<_>>(), ["ok", "id", "seq", "timestamp"], "he cannot tell");
    ok(&mut cat, "send_public_message", json!({ "message": "from cat" })).await;
    assert_eq!(ann.skip_to("new_message").await["message"], "before");
    assert_eq!(ann.skip_to("new_message").await["message"], "from cat");
    bob.close().await;

    // He comes back, and so does she: still nothing, neither live nor in the history.
    let mut bob = Client::join(&server, "bob").await;
    ok(&mut bob, "send_public_message", json!({ "message": "me again" })).await;
    let mut ann = Client::sign_in(&server, &token).await;
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    let joined = ann.expect("chat_joined").await;
    let texts: Vec<_> = joined["public_messages"].as_array().unwrap().iter().map(|m| m["message"].clone()).collect();
    assert_eq!(texts, ["from cat"]);
    ok(&mut bob, "send_public_message", json!({ "message": "live" })).await;
    ok(&mut ann, "unblock_user", json!({ "username": "bob" })).await;
    ok(&mut bob, "send_public_message", json!({ "message": "forgiven" })).await;
    assert_eq!(ann.skip_to("new_message").await["message"], "forgiven");
    refused(&mut ann, "block_user", json!({ "username": "nobody at all" }), "not_found").await;
}

#[tokio::test]
async fn a_room_is_muted_for_oneself() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    ok(&mut ann, "mute_room", json!({ "room": "public" })).await;
    assert_json_snapshot!("room_muted", ann.skip_to("room_muted").await);
    assert_eq!(ok(&mut ann, "list_blocked", json!({})).await["muted_rooms"], json!(["public"]));
    ok(&mut ann, "mute_room", json!({ "room": "public", "muted": false })).await;
    assert_eq!(ok(&mut ann, "list_blocked", json!({})).await["muted_rooms"], json!([]));
    refused(&mut ann, "mute_room", json!({ "room": "nowhere" }), "not_found").await;
}

#[tokio::test]
async fn a_banned_guest_is_sent_away_and_the_name_is_barred() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    ok(&mut bob, "send_public_message", json!({ "message": "insult" })).await;
    let id = bob.skip_to("new_message").await["id"].clone();
    let ban = json!({ "username": "bob", "reason": "insults", "remove_hours": 1, "minutes": 60 });
    let ack = ok(&mut owner, "ban_user", ban).await;
    assert_eq!((&ack["messages_removed"], &ack["addresses_banned"]), (&json!(1), &json!(0)), "{ack}");
    assert_json_snapshot!("sanctioned", bob.skip_to("sanctioned").await, { ".until" => "[time]" });
    bob.skip_to("error").await;
    assert!(bob.packet().await.is_none_or(|packet| packet == "41"));
    let deleted = owner.skip_to("message_deleted").await;
    assert_eq!(deleted["id"], id);
    assert_json_snapshot!("message_deleted", deleted, { ".id" => "[uuid]" });

    for name in ["bob", "B0b"] {
        let mut again = Client::connect(&server).await;
        let ack = again.call("join_chat", json!({ "username": name })).await;
        assert_eq!(ack["error"]["code"], "forbidden", "{name}: {ack}");
    }
    assert_eq!(ok(&mut owner, "unban_user", json!({ "username": "bob" })).await["unbanned"], true);
    Client::join(&server, "bob").await;
}

#[tokio::test]
async fn a_banned_account_loses_its_sessions_and_cannot_log_in() {
    let server = Server::start();
    let (mut owner, _) = owner_and_guest(&server).await;
    let token = register(&server, "eve").await;
    let mut eve = enter(&server, &token, "eve").await;
    ok(&mut owner, "ban_user", json!({ "username": "eve" })).await;
    eve.skip_to("error").await;
    assert!(eve.packet().await.is_none_or(|packet| packet == "41"));
    assert_eq!(call(&server, "GET", "/api/me", Some(&token), Value::Null).await.status, 401);
    let login = json!({ "username": "eve", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/login", None, login.clone()).await.status, 403);
    ok(&mut owner, "unban_user", json!({ "username": "eve" })).await;
    assert_eq!(call(&server, "POST", "/api/login", None, login).await.status, 200);
}

#[tokio::test]
async fn who_is_banned_from_the_public_room_does_not_come_in_again() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    let token = register(&server, "eve").await;
    for name in ["bob", "eve"] {
        if name == "eve" {
            enter(&server, &token, "eve").await;
        }
        ok(&mut owner, "ban_user", json!({ "username": name, "room": "public" })).await;
    }
    refused(&mut bob, "join_chat", json!({ "username": "bob" }), "forbidden").await;
    let mut eve = Client::sign_in(&server, &token).await;
    refused(&mut eve, "join_chat", json!({ "username": "eve" }), "forbidden").await;
    ok(&mut owner, "send_public_message", json!({ "message": "not for them" })).await;
    eve.expect_nothing().await;
}

#[tokio::test]
async fn a_guest_of_a_like_name_does_not_change_what_another_hears() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    let mut other = Client::join(&server, "BOB").await;
    ok(&mut other, "block_user", json!({ "username": "owner" })).await;
    ok(&mut owner, "send_public_message", json!({ "message": "for bob" })).await;
    assert_eq!(bob.skip_to("new_message").await["message"], "for bob");
}

#[tokio::test]
async fn a_banned_address_stays_out() {
    let server = Server::start_with(&[("TRUSTED_PROXIES", "127.0.0.1")]);
    let (mut owner, _) = owner_and_guest(&server).await;
    let from = [("x-forwarded-for", "203.0.113.9")];
    let mut eve = Client::open(&server, &from).await.unwrap();
    eve.say("40").await;
    eve.packet().await.unwrap();
    ok(&mut eve, "join_chat", json!({ "username": "eve" })).await;
    let mut friend = Client::open(&server, &from).await.unwrap();
    friend.say("40").await;
    friend.packet().await.unwrap();
    ok(&mut friend, "join_chat", json!({ "username": "eves friend" })).await;
    let ack = ok(&mut owner, "ban_user", json!({ "username": "eve", "addresses": true })).await;
    assert_eq!(ack["addresses_banned"], 1, "{ack}");
    friend.skip_to("error").await;
    assert!(friend.packet().await.is_none_or(|packet| packet == "41"), "whoever comes from there is sent away");
    assert!(Client::open(&server, &from).await.unwrap_err().contains("403"));
    assert!(Client::open(&server, &[("x-forwarded-for", "203.0.113.10")]).await.is_ok(), "a neighbour");
    let server = server.crash_and_restart();
    while Client::open(&server, &from).await.is_ok() {}
    let mut owner = enter(&server, &login(&server, "owner").await, "owner").await;
    ok(&mut owner, "unban_user", json!({ "username": "eve" })).await;
    while Client::open(&server, &from).await.is_err() {}
}

async fn login(server: &Server, name: &str) -> String {
    let answer = call(server, "POST", "/api/login", None, json!({ "username": name, "password": PASSWORD })).await;
    answer.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_is_muted_reads_and_does_not_write() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    ok(&mut owner, "mute_user", json!({ "username": "bob", "minutes": 10, "room": "public" })).await;
    assert_eq!(bob.skip_to("sanctioned").await["action"], "mute");
    refused(&mut bob, "send_public_message", json!({ "message": "hm" }), "forbidden").await;
    ok(&mut owner, "send_public_message", json!({ "message": "you can read" })).await;
    assert_eq!(bob.skip_to("new_message").await["message"], "you can read");
    bob.close().await;
    let mut bob = Client::join(&server, "bob").await;
    refused(&mut bob, "send_public_message", json!({ "message": "it holds" }), "forbidden").await;
    ok(&mut owner, "mute_user", json!({ "username": "bob", "minutes": 0, "room": "public" })).await;
    ok(&mut bob, "send_public_message", json!({ "message": "thanks" })).await;
    refused(&mut bob, "mute_user", json!({ "username": "owner" }), "forbidden").await;
    refused(&mut owner, "mute_user", json!({ "username": "owner" }), "forbidden").await;
}

#[tokio::test]
async fn the_owner_of_a_group_keeps_order_in_it_alone() {
    let server = Server::start();
    let ann_token = register(&server, "ann").await;
    let mut ann = enter(&server, &ann_token, "ann").await;
    let bob_token = register(&server, "bob").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut bob, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
    refused(&mut bob, "kick_user", json!({ "username": "ann", "room": "g" }), "forbidden").await;
    refused(&mut ann, "kick_user", json!({ "username": "bob", "room": "public" }), "forbidden").await;
    refused(&mut ann, "kick_user", json!({ "username": "bob" }), "forbidden").await;

    ok(&mut ann, "kick_user", json!({ "username": "bob", "room": "g", "reason": "noise" })).await;
    assert_eq!(
        bob.skip_to("sanctioned").await,
        json!({ "action": "kick", "room": "g", "until": null, "reason": "noise" })
    );
    assert_eq!(ann.skip_to("user_left").await, json!({ "username": "bob", "room": "g" }));
    ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "without bob" })).await;
    refused(&mut bob, "send_group_message", json!({ "group_name": "g", "message": "x" }), "forbidden").await;
    refused(&mut bob, "join_group", json!({ "group_name": "g" }), "forbidden").await;
    ok(&mut bob, "join_group", json!({ "group_name": "g", "password": "pw" })).await;

    ok(&mut ann, "set_role", json!({ "username": "bob", "room": "g", "role": "moderator" })).await;
    assert_json_snapshot!("role_set", bob.skip_to("role_set").await);
    ok(&mut bob, "set_slow_mode", json!({ "room": "g", "seconds": 60 })).await;
    assert_json_snapshot!("slow_mode_set", ann.skip_to("slow_mode_set").await);
    let mut cat = Client::join(&server, "cat").await;
    ok(&mut cat, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut cat, "send_group_message", json!({ "group_name": "g", "message": "one" })).await;
    let ack = cat.call("send_group_message", json!({ "group_name": "g", "message": "two" })).await;
    assert_eq!(ack["error"]["code"], "too_many", "{ack}");
    assert!((50_000..=60_000).contains(&ack["error"]["retry_ms"].as_u64().unwrap()), "{ack}");

    ok(&mut bob, "ban_user", json!({ "username": "cat", "room": "g" })).await;
    refused(&mut cat, "join_group", json!({ "group_name": "g", "password": "pw" }), "forbidden").await;
    ok(&mut cat, "send_public_message", json!({ "message": "still welcome elsewhere" })).await;

    ok(&mut ann, "set_role", json!({ "username": "bob", "room": "g", "role": "owner" })).await;
    refused(&mut ann, "set_role", json!({ "username": "bob", "room": "g", "role": "member" }), "forbidden").await;
    ok(&mut bob, "leave_group", json!({ "group_name": "g" })).await;
    ok(&mut ann, "set_slow_mode", json!({ "room": "g", "seconds": 0 })).await;
}

#[tokio::test]
async fn one_learns_what_one_is_in_a_room_and_what_is_set_there() {
    let server = Server::start();
    let (mut ann, mut bob) = (Client::join(&server, "ann").await, Client::join(&server, "bob").await);
    ok(&mut ann, "create_group", json!({ "group_name": "g" })).await;
    refused(&mut bob, "get_room", json!({ "room": "g" }), "forbidden").await;
    ok(&mut bob, "join_group", json!({ "group_name": "g" })).await;
    let of = |role, slow_mode, days| json!({ "ok": true, "role": role, "slow_mode": slow_mode, "retention_days": days, "has_password": false });
    assert_eq!(ok(&mut ann, "get_room", json!({ "room": "g" })).await, of(json!("owner"), 0, 0.0));
    ok(&mut ann, "set_slow_mode", json!({ "room": "g", "seconds": 60 })).await;
    ok(&mut ann, "set_retention", json!({ "room": "g", "days": 30 })).await;
    assert_eq!(ok(&mut bob, "get_room", json!({ "room": "g" })).await, of(json!("member"), 60, 30.0));
    ok(&mut ann, "set_role", json!({ "username": "bob", "room": "g", "role": "owner" })).await;
    assert_eq!(ok(&mut ann, "get_room", json!({ "room": "g" })).await["role"], "moderator", "she handed it over");
    assert_eq!(ok(&mut bob, "get_room", json!({ "room": "public" })).await, of(json!(null), 0, 0.0));
}

#[tokio::test]
async fn the_owner_of_a_group_changes_its_password_and_takes_it_away() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "old" })).await;
    let join = |password: &str| json!({ "group_name": "g", "password": password });
    let mut bob = Client::join(&server, "bob").await;
    ok(&mut bob, "join_group", join("old")).await;
    refused(&mut bob, "set_room_password", json!({ "room": "g", "password": "mine" }), "forbidden").await;

    ok(&mut ann, "set_room_password", json!({ "room": "g", "password": "new" })).await;
    assert_eq!(ok(&mut ann, "get_room", json!({ "room": "g" })).await["has_password"], true);
    ok(&mut bob, "send_group_message", json!({ "group_name": "g", "message": "who is in it stays" })).await;
    let mut cat = Client::join(&server, "cat").await;
    refused(&mut cat, "join_group", join("old"), "forbidden").await;
    ok(&mut cat, "join_group", join("new")).await;

    ok(&mut ann, "set_room_password", json!({ "room": "g" })).await;
    assert_eq!(ok(&mut cat, "get_room", json!({ "room": "g" })).await["has_password"], false);
    ok(&mut Client::join(&server, "dan").await, "join_group", json!({ "group_name": "g" })).await;
    refused(&mut ann, "set_room_password", json!({ "room": "nowhere" }), "not_found").await;
}

#[tokio::test]
async fn a_message_is_deleted_for_everyone_by_who_may() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    let mut cat = Client::join(&server, "cat").await;
    ok(&mut bob, "send_public_message", json!({ "message": "first" })).await;
    ok(&mut bob, "send_public_message", json!({ "message": "second" })).await;
    let (first, second) = (cat.skip_to("new_message").await, cat.skip_to("new_message").await);
    refused(&mut cat, "delete_message", json!({ "id": first["id"] }), "forbidden").await;
    ok(&mut bob, "delete_message", json!({ "id": first["id"] })).await;
    ok(&mut owner, "delete_message", json!({ "id": second["id"], "reason": "rude" })).await;
    for message in [&first, &second] {
        assert_eq!(cat.skip_to("message_deleted").await["id"], message["id"]);
    }
    refused(&mut owner, "delete_message", json!({ "id": first["id"] }), "not_found").await;
    let mut dan = Client::connect(&server).await;
    dan.emit("join_chat", json!({ "username": "dan" })).await;
    assert_eq!(dan.expect("chat_joined").await["public_messages"], json!([]));
}

#[tokio::test]
async fn a_report_waits_until_a_moderator_has_dealt_with_it() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    ok(&mut owner, "send_public_message", json!({ "message": "questionable" })).await;
    let message = bob.skip_to("new_message").await;
    ok(&mut bob, "report_message", json!({ "id": message["id"], "reason": "I dislike it" })).await;
    refused(&mut bob, "list_reports", json!({}), "forbidden").await;
    let reports = ok(&mut owner, "list_reports", json!({})).await["reports"].clone();
    let report = &reports[0];
    assert_eq!((&report["by"], &report["reason"]), (&json!("bob"), &json!("I dislike it")));
    assert_eq!(report["message"], message, "a copy, should the message go");
    ok(&mut owner, "resolve_report", json!({ "report_id": report["id"], "note": "it is fine" })).await;
    refused(&mut owner, "resolve_report", json!({ "report_id": report["id"] }), "conflict").await;
    assert_eq!(ok(&mut owner, "list_reports", json!({})).await["reports"], json!([]));
    let all = ok(&mut owner, "list_reports", json!({ "all": true })).await;
    assert_eq!(all["reports"][0]["resolved"]["note"], "it is fine");
}

#[tokio::test]
async fn the_audit_log_tells_and_notices_what_was_changed() {
    let server = Server::start();
    let (mut owner, mut bob) = owner_and_guest(&server).await;
    ok(&mut owner, "mute_user", json!({ "username": "bob", "reason": "loud" })).await;
    ok(&mut owner, "kick_user", json!({ "username": "bob", "reason": "louder" })).await;
    bob.skip_to("error").await;
    let entries = ok(&mut owner, "audit_log", json!({ "limit": 2 })).await["entries"].clone();
    assert_json_snapshot!("audit_log", entries, { "[].at" => "[time]" });
    let older = ok(&mut owner, "audit_log", json!({ "before": entries[1]["seq"] })).await;
    assert_eq!(older["entries"][0]["action"], "register_by_invitation owner");
    assert_eq!(server.command(&["audit", "verify"], "").code, 0);
    if !server.is_on_sqlite() {
        return;
    }
    let (_, folder) = server.stop();
    let tamper = |sql: &str| {
        let script = format!("import sqlite3; c = sqlite3.connect('chat_app.db'); c.execute(\"{sql}\"); c.commit()");
        let status = std::process::Command::new("python3").args(["-c", &script]).current_dir(folder.path()).status();
        assert!(status.unwrap().success());
        crate::server::run(folder.path(), &["audit", "verify"], &[])
    };
    let cut = tamper("DELETE FROM audit_log WHERE seq = 3");
    assert_eq!(cut.code, 1);
    assert!(cut.stderr.contains("the newest entry should be number 3, but is number 2"), "{}", cut.stderr);
    let damaged = tamper("UPDATE audit_log SET entry = '1.x' WHERE seq = 1");
    assert!(damaged.stderr.contains("entry 1 does not open"), "{}", damaged.stderr);
    let gone = tamper("DELETE FROM audit_log WHERE seq = 1");
    assert!(gone.stderr.contains("entry 1 is missing"), "{}", gone.stderr);
}

#[tokio::test]
async fn admins_get_numbers_and_copies_of_the_database() {
    let server = Server::start();
    let token = own(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "x" })).await;
    let stats = call(&server, "GET", "/admin/stats", Some(&token), Value::Null).await;
    assert_eq!(stats.status, 200, "{}", stats.body);
    assert_json_snapshot!("admin_stats", stats.json(), {
        ".**.created_at" => "[time]",
        ".**.last_updated" => "[time]",
        ".database_info.file_size_bytes" => "[size]",
        ".database_info.file_exists" => "[whether SQLite]",
        ".database_info.file_path" => "[path]",
        ".stats.database_size" => "[size]",
    });
    let ack = owner.call_without_argument("backup_database").await;
    if !server.is_on_sqlite() {
        assert_eq!(ack["error"]["code"], "unavailable", "{ack}");
        return;
    }
    let made = owner.skip_to("backup_created").await;
    let file = made["backup_file"].as_str().unwrap();
    assert!(file.starts_with("backup_encrypted_chat_") && file.ends_with(".db"), "{file}");
    assert_json_snapshot!("backup_created", made, { ".backup_file" => "[file]" });

    // It can be restored where the same key is.
    let backup = server.folder.path().join("backups").join(file);
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(server.folder.path().join("master.key"), elsewhere.path().join("master.key")).unwrap();
    let restored = crate::server::run(elsewhere.path(), &["restore", backup.to_str().unwrap()], &[]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let list = crate::server::run(elsewhere.path(), &["user", "list"], &[]);
    assert_eq!(list.stdout, "owner      owner\n", "{}", list.stderr);
}
