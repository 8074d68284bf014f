// The examples do what they say, against a running server.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startServer } from '../lib/server.mjs';

const run = promisify(execFile);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const PASSWORD = 'correct horse battery';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

test('JavaScript', { timeout: 60_000 }, async () => {
  const { stdout, stderr } = await run(process.execPath, [at('../examples/room.mjs'), server.url, 'jo']);
  assert.equal(stderr, '');
  assert.match(stdout, /^jo: hello from JavaScript$/m);
  assert.match(stdout, /^\d+ in the history, the last one: hello from JavaScript$/m);
});

test('Python', { timeout: 60_000 }, async () => {
  const { stdout } = await run(at('../.venv/bin/python'), [at('../examples/room.py'), server.url, 'py']);
  assert.match(stdout, /^py: hello from Python$/m);
  assert.match(stdout, /^\d+ in the history, the last one: hello from Python$/m);
});

test('curl', { timeout: 60_000 }, async () => {
  const body = JSON.stringify({ username: 'ann', password: PASSWORD });
  const headers = { 'Content-Type': 'application/json' };
  const registered = await fetch(`${server.url}/api/register`, { method: 'POST', headers, body });
  assert.equal(registered.status, 201);
  const env = { ...process.env, PASSWORD };
  const { stdout } = await run('sh', [at('../examples/api.sh'), server.url, 'ann'], { env });
  const lines = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines[0].messages.some(({ message }) => message === 'hello from JavaScript'));
  assert.deepEqual(lines[1], { ok: true, hits: [], next: null });
  assert.equal(lines[2].kind, 'account');
});
