// More than 500 hostile texts through every field that the chat page shows: nothing runs, nothing leaves the page, and each is
// shown as it was typed or refused with a reason.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeLegacy } from '../../static/crypto.js';
import { HOSTILE_TEXTS } from './hostile-texts.mjs';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';
import { upload } from './tour.mjs';

const PATIENCE = { timeout: 60_000 }; // so many messages at once keep a page busy
const BATCH = 60; // with its answers, fewer than the page keeps
const MARKDOWN = /[`*~[\]]|^\s*>|https?:|www\.|\S@\S/m;
const ALLOWED = ['article', 'div', 'span', 'header', 'button', 'bdi', 'time', 'p', 'strong', 'em', 'del', 'code', 'pre', 'blockquote', 'a', 'ul', 'li', 'svg', 'path', 'img'];

const inScene = stage(Person, () => ({ MAX_SOCKETS_PER_ADDRESS: '2000', MAX_SOCKETS_PER_ACCOUNT: '2000' }));

/** Some of them, spread over all kinds. */
const sample = (count) => HOSTILE_TEXTS.filter((_, place) => place % Math.ceil(HOSTILE_TEXTS.length / count) === 0);

function* batches(items, size = BATCH) {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** A reader who also writes down what their page asks for elsewhere. */
async function reader(scene, name = 'alice') {
  const person = await scene.visitor();
  person.page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== scene.server.url) person.problems.push(`asks for ${request.url()}`);
  });
  await person.join(name);
  return person;
}

/** What the server says: done, or why not. */
async function attempt(client, event, payload) {
  const ack = await client.emitWithAck(event, payload);
  assert.ok(ack.ok || ack.error.message, `${event} is answered with a reason`);
  return ack;
}

/** What is seen of the messages, by their ids; and that they are made of nothing but what messages are made of. */
async function seen({ page }) {
  const { messages, strange } = await page.evaluate((allowed) => {
    const text = (node, selector) => node.querySelector(selector)?.textContent;
    const lines = [...document.querySelectorAll('#log .message[data-id]')];
    const all = lines.flatMap((line) => [...line.querySelectorAll('*')]);
    return {
      messages: lines.map((line) => ({
        id: line.dataset.id, author: text(line, '.author'), quote: text(line, '.quote-link [dir]'), legacy: text(line, '.legacy bdi'),
        text: [...line.querySelector('.text').children].filter((part) => !part.matches('.note')).map((part) => part.textContent).join('\n'),
        links: [...line.querySelectorAll('.text a')].map(({ href }) => href),
        files: [...line.querySelectorAll('.file bdi')].map(({ textContent }) => textContent),
      })),
      strange: all.filter((node) => !allowed.includes(node.localName) || [...node.attributes].some(({ name }) => /^on|style|srcdoc/.test(name))).map((node) => node.outerHTML),
    };
  }, ALLOWED);
  assert.deepEqual(strange, []);
  for (const { links } of messages) assert.ok(links.every((link) => /^(https?|mailto):/.test(link)), String(links));
  return new Map(messages.map((message) => [message.id, message]));
}

/** Line ends are the browser's, and empty lines divide paragraphs; of white space at the edges nothing is to be seen. */
const flat = (text) => text.normalize('NFC').replace(/\r\n?/g, '\n').replace(/[ \t]+$/gm, '').replace(/\n+/g, '\n').replace(/^\s+|\s+$/g, '');
/** Of a block of code the language is not shown. */
const words = (text) => text.replace(/^```\w+$/gm, '').match(/[\p{L}\p{N}]+/gu) ?? [];

/** Exactly where there is no markup in it, and else without a word lost. */
function assertShown(shown, typed) {
  if (!MARKDOWN.test(typed)) return assert.equal(flat(shown.text), flat(typed));
  const all = `${shown.text} ${shown.links.join(' ')} ${shown.links.map(decodeURI).join(' ')}`.normalize('NFC');
  for (const word of words(typed.normalize('NFC'))) assert.ok(all.includes(word), `${JSON.stringify(typed)} has lost ${word}: ${JSON.stringify(shown)}`);
}

