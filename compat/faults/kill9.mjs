#!/usr/bin/env node
// kill -9 under load: no message that anyone saw, or whose sender was told "ok", may be missing after the restart.
//
//   node compat/faults/kill9.mjs [--rounds 50] [--seed 1] [--lie missing|twice|order]
//
// Each round starts the server on the same directory, lets people write at full speed into the public room and into fresh
// groups, kills it with SIGKILL at a random moment, and compares what people saw and were told with the history that the
// next start hands out. A history holds the last 50 messages of a room, hence at most 50 messages a room and round.
// --lie spoils the history before it is compared: a checker that cannot fail proves nothing.

import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const WRITERS = 6;
const READERS = 3;
const GROUPS = 16;
const PER_ROOM = 50;
const WINDOW = 12; // messages of one writer on their way
const PUBLIC = "public";
const BUDGET = (GROUPS + 1) * PER_ROOM;
const PATIENCE_MS = 30_000;
const REPO = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const BINARY = process.env.SECURE_CHAT_BIN ?? join(REPO, "target/release/secure-chat");

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    lie: { type: "string" },
  },
});

class Fault extends Error {}

async function main() {
  const directory = mkdtempSync(join(tmpdir(), "secure-chat-kill9-"));
  const random = generator(Number(options.seed));
  const rounds = Number(options.rounds);
  const ledger = { histories: new Map(), public: [] };
  const totals = { sent: 0, acked: 0, seen: 0, stored: 0, unconfirmed: 0 };
  let server = await Server.start(directory);
  try {
    for (let number = 1; number <= rounds; number++) {
      const round = new Round(number);
      await round.write(server, random);
      server = await Server.start(directory);
      await check(server, round, ledger, totals);
      console.log(`round ${number}: ${round.summary()}`);
    }
    await checkAllGroups(server, ledger);
    await server.stop();
    rmSync(directory, { recursive: true });
  } catch (error) {
    server.child.kill("SIGKILL");
    console.error(`FAILED: ${error instanceof Fault ? error.message : error.stack}\nThe server's directory is kept: ${directory}`);
    process.exit(1);
  }
  console.log(`${rounds} kills: ${totals.sent} messages sent, ${totals.acked} acknowledged, ${totals.stored} found again ` +
    `(${totals.unconfirmed} of them stored, but not yet acknowledged), ${totals.seen} deliveries compared; ` +
    `none missing, none twice, order kept; ${ledger.histories.size} groups read once more at the end`);
}

// ---------------------------------------------------------------------------------------------------------- the server

class Server {
  static async start(directory) {
    const log = join(directory, "server.log");
    const out = openSync(log, "w");
    const env = { ...process.env, PORT: "0", HOST: "127.0.0.1", RATELIMIT_ENABLED: "false" };
    const child = spawn(BINARY, ["serve"], { cwd: directory, env, stdio: ["ignore", out, out] });
    const server = Object.assign(new Server(), { child, log });
    server.ended = new Promise((resolve, reject) => {
      child.once("exit", resolve);
      child.once("error", reject);
    });
    server.url = await server.#listening();
    return server;
  }

  async #listening() {
    for (let waited = 0; waited < PATIENCE_MS && this.child.exitCode === null; waited += 10) {
      const found = /^secure-chat listens on (http:\S+)/m.exec(readFileSync(this.log, "utf8"));
      if (found) return found[1];
      await sleep(10);
    }
    this.child.kill("SIGKILL");
    throw new Fault(`the server did not start (exit code ${this.child.exitCode}):\n${readFileSync(this.log, "utf8").slice(-2000)}`);
  }

  async kill() {
    if (this.child.exitCode !== null) throw new Fault(`the server had ended by itself with ${this.child.exitCode}`);
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await within(this.ended, "the server does not stop on SIGTERM");
  }
}

// -------------------------------------------------------------------------------------------------------------- people

// Someone in the chat: remembers what they saw, room by room, in the order in which they saw it.
class Person {
  constructor(server, name) {
    this.name = name;
    this.seen = new Map();
    this.errors = [];
    this.socket = io(server.url, { transports: ["websocket"], reconnection: false, forceNew: true });
    this.socket.on("new_message", ({ room, id, message }) => {
      if (!this.seen.has(room)) this.seen.set(room, []);
      this.seen.get(room).push({ id, text: message });
    });
    this.socket.on("error", (error) => this.errors.push(error));
    this.gone = new Promise((resolve) => this.socket.once("disconnect", resolve));
  }

  // Emits and returns the answering event; the server sends it before the ack.
  async ask(event, payload, answer) {
    const answered = new Promise((resolve) => this.socket.once(answer, resolve));
    this.socket.emit(event, payload);
    return within(answered, () => `${this.name}: ${event} ${JSON.stringify(payload)} brought no ${answer}; ` +
      `errors so far: ${JSON.stringify(this.errors)}`);
  }

