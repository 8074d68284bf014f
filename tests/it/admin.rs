//! What administrators see of the server: numbers over time, settings, keys, backups; and that no secret is in it.

use serde_json::{Value, json};

use crate::accounts::{enter, own, register};
use crate::client::ok;
use crate::http::call;
use crate::server::Server;

#[tokio::test]
async fn numbers_are_kept_over_time_and_a_restart_loses_none() {
    let server = Server::start_with(&[("SAMPLE_EVERY", "1"), ("RATELIMIT_ENABLED", "false")]);
    let token = own(&server).await;
    let mut owner = enter(&server, &token, "owner").await;
    ok(&mut owner, "create_group", json!({ "group_name": "g" })).await;
    for number in 0..7 {
        let message = format!("number {number}");
        ok(&mut owner, "send_public_message", json!({ "message": message })).await;
        ok(&mut owner, "send_group_message", json!({ "group_name": "g", "message": message })).await;
    }
    let seen = |samples: &[Value]| samples.iter().any(|sample| sample["people"] == 1);
    let samples = samples_of(&server, &token, |samples| sum(samples, "messages") >= 14 && seen(samples)).await;
    assert_eq!(sum(&samples, "messages"), 14, "{samples:?}");
    let newest = samples.last().unwrap();
    assert_eq!((&newest["accounts"], &newest["rooms"]), (&json!(1), &json!(2)), "{newest}");
    assert!(newest["bytes"].as_i64().unwrap() > 10_000, "{newest}");

    let last = ok(&mut owner, "send_public_message", json!({ "message": "right before the end" })).await;
    assert_eq!(last["ok"], true);
    drop(owner);
    let server = server.crash_and_restart();
    let again = samples_of(&server, &token, |samples| sum(samples, "messages") >= 15).await;
    assert_eq!(sum(&again, "messages"), 15, "{again:?}");
}

/// The samples, as soon as they are as they should be.
async fn samples_of(server: &Server, token: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..100 {
        let answer = call(server, "GET", "/api/server/samples?days=1", Some(token), Value::Null).await.json();
        assert_eq!((&answer["ok"], &answer["every"]), (&json!(true), &json!(1)), "{answer}");
        let samples = answer["samples"].as_array().unwrap().clone();
        if enough(&samples) {
            return samples;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the samples never came");
}

fn sum(samples: &[Value], name: &str) -> i64 {
    samples.iter().map(|sample| sample[name].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn days_that_make_no_sense_are_refused_and_members_see_nothing() {
    let server = Server::start_with(&[("SAMPLE_EVERY", "0")]);
    let owner = own(&server).await;
    for (days, field) in [("0", "days"), ("401", "days"), ("-1", "query"), ("many", "query"), ("1.5", "query")] {
        let path = format!("/api/server/samples?days={days}");
        let answer = call(&server, "GET", &path, Some(&owner), Value::Null).await;
        assert_eq!((answer.status, &answer.json()["error"]["field"]), (400, &json!(field)), "{days}");
    }
    let none = call(&server, "GET", "/api/server/samples", Some(&owner), Value::Null).await.json();
    assert_eq!((&none["every"], &none["samples"]), (&json!(0), &json!([])));
    let member = register(&server, "mia").await;
    for path in ["/api/server/samples", "/api/server/state"] {
        assert_eq!(call(&server, "GET", path, Some(&member), Value::Null).await.status, 403, "{path}");
        assert_eq!(call(&server, "GET", path, None, Value::Null).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_tells_settings_keys_and_backups_and_no_secret() {
    let secrets = [("SECRET_KEY", "s3cret-s3cret-s3cret"), ("EMIT_TOKEN", "3mit-3mit-3mit-3mit-3mit-3mit-3mit")];
    let server = Server::start_with(&[&secrets[..], &[("BACKUP_EVERY", "24"), ("PING_TIMEOUT", "7")]].concat());
    let token = own(&server).await;
    let state = async || call(&server, "GET", "/api/server/state", Some(&token), Value::Null).await.json();
    let first = state().await;
    let setting = |name: &str| {
        let settings = first["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    };
    let timeout = setting("PING_TIMEOUT");
    assert_eq!(
        (&timeout["value"], &timeout["default"], &timeout["origin"]),
        (&json!("7"), &json!("20"), &json!("environment"))
    );
    for (name, value) in secrets {
        let shown = setting(name);
        assert_eq!((&shown["value"], &shown["set"], &shown["secret"]), (&Value::Null, &json!(true), &json!(true)));
        assert!(!first.to_string().contains(value));
    }
    assert_eq!(setting("MASTER_KEY")["set"], false);
    assert_eq!(first["keys"]["master_keys"], 1);
    assert_eq!((&first["keys"]["replaced"], &first["keys"]["under_old_keys"]), (&json!(0), &json!(0)));
    assert_eq!((&first["keys"]["generation"], &first["keys"]["rotated_at"]), (&json!(1), &Value::Null));
    let key = std::fs::read_to_string(server.folder.path().join("master.key")).unwrap();
    assert!(!first.to_string().contains(key.trim()));

    let rotated = tokio::task::block_in_place(|| server.command(&["keys", "rotate"], ""));
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    let second = state().await;
    let keys = &second["keys"];
    assert_eq!((&keys["master_keys"], &keys["generation"]), (&json!(2), &json!(2)), "{keys}");
    assert!(keys["rotated_at"].is_string() && keys["under_old_keys"].is_null(), "{keys}");

    let mut owner = enter(&server, &token, "owner").await;
    let backups = &second["backups"];
    assert_eq!((&backups["every_hours"], &backups["keep"]), (&json!(24), &json!(7)), "{backups}");
    if !server.is_on_sqlite() {
        assert_eq!((&second["database"]["kind"], &backups["possible"]), (&json!("postgresql"), &json!(false)));
        assert!(second["database"]["bytes"].as_i64().unwrap() > 10_000);
        return;
    }
    owner.call_without_argument("backup_database").await;
    let made = owner.skip_to("backup_created").await;
    let last = &state().await["backups"]["last"];
    assert!(last["file"].as_str().unwrap().ends_with(made["backup_file"].as_str().unwrap()), "{last}");
    assert_eq!((&last["verified"], &last["there"]), (&json!(true), &json!(true)), "{last}");
    assert!(last["bytes"].as_i64().unwrap() > 1_000, "{last}");
}
