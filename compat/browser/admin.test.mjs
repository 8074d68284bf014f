// The page for who runs the server, and for who comes in for the first time: in two languages, light and dark, on any screen.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe } from 'node:test';
import { assertAccessible, assertContrast, assertFits, tabTo } from './checks.mjs';
import { Holder, PASSWORD, member, owner, ownerLink } from './holders.mjs';
import { stage } from './scene.mjs';

const SECRETS = { SECRET_KEY: 's3cret-s3cret-s3cret', EMIT_TOKEN: '3mit-3mit-3mit-3mit-3mit-3mit-3mit' };
const GERMAN = { locale: 'de-DE' };
const NARROW = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true };
const SECTIONS = ['welcome', 'you', 'second-factor', 'sessions', 'reports', 'people', 'accounts', 'invitations', 'audit-log', 'server', 'settings', 'keys'];

const inScene = stage(Holder, () => ({ SAMPLE_EVERY: '1' }));
const withSecrets = stage(Holder, () => ({ ...SECRETS, BACKUP_EVERY: '24', PING_TIMEOUT: '7' }));
const withoutGuests = stage(Holder, () => ({ GUEST_ACCESS: 'off', REGISTRATION: 'invite' }));
const secondFactor = stage(Holder, () => ({ ADMIN_REQUIRE_2FA: 'true' }));

/** Shows a part of the page, whoever looks at it, and waits until it has what it fetches. */
async function show(person, section) {
  await person.page.evaluate((name) => (location.hash = `#${name}`), section);
  await person.view(section).waitFor();
  await person.page.waitForLoadState('networkidle');
}

async function assertFocus(page) {
  assert.notEqual(await page.evaluate(() => document.activeElement.localName), 'body', 'the focus is somewhere');
}

describe('the first time', () => {
  inScene('the owner is led from the printed link to a room, a link for others, and the chat', async (scene) => {
    const olga = await owner(scene);
    await olga.view('welcome').getByText('This server is yours now.').waitFor();
    assert.equal(await olga.page.evaluate(() => document.activeElement.id), 'welcome-title');
    assert.equal(await olga.page.locator('#welcome-room').getAttribute('href'), '/#new-room');
    await olga.page.locator('#welcome-invite').click();
    await olga.page.locator('#welcome-copy:focus').waitFor();
    await olga.hears(/Only this machine finds that address/);
    const link = await olga.page.locator('#welcome-link').inputValue();
    assert.ok(link.startsWith(`${scene.server.url}/account#invite=`), link);
    await olga.page.locator('#welcome-copy').click();
    await olga.hears(/Copied|Your browser does not let/);
    await olga.goTo('Invitations', 'invitations');
    await olga.page.locator('#invite-list').getByText('member, 10 times').waitFor();

    const mia = await scene.visitor();
    await mia.page.goto('about:blank');
    await mia.page.goto(link);
    await mia.view('create-account').waitFor();
    await mia.page.reload(); // what the link gives is kept
    const form = mia.view('create-account');
    await form.getByLabel('Name').fill('mia');
    await form.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await form.getByLabel('Password again').fill(PASSWORD);
    await form.getByRole('button', { name: 'Create account' }).click();
    await mia.composer.waitFor();
    assert.equal(new URL(mia.page.url()).pathname, '/', 'straight into the chat');
    await mia.is('connected');
  });

  inScene('signing in leads into the chat, or to the part that one came for', async (scene) => {
    const mia = await member(scene, 'mia');
    await mia.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await mia.hears('You are signed out.');
    await mia.signIn('mia');
    await mia.composer.waitFor();
    await mia.is('connected');
    await mia.page.context().clearCookies();
    await mia.openAccount('#sessions');
    await mia.signIn('mia');
    await mia.view('sessions').waitFor();
    await mia.hears('You are signed in as mia.');
  });

  inScene('whose session is over comes back to where they were', async (scene) => {
    const mia = await member(scene, 'mia');
    await mia.goTo('Sessions', 'sessions');
    await mia.page.context().clearCookies();
    await mia.page.getByRole('navigation').getByRole('link', { name: 'Sessions' }).click();
    await mia.goTo('Second factor', 'second-factor').catch(() => {});
    await mia.page.getByText('Your session is over.').waitFor();
    await mia.signIn('mia');
    await mia.view('second-factor').waitFor();
  });

  inScene('guests find their way into the chat', async (scene) => {
    const guest = await scene.visitor();
    scene.expected = /status of 401/;
    await guest.openAccount();
    await guest.page.getByRole('link', { name: 'Continue as guest' }).click();
    await guest.page.getByLabel('Your name').waitFor();
  });

  withoutGuests('no way for guests where there are none', async (scene) => {
    scene.expected = /status of 40[13]/;
    const guest = await scene.visitor();
    await guest.openAccount();
    await guest.view('sign-in').waitFor();
    assert.equal(await guest.page.getByRole('link', { name: 'Continue as guest' }).count(), 0);
  });

  secondFactor('an owner who has to set up a second factor is led there', async (scene) => {
    const olga = await owner(scene);
    await olga.view('second-factor').waitFor();
    assert.equal(await olga.page.locator('#welcome-invite').isVisible(), false);
  });

  inScene('signing out everywhere ends all sessions', async (scene) => {
    const mia = await member(scene, 'mia');
    const elsewhere = await scene.visitor();
    await elsewhere.openAccount('#sessions');
    await elsewhere.signIn('mia');
    await elsewhere.view('sessions').waitFor();
    await mia.page.getByRole('button', { name: 'Sign out everywhere' }).click();
    await mia.hears('You are signed out everywhere.');
    await mia.page.locator('#sign-in-name:focus').waitFor();
    await elsewhere.page.getByRole('navigation').getByRole('link', { name: 'Second factor' }).click();
    await elsewhere.page.getByText('Your session is over.').waitFor();
    await elsewhere.view('sign-in').waitFor();
  });
});

