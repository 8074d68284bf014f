//! The load generator of the benchmarks: thousands of cheap chat clients over raw websockets, in one thread.
//!
//! It speaks the chat's wire contract (`join_chat`, `create_group`, `join_group`, `send_*_message`, each with an ack) and
//! nothing else, so that one and the same generator drives secure-chat and every peer. A driver (`fanout.py`, `durable.py`)
//! runs it: before each phase it prints one JSON line and waits for a line on standard input, so that the driver can read
//! the server's CPU time and memory between the phases. It talks to loopback addresses only and is bounded in count and time.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// No call and no lost delivery is waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(20);
/// Messages before the first measured phase: caches, branch predictors and JIT compilers warm up on them.
const WARM_UP: u64 = 50;
/// What precedes the numbers in the text of each message that the generator posts.
const MARK: &str = "\"message\":\"bench ";

#[derive(Parser)]
#[command(about = "Load generator for the chat benchmarks")]
struct Cli {
    /// Where the server listens, as it printed it: http://127.0.0.1:PORT
    url: String,
    #[command(subcommand)]
    plan: Plan,
}

#[derive(Subcommand)]
enum Plan {
    /// Open connections that join the chat and then only answer pings
    Idle {
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        connections: u64,
    },
    /// One room, many readers: first paced at a rate, then each message when all have the one before
    Fanout(FanoutPlan),
    /// Many senders in many rooms, each with some acks outstanding
    Post(PostPlan),
}

#[derive(Args)]
struct FanoutPlan {
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    readers: u64,
    /// Further members of the room who post in turn, and read too
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    senders: u64,
    /// Messages a second of the paced phase
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rate: u64,
    /// Length of each of the two phases
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Characters in a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(48..=10_000))]
    length: u64,
}

#[derive(Args)]
struct PostPlan {
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    senders: u64,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rooms: u64,
    /// Messages that a sender has sent and not yet seen acknowledged, at most
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    window: u64,
    /// Stop after this time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Stop after so many messages, if that comes earlier
    #[arg(long, default_value_t = 100_000_000)]
    count: u64,
    /// Characters in a message
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(48..=10_000))]
    length: u64,
}

/// One thread: the generator shares the machine with the server, and its own lock traffic would only blur the picture.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let address = loopback(&cli.url)?;
    match cli.plan {
        Plan::Idle { connections } => idle(address, connections).await,
        Plan::Fanout(plan) => fanout(address, plan).await,
        Plan::Post(plan) => post(address, plan).await,
    }
}

async fn idle(address: SocketAddr, connections: u64) -> Result<()> {
    let tally = Arc::new(Tally::default());
    let mut lines = Vec::new();
    for n in 0..connections {
        let mut client = Client::connect(address).await?;
        client.join_chat(&format!("idle{n}")).await?;
        lines.push(Reader::spawn(client, tally.clone(), 0));
    }
    report(json!({"phase": "ready", "connections": connections})).await?;
    tally.check_alive()
}

async fn fanout(address: SocketAddr, plan: FanoutPlan) -> Result<()> {
    let mut room = Room::open(address, &plan).await?;
    room.closed_loop(WARM_UP, PATIENCE).await?;
    report(json!({"phase": "ready", "members": room.members})).await?;

    let paced = room.paced(plan.rate, plan.rate * plan.seconds).await?;
    report(paced).await?;
    let closed = room.closed_loop(u64::MAX, Duration::from_secs(plan.seconds)).await?;
    report(closed).await?;
    room.tally.check_alive()
}

/// The public room with all its members connected.
struct Room {
    tally: Arc<Tally>,
    /// Ends of the members' tasks; the first ones are the senders'.
    lines: Vec<mpsc::UnboundedSender<String>>,
    senders: u64,
    members: u64,
    length: usize,
    sent: u64,
}

impl Room {
    async fn open(address: SocketAddr, plan: &FanoutPlan) -> Result<Room> {
        let tally = Arc::new(Tally::default());
        let members = plan.readers + plan.senders;
        let mut lines = Vec::new();
        for n in 0..members {
            let mut client = Client::connect(address).await?;
            client.join_chat(&format!("member{n}")).await?;
            lines.push(Reader::spawn(client, tally.clone(), plan.senders as usize));
        }
        Ok(Room { tally, lines, senders: plan.senders, members, length: plan.length as usize, sent: 0 })
    }

