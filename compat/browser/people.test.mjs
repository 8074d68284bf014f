// People on our page: who is here, blocking, reporting, moderating, and what one is told of it.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Person);

/** Chooses from the menu of somebody in the panel of people. */
async function about(person, name, item) {
  if (!(await person.page.locator('#drawer .people').count())) await person.opens('people');
  await person.page.getByRole('button', { name: `Actions for ${name}`, exact: true }).click();
  await person.page.getByRole('menuitem', { name: item, exact: true }).click();
}

const SLOW_MODE = 'Slow mode: between two messages of one person';
const KEPT = 'How long messages are kept';

async function openSettings(person) {
  await person.page.getByRole('button', { name: 'Actions for this room' }).click();
  await person.page.getByRole('menuitem', { name: 'Room settings' }).click();
  await person.page.getByLabel(SLOW_MODE).waitFor();
}

/** What the menu of a message offers. */
async function offered(person, text) {
  const message = person.messages(text).first();
  await message.hover();
  await message.locator('.more').click();
  const items = await person.page.getByRole('menuitem').allTextContents();
  await person.page.keyboard.press('Escape');
  return items;
}

const dialog = (person) => person.page.locator('dialog[open]');

describe('who is here', () => {
  inScene('the panel lists those of the room and whether they are there', async (scene) => {
    const alice = await scene.signedIn('alice');
    const bob = await scene.signedIn('bob');
    await alice.createGroup('team');
    await bob.joinGroup('team');
    await alice.opens('people');
    const presence = alice.page.locator('.person').filter({ has: alice.page.locator('[data-member=bob]') }).locator('.presence');
    await presence.getByText('online').waitFor();
    await scene.leaves(bob);
    await presence.getByText('offline').waitFor();
  });

  inScene('who appears offline does so for others', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await alice.createGroup('team');
    await bob.joinGroup('team');
    await bob.page.locator('.own').click();
    await bob.page.getByRole('menuitem', { name: 'Appear offline' }).click();
    await alice.opens('people');
    await alice.page.locator('.person').filter({ has: alice.page.locator('[data-member=bob]') }).locator('[data-presence=offline]').waitFor();
    await bob.page.reload();
    await bob.is('connected');
    await bob.page.locator('.own').click();
    await bob.page.getByRole('menuitem', { name: 'Be seen again' }).click();
    await alice.page.locator('.person').filter({ has: alice.page.locator('[data-member=bob]') }).locator('[data-presence=online]').waitFor();
  });
});

describe('blocking', () => {
  inScene('what the blocked say is gone and stays away, until it is undone', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await bob.say('buy my things');
    await alice.reads('buy my things');
    await alice.choose('buy my things', 'Block bob');
    await alice.messages('buy my things').waitFor({ state: 'detached' });
    await bob.say('hello?');
    await bob.reads('hello?');
    await alice.say('fence');
    await alice.reads('fence');
    assert.deepEqual(await alice.texts(), ['fence']);

    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Blocked people' }).click();
    await dialog(alice).getByRole('button', { name: 'Unblock bob' }).click();
    await dialog(alice).getByText('Nobody is blocked.').waitFor();
    await dialog(alice).getByRole('button', { name: 'Close' }).click();
    await alice.reads('hello?', 'bob');
    assert.deepEqual(await alice.texts(), ['buy my things', 'hello?', 'fence']);
  });
});

describe('muting a room', () => {
  inScene('it makes no noise any more', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.joins('bob')];
    await alice.createGroup('team');
    await bob.say('psst');
    await alice.roomLink('public').getByText('1 unread').waitFor();
    await alice.openRoom('public');
    await alice.page.getByRole('button', { name: 'Actions for this room' }).click();
    await alice.page.getByRole('menuitem', { name: 'Mute this room' }).click();
    await alice.roomLink('public').getByText('muted').waitFor();
    await alice.openRoom('team');
    await bob.say('again');
    await bob.reads('again');
    await alice.say('fence');
    await alice.reads('fence');
    assert.equal(await alice.roomLink('public').locator('.badge').count(), 0);
  });
});

