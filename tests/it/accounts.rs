//! Accounts and sessions: making one, signing in and out, over the socket and over HTTP.

use serde_json::{Value, json};

use crate::client::Client;
use crate::http::{ask, call, send};
use crate::server::Server;

pub const PASSWORD: &str = "correct horse battery";

/// Makes an account over HTTP; its token.
pub async fn register(server: &Server, name: &str) -> String {
    let answer = call(server, "POST", "/api/register", None, json!({ "username": name, "password": PASSWORD })).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// The owner's account, made through the link that the first start prints.
pub async fn own(server: &Server) -> String {
    let body = json!({ "username": "owner", "password": PASSWORD, "invite": server.owner_invite() });
    let answer = call(server, "POST", "/api/register", None, body).await;
    assert_eq!((answer.status, &answer.json()["role"]), (201, &json!("owner")), "{}", answer.body);
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// Connects with a token and comes into the chat.
pub async fn enter(server: &Server, token: &str, name: &str) -> Client {
    let mut client = Client::sign_in(server, token).await;
    client.emit("join_chat", json!({ "username": name })).await;
    client.expect("chat_joined").await;
    client
}

#[tokio::test]
async fn an_account_is_made_and_opened_over_the_socket() {
    let server = Server::start();
    let mut ann = Client::connect(&server).await;
    let ack = ann.call("register", json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!((&ack["ok"], &ack["role"]), (&json!(true), &json!("member")), "{ack}");
    let token = ack["token"].as_str().unwrap();
    let ack = ann.call("send_public_message", json!({ "message": "without join_chat" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    assert_eq!(ann.expect("new_message").await["username"], "ann");

    let mut again = Client::sign_in(&server, token).await;
    again.call("send_public_message", json!({ "message": "from the second" })).await;
    assert_eq!(again.expect("new_message").await["message"], "from the second");
    assert_eq!(ann.expect("new_message").await["message"], "from the second");

    let mut third = Client::connect(&server).await;
    for (name, password) in [("ann", "wrong password"), ("nobody", PASSWORD)] {
        let ack = third.call("login", json!({ "username": name, "password": password })).await;
        assert_eq!(ack["error"]["code"], "unauthenticated");
        assert_eq!(ack["error"]["message"], "Name or password is wrong.", "the same answer for both");
        third.expect("error").await;
    }
    let ack = third.call("login", json!({ "username": "ANN", "password": PASSWORD })).await;
    assert_eq!(ack["username"], "ann", "{ack}");
}

#[tokio::test]
async fn a_name_of_an_account_is_its_owners_alone() {
    let server = Server::start();
    let mut guest = Client::join(&server, "ann").await;
    register(&server, "ann").await;
    assert_eq!(guest.expect("error").await["code"], "unauthenticated", "a guest of that name is sent away");
    for look_alike in ["ann", "Ann", "аnn", "an\u{200b}n", "a nn", "ａｎｎ"] {
        let mut thief = Client::connect(&server).await;
        let ack = thief.call("join_chat", json!({ "username": look_alike })).await;
        assert_eq!(ack["error"]["code"], "conflict", "{look_alike:?}: {ack}");
        let body = json!({ "username": look_alike, "password": PASSWORD });
        assert_eq!(call(&server, "POST", "/api/register", None, body).await.status, 409, "{look_alike:?}");
    }
    Client::join(&server, "anna").await;
}

#[tokio::test]
async fn who_is_signed_in_comes_in_under_their_own_name_alone() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = Client::sign_in(&server, &token).await;
    let ack = ann.call("join_chat", json!({ "username": "bob" })).await;
    assert_eq!(ack["error"]["code"], "conflict", "{ack}");
    ann.expect("error").await;
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    let joined = ann.expect("chat_joined").await;
    assert_eq!((&joined["username"], &joined["member_of"]), (&json!("ann"), &json!([])));
}

#[tokio::test]
async fn a_member_with_an_account_needs_no_password_twice() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let mut ann = enter(&server, &token, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    ann.close().await;
    let server = server.crash_and_restart();
    let mut ann = Client::sign_in(&server, &token).await;
    let ack = ann.call("send_group_message", json!({ "group_name": "g", "message": "still a member" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    assert_eq!(ann.expect("new_message").await["room"], "g", "and hears the group at once");
    ann.emit("join_chat", json!({ "username": "ann" })).await;
    assert_eq!(ann.expect("chat_joined").await["member_of"], json!(["g"]));
    let ack = ann.call("join_group", json!({ "group_name": "g" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
}

#[tokio::test]
async fn weak_passwords_are_refused() {
    let server = Server::start();
    for (password, why) in
        [("short12", "8 characters"), ("password", "guessed"), ("annanna1", "guessed"), (&"x".repeat(129), "128")]
    {
        let body = json!({ "username": "ann", "password": password });
        let answer = call(&server, "POST", "/api/register", None, body).await;
        assert_eq!(answer.status, 400, "{password}");
        assert_eq!(answer.json()["error"]["field"], "password");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(why), "{}", answer.body);
    }
    let long = &"Über sieben Brücken mußt du gehn 🦀 ключ под ковриком — und noch viel mehr Text, der kein Ende nimmt, weil er es nicht muss! 0123".chars().take(128).collect::<String>();
    assert_eq!(long.chars().count(), 128);
    let body = json!({ "username": "ann", "password": long });
    assert_eq!(call(&server, "POST", "/api/register", None, body).await.status, 201);
    let cut = &long[..long.len() - 1];
    let answer = call(&server, "POST", "/api/login", None, json!({ "username": "ann", "password": cut })).await;
    assert_eq!(answer.status, 401, "nothing is cut off");
}

#[tokio::test]
async fn a_session_in_a_browser() {
    let server = Server::start();
    let body = json!({ "username": "ann", "password": PASSWORD });
    let answer = call(&server, "POST", "/api/register", None, body).await;
    let line = answer.head.lines().find(|line| line.starts_with("set-cookie: secure_chat_session=")).unwrap();
    assert!(line.contains("; httponly; samesite=lax; max-age=2678400"), "{line}");
    assert!(!line.contains("secure;") && !line.ends_with("secure"), "plain HTTP: {line}");
    let cookie = format!("secure_chat_session={}", answer.cookie("secure_chat_session"));

    let me = send(&server, "GET", "/api/me", &[("Cookie", &cookie)], "").await.json();
    assert_eq!((&me["username"], &me["role"]), (&json!("ann"), &json!("member")));
    assert_eq!(ask(&server, "GET", "/api/me").await.status, 401);
    let forged = cookie.replace("session=", "session=x");
    assert_eq!(send(&server, "GET", "/api/me", &[("Cookie", &forged)], "").await.status, 401);

    let mut page = Client::open(&server, &[("cookie", &cookie)]).await.unwrap();
    page.say("40").await;
    page.packet().await.unwrap();
    page.emit("join_chat", json!({ "username": "ann" })).await;
    assert_eq!(page.expect("chat_joined").await["user_id"], me["user_id"]);

    let headers = [("Cookie", &*cookie), ("Content-Type", "application/json")];
    assert_eq!(send(&server, "POST", "/api/logout", &headers, "{}").await.status, 200);
    assert_eq!(page.expect("error").await["code"], "unauthenticated");
    assert_eq!(page.packet().await.unwrap(), "41", "its sockets are closed");
    assert_eq!(send(&server, "GET", "/api/me", &[("Cookie", &cookie)], "").await.status, 401);
}

#[tokio::test]
async fn another_site_cannot_act_through_the_browser() {
    let server = Server::start();
    let answer = call(&server, "POST", "/api/register", None, json!({ "username": "ann", "password": PASSWORD })).await;
    let cookie = format!("secure_chat_session={}", answer.cookie("secure_chat_session"));
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let json_type = ("Content-Type", "application/json");
    let evil = ("Origin", "https://evil.example");
    let own_origin = format!("http://{}", server.addr);
    let post = async |headers: &[(&str, &str)], body: &str| {
        let headers: Vec<_> = [("Cookie", &*cookie)].into_iter().chain(headers.iter().copied()).collect();
        send(&server, "POST", "/api/logout", &headers, body).await.status
    };
    assert_eq!(post(&[form, evil], "a=b").await, 403, "a foreign form");
    assert_eq!(post(&[json_type, evil], "{}").await, 403, "a foreign script");
    assert_eq!(post(&[form], "a=b").await, 403, "a form without a token");
    assert_eq!(post(&[("Content-Type", "text/plain")], "{}").await, 403, "JSON in disguise");
    assert_eq!(post(&[form], "csrf_token=abc.def").await, 403, "a made-up token");

    // The token of somebody who is not signed in is none of Ann's.
    let others = csrf_token(&server, &[]).await;
    assert_eq!(post(&[form], &format!("csrf_token={others}")).await, 403);
    assert_eq!(post(&[json_type, ("Origin", &own_origin)], "{}").await, 200, "the page itself");

    let answer = call(&server, "POST", "/api/login", None, json!({ "username": "ann", "password": PASSWORD })).await;
    let cookie = format!("secure_chat_session={}", answer.cookie("secure_chat_session"));
    let own = csrf_token(&server, &[("Cookie", &cookie)]).await;
    let headers = [("Cookie", &*cookie), form];
    assert_eq!(send(&server, "POST", "/api/logout", &headers, &format!("csrf_token={own}")).await.status, 200);
}

/// The token that a page of a Flask deployment gets from `csrf_token()`.
async fn csrf_token(server: &Server, headers: &[(&str, &str)]) -> String {
    let page = send(server, "GET", "/account", headers, "").await;
    let (_, rest) = page.body.split_once("name=\"csrf-token\" content=\"").expect("the page has a token");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn one_sees_and_ends_ones_own_sessions_and_no_others() {
    let server = Server::start();
    let (first, eve) = (register(&server, "ann").await, register(&server, "eve").await);
    let login = json!({ "username": "ann", "password": PASSWORD });
    let second = call(&server, "POST", "/api/login", None, login).await.json()["token"].as_str().unwrap().to_owned();
    let sessions = call(&server, "GET", "/api/sessions", Some(&first), Value::Null).await.json();
    let sessions = sessions["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/sessions/{}", other["id"].as_str().unwrap());

    assert_eq!(call(&server, "DELETE", &path, Some(&eve), Value::Null).await.status, 404, "not Eve's to end");
    let mut socket = Client::sign_in(&server, &second).await;
    assert_eq!(call(&server, "DELETE", &path, Some(&first), Value::Null).await.status, 200);
    assert_eq!(socket.expect("error").await["code"], "unauthenticated");
    assert!(socket.packet().await.is_none_or(|packet| packet == "41"), "its socket is closed");
    assert_eq!(call(&server, "GET", "/api/me", Some(&second), Value::Null).await.status, 401);
    assert_eq!(call(&server, "GET", "/api/me", Some(&first), Value::Null).await.status, 200);

    let mut refused = Client::open(&server, &[]).await.unwrap();
    refused.say(&format!("40{}", json!({ "token": second }))).await;
    assert!(refused.packet().await.unwrap().starts_with("44{\"message\":\"This session is over."));
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let server = Server::start();
    let first = register(&server, "ann").await;
    let login = json!({ "username": "ann", "password": PASSWORD });
    let second = call(&server, "POST", "/api/login", None, login).await.json()["token"].as_str().unwrap().to_owned();
    let mut socket = Client::sign_in(&server, &second).await;
    let wrong = json!({ "old_password": "something else", "password": "battery staple horse" });
    assert_eq!(call(&server, "POST", "/api/password", Some(&first), wrong).await.status, 400);
    let right = json!({ "old_password": PASSWORD, "password": "battery staple horse" });
    assert_eq!(call(&server, "POST", "/api/password", Some(&first), right).await.status, 200);
    assert_eq!(socket.expect("error").await["code"], "unauthenticated");
    assert_eq!(call(&server, "GET", "/api/me", Some(&second), Value::Null).await.status, 401);
    assert_eq!(call(&server, "GET", "/api/me", Some(&first), Value::Null).await.status, 200);
    let login = json!({ "username": "ann", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/login", None, login).await.status, 401, "the old password is dead");
}

/// While the old password was being checked it was changed: it opens nothing any more.
#[tokio::test]
async fn a_login_under_way_with_the_old_password_fails() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let change = json!({ "old_password": PASSWORD, "password": "battery staple horse" });
    let login = || call(&server, "POST", "/api/login", None, json!({ "username": "ann", "password": PASSWORD }));
    let changed = call(&server, "POST", "/api/password", Some(&token), change);
    let (changed, first, second, third) = tokio::join!(changed, login(), login(), login());
    assert_eq!(changed.status, 200);
    for answer in [first, second, third] {
        let token = answer.json()["token"].as_str().unwrap_or("none").to_owned();
        assert_eq!(call(&server, "GET", "/api/me", Some(&token), Value::Null).await.status, 401);
    }
}

/// What waits in a connection's queue when its session is ended is not done.
#[tokio::test]
async fn nothing_is_done_in_the_name_of_an_ended_session() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let login = json!({ "username": "ann", "password": PASSWORD });
    let second =
        call(&server, "POST", "/api/login", None, login.clone()).await.json()["token"].as_str().unwrap().to_owned();
    let mut bob = Client::join(&server, "bob").await;
    let mut ann = Client::sign_in(&server, &second).await;
    ann.call("list_blocked", json!({})).await;
    // Keeps the queue busy for as long as a password takes.
    for _ in 0..5 {
        ann.emit("login", json!({ "username": "nobody", "password": PASSWORD })).await;
    }
    ann.emit("send_public_message", json!({ "message": "too late" })).await;
    assert_eq!(call(&server, "DELETE", "/api/sessions", Some(&token), Value::Null).await.status, 200);
    while ann.next().await.is_some_and(|(event, payload)| event != "error" || payload["event"] != "send_public_message")
    {
    }
    bob.expect("user_left").await;
    bob.expect_nothing().await;
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let server = Server::start_with(&[("PERMANENT_SESSION_LIFETIME", "6")]);
    let token = register(&server, "ann").await;
    assert_eq!(call(&server, "GET", "/api/me", Some(&token), Value::Null).await.status, 200);
    while call(&server, "GET", "/api/me", Some(&token), Value::Null).await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_owner_invites_and_invitations_run_out() {
    let server = Server::start_with(&[("REGISTRATION", "invite")]);
    let owner = own(&server).await;
    let again = json!({ "username": "thief", "password": PASSWORD, "invite": server.owner_invite() });
    assert_eq!(call(&server, "POST", "/api/register", None, again).await.status, 403, "the link is good once");
    let stranger = json!({ "username": "stranger", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/register", None, stranger).await.status, 403);

    let made = call(&server, "POST", "/api/invites", Some(&owner), json!({ "uses": 2, "days": 1 })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let invite = made.json()["token"].as_str().unwrap().to_owned();
    for (name, status) in [("ann", 201), ("bob", 201), ("cat", 403)] {
        let body = json!({ "username": name, "password": PASSWORD, "invite": invite });
        assert_eq!(call(&server, "POST", "/api/register", None, body).await.status, status, "{name}");
    }
    let made = call(&server, "POST", "/api/invites", Some(&owner), json!({})).await.json();
    let path = format!("/api/invites/{}", made["invite"]["id"].as_str().unwrap());
    assert_eq!(call(&server, "DELETE", &path, Some(&owner), Value::Null).await.status, 200);
    let body = json!({ "username": "dan", "password": PASSWORD, "invite": made["token"] });
    assert_eq!(call(&server, "POST", "/api/register", None, body).await.status, 403, "taken back");
}

#[tokio::test]
async fn the_operator_makes_accounts_from_the_shell_while_the_server_runs() {
    let server = Server::start();
    let made = server.command(&["user", "create", "ann", "--role", "admin"], &format!("{PASSWORD}\n"));
    assert_eq!((made.code, made.stdout.as_str()), (0, "Made the account ann (admin).\n"), "{}", made.stderr);
    let weak = server.command(&["user", "create", "bob"], "password\n");
    assert_eq!(weak.code, 1);
    assert!(weak.stderr.contains("too easily guessed"), "{}", weak.stderr);
    let login = json!({ "username": "ann", "password": PASSWORD });
    let token =
        call(&server, "POST", "/api/login", None, login.clone()).await.json()["token"].as_str().unwrap().to_owned();
    let mut ann = Client::sign_in(&server, &token).await;
    assert_eq!(server.command(&["user", "disable", "ann"], "").code, 0);
    assert_eq!(ann.expect("error").await["code"], "unauthenticated", "the running server notices");
    let answer = call(&server, "POST", "/api/login", None, login).await;
    assert_eq!((answer.status, &answer.json()["error"]["message"]), (403, &json!("This account is disabled.")));
    let list = server.command(&["user", "list"], "");
    assert_eq!(list.stdout, "admin      ann disabled\n");
    assert_eq!(server.command(&["user", "enable", "ann"], "").code, 0);
    assert_eq!(server.command(&["user", "reset-password", "ann"], "battery staple horse\n").code, 0);
    let login = json!({ "username": "ann", "password": "battery staple horse" });
    assert_eq!(call(&server, "POST", "/api/login", None, login).await.status, 200);
    let verified = server.command(&["audit", "verify"], "");
    assert_eq!(verified.stdout, "The audit log is whole: 4 entries, each linked to the one before.\n");
    let none = server.command(&["user", "set-role", "zoe", "owner"], "");
    assert_eq!((none.code, none.stderr.as_str()), (1, "secure-chat: There is no account of this name.\n"));
}

/// Codes as an authenticator app makes them.
fn code_now(server: &Server, secret: &str, steps_ahead: i32) -> String {
    let script = format!(
        "import base64, hmac, struct, time\nc = hmac.new(base64.b32decode('{secret}'), struct.pack('>Q', int(time.time()) // 30 + {steps_ahead}), 'sha1').digest()\no = c[-1] & 15\nprint('%06d' % ((struct.unpack('>I', c[o:o+4])[0] & 0x7fffffff) % 1000000))"
    );
    let output = std::process::Command::new("python3").args(["-c", &script]).current_dir(server.folder.path()).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_no_code_is_good_twice() {
    let server = Server::start();
    let token = register(&server, "ann").await;
    let wrong = json!({ "password": "something else" });
    assert_eq!(call(&server, "POST", "/api/second-factor", Some(&token), wrong).await.status, 400);
    let set_up =
        call(&server, "POST", "/api/second-factor", Some(&token), json!({ "password": PASSWORD })).await.json();
    let secret = set_up["secret"].as_str().unwrap();
    assert!(set_up["uri"].as_str().unwrap().starts_with("otpauth://totp/Secure%20Chat%3Aann?secret="));
    assert!(set_up["qr_svg"].as_str().unwrap().contains("<svg"));
    let login = json!({ "username": "ann", "password": PASSWORD });
    assert_eq!(call(&server, "POST", "/api/login", None, login.clone()).await.status, 200, "not yet confirmed");

    let path = "/api/second-factor/confirm";
    assert_eq!(call(&server, "POST", path, Some(&token), json!({ "code": "000000" })).await.status, 401);
    let code = code_now(&server, secret, 0);
    let confirmed = call(&server, "POST", path, Some(&token), json!({ "code": code })).await.json();
    let recovery: Vec<_> = confirmed["recovery_codes"].as_array().unwrap().clone();
    assert_eq!(recovery.len(), 10);

    let without = call(&server, "POST", "/api/login", None, login).await;
    assert_eq!((without.status, &without.json()["error"]["field"]), (401, &json!("code")));
    let with = async |code: &str| {
        let login = json!({ "username": "ann", "password": PASSWORD, "code": code });
        call(&server, "POST", "/api/login", None, login).await.status
    };
    assert_eq!(with(&code).await, 401, "the code was used when it was confirmed");
    assert_eq!(with(&code_now(&server, secret, 1)).await, 200, "the next one");
    let (recovery, spare) = (recovery[0].as_str().unwrap(), recovery[1].clone());
    assert_eq!(with(recovery).await, 200);
    assert_eq!(with(recovery).await, 401, "each once");
    let me = call(&server, "GET", "/api/me", Some(&token), Value::Null).await.json();
    assert_eq!(me["second_factor"], true);

    // Who has come upon the password alone does not get rid of it.
    let remove =
        async |body: Value| call(&server, "POST", "/api/second-factor/remove", Some(&token), body).await.status;
    assert_eq!(remove(json!({ "password": PASSWORD })).await, 401);
    assert_eq!(remove(json!({ "password": PASSWORD, "code": "000000" })).await, 401);
    assert_eq!(remove(json!({ "password": PASSWORD, "code": spare })).await, 200);
    let me = call(&server, "GET", "/api/me", Some(&token), Value::Null).await.json();
    assert_eq!(me["second_factor"], false);
}

#[tokio::test]
async fn admins_have_no_rights_before_their_second_factor_where_it_is_asked_for() {
    let server = Server::start_with(&[("ADMIN_REQUIRE_2FA", "true")]);
    let owner = own(&server).await;
    let refused = call(&server, "GET", "/admin/stats", Some(&owner), Value::Null).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("second factor"), "{}", refused.body);
    let set_up =
        call(&server, "POST", "/api/second-factor", Some(&owner), json!({ "password": PASSWORD })).await.json();
    let code = code_now(&server, set_up["secret"].as_str().unwrap(), 0);
    call(&server, "POST", "/api/second-factor/confirm", Some(&owner), json!({ "code": code })).await;
    assert_eq!(call(&server, "GET", "/admin/stats", Some(&owner), Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_guest_who_makes_an_account_stays_where_they_were() {
    let server = Server::start();
    let mut ann = Client::join(&server, "ann").await;
    ann.call("create_group", json!({ "group_name": "g", "password": "pw" })).await;
    let ack = ann.call("register", json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let ack = ann.call("send_group_message", json!({ "group_name": "g", "message": "still here" })).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let ack = ann.call("logout", json!({})).await;
    assert_eq!(ack["ok"], true, "{ack}");
    let ack = ann.call("send_public_message", json!({ "message": "who?" })).await;
    assert_eq!(ack["error"]["code"], "unauthenticated");
}
