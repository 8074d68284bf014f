// The chat page on a phone: one pane at a time, the browser's back button, fingers in place of a mouse, the keyboard of the screen.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { assertFits } from './checks.mjs';
import { Person } from './people.mjs';
import { stage } from './scene.mjs';

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };
const KEYBOARD_PX = 320; // what the keyboard of the screen takes

const inScene = stage(Person);

/** Which of the three panes can be seen. */
const panes = ({ page }) =>
  page.evaluate(() => ['#rooms', '.conversation', '#drawer'].filter((pane) => {
    const node = document.querySelector(pane);
    if (!node?.checkVisibility()) return false;
    const { left, top } = node.getBoundingClientRect();
    return node.contains(document.elementFromPoint(left + 5, top + 5));
  }));

const shows = async (person, pane) => {
  await person.page.locator(pane).waitFor();
  assert.deepEqual(await panes(person), [pane]);
  await assertFits(person.page);
};

const back = (person) => person.page.locator('.room-head .only-phone');

describe('one pane', () => {
  inScene('the rooms, a room, a panel: by their buttons and by the back button of the browser', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    await jonas.emitWithAck('create_group', { group_name: 'team' });
    await shows(zoe, '.conversation');
    await back(zoe).tap();
    await shows(zoe, '#rooms');
    await zoe.roomLink('team').tap();
    await zoe.page.locator('#join-password').waitFor();
    await shows(zoe, '.conversation');
    await zoe.page.getByRole('button', { name: 'Join group' }).tap();
    await zoe.log.waitFor();

    await zoe.page.goBack();
    await shows(zoe, '#rooms');
    await zoe.roomLink('public').tap();
    await shows(zoe, '.conversation');
    assert.equal(await zoe.page.locator('#room-name').textContent(), 'Public chat');
    await zoe.page.goBack();
    await shows(zoe, '#rooms');
    await zoe.page.goForward();
    await shows(zoe, '.conversation');

    await zoe.opens('people');
    await shows(zoe, '#drawer');
    await zoe.page.locator('#drawer').getByRole('button', { name: 'Close' }).tap();
    await shows(zoe, '.conversation');
    await zoe.opens('people');
    await zoe.page.goBack();
    await shows(zoe, '#rooms');
  });

  inScene('what was found opens in its room, without the panel', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    await jonas.emitWithAck('send_public_message', { message: 'the quinces are here' });
    await zoe.reads('the quinces are here');
    await zoe.opens('search');
    await opensHit(zoe);
    await back(zoe).tap();
    await zoe.page.getByRole('button', { name: 'Search all rooms' }).tap();
    await opensHit(zoe);
  });

  inScene('the way back says how much is new elsewhere', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    assert.equal(await back(zoe).locator('.badge').count(), 0);
    for (const message of ['one', 'two']) await jonas.emitWithAck('send_direct_message', { to: 'Zoë', message });
    await back(zoe).locator('.badge').filter({ hasText: '2' }).waitFor();
    await zoe.page.getByRole('button', { name: 'All rooms, 2 unread' }).tap();
    await zoe.roomLink('Jonas').tap();
    await zoe.reads('two', 'Jonas');
    await back(zoe).locator('.badge').waitFor({ state: 'detached' });
  });
});

async function opensHit(person) {
  await person.page.locator('.search input[type=search]').fill('quinces');
  await person.page.locator('.search button[type=submit]').tap();
  await person.page.locator('.hit').tap();
  await person.page.locator('.message.marked').waitFor();
  await shows(person, '.conversation');
}

