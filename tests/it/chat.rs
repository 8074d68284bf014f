//! People chat: what each of them hears, in which order.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// Replaces what differs from run to run.
macro_rules! assert_wire {
    ($name:expr, $payload:expr) => {
        assert_json_snapshot!($name, $payload, {
            ".**.user_id" => "[uuid]",
            ".**.id" => "[uuid]",
            ".**.timestamp" => "[time]",
            ".**.created_at" => "[time]",
            ".**.last_active" => "[time]",
        })
    };
}

#[tokio::test]
async fn two_people_meet_and_talk() {
    let server = Server::start();
    let mut ann = Client::connect(&server).await;
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    assert_wire!("chat_joined_empty", ann.expect("chat_joined").await);
    let mut bob = Client::join(&server, "bob").await;
    assert_wire!("user_joined", ann.expect("user_joined").await);

    let ack = ann.call("send_public_message", json!({ "message": "hello", "encrypted_content": "…" })).await;
    assert_wire!("ack_sent", ack);
    let heard = bob.expect("new_message").await;
    assert_eq!(heard, ann.expect("new_message").await);
    assert_wire!("new_message", heard);

    bob.close().await;
    assert_wire!("user_left", ann.expect("user_left").await);
    let mut cat = Client::connect(&server).await;
    cat.emit("join_chat", json!({ "username": "cat" })).await;
    assert_wire!("chat_joined_with_history", cat.expect("chat_joined").await);
}

#[tokio::test]
async fn a_group_with_a_password_lets_in_who_knows_it() {
    let server = Server::start();
    let mut stranger = Client::connect(&server).await;
    let mut ann = Client::join(&server, "ann").await;
    ann.emit("create_group", json!({ "group_name": "secrets", "password": "open sesame" })).await;
    assert_wire!("group_created", ann.expect("group_created").await);
    assert_wire!("group_list_updated", ann.expect("group_list_updated").await);
    assert_wire!("group_list_updated", stranger.expect("group_list_updated").await);

    let mut bob = Client::join(&server, "bob").await;
    ann.expect("user_joined").await;
    for password in [json!(null), json!("open"), json!("open sesame ")] {
        let ack = bob.call("join_group", json!({ "group_name": "secrets", "password": password })).await;
        assert_eq!(ack["error"]["code"], "forbidden");
        assert_wire!("error_wrong_password", bob.expect("error").await);
    }
    bob.emit("send_group_message", json!({ "group_name": "secrets", "message": "let me in" })).await;
    assert_wire!("error_not_a_member", bob.expect("error").await);

    ann.call("send_group_message", json!({ "group_name": "secrets", "message": "before bob" })).await;
    ann.expect("new_message").await;
    bob.emit("join_group", json!({ "group_name": "secrets", "password": "open sesame" })).await;
    assert_wire!("group_joined", bob.expect("group_joined").await);
    assert_eq!(ann.expect("user_joined").await, json!({ "username": "bob", "room": "secrets" }));

    bob.emit("leave_group", json!({ "group_name": "secrets" })).await;
    assert_wire!("group_left", bob.expect("group_left").await);
    assert_eq!(ann.expect("user_left").await, json!({ "username": "bob", "room": "secrets" }));
    ann.call("send_group_message", json!({ "group_name": "secrets", "message": "after bob" })).await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn a_burst_keeps_its_order_for_everyone_and_in_the_history() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    ann.expect("user_joined").await;
    for number in 0..50 {
        ann.emit("send_public_message", json!({ "message": format!("a{number}") })).await;
        bob.emit("send_public_message", json!({ "message": format!("b{number}") })).await;
    }
    let (by_ann, by_bob) = (hear(&mut ann, 100).await, hear(&mut bob, 100).await);
    assert_eq!(by_ann, by_bob, "both hear one order");
    for sender in ["a", "b"] {
        let own: Vec<_> = by_ann.iter().filter(|text| text.starts_with(sender)).cloned().collect();
        assert_eq!(own, (0..50).map(|number| format!("{sender}{number}")).collect::<Vec<_>>());
    }
    let mut cat = Client::connect(&server).await;
    cat.emit("join_chat", json!({ "username": "cat" })).await;
    let joined = cat.expect("chat_joined").await;
    let stored: Vec<_> = joined["public_messages"].as_array().unwrap().iter().map(text_of).collect();
    assert_eq!(stored, by_ann[50..], "and the history has it too");
}

