//! What becomes of a message after it was sent: edits, reactions, answers, pins, and who has read it.

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::server::Server;

async fn code(client: &mut Client, event: &str, payload: Value) -> String {
    client.call(event, payload).await["error"]["code"].as_str().unwrap_or("ok").to_owned()
}

async fn say(client: &mut Client, text: &str) -> Value {
    ok(client, "send_public_message", json!({ "message": text })).await["id"].clone()
}

async fn last(client: &mut Client) -> Value {
    ok(client, "get_history", json!({ "room": "public", "limit": 1 })).await["messages"][0].clone()
}

async fn hits(client: &mut Client, query: &str) -> usize {
    ok(client, "search_messages", json!({ "query": query })).await["hits"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_message_can_be_edited_by_its_author_and_moderators_see_what_it_said() {
    let server = Server::start();
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let mut ann = Client::join(&server, "ann").await;
    let id = say(&mut ann, "helo @bob").await;
    let edited = ok(&mut ann, "edit_message", json!({ "id": id, "message": "hello world" })).await;
    let heard = owner.skip_to("message_edited").await;
    insta::assert_json_snapshot!("message_edited", heard, {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]", ".edited_at" => "[time]"
    });
    assert_eq!(heard["edited_at"], edited["edited_at"]);
    assert_eq!(last(&mut owner).await, heard);
    assert_eq!((hits(&mut ann, "helo").await, hits(&mut ann, "hello").await), (0, 1));
    assert_eq!(code(&mut owner, "edit_message", json!({ "id": id, "message": "x" })).await, "forbidden");
    assert_eq!(code(&mut ann, "message_versions", json!({ "id": id })).await, "forbidden");
    let versions = ok(&mut owner, "message_versions", json!({ "id": id })).await;
    assert_eq!(versions["versions"][0]["message"], "helo @bob");
    assert_eq!(versions["versions"].as_array().unwrap().len(), 1);

    // In a block of the index, too.
    let mut ann = ann;
    for _ in 0..2_100 {
        say_fast(&mut ann).await;
    }
    ok(&mut ann, "edit_message", json!({ "id": id, "message": "goodbye world" })).await;
    assert_eq!(
        (hits(&mut ann, "hello").await, hits(&mut ann, "goodb*").await, hits(&mut ann, "world").await),
        (0, 1, 1)
    );
    ok(&mut ann, "delete_message", json!({ "id": id })).await;
    assert_eq!(
        (hits(&mut ann, "goodbye").await, code(&mut owner, "message_versions", json!({ "id": id })).await),
        (0, "not_found".into())
    );
}

async fn say_fast(client: &mut Client) {
    loop {
        let ack = client.call("send_public_message", json!({ "message": "m" })).await;
        while client.heard().is_some() {}
        match ack["error"]["retry_ms"].as_u64() {
            None => return,
            Some(wait) => tokio::time::sleep(std::time::Duration::from_millis(wait)).await,
        }
    }
}

#[tokio::test]
async fn people_react_once_with_each_emoji() {
    let server = Server::start();
    let (mut ann, mut bob) = (Client::join(&server, "ann").await, Client::join(&server, "bob").await);
    let id = say(&mut ann, "hi").await;
    let react = |emoji: &str, remove: bool| json!({ "id": id, "emoji": emoji, "remove": remove });
    assert_eq!(ok(&mut bob, "react", react("👍", false)).await["changed"], true);
    assert_eq!(ok(&mut bob, "react", react("👍", false)).await["changed"], false);
    ok(&mut ann, "react", react("👍", false)).await;
    ok(&mut bob, "react", react("🎉", false)).await;
    insta::assert_json_snapshot!("message_reacted", ann.skip_to("message_reacted").await, { ".id" => "[id]" });
    assert_eq!(
        last(&mut ann).await["reactions"],
        json!([
            { "emoji": "👍", "usernames": ["bob", "ann"] }, { "emoji": "🎉", "usernames": ["bob"] }
        ])
    );
    ok(&mut bob, "react", react("👍", true)).await;
    assert_eq!(ok(&mut bob, "react", react("👍", true)).await["changed"], false);
    assert_eq!(last(&mut ann).await["reactions"][0], json!({ "emoji": "👍", "usernames": ["ann"] }));
    for wrong in ["", "a", "👍👍", "<b>"] {
        assert_eq!(code(&mut bob, "react", react(wrong, false)).await, "invalid", "{wrong}");
    }
    // Whom one has blocked one does not see reacting.
    ok(&mut ann, "block_user", json!({ "username": "bob" })).await;
    assert_eq!(last(&mut ann).await["reactions"], json!([{ "emoji": "👍", "usernames": ["ann"] }]));
    ok(&mut ann, "delete_message", json!({ "id": id })).await;
    assert_eq!(server.size("reactions", "reaction"), 0);
}

#[tokio::test]
async fn an_answer_quotes_what_the_reader_may_read() {
    let server = Server::start();
    let (mut ann, mut bob) = (Client::join(&server, "ann").await, Client::join(&server, "bob").await);
    let mut eve = Client::join(&server, "eve").await;
    let id = say(&mut bob, "question").await;
    ok(&mut eve, "block_user", json!({ "username": "bob" })).await;
    let answer = json!({ "message": "answer @bob and @\"eve e\"", "reply_to": id });
    ok(&mut ann, "send_public_message", answer).await;
    bob.skip_to("new_message").await;
    let heard = bob.skip_to("new_message").await;
    insta::assert_json_snapshot!("answer", heard, {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]", ".reply_to.id" => "[id]"
    });
    assert_eq!(last(&mut bob).await, heard);
    // Who has blocked the quoted one gets the answer without the quoted words, at once and later.
    let heard = eve.skip_to("new_message").await;
    let heard = if heard["message"] == "question" { eve.skip_to("new_message").await } else { heard };
    assert_eq!(heard["reply_to"], json!({ "id": id, "seq": 1 }));
    assert_eq!(last(&mut eve).await, heard);
    ok(&mut bob, "delete_message", json!({ "id": id })).await;
    assert_eq!(last(&mut ann).await["reply_to"], json!({ "id": id, "seq": 1 }), "what is gone is not quoted");
    let gone = json!({ "message": "late", "reply_to": id });
    assert_eq!(code(&mut ann, "send_public_message", gone).await, "invalid");
}

