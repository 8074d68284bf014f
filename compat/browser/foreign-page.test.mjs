// A page that knows nothing of this server, written for Flask-SocketIO, served by it unchanged: two and three people use it in Chromium.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startNetwork } from '../lib/network.mjs';
import { openPage } from './people.mjs';
import { stage } from './scene.mjs';

const FOREIGN = fileURLToPath(new URL('foreign/', import.meta.url));
// The page's library comes out of node_modules: committed code is ours alone.
const LIBRARY = fileURLToPath(new URL('../node_modules/socket.io-client/dist/socket.io.min.js', import.meta.url));
const JOIN_FAILED = 'Failed to join group. Check password.';

let staticDir;

before(async () => {
  staticDir = await mkdtemp(join(tmpdir(), 'foreign-static-'));
  await cp(join(FOREIGN, 'static'), staticDir, { recursive: true });
  await copyFile(LIBRARY, join(staticDir, 'socket.io.min.js'));
});
after(() => rm(staticDir, { recursive: true }));

/** A person on the foreign page; dialogs are part of how it works. */
class Visitor {
  static async open(browser, server, { url = server.url, ...options } = {}) {
    return new Visitor(await openPage(browser, url, options));
  }

  constructor({ page, problems, answers }) {
    this.page = page;
    this.problems = problems;
    this.answers = answers;
    this.lines = page.locator('#messages p');
    this.texts = page.locator('#messages .message .text');
  }

  async join(name) {
    await this.page.getByPlaceholder('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Join Chat' }).click();
    await this.page.getByPlaceholder('Message').waitFor();
  }

  async say(text) {
    await this.page.getByPlaceholder('Message').fill(text);
    await this.page.getByRole('button', { name: 'Send' }).click();
  }

  async sees(text) {
    await this.lines.filter({ hasText: text }).first().waitFor();
  }

  async createGroup(name, password) {
    await this.page.getByPlaceholder('New group').fill(name);
    await this.page.getByPlaceholder('Password (optional)').fill(password);
    await this.page.getByRole('button', { name: 'Create Group' }).click();
    await this.sees(`Group ${name} created`);
  }

  /** Picks the group and answers the page's prompt. */
  async pickGroup(name, password) {
    this.answers.push(password);
    await this.page.locator('.group').getByText(name, { exact: true }).click();
  }

  async joinGroup(name, password) {
    await this.pickGroup(name, password);
    await this.page.locator('#roomTitle').getByText(name, { exact: true }).waitFor();
  }

  async openPublic() {
    await this.page.getByText('Public Room').first().click();
  }

  /** Does something that makes the page alert, and gives the text of the alert. */
  async alertOf(action) {
    const [dialog] = await Promise.all([this.page.waitForEvent('dialog', (dialog) => dialog.type() === 'alert'), action()]);
    this.problems.splice(this.problems.indexOf(`alert: ${dialog.message()}`), 1);
    return dialog.message();
  }

  async assertClean(expected = /(?!)/) {
    // Browsers ask for an icon on their own; tutorial pages have none.
    const isExpected = (problem) => problem.endsWith('/favicon.ico)') || expected.test(problem);
    assert.deepEqual(this.problems.filter((problem) => !isExpected(problem)), []);
  }
}

const inScene = stage(Visitor, () => ({ TEMPLATES_DIR: join(FOREIGN, 'templates'), STATIC_DIR: staticDir }));

const OUTAGE = /net::ERR_|WebSocket connection/;
const numbers = (from, to) => Array.from({ length: to - from }, (_, n) => `number ${from + n}`);

/** Everybody else: a client that writes in public, one message after the other. */
async function write(client, texts) {
  for (const message of texts) assert.ok((await client.emitWithAck('send_public_message', { message })).ok);
}

