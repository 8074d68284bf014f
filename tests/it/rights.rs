//! Who may do what, played against the running server and compared with the table `tests/rights.txt`.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::accounts::{PASSWORD, enter, own, register};
use crate::client::{Client, ok};
use crate::http::call;
use crate::server::{PATIENT, Server};

const TABLE: &str = include_str!("../rights.txt");
const STATES: [&str; 6] = ["fine", "muted", "banned", "muted in the room", "banned from it", "lacks 2nd factor"];

/// One cell of the table: `place` is a block's title ("on the server", "in the public room", "member of a group"…).
fn allowed(place: &str, action: &str, role: &str, state: &str) -> bool {
    let block = TABLE.split("\n\n").find(|block| block.lines().any(|line| line.starts_with(place))).unwrap();
    let mut lines = block.lines().skip_while(|line| !line.starts_with(place));
    let roles: Vec<_> = lines.next().unwrap()[22..].split_whitespace().collect();
    let row = lines.find(|line| line.split_whitespace().next() == Some(action)).unwrap_or_else(|| panic!("{action}"));
    let cells: Vec<_> = row[22..].split_whitespace().collect();
    let column = roles.iter().position(|found| *found == role).unwrap();
    let state = STATES.iter().position(|found| *found == state).unwrap();
    cells[column].chars().nth(state) == Some('y')
}

/// Somebody who tries everything.
struct Persona {
    title: &'static str,
    role: &'static str,
    state: &'static str,
    /// Their block of the table in the group `g`.
    place: &'static str,
    client: Client,
    token: Option<String>,
}

