//! Serves HTTP/1.1 to the connections that the listener takes, until it is told to stop.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tower::ServiceExt;

use crate::listener::{Listener, Peer, Stream};

/// Returns once every connection is over. `idle` is how long a client may take to say what it wants: from the beginning of
/// its connection, or from the last answer, to the end of a request's head.
pub async fn serve(mut listener: Listener, router: Router, idle: Duration, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(idle);
    // Each connection holds a receiver for as long as it lives.
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        tokio::spawn(answer(http.clone(), stream, peer, router.clone(), stopped.clone()));
    }
    drop((listener, stopped));
    let _ = stopping.send(());
    stopping.closed().await;
}

/// Answers the requests of one connection; of one that becomes a websocket, all but what it carries then.
async fn answer(http: http1::Builder, stream: Stream, peer: Peer, router: Router, mut stopping: watch::Receiver<()>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        router.clone().oneshot(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection has ended: {error}");
    }
}
