// People in front of a browser: opens the chat page in Chromium, uses it as a person would, and writes down whatever goes wrong in it.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const WAIT_MS = 30_000; // a busy machine may need that; who waits longer waits in vain

export const openBrowser = () =>
  chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS, headless: true });

/** Opens `url` in a browser profile of its own, as a second person on another machine would. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1100, height: 740 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const { problems, answers } = watch(page);
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`CSP: ${violatedDirective} ${blockedURI}`);
    });
  });
  await page.goto(url);
  return { page, problems, answers };
}

/** Errors, refused resources and dialogs. A prompt gets the next of `answers`; any other dialog is a problem, and closed, or the page would hang. */
function watch(page) {
  const problems = [];
  const answers = [];
  page.on('console', (line) => line.type() === 'error' && problems.push(`${line.text()} (${line.location().url})`));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('dialog', (dialog) => {
    if (dialog.type() === 'prompt' && answers.length > 0) return dialog.accept(answers.shift());
    problems.push(`${dialog.type()}: ${dialog.message()}`);
    return dialog.accept();
  });
  return { problems, answers };
}

/** A person on our own page. */
export class Person {
  static async open(browser, server, options) {
    const { page, problems } = await openPage(browser, server.url, options);
    return new this(page, problems);
  }

  /** Opens the page and joins under a name. */
  static async join(browser, server, name, options) {
    const person = await this.open(browser, server, options);
    await person.join(name);
    return person;
  }

  constructor(page, problems) {
    this.page = page;
    this.problems = problems;
    this.toast = page.locator('.toast p');
  }

  async join(name) {
    this.name = name;
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Join', exact: true }).click();
    await this.composer.waitFor();
  }

  get composer() {
    return this.page.locator('#message');
  }

  /** The log of the room that is shown. */
  get log() {
    return this.page.locator('#log');
  }

  logOf(room) {
    return this.page.locator(`[data-log=${JSON.stringify(room)}]`);
  }

  /** The messages of the shown room that say a text, and nothing else. */
  messages(text) {
    return this.log.locator('.message').filter({ has: this.page.getByText(text, { exact: true }) });
  }

  async say(text) {
    await this.page.locator('dialog[open]').waitFor({ state: 'detached' }); // nobody can write behind one
    await this.composer.fill(text);
    await this.composer.press('Enter');
  }

  /** Waits until a message is in the shown room, and has arrived. */
  async reads(text, author) {
    const message = this.messages(text).and(this.page.locator('[data-id]')).first();
    await message.waitFor();
    if (author) assert.equal(await message.locator('.author').textContent(), author);
  }

  /** Waits for words at the edge of the page. */
  async notices(text) {
    await this.toast.filter({ hasText: text }).first().waitFor();
  }

  roomLink(name) {
    return this.page.locator(`#rooms [data-room=${JSON.stringify(name)}]`);
  }

  async openRoom(name) {
    await this.roomLink(name).click();
    await this.page.getByRole('heading', { level: 2, name: name === 'public' ? 'Public chat' : name, exact: true }).waitFor();
  }

  async createGroup(name, password = '') {
    await this.page.getByRole('button', { name: 'New room' }).click();
    await this.page.getByLabel('Name', { exact: true }).fill(name);
    await this.page.getByLabel('Password (optional)').fill(password);
    await this.page.getByRole('button', { name: 'Create room' }).click();
    await this.isIn(name);
  }

  async offerPassword(name, password) {
    await this.openRoom(name);
    await this.page.getByLabel('Group password').fill(password);
    await this.page.getByRole('button', { name: 'Join group' }).click();
  }

  async joinGroup(name, password = '') {
    await this.offerPassword(name, password);
    await this.isIn(name);
  }

  /** Waits until the group is shown and can be written to. */
  async isIn(name) {
    await this.logOf(name).waitFor();
    await this.composer.waitFor();
  }

  /** Opens the room of two with somebody. */
  async writeTo(name) {
    await this.page.getByRole('button', { name: 'Write to somebody' }).click();
    await this.page.getByLabel('Name', { exact: true }).fill(name);
    await this.page.getByRole('button', { name: 'Write', exact: true }).click();
    await this.page.getByRole('heading', { level: 2, name, exact: true }).waitFor();
  }

  /** Chooses from the menu of a message. */
  async choose(text, item) {
    const message = this.messages(text).first();
    await message.hover();
    await message.locator('.more').click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  /** Opens a panel: people, pins, search or room. */
  async opens(panel) {
    const names = { people: 'People', pins: 'Pinned messages', search: 'Search' };
    await this.page.locator('.room-head').getByRole('button', { name: names[panel], exact: true }).click();
    await this.page.locator('#drawer').waitFor();
  }

  /** Waits for a connection state: connecting, connected, reconnecting or offline. */
  async is(state) {
    await this.page.locator(`#connection[data-state=${state}]`).waitFor({ state: 'attached' });
  }

  /** The texts of the messages in the shown room, in order. */
  async texts() {
    return this.log.locator('.message[data-id] .text').allTextContents();
  }

  /** Fails when anything went wrong in the page; `expected` are problems that the test itself caused. */
  async assertClean(expected = /(?!)/) {
    // A session that has ended meanwhile is asked for once more.
    const ended = /status of 400.*\/socket\.io\//;
    assert.deepEqual(this.problems.filter((problem) => !expected.test(problem) && !ended.test(problem)), []);
    assert.equal(await this.page.evaluate(() => window.__xss), undefined, 'a script of a hostile text ran');
  }
}
