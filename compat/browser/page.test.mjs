// Our own page in Chromium against the real server: two and three people use it as people do.

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeLegacy } from '../../static/crypto.js';
import { assertContrast, assertFits, tabTo } from './checks.mjs';
import { HOSTILE_TEXTS } from './hostile-texts.mjs';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const JOIN_FAILED = 'Failed to join group. Check password.';
// What Chromium writes to the console while a server is away.
const OUTAGE = /ERR_CONNECTION_REFUSED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/;
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

const inScene = stage(Person);

describe('talking', () => {
  inScene('two people chat in public and see each other come and go', async (scene) => {
    const alice = await scene.joins('alice');
    const bob = await scene.joins('bob');
    await alice.notices('bob joined');
    await alice.say('hello bob');
    await bob.reads('hello bob', 'alice');
    await bob.say('hello alice');
    await alice.reads('hello alice', 'bob');
    assert.deepEqual(await alice.texts('public'), ['hello bob', 'hello alice']);
    assert.deepEqual(await bob.texts('public'), ['hello bob', 'hello alice']);
    assert.equal(await alice.log.locator('.message.mine .text').allTextContents().then(String), 'hello bob');
    await scene.leaves(bob);
    await alice.notices('bob left');
  });

  inScene('the times of messages are points in time, shown by the clock of the reader', async (scene) => {
    const alice = await scene.joins('alice', { timezoneId: 'Asia/Kolkata', locale: 'en-GB' });
    const before = Date.now();
    await alice.say('what time is it');
    await alice.reads('what time is it');
    const time = alice.log.locator('.message time');
    const stated = Date.parse(await time.getAttribute('datetime'));
    assert.ok(Math.abs(stated - before) < 10_000, await time.getAttribute('datetime'));
    const shown = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'Asia/Kolkata' });
    assert.equal(await time.textContent(), shown.format(stated));
  });

  inScene('many messages in one go keep their order for everybody', async (scene) => {
    const alice = await scene.joins('alice');
    const bob = await scene.joins('bob');
    const texts = Array.from({ length: 30 }, (_, i) => `number ${i}`);
    for (const text of texts) await alice.say(text);
    await bob.reads('number 29');
    await alice.reads('number 29');
    assert.deepEqual(await bob.texts('public'), texts);
    assert.deepEqual(await alice.texts('public'), texts);
  });

  inScene('a message has lines: Shift and Enter breaks, Enter sends', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.pressSequentially('one');
    await alice.composer.press('Shift+Enter');
    await alice.composer.pressSequentially('two');
    await alice.composer.press('Enter');
    await alice.log.locator('.message').waitFor();
    assert.deepEqual(await alice.texts('public'), ['one\ntwo']);
  });
});

