// Writing on our page: drafts, completion, files, answers, changes, and a message that waits for the connection.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Person, () => ({ MAX_ATTACHMENT_SIZE: '100000' }));
// What Chromium writes to the console while a server is away.
const OUTAGE = /ERR_CONNECTION_REFUSED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INTERNET_DISCONNECTED/;
const REFUSED_UPLOAD = /status of 4\d\d/;
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const picture = { name: 'dot.png', mimeType: 'image/png', buffer: Buffer.from(PIXEL, 'base64') };
const textFile = (name, size = 20) => ({ name, mimeType: 'text/plain', buffer: Buffer.alloc(size, 'x') });

describe('drafts', () => {
  inScene('they stay with their room, also over a reload', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.createGroup('team');
    await alice.composer.fill('for the team');
    await alice.openRoom('public');
    assert.equal(await alice.composer.inputValue(), '');
    await alice.roomLink('team').getByText('draft').waitFor();
    await alice.page.reload();
    await alice.join('alice');
    await alice.joinGroup('team');
    assert.equal(await alice.composer.inputValue(), 'for the team');
    await alice.composer.press('Enter');
    await alice.reads('for the team');
    await alice.openRoom('public');
    assert.equal(await alice.roomLink('team').getByText('draft').count(), 0);
  });
});

describe('completion', () => {
  inScene('@ offers the people of the room, the arrow keys choose', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    const ann = await scene.joins('Ann Lee');
    for (const person of [bob, ann]) {
      await person.say(`this is ${person.name}`);
      await alice.reads(`this is ${person.name}`);
    }
    await alice.composer.pressSequentially('hi @');
    await alice.page.getByRole('option', { name: 'Ann Lee' }).waitFor();
    await alice.composer.press('ArrowDown');
    await alice.composer.press('Enter');
    assert.equal(await alice.composer.inputValue(), 'hi @bob ');
    await alice.composer.pressSequentially('and @an');
    await alice.page.getByRole('option', { name: 'Ann Lee' }).waitFor();
    await alice.composer.press('Tab');
    assert.equal(await alice.composer.inputValue(), 'hi @bob and @"Ann Lee" ');
    await alice.composer.press('Enter');
    await ann.log.locator('.message.mentions-me').waitFor();
    await bob.log.locator('.message.mentions-me').waitFor();
  });

  inScene(': offers emoji, Escape leaves what was typed', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.pressSequentially('great :tada');
    await alice.page.getByRole('option', { name: '🎉' }).waitFor();
    await alice.composer.press('Enter');
    assert.equal(await alice.composer.inputValue(), 'great 🎉 ');
    await alice.composer.pressSequentially(':smi');
    await alice.page.getByRole('option').first().waitFor();
    await alice.composer.press('Escape');
    await alice.composer.press('Enter');
    await alice.reads('great 🎉 :smi');
  });
});

describe('the life of a message', () => {
  inScene('edited by ArrowUp, everybody sees it, and that it was', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('helo bob');
    await bob.reads('helo bob');
    await alice.reads('helo bob');
    await alice.composer.press('ArrowUp');
    assert.equal(await alice.composer.inputValue(), 'helo bob');
    await alice.say('hello bob');
    for (const person of [alice, bob]) {
      await person.reads('hello bob');
      await person.messages('hello bob').getByText('(edited)').waitFor();
    }
    assert.equal(await alice.composer.inputValue(), '');
    await alice.composer.press('ArrowUp');
    await alice.composer.press('Escape');
    assert.equal(await alice.composer.inputValue(), '', 'Escape leaves it as it was');
  });

  inScene('answered, with the words that are answered', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('**tea** or `coffee`?');
    await bob.choose('tea or coffee?', 'Reply');
    await bob.page.getByText('Answer to alice: tea or coffee?').waitFor();
    await bob.say('tea');
    await alice.messages('tea').locator('.quote-link').getByText('tea or coffee?').waitFor();
    assert.equal(await bob.page.getByText('Answer to alice:').count(), 0);
  });

  inScene('reactions come and go for everybody', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('done');
    await bob.reads('done');
    await bob.messages('done').hover();
    await bob.messages('done').getByRole('button', { name: 'React' }).click();
    await bob.page.getByRole('searchbox', { name: 'Find an emoji' }).fill('tada');
    await bob.page.getByRole('dialog', { name: 'Emoji' }).getByRole('button', { name: 'party popper' }).click();
    const reaction = alice.messages('done').locator('.reaction');
    await reaction.getByText('1').waitFor();
    assert.equal(await reaction.getAttribute('aria-pressed'), 'false');
    await reaction.click();
    await bob.messages('done').locator('.reaction').getByText('2').waitFor();
    await alice.messages('done').locator('.reaction[aria-pressed=true]').click();
    await bob.messages('done').locator('.reaction').click();
    for (const person of [alice, bob]) await person.messages('done').locator('.reaction').waitFor({ state: 'detached' });
  });

  inScene('deleted, it is gone for everybody', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('oops');
    await bob.reads('oops');
    await alice.reads('oops');
    await alice.choose('oops', 'Delete…');
    await alice.page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
    for (const person of [alice, bob]) await person.messages('oops').waitFor({ state: 'detached' });
  });

  inScene('pinned by who may, found in the panel, opened in its place', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('team');
    await bob.joinGroup('team');
    await bob.say('the code is 4711');
    await alice.reads('the code is 4711');
    await alice.choose('the code is 4711', 'Pin');
    await bob.notices('alice pinned a message.');
    await bob.opens('pins');
    await bob.page.locator('#drawer').getByText('Pinned by alice').waitFor();
    await bob.page.locator('#drawer .hit').click();
    await bob.log.locator('.message.marked').getByText('the code is 4711').waitFor();
    await alice.opens('pins');
    await alice.page.locator('#drawer').getByRole('button', { name: 'Unpin' }).click();
    await bob.page.locator('#drawer').getByText('Nothing is pinned here.').waitFor();
  });
});

