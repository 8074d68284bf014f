//! Who sends what should not be sent: each gets an answer, nobody else notices.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

#[tokio::test]
async fn every_wrong_payload_gets_an_error_that_names_the_field() {
    let server = Server::start_with(&[("MAX_MESSAGE_LENGTH", "10")]);
    let mut ann = Client::join(&server, "ann").await;
    let packets = [
        r#"["send_public_message"]"#,
        r#"["send_public_message",null]"#,
        r#"["send_public_message",{"message":7}]"#,
        r#"["send_public_message",{"message":""}]"#,
        r#"["send_public_message",{"message":"a\u0000"}]"#,
        r#"["send_public_message",{"message":"\ud83d"}]"#,
        r#"["send_public_message",{"message":"12345678901"}]"#,
        r#"["send_public_message",{"message":"x","encrypted_content":7}]"#,
        r#"["send_public_message",{"message":"x"},{"message":"y"}]"#,
        r#"["send_group_message",{"group_name":7,"message":"x"}]"#,
        r#"["send_group_message",{"group_name":"nowhere","message":"x"}]"#,
        r#"["join_chat",{"username":"<b>"}]"#,
        r#"["join_chat",{"username":"a\u202eb"}]"#,
        r#"["join_chat",{"username":["x"]}]"#,
        r#"["join_group",{"group_name":""}]"#,
        r#"["join_group",{"group_name":"nowhere"}]"#,
        r#"["create_group",{"group_name":"public"}]"#,
        r#"["create_group",{"group_name":"g","password":["x"]}]"#,
        r#"["leave_group",{}]"#,
        r#"["get_user_stats",{}]"#,
        r#"["backup_database"]"#,
        r#"["disconnect"]"#,
        r#"["chat_joined",{}]"#,
    ];
    let mut answers = Vec::new();
    for packet in packets {
        ann.say(&format!("42{packet}")).await;
        answers.push(json!({ "sent": packet, "error": ann.expect("error").await }));
    }
    assert_json_snapshot!("errors", answers);
}

#[tokio::test]
async fn before_joining_everything_is_refused() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut stranger = Client::connect(&server).await;
    for event in ["send_public_message", "create_group", "join_group", "send_group_message", "leave_group"] {
        let ack = stranger.call(event, json!({ "group_name": "g", "message": "x" })).await;
        assert_eq!(ack["error"]["code"], "unauthenticated", "{event}");
        assert_eq!(stranger.expect("error").await["code"], "unauthenticated");
    }
    ann.expect_nothing().await;
}

#[tokio::test]
async fn guests_are_refused_where_the_setting_says_so() {
    let server = Server::start_with(&[("GUEST_ACCESS", "off")]);
    let mut ann = Client::connect(&server).await;
    let ack = ann.call("join_chat", json!({ "username": "ann" })).await;
    assert_eq!(ack["error"]["code"], "forbidden");
}

#[tokio::test]
async fn a_page_of_another_origin_cannot_connect() {
    let server = Server::start();
    assert!(Client::open(&server, &[("origin", "https://evil.example")]).await.unwrap_err().contains("400"));
    assert!(Client::open(&server, &[("origin", &format!("http://{}", server.addr))]).await.is_ok());
    let listed = Server::start_with(&[("CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example")]);
    assert!(Client::open(&listed, &[("origin", "https://b.example")]).await.is_ok());
    assert!(Client::open(&listed, &[("origin", "https://c.example")]).await.is_err());
}

/// The reader stops reading. It must be cut off, not lose a message in the middle; the others go on.
#[tokio::test]
async fn a_slow_reader_is_cut_off_and_never_skipped_silently() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut slow = Client::join(&server, "slow").await;
    ann.expect("user_joined").await;
    let text = "x".repeat(10_000);
    let mut sent = 0;
    let left = 'until_cut_off: loop {
        for _ in 0..20 {
            ann.emit("send_public_message", json!({ "message": text })).await;
            sent += 1;
        }
        for _ in 0..20 {
            match ann.next().await.unwrap() {
                (event, payload) if event == "user_left" => break 'until_cut_off payload,
                (event, _) => assert_eq!(event, "new_message"),
            }
        }
        assert!(sent < 20_000, "200 MB were sent and the slow reader is still there");
    };
    assert_eq!(left["username"], "slow");
    let mut last = 0;
    while let Some((_, message)) = slow.next().await {
        let seq = message["seq"].as_i64().unwrap();
        assert_eq!(seq, last + 1, "no gap in what it did get");
        last = seq;
    }
    assert!(last < sent, "it missed some");
}

#[tokio::test]
async fn a_flood_of_one_connection_is_answered_with_too_many() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    // Hashing a password takes long enough for the queue to fill up behind it.
    ann.emit("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let mut calls = Vec::new();
    for _ in 0..200 {
        calls.push(ann.emit_with_ack("send_public_message", json!({ "message": "x" })).await);
    }
    let mut codes: Vec<Value> = Vec::new();
    while codes.len() < calls.len() {
        let packet = ann.packet().await.unwrap();
        if let Some(ack) = packet.strip_prefix("43") {
            let ack: Value = serde_json::from_str(&ack[ack.find('[').unwrap()..]).unwrap();
            codes.push(ack[0]["error"]["code"].clone());
        }
    }
    assert!(codes.iter().any(|code| code == "too_many"), "the queue is bounded");
    assert!(codes.iter().any(Value::is_null), "what was in the queue is done");
    assert!(codes.iter().all(|code| code.is_null() || code == "too_many"), "{codes:?}");
}