describe('groups', () => {
  inScene('three people, a group with a password: the list is live, a wrong password is told, outsiders hear nothing', async (scene) => {
    const [alice, bob, carol] = [await scene.joins('alice'), await scene.joins('bob'), await scene.joins('carol')];
    await alice.createGroup('team', 's3cret');
    await carol.roomButton('team').waitFor();

    await bob.offerPassword('team', 'wrong');
    await bob.page.getByText(JOIN_FAILED).waitFor();
    assert.equal(await bob.logOf('team').count(), 0);
    await bob.offerPassword('team', '');
    await bob.page.getByText(JOIN_FAILED).waitFor();
    await bob.joinGroup('team', 's3cret');
    assert.equal(await bob.page.getByText(JOIN_FAILED).filter({ visible: true }).count(), 0, 'an old error goes away');
    await alice.notices('bob joined');
    for (const person of [alice, bob]) {
      assert.deepEqual(await person.page.locator('#member-list [data-member]').allTextContents(), ['alice', 'bob']);
    }

    await bob.say('behind the password');
    await alice.reads('behind the password', 'bob');
    await alice.openRoom('public');
    await alice.say('in front of everybody');
    await carol.reads('in front of everybody');
    assert.equal(await carol.page.getByText('behind the password').count(), 0);
    await bob.roomButton('public').getByText('1 unread').waitFor();
  });

  inScene('a group without a password needs none', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('open house');
    await bob.joinGroup('open house');
    await bob.say('nice here');
    await alice.reads('nice here', 'bob');
  });

  inScene('a taken name, and "public", are told beside or above the form', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.createGroup('team');
    for (const name of ['team', 'public']) {
      await alice.page.getByText('New group').click();
      await alice.page.getByLabel('Group name').fill(name);
      await alice.page.getByRole('button', { name: 'Create group' }).click();
      await alice.page.getByText('Group already exists').waitFor();
      assert.equal(await alice.page.getByLabel('Group name').inputValue(), name, 'what was typed is still there');
      await alice.page.getByText('New group').click();
    }
  });

  inScene('who leaves hears nothing more, and is seen to leave', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('team', 'pw');
    await bob.joinGroup('team', 'pw');
    await bob.page.getByRole('button', { name: 'Leave group' }).click();
    await bob.logOf('public').and(bob.page.locator(':visible')).waitFor();
    await bob.page.locator('#other-groups [data-room=team]').waitFor();
    await alice.notices('bob left');
    assert.deepEqual(await alice.page.locator('#member-list [data-member]').allTextContents(), ['alice']);

    await alice.say('is bob gone?');
    await alice.reads('is bob gone?');
    await alice.openRoom('public');
    await alice.say('fence');
    await bob.reads('fence');
    assert.equal(await bob.page.getByText('is bob gone?').count(), 0);
  });

  inScene('drafts stay with their room', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.createGroup('team');
    await alice.composer.fill('for the team');
    await alice.openRoom('public');
    assert.equal(await alice.composer.inputValue(), '');
    await alice.openRoom('team');
    assert.equal(await alice.composer.inputValue(), 'for the team');
  });
});

describe('history', () => {
  inScene('it is there after a reload: public at once, the group with its password', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('said in public');
    await bob.reads('said in public');
    await alice.createGroup('team', 'pw');
    await alice.say('said in the team');
    await alice.reads('said in the team');

    await alice.page.reload();
    await alice.join('alice');
    assert.deepEqual(await alice.texts('public'), ['said in public']);
    await alice.joinGroup('team', 'pw');
    assert.deepEqual(await alice.texts('team'), ['said in the team']);
  });

  inScene('it is the last 50 messages, in order', async (scene) => {
    const sender = await scene.rawClient('sender');
    for (let i = 0; i < 60; i += 1) await sender.emitWithAck('send_public_message', { message: `m${i}` });
    const late = await scene.joins('late');
    assert.deepEqual(await late.texts('public'), Array.from({ length: 50 }, (_, i) => `m${i + 10}`));
  });
});

describe('when the server goes away', () => {
  inScene('a killed and restarted server: pages come back, rejoin their rooms and chat on, nothing twice', async (scene) => {
    scene.expected = OUTAGE;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('before, in public');
    await bob.reads('before, in public');
    await alice.createGroup('team', 'pw');
    await bob.joinGroup('team', 'pw');
    await bob.say('before, in the team');
    await alice.reads('before, in the team');

    await scene.server.kill('SIGKILL');
    await alice.is('offline');
    await alice.say('said into the void');
    await alice.page.getByText('You are offline. Nothing was sent.').waitFor();
    assert.equal(await alice.composer.inputValue(), 'said into the void', 'the text comes back');

    await scene.server.start(scene.server.port);
    for (const person of [alice, bob]) await person.is('connected');
    await alice.composer.press('Enter');
    await bob.reads('said into the void', 'alice');
    await bob.say('after, in the team');
    await alice.reads('after, in the team', 'bob');
    for (const person of [alice, bob]) {
      await person.openRoom('public');
      await person.say(`after, in public, ${person.name}`);
    }
    for (const person of [alice, bob]) {
      await person.reads('after, in public, alice');
      await person.reads('after, in public, bob');
      assert.deepEqual(await person.texts('team'), ['before, in the team', 'said into the void', 'after, in the team']);
      assert.deepEqual((await person.texts('public')).toSorted(), [
        'after, in public, alice', 'after, in public, bob', 'before, in public',
      ]);
    }
  });

  inScene('a group that is gone when the server is back: the page says so and goes on', async (scene) => {
    scene.expected = OUTAGE;
    const alice = await scene.joins('alice');
    await alice.createGroup('team', 'pw');
    await scene.server.kill('SIGKILL');
    await alice.is('offline');
    for (const file of ['', '-wal', '-shm']) await rm(join(scene.server.dir, `chat_app.db${file}`), { force: true });
    await scene.server.start(scene.server.port);
    await alice.is('connected');
    await alice.alert.filter({ hasText: 'You are no longer in team.' }).waitFor();
    assert.equal(await alice.roomButton('team').count(), 0);
    await alice.say('still here');
    await alice.reads('still here');
  });

  inScene('what was said while a page was offline is there when it is back', async (scene) => {
    scene.expected = /ERR_INTERNET_DISCONNECTED|WebSocket connection/;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.say('one');
    await bob.reads('one');
    await bob.page.context().setOffline(true);
    await bob.is('offline');
    await alice.say('two');
    await alice.reads('two');
    await bob.page.context().setOffline(false);
    await bob.page.getByRole('button', { name: 'Reconnect now' }).click();
    await bob.is('connected');
    await bob.reads('two');
    await alice.say('three');
    await bob.reads('three');
    assert.deepEqual(await bob.texts('public'), ['one', 'two', 'three']);
  });
});