describe('language', () => {
  inScene('a German browser sees German, errors of the server too', async (scene) => {
    const mia = await scene.visitor(GERMAN);
    scene.expected = /status of 40[0139]/;
    await mia.openAccount();
    await mia.page.getByRole('heading', { name: 'Anmelden' }).waitFor();
    assert.equal(await mia.page.evaluate(() => document.documentElement.lang), 'de');
    assert.equal(await mia.page.title(), 'Anmelden – Secure Chat');
    const form = mia.view('sign-in');
    await form.getByLabel('Name').fill('nobody');
    await form.getByLabel('Passwort').fill(PASSWORD);
    await form.getByRole('button', { name: 'Anmelden' }).click();
    await form.getByText('Name oder Passwort ist falsch.').waitFor();
    await mia.page.getByRole('link', { name: 'Konto anlegen' }).click();
    const create = mia.view('create-account');
    await create.getByLabel('Name').fill('<b>');
    await create.getByLabel('Passwort', { exact: true }).fill(PASSWORD);
    await create.getByLabel('Passwort wiederholen').fill('etwas anderes');
    await create.getByRole('button', { name: 'Konto anlegen' }).click();
    await create.getByText('Das ist nicht dasselbe Passwort.').waitFor();
    await create.getByLabel('Passwort wiederholen').fill(PASSWORD);
    await create.getByRole('button', { name: 'Konto anlegen' }).click();
    await create.getByText('Dieser Name geht nicht').waitFor();
  });

  inScene('it is switched in the head of the page, and an invitation outlives that', async (scene) => {
    const olga = await scene.visitor();
    scene.expected = /status of 401/;
    await olga.openAccount(ownerLink(scene));
    await olga.page.getByText('You were invited.').waitFor();
    await olga.page.getByLabel('Language').selectOption('Deutsch');
    await olga.page.getByText('Diese Einladung gilt.').waitFor();
    assert.equal(new URL(olga.page.url()).hash, '', 'the invitation is not in the address bar');
    const create = olga.view('create-account');
    await create.getByLabel('Name').fill('olga');
    await create.getByLabel('Passwort', { exact: true }).fill(PASSWORD);
    await create.getByLabel('Passwort wiederholen').fill(PASSWORD);
    await create.getByRole('button', { name: 'Konto anlegen' }).click();
    await olga.page.getByText('Dieser Server ist eingerichtet.').waitFor();
    await show(olga, 'you');
    assert.equal(await olga.page.locator('#own-role').textContent(), 'Leitung');
    await olga.page.getByLabel('Sprache').selectOption('English');
    await olga.page.getByRole('heading', { name: 'You are olga' }).waitFor();
  });

  inScene('the dialogs speak it as well', async (scene) => {
    const olga = await scene.visitor(GERMAN);
    scene.expected = /status of 401/;
    await olga.openAccount(ownerLink(scene));
    for (const [field, value] of [['name', 'olga'], ['password', PASSWORD], ['again', PASSWORD]]) await olga.page.locator(`#create-${field}`).fill(value);
    await olga.page.locator('#create-form button').click();
    await olga.view('welcome').waitFor();
    await scene.joins('gus');
    await show(olga, 'people');
    await olga.page.locator('#people-name').fill('gus');
    await olga.page.getByRole('button', { name: 'Stummschalten…' }).click();
    const dialog = olga.dialog('gus stummschalten');
    await dialog.getByLabel('Wie lange').selectOption('1 Stunde');
    await assertAccessible(olga.page);
    await dialog.getByRole('button', { name: 'Stummschalten' }).click();
    await olga.hears('gus ist stummgeschaltet.');
    await olga.page.locator('#sanction-list').getByText('stummgeschaltet bis').waitFor();
  });
});

