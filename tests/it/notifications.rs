//! Notifications: who is woken up through a push service and who is not, what it learns, and how people set it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::accounts::{enter, register};
use crate::client::{Client, ok};
use crate::http::{call, send_bytes};
use crate::keys::keys;
use crate::metrics::{get as metrics_page, metrics_addr};
use crate::push_service::{PushService, subscription};
use crate::server::Server;

const SUBJECT: &str = "mailto:ops@example.org";
const SETTINGS: [(&str, &str); 2] = [("PUSH_ALLOW_PRIVATE", "true"), ("VAPID_SUBJECT", SUBJECT)];

async fn settings(server: &Server, token: &str) -> Value {
    let answer = call(server, "GET", "/api/notifications", Some(token), Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn set(server: &Server, token: &str, change: Value) -> Value {
    let answer = call(server, "POST", "/api/notifications", Some(token), change).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The field that an answer complains of.
async fn wrong(server: &Server, token: &str, path: &str, body: Value) -> String {
    let answer = call(server, "POST", path, Some(token), body.clone()).await;
    assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    answer.json()["error"]["field"].as_str().unwrap_or("none").to_owned()
}

#[allow(clippy::disallowed_methods)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Quiet hours in UTC, from and to so many hours from now.
fn quiet(from: i64, to: i64) -> Value {
    let time = |hours| (now() + TimeDelta::hours(hours)).format("%H:%M").to_string();
    json!({ "from": time(from), "to": time(to), "time_zone": "UTC" })
}

/// Somebody with a browser of their name, who was in the group `g`.
async fn member(server: &Server, service: &PushService, name: &str) -> String {
    let token = register(server, name).await;
    let mut client = enter(server, &token, name).await;
    ok(&mut client, "join_group", json!({ "group_name": "g" })).await;
    client.close().await;
    service.subscribe(server, &token, name).await;
    token
}

/// Does what the name says. The connections that are left.
async fn behave(server: &Server, token: &str, name: &str) -> Vec<Client> {
    let mut client = enter(server, token, name).await;
    let (event, payload) = match name {
        "away" | "half_away" => ("set_presence", json!({ "away": true })),
        "blocks" => ("block_user", json!({ "username": "author" })),
        "mutes" => ("mute_room", json!({ "room": "g" })),
        "left" => ("leave_group", json!({ "group_name": "g" })),
        _ => ("get_presence", json!({ "room": "g" })),
    };
    ok(&mut client, event, payload).await;
    match name {
        "half_away" => return vec![client, enter(server, token, name).await],
        "present" | "away" => return vec![client],
        _ => client.close().await,
    }
    if name == "signed_out" {
        assert_eq!(call(server, "POST", "/api/logout", Some(token), json!({})).await.status, 200);
    }
    Vec::new()
}

#[tokio::test]
async fn who_is_away_and_wants_it_is_woken_and_nobody_else() {
    let server = Server::start_with(&SETTINGS);
    let mut service = PushService::start().await;
    let author_token = register(&server, "author").await;
    let mut author = enter(&server, &author_token, "author").await;
    ok(&mut author, "create_group", json!({ "group_name": "g" })).await;
    service.subscribe(&server, &author_token, "author").await;
    set(&server, &author_token, json!({ "default": "all" })).await;
    let mut connected = Vec::new();
    for (name, change) in [
        ("mentioned", json!({})),
        ("unmentioned", json!({})),
        ("wants_all", json!({ "default": "all" })),
        ("wants_none", json!({ "default": "none" })),
        ("room_all", json!({ "default": "none", "rooms": { "g": "all" } })),
        ("room_none", json!({ "default": "all", "rooms": { "g": "none" } })),
        ("asleep", json!({ "default": "all", "quiet_hours": quiet(-1, 1) })),
        ("awake", json!({ "default": "all", "quiet_hours": quiet(1, 2) })),
        ("present", json!({ "default": "all" })),
        ("away", json!({ "default": "all" })),
        ("half_away", json!({ "default": "all" })),
        ("blocks", json!({ "default": "all" })),
        ("mutes", json!({ "default": "all" })),
        ("left", json!({ "default": "all" })),
        ("signed_out", json!({ "default": "all" })),
    ] {
        let token = member(&server, &service, name).await;
        set(&server, &token, change).await;
        connected.extend(behave(&server, &token, name).await);
    }
    let text = "@mentioned @wants_none @room_none @asleep @present @half_away @blocks @mutes @left @signed_out @author";
    ok(&mut author, "send_group_message", json!({ "group_name": "g", "message": text })).await;
    let expected = ["mentioned", "wants_all", "room_all", "awake", "away"].map(str::to_owned);
    assert_eq!(service.browsers(expected.len()).await, BTreeSet::from(expected));
}

/// Waits until one notification is counted under that outcome.
async fn counted(metrics: &str, outcome: &str) {
    let line = format!("secure_chat_pushes_total{{outcome=\"{outcome}\"}} 1\n");
    while !metrics_page(metrics, "/metrics").await.1.contains(&line) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_push_service_learns_that_there_is_something_and_no_more() {
    let server =
        Server::start_with(&[&SETTINGS[..], &[("METRICS_ADDR", "127.0.0.1:0"), ("LOG_LEVEL", "debug")]].concat());
    let metrics = metrics_addr(&server);
    let mut service = PushService::start().await;
    let bob_token = register(&server, "bob").await;
    service.subscribe(&server, &bob_token, "s3cret-path").await;
    let public_key = settings(&server, &bob_token).await["public_key"].as_str().unwrap().to_owned();
    let mut ann = enter(&server, &register(&server, "ann").await, "ann").await;
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "a s3cret word" })).await;

    let received = service.next().await;
    let claims = received.claims(&public_key);
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(service.origin), &json!(SUBJECT)));
    let left = claims["exp"].as_i64().unwrap() - now().timestamp();
    assert!((3_600..=86_400).contains(&left), "good for {left} s");
    assert_eq!(received.body, b"", "there is no content");
    for (name, expected) in [("ttl", "86400"), ("urgency", "normal"), ("topic", "new"), ("content-length", "0")] {
        assert_eq!(received.headers[name], expected, "{name}");
    }
    let mut names: Vec<_> = received.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "content-length", "host", "topic", "ttl", "urgency", "user-agent"]);
    counted(&metrics, "sent").await;
    service.answer_next(&[400]);
    let carol_token = register(&server, "carol").await;
    service.subscribe(&server, &carol_token, "another-path").await;
    ok(&mut ann, "send_public_message", json!({ "message": "hello @carol" })).await;
    service.next().await;
    counted(&metrics, "failed").await;
    let log = server.stop_for_log();
    assert!(log.contains("has refused a notification with 400"), "{log}");
    for word in ["s3cret", "another-path", "bob", "carol", "127.0.0.1"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}

