//! Every write goes through here: what waits joins one transaction, a savepoint each, one commit for all (group commit).
//!
//! A caller hears "done" only after COMMIT. What a write wants people to hear is handed to the publisher in commit order.
//! SQLite has one lane, since it takes one writer at a time. PostgreSQL has several. What depends on each other goes through
//! the same one, and a lane of all nodes is one queue (an advisory lock): so each room keeps its order, whoever is banned
//! does not slip in at the same moment, and no two transactions wait for each other in a circle. Rows that all lanes
//! change come last: see `shared`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use diesel::{Connection, RunQueryDsl};
use tokio::sync::{mpsc, oneshot};

use super::connection::{AnyConnection, connect};
use super::shared::Shared;
use super::statements::{Savepoint, lock_lane};
use super::vault::Vault;
use super::{Reader, Tx, keys};
use crate::error::{Error, Result};
use crate::hub::{Publication, Publisher, Step};
use crate::types::DatabaseUrl;

/// Writes that may wait in one lane. Past that the answer is `unavailable`.
const QUEUE: usize = 4096;
/// Writes that one commit takes: more would make the first one of them wait for long.
const BATCH: usize = 256;

type Job = Box<dyn Work>;

/// A write that waits for its turn.
trait Work: Send {
    fn run(&mut self, tx: &mut Tx) -> Result<()>;
    /// Tells the caller, who may have gone.
    fn reply(self: Box<Self>, outcome: Result<()>);
}

struct Pending<F, T> {
    work: Option<F>,
    value: Option<T>,
    caller: oneshot::Sender<Result<T>>,
}

impl<F, T> Work for Pending<F, T>
where
    F: FnOnce(&mut Tx) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx) -> Result<()> {
        let work = self.work.take().expect("a write runs once");
        self.value = Some(work(tx)?);
        Ok(())
    }

    fn reply(self: Box<Self>, outcome: Result<()>) {
        let value = self.value;
        let _ = self.caller.send(outcome.map(|()| value.expect("a write that succeeded has a value")));
    }
}

/// Which writes keep their order among each other.
#[derive(Clone, Copy)]
pub enum Lane {
    /// Who people are and where they come in: accounts, sessions, what they may do on the server, the public room, new groups.
    People,
    /// What is said and done in the group that this number stands for.
    Group(u64),
}

impl Lane {
    /// The first lane is for people, where there is more than one.
    fn index(self, lanes: usize) -> usize {
        match self {
            Self::Group(number) if lanes > 1 => 1 + (number % (lanes as u64 - 1)) as usize,
            _ => 0,
        }
    }
}

pub struct Writer {
    lanes: Vec<mpsc::Sender<Job>>,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    /// Starts one thread for each connection.
    pub fn start(
        connections: Vec<AnyConnection>,
        url: DatabaseUrl,
        vault: Arc<Vault>,
        publisher: Publisher,
    ) -> (Self, Vec<JoinHandle<()>>) {
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut lanes = Vec::new();
        let mut threads = Vec::new();
        for (index, connection) in connections.into_iter().enumerate() {
            let (sender, receiver) = mpsc::channel(QUEUE);
            let worker = LaneWorker {
                connection: Some(connection),
                url: url.clone(),
                vault: vault.clone(),
                publisher: publisher.clone(),
                receiver,
                index,
                waiting: waiting.clone(),
            };
            let thread = std::thread::Builder::new().name("writer".into()).spawn(move || worker.run());
            threads.push(thread.expect("a thread can be started"));
            lanes.push(sender);
        }
        (Self { lanes, waiting }, threads)
    }

    /// How much of one lane's queue is waiting, in percent.
    pub fn queue_percent(&self) -> u64 {
        (self.waiting.load(Ordering::Relaxed) * 100 / QUEUE) as u64
    }

    /// Runs `work` in a savepoint of the lane's next transaction.
    pub async fn write<T, F>(&self, lane: Lane, work: F) -> Result<T>
    where
        F: FnOnce(&mut Tx) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Pending { work: Some(work), value: None, caller });
        let lane = &self.lanes[lane.index(self.lanes.len())];
        self.waiting.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("secure_chat_writes_waiting").increment(1.0);
        if lane.try_send(job).is_err() {
            no_longer_wait(&self.waiting, 1);
            return Err(Error::not_stored());
        }
        answer.await.unwrap_or_else(|_| Err(Error::not_stored()))
    }
}