  join() {
    return this.ask("join_chat", { username: this.name, public_key: "" }, "chat_joined");
  }

  joinGroup(name) {
    return this.ask("join_group", { group_name: name }, "group_joined");
  }
}

// ----------------------------------------------------------------------------------------------------------- one round

class Round {
  constructor(number) {
    this.number = number;
    this.groups = Array.from({ length: GROUPS }, (_, n) => `r${number}g${n}`);
    this.rooms = [PUBLIC, ...this.groups];
    this.left = new Map(this.rooms.map((room) => [room, PER_ROOM]));
    this.sent = new Map(); // text -> { writer, room }
    this.acked = new Map(); // text -> id, undefined if the ack names none
  }

  // Everybody joins, the writers write, and in the middle of it the server is killed.
  async write(server, random) {
    const name = (role, n) => `r${this.number}${role}${n}`;
    this.writers = Array.from({ length: WRITERS }, (_, n) => new Person(server, name("w", n)));
    this.readers = Array.from({ length: READERS }, (_, n) => new Person(server, name("r", n)));
    this.people = [...this.writers, ...this.readers];
    await Promise.all(this.people.map((person) => person.join()));
    for (const group of this.groups) await this.writers[0].ask("create_group", { group_name: group }, "group_created");
    await Promise.all(this.people.map((person) => this.#joinGroups(person)));

    // The moment counts acks, so that it falls under load on a fast and on a slow machine; the random rest of a few
    // milliseconds takes it out of step with the commits.
    const killed = this.#killAt(server, 1 + Math.floor(random() * BUDGET * 0.9), random() * 6);
    for (const writer of this.writers) for (let n = 0; n < WINDOW; n++) this.#send(writer, random);
    await within(killed, () => `only ${this.acked.size} acks came; errors: ${JSON.stringify(this.writers.map((w) => w.errors))}`);
    await within(Promise.all(this.people.map((person) => person.gone)), "a connection outlives its server");
  }

  async #joinGroups(person) {
    for (const group of this.groups) await person.joinGroup(group);
  }

  #killAt(server, acks, restMs) {
    return new Promise((resolve, reject) => {
      this.onAck = () => {
        if (this.acked.size === acks) sleep(restMs).then(() => server.kill()).then(resolve, reject);
      };
    });
  }

  #send(writer, random) {
    const open = this.rooms.filter((room) => this.left.get(room) > 0);
    if (open.length === 0) return;
    const room = open[Math.floor(random() * open.length)];
    this.left.set(room, this.left.get(room) - 1);
    writer.sent = (writer.sent ?? 0) + 1;
    const text = `${writer.name} ${writer.sent}`;
    this.sent.set(text, { writer: writer.name, number: writer.sent, room });
    const [event, payload] = room === PUBLIC
      ? ["send_public_message", { message: text }]
      : ["send_group_message", { group_name: room, message: text }];
    writer.socket.emit(event, payload, (ack) => {
      if (ack?.ok === false) {
        writer.errors.push(ack);
        return;
      }
      this.acked.set(text, ack?.id);
      this.onAck();
      this.#send(writer, random);
    });
  }

  summary() {
    return `killed after ${this.acked.size} of ${BUDGET} acks, ${this.stored} stored`;
  }
}

// ----------------------------------------------------------------------------------------------------------- the check

async function check(server, round, ledger, totals) {
  const checker = new Person(server, `checker${round.number}`);
  const { public_messages, available_groups } = await checker.join();
  const histories = new Map([[PUBLIC, newPublic(entries(public_messages), ledger)]]);
  for (const group of [...ledger.histories.keys(), ...round.groups]) {
    if (!available_groups.includes(group)) throw new Fault(`group ${group} was created and is missing after the restart`);
  }
  for (const group of round.groups) {
    histories.set(group, entries((await checker.joinGroup(group)).messages));
  }
  checker.socket.close();
  if (options.lie) spoil(histories, round);

  const faults = [
    ...round.people.flatMap((person) => person.errors.map((error) => `${person.name} was refused: ${JSON.stringify(error)}`)),
    ...missing(histories, round),
    ...twice(histories),
    ...foreign(histories, round),
    ...disorder(histories, round),
    ...holes(histories, round),
  ];
  if (faults.length > 0) {
    throw new Fault(`round ${round.number}, seed ${options.seed}: ${faults.length} faults:\n  ${faults.slice(0, 20).join("\n  ")}`);
  }
  remember(histories, round, ledger, totals);
}

// What this round added to the public room. What is visible of the rounds before must be as it was.
function newPublic(history, ledger) {
  const last = ledger.public.at(-1)?.id;
  const visible = history.findIndex((entry) => entry.id === last) + 1;
  for (let back = 1; back <= visible; back++) {
    const [now, before] = [history[visible - back], ledger.public.at(-back)];
    if (now.id !== before?.id) throw new Fault(`the public history of earlier rounds changed at ${JSON.stringify(now)}`);
  }
  return history.slice(visible);
}

