//! Whether a connection lives through the silence between two pings of the server.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::Finding;
use super::address::Visit;
use super::client::Socket;
use super::socket::{Opened, Polling, say};

const CHECK: &str = "timeouts";

/// How a wait ended.
enum End {
    /// With a ping after silence.
    Pinged,
    /// After so long a silence.
    Cut(Duration),
    /// With nothing, though a ping was due.
    Nothing,
}

/// Holds a websocket and a long poll at the same time, where they have come about.
pub async fn hold(visit: &Visit<'_>, opened: &Opened, socket: Option<Socket>, polling: Option<Polling<'_>>) -> Finding {
    let (interval, patience) = (opened.ping_interval(), opened.ping_interval() + opened.ping_timeout());
    // Timers are not exact, and the silence began before anybody looked.
    let silence = interval * 4 / 5;
    let (socket, polling) = tokio::join!(async { Some(hold_socket(socket?, silence, patience).await) }, async {
        Some(hold_poll(polling?, silence, patience).await)
    },);
    let ends = [("websocket", socket), ("long poll", polling)];
    let ends: Vec<_> = ends.into_iter().filter_map(|(name, end)| Some((name, end?))).collect();
    finding(visit, interval, &ends)
}

fn finding(visit: &Visit, interval: Duration, ends: &[(&str, End)]) -> Finding {
    if let Some((name, _)) = ends.iter().find(|(_, end)| matches!(end, End::Nothing)) {
        let text = format!("The server's pings do not come through a {name}: the proxy holds answers back.");
        return Finding::problem("pings", text).lines(visit.setup.buffering());
    }
    let cut = ends.iter().filter_map(|(name, end)| match end {
        End::Cut(after) => Some((*name, *after)),
        _ => None,
    });
    // Who does not join the chat is cut off by the server itself.
    let own = |after: Duration| visit.join_timeout.is_some_and(|limit| after + Duration::from_secs(2) > limit);
    let (by_server, by_proxy): (Vec<_>, Vec<_>) = cut.partition(|(_, after)| own(*after));
    let told = |(name, after): &(&str, Duration)| format!("a silent {name} after {} s", after.as_secs());
    if by_proxy.is_empty() {
        return Finding::ok(
            CHECK,
            match by_server.first() {
                None => format!("connections may be silent for the {} s between two pings", interval.as_secs()),
                Some(cut) => format!("the server itself ends {}, by its JOIN_TIMEOUT", told(cut)),
            },
        );
    }
    let cut: Vec<_> = by_proxy.iter().map(told).collect();
    let text = format!("The proxy cuts {}; the server pings every {} s.", cut.join(" and "), interval.as_secs());
    Finding::problem(CHECK, text).lines(visit.setup.timeouts())
}

async fn hold_socket(mut socket: Socket, silence: Duration, patience: Duration) -> End {
    let mut last = Instant::now();
    let end = async {
        loop {
            let message = socket.next().await;
            let silent_for = last.elapsed();
            last = Instant::now();
            match message {
                Some(Ok(Message::Text(packet))) if packet.as_str() == "2" => {
                    if silent_for >= silence {
                        return End::Pinged;
                    }
                    let _ = say(&mut socket, "3").await;
                }
                None | Some(Err(_) | Ok(Message::Close(_))) => return End::Cut(silent_for),
                Some(Ok(_)) => {}
            }
        }
    };
    timeout(patience, end).await.unwrap_or(End::Nothing)
}

async fn hold_poll(polling: Polling<'_>, silence: Duration, patience: Duration) -> End {
    let end = async {
        loop {
            let begun = Instant::now();
            match polling.get(patience).await {
                Err(_) => return End::Cut(begun.elapsed()),
                Ok(_) if begun.elapsed() >= silence => return End::Pinged,
                Ok(packets) if packets.iter().any(|packet| packet == "2") => {
                    let _ = polling.post("3").await;
                }
                Ok(_) => {}
            }
        }
    };
    timeout(patience, end).await.unwrap_or(End::Nothing)
}
