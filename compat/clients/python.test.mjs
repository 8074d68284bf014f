// python-socketio chats with the server (python_client.py), over polling and over websocket.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startServer } from '../lib/server.mjs';

const PYTHON = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));
const CLIENT = fileURLToPath(new URL('python_client.py', import.meta.url));

let server;
before(async () => {
  assert.ok(existsSync(PYTHON), 'first: python3 -m venv compat/.venv && compat/.venv/bin/pip install -r compat/requirements.txt');
  server = await startServer();
});
after(() => server?.stop());

for (const transport of ['polling', 'websocket']) {
  test(`python-socketio chats over ${transport}`, { timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)(PYTHON, [CLIENT, server.url, transport], { timeout: 50_000 });
    assert.equal(stdout, `chatted over ${transport}\n`);
  });
}