describe('light and dark', () => {
  inScene('as the system has it, or as one chooses, here and in other tabs', async (scene) => {
    const mia = await scene.visitor({ colorScheme: 'light' });
    scene.expected = /status of 401/;
    await mia.openAccount();
    const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const [light, dark] = ['rgb(244, 246, 244)', 'rgb(17, 22, 21)'];
    assert.equal(await ground(mia.page), light);
    await mia.page.emulateMedia({ colorScheme: 'dark' });
    assert.equal(await ground(mia.page), dark);
    await mia.page.getByLabel('Light or dark').selectOption('Light');
    assert.equal(await ground(mia.page), light);
    const tab = await mia.page.context().newPage();
    await tab.goto(`${scene.server.url}/account`);
    assert.equal(await ground(tab), light);
    await tab.getByLabel('Light or dark').selectOption('Dark');
    await mia.page.locator('html[data-theme=dark]').waitFor();
    assert.equal(await ground(mia.page), dark);
    await mia.page.reload();
    assert.equal(await mia.page.getByLabel('Light or dark').inputValue(), 'dark');
    assert.equal(await ground(mia.page), dark);
    await assertContrast(mia.page);
  });
});

describe('the server', () => {
  inScene('numbers over time are drawn, and told in a table', async (scene) => {
    const olga = await owner(scene);
    const gus = await scene.rawClient('gus');
    for (let number = 0; number < 12; number += 1) await gus.emitWithAck('send_public_message', { message: `number ${number}` });
    const counted = async () => {
      const { samples } = await olga.page.evaluate(async () => (await fetch('/api/server/samples?days=1')).json());
      return samples.reduce((all, { messages }) => all + messages, 0);
    };
    while ((await counted()) < 12) await olga.page.waitForTimeout(200);
    await olga.goTo('Server', 'server');
    const plots = olga.page.locator('#plots figure');
    await plots.nth(4).waitFor();
    assert.deepEqual(await plots.locator('figcaption').allTextContents(), ['Messages sent', 'People who were here', 'Accounts', 'Rooms', 'Size of the database']);
    const messages = plots.filter({ hasText: 'Messages sent' });
    await messages.locator('summary').click();
    await messages.getByRole('row').nth(1).waitFor();
    assert.equal(await messages.getByRole('cell').first().textContent(), '12');
    const isDrawn = () => messages.locator('canvas').evaluate((canvas) => new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer).filter((pixel) => pixel !== 0).length);
    assert.ok((await isDrawn()) > 500, 'something is drawn');

    const picture = () => messages.locator('canvas').evaluate((canvas) => canvas.toDataURL());
    const before = await picture();
    await olga.page.getByLabel('Light or dark').selectOption('Dark');
    assert.notEqual(await picture(), before, 'it is drawn in other colours');
    await olga.page.getByLabel('Time', { exact: true }).selectOption('Last day');
    await messages.getByRole('row').nth(2).waitFor();
    await assertAccessible(olga.page);
    await olga.page.setViewportSize({ width: 320, height: 640 });
    await olga.page.waitForFunction(() => [...document.querySelectorAll('canvas')].every((canvas) => canvas.clientWidth < 300));
    await assertFits(olga.page);
  });

  withSecrets('settings are shown with where they come from, and no secret is', async (scene) => {
    const olga = await owner(scene);
    await olga.goTo('Settings', 'settings');
    const setting = (name) => olga.page.locator('#setting-list li').filter({ has: olga.page.getByText(name, { exact: true }) });
    await setting('PING_TIMEOUT').getByText('environment').waitFor();
    await setting('PING_TIMEOUT').getByText('Default: 20').waitFor();
    assert.equal(await setting('SECRET_KEY').locator('.value').textContent(), 'set');
    assert.equal(await setting('MASTER_KEY').locator('.value').textContent(), 'not set');
    await olga.page.getByLabel('Only what was set').check();
    await setting('MAX_MESSAGE_LENGTH').waitFor({ state: 'detached' });
    await setting('EMIT_TOKEN').waitFor();
    const key = await readFile(join(scene.server.dir, 'master.key'), 'utf8');
    const state = await olga.page.evaluate(async () => (await fetch('/api/server/state')).text());
    for (const secret of [...Object.values(SECRETS), key.trim()]) {
      assert.ok(!state.includes(secret) && !(await olga.page.content()).includes(secret));
    }
  });

  withSecrets('keys and backups: one is made, and what is old is told', async (scene) => {
    const olga = await owner(scene);
    await olga.goTo('Keys and backups', 'keys');
    const fact = (list, name) => olga.page.locator(`#${list} dt`, { hasText: name }).locator('+ dd').first();
    assert.equal(await fact('key-facts', 'Last rotated').textContent(), 'never');
    assert.equal(await fact('key-facts', 'Values under old keys').textContent(), '0');
    assert.equal(await olga.page.locator('#key-hint').isVisible(), false);
    await fact('backup-facts', 'Schedule').getByText('every 24 hours; 7 kept').waitFor();
    await olga.page.getByRole('button', { name: 'Back up now' }).click();
    await olga.hears(/The backup backup_encrypted_chat_\S+ is made, and read again\./);
    await fact('backup-facts', 'Its file').getByText(/backup_encrypted_chat_/).waitFor();
    assert.equal(await fact('backup-facts', 'Read again').textContent(), 'yes');
    assert.equal((await scene.server.command(['keys', 'rotate'])).code, 0);
    await show(olga, 'server');
    await olga.goTo('Keys and backups', 'keys');
    await olga.page.locator('#key-hint').getByText('There are old keys.').waitFor();
    assert.equal(await fact('key-facts', 'Number of master keys').textContent(), '2');
    assert.equal(await fact('key-facts', 'Values under old keys').textContent(), 'not known here');
  });

  inScene('a member sees none of it, whatever stands in the address', async (scene) => {
    const mia = await member(scene, 'mia');
    for (const section of ['welcome', 'server', 'settings', 'keys']) {
      await mia.openAccount(`#${section}`);
      await mia.view('you').waitFor();
      assert.equal(await mia.view(section).isVisible(), false);
    }
  });
});