describe('moderating', () => {
  inScene('a report reaches the moderators', async (scene) => {
    const [alice, mod] = [await scene.signedIn('alice'), await scene.signedIn('mod', { role: 'moderator' })];
    const bob = await scene.joins('bob');
    await bob.say('something bad');
    await alice.choose('something bad', 'Report…');
    await dialog(alice).getByLabel('Reason').fill('it is bad');
    await dialog(alice).getByRole('button', { name: 'Report' }).click();
    await alice.notices('Reported.');
    await mod.page.locator('.own').click();
    await mod.page.getByRole('menuitem', { name: 'Moderation and server' }).click();
    await mod.page.getByText('it is bad').waitFor();
  });

  inScene('muted, kicked, banned: the person is told why', async (scene) => {
    const mod = await scene.signedIn('mod', { role: 'moderator' });
    const bob = await scene.joins('bob');
    await bob.say('spam');
    await mod.reads('spam');
    await about(mod, 'bob', 'Mute…');
    await dialog(mod).getByLabel(/^Reason/).fill('calm down');
    await dialog(mod).getByRole('button', { name: 'Mute' }).click();
    await bob.notices('You were muted in Public chat.');
    await bob.say('but');
    await bob.log.locator('[data-waiting=failed]').waitFor();

    await about(mod, 'bob', 'Ban…');
    await dialog(mod).getByLabel('Where').selectOption('');
    await dialog(mod).getByLabel(/^Reason/).fill('enough');
    await dialog(mod).getByRole('button', { name: 'Ban' }).click();
    await bob.page.getByRole('heading', { name: 'You are out' }).waitFor();
    await bob.page.getByText('Reason: enough').waitFor();
    await mod.say('peace');
    await mod.reads('peace');
  });

  inScene('the owner of a group makes a moderator, slows it down, and hands it over', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await alice.createGroup('team');
    await bob.joinGroup('team');
    await about(alice, 'bob', 'Make a moderator');
    await bob.notices('You are a moderator of team now.');
    await openSettings(bob);
    await bob.page.getByLabel(SLOW_MODE).selectOption('60');
    await alice.notices('Slow mode: one message from each person in 1 minute.');
    await about(alice, 'bob', 'Hand the group over…');
    await dialog(alice).getByRole('button', { name: 'Hand over' }).click();
    await bob.notices('You are the owner of team now.');
  });

  inScene('whoever only takes part sees what is set, is offered what they may, and more as soon as they may more', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await alice.createGroup('team');
    await openSettings(alice);
    await alice.page.getByLabel(KEPT).selectOption('7');
    await dialog(alice).getByText('goes at once').waitFor();
    await dialog(alice).getByRole('button', { name: 'Cancel' }).click();
    await alice.page.waitForFunction(() => document.querySelector('#retention').value === '0');
    await alice.page.getByLabel(KEPT).selectOption('30');
    await dialog(alice).getByRole('button', { name: 'Delete older messages' }).click();
    await alice.notices('Messages of this room are kept for 30 days.');
    await bob.joinGroup('team');
    await alice.say('hello');
    await openSettings(bob);
    for (const [label, value] of [[SLOW_MODE, '0'], [KEPT, '30']]) {
      assert.equal(await bob.page.getByLabel(label).inputValue(), value);
      assert.ok(await bob.page.getByLabel(label).isDisabled(), label);
    }
    assert.deepEqual(await offered(bob, 'hello'), ['Reply', 'React', 'Copy text', 'Copy link', 'Report…', 'Write to alice', 'Block alice']);
    await about(alice, 'bob', 'Make a moderator');
    await bob.notices('You are a moderator of team now.');
    await bob.page.locator('#drawer select:enabled#slow-mode').waitFor();
    assert.ok(await bob.page.getByLabel(KEPT).isDisabled());
    assert.deepEqual((await offered(bob, 'hello')).filter((item) => /^(Pin|Delete…|Ban…|Make a moderator)$/.test(item)), ['Pin', 'Delete…', 'Ban…']);
    await alice.page.reload();
    await alice.isIn('team');
    await openSettings(alice);
    assert.equal(await alice.page.getByLabel(KEPT).inputValue(), '30');
  });

  inScene('the owner of a group gives it another password', async (scene) => {
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await alice.createGroup('team');
    await openSettings(alice);
    await alice.page.getByText('Everybody on this server can join.').waitFor();
    await alice.page.getByRole('button', { name: 'Change the password…' }).click();
    await dialog(alice).getByLabel('Password (optional)').fill('open sesame');
    await dialog(alice).getByRole('button', { name: 'Set password' }).click();
    await alice.notices('team has a new password.');
    await alice.page.getByText('Whoever joins needs the password.').waitFor();
    await bob.joinGroup('team', 'open sesame');
    await bob.say('in');
    await alice.reads('in');
  });

  inScene('the owner of a group bans somebody, finds them in the settings, and lifts it', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await alice.createGroup('team');
    await bob.joinGroup('team');
    await about(alice, 'bob', 'Ban…');
    await dialog(alice).getByLabel(/^Reason/).fill('off topic');
    await dialog(alice).getByRole('button', { name: 'Ban' }).click();
    await bob.notices('You were banned from team.');
    await openSettings(alice);
    await alice.page.locator('#drawer').getByText(/banned .*By alice\. Reason: off topic/).waitFor();
    await alice.page.getByRole('button', { name: 'Lift the ban of bob' }).click();
    await alice.page.locator('#drawer').getByText('Nobody.', { exact: true }).waitFor();
    await bob.joinGroup('team');
  });

  inScene('a moderator deletes what somebody else wrote', async (scene) => {
    const mod = await scene.signedIn('mod', { role: 'moderator' });
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await bob.say('not here');
    for (const person of [mod, alice]) await person.reads('not here');
    await mod.choose('not here', 'Delete…');
    await dialog(mod).getByLabel('Reason, for the audit log').fill('off topic');
    await dialog(mod).getByRole('button', { name: 'Delete' }).click();
    for (const person of [mod, alice, bob]) await person.messages('not here').waitFor({ state: 'detached' });
  });
});

