// Flask-SocketIO's message queue: what real Celery workers emit over Redis reaches clients, whatever version they have.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { io } from 'socket.io-client';
import { startRedis } from '../lib/redis.mjs';
import { startServer } from '../lib/server.mjs';

const run = promisify(execFile);
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const PYTHON = at('../.venv/bin/python');
const TOKEN = 'a token of more than thirty-two characters';
/** python-socketio, and a Flask-SocketIO of its time. */
const VERSIONS = {
  '5.8.0': '5.3.6', '5.13.0': '5.7.0', '5.14.0': '5.7.0', '5.14.2': '5.7.0', '5.15.1': '5.7.0', '5.18.1': '5.7.0',
};

let redis;
let server;
let people;
// A test that runs out of time must not leave its worker behind.
const workers = new Set();
before(async () => {
  redis = await startRedis();
  server = await startServer({ FLASK_QUEUE: 'on', REDIS_URL: redis.url, EMIT_TOKEN: TOKEN, METRICS_ADDR: '127.0.0.1:0' });
  await logged(/the Flask queue listens/);
  people = { ann: await join('ann'), bob: await join('bob') };
  await people.ann.emitWithAck('create_group', { group_name: 'team', password: 'pw' });
});
after(async () => {
  workers.forEach((child) => child.kill('SIGKILL'));
  Object.values(people ?? {}).forEach((socket) => socket.close());
  await server?.stop();
  await redis?.kill();
});

