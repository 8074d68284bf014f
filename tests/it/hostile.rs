//! Who sends what should not be sent: each gets an answer, nobody else notices.

use insta::assert_json_snapshot;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, ok};
use crate::metrics::{self, metrics_addr};
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

#[tokio::test]
async fn who_leaves_the_server_waiting_is_let_go() {
    let server = Server::start_with(&[("HTTP_IDLE_TIMEOUT", "1")]);
    let mut ann = Client::join(&server, "ann").await;
    let head = format!("POST /api/login HTTP/1.1\r\nHost: {}\r\n", server.addr);
    let body = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"username\":";
    for (said, answer) in [
        ("", ""),
        ("GET /heal", ""),
        (&*head, ""),
        (&*format!("{head}{body}"), "HTTP/1.1 4"),
        // Answered, and then no other request.
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"),
    ] {
        let mut stream = TcpStream::connect(&server.addr).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        // To its end: the server closes it.
        stream.read_to_string(&mut heard).await.unwrap();
        assert!(heard.starts_with(answer) && heard.is_empty() == answer.is_empty(), "{said:?}: {heard:?}");
    }
    // None of this is for a websocket, which has pings of its own.
    ann.expect_nothing().await;
}

/// How many pages of history the server has handed out.
async fn pages(metrics: &str) -> usize {
    let (_, body) = metrics::get(metrics, "/metrics").await;
    let line = body.lines().find(|line| line.starts_with("secure_chat_events_total{event=\"get_history\""));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn who_asks_and_does_not_read_holds_little_memory() {
    const ASKED: usize = 60;

    let server = Server::start_with(&[("METRICS_ADDR", "127.0.0.1:0")]);
    let metrics = metrics_addr(&server);
    let mut ann = Client::join(&server, "ann").await;
    for _ in 0..100 {
        ok(&mut ann, "send_public_message", json!({ "message": "a".repeat(10_000) })).await;
    }
    let mut lazy = Client::join(&server, "lazy").await;
    let mut asked = Vec::new();
    for _ in 0..ASKED {
        asked.push(lazy.emit_with_ack("get_history", json!({ "room": "public", "limit": 100 })).await);
    }
    // Meanwhile somebody who reads gets as much as that one asked for.
    for _ in 0..ASKED {
        ok(&mut ann, "get_history", json!({ "room": "public", "limit": 100 })).await;
    }
    let ahead = pages(&metrics).await - ASKED;
    assert!(ahead < ASKED / 2, "{ahead} pages wait for who does not read");
    for id in asked {
        assert_eq!(lazy.ack(id).await["ok"], true, "and who does read in the end gets all");
    }
}
