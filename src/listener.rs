//! The TCP listener: connections without Nagle's delay, each with a line that can be cut, and asked how far its client is.
//!
//! Why cut: a reader who does not read blocks its connection's writer for as long as TCP allows, which is hours, and
//! nothing in the Socket.IO library ends that. Cutting the stream ends both of its halves at once.
//!
//! Why ask: what is sent into a dead network is gone, and the sender hears of it half a minute later. Pings of the
//! websocket, which every client answers by itself, tell what has arrived (see `frames`).

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::frames::{Incoming, LastMessage, Outgoing, ping};

/// Pings that may follow messages at once. People's messages are few, and each is asked for; a flood of them is asked for
/// once in a second, so that it costs little more than without.
const PINGS: u32 = 10;
const PING_AGAIN: Duration = Duration::from_secs(1);
/// How long a client may take to answer.
const ANSWERING: Duration = Duration::from_secs(3);
/// How a response begins that turns the connection into a websocket.
const SWITCHES: &[u8] = b"HTTP/1.1 101";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub struct Listener(pub TcpListener);

pub struct Stream {
    line: Arc<Line>,
}

/// What a request knows of its connection. It may live for longer.
#[derive(Clone)]
pub struct Peer {
    pub addr: SocketAddr,
    line: Weak<Line>,
}

impl Peer {
    /// `None` once the connection is over.
    pub fn line(&self) -> Option<Arc<Line>> {
        self.line.upgrade()
    }
}

/// One TCP connection, as seen from both of its ends and from the hub.
pub struct Line {
    tcp: TcpStream,
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    wire: Mutex<Wire>,
    answered: Notify,
}

/// What has gone over the line.
#[derive(Default)]
struct Wire {
    phase: Phase,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Of a ping that did not go out whole.
    rest: Vec<u8>,
    asked: LastMessage,
    /// When there will be all of `PINGS` again.
    full_at: Option<Instant>,
    /// Whether a ping is wanted as soon as a frame ends.
    wanted: bool,
    answers: u64,
    arrived: LastMessage,
}

#[derive(Default)]
enum Phase {
    #[default]
    Http,
    /// A response is awaited that may turn the connection into a websocket: what there is of its head.
    Turning(Vec<u8>),
    Websocket,
}

impl Wire {
    fn sent(&mut self, bytes: &[u8]) {
        match &mut self.phase {
            Phase::Http => {}
            Phase::Websocket => self.outgoing.follow(bytes),
            Phase::Turning(head) => {
                let before = head.len();
                head.extend_from_slice(bytes);
                if head.len() >= SWITCHES.len() && !head.starts_with(SWITCHES) {
                    self.phase = Phase::Http;
                } else if let Some(end) = head.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD) {
                    self.phase = Phase::Websocket;
                    self.outgoing.follow(&bytes[end + END_OF_HEAD.len() - before..]);
                }
            }
        }
    }

    fn received(&mut self, bytes: &[u8]) -> bool {
        if !matches!(self.phase, Phase::Websocket) {
            return false;
        }
        let before = self.answers;
        self.incoming.follow(bytes, |last| {
            self.answers += 1;
            self.arrived = last;
        });
        self.answers > before
    }

    /// Puts a ping between two frames, where one is wanted or messages are to be asked for.
    fn ask(&mut self, tcp: &TcpStream) {
        if !matches!(self.phase, Phase::Websocket) || !self.rest.is_empty() || !self.outgoing.is_between_frames() {
            return;
        }
        let last = self.outgoing.last;
        let now = Instant::now();
        let full_at = self.full_at.unwrap_or(now).max(now) + PING_AGAIN;
        if !self.wanted && (last == self.asked || full_at > now + PING_AGAIN * PINGS) {
            return;
        }
        let frame = ping(&last);
        // Where there is no room now, there is much under way: it is asked again behind that.
        if let Ok(written) = tcp.try_write(&frame) {
            self.rest.extend_from_slice(&frame[written..]);
            self.asked = last;
            self.full_at = Some(full_at);
            self.wanted = false;
        }
    }

    fn write_rest(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while !self.rest.is_empty() {
            let written = tcp.try_write(&self.rest)?;
            self.rest.drain(..written);
        }
        Ok(())
    }
}

impl Line {
    fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            wire: Mutex::default(),
            answered: Notify::new(),
        }
    }

    /// From here on reading ends and writing fails.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.reader.wake();
        self.writer.wake();
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// A request is under way that wants the connection to become a websocket.
    pub fn may_turn(&self) {
        self.wire().phase = Phase::Turning(Vec::new());
    }

    /// Asks, if need be and if it may be now, whether the last message has arrived.
    pub fn ask(&self) {
        self.wire().ask(&self.tcp);
    }

    /// The last message that is known to have arrived.
    pub fn arrived(&self) -> LastMessage {
        self.wire().arrived
    }

    /// Whether the client answers.
    pub async fn answers(&self) -> bool {
        let before = {
            let mut wire = self.wire();
            wire.wanted = true;
            wire.ask(&self.tcp);
            wire.answers
        };
        let answer = async {
            loop {
                let answered = self.answered.notified();
                if self.wire().answers > before {
                    return;
                }
                answered.await;
            }
        };
        tokio::time::timeout(ANSWERING, answer).await.is_ok()
    }

    fn wire(&self) -> std::sync::MutexGuard<'_, Wire> {
        self.wire.lock().expect("wire lock")
    }

    /// What an operation gave, or `cut` when it would wait and the line was cut. Only who waits needs to be woken.
    fn unless_cut<T>(&self, waker: &AtomicWaker, context: &Context<'_>, poll: Poll<T>, cut: T) -> Poll<T> {
        if poll.is_pending() {
            waker.register(context.waker());
            if self.is_cut() {
                return Poll::Ready(cut);
            }
        }
        poll
    }

    /// Writes once there is room; `write` tries, `sent` says what of it went out.
    fn poll_write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
        sent: impl FnOnce(&mut Wire, usize),
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(context))?;
            let mut wire = self.wire();
            match wire.write_rest(&self.tcp).and_then(|()| write(&self.tcp)) {
                Ok(written) => {
                    sent(&mut wire, written);
                    wire.ask(&self.tcp);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(context))?;
            match self.tcp.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    let filled = buffer.filled();
                    if self.wire().received(&filled[filled.len() - count..]) {
                        self.answered.notify_waiters();
                    }
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
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
                    return (Stream { line: Arc::new(Line::new(tcp)) }, addr);
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
        Self { addr: *stream.remote_addr(), line: Arc::downgrade(&stream.io().line) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = &self.line;
        if line.is_cut() {
            return Poll::Ready(Ok(()));
        }
        let poll = line.poll_read(context, buffer);
        line.unless_cut(&line.reader, context, poll, Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_with(context, |tcp| tcp.try_write(bytes), |wire, written| wire.sent(&bytes[..written]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = |wire: &mut Wire, mut written: usize| {
            for slice in slices {
                let here = slice.len().min(written);
                wire.sent(&slice[..here]);
                written -= here;
            }
        };
        self.write_with(context, |tcp| tcp.try_write_vectored(slices), sent)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(rustix::net::shutdown(&self.line.tcp, rustix::net::Shutdown::Write).map_err(io::Error::from))
    }
}

impl Stream {
    fn write_with(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
        sent: impl FnOnce(&mut Wire, usize),
    ) -> Poll<io::Result<usize>> {
        let line = &self.line;
        if line.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let poll = line.poll_write(context, write, sent);
        line.unless_cut(&line.writer, context, poll, Err(io::ErrorKind::BrokenPipe.into()))
    }
}