async fn hear(client: &mut Client, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        texts.push(text_of(&client.expect("new_message").await));
    }
    texts
}

fn text_of(message: &Value) -> String {
    message["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_ack_comes_behind_the_events_of_its_handler() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.say("420[\"send_public_message\",{\"message\":\"x\"}]").await;
    assert!(ann.packet().await.unwrap().starts_with("42[\"new_message\","));
    assert!(ann.packet().await.unwrap().starts_with("430[{\"ok\":true,"));
}

#[tokio::test]
async fn everything_is_still_there_after_a_crash() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ann.call("send_group_message", json!({ "group_name": "g", "message": "kept" })).await;
    ann.call("send_public_message", json!({ "message": "kept too" })).await;
    let server = server.crash_and_restart();

    let mut ann = Client::connect(&server).await;
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    let joined = ann.expect("chat_joined").await;
    assert_eq!(joined["public_messages"][0]["message"], "kept too");
    assert_eq!(joined["available_groups"], json!(["g"]));
    let ack = ann.call("send_group_message", json!({ "group_name": "g", "message": "it is me" })).await;
    assert_eq!(ack["error"]["code"], "forbidden", "a name alone proves nothing");
    ann.expect("error").await;
    ann.emit("join_group", json!({ "group_name": "g", "password": "pw" })).await;
    let joined = ann.expect("group_joined").await;
    assert_eq!(joined["messages"][0]["message"], "kept");
    assert_eq!(joined["members"], json!(["ann"]), "the same name stands once");
}

#[tokio::test]
async fn who_takes_another_name_stays_in_the_groups() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ann.call("join_chat", json!({ "username": "anna" })).await;
    let ack = ann.call("send_group_message", json!({ "group_name": "g", "message": "still here" })).await;
    assert_eq!(ack["ok"], true);
}

#[tokio::test]
async fn a_name_leaves_the_list_of_members_with_the_guest_who_leaves() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g" })).await;
    ann.close().await;
    let mut again = Client::join(&server, "ann").await;
    again.call("join_group", json!({ "group_name": "g" })).await;
    again.call("leave_group", json!({ "group_name": "g" })).await;
    let mut bob = Client::join(&server, "bob").await;
    bob.emit("join_group", json!({ "group_name": "g" })).await;
    assert_eq!(bob.expect("group_joined").await["members"], json!(["bob"]));
}

#[tokio::test]
async fn people_can_ask_for_their_own_numbers() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g" })).await;
    ann.expect("group_created").await;
    ann.expect("group_list_updated").await;
    ann.call("send_group_message", json!({ "group_name": "g", "message": "one" })).await;
    ann.expect("new_message").await;
    ann.say("42[\"get_user_stats\"]").await;
    assert_wire!("user_stats", ann.expect("user_stats").await);
}

#[tokio::test]
async fn a_stopping_server_answers_what_it_took_and_says_goodbye() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut calls = Vec::new();
    for number in 0..50 {
        calls.push(ann.emit_with_ack("send_public_message", json!({ "message": format!("{number}") })).await);
    }
    // Once the first answer is there, the others wait or are on their way.
    ann.ack(calls[0]).await;
    server.terminate();
    let mut stored = 1;
    for call in &calls[1..] {
        let ack = ann.ack(*call).await;
        match ack["ok"].as_bool().unwrap() {
            true => stored += 1,
            false => assert_eq!(ack["error"]["code"], "unavailable"),
        }
    }
    while ann.packet().await.is_some() {}

    let (status, _) = {
        let mut server = server;
        let status = server.wait();
        let server = server.crash_and_restart();
        let mut bob = Client::connect(&server).await;
        bob.emit("join_chat", json!({ "username": "bob" })).await;
        let joined = bob.expect("chat_joined").await;
        assert_eq!(joined["public_messages"].as_array().unwrap().len(), stored);
        (status, server)
    };
    assert_eq!(status.code(), Some(0));
}
