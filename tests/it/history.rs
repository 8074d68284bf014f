//! What was said before, page by page; and messages that are sent twice.

use serde_json::{Value, json};

use crate::accounts::{enter, register};
use crate::client::{Client, ok};
use crate::http::call;
use crate::server::Server;

async fn say(client: &mut Client, text: &str) -> Value {
    ok(client, "send_public_message", json!({ "message": text })).await
}

fn texts(page: &Value) -> Vec<String> {
    page["messages"].as_array().unwrap().iter().map(|m| m["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_message_stands_on_one_page_whatever_is_written_meanwhile() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    for n in 0..25 {
        say(&mut ann, &n.to_string()).await;
    }
    let mut page = ok(&mut ann, "get_history", json!({ "room": "public", "limit": 10 })).await;
    insta::assert_json_snapshot!("history_page", page["messages"][9], {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]"
    });
    assert_eq!(page["next"], Value::Null);
    let mut seen = texts(&page);
    let mut extra = 100;
    while page["prev"] != Value::Null {
        say(&mut ann, &extra.to_string()).await;
        extra += 1;
        page = ok(&mut ann, "get_history", json!({ "room": "public", "limit": 10, "before": page["prev"] })).await;
        seen.splice(0..0, texts(&page));
    }
    assert_eq!(seen, (0..25).map(|n| n.to_string()).collect::<Vec<_>>());

    // Forward again, to the end that has moved on.
    let mut seen = Vec::new();
    let mut after = json!(0);
    while after != Value::Null {
        page = ok(&mut ann, "get_history", json!({ "room": "public", "limit": 7, "after": after })).await;
        seen.extend(texts(&page));
        after = page["next"].clone();
    }
    assert_eq!(seen, (0..25).chain(100..extra).map(|n| n.to_string()).collect::<Vec<_>>());
    for wrong in
        [json!({ "limit": 0 }), json!({ "limit": 101 }), json!({ "before": 1, "after": 1 }), json!({ "before": "x" })]
    {
        let mut payload = wrong.clone();
        payload["room"] = json!("public");
        assert_eq!(ann.call("get_history", payload).await["error"]["code"], "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn a_script_reads_over_http_what_its_account_may_read() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    ok(&mut bob, "create_group", json!({ "group_name": "g ü/1", "password": "pw" })).await;
    for n in 0..3 {
        ok(&mut bob, "send_group_message", json!({ "group_name": "g ü/1", "message": n.to_string() })).await;
    }
    let path = "/api/rooms/g%20%C3%BC%2F1/messages";
    assert_eq!(call(&server, "GET", path, None, Value::Null).await.status, 401);
    assert_eq!(call(&server, "GET", path, Some(&token), Value::Null).await.status, 403);
    assert_eq!(call(&server, "GET", "/api/rooms/none/messages", Some(&token), Value::Null).await.status, 404);
    let mut ann = enter(&server, &token, "ann").await;
    ok(&mut ann, "join_group", json!({ "group_name": "g ü/1", "password": "pw" })).await;
    let page = call(&server, "GET", &format!("{path}?limit=2"), Some(&token), Value::Null).await.json();
    assert_eq!(texts(&page), ["1", "2"]);
    let older = format!("{path}?limit=2&before={}", page["prev"]);
    let page = call(&server, "GET", &older, Some(&token), Value::Null).await.json();
    assert_eq!((texts(&page), &page["prev"]), (vec!["0".to_owned()], &Value::Null));
    assert_eq!(call(&server, "GET", &format!("{path}?limit=many"), Some(&token), Value::Null).await.status, 400);

    // Whom one has blocked one does not read, here neither.
    ok(&mut ann, "block_user", json!({ "username": "bob" })).await;
    let page = call(&server, "GET", path, Some(&token), Value::Null).await.json();
    assert_eq!(texts(&page), [""; 0]);
}

#[tokio::test]
async fn a_message_that_is_sent_again_is_stored_once() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let message = json!({ "message": "once", "client_id": "c-1" });
    let first = ok(&mut ann, "send_public_message", message.clone()).await;
    let heard = ann.skip_to("new_message").await;
    assert_eq!(heard["client_id"], "c-1");
    assert_eq!(ok(&mut ann, "send_public_message", message.clone()).await, first);

    let server = server.crash_and_restart();
    let mut ann = enter(&server, &token, "ann").await;
    assert_eq!(ok(&mut ann, "send_public_message", message.clone()).await, first, "after a crash, too");
    let mut bob = Client::join(&server, "bob").await;
    assert_ne!(ok(&mut bob, "send_public_message", message).await["id"], first["id"], "somebody else's is another one");
    let page = ok(&mut ann, "get_history", json!({ "room": "public" })).await;
    assert_eq!(texts(&page), ["once", "once"]);
    for wrong in ["", "x\0", &"x".repeat(65)] {
        let payload = json!({ "message": "m", "client_id": wrong });
        let ack = ann.call("send_public_message", payload).await;
        assert_eq!(ack["error"]["code"].as_str(), (!wrong.is_empty()).then_some("invalid"), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_page_of_long_messages_ends_early_and_nothing_is_left_out() {
    const MESSAGES: usize = 30;
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let long = "🦀".repeat(10_000);
    for _ in 0..MESSAGES {
        ok(&mut ann, "send_public_message", json!({ "message": long })).await;
    }
    let mut found = 0;
    let mut before = Value::Null;
    loop {
        let page = ok(&mut ann, "get_history", json!({ "room": "public", "limit": 100, "before": before })).await;
        let messages = page["messages"].as_array().unwrap().len();
        assert!(messages <= 26, "{messages} of 40 kB each");
        found += messages;
        before = page["prev"].clone();
        if before.is_null() {
            break;
        }
    }
    assert_eq!(found, MESSAGES);
}

#[tokio::test]
async fn what_a_guest_calls_a_message_does_not_hide_one_of_a_namesakes() {
    let server = Server::start();
    let (mut one, mut other) = (Client::join(&server, "bobby").await, Client::join(&server, "Bobby").await);
    ok(&mut one, "create_group", json!({ "group_name": "p", "password": "pw" })).await;
    let secret = json!({ "group_name": "p", "message": "secret", "client_id": "1" });
    ok(&mut one, "send_group_message", secret).await;
    let refused = other.call("send_public_message", json!({ "message": "hello", "client_id": "1" })).await;
    assert_eq!(refused["error"]["code"], "conflict", "{refused}");
    ok(&mut other, "send_public_message", json!({ "message": "hello", "client_id": "2" })).await;
}
