// Takes the pictures of docs/screenshots: three people in a real conversation on a real server, light, dark and on a phone.

import { fileURLToPath } from 'node:url';
import { startServer } from '../lib/server.mjs';
import { Person, openBrowser } from './people.mjs';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const DESKTOP = { viewport: { width: 1180, height: 760 } };
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const GROUP = 'Harvest market';

const server = await startServer();
const browser = await openBrowser();
try {
  await pictures();
} finally {
  await browser.close();
  await server.stop();
}

async function pictures() {
  const newcomer = await Person.open(browser, server, DESKTOP);
  await newcomer.is('connected');
  await take(newcomer, 'join');

  const amina = await Person.join(browser, server, 'Amina', DESKTOP);
  const jonas = await Person.join(browser, server, 'Jonas', DESKTOP);
  const zoe = await Person.join(browser, server, 'Zoë', PHONE);
  await amina.notices('Zoë joined');
  await talkInPublic(amina, jonas, zoe);
  await jonas.createGroup('Kitchen rota');
  await talkInGroup(amina, jonas, zoe);
  await jonas.openRoom('public');
  await jonas.say('The van is booked for Saturday, 6:30.');
  await amina.roomButton('public').getByText('1').waitFor();

  await take(amina, 'chat-light', 'light');
  await take(amina, 'chat-dark', 'dark');
  await take(zoe, 'phone-light', 'light');
  await zoe.page.getByRole('button', { name: 'Rooms' }).click();
  await take(zoe, 'phone-rooms-dark', 'dark');
  await newcomer.join('Noor');
  await newcomer.offerPassword(GROUP, 'guess');
  await newcomer.page.getByText('Failed to join group. Check password.').waitFor();
  await take(newcomer, 'wrong-password');
}

async function talkInPublic(amina, jonas, zoe) {
  await turn(amina, 'Good morning! Who is at the market on Saturday?', jonas);
  await turn(jonas, 'I am, from seven.', amina);
  await turn(zoe, 'Me too! I bring the scales.', amina);
}

async function talkInGroup(amina, jonas, zoe) {
  await amina.createGroup(GROUP, 'pumpkin');
  await zoe.page.getByRole('button', { name: 'Rooms' }).click();
  for (const person of [jonas, zoe]) await person.joinGroup(GROUP, 'pumpkin');
  await amina.notices('Zoë joined');
  await turn(amina, 'This is the room for the stall. Prices are on the board in the shed.', zoe);
  await turn(amina, 'Apples 2.40, pears 3.10, quinces 2.80. If it rains we take the small tent, otherwise only the parasols.', zoe);
  await turn(zoe, 'Do we have enough crates?', amina);
  await turn(jonas, 'Twenty-two. Six more are drying behind the press,\nthey should be ready by Friday.', amina);
  await turn(zoe, 'Perfect, thank you!', amina);
  await turn(amina, 'Then see you at the shed at half past six!', zoe);
}

/** One person says something; the next one does not answer before it was read. */
async function turn(speaker, text, reader) {
  await speaker.say(text);
  await reader.reads(text, speaker.name);
}

async function take({ page }, name, colorScheme = 'light') {
  await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  console.log(`docs/screenshots/${name}.png`);
}
