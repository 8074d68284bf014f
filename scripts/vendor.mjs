// Copies the one library the page uses out of node_modules into static/vendor/, which git ignores: committed code is ours alone.
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const library = new URL('node_modules/socket.io-client/dist/socket.io.esm.min.js', root);
const target = new URL(`static/vendor/${basename(library.pathname)}`, root);

await mkdir(new URL('./', target), { recursive: true });
try {
  await copyFile(library, target);
} catch (error) {
  if (error.code !== 'ENOENT') throw error;
  console.error('socket.io-client is not installed: run "npm ci" in the root of the repository, then this script again.');
  process.exit(1);
}
console.log(`wrote ${relative(process.cwd(), fileURLToPath(target))}`);
