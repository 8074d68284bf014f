//! Files that hang on messages.

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::client::{Client, ok};
use crate::http::{call, send_bytes};
use crate::server::{Server, files};

/// Status, head and body of an answer.
pub struct Got {
    status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}

async fn ask(server: &Server, method: &str, path: &str, token: &str, body: &[u8]) -> Got {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/octet-stream")];
    let (head, body) = send_bytes(server, method, path, &headers, body).await;
    Got { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body }
}

pub async fn upload(server: &Server, token: &str, room: &str, name: &str, content: &[u8]) -> Value {
    let got = ask(server, "POST", &format!("/api/rooms/{room}/attachments?name={name}"), token, content).await;
    assert_eq!(got.status, 201, "{}", String::from_utf8_lossy(&got.body));
    got.json()["attachment"].clone()
}

pub async fn get(server: &Server, token: &str, id: &Value) -> Got {
    ask(server, "GET", &format!("/api/attachments/{}", id.as_str().unwrap()), token, b"").await
}

/// A picture with a canary in a comment, as cameras write where they were.
fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let image = image::RgbImage::from_fn(1000, 500, |x, y| image::Rgb([x as u8, y as u8, 7]));
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image.write_with_encoder(encoder).unwrap();
    bytes
}

fn stored(server: &Server) -> Vec<(String, Vec<u8>)> {
    let folder = server.folder.path().join("attachments");
    if !folder.exists() {
        return Vec::new();
    }
    let name = |path: std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(&folder).into_iter().map(|(path, bytes)| (name(path), bytes)).collect()
}

#[tokio::test]
async fn a_file_is_sent_with_a_message_and_read_by_who_may_read_that() {
    let server = Server::start();
    let (ann_token, bob_token) = (register(&server, "ann").await, register(&server, "bob").await);
    let eve_token = register(&server, "eve").await;
    let mut owner = enter(&server, &own(&server).await, "owner").await;
    let mut ann = enter(&server, &ann_token, "ann").await;
    let mut bob = enter(&server, &bob_token, "bob").await;
    ok(&mut ann, "create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ok(&mut bob, "join_group", json!({ "group_name": "g", "password": "pw" })).await;

    let content: Vec<u8> = (0..300_000u32).flat_map(|n| n.to_le_bytes()).collect();
    let file = upload(&server, &ann_token, "g", "Pl%C3%A4ne%202026.bin", &content).await;
    assert_eq!((&file["name"], &file["size"]), (&json!("Pläne 2026.bin"), &json!(1_200_000)));
    assert_eq!(get(&server, &ann_token, &file["id"]).await.body, content, "before it is sent, its owner alone");
    assert_eq!(get(&server, &bob_token, &file["id"]).await.status, 404);
    let image = upload(&server, &ann_token, "g", "cat.html", &png()).await;
    assert_eq!((&image["type"], &image["width"], &image["height"]), (&json!("image/png"), &json!(1000), &json!(500)));

    let both = json!({ "group_name": "g", "attachments": [file["id"], image["id"]] });
    ok(&mut ann, "send_group_message", both.clone()).await;
    let heard = bob.skip_to("new_message").await;
    insta::assert_json_snapshot!("message_with_attachments", heard, {
        ".id" => "[id]", ".user_id" => "[id]", ".timestamp" => "[time]", ".attachments[].id" => "[id]"
    });
    let page = ok(&mut bob, "get_history", json!({ "room": "g" })).await;
    assert_eq!(page["messages"][0]["attachments"], heard["attachments"]);
    let found = ok(&mut bob, "search_messages", json!({ "query": "pläne" })).await;
    assert_eq!(found["hits"].as_array().unwrap().len(), 1, "by its name");

    let got = get(&server, &bob_token, &file["id"]).await;
    assert!(got.body == content);
    let head = got.head.to_lowercase();
    for line in [
        "content-type: application/octet-stream",
        "content-disposition: attachment; filename*=utf-8''pl%c3%a4ne%202026.bin",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; sandbox",
        "content-length: 1200000",
        "cache-control: private, no-cache",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    let shown = get(&server, &bob_token, &image["id"]).await;
    assert!(shown.body == png() && shown.head.contains("inline;"));
    let small =
        ask(&server, "GET", &format!("/api/attachments/{}/thumbnail", image["id"].as_str().unwrap()), &bob_token, b"")
            .await;
    assert!(small.head.contains("content-type: image/jpeg") && small.body.len() < 40_000, "{}", small.head);
    let none = format!("/api/attachments/{}/thumbnail", file["id"].as_str().unwrap());
    assert_eq!(ask(&server, "GET", &none, &bob_token, b"").await.status, 404);

    // Nobody else: not a stranger to the room, not who was thrown out, not twice in another message.
    assert_eq!(get(&server, &eve_token, &file["id"]).await.status, 404);
    let again = ann.call("send_group_message", both).await;
    assert_eq!((&again["error"]["code"], &again["error"]["field"]), (&json!("invalid"), &json!("attachments")));
    ok(&mut ann, "ban_user", json!({ "username": "bob", "room": "g" })).await;
    assert_eq!(get(&server, &bob_token, &file["id"]).await.status, 404);

    // It goes with its message, from the disk, too.
    assert_eq!(stored(&server).len(), 3, "two files and a thumbnail");
    ok(&mut owner, "delete_message", json!({ "id": heard["id"] })).await;
    assert_eq!(get(&server, &ann_token, &file["id"]).await.status, 404);
    assert_eq!(stored(&server).len(), 0);
    for (table, column) in [("attachments", "attachment"), ("discarded_files", "id")] {
        assert_eq!(server.size(table, column), 0, "{table}");
    }
}

#[tokio::test]
async fn nothing_of_a_file_is_readable_on_the_disk_and_damage_is_noticed() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    let canary = b"canary-7b1f".repeat(20_000);
    let file = upload(&server, &token, "public", "canary-name.txt", &canary).await;
    let image = upload(&server, &token, "public", "canary-cat.png", &png()).await;
    ok(&mut ann, "send_public_message", json!({ "message": "see", "attachments": [file["id"], image["id"]] })).await;
    let server = server.crash_and_restart();
    assert!(get(&server, &token, &file["id"]).await.body == canary, "after a crash");
    for (name, bytes) in stored(&server)
        .into_iter()
        .chain(files(server.folder.path()).into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)))
    {
        for plain in [&b"canary"[..], b"\x89PNG", b"JFIF", b"IHDR"] {
            assert!(!bytes.windows(plain.len()).any(|some| some == plain), "{plain:?} in {name}");
        }
    }
    let path = server.folder.path().join("attachments").join(file["id"].as_str().unwrap());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&[whole[0] ^ 1], &whole[1..]].concat()).unwrap();
    let got = get(&server, &token, &file["id"]).await;
    assert_eq!((got.status, got.code()), (500, "internal".into()));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(get(&server, &token, &file["id"]).await.status, 404);
    let log = server.stop_for_log();
    assert!(!log.contains("canary") && log.contains("damaged"), "{log}");
}