describe('files', () => {
  inScene('chosen, dropped and pasted, with a text or alone', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.page.getByLabel('Add files').setInputFiles([picture, textFile('notes.txt')]);
    for (const place of [0, 1]) await alice.page.locator('.uploads li').nth(place).getByText(/^\d+ (byte|kB)$/).waitFor();
    await alice.say('with two files');
    await bob.reads('with two files', 'alice');
    await bob.log.locator('.files .file').getByText('notes.txt').waitFor();
    const shown = bob.log.locator('.files img');
    await shown.evaluate((image) => image.decode());
    assert.deepEqual(await shown.evaluate(({ naturalWidth, alt }) => [naturalWidth, alt]), [1, 'dot.png']);
    assert.equal(await alice.page.locator('.uploads').count(), 0);

    for (const how of ['drop', 'paste']) {
      await alice.page.evaluate((event) => {
        const data = new DataTransfer();
        data.items.add(new File(['some text'], `${event}.txt`, { type: 'text/plain' }));
        const target = document.querySelector(event === 'drop' ? '.conversation' : '#message');
        const made = event === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true }) : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
        target.dispatchEvent(made);
      }, how);
      await alice.page.locator('.uploads li').getByText(/^\d+ (byte|kB)$/).waitFor();
      await alice.composer.press('Enter');
      await bob.log.locator('.files .file').getByText(`${how}.txt`).waitFor();
    }
  });

  inScene('removed before it is sent; and the reason where one is refused', async (scene) => {
    scene.expected = REFUSED_UPLOAD;
    const alice = await scene.joins('alice');
    await alice.page.getByLabel('Add files').setInputFiles(textFile('wrong.txt'));
    await alice.page.locator('.uploads li').getByText(/^\d+ (byte|kB)$/).waitFor();
    await alice.page.getByRole('button', { name: 'Remove wrong.txt' }).click();
    await alice.page.locator('.uploads').waitFor({ state: 'detached' });
    await alice.page.getByLabel('Add files').setInputFiles(textFile('large.txt', 200_000));
    await alice.page.locator('.uploads .failed').waitFor();
    assert.match(await alice.page.locator('.uploads .failed .note').textContent(), /\w/);
    await alice.say('without it');
    await alice.reads('without it');
  });
});

describe('without a connection', () => {
  inScene('one can go on writing: it is sent later, once, in order, also after a reload', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('before');
    await bob.reads('before');
    await alice.reads('before');
    await scene.server.kill('SIGKILL');
    for (const text of ['one', 'two', 'three']) await alice.say(text);
    assert.equal(await alice.log.locator('[data-waiting]').count(), 3);
    await scene.server.start(scene.server.port);
    for (const text of ['one', 'two', 'three']) await bob.reads(text, 'alice');
    await alice.reads('three');
    for (const person of [alice, bob]) assert.deepEqual(await person.texts(), ['before', 'one', 'two', 'three']);
    assert.equal(await alice.log.locator('[data-waiting]').count(), 0);
  });

  inScene('what waits is still there when the page was loaded anew', async (scene) => {
    scene.expected = OUTAGE;
    const alice = await scene.joins('alice');
    await alice.page.context().setOffline(true);
    await alice.say('kept');
    await alice.log.locator('[data-waiting]').waitFor();
    await alice.page.context().setOffline(false);
    await alice.page.evaluate(() => localStorage.setItem('outbox:guest:alice', localStorage.getItem('outbox:guest:alice') ?? ''));
    await alice.page.reload();
    await alice.join('alice');
    await alice.reads('kept', 'alice');
  });

  inScene('an answer that got lost: the message is there once', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    // The message arrives, and the connection breaks before the page hears of it.
    await alice.page.evaluate(() => {
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (data) {
        send.call(this, data);
        if (String(data).includes('send_public_message')) {
          WebSocket.prototype.send = send;
          this.onmessage = null;
          setTimeout(() => this.close(), 300);
        }
      };
    });
    await alice.say('only once');
    await bob.reads('only once', 'alice');
    await alice.reads('only once', 'alice');
    await bob.say('fence');
    await alice.reads('fence');
    for (const person of [alice, bob]) assert.deepEqual(await person.texts(), ['only once', 'fence']);
  });
});

describe('refusals', () => {
  inScene('a message that is too long stays, with the reason, and can be changed', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.say('x'.repeat(10_001));
    const failed = alice.log.locator('[data-waiting=failed]');
    await failed.waitFor();
    assert.match(await failed.getByRole('alert').textContent(), /10,?000/);
    await alice.say('short');
    await alice.reads('short');
    await failed.getByRole('button', { name: 'Change it' }).click();
    assert.equal((await alice.composer.inputValue()).length, 10_001);
    await alice.say('shorter');
    await alice.reads('shorter');
    assert.deepEqual(await alice.texts(), ['short', 'shorter']);
  });

  inScene('half of a surrogate pair is refused or shown, and the page goes on', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.evaluate((input) => {
      input.value = 'half \ud83d';
      input.form.requestSubmit();
    });
    await alice.log.locator('.message[data-id], [data-waiting=failed]').first().waitFor();
    await alice.say('whole');
    await alice.reads('whole');
  });

  inScene('what is said too fast waits by itself', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    const texts = Array.from({ length: 40 }, (_, i) => `fast ${i}`);
    for (const text of texts) await alice.say(text);
    await bob.reads('fast 39');
    assert.deepEqual(await bob.texts(), texts);
  });
});
