//! What people try who mean no good, each beside those whom they mean it to.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::accounts::{PASSWORD, enter, own, register};
use crate::client::Client;
use crate::http::call;
use crate::server::{PATIENT, Server};

async fn create_group(client: &mut Client, name: &str) {
    let ack = client.call("create_group", json!({ "group_name": name, "password": "pw" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
}

async fn code_of(client: &mut Client, event: &str, payload: Value) -> String {
    client.call(event, payload).await["error"]["code"].as_str().unwrap_or("ok").to_owned()
}

#[tokio::test]
async fn a_ban_and_a_join_at_the_same_moment_end_in_a_ban() {
    let server = Server::start();
    let mut owner = Client::join(&server, "owner").await;
    // Without a password, whose checking would always come last.
    owner.call("create_group", json!({ "group_name": "g" })).await;
    for round in 0..40 {
        let name = format!("eve {round}");
        let mut eve = Client::join(&server, &name).await;
        let join_group = json!({ "group_name": "g" });
        let ban = json!({ "username": name, "room": "g" });
        let (_, banned) = join(eve.call("join_group", join_group), owner.call("ban_user", ban)).await;
        assert_eq!(banned["ok"], true, "{banned}");
        let message = json!({ "group_name": "g", "message": "still here" });
        assert_eq!(code_of(&mut eve, "send_group_message", message).await, "forbidden", "round {round}");
        owner.call("send_group_message", json!({ "group_name": "g", "message": format!("secret {round}") })).await;
        eve.call("get_user_stats", json!({})).await;
        let heard = std::iter::from_fn(|| eve.heard()).filter(|(event, _)| event == "new_message").count();
        assert_eq!(heard, 0, "round {round}");
    }
}

#[tokio::test]
async fn people_who_write_in_several_groups_at_once_never_wait_for_each_other_in_a_circle() {
    let server = Server::start_with(PATIENT);
    let mut ann = Client::join(&server, "ann").await;
    for group in 0..8 {
        create_group(&mut ann, &format!("g{group}")).await;
    }
    let mut writers = Vec::new();
    for name in ["bob", "cat", "dan", "eve"] {
        let mut writer = Client::join(&server, name).await;
        for group in 0..8 {
            writer.call("join_group", json!({ "group_name": format!("g{group}"), "password": "pw" })).await;
        }
        writers.push(writer);
    }
    let write = async |writer: &mut Client, shift: usize| {
        for n in 0..100 {
            let group = format!("g{}", (n * (shift * 2 + 1) + shift) % 8);
            writer.emit("send_group_message", json!({ "group_name": group, "message": "x" })).await;
            if n % 10 == 9 {
                let ack = writer.call("send_group_message", json!({ "group_name": group, "message": "x" })).await;
                assert_eq!(ack["ok"], true, "{ack}");
            }
        }
    };
    let all = writers.iter_mut().enumerate().map(|(shift, writer)| write(writer, shift));
    futures_util::future::join_all(all).await;
    for mut writer in writers {
        writer.call_without_argument("get_user_stats").await;
        assert_eq!(writer.skip_to("user_stats").await["message_count"], 110);
    }
    assert!(!server.stop_for_log().contains("rolled back"));
}

#[tokio::test]
async fn who_runs_a_group_reaches_nobody_outside_of_it() {
    let server = Server::start_with(&[("RATELIMIT_ENABLED", "true")]);
    let mut eve = Client::join(&server, "eve").await;
    let mut ann = Client::join(&server, "ann").await;
    create_group(&mut eve, "g").await;
    let words = |event: &'static str| (event, json!({ "username": "ann", "room": "g", "reason": "free words" }));
    for (event, payload) in [words("kick_user"), words("mute_user")] {
        assert_eq!(code_of(&mut eve, event, payload).await, "not_found", "{event}");
    }
    let (event, payload) = words("ban_user");
    assert_eq!(code_of(&mut eve, event, payload).await, "ok", "one may bar people before they come");
    ann.call("join_group", json!({ "group_name": "nothing" })).await;
    let heard: Vec<_> = std::iter::from_fn(|| ann.heard()).map(|(event, _)| event).collect();
    assert!(!heard.contains(&"sanctioned".to_owned()), "{heard:?}");

    // And not the audit log either, over and over.
    let mut acts = 0;
    while code_of(&mut eve, "set_slow_mode", json!({ "room": "g", "seconds": 0 })).await == "ok" {
        acts += 1;
        assert!(acts < 100);
    }
    let refusal = eve.call("set_slow_mode", json!({ "room": "g", "seconds": 0 })).await;
    assert_eq!(refusal["error"]["code"], "too_many");
}

#[tokio::test]
async fn a_group_cannot_look_like_another_one() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    create_group(&mut ann, "staff").await;
    for name in ["Staff", "staff\u{200b}", "ѕtaff", "Public", "publiс", "public\u{fe0f}"] {
        assert_eq!(code_of(&mut ann, "create_group", json!({ "group_name": name })).await, "conflict", "{name:?}");
    }
    create_group(&mut ann, "stuff").await;
}

#[tokio::test]
async fn where_guests_are_not_let_in_strangers_learn_no_names_of_groups() {
    let server = Server::start_with(&[("GUEST_ACCESS", "off")]);
    let token = own(&server).await;
    let mut stranger = Client::connect(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    create_group(&mut owner, "takeover of Initech").await;
    owner.skip_to("group_list_updated").await;
    stranger.call("get_user_stats", json!({})).await;
    assert_eq!(stranger.expect("error").await["code"], "unauthenticated");
    assert_eq!(stranger.heard(), None);
}

#[tokio::test]
async fn a_banned_guest_does_not_come_back_as_an_account_of_that_name() {
    let server = Server::start();
    let token = own(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    let _eve = Client::join(&server, "eve").await;
    owner.call("ban_user", json!({ "username": "eve" })).await;
    let account = json!({ "username": "eve", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/register", None, account.clone()).await.status, 403);
    owner.call("unban_user", json!({ "username": "eve" })).await;
    assert_eq!(call(&server, "POST", "/api/register", None, account).await.status, 201);
}

#[tokio::test]
async fn another_name_does_not_make_anybody_faster_or_louder() {
    let server = Server::start();
    let mut owner = Client::join(&server, "owner").await;
    create_group(&mut owner, "g").await;
    let mut eve = Client::join(&server, "eve").await;
    eve.call("join_group", json!({ "group_name": "g", "password": "pw" })).await;
    owner.call("set_slow_mode", json!({ "room": "g", "seconds": 600 })).await;
    let message = json!({ "group_name": "g", "message": "x" });
    assert_eq!(code_of(&mut eve, "send_group_message", message.clone()).await, "ok");
    eve.call("join_chat", json!({ "username": "eve II" })).await;
    assert_eq!(code_of(&mut eve, "send_group_message", message.clone()).await, "too_many");

    owner.call("set_slow_mode", json!({ "room": "g", "seconds": 0 })).await;
    owner.call("mute_user", json!({ "username": "eve II", "room": "g" })).await;
    assert_eq!(code_of(&mut eve, "send_group_message", message.clone()).await, "forbidden");
    eve.call("join_chat", json!({ "username": "eve III" })).await;
    assert_eq!(code_of(&mut eve, "send_group_message", message).await, "forbidden");
}

#[tokio::test]
async fn a_guest_goes_when_the_operator_gives_their_name_to_somebody() {
    let server = Server::start();
    let mut guest = Client::join(&server, "ann").await;
    assert_eq!(server.command(&["user", "create", "Ann"], &format!("{PASSWORD}\n")).code, 0);
    assert_eq!(guest.skip_to("error").await["message"], "This name belongs to an account now.");
    assert_eq!(guest.next().await, None);
}

#[tokio::test]
async fn two_complaints_of_one_person_about_one_message_are_one() {
    let server = Server::start();
    let token = own(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    let (mut bob, mut cat) = (Client::join(&server, "bob").await, Client::join(&server, "cat").await);
    let id = owner.call("send_public_message", json!({ "message": "rude" })).await["id"].clone();
    for _ in 0..5 {
        bob.call("report_message", json!({ "id": id })).await;
    }
    cat.call("report_message", json!({ "id": id })).await;
    let reports = owner.call("list_reports", json!({})).await["reports"].clone();
    assert_eq!(reports.as_array().unwrap().len(), 2);
    owner.call("resolve_report", json!({ "report_id": reports[0]["id"] })).await;
    bob.call("report_message", json!({ "id": id })).await;
    let reports = owner.call("list_reports", json!({})).await["reports"].clone();
    assert_eq!(reports.as_array().unwrap().len(), 2, "anew, since somebody has dealt with the first");
}

#[tokio::test]
async fn moderators_see_who_is_muted_and_banned() {
    let server = Server::start();
    let token = own(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    let (_bob, _cat) = (Client::join(&server, "bob").await, Client::join(&server, "cat").await);
    owner.call("mute_user", json!({ "username": "bob", "minutes": 5, "reason": "loud" })).await;
    owner.call("ban_user", json!({ "username": "cat" })).await;
    let all = owner.call("list_sanctions", json!({})).await["sanctions"].clone();
    let mut all = all.as_array().unwrap().clone();
    all.sort_by_key(|one| one["username"].to_string());
    insta::assert_json_snapshot!("sanctions", all, { "[].muted_until" => "[time or null]" });
    owner.call("mute_user", json!({ "username": "bob", "minutes": 0 })).await;
    owner.call("unban_user", json!({ "username": "cat" })).await;
    assert_eq!(owner.call("list_sanctions", json!({})).await["sanctions"], json!([]));
}

#[tokio::test]
async fn an_account_has_a_hundred_sessions_at_most() {
    let server = Server::start();
    let first = register(&server, "ann").await;
    let login = json!({ "username": "ann", "password": PASSWORD });
    let logins = (0..100).map(|_| call(&server, "POST", "/api/login", None, login.clone()));
    let answers = futures_util::future::join_all(logins).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let newest = answers[99].json()["token"].as_str().unwrap().to_owned();
    let sessions = call(&server, "GET", "/api/sessions", Some(&newest), Value::Null).await.json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 100);
    assert_eq!(call(&server, "GET", "/api/me", Some(&first), Value::Null).await.status, 401, "the oldest went");
}