describe('refusals', () => {
  inScene('a message that is too long comes back into the input, with the reason beside it', async (scene) => {
    const alice = await scene.joins('alice');
    const long = 'x'.repeat(10_001);
    await alice.say(long);
    await alice.page.locator('#message-error').filter({ visible: true }).waitFor();
    assert.equal(await alice.composer.inputValue(), long);
    assert.equal(await alice.composer.getAttribute('aria-invalid'), 'true');
    await alice.say('short');
    await alice.reads('short');
    assert.equal(await alice.page.locator('#message-error').isVisible(), false);
  });

  inScene('half of a surrogate pair is refused or shown, and the page goes on', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.composer.evaluate((input) => {
      input.value = `half \ud83d`;
      input.form.requestSubmit();
    });
    await alice.alert.or(alice.page.locator('#message-error')).or(alice.log.locator('.message'))
      .filter({ hasText: /./, visible: true }).first().waitFor();
    await alice.is('connected');
    await alice.say('whole');
    await alice.reads('whole');
  });

  inScene('an empty name is told beside the input', async (scene) => {
    const nobody = await scene.visitor();
    await nobody.is('connected');
    await nobody.page.getByRole('button', { name: 'Join', exact: true }).click();
    await nobody.page.locator('#username-error').filter({ visible: true }).waitFor();
    assert.equal(await nobody.page.getByLabel('Your name').getAttribute('aria-invalid'), 'true');
  });

  inScene('an alert can be dismissed', async (scene) => {
    scene.expected = /ERR_INTERNET_DISCONNECTED|WebSocket connection/;
    const alice = await scene.joins('alice');
    await alice.page.context().setOffline(true);
    await alice.is('offline');
    await alice.say('x');
    await alice.alert.filter({ hasText: 'You are offline' }).waitFor();
    await alice.page.getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(await alice.alert.textContent(), '');
  });
});