#[tokio::test]
async fn a_guest_shows_a_pass_for_as_long_as_they_are_here() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    let mut bob = Client::join(&server, "bob").await;
    let pass = ok(&mut ann, "get_pass", json!({})).await["pass"].as_str().unwrap().to_owned();
    let file = upload(&server, &pass, "public", "a.txt", b"from a guest").await;
    ok(&mut ann, "send_public_message", json!({ "message": "see", "attachments": [file["id"]] })).await;
    let bobs = ok(&mut bob, "get_pass", json!({})).await["pass"].as_str().unwrap().to_owned();
    assert_eq!(get(&server, &bobs, &file["id"]).await.body, b"from a guest");
    assert_eq!(ask(&server, "GET", "/api/rooms/public/messages", &bobs, b"").await.status, 200);
    assert_eq!(ask(&server, "GET", "/api/sessions", &bobs, b"").await.status, 401, "it is no session");
    let forged = pass.replace(&pass[5..41], &bobs[5..41]);
    assert_eq!(get(&server, &forged, &file["id"]).await.status, 401);
    ann.close().await;
    // What the server does about it is done when the others hear of it.
    bob.skip_to("user_left").await;
    assert_eq!(get(&server, &pass, &file["id"]).await.status, 401);
    let token = register(&server, "carl").await;
    let mut carl = enter(&server, &token, "carl").await;
    assert_eq!(carl.call("get_pass", json!({})).await["error"]["code"], "conflict");
}

