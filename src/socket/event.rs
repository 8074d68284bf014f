//! THE pipeline: the way of every event from a socket to its handler and back.
//!
//! The library calls us in arrival order and would then spawn a task for each event, which mixes up their order. So all
//! that happens there is a push onto the connection's own queue, and one task a connection works it off: it decodes, asks
//! who acts, calls the handler, sends the error or the ack. No handler can be registered in another way.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use socketioxide::extract::{AckSender, SocketRef};
use tokio::sync::oneshot;

use super::hub::SocketHub;
use super::raw::{Arguments, Raw};
use super::session::Session;
use crate::answer::{Accepted, Refused};
use crate::app::App;
use crate::chat;
use crate::chat::namespaces::{self, Admission};
use crate::chat::resume::{End, Found};
use crate::error::{Error, Result, WireError};
use crate::hub::{Audience, Outbound};
use crate::owed::Owed;
use crate::telemetry;
use crate::types::{Actor, ConnId, Network, RoomName, TicketId};
use crate::visitor::Visitor;

/// Events of one connection that may wait. Past that the answer is `too_many`.
const QUEUE: usize = 64;
/// And so many of the largest packets' bytes.
const MOST_WAITING: usize = 2;

/// An event that clients send: its payload, and what to do with it.
pub trait Event: DeserializeOwned + JsonSchema + Send + 'static {
    const NAME: &'static str;
    /// What it is for, in a sentence.
    const ABOUT: &'static str;
    /// Whether it may be sent by who has not said a name yet.
    const OPEN: bool = false;
    /// Whether it has a payload. Where it has none, any argument is refused, as in the original.
    const PAYLOAD: bool = true;
    /// What the ack carries besides `ok`.
    type Ack: Serialize + JsonSchema;

    fn handle(self, context: &mut Context<'_>) -> impl Future<Output = Result<Self::Ack>> + Send;

    /// The original's sentence for a field that cannot be right, where it had one.
    fn refusal(_field: &str) -> Option<&'static str> {
        None
    }
}

/// An ack that says whether anything has changed.
#[derive(Serialize, JsonSchema)]
pub struct Changed {
    pub changed: bool,
}

/// What a handler works with.
pub struct Context<'a> {
    pub app: &'a App,
    pub conn: ConnId,
    pub visitor: &'a Visitor,
    pub session: &'a mut Session,
}

impl Context<'_> {
    pub fn actor(&self) -> Result<&Actor> {
        self.session.actor.as_ref().ok_or_else(Error::not_joined)
    }

    /// The room that the namespace stands for.
    pub fn room(&self) -> Result<RoomName> {
        self.session.room.clone().ok_or_else(|| Error::NotFound("There is no such event.".into()))
    }
}

/// An event of the table: its name, how to run it, and what there is to say about it.
pub struct Entry {
    pub name: &'static str,
    pub about: &'static str,
    pub open: bool,
    /// `None` where there is to be no argument.
    pub payload: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub ack: fn(&mut SchemaGenerator) -> Schema,
    run: for<'a> fn(Arguments<'a>, &'a mut Context<'_>) -> BoxFuture<'a, Result<Box<RawValue>>>,
}

impl Entry {
    pub const fn of<E: Event>() -> Self {
        Self {
            name: E::NAME,
            about: E::ABOUT,
            open: E::OPEN,
            payload: if E::PAYLOAD { Some(SchemaGenerator::subschema_for::<E>) } else { None },
            ack: SchemaGenerator::subschema_for::<Accepted<E::Ack>>,
            run: |arguments, context| run::<E>(arguments, context).boxed(),
        }
    }
}

async fn run<E: Event>(arguments: Arguments<'_>, context: &mut Context<'_>) -> Result<Box<RawValue>> {
    let event: E = arguments.decode(E::PAYLOAD, E::refusal)?;
    let ack = event.handle(context).await?;
    serde_json::value::to_raw_value(&Accepted::new(ack)).map_err(Error::internal)
}

