// Our own page in Chromium against the real server: two and three people talk as people do.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeLegacy } from '../../static/crypto.js';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Person);

describe('talking', () => {
  inScene('two people chat in public', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('hello bob');
    await bob.reads('hello bob', 'alice');
    await bob.say('hello alice');
    await alice.reads('hello alice', 'bob');
    for (const person of [alice, bob]) assert.deepEqual(await person.texts(), ['hello bob', 'hello alice']);
    assert.equal(await alice.log.locator('.message.mine .text').textContent(), 'hello bob');
  });

  inScene('a message is there at once, first with a clock, then with a tick', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.page.evaluate(() => {
      window.seen = [];
      new MutationObserver(() => {
        const state = document.querySelector('.message.mine .state')?.textContent;
        if (state && window.seen.at(-1) !== state) window.seen.push(state);
      }).observe(document.querySelector('#log'), { subtree: true, childList: true });
    });
    await alice.say('hello');
    await alice.reads('hello');
    assert.deepEqual(await alice.page.evaluate(() => window.seen), ['Waiting to be sent', 'Sent']);
  });

  inScene('the times of messages are points in time, shown by the clock of the reader', async (scene) => {
    const alice = await scene.joins('alice', { timezoneId: 'Asia/Kolkata', locale: 'en-GB' });
    const before = Date.now();
    await alice.say('what time is it');
    await alice.reads('what time is it');
    const time = alice.log.locator('.message[data-id] header time');
    const stated = Date.parse(await time.getAttribute('datetime'));
    assert.ok(Math.abs(stated - before) < 10_000, await time.getAttribute('datetime'));
    const shown = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'Asia/Kolkata' });
    assert.equal(await time.textContent(), shown.format(stated));
  });

  inScene('many messages in one go keep their order for everybody', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    const texts = Array.from({ length: 30 }, (_, i) => `number ${i}`);
    for (const text of texts) await alice.say(text);
    for (const person of [alice, bob]) {
      await person.reads('number 29');
      assert.deepEqual(await person.texts(), texts);
    }
  });

  inScene('a message has lines: Shift and Enter breaks, Enter sends', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.pressSequentially('one');
    await alice.composer.press('Shift+Enter');
    await alice.composer.pressSequentially('two');
    await alice.composer.press('Enter');
    await alice.log.locator('.message[data-id]').waitFor();
    assert.deepEqual(await alice.texts(), ['one\ntwo']);
  });

  inScene('one sees that somebody is typing, until they have said it', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await bob.composer.pressSequentially('well');
    await alice.page.getByText('bob is typing…').waitFor();
    await bob.composer.press('Enter');
    await alice.reads('well', 'bob');
    await alice.page.getByText('bob is typing…').waitFor({ state: 'detached' });
  });
});

describe('groups', () => {
  inScene('three people, a group with a password: the list is live, a wrong password is told, outsiders hear nothing', async (scene) => {
    const [alice, bob, carol] = [await scene.joins('alice'), await scene.joins('bob'), await scene.joins('carol')];
    await alice.createGroup('team', 's3cret');
    await carol.roomLink('team').waitFor();

    for (const wrong of ['wrong', '']) {
      await bob.offerPassword('team', wrong);
      await bob.page.getByText('Failed to join group. Check password.').waitFor();
    }
    assert.equal(await bob.logOf('team').count(), 0);
    await bob.joinGroup('team', 's3cret');
    await bob.opens('people');
    await bob.page.locator('.people [data-member]').nth(1).waitFor();
    assert.deepEqual(await bob.page.locator('.people [data-member]').allTextContents(), ['alice', 'bob']);

    await bob.say('behind the password');
    await alice.reads('behind the password', 'bob');
    await alice.openRoom('public');
    await alice.say('in front of everybody');
    await carol.reads('in front of everybody');
    assert.equal(await carol.page.getByText('behind the password').count(), 0);
    await bob.roomLink('public').getByText('1 unread').waitFor();
  });

  inScene('a group without a password needs none', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('open house');
    await bob.joinGroup('open house');
    await bob.say('nice here');
    await alice.reads('nice here', 'bob');
  });

  inScene('a taken name, and "public", are told in the dialog', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.createGroup('team');
    await alice.page.getByRole('button', { name: 'New room' }).click();
    for (const name of ['team', 'public']) {
      await alice.page.getByLabel('Name', { exact: true }).fill(name);
      await alice.page.getByRole('button', { name: 'Create room' }).click();
      await alice.page.getByText('Group already exists').waitFor();
      assert.equal(await alice.page.getByLabel('Name', { exact: true }).inputValue(), name, 'what was typed is still there');
    }
  });

  inScene('who leaves hears nothing more, and is not among the people', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('team', 'pw');
    await bob.joinGroup('team', 'pw');
    await alice.opens('people');
    await alice.page.locator('.people [data-member=bob]').waitFor();
    await bob.page.getByRole('button', { name: 'Actions for this room' }).click();
    await bob.page.getByRole('menuitem', { name: 'Leave group' }).click();
    await bob.page.getByRole('dialog').getByRole('button', { name: 'Leave group' }).click();
    await bob.logOf('public').waitFor();
    await alice.page.locator('.people [data-member=bob]').waitFor({ state: 'detached' });

    await alice.say('is bob gone?');
    await alice.reads('is bob gone?');
    await alice.openRoom('public');
    await alice.say('fence');
    await bob.reads('fence');
    assert.equal(await bob.page.getByText('is bob gone?').count(), 0);
  });
});

