// A tour through every screen of the chat page: opens one after the other, in any language, and shows each to a visitor.

import { once } from 'node:events';
import { io } from 'socket.io-client';
import en from '../../static/account/lang/en.js';
import de from '../../static/account/lang/de.js';

/** A short limit, so that a message can be refused. */
export const TOUR_SETTINGS = { MAX_MESSAGE_LENGTH: '300' };
const TOO_LONG = 'wort '.repeat(80);
const PASSWORD = 'correct horse battery';

/** What the pages say in a language, as `t` would. */
function wordsOf(locale = 'en') {
  const strings = locale.startsWith('de') ? de : en;
  return (key, values = {}) => {
    const found = key.split('.').reduce((from, part) => from[part], strings.chat);
    const text = typeof found === 'object' ? found[values.count === 1 ? 'one' : 'other'] : found;
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  };
}

/** A picture of some markup, as bytes of a PNG file. */
export async function paint(browser, markup, width, height) {
  const context = await browser.newContext({ viewport: { width, height } });
  const page = await context.newPage();
  await page.setContent(markup);
  const bytes = await page.screenshot();
  await context.close();
  return bytes;
}

/** Uploads a file as a joined client; gives its id. */
export async function upload(server, client, room, name, bytes) {
  const { pass } = await client.emitWithAck('get_pass', {});
  const headers = { 'Content-Type': 'application/octet-stream', Authorization: `Bearer ${pass}` };
  const answer = await fetch(`${server.url}/api/rooms/${encodeURIComponent(room)}/attachments?name=${encodeURIComponent(name)}`, { method: 'POST', headers, body: bytes });
  const made = await answer.json();
  if (!answer.ok) throw new Error(made.error.message);
  return made.attachment.id;
}

/** A conversation with everything that a message can be: in words that are not English. */
async function furnish(scene, browser) {
  const [jonas, zoe] = [await scene.rawClient('Jonas'), await scene.rawClient('Zoë')];
  const says = async (client, message) => (await client.emitWithAck('send_public_message', message)).id;
  const first = await says(jonas, { message: 'Guten Morgen, **liebe Runde**! Wer kommt am *Samstag*? Mehr unter https://beispiel.example/markt?tag=samstag' });
  await says(jonas, { message: '> Zitat von gestern\n\nund `ein Wort`, ~~falsch~~' });
  await says(jonas, { message: '```\nfor kiste in range(22):\n    print("Kiste", kiste, "aus dem Schuppen, Regal drei, oben links, neben der Presse, hinter dem Fass")\n```' });
  const quoted = await says(zoe, { message: 'Ich bringe die Waage.', reply_to: first });
  await says(zoe, { message: '@Amina passt das?' });
  await says(zoe, { message: 'einWortOhneEnde'.repeat(12) });
  for (const client of [jonas, zoe]) await client.emitWithAck('react', { id: quoted, emoji: '👍' });
  await jonas.emitWithAck('react', { id: quoted, emoji: '🎉' });
  const picture = await paint(browser, '<body style="margin:0;background:#2f6b3c">', 160, 90);
  const attachments = [await upload(scene.server, zoe, 'public', 'stand.png', picture), await upload(scene.server, zoe, 'public', 'Preisliste und Lagerplan für Samstag, zweite Fassung.txt', 'Birnen 3,10')];
  await says(zoe, { message: 'Bild und Liste:', attachments });
  await says(jonas, { message: '[hidden]', encrypted_content: 'ewFfXV0URmVcFl9VExhXAAA=' });
  const changed = await says(jonas, { message: 'Um sechs.' });
  await jonas.emitWithAck('edit_message', { id: changed, message: 'Um sieben.' });
  await jonas.emitWithAck('create_group', { group_name: 'Küche', password: 'suppe' });
  await jonas.emitWithAck('create_group', { group_name: 'Vereinsvorstand und erweiterter Festausschuss' });
  return { jonas, zoe };
}