    async fn paced(&mut self, rate: u64, messages: u64) -> Result<Value> {
        let start = self.start();
        let mut tick = interval(Duration::from_secs(1) / rate as u32);
        for _ in 0..messages {
            tick.tick().await;
            self.send();
        }
        self.tally.wait_for(self.sent * self.members).await;
        Ok(self.result("paced", start, messages))
    }

    async fn closed_loop(&mut self, messages: u64, time: Duration) -> Result<Value> {
        let start = self.start();
        let mut sent = 0;
        while sent < messages && start.0.elapsed() < time {
            self.send();
            sent += 1;
            if !self.tally.wait_for(self.sent * self.members).await {
                break; // the result says what is missing
            }
        }
        Ok(self.result("closed loop", start, sent))
    }

    fn send(&mut self) {
        let sender = self.sent % self.senders;
        let text = self.tally.text(sender, self.sent / self.senders + 1, self.length);
        let packet = json!(["send_public_message", {"message": text}]);
        // A sender whose connection broke is reported by check_alive.
        let _ = self.lines[sender as usize].send(format!("42{}{packet}", self.sent));
        self.sent += 1;
    }

    fn start(&self) -> (Instant, u64) {
        self.tally.latencies.lock().unwrap().clear();
        (Instant::now(), self.tally.delivered.load(Relaxed))
    }

    fn result(&self, phase: &str, (began, delivered): (Instant, u64), messages: u64) -> Value {
        let seconds = began.elapsed().as_secs_f64();
        let deliveries = self.tally.delivered.load(Relaxed) - delivered;
        json!({
            "phase": phase, "messages": messages, "seconds": seconds,
            "deliveries": deliveries, "missing": messages * self.members - deliveries,
            "deliveries_per_second": deliveries as f64 / seconds,
            "out_of_order": self.tally.out_of_order.load(Relaxed),
            "delivery_us": percentiles(&mut self.tally.latencies.lock().unwrap()),
        })
    }
}

/// A member's task: reads, counts what it hears and sends what it is told to send.
struct Reader {
    client: Client,
    tally: Arc<Tally>,
    /// The last number heard from each sender.
    heard: Vec<u64>,
}

impl Reader {
    fn spawn(client: Client, tally: Arc<Tally>, senders: usize) -> mpsc::UnboundedSender<String> {
        let (line, mut orders) = mpsc::unbounded_channel::<String>();
        let mut reader = Reader { client, tally, heard: vec![0; senders] };
        tokio::spawn(async move {
            if let Err(error) = reader.run(&mut orders).await {
                reader.tally.lose(&error);
            }
        });
        line
    }

    async fn run(&mut self, orders: &mut mpsc::UnboundedReceiver<String>) -> Result<()> {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(packet) => self.client.send(packet).await?,
                    None => return Ok(()), // the generator is done with this member
                },
                packet = self.client.next() => self.tally.take(&packet?, &mut self.heard)?,
            }
        }
    }
}

async fn post(address: SocketAddr, plan: PostPlan) -> Result<()> {
    let tally = Arc::new(Tally::default());
    let plan = Arc::new(plan);
    let (start, started) = watch::channel(false);
    let mut tasks = Vec::new();
    for n in 0..plan.senders {
        let sender = Sender::open(address, n, plan.clone(), tally.clone()).await?;
        tasks.push(tokio::spawn(sender.run(started.clone())));
    }
    report(json!({"phase": "ready", "senders": plan.senders, "rooms": plan.rooms})).await?;

    let began = Instant::now();
    start.send(true)?;
    let mut stats = SenderStats::default();
    for task in tasks {
        stats.add(task.await??);
    }
    let acked = stats.latencies.len();
    let last_ack = stats.last_ack.context("no message was acknowledged")?;
    let seconds = (last_ack - began).as_secs_f64();
    report(json!({
        "phase": "post", "acked": acked, "refused": stats.refused, "seconds": seconds,
        "per_second": acked as f64 / seconds, "out_of_order": tally.out_of_order.load(Relaxed),
        "deliveries": tally.delivered.load(Relaxed), "ack_us": percentiles(&mut stats.latencies),
    }))
    .await
}