/// All that the connections share.
pub struct Pipeline {
    pub app: Arc<App>,
    pub hub: Arc<SocketHub>,
    /// Events that were accepted and are not answered yet.
    pub under_way: AtomicUsize,
    /// Whether the server shuts down and takes no more events.
    pub closing: AtomicBool,
    next_number: AtomicU64,
}

impl Pipeline {
    pub fn new(app: Arc<App>, hub: Arc<SocketHub>) -> Self {
        Self {
            app,
            hub,
            under_way: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            next_number: AtomicU64::new(1),
        }
    }

    /// A number that no other connection has.
    pub fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// The events that may be sent in a namespace.
pub type Entries = Arc<[&'static Entry]>;

enum Job {
    /// It may be a lost one that came back, or the handshake has shown who it is.
    Begin {
        socket: SocketRef,
        beginning: Beginning,
    },
    Event {
        socket: SocketRef,
        raw: Raw,
        ack: AckSender,
    },
    /// Who has not come in by now only takes up room.
    JoinDeadline {
        socket: SocketRef,
    },
    Disconnected {
        end: End,
        done: oneshot::Sender<()>,
    },
}

impl Job {
    /// What the client sent, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Event { raw, .. } => raw.size(),
            _ => 0,
        }
    }
}

/// What a connection's handshake has shown.
pub enum Beginning {
    Chat(Newcomer),
    /// It is let into one room.
    Room(Box<Admission>),
}

/// Somebody in the namespace `/`.
pub struct Newcomer {
    /// Whose session it is.
    pub account: Option<Actor>,
    /// Whether it hears the account's rooms at once.
    pub listen: bool,
    /// Whether it wants to be found again.
    pub resume: bool,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Of the events that wait, in bytes.
    size: usize,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// The client may know already that it is connected, but the library would drop what we emit to it.
    #[default]
    Opening,
    /// Nothing to do: no task, no memory.
    Idle,
    /// A task works the queue off.
    Running,
}

/// One connection to the chat.
pub struct Connection {
    pipeline: Arc<Pipeline>,
    entries: Entries,
    id: ConnId,
    /// Names the connection in logs; its id is a secret.
    number: u64,
    visitor: Visitor,
    queue: Mutex<Queue>,
    owed: Arc<Owed>,
    session: tokio::sync::Mutex<Session>,
}

impl Connection {
    pub fn new(pipeline: Arc<Pipeline>, entries: Entries, id: ConnId, visitor: Visitor) -> Arc<Self> {
        let number = pipeline.number();
        let session = Session::new().into();
        let owed = pipeline.hub.owed(id.sid());
        Arc::new(Self { pipeline, entries, id, number, visitor, queue: Mutex::default(), owed, session })
    }

    /// Whether it shows the cookie of a browser.
    pub fn may_be_known(&self) -> bool {
        self.visitor.browser.is_some()
    }

    /// Finds out whose it is, before any event that comes.
    pub fn begin_with(self: &Arc<Self>, socket: SocketRef, beginning: Beginning) {
        self.push(Job::Begin { socket, beginning });
    }

    /// Takes an event in, in arrival order. Never blocks.
    pub fn receive(self: &Arc<Self>, socket: SocketRef, raw: Raw, ack: AckSender) {
        let full = {
            let queue = self.queue.lock().expect("queue lock");
            queue.jobs.len() >= QUEUE || queue.size + raw.size() > MOST_WAITING * self.pipeline.app.config.max_payload
        };
        let error = match full {
            true => Error::TooMany { retry_ms: 1_000 },
            false if self.pipeline.closing.load(Ordering::SeqCst) => Error::shutting_down(),
            false => return self.push(Job::Event { socket, raw, ack }),
        };
        self.refuse(&socket, ack, &raw.name(), &error);
    }

