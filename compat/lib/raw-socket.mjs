// A websocket on the Engine.IO edge, read and written packet by packet: says what no client library would.

import { once } from 'node:events';
import { WebSocket } from 'ws';

export class RawSocket {
  #socket;
  #packets = [];
  #wake = () => {};

  static async open({ url }, { origin } = {}) {
    const raw = new RawSocket(new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { origin }));
    await once(raw.#socket, 'open');
    return raw;
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#take(data.toString()));
    socket.on('close', () => this.#wake());
  }

  /** Pings are answered here and shown to nobody, nor is the packet that announces the close. */
  #take(packet) {
    if (packet === '2') return this.send('3');
    if (packet === '1') return;
    this.#packets.push(packet);
    this.#wake();
  }

  send(...frames) {
    frames.forEach((frame) => this.#socket.send(frame));
  }

  close() {
    this.#socket.terminate();
  }

  /** The next packet; throws when the websocket has been closed. */
  async next() {
    while (this.#packets.length === 0) {
      if (this.#socket.readyState !== WebSocket.OPEN) throw new Error('the websocket is closed');
      await new Promise((resolve) => (this.#wake = resolve));
    }
    return this.#packets.shift();
  }

  /** The payload of the next event of this name; what comes before it is skipped. */
  async nextEvent(name) {
    for (;;) {
      const payload = eventIn(await this.next(), name);
      if (payload) return payload;
    }
  }

  /** Enters the namespace. */
  async connect() {
    this.send('40');
    while (!(await this.next()).startsWith('40'));
  }

  async join(username) {
    await this.connect();
    this.send(`42["join_chat",${JSON.stringify({ username })}]`);
    return this.nextEvent('chat_joined');
  }
}

/** The payload of the first event of this name among packets, as a polling body or a websocket message holds them. */
export function eventIn(packets, name) {
  const events = packets.split('\x1e').filter((packet) => packet.startsWith('42[')).map((packet) => JSON.parse(packet.slice(2)));
  return events.find(([event]) => event === name)?.[1];
}
