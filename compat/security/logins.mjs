// What 200 logins at once do to the chat of others: the time from sending a message to its ack, before and meanwhile.

import { once } from 'node:events';
import { io } from 'socket.io-client';
import { startServer } from '../lib/server.mjs';

const LOGINS = 200;
const GOAL = 2; // times slower, at most
const EVERY_MS = 20;

const server = await startServer();
const password = 'correct horse battery';
await post('/api/register', { username: 'ann', password });
const socket = io(server.url, { transports: ['websocket'], forceNew: true });
socket.emit('join_chat', { username: 'bob' });
await once(socket, 'chat_joined');

await chatUntil(wait(3_000)); // warm
const quiet = await chatUntil(wait(10_000));
let statuses = [];
const logins = Promise.all(Array.from({ length: LOGINS }, () => post('/api/login', { username: 'ann', password })));
const busy = await chatUntil(logins.then((all) => (statuses = all)));
socket.disconnect();
await server.stop();

const succeeded = statuses.filter((status) => status === 200).length;
const ratio = median(busy) / median(quiet);
console.log(`quiet: median ${median(quiet).toFixed(2)} ms of ${quiet.length}; meanwhile: ${median(busy).toFixed(2)} ms of ${busy.length}; ${succeeded} of ${LOGINS} logins succeeded`);
console.log(`ratio ${ratio.toFixed(2)}, goal at most ${GOAL}: ${ratio <= GOAL && succeeded === LOGINS ? 'met' : 'MISSED'}`);
process.exitCode = ratio <= GOAL && succeeded === LOGINS ? 0 : 1;

/** Sends a message every now and then until `end` is there; how long each took, in ms. */
async function chatUntil(end) {
  const times = [];
  let over = false;
  end.then(() => (over = true));
  while (!over) {
    const start = process.hrtime.bigint();
    await socket.emitWithAck('send_public_message', { message: 'hello' });
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
    await wait(EVERY_MS);
  }
  return times;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

async function post(path, body) {
  const answer = await fetch(server.url + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  return answer.status;
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
