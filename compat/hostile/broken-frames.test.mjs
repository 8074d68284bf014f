// Frames that no client library sends. The original logs them and goes on; here most of them end the connection that sent
// them, since the Socket.IO library does so, and nobody else notices.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RawSocket } from '../lib/raw-socket.mjs';
import { startServer } from '../lib/server.mjs';

const BROKEN_FRAMES = {
  'NaN, which Python takes for JSON': '42["send_public_message",{"message":NaN}]',
  '-Infinity, likewise': '42["send_public_message",{"message":-Infinity}]',
  'JSON that does not end': '42["send_public_message",{"message":"x',
  'an escape in the name of the event': '42["send_public_message\\u0000",{}]',
  'half a surrogate pair in the name of the event': '42["send_public_message\\ud83d",{}]',
  'an event without a name': '42[]',
  'an event whose name is null': '42[null]',
  'an event whose name is a number': '42[5,{}]',
  'an event that is an object': '42{}',
  'an event that is nothing': '42',
  'an unknown Socket.IO type': '48["send_public_message",{}]',
  'a message that is nothing': '4',
  'an unknown Engine.IO type': '9',
};

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

for (const [what, frame] of Object.entries(BROKEN_FRAMES)) {
  test(`${what} ends the connection and nothing else`, { timeout: 10_000 }, async (t) => {
    const bystander = await joined(t, 'bystander');
    const breaker = await joined(t, 'breaker');
    breaker.send(frame);
    await assert.rejects(breaker.nextEvent('new_message'), /closed/);
    assert.equal((await bystander.nextEvent('user_left')).username, 'breaker');
    bystander.send('42["send_public_message",{"message":"still here"}]');
    assert.equal((await bystander.nextEvent('new_message')).message, 'still here');
  });
}

test('JSON with more behind it is answered', { timeout: 10_000 }, async (t) => {
  const breaker = await joined(t, 'breaker');
  breaker.send('42["send_public_message",{"message":"x"}]x');
  const { code, event } = await breaker.nextEvent('error');
  assert.deepEqual({ code, event }, { code: 'invalid', event: 'send_public_message' });
});

async function joined(t, name) {
  const socket = await RawSocket.open(server);
  t.after(() => socket.close());
  await socket.join(name);
  return socket;
}
