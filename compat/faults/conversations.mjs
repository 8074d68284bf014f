#!/usr/bin/env node
// Conversations under faults: people write, page, search and reconnect in many rooms while the server is killed again and
// again. At the end: no acknowledged message is lost, none is there twice or was sent by nobody, all readers of a room saw
// one order, and each walk through the pages met each message once.
//
//   node compat/faults/conversations.mjs [--seconds 60] [--seed 1] [--database URL] [--lie missing|twice|order|foreign]
//
// --lie spoils what is compared at the end: a checker that cannot fail proves nothing.

import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { io } from 'socket.io-client';
import { startServer } from '../lib/server.mjs';

const WRITERS = 20;
const ROOMS = 20;
const READERS = 6;
const ROOMS_OF_A_WRITER = 5;
const PASSWORD = 'correct horse battery';
const ACK_MS = 5_000;
const KILL_EVERY_MS = [3_000, 7_000];
const PAGE = 37;

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    database: { type: 'string' },
    lie: { type: 'string' },
  },
});

const random = generator(Number(options.seed));
const pick = (list) => list[Math.floor(random() * list.length)];
const between = ([from, to]) => from + random() * (to - from);
const rooms = Array.from({ length: ROOMS }, (_, n) => `room ${n}`);
const faults = [];
const fault = (text) => faults.push(text);
const counts = { acked: 0, repeated: 0, kills: 0, reconnects: 0, walks: 0, searches: 0, heard: 0, unheard: 0 };
// By text: which room it was sent to, and what the ack said.
const sent = new Map();
const acked = new Map();
let server;
let over = false;

// ------------------------------------------------------------------------------------------------------------- people

class Person {
  constructor(name) {
    this.name = name;
  }

  async register() {
    const answer = await http('POST', '/api/register', { username: this.name, password: PASSWORD });
    this.token = answer.token;
  }

