// The OpenAPI document, played against a running server by Schemathesis: no 5xx, no answer that it does not describe.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startServer } from '../lib/server.mjs';

const run = promisify(execFile);
const SCHEMATHESIS = fileURLToPath(new URL('../.venv/bin/schemathesis', import.meta.url));
const PASSWORD = 'correct horse battery';
// What ends the session that the run shows is left for the end.
const ENDING = ['logout', 'end_session', 'change_password'];

const EMIT_TOKEN = 'a-token-of-more-than-thirty-two-characters';

let server;
let token;
before(async () => {
  server = await startServer({ EMIT_TOKEN });
  const invite = /#invite=(\S+)/.exec(server.output)[1];
  token = (await call('register', { username: 'owner', password: PASSWORD, invite })).token;
});
after(() => server?.stop());

async function call(path, body) {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${server.url}/api/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.json();
}

async function play(bearer, ...options) {
  const common = ['--checks', 'all', '--seed', '1', '--no-color', '--header', `Authorization: Bearer ${bearer}`];
  // A password that anybody would guess is well-formed, and refused all the same.
  const rules = ['--exclude-checks', 'positive_data_acceptance'];
  const { stdout } = await run(SCHEMATHESIS, ['run', `${server.url}/api/openapi.json`, ...common, ...rules, ...options]).catch((error) => error);
  assert.match(stdout, /\d+ generated, \d+ passed/, stdout);
  assert.doesNotMatch(stdout, /[1-9]\d* (unique )?(failures?|errors?|errored)\b/, stdout);
  return stdout;
}

test('all calls of who owns the server', { timeout: 300_000 }, async () => {
  const others = [...ENDING, 'emit'];
  const stdout = await play(token, '--max-examples', '50', ...others.flatMap((id) => ['--exclude-operation-id', id]));
  assert.doesNotMatch(stdout, /Authentication failed/, stdout);
});

test('the call of a program', { timeout: 120_000 }, async () => {
  const stdout = await play(EMIT_TOKEN, '--max-examples', '50', '--include-operation-id', 'emit');
  assert.doesNotMatch(stdout, /Authentication failed/, stdout);
});

test('the calls that end a session', { timeout: 120_000 }, async () => {
  await play(token, '--max-examples', '20', ...ENDING.flatMap((id) => ['--include-operation-id', id]));
});