/** As it begins, in one line; without its markup, and with nothing that it does not have, in its order. */
function assertHinted(quote, typed) {
  const begins = quote.replace(/…$/, '').trimEnd();
  const line = typed.normalize('NFC').replace(/\s+/g, ' ').trim();
  if (!MARKDOWN.test(typed)) return assert.ok(line.startsWith(begins), `${JSON.stringify(quote)} for ${JSON.stringify(typed)}`);
  let at = 0;
  for (const letter of begins) {
    at = line.indexOf(letter, at) + 1;
    assert.notEqual(at, 0, `${JSON.stringify(quote)} for ${JSON.stringify(typed)}`);
  }
}

test('there are more than 500 hostile texts', () => {
  assert.ok(HOSTILE_TEXTS.length > 500, String(HOSTILE_TEXTS.length));
});

describe('hostile texts', () => {
  inScene('as messages, answers, and obfuscated by an old page', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    for (const texts of batches(HOSTILE_TEXTS)) {
      const sent = [];
      for (const [place, text] of texts.entries()) {
        const ack = await attempt(mallory, 'send_public_message', { message: text, encrypted_content: place % 2 ? text : '' });
        if (!ack.ok) continue;
        const answer = await attempt(mallory, 'send_public_message', { message: 'answer', reply_to: ack.id });
        sent.push({ id: ack.id, answer: answer.id, text, legacy: place % 2 ? text : '' });
      }
      await alice.page.locator(`[data-id="${sent.at(-1).answer}"]`).waitFor(PATIENCE);
      await alice.page.evaluate(() => new Promise(requestAnimationFrame));
      const shown = await seen(alice);
      for (const { id, answer, text, legacy } of sent) {
        assertShown(shown.get(id), text);
        assertHinted(shown.get(answer).quote, text);
        const decoded = legacy && decodeLegacy('public', legacy);
        if (decoded && decoded !== text.normalize('NFC')) assert.equal(shown.get(id).legacy, decoded);
      }
    }
  });

  inScene('as changes of a message, which is drawn anew each time', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    const ids = [];
    for (let number = 0; number < BATCH; number += 1) ids.push((await attempt(mallory, 'send_public_message', { message: `number ${number}` })).id);
    for (const texts of batches(HOSTILE_TEXTS)) {
      const edited = [];
      for (const [place, text] of texts.entries()) if ((await attempt(mallory, 'edit_message', { id: ids[place], message: text })).ok) edited.push([ids[place], text]);
      const { id: fence } = await attempt(mallory, 'send_public_message', { message: 'fence' });
      await alice.page.locator(`[data-id="${fence}"]`).waitFor(PATIENCE);
      const shown = await seen(alice);
      for (const [id, text] of edited) assertShown(shown.get(id), text);
    }
  });

  inScene('as reactions: those that are no emoji are refused', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    const { id } = await attempt(mallory, 'send_public_message', { message: 'react to this' });
    const taken = [];
    for (const text of HOSTILE_TEXTS) if ((await attempt(mallory, 'react', { id, emoji: text })).ok) taken.push(text);
    assert.ok(taken.length > 3 && taken.every((text) => /[\p{Emoji}\u20E3]/u.test(text)), JSON.stringify(taken));
    await alice.log.locator('.reaction').nth(taken.length - 1).waitFor();
    assert.deepEqual(await alice.log.locator('.reaction').allTextContents(), taken.map((emoji) => `${emoji} 1`));
    await seen(alice);
  });

  inScene('as names of people: in messages, among the people, typing, in menus, toasts, completion, search and rooms of two', async (scene) => {
    const alice = await reader(scene, 'rita'); // no hostile name looks like it
    const names = new Map(); // as the server has them → their clients
    for (const text of HOSTILE_TEXTS) {
      const client = await scene.connect();
      const ack = await attempt(client, 'join_chat', { username: text });
      if (ack.ok) names.set(ack.username ?? text.normalize('NFC'), client);
      else client.close();
    }
    assert.ok(names.size > 150, String(names.size));
    await alice.opens('people');
    await alice.page.locator('.people [data-member]').nth(names.size).waitFor();
    const members = await alice.page.locator('.people [data-member]').allTextContents();
    assert.deepEqual(members.toSorted(), ['rita', ...names.keys()].toSorted());
    await alice.page.keyboard.press('Escape');
    for (const group of batches([...names])) {
      const sent = [];
      for (const [name, client] of group) sent.push([(await attempt(client, 'send_public_message', { message: `mynameis ${sent.length}` })).id, name]);
      await alice.page.locator(`[data-id="${sent.at(-1)[0]}"]`).waitFor(PATIENCE);
      const shown = await seen(alice);
      for (const [id, name] of sent) assert.equal(shown.get(id).author, name);
    }
    const some = [...names].filter((_, place) => place % Math.ceil(names.size / 12) === 0);
    for (const [name, client] of some) await isMet(alice, name, client);
    await alice.page.keyboard.press('Control+k');
    await alice.page.locator('.search input[type=search]').fill('mynameis');
    await alice.page.keyboard.press('Enter');
    await alice.page.locator('.hit').nth(10).waitFor();
    for (const name of await alice.page.locator('.hit .note bdi:first-child').allTextContents()) assert.ok(names.has(name), name);
  });

  inScene('as names of groups: in the list, in the address, as titles and in dialogs', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    const names = [];
    for (const text of HOSTILE_TEXTS) if ((await attempt(mallory, 'create_group', { group_name: text })).ok) names.push(text.normalize('NFC'));
    assert.ok(names.length > 200, String(names.length));
    await alice.page.locator('#rooms [data-room]').nth(names.length).waitFor();
    const wrong = await alice.page.evaluate(async (expected) => {
      const links = [...document.querySelectorAll('#rooms .room-link')].filter(({ dataset }) => dataset.room !== 'public');
      const listed = links.map(({ textContent }) => textContent);
      const missing = expected.filter((name) => !listed.includes(name));
      const differing = [];
      for (const link of links) {
        link.click();
        for (let tries = 0; tries < 50 && document.querySelector('#room-name').textContent !== link.textContent; tries += 1) await new Promise(requestAnimationFrame);
        if (document.querySelector('#room-name').textContent !== link.textContent || !document.querySelector('#password-form')) differing.push(link.textContent);
      }
      return [...missing, ...differing];
    }, names);
    assert.deepEqual(wrong, []);
    for (const name of names.filter((_, place) => place % Math.ceil(names.length / 12) === 0)) await isEntered(alice, name);
  });

  inScene('as names of files', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    let taken = 0;
    for (const texts of batches(HOSTILE_TEXTS, 200)) {
      const sent = [];
      for (const text of texts) {
        const id = await upload(scene.server, mallory, 'public', text, 'x').catch(({ message }) => assert.ok(message, 'a reason'));
        if (id) sent.push([(await attempt(mallory, 'send_public_message', { attachments: [id] })).id, text]);
      }
      await alice.page.locator(`[data-id="${sent.at(-1)[0]}"]`).waitFor(PATIENCE);
      const shown = await seen(alice);
      for (const [id, text] of sent.slice(-150)) assert.deepEqual(shown.get(id).files, [text.normalize('NFC')]);
      taken += sent.length;
    }
    assert.ok(taken > 300, String(taken));
  });

  inScene('as what is looked for, as drafts, and as names of whom one writes to', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    for (const text of HOSTILE_TEXTS) await attempt(mallory, 'search_messages', { query: text });
    for (const text of sample(100)) await attempt(mallory, 'send_direct_message', { to: text, message: 'x' });
    const typed = sample(120).filter((text) => text.isWellFormed() && !/[\r\n\0]/.test(text) && text.trim());
    const lost = await alice.page.evaluate(async (texts) => {
      const until = async (isSo) => { for (let tries = 0; tries < 60 && !isSo(); tries += 1) await new Promise(requestAnimationFrame); return isSo(); };
      const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))).then(() => new Promise(requestAnimationFrame)); // a new box is filled after it is seen
      const title = () => document.querySelector('#room-name').textContent;
      const wrong = [];
      for (const text of texts) {
        location.hash = `#/direct/${encodeURIComponent(text)}`;
        if (!(await until(() => title() === text))) { wrong.push(['title', text]); continue; }
        await painted();
        const box = document.querySelector('#message');
        box.value = text;
        box.dispatchEvent(new Event('input', { bubbles: true }));
        location.hash = '#/room/public';
        await until(() => title() === 'Public chat');
        location.hash = `#/direct/${encodeURIComponent(text)}`;
        await until(() => title() === text);
        if (!(await until(() => document.querySelector('#message').value === text))) wrong.push(['draft', text, document.querySelector('#message').value]);
      }
      return wrong;
    }, typed);
    assert.deepEqual(lost, []);
    for (const text of sample(30)) await isSought(alice, text);
  });

  inScene('typed by hand: sent as they are, or refused in the page with a reason', async (scene) => {
    const alice = await reader(scene);
    for (const text of sample(40).filter((one) => one.trim() && one.length < 5_000 && one.isWellFormed())) {
      await alice.say(text);
      await alice.composer.and(alice.page.locator(':placeholder-shown')).waitFor();
      await alice.log.locator('.message.waiting:not(.failed)').waitFor({ state: 'detached' });
      const failed = alice.log.locator('[data-waiting=failed]');
      if ((await failed.count()) === 0) continue;
      assert.match(await failed.locator('.field-error').textContent(), /\S/);
      await failed.getByRole('button', { name: 'Discard' }).click();
    }
    await seen(alice);
    for (const text of sample(40)) await isRefusedOrMade(alice, text);
  });

  inScene('as a name at the door, and as a reason', async (scene) => {
    const [nobody, mallory] = [await scene.visitor(), await scene.rawClient('mallory')];
    for (const text of sample(60).filter((one) => /[<>"\\]/.test(one))) {
      await nobody.page.locator('#username').fill(text);
      await nobody.page.getByRole('button', { name: 'Join', exact: true }).click();
      await nobody.page.locator('#username-error').filter({ hasText: /\S/ }).waitFor();
      assert.equal(await nobody.page.locator('#username').inputValue(), text.replace(/[\r\n]/g, ''));
    }
    await nobody.join('alice');
    for (const text of sample(20)) {
      const ack = await attempt(mallory, 'send_public_message', { message: text });
      if (!ack.ok || !text.trim()) continue;
      const message = nobody.page.locator(`[data-id="${ack.id}"]`);
      await message.locator('.more').focus();
      await nobody.page.keyboard.press('Enter');
      await nobody.page.getByRole('menuitem', { name: 'Report' }).click();
      assert.equal(await nobody.page.locator('#ask-text').textContent(), text.normalize('NFC'));
      await nobody.page.locator('#ask-reason').fill(text);
      await nobody.page.locator('#ask-button').click();
      await nobody.page.locator('#ask:not([open]), #ask-reason-error:not(:empty)').first().waitFor({ state: 'attached' });
      if (await nobody.page.locator('#ask[open]').count()) await nobody.page.locator('#ask-cancel').click();
    }
  });

  inScene('as passwords of groups', async (scene) => {
    const [alice, mallory] = [await reader(scene), await scene.rawClient('mallory')];
    for (const [place, text] of sample(14).filter((one) => one.trim() && one.isWellFormed() && !/[\r\n]/.test(one)).entries()) {
      const made = await attempt(mallory, 'create_group', { group_name: `group ${place}`, password: text });
      if (!made.ok) continue;
      await alice.openRoom(`group ${place}`);
      await alice.page.locator('#join-password').fill(text);
      await alice.page.keyboard.press('Enter');
      await alice.logOf(`group ${place}`).waitFor();
    }
  });
});

