// Reading on our page: where a room opens, what is new, that the view stays where the reader is, links to messages, and what was missed.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { Reader, STILL_PX, say, texts } from './reader.mjs';
import { stage } from './scene.mjs';

const inScene = stage(Reader);
const OUTAGE = /ERR_CONNECTION_REFUSED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_INTERNET_DISCONNECTED/;
const upTo = (last, from = 1) => Array.from({ length: last - from + 1 }, (_, place) => from + place);

/** Somebody with an account, in the chat. */
async function signsUp(scene, name, options) {
  const person = await scene.visitor();
  await person.signIn(name, options);
  return person;
}

/** A promise that is kept by `now()`. */
function moment() {
  let now;
  return Object.assign(new Promise((resolve) => (now = resolve)), { now: () => now() });
}

/** What the list on the left says about a room. */
async function counts(person, room, words) {
  const badge = person.roomLink(room).locator('.badge');
  if (words) await badge.getByText(words).waitFor();
  else await badge.waitFor({ state: 'detached' });
}

async function newLineIsBefore(person, seq) {
  const line = person.log.locator('.new-line + .message');
  await line.waitFor();
  assert.equal(await line.getAttribute('data-seq'), String(seq));
  assert.ok((await person.seen()).includes(seq), 'what is new is in view');
  assert.ok((await person.log.locator('.new-line').boundingBox()).y >= (await person.log.boundingBox()).y, 'the line is in view');
}

