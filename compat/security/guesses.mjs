// 10,000 guesses of one account's password at full speed, from many addresses; meanwhile its owner logs in.

import { startServer } from '../lib/server.mjs';

const GUESSES = 10_000;
const AT_ONCE = 50;
const MINUTE_MS = 60_000;
const GOAL = 60; // guesses checked in a minute
const OWN_ADDRESS = '198.51.100.1';

const server = await startServer({ RATELIMIT_ENABLED: 'true', TRUSTED_PROXIES: '127.0.0.1' });
const password = 'correct horse battery';
const made = await post('/api/register', { username: 'victim', password }, OWN_ADDRESS);
const device = made.headers.getSetCookie().find((cookie) => cookie.startsWith('secure_chat_device=')).split(';')[0];

const start = Date.now();
let guessed = 0;
let checked = 0;
await Promise.all(Array.from({ length: AT_ONCE }, attack));
const minutes = Math.max((Date.now() - start) / MINUTE_MS, 1);
const owner = await post('/api/login', { username: 'victim', password }, OWN_ADDRESS, device);
await server.stop();

console.log(`${guessed} guesses in ${((Date.now() - start) / 1000).toFixed(1)} s, ${checked} of them checked; the owner's login: ${owner.status}`);
const met = checked / minutes <= GOAL && owner.status === 200;
console.log(`at most ${GOAL} a minute, and the owner gets in: ${met ? 'met' : 'MISSED'}`);
process.exitCode = met ? 0 : 1;

async function attack() {
  while (guessed < GUESSES) {
    guessed += 1;
    const address = `203.0.${guessed % 113}.${guessed % 251}`;
    const { status } = await post('/api/login', { username: 'victim', password: `guess ${guessed}` }, address);
    if (status === 401) checked += 1;
    else if (status !== 429) throw new Error(`status ${status}`);
  }
}

function post(path, body, address, cookie = '') {
  const headers = { 'Content-Type': 'application/json', 'X-Forwarded-For': address, Cookie: cookie };
  return fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
}