#[tokio::test]
async fn a_busy_room_is_one_notification_until_one_has_looked() {
    let server = Server::start_with(&SETTINGS);
    let mut service = PushService::start().await;
    let (bob_token, carol_token) = (register(&server, "bob").await, register(&server, "carol").await);
    service.subscribe(&server, &bob_token, "phone").await;
    service.subscribe(&server, &bob_token, "laptop").await;
    service.subscribe(&server, &carol_token, "carol").await;
    let mut ann = enter(&server, &register(&server, "ann").await, "ann").await;
    for number in 0..20 {
        ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": format!("number {number}") })).await;
    }
    assert_eq!(service.browsers(2).await, BTreeSet::from(["laptop", "phone"].map(str::to_owned)));
    ok(&mut ann, "send_public_message", json!({ "message": "@bob @carol" })).await;
    assert_eq!(service.browsers(1).await, BTreeSet::from(["carol".to_owned()]));

    // Bob looks, goes, and is told of what comes then: long before it would be told again in any case.
    let began = Instant::now();
    let received = loop {
        let mut bob = enter(&server, &bob_token, "bob").await;
        ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "ah" })).await;
        bob.skip_to("new_message").await;
        service.nothing().await;
        bob.close().await;
        ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "are you there?" })).await;
        if let Some(received) = service.within_a_moment().await {
            break received;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "bob was seen");
    };
    assert!(["/phone", "/laptop"].contains(&received.path.as_str()));
}

#[tokio::test]
async fn a_browser_that_wants_no_more_is_forgotten_and_a_busy_service_is_asked_again() {
    let server = Server::start_with(&SETTINGS);
    let mut service = PushService::start().await;
    let mut ann = enter(&server, &register(&server, "ann").await, "ann").await;
    for (name, answer) in [("bob", 410), ("carol", 404)] {
        let token = register(&server, name).await;
        service.subscribe(&server, &token, name).await;
        service.answer_next(&[answer]);
        ok(&mut ann, "send_direct_message", json!({ "to": name, "message": "hi" })).await;
        assert_eq!(service.next().await.path, format!("/{name}"));
        while settings(&server, &token).await["subscriptions"] != 0 {
            tokio::task::yield_now().await;
        }
    }
    let token = register(&server, "dave").await;
    service.subscribe(&server, &token, "dave").await;
    service.answer_next(&[503]);
    ok(&mut ann, "send_direct_message", json!({ "to": "dave", "message": "hi" })).await;
    assert_eq!([service.next().await.path, service.next().await.path], ["/dave", "/dave"]);
    service.nothing().await;
    assert_eq!(settings(&server, &token).await["subscriptions"], 1);
}