describe('where a room opens', () => {
  inScene('at its end; at the line when something is new; counts are right over a reload, and gone when all is read', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(60));
    const ann = await signsUp(scene, 'ann');
    await ann.isAtEnd();
    assert.equal(await ann.log.locator('.new-line').count(), 0);
    await ann.createGroup('team');
    await say(seed, ['for @ann', ...texts(28), 'and @ann again']);
    await counts(ann, 'public', '30 unread, 2 mentions');
    await ann.reload();
    await counts(ann, 'public', '30 unread, 2 mentions');

    await ann.openRoom('public');
    await newLineIsBefore(ann, 61);
    await counts(ann, 'public', '30 unread');
    await ann.openRoom('team');
    await ann.reload();
    await counts(ann, 'public', '30 unread'); // what was not seen is not marked
    await ann.openRoom('public');
    await newLineIsBefore(ann, 61);
    await ann.wheelTo('end');
    await counts(ann, 'public', null);
    await ann.log.locator('.new-line').waitFor({ state: 'attached' });
    await ann.reload();
    await counts(ann, 'public', null);
    assert.equal(await ann.log.locator('.new-line').count(), 0, 'not where all was read');
    await ann.isAtEnd();
  });

  inScene('more than a page is new: still at the line, and no gap on the way to the end', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(20));
    const ann = await signsUp(scene, 'ann');
    await ann.createGroup('team');
    await say(seed, texts(180, 21));
    await counts(ann, 'public', '180 unread');
    await ann.reload();
    await ann.openRoom('public');
    await newLineIsBefore(ann, 21);
    await counts(ann, 'public', '100 unread'); // so far the server counts
    await ann.wheelTo('end', { each: async () => assert.deepEqual(await ann.seqs(), upTo((await ann.seqs()).at(-1))) });
    assert.equal((await ann.seqs()).at(-1), 200);
    await counts(ann, 'public', null);
    await ann.openRoom('team');
    await ann.openRoom('public');
    await ann.isAtEnd();
    assert.equal(await ann.log.locator('.new-line').count(), 0);
  });

  inScene('a guest has marks as long as they are connected', async (scene) => {
    const seed = await scene.rawClient('seed');
    const ann = await scene.joins('ann');
    await say(seed, texts(30));
    await ann.message(30).waitFor();
    await ann.createGroup('team');
    await say(seed, texts(40, 31));
    await counts(ann, 'public', '40 unread');
    await ann.openRoom('public');
    await newLineIsBefore(ann, 31);
    await ann.page.getByRole('button', { name: 'Jump to latest' }).click();
    await counts(ann, 'public', null);
    await ann.openRoom('team');
    await ann.openRoom('public');
    assert.equal(await ann.log.locator('.new-line').count(), 0);
  });

  inScene('what somebody writes to one alone is new until it is read, also over a reload', async (scene) => {
    const [ann, bob] = [await signsUp(scene, 'ann'), await signsUp(scene, 'bob')];
    await bob.writeTo('ann');
    for (const text of ['are you there?', 'call me']) {
      await bob.say(text);
      await bob.reads(text);
    }
    await counts(ann, 'bob', '2 unread');
    await ann.reload();
    await counts(ann, 'bob', '2 unread');
    await ann.openRoom('bob');
    await newLineIsBefore(ann, 1);
    await counts(ann, 'bob', null);
    await ann.openRoom('public');
    await ann.reload();
    await ann.roomLink('bob').waitFor();
    await counts(ann, 'bob', null);
  });

  inScene('a room that is left at once is read all the same', async (scene) => {
    const seed = await scene.rawClient('seed');
    const ann = await signsUp(scene, 'ann');
    for (const name of ['one', 'two', 'unread']) {
      await ann.createGroup(name);
      await seed.emitWithAck('join_group', { group_name: name });
    }
    await ann.openRoom('public');
    for (const name of ['one', 'two', 'unread']) await say(seed, ['hello'], { group_name: name });
    for (const name of ['one', 'two']) {
      await counts(ann, name, '1 unread');
      await ann.openRoom(name);
      await counts(ann, name, null);
    }
    await ann.openRoom('public');
    await ann.reload();
    await counts(ann, 'unread', '1 unread');
    for (const name of ['one', 'two']) await counts(ann, name, null);
  });

  inScene('a group that was just joined shows its history, at the end', async (scene) => {
    const [ann, bob] = [await scene.joins('ann'), await scene.joins('bob')];
    await ann.createGroup('team');
    const seed = await scene.rawClient('seed');
    await seed.emitWithAck('join_group', { group_name: 'team' });
    await say(seed, texts(80), { group_name: 'team' });
    await bob.joinGroup('team');
    await bob.message(80).waitFor();
    await bob.isAtEnd();
    await bob.openRoom('public');
    await bob.openRoom('team');
    await bob.isAtEnd();
  });

  inScene('while nobody looks at the page, what comes is new and has a line', async (scene) => {
    const seed = await scene.rawClient('seed');
    const ann = await scene.joins('ann');
    await say(seed, ['before']);
    await ann.reads('before');
    await ann.page.evaluate(() => {
      document.hasFocus = () => false;
      dispatchEvent(new Event('blur'));
    });
    await say(seed, ['one', 'two']);
    await counts(ann, 'public', '2 unread');
    await newLineIsBefore(ann, 2);
    await ann.page.evaluate(() => {
      document.hasFocus = () => true;
      dispatchEvent(new Event('focus'));
    });
    await counts(ann, 'public', null);
    await newLineIsBefore(ann, 2);
  });
});

describe('days and authors', () => {
  // The server's clock cannot be set: the page hears the times that the texts name.
  const otherTimes = () => {
    const { parse } = JSON;
    JSON.parse = (text, reviver) =>
      parse(text, function (key, value) {
        const read = reviver ? reviver.call(this, key, value) : value;
        const named = /^at (\S+)/.exec(read?.message ?? '');
        if (named) read.timestamp = named[1];
        return read;
      });
  };

  inScene('days have a line, messages of one author within five minutes stand together', async (scene) => {
    const [ann, bob] = [await scene.rawClient('ann'), await scene.rawClient('bob')];
    const today = new Date(Date.now()).toISOString().slice(0, 10);
    const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await say(ann, ['at 2020-02-29T10:00:00Z', 'at 2020-02-29T10:04:59Z', 'at 2020-02-29T10:09:59Z']);
    await say(bob, ['at 2020-02-29T10:10:00Z', `at ${yesterday}T00:00:10Z`, `at ${today}T00:00:10Z`]);
    await say(ann, [`at ${today}T00:00:20Z`, `at ${today}T00:00:30Z`]);
    const reader = await scene.visitor({ timezoneId: 'UTC', locale: 'en-GB' });
    await reader.page.addInitScript(otherTimes);
    await reader.page.reload();
    await reader.join('reader');
    await reader.message(8).waitFor();
    const lines = await reader.log.evaluate((log) => [...log.querySelectorAll('.day, .message')].map((line) => (line.matches('.day') ? line.textContent : line.matches('.follow-up') ? '+' : line.querySelector('.author').textContent)));
    assert.deepEqual(lines, ['Saturday, 29 February 2020', 'ann', '+', 'ann', 'bob', 'Yesterday', 'bob', 'Today', 'bob', 'ann', '+']);
  });
});

