// Searching, and being told: the panel of search, the title, notifications of the system, the settings of both, the installed page.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Person);
const dialog = (person) => person.page.locator('dialog[open]');

/** Types words into the panel of search and looks for them. */
async function looksFor(person, words) {
  if (!(await person.page.locator('#drawer [role=search]').count())) await person.page.getByRole('button', { name: 'Search all rooms' }).click();
  await person.page.getByRole('searchbox', { name: 'Words to look for' }).fill(words);
  await person.page.keyboard.press('Enter');
}

const hits = (person) => person.page.locator('#drawer .hit-text');

/** As if the person had gone to another window, or come back. */
const looksAway = (person, away) =>
  person.page.evaluate((away) => {
    document.hasFocus = () => !away;
    dispatchEvent(new Event(away ? 'blur' : 'focus'));
  }, away);

describe('search', () => {
  inScene('words are found in all rooms, marked, and opened in their place', async (scene) => {
    const alice = await scene.joins('alice');
    const bob = await scene.rawClient('bob');
    await bob.emitWithAck('send_public_message', { message: 'The deploy of last night went well' });
    for (let i = 0; i < 120; i += 1) await bob.emitWithAck('send_public_message', { message: `chatter ${i}` });
    await alice.createGroup('ops');
    await alice.say('deploy again tomorrow');
    await alice.reads('deploy again tomorrow');
    await looksFor(alice, 'deploy');
    await alice.page.getByText('2 messages found').waitFor();
    assert.deepEqual(await hits(alice).allTextContents(), ['deploy again tomorrow', 'The deploy of last night went well']);
    assert.deepEqual(await hits(alice).locator('mark').allTextContents(), ['deploy', 'deploy']);
    await hits(alice).last().click();
    await alice.log.locator('.message.marked').getByText('The deploy of last night went well').waitFor();
    assert.equal(await alice.log.getAttribute('data-log'), 'public');
  });

  inScene('filters: this room, a person, words in a row; nothing found is said', async (scene) => {
    const alice = await scene.joins('alice');
    const bob = await scene.rawClient('bob');
    await bob.emitWithAck('send_public_message', { message: 'red green blue' });
    await alice.say('green red blue');
    await alice.reads('green red blue');
    await looksFor(alice, '"green blue"');
    await alice.page.getByText('1 message found').waitFor();
    assert.deepEqual(await hits(alice).allTextContents(), ['red green blue']);
    await alice.page.getByText('More filters').click();
    await alice.page.getByLabel('Written by').fill('alice');
    await looksFor(alice, 'green');
    await hits(alice).getByText('green red blue').waitFor();
    assert.equal(await hits(alice).count(), 1);
    await alice.page.getByLabel('Until').fill('2020-01-01');
    await looksFor(alice, 'green');
    await alice.page.getByText('0 messages found').waitFor();
    await alice.page.getByLabel('Until').fill(new Date().toISOString().slice(0, 10));
    await looksFor(alice, 'green');
    await alice.page.getByText('1 message found').waitFor();
    await alice.page.getByLabel('Until').fill('');
    await alice.page.getByLabel('Written by').fill('');
    await alice.createGroup('empty');
    await alice.page.getByLabel('In this room alone').check();
    await looksFor(alice, 'green');
    await alice.page.getByText('0 messages found').waitFor();
  });

  inScene('the keyboard opens it, and Escape leads back', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.press('Control+k');
    await alice.page.locator('#drawer input[type=search]:focus').waitFor();
    await alice.page.keyboard.press('Escape');
    await alice.page.locator('#drawer').waitFor({ state: 'detached' });
    await alice.page.locator('#message:focus').waitFor();
  });
});

