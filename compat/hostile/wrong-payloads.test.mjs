// 10,000 wrong payloads (wrong-payloads.mjs) from people who have joined and people who have not: each is answered, the server
// lives on, and two others who chat meanwhile hear all of each other and nothing else.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { RawSocket } from '../lib/raw-socket.mjs';
import { startServer } from '../lib/server.mjs';
import { assertAck, assertError } from '../lib/shape.mjs';
import { wrongPayloads } from './wrong-payloads.mjs';

const PAYLOADS = 10_000;
const ATTACKERS = 8; // half of them join first
const WINDOW = 30; // the server queues 64 events of a socket
const MISSED_MS = 10_000; // a message that has not come by then was missed
const SEED = Number(process.env.SEED ?? 20_240_229);

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

test(`${PAYLOADS} wrong payloads, seed ${SEED}`, { timeout: 60_000 }, async (t) => {
  const attackers = await Promise.all(Array.from({ length: ATTACKERS }, (_, i) => Attacker.enter(server, i)));
  const alice = await Person.join(server, 'alice');
  const [bob] = await Promise.all([Person.join(server, 'bob'), alice.next('user_joined')]);
  t.after(() => [...attackers, alice, bob].forEach((each) => each.close()));
  alice.hears = []; // from here on; before, she heard bob come

  const { pid } = server;
  let attacked = false;
  const chat = converse(alice, bob, () => attacked);
  await Promise.all(attackers.map((attacker) => attacker.attack(PAYLOADS / ATTACKERS)));
  attacked = true;
  const said = await chat;

  assert.deepEqual(alice.hears, said);
  assert.deepEqual(bob.hears, said);
  assert.ok(server.alive && server.pid === pid, 'the process lives');
  t.diagnostic(`${said.length} messages were exchanged meanwhile`);
});

/** Alice and bob take turns until it is over; returns what everyone should have heard. */
async function converse(alice, bob, over) {
  const said = [];
  while (!over() || said.length < 20) {
    const [speaker, listener] = said.length % 2 ? [bob, alice] : [alice, bob];
    const text = `turn ${said.length}`;
    said.push(`new_message ${speaker.name}: ${text}`);
    await Promise.all([speaker.say(text), listener.next('new_message')]);
  }
  return said;
}

class Person {
  hears = [];
  #socket;

  static async join(server, name) {
    const person = new Person(io(server.url, { forceNew: true, reconnection: false }), name);
    person.#socket.emit('join_chat', { username: name });
    await once(person.#socket, 'chat_joined');
    person.#socket.onAny((event, { username, message }) => person.hears.push(`${event} ${username}: ${message}`));
    return person;
  }

  constructor(socket, name) {
    this.#socket = socket;
    this.name = name;
  }

  /** Kept when both the message has come back and the ack has come. */
  async say(message) {
    const [answer] = await Promise.all([this.#socket.emitWithAck('send_public_message', { message }), this.next('new_message')]);
    assert.equal(answer.ok, true);
  }

  next(event) {
    return once(this.#socket, event, { signal: AbortSignal.timeout(MISSED_MS) });
  }

  close() {
    this.#socket.disconnect();
  }
}

/** Sends wrong payloads over one websocket, every other with the request of an ack, and checks that each is answered. */
class Attacker {
  #socket;
  #payloads;
  #waiting = new Map();

  static async enter(server, index) {
    const socket = await RawSocket.open(server);
    await (index % 2 ? socket.join(`attacker ${index}`) : socket.connect());
    return new Attacker(socket, wrongPayloads(SEED + index));
  }

  constructor(socket, payloads) {
    this.#socket = socket;
    this.#payloads = payloads;
  }

  async attack(count) {
    for (let id = 0; id < count; id += 1) {
      while (this.#waiting.size >= WINDOW) await this.#answer();
      this.#send(id);
    }
    while (this.#waiting.size > 0) await this.#answer();
  }

  #send(id) {
    const { event, frames } = this.#payloads.next().value;
    const acked = id % 2 === 0;
    const sent = frames(acked ? id : '');
    this.#waiting.set(id, { id, event, acked, sent: sent[0].slice(0, 300) });
    this.#socket.send(...sent);
  }

  /** One packet of the server: an `error` first, then the ack if there is to be one. */
  async #answer() {
    const packet = await this.#nextPacket();
    const [, ackId, body] = /^4[23](\d*)(\[.*)$/s.exec(packet);
    const args = JSON.parse(body);
    if (ackId !== '') this.#acknowledged(Number(ackId), args);
    else if (args[0] === 'error') this.#refused(args[1]);
    // Anything else is what the chatting people say: attackers in the public room hear it too.
  }

  async #nextPacket() {
    try {
      return await this.#socket.next();
    } catch (error) {
      throw new Error(`${error.message}, with these unanswered: ${JSON.stringify([...this.#waiting.values()], null, 1)}`);
    }
  }

  #refused(error) {
    assertError(error);
    const request = [...this.#waiting.values()].find(({ event, refusal }) => isNamed(event, error) && !refusal);
    assert.ok(request, `an error that answers nothing: ${JSON.stringify(error)}`);
    request.refusal = error;
    if (!request.acked) this.#waiting.delete(request.id);
  }

  #acknowledged(id, args) {
    const request = this.#waiting.get(id);
    assert.ok(request?.acked, `an ack that answers nothing: ${id} ${JSON.stringify(args)}`);
    assertAck(args);
    assert.equal(args[0].ok, false, `refused: ${request.sent}`);
    assert.equal(args[0].error.code, request.refusal?.code, `an error before the ack: ${request.sent}`);
    this.#waiting.delete(id);
  }

  close() {
    this.#socket.close();
  }
}

/** An error names its event; a long name may be cut short, with an ellipsis for the rest. */
function isNamed(event, { event: name }) {
  return name === event || (name.endsWith('…') && event.startsWith(name.slice(0, -1)));
}
