//! Who hears what: the interface between the rules and whatever carries events to people.
//!
//! The rules never emit by themselves. They hand [`Publication`]s over with a write, and one [`Publisher`] carries them
//! out in commit order. So every reader of a room sees one order, the stored one, and nobody sees what a crash could lose.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use crate::outside::Outside;
use crate::types::{
    Actor, ConnId, Identity, MessageId, NameKey, Network, Presence, RoomId, RoomName, SessionId, TicketId, UserId,
    Username,
};

/// An event that the server sends.
pub trait Outbound: Serialize + JsonSchema {
    const NAME: &'static str;
}

/// What there is to say about an event that the server sends.
pub struct Told {
    pub name: &'static str,
    pub payload: fn(&mut SchemaGenerator) -> Schema,
}

impl Told {
    pub const fn of<E: Outbound>() -> Self {
        Self { name: E::NAME, payload: SchemaGenerator::subschema_for::<E> }
    }
}

/// A set of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every connection, also of those who have not joined the chat.
    Everyone,
    /// Every connection that speaks for somebody.
    Introduced,
    Room(RoomId),
    /// Those in the room who want to know who is here, but for some.
    Watching {
        room: RoomId,
        except: Arc<HashSet<Identity>>,
    },
    Person(Identity),
    Session(SessionId),
    /// Whoever comes from there.
    Network(Network),
    Conn(ConnId),
}

impl Audience {
    /// The connections of who acts. Of a guest it is the one alone: others of the name are other people.
    pub fn own(actor: &Actor) -> Self {
        match (actor.identity.is_guest(), actor.conn) {
            (true, Some(conn)) => Self::Conn(conn),
            _ => Self::Person(actor.identity.clone()),
        }
    }
}

/// Whom a connection speaks for, and what it does not want to hear.
#[derive(Clone, Debug)]
pub struct Ear {
    pub user: UserId,
    pub name: Username,
    pub identity: Identity,
    pub session: Option<SessionId>,
    pub ticket: Option<TicketId>,
    /// Those whom the person has blocked.
    pub hidden: HashSet<Identity>,
    /// Nobody is to see that the person is here.
    pub invisible: bool,
}

/// Somebody who has a connection.
#[derive(Clone, Debug)]
pub struct Here {
    pub name: Username,
    pub identity: Identity,
    pub presence: Presence,
    pub invisible: bool,
}

/// Which message of which room an event tells.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    pub room: RoomId,
    pub seq: i64,
    pub id: MessageId,
}

/// How far a connection has heard a room: positions of messages.
#[derive(Clone, Debug)]
pub struct Heard {
    pub name: RoomName,
    /// The last one that was sent to it.
    pub sent: i64,
    /// The last one of which it is known that it has arrived.
    pub arrived: i64,
}

/// Something to carry out after a commit.
pub enum Publication {
    Emit {
        to: Audience,
        except: Option<ConnId>,
        /// Who blocked this author does not get it.
        author: Option<Identity>,
        /// Of a message: how far those who get it have heard the room.
        mark: Option<Mark>,
        event: &'static str,
        payload: Box<RawValue>,
        /// Who blocked this person gets this payload instead.
        instead: Option<(Identity, Box<RawValue>)>,
    },
    /// From here on the connection hears the room, whose newest message has this position.
    Join {
        conn: ConnId,
        room: RoomId,
        name: RoomName,
        seq: i64,
    },
    /// From here on all connections of this very user hear the room.
    JoinPerson {
        identity: Identity,
        user: UserId,
        room: RoomId,
        name: RoomName,
        seq: i64,
    },
    Leave {
        conns: Audience,
        room: RoomId,
    },
    /// The connection speaks for this person from here on, and for nobody else.
    Identify {
        conn: ConnId,
        ear: Box<Ear>,
    },
    /// The connection speaks for nobody any more and hears no room.
    Forget {
        conn: ConnId,
    },
    /// `user`, who is `by`, wants to hear nothing of `author` any more, or something again. Another guest of that name is
    /// another user.
    Hide {
        by: Identity,
        user: UserId,
        author: Identity,
        hidden: bool,
    },
    /// Nobody looks at this client, or somebody does again.
    Away {
        conn: ConnId,
        away: bool,
    },
    /// Nobody is to see that this person is here, or everybody may again.
    Invisible {
        identity: Identity,
        user: UserId,
        invisible: bool,
    },
    /// The connection wants to know from here on who is in the room.
    Watch {
        conn: ConnId,
        room: RoomId,
    },
    /// Ends connections for good: their clients do not come back by themselves.
    Disconnect {
        conns: Audience,
        except: Option<ConnId>,
    },
    /// What a program outside of the chat wants.
    Outside(Outside),
}

