// Compares what the clients heard with what they should have heard: strictly, client by client, in order.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { assertAck, assertError } from '../lib/shape.mjs';
import { INTERNAL_KEYS } from './differences.mjs';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/;
const RECENT_MS = 5 * 60_000;

/** Throws at the first difference. `course` is the expected course (differences.mjs), `played` what player.mjs brought. */
export function compare(course, { journal, sids }) {
  journal.forEach(assertShapes);
  const known = new Placeholders(sids);
  const lane = course.compare_without_steps ? laneOfClient : laneOfStep;
  const expected = grouped(course.expect, lane);
  const heard = grouped(journal, lane);
  for (const name of new Set([...expected.keys(), ...heard.keys()])) {
    compareLane(name, expected.get(name) ?? [], heard.get(name) ?? [], known);
  }
}

// The order is binding for each client; between the clients of one step it is not.
const laneOfStep = ({ after_step, client = 'http' }) => `step ${after_step}, ${client}`;
const laneOfClient = ({ client = 'http' }) => client;

function grouped(entries, lane) {
  const lanes = new Map(entries.map((entry) => [lane(entry), []]));
  entries.forEach((entry) => lanes.get(lane(entry)).push(entry));
  return lanes;
}

function compareLane(name, expected, heard, known) {
  try {
    assert.equal(heard.length, expected.length, 'as many entries as expected');
    expected.forEach((entry, i) => matchEntry(entry, heard[i], known));
  } catch (error) {
    const lines = (entries) => entries.map((entry) => `\n    ${JSON.stringify(entry)}`).join('') || ' nothing';
    error.message = `${name}: ${error.message}\n  expected:${lines(expected)}\n  got:${lines(heard)}`;
    throw error;
  }
}

function assertShapes({ event, payload, ack }) {
  if (event === 'error') assertError(payload);
  if (ack) assertAck(ack);
}

function matchEntry({ after_step, client, ...expected }, heard, known) {
  if ('refusal' in expected) {
    assert.equal(heard.event, 'error');
    return matchRefusal(expected.refusal, heard.payload);
  }
  if ('ack' in expected) return matchAck(expected.ack, heard.ack);
  match(expected, heard, known, '');
}

/** `message` is compared where the original had a sentence; where it was silent, ours may choose its words. */
function matchRefusal({ message, ...expected }, { message: words, ...refusal }) {
  assert.deepEqual(refusal, expected);
  if (message) assert.equal(words, message);
}

function matchAck(expected, heard) {
  assert.ok(heard, 'an ack');
  assert.equal(heard[0].ok, expected.ok);
  if (expected.ok) return;
  const { event, ...refusal } = expected.error;
  matchRefusal(refusal, heard[0].error);
}

/** Every expected key with its value; further keys are allowed, the original's internal tokens are not. */
function match(expected, heard, known, path) {
  if (typeof expected === 'string' && known.isOne(expected)) return known.match(expected, heard, path);
  if (expected === null || typeof expected !== 'object') return assert.equal(heard, expected, `at ${path}`);
  assert.equal(Array.isArray(heard), Array.isArray(expected), `at ${path}: a list or an object`);
  assert.ok(heard !== null && typeof heard === 'object', `at ${path}: not a plain value`);
  if (Array.isArray(expected)) assert.equal(heard.length, expected.length, `at ${path}: as many items`);
  for (const key of INTERNAL_KEYS) assert.ok(!(key in heard), `at ${path}: ${key} is internal`);
  for (const key of Object.keys(expected)) {
    assert.ok(key in heard, `at ${path}: ${key} is missing`);
    match(expected[key], heard[key], known, `${path}.${key}`);
  }
}

/** `<uuid:1>` and the like: equal numbers mean equal values within a scenario, different numbers different ones. */
class Placeholders {
  #values = new Map();
  #sids;

  constructor(sids) {
    this.#sids = sids;
  }

  isOne(text) {
    return /^<(uuid|iso8601-naive-local|sid|sha256hex16 of sid):\w+>$/.test(text);
  }

  match(placeholder, value, path) {
    const [, kind, name] = /^<(.+):(\w+)>$/.exec(placeholder);
    if (kind === 'sid') return assert.equal(value, this.#sids[name], `at ${path}`);
    if (kind === 'sha256hex16 of sid') return assert.equal(value, sha256hex16(this.#sids[name]), `at ${path}`);
    if (kind === 'uuid') assert.match(value, UUID_V4, `at ${path}`);
    else assertRecent(value, path);
    this.#bind(kind, placeholder, value, path);
  }

  #bind(kind, placeholder, value, path) {
    const before = this.#values.get(placeholder);
    if (before !== undefined) return assert.equal(value, before, `at ${path}: the same ${placeholder} as before`);
    // Two timestamps may coincide by chance, two ids may not.
    const taken = kind === 'uuid' && [...this.#values.values()].includes(value);
    assert.ok(!taken, `at ${path}: ${placeholder} is a new value`);
    this.#values.set(placeholder, value);
  }
}

/** The time of now, so that local time in the clothes of UTC is found out (the replay runs the server in another zone). */
function assertRecent(timestamp, path) {
  assert.match(timestamp, RFC3339_UTC, `at ${path}`);
  assert.ok(Math.abs(Date.parse(timestamp) - Date.now()) < RECENT_MS, `at ${path}: ${timestamp} is now`);
}

const sha256hex16 = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16);