/** Waits for a line of the server's log. */
async function logged(line) {
  while (!line.test(server.output)) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function join(username, namespace = '') {
  const socket = io(`${server.url}${namespace}`, { transports: ['websocket'], forceNew: true, auth: { username } });
  socket.heard = [];
  socket.wake = () => {};
  socket.onAny((event, ...args) => {
    if (event !== 'ev' && event !== 'end') return;
    socket.heard.push([event, ...args]);
    socket.wake();
  });
  socket.on('ask', (question, answer) => answer('answer', { of: username, to: question }));
  // In a namespace of its own, a connection hears its room from `room_joined` on.
  await new Promise((resolve) => socket.once(namespace ? 'room_joined' : 'connect', resolve));
  if (!namespace) await socket.emitWithAck('join_chat', { username });
  return socket;
}

/** What came up to the event `end`: what the queue carries last, comes last. */
async function heardUntilEnd(socket) {
  while (socket.heard.at(-1)?.[0] !== 'end') await new Promise((resolve) => (socket.wake = resolve));
  return socket.heard.splice(0).slice(0, -1).map(([, ...args]) => args);
}

async function install(version) {
  const folder = at(`../.venv-queue/${version}`);
  if (!existsSync(folder)) {
    const packages = [`python-socketio==${version}`, `flask-socketio==${VERSIONS[version]}`, 'redis'];
    await rm(`${folder}.new`, { recursive: true, force: true });
    await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', `${folder}.new`, ...packages]);
    await rename(`${folder}.new`, folder);
  }
  return folder;
}

/** A Python process with that version; calling it runs a line of Python there and gives its answer. */
async function startWorker(version) {
  const env = { PATH: process.env.PATH, PYTHONPATH: await install(version) };
  // The subscriptions to wait for: ours and its own.
  const child = spawn(PYTHON, [at('flask_worker.py'), redis.url, '2'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  workers.add(child);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'ready');
  const worker = async (line) => {
    child.stdin.write(`${line}\n`);
    return (await lines.next()).value;
  };
  worker.end = async () => {
    workers.delete(child);
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  return worker;
}

/** Runs lines of Python, then marks the end; what each client heard meanwhile. */
async function hear(worker, lines, sockets = [people.ann, people.bob]) {
  for (const line of lines) assert.equal(await worker(line), 'None', line);
  await worker('worker.emit("end")');
  return Promise.all(sockets.map(heardUntilEnd));
}

for (const version of Object.keys(VERSIONS)) {
  test(`a worker with python-socketio ${version}`, { timeout: 240_000 }, async () => {
    const { ann, bob } = people;
    const worker = await startWorker(version);
    try {
      const emit = (rest) => `worker.emit("ev", ${rest})`;
      assert.deepEqual(await hear(worker, [emit('{"u": "hé 🎉", "n": None}')]), Array(2).fill([[{ u: 'hé 🎉', n: null }]]));
      assert.deepEqual(await hear(worker, ['worker.emit("ev")']), [[[]], [[]]]);
      assert.deepEqual(await hear(worker, [emit('1, to="team"')]), [[[1]], []], 'a group');
      assert.deepEqual(await hear(worker, [emit('1, to="public"')]), [[[1]], [[1]]]);
      assert.deepEqual(await hear(worker, [emit(`1, to="${bob.id}"`)]), [[], [[1]]], 'a connection');
      assert.deepEqual(await hear(worker, [emit(`1, to=["team", "${bob.id}", "${bob.id}"]`)]), [[[1]], [[1]]], 'each once');
      assert.deepEqual(await hear(worker, [emit(`1, skip_sid="${bob.id}"`)]), [[[1]], []]);
      assert.deepEqual(await hear(worker, [emit(`1, skip_sid=["${bob.id}", "${ann.id}"]`)]), [[], []]);
      assert.deepEqual(await hear(worker, [emit('1, to="nowhere"'), emit('1, namespace="/nowhere"')]), [[], []]);

      // In 5.14 a tuple is a list already when it is sent: which of both it was, nobody can tell.
      const several = version === '5.14.0' ? [[['a', 2]]] : [['a', 2]];
      assert.deepEqual((await hear(worker, [emit('("a", 2)')]))[0], several);

      const binary = emit('{"b": b"\\x00\\xff", "c": [b"\\x01"]}');
      if (version === '5.14.0') assert.match(await worker(binary), /TypeError/);
      else assert.deepEqual((await hear(worker, [binary]))[0], [[{ b: Buffer.from([0, 255]), c: [Buffer.from([1])] }]]);

      assert.equal(await worker(`ask("${bob.id}")`), "['answer', {'of': 'bob', 'to': {'q': 1}}]");
    } finally {
      await worker.end();
    }
  });
}

test('rooms of a worker are rooms of its own', { timeout: 60_000 }, async () => {
  const { ann, bob } = people;
  const worker = await startWorker('5.18.1');
  try {
    const enter = `server.manager.enter_room("${bob.id}", "/", "team")`;
    // python-socketio waits for nobody here: whether it came in shows in what is heard.
    await worker(enter);
    assert.deepEqual(await hear(worker, ['worker.emit("ev", 1, to="team")']), [[[1]], [[1]]]);
    const said = new Promise((resolve) => ann.once('new_message', resolve));
    let eavesdropped = false;
    bob.once('new_message', () => (eavesdropped = true));
    await ann.emitWithAck('send_group_message', { group_name: 'team', message: 'for members alone' });
    await said;
    assert.deepEqual(await hear(worker, []), [[], []]);
    assert.equal(eavesdropped, false, 'a room of outside brings nothing of the group of its name');

    await worker(`server.manager.leave_room("${bob.id}", "/", "team")`);
    assert.deepEqual(await hear(worker, ['worker.emit("ev", 2, to="team")']), [[[2]], []]);
    await worker(enter);
    await worker('worker.close_room("team")');
    assert.deepEqual(await hear(worker, ['worker.emit("ev", 3, to="team")']), [[[3]], []], 'nobody left the group');

    const inRoom = await join('carl', '/rooms/public');
    await worker('worker.emit("ev", 4, namespace="/rooms/public")');
    await worker('worker.emit("end", namespace="/rooms/public")');
    assert.deepEqual(await heardUntilEnd(inRoom), [[4]]);
    assert.deepEqual(await hear(worker, []), [[], []], 'the other namespace hears nothing of it');
    const reason = once(inRoom, 'disconnect');
    await worker(`worker.server.disconnect("${inRoom.id}", namespace="/rooms/public")`);
    assert.deepEqual((await reason)[0], 'io server disconnect');
  } finally {
    await worker.end();
  }
});

test('what is hostile or reserved is a line in the log', { timeout: 60_000 }, async () => {
  const worker = await startWorker('5.18.1');
  try {
    const before = server.output.length;
    const system = 'base64.b64encode(b"cos\\nsystem\\n(S\'touch hacked-by-pickle\'\\ntR.").decode()';
    const modern = 'base64.b64encode(__import__("pickle").dumps(__import__("os").system)).decode()';
    const lines = [`publish(${system})`, `publish(${modern})`, 'publish("/w==")', `publish(base64.b64encode(b"x" * 2000000).decode())`];
    assert.deepEqual(await hear(worker, [...lines, 'worker.emit("disconnect", 1)', 'worker.emit("ev", 1)']), [[[1]], [[1]]]);
    const log = server.output.slice(before);
    assert.match(log, /holds more than plain data/);
    assert.match(log, /neither JSON nor a pickle/);
    assert.match(log, /larger than MAX_HTTP_BUFFER_SIZE/);
    assert.match(log, /event must have a name/);
    assert.doesNotMatch(log, /hacked|system/);
    assert.equal(existsSync(`${server.dir}/hacked-by-pickle`), false);
    const [, metrics] = /Metrics are at (\S+)/.exec(server.output);
    const counts = await (await fetch(metrics)).text();
    assert.match(counts, /secure_chat_queue_messages_total\{outcome="malformed"\} 4/);
    assert.match(counts, /secure_chat_queue_messages_total\{outcome="refused"\} \d+/);
  } finally {
    await worker.end();
  }
});

test('Redis goes and comes back; the chat goes on', { timeout: 60_000 }, async () => {
  await redis.kill();
  await logged(/the Flask queue lost Redis/);
  const said = new Promise((resolve) => people.bob.once('new_message', resolve));
  await people.ann.emitWithAck('send_public_message', { message: 'without Redis' });
  await said;
  await redis.start();
  await logged(/the Flask queue is back/);
  const worker = await startWorker('5.18.1');
  try {
    assert.deepEqual(await hear(worker, ['worker.emit("ev", "again")']), [[['again']], [['again']]]);
    assert.equal(await worker(`ask("${people.bob.id}")`), "['answer', {'of': 'bob', 'to': {'q': 1}}]");
    assert.equal(server.output.match(/lost Redis/g).length, 1);
  } finally {
    await worker.end();
  }
});

test('POST /api/emit does the same without Redis', { timeout: 60_000 }, async () => {
  const post = async (body, token = TOKEN) => {
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
    const answer = await fetch(`${server.url}/api/emit`, { method: 'POST', headers, body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };
  const { ann, bob } = people;
  assert.deepEqual(await post({ event: 'ev', data: { a: 1 } }), [200, { ok: true, delivered: 2 }]);
  assert.deepEqual(await post({ event: 'ev', args: ['a', 2], to: 'team' }), [200, { ok: true, delivered: 1 }]);
  assert.deepEqual(await post({ event: 'ev', to: [bob.id, 'team'], skip_sid: ann.id }), [200, { ok: true, delivered: 1 }]);
  assert.deepEqual(await post({ event: 'end' }), [200, { ok: true, delivered: 2 }]);
  assert.deepEqual(await heardUntilEnd(ann), [[{ a: 1 }], ['a', 2]]);
  assert.deepEqual(await heardUntilEnd(bob), [[{ a: 1 }], []]);
});