/// A sender's task: keeps a window of messages on their way until time or count is used up.
struct Sender {
    client: Client,
    tally: Arc<Tally>,
    plan: Arc<PostPlan>,
    number: u64,
    sent: u64,
    heard: Vec<u64>,
    waiting: HashMap<u64, Instant>,
    stats: SenderStats,
}

#[derive(Default)]
struct SenderStats {
    latencies: Vec<u32>,
    refused: u64,
    last_ack: Option<Instant>,
}

impl SenderStats {
    fn add(&mut self, other: SenderStats) {
        self.latencies.extend(other.latencies);
        self.refused += other.refused;
        self.last_ack = self.last_ack.max(other.last_ack);
    }
}

impl Sender {
    async fn open(address: SocketAddr, number: u64, plan: Arc<PostPlan>, tally: Arc<Tally>) -> Result<Sender> {
        let mut client = Client::connect(address).await?;
        client.join_chat(&format!("sender{number}")).await?;
        let group = group_of(number, plan.rooms);
        if number < plan.rooms {
            // An `error` here means that an earlier run created it: then joining it is enough.
            client.call("create_group", json!({"group_name": group})).await?;
        }
        client.call_for("group_joined", "join_group", json!({"group_name": group})).await?;
        let heard = vec![0; plan.senders as usize];
        Ok(Sender {
            client,
            tally,
            plan,
            number,
            sent: 0,
            heard,
            waiting: HashMap::new(),
            stats: SenderStats::default(),
        })
    }

    async fn run(mut self, started: watch::Receiver<bool>) -> Result<SenderStats> {
        self.stay_alive_until(started).await?;
        let end = Instant::now() + Duration::from_secs(self.plan.seconds);
        for _ in 0..self.plan.window {
            self.send_one(end).await?;
        }
        while !self.waiting.is_empty() {
            let packet = timeout(PATIENCE, self.client.next()).await.context("an ack is missing")??;
            if let Some(accepted) = self.take_ack(&packet) {
                self.tally.note_refusal(accepted, &packet);
                self.send_one(end).await?;
            } else {
                self.tally.take(&packet, &mut self.heard)?;
            }
        }
        tokio::spawn(linger(self.client, self.tally, self.heard));
        Ok(self.stats)
    }

    /// Others still connect, and may start a moment earlier: pings must be answered and messages counted meanwhile.
    async fn stay_alive_until(&mut self, mut started: watch::Receiver<bool>) -> Result<()> {
        let go = started.wait_for(|started| *started);
        tokio::pin!(go);
        loop {
            tokio::select! {
                going = &mut go => return going.map(drop).context("the generator ended"),
                packet = self.client.next() => self.tally.take(&packet?, &mut self.heard)?,
            }
        }
    }

    async fn send_one(&mut self, end: Instant) -> Result<()> {
        if Instant::now() >= end || !self.tally.spend(self.plan.count) {
            return Ok(());
        }
        self.sent += 1;
        let text = self.tally.text(self.number, self.sent, self.plan.length as usize);
        let packet =
            json!(["send_group_message", {"group_name": group_of(self.number, self.plan.rooms), "message": text}]);
        let id = self.client.new_ack();
        self.waiting.insert(id, Instant::now());
        self.client.send(format!("42{id}{packet}")).await
    }

    /// `None` if the packet is no ack, else whether the server accepted the message. A peer's ack may be empty: accepted.
    fn take_ack(&mut self, packet: &str) -> Option<bool> {
        let sent = self.waiting.remove(&ack_id(packet)?)?;
        let accepted = !packet.contains("\"ok\":false");
        if accepted {
            self.stats.latencies.push(micros(sent.elapsed()));
            self.stats.last_ack = Some(Instant::now());
        } else {
            self.stats.refused += 1;
        }
        Some(accepted)
    }
}