describe('the view stays where the reader is', () => {
  inScene('while older messages load above, and others go away below', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(500));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    let before = 500;
    await ann.wheelTo('start', {
      by: 400,
      each: async () => {
        const seqs = await ann.seqs();
        assert.deepEqual(seqs, upTo(seqs.at(-1), seqs[0]));
        assert.ok((await ann.seen())[0] <= before, 'upwards alone');
        before = (await ann.seen())[0];
      },
    });
    assert.equal(before, 1);
  });

  inScene('while messages come below; the button counts them, and leads to them', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(100));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    await ann.wheel(-700);
    await ann.page.getByRole('button', { name: 'Jump to latest', exact: true }).waitFor();
    await ann.staysPut(async () => {
      await say(seed, texts(12, 101));
      await ann.page.getByRole('button', { name: 'Jump to latest (12)' }).waitFor();
    });
    await ann.staysPut(async () => {
      await say(seed, texts(300, 113));
      await ann.page.getByRole('button', { name: 'Jump to latest (312)' }).waitFor();
    });
    await ann.page.getByRole('button', { name: 'Jump to latest (312)' }).click();
    await ann.message(412).waitFor();
    await ann.isAtEnd();
    await ann.page.locator('.to-latest').waitFor({ state: 'detached' });
    await ann.wheel(-700);
    await ann.page.getByRole('button', { name: 'Jump to latest', exact: true }).waitFor();
  });

  inScene('a jump to the end while many write: nothing is missing, nothing is there twice', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(400));
    const ann = await scene.joins('ann');
    for (const [from, to] of [[401, 600], [601, 800], [801, 1000]]) {
      await ann.page.evaluate(() => (location.hash = '#/room/public/100'));
      await ann.log.locator('.message.marked[data-seq="100"]').waitFor();
      const writing = say(seed, texts(to - from + 1, from));
      await ann.page.getByRole('button', { name: /^Jump to latest \(/ }).click();
      await writing;
      await ann.message(to).waitFor();
      const seqs = await ann.seqs();
      assert.deepEqual(seqs, upTo(to, seqs[0]));
      await ann.isAtEnd();
      assert.equal(await ann.page.evaluate(() => location.hash), '#/room/public', 'a reload does not lead back');
    }
  });

  inScene('while a message above becomes longer, gets a reaction, or is deleted; also one that is cut off at the edge', async (scene) => {
    const seed = await scene.rawClient('seed');
    const acks = await say(seed, texts(100));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    await ann.wheel(-413);
    const [edge] = await ann.seen();
    for (const seq of [edge - 3, edge]) {
      const { id } = acks[seq - 1];
      await ann.staysPut(async () => {
        await seed.emitWithAck('edit_message', { id, message: 'much longer\n'.repeat(9) });
        await ann.message(seq).getByText('(edited)').waitFor();
      });
      await ann.staysPut(async () => {
        await seed.emitWithAck('react', { id, emoji: '🎉' });
        await ann.message(seq).locator('.reaction').waitFor({ state: 'attached' });
      });
      await ann.staysPut(async () => {
        await seed.emitWithAck('delete_message', { id });
        await ann.message(seq).waitFor({ state: 'detached' });
      });
    }
  });

  inScene('while pictures load, which have their place before', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(60));
    const bob = await scene.joins('bob');
    const ann = await scene.visitor();
    let letThrough;
    const held = new Promise((resolve) => (letThrough = resolve));
    await ann.page.context().route('**/api/attachments/**', async (route) => {
      await held;
      await route.continue();
    });
    await ann.join('ann');
    await ann.isAtEnd();
    const png = await bob.page.evaluate(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 800, height: 1200 });
      canvas.getContext('2d').fillRect(0, 0, 400, 400);
      return canvas.toDataURL('image/png').split(',')[1];
    });
    await bob.page.getByLabel('Add files').setInputFiles({ name: 'high.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') });
    await bob.page.locator('.uploads li').getByText('kB').waitFor();
    await bob.say('look');
    await ann.reads('look');
    await ann.isAtEnd();
    const image = ann.log.locator('.picture img');
    const size = async () => (({ width, height }) => [width, height])(await image.boundingBox());
    assert.deepEqual(await size(), [160, 240]);
    await ann.staysPut(async () => {
      letThrough();
      await ann.log.locator('.picture img[src]').evaluate((img) => img.decode());
    });
    assert.deepEqual(await size(), [160, 240]);
    await ann.isAtEnd();
  });

  inScene('at the end it stays at the end', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(60));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    const [{ id }] = await say(seed, ['long\n'.repeat(40)]);
    await ann.message(61).waitFor();
    await ann.isAtEnd();
    await seed.emitWithAck('edit_message', { id, message: 'longer\n'.repeat(60) });
    await ann.message(61).getByText('(edited)').waitFor();
    await ann.isAtEnd();
    await ann.composer.fill('a\nb\nc\nd\ne');
    await ann.isAtEnd();
    await ann.page.setViewportSize({ width: 700, height: 500 });
    await ann.isAtEnd();
    await say(seed, texts(400, 62));
    await ann.message(461).waitFor();
    await ann.isAtEnd();
  });

  inScene('what comes while the page still asks for what it has missed, was not missed', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(60));
    const ann = await signsUp(scene, 'ann');
    const [asks, mayAsk, came] = [moment(), moment(), moment()];
    await ann.page.routeWebSocket(/\/socket\.io\//, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage(async (packet) => {
        if (packet.includes('"get_history"')) {
          asks.now();
          await mayAsk;
        }
        server.send(packet);
      });
      server.onMessage((packet) => {
        socket.send(packet);
        if (packet.includes('"new_message"')) came.now();
      });
    });
    await ann.reload();
    await asks;
    await ann.isAtEnd();
    await say(seed, ['long\n'.repeat(40)]);
    await came;
    mayAsk.now();
    await ann.message(61).waitFor();
    await ann.isAtEnd();
    assert.equal(await ann.log.locator('.new-line').count(), 0);
  });

  inScene('a large screen with short messages does not load without end', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, upTo(900).map(String));
    const ann = await scene.joins('ann', { viewport: { width: 1600, height: 2400 } });
    await ann.isAtEnd();
    for (let turns = 0; turns < 8; turns += 1) await ann.wheel(-1000);
    const asked = [];
    const session = await ann.page.context().newCDPSession(ann.page);
    await session.send('Network.enable');
    session.on('Network.webSocketFrameSent', ({ response }) => response.payloadData.includes('get_history') && asked.push(response.payloadData));
    await ann.staysPut(async () => {
      for (let frames = 0; frames < 30; frames += 1) await ann.painted();
    });
    assert.ok(asked.length <= 3, `${asked.length} pages were asked for while nobody scrolled`);
  });
});