describe('hostile texts run nowhere, and are shown as typed or refused in the page', () => {
  test('there are many of them', () => {
    assert.ok(HOSTILE_TEXTS.length >= 40);
  });

  inScene('as a message, in public and in a group', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    for (const room of ['public', 'team']) {
      if (room === 'team') await alice.createGroup('team');
      if (room === 'team') await bob.joinGroup('team');
      for (const text of HOSTILE_TEXTS) await sayHostile(alice, bob, text);
    }
  });

  inScene('as a name: in the head, in "joined", beside the message, among the members', async (scene) => {
    const watcher = await scene.joins('watcher');
    await watcher.createGroup('team');
    let accepted = 0;
    const guest = await scene.visitor();
    for (const text of HOSTILE_TEXTS) accepted += await joinHostile(guest, watcher, text);
    assert.ok(accepted > 10, `${accepted} names were accepted`);
  });

  inScene('as the name of a group: in the lists and as the title', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    let accepted = 0;
    for (const text of HOSTILE_TEXTS) accepted += await createHostile(alice, bob, text);
    assert.ok(accepted > 10, `${accepted} names were accepted`);
  });

  inScene('as the password of a group', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    // A few do: passwords are shown nowhere, and each costs the server three slow hashes.
    for (const [i, text] of HOSTILE_TEXTS.filter((text, i) => i % 6 === 0 && text.length < 100).entries()) {
      await alice.createGroup(`group ${i}`, text);
      await bob.joinGroup(`group ${i}`, text);
    }
  });

  inScene('as what an old page "encrypted"', async (scene) => {
    const alice = await scene.joins('alice');
    const oldPage = await scene.rawClient('old page');
    for (const [i, text] of HOSTILE_TEXTS.entries()) {
      const { ok } = await oldPage.emitWithAck('send_public_message', { message: `old ${i}`, encrypted_content: text });
      if (!ok) continue;
      const legacy = alice.log.locator('.message').filter({ has: alice.page.getByText(`old ${i}`, { exact: true }) }).locator('.legacy');
      assert.equal(await legacy.locator('bdi').textContent(), decodeLegacy('public', text));
    }
  });
});

/** Says it in the room that both are in; it arrives as typed, or the page tells why not. */
async function sayHostile(speaker, reader, text) {
  await speaker.composer.fill(text);
  const typed = (await speaker.composer.inputValue()).normalize('NFC');
  const before = await reader.log.locator('.message').count();
  await speaker.composer.press('Enter');
  const refusal = speaker.page.locator('#message-error').filter({ visible: true });
  const arrived = speaker.log.locator('.message').nth(before);
  await refusal.or(arrived).first().waitFor();
  if (await refusal.count()) return assert.notEqual(await refusal.textContent(), '');
  assert.equal(await reader.log.locator('.message .text').nth(before).textContent(), typed);
}

/** Joins under it and speaks in a group; 1 when the name was accepted and shown everywhere as typed. */
async function joinHostile(guest, watcher, text) {
  await guest.page.reload();
  const input = guest.page.getByLabel('Your name');
  await input.fill(text);
  const typed = (await input.inputValue()).normalize('NFC');
  await guest.is('connected');
  await guest.page.getByRole('button', { name: 'Join', exact: true }).click();
  const refusal = guest.page.locator('#username-error').filter({ visible: true });
  await refusal.or(guest.composer).first().waitFor();
  if (await refusal.count()) {
    assert.notEqual(await refusal.textContent(), '');
    return 0;
  }
  assert.equal(await guest.page.locator('#own-name').textContent(), typed);
  await guest.joinGroup('team');
  await watcher.log.locator('.notice').filter({ hasText: 'joined' }).locator('bdi').getByText(typed, { exact: true }).first().waitFor();
  assert.ok((await watcher.page.locator('#member-list [data-member]').allTextContents()).includes(typed));
  await guest.say('here I am');
  await guest.reads('here I am');
  await watcher.log.locator('.message .author').getByText(typed, { exact: true }).first().waitFor();
  return 1;
}

/** Creates a group of that name; 1 when it was accepted and both people see it as typed. */
async function createHostile(creator, other, text) {
  await creator.page.getByText('New group').click();
  const input = creator.page.getByLabel('Group name');
  await input.fill(text);
  const typed = (await input.inputValue()).normalize('NFC');
  await creator.page.getByRole('button', { name: 'Create group' }).click();
  const refusal = creator.page.locator('#group-name-error').filter({ visible: true });
  const title = creator.page.locator('#room-name-text').getByText(typed, { exact: true });
  await refusal.or(title).first().waitFor();
  if (await refusal.count()) {
    assert.notEqual(await refusal.textContent(), '');
    await creator.page.getByText('New group').click();
    return 0;
  }
  assert.equal(await title.textContent(), typed);
  await other.page.locator('#other-groups bdi').getByText(typed, { exact: true }).waitFor();
  assert.equal(await other.page.locator('#other-groups bdi').last().textContent(), typed);
  return 1;
}

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

