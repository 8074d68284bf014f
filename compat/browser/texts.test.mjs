// The texts of the pages: every language has all of them, every one is used, and what the server says is known word for word.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import de from '../../static/account/lang/de.js';
import en from '../../static/account/lang/en.js';
import { SENTENCES } from '../../static/account/sentences.js';

const ROOT = new URL('../../', import.meta.url);
// What pages have in their markup that is the same in every language, or stands there for want of any script.
const IN_EVERY_LANGUAGE = ['Secure Chat', 'This page needs JavaScript.', 'Diese Seite braucht JavaScript.'];

/** Keys such as `account.sign_in` or `chat.level.all`, and their texts. Plural forms are one text: all of them have an `other`. */
function flat(texts, above = '') {
  const isText = (text) => typeof text === 'string' || 'other' in text;
  return new Map(Object.entries(texts).flatMap(([name, text]) => (isText(text) ? [[above + name, text]] : [...flat(text, `${above}${name}.`)])));
}

const forms = (text) => (typeof text === 'string' ? { text } : text);
const placeholders = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

/** The files below a folder that end so, with their texts. */
async function sources(folder, ending, { deep = true } = {}) {
  const names = await readdir(new URL(folder, ROOT), { recursive: deep });
  const own = names.filter((name) => name.endsWith(ending) && !/vendor|lang\//.test(name));
  return Promise.all(own.map(async (name) => ({ name: folder + name, text: await readFile(new URL(folder + name, ROOT), 'utf8') })));
}

/** Patterns of the keys that markup and scripts name; in a template literal any word may stand for `${…}`. */
async function namedKeys() {
  const [scripts, markup] = [await sources('static/', '.js'), await sources('templates/', '.html')];
  const inMarkup = markup.flatMap(({ name, text }) => [...text.matchAll(/data-t(?:-\w+)?="([^"]+)"/g)].map(([, key]) => ({ name, key })));
  const inScripts = scripts.flatMap(({ name, text }) =>
    [...text.matchAll(/['`]((?:account|dialogs|common|chat)\.(?:[\w.]|\$\{[^}]*\})+)['`]/g)].map(([, key]) => ({ name, key })),
  );
  return [...inMarkup, ...inScripts].map(({ name, key }) => {
    const parts = key.split(/\$\{[^}]*\}/);
    return { name, key, pattern: new RegExp(`^${parts.map((part) => part.replaceAll('.', '\\.')).join('\\w*')}$`) };
  });
}

test('both languages have the same texts, with the same names to fill in', () => {
  const [english, german] = [flat(en), flat(de)];
  assert.deepEqual([...german.keys()].sort(), [...english.keys()].sort());
  for (const [key, text] of english) {
    const [ours, theirs] = [forms(text), forms(german.get(key))];
    assert.deepEqual(Object.keys(theirs).sort(), Object.keys(ours).sort(), `${key}: the same plural forms`);
    const names = (all) => placeholders(Object.values(all).join(' '));
    assert.deepEqual(names(theirs), names(ours), key);
    for (const form of Object.values(theirs)) assert.ok(form.trim() !== '' && form === form.trim(), key);
  }
});

test('every text that is named is there, and every text is named somewhere', async () => {
  const [english, named] = [flat(en), await namedKeys()];
  assert.ok(named.length > 200, `${named.length} keys were found`);
  const missing = named.filter(({ pattern }) => ![...english.keys()].some((key) => pattern.test(key)));
  assert.deepEqual(missing.map(({ name, key }) => `${name}: ${key}`), []);
  const unused = [...english.keys()].filter((key) => !named.some(({ pattern }) => pattern.test(key)));
  assert.deepEqual(unused, []);
});

test('markup has no texts of its own', async () => {
  const markup = await sources('templates/account/', '.html');
  markup.push({ name: 'templates/account.html', text: await readFile(new URL('templates/account.html', ROOT), 'utf8') });
  for (const { name, text } of markup) {
    const bare = text.replaceAll(/\{#[^]*?#\}|\{%[^]*?%\}|\{\{[^]*?\}\}/g, '');
    const found = [...bare.matchAll(/>([^<>]*\p{L}[^<>]*)</gu)].map(([, words]) => words.trim());
    assert.deepEqual(found.filter((words) => !IN_EVERY_LANGUAGE.includes(words)), [], name);
    assert.deepEqual([...bare.matchAll(/ (?:alt|title|placeholder|aria-label)="[^"]+"/g)].map(([all]) => all), [], name);
  }
});

test('what the server says word for word is still what it says', async () => {
  const rust = (await sources('src/', '.rs')).map(({ text }) => text).join('\n');
  for (const [sentence, name] of Object.entries(SENTENCES)) {
    assert.ok(rust.includes(`"${sentence}"`), `the server says nowhere: ${sentence}`);
    assert.ok(Object.hasOwn(en.common, `said_${name}`), `there is no text for: ${sentence}`);
  }
  const said = Object.keys(en.common).filter((key) => key.startsWith('said_'));
  for (const key of said) assert.ok(Object.hasOwn(SENTENCES, en.common[key]), `${key} is what the server says`);
});
