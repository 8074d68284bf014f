//! Export of the whole server from its command line.

use serde_json::{Value, json};

use crate::accounts::{PASSWORD, enter, own, register};
use crate::client::{Client, ok};
use crate::http::send_bytes;
use crate::server::Server;

#[tokio::test]
async fn the_operator_takes_everything_along_while_the_server_runs() {
    let server = Server::start();
    let owner_token = own(&server).await;
    let mut owner = enter(&server, &owner_token, "owner").await;
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let mut guest = Client::join(&server, "guest").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "room-secret" })).await;
    let sent = ok(&mut ann, "send_group_message", json!({ "group_name": "g", "message": "first" })).await;
    ok(&mut ann, "edit_message", json!({ "id": sent["id"], "message": "second" })).await;
    ok(&mut ann, "pin_message", json!({ "id": sent["id"] })).await;
    let said = ok(&mut guest, "send_public_message", json!({ "message": "from a guest" })).await;
    ok(&mut ann, "react", json!({ "id": said["id"], "emoji": "👍" })).await;
    ok(&mut ann, "report_message", json!({ "id": said["id"], "reason": "odd" })).await;
    ok(&mut ann, "send_direct_message", json!({ "to": "owner", "message": "between us" })).await;
    ok(&mut ann, "block_user", json!({ "username": "guest" })).await;
    ok(&mut owner, "mute_user", json!({ "username": "guest", "minutes": 60 })).await;
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/octet-stream")];
    let path = "/api/rooms/public/attachments?name=notes.txt";
    let (_, body) = send_bytes(&server, "POST", path, &headers, b"the notes").await;
    let file = serde_json::from_slice::<Value>(&body).unwrap()["attachment"]["id"].clone();
    ok(&mut ann, "send_public_message", json!({ "attachments": [file] })).await;

    let ended = server.command(&["export", "all.jsonl", "--files", "files"], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let text = std::fs::read_to_string(server.folder.path().join("all.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).cloned().collect::<Vec<_>>();
    assert!(ended.stdout.starts_with(&format!("Wrote {} lines to all.jsonl, and 1 files to files.", lines.len())));
    let names = |kind: &str, field: &str| {
        let mut names: Vec<_> = of_kind(kind).iter().map(|line| line[field].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names("account", "username"), ["ann", "owner"]);
    assert_eq!(names("message", "message"), ["between us", "from a guest", "notes.txt", "second"]);
    assert_eq!(names("version", "message"), ["first"]);
    assert_eq!(names("sanction", "username"), ["guest"]);
    assert_eq!(names("report", "by"), ["ann"]);
    assert_eq!(names("pin", "by"), ["ann"]);
    assert_eq!(of_kind("account").iter().find(|line| line["username"] == "ann").unwrap()["blocked"], json!(["guest"]));
    assert_eq!(of_kind("room").len(), 3);
    assert!(of_kind("audit").iter().any(|line| line["action"] == "mute"));
    let reacted = of_kind("message").into_iter().find(|line| line["message"] == "from a guest").unwrap();
    assert_eq!(reacted["reactions"][0]["emoji"], "👍");
    let content = std::fs::read(server.folder.path().join("files").join(file.as_str().unwrap())).unwrap();
    assert_eq!(content, b"the notes");
    for secret in [PASSWORD, "room-secret", "pbkdf2", &token, "password_hash"] {
        assert!(!text.contains(secret), "{secret} is in the export");
    }

    // Nothing is overwritten.
    let again = server.command(&["export", "all.jsonl"], "");
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("cannot make all.jsonl; nothing was written"), "{}", again.stderr);
    let piped = server.command(&["export", "-"], "");
    assert_eq!((piped.code, piped.stdout.lines().count()), (0, lines.len()), "{}", piped.stderr);
}