impl Publication {
    pub fn emit<E: Outbound>(to: Audience, event: &E) -> Self {
        Self::emit_except(to, None, event)
    }

    /// To all of `to` but that one connection.
    pub fn emit_except<E: Outbound>(to: Audience, except: Option<ConnId>, event: &E) -> Self {
        Self::Emit { to, except, author: None, mark: None, event: E::NAME, payload: encode(event), instead: None }
    }

    /// A message to all of its room who have not blocked the author.
    pub fn message<E: Outbound>(author: Identity, mark: Mark, event: &E) -> Self {
        Self::emit(Audience::Room(mark.room), event).by(author).marked(mark)
    }

    /// A message that a connection has missed.
    pub fn missed<E: Outbound>(conn: ConnId, mark: Mark, event: &E) -> Self {
        Self::emit(Audience::Conn(conn), event).marked(mark)
    }

    /// Not to those who have blocked this person.
    pub fn by(mut self, person: Identity) -> Self {
        if let Self::Emit { author, .. } = &mut self {
            *author = Some(person);
        }
        self
    }

    /// To those who have blocked this person, another event of the same name.
    pub fn instead<E: Outbound>(mut self, person: Identity, event: &E) -> Self {
        if let Self::Emit { instead, .. } = &mut self {
            *instead = Some((person, encode(event)));
        }
        self
    }

    fn marked(mut self, place: Mark) -> Self {
        if let Self::Emit { mark, .. } = &mut self {
            *mark = Some(place);
        }
        self
    }
}

fn encode<E: Outbound>(event: &E) -> Box<RawValue> {
    serde_json::value::to_raw_value(event).expect("outgoing events have string keys")
}

/// Carries events to connections, on this node and, with a cluster, on the others.
pub trait Fanout: Send + Sync {
    fn carry_out(&self, publication: Publication);
    /// Whether this very user has a connection: a guest of the same name is another user.
    fn is_present(&self, identity: &Identity, user: UserId) -> bool;
    /// The users of that identity who have a connection: an account is one, guests of one name are several.
    fn users_of(&self, identity: &Identity) -> Vec<UserId>;
    /// Whether the person looks at one of their pages.
    fn is_looking(&self, identity: &Identity) -> bool;
    /// All who have a connection, those too who do not want to be seen.
    fn here(&self) -> HashMap<UserId, Here>;
    /// The rooms of which somebody wants to know who is there.
    fn watched(&self) -> HashSet<RoomId>;
    /// The networks that the person's connections come from.
    fn networks_of(&self, identity: &Identity) -> Vec<Network>;
    /// The guests who have a connection on this node.
    fn guests(&self) -> Vec<NameKey>;
    /// The sessions that have a connection on this node.
    fn sessions(&self) -> Vec<SessionId>;
    /// Whether the connection with this ticket, which speaks for this person, answers.
    fn answers(&self, identity: &Identity, ticket: TicketId) -> BoxFuture<'static, bool>;
    /// Ends that connection, and forgets it. The rooms that it heard.
    fn take_over(&self, identity: &Identity, ticket: TicketId) -> BTreeMap<RoomId, Heard>;
    /// The rooms that the connection hears.
    fn rooms_of(&self, conn: ConnId) -> BTreeMap<RoomId, Heard>;
    /// The connection has gone: forgets it. The rooms that it heard.
    fn remove(&self, conn: ConnId) -> BTreeMap<RoomId, Heard>;
}

