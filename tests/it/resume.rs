//! Coming back after a lost connection, with a client that says nothing of it.

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::http::send;
use crate::server::Server;

/// A browser: its cookies and how it calls itself.
struct Browser {
    cookie: String,
    agent: &'static str,
}

impl Browser {
    /// Loads the page for the first time.
    async fn new(server: &Server) -> Self {
        let agent = "Firefox";
        let page = send(server, "GET", "/", &[("user-agent", agent)], "").await;
        assert!(page.head.contains("; httponly; samesite=lax"), "{}", page.head);
        Self { cookie: format!("secure_chat_browser={}", page.cookie("secure_chat_browser")), agent }
    }

    async fn load_page_again(&self, server: &Server) {
        send(server, "GET", "/", &[("user-agent", self.agent), ("cookie", &self.cookie)], "").await;
    }

    async fn connect(&self, server: &Server) -> Client {
        self.connect_to(&server.addr).await
    }

    async fn connect_to(&self, addr: &str) -> Client {
        let mut client = Client::open_at(addr, &[("cookie", &self.cookie), ("user-agent", self.agent)]).await.unwrap();
        client.say("40").await;
        assert!(client.packet().await.unwrap().starts_with("40"));
        client
    }

    async fn join(&self, server: &Server, name: &str) -> Client {
        let mut client = self.connect(server).await;
        client.emit("join_chat", json!({ "username": name })).await;
        client.expect("chat_joined").await;
        client
    }
}

async fn say(client: &mut Client, texts: impl IntoIterator<Item = String>) {
    for message in texts {
        ok(client, "send_group_message", json!({ "group_name": "g", "message": message })).await;
    }
}

/// Who is in the group `g`, and writes there.
async fn writer(server: &Server) -> Client {
    let mut bob = Client::join(server, "bob").await;
    ok(&mut bob, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    bob
}

async fn join_group(client: &mut Client) {
    ok(client, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
}

/// Cuts the connection, and waits until the server has noticed.
async fn lose(client: Client, witness: &mut Client) {
    drop(client);
    witness.skip_to("user_left").await;
    witness.skip_to("user_left").await;
}

/// What came by itself.
async fn heard(client: &mut Client) -> Vec<(String, Value)> {
    client.call("leave_group", json!({ "group_name": "there is none of this name" })).await;
    std::iter::from_fn(|| client.heard()).collect()
}

fn texts(events: &[(String, Value)]) -> Vec<&str> {
    let messages = events.iter().filter(|(event, _)| event == "new_message");
    messages.map(|(_, message)| message["message"].as_str().unwrap()).collect()
}

fn numbers(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|n| n.to_string())
}

#[tokio::test]
async fn a_guest_who_was_cut_off_hears_all_once_and_in_order() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    say(&mut bob, numbers(0..3)).await;
    for n in ["0", "1", "2"] {
        assert_eq!(ann.skip_to("new_message").await["message"], n);
    }
    lose(ann, &mut bob).await;
    say(&mut bob, numbers(3..53)).await;

    let mut ann = browser.connect(&server).await;
    bob.skip_to("user_joined").await;
    say(&mut bob, numbers(53..56)).await;
    let events = heard(&mut ann).await;
    assert_eq!(texts(&events), numbers(3..56).collect::<Vec<_>>());
    assert!(events.iter().all(|(event, _)| event == "new_message"), "nothing that her page would stumble over");
    say(&mut ann, ["I am back".to_owned()]).await;
    assert_eq!(bob.skip_to("new_message").await["username"], "bob");
    loop {
        let message = bob.skip_to("new_message").await;
        if message["username"] == "ann" {
            break assert_eq!(message["message"], "I am back");
        }
    }
}

#[tokio::test]
async fn a_page_outlives_its_server() {
    for crash in [true, false] {
        let server = Server::start();
        let browser = Browser::new(&server).await;
        let mut bob = writer(&server).await;
        let mut ann = browser.join(&server, "ann").await;
        join_group(&mut ann).await;
        say(&mut bob, ["before".to_owned()]).await;
        ann.skip_to("new_message").await;
        let server = if crash { server.crash_and_restart() } else { server.restart() };
        let mut bob = Client::join(&server, "bob").await;
        join_group(&mut bob).await;
        say(&mut bob, ["meanwhile".to_owned()]).await;
        let mut ann = browser.connect(&server).await;
        let events = heard(&mut ann).await;
        assert_eq!(texts(&events), ["meanwhile"], "crash: {crash}");
        say(&mut ann, ["still here".to_owned()]).await;
    }
}