#[tokio::test]
async fn a_push_service_that_hangs_delays_nobody() {
    let server = Server::start_with(&SETTINGS);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let token = register(&server, "bob").await;
    let endpoint = format!("http://{}/1", silent.local_addr().unwrap());
    let answer = call(&server, "POST", "/api/push/subscribe", Some(&token), subscription(&endpoint)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut ann = enter(&server, &register(&server, "ann").await, "ann").await;
    let began = Instant::now();
    for number in 0..50 {
        ok(&mut ann, "send_public_message", json!({ "message": format!("@bob {number}") })).await;
    }
    silent.accept().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "as long as one try takes: {:?}", began.elapsed());
    let (status, _) = server.stop();
    assert!(status.success(), "nor does it keep the server from stopping");
}

#[tokio::test]
async fn people_set_what_they_are_told_of() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g" })).await;
    let first = settings(&server, &token).await;
    let expected = json!({ "ok": true, "public_key": first["public_key"], "subscriptions": 0, "default": "mentions",
        "rooms": {}, "quiet_hours": null });
    assert_eq!(first, expected);

    let night = json!({ "from": "22:00", "to": "07:00", "time_zone": "Europe/Berlin" });
    set(&server, &token, json!({ "rooms": { "g": "none", "public": "all" } })).await;
    set(&server, &token, json!({ "default": "all", "quiet_hours": night })).await;
    let changed = set(&server, &token, json!({ "rooms": { "g": null, "no such room": null } })).await;
    let mut expected = expected;
    (expected["default"], expected["rooms"], expected["quiet_hours"]) =
        (json!("all"), json!({ "public": "all" }), night);
    assert_eq!((&changed, &settings(&server, &token).await), (&expected, &expected));
    assert_eq!(set(&server, &token, json!({ "quiet_hours": null })).await["quiet_hours"], Value::Null);

    let mut owner = Client::join(&server, "eve").await;
    ok(&mut owner, "create_group", json!({ "group_name": "of others" })).await;
    let hours =
        |from: &str, to: &str, zone: &str| json!({ "quiet_hours": { "from": from, "to": to, "time_zone": zone } });
    for (field, change) in [
        ("default", json!({ "default": "some" })),
        ("rooms.g", json!({ "rooms": { "g": "loud" } })),
        ("rooms.of others", json!({ "rooms": { "of others": "all" } })),
        ("rooms.nowhere", json!({ "rooms": { "nowhere": "all" } })),
        ("quiet_hours.from", hours("25:00", "07:00", "UTC")),
        ("quiet_hours.to", hours("22:00", "22:00", "UTC")),
        ("quiet_hours.time_zone", hours("22:00", "07:00", "Mars/Olympus")),
        ("time_zone", json!({ "quiet_hours": { "from": "22:00", "to": "07:00" } })),
    ] {
        assert_eq!(wrong(&server, &token, "/api/notifications", change).await, field);
    }
}