#[tokio::test]
async fn there_is_an_end_to_how_much_and_how_large() {
    let limits = [("MAX_ATTACHMENT_SIZE", "100000"), ("ATTACHMENTS_QUOTA", "250000")];
    let server = Server::start_with(&limits);
    let token = register(&server, "ann").await;
    let path = "/api/rooms/public/attachments?name=a.bin";
    let got = ask(&server, "POST", path, &token, &vec![7; 100_001]).await;
    assert_eq!((got.status, got.code()), (413, "too_large".into()));
    let mut files = Vec::new();
    for _ in 0..2 {
        files.push(upload(&server, &token, "public", "a.bin", &vec![7; 100_000]).await);
    }
    let got = ask(&server, "POST", path, &token, &vec![7; 100_000]).await;
    assert_eq!((got.status, got.code()), (413, "too_large".into()), "the quota");
    upload(&server, &token, "public", "small.bin", &vec![7; 50_000]).await;
    let cancel = format!("/api/attachments/{}", files[0]["id"].as_str().unwrap());
    assert_eq!(ask(&server, "DELETE", &cancel, &token, b"").await.status, 200);
    assert_eq!(ask(&server, "DELETE", &cancel, &token, b"").await.status, 404);
    upload(&server, &token, "public", "a.bin", &vec![7; 100_000]).await;

    // Without a length the limit holds all the same.
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    let body = format!("{chunk}{chunk}0\r\n\r\n");
    let headers = [("Authorization", &*format!("Bearer {token}")), ("Transfer-Encoding", "chunked")];
    let server_2 = Server::start_with(&limits);
    let other = register(&server_2, "ann").await;
    let headers = [("Authorization", &*format!("Bearer {other}")), headers[1]];
    let (head, _) = chunked(&server_2, path, &headers, &body).await;
    assert!(head.contains(" 413 "), "{head}");
    assert_eq!(stored(&server_2).len(), 0, "nothing is left of it");
    assert_eq!(server_2.size("attachments", "attachment"), 0);

    for name in ["..%2Fetc", "a%00", "%E2%80%AEfdp.exe", ""] {
        let got = ask(&server, "POST", &format!("/api/rooms/public/attachments?name={name}"), &token, b"x").await;
        assert_eq!((got.status, got.code()), (400, "invalid".into()), "{name}");
    }
    let got = ask(&server, "POST", "/api/rooms/nowhere/attachments?name=a", &token, b"x").await;
    assert_eq!(got.status, 404);
    assert_eq!(call(&server, "POST", path, None, json!({})).await.status, 401);
    let none = Server::start_with(&[("MAX_ATTACHMENT_SIZE", "0")]);
    let token = register(&none, "ann").await;
    assert_eq!(ask(&none, "POST", path, &token, b"x").await.status, 403);
}

async fn chunked(server: &Server, path: &str, headers: &[(&str, &str)], body: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut stream = tokio::net::TcpStream::connect(&server.addr).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", server.addr);
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn nothing_is_left_of_an_upload_that_breaks_off() {
    use tokio::io::AsyncWriteExt;

    let server = Server::start();
    let token = register(&server, "ann").await;
    let head = format!(
        "POST /api/rooms/public/attachments?name=a HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000000\r\n\r\n",
        server.addr
    );
    let mut stream = tokio::net::TcpStream::connect(&server.addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![7; 500_000]).await.unwrap();
    while stored(&server).is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    while !stored(&server).is_empty() || server.size("attachments", "attachment") > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_sites_page_uploads_nothing() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let cookie = format!("secure_chat_session={token}");
    let path = "/api/rooms/public/attachments?name=a";
    for (kind, origin, status) in [
        ("text/plain", None, " 403 "),
        // In a form the file would not be what it is.
        ("multipart/form-data; boundary=x", None, " 400 "),
        ("application/x-www-form-urlencoded", None, " 400 "),
        ("application/octet-stream", Some("http://evil.example"), " 403 "),
        ("application/octet-stream", None, " 201 "),
    ] {
        let mut headers = vec![("Cookie", cookie.as_str()), ("Content-Type", kind)];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        let (head, _) = send_bytes(&server, "POST", path, &headers, b"x").await;
        assert!(head.contains(status), "{kind} {origin:?}: {head}");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_told_so_also_when_they_send_it_all_first() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start();
    let head = format!(
        "POST /api/rooms/public/attachments?name=a HTTP/1.1\r\nHost: {}\r\nContent-Type: application/octet-stream\r\nConnection: close\r\nContent-Length: 8000000\r\n\r\n",
        server.addr
    );
    let mut stream = tokio::net::TcpStream::connect(&server.addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![7; 8_000_000]).await.expect("all of it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("the answer is there to its end");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("unauthenticated"), "{answer}");
}
