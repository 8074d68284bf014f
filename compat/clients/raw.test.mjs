// The Engine.IO edge without a client library: handshake, refusals, origins and size limits, byte for byte.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { RawSocket, eventIn } from '../lib/raw-socket.mjs';
import { startServer } from '../lib/server.mjs';
import { assertError } from '../lib/shape.mjs';

const MAX_PAYLOAD = 1_000_000;
const UNSUPPORTED = 'The client is using an unsupported version of the Socket.IO or Engine.IO protocols';
const FOREIGN = 'https://evil.example';

let server;
before(async () => (server = await startServer()));
after(() => server.stop());

describe('handshake', { timeout: 20_000 }, () => {
  test('polling', async () => {
    const response = await poll(server, 'EIO=4&transport=polling');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type').toLowerCase(), 'text/plain; charset=utf-8');
    assertOpen(await response.text(), ['websocket']);
  });

  test('polling is what no transport means', async () => {
    assertOpen(await (await poll(server, 'EIO=4')).text(), ['websocket']);
  });

  test('websocket', async (t) => {
    const socket = await rawSocket(t, server);
    assertOpen(await socket.next(), []);
  });

  test('no session data before the client asks with 40', async (t) => {
    const silent = await rawSocket(t, server);
    const other = await joinedSocket(t, server, 'other');
    other.send('42["create_group",{"group_name":"seen by all"}]');
    await other.nextEvent('group_list_updated');

    await silent.next();
    silent.send('40');
    assert.match(await silent.next(), /^40\{"sid":"[^"]+"\}$/, 'the first packet after the handshake');
  });
});

describe('refusals are 400 with a JSON string', { timeout: 20_000 }, () => {
  const REFUSED = [
    ['GET', 'transport=polling', UNSUPPORTED],
    ['GET', 'EIO=5&transport=polling', UNSUPPORTED],
    ['GET', 'EIO=4&transport=carrier-pigeon', 'Invalid transport'],
    ['GET', 'EIO=4&transport=websocket', 'Invalid websocket upgrade'],
    ['GET', 'EIO=4&transport=polling&sid=nobody', 'Invalid session nobody'],
    ['POST', 'EIO=4&transport=polling&sid=nobody', 'Invalid session nobody'],
    ['POST', 'EIO=4&transport=polling', 'Invalid session None'],
  ];
  for (const [method, query, says] of REFUSED) {
    test(`${method} ${query}`, async () => assertRefused(await poll(server, query, { method }), says));
  }

  const REFUSED_UPGRADES = [
    ['transport=websocket', UNSUPPORTED],
    ['EIO=5&transport=websocket', UNSUPPORTED],
    ['EIO=4&transport=websocket&sid=nobody', 'Invalid session nobody'],
  ];
  for (const [query, says] of REFUSED_UPGRADES) {
    test(`websocket ${query}`, async (t) => assertRefused(await refusedUpgrade(t, server, { query }), says));
  }
});

describe('origins', { timeout: 20_000 }, () => {
  const setting = /CORS_ALLOWED_ORIGINS/;

  test('a foreign one is refused and told the setting', async (t) => {
    const polling = await poll(server, 'EIO=4&transport=polling', { origin: FOREIGN });
    assert.equal(polling.status, 400);
    assert.match(await polling.text(), setting);
    const upgrade = await refusedUpgrade(t, server, { origin: FOREIGN });
    assert.equal(upgrade.status, 400);
    assert.match(await upgrade.text(), setting);
  });

  test('the same one is accepted', (t) => assertAccepted(t, server, server.url));

  test('any one is accepted with CORS_ALLOWED_ORIGINS=*', async (t) => {
    const open = await startServer({ CORS_ALLOWED_ORIGINS: '*' });
    t.after(() => open.stop());
    await assertAccepted(t, open, FOREIGN);
  });

  async function assertAccepted(t, server, origin) {
    const polling = await poll(server, 'EIO=4&transport=polling', { origin });
    assert.equal(polling.status, 200);
    assert.equal(polling.headers.get('access-control-allow-origin'), origin);
    assert.equal(polling.headers.get('access-control-allow-credentials'), 'true');
    assertOpen(await polling.text(), ['websocket']);
    const socket = await rawSocket(t, server, { origin });
    assertOpen(await socket.next(), []);
  }
});

describe('size', { timeout: 30_000 }, () => {
  test('a websocket message of 1,000,000 bytes is answered', async (t) => {
    const socket = await joinedSocket(t, server, 'large');
    socket.send(publicMessage(MAX_PAYLOAD));
    assertTooLarge(await socket.nextEvent('error'));
  });

  test('one of 1,000,001 closes the websocket', async (t) => {
    const socket = await joinedSocket(t, server, 'larger');
    socket.send(publicMessage(MAX_PAYLOAD + 1));
    await assert.rejects(socket.nextEvent('error'), /closed/);
  });

  test('a POST of 1,000,000 bytes is answered', async () => {
    const session = await pollingSession();
    assert.equal((await session.post(publicMessage(MAX_PAYLOAD))).status, 200);
    assertTooLarge(eventIn(await session.get(), 'error'));
  });

  test('one of 1,000,001 is refused', async () => {
    const session = await pollingSession();
    const response = await session.post(publicMessage(MAX_PAYLOAD + 1));
    assert.ok(response.status >= 400 && response.status < 500, `${response.status} is a refusal`);
  });
});

function assertOpen(packet, upgrades) {
  assert.equal(packet[0], '0');
  const { sid, ...open } = JSON.parse(packet.slice(1));
  assert.match(sid, /^[\w-]{16,}$/);
  assert.deepEqual(open, { upgrades, pingInterval: 25_000, pingTimeout: 20_000, maxPayload: MAX_PAYLOAD });
}

async function assertRefused(response, says) {
  assert.equal(response.status, 400);
  assert.match(response.headers.get('content-type'), /^text\/plain/);
  assert.equal(await response.text(), JSON.stringify(says));
}

function assertTooLarge(error) {
  assertError(error);
  assert.equal(error.code, 'too_large');
  assert.equal(error.event, 'send_public_message');
}

/** The packet of a public message that has exactly so many bytes. */
function publicMessage(bytes) {
  const packet = (text) => `42["send_public_message",{"message":"${text}"}]`;
  return packet('a'.repeat(bytes - packet('').length));
}

async function rawSocket(t, server, options) {
  const socket = await RawSocket.open(server, options);
  t.after(() => socket.close());
  return socket;
}

async function joinedSocket(t, server, username) {
  const socket = await rawSocket(t, server);
  await socket.join(username);
  return socket;
}

function poll({ url }, query, { origin, ...options } = {}) {
  return fetch(`${url}/socket.io/?${query}`, { headers: origin ? { origin } : {}, ...options });
}

/** A polling session that has joined the chat. */
async function pollingSession() {
  const { sid } = JSON.parse((await (await poll(server, 'EIO=4&transport=polling')).text()).slice(1));
  const query = `EIO=4&transport=polling&sid=${sid}`;
  const session = {
    post: (body) => poll(server, query, { method: 'POST', body }),
    get: async () => (await poll(server, query)).text(),
  };
  await session.post('40');
  while (!/(^|\x1e)40/.test(await session.get()));
  await session.post('42["join_chat",{"username":"poller"}]');
  while (!eventIn(await session.get(), 'chat_joined'));
  return session;
}

/** The answer to a websocket request that is refused. */
async function refusedUpgrade(t, server, { query = 'EIO=4&transport=websocket', origin }) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/socket.io/?${query}`, { origin });
  t.after(() => socket.terminate());
  const accepted = once(socket, 'open').then(() => assert.fail('the websocket was accepted'));
  const [, response] = await Promise.race([once(socket, 'unexpected-response'), accepted]);
  const body = (await response.setEncoding('utf8').toArray()).join('');
  return new Response(body, { status: response.statusCode, headers: response.headers });
}