describe('for every person', () => {
  for (const [title, options] of [
    ['light, on a desk', { colorScheme: 'light' }],
    ['dark, on a desk', { colorScheme: 'dark' }],
    ['light, on a narrow phone, in German', { colorScheme: 'light', ...NARROW, ...GERMAN }],
    ['dark, on a narrow phone, in German', { colorScheme: 'dark', ...NARROW, ...GERMAN }],
  ]) {
    inScene(`axe finds nothing in any part, nothing is cut off, every text can be read: ${title}`, async (scene) => {
      scene.expected = /status of 40[01]/;
      const olga = await scene.visitor(options);
      const checkAll = async () => {
        await assertAccessible(olga.page);
        await assertFits(olga.page);
        await assertContrast(olga.page);
      };
      await olga.openAccount('#sign-in');
      await olga.view('sign-in').waitFor();
      await checkAll();
      await olga.openAccount(ownerLink(scene));
      await olga.view('create-account').waitFor();
      await checkAll();
      for (const [field, value] of [['name', 'olga'], ['password', PASSWORD], ['again', 'another one']]) await olga.page.locator(`#create-${field}`).fill(value);
      await olga.page.locator('#create-form button').click();
      await olga.page.locator('#create-again-error').filter({ visible: true }).waitFor();
      await checkAll();
      await olga.page.locator('#create-again').fill(PASSWORD);
      await olga.page.locator('#create-form button').click();
      await olga.view('welcome').waitFor();
      await olga.page.locator('#welcome-invite').click();
      await olga.page.locator('#welcome-made').waitFor();
      await seed(scene);
      for (const section of SECTIONS) {
        await show(olga, section);
        if (section === 'server') {
          await olga.page.locator('#plots figure').nth(4).waitFor();
          for (const summary of await olga.page.locator('#plots summary').all()) await summary.click();
        }
        if (section === 'reports') await olga.page.locator('#report-list li').waitFor();
        if (section === 'audit-log') await olga.page.locator('#audit-list li').first().waitFor();
        await checkAll();
        await assertFocus(olga.page);
      }
      await show(olga, 'second-factor');
      await olga.page.locator('#factor-password').fill(PASSWORD);
      await olga.page.locator('#factor-begin button').click();
      await olga.page.locator('#factor-qr').waitFor();
      await checkAll();
    });
  }

  inScene('the focus is never lost: what is pressed may go, the focus goes elsewhere', async (scene) => {
    const olga = await owner(scene);
    await olga.page.locator('#welcome-invite').click();
    await olga.page.locator('#welcome-copy:focus').waitFor();
    await show(olga, 'invitations');
    await olga.page.getByRole('button', { name: 'Revoke' }).press('Enter');
    await olga.hears('The invitation is revoked.');
    await assertFocus(olga.page);
    const elsewhere = await scene.visitor();
    await elsewhere.openAccount('#sessions');
    await elsewhere.signIn('olga');
    await elsewhere.view('sessions').waitFor();
    await show(olga, 'sessions');
    await olga.page.getByRole('button', { name: 'End all others' }).press('Enter');
    await olga.hears('One session is ended.');
    await assertFocus(olga.page);
    await show(olga, 'second-factor');
    await olga.page.locator('#factor-password').fill(PASSWORD);
    await olga.page.locator('#factor-password').press('Enter');
    await olga.page.locator('#factor-code:focus').waitFor();
    await olga.page.locator('#factor-stop').press('Enter');
    await olga.page.locator('#factor-password:focus').waitFor();
    await show(olga, 'people');
    await olga.page.locator('#people-room').fill('no such group');
    await olga.page.locator('#people-room').press('Tab');
    await olga.page.locator('#alert-close').press('Enter');
    await assertFocus(olga.page);
    await tabTo(olga.page, '#language-switch');
  });

  inScene('the page needs no markup made of strings: Trusted Types are in force, and nothing asks for another policy', async (scene) => {
    const olga = await owner(scene);
    await olga.openAccount('#server');
    await olga.page.locator('#plots figure canvas').nth(4).waitFor();
    for (const section of SECTIONS) await show(olga, section);
    assert.deepEqual(olga.problems.filter((problem) => /trusted/i.test(problem)), []);
    assert.ok(await olga.page.evaluate(() => { try { document.createElement('p').innerHTML = 'x'; return false; } catch { return true; } }), 'the policy is in force');
    scene.expected = /status of 401|trusted/i; // what was just tried
  });
});

/** Something to see in every part: a report, a mute, a group, an account more. */
async function seed(scene) {
  const [rude, gus] = [await scene.rawClient('rude'), await scene.rawClient('gus')];
  const { id } = await rude.emitWithAck('send_public_message', { message: 'y'.repeat(300) });
  await gus.emitWithAck('report_message', { id, reason: 'z'.repeat(200) });
  await gus.emitWithAck('create_group', { group_name: 'w'.repeat(60), password: 'pw' });
  await scene.rawClient('x'.repeat(64));
}