/// Stays in the room until the process ends, so that the load on the others does not change while they finish.
async fn linger(mut client: Client, tally: Arc<Tally>, mut heard: Vec<u64>) {
    while let Ok(packet) = client.next().await {
        if let Err(error) = tally.take(&packet, &mut heard) {
            return tally.lose(&error);
        }
    }
}

fn group_of(sender: u64, rooms: u64) -> String {
    format!("bench{}", sender % rooms)
}

/// A made-up word; some are frequent and most are rare, as in a language (Zipf's law: the n-th most frequent one of 50,000
/// has a share of about 1/n).
fn word(seed: &mut u64) -> String {
    const SYLLABLES: [&str; 16] =
        ["an", "be", "co", "da", "er", "fi", "go", "ha", "in", "ka", "lo", "me", "nu", "or", "pe", "ti"];
    const WORDS: f64 = 50_000.0;

    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let share = (*seed >> 11) as f64 / (1u64 << 53) as f64;
    let mut rank = WORDS.powf(share) as usize;
    let mut word = String::new();
    while rank > 0 {
        word.push_str(SYLLABLES[rank % 16]);
        rank /= 16;
    }
    word
}

/// What all clients count together.
struct Tally {
    born: Instant,
    delivered: AtomicU64,
    /// Deliveries that did not bear the number after the last one from the same sender: lost, doubled or swapped.
    out_of_order: AtomicU64,
    sent: AtomicU64,
    refusals: AtomicU64,
    lost: AtomicU64,
    latencies: Mutex<Vec<u32>>,
    target: AtomicU64,
    reached: Notify,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            born: Instant::now(),
            delivered: AtomicU64::new(0),
            out_of_order: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            latencies: Mutex::new(Vec::new()),
            target: AtomicU64::new(u64::MAX),
            reached: Notify::new(),
        }
    }
}

impl Tally {
    /// A message that says who sent it, as which of his, and when; then words up to its length.
    fn text(&self, sender: u64, number: u64, length: usize) -> String {
        let mut text = format!("bench {sender} {number} {}", self.born.elapsed().as_micros());
        let mut seed = (sender << 40) + number;
        while text.len() < length {
            text.push(' ');
            text.push_str(&word(&mut seed));
        }
        text.truncate(length);
        text
    }

    /// Counts a delivery; anything else that a member hears is ignored, except an `error`.
    fn take(&self, packet: &str, heard: &mut [u64]) -> Result<()> {
        if packet.starts_with("42[\"error\"") {
            self.note_refusal(false, packet);
        }
        let Some(text) = packet.find(MARK).filter(|_| packet.starts_with("42[\"new_message\"")) else {
            return Ok(());
        };
        let mut numbers = packet[text + MARK.len()..].splitn(4, ' ').map(str::parse::<u64>);
        let (Some(Ok(sender)), Some(Ok(number)), Some(Ok(sent))) = (numbers.next(), numbers.next(), numbers.next())
        else {
            bail!("not a message of this generator: {packet}");
        };
        let last = heard.get_mut(sender as usize).context("a message from a sender of another run")?;
        if number != *last + 1 {
            self.out_of_order.fetch_add(1, Relaxed);
        }
        *last = number;
        let latency = self.born.elapsed() - Duration::from_micros(sent);
        self.latencies.lock().unwrap().push(micros(latency));
        if self.delivered.fetch_add(1, Relaxed) + 1 == self.target.load(Relaxed) {
            self.reached.notify_one();
        }
        Ok(())
    }

    /// Whether so many deliveries were made in time.
    async fn wait_for(&self, deliveries: u64) -> bool {
        self.target.store(deliveries, Relaxed);
        if self.delivered.load(Relaxed) >= deliveries {
            return true;
        }
        timeout(PATIENCE, self.reached.notified()).await.is_ok()
    }

    /// Takes one message off the count that the plan allows.
    fn spend(&self, count: u64) -> bool {
        self.sent.fetch_add(1, Relaxed) < count
    }

    /// Shows the first refusal only: a broken run would print thousands.
    fn note_refusal(&self, accepted: bool, packet: &str) {
        if !accepted && self.refusals.fetch_add(1, Relaxed) == 0 {
            eprintln!("the server refused: {packet}");
        }
    }

