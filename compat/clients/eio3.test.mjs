// Socket.IO 2.x clients (Engine.IO 3) are served: over polling, over websocket, and over an upgrade from one to the other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import io2 from 'socket.io-client-2';
import { startServer } from '../lib/server.mjs';

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

const WAYS = {
  'polling alone': { transports: ['polling'] },
  'websocket alone': { transports: ['websocket'] },
  'an upgrade': { transports: ['polling', 'websocket'] },
};

for (const [way, options] of Object.entries(WAYS)) {
  test(`a 2.x client chats over ${way}`, { timeout: 20_000 }, async (t) => {
    const old = io2(server.url, { ...options, forceNew: true, reconnection: false });
    const modern = io(server.url, { forceNew: true, reconnection: false });
    t.after(() => [old, modern].forEach((socket) => socket.close()));
    const upgraded = way === 'an upgrade' && once(old.io.engine, 'upgrade');
    await Promise.all([once(old, 'connect'), join(modern, 'modern')]);
    await upgraded;

    const met = heard(modern, 'user_joined');
    const joined = await join(old, 'old');
    assert.equal(joined.username, 'old');
    assert.deepEqual(await met, { username: 'old', room: 'public' });

    const [own, echo, answer] = await Promise.all([
      heard(old, 'new_message'), heard(modern, 'new_message'), acked(old, 'send_public_message', { message: 'héllo 🎉' }),
    ]);
    assert.equal(own.message, 'héllo 🎉');
    assert.deepEqual(echo, own);
    assert.equal(answer.ok, true);

    const [reply] = await Promise.all([heard(old, 'new_message'), acked(modern, 'send_public_message', { message: 'welcome' })]);
    assert.equal(reply.message, 'welcome');

    const [error, refusal] = await Promise.all([heard(old, 'error'), acked(old, 'send_public_message', {})]);
    assert.equal(error.code, 'invalid');
    assert.equal(refusal.ok, false);

    assert.equal(transportOf(old), way === 'polling alone' ? 'polling' : 'websocket');
  });
}

async function join(socket, username) {
  const joined = heard(socket, 'chat_joined');
  socket.emit('join_chat', { username });
  return joined;
}

const heard = (socket, event) => new Promise((resolve) => socket.once(event, resolve));
const acked = (socket, event, payload) => new Promise((resolve) => socket.emit(event, payload, resolve));
const transportOf = (socket) => socket.io.engine.transport.name;
