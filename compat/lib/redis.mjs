// A real Redis for a test: on a free port, with nothing on disk.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export async function startRedis() {
  const redis = new Redis(await freePort());
  await redis.start();
  return redis;
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

class Redis {
  #port;
  #child;

  constructor(port) {
    this.#port = port;
    this.url = `redis://127.0.0.1:${port}/0`;
    process.once('exit', () => this.#child?.kill('SIGKILL'));
  }

  async start() {
    const settings = ['--port', this.#port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.#child = spawn('redis-server', settings.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    await new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', () => reject(new Error(`redis-server ended:\n${output}`)));
      this.#child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      });
    });
  }

  async kill() {
    const ended = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
