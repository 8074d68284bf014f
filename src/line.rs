//! One connection, as a line that can be cut, and whose client is asked how far it is.
//!
//! Why cut: a reader who does not read blocks its connection's writer for as long as TCP allows, which is hours, and
//! nothing in the Socket.IO library ends that. Cutting the stream ends both of its halves at once.
//!
//! Why ask: what is sent into a dead network is gone, and the sender hears of it half a minute later. Pings of the
//! websocket, which every client answers by itself, tell what has arrived (see `frames`).

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::io::ReadBuf;
use tokio::sync::Notify;

use crate::frames::{Incoming, LastMessage, Outgoing, ping};
use crate::owed::Owed;
use crate::transport::Transport;

/// Pings that may follow messages at once. People's messages are few, and each is asked for; a flood of them is asked for
/// once in a second, so that it costs little more than without.
const PINGS: u32 = 10;
const PING_AGAIN: Duration = Duration::from_secs(1);
/// How long a client may take to answer.
const ANSWERING: Duration = Duration::from_secs(3);
/// How a response begins that turns the connection into a websocket.
const SWITCHES: &[u8] = b"HTTP/1.1 101";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// One connection, as seen from both of its ends and from the hub.
pub struct Line {
    transport: Transport,
    cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    wire: Mutex<Wire>,
    answered: Notify,
}

/// What has gone over the line, in clear.
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
    /// What waits for the client.
    owed: Option<Arc<Owed>>,
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

    /// The first so many bytes of these.
    fn sent_of(&mut self, slices: &[IoSlice<'_>], mut count: usize) {
        for slice in slices {
            let here = slice.len().min(count);
            self.sent(&slice[..here]);
            count -= here;
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
    fn ask(&mut self, transport: &Transport) {
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
        if let Ok(written) = transport.try_write(&[IoSlice::new(&frame)]) {
            self.rest.extend_from_slice(&frame[written..]);
            self.asked = last;
            self.full_at = Some(full_at);
            self.wanted = false;
        }
    }

    fn write_rest(&mut self, transport: &Transport) -> io::Result<()> {
        while !self.rest.is_empty() {
            let written = transport.try_write(&[IoSlice::new(&self.rest)])?;
            self.rest.drain(..written);
        }
        Ok(())
    }
}

impl Line {
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
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

    /// What goes out over this line was owed.
    pub fn pays(&self, owed: Arc<Owed>) {
        self.wire().owed = Some(owed);
    }

    /// Asks, if need be and if it may be now, whether the last message has arrived.
    pub fn ask(&self) {
        self.wire().ask(&self.transport);
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
            wire.ask(&self.transport);
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

    /// Writes once there is room.
    pub fn poll_write(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(was_cut()));
        }
        let poll = self.poll_write_uncut(context, slices);
        self.unless_cut(&self.writer, context, poll, Err(was_cut()))
    }

    fn poll_write_uncut(&self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.transport.tcp.poll_write_ready(context))?;
            let mut wire = self.wire();
            match wire.write_rest(&self.transport).and_then(|()| self.transport.try_write(slices)) {
                Ok(written) => {
                    wire.sent_of(slices, written);
                    if let Some(owed) = &wire.owed {
                        owed.taken(written);
                    }
                    wire.ask(&self.transport);
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    pub fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = self.poll_flush_uncut(context);
        self.unless_cut(&self.writer, context, poll, Err(was_cut()))
    }

    fn poll_flush_uncut(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.transport.try_flush() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                flushed => return Poll::Ready(flushed),
            }
            ready!(self.transport.tcp.poll_write_ready(context))?;
        }
    }

    pub fn poll_read(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Ok(()));
        }
        let poll = self.poll_read_uncut(context, buffer);
        self.unless_cut(&self.reader, context, poll, Ok(()))
    }

    /// What there is may be deciphered already: only where there is nothing, the socket is waited for.
    fn poll_read_uncut(&self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.transport.try_read(buffer.initialize_unfilled()) {
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
            ready!(self.transport.tcp.poll_read_ready(context))?;
        }
    }

    pub fn shut_down(&self) -> io::Result<()> {
        self.transport.shut_down()
    }

    pub fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}

fn was_cut() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
