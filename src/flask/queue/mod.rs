//! Flask-SocketIO's message queue: what `SocketIO(message_queue=…).emit(…)` of a Celery worker puts on a channel of Redis
//! reaches our clients. While Redis is away the chat goes on, and the subscription comes back by itself.

mod message;
mod pickle;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, RedisError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use self::message::{Message, ReplyTo};
use crate::app::App;
use crate::chat::outside::{What, carry_out};
use crate::config::FlaskQueue;
use crate::error::Error;
use crate::outside::{Answer, Answered};

/// How long to wait before Redis is asked again, at first and at most.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often a silent connection is tried, and how long Redis may take to answer.
const PULSE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers of clients that may wait to be published.
const OUTBOX: usize = 1_000;

/// Listens for as long as it is polled.
pub async fn run(app: Arc<App>, queue: FlaskQueue) {
    let (answers, outbox) = mpsc::channel(OUTBOX);
    tokio::join!(listen(&app, &queue, &answers), publish(&queue, outbox));
}

async fn listen(app: &App, queue: &FlaskQueue, answers: &mpsc::Sender<String>) {
    let mut wait = FIRST_WAIT;
    let mut is_away = false;
    loop {
        match subscribe(queue).await {
            Ok(subscription) => {
                let back = if is_away { "is back: the server " } else { "" };
                tracing::info!("the Flask queue {back}listens to the channel {}", queue.channel);
                wait = FIRST_WAIT;
                hear(app, queue, answers, subscription).await;
                tracing::warn!("the Flask queue lost Redis; the chat goes on, and Redis is tried again and again");
                is_away = true;
            }
            Err(problem) if !is_away => {
                tracing::warn!("the Flask queue does not reach Redis ({problem}); it is tried again and again");
                is_away = true;
            }
            Err(_) => {}
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Why there is no subscription, in words that hold nothing of the URL.
async fn subscribe(queue: &FlaskQueue) -> Result<PubSub, String> {
    let subscribing = async {
        let mut subscription = queue.client.get_async_pubsub().await?;
        subscription.subscribe(&queue.channel).await?;
        Ok::<_, RedisError>(subscription)
    };
    match timeout(PATIENCE, subscribing).await {
        Ok(Ok(subscription)) => Ok(subscription),
        Ok(Err(error)) => Err(error.category().to_owned()),
        Err(_) => Err("no answer".into()),
    }
}

/// Takes messages until the connection is lost. One that was lost silently does not answer a ping.
async fn hear(app: &App, queue: &FlaskQueue, answers: &mpsc::Sender<String>, subscription: PubSub) {
    let (mut sink, mut messages) = subscription.split();
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => take(app, queue, answers, message.get_payload_bytes()).await,
                None => return,
            },
            _ = pulse.tick() => match timeout(PATIENCE, sink.ping::<redis::Value>()).await {
                Ok(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

/// Carries out one message. What is wrong with it is a line in the log, which repeats nothing of it.
async fn take(app: &App, queue: &FlaskQueue, answers: &mpsc::Sender<String>, payload: &[u8]) {
    let outcome = match message::read(payload, queue.form, app.config.max_payload) {
        Ok(Message::NotOurs) => "not_ours",
        Ok(Message::Wish(mut wish, reply_to)) => {
            if let (What::Emit(event), Some(reply_to)) = (&mut wish.what, reply_to) {
                event.answer = Some(answer(reply_to, answers.clone()));
            }
            match carry_out(app, *wish).await {
                Ok(_) => "done",
                Err(Error::Invalid { message, .. }) => {
                    tracing::warn!("a message of the Flask queue was refused: {message}");
                    "refused"
                }
                Err(error) => {
                    error.to_wire(Some("a message of the Flask queue"));
                    "failed"
                }
            }
        }
        Err(problem) => {
            tracing::warn!("the Flask queue got {problem}; nothing of it was done");
            "malformed"
        }
    };
    metrics::counter!("secure_chat_queue_messages_total", "outcome" => outcome).increment(1);
}

/// Takes a client's answer to who asked: as a message on the channel, which the asking side knows by its `host_id`.
fn answer(to: ReplyTo, answers: mpsc::Sender<String>) -> Answer {
    Arc::new(move |Answered(arguments)| {
        let message = serde_json::json!({
            "method": "callback",
            "host_id": to.host,
            "sid": to.sid,
            "namespace": to.namespace,
            "id": to.id,
            "args": arguments,
        });
        if answers.try_send(message.to_string()).is_err() {
            tracing::warn!("too many answers of clients wait for Redis; one was dropped");
        }
    })
}

/// Publishes answers, one after the other. While Redis is away they are lost, as every message on a channel is.
async fn publish(queue: &FlaskQueue, mut outbox: mpsc::Receiver<String>) {
    let mut connection = None;
    while let Some(answer) = outbox.recv().await {
        // A connection that was lost meanwhile shows it at the first try.
        for _ in 0..2 {
            match try_publish(queue, &mut connection, &answer).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::debug!("an answer was not published: {}", error.category());
                    connection = None;
                }
            }
        }
    }
}

async fn try_publish(
    queue: &FlaskQueue,
    connection: &mut Option<MultiplexedConnection>,
    answer: &str,
) -> Result<(), RedisError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(queue.client.get_multiplexed_async_connection().await?),
    };
    connection.publish(&queue.channel, answer).await
}