#[tokio::test]
async fn moderators_pin_messages() {
    let server = Server::start();
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let mut ann = Client::join(&server, "ann").await;
    let id = say(&mut ann, "the rules").await;
    assert_eq!(code(&mut ann, "pin_message", json!({ "id": id })).await, "forbidden");
    assert_eq!(ok(&mut owner, "pin_message", json!({ "id": id })).await["changed"], true);
    assert_eq!(ok(&mut owner, "pin_message", json!({ "id": id })).await["changed"], false);
    insta::assert_json_snapshot!("message_pinned", ann.skip_to("message_pinned").await, { ".id" => "[id]" });
    let pins = ok(&mut ann, "list_pins", json!({ "room": "public" })).await;
    assert_eq!((&pins["pins"][0]["message"]["id"], &pins["pins"][0]["pinned_by"]), (&id, &json!("owner")));
    ok(&mut owner, "unpin_message", json!({ "id": id })).await;
    assert_eq!(ok(&mut ann, "list_pins", json!({ "room": "public" })).await["pins"], json!([]));
    assert_eq!(ann.skip_to("message_pinned").await["pinned"], false);
}

#[tokio::test]
async fn read_marks_move_forward_and_count_what_is_new() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    ok(&mut bob, "create_group", json!({ "group_name": "g" })).await;
    ok(&mut ann, "join_group", json!({ "group_name": "g" })).await;
    let post = |text: &str| json!({ "group_name": "g", "message": text });
    ok(&mut bob, "send_group_message", post("before")).await;
    ok(&mut ann, "mark_read", json!({ "room": "g" })).await;
    insta::assert_json_snapshot!("room_read", bob.skip_to("room_read").await);
    insta::assert_json_snapshot!("unread_changed", ann.skip_to("unread_changed").await);
    for text in ["one", "two @Ann", "@bob"] {
        ok(&mut bob, "send_group_message", post(text)).await;
    }
    ok(&mut ann, "send_group_message", post("my own")).await;
    let unread = ok(&mut ann, "get_unread", json!({})).await;
    assert_eq!(unread["rooms"][1], json!({ "room": "g", "read": 1, "last": 5, "unread": 3, "mentions": 1 }));
    assert_eq!(ok(&mut ann, "mark_read", json!({ "room": "g", "seq": 2 })).await["unread"], 2);
    assert_eq!(ok(&mut ann, "mark_read", json!({ "room": "g", "seq": 1 })).await["read"], 2, "never back");
    assert_eq!(ok(&mut ann, "mark_read", json!({ "room": "g", "seq": 99 })).await["read"], 5, "nor beyond the end");
    assert_eq!(
        ok(&mut bob, "list_readers", json!({ "room": "g" })).await["readers"],
        json!([{ "username": "ann", "seq": 5 }])
    );
    ok(&mut bob, "mark_read", json!({ "room": "g", "hidden": true })).await;
    assert_eq!(ok(&mut ann, "list_readers", json!({ "room": "g" })).await["readers"], json!([]));
    let server = server.crash_and_restart();
    let mut ann = enter(&server, &token, "ann").await;
    assert_eq!(ok(&mut ann, "get_unread", json!({})).await["rooms"][1]["read"], 5);
}

#[tokio::test]
async fn that_somebody_writes_is_told_to_the_others_now_and_then() {
    let server = Server::start();
    let (mut ann, mut bob) = (Client::join(&server, "ann").await, Client::join(&server, "bob").await);
    for _ in 0..5 {
        ok(&mut ann, "typing", json!({ "room": "public" })).await;
    }
    insta::assert_json_snapshot!("typing", bob.skip_to("typing").await);
    bob.expect_nothing().await;
    ok(&mut bob, "block_user", json!({ "username": "ann" })).await;
    bob.expect_nothing().await;
}