/// What each persona may ask for, and which cell of the table decides. `None`: whoever has come in may.
/// In `{…}` stands what is filled in for each try.
const EVENTS: &[(&str, &str, &str)] = &[
    ("get_user_stats", "", "ManageOneself"),
    ("list_blocked", "{}", "ManageOneself"),
    ("get_unread", "{}", "ManageOneself"),
    ("block_user", r#"{"username":"victim"}"#, "ManageOneself"),
    ("unblock_user", r#"{"username":"victim"}"#, "ManageOneself"),
    ("list_directs", "{}", "ManageOneself"),
    ("get_pass", "{}", "ManageOneself"),
    ("set_presence", "{}", "ManageOneself"),
    ("create_group", r#"{"group_name":"of {n}"}"#, "CreateGroup"),
    ("send_direct_message", r#"{"to":"victim","message":"x"}"#, "CreateGroup"),
    ("kick_user", r#"{"username":"victim"}"#, "KickFromServer"),
    ("mute_user", r#"{"username":"victim","minutes":0}"#, "MuteOnServer"),
    ("unban_user", r#"{"username":"victim"}"#, "BanFromServer"),
    ("ban_user", r#"{"username":"nobody-{n}","minutes":1}"#, "BanFromServer"),
    ("list_sanctions", "{}", "BanFromServer"),
    ("list_reports", "{}", "ResolveReports"),
    ("resolve_report", r#"{"report_id":"00000000-0000-4000-8000-000000000000"}"#, "ResolveReports"),
    ("set_role", r#"{"username":"nobody-{n}","role":"moderator"}"#, "SetServerRole"),
    ("audit_log", "{}", "ReadAuditLog"),
    ("backup_database", "", "BackUp"),
];

const IN_GROUP: &[(&str, &str, &str)] = &[
    ("mute_room", r#"{"room":"g"}"#, "ReadRoom"),
    ("get_history", r#"{"room":"g"}"#, "ReadRoom"),
    ("search_messages", r#"{"query":"x in:g"}"#, "ReadRoom"),
    ("list_pins", r#"{"room":"g"}"#, "ReadRoom"),
    ("list_readers", r#"{"room":"g"}"#, "ReadRoom"),
    ("get_presence", r#"{"room":"g"}"#, "ReadRoom"),
    ("get_room", r#"{"room":"g"}"#, "ReadRoom"),
    ("mark_read", r#"{"room":"g"}"#, "ReadRoom"),
    ("send_group_message", r#"{"group_name":"g","message":"x"}"#, "Post"),
    ("typing", r#"{"room":"g"}"#, "Post"),
    ("react", r#"{"id":"{id}","emoji":"👍"}"#, "React"),
    ("pin_message", r#"{"id":"{id}"}"#, "Pin"),
    ("unpin_message", r#"{"id":"{id}"}"#, "Pin"),
    ("message_versions", r#"{"id":"{id}"}"#, "ReadEdits"),
    ("report_message", r#"{"id":"{id}"}"#, "Report"),
    ("set_slow_mode", r#"{"room":"g","seconds":0}"#, "SetSlowMode"),
    ("mute_user", r#"{"username":"victim","room":"g","minutes":0}"#, "MuteInRoom"),
    ("unban_user", r#"{"username":"victim","room":"g"}"#, "BanFromRoom"),
    ("kick_user", r#"{"username":"victim","room":"g"}"#, "KickFromRoom"),
    ("ban_user", r#"{"username":"nobody-{n}","room":"g"}"#, "BanFromRoom"),
    ("list_sanctions", r#"{"room":"g"}"#, "BanFromRoom"),
    ("set_role", r#"{"username":"nobody-{n}","room":"g","role":"member"}"#, "SetRoomRole"),
    ("set_retention", r#"{"room":"g","days":0}"#, "SetRetention"),
    ("set_room_password", r#"{"room":"g"}"#, "SetRoomPassword"),
    ("join_group", r#"{"group_name":"g","password":"pw"}"#, "JoinRoom"),
];

const ROUTES: &[(&str, &str, &str, &str)] = &[
    ("GET", "/api/me", "", "ManageOneself"),
    ("GET", "/api/sessions", "", "ManageOneself"),
    ("DELETE", "/api/sessions/00000000-0000-4000-8000-000000000000", "", "ManageOneself"),
    ("GET", "/api/attachments/00000000-0000-4000-8000-000000000000", "", "ManageOneself"),
    ("DELETE", "/api/attachments/00000000-0000-4000-8000-000000000000", "", "ManageOneself"),
    ("POST", "/api/password", r#"{"old_password":"x","password":"xxxxxxxx"}"#, "ManageOneself"),
    ("POST", "/api/second-factor/confirm", r#"{"code":"x"}"#, "ManageOneself"),
    ("GET", "/api/notifications", "", "ManageOneself"),
    ("POST", "/api/notifications", r#"{"default":"all"}"#, "ManageOneself"),
    (
        "POST",
        "/api/push/subscribe",
        r#"{"endpoint":"https://push.example.org/1","keys":{"p256dh":"x","auth":"x"}}"#,
        "ManageOneself",
    ),
    ("POST", "/api/push/unsubscribe", r#"{"endpoint":"https://push.example.org/1"}"#, "ManageOneself"),
    ("GET", "/api/invites", "", "Invite"),
    ("POST", "/api/invites", "{}", "Invite"),
    ("DELETE", "/api/invites/00000000-0000-4000-8000-000000000000", "", "Invite"),
    ("GET", "/api/accounts", "", "ManageAccounts"),
    ("POST", "/api/accounts/disable", r#"{"username":"nobody","disabled":true}"#, "ManageAccounts"),
    ("GET", "/admin/stats", "", "ReadServerStats"),
    ("GET", "/api/server/samples", "", "ReadServerStats"),
    ("GET", "/api/server/state", "", "ReadServerStats"),
];

#[tokio::test]
async fn every_event_and_route_does_what_the_table_says() {
    let server = Server::start_with(PATIENT);
    let owner_token = own(&server).await;
    let mut owner = enter(&server, &owner_token, "owner").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let id = ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "x" })).await["id"].clone();
    register(&server, "victim").await;
    let mut people = personas(&server, &mut owner).await;
    people.push(Persona {
        title: "owner",
        role: "owner",
        state: "fine",
        place: "owner of a group",
        client: owner,
        token: Some(owner_token),
    });
    let mut wrong = Vec::new();
    for (number, persona) in people.iter_mut().enumerate() {
        let fill = |text: &str| text.replace("{n}", &number.to_string()).replace("{id}", id.as_str().unwrap());
        for (place, events) in [("on the server", EVENTS), (persona.place, IN_GROUP)] {
            for (event, payload, action) in events {
                let ack = match *payload {
                    "" => persona.client.call_without_argument(event).await,
                    payload => persona.client.call(event, serde_json::from_str(&fill(payload)).unwrap()).await,
                };
                let may = allowed(place, action, persona.role, persona.state);
                compare(&mut wrong, persona.title, event, may, ack["error"]["code"].as_str());
            }
        }
        for (method, path, body, action) in ROUTES {
            let Some(token) = &persona.token else { continue };
            let body = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
            let answer = call(&server, method, path, Some(token), body).await.json();
            let may = allowed("on the server", action, persona.role, persona.state);
            compare(&mut wrong, persona.title, path, may, answer["error"]["code"].as_str());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Whether it was refused must be as the table says; that there is nobody to ban, say, is no refusal.
fn compare(wrong: &mut Vec<String>, who: &str, what: &str, may: bool, code: Option<&str>) {
    // A message that one may not read is as if there were none.
    let by_id = ["report_message", "react", "pin_message", "unpin_message", "message_versions"].contains(&what);
    let refused = code == Some("forbidden") || (by_id && code == Some("not_found"));
    if refused == may {
        wrong.push(format!(
            "{who}: {what} should {}be allowed, but: {}",
            if may { "" } else { "not " },
            code.unwrap_or("ok")
        ));
    }
}

async fn personas(server: &Server, owner: &mut Client) -> Vec<Persona> {
    let plan = [
        ("guest", "guest", "fine", "stranger of a group"),
        ("a guest in the group", "guest", "fine", "member of a group"),
        ("member", "member", "fine", "stranger of a group"),
        ("a member of the group", "member", "fine", "member of a group"),
        ("a moderator of the group", "member", "fine", "moderator of a group"),
        ("muted", "member", "muted", "member of a group"),
        ("muted in the group", "member", "muted in the room", "member of a group"),
        ("banned from the group", "member", "banned from it", "stranger of a group"),
        ("moderator", "moderator", "fine", "stranger of a group"),
        ("admin", "admin", "fine", "stranger of a group"),
    ];
    let mut people = Vec::new();
    for (number, (title, role, state, place)) in plan.into_iter().enumerate() {
        let name = format!("p{number}");
        let token = if role == "guest" { None } else { Some(register(server, &name).await) };
        let mut client = match &token {
            Some(token) => enter(server, token, &name).await,
            None => Client::join(server, &name).await,
        };
        if place != "stranger of a group" || state == "banned from it" {
            ok(&mut client, "join_group", json!({ "group_name": "g", "password": "pw" })).await;
        }
        if place == "moderator of a group" {
            ok(owner, "set_role", json!({ "username": name, "room": "g", "role": "moderator" })).await;
        }
        if !matches!(role, "guest" | "member") {
            ok(owner, "set_role", json!({ "username": name, "role": role })).await;
        }
        match state {
            "muted" => ok(owner, "mute_user", json!({ "username": name })).await,
            "muted in the room" => ok(owner, "mute_user", json!({ "username": name, "room": "g" })).await,
            "banned from it" => ok(owner, "ban_user", json!({ "username": name, "room": "g" })).await,
            _ => Value::Null,
        };
        people.push(Persona { title, role, state, place, client, token });
    }
    people
}

#[tokio::test]
async fn a_stranger_and_who_is_banned_can_do_nothing() {
    let server = Server::start_with(PATIENT);
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let token = register(&server, "eve").await;
    let mut eve = enter(&server, &token, "eve").await;
    ok(&mut owner, "ban_user", json!({ "username": "eve" })).await;
    eve.skip_to("error").await;
    let mut stranger = Client::connect(&server).await;
    let mut codes = HashMap::new();
    for (event, payload, _) in EVENTS.iter().chain(IN_GROUP) {
        let ack = match *payload {
            "" => stranger.call_without_argument(event).await,
            payload => stranger.call(event, serde_json::from_str(payload).unwrap()).await,
        };
        *codes.entry(ack["error"]["code"].as_str().unwrap_or("ok").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(codes, HashMap::from([("unauthenticated".to_owned(), EVENTS.len() + IN_GROUP.len())]));
    for (method, path, body, _) in ROUTES {
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() };
        for token in [None, Some(token.as_str()), Some("forged")] {
            let status = call(&server, method, path, token, body.clone()).await.status;
            assert!(matches!(status, 401 | 403), "{method} {path}: {status}");
        }
    }
    let login = json!({ "username": "eve", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/login", None, login).await.status, 403);
    assert_eq!(owner.call("list_blocked", json!({})).await["ok"], true, "others go on");
}

#[tokio::test]
async fn no_id_opens_what_is_somebody_elses() {
    let server = Server::start_with(PATIENT);
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let id = ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "secret" })).await["id"].clone();
    let mut eve = enter(&server, &register(&server, "eve").await, "eve").await;
    for event in ["delete_message", "report_message"] {
        let ack = eve.call(event, json!({ "id": id })).await;
        assert_eq!(ack["error"]["code"], "not_found", "{event}: as if there were none");
    }
    for number in 0..10_000u32 {
        let guess = format!("{:08x}-0000-4000-8000-{:012x}", number.wrapping_mul(2_654_435_761), number);
        let ack = eve.call("delete_message", json!({ "id": guess })).await;
        assert_eq!(ack["error"]["code"], "not_found", "{guess}: {ack}");
    }
    assert_eq!(ann.call("delete_message", json!({ "id": id })).await["ok"], true);
}