    fn lose(&self, error: &anyhow::Error) {
        if self.lost.fetch_add(1, Relaxed) == 0 {
            eprintln!("a member was lost: {error:#}");
        }
    }

    fn check_alive(&self) -> Result<()> {
        let lost = self.lost.load(Relaxed);
        ensure!(lost == 0, "{lost} members were lost");
        Ok(())
    }
}

/// One connection: Engine.IO 4 over a websocket, Socket.IO namespace `/`.
struct Client {
    ws: WebSocketStream<TcpStream>,
    acks: u64,
}

impl Client {
    async fn connect(address: SocketAddr) -> Result<Client> {
        let tcp = TcpStream::connect(address).await.context("cannot connect")?;
        tcp.set_nodelay(true)?;
        // Small buffers: the default of 128 KiB a connection would fill the caches that the server needs.
        let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0);
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (ws, _) = timeout(PATIENCE, client_async_with_config(url, tcp, Some(config))).await??;
        let mut client = Client { ws, acks: 0 };
        let open = client.next().await?;
        ensure!(open.starts_with("0{"), "not an Engine.IO handshake: {open}");
        client.send("40".to_string()).await?;
        let connected = client.next().await?;
        ensure!(connected.starts_with("40{"), "the namespace refused: {connected}");
        Ok(client)
    }

    async fn join_chat(&mut self, username: &str) -> Result<()> {
        self.call_for("chat_joined", "join_chat", json!({"username": username, "public_key": "bench"})).await
    }

    /// Calls and insists on an event that has to come before the ack.
    async fn call_for(&mut self, expected: &str, event: &str, payload: Value) -> Result<()> {
        let heard = self.call(event, payload).await?;
        let start = format!("42[\"{expected}\"");
        ensure!(heard.iter().any(|packet| packet.starts_with(&start)), "{event} brought no {expected}, but: {heard:?}");
        Ok(())
    }

    /// Emits an event and returns what was heard, up to and with its ack.
    async fn call(&mut self, event: &str, payload: Value) -> Result<Vec<Utf8Bytes>> {
        let id = self.new_ack();
        self.send(format!("42{id}{}", json!([event, payload]))).await?;
        let mut heard = Vec::new();
        loop {
            heard.push(timeout(PATIENCE, self.next()).await.with_context(|| format!("no ack of {event}"))??);
            if heard.last().and_then(|packet| ack_id(packet)) == Some(id) {
                return Ok(heard);
            }
        }
    }

    fn new_ack(&mut self) -> u64 {
        self.acks += 1;
        self.acks
    }

    async fn send(&mut self, packet: String) -> Result<()> {
        Ok(self.ws.send(Message::text(packet)).await?)
    }

    /// The next packet that is not a ping; pings are answered here.
    async fn next(&mut self) -> Result<Utf8Bytes> {
        loop {
            match self.ws.next().await.context("the server closed the connection")?? {
                Message::Text(ping) if ping.as_str() == "2" => self.send("3".to_string()).await?,
                Message::Text(packet) => return Ok(packet),
                Message::Close(_) => bail!("the server closed the connection"),
                _ => {}
            }
        }
    }
}

/// The number in `43<number>[…]`.
fn ack_id(packet: &str) -> Option<u64> {
    let rest = packet.strip_prefix("43")?;
    rest[..rest.find('[')?].parse().ok()
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn percentiles(sample: &mut [u32]) -> Value {
    sample.sort_unstable();
    let at = |part: f64| sample.get(((sample.len() as f64 * part) as usize).min(sample.len().saturating_sub(1)));
    json!({"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": sample.last()})
}

fn loopback(url: &str) -> Result<SocketAddr> {
    let address: SocketAddr =
        url.trim_start_matches("http://").trim_end_matches('/').parse().context("not http://IP:PORT")?;
    ensure!(address.ip().is_loopback(), "this generator talks to loopback addresses only");
    Ok(address)
}

/// Prints a line for the driver and waits until it says go on (a line, or the end of its output).
async fn report(line: Value) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}
