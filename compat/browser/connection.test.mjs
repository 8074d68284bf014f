// The connection breaks and comes back: what a person sees of it, and that nothing is lost.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe } from 'node:test';
import { join } from 'node:path';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Person);
const OUTAGE = /ERR_CONNECTION_REFUSED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INTERNET_DISCONNECTED/;

/** Writes down each state that the page shows from here on. */
const watchStates = (person) =>
  person.page.evaluate(() => {
    const place = document.querySelector('#connection');
    window.states = [];
    new MutationObserver(() => window.states.at(-1) !== place.dataset.state && window.states.push(place.dataset.state)).observe(place, { attributes: true });
  });
const statesOf = (person) => person.page.evaluate(() => window.states);

describe('when the server goes away', () => {
  inScene('a restart that is over in a moment is not shown', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await watchStates(alice);
    const again = alice.page.waitForResponse(/transport=polling/);
    await scene.server.kill('SIGKILL');
    await scene.server.start(scene.server.port);
    await again;
    await bob.say('are you there?');
    await alice.reads('are you there?');
    assert.deepEqual(await statesOf(alice), []);
  });

  inScene('first nothing, then "Reconnecting", then "Offline"; what was said meanwhile is there', async (scene) => {
    scene.expected = OUTAGE;
    const alice = await scene.joins('alice');
    await watchStates(alice);
    await scene.server.kill('SIGKILL');
    await alice.page.getByText('Reconnecting…').waitFor();
    await alice.page.getByText('Offline. What you write is sent when you are back.').waitFor({ timeout: 25_000 });
    await scene.server.start(scene.server.port);
    await alice.page.getByRole('button', { name: 'Reconnect now' }).click();
    await alice.is('connected');
    assert.deepEqual(await statesOf(alice), ['reconnecting', 'offline', 'connected']);
    await alice.say('back');
    await alice.reads('back');
  });

  inScene('killed and started again: pages come back to their rooms and chat on, nothing twice', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('before, in public');
    await bob.reads('before, in public');
    await alice.createGroup('team', 'pw');
    await bob.joinGroup('team', 'pw');
    await bob.say('before, in the team');
    await alice.reads('before, in the team');

    await scene.server.kill('SIGKILL');
    await alice.is('reconnecting');
    await alice.say('said into the void');
    await scene.server.start(scene.server.port);
    for (const person of [alice, bob]) await person.is('connected');
    await bob.reads('said into the void', 'alice');
    await bob.say('after, in the team');
    await alice.reads('after, in the team', 'bob');
    for (const person of [alice, bob]) assert.deepEqual(await person.texts(), ['before, in the team', 'said into the void', 'after, in the team']);
    for (const person of [alice, bob]) {
      await person.openRoom('public');
      await person.say(`after, in public, ${person.name}`);
    }
    for (const person of [alice, bob]) {
      for (const name of ['alice', 'bob']) await person.reads(`after, in public, ${name}`);
      assert.deepEqual((await person.texts()).toSorted(), ['after, in public, alice', 'after, in public, bob', 'before, in public']);
    }
  });

  inScene('a group that is gone when the server is back: the page says so and goes on', async (scene) => {
    scene.expected = OUTAGE;
    const alice = await scene.joins('alice');
    await alice.createGroup('team', 'pw');
    await scene.server.kill('SIGKILL');
    await alice.is('reconnecting');
    for (const file of ['', '-wal', '-shm']) await rm(join(scene.server.dir, `chat_app.db${file}`), { force: true });
    await scene.server.start(scene.server.port);
    await alice.is('connected');
    await alice.notices('You are no longer in team.');
    assert.equal(await alice.roomLink('team').count(), 0);
    await alice.openRoom('public');
    await alice.say('still here');
    await alice.reads('still here');
  });
});

describe('when the network goes away', () => {
  inScene('the browser knows at once; what was said, changed and deleted meanwhile is as it should be', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    for (const text of ['one', 'wrong', 'too much']) {
      await alice.say(text);
      await bob.reads(text);
    }
    await bob.page.context().setOffline(true);
    await bob.is('offline');
    await alice.choose('wrong', 'Edit');
    await alice.say('right');
    await alice.reads('right');
    await alice.choose('too much', 'Delete…');
    await alice.page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
    await alice.say('two');
    await alice.reads('two');
    await bob.page.context().setOffline(false);
    await bob.is('connected');
    await bob.reads('two');
    await alice.say('three');
    await bob.reads('three');
    assert.deepEqual(await bob.texts(), ['one', 'right(edited)', 'two', 'three']);
  });
});
