// Starts the real secure-chat binary for a test: on a free port, in a fresh directory of its own.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = process.env.SECURE_CHAT_BIN ?? join(ROOT, 'target/release/secure-chat');
const LISTENS = /^secure-chat listens on (http:\/\/\S+:(\d+))$/m;
const STOP_MS = 15_000;

// A test that throws must not leave a server behind.
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a server; `env` adds to, or overrides, the settings every test wants. */
export async function startServer(env = {}) {
  const server = new Server(await mkdtemp(join(tmpdir(), 'secure-chat-')), env);
  await server.start('0').catch(async (error) => {
    await rm(server.dir, { recursive: true });
    throw error;
  });
  return server;
}

class Server {
  #env;
  #child;

  constructor(dir, env) {
    this.dir = dir;
    this.#env = env;
  }

  get pid() {
    return this.#child.pid;
  }

  /** True until the process has ended, for whatever reason. */
  get alive() {
    return running.has(this.#child);
  }

  async start(port) {
    this.output = '';
    // Nothing of the developer's environment reaches the server but PATH: a test means the same on every machine.
    const env = { PATH: process.env.PATH, PORT: port, HOST: '127.0.0.1', RATELIMIT_ENABLED: 'false', ...this.#env };
    this.#child = spawn(BINARY, ['serve'], { cwd: this.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    await this.#listening();
  }

  async #listening() {
    const child = this.#child;
    const [, url, port] = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => running.add(child));
      child.once('close', () => {
        running.delete(child);
        reject(new Error(`secure-chat ended before it listened:\n${this.output}`));
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text) => {
          this.output += text;
          if (LISTENS.test(this.output)) resolve(LISTENS.exec(this.output));
        });
      }
    });
    this.url = url;
    this.port = port;
  }

  /** Runs a command of the program on this server's data. */
  command(options) {
    const env = { PATH: process.env.PATH, ...this.#env };
    return new Promise((resolve) => {
      execFile(BINARY, options, { cwd: this.dir, env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    });
  }

  /** Sends a signal; the promise is kept when the process has ended. */
  async kill(signal) {
    const ended = this.alive && once(this.#child, 'close');
    this.#child.kill(signal);
    await ended;
  }

  /** The crash: killed without warning, started again on the same directory and port. */
  async restart() {
    await this.kill('SIGKILL');
    await this.start(this.port);
  }

  async stop() {
    const overdue = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.kill('SIGTERM');
    clearTimeout(overdue);
    await rm(this.dir, { recursive: true });
    if (this.#child.signalCode === 'SIGKILL') throw new Error(`secure-chat did not stop on SIGTERM:\n${this.output}`);
  }
}
