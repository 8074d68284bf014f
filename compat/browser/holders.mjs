// People with accounts: who they are, how they come in, and what they do on the account page.

import { Person } from './people.mjs';

export const PASSWORD = 'correct horse battery';
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
// What Chromium writes to the console when the server says "not signed in", or refuses what the test gets wrong on purpose.
const REFUSALS = /status of 40[0139].*\/api\//;

/** A person who goes back and forth between the chat and the account page, as one browser with its cookies. */
export class Holder extends Person {
  static async open(browser, server, options) {
    const person = await super.open(browser, server, options);
    return Object.assign(person, { server });
  }

  async openChat() {
    await this.page.goto(this.server.url);
  }

  async openAccount(fragment = '') {
    await this.page.goto('about:blank'); // or a new fragment alone would not load the page
    await this.page.goto(`${this.server.url}/account${fragment}`);
  }

  view(name) {
    return this.page.locator(`[data-view="${name}"]`);
  }

  /** Goes to a part of the account page by its link. */
  async goTo(link, name) {
    await this.page.getByRole('navigation').getByRole('link', { name: link, exact: true }).click();
    await this.view(name).waitFor();
  }

  async hears(text) {
    await this.page.locator('#status').filter({ hasText: text }).waitFor();
  }

  async createAccount(name, password = PASSWORD) {
    this.name = name;
    const form = this.view('create-account');
    await form.getByLabel('Name').fill(name);
    await form.getByLabel('Password', { exact: true }).fill(password);
    await form.getByLabel('Password again').fill(password);
    await form.getByRole('button', { name: 'Create account' }).click();
    await this.signedIn(name);
  }

  /** Waits until somebody is signed in: in the chat, or where they wanted to be. Either way they are on the account page then. */
  async signedIn(name) {
    const told = this.page.locator('#status').filter({ hasText: `You are signed in as ${name}.` });
    await told.or(this.composer).first().waitFor();
    if (new URL(this.page.url()).pathname !== '/') return;
    await this.openAccount('#you');
    await this.page.locator('#own-name').filter({ hasText: name }).waitFor();
  }

  async signIn(name, password = PASSWORD) {
    const form = this.view('sign-in');
    await form.getByLabel('Name').fill(name);
    await form.getByLabel('Password').fill(password);
    await form.getByRole('button', { name: 'Sign in' }).click();
  }

  async invite() {
    await this.goTo('Invitations', 'invitations');
    await this.page.getByRole('button', { name: 'Make a link' }).click();
    await this.page.locator('#invite-made').waitFor();
    return this.page.locator('#invite-link').inputValue();
  }

  /** From the account page into the chat, where the account comes in by itself. */
  async enterChat() {
    await this.page.getByRole('main').getByRole('link', { name: 'Go to the chat' }).click();
    await this.composer.waitFor();
    await this.is('connected');
  }

  messageOf(text) {
    return this.log.locator('.message').filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** Picks something in the menu of a message. */
  async picks(item, text) {
    await this.messageOf(text).hover();
    await this.messageOf(text).getByRole('button', { name: 'Actions' }).click();
    await this.page.getByRole('menuitem', { name: item }).click();
  }

  dialog(name) {
    return this.page.getByRole('dialog', { name });
  }
}

/** The fragment of the link by which the first account, the owner's, is made. */
export const ownerLink = ({ server }) => /\/account(#invite=\S+)/.exec(server.output)[1];

/** The owner, on the page that welcomes them, once their account is made there. */
export async function owner(scene, options) {
  scene.expected = REFUSALS;
  const olga = await scene.visitor(options);
  await olga.openAccount(ownerLink(scene));
  await olga.createAccount('olga');
  return olga;
}

export async function member(scene, name, options) {
  scene.expected = REFUSALS;
  const person = await scene.visitor(options);
  await person.openAccount('#you'); // there they are when their account is made
  await person.page.getByRole('link', { name: 'Create account' }).click();
  await person.createAccount(name);
  return person;
}
