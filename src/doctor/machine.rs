//! The machine and the settings: what the server is told, and what it may use.

use super::client::{Client, Target};
use super::{Finding, count};
use crate::app::{Clock, SystemClock};
use crate::config::{Config, Origin};
use crate::server;

/// Each connection is an open file, and the database has a few.
const FEW_FILES: u64 = 4096;
/// A clock that shows another year was never set.
const YEARS: std::ops::Range<i32> = 2025..2100;

/// What is odd among the settings, and what plain HTTP costs where it can be seen that people come that way.
pub fn settings(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "settings";

    let mut findings: Vec<_> =
        config.warnings.iter().map(|warning| Finding::note(CHECK, format!("{warning}."))).collect();
    let public = !config.host.is_loopback();
    if public && !config.production {
        findings.push(Finding::note(
            CHECK,
            "Others can reach this server, and FLASK_ENV is not production: errors show details of templates.",
        ));
    }
    if public {
        findings.push(plain_http(&format!("HOST is {}: others can come over plain HTTP.", config.host)));
    }
    if findings.is_empty() {
        let given = config.origins().filter(|origin| *origin != Origin::Default).count();
        findings.push(Finding::ok(CHECK, format!("{} set, none of them odd", count(given, "setting"))));
    }
    findings
}

/// Whoever sits on the way reads along.
pub fn plain_http(cause: &str) -> Finding {
    Finding::note(
        "https",
        format!(
            "{cause} On the way, passwords, cookies and messages can then be read and changed, and browsers switch off \
             what they allow to HTTPS alone (notifications, the clipboard, crypto.subtle). Put a proxy with TLS before it \
             (docs/proxy) and keep HOST=127.0.0.1."
        ),
    )
}

pub fn open_files() -> Finding {
    const CHECK: &str = "open files";

    match rlimit::Resource::NOFILE.get() {
        Ok((_, hard)) if hard < FEW_FILES => Finding::note(
            CHECK,
            format!(
                "At most {hard}, one for each connection. Raise it: LimitNOFILE= of systemd, ulimit -Hn of a shell."
            ),
        ),
        Ok((_, rlimit::INFINITY)) => Finding::ok(CHECK, "without limit"),
        Ok((_, hard)) => Finding::ok(CHECK, format!("up to {hard}")),
        Err(error) => Finding::note(CHECK, format!("The limit cannot be found out: {error}.")),
    }
}

pub fn clock() -> Finding {
    const CHECK: &str = "clock";

    let now = SystemClock.now();
    match YEARS.contains(&chrono::Datelike::year(&now)) {
        true => Finding::ok(CHECK, now.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
        false => Finding::problem(
            CHECK,
            format!("It shows {}. Sessions, codes and certificates need the right time.", now.format("%Y-%m-%d")),
        )
        .run("timedatectl set-ntp true".into()),
    }
}

/// Whether the port is free, or has the server on it already.
pub async fn port(config: &Config) -> Finding {
    const CHECK: &str = "port";

    if config.port == 0 {
        return Finding::ok(CHECK, "the start takes a free one");
    }
    let host = if config.host.is_unspecified() { "127.0.0.1".parse().unwrap_or(config.host) } else { config.host };
    for secure in [false, true] {
        let target = Target::of(secure, host, config.port);
        let Ok(client) = Client::new(true) else { continue };
        if client.get(&target, "/healthz").await.is_ok_and(|answer| answer.body == "ok\n") {
            return Finding::ok(CHECK, format!("a server is running at {}", target.origin()));
        }
    }
    match server::listen(config).await {
        Ok(_) => Finding::ok(CHECK, format!("{} is free", config.port)),
        Err(error) => Finding::problem(CHECK, format!("{}.", capital(&error.to_string()))),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