describe('being told', () => {
  inScene('the title counts what is for oneself, and is quiet again when it was read', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await looksAway(alice, true);
    await bob.say('to all');
    await alice.reads('to all');
    await alice.page.waitForFunction(() => document.title === '• Public chat – Secure Chat');
    await bob.say('to @alice');
    await alice.page.waitForFunction(() => document.title === '(1) Public chat – Secure Chat');
    await alice.log.getByText('New messages').waitFor();
    await looksAway(alice, false);
    await alice.page.waitForFunction(() => document.title === 'Public chat – Secure Chat');
  });

  inScene('the system tells of mentions, without the text, where the person agreed', async (scene) => {
    const alice = await scene.joins('alice', { permissions: ['notifications'] });
    const bob = await scene.joins('bob');
    await alice.page.evaluate(() => {
      window.shown = [];
      ServiceWorkerRegistration.prototype.showNotification = async function (title, { body }) {
        window.shown.push([title, body]);
      };
    });
    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Notifications' }).click();
    await dialog(alice).getByLabel('Notifications in this browser').check();
    await dialog(alice).getByRole('button', { name: 'Close' }).click();
    await looksAway(alice, true);
    await bob.say('nothing for alice');
    await bob.say('but @alice this is');
    await alice.reads('but @alice this is');
    await alice.page.waitForFunction(() => window.shown.length > 0);
    assert.deepEqual(await alice.page.evaluate(() => window.shown), [['bob, Public chat', 'New message']]);
  });

  inScene('where the browser refuses, the box says so', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.page.evaluate(() => (Notification.requestPermission = async () => 'denied'));
    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Notifications' }).click();
    await dialog(alice).getByLabel('Notifications in this browser').click();
    await alice.page.locator('.toast').waitFor();
    assert.equal(await dialog(alice).getByLabel('Notifications in this browser').isChecked(), false);
  });

  inScene('an account keeps its settings on the server: of rooms, and quiet hours', async (scene) => {
    const alice = await scene.signedIn('alice');
    await alice.createGroup('team');
    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Notifications' }).click();
    await dialog(alice).getByLabel('About').selectOption('all');
    await dialog(alice).getByLabel('Quiet hours').check();
    await dialog(alice).getByLabel('From').fill('21:30');
    await dialog(alice).getByRole('button', { name: 'Close' }).click();
    await alice.page.getByRole('button', { name: 'Actions for this room' }).click();
    await alice.page.getByRole('menuitem', { name: 'Room settings' }).click();
    const saved = alice.page.waitForResponse((answer) => answer.url().endsWith('/api/notifications') && answer.request().method() === 'POST');
    await alice.page.getByLabel('Notifications of this room').selectOption('none');
    await saved;
    const again = await scene.comesBack('alice');
    await again.page.locator('.own').click();
    await again.page.getByRole('menuitem', { name: 'Notifications' }).click();
    await again.page.waitForFunction(() => document.querySelector('#notify-default')?.value === 'all');
    assert.equal(await dialog(again).getByLabel('From').inputValue(), '21:30');
    await dialog(again).getByRole('button', { name: 'Close' }).click();
    await again.openRoom('team');
    await again.page.getByRole('button', { name: 'Actions for this room' }).click();
    await again.page.getByRole('menuitem', { name: 'Room settings' }).click();
    assert.equal(await again.page.getByLabel('Notifications of this room').inputValue(), 'none');
  });
});

describe('the installed page', () => {
  inScene('the shell is there without the server, and no message with it', async (scene) => {
    scene.expected = /ERR_INTERNET_DISCONNECTED|ERR_FAILED|WebSocket connection|ERR_CONNECTION_REFUSED/;
    const alice = await scene.joins('alice');
    await alice.say('a very particular sentence');
    await alice.reads('a very particular sentence');
    await alice.page.evaluate(() => navigator.serviceWorker.ready);
    await alice.page.reload(); // from here on through the worker
    await alice.page.getByLabel('Your name').waitFor();
    const kept = await alice.page.evaluate(async () => {
      const texts = [];
      for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) texts.push(new URL(request.url).pathname, await (await cache.match(request)).text());
      }
      return texts;
    });
    assert.ok(kept.includes('/') && kept.includes('/static/app.js'), 'the shell is kept');
    assert.ok(!kept.some((text) => text.includes('a very particular sentence') || text.startsWith('/api')), 'no message is');
    await scene.server.kill('SIGKILL');
    await alice.page.reload();
    await alice.page.getByText('Loading…').waitFor();
    await alice.page.getByText('Reconnecting…').waitFor();
    await scene.server.start(scene.server.port);
    await alice.page.getByLabel('Your name').waitFor();
  });

  inScene('it can be installed: a manifest with a name, an icon and where it begins', async (scene) => {
    const nobody = await scene.visitor();
    const manifest = await nobody.page.evaluate(async () => (await fetch(document.querySelector('link[rel=manifest]').href)).json());
    assert.deepEqual([manifest.name, manifest.start_url, manifest.display], ['Secure Chat', '/', 'standalone']);
    const icon = await nobody.page.request.get(new URL(manifest.icons[0].src, nobody.page.url()).href);
    assert.match(icon.headers()['content-type'], /svg/);
  });
});