fn no_longer_wait(waiting: &AtomicUsize, count: usize) {
    waiting.fetch_sub(count, Ordering::Relaxed);
    metrics::gauge!("secure_chat_writes_waiting").decrement(count as f64);
}

struct LaneWorker {
    /// `None` after a fault: the state of such a connection is not to be trusted.
    connection: Option<AnyConnection>,
    url: DatabaseUrl,
    vault: Arc<Vault>,
    publisher: Publisher,
    receiver: mpsc::Receiver<Job>,
    index: usize,
    waiting: Arc<AtomicUsize>,
}

impl LaneWorker {
    /// Works until every sender is gone; what was accepted is committed before that.
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.receiver.blocking_recv_many(&mut batch, BATCH) > 0 {
            no_longer_wait(&self.waiting, batch.len());
            metrics::histogram!("secure_chat_commit_batch_size").record(batch.len() as f64);
            let mut batch = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            match self.commit(&mut batch) {
                Ok(results) => self.publisher.publish(steps(batch, results)),
                Err(error) => self.give_up(batch, &error),
            }
        }
    }

    fn commit(&mut self, batch: &mut [Job]) -> anyhow::Result<Vec<Result<Vec<Publication>>>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(connect(&self.url)?),
        };
        let (vault, index) = (&self.vault, self.index);
        let results = connection.transaction::<_, Error, _>(|connection| {
            lock_lane(connection, index)?;
            keys::refresh(&mut Reader { connection, vault })?;
            let mut shared = Shared::default();
            let results: Result<Vec<_>> =
                batch.iter_mut().map(|job| run_in_savepoint(connection, vault, &mut shared, job)).collect();
            let results = results?;
            shared.write(&mut Tx::new(connection, vault))?;
            Ok(results)
        });
        results.map_err(|error| match error {
            Error::Internal(cause) => cause,
            other => anyhow::anyhow!("{other}"),
        })
    }

    fn give_up(&mut self, batch: Vec<Job>, error: &anyhow::Error) {
        tracing::error!(writes = batch.len(), "a transaction failed and was rolled back: {error:#}");
        metrics::counter!("secure_chat_commits_failed_total").increment(1);
        self.connection = None;
        for job in batch {
            job.reply(Err(Error::not_stored()));
        }
    }
}

/// The write's own refusal (`Ok(Err)`) undoes its savepoint alone; a fault of the database (`Err`) undoes the transaction.
fn run_in_savepoint(
    connection: &mut AnyConnection,
    vault: &Vault,
    together: &mut Shared,
    job: &mut Job,
) -> Result<Result<Vec<Publication>>> {
    Savepoint::Begin.execute(connection)?;
    let mut tx = Tx::new(connection, vault);
    let result = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)))
        .unwrap_or_else(|_| Err(Error::Internal(anyhow::anyhow!("a write panicked"))));
    let Tx { reader, publications, shared } = tx;
    match result {
        Ok(()) => {
            together.add(shared);
            Savepoint::Release.execute(reader.connection)?;
            Ok(Ok(publications))
        }
        Err(error) if is_database_fault(&error) => Err(error),
        Err(error) => {
            Savepoint::RollBack.execute(reader.connection)?;
            Savepoint::Release.execute(reader.connection)?;
            Ok(Err(error))
        }
    }
}

fn is_database_fault(error: &Error) -> bool {
    matches!(error, Error::Internal(cause) if cause.downcast_ref::<diesel::result::Error>().is_some())
}

fn steps(batch: Vec<Job>, results: Vec<Result<Vec<Publication>>>) -> Vec<Step> {
    let mut steps = Vec::with_capacity(batch.len() * 3);
    for (job, result) in batch.into_iter().zip(results) {
        let outcome = result.map(|publications| steps.extend(publications.into_iter().map(Step::Publish)));
        steps.push(Step::Reply(Box::new(move || job.reply(outcome))));
    }
    steps
}
