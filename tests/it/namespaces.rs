//! A room as a namespace: who connects there is in the room, and both ways in are one room.

use serde_json::json;

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::server::Server;

#[tokio::test]
async fn a_client_of_ten_lines_is_in_a_room() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g ü", "password": "pw" })).await;
    ok(&mut ann, "send_group_message", json!({ "group_name": "g ü", "message": "before" })).await;
    let mut bob =
        Client::enter_room(&server, "g%20%C3%BC", json!({ "username": "bob", "password": "pw" })).await.unwrap();
    insta::assert_json_snapshot!("room_joined", bob.expect("room_joined").await, {
        ".messages[].id" => "[id]", ".messages[].user_id" => "[id]", ".messages[].timestamp" => "[time]"
    });
    assert_eq!(ann.skip_to("user_joined").await, json!({ "username": "bob", "room": "g ü" }));

    // Both ways in are one room.
    let sent = ok(&mut bob, "send", json!({ "message": "from the namespace", "client_id": "1" })).await;
    assert_eq!(ok(&mut bob, "send", json!({ "message": "from the namespace", "client_id": "1" })).await, sent);
    let heard = bob.expect("new_message").await;
    assert_eq!(ann.skip_to("new_message").await, heard);
    ok(&mut ann, "send_group_message", json!({ "group_name": "g ü", "message": "from the chat" })).await;
    assert_eq!(bob.expect("new_message").await["message"], "from the chat");
    ok(&mut ann, "send_public_message", json!({ "message": "elsewhere" })).await;
    let history = ok(&mut bob, "get_history", json!({ "limit": 2 })).await;
    let texts: Vec<_> = history["messages"].as_array().unwrap().iter().map(|m| m["message"].clone()).collect();
    assert_eq!(texts, ["from the namespace", "from the chat"]);
    ok(&mut bob, "typing", json!({})).await;
    assert_eq!(ann.skip_to("typing").await["username"], "bob");
    ok(&mut bob, "react", json!({ "id": sent["id"], "emoji": "👍" })).await;
    bob.skip_to("message_reacted").await;
    assert_eq!(bob.heard(), None, "nothing of other rooms");
    for event in ["join_group", "send_public_message", "audit_log"] {
        assert_eq!(bob.call(event, json!({})).await["error"]["code"], "not_found", "{event}");
    }
    bob.close().await;
    assert_eq!(ann.skip_to("user_left").await, json!({ "username": "bob", "room": "g ü" }));
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    for (room, auth, reason) in [
        ("g", json!({ "username": "bob" }), "Failed to join group. Check password."),
        ("g", json!({ "username": "bob", "password": "no" }), "Failed to join group. Check password."),
        ("none", json!({ "username": "bob" }), "Failed to join group. Check password."),
        (
            "g",
            json!({ "username": "Ann", "password": "pw" }),
            "This name belongs to an account, or looks like one that does. Sign in, or choose another name.",
        ),
        ("g", json!({}), "Connect with auth {token}, or {username}."),
        ("g", json!({ "username": "<b>" }), "auth must be {token}, or {username, password?}"),
        ("g", json!({ "token": "x" }), "This session is over. Sign in again."),
        ("%FF", json!({ "username": "bob" }), "must be UTF-8"),
    ] {
        let refused = Client::enter_room(&server, room, auth.clone()).await;
        assert_eq!(refused.err().as_deref(), Some(reason), "{room} {auth}");
    }
    // A member comes in without the password, and public is a room as well.
    let mut again = Client::enter_room(&server, "g", json!({ "token": token })).await.unwrap();
    assert_eq!(again.expect("room_joined").await["members"], json!(["ann"]));
    let mut public = Client::enter_room(&server, "public", json!({ "username": "bob" })).await.unwrap();
    public.expect("room_joined").await;
    ok(&mut public, "send", json!({ "message": "hi all" })).await;
    assert_eq!(ann.skip_to("new_message").await["message"], "hi all");
}

#[tokio::test]
async fn bans_cross_over() {
    let server = Server::start();
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g" })).await;
    let mut bob = Client::enter_room(&server, "g", json!({ "username": "bob" })).await.unwrap();
    bob.expect("room_joined").await;
    ok(&mut owner, "ban_user", json!({ "username": "bob", "room": "g", "reason": "no" })).await;
    let refused = bob.call("send", json!({ "message": "still here?" })).await;
    assert_eq!(refused["error"]["code"], "forbidden");
    ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "without bob" })).await;
    assert_eq!(bob.call("get_history", json!({})).await["error"]["code"], "forbidden");
    while let Some((event, _)) = bob.heard() {
        assert_ne!(event, "new_message");
    }
    let refused = Client::enter_room(&server, "g", json!({ "username": "bob" })).await;
    assert_eq!(refused.unwrap_err(), "You are banned from this room.");
    ok(&mut owner, "ban_user", json!({ "username": "bob" })).await;
    while bob.next().await.is_some() {}
}

#[tokio::test]
async fn one_connection_carries_several_rooms() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g" })).await;
    while ann.heard().is_some() {}
    ann.say(&format!("40/rooms/g,{}", json!({ "username": "ann" }))).await;
    while !ann.packet().await.unwrap().starts_with("42/rooms/g,[\"room_joined\"") {}
    ann.say("42/rooms/g,[\"send\",{\"message\":\"hi\"}]").await;
    let mut heard = Vec::new();
    while heard.len() < 2 {
        let packet = ann.packet().await.unwrap();
        if packet.contains("new_message") {
            heard.push(packet[..packet.find('[').unwrap()].to_owned());
        }
    }
    heard.sort();
    assert_eq!(heard, ["42", "42/rooms/g,"], "as a member in the chat, and in the namespace");
    ann.say("41/rooms/g,").await;
    ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "still here" })).await;
}

#[tokio::test]
async fn who_leaves_a_group_leaves_it_with_all_that_they_have_open() {
    let server = Server::start();
    let (owner, token) = (register(&server, "ann").await, register(&server, "bob").await);
    let mut ann = enter(&server, &owner, "ann").await;
    let group = json!({ "group_name": "g" });
    ok(&mut ann, "create_group", group.clone()).await;
    let (mut here, mut there) = (enter(&server, &token, "bob").await, enter(&server, &token, "bob").await);
    for bob in [&mut here, &mut there] {
        ok(bob, "join_group", group.clone()).await;
    }
    let mut inside = Client::enter_room(&server, "g", json!({ "token": token })).await.unwrap();
    inside.expect("room_joined").await;

    ok(&mut here, "leave_group", group).await;
    there.skip_to("group_left").await;
    inside.skip_to("group_left").await;
    ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "now that bob has left" })).await;
    ok(&mut ann, "send_public_message", json!({ "message": "for everybody" })).await;
    assert_eq!(there.skip_to("new_message").await["message"], "for everybody");
    // The next that comes is its own refusal.
    assert_eq!(inside.call("get_history", json!({ "limit": 1 })).await["error"]["code"], "forbidden");
    assert_eq!(inside.heard().map(|(event, _)| event).as_deref(), Some("error"));
}
