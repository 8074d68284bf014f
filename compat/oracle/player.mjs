// Plays the steps of a scenario against a running server and writes down, in order, what every client heard.

import { EventEmitter, once } from 'node:events';
import { io } from 'socket.io-client';

const QUIET_MS = 350;
const PATIENCE_MS = 20_000;

/**
 * Returns the journal: entries `{after_step, client, event, payload | args}`, `{…, ack}` and `{…, http}` like `expect` has them.
 * `expected` is how many entries each step should bring: what is due is awaited, then the oracle's quiet time shows what is not.
 */
export async function play(scenario, server, expected) {
  const player = new Player(server);
  try {
    for (const step of scenario.steps) {
      await player.take(step);
      const quietMs = step.quiet_ms ?? scenario.quiet_ms ?? QUIET_MS;
      player.due += expected(step.step);
      if (quietMs > 0) await player.settle(quietMs);
    }
    return { journal: [...player.journal], sids: player.sids }; // a copy, made before the clients are closed
  } finally {
    player.clients.forEach((socket) => socket.disconnect());
  }
}

class Player {
  journal = [];
  clients = new Map();
  sids = {};
  due = 0;
  #arrivals = new EventEmitter();
  #server;
  #step;

  constructor(server) {
    this.#server = server;
  }

  async take(step) {
    this.#step = step.step;
    if (step.emit) return this.#emit(step);
    await this[step.op](step);
  }

  /** Waits for everything due, then until nothing more has come for `quietMs`. */
  async settle(quietMs) {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    while (this.journal.length < this.due && (await this.#arrivesBefore(patience)));
    while (await this.#arrivesBefore(AbortSignal.timeout(quietMs)));
  }

  #arrivesBefore(signal) {
    return once(this.#arrivals, 'entry', { signal }).then(() => true, () => false);
  }

  #note(entry) {
    this.journal.push({ after_step: this.#step, ...entry });
    this.#arrivals.emit('entry');
  }

  connect({ client, namespace = '/', transports = ['polling', 'websocket'] }) {
    const socket = io(this.#server.url + namespace, { transports, forceNew: true, reconnection: false });
    const note = (event, payload) => this.#note({ client, event, payload });
    socket.on('connect', () => note('(connect)', { sid: (this.sids[client] = socket.id) }));
    socket.on('connect_error', ({ message, data = null }) => note('(connect_error)', { message, data }));
    socket.on('disconnect', (reason) => note('(disconnect)', reason));
    socket.onAny((event, ...args) => this.#note({ client, event, ...(args.length === 1 ? { payload: args[0] } : { args }) }));
    this.clients.set(client, socket);
  }

  disconnect({ client }) {
    this.clients.get(client).disconnect();
  }

  async http({ path, method = 'GET' }) {
    const response = await fetch(this.#server.url + path, { method, redirect: 'manual' });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    const headers = Object.fromEntries(response.headers);
    this.#note({ http: { status: response.status, headers, body: isJson ? JSON.parse(text) : text } });
  }

  restart_server() {
    return this.#server.restart();
  }

  #emit({ client, emit, ack }) {
    const args = emit.map((value) => this.#value(value));
    if (ack) args.push((...answer) => this.#note({ client, ack: answer }));
    this.clients.get(client).emit(...args);
  }

  /** A value of a step: `$repeat`, `$binary` and `$sid` stand for what JSON cannot hold or the vector cannot know. */
  #value(value) {
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item) => this.#value(item));
    if (value.$repeat) return value.$repeat[0].repeat(value.$repeat[1]);
    if (value.$binary) return Buffer.from(value.$binary, 'hex');
    if (value.$sid) return this.sids[value.$sid];
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#value(item)]));
  }
}