/** Somebody writes: typing, completion, their menu, a toast, the room of two with them. */
async function isMet(alice, name, client) {
  const { page } = alice;
  await client.emitWithAck('typing', { room: 'public' });
  await page.locator('.typing').filter({ hasText: /\S/ }).waitFor();
  assert.ok((await page.locator('.typing').textContent()).includes(name), name);
  const { id } = await attempt(client, 'send_public_message', { message: 'here' });
  const author = page.locator(`[data-id="${id}"]`);
  await author.locator('.more').focus();
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('menuitem').filter({ hasText: 'Block' }).textContent(), `Block ${name}`);
  await page.getByRole('menuitem').filter({ hasText: 'Block' }).click();
  await isTold(page, `${name} is blocked.`);
  await page.locator('.toast').filter({ hasText: 'is blocked.' }).last().getByRole('button', { name: 'Undo' }).click();
  await page.locator(`[data-id="${id}"]`).waitFor();
  const direct = await attempt(client, 'send_direct_message', { to: 'rita', message: 'between us' });
  assert.ok(direct.ok, `${name}: ${direct.error?.message}`);
  const link = page.locator('#rooms .room-link:has(.badge.loud)').first();
  await link.waitFor();
  assert.equal(await link.locator('bdi').textContent(), name);
  await link.click();
  await page.locator(`[data-id="${direct.id}"]`).waitFor();
  assert.equal(await page.locator('#room-name').textContent(), name);
  assert.ok((await page.title()).endsWith('Secure Chat'));
  await pins(alice, name, client);
  await page.locator('#rooms [data-room=public]').click();
  await page.locator('[data-log=public]').waitFor();
}