#[tokio::test]
async fn browsers_are_told_for_one_account_and_ten_of_each() {
    let server = Server::start();
    let (ann, bob) = (register(&server, "ann").await, register(&server, "bob").await);
    let subscribe = async |token: &str, endpoint: &str| {
        let answer = call(&server, "POST", "/api/push/subscribe", Some(token), subscription(endpoint)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["subscriptions"].clone()
    };
    let unsubscribe = async |token: &str, endpoint: &str| {
        let body = json!({ "endpoint": endpoint });
        call(&server, "POST", "/api/push/unsubscribe", Some(token), body).await.json()["subscriptions"].clone()
    };
    let at = |number: usize| format!("https://push.example.org/{number}");
    assert_eq!((subscribe(&ann, &at(0)).await, subscribe(&ann, &at(0)).await), (json!(1), json!(1)));
    assert_eq!(unsubscribe(&bob, &at(0)).await, 0, "no one else's");
    assert_eq!(settings(&server, &ann).await["subscriptions"], 1);
    assert_eq!(subscribe(&bob, &at(0)).await, 1, "who is there now");
    assert_eq!(settings(&server, &ann).await["subscriptions"], 0);
    for number in 1..=12 {
        assert_eq!(subscribe(&ann, &at(number)).await, number.min(10));
    }
    assert_eq!(unsubscribe(&ann, &at(2)).await, 10, "the oldest have gone");
    assert_eq!((unsubscribe(&ann, &at(3)).await, unsubscribe(&ann, &at(3)).await), (json!(9), json!(9)));

    let (_, body) =
        send_bytes(&server, "GET", "/api/export", &[("Authorization", &format!("Bearer {ann}"))], b"").await;
    let lines: Vec<Value> =
        body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let line = lines.iter().find(|line| line["kind"] == "notifications").unwrap();
    let expected =
        json!({ "kind": "notifications", "default": "mentions", "rooms": {}, "quiet_hours": null, "subscriptions": 9 });
    assert_eq!(*line, expected);
    assert!(!String::from_utf8(body).unwrap().contains("push.example.org"));
}

#[tokio::test]
async fn what_is_no_push_service_of_a_browser_is_refused() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    for endpoint in [
        "http://push.example.org/1",
        "https://127.0.0.1/1",
        "https://[::1]:6379/1",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/1",
        "https://2130706433/1",
        "https://localhost/1",
        "https://redis/1",
        "https://ann:pw@push.example.org/1",
        "file:///etc/passwd",
        "no address",
    ] {
        let field = wrong(&server, &token, "/api/push/subscribe", subscription(endpoint)).await;
        assert_eq!(field, "endpoint", "{endpoint}");
    }
    let good = subscription("https://push.example.org/1");
    for (field, wrong_value) in [("p256dh", "AAAA"), ("p256dh", "no base64!"), ("auth", "AAAA")] {
        let mut body = good.clone();
        body["keys"][field] = json!(wrong_value);
        assert_eq!(wrong(&server, &token, "/api/push/subscribe", body).await, format!("keys.{field}"));
    }
    assert_eq!(wrong(&server, &token, "/api/push/subscribe", json!({ "endpoint": good["endpoint"] })).await, "keys");

    let mut guest = Client::join(&server, "guest").await;
    let pass = ok(&mut guest, "get_pass", json!({})).await["pass"].as_str().unwrap().to_owned();
    for token in [None, Some(pass.as_str())] {
        for (method, path, body) in [
            ("GET", "/api/notifications", Value::Null),
            ("POST", "/api/notifications", json!({})),
            ("POST", "/api/push/subscribe", good.clone()),
            ("POST", "/api/push/unsubscribe", json!({ "endpoint": good["endpoint"] })),
        ] {
            let answer = call(&server, method, path, token, body).await;
            assert_eq!((answer.status, &answer.json()["error"]["code"]), (401, &json!("unauthenticated")), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_is_kept_over_a_restart_and_over_new_keys() {
    let server = Server::start_with(&SETTINGS);
    let mut service = PushService::start().await;
    let token = register(&server, "bob").await;
    let ann_token = register(&server, "ann").await;
    let endpoint = service.subscribe(&server, &token, "bob").await;
    let night = quiet(2, 3);
    let expected = set(&server, &token, json!({ "rooms": { "public": "none" }, "quiet_hours": night })).await;
    assert_eq!(expected["subscriptions"], 1);

    let server = server.restart();
    assert_eq!(settings(&server, &token).await, expected);
    let public_key = expected["public_key"].as_str().unwrap();
    let mut ann = enter(&server, &ann_token, "ann").await;
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hi" })).await;
    service.next().await.claims(public_key);

    keys(&server, &["rotate"]).await;
    service.subscribe(&server, &token, "bob").await;
    assert_eq!(settings(&server, &token).await, expected, "known by its older index");
    keys(&server, &["reencrypt"]).await;
    keys(&server, &["retire"]).await;
    assert!(keys(&server, &["verify"]).await.contains("Nothing is under an older key."));
    service.subscribe(&server, &token, "bob").await;
    assert_eq!(settings(&server, &token).await, expected, "and by its new one");

    let server = server.restart();
    assert_eq!(settings(&server, &token).await, expected);
    let mut ann = Client::sign_in(&server, &ann_token).await;
    ok(&mut ann, "send_direct_message", json!({ "to": "bob", "message": "hi again" })).await;
    service.next().await.claims(public_key);
    let body = json!({ "endpoint": endpoint });
    let answer = call(&server, "POST", "/api/push/unsubscribe", Some(&token), body).await;
    assert_eq!(answer.json(), json!({ "ok": true, "subscriptions": 0 }));
}

#[tokio::test]
async fn a_contact_that_nobody_can_reach_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for subject in ["ann@example.org", "mailto:", "http://example.org", "mailto:a b@example.org"] {
        let ended = crate::server::run(folder.path(), &["config"], &[("VAPID_SUBJECT", subject)]);
        assert_eq!(ended.code, 2, "{subject}: {}", ended.stderr);
        assert!(ended.stderr.contains("VAPID_SUBJECT"), "{}", ended.stderr);
    }
}
