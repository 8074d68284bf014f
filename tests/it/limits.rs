//! Limits, as they are unless a setting says otherwise.

use serde_json::{Value, json};

use crate::accounts::{PASSWORD, own, register};
use crate::client::Client;
use crate::http::{call, send};
use crate::server::Server;

const ON: (&str, &str) = ("RATELIMIT_ENABLED", "true");

/// Calls until it is refused; how often it was not, and the refusal.
async fn until_refused(client: &mut Client, event: &str, payload: impl Fn(usize) -> Value) -> (usize, Value) {
    for count in 0.. {
        let ack = client.call(event, payload(count)).await;
        if ack["error"]["code"] == "too_many" {
            return (count, ack["error"].clone());
        }
    }
    unreachable!()
}

#[tokio::test]
async fn who_writes_too_much_hears_when_to_go_on() {
    let server = Server::start_with(&[ON, ("RATELIMIT_MESSAGES", "5/h burst 20")]);
    let mut ann = Client::join(&server, "ann").await;
    let (sent, error) = until_refused(&mut ann, "send_public_message", |n| json!({ "message": n.to_string() })).await;
    assert_eq!(sent, 20);
    assert!((700_000..=720_000).contains(&error["retry_ms"].as_u64().unwrap()), "{error}");
    let told = ann.skip_to("error").await;
    assert_eq!((&told["code"], &told["event"]), (&json!("too_many"), &json!("send_public_message")));
    let mut bob = Client::join(&server, "bob").await;
    assert_eq!(bob.call("send_public_message", json!({ "message": "x" })).await["ok"], true, "others go on");
}

#[tokio::test]
async fn a_group_password_is_not_to_be_guessed() {
    let server = Server::start_with(&[ON]);
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let mut eve = Client::join(&server, "eve").await;
    let guess = |n| json!({ "group_name": "g", "password": format!("guess {n}") });
    assert_eq!(until_refused(&mut eve, "join_group", guess).await.0, 5);
    // Under another name it is the same address.
    let mut eve = Client::join(&server, "eva").await;
    assert_eq!(until_refused(&mut eve, "join_group", guess).await.0, 0);
}

#[tokio::test]
async fn who_knows_the_password_is_not_slowed_down() {
    let server = Server::start_with(&[ON]);
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    for _ in 0..7 {
        assert_eq!(ann.call("join_group", json!({ "group_name": "g", "password": "pw" })).await["ok"], true);
    }
}

#[tokio::test]
async fn new_groups_are_limited() {
    let server = Server::start_with(&[ON]);
    let mut ann = Client::join(&server, "ann").await;
    let (made, _) = until_refused(&mut ann, "create_group", |n| json!({ "group_name": format!("g{n}") })).await;
    assert_eq!(made, 5);
}

#[tokio::test]
async fn an_event_and_its_http_twin_spend_one_bucket() {
    let server = Server::start_with(&[ON]);
    let mut ann = Client::connect(&server).await;
    let body = |n: usize| json!({ "username": format!("user{n}"), "password": PASSWORD });
    assert_eq!(ann.call("register", body(0)).await["ok"], true);
    assert_eq!(call(&server, "POST", "/api/register", None, body(1)).await.status, 201);
    assert_eq!(ann.call("register", body(2)).await["ok"], true);
    let refused = call(&server, "POST", "/api/register", None, body(3)).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap().parse().unwrap();
    assert!((1_100..=1_200).contains(&wait), "{wait}");
    // Whoever is invited does not count.
    let invited = json!({ "username": "owner", "password": PASSWORD, "invite": server.owner_invite() });
    assert_eq!(call(&server, "POST", "/api/register", None, invited).await.status, 201);
}

#[tokio::test]
async fn a_refused_password_is_no_registration() {
    let server = Server::start_with(&[ON]);
    for _ in 0..5 {
        let body = json!({ "username": "ann", "password": "password" });
        assert_eq!(call(&server, "POST", "/api/register", None, body).await.status, 400);
    }
    register(&server, "ann").await;
}

