// Accounts and moderation in Chromium against the real server: the account page, and what the chat page offers with it.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { assertContrast, assertFits, tabTo } from './checks.mjs';
import { Holder, PASSWORD, PHONE, member, owner, ownerLink } from './holders.mjs';
import { HOSTILE_TEXTS } from './hostile-texts.mjs';
import { stage } from './scene.mjs';
import { STEP_MS, codeOf } from './totp.mjs';

const FOREIGN = fileURLToPath(new URL('foreign/', import.meta.url));

const inScene = stage(Holder);
const beside = stage(Holder, () => ({ TEMPLATES_DIR: join(FOREIGN, 'templates'), STATIC_DIR: join(FOREIGN, 'static') }));
const byInvitation = stage(Holder, () => ({ REGISTRATION: 'invite' }));

describe('an account', () => {
  byInvitation('an owner by the printed link, a member by the owner\'s invitation, a second factor', async (scene) => {
    const olga = await owner(scene);
    await olga.goTo('You', 'you');
    assert.equal(await olga.page.locator('#own-role').textContent(), 'owner');
    const link = await olga.invite();
    assert.ok(link.startsWith(`${scene.server.url}/account#invite=`), link);

    const mia = await scene.visitor();
    await mia.openAccount('#create-account');
    await mia.view('create-account').getByLabel('Name').fill('mia');
    await mia.view('create-account').getByLabel('Password', { exact: true }).fill(PASSWORD);
    await mia.view('create-account').getByLabel('Password again').fill(PASSWORD);
    await mia.view('create-account').getByRole('button', { name: 'Create account' }).click();
    await mia.page.getByText('by invitation only').waitFor();

    await mia.page.goto('about:blank');
    await mia.page.goto(link);
    await mia.page.getByText('You were invited.').waitFor();
    assert.equal(new URL(mia.page.url()).hash, '', 'the invitation is not in the address bar');
    await mia.createAccount('mia');
    assert.equal(await mia.page.locator('#own-role').textContent(), 'member');
    assert.equal(await mia.page.getByRole('link', { name: 'Accounts' }).count(), 0, 'nothing for administrators');

    const [secret, recovery] = await setUpFactor(mia);
    assert.equal(recovery.length, 10);
    await mia.goTo('You', 'you');
    assert.equal(await mia.page.locator('#own-factor').textContent(), 'on');
    await mia.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await mia.hears('You are signed out.');

    await mia.signIn('mia', 'not the password');
    await mia.page.getByText('Name or password is wrong.').waitFor();
    await mia.signIn('mia');
    const code = mia.view('sign-in').getByLabel('Code');
    await code.waitFor();
    assert.equal(await mia.page.locator('#sign-in-code-error').isVisible(), false, 'nothing is wrong yet');
    await code.fill('000000');
    await code.press('Enter');
    await mia.page.locator('#sign-in-code-error').filter({ visible: true }).waitFor();
    await code.fill(codeOf(secret, Date.now() + STEP_MS)); // the last one is used up
    await code.press('Enter');
    await mia.signedIn('mia');

    await mia.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await mia.signIn('mia');
    await code.fill(recovery[3]);
    await code.press('Enter');
    await mia.signedIn('mia');
    await mia.goTo('Second factor', 'second-factor');
    await mia.page.locator('#factor-remove').getByLabel('Your password').fill(PASSWORD);
    await mia.page.getByRole('button', { name: 'Remove the second factor' }).click();
    await mia.page.locator('#factor-remove-code-error').filter({ visible: true }).waitFor();
    await mia.page.locator('#factor-remove').getByLabel('Code of your app').fill(recovery[4]);
    await mia.page.getByRole('button', { name: 'Remove the second factor' }).click();
    await mia.hears('The second factor is removed.');
    await mia.page.locator('#factor-begin').waitFor();
  });

  inScene('two passwords that differ, a weak one, a taken name are told beside the input', async (scene) => {
    const olga = await owner(scene);
    const mia = await scene.visitor();
    await mia.openAccount('#create-account');
    const form = mia.view('create-account');
    const attempt = async (name, password, again, place, text) => {
      await form.getByLabel('Name').fill(name);
      await form.getByLabel('Password', { exact: true }).fill(password);
      await form.getByLabel('Password again').fill(again);
      await form.getByRole('button', { name: 'Create account' }).click();
      await mia.page.locator(place).filter({ hasText: text, visible: true }).waitFor();
    };
    await attempt('mia', PASSWORD, 'another one', '#create-again-error', 'not the same');
    await attempt('mia', 'password', 'password', '#create-password-error', /./);
    await attempt(olga.name, PASSWORD, PASSWORD, '#create-form [data-error-for]', /./);
    await attempt('<b>', PASSWORD, PASSWORD, '#create-name-error', /</);
  });

  inScene('the keyboard is enough to sign in, and to reach every part', async (scene) => {
    const mia = await member(scene, 'mia');
    await mia.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await mia.hears('You are signed out.');
    await mia.page.locator('#sign-in-name:focus').waitFor();
    await mia.page.keyboard.type('mia');
    await mia.page.keyboard.press('Tab');
    await mia.page.keyboard.type(PASSWORD);
    await mia.page.keyboard.press('Enter');
    await mia.signedIn('mia');
    await tabTo(mia.page, '#sign-out');
    await mia.page.locator('body').evaluate(() => document.activeElement.blur());
    await tabTo(mia.page, 'nav a[href="#sessions"]');
    await mia.page.keyboard.press('Enter');
    await mia.page.locator('#sessions-title:focus').waitFor();
    assert.match(await mia.page.title(), /^Sessions/);
  });

  inScene('a password is changed; the other session ends and its chat page says so, and stays away', async (scene) => {
    const mia = await member(scene, 'mia');
    const elsewhere = await scene.visitor();
    await elsewhere.openAccount();
    await elsewhere.signIn('mia');
    await elsewhere.signedIn('mia');
    await elsewhere.enterChat();

    await mia.goTo('Sessions', 'sessions');
    await mia.page.locator('#session-list li').nth(1).waitFor();
    assert.equal(await mia.page.locator('#session-list li').count(), 2);
    assert.equal(await mia.page.getByText('this one').count(), 1);
    await mia.goTo('You', 'you');
    const form = mia.page.locator('#password-form');
    const change = async (old) => {
      await form.getByLabel('Old password').fill(old);
      await form.getByLabel('New password', { exact: true }).fill('staple battery horse');
      await form.getByLabel('New password again').fill('staple battery horse');
      await form.getByRole('button', { name: 'Change password' }).click();
    };
    await change('wrong');
    await mia.page.locator('#old-password-error').filter({ visible: true }).waitFor();
    await change(PASSWORD);
    await mia.hears('Your password is changed.');

    await elsewhere.page.getByText('This session was ended.').waitFor();
    await elsewhere.page.getByRole('link', { name: 'Go to your account' }).click();
    await elsewhere.view('sign-in').waitFor();
    await mia.goTo('Sessions', 'sessions');
    await mia.page.locator('#session-list li').nth(1).waitFor({ state: 'detached' });
  });

  inScene('one session is ended by its button, all others by one', async (scene) => {
    const mia = await member(scene, 'mia');
    const others = [];
    for (let i = 0; i < 3; i += 1) {
      const other = await scene.visitor();
      await other.openAccount();
      await other.signIn('mia');
      await other.signedIn('mia');
      others.push(other);
    }
    await mia.goTo('Sessions', 'sessions');
    await mia.page.locator('#session-list').getByRole('button', { name: 'End the session' }).first().click();
    await mia.hears('The session is ended.');
    await mia.page.locator('#session-list li').nth(3).waitFor({ state: 'detached' });
    await mia.page.getByRole('button', { name: 'End all others' }).click();
    await mia.hears('2 sessions are ended.');
    for (const other of others) {
      await other.page.getByRole('link', { name: 'Sessions' }).click();
      await other.view('sign-in').waitFor();
    }
  });

  inScene('it comes into the chat at once, and into its groups without a password', async (scene) => {
    const mia = await member(scene, 'mia');
    await mia.enterChat();
    assert.equal(await mia.page.locator('#own-name').textContent(), 'mia');
    await mia.createGroup('team', 'pw');
    await mia.say('in the team');
    await mia.reads('in the team');
    await mia.page.reload();
    await mia.composer.waitFor();
    await mia.openRoom('team');
    await mia.reads('in the team', 'mia');
    await mia.page.locator('.own').click();
    await mia.page.getByRole('menuitem', { name: 'Your account' }).click();
    await mia.view('you').waitFor();
  });

  beside('the page works beside a page of another server\'s', async (scene) => {
    const olga = await scene.visitor();
    await olga.openAccount(ownerLink(scene));
    // The foreign page comes without its library here: node_modules is not in its folder.
    scene.expected = /favicon|status of 40|socket\.io\.min\.js|io is not defined/;
    await olga.createAccount('olga');
    await olga.goTo('Reports', 'reports');
    await olga.page.getByText('Nobody waits for an answer.').waitFor();
  });
});

