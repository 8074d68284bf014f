// The closed shapes of the `error` event and of the acks (CONTRACT.md, part 2), asserted wherever a test sees one.

import assert from 'node:assert/strict';

const CODES = [
  'invalid', 'unauthenticated', 'forbidden', 'not_found', 'conflict', 'too_many', 'too_large', 'unavailable', 'internal',
];

/** `{message, code, event, field?, retry_ms?}` and not a key more. */
export function assertError({ event, ...refusal }) {
  assert.equal(typeof event, 'string', `an error names its event: ${JSON.stringify(refusal)}`);
  assertRefusal(refusal);
}

/** `[{ok: true, …}]` or `[{ok: false, error: {code, message, field?, retry_ms?}}]`. */
export function assertAck(args) {
  const [answer] = args;
  assert.equal(args.length, 1, `an ack has one argument: ${JSON.stringify(args)}`);
  assert.equal(typeof answer?.ok, 'boolean', `an ack says ok: ${JSON.stringify(args)}`);
  if (answer.ok) return assert.ok(!('error' in answer), 'an ack is ok or has an error, not both');
  assert.deepEqual(Object.keys(answer).sort(), ['error', 'ok']);
  assertRefusal(answer.error);
}

function assertRefusal({ code, message, ...optional }) {
  const { field = '', retry_ms = 0, ...unknown } = optional;
  const shown = JSON.stringify({ code, message, ...optional });
  assert.ok(CODES.includes(code), `a code of the closed list: ${shown}`);
  assert.ok(typeof message === 'string' && message !== '', `a message for people: ${shown}`);
  assert.equal(typeof field, 'string', `field is a name: ${shown}`);
  assert.ok(Number.isInteger(retry_ms) && retry_ms >= 0, `retry_ms is a time: ${shown}`);
  assert.deepEqual(unknown, {}, `no further key: ${shown}`);
}
