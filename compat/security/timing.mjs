// Whether the time of a failed login tells that there is such an account: Welch's t-test over interleaved tries.

import { Agent, request } from 'node:http';
import { startServer } from '../lib/server.mjs';

const TRIES = Number(process.env.TRIES ?? 2_000); // of each kind
const ACCOUNTS = 20;
const GOAL = 4.5;

const server = await startServer();
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const names = Array.from({ length: ACCOUNTS }, (_, i) => `account${i}`);
for (const username of names) await post('/api/register', { username, password: 'correct horse battery' });

const times = { existing: [], unknown: [] };
for (let i = 0; i < TRIES; i += 1) {
  // In random order, so that whatever repeats on the machine meets both kinds alike.
  const pair = [['existing', names[i % ACCOUNTS]], ['unknown', `nobodyx${i % ACCOUNTS}`]];
  if (Math.random() < 0.5) pair.reverse();
  for (const [kind, username] of pair) {
    const start = process.hrtime.bigint();
    const status = await post('/api/login', { username, password: 'a wrong password' });
    if (status !== 401) throw new Error(`status ${status}`);
    times[kind].push(Number(process.hrtime.bigint() - start) / 1e6);
  }
}
await server.stop();

// The slowest are what the machine did meanwhile; cut at one bound for both, or the cut itself would tell them apart.
const bound = [...times.existing, ...times.unknown].sort((a, b) => a - b)[Math.floor(TRIES * 2 * 0.98)];
const [a, b] = [times.existing, times.unknown].map((values) => moments(values.filter((value) => value <= bound)));
const t = (a.mean - b.mean) / Math.sqrt(a.variance / a.count + b.variance / b.count);
console.log(`existing: ${a.mean.toFixed(3)} ms ± ${Math.sqrt(a.variance).toFixed(3)}, unknown: ${b.mean.toFixed(3)} ms ± ${Math.sqrt(b.variance).toFixed(3)}`);
console.log(`Welch's t = ${t.toFixed(2)}, goal below ${GOAL}: ${Math.abs(t) < GOAL ? 'met' : 'MISSED'}`);
process.exitCode = Math.abs(t) < GOAL ? 0 : 1;

function moments(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, variance, count: values.length };
}

function post(path, body) {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    const sent = request(server.url + path, { method: 'POST', agent, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode));
    });
    sent.once('error', reject);
    sent.end(text);
  });
}