    /// From here on the connection can be spoken to: works off what came before.
    pub fn open(self: &Arc<Self>, socket: SocketRef) {
        let mut queue = self.queue.lock().expect("queue lock");
        if queue.state == State::Opening {
            self.pipeline.hub.add(self.id, socket.clone(), Network::of(self.visitor.address), self.owed.clone());
            queue.state = State::Idle;
            self.wake(&mut queue);
            self.expect_to_join(socket);
        }
    }

    /// Waits until all that the connection sent before is done, then says goodbye for it.
    pub async fn disconnected(self: Arc<Self>, socket: SocketRef, end: End) {
        self.open(socket);
        let (done, finished) = oneshot::channel();
        self.push(Job::Disconnected { end, done });
        self.owed.look_again();
        let _ = finished.await;
    }

    /// Looks again when the time to come in is over.
    fn expect_to_join(self: &Arc<Self>, socket: SocketRef) {
        let Some(limits) = self.pipeline.app.config.socket_limits else { return };
        let connection = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(limits.join_timeout).await;
            if let Some(connection) = connection.upgrade().filter(|_| socket.connected()) {
                connection.push(Job::JoinDeadline { socket });
            }
        });
    }

    fn push(self: &Arc<Self>, job: Job) {
        self.pipeline.under_way.fetch_add(1, Ordering::SeqCst);
        let mut queue = self.queue.lock().expect("queue lock");
        queue.size += job.size();
        queue.jobs.push_back(job);
        self.wake(&mut queue);
    }

    fn wake(self: &Arc<Self>, queue: &mut Queue) {
        if queue.state == State::Idle && !queue.jobs.is_empty() {
            queue.state = State::Running;
            tokio::spawn(self.clone().work_off());
        }
    }

    async fn work_off(self: Arc<Self>) {
        let mut session = self.session.lock().await;
        while let Some(job) = self.next_job() {
            match job {
                Job::Begin { socket, beginning } => {
                    let begun = self.begin(&mut session, &socket, beginning);
                    self.traced("begin", begun).await
                }
                Job::Event { socket, raw, ack } => {
                    self.owed.settled(|| self.is_leaving()).await;
                    let had_come_in = session.actor.is_some();
                    self.answer(&mut session, socket.clone(), raw, ack).await;
                    if had_come_in && session.actor.is_none() {
                        self.expect_to_join(socket);
                    }
                }
                Job::JoinDeadline { socket } if session.actor.is_none() => {
                    self.pipeline.hub.drop_connection(self.id, &socket)
                }
                Job::JoinDeadline { .. } => {}
                Job::Disconnected { end, done } => {
                    session.say_goodbye(&self.pipeline.app, self.id, end).await;
                    let _ = done.send(());
                }
            }
            self.pipeline.under_way.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn is_leaving(&self) -> bool {
        matches!(self.queue.lock().expect("queue lock").jobs.back(), Some(Job::Disconnected { .. }))
    }

    fn next_job(&self) -> Option<Job> {
        let mut queue = self.queue.lock().expect("queue lock");
        let job = queue.jobs.pop_front();
        match &job {
            Some(job) => queue.size -= job.size(),
            // The lock is still held: whoever pushes next starts a new task.
            None => *queue = Queue { state: State::Idle, ..Queue::default() },
        }
        job
    }

    /// Lets a lost connection go on, or makes it speak for the account that its handshake named. Where that cannot be, the
    /// client is told; an account's connection ends.
    async fn begin(&self, session: &mut Session, socket: &SocketRef, beginning: Beginning) {
        let (must_be_somebody, begun) = match beginning {
            Beginning::Chat(newcomer) => (newcomer.account.is_some(), self.find_out(session.ticket, newcomer).await),
            Beginning::Room(admission) => {
                session.room = Some(admission.room.name.clone());
                (true, namespaces::take_in(&self.pipeline.app, *admission).await.map(Some))
            }
        };
        match begun {
            Ok(actor) => session.actor = actor,
            Err(error) => {
                // Whoever has gone meanwhile need not be told.
                let _ = socket.emit(WireError::NAME, &error.to_wire(None));
                if must_be_somebody {
                    let _ = socket.clone().disconnect();
                }
            }
        }
    }

    async fn find_out(&self, ticket: TicketId, newcomer: Newcomer) -> Result<Option<Actor>> {
        let (app, Newcomer { account, listen, resume }) = (&self.pipeline.app, newcomer);
        let found = match resume {
            true => chat::resume::find(app, &self.visitor, self.id, ticket, account.as_ref(), listen).await?,
            false => Found::Nobody,
        };
        match (found, account) {
            (Found::Somebody(actor, lost), _) => {
                chat::resume::go_on(app, &actor, lost).await?;
                Ok(Some(actor))
            }
            (Found::Several, None) => Err(chat::resume::several()),
            (found, Some(account)) => {
                let key = chat::resume::key(app, &self.visitor, account.session, ticket);
                let actor = Actor { conn: Some(self.id), ticket: key, ..account };
                chat::people::introduce(app, &actor, self.id, listen).await?;
                if matches!(found, Found::Several) {
                    let told = chat::resume::several().to_wire(Some("resume"));
                    app.publisher.emit(Audience::Conn(self.id), &told).await;
                }
                Ok(Some(actor))
            }
            (Found::Nobody, None) => Ok(None),
        }
    }

    async fn answer(&self, session: &mut Session, socket: SocketRef, raw: Raw, ack: AckSender) {
        let started = Instant::now();
        let name = raw.name();
        let entry = self.entries.iter().find(|entry| entry.name == name);
        let label = entry.map_or("unknown", |entry| entry.name);
        let answered = async {
            match self.run(entry.copied(), session, &raw).await {
                Ok(accepted) => {
                    self.owed.add(accepted.get().len());
                    if let Err(error) = ack.send(&accepted) {
                        self.owed.take_back(accepted.get().len());
                        self.pipeline.hub.not_delivered(self.id, &socket, error);
                    }
                    "ok"
                }
                Err(error) => {
                    self.refuse(&socket, ack, &name, &error);
                    error.code()
                }
            }
        };
        let outcome = self.traced(label, answered).await;
        metrics::counter!("secure_chat_events_total", "event" => label, "outcome" => outcome).increment(1);
        metrics::histogram!("secure_chat_event_seconds", "event" => label).record(started.elapsed().as_secs_f64());
    }

    /// Gives what is done an id of its own.
    async fn traced<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let id = telemetry::new_id();
        let span = tracing::error_span!("event", id, name, conn = self.number);
        telemetry::traced(id, span, work).await
    }

    async fn run(&self, entry: Option<&Entry>, session: &mut Session, raw: &Raw) -> Result<Box<RawValue>> {
        if session.actor.is_none() && !entry.is_some_and(|entry| entry.open) {
            return Err(Error::not_joined());
        }
        let entry = entry.ok_or_else(|| Error::NotFound("There is no such event.".into()))?;
        let mut context = Context { app: &self.pipeline.app, conn: self.id, visitor: &self.visitor, session };
        let handler = (entry.run)(raw.arguments()?, &mut context);
        match AssertUnwindSafe(handler).catch_unwind().await {
            Ok(result) => result,
            Err(_) => Err(Error::Internal(anyhow::anyhow!("the handler of {} panicked", entry.name))),
        }
    }

    fn refuse(&self, socket: &SocketRef, ack: AckSender, name: &str, error: &Error) {
        let mut error = error.to_wire(Some(name));
        let told = socket.emit(WireError::NAME, &error);
        // An ack belongs to its event; it need not name it.
        error.event = None;
        let sent = told.and_then(|()| ack.send(&Refused::new(error)));
        if let Err(error) = sent {
            self.pipeline.hub.not_delivered(self.id, socket, error);
        }
    }
}
