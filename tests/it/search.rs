//! What was said is found again, by its words, by who may read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::accounts::{enter, register};
use crate::client::{Client, ok};
use crate::http::call;
use crate::server::Server;

async fn say(client: &mut Client, text: &str) -> Value {
    ok(client, "send_public_message", json!({ "message": text })).await
}

/// All hits, page by page.
async fn found(client: &mut Client, query: &str, limit: u32) -> Vec<String> {
    let mut texts = Vec::new();
    let mut before = Value::Null;
    loop {
        let asked = json!({ "query": query, "limit": limit, "before": before });
        let page = ok(client, "search_messages", asked).await;
        let hits = page["hits"].as_array().unwrap();
        texts.extend(hits.iter().map(|hit| hit["message"].as_str().unwrap().to_owned()));
        before = page["next"].clone();
        if before == Value::Null {
            return texts;
        }
    }
}

#[tokio::test]
async fn words_phrases_and_beginnings_are_found_and_marked() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut bob = Client::join(&server, "bob lee").await;
    for text in ["Deploy last night", "the night was the last", "Sécurité first", "東京に行く"] {
        say(&mut ann, text).await;
    }
    say(&mut bob, "security last").await;
    for (query, expected) in [
        ("last night", &["the night was the last", "Deploy last night"][..]),
        ("\"last night\"", &["Deploy last night"]),
        ("securit*", &["security last", "Sécurité first"]),
        ("securite", &["Sécurité first"]),
        ("se*", &["security last", "Sécurité first"]),
        ("東京", &["東京に行く"]),
        ("last from:\"bob lee\"", &["security last"]),
        ("from:ann night", &["the night was the last", "Deploy last night"]),
        ("last before:2020-01-01", &[]),
        ("last after:2020-01-01 deploy", &["Deploy last night"]),
        ("nowhere", &[]),
    ] {
        for limit in [1, 20] {
            assert_eq!(found(&mut ann, query, limit).await, expected, "{query}");
        }
    }
    let page = ok(&mut ann, "search_messages", json!({ "query": "\"last night\"" })).await;
    insta::assert_json_snapshot!("search_hit", page["hits"][0], {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]"
    });
    for wrong in [json!({ "query": "" }), json!({ "query": "x", "limit": 0 }), json!({ "query": "x", "before": "?" })] {
        assert_eq!(ann.call("search_messages", wrong.clone()).await["error"]["code"], "invalid", "{wrong}");
    }
}

#[tokio::test]
async fn one_finds_what_one_may_read_and_nothing_of_whom_one_has_blocked() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let mut eve = Client::join(&server, "eve").await;
    ok(&mut eve, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut eve, "send_group_message", json!({ "group_name": "g", "message": "word in the group" })).await;
    say(&mut eve, "word in public").await;
    assert_eq!(found(&mut ann, "word", 1).await, ["word in public"]);
    for query in ["word in:g", "word in:none"] {
        let refused = ann.call("search_messages", json!({ "query": query })).await;
        assert_eq!(refused["ok"], false, "{query}");
    }
    ok(&mut ann, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
    assert_eq!(found(&mut ann, "word", 1).await, ["word in public", "word in the group"]);
    assert_eq!(found(&mut ann, "word in:g", 1).await, ["word in the group"]);
    let path = "/api/search?query=word%20group&room=g";
    let page = call(&server, "GET", path, Some(&token), Value::Null).await.json();
    assert_eq!(
        page["hits"][0]["parts"],
        json!([
            { "text": "word", "hit": true }, { "text": " in the ", "hit": false }, { "text": "group", "hit": true }
        ])
    );
    assert_eq!(call(&server, "GET", path, None, Value::Null).await.status, 401);
    assert_eq!(call(&server, "GET", "/api/search", Some(&token), Value::Null).await.status, 400);
    ok(&mut ann, "block_user", json!({ "username": "eve" })).await;
    assert_eq!(found(&mut ann, "word", 1).await, [""; 0]);
}

