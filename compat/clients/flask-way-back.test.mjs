// The way back: what secure-chat writes is opened by Python's cryptography, in the original's form.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startServer } from '../lib/server.mjs';

const run = promisify(execFile);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const BINARY = process.env.SECURE_CHAT_BIN ?? at('../../target/release/secure-chat');
const PASSWORD = 'your-super-secure-database-password-2024';

let server;
before(async () => {
  server = await startServer();
});
after(() => server?.stop());

test('what came in goes out as it was', { timeout: 60_000 }, async () => {
  await writeFile(join(server.dir, 'password'), PASSWORD);
  const options = ['--timezone', 'Europe/Berlin', '--password-file', 'password'];
  const original = at('../../tests/vectors/flask/chat_data.token');
  await run(BINARY, ['import-flask', original, ...options], { cwd: server.dir });
  await run(BINARY, ['export-flask', 'back.db', ...options], { cwd: server.dir });
  const python = at('../.venv/bin/python');
  const { stdout } = await run(python, [at('flask_way_back.py'), original, join(server.dir, 'back.db'), PASSWORD]);
  assert.match(stdout, /^23 messages and 6 groups are as they were\.$/m);
});
