//! Rooms that keep their messages for a while.

use serde_json::{Value, json};

use crate::accounts::{enter, own};
use crate::client::Client;
use crate::server::Server;

async fn ok(client: &mut Client, event: &str, payload: Value) -> Value {
    let ack = client.call(event, payload).await;
    assert_eq!(ack["ok"], true, "{event}: {ack}");
    ack
}

#[tokio::test]
async fn old_messages_go_with_all_that_hangs_on_them() {
    let server = Server::start_with(&[("RATELIMIT_ENABLED", "false")]);
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let mut ann = Client::join(&server, "ann").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g" })).await;
    ok(&mut ann, "join_group", json!({ "group_name": "g" })).await;
    for _ in 0..2_100 {
        let sent = ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "old words" })).await;
        if sent["seq"] == 7 {
            ok(&mut ann, "react", json!({ "id": sent["id"], "emoji": "👍" })).await;
            ok(&mut owner, "pin_message", json!({ "id": sent["id"] })).await;
        }
    }
    ok(&mut owner, "send_public_message", json!({ "message": "old words elsewhere" })).await;
    let two_seconds = json!({ "room": "g", "days": 2.0 / 86_400.0 });
    assert_eq!(ann.call("set_retention", two_seconds.clone()).await["error"]["code"], "forbidden");
    let mut ann = ann.in_background().back().await;
    loop {
        ok(&mut owner, "set_retention", two_seconds.clone()).await;
        let page = ok(&mut owner, "get_history", json!({ "room": "g" })).await;
        if page["messages"] == json!([]) {
            break;
        }
    }
    insta::assert_json_snapshot!("retention_set", ann.skip_to("retention_set").await);
    insta::assert_json_snapshot!("messages_expired", ann.skip_to("messages_expired").await["room"]);
    let found = ok(&mut owner, "search_messages", json!({ "query": "old words" })).await;
    assert_eq!(found["hits"].as_array().unwrap().len(), 1, "the other room's alone");
    for (table, column) in [("word_blocks", "entries"), ("reactions", "reaction"), ("pins", "pin")] {
        assert_eq!(server.size(table, column), 0, "{table}");
    }
    let sent = ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": "new" })).await;
    assert_eq!(sent["seq"], 2_101, "positions go on");
    for wrong in [json!(-1), json!(36_501), json!("x"), Value::Null] {
        let refused = owner.call("set_retention", json!({ "room": "g", "days": wrong })).await;
        assert_eq!(refused["error"]["code"], "invalid", "{wrong}");
    }
}
