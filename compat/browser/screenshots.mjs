// Takes the pictures of docs/screenshots: three people in a real conversation on a real server, light, dark and on a phone.
// Emoji come from the machine's fonts: Debian has them in fonts-noto-color-emoji.

import { fileURLToPath } from 'node:url';
import { startServer } from '../lib/server.mjs';
import { Person, openBrowser } from './people.mjs';
import { paint } from './tour.mjs';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const DESKTOP = { viewport: { width: 1180, height: 830 }, locale: 'en-GB' };
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, locale: 'en-GB' };
const GROUP = 'Harvest market';

const POSTER = `<body style="margin:0;height:100vh;display:grid;place-items:center;background:linear-gradient(#bfe3ee 55%,#7fa65a 55%);font:700 30px sans-serif;color:#3b2412">
  <svg width="320" height="190" viewBox="0 0 320 190"><g stroke="#6b4423" stroke-width="6"><path d="M50 60v125M270 60v125"/></g>
  <path d="M30 65l20-45h220l20 45z" fill="#c8452f"/><path d="M74 65l10-45h38l-4 45zM162 65V20h38l4 45zM246 65l-8-45h32l20 45z" fill="#fff3e0"/>
  <rect x="40" y="128" width="240" height="52" rx="4" fill="#a8703f"/><g fill="#d8a13a"><circle cx="75" cy="120" r="14"/><circle cx="105" cy="118" r="15"/><circle cx="90" cy="103" r="14"/></g>
  <g fill="#9c2f2a"><circle cx="150" cy="120" r="14"/><circle cx="178" cy="119" r="15"/><circle cx="164" cy="102" r="14"/></g><g fill="#7d9a3c"><circle cx="222" cy="120" r="14"/><circle cx="250" cy="119" r="14"/><circle cx="236" cy="103" r="14"/></g></svg></body>`;

const server = await startServer();
const browser = await openBrowser();
try {
  await pictures();
} finally {
  await browser.close();
  await server.stop();
}

async function pictures() {
  const amina = await Person.join(browser, server, 'Amina', DESKTOP);
  const jonas = await Person.join(browser, server, 'Jonas', DESKTOP);
  const zoe = await Person.join(browser, server, 'Zoë', PHONE);
  await turn(jonas, 'Good morning! The hall is ours on Thursdays again.', amina);
  await amina.createGroup(GROUP, 'pumpkin');
  await amina.page.getByRole('heading', { name: GROUP }).waitFor();
  await jonas.joinGroup(GROUP, 'pumpkin');
  await jonas.createGroup('Kitchen rota');
  await jonas.openRoom(GROUP);
  await onPhone(zoe, GROUP);
  await zoe.page.getByLabel('Group password').fill('pumpkin');
  await zoe.page.getByRole('button', { name: 'Join group' }).tap();
  await zoe.isIn(GROUP);
  await talk(amina, jonas, zoe);
  await writeAside(amina, jonas, zoe);
  await take(amina, 'chat-light', 'light');
  await take(amina, 'chat-dark', 'dark');
  await take(zoe, 'phone-light', 'light');
}

async function talk(amina, jonas, zoe) {
  await turn(amina, 'Who is at the stall on **Saturday**? We need two in the morning and one for the way back.', zoe);
  await turn(zoe, 'Me, from seven! I bring the scales ⚖️', amina);
  await attach(zoe, jonas);
  await react(amina, 'The sign is painted, what do you think?', ['😍', '👏']);
  await react(jonas, 'The sign is painted, what do you think?', ['😍']);
  await turn(jonas, 'For the price board, as it prints now:\n```\nApples     2.40\nPears      3.10\nQuinces    2.80\n```', amina, 'For the price board');
  await answer(amina, 'Me, from seven! I bring the scales ⚖️', 'Perfect. If it rains we take the *small* tent.', jonas);
  await turn(jonas, '@Amina twenty-two crates are packed, six more dry behind the press.', amina, 'twenty-two crates');
  await react(amina, 'twenty-two crates', ['🎉']);
  await react(zoe, 'twenty-two crates', ['🎉']);
  await turn(zoe, 'Then see you at the shed at half past six!', amina);
}

/** What makes the list on the left: rooms of two and the public room with something new, a draft. */
async function writeAside(amina, jonas, zoe) {
  await jonas.writeTo('Amina');
  await jonas.say('Do you have the key to the shed?');
  await jonas.reads('Do you have the key to the shed?');
  await jonas.say('Found it.');
  await jonas.reads('Found it.');
  await amina.roomLink('Jonas').locator('.badge').filter({ hasText: '2' }).waitFor();
  await zoe.page.locator('.room-head .only-phone').tap();
  await zoe.roomLink('public').tap();
  await zoe.say('Thursdays suit me.');
  await zoe.reads('Thursdays suit me.');
  await amina.roomLink('public').locator('.badge').waitFor();
  await onPhone(zoe, GROUP);
}

/** One person says something; the next one does not answer before it was read. */
async function turn(speaker, text, reader, read = null) {
  await speaker.say(text);
  await message(reader, read ?? text.replace(/\*/g, '')).waitFor();
}

function message(person, words) {
  return person.log.locator('.message[data-id]').filter({ hasText: words }).last();
}

async function attach(zoe, reader) {
  const picture = await paint(browser, POSTER, 640, 360);
  await zoe.page.locator('input[type=file]').setInputFiles({ name: 'sign.png', mimeType: 'image/png', buffer: picture });
  await zoe.page.locator('.uploads li:not(:has(progress))').waitFor();
  await turn(zoe, 'The sign is painted, what do you think?', reader);
  await reader.log.locator('.picture img[src]').waitFor();
}

async function react(person, words, emoji) {
  for (const one of emoji) {
    await message(person, words).focus();
    await person.page.keyboard.press('+');
    await person.page.locator('.picker-grid').nth(1).waitFor();
    await person.page.locator(`.picker-grid button:text-is("${one}")`).first().click();
    await message(person, words).locator('.reaction[aria-pressed=true]').filter({ hasText: one }).waitFor();
  }
}

async function answer(person, words, text, reader) {
  await message(person, words).focus();
  await person.page.keyboard.press('r');
  await person.page.locator('.context').waitFor();
  await turn(person, text, reader);
}

async function onPhone(person, room) {
  await person.page.locator('.room-head .only-phone').tap();
  await person.roomLink(room).tap();
  await person.page.getByRole('heading', { name: room }).waitFor();
}

async function take({ page }, name, colorScheme = 'light') {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.mouse.move(700, 5);
  await page.evaluate(() => document.activeElement.blur());
  await page.locator('.toast').first().waitFor({ state: 'detached' });
  await page.locator('#log').evaluate((log) => (log.scrollTop = log.scrollHeight));
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  console.log(`docs/screenshots/${name}.png`);
}
