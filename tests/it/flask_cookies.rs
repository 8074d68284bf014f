//! Whoever was signed in at the Flask deployment is signed in here.

use serde_json::Value;

use crate::accounts::register;
use crate::http::{call, send};
use crate::server::Server;

const SECRET: &str = "clé-sécrète 🔑";
/// Flask's, of 2023: `{"username": "Zoë 🦀"}`.
const SESSION: &str = "eyJ1c2VybmFtZSI6IlpvXHUwMGViIFx1ZDgzZVx1ZGQ4MCJ9.ZVPxAA.iT_UX3AFerJY-5V12HJCw1Emd88";
/// Flask-Login's, of the user 42.
const REMEMBER: &str = "42|2661e21b2b11cdab012617813b9ed77c23a547758734a418f55a05d2979bba2e9562c412035699b70994dcc8e38e57a307b34628d13f307b385a7804ed8eebd7";
/// Ten years, so that they are not too old.
const LIFE: (&str, &str) = ("PERMANENT_SESSION_LIFETIME", "315360000");

fn start(more: &[(&str, &str)]) -> Server {
    Server::start_with(&[&[("SECRET_KEY", SECRET), LIFE], more].concat())
}

/// Whether the page, asked for with this cookie, brings a session; whose it is.
async fn signed_in_by(server: &Server, cookie: &str) -> Option<String> {
    let page = send(server, "GET", "/", &[("Cookie", cookie)], "").await;
    assert_eq!(page.status, 200);
    if !page.head.contains("secure_chat_session=") {
        return None;
    }
    // It is replaced: the next page is not signed in by it again.
    let name = cookie.split('=').next().unwrap();
    assert!(page.head.contains(&format!("set-cookie: {name}=;")), "{}", page.head);
    let token = page.cookie("secure_chat_session");
    let me = call(server, "GET", "/api/me", Some(&token), Value::Null).await.json();
    Some(me["username"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_flask_session_signs_its_person_in_once() {
    let server = start(&[("FLASK_SESSION_USER", "username")]);
    let cookie = format!("session={SESSION}");
    // There is no such account.
    assert_eq!(signed_in_by(&server, &cookie).await, None);
    register(&server, "Zoë 🦀").await;
    assert_eq!(signed_in_by(&server, &cookie).await.as_deref(), Some("Zoë 🦀"));
    let forged = cookie.replace("iT_U", "iT_V");
    assert_eq!(signed_in_by(&server, &forged).await, None);
    // Who was called nearly so was somebody else there.
    let namesake = start(&[("FLASK_SESSION_USER", "username")]);
    register(&namesake, "zoë 🦀").await;
    assert_eq!(signed_in_by(&namesake, &cookie).await, None);
    // Another cookie of the deployment is no session of it.
    assert_eq!(signed_in_by(&server, &format!("remember_token={REMEMBER}")).await, None);
}

#[tokio::test]
async fn nothing_of_it_counts_unless_a_setting_says_so() {
    let server = start(&[]);
    register(&server, "Zoë 🦀").await;
    assert_eq!(signed_in_by(&server, &format!("session={SESSION}")).await, None);
    let server = start(&[("FLASK_SESSION_USER", "user_id")]);
    register(&server, "Zoë 🦀").await;
    assert_eq!(signed_in_by(&server, &format!("session={SESSION}")).await, None);
}

#[tokio::test]
async fn an_old_session_is_over_and_who_is_closed_out_stays_out() {
    let server = Server::start_with(&[("SECRET_KEY", SECRET), ("FLASK_SESSION_USER", "username")]);
    register(&server, "Zoë 🦀").await;
    assert_eq!(signed_in_by(&server, &format!("session={SESSION}")).await, None);
    let server = start(&[("FLASK_SESSION_USER", "username")]);
    register(&server, "Zoë 🦀").await;
    assert_eq!(server.command(&["user", "disable", "Zoë 🦀"], "").code, 0);
    assert_eq!(signed_in_by(&server, &format!("session={SESSION}")).await, None);
}

#[tokio::test]
async fn a_remember_cookie_does_too_where_its_ids_are_names() {
    let server = start(&[("FLASK_REMEMBER_COOKIE", "remember_token")]);
    register(&server, "42").await;
    let cookie = format!("remember_token={REMEMBER}");
    assert_eq!(signed_in_by(&server, &cookie).await.as_deref(), Some("42"));
    assert_eq!(signed_in_by(&server, &cookie.replace("42|", "43|")).await, None);
}
