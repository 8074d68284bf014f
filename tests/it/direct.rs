//! Direct messages: rooms of two people.

use serde_json::json;

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::server::Server;

#[tokio::test]
async fn two_people_talk_and_nobody_else_hears_or_finds_it() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let sent = ok(&mut ann, "send_direct_message", json!({ "to": "BOB", "message": "between us" })).await;
    let heard = bob.skip_to("new_message").await;
    insta::assert_json_snapshot!("direct_message", heard, {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]", ".room" => "direct:[digits]"
    });
    assert_eq!(ann.skip_to("new_message").await, heard);
    assert_eq!(sent["room"], heard["room"]);
    ok(&mut bob, "send_direct_message", json!({ "to": "ann", "message": "the answer" })).await;
    let answer = ann.skip_to("new_message").await;
    assert_eq!((&answer["room"], &answer["to"]), (&sent["room"], &json!("ann")));
    let room = sent["room"].clone();
    assert_eq!(
        ok(&mut bob, "list_directs", json!({})).await["directs"],
        json!([
            { "room": room, "username": "ann", "last": 2 }
        ])
    );
    for client in [&mut ann, &mut bob] {
        assert_eq!(ok(client, "get_history", json!({ "room": room })).await["messages"][1]["message"], "the answer");
        assert_eq!(ok(client, "search_messages", json!({ "query": "between" })).await["hits"][0]["room"], room);
    }

    // Nobody else: not by its name, not by a search, not in a list.
    let asked = [
        ("get_history", json!({ "room": room })),
        ("join_group", json!({ "group_name": room })),
        ("create_group", json!({ "group_name": room })),
        ("send_group_message", json!({ "group_name": room, "message": "x" })),
        ("mark_read", json!({ "room": room })),
        ("list_pins", json!({ "room": room })),
    ];
    for (event, payload) in asked {
        assert_eq!(owner.call(event, payload).await["ok"], false, "{event}");
    }
    let path = room.as_str().unwrap();
    assert!(Client::enter_room(&server, path, json!({ "username": "eve" })).await.is_err());
    assert_eq!(ok(&mut owner, "search_messages", json!({ "query": "between" })).await["hits"], json!([]));
    while let Some((event, payload)) = owner.heard() {
        assert!(!payload.to_string().contains("direct:"), "{event}: {payload}");
    }
    let mut late = Client::connect(&server).await;
    late.emit("join_chat", json!({ "username": "late" })).await;
    assert_eq!(late.expect("chat_joined").await["available_groups"], json!([]));

    // Nor who signs in over a connection that was in it.
    let eve_token = register(&server, "eve").await;
    let login = json!({ "username": "eve", "password": crate::accounts::PASSWORD });
    ok(&mut ann, "login", login).await;
    assert_eq!(ok(&mut ann, "list_directs", json!({})).await["directs"], json!([]));
    assert_eq!(ann.call("get_history", json!({ "room": room })).await["ok"], false);
    while ann.heard().is_some() {}
    ok(&mut bob, "send_direct_message", json!({ "to": "ann", "message": "not for eve" })).await;
    ann.expect_nothing().await;
    drop(eve_token);

    // It comes unasked to whoever comes back.
    let server = server.crash_and_restart();
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = Client::sign_in(&server, &bob_token).await;
    bob.call("get_unread", json!({})).await;
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "after the restart" })).await;
    assert_eq!(bob.skip_to("new_message").await["message"], "after the restart");
    ok(&mut bob, "send_direct_message", json!({ "to": "ann", "message": "still here" })).await;
    ann.skip_to("new_message").await;
    assert_eq!(ann.skip_to("new_message").await["message"], "still here");
    for event in ["kick_user", "ban_user"] {
        let refused = ann.call(event, json!({ "username": "bob", "room": room })).await;
        assert_eq!(refused["error"]["code"], "forbidden", "{event}");
    }
}

#[tokio::test]
async fn guests_are_written_to_while_they_are_here_and_who_blocks_hears_nothing() {
    let server = Server::start();
    let (mut ann, mut bob) = (Client::join(&server, "ann").await, Client::join(&server, "bob").await);
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hi" })).await;
    assert_eq!(bob.skip_to("new_message").await["message"], "hi");
    let room = ok(&mut bob, "list_directs", json!({})).await["directs"][0]["room"].clone();
    ok(&mut bob, "block_user", json!({ "username": "ann" })).await;
    assert_eq!(ok(&mut bob, "list_directs", json!({})).await["directs"], json!([]));
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hello?" })).await;
    bob.expect_nothing().await;
    assert_eq!(ok(&mut bob, "get_history", json!({ "room": room })).await["messages"], json!([]));
    bob.close().await;
    // Another guest of the name is somebody else, and reads nothing of it.
    let mut other = Client::join(&server, "bob").await;
    assert_eq!(ok(&mut other, "list_directs", json!({})).await["directs"], json!([]));
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "are you the same?" })).await;
    assert_ne!(other.skip_to("new_message").await["room"], room);
    other.close().await;
    // The server may take a moment to notice: both have left the public room.
    for _ in 0..2 {
        ann.skip_to("user_left").await;
    }
    for (to, code) in [("bob", "not_found"), ("nobody", "not_found"), ("ann", "invalid")] {
        let refused = ann.call("send_direct_message", json!({ "to": to, "message": "x" })).await;
        assert_eq!(refused["error"]["code"], code, "{to}");
    }
}
