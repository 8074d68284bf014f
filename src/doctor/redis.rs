//! Whether Redis answers where `REDIS_URL` says: one PING (RESP, redis.io/docs/latest/develop/reference/protocol-spec).

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http::Uri;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::Finding;
use super::client::{Client, Target};

const PATIENCE: Duration = Duration::from_secs(5);
const PORT: u16 = 6379;

pub async fn check(url: &str) -> Finding {
    const CHECK: &str = "redis";

    match timeout(PATIENCE, ping(url)).await {
        Ok(Ok(place)) => Finding::ok(CHECK, format!("answers at {place}")),
        Ok(Err(error)) => Finding::problem(CHECK, format!("{error:#}. REDIS_URL says where it is.")),
        Err(_) => Finding::problem(CHECK, "It does not answer within 5 s. REDIS_URL says where it is."),
    }
}

/// Where it answered. Nothing of the URL but host and port is in an error.
async fn ping(url: &str) -> anyhow::Result<String> {
    let uri: Uri = url.parse().ok().context("REDIS_URL is no URL such as redis://:password@host:6379/0")?;
    let secure = match uri.scheme_str() {
        Some("redis") => false,
        Some("rediss") => true,
        _ => bail!("REDIS_URL must begin with redis:// or rediss://"),
    };
    let host = uri.host().context("REDIS_URL names no host")?;
    let target = Target { secure, host: host.to_owned(), port: uri.port_u16().unwrap_or(PORT), path: "/".into() };
    let place = format!("{}:{}", target.host, target.port);
    let mut stream = BufReader::new(Client::new(false)?.connect(&target).await?);
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if let Some((credentials, _)) = authority.rsplit_once('@') {
        let answer = ask(&mut stream, &authentication(credentials)).await?;
        ensure!(answer == "+OK", "Redis at {place} refuses the password: {answer}");
    }
    let answer = ask(&mut stream, &command(&["PING"])).await?;
    ensure!(answer == "+PONG", "Redis at {place} answers a PING with {answer:?}");
    Ok(place)
}

/// `user:password`, `:password`; each percent-encoded.
fn authentication(credentials: &str) -> Zeroizing<Vec<u8>> {
    let decode = |text: &str| Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (user, password) = (decode(user), decode(password));
    match user.is_empty() {
        true => command(&["AUTH", &password]),
        false => command(&["AUTH", &user, &password]),
    }
}

fn command(words: &[&str]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

async fn ask<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    bytes: &[u8],
) -> anyhow::Result<String> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let mut line = String::new();
    stream.read_line(&mut line).await.context("what answers there is no Redis")?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_be_percent_encoded_and_have_a_user() {
        assert_eq!(&**authentication(":p%40ss"), b"*2\r\n$4\r\nAUTH\r\n$4\r\np@ss\r\n");
        assert_eq!(&**authentication("ann:x"), b"*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$1\r\nx\r\n");
    }
}
