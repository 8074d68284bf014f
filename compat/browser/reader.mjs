// Somebody who reads: scrolls with the wheel, and knows where each message stands. And the many messages that there are to read.

import assert from 'node:assert/strict';
import { Person } from './people.mjs';

const PASSWORD = 'correct horse battery';
const AT_ONCE = 50; // what the server takes from one connection
export const STILL_PX = 2; // what moves less than this stays where it is

export class Reader extends Person {
  static async open(browser, server, options) {
    return Object.assign(await super.open(browser, server, options), { server });
  }

  /** Makes an account, or signs in with it, and comes into the chat by it. */
  async signIn(name, { isNew = true, address = '' } = {}) {
    this.name = name;
    const answer = await this.page.request.post(`${this.server.url}/api/${isNew ? 'register' : 'login'}`, { data: { username: name, password: PASSWORD } });
    assert.ok(answer.ok(), await answer.text());
    await this.page.goto('about:blank'); // or a new fragment alone would not load the page
    await this.page.goto(`${this.server.url}/${address}`);
    await this.composer.waitFor();
    await this.is('connected');
  }

  async reload() {
    await this.page.reload();
    await this.composer.waitFor();
    await this.is('connected');
  }

  message(seq) {
    return this.log.locator(`[data-seq="${seq}"]`);
  }

  /** The numbers of all messages in the page. */
  seqs() {
    return this.log.evaluate((log) => [...log.querySelectorAll('[data-seq]')].map(({ dataset }) => Number(dataset.seq)));
  }

  /** The numbers of the messages that can be seen. */
  seen() {
    return this.log.evaluate((log) => {
      const { top, bottom } = log.getBoundingClientRect();
      const isSeen = (line) => line.getBoundingClientRect().bottom > top && line.getBoundingClientRect().top < bottom;
      return [...log.querySelectorAll('[data-seq]')].filter(isSeen).map(({ dataset }) => Number(dataset.seq));
    });
  }

  topOf(seq) {
    return this.message(seq).evaluate((line) => line.getBoundingClientRect().top);
  }

  /** A message in the middle of what is seen. */
  async middle() {
    const seen = await this.seen();
    return seen[Math.floor(seen.length / 2)];
  }

  async isAtEnd() {
    await this.page.waitForFunction(() => {
      const log = document.querySelector('#log');
      return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
  }

  /** Does something, and fails when a message that is seen has moved by it. */
  async staysPut(what) {
    const seq = await this.middle();
    const before = await this.topOf(seq);
    await what();
    await this.painted();
    const after = await this.topOf(seq);
    assert.ok(Math.abs(after - before) <= STILL_PX, `message ${seq} moved from ${before} to ${after}`);
  }

  /** What was told until now is drawn. */
  painted() {
    return this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  }

  /** The pointer lies on the log, where the wheel turns it. */
  async pointAtLog() {
    const box = await this.log.boundingBox();
    await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  }

  /**
   * Turns the wheel, and gives by how much the log moved. Whatever was added or taken away meanwhile, a message that is
   * seen moves as far as the wheel; less only at an end, or where a page came in that moment, which ends the browser's
   * smooth scrolling.
   */
  async wheel(by) {
    await this.pointAtLog();
    return this.turn(by);
  }

  async turn(by) {
    await this.log.evaluate(watchTurn, by);
    await this.page.mouse.wheel(0, by);
    const done = await this.page.waitForFunction(() => window.turned(), null, { polling: 'raf' });
    return done.jsonValue();
  }

  /** Turns the wheel until an end of the room is in view; `each` runs after every turn. */
  async wheelTo(end, { by = 500, each = async () => {} } = {}) {
    await each();
    await this.pointAtLog();
    for (;;) {
      const { isAtStop } = await this.turn(end === 'start' ? -by : by);
      await each();
      if (isAtStop && (await this.isLast(end))) return;
    }
  }

  /** Whether there is nothing more to load at an end. */
  async isLast(end) {
    if (end === 'end') return (await this.page.locator('.to-latest').count()) === 0;
    return (await this.log.locator('.notice').first().textContent()) === 'This is where it begins.';
  }
}

/** In the page: follows the message that is nearest to the middle while the wheel turns; `window.turned()` gives how it went, once it is over. */
function watchTurn(log, by) {
  const { top: edge, height } = log.getBoundingClientRect();
  const fromMiddle = (line) => Math.abs(line.getBoundingClientRect().top - edge - height / 2);
  const line = [...log.querySelectorAll('[data-seq]')].reduce((best, other) => (fromMiddle(other) < fromMiddle(best) ? other : best));
  const { top } = line.getBoundingClientRect();
  const held = () => `${log.querySelector('[data-seq]').dataset.seq} to ${[...log.querySelectorAll('[data-seq]')].at(-1).dataset.seq}`;
  const heldBefore = held();
  let [isAtStop, last, still] = [false, null, 0];
  const look = () => (isAtStop ||= by < 0 ? log.scrollTop < 1 : log.scrollHeight - log.scrollTop - log.clientHeight < 1);
  log.addEventListener('scroll', look);
  window.turned = () => {
    if (!line.isConnected) throw new Error(`message ${line.dataset.seq} is gone while it is in view`);
    look();
    const gone = top - line.getBoundingClientRect().top;
    still = gone === last ? still + 1 : 0;
    last = gone;
    const isPart = gone / by >= 0 && gone / by < 1;
    const isDone = Math.abs(gone - by) <= 2 || (isPart && still > 2 && (isAtStop || (gone !== 0 && held() !== heldBefore)));
    if (isDone) log.removeEventListener('scroll', look);
    return isDone ? { gone, isAtStop } : null;
  };
}

/** Says many texts, many at once, in order. Gives their acks. */
export async function say(client, texts, where = {}) {
  const event = where.group_name ? 'send_group_message' : where.to ? 'send_direct_message' : 'send_public_message';
  const acks = [];
  for (let at = 0; at < texts.length; at += AT_ONCE) {
    const sent = texts.slice(at, at + AT_ONCE).map((message) => client.emitWithAck(event, { message, ...where }));
    acks.push(...(await Promise.all(sent)));
  }
  const failed = acks.find(({ ok }) => !ok);
  assert.equal(failed, undefined);
  return acks;
}

/** Texts of one word, of a line, and of many lines. */
export function texts(count, from = 1) {
  return Array.from({ length: count }, (_, place) => {
    const number = from + place;
    return number % 7 === 0 ? `${number} ${'a long text about this and that, '.repeat(1 + (number % 11))}` : number % 13 === 0 ? `${number}\nhas\nlines` : `number ${number}`;
  });
}