describe('links to messages', () => {
  const PERMISSIONS = { permissions: ['clipboard-read', 'clipboard-write'] };

  inScene('copied from the menu, opened by somebody else: around the message, with the focus on it; read on both ways', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(400));
    const ann = await scene.joins('ann', PERMISSIONS);
    await ann.isAtEnd();
    await ann.page.goto(`${scene.server.url}/#/room/public/200`);
    await ann.message(200).waitFor();
    await ann.choose('number 200', 'Copy link');
    await ann.notices('Copied');
    const link = await ann.page.evaluate(() => navigator.clipboard.readText());
    assert.equal(link, `${scene.server.url}/#/room/public/200`);

    const bob = await scene.visitor();
    await bob.page.goto('about:blank');
    await bob.page.goto(link);
    await bob.join('bob');
    await bob.log.locator('.message.marked[data-seq="200"]:focus').waitFor();
    assert.ok((await bob.seen()).includes(200));
    const all = new Set();
    const each = async () => {
      const seqs = await bob.seqs();
      assert.deepEqual(seqs, upTo(seqs.at(-1), seqs[0]));
      for (const seq of await bob.seen()) all.add(seq);
    };
    await bob.wheelTo('start', { each });
    await bob.wheelTo('end', { each });
    assert.equal(all.size, 400);
  });

  inScene('from another room, and back; a room that is opened again begins at its end', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(300));
    const ann = await scene.joins('ann');
    await ann.createGroup('team');
    await ann.say('in the team');
    await ann.page.evaluate(() => (location.hash = '#/room/public/40'));
    await ann.log.locator('.message.marked[data-seq="40"]:focus').waitFor();
    await ann.page.goBack();
    await ann.logOf('team').waitFor();
    await ann.reads('in the team');
    await ann.page.goForward();
    await ann.log.locator('.message.marked[data-seq="40"]:focus').waitFor();
    await ann.openRoom('team');
    await ann.openRoom('public');
    await ann.message(300).waitFor();
    await ann.isAtEnd();
    assert.equal(await ann.log.locator('.marked').count(), 0);
    await ann.openRoom('team');
    await ann.page.evaluate(() => (location.hash = '#/room/public/270')); // which is here already
    await ann.log.locator('.message.marked[data-seq="270"]').waitFor();
    await ann.painted();
    assert.equal(await ann.page.evaluate(() => document.activeElement.dataset.seq), '270');
    await ann.openRoom('team');
    await ann.openRoom('public');
    await ann.isAtEnd();
    assert.equal(await ann.log.locator('.marked').count(), 0);
  });

  inScene('to a message that is gone: to the next one; back in the same room leads back', async (scene) => {
    const seed = await scene.rawClient('seed');
    const acks = await say(seed, texts(300));
    await seed.emitWithAck('delete_message', { id: acks[99].id });
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    await ann.page.evaluate(() => (location.hash = '#/room/public'));
    for (const [wanted, shown] of [[100, 101], [200, 200], [9999, 300]]) {
      await ann.page.evaluate((seq) => (location.hash = `#/room/public/${seq}`), wanted);
      await ann.page.waitForFunction((seq) => document.activeElement?.dataset.seq === String(seq), shown);
      assert.ok((await ann.seen()).includes(shown));
    }
    await ann.page.goBack();
    await ann.page.waitForFunction(() => document.activeElement?.dataset.seq === '200');
    await ann.page.goBack();
    await ann.page.goBack();
    await ann.message(300).waitFor();
    await ann.isAtEnd();
  });

  inScene('from an answer to what it answers, which is not in the page', async (scene) => {
    const seed = await scene.rawClient('seed');
    const { id } = await seed.emitWithAck('send_public_message', { message: 'the question' });
    await say(seed, texts(400));
    await seed.emitWithAck('send_public_message', { message: 'the answer', reply_to: id });
    const ann = await scene.joins('ann');
    await ann.reads('the answer');
    assert.equal(await ann.message(1).count(), 0);
    await ann.log.locator('.quote-link').getByText('the question').click();
    await ann.message(1).waitFor();
    assert.ok((await ann.seen()).includes(1));
  });

  inScene('to a message of a group that one is not in: after its password', async (scene) => {
    const [ann, bob] = [await scene.joins('ann'), await scene.visitor()];
    await ann.createGroup('team', 'pw');
    const seed = await scene.rawClient('seed');
    await seed.emitWithAck('join_group', { group_name: 'team', password: 'pw' });
    await say(seed, texts(200), { group_name: 'team' });
    await bob.page.goto('about:blank');
    await bob.page.goto(`${scene.server.url}/#/room/team/50`);
    await bob.page.getByLabel('Your name').fill('bob');
    await bob.page.getByRole('button', { name: 'Join', exact: true }).click();
    await bob.page.getByLabel('Group password').fill('pw');
    await bob.page.getByRole('button', { name: 'Join group' }).click();
    await bob.log.locator('.message.marked[data-seq="50"]').waitFor();
    assert.ok((await bob.seen()).includes(50));
  });
});

