//! The TCP listener: connections without Nagle's delay, each with a switch that cuts it.
//!
//! Why a switch: a reader who does not read blocks its connection's writer for as long as TCP allows, which is hours, and
//! nothing in the Socket.IO library ends that. Cutting the stream ends both of its halves at once.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

pub struct Listener(pub TcpListener);

pub struct Stream {
    tcp: TcpStream,
    switch: Arc<CutSwitch>,
}

/// What a request knows of its connection.
#[derive(Clone)]
pub struct Peer {
    pub addr: SocketAddr,
    pub switch: Arc<CutSwitch>,
}

#[derive(Default)]
pub struct CutSwitch {
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl CutSwitch {
    /// From here on reading ends and writing fails.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// What an operation gave, or `cut` when it would wait and the switch was thrown. Only who waits needs to be woken.
    fn unless_cut<T>(&self, waker: &AtomicWaker, context: &Context<'_>, poll: Poll<T>, cut: T) -> Poll<T> {
        if poll.is_pending() {
            waker.register(context.waker());
            if self.is_cut() {
                return Poll::Ready(cut);
            }
        }
        poll
    }
}

impl axum::serve::Listener for Listener {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        loop {
            match self.0.accept().await {
                Ok((tcp, addr)) => {
                    // Small packets wait up to 40 ms otherwise. A socket that refuses this has just been closed.
                    let _ = tcp.set_nodelay(true);
                    return (Stream { tcp, switch: Arc::default() }, addr);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!("cannot accept connections: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        Self { addr: *stream.remote_addr(), switch: stream.io().switch.clone() }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.switch.is_cut() {
            return Poll::Ready(Ok(()));
        }
        let poll = Pin::new(&mut self.tcp).poll_read(context, buffer);
        self.switch.unless_cut(&self.switch.reader, context, poll, Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.switch.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let poll = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.switch.unless_cut(&self.switch.writer, context, poll, Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.switch.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let poll = Pin::new(&mut self.tcp).poll_write_vectored(context, slices);
        self.switch.unless_cut(&self.switch.writer, context, poll, Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