/// The victim's own browser has its own bucket: an attacker cannot lock anybody out.
#[tokio::test]
async fn guessing_is_slow_and_locks_nobody_out() {
    let server = Server::start_with(&[ON, ("TRUSTED_PROXIES", "127.0.0.1")]);
    let body = json!({ "username": "ann", "password": PASSWORD });
    let made = call(&server, "POST", "/api/register", None, body.clone()).await;
    let device = format!("secure_chat_device={}", made.cookie("secure_chat_device"));
    let login = async |from: &str, cookie: &str, body: Value| {
        let headers = [("Content-Type", "application/json"), ("X-Forwarded-For", from), ("Cookie", cookie)];
        send(&server, "POST", "/api/login", &headers, &body.to_string()).await.status
    };
    let mut statuses = Vec::new();
    for guess in 0..20 {
        let from = format!("203.0.113.{guess}");
        let wrong = json!({ "username": "ann", "password": format!("guess {guess}") });
        statuses.push(login(&from, "", wrong).await);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    assert!(statuses[5..].iter().all(|status| *status == 429), "{statuses:?}");
    assert_eq!(login("203.0.113.77", "", body.clone()).await, 429, "an unknown device waits with the attacker");
    assert_eq!(login("203.0.113.77", &device, body.clone()).await, 200, "the victim's own does not");
    let forged = "secure_chat_device=AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(login("203.0.113.78", forged, body).await, 429);
}

#[tokio::test]
async fn nobody_has_more_connections_than_the_setting_says() {
    let server = Server::start_with(&[ON, ("MAX_SOCKETS_PER_ADDRESS", "4"), ("MAX_SOCKETS_PER_ACCOUNT", "2")]);
    let token = own(&server).await;
    let mut first = Client::sign_in(&server, &token).await;
    first.call("list_blocked", json!({})).await;
    let mut second = Client::sign_in(&server, &token).await;
    second.call("list_blocked", json!({})).await;
    let mut third = Client::sign_in(&server, &token).await;
    assert_eq!(third.expect("error").await["code"], "too_many");
    let _guest = Client::join(&server, "bob").await;
    let mut refused = Client::open(&server, &[]).await.unwrap();
    refused.say("40").await;
    assert!(refused.packet().await.unwrap().starts_with("44{\"message\":\"There are too many connections"));
    // Those count as well that never say that they want to chat.
    let mut silent = Vec::new();
    let error = loop {
        match Client::open(&server, &[]).await {
            Ok(client) => silent.push(client),
            Err(error) => break error,
        }
    };
    assert!(error.contains("429"), "{error}");
    assert_eq!(silent.len(), 3);
}

#[tokio::test]
async fn many_tabs_that_open_at_once_are_no_more_than_the_setting_says() {
    let server = Server::start_with(&[ON, ("MAX_SOCKETS_PER_ACCOUNT", "2")]);
    let token = own(&server).await;
    let mut tabs = Vec::new();
    for _ in 0..6 {
        tabs.push(Client::open(&server, &[]).await.unwrap());
    }
    for tab in &mut tabs {
        tab.say(&format!("40{}", json!({ "token": token }))).await;
    }
    let mut let_in = 0;
    for tab in &mut tabs {
        let connected = tab.packet().await.unwrap();
        assert!(connected.starts_with("40"), "{connected}");
        tab.say("421[\"list_blocked\",{}]").await;
        let_in += usize::from(tab.packet().await.unwrap().starts_with("431"));
    }
    assert_eq!(let_in, 2);
}

#[tokio::test]
async fn who_never_joins_is_sent_away_and_may_come_back() {
    let server = Server::start_with(&[ON, ("JOIN_TIMEOUT", "4")]);
    let mut idle = Client::connect(&server).await;
    let mut ann = Client::join(&server, "ann").await;
    assert_eq!(idle.packet().await, None, "closed without a goodbye: its page connects again by itself");
    ann.expect_nothing().await;
}