/// A hub without connections: for commands that write and have nobody to tell.
pub struct Nobody;

impl Fanout for Nobody {
    fn carry_out(&self, _: Publication) {}

    fn is_present(&self, _: &Identity, _: UserId) -> bool {
        false
    }

    fn users_of(&self, _: &Identity) -> Vec<UserId> {
        Vec::new()
    }

    fn is_looking(&self, _: &Identity) -> bool {
        false
    }

    fn here(&self) -> HashMap<UserId, Here> {
        HashMap::new()
    }

    fn watched(&self) -> HashSet<RoomId> {
        HashSet::new()
    }

    fn networks_of(&self, _: &Identity) -> Vec<Network> {
        Vec::new()
    }

    fn guests(&self) -> Vec<NameKey> {
        Vec::new()
    }

    fn sessions(&self) -> Vec<SessionId> {
        Vec::new()
    }

    fn answers(&self, _: &Identity, _: TicketId) -> BoxFuture<'static, bool> {
        Box::pin(std::future::ready(false))
    }

    fn take_over(&self, _: &Identity, _: TicketId) -> BTreeMap<RoomId, Heard> {
        BTreeMap::new()
    }

    fn rooms_of(&self, _: ConnId) -> BTreeMap<RoomId, Heard> {
        BTreeMap::new()
    }

    fn remove(&self, _: ConnId) -> BTreeMap<RoomId, Heard> {
        BTreeMap::new()
    }
}

/// What a commit leaves to be done, in order.
pub enum Step {
    Publish(Publication),
    /// Tell the caller that the write is done; behind its events, as an ack comes behind what a handler emitted.
    Reply(Box<dyn FnOnce() + Send>),
}

/// Carries steps out, one after the other, in the order in which they were handed over.
#[derive(Clone)]
pub struct Publisher {
    steps: mpsc::UnboundedSender<Vec<Step>>,
}

/// Publications before the connections' writers get their turn. They have room for many times as many, and what has
/// gathered by then leaves in one write.
const TURN: usize = 32;

impl Publisher {
    /// Starts the task. The queue needs no bound of its own: what is in it was counted by the writer's bounded queue.
    pub fn start(hub: Arc<dyn Fanout>) -> Self {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Vec<Step>>();
        tokio::spawn(async move {
            let mut turn = 0;
            while let Some(steps) = receiver.recv().await {
                for step in steps {
                    match step {
                        Step::Publish(publication) => {
                            // All of the chat waits for this task: a fault in one publication must not end it.
                            if catch_unwind(AssertUnwindSafe(|| hub.carry_out(publication))).is_err() {
                                tracing::error!("a publication panicked");
                            }
                            turn += 1;
                        }
                        Step::Reply(reply) => reply(),
                    }
                    if turn == TURN {
                        turn = 0;
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        Self { steps: sender }
    }

    pub fn publish(&self, steps: Vec<Step>) {
        // The task ends only with the runtime; then nobody is left to hear.
        let _ = self.steps.send(steps);
    }

    /// Emits what no write stands behind, and waits until it is done.
    pub async fn emit<E: Outbound>(&self, to: Audience, event: &E) {
        self.carry_out(Publication::emit(to, event)).await
    }

    /// Waits until it is done.
    pub async fn carry_out(&self, publication: Publication) {
        let (done, finished) = oneshot::channel();
        self.publish(vec![
            Step::Publish(publication),
            Step::Reply(Box::new(move || {
                let _ = done.send(());
            })),
        ]);
        let _ = finished.await;
    }
}