/** Who is an account with all rights, as a client of its own. */
async function ownerOf({ server }) {
  const invite = /\/account#invite=(\S+)/.exec(server.output)[1];
  const answer = await fetch(`${server.url}/api/register`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ username: 'Olga', password: PASSWORD, invite }) });
  const cookies = answer.headers.getSetCookie().map((one) => /^([^=]+)=([^;]*)/.exec(one).slice(1)).filter(([, value]) => value);
  const socket = io(server.url, { forceNew: true, transports: ['websocket'], extraHeaders: { cookie: cookies.map((pair) => pair.join('=')).join('; ') } });
  await once(socket, 'connect');
  await socket.emitWithAck('join_chat', {});
  return { socket, cookies };
}

/** Runs the tour; `visit(name, page)` is called on every screen. Groups, panels and dialogs come in the order of a first day. */
export async function tour(scene, { browser, visit, locale = 'en-GB', ...options }) {
  const cast = await furnish(scene, browser);
  const guide = new Guide(await scene.visitor({ locale, ...options }), wordsOf(locale), visit, cast);
  scene.expected = /ERR_INTERNET_DISCONNECTED|status of 401/;
  await guide.outside();
  await guide.conversation();
  await guide.menus();
  await guide.composing();
  await guide.panels();
  await guide.dialogs();
  await guide.group();
  await guide.ownGroup();
  await guide.admin(await ownerOf(scene), scene);
  await guide.troubles();
  await guide.gone();
}

class Guide {
  constructor(person, words, visit, cast) {
    Object.assign(this, { person, page: person.page, t: words, cast });
    this.show = (name) => visit(name, this.page);
  }

  button(key, values) {
    return this.page.getByRole('button', { name: this.t(key, values), exact: true }).filter({ visible: true });
  }

  /** Opens a menu by a button, and chooses from it. */
  async choose(opener, key, values) {
    await opener.click();
    await this.page.getByRole('menuitem', { name: this.t(key, values), exact: true }).click();
  }

  roomMenu(key) {
    return this.choose(this.button('roomActions'), key);
  }

  /** The tools of a message are there when it has the focus, also without a mouse. */
  async moreOf(text) {
    const message = this.page.locator('.message[data-id]').filter({ hasText: text }).last();
    await message.focus();
    return message.locator('.more');
  }

  async dialog(name, selector = '.chat-dialog[open]') {
    await this.page.locator(selector).waitFor();
    await this.show(name);
    await this.page.keyboard.press('Escape');
    await this.page.locator(selector).waitFor({ state: 'hidden' });
  }

  async toRooms() {
    const back = this.page.locator('.room-head .only-phone').filter({ visible: true });
    if (await back.count()) await back.click();
    await this.page.locator('#rooms').waitFor();
  }

  async outside() {
    await this.page.locator('#username').waitFor();
    await this.show('welcome');
    await this.page.locator('#username').fill('a<b');
    await this.button('join').click();
    await this.page.locator('#username-error').filter({ hasText: /./ }).waitFor();
    await this.show('wrong name');
    await this.page.locator('#username').fill('Amina');
    await this.button('join').click();
    await this.person.composer.waitFor();
    this.person.name = 'Amina';
  }

  async conversation() {
    await this.page.locator('.picture img[src]').waitFor();
    await this.show('conversation');
    await this.person.say('Gerne!');
    await this.person.reads('Gerne!');
    await this.cast.zoe.emitWithAck('send_direct_message', { to: 'Amina', message: 'Nur unter uns' });
    await this.cast.zoe.emitWithAck('typing', { room: 'public' });
    await this.page.locator('.typing').filter({ hasText: 'Zoë' }).waitFor();
    await this.toRooms();
    await this.person.roomLink('Zoë').locator('.badge').waitFor();
    await this.show('rooms');
    await this.person.roomLink('public').click();
    await this.person.log.waitFor();
    await this.show('typing and unread');
  }