describe('for every person', () => {
  inScene('a phone shows one pane, and nothing is wider than it', async (scene) => {
    const [alice, mei] = [await scene.joins('alice'), await scene.joins('mei', PHONE)];
    await alice.createGroup('x'.repeat(64), 'pw');
    await alice.say('y'.repeat(400));
    assert.equal(await mei.page.locator('#rooms').isVisible(), false);
    await mei.page.getByRole('button', { name: 'Rooms' }).click();
    assert.equal(await mei.page.locator('#room').isVisible(), false);
    await assertFits(mei.page);
    await mei.joinGroup('x'.repeat(64), 'pw');
    assert.equal(await mei.page.locator('#rooms').isVisible(), false);
    await mei.say('from the phone');
    await alice.reads('from the phone', 'mei');
    await assertFits(mei.page);
    await mei.page.getByRole('button', { name: '2 members' }).click();
    await assertFits(mei.page);
    await mei.page.getByRole('button', { name: 'Leave group' }).click();
    await alice.notices('mei left');
  });

  inScene('the keyboard is enough', async (scene) => {
    const alice = await scene.joins('alice');
    await alice.createGroup('team');
    const bob = await scene.visitor();
    await bob.is('connected');
    const press = async (...keys) => {
      for (const key of keys) await bob.page.keyboard.press(key);
    };
    await bob.page.keyboard.type('bob');
    await press('Enter');
    await bob.composer.waitFor();
    await tabTo(bob.page, '[data-room=team]');
    await press('Enter');
    await bob.page.locator('#join-password:focus').waitFor();
    await press('Enter');
    await bob.isIn('team');
    await bob.page.locator('#message:focus').waitFor();
    await bob.page.keyboard.type('typed');
    await press('Enter');
    await alice.reads('typed', 'bob');
    await tabTo(bob.page, '[data-log=team]');
    await tabTo(bob.page, '#stats-button');
    await press('Enter');
    await bob.page.getByRole('dialog', { name: 'Your stats' }).waitFor();
    await press('Escape');
    await bob.page.getByRole('dialog').waitFor({ state: 'hidden' });
  });

  inScene('the stats count the messages', async (scene) => {
    const alice = await scene.joins('alice');
    for (const text of ['one', 'two']) {
      await alice.say(text);
      await alice.reads(text);
    }
    await alice.page.getByRole('button', { name: 'Stats' }).click();
    await alice.page.getByRole('dialog').waitFor();
    assert.equal(await alice.page.locator('[data-stat=message_count]').textContent(), '2');
    assert.doesNotMatch(await alice.page.locator('[data-stat=created_at]').textContent(), /undefined|Invalid|^$/);
  });

  inScene('the page says the truth about encryption, and shows no lock', async (scene) => {
    const nobody = await scene.visitor();
    const truth = "Messages are encrypted on this server's disk. The server can read them.";
    await nobody.page.getByText(truth).filter({ visible: true }).waitFor();
    await nobody.is('connected');
    await nobody.join('alice');
    await nobody.page.getByText(truth).filter({ visible: true }).waitFor();
    assert.doesNotMatch(await nobody.page.content(), /[🔒🔐🔓]|padlock|end-to-end/iu);
  });

  for (const colorScheme of ['light', 'dark']) {
    inScene(`every text has a contrast of at least 4.5, ${colorScheme}`, async (scene) => {
      const nobody = await scene.visitor({ colorScheme });
      await nobody.is('connected');
      await nobody.page.getByRole('button', { name: 'Join', exact: true }).click();
      await nobody.page.locator('#username-error').filter({ visible: true }).waitFor();
      await assertContrast(nobody.page);
      const [alice, bob] = [await scene.joins('alice', { colorScheme }), await scene.joins('bob', { colorScheme })];
      await bob.createGroup('team', 'pw');
      await alice.joinGroup('team', 'pw');
      await alice.say('mine');
      await bob.say('yours');
      await alice.reads('yours');
      await bob.openRoom('public');
      await bob.say('elsewhere');
      await alice.roomButton('public').getByText('1 unread').waitFor();
      await alice.page.getByText('New group').click();
      await assertContrast(alice.page);
    });
  }
});
