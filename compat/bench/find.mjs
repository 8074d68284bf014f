// Benchmark (c): the first page of a room with a million messages, and searches through it. Times are from the call to its
// ack at a client on the same machine. Prints a Markdown table; see README.md beside this file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';
import { startServer } from '../lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    calls: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const LOAD = fileURLToPath(new URL('../../target/release/examples/bench_load', import.meta.url));
const ROOM = 'bench0';
const GOALS = { 'first page': 10 };
const SEARCH_GOAL = 50;

const server = await startServer();
try {
  await fill(server.url, Number(options.messages));
  const size = (await stat(join(server.dir, 'chat_app.db'))).size;
  console.log(`${options.messages} messages, ${Math.round(size / Number(options.messages))} bytes each in the database\n`);
  const client = await enter(server.url);
  const words = await someWords(client);
  console.log('| what | calls | p50 ms | p95 ms | max ms | hits | goal p95 |\n|---|---:|---:|---:|---:|---:|---|');
  for (const [name, payload, event = 'search_messages'] of questions(words)) {
    if (name.includes(options.only)) await measure(client, name, event, payload);
  }
  client.close();
} finally {
  await server.stop();
}

async function fill(url, count) {
  const started = Date.now();
  const load = spawn(
    LOAD,
    [url, 'post', '--senders=20', '--rooms=1', '--window=60', '--seconds=3600', '--length=100', `--count=${count}`],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  load.stdout.resume();
  load.stdin.end('\n\n');
  const [code] = await once(load, 'exit');
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  console.log(`stored ${count} messages in ${Math.round((Date.now() - started) / 1000)} s`);
}

async function enter(url) {
  const client = io(url, { transports: ['websocket'] });
  await once(client, 'connect');
  await call(client, 'join_chat', { username: 'reader' });
  await call(client, 'join_group', { group_name: ROOM });
  return client;
}

async function call(client, event, payload) {
  const ack = await client.timeout(60_000).emitWithAck(event, payload);
  if (!ack.ok) throw new Error(`${event}: ${JSON.stringify(ack.error)}`);
  return ack;
}

/** Words from all over the room: frequent ones and rare ones. */
async function someWords(client) {
  const words = [];
  for (let before = Number(options.messages); before > 100; before -= Math.ceil(Number(options.messages) / 100)) {
    const { messages } = await call(client, 'get_history', { room: ROOM, before, limit: 5 });
    for (const { message } of messages) words.push(message.split(' ').slice(4, -1));
  }
  return words;
}

function questions(lines) {
  const any = (list) => list[Math.floor(Math.random() * list.length)];
  const line = () => any(lines);
  const word = () => any(line());
  const pair = () => {
    const words = line();
    const at = Math.floor(Math.random() * (words.length - 1));
    return words.slice(at, at + 2);
  };
  const asked = (make) => () => ({ query: make(), room: ROOM });
  return [
    ['first page', () => ({ room: ROOM }), 'get_history'],
    ['a page in the middle', () => ({ room: ROOM, before: 1 + Math.floor(Math.random() * options.messages) }), 'get_history'],
    ['one word', asked(word)],
    ['two words', asked(() => `${word()} ${word()}`)],
    ['two words of one message', asked(() => pair().join(' '))],
    ['a phrase', asked(() => `"${pair().join(' ')}"`)],
    ['a beginning', asked(() => `${word().slice(0, 3 + Math.floor(Math.random() * 3))}*`)],
    ['a word by somebody', asked(() => `${word()} from:sender${Math.floor(Math.random() * 20)}`)],
    ['a word in an hour', asked(() => `${word()} after:${new Date(Date.now() - 3_600_000).toISOString()}`)],
    ['no such word', asked(() => `zz${word()}`)],
  ];
}

async function measure(client, name, event, payload) {
  const times = [];
  let hits = 0;
  const calls = Number(options.calls);
  for (let number = 0; number < calls; number++) {
    const started = performance.now();
    const ack = await call(client, event, payload());
    times.push(performance.now() - started);
    hits += (ack.hits ?? ack.messages).length;
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))].toFixed(1);
  const goal = GOALS[name] ?? SEARCH_GOAL;
  const met = Number(at(0.95)) <= goal ? 'met' : 'MISSED';
  console.log(`| ${name} | ${calls} | ${at(0.5)} | ${at(0.95)} | ${at(1)} | ${(hits / calls).toFixed(1)} | ${goal}: ${met} |`);
}
