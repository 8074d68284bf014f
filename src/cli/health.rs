//! `secure-chat health`: whether the server of these settings answers, for containers without another program to ask it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Command;

use super::{FAILED, fail, say};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(4);

pub fn command() -> Command {
    Command::new("health").about("Whether the server answers at HOST and PORT: exit code 0, else 1")
}

pub fn run(config: &Config) -> ExitCode {
    match ask(config) {
        Ok(addr) => {
            say(&format!("The server at {addr} answers."));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("{error:#}."), FAILED),
    }
}

fn ask(config: &Config) -> anyhow::Result<SocketAddr> {
    ensure!(config.port != 0, "PORT is 0, so nobody knows which port the server took");
    let host = match config.host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let addr = SocketAddr::from((host, config.port));
    let answer = get(addr).with_context(|| format!("no server answers at {addr}"))?;
    // A port that speaks TLS says so to whoever does not: its certificate need not name this address.
    let expected = if config.tls.is_some() { "HTTP/1.1 400" } else { "HTTP/1.1 200" };
    ensure!(answer.starts_with(expected), "what answers at {addr} is not well, or another program");
    Ok(addr)
}

fn get(addr: SocketAddr) -> std::io::Result<String> {
    let mut tcp = TcpStream::connect_timeout(&addr, PATIENCE)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    // In one piece: what comes after the answer of a port that speaks TLS would break the connection off.
    tcp.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    tcp.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}