describe('what a text says', () => {
  const AS_TYPED = [
    '¯\\_(ツ)_/¯', 'snake_case_name', '# no heading', '1986. no list', '<b>not bold</b>', '&lt; &amp; &copy;', '![cat](https://example.org/cat.png)',
    '[click](javascript:alert(1))', '[click](JaVaScript:alert(1))', '[click](data:text/html,hi)', 'javascript:alert(1)', '2*3*4', 'a**b**c', 'PATH=~/bin:~/lib', '---', '- one\n- two', '\\*escaped\\*',
    '    indented', 'one\n===', 'a | b\n--|--\n1 | 2', '<img src=x onerror=alert(1)>', '[https://example.org](https://evil.example)',
  ];

  inScene('most is shown as it was typed', async (scene) => {
    const ann = await scene.joins('ann');
    await say(await scene.rawClient('seed'), AS_TYPED);
    await ann.message(AS_TYPED.length).waitFor();
    assert.deepEqual(await ann.texts(), AS_TYPED);
    const made = await ann.log.evaluate((log) => [...log.querySelectorAll('.text *:not(p)')].map(({ localName }) => localName));
    assert.deepEqual(made, []);
  });

  inScene('bold, strike, quotes, code; and links, which open elsewhere and say nothing of this page', async (scene) => {
    const ann = await scene.joins('ann');
    const seed = await scene.rawClient('seed');
    await say(seed, ['**strong** and ~~wrong~~', '> she said\n> so\n\nI did not', 'run `ls <b>` now', '```js\nif (a < b) {\n  __x__\n}\n```', 'see https://example.org/?a=1&b=2, or [this](https://example.org/x)']);
    await ann.message(5).waitFor();
    const shown = (seq, selector) => ann.message(seq).locator(`.text ${selector}`).allTextContents();
    assert.deepEqual(await shown(1, 'strong'), ['strong']);
    assert.deepEqual(await shown(1, 'del'), ['wrong']);
    assert.deepEqual(await shown(2, 'blockquote'), ['she said\nso']);
    assert.deepEqual(await shown(2, '> p'), ['I did not']);
    assert.deepEqual(await shown(3, 'code'), ['ls <b>']);
    assert.deepEqual(await shown(4, 'pre code'), ['if (a < b) {\n  __x__\n}']);
    const links = await ann.message(5).locator('.text a').evaluateAll((all) => all.map(({ href, target, rel, textContent }) => ({ href, target, rel, textContent })));
    const [target, rel] = ['_blank', 'noopener noreferrer nofollow'];
    assert.deepEqual(links, [
      { href: 'https://example.org/?a=1&b=2', target, rel, textContent: 'https://example.org/?a=1&b=2' },
      { href: 'https://example.org/x', target, rel, textContent: 'this' },
    ]);
  });
});