describe('a page that knows nothing of coming back', () => {
  inScene('hears all that was said while its network was gone for 30 s: once, in order, and can write', async (scene) => {
    scene.expected = OUTAGE;
    const network = await startNetwork(scene.server.port);
    after(() => network.stop());
    const others = await scene.rawClient('others');
    const alice = await scene.visitor({ url: network.url });
    await alice.join('alice');
    await write(others, numbers(0, 5));
    await alice.sees('number 4');
    network.break();
    const gone = Date.now();
    for (const text of numbers(5, 55)) {
      await write(others, [text]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await new Promise((resolve) => setTimeout(resolve, gone + 30_000 - Date.now()));
    network.mend();
    await alice.page.getByText('number 54').waitFor({ timeout: 30_000 });
    await write(others, numbers(55, 57));
    await alice.sees('number 56');
    assert.deepEqual(await alice.texts.allTextContents(), numbers(0, 57));
    const [heard] = await Promise.all([once(others, 'new_message'), alice.say('I am back')]);
    assert.equal(heard[0].username, 'alice');
  });

  for (const [how, signal] of [['killed', 'SIGKILL'], ['stopped', 'SIGTERM']]) {
    inScene(`outlives a server that is ${how} and started again`, async (scene) => {
      scene.expected = OUTAGE;
      const alice = await scene.joins('alice');
      await alice.createGroup('team', 'pw');
      await alice.joinGroup('team', 'pw');
      await alice.say('before');
      await alice.sees('before');
      await scene.server.kill(signal);
      await scene.server.start(scene.server.port);
      const others = await scene.rawClient('others');
      assert.ok((await others.emitWithAck('join_group', { group_name: 'team', password: 'pw' })).ok);
      for (const message of numbers(0, 20)) {
        assert.ok((await others.emitWithAck('send_group_message', { group_name: 'team', message })).ok);
      }
      await alice.page.getByText('number 19').waitFor({ timeout: 30_000 });
      await alice.say('still in the team');
      await alice.sees('still in the team');
      assert.deepEqual(await alice.texts.allTextContents(), ['before', ...numbers(0, 20), 'still in the team']);
    });
  }

  inScene('begins anew where it is loaded anew', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.say('before');
    await alice.page.reload();
    const others = await scene.rawClient('others');
    await write(others, ['meanwhile']);
    assert.equal(await alice.lines.count(), 0);
    await alice.join('alice again');
    await alice.sees('meanwhile');
    assert.deepEqual(await alice.texts.allTextContents(), ['before', 'meanwhile']);
  });
});

describe('a page written for Flask-SocketIO', () => {
  inScene('its template is rendered as Flask would', async (scene) => {
    const alice = await scene.visitor();
    assert.match(await alice.page.locator('footer').textContent(), /^page \/, debug (True|False)$/);
    assert.equal(await alice.page.locator('.flash').count(), 0);
    assert.equal(await alice.page.locator('script[src]').first().getAttribute('src'), '/static/socket.io.min.js');
    assert.equal(await alice.page.locator('body').evaluate((body) => getComputedStyle(body).margin), '0px', 'inline style');
  });

  inScene('two people chat in public', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.sees('bob joined public');
    await alice.say('hello bob');
    await bob.sees('hello bob');
    await bob.page.getByLabel('Scramble').uncheck();
    await bob.say('hello 🎉 <b>alice</b>');
    await alice.sees('hello 🎉 <b>alice</b>');
    for (const person of [alice, bob]) {
      assert.deepEqual(await person.texts.allTextContents(), ['hello bob', 'hello 🎉 <b>alice</b>']);
    }
    assert.doesNotMatch(await alice.page.locator('#messages').textContent(), /undefined|Invalid Date/);
  });

  inScene('three people, a group with a password, a wrong password in an alert', async (scene) => {
    const [alice, bob, carol] = [await scene.joins('alice'), await scene.joins('bob'), await scene.joins('carol')];
    await alice.createGroup("the team's", 's3cret');
    await carol.page.locator('.group').getByText("the team's").waitFor();
    assert.equal(await bob.alertOf(() => bob.pickGroup("the team's", 'wrong')), JOIN_FAILED);
    assert.equal(await bob.page.locator('#roomTitle').textContent(), 'Public Room');

    await bob.joinGroup("the team's", 's3cret');
    await alice.sees("bob joined the team's");
    await alice.joinGroup("the team's", 's3cret');
    assert.equal(await alice.page.locator('#members').textContent(), 'Members: alice, bob');
    await alice.say('behind the password');
    await bob.sees('behind the password');
    await alice.openPublic();
    await alice.say('in front of everybody');
    await carol.sees('in front of everybody');
    assert.deepEqual(await carol.texts.allTextContents(), ['in front of everybody']);
  });

  inScene('who leaves a group is back in public, and the others see it', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('team', '');
    await alice.joinGroup('team', '');
    await bob.joinGroup('team', '');
    await bob.page.getByRole('button', { name: 'Leave Group' }).click();
    await bob.sees('You left team');
    await alice.sees('bob left team');
  });

  inScene('who closes the page is seen to leave, with the name of the room', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await scene.leaves(bob);
    await alice.sees('bob left public');
  });

  inScene('the history is there after a reload', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.say('said in public');
    await alice.sees('said in public');
    await alice.createGroup('team', 'pw');
    await alice.joinGroup('team', 'pw');
    await alice.say('said in the team');
    await alice.sees('said in the team');

    await alice.page.reload();
    await alice.join('alice');
    assert.deepEqual(await alice.texts.allTextContents(), ['said in public']);
    await alice.joinGroup('team', 'pw');
    assert.deepEqual(await alice.texts.allTextContents(), ['said in the team']);
  });

  inScene('the stats and a taken group name come as alerts', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.say('one');
    await alice.sees('one');
    const stats = await alice.alertOf(() => alice.page.getByRole('button', { name: 'My Stats' }).click());
    assert.match(stats, /^Messages: 1, groups: \d+, since \d{4}-.*, active \d{4}-/);
    await alice.createGroup('team', '');
    const taken = await alice.alertOf(() => alice.page.getByRole('button', { name: 'Create Group' }).click());
    assert.equal(taken, 'Group already exists');
  });

  inScene('names that would run in its markup are refused', async (scene) => {
    const alice = await scene.visitor();
    await alice.page.getByPlaceholder('Your name').fill('<img src=x onerror=alert(1)>');
    assert.notEqual(await alice.alertOf(() => alice.page.getByRole('button', { name: 'Join Chat' }).click()), '1');
    assert.equal(await alice.page.locator('#chat').isVisible(), false);
  });
});
