// The chat page for everybody: every screen by axe, in contrast, in size, in German; and a day of chatting by the keyboard alone.

import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import en from '../../static/account/lang/en.js';
import de from '../../static/account/lang/de.js';
import { assertAccessible, assertContrast, assertFits, tabTo } from './checks.mjs';
import { Person, openBrowser } from './people.mjs';
import { stage } from './scene.mjs';
import { TOUR_SETTINGS, tour } from './tour.mjs';

const SCREENS = 40;
const SMALLEST = { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true };
const ZOOMED = { viewport: { width: 550, height: 370 } }; // what 200 % leaves of 1100×740

const inScene = stage(Person);
const onTour = stage(Person, () => TOUR_SETTINGS);
let browser; // paints the pictures that are sent
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

/** All of it on every screen; what fails says on which. */
async function everywhere(scene, options, ...checks) {
  let screens = 0;
  const visit = async (name, page) => {
    screens += 1;
    for (const check of checks) {
      await check(page).catch((error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
  };
  await tour(scene, { browser, visit, ...options });
  assert.equal(screens, SCREENS);
}

/** What lies above the page, and what is always needed, is on the screen as a whole; what is longer scrolls. */
async function assertReachable(page) {
  const outside = await page.evaluate(() => {
    const places = '.menu, .picker, dialog[open], .toast, .completion, .room-head button, #composer button, .own, #drawer > header button';
    return [...document.querySelectorAll(places)]
      .filter((node) => node.checkVisibility())
      .filter((node) => {
        const { top, bottom, left, right } = node.getBoundingClientRect();
        return top < 0 || left < 0 || bottom > innerHeight + 1 || right > innerWidth + 1;
      })
      .map((node) => `<${node.localName} class="${node.className}"> ${node.textContent.trim()}`);
  });
  assert.deepEqual(outside, []);
}

/** No label is cut off within its own box; an emoji that the font does not have is wider than one. */
async function assertUncut(page) {
  const cut = await page.evaluate(() =>
    [...document.querySelectorAll('button:not(.picker-grid *), label, h1, h2, h3, .note, .field-error, dd, dt')]
      .filter((node) => node.checkVisibility() && !node.closest('.visually-hidden') && getComputedStyle(node).textOverflow !== 'ellipsis')
      .filter((node) => node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline')
      .map((node) => `<${node.localName} class="${node.className}"> ${node.textContent.trim()}`),
  );
  assert.deepEqual(cut, []);
}

const textsOf = (from) => Object.values(from).flatMap((one) => (typeof one === 'string' ? [one] : textsOf(one)));
const ENGLISH = (() => {
  const german = new Set(textsOf(de));
  return textsOf(en).filter((text) => !german.has(text) && /\p{L}{2}/u.test(text.replace(/\{\w+\}/g, '')));
})();
// What is said in the conversation is German, so that any of these is a text of ours.
const ENGLISH_WORDS = /\b(the|of|and|is|are|you|your|with|this|not|from|must|have|by|message|room|cancel|close)\b/i;

/** Names of emoji are Unicode's, and an island's is the same in both. */
async function assertGerman(page) {
  const texts = await page.evaluate(() => {
    const shown = [...document.querySelectorAll('body, body *:not(pre, pre *, script, style, noscript, .picker-grid *)')].filter((node) => node.checkVisibility());
    const own = shown.flatMap((node) => [...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE).map(({ data }) => data.trim()));
    const named = shown.flatMap((node) => ['aria-label', 'title', 'placeholder', 'alt'].map((name) => node.getAttribute(name) ?? ''));
    return [...own, ...named, document.title].filter(Boolean);
  });
  const patterns = ENGLISH.map((text) => new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '.+')}$`));
  assert.deepEqual(texts.filter((text) => ENGLISH_WORDS.test(text) || patterns.some((pattern) => pattern.test(text))), []);
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
}

describe('every screen', () => {
  onTour('light', (scene) => everywhere(scene, {}, assertAccessible, assertContrast, assertFits));
  onTour('dark', (scene) => everywhere(scene, { colorScheme: 'dark' }, assertAccessible, assertContrast));
  onTour('on the smallest phone', (scene) => everywhere(scene, SMALLEST, assertAccessible, assertFits, assertReachable, assertUncut));
  onTour('at 200 %, dark', (scene) => everywhere(scene, { ...ZOOMED, colorScheme: 'dark' }, assertContrast, assertFits, assertReachable, assertUncut));
  onTour('in German', (scene) => everywhere(scene, { locale: 'de-DE' }, assertGerman, assertAccessible, assertFits, assertUncut));
  onTour('in German, on the smallest phone', (scene) => everywhere(scene, { ...SMALLEST, locale: 'de-DE' }, assertFits, assertReachable, assertUncut));
});

describe('the reader', () => {
  inScene('a German browser gets German plurals, dates and times', async (scene) => {
    const amina = await scene.visitor({ locale: 'de-DE', timezoneId: 'Europe/Berlin' });
    const jonas = await scene.rawClient('Jonas');
    await jonas.emitWithAck('send_public_message', { message: 'erster Apfel' });
    await amina.page.getByLabel('Name').fill('Amina');
    await amina.page.getByRole('button', { name: 'Beitreten' }).click();
    await amina.reads('erster Apfel');
    await amina.page.locator('.day').getByText('Heute').waitFor();
    const time = amina.log.locator('.message header time');
    assert.match(await time.textContent(), /^\d\d:\d\d$/);
    const day = new Intl.DateTimeFormat('de-DE', { dateStyle: 'full', timeZone: 'Europe/Berlin' });
    assert.ok((await time.getAttribute('title')).includes(day.format(new Date(await time.getAttribute('datetime')))));

    await amina.page.keyboard.press('Control+k');
    const find = async (word, told) => {
      await amina.page.getByLabel('Gesuchte Worte').fill(word);
      await amina.page.keyboard.press('Enter');
      await amina.page.getByText(told, { exact: true }).waitFor();
    };
    await find('apfel', '1 Nachricht gefunden');
    await jonas.emitWithAck('send_public_message', { message: 'zweiter Apfel' });
    await find('apfel', '2 Nachrichten gefunden');
  });

  inScene('who wants less motion sees none', async (scene) => {
    const alice = await scene.joins('alice', { reducedMotion: 'reduce' });
    await alice.say('hello');
    await alice.reads('hello');
    await alice.opens('people');
    const moving = await alice.page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    const smooth = await alice.page.evaluate(() => [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).scrollBehavior === 'smooth').length);
    assert.equal(smooth, 0);
  });

  inScene('what is chosen, light or dark, holds against the system and over a reload', async (scene) => {
    const alice = await scene.joins('alice', { colorScheme: 'dark' });
    await alice.page.locator('.own').click();
    await alice.page.getByRole('menuitem', { name: 'Language and look' }).click();
    await alice.page.getByLabel('Look', { exact: true }).selectOption('light');
    await assertContrast(alice.page);
    const ground = () => alice.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await alice.page.reload();
    await alice.page.getByLabel('Your name').waitFor();
    assert.equal(await ground(), light);
    await alice.page.emulateMedia({ colorScheme: 'light' });
    assert.equal(await ground(), light);
  });
});

/** Where the keyboard is: never nowhere, always to be seen. A heading that a script leads to needs no ring. */
async function assertFocus(page, selector) {
  await page.locator(`${selector}:focus`).waitFor();
  const state = await page.evaluate(() => {
    const { activeElement: focused } = document;
    const ringed = focused.closest('.writing') ?? focused;
    const { top, bottom } = focused.getBoundingClientRect();
    return { ring: /^H[1-6]$/.test(focused.tagName) || getComputedStyle(ringed).outlineStyle !== 'none', seen: bottom > 0 && top < innerHeight };
  });
  assert.deepEqual(state, { ring: true, seen: true }, selector);
}

/** Somebody without a mouse. */
class Typist {
  constructor(person) {
    this.person = person;
    this.page = person.page;
  }

  async press(...keys) {
    for (const key of keys) await this.page.keyboard.press(key);
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  on(selector) {
    return assertFocus(this.page, selector);
  }

  /** Walks a menu down to an item, and takes it. */
  async take(item) {
    await this.on('[role=menuitem]');
    for (let presses = 0; presses < 20; presses += 1) {
      if ((await this.page.locator(':focus').textContent()) === item) return this.press('Enter');
      await this.press('ArrowDown');
      await this.on('[role=menuitem]');
    }
    assert.fail(`the menu has no ${item}`);
  }
}

describe('the keyboard alone', () => {
  inScene('a whole day: join, make a room, write, change, react, answer, pin, delete, block, search, settings', async (scene) => {
    const alice = await scene.visitor();
    const typist = new Typist(alice);
    await typist.on('#username');
    await typist.type('alice');
    await typist.press('Enter');
    await typist.on('#message');
    const bob = await inNewRoom(scene, typist);
    await writes(typist, bob);
    await reacts(typist);
    await pinsAndDeletes(typist);
    await blocks(typist);
    await searches(typist);
    await chooses(typist);
  });
});

async function inNewRoom(scene, typist) {
  const { page } = typist;
  await tabTo(page, '[aria-label="New room"]', 'Shift+Tab');
  await typist.press('Enter');
  await typist.on('#group-name');
  await typist.type('team');
  await typist.press('Enter');
  await typist.on('#message');
  const bob = await scene.rawClient('bob');
  await bob.emitWithAck('join_group', { group_name: 'team' });
  await tabTo(page, '#rooms [data-room=public]', 'Shift+Tab');
  await typist.press('Enter');
  await typist.on('#message');
  await typist.press('Alt+ArrowDown');
  await page.locator('[data-log=team]').waitFor();
  await typist.on('#message');
  return bob;
}

async function writes(typist, bob) {
  const { person } = typist;
  await typist.type('hello');
  await typist.press('Enter');
  await person.reads('hello');
  await typist.press('ArrowUp');
  await typist.type(' there');
  await typist.press('Enter');
  await person.log.getByText('(edited)').waitFor();
  await typist.on('#message');
  await bob.emitWithAck('send_group_message', { group_name: 'team', message: 'good morning' });
  await bob.emitWithAck('send_group_message', { group_name: 'team', message: 'see you' });
  await person.reads('see you');
}

async function reacts(typist) {
  const { page, person } = typist;
  await tabTo(page, '#log', 'Shift+Tab');
  await typist.press('ArrowUp');
  await typist.on('.message:last-of-type');
  await typist.press('Home');
  await typist.on('[data-author=alice]');
  await typist.press('ArrowDown');
  await typist.on('[data-author=bob]');
  await typist.press('+');
  await typist.on('.picker input');
  await typist.press('ArrowDown', 'ArrowRight', 'Enter');
  await person.log.locator('.reaction').waitFor();
  await typist.on('.tool');
  await typist.press('r');
  await typist.on('#message');
  await typist.type('and to you');
  await typist.press('Enter');
  await person.reads('and to you');
  await person.log.locator('.quote-link').filter({ hasText: 'good morning' }).waitFor();
}

async function pinsAndDeletes(typist) {
  const { page, person } = typist;
  await tabTo(page, '#log', 'Shift+Tab');
  await typist.press('End', 'Enter');
  await typist.take('Pin');
  await person.log.getByText('pinned', { exact: true }).waitFor();
  await typist.on('.tool');
  await typist.press('Enter');
  await typist.take('Delete…');
  await page.locator('#ask[open]').waitFor();
  await tabTo(page, '#ask-button');
  await typist.press('Enter');
  await person.messages('and to you').waitFor({ state: 'detached' });
  await typist.on('#log');
}

async function blocks(typist) {
  const { page, person } = typist;
  await tabTo(page, '.room-head [aria-label=People]', 'Shift+Tab');
  await typist.press('Enter');
  await typist.on('#drawer-title');
  await tabTo(page, '.person [aria-haspopup]');
  await typist.press('Enter');
  await typist.take('Block bob');
  await person.messages('see you').waitFor({ state: 'detached' });
  await typist.on('.person [aria-haspopup]');
  await tabTo(page, '.toast .quiet');
  await typist.press('Enter');
  await person.reads('see you');
  await page.locator('body:not(:focus)').waitFor();
  await tabTo(page, '#drawer header button', 'Shift+Tab');
  await typist.press('Escape');
  await typist.on('.room-head [aria-label=People]');
}

async function searches(typist) {
  const { page } = typist;
  await typist.press('Control+k');
  await typist.on('.search input[type=search]');
  await typist.type('morning');
  await typist.press('Enter');
  await page.locator('.hit').waitFor();
  await tabTo(page, '.hit');
  await typist.press('Enter');
  await typist.on('.message.marked');
  await typist.press('Control+k');
  await typist.on('.search input[type=search]');
  await typist.press('Escape');
  await typist.on('.room-head [aria-label=People]');
}

async function chooses(typist) {
  const { page } = typist;
  await tabTo(page, '.own', 'Shift+Tab');
  await typist.press('Enter');
  await typist.take('Language and look');
  await page.locator('dialog[open]').waitFor();
  await tabTo(page, '#theme');
  await typist.press('ArrowDown');
  await page.locator('html[data-theme=light]').waitFor();
  await typist.press('Escape');
  await typist.on('.own');
}
