//! Who is here: online, away, when last; and not to be seen.

use serde_json::{Value, json};

use crate::accounts::{enter, register};
use crate::client::{Client, ok};
use crate::server::Server;

/// Who is in a room, as `client` sees it: `name state` each, and a `*` where it is said when they were here last.
async fn people(client: &mut Client, room: &str) -> Vec<String> {
    let ack = ok(client, "get_presence", json!({ "room": room })).await;
    ack["people"].as_array().unwrap().iter().map(line).collect()
}

fn line(person: &Value) -> String {
    let last = if person["last_seen"].is_string() { "*" } else { "" };
    format!("{} {}{last}", person["username"].as_str().unwrap(), person["presence"].as_str().unwrap())
}

/// Waits until `client` sees that, by asking and by what is told from then on.
async fn sees(client: &mut Client, room: &str, expected: &str) {
    if !people(client, room).await.contains(&expected.to_owned()) {
        told(client, expected).await;
    }
}

/// Waits until `client` is told that.
async fn told(client: &mut Client, expected: &str) -> Value {
    loop {
        let event = client.skip_to("presence_changed").await;
        if line(&event) == expected {
            return event;
        }
    }
}

#[tokio::test]
async fn a_small_group_sees_who_comes_is_away_and_goes() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g" })).await;
    ok(&mut bob, "join_group", json!({ "group_name": "g" })).await;
    sees(&mut ann, "g", "bob online").await;
    let there = ok(&mut bob, "get_presence", json!({ "room": "g" })).await["people"].take();
    assert_eq!([&there[0]["role"], &there[1]["role"]], [&json!("owner"), &Value::Null], "who runs it: {there}");

    ok(&mut bob, "set_presence", json!({ "away": true })).await;
    let event = told(&mut ann, "bob away").await;
    insta::assert_json_snapshot!("presence_changed", event);
    let mut phone = enter(&server, &bob_token, "bob").await;
    told(&mut ann, "bob online").await;
    assert_eq!(people(&mut ann, "g").await, ["ann online", "bob online"]);

    bob.close().await;
    ok(&mut phone, "set_presence", json!({ "away": true })).await;
    told(&mut ann, "bob away").await;
    phone.close().await;
    told(&mut ann, "bob offline*").await;
    assert_eq!(people(&mut ann, "g").await, ["ann online", "bob offline*"]);
}

#[tokio::test]
async fn who_hides_is_offline_to_others_until_they_say_otherwise() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    let room = ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hi" })).await["room"].clone();
    let room = room.as_str().unwrap();
    sees(&mut ann, room, "bob online").await;
    assert_eq!(ok(&mut bob, "set_presence", json!({ "hidden": true })).await["hidden"], true);
    // As if they had gone then.
    let gone = told(&mut ann, "bob offline*").await;
    assert_eq!(people(&mut ann, room).await, ["ann online", "bob offline*"]);
    assert_eq!(people(&mut ann, "public").await, ["ann online"]);

    // It holds over a restart, and says nothing of when bob comes and goes.
    drop((ann, bob));
    let server = server.restart();
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    assert_eq!(people(&mut ann, room).await, ["ann online", "bob offline*"]);
    let ack = ok(&mut ann, "get_presence", json!({ "room": room })).await;
    assert_eq!(ack["people"][1]["last_seen"], gone["last_seen"]);
    while let Some((event, payload)) = ann.heard() {
        assert!(event != "user_joined" || payload["username"] != "bob", "{payload}");
    }
    ok(&mut bob, "set_presence", json!({ "hidden": false })).await;
    told(&mut ann, "bob online").await;
}

#[tokio::test]
async fn strangers_and_the_blocked_see_nothing() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    let mut eve = Client::join(&server, "eve").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut bob, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
    assert_eq!(eve.call("get_presence", json!({ "room": "g" })).await["error"]["code"], "forbidden");
    sees(&mut bob, "g", "ann online").await;
    let mut public = people(&mut eve, "public").await;
    public.retain(|line| line != "eve online");
    assert_eq!(public, ["ann online", "bob online"]);

    ok(&mut ann, "block_user", json!({ "username": "bob" })).await;
    assert_eq!(people(&mut bob, "g").await, ["bob online", "ann offline*"]);
    assert!(!people(&mut bob, "public").await.contains(&"ann online".to_owned()));
    // Nor is it told to bob that ann is away, before it is told that eve is.
    ok(&mut ann, "set_presence", json!({ "away": true })).await;
    sees(&mut ann, "g", "ann away").await;
    ok(&mut eve, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut eve, "set_presence", json!({ "away": true })).await;
    loop {
        let event = line(&bob.skip_to("presence_changed").await);
        assert_ne!(event, "ann away");
        if event == "eve away" {
            break;
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_remembers_who_was_here() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &ann_token, "ann").await;
    let bob = enter(&server, &bob_token, "bob").await;
    let room = ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hi" })).await["room"].clone();
    // The time of the first message is the last sign of life of ann, and not of bob.
    let server = server.restart();
    drop((ann, bob));
    let mut ann = enter(&server, &ann_token, "ann").await;
    let ack = ok(&mut ann, "get_presence", json!({ "room": room })).await;
    let bob = &ack["people"][1];
    assert_eq!(line(bob), "bob offline*");
    let history = ok(&mut ann, "get_history", json!({ "room": room })).await;
    assert!(bob["last_seen"].as_str().unwrap() > history["messages"][0]["timestamp"].as_str().unwrap());
}