describe('a long history', () => {
  /** Writes down in the page, frame by frame, the messages that come into view for the first time, and what the page holds. */
  const watchView = () => {
    const log = document.querySelector('#log');
    const known = new Set();
    window.view = { order: [], most: 0, gaps: [] };
    const look = () => {
      const { top, bottom } = log.getBoundingClientRect();
      const lines = [...log.querySelectorAll('[data-seq]')].map((line) => ({ seq: Number(line.dataset.seq), box: line.getBoundingClientRect() }));
      const seen = lines.filter(({ seq, box }) => box.bottom > top && box.top < bottom && !known.has(seq)).map(({ seq }) => seq);
      if (seen[0] < window.view.order.at(-1)) seen.reverse();
      for (const seq of seen) window.view.order.push(seq) && known.add(seq);
      window.view.most = Math.max(window.view.most, lines.length);
      const gap = lines.find(({ seq }, place) => place > 0 && lines[place - 1].seq + 1 !== seq);
      if (gap) window.view.gaps.push(gap.seq);
    };
    look();
    log.addEventListener('scroll', look);
    window.stopWatching = () => log.removeEventListener('scroll', look);
  };

  /** How many nodes the page holds in memory, and how many of them stand in it. */
  async function nodes({ page }) {
    const session = await page.context().newCDPSession(page);
    for (let times = 0; times < 3; times += 1) await session.send('HeapProfiler.collectGarbage');
    const { nodes: held } = await session.send('Memory.getDOMCounters');
    const shown = await page.evaluate(() => document.evaluate('count(//node())', document, null, XPathResult.NUMBER_TYPE).numberValue);
    return { held, shown };
  }

  inScene('2,000 messages, to the beginning and back: each is seen, in order, and few are in the page', async (scene) => {
    const count = 2_000; // compat/bench/page.mjs goes through 10,000
    await say(await scene.rawClient('seed'), texts(count));
    const ann = await scene.joins('ann', { viewport: { width: 1600, height: 2000 } });
    await ann.isAtEnd();
    for (const end of ['start', 'end']) {
      await ann.page.evaluate(watchView);
      const first = await ann.page.evaluate(() => window.view.order.length);
      await ann.wheelTo(end, { by: 1500 });
      await ann.painted();
      const { order, most, gaps } = await ann.page.evaluate(() => (window.stopWatching(), window.view));
      const [start, rest] = [order.slice(0, first), order.slice(first)];
      assert.deepEqual(end === 'start' ? [...start.reverse(), ...rest] : order, end === 'start' ? upTo(count).reverse() : upTo(count));
      assert.ok(most <= 300, `${most} messages are in the page`);
      assert.deepEqual(gaps, []);
    }
    const { held, shown } = await nodes(ann);
    assert.ok(held < 2 * shown, `${held} nodes are held, and ${shown} of them are in the page`);
  });
});