/// A network between a client and the server that can go dead, without a word to either.
struct Network {
    addr: String,
    dead: tokio::sync::watch::Sender<bool>,
}

impl Network {
    async fn to(server: &Server) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, target) = (listener.local_addr().unwrap().to_string(), server.addr.clone());
        let (dead, is_dead) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (target, mut is_dead) = (target.clone(), is_dead.clone());
                tokio::spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        _ = is_dead.wait_for(|dead| *dead) => {}
                    }
                    // Both ends stay open, and nobody carries anything any more.
                    let _kept = (near, far);
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { addr, dead }
    }
}

#[tokio::test]
async fn what_was_sent_into_a_dead_network_is_sent_again() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let network = Network::to(&server).await;
    let mut ann = browser.connect_to(&network.addr).await;
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    ann.expect("chat_joined").await;
    join_group(&mut ann).await;
    say(&mut bob, numbers(0..3)).await;
    for n in ["0", "1", "2"] {
        assert_eq!(ann.skip_to("new_message").await["message"], n);
    }
    // She answers the ping behind the last message, and the server hears that: its next ack comes after.
    ann.answer_pings_for(std::time::Duration::from_secs(3)).await;
    network.dead.send(true).unwrap();
    say(&mut bob, numbers(3..53)).await;

    // Her page notices first: the server still takes the old connection for a good one.
    let mut ann_again = browser.connect(&server).await;
    bob.skip_to("user_joined").await;
    bob.skip_to("user_joined").await;
    bob.skip_to("user_joined").await;
    bob.skip_to("user_joined").await;
    say(&mut bob, ["live".to_owned()]).await;
    let expected: Vec<_> = numbers(3..53).chain(["live".to_owned()]).collect();
    assert_eq!(texts(&heard(&mut ann_again).await), expected);
    drop(ann);
}

#[tokio::test]
async fn two_tabs_of_one_account_are_both_found_again() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let browser = Browser { cookie: format!("secure_chat_session={token}"), agent: "Firefox" };
    let mut bob = writer(&server).await;
    let network = Network::to(&server).await;
    let mut tabs = Vec::new();
    for _ in 0..2 {
        let mut tab = browser.connect_to(&network.addr).await;
        tab.emit("join_chat", json!({ "username": "ann" })).await;
        tab.expect("chat_joined").await;
        join_group(&mut tab).await;
        tabs.push(tab.in_background());
    }
    network.dead.send(true).unwrap();
    say(&mut bob, numbers(0..5)).await;
    for _ in 0..2 {
        let mut tab = browser.connect(&server).await;
        let events = heard(&mut tab).await;
        assert_eq!(texts(&events), numbers(0..5).collect::<Vec<_>>(), "{events:?}");
        tabs.push(tab.in_background());
    }
}

#[tokio::test]
async fn a_page_that_was_loaded_anew_begins_anew() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    lose(ann, &mut bob).await;
    say(&mut bob, numbers(0..3)).await;
    browser.load_page_again(&server).await;
    let mut ann = browser.connect(&server).await;
    assert_eq!(ann.call("get_user_stats", json!({})).await["error"]["code"], "unauthenticated");
    assert_eq!(texts(&heard(&mut ann).await), [""; 0]);
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    ann.expect("chat_joined").await;

    // And is found again herself when she is lost, not as what she was before.
    drop(ann);
    bob.skip_to("user_left").await;
    let mut ann = browser.connect(&server).await;
    assert_eq!(heard(&mut ann).await, []);
    ok(&mut ann, "send_public_message", json!({ "message": "here" })).await;
}

#[tokio::test]
async fn of_two_lost_tabs_with_different_names_each_is_told() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    let ann = ann.in_background();
    let mut cat = browser.join(&server, "cat").await;
    join_group(&mut cat).await;
    lose(ann.back().await, &mut bob).await;
    lose(cat, &mut bob).await;
    let mut one = browser.connect(&server).await;
    let told = one.expect("error").await;
    assert_eq!(told["code"], "conflict");
    assert!(told["message"].as_str().unwrap().contains("Reload the page"), "{told}");
    say(&mut bob, ["secret".to_owned()]).await;
    assert_eq!(one.call("get_user_stats", json!({})).await["error"]["code"], "unauthenticated");
}