const isTold = (page, words) => page.waitForFunction((told) => [...document.querySelectorAll('.toast p')].some(({ textContent }) => textContent.startsWith(told)), words);

/** In a group of their own they pin what they have said. */
async function pins(alice, name, client) {
  const { page } = alice;
  const group = `pins of ${client.id}`;
  await attempt(client, 'create_group', { group_name: group });
  await alice.joinGroup(group);
  const { id } = await attempt(client, 'send_group_message', { group_name: group, message: 'keep this' });
  await alice.reads('keep this');
  assert.ok((await attempt(client, 'pin_message', { id })).ok);
  await isTold(page, `${name} pinned a message.`);
  await alice.opens('pins');
  assert.equal(await page.locator('.hit bdi').textContent(), name);
  assert.ok((await page.locator('.hits li > .note').textContent()).startsWith(`Pinned by ${name},`));
  await page.keyboard.press('Escape');
}

/** A group is joined, its dialogs name it, and it is left. */
async function isEntered(alice, name) {
  const { page } = alice;
  await page.evaluate((wanted) => [...document.querySelectorAll('#rooms .room-link')].find(({ dataset }) => dataset.room === wanted).click(), name);
  await page.locator('#join-password').waitFor();
  await page.getByRole('button', { name: 'Join group' }).click();
  await page.locator('#log').waitFor();
  assert.equal(await page.locator('#log').getAttribute('data-log'), name);
  await page.getByRole('button', { name: 'Actions for this room' }).click();
  await page.getByRole('menuitem', { name: 'Leave group' }).click();
  assert.equal(await page.locator('#ask-title').textContent(), `Leave ${name}?`);
  await page.locator('#ask-button').click();
  await page.locator('[data-log=public]').waitFor();
}

/** Something is found, nothing is, or it is said why not. */
async function isSought({ page }, text) {
  await page.keyboard.press('Control+k');
  await page.locator('.search input[type=search]').fill(text);
  await page.locator('.search button[type=submit]').click();
  if (text.trim()) await page.locator('#drawer [role=status]').filter({ hasText: /found|must|not|too/ }).waitFor();
}

/** The dialog of a new room closes behind a room of that name, or says why not. */
async function isRefusedOrMade({ page }, text) {
  await page.getByRole('button', { name: 'New room' }).click();
  await page.locator('#group-name').fill(text);
  await page.getByRole('button', { name: 'Create room' }).click();
  await page.locator('.chat-dialog .field-error:not(:empty), body:not(:has(.chat-dialog)) #log').first().waitFor();
  if (await page.locator('.chat-dialog').count()) await page.keyboard.press('Escape');
  await page.locator('.chat-dialog').waitFor({ state: 'detached' });
}
