// What `node --test` prints in scripts/test: a line for each suite, failures in full where they happen, and once more by name at the end.

import { spec as Spec } from 'node:test/reporters';

/** All that the runner says comes in as events; what goes out is text. */
export default async function* report(source) {
  const failed = [];
  const spec = new Spec();
  async function* watched() {
    for await (const event of source) {
      const { name, file, details } = event.data ?? {};
      const cause = details?.error?.cause;
      if (event.type === 'test:fail' && details?.error?.failureType !== 'subtestsFailed') failed.push(`${file?.split('/').at(-1)}: ${name}: ${String(cause?.message ?? cause).split('\n')[0].slice(0, 160)}`);
      yield event;
    }
  }
  (async () => {
    for await (const event of watched()) spec.write(event);
    spec.end();
  })();
  yield* spec;
  if (failed.length > 0) yield `\n${failed.length} failed:\n${failed.map((line) => `- ${line}\n`).join('')}`;
}