describe('accounts', () => {
  inScene('their rooms, rooms of two and marks are there in another browser', async (scene) => {
    const [alice, bob] = [await scene.signedIn('alice'), await scene.signedIn('bob')];
    await alice.createGroup('team', 'pw');
    await bob.writeTo('alice');
    await bob.say('for you');
    await alice.roomLink('bob').getByText('1 unread').waitFor();
    const again = await scene.comesBack('alice');
    await again.openRoom('team');
    await again.say('from elsewhere');
    await alice.reads('from elsewhere', 'alice');
    await again.roomLink('bob').click();
    await again.reads('for you', 'bob');
  });

  inScene('signing out leaves nothing of what was written', async (scene) => {
    const alice = await scene.signedIn('alice');
    await alice.composer.fill('a secret draft');
    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Sign out' }).click();
    await alice.page.getByLabel('Your name').waitFor();
    assert.doesNotMatch(await alice.page.evaluate(() => JSON.stringify(localStorage)), /secret/);
  });

  inScene('an administrator makes a link that lets people in', async (scene) => {
    scene.expected = /status of 401/; // the account page asks who is there
    const admin = await scene.signedIn('admin', { role: 'admin' });
    await admin.page.getByRole('button', { name: 'Invite people' }).click();
    await dialog(admin).getByRole('button', { name: 'Make a link' }).click();
    const link = await dialog(admin).getByLabel(/^The link/).inputValue();
    const carol = await scene.visitor();
    await carol.page.goto(link);
    await carol.page.getByText('You were invited.').waitFor();
  });
});
