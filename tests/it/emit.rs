//! Events of other programs over HTTP: who may send them, and what is answered. What clients hear of them, and of Flask's
//! message queue, is tested with real clients in `compat/clients/flask-queue.test.mjs`.

use serde_json::{Value, json};

use crate::accounts::{enter, own};
use crate::client::{Client, ok};
use crate::http::{call, send};
use crate::server::Server;

const TOKEN: &str = "a token of more than thirty-two characters";

async fn emit(server: &Server, token: Option<&str>, body: Value) -> (u16, Value) {
    let answer = call(server, "POST", "/api/emit", token, body).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn nobody_but_who_has_the_token_may_send_events() {
    let event = json!({ "event": "ev" });
    let off = Server::start();
    let (status, answer) = emit(&off, Some(TOKEN), event.clone()).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_found")), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("EMIT_TOKEN"));
    assert_eq!(emit(&off, None, event.clone()).await.0, 401);

    let server = Server::start_with(&[("EMIT_TOKEN", TOKEN)]);
    let owner = own(&server).await;
    for token in [None, Some("forged"), Some(&TOKEN[1..]), Some(owner.as_str())] {
        let (status, answer) = emit(&server, token, event.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (401, &json!("unauthenticated")), "{token:?}");
        // Whoever may not send anything is not told what is wrong with it.
        assert_eq!(emit(&server, token, json!({})).await.0, 401);
    }
    assert_eq!(emit(&server, Some(TOKEN), event).await, (200, json!({ "ok": true, "delivered": 0 })));
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_said() {
    let server = Server::start_with(&[("EMIT_TOKEN", TOKEN)]);
    let wrong = [
        (json!({}), "event"),
        (json!({ "event": "" }), "event"),
        (json!({ "event": "connect_error" }), "event"),
        (json!({ "event": "newListener" }), "event"),
        (json!({ "event": "x".repeat(513) }), "event"),
        (json!({ "event": "ev", "data": 1, "args": [1] }), "args"),
        (json!({ "event": "ev", "args": "x" }), "args"),
        (json!({ "event": "ev", "to": 5 }), "to"),
        (json!({ "event": "ev", "to": vec!["x"; 1001] }), "to"),
        (json!({ "event": "ev", "skip_sid": [1] }), "skip_sid"),
        (json!({ "event": "ev", "namespace": "/admin" }), "namespace"),
        (json!({ "event": "ev", "namespace": "" }), "namespace"),
        // Misspelt, it would go to everybody.
        (json!({ "event": "ev", "rom": "public" }), "rom"),
        (json!({ "event": "ev", "broadcast": true }), "broadcast"),
    ];
    for (body, field) in wrong {
        let (status, answer) = emit(&server, Some(TOKEN), body.clone()).await;
        assert_eq!((status, &answer["error"]["field"]), (400, &json!(field)), "{body}: {answer}");
    }
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let authorization = format!("Bearer {TOKEN}");
    let answer =
        send(&server, "POST", "/api/emit", &[form, ("Authorization", &authorization)], r#"{"event":"ev"}"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("Content-Type: application/json"), "{}", answer.body);
    let large = json!({ "event": "ev", "data": "x".repeat(70_000) });
    assert_eq!(call(&server, "POST", "/api/emit", Some(TOKEN), large).await.status, 413);
}

#[tokio::test]
async fn an_event_reaches_those_who_hear_the_room_it_is_sent_to() {
    let server = Server::start_with(&[("EMIT_TOKEN", TOKEN)]);
    let mut ann = Client::join(&server, "ann").await;
    let _bob = Client::join(&server, "bob").await;
    let _stranger = Client::connect(&server).await;
    let mut carl = Client::enter_room(&server, "public", json!({ "username": "carl" })).await.unwrap();
    carl.expect("room_joined").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let delivered = async |body: Value| {
        let (status, answer) = emit(&server, Some(TOKEN), body.clone()).await;
        assert_eq!(status, 200, "{body}: {answer}");
        answer["delivered"].as_u64().unwrap()
    };
    // An event of a name that is described, as the client here wants it.
    let event = |more: Value| {
        let mut event = json!({ "event": "group_left", "data": { "group_name": "from outside" } });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    assert_eq!(delivered(event(json!({}))).await, 3, "all in the namespace /");
    assert_eq!(delivered(event(json!({ "to": "g" }))).await, 1);
    assert_eq!(delivered(event(json!({ "to": ["g", "public", "g"] }))).await, 2, "each once");
    assert_eq!(delivered(event(json!({ "to": "nowhere" }))).await, 0);
    assert_eq!(delivered(event(json!({ "to": [] }))).await, 0, "to nobody is not to all");
    assert_eq!(delivered(event(json!({ "namespace": "/rooms/public" }))).await, 1);
    assert_eq!(delivered(event(json!({ "namespace": "/rooms/nowhere" }))).await, 0);
    assert_eq!(delivered(event(json!({ "namespace": "/rooms/public", "to": "g" }))).await, 0);
    assert_eq!(ann.skip_to("group_left").await, json!({ "group_name": "from outside" }));
}

#[tokio::test]
async fn strangers_hear_nothing_where_guests_may_not_come_in() {
    let server = Server::start_with(&[("EMIT_TOKEN", TOKEN), ("GUEST_ACCESS", "off")]);
    let owner = own(&server).await;
    let _stranger = Client::connect(&server).await;
    assert_eq!(emit(&server, Some(TOKEN), json!({ "event": "ev" })).await.1["delivered"], 0);
    let _owner = enter(&server, &owner, "owner").await;
    let body = json!({ "event": "group_left", "data": { "group_name": "from outside" } });
    assert_eq!(emit(&server, Some(TOKEN), body).await.1["delivered"], 1);
}