describe('moderation', () => {
  inScene('a guest blocks and reports; the owner sees the report, deletes the message, bans its author', async (scene) => {
    const olga = await owner(scene);
    const [rude, gus] = [await scene.joins('rude'), await scene.joins('gus')];
    await rude.say('something rude');
    await rude.say('something else');
    await gus.reads('something else', 'rude');

    await gus.picks('Report…', 'something rude');
    await gus.dialog('Report this message of rude?').getByLabel('Reason').fill('I do not like it');
    await gus.page.getByRole('button', { name: 'Report' }).click();
    await gus.notices('Reported.');

    await olga.goTo('Reports', 'reports');
    const report = olga.page.locator('#report-list li');
    await report.filter({ hasText: 'something rude' }).filter({ hasText: 'I do not like it' }).waitFor();
    await report.getByRole('button', { name: 'Delete' }).click();
    await olga.dialog('Delete this message of rude?').getByRole('button', { name: 'Delete' }).click();
    await olga.hears('The message is deleted.');
    for (const person of [gus, rude]) {
      await person.messageOf('something rude').waitFor({ state: 'detached' });
      assert.deepEqual(await person.texts('public'), ['something else']);
    }

    await gus.picks('Block rude', 'something else');
    await gus.messageOf('something else').waitFor({ state: 'detached' });
    await rude.say('can you hear me?');
    await rude.reads('can you hear me?');

    await report.getByRole('button', { name: 'Ban rude' }).click();
    const dialog = olga.dialog('Ban rude');
    await dialog.getByLabel('Where').selectOption('The whole server');
    await dialog.getByLabel('Reason').fill('be kind');
    await dialog.getByLabel('Their messages').selectOption('Remove those of the last day');
    await dialog.getByRole('button', { name: 'Ban' }).click();
    await olga.hears('rude is banned. 2 of their messages are removed.');
    await rude.page.getByText(/^You were banned from this server\. Until .* Reason: be kind$/).first().waitFor();
    await rude.page.getByRole('button', { name: 'Try again' }).click();
    await rude.page.getByLabel('Your name').fill('rude');
    await rude.page.getByRole('button', { name: 'Join', exact: true }).click();
    await rude.page.getByText('You are banned from this server.').waitFor();
    assert.equal(await rude.composer.count(), 0);

    await report.getByRole('button', { name: 'Resolve' }).click();
    await olga.dialog('Resolve this report?').getByLabel('What came of it').fill('banned for a day');
    await olga.page.getByRole('button', { name: 'Resolve', exact: true }).click();
    await olga.hears('The report is dealt with.');
    await olga.page.getByText('Nobody waits for an answer.').waitFor();
    await olga.page.getByLabel('Show those dealt with').check();
    await report.filter({ hasText: 'banned for a day' }).waitFor();

    await olga.goTo('Bans and mutes', 'people');
    const banned = olga.page.locator('#sanction-list li').filter({ hasText: 'rude' });
    await banned.filter({ hasText: 'be kind' }).waitFor();
    await banned.getByRole('button', { name: 'Lift the ban of rude' }).click();
    await olga.dialog('Lift the ban of rude').getByRole('button', { name: 'Lift the ban' }).click();
    await olga.hears('rude is no longer banned.');
    await olga.page.getByText('Nobody is banned or muted here.').waitFor();
    await rude.join('rude');

    await olga.goTo('Audit log', 'audit-log');
    await olga.page.locator('#audit-list li').filter({ hasText: 'unban' }).waitFor();
    const actions = await olga.page.locator('#audit-list code').allTextContents();
    for (const action of ['delete_message', 'ban', 'resolve_report', 'unban']) assert.ok(actions.includes(action), action);
  });

  inScene('a guest\'s blocks last over a lost connection, though the server takes the guest for a new one', async (scene) => {
    scene.expected = /ERR_INTERNET_DISCONNECTED|WebSocket connection/;
    const [alice, bob] = [await scene.joins('alice'), await scene.joins('bob')];
    await bob.say('one');
    await alice.picks('Block bob', 'one');
    await alice.messageOf('one').waitFor({ state: 'detached' }); // the server has answered
    await alice.page.context().setOffline(true);
    await alice.is('offline');
    await alice.page.context().setOffline(false);
    await alice.is('connected');
    await bob.say('two');
    await bob.reads('two');
    await alice.say('fence');
    await alice.reads('fence');
    assert.deepEqual(await alice.texts('public'), ['fence']);
  });

  inScene('who is sent out of the public room sees so, and is back after a reload', async (scene) => {
    const olga = await owner(scene);
    await olga.enterChat();
    const gus = await scene.joins('gus');
    await gus.say('hello');
    await olga.picks('Kick…', 'hello');
    await olga.dialog('Kick gus').getByRole('button', { name: 'Kick' }).click();
    await gus.notices('You were sent out of Public chat.');
    await gus.composer.waitFor({ state: 'hidden' });
    await gus.page.reload();
    await gus.join('gus');
    await gus.say('again');
    await olga.reads('again');
  });

  inScene('the owner gives roles, disables and enables an account; a moderator sees the reports alone', async (scene) => {
    const olga = await owner(scene);
    const mia = await member(scene, 'mia');
    await olga.goTo('Accounts', 'accounts');
    await olga.page.getByLabel('Role of mia', { exact: true }).selectOption('moderator');
    await olga.page.getByRole('button', { name: 'Set role of mia' }).click();
    await olga.hears('mia is moderator now.');
    await mia.page.reload();
    await mia.goTo('Reports', 'reports');
    assert.deepEqual(await mia.page.locator('.sections a:visible').allTextContents(), ['You', 'Second factor', 'Sessions', 'Reports', 'Bans and mutes']);

    await mia.openChat();
    await mia.composer.waitFor();
    const gus = await scene.joins('gus');
    await gus.say('hello');
    await mia.picks('Ban…', 'hello');
    await mia.page.keyboard.press('Escape');

    await olga.page.getByRole('button', { name: 'Disable the account of mia' }).click();
    await olga.dialog('Disable the account of mia?').getByRole('button', { name: 'Disable' }).click();
    await olga.hears('The account of mia is disabled.');
    await mia.page.getByRole('heading', { name: 'You are out' }).waitFor();
    await mia.openAccount();
    await mia.signIn('mia');
    await mia.page.getByText('This account is disabled.').waitFor();
    await olga.page.getByRole('button', { name: 'Enable the account of mia' }).click();
    await olga.hears('The account of mia is enabled.');
    await mia.signIn('mia');
    await mia.signedIn('mia');

    await olga.page.getByLabel('Find by name').fill('mi');
    assert.equal(await olga.page.locator('#account-list li').count(), 1);
    await olga.goTo('Server', 'server');
    await olga.page.locator('#server-numbers').getByText('Version').waitFor();
  });

});

