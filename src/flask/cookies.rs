//! Cookies of a Flask deployment, so that its people need not sign in anew: Flask's `session` (itsdangerous'
//! URLSafeTimedSerializer) and Flask-Login's `remember_token`.

use std::io::Read;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use flate2::read::ZlibDecoder;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::Sha512;

/// Flask's salt of the sessions.
const SALT: &[u8] = b"cookie-session";
/// Largest content of a cookie once it is unpacked, in bytes.
const LARGEST: u64 = 64 * 1024;

/// What is in a session's cookie, if this secret signed it within `max_age` seconds before `now` (both in seconds since 1970).
pub fn session(secret: &[u8], cookie: &str, max_age: i64, now: i64) -> Option<Map<String, Value>> {
    let (signed, signature) = cookie.rsplit_once('.')?;
    let derived = mac::<Hmac<Sha1>>(secret, SALT);
    verify::<Hmac<Sha1>>(&derived, signed.as_bytes(), &decode(signature)?)?;
    let (payload, time) = signed.rsplit_once('.')?;
    let time =
        decode(time)?.iter().try_fold(0_i64, |time, byte| time.checked_mul(256)?.checked_add(i64::from(*byte)))?;
    if !(0..=max_age).contains(&(now - time)) {
        return None;
    }
    let json = match payload.strip_prefix('.') {
        Some(packed) => {
            let mut json = Vec::new();
            ZlibDecoder::new(decode(packed)?.as_slice()).take(LARGEST).read_to_end(&mut json).ok()?;
            json
        }
        None => decode(payload)?,
    };
    serde_json::from_slice(&json).ok()
}

/// Whose `remember_token` it is, as the deployment called the user.
pub fn remembered(secret: &[u8], cookie: &str) -> Option<String> {
    let cookie = unquote(cookie)?;
    let (id, signature) = cookie.rsplit_once('|')?;
    verify::<Hmac<Sha512>>(secret, id.as_bytes(), &from_hex(signature)?)?;
    Some(id.to_owned())
}

/// A value as it was before Werkzeug made a cookie of it: what is not ASCII stands in quotes, as bytes in octal.
fn unquote(value: &str) -> Option<String> {
    let Some(quoted) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Some(value.to_owned());
    };
    let (mut bytes, mut rest) = (Vec::new(), quoted.as_bytes());
    while let [first, after @ ..] = rest {
        let (byte, left) = match (first, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', left @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), left)
            }
            (b'\\', [escaped, left @ ..]) => (*escaped, left),
            (plain, left) => (*plain, left),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8(bytes).ok()
}

fn mac<M: Mac + KeyInit>(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any key will do");
    mac.update(content);
    mac.finalize().into_bytes().to_vec()
}

/// In constant time.
fn verify<M: Mac + KeyInit>(key: &[u8], content: &[u8], shown: &[u8]) -> Option<()> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any key will do");
    mac.update(content);
    mac.verify_slice(shown).ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSIONS: &str = include_str!("../../tests/vectors/flask/session_cookies.json");
    const TOKENS: &str = include_str!("../../tests/vectors/flask/remember_tokens.json");
    const MAX_AGE: i64 = 2_678_400;

    #[test]
    fn the_sessions_that_flask_made_open_under_their_secret_alone() {
        let vectors: Value = serde_json::from_str(SESSIONS).unwrap();
        let mut count = 0;
        for secret in vectors["by_secret"].as_array().unwrap() {
            for vector in secret["cookies"].as_array().unwrap() {
                let (key, cookie) = (secret["SECRET_KEY"].as_str().unwrap(), vector["cookie"].as_str().unwrap());
                let time = vector["timestamp"].as_i64().unwrap();
                let expected: Value = serde_json::from_str(vector["json_payload"].as_str().unwrap()).unwrap();
                let found = session(key.as_bytes(), cookie, MAX_AGE, time + MAX_AGE);
                assert_eq!(found.map(Value::Object), Some(expected), "{}", vector["name"]);
                assert_eq!(session(key.as_bytes(), cookie, MAX_AGE, time + MAX_AGE + 1), None);
                assert_eq!(session(b"another secret", cookie, MAX_AGE, time), None);
                count += 1;
            }
        }
        assert!(count >= 40, "{count}");
    }

    #[test]
    fn what_flask_refuses_is_refused() {
        let vectors: Value = serde_json::from_str(SESSIONS).unwrap();
        let secret = vectors["by_secret"][0]["SECRET_KEY"].as_str().unwrap();
        for vector in vectors["invalid"].as_array().unwrap() {
            let key = vector["SECRET_KEY"].as_str().unwrap_or(secret);
            let cookie = vector["cookie"].as_str().unwrap();
            let is_old = vector["why"].as_str().unwrap().starts_with("expired");
            let now = 1_700_000_000 + if is_old { MAX_AGE + 1 } else { 0 };
            assert_eq!(session(key.as_bytes(), cookie, MAX_AGE, now), None, "{vector}");
        }
    }

    #[test]
    fn what_werkzeug_put_in_quotes_is_what_it_was() {
        let quoted =
            [(r"plain|1", "plain|1"), (r#""zo\303\251|77""#, "zoé|77"), (r#""say \"hi\" \\ \054""#, r#"say "hi" \ ,"#)];
        for (cookie, value) in quoted {
            assert_eq!(unquote(cookie).as_deref(), Some(value));
        }
        assert_eq!(unquote(r#""\377""#), None, "no UTF-8");
    }

    #[test]
    fn remember_tokens_name_their_user() {
        let vectors: Value = serde_json::from_str(TOKENS).unwrap();
        for vector in vectors["vectors"].as_array().unwrap() {
            let (key, cookie) = (vector["SECRET_KEY"].as_str().unwrap(), vector["cookie"].as_str().unwrap());
            assert_eq!(remembered(key.as_bytes(), cookie), vector["user_id"].as_str().map(str::to_owned), "{vector}");
            assert_eq!(remembered(b"another", cookie), None);
            assert_eq!(remembered(key.as_bytes(), &cookie.replace('|', "x|")), None);
        }
    }
}