  async menus() {
    await (await this.moreOf('Gerne!')).click();
    await this.show('menu of an own message');
    await this.page.keyboard.press('Escape');
    await (await this.moreOf('Um sieben.')).click();
    await this.show('menu of a message');
    await this.page.keyboard.press('Escape');
    await this.page.locator('.message header:not(.visually-hidden) .author').first().click();
    await this.show('menu of a person');
    await this.page.keyboard.press('Escape');
    await this.button('roomActions').click();
    await this.show('menu of the room');
    await this.page.keyboard.press('Escape');
    await this.toRooms();
    await this.page.locator('.own').click();
    await this.show('own menu');
    await this.page.keyboard.press('Escape');
    await this.person.roomLink('public').click();
  }

  async composing() {
    const { composer } = this.person;
    await this.page.locator('.composer').getByRole('button', { name: this.t('emoji') }).click();
    await this.page.locator('.picker-grid').nth(1).waitFor();
    await this.show('emoji picker');
    await this.page.locator('.picker input').fill('qqq');
    await this.page.getByText(this.t('emojiNone')).waitFor();
    await this.show('emoji picker, nothing found');
    await this.page.keyboard.press('Escape');
    await composer.fill('');
    await composer.pressSequentially('@J');
    await this.page.locator('.completion').waitFor();
    await this.show('completion');
    await composer.fill('');
    await this.choose(await this.moreOf('Um sieben.'), 'reply');
    await this.page.locator('input[type=file]').setInputFiles({ name: 'Einkaufszettel.txt', mimeType: 'text/plain', buffer: Buffer.from('Milch') });
    await this.page.locator('.uploads li:not(:has(progress))').waitFor();
    await this.show('answer with a file');
    await this.button('removeFile', { name: 'Einkaufszettel.txt' }).click();
    await this.page.locator('.context').getByRole('button').click();
    await this.choose(await this.moreOf('Gerne!'), 'edit');
    await composer.fill(TOO_LONG);
    await composer.press('Enter');
    await this.page.locator('#message-error').filter({ hasText: /./ }).waitFor();
    await this.show('a change that is refused');
    await composer.press('Escape');
  }

  async panels() {
    await this.button('people').click();
    await this.page.locator('.people [data-member=Jonas]').waitFor();
    await this.show('people');
    await this.page.locator('#drawer').getByRole('button', { name: this.t('close') }).click();
    await this.button('pins').click();
    await this.page.getByText(this.t('noPins')).waitFor();
    await this.show('no pins');
    await this.page.keyboard.press('Escape');
    await this.button('search').click();
    await this.page.locator('#drawer details summary').click();
    await this.page.locator('.search input[type=search]').fill('samstag');
    await this.page.locator('.search button[type=submit]').click();
    await this.page.locator('.hit').first().waitFor();
    await this.show('search');
    await this.page.locator('#drawer').getByRole('button', { name: this.t('close') }).click();
    await this.roomMenu('roomSettings');
    await this.page.locator('#drawer #notify-room').waitFor();
    await this.show('room settings');
    await this.page.keyboard.press('Escape');
  }

