//! Rooms that keep their messages for a while, and data that people take along.

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::http::{call, send_bytes};
use crate::server::Server;

#[tokio::test]
async fn old_messages_go_with_all_that_hangs_on_them() {
    let server = Server::start_with(&[("RATELIMIT_ENABLED", "false")]);
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g" })).await;
    ok(&mut ann, "join_group", json!({ "group_name": "g" })).await;
    for _ in 0..2_100 {
        let sent = ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "old words" })).await;
        if sent["seq"] == 7 {
            ok(&mut ann, "react", json!({ "id": sent["id"], "emoji": "👍" })).await;
            ok(&mut owner, "pin_message", json!({ "id": sent["id"] })).await;
        }
    }
    ok(&mut owner, "send_public_message", json!({ "message": "old words elsewhere" })).await;
    let two_seconds = json!({ "room": "g", "days": 2.0 / 86_400.0 });
    assert_eq!(ann.call("set_retention", two_seconds.clone()).await["error"]["code"], "forbidden");
    let mut ann = ann.in_background().back().await;
    loop {
        ok(&mut owner, "set_retention", two_seconds.clone()).await;
        let page = ok(&mut owner, "get_history", json!({ "room": "g" })).await;
        if page["messages"] == json!([]) {
            break;
        }
    }
    insta::assert_json_snapshot!("retention_set", ann.skip_to("retention_set").await);
    insta::assert_json_snapshot!("messages_expired", ann.skip_to("messages_expired").await["room"]);
    let found = ok(&mut owner, "search_messages", json!({ "query": "old words" })).await;
    assert_eq!(found["hits"].as_array().unwrap().len(), 1, "the other room's alone");
    for (table, column) in [("word_blocks", "entries"), ("reactions", "reaction"), ("pins", "pin")] {
        assert_eq!(server.size(table, column), 0, "{table}");
    }
    if server.is_on_sqlite() {
        assert_eq!(
            server.number("freelist_count AS bytes FROM pragma_freelist_count"),
            0,
            "the file keeps no empty pages"
        );
    }
    let sent = ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "new" })).await;
    assert_eq!(sent["seq"], 2_101, "positions go on");
    for wrong in [json!(-1), json!(36_501), json!("x"), Value::Null] {
        let refused = owner.call("set_retention", json!({ "room": "g", "days": wrong })).await;
        assert_eq!(refused["error"]["code"], "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn an_account_takes_along_what_it_has_and_nothing_of_others() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g" })).await;
    let asked = ok(&mut bob, "send_public_message", json!({ "message": "bobs words" })).await;
    for text in ["one", "two"] {
        let answer = json!({ "message": text, "reply_to": asked["id"] });
        ok(&mut ann, "send_public_message", answer).await;
    }
    ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "three" })).await;
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "four" })).await;
    ok(&mut ann, "block_user", json!({ "username": "bob" })).await;
    ok(&mut ann, "leave_group", json!({ "group_name": "g" })).await;
    let body = call(&server, "GET", "/api/export", Some(&token), Value::Null).await.body;
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(&kinds[..5], ["account", "session", "block", "notifications", "room"]);
    let mut texts: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    texts.sort();
    assert_eq!(texts, ["four", "one", "three", "two"]);
    assert!(!body.contains("bobs words") && !body.contains("pbkdf2"), "{body}");
    assert_eq!(call(&server, "GET", "/api/export", None, Value::Null).await.status, 401);
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Accept-Encoding", "gzip")];
    // It comes to its end, or this panics.
    let (head, _) = send_bytes(&server, "GET", "/api/export", &headers, b"").await;
    assert!(head.to_lowercase().contains("content-encoding: gzip"), "{head}");
}