#[tokio::test]
async fn what_is_deleted_leaves_no_word_behind() {
    let server = Server::start_with(&[("RATELIMIT_ENABLED", "false")]);
    let mut ann = Client::join(&server, "ann").await;
    let id = say(&mut ann, "secret goes away").await["id"].clone();
    // So many that the message is sorted into a block.
    for _ in 0..2_048 {
        say(&mut ann, "this stays").await;
    }
    assert_eq!(found(&mut ann, "secret", 1).await, ["secret goes away"]);
    let recent = say(&mut ann, "secret of today").await["id"].clone();
    let sizes =
        || [("word_blocks", "entries"), ("recent_words", "words")].map(|(table, what)| server.size(table, what));
    let before = sizes();
    ok(&mut ann, "delete_message", json!({ "id": id })).await;
    ok(&mut ann, "delete_message", json!({ "id": recent })).await;
    assert_eq!(found(&mut ann, "secret", 1).await, [""; 0]);
    assert_eq!(found(&mut ann, "this", 100).await.len(), 2_048);
    // Three words, their beginnings (sec, secre, goe, awa; tod, today is a word and a beginning) and who wrote it.
    let gone: Vec<_> = before.iter().zip(sizes()).map(|(before, after)| before - after).collect();
    assert_eq!(gone, [8 * 6, 8 * 4]);
}

/// The same hits as a plain look at every message, in many scripts. `SEARCH_MESSAGES` sets how many messages.
#[tokio::test]
async fn search_finds_what_a_plain_scan_finds() {
    const SCRIPTS: [&[&str]; 12] = [
        &["secure", "security", "chat", "server", "night", "the", "a"],
        &["élan", "crème", "brûlée", "garçon", "où"],
        &["Straße", "über", "Größe", "Maß"],
        &["сервер", "чат", "ёлка", "безопасность"],
        &["ασφάλεια", "νύχτα", "Σίσυφος"],
        &["שלום", "עולם", "שרת"],
        &["مرحبا", "العالم", "خادم"],
        &["नमस्ते", "दुनिया", "सर्वर"],
        &["東京", "京都", "大阪", "東"],
        &["こんにちは", "サーバー", "がく"],
        &["안녕하세요", "세계", "서버"],
        &["สวัสดี", "โลก", "เซิร์ฟเวอร์"],
    ];
    let count: usize = std::env::var("SEARCH_MESSAGES").ok().and_then(|count| count.parse().ok()).unwrap_or(6_000);
    let server = Server::start_with(&[("RATELIMIT_ENABLED", "false")]);
    let mut state = 42_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut texts = Vec::new();
    for number in 0..count {
        let script = SCRIPTS[random(12)];
        let words: Vec<_> = (0..1 + random(5)).map(|_| script[random(script.len())]).collect();
        texts.push(format!("{} {}", words.join(" "), number % 97));
    }
    let mut writers = Vec::new();
    for (part, texts) in texts.chunks(count.div_ceil(8)).map(<[String]>::to_vec).enumerate() {
        let mut writer = Client::join(&server, &format!("writer {part}")).await;
        writers.push(tokio::spawn(async move {
            for some in texts.chunks(32) {
                let mut ids = Vec::new();
                for text in some {
                    ids.push(writer.emit_with_ack("send_public_message", json!({ "message": text })).await);
                }
                for id in ids {
                    assert_eq!(writer.ack(id).await["ok"], true);
                    while writer.heard().is_some() {}
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut ann = Client::join(&server, "ann").await;
    let spelled = |text: &str| text.split(' ').map(str::to_lowercase).collect::<Vec<_>>();
    for word in SCRIPTS.iter().flat_map(|script| script.iter()).copied().chain(["42", "security 13", "secur* the"]) {
        // Scripts without spaces have a word a character, and what stands between words does not count.
        let is_hit = |text: &&String| {
            word.split(' ').all(|word| match (word.strip_suffix('*'), has_spaces(word)) {
                (Some(beginning), _) => spelled(text).iter().any(|found| found.starts_with(beginning)),
                (None, true) => spelled(text).contains(&word.to_lowercase()),
                (None, false) => text.replace(' ', "").contains(word),
            })
        };
        let expected: Vec<_> = texts.iter().filter(is_hit).cloned().collect();
        let mut hits = found(&mut ann, word, 100).await;
        assert_eq!(hits.len(), expected.len(), "{word}");
        let distinct: BTreeSet<_> = hits.iter().cloned().collect();
        assert_eq!(distinct, expected.into_iter().collect(), "{word}");
        hits.clear();
    }
}

fn has_spaces(word: &str) -> bool {
    !word.chars().any(|c| matches!(c, '\u{0E00}'..='\u{0E7F}' | '\u{3040}'..='\u{30FF}' | '\u{4E00}'..='\u{9FFF}'))
}
