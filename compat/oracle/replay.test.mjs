// Replays what was recorded from the original (vectors/main): our server must take the same course, but for CONTRACT.md, part 2.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startServer } from '../lib/server.mjs';
import { compare } from './compare.mjs';
import { courseOf } from './differences.mjs';
import { play } from './player.mjs';

const VECTORS = new URL('../vectors/main/', import.meta.url);

// Most of a scenario is quiet time, so several run at once, each on a server of its own.
describe('the original, replayed', { concurrency: 6 }, () => {
  for (const file of readdirSync(VECTORS).sort()) {
    const scenario = JSON.parse(readFileSync(new URL(file, VECTORS), 'utf8'));
    test(scenario.name, { timeout: 120_000 }, () => replay(scenario));
  }
});

async function replay(scenario) {
  const course = courseOf(scenario);
  // Another zone than the tests': a local time that is passed off as UTC is then hours away.
  const server = await startServer({ TZ: 'Asia/Kolkata' });
  try {
    const due = (step) => course.expect.filter(({ after_step }) => after_step === step).length;
    compare(course, await play(course, server, due));
  } finally {
    await server.stop();
  }
}