  // `resume: false`: it keeps its own marks.
  connect(resume) {
    const auth = { token: this.token, ...(resume ? {} : { resume: false }) };
    this.socket = io(server.url, { transports: ['websocket'], auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    return new Promise((resolve) => this.socket.once('connect', resolve));
  }

  // Until the server has answered, over as many connections as it takes.
  async call(event, payload) {
    for (;;) {
      try {
        const ack = await this.socket.timeout(ACK_MS).emitWithAck(event, payload);
        if (ack.ok || !['unavailable', 'unauthenticated'].includes(ack.error.code)) return ack;
      } catch {
        counts.repeated++;
      }
      await sleep(50);
    }
  }

  // Cuts the connection under the client, which connects again by itself; not while it does so, which it survives badly.
  cut() {
    if (!this.socket.connected) return;
    counts.reconnects++;
    this.socket.io.engine.close();
  }
}

// Says something in one of its rooms, again and again; what is not acknowledged is sent again under the same id.
async function write(person, own) {
  await person.connect(false);
  for (let number = 0; !over; number++) {
    const room = pick(own);
    const text = `word${person.name.replace(' ', '')}n${number}`;
    sent.set(text, room);
    const ack = await person.call('send_group_message', { group_name: room, message: text, client_id: text });
    if (!ack.ok) {
      fault(`${person.name}: ${text} was refused: ${JSON.stringify(ack.error)}`);
      return;
    }
    if (acked.has(text)) fault(`${text} was acknowledged twice`);
    acked.set(text, { room, seq: ack.seq, id: ack.id });
    counts.acked++;
    await sleep(random() * 20);
  }
}

// Hears all rooms, and is brought what it missed by the server.
class Listener extends Person {
  seen = new Map(rooms.map((room) => [room, []]));

  async listen() {
    await this.connect(true);
    this.socket.on('new_message', ({ room, seq, message }) => this.seen.get(room)?.push({ seq, text: message }));
    while (!over) {
      await sleep(between([1_000, 4_000]));
      if (!over) this.cut();
    }
  }

  check(histories) {
    for (const [room, seen] of this.seen) {
      let last = 0;
      for (const { seq, text } of seen) {
        if (seq <= last) fault(`${this.name} heard ${seq} of ${room} after ${last}`);
        if (histories.get(room)[seq - 1]?.text !== text) fault(`${this.name} heard ${text} as ${seq} of ${room}, which is not so`);
        // What was under way when the line was cut, or the server killed, may be lost: see the README, "Coming back".
        if (last > 0) counts.unheard += seq - last - 1;
        last = seq;
        counts.heard++;
      }
    }
  }
}

// Keeps its own marks: what comes out of order waits, and what is missing is asked for.
class Keeper extends Person {
  seen = new Map(rooms.map((room) => [room, []]));
  waiting = new Map(rooms.map((room) => [room, new Map()]));

  async listen() {
    await this.connect(false);
    this.socket.on('connect', () => this.ask());
    this.socket.on('new_message', (message) => this.take(message));
    while (!over) {
      await sleep(between([1_000, 4_000]));
      if (!over) this.cut();
    }
  }

  take({ room, seq, message }) {
    const [seen, waiting] = [this.seen.get(room), this.waiting.get(room)];
    if (!seen) return;
    const known = seen[seq - 1];
    if (known !== undefined && known !== message) fault(`${this.name} heard ${seq} of ${room} as ${known} and as ${message}`);
    if (seq > seen.length) waiting.set(seq, message);
    const gap = seq > seen.length + 1;
    while (waiting.has(seen.length + 1)) {
      const next = seen.length + 1;
      seen.push(waiting.get(next));
      waiting.delete(next);
    }
    if (gap) this.ask();
  }

  // One question at a time.
  async ask() {
    if (this.asking) return;
    this.asking = true;
    await sleep(20);
    const marks = Object.fromEntries(rooms.map((room) => [room, this.seen.get(room).length]));
    await this.socket.timeout(ACK_MS).emitWithAck('resume', marks).catch(() => {});
    this.asking = false;
    if ([...this.waiting.values()].some((waiting) => waiting.size > 0)) this.ask();
  }

  check(histories) {
    for (const [room, seen] of this.seen) {
      const history = histories.get(room).map(({ text }) => text);
      const wrong = seen.findIndex((text, at) => text !== history[at]);
      if (wrong >= 0) fault(`${this.name} heard ${seen[wrong]} as ${wrong + 1} of ${room}; stored is ${history[wrong]}`);
      if (seen.length !== history.length) fault(`${this.name} heard ${seen.length} of ${history.length} messages of ${room}`);
      counts.heard += seen.length;
    }
  }
}

// ---------------------------------------------------------------------------------------------------- pages and search

// All of a room from the newest to the oldest, page by page, while others write.
async function walk(person, room) {
  const before = [...acked].filter(([, ack]) => ack.room === room);
  const found = [];
  let cursor;
  do {
    const page = await person.call('get_history', { room, limit: PAGE, ...(cursor ? { before: cursor } : {}) });
    if (!page.ok) return fault(`a walk through ${room} was refused: ${JSON.stringify(page.error)}`);
    found.unshift(...page.messages.map(({ seq, message, id }) => ({ seq, text: message, id })));
    cursor = page.prev;
  } while (cursor);
  found.forEach(({ seq, text }, at) => {
    if (seq !== at + 1) fault(`a walk through ${room} met ${seq} in place ${at + 1}`);
    if (sent.get(text) !== room) fault(`a walk through ${room} met ${text}, which nobody sent there`);
  });
  for (const [text, { seq, id }] of before) {
    const there = found[seq - 1];
    if (there?.text !== text || there.id !== id) fault(`a walk through ${room} did not meet ${text} as ${seq}`);
  }
  counts.walks++;
  return found;
}

async function look(person) {
  const known = [...acked];
  if (known.length === 0) return;
  const [text, { room, id }] = pick(known);
  const answer = await person.call('search_messages', { query: `${text} in:"${room}"` });
  const hits = answer.hits?.map((hit) => hit.id) ?? [];
  if (hits.length !== 1 || hits[0] !== id) fault(`a search for ${text} in ${room} found ${JSON.stringify(answer)}`);
  counts.searches++;
}

async function browse(person) {
  await person.connect(false);
  while (!over) {
    await (random() < 0.3 ? walk(person, pick(rooms)) : look(person));
    await sleep(random() * 100);
  }
}

// ---------------------------------------------------------------------------------------------------------------- main

async function killAgainAndAgain() {
  while (!over) {
    await sleep(between(KILL_EVERY_MS));
    if (over) return;
    await server.restart();
    counts.kills++;
  }
}

async function main() {
  server = await startServer({ RATELIMIT_REGISTRATIONS: '1000/s', MAX_SOCKETS_PER_ADDRESS: '1000', ...(options.database && { DATABASE_URL: options.database }) });
  const writers = Array.from({ length: WRITERS }, (_, n) => new Person(`w ${n}`));
  const listeners = Array.from({ length: READERS }, (_, n) => new Listener(`listener ${n}`));
  const keepers = Array.from({ length: READERS }, (_, n) => new Keeper(`keeper ${n}`));
  const browsers = Array.from({ length: READERS }, (_, n) => new Person(`browser ${n}`));
  const people = [...writers, ...listeners, ...keepers, ...browsers];
  for (const person of people) await person.register();
  await makeRooms(people);

  const writing = writers.map((person, n) => write(person, rooms.filter((_, room) => (room + n) % ROOMS < ROOMS_OF_A_WRITER)));
  const reading = [...listeners, ...keepers].map((person) => person.listen());
  const browsing = browsers.map(browse);
  const killing = killAgainAndAgain();
  await sleep(Number(options.seconds) * 1_000);
  over = true;
  await Promise.all([killing, ...writing, ...reading, ...browsing]);

  const histories = new Map();
  for (const room of rooms) histories.set(room, (await walk(browsers[0], room)) ?? []);
  await settled(keepers, histories);
  if (options.lie) spoil(histories);
  checkHistories(histories);
  for (const reader of [...listeners, ...keepers]) reader.check(histories);
  for (const person of people) person.socket.close();
  await server.stop();
  report();
}

async function makeRooms(people) {
  const [maker] = people;
  await maker.connect(false);
  for (const room of rooms) await maker.call('create_group', { group_name: room });
  for (const person of people) {
    if (person !== maker) await person.connect(false);
    for (const room of rooms) await person.call('join_group', { group_name: room });
    person.socket.close();
  }
}

// The keepers hear the last messages, too: they ask until nothing is missing.
async function settled(keepers, histories) {
  for (let tries = 0; tries < 100; tries++) {
    const missing = keepers.filter((keeper) => rooms.some((room) => keeper.seen.get(room).length < histories.get(room).length));
    if (missing.length === 0) return;
    missing.forEach((keeper) => keeper.ask());
    await sleep(100);
  }
}

function checkHistories(histories) {
  const stored = new Map();
  for (const [room, history] of histories) {
    history.forEach(({ text, seq, id }) => {
      if (stored.has(text)) fault(`${text} is stored twice`);
      if (sent.get(text) !== room) fault(`${text} is stored in ${room}, where nobody sent it`);
      stored.set(text, { room, seq, id });
    });
  }
  for (const [text, ack] of acked) {
    const found = stored.get(text);
    if (!found) fault(`${text} was acknowledged and is lost`);
    else if (found.seq !== ack.seq || found.id !== ack.id) fault(`${text} was acknowledged as ${ack.seq} and is stored as ${found.seq}`);
  }
  counts.stored = stored.size;
}

function spoil(histories) {
  const history = pick([...histories.values()].filter((one) => one.length > 10));
  if (options.lie === 'missing') history.splice(5, 1);
  if (options.lie === 'twice') history[6] = { ...history[5], seq: 7 };
  if (options.lie === 'order') [history[5], history[6]] = [history[6], history[5]];
  if (options.lie === 'foreign') history[5] = { ...history[5], text: 'nobody said this' };
}

function report() {
  if (faults.length > 0) {
    console.error(`FAILED, seed ${options.seed}: ${faults.length} faults:\n  ${faults.slice(0, 20).join('\n  ')}`);
    process.exit(1);
  }
  console.log(
    `${counts.kills} kills, ${counts.reconnects} cut connections: ${counts.acked} messages acknowledged (${counts.repeated} calls were made again), ${counts.stored} stored, none lost, none twice; ` +
      `${counts.heard} heard in one order (${counts.unheard} were under way when a line was cut); ${counts.walks} walks through the pages, ${counts.searches} searches.`,
  );
  process.exit(0);
}

async function http(method, path, body) {
  const headers = { 'Content-Type': 'application/json' };
  return (await fetch(server.url + path, { method, headers, body: JSON.stringify(body) })).json();
}

// Small, and the same everywhere (mulberry32).
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

await main();