describe('after a break', () => {
  /** Breaks somebody's network, lets things happen, mends it. */
  async function without(person, what) {
    await person.page.context().setOffline(true);
    await person.is('offline');
    await what();
    await person.page.context().setOffline(false);
    await person.is('connected');
  }

  inScene('what was missed is there, once, in order, with changes, deletions and reactions', async (scene) => {
    scene.expected = OUTAGE;
    const seed = await scene.rawClient('seed');
    const acks = await say(seed, upTo(40).map((number) => `number ${number}`));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    await without(ann, async () => {
      await seed.emitWithAck('edit_message', { id: acks[38].id, message: 'changed' });
      await seed.emitWithAck('delete_message', { id: acks[39].id });
      await seed.emitWithAck('react', { id: acks[37].id, emoji: '🎉' });
      await say(seed, ['one', 'two', 'three']);
    });
    await ann.reads('three');
    await say(seed, ['four']);
    await ann.reads('four');
    assert.deepEqual((await ann.texts()).slice(-6), ['number 38', 'changed(edited)', 'one', 'two', 'three', 'four']);
    assert.equal(await ann.message(38).locator('.reaction').count(), 1);
    assert.deepEqual(await ann.seqs(), [...upTo(39), ...upTo(44, 41)]);
    await ann.isAtEnd();
  });

  for (const missed of [20, 350]) {
    inScene(`further up, ${missed} missed: the view stays, changes are there, and nothing is missing below`, async (scene) => {
      scene.expected = OUTAGE;
      const seed = await scene.rawClient('seed');
      const acks = await say(seed, texts(200));
      const ann = await scene.joins('ann');
      await ann.isAtEnd();
      for (let turns = 0; turns < 4; turns += 1) await ann.wheel(-500);
      const [edge] = await ann.seen();
      const seq = edge + 2;
      const before = await ann.topOf(seq);
      await without(ann, async () => {
        await seed.emitWithAck('edit_message', { id: acks[seq].id, message: 'changed' });
        await seed.emitWithAck('delete_message', { id: acks[edge - 4].id });
        await say(seed, texts(missed, 201));
      });
      await ann.message(seq + 1).getByText('(edited)').waitFor();
      await ann.message(edge - 3).waitFor({ state: 'detached' });
      await ann.painted();
      await ann.page.getByRole('button', { name: `Jump to latest (${missed})` }).waitFor();
      assert.ok(Math.abs((await ann.topOf(seq)) - before) <= STILL_PX);
      const all = new Set();
      await ann.wheelTo('end', { each: async () => { for (const one of await ann.seqs()) all.add(one); } });
      assert.deepEqual([...all].filter((one) => one > seq).sort((a, b) => a - b), upTo(200 + missed, seq + 1));
    });
  }

  inScene('at the end, more missed than is kept: what was read last is still in view, and it goes on from there without a gap', async (scene) => {
    scene.expected = OUTAGE;
    const seed = await scene.rawClient('seed');
    await say(seed, texts(60));
    const ann = await scene.joins('ann');
    await ann.isAtEnd();
    await without(ann, () => say(seed, texts(800, 61)));
    await newLineIsBefore(ann, 61);
    await ann.wheelTo('end', {
      by: 450,
      each: async () => {
        const seqs = await ann.seqs();
        assert.deepEqual(seqs, upTo(seqs.at(-1), seqs[0]));
      },
    });
    assert.equal((await ann.seqs()).at(-1), 860);
  });

  inScene('a room that was opened without a connection is there when it is back', async (scene) => {
    scene.expected = OUTAGE;
    const [ann, bob] = [await scene.joins('ann'), await scene.joins('bob')];
    await bob.createGroup('team');
    await bob.say('in the team');
    await bob.reads('in the team');
    await ann.joinGroup('team');
    await ann.openRoom('public');
    await ann.page.evaluate(() => (location.hash = '#/room/team'));
    await ann.reads('in the team');
    await ann.openRoom('public');
    await say(await scene.rawClient('seed'), texts(300));
    await ann.page.context().setOffline(true);
    await ann.is('offline');
    await ann.page.evaluate(() => (location.hash = '#/room/public/20'));
    await ann.page.context().setOffline(false);
    await ann.is('connected');
    await ann.log.locator('.message.marked[data-seq="20"]').waitFor();
  });
});