#[tokio::test]
async fn one_of_two_tabs_is_found_again_while_the_other_is_still_there() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    let ann = ann.in_background();
    let cat = browser.join(&server, "cat").await.in_background();
    lose(ann.back().await, &mut bob).await;
    say(&mut bob, numbers(0..2)).await;
    let mut ann = browser.connect(&server).await;
    assert_eq!(texts(&heard(&mut ann).await), ["0", "1"]);
    let mut cat = cat.back().await;
    ok(&mut cat, "send_public_message", json!({ "message": "still cat" })).await;
}

#[tokio::test]
async fn whoever_was_banned_meanwhile_hears_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    lose(ann, &mut bob).await;
    ok(&mut bob, "ban_user", json!({ "username": "ann", "room": "g" })).await;
    say(&mut bob, numbers(0..2)).await;
    let mut ann = browser.connect(&server).await;
    ok(&mut bob, "send_public_message", json!({ "message": "public" })).await;
    assert_eq!(texts(&heard(&mut ann).await), ["public"]);
    let refused = ann.call("send_group_message", json!({ "group_name": "g", "message": "x" })).await;
    assert_eq!(refused["error"]["code"], "forbidden");
}

#[tokio::test]
async fn a_stolen_cookie_opens_nothing() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    let ann = ann.in_background();
    let thief = Browser { cookie: browser.cookie.clone(), agent: browser.agent };
    let mut beside = thief.connect(&server).await;
    assert_eq!(beside.call("get_user_stats", json!({})).await["error"]["code"], "unauthenticated", "she is there");
    lose(ann.back().await, &mut bob).await;
    let forged = format!("{}x", browser.cookie);
    for (cookie, agent) in [(browser.cookie.clone(), "curl"), (forged, browser.agent)] {
        let mut eve = Browser { cookie, agent }.connect(&server).await;
        assert_eq!(eve.call("get_user_stats", json!({})).await["error"]["code"], "unauthenticated");
    }
}

#[tokio::test]
async fn an_account_is_found_again_by_its_session() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let browser = Browser { cookie: format!("secure_chat_session={token}"), agent: "Firefox" };
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    lose(ann, &mut bob).await;
    say(&mut bob, numbers(0..2)).await;
    let mut ann = browser.connect(&server).await;
    assert_eq!(texts(&heard(&mut ann).await), ["0", "1"]);
    ann.close().await;

    // Who shows the token by hand hears again what was missed, too.
    let mut bot = Client::sign_in(&server, &token).await;
    heard(&mut bot).await;
    drop(bot);
    bob.skip_to("user_left").await;
    bob.skip_to("user_left").await;
    say(&mut bob, numbers(2..4)).await;
    let mut bot = Client::sign_in(&server, &token).await;
    assert_eq!(texts(&heard(&mut bot).await).last(), Some(&"3"));
}

#[tokio::test]
async fn who_missed_too_much_is_told_to_reload() {
    let server = Server::start();
    let browser = Browser::new(&server).await;
    let mut bob = writer(&server).await;
    let mut ann = browser.join(&server, "ann").await;
    join_group(&mut ann).await;
    lose(ann, &mut bob).await;
    say(&mut bob, numbers(0..501)).await;
    let mut ann = browser.connect(&server).await;
    bob.skip_to("user_joined").await;
    bob.skip_to("user_joined").await;
    say(&mut bob, ["live".to_owned()]).await;
    let events = heard(&mut ann).await;
    assert_eq!(texts(&events), ["live"]);
    let (_, told) = events.iter().find(|(event, _)| event == "error").unwrap();
    assert_eq!((&told["code"], &told["event"]), (&json!("too_large"), &json!("resume")));
}

#[tokio::test]
async fn a_client_that_keeps_its_own_mark_asks_by_hand() {
    let server = Server::start();
    let token = own(&server).await;
    let mut bob = writer(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    join_group(&mut owner).await;
    say(&mut bob, numbers(0..5)).await;
    heard(&mut owner).await;
    let ack = ok(&mut owner, "resume", json!({ "g": 2 })).await;
    assert_eq!(ack["sent"], 3);
    assert_eq!(texts(&heard(&mut owner).await), ["2", "3", "4"]);
    let mut cat = Client::join(&server, "cat").await;
    assert_eq!(cat.call("resume", json!({ "g": 0 })).await["error"]["code"], "forbidden");
    assert_eq!(cat.call("resume", json!({ "none": 0 })).await["error"]["code"], "not_found");
    assert_eq!(cat.call("resume", json!({ "g": "x" })).await["error"]["code"], "invalid");
}
