// The AsyncAPI document is one: it fits the schema that AsyncAPI publishes, and its references lead somewhere.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { startServer } from '../lib/server.mjs';

let server;
let document;
before(async () => {
  server = await startServer();
  document = await (await fetch(`${server.url}/api/asyncapi.json`)).json();
});
after(() => server?.stop());

test('it fits the schema of AsyncAPI 3.0', async () => {
  const file = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  const validate = ajv.compile(JSON.parse(await readFile(file, 'utf8')));
  assert.ok(validate(document), JSON.stringify(validate.errors?.slice(0, 5), null, 2));
});

test('every reference leads to something', () => {
  const found = [];
  JSON.stringify(document, (key, value) => {
    if (key === '$ref') found.push(value);
    return value;
  });
  assert.ok(found.length > 300, `${found.length} references`);
  for (const reference of found) {
    const steps = reference.replace(/^#\//, '').split('/');
    assert.ok(steps.reduce((at, step) => at?.[step], document), reference);
  }
});