describe('for screen readers', () => {
  inScene('new messages of others in the shown room are announced, also while one reads; the history, one\'s own and other rooms are not', async (scene) => {
    const seed = await scene.rawClient('seed');
    await say(seed, texts(20));
    const ann = await scene.joins('ann');
    const announced = ann.page.getByRole('log').locator('p');
    await ann.message(20).waitFor();
    assert.deepEqual(await announced.allTextContents(), []);
    await say(seed, ['hello ann']);
    await announced.getByText('seed: hello ann').waitFor();
    await ann.say('hello seed');
    await ann.reads('hello seed');
    await ann.createGroup('team');
    await say(seed, ['to everybody']);
    await counts(ann, 'public', '1 unread');
    await ann.openRoom('public');
    await ann.reads('to everybody');
    await ann.wheel(-100);
    await say(seed, ['and another']);
    await announced.getByText('seed: and another').waitFor();
    assert.deepEqual(await announced.allTextContents(), ['seed: hello ann', 'seed: and another']);
    const live = await ann.log.evaluate((log) => [log, ...log.querySelectorAll('*')].concat(log.closest('main')).filter((node) => node.matches('[aria-live]:not([aria-live=off]), [role=log], [role=status], [role=alert]')).map(({ className }) => className));
    assert.deepEqual(live, [], 'the log itself says nothing');
    assert.ok((await ann.page.getByRole('log').boundingBox()).width <= 1, 'what is announced is not shown');
  });
});