describe('hostile texts run nowhere, and are shown as typed or refused', () => {
  const some = HOSTILE_TEXTS.filter((text) => text.length < 100 && !/[\u0000-\u001f\u202a-\u202e\u2066-\u2069\u0301]/.test(text)).slice(0, 40);

  inScene('as the reason of a report and the note of its resolution', async (scene) => {
    const olga = await owner(scene);
    const gus = await scene.joins('gus');
    await olga.goTo('Reports', 'reports');
    const all = olga.page.getByLabel('Show those dealt with');
    await all.check();
    const rude = await scene.joins('rude');
    let shown = 0;
    for (const [i, text] of some.slice(0, 20).entries()) {
      await rude.say(`message ${i}`);
      await gus.picks('Report…', `message ${i}`);
      await gus.page.getByRole('textbox', { name: 'Reason' }).fill(text);
      await gus.page.getByRole('button', { name: 'Report' }).click();
      await gus.page.getByRole('dialog').waitFor({ state: 'hidden' });
      await olga.page.getByRole('button', { name: 'Refresh' }).click();
      const report = olga.page.locator('#report-list li').filter({ has: olga.page.getByText(`message ${i}`, { exact: true }) });
      await report.getByRole('button', { name: 'Resolve' }).click();
      await olga.page.getByLabel('What came of it').fill(text);
      await olga.page.getByRole('button', { name: 'Resolve', exact: true }).click();
      await olga.hears('The report is dealt with.');
      await report.locator('.words').nth(1).waitFor();
      assert.deepEqual(await report.locator('.words').allTextContents(), [text, text]);
      shown += 1;
    }
    assert.equal(shown, 20);
    await olga.goTo('Audit log', 'audit-log');
    await olga.page.locator('#audit-list li').nth(19).waitFor();
    assert.deepEqual((await olga.page.locator('#audit-list .words').allTextContents()).toReversed(), some.slice(0, 20));
  });

  inScene('as the name of an account, and as the reason of a mute', async (scene) => {
    const olga = await owner(scene);
    const gus = await scene.joins('gus');
    const guest = await scene.visitor();
    let accepted = 0;
    for (const text of some) {
      await guest.page.context().clearCookies();
      await guest.openAccount('#you'); // there one is shown what one is called
      await guest.page.getByRole('link', { name: 'Create account' }).click();
      const form = guest.view('create-account');
      await form.getByLabel('Name').fill(text);
      await form.getByLabel('Password', { exact: true }).fill(PASSWORD);
      await form.getByLabel('Password again').fill(PASSWORD);
      await form.getByRole('button', { name: 'Create account' }).click();
      const refusal = guest.page.locator('#create-form [data-error-for]').filter({ visible: true });
      await refusal.or(guest.view('you')).first().waitFor();
      if (await refusal.count()) continue;
      assert.equal(await guest.page.locator('#own-name').textContent(), text);
      accepted += 1;
    }
    assert.ok(accepted >= 3, `${accepted} names were accepted`);
    await olga.goTo('Accounts', 'accounts');
    await olga.page.locator('#account-list li').nth(accepted).waitFor();

    await olga.goTo('Bans and mutes', 'people');
    for (const text of some.slice(0, 20)) {
      await olga.view('people').getByLabel('Name').fill('gus');
      await olga.page.getByRole('button', { name: 'Mute…' }).click();
      await olga.dialog('Mute gus').getByLabel('Reason').fill(text);
      await olga.dialog('Mute gus').getByRole('button', { name: 'Mute' }).click();
      await gus.toast.filter({ hasText: `Reason: ${text}` }).first().waitFor();
    }
  });
});

