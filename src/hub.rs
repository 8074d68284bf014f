//! Who hears what: the interface between the rules and whatever carries events to people.
//!
//! The rules never emit by themselves. They hand [`Publication`]s over with a write, and one [`Publisher`] carries them
//! out in commit order. So every reader of a room sees one order, the stored one, and nobody sees what a crash could lose.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use crate::types::{ConnId, RoomId, UserId};

/// An event that the server sends.
pub trait Outbound: Serialize {
    const NAME: &'static str;
}

/// A set of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every connection, also of those who have not joined the chat.
    Everyone,
    Room(RoomId),
    User(UserId),
    Conn(ConnId),
}

/// Something to carry out after a commit.
pub enum Publication {
    Emit {
        to: Audience,
        except: Option<ConnId>,
        event: &'static str,
        payload: Box<RawValue>,
    },
    /// From here on the connection hears the room.
    Join {
        conn: ConnId,
        room: RoomId,
    },
    Leave {
        conn: ConnId,
        room: RoomId,
    },
    /// The connection speaks for this person from here on, and for nobody else.
    Identify {
        conn: ConnId,
        user: UserId,
    },
}

impl Publication {
    pub fn emit<E: Outbound>(to: Audience, event: &E) -> Self {
        Self::emit_except(to, None, event)
    }

    /// To all of `to` but that one connection.
    pub fn emit_except<E: Outbound>(to: Audience, except: Option<ConnId>, event: &E) -> Self {
        let payload = serde_json::value::to_raw_value(event).expect("outgoing events have string keys");
        Self::Emit { to, except, event: E::NAME, payload }
    }
}

/// Carries events to connections, on this node and, with a cluster, on the others.
pub trait Fanout: Send + Sync {
    fn carry_out(&self, publication: Publication);
    /// Whether the person has a connection.
    fn is_present(&self, user: UserId) -> bool;
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
        let (done, finished) = oneshot::channel();
        self.publish(vec![
            Step::Publish(Publication::emit(to, event)),
            Step::Reply(Box::new(move || {
                let _ = done.send(());
            })),
        ]);
        let _ = finished.await;
    }
}
