// Benchmark (d): the page in Chromium. The first picture over a slow network, how much script it loads, and a room of 10,000
// messages scrolled to its beginning and back. Prints Markdown tables; see README.md beside this file.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';
import { openBrowser } from '../browser/people.mjs';
import { Reader, say, texts } from '../browser/reader.mjs';
import { startServer } from '../lib/server.mjs';

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '10000' },
    loads: { type: 'string', default: '7' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});
// As Chromium's developer tools have it under this name.
const FAST_3G = { offline: false, latency: 562.5, downloadThroughput: ((1.6 * 1_000_000) / 8) * 0.9, uploadThroughput: ((750 * 1_000) / 8) * 0.9 };
const GOALS = { paint: 1_000, script: 150, heap: 100 };
const LONG_MS = 50;

const server = await startServer();
const browser = await openBrowser();
try {
  if ('load'.includes(options.only)) await load();
  if ('scroll'.includes(options.only)) await scroll();
} finally {
  await browser.close();
  await server.stop();
}

async function load() {
  const found = [];
  for (let number = 0; number < Number(options.loads); number += 1) found.push(await loadOnce());
  console.log(`\nA cold cache, Fast 3G, ${options.loads} times\n\n| what | least | median | most | goal |\n|---|---:|---:|---:|---|`);
  row('first paint, ms', found.map(({ paint }) => paint), GOALS.paint);
  row('first contentful paint, ms', found.map(({ contentful }) => contentful), GOALS.paint);
  row('the join form can be used, ms', found.map(({ usable }) => usable));
  row('script as transferred, KB', found.map(({ script }) => script / 1_000), GOALS.script);
  row('scripts', found.map(({ scripts }) => scripts));
  row('everything as transferred, KB', found.map(({ all }) => all / 1_000));
}

/** Opens the page in a browser profile that has nothing of it. */
async function loadOnce() {
  const context = await browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setCacheDisabled', { cacheDisabled: true });
  await session.send('Network.emulateNetworkConditions', FAST_3G);
  const [kinds, sizes] = [new Map(), new Map()];
  session.on('Network.responseReceived', ({ requestId, type }) => kinds.set(requestId, type));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => sizes.set(requestId, encodedDataLength));
  await page.goto(server.url, { waitUntil: 'commit' });
  await page.locator('#username').waitFor({ timeout: 60_000 });
  const times = await page.evaluate(() => ({ usable: performance.now(), ...Object.fromEntries(performance.getEntriesByType('paint').map(({ name, startTime }) => [name, startTime])) }));
  await page.waitForLoadState('load');
  await context.close();
  const of = (kind) => [...sizes].filter(([id]) => !kind || kinds.get(id) === kind).map(([, size]) => size);
  const sum = (list) => list.reduce((total, size) => total + size, 0);
  return { paint: times['first-paint'], contentful: times['first-contentful-paint'], usable: times.usable, script: sum(of('Script')), scripts: of('Script').length, all: sum(of()) };
}

async function scroll() {
  const seed = io(server.url, { forceNew: true, transports: ['websocket'] });
  await seed.emitWithAck('join_chat', { username: 'seed' });
  await say(seed, texts(Number(options.messages)));
  seed.close();
  const found = [];
  for (let round = 0; round < Number(options.rounds); round += 1) found.push(await scrollOnce(`reader ${round}`));
  console.log(`\n${options.messages} messages, from the end to the beginning and back, ${options.rounds} times (load of the machine: ${await loadOfMachine()})\n\n| what | least | median | most | goal |\n|---|---:|---:|---:|---|`);
  row('JS heap before, MB', found.map(({ before }) => before / 1e6));
  row('JS heap after, MB', found.map(({ after }) => after / 1e6), GOALS.heap);
  row('elements of the page, at most', found.map(({ elements }) => elements));
  row(`tasks above ${LONG_MS} ms`, found.map(({ long }) => long.length), 1);
  row('the longest task, ms', found.map(({ long }) => Math.max(0, ...long)));
  row('the whole way, s', found.map(({ seconds }) => seconds));
}

async function scrollOnce(name) {
  const reader = await Reader.join(browser, server, name);
  await reader.isAtEnd();
  const session = await reader.page.context().newCDPSession(reader.page);
  const before = await heap(session);
  await reader.page.evaluate(() => {
    window.long = [];
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  const started = performance.now();
  const elements = Math.max(await wheelAll(reader, 'start'), await wheelAll(reader, 'end'));
  const seconds = (performance.now() - started) / 1000;
  const long = await reader.page.evaluate(() => window.long);
  const after = await heap(session);
  await reader.page.context().close();
  return { before, after, elements, long, seconds };
}

/** Turns the wheel as fast as the page follows, with as little in the page's way as can be. Gives how many elements it had at most. */
async function wheelAll({ page, log }, end) {
  const box = await log.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  let most = 0;
  for (;;) {
    for (let turns = 0; turns < 10; turns += 1) await page.mouse.wheel(0, end === 'start' ? -400 : 400);
    const { isThere, elements } = await page.evaluate((end) => {
      const log = document.querySelector('#log');
      const isAtStop = end === 'start' ? log.scrollTop < 1 : log.scrollHeight - log.scrollTop - log.clientHeight < 1;
      const isThere = isAtStop && (end === 'start' ? log.querySelector('[data-seq]').dataset.seq === '1' : !document.querySelector('.to-latest'));
      return { isThere, elements: document.getElementsByTagName('*').length };
    }, end);
    most = Math.max(most, elements);
    if (isThere) return most;
  }
}

async function heap(session) {
  await session.send('HeapProfiler.enable');
  for (let times = 0; times < 3; times += 1) await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.send('HeapProfiler.disable');
  return usedSize;
}

async function loadOfMachine() {
  return (await readFile('/proc/loadavg', 'utf8')).split(' ')[0];
}

function row(what, values, goal) {
  const sorted = values.toSorted((one, other) => one - other);
  const shown = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((value) => (value < 100 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)));
  const met = goal === undefined ? '' : `below ${goal}: ${sorted[Math.floor(sorted.length / 2)] < goal ? 'met' : 'MISSED'}`;
  console.log(`| ${what} | ${shown.join(' | ')} | ${met} |`);
}