describe('fingers', () => {
  inScene('a tap on a message brings its tools, a tap elsewhere takes them away', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    assert.ok(await zoe.page.evaluate(() => matchMedia('(hover: none)').matches));
    for (const message of ['hello', 'who brings the scales?']) await jonas.emitWithAck('send_public_message', { message });
    await zoe.reads('who brings the scales?');
    const tools = zoe.messages('who brings the scales?').locator('.tools');
    assert.equal(await tools.isVisible(), false);
    await zoe.messages('who brings the scales?').locator('.text').tap();
    await tools.waitFor();
    await assertFits(zoe.page);
    await zoe.messages('hello').locator('.text').tap();
    await tools.waitFor({ state: 'hidden' });
    await zoe.messages('hello').locator('.tools').waitFor();
  });

  inScene('reacting, answering, copying the link of a message, and taking a reaction back', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    await jonas.emitWithAck('send_public_message', { message: 'who brings the scales?' });
    await zoe.reads('who brings the scales?');
    const message = zoe.messages('who brings the scales?').first();
    await message.locator('.text').tap();
    await message.getByRole('button', { name: 'React' }).tap();
    await zoe.page.locator('.picker-grid button').first().tap();
    await message.locator('.reaction[aria-pressed=true]').waitFor();
    await message.locator('.reaction').tap();
    await message.locator('.reaction').waitFor({ state: 'detached' });
    await message.locator('.text').tap();
    await message.getByRole('button', { name: 'Actions' }).tap();
    await zoe.page.getByRole('menuitem', { name: 'Reply' }).tap();
    await zoe.page.locator('#message:focus').waitFor();
    await zoe.page.keyboard.type('me');
    await zoe.page.getByRole('button', { name: 'Send' }).tap();
    await zoe.reads('me');
    await zoe.log.locator('.quote-link').filter({ hasText: 'who brings the scales?' }).waitFor();
  });

  inScene('what is touched is large enough for a finger', async (scene) => {
    const zoe = await scene.joins('Zoë', PHONE);
    await zoe.say('hello');
    await zoe.reads('hello');
    await zoe.messages('hello').locator('.text').tap();
    const small = () => zoe.page.evaluate(() =>
      [...document.querySelectorAll('button, a[href], label.icon, select, input:not(.visually-hidden)')]
        .filter((node) => node.checkVisibility() && !node.matches('.author, .text a, [type=checkbox]'))
        .map((node) => [node, node.getBoundingClientRect()])
        .filter(([, { width, height }]) => Math.min(width, height) < 24 || width * height < 32 * 32)
        .map(([node, { width, height }]) => `${width}×${height} ${node.outerHTML.slice(0, 80)}`),
    );
    assert.deepEqual(await small(), []);
    await back(zoe).tap();
    assert.deepEqual(await small(), []);
  });
});

describe('the keyboard of the screen', () => {
  inScene('the box stays above it, and the newest message above the box', async (scene) => {
    const [zoe, jonas] = [await scene.joins('Zoë', PHONE), await scene.rawClient('Jonas')];
    for (let number = 0; number < 30; number += 1) await jonas.emitWithAck('send_public_message', { message: `message ${number}` });
    await zoe.reads('message 29');
    await zoe.composer.tap();
    await zoe.page.setViewportSize({ width: 360, height: 740 - KEYBOARD_PX });
    const isAbove = () => {
      const [last, box] = [[...document.querySelectorAll('#log .message')].at(-1), document.querySelector('#composer')].map((node) => node.getBoundingClientRect());
      return last.top > 0 && last.bottom <= box.top + 1 && box.bottom <= innerHeight;
    };
    await zoe.page.waitForFunction(isAbove);
    await zoe.say('one line\n'.repeat(40));
    await zoe.composer.fill('one line\n'.repeat(40));
    await zoe.page.getByRole('button', { name: 'Send' }).waitFor();
    assert.ok(await zoe.page.evaluate(() => {
      const { top, bottom } = document.querySelector('.writing').getBoundingClientRect();
      return bottom <= innerHeight && top > document.querySelector('.room-head').getBoundingClientRect().bottom;
    }), 'a long text scrolls within its box');
    await assertFits(zoe.page);
  });

  inScene('opening a room does not bring it up', async (scene) => {
    const zoe = await scene.joins('Zoë', PHONE);
    await back(zoe).tap();
    await zoe.roomLink('public').tap();
    await zoe.log.waitFor();
    assert.equal(await zoe.page.evaluate(() => document.activeElement.id === 'message'), false);
  });
});