describe('for every person', () => {
  for (const colorScheme of ['light', 'dark']) {
    inScene(`every text has a contrast of at least 4.5, and nothing is wider than a phone, ${colorScheme}`, async (scene) => {
      const olga = await owner(scene, { ...PHONE, colorScheme });
      const [rude, gus] = [await scene.joins('x'.repeat(64), { ...PHONE, colorScheme }), await scene.joins('gus', { colorScheme })];
      await rude.say('y'.repeat(300));
      await gus.reads('y'.repeat(300));
      const client = gus.messageOf('y'.repeat(300));
      await client.hover();
      await client.getByRole('button', { name: 'Actions' }).click();
      await assertContrast(gus.page);
      await gus.page.getByRole('menuitem', { name: 'Report…' }).click();
      await gus.page.getByRole('textbox', { name: 'Reason' }).fill('z'.repeat(200));
      await assertContrast(gus.page);
      await gus.page.getByRole('button', { name: 'Report' }).click();
      await assertFits(rude.page);
      await rude.page.locator('.message.mine').press('Enter');
      await rude.page.getByRole('menuitem').first().waitFor();
      await assertFits(rude.page);
      await olga.invite();
      const parts = { 'You': 'you', 'Second factor': 'second-factor', 'Sessions': 'sessions', 'Reports': 'reports', 'Bans and mutes': 'people', 'Accounts': 'accounts', 'Invitations': 'invitations', 'Audit log': 'audit-log', 'Server': 'server', 'Settings': 'settings', 'Keys and backups': 'keys' };
      for (const [link, name] of Object.entries(parts)) {
        await olga.goTo(link, name);
        if (name === 'reports') await olga.page.locator('#report-list li').waitFor();
        await assertFits(olga.page);
        await assertContrast(olga.page);
      }
    });
  }
});

/** Sets up the second factor; gives the secret and the recovery codes. */
async function setUpFactor(person) {
  await person.goTo('Second factor', 'second-factor');
  await person.page.locator('#factor-begin').getByLabel('Your password').fill(PASSWORD);
  await person.page.getByRole('button', { name: 'Set up a second factor' }).click();
  const picture = person.page.getByRole('img', { name: 'QR code' });
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth > 100)), 'the QR code is drawn');
  const secret = (await person.page.locator('#factor-secret').textContent()).replaceAll(' ', '');
  await person.page.getByLabel('The code that it shows now').fill(codeOf(secret));
  await person.page.getByRole('button', { name: 'Turn it on' }).click();
  await person.page.locator('#factor-codes li').first().waitFor();
  const codes = await person.page.locator('#factor-codes li').allTextContents();
  await person.page.getByRole('button', { name: 'I have kept them' }).click();
  await person.page.locator('#factor-remove').waitFor();
  return [secret, codes];
}
