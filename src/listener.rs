//! The listener: takes connections, without Nagle's delay, and with TLS where it is set up.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::line::Line;
use crate::tls::Acceptor;
use crate::transport::Transport;

pub struct Listener {
    tcp: TcpListener,
    acceptor: Option<Acceptor>,
    /// Those under way. They wait for nobody, and nobody for them.
    handshakes: JoinSet<Option<(Transport, SocketAddr)>>,
    /// How long a client may take nothing of what is there for it.
    patience: Duration,
}

impl Listener {
    /// With an acceptor every connection is TLS.
    pub fn new(tcp: TcpListener, acceptor: Option<Acceptor>, patience: Duration) -> Self {
        Self { tcp, acceptor, handshakes: JoinSet::new(), patience }
    }

    /// The next connection, and what its requests are to know of it.
    pub async fn accept(&mut self) -> (Stream, Peer) {
        loop {
            let (tcp, addr) = tokio::select! {
                accepted = accept(&self.tcp) => accepted,
                done = self.handshakes.join_next(), if !self.handshakes.is_empty() => match done {
                    Some(Ok(Some((transport, addr)))) => return self.connection(transport, addr),
                    _ => continue,
                },
            };
            let Some(acceptor) = self.acceptor.clone() else { return self.connection(Transport::bare(tcp), addr) };
            self.handshakes.spawn(async move {
                let done = acceptor.handshake(tcp).await;
                let done = done.inspect_err(|error| tracing::debug!("a TLS handshake failed: {error}"));
                Some((done.ok()?, addr))
            });
        }
    }

    fn connection(&self, transport: Transport, addr: SocketAddr) -> (Stream, Peer) {
        let line = Arc::new(Line::new(transport));
        let peer = Peer { addr, is_tls: line.is_tls(), line: Arc::downgrade(&line) };
        (Stream { line, patience: self.patience, stalled: None }, peer)
    }
}

/// A connection for who serves it.
pub struct Stream {
    line: Arc<Line>,
    patience: Duration,
    /// Ends the connection, when nothing of what is there for its client could be written meanwhile.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What a request knows of its connection. It may live for longer.
#[derive(Clone)]
pub struct Peer {
    pub addr: SocketAddr,
    /// Whether it speaks TLS to us.
    pub is_tls: bool,
    line: Weak<Line>,
}

impl Peer {
    /// `None` once the connection is over.
    pub fn line(&self) -> Option<Arc<Line>> {
        self.line.upgrade()
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((tcp, addr)) => {
                // Small packets wait up to 40 ms otherwise. A socket that refuses this has just been closed.
                let _ = tcp.set_nodelay(true);
                return (tcp, addr);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!("cannot accept connections: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.line.poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = self.line.poll_write(context, slices);
        self.unless_stalled(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.line.shut_down())
    }
}

impl Stream {
    /// Whoever takes nothing for too long would hold what is there for it in memory.
    fn unless_stalled(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_not_waited_for() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = tcp.local_addr().unwrap();
        let mut listener = Listener::new(tcp, None, Duration::from_millis(100));
        let client = TcpStream::connect(addr).await.unwrap();
        let (mut stream, _) = listener.accept().await;
        let end = loop {
            if let Err(error) = stream.write_all(&[0; 1 << 20]).await {
                break error;
            }
        };
        assert_eq!(end.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