describe('rooms of two', () => {
  inScene('two people write to each other, and nobody else sees it', async (scene) => {
    const [alice, bob, carol] = [await scene.joins('alice'), await scene.joins('bob'), await scene.joins('carol')];
    await alice.writeTo('bob');
    await alice.say('between us');
    await alice.reads('between us', 'alice');
    await bob.roomLink('alice').getByText('1 unread').waitFor();
    await bob.roomLink('alice').click();
    await bob.reads('between us', 'alice');
    await bob.say('of course');
    await alice.reads('of course', 'bob');
    assert.equal(await carol.page.getByText('between us').count(), 0);
    assert.equal(await carol.page.locator('#rooms [data-room=alice]').count(), 0);
  });

  inScene('to somebody who is not there, the message says so and can be taken back', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.writeTo('nobody');
    await alice.say('are you there?');
    await alice.log.locator('[data-waiting=failed]').waitFor();
    await alice.page.getByRole('button', { name: 'Change it' }).click();
    assert.equal(await alice.composer.inputValue(), 'are you there?');
    assert.equal(await alice.log.locator('.message').count(), 0);
  });
});

describe('old pages', () => {
  // Room, text, and what the original page's "Encrypt" made of it.
  const VECTORS = [
    ['public', 'Hello, World! 123', 'ewFfXV0URmVcFl9VExhXAAA='],
    ['public', 'ÿé latin1', 'zI0TXVNMD1wC'],
    ['g1', 'hello', 'XwdYW14='],
    ['secret room', 'Hello, World! 123', 'LgMODlofEDEJEA5REhBXVFE='],
    ['Ünï 🦀 group', 'hello', 'XwZdDVg='],
    ['', 'hello', 'WQZUDQo='],
    ['public', '', ''],
    ['public', 'not base64 %%%', 'not base64 %%%'],
  ];

  test('what they obfuscated can be read', () => {
    for (const [room, text, content] of VECTORS) assert.equal(decodeLegacy(room, content), text, room);
  });

  inScene('it is shown under its true name, the content only where it differs from the message', async (scene) => {
    const alice = await scene.joins('alice');
    const oldPage = await scene.rawClient('old page');
    await oldPage.emitWithAck('send_public_message', { message: 'ÿé latin1', encrypted_content: 'zI0TXVNMD1wC' });
    await oldPage.emitWithAck('send_public_message', { message: '[hidden]', encrypted_content: 'ewFfXV0URmVcFl9VExhXAAA=' });
    await alice.reads('[hidden]');
    assert.deepEqual(await alice.log.locator('.legacy').allTextContents(), [
      'obfuscated by an old page, not encrypted',
      'obfuscated by an old page, not encrypted: Hello, World! 123',
    ]);
  });
});

describe('the page', () => {
  inScene('it says the truth about encryption, and shows no lock', async (scene) => {
    const nobody = await scene.visitor();
    const truth = 'Encrypted on this server. The server can read it.';
    await nobody.page.getByText(truth).filter({ visible: true }).waitFor();
    await nobody.join('alice');
    await nobody.page.getByText(truth).filter({ visible: true }).waitFor();
    assert.doesNotMatch(await nobody.page.content(), /[🔒🔐🔓]|padlock|end-to-end/iu);
  });

  inScene('an empty name is told beside the input', async (scene) => {
    const nobody = await scene.visitor();
    await nobody.page.getByRole('button', { name: 'Join', exact: true }).click();
    await nobody.page.locator('#username-error').filter({ hasText: /./ }).waitFor();
    assert.equal(await nobody.page.getByLabel('Your name').getAttribute('aria-invalid'), 'true');
  });

  inScene('each script is asked for at once, none of them when another has arrived', async (scene) => {
    const alice = await scene.joins('alice');
    const late = await alice.page.evaluate(() => {
      const promised = new Set([...document.querySelectorAll('link[rel=modulepreload], script[src]')].map(({ href, src }) => href ?? src));
      return performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => /\.js$/.test(name) && !promised.has(name) && !/\/lang\/|sw\.js$/.test(name));
    });
    assert.deepEqual(late, []);
  });
});
