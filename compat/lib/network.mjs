// A network between clients and the server that can break: what is under way is lost, and the server is not told.

import { createConnection, createServer } from 'node:net';
import { once } from 'node:events';

export async function startNetwork(port) {
  const network = new Network(port);
  await network.start();
  return network;
}

class Network {
  #port;
  #server;
  #near = new Set();
  #broken = false;

  constructor(port) {
    this.#port = port;
  }

  async start() {
    this.#server = createServer((near) => this.#carry(near)).listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  #carry(near) {
    near.on('error', () => {});
    if (this.#broken) return near.destroy();
    const far = createConnection(this.#port, '127.0.0.1');
    this.#near.add(near);
    far.on('error', () => near.destroy());
    far.on('close', () => near.destroy());
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => this.#near.has(near) && near.write(bytes));
    // An orderly goodbye is passed on; after a break the server's end stays open and silent.
    near.on('close', () => this.#near.delete(near) && far.end());
  }

  /** Clients notice at once; the server goes on sending into nothing. */
  break() {
    this.#broken = true;
    for (const near of this.#near) {
      this.#near.delete(near);
      near.destroy();
    }
  }

  mend() {
    this.#broken = false;
  }

  stop() {
    this.#server.close();
    for (const near of this.#near) near.destroy();
  }
}
