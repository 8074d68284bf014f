// Copies the page's libraries out of node_modules into static/vendor/, which git ignores: committed code is ours alone.
// Browsers know no names of packages: an import of one library by another is turned into one of the file beside it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

const root = new URL('../', import.meta.url);
const modules = new URL('node_modules/', root);
const target = new URL('static/vendor/', root);

// Package → the file of it that a browser loads, and what it is called here.
const LIBRARIES = {
  'socket.io-client': ['socket.io-client/dist/socket.io.esm.min.js', 'socket.io.esm.min.js'],
  'preact': ['preact/dist/preact.mjs', 'preact.js'],
  'preact/hooks': ['preact/hooks/dist/hooks.mjs', 'preact-hooks.js'],
  'htm': ['htm/dist/htm.module.js', 'htm.js'],
  '@preact/signals-core': ['@preact/signals-core/dist/signals-core.module.js', 'signals-core.js'],
  '@preact/signals': ['@preact/signals/dist/signals.module.js', 'signals.js'],
  'marked': ['marked/lib/marked.esm.js', 'marked.js'],
  'uplot': ['uplot/dist/uPlot.esm.js', 'uPlot.esm.js'],
  'uplot/style': ['uplot/dist/uPlot.min.css', 'uPlot.min.css'],
};
const EMOJI_LANGUAGES = ['en', 'de'];
const COMPONENTS = 2; // the group of skin tones and the like, which stand for nothing by themselves

await mkdir(target, { recursive: true });
try {
  for (const [from, to] of Object.values(LIBRARIES)) await writeFile(new URL(to, target), await library(from));
  for (const language of EMOJI_LANGUAGES) await writeFile(new URL(`emoji-${language}.json`, target), await emoji(language));
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
  console.error(`${error.path} is missing: run "npm ci" in the root of the repository, then this script again.`);
  process.exit(1);
}
console.log(`wrote static/vendor/ (${Object.keys(LIBRARIES).length} libraries)`);

async function library(path) {
  const text = await readFile(new URL(path, modules), 'utf8');
  const linked = text.replace(/(\bfrom|\bimport)\s*(["'])([^"']+)\2/g, (whole, word, quote, name) =>
    LIBRARIES[name] ? `${word}${quote}./${basename(LIBRARIES[name][1])}${quote}` : whole,
  );
  return linked.replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

/** Rows of [emoji, name, short names and keywords], in groups, in the order of Unicode. */
async function emoji(language) {
  const read = async (path) => JSON.parse(await readFile(new URL(`emojibase-data/${path}`, modules), 'utf8'));
  const [all, codes, { groups }] = await Promise.all([read(`${language}/compact.json`), read('en/shortcodes/github.json'), read(`${language}/messages.json`)]);
  const rows = all.filter(({ group }) => group !== undefined && group !== COMPONENTS).sort((one, other) => one.order - other.order);
  const found = new Map(groups.filter(({ order }) => order !== COMPONENTS).map(({ order, message }) => [order, { name: message, emoji: [] }]));
  for (const { unicode, label, tags = [], hexcode, group } of rows) {
    found.get(group).emoji.push([unicode, label, [codes[hexcode] ?? []].flat(), tags.join(' ')]);
  }
  return JSON.stringify([...found.values()]);
}
