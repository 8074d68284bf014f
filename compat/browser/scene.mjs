// A scene: one test with a server of its own, several people in one browser, and nothing broken in any of their pages at its end.

import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { startServer } from '../lib/server.mjs';
import { openBrowser } from './people.mjs';

const PASSWORD = 'correct horse battery';

/** With SHOTS=FOLDER, what fails leaves pictures there. Gives the `inScene(name, body)` that a test file uses in place of `test`; `env` is a function for settings known only at run time. */
export function stage(Person, env = () => ({})) {
  let browser;
  before(async () => {
    browser = await openBrowser();
  });
  after(() => browser.close());
  return (name, body) =>
    test(name, async () => {
      const scene = new Scene(browser, await startServer(env()), Person);
      try {
        await body(scene);
        await scene.assertClean();
      } catch (error) {
        if (process.env.SHOTS) await scene.shoot(join(process.env.SHOTS, name.replace(/[^\p{L}\d]+/gu, '-').slice(0, 60)));
        throw error;
      } finally {
        await scene.close();
      }
    });
}

class Scene {
  #browser;
  #Person;
  #people = [];
  #clients = [];
  /** Problems in a page that the test itself causes, such as a server that it kills. */
  expected = /(?!)/;

  constructor(browser, server, Person) {
    this.#browser = browser;
    this.#Person = Person;
    this.server = server;
  }

  /** Somebody who has opened the page and not joined yet. */
  async visitor(options) {
    const person = await this.#Person.open(this.#browser, this.server, options);
    this.#people.push(person);
    return person;
  }

  async joins(name, options) {
    const person = await this.visitor(options);
    await person.join(name);
    return person;
  }

  /** Somebody with an account, who is signed in and in the chat. */
  async signedIn(name, { role = 'member', address = '', ...options } = {}) {
    const file = join(this.server.dir, 'password');
    await writeFile(file, PASSWORD);
    const { code, stderr } = await this.server.command(['user', 'create', name, '--role', role, '--password-file', file]);
    if (code !== 0 && !/taken|exists/.test(stderr)) throw new Error(stderr);
    return this.comesBack(name, { address, ...options });
  }

  /** Somebody who has an account, in another browser. */
  async comesBack(name, { address = '', ...options } = {}) {
    const person = await this.visitor(options);
    person.name = name;
    await person.page.request.post(`${this.server.url}/api/login`, { data: { username: name, password: PASSWORD } });
    await person.page.goto(`${this.server.url}/${address}`);
    await person.composer.waitFor();
    return person;
  }

  /** Closes somebody's page. */
  async leaves(person) {
    await person.assertClean(this.expected);
    this.#people.splice(this.#people.indexOf(person), 1);
    await person.page.context().close();
  }

  /** A client without a page that has not joined yet. */
  async connect() {
    const socket = io(this.server.url, { forceNew: true, transports: ['websocket'] });
    this.#clients.push(socket);
    return socket;
  }

  /** A joined client without a page, for what a page never sends. */
  async rawClient(username) {
    const socket = await this.connect();
    await socket.emitWithAck('join_chat', { username });
    return socket;
  }

  async assertClean() {
    for (const person of this.#people) await person.assertClean(this.expected);
  }

  /** What everybody saw when something failed: FILE-NUMBER.png. */
  async shoot(file) {
    for (const [at, { page }] of this.#people.entries()) await page.screenshot({ path: `${file}-${at}.png` }).catch(() => {});
  }

  async close() {
    for (const client of this.#clients) client.close();
    await Promise.all(this.#browser.contexts().map((context) => context.close()));
    await this.server.stop();
  }
}