  async dialogs() {
    await this.choose(await this.moreOf('Gerne!'), 'deleteMenu');
    await this.dialog('delete', '#ask[open]');
    await this.choose(await this.moreOf('Um sieben.'), 'reportMenu');
    await this.dialog('report', '#ask[open]');
    await this.page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined })); // as without TLS
    await this.choose(await this.moreOf('Um sieben.'), 'copyText');
    await this.dialog('copy by hand');
    await this.choose(await this.moreOf('Um sieben.'), 'block', { name: 'Jonas' });
    await this.page.locator('.toast').waitFor();
    await this.show('toast');
    await this.toRooms();
    await this.choose(this.page.locator('.own'), 'blockedPeople');
    await this.page.locator('.chat-dialog[open]').waitFor();
    await this.show('blocked people');
    await this.button('unblock', { name: 'Jonas' }).click();
    await this.page.getByText(this.t('nobodyBlocked')).waitFor();
    await this.dialog('nobody blocked');
    for (const kind of ['notifications', 'appearance', 'keys']) {
      await this.choose(this.page.locator('.own'), kind);
      if (kind === 'notifications') await this.page.locator('.chat-dialog').getByLabel(this.t('quietHours')).check();
      await this.dialog(kind);
    }
    await this.button('newRoom').click();
    await this.page.locator('#group-name').fill('Küche');
    await this.button('createGroup').click();
    await this.page.locator('.chat-dialog .field-error').filter({ hasText: /./ }).waitFor();
    await this.dialog('new room');
    await this.button('newDirect').click();
    await this.button('write').click();
    await this.page.locator('#direct-to-error').filter({ hasText: /./ }).waitFor();
    await this.dialog('write to somebody');
  }

  async group() {
    await this.person.roomLink('Küche').click();
    await this.page.locator('#join-password').fill('salat');
    await this.button('joinGroup').click();
    await this.page.locator('#join-error').filter({ hasText: /./ }).waitFor();
    await this.show('password of a group');
    await this.page.locator('#join-password').fill('suppe');
    await this.button('joinGroup').click();
    await this.person.log.waitFor();
    await this.show('empty group');
    await this.roomMenu('leave');
    await this.dialog('leave', '#ask[open]');
  }

  /** What only somebody sees who runs a group. */
  async ownGroup() {
    await this.toRooms();
    await this.button('newRoom').click();
    await this.page.locator('#group-name').fill('Garten');
    await this.button('createGroup').click();
    await this.person.isIn('Garten');
    await this.cast.jonas.emitWithAck('join_group', { group_name: 'Garten' });
    await this.cast.jonas.emitWithAck('send_group_message', { group_name: 'Garten', message: 'Suppe ist fertig' });
    await this.choose(await this.moreOf('Suppe'), 'handOver');
    await this.dialog('hand over', '#ask[open]');
    await this.choose(await this.moreOf('Suppe'), 'ban');
    await this.page.locator('#sanction[open]').waitFor();
    await this.dialog('ban', '#sanction[open]');
    await this.choose(await this.moreOf('Suppe'), 'mutePerson');
    await this.page.locator('#sanction[open] button[type=submit]').click();
    await this.page.locator('#sanction[open]').waitFor({ state: 'hidden' });
    await this.roomMenu('roomSettings');
    await this.button('unmute', { name: 'Jonas' }).waitFor();
    await this.show('settings of a room that one runs');
    await this.button('changePassword').click();
    await this.dialog('password of a room that one runs');
    await this.page.keyboard.press('Escape');
  }

  /** What only somebody with rights sees. */
  async admin(owner, scene) {
    this.owner = owner;
    const context = this.page.context();
    await context.addCookies(owner.cookies.map(([name, value]) => ({ name, value, url: scene.server.url })));
    const page = await context.newPage();
    await page.goto(scene.server.url);
    await page.locator('#message').waitFor();
    const guest = this.page;
    this.page = this.person.page = page;
    await this.toRooms();
    await page.getByRole('button', { name: this.t('invite') }).click();
    await this.button('makeLink').click();
    await page.locator('#invite-link').waitFor();
    await this.dialog('invite');
    await page.close();
    await context.clearCookies();
    this.page = this.person.page = guest;
  }

  async troubles() {
    await this.toRooms();
    await this.person.roomLink('public').click();
    await this.person.say(TOO_LONG);
    await this.page.locator('[data-waiting=failed]').waitFor();
    await this.page.context().setOffline(true);
    await this.page.evaluate(() => dispatchEvent(new Event('offline')));
    await this.person.is('offline');
    await this.person.say('Noch da?');
    await this.page.locator('[data-waiting=waiting], [data-waiting=sending]').waitFor();
    await this.show('offline, one waits, one failed');
    await this.page.context().setOffline(false);
    await this.page.evaluate(() => dispatchEvent(new Event('online')));
    await this.person.is('connected');
    await this.person.reads('Noch da?');
  }

  async gone() {
    await this.owner.socket.emitWithAck('kick_user', { username: 'Amina', reason: 'Test' });
    await this.page.locator('.welcome h1').waitFor();
    await this.show('gone');
    this.owner.socket.close();
  }
}