function entries(messages) {
  return messages.map(({ id, message }) => ({ id, text: message }));
}

function* missing(histories, round) {
  const stored = new Map([...histories.values()].flat().map(({ id, text }) => [text, id]));
  for (const [text, id] of round.acked) {
    if (!stored.has(text)) yield `acknowledged, but missing: ${JSON.stringify(text)} in ${round.sent.get(text).room}`;
    else if (id !== undefined && stored.get(text) !== id) yield `acknowledged with id ${id}, but stored with ${stored.get(text)}: ${text}`;
  }
  for (const person of round.people) {
    for (const [room, seen] of person.seen) {
      for (const { id, text } of seen) {
        if (stored.get(text) !== id) yield `${person.name} saw ${JSON.stringify(text)} (${id}) in ${room}, and it is missing`;
      }
    }
  }
}

function* twice(histories) {
  const known = new Set();
  for (const [room, history] of histories) {
    for (const { id, text } of history) {
      if (known.has(id) || known.has(text)) yield `twice: ${JSON.stringify(text)} (${id}) in ${room}`;
      known.add(id).add(text);
    }
  }
}

function* foreign(histories, round) {
  for (const [room, history] of histories) {
    for (const { text } of history) {
      if (round.sent.get(text)?.room !== room) yield `in the history of ${room}, but nobody sent it there: ${JSON.stringify(text)}`;
    }
  }
}

// Everybody was in every room before the first message: what they saw must be the beginning of the history, without a gap.
function* disorder(histories, round) {
  for (const person of round.people) {
    for (const [room, seen] of person.seen) {
      const stored = histories.get(room);
      const at = seen.findIndex(({ id }, n) => stored[n]?.id !== id);
      if (at >= 0) {
        yield `${person.name} saw ${JSON.stringify(seen[at].text)} as number ${at + 1} in ${room}; stored there: ${JSON.stringify(stored[at]?.text)}`;
      }
    }
  }
}

// A sender's messages are stored in the order of sending: those found again are the first ones, in each room ascending.
function* holes(histories, round) {
  const found = new Map();
  for (const [room, history] of histories) {
    const last = new Map();
    for (const { text } of history) {
      const { writer, number } = round.sent.get(text) ?? {};
      if (number < last.get(writer)) yield `${room}: ${writer}'s message ${number} is stored after their message ${last.get(writer)}`;
      last.set(writer, number);
      found.set(writer, (found.get(writer) ?? new Set()).add(number));
    }
  }
  for (const [writer, numbers] of found) {
    for (let n = 1; n <= numbers.size; n++) {
      if (!numbers.has(n)) yield `${writer}'s message ${n} is not stored, but ${numbers.size} others are, later ones among them`;
    }
  }
}

function remember(histories, round, ledger, totals) {
  ledger.public.push(...histories.get(PUBLIC));
  for (const group of round.groups) ledger.histories.set(group, histories.get(group));
  round.stored = [...histories.values()].flat().length;
  totals.sent += round.sent.size;
  totals.acked += round.acked.size;
  totals.stored += round.stored;
  totals.unconfirmed += round.stored - round.acked.size;
  totals.seen += round.people.flatMap((person) => [...person.seen.values()]).flat().length;
}

// A later crash must not take what an earlier one left.
async function checkAllGroups(server, ledger) {
  const reader = new Person(server, "last reader");
  await reader.join();
  for (const [group, before] of ledger.histories) {
    const now = entries((await reader.joinGroup(group)).messages);
    if (JSON.stringify(now) !== JSON.stringify(before)) throw new Fault(`the history of ${group} is no longer what it was after its own round`);
  }
  reader.socket.close();
}

function spoil(histories, round) {
  const [room, history] = [...histories].find(([, history]) => history.length > 1);
  console.log(`LYING (${options.lie}) in ${room}`);
  if (options.lie === "missing") history.splice(history.findIndex(({ text }) => round.acked.has(text)), 1);
  else if (options.lie === "twice") history.push(history[0]);
  else if (options.lie === "order") [history[0], history[1]] = [history[1], history[0]];
  else throw new Error(`no such lie: ${options.lie}`);
}

// --------------------------------------------------------------------------------------------------------------- tools

async function within(promise, complaint) {
  const giveUp = new AbortController();
  const late = sleep(PATIENCE_MS, undefined, { signal: giveUp.signal }).then(() => {
    throw new Fault(typeof complaint === "function" ? complaint() : complaint);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    giveUp.abort();
    late.catch(() => {});
  }
}

// mulberry32: a small seeded generator, so that a run's choices can be repeated.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

await main();
