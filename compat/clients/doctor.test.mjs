// `secure-chat doctor URL` through real proxies: set up as docs/proxy says it finds no problem; set up wrongly, it names what is.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startApache, startCaddy, startHolding, startNginx } from '../lib/proxies.mjs';
import { startServer } from '../lib/server.mjs';

const TRUSTING = { TRUSTED_PROXIES: '127.0.0.1', PING_INTERVAL: '8' };
const PATIENCE = { timeout: 90_000 };

let server;
before(async () => (server = await startServer(TRUSTING)));
after(() => server?.stop());

/** Runs it; the answer has the exit code, the names of all checks that found a problem, and the report. */
async function doctor(url, { of = server, options = ['--fast'] } = {}) {
  const { code, stdout, stderr } = await of.command(['doctor', '--json', '--insecure', '--port', of.port, ...options, url]);
  assert.notEqual(stdout, '', stderr);
  const report = JSON.parse(stdout);
  const problems = report.checks.filter(({ level }) => level === 'problem');
  assert.equal(code, problems.length ? 1 : 0, stdout);
  return { report, problems, names: problems.map(({ check }) => check) };
}

function found(report, check) {
  return report.checks.find((one) => one.check === check) ?? assert.fail(`no ${check} in ${JSON.stringify(report, null, 1)}`);
}

describe('set up as the samples say', { ...PATIENCE, concurrency: true }, () => {
  for (const [name, start] of Object.entries({ nginx: startNginx, Apache: startApache, Caddy: startCaddy })) {
    test(name, PATIENCE, async (t) => {
      const proxy = await start(server);
      t.after(() => proxy.stop());
      const { report, problems } = await doctor(proxy.url, { options: [] });
      assert.deepEqual(problems, []);
      for (const check of ['page', 'cookies', 'origin', 'websocket', 'upgrade', 'long poll', 'timeouts', 'uploads']) {
        assert.equal(found(report, check).level, 'ok', JSON.stringify(report, null, 1));
      }
      assert.match(found(report, 'client address').message, /sees 127\.0\.0\.1/);
    });
  }

  test('plain HTTP leads to HTTPS', PATIENCE, async (t) => {
    const proxy = await startNginx(server);
    t.after(() => proxy.stop());
    const { report, problems } = await doctor(proxy.plainUrl);
    assert.deepEqual(problems, []);
    assert.match(found(report, 'redirect').message, /leads to https:/);
  });
});

const without = (line) => (text) => {
  assert.ok(text.includes(line), line);
  return text.split('\n').filter((one) => !one.includes(line)).join('\n');
};
const instead = (line, other) => (text) => {
  assert.ok(text.includes(line), line);
  return text.replace(line, other);
};

/** How nginx is broken, which checks name it, and a line that mends it. */
const BROKEN = {
  'no Upgrade header': [without('proxy_set_header Upgrade'), ['upgrade'], 'proxy_set_header Upgrade $http_upgrade;'],
  'HTTP/1.0 to the server': [without('proxy_http_version'), ['websocket'], 'proxy_http_version 1.1;'],
  'Host not passed': [without('proxy_set_header Host'), ['host'], 'proxy_set_header Host $http_host;'],
  'HTTPS not told': [without('X-Forwarded-Proto'), ['cookies', 'scheme'], 'proxy_set_header X-Forwarded-Proto $scheme;'],
  'no X-Forwarded-For': [
    without('X-Forwarded-For'), ['client address'], 'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
  ],
  'bodies of 10 KB': [instead('client_max_body_size 25m', 'client_max_body_size 10k'), ['uploads'], 'client_max_body_size 24m;'],
  'nobody behind it': [instead('127.0.0.1:5000', '127.0.0.1:1'), ['page'], 'location / { proxy_pass http://127.0.0.1:PORT; }'],
};

describe('what is wrong with nginx is named', PATIENCE, () => {
  for (const [how, [change, names, line]] of Object.entries(BROKEN)) {
    test(how, PATIENCE, async (t) => {
      const proxy = await startNginx(server, change);
      t.after(() => proxy.stop());
      const result = await doctor(proxy.url);
      assert.deepEqual(result.names, names, JSON.stringify(result.problems, null, 1));
      for (const { lines } of result.problems) {
        assert.ok(lines.nginx.includes(line.replace('PORT', server.port)), JSON.stringify(lines));
        assert.ok(lines.caddy.length && lines.apache.length);
      }
    });
  }

  test('silence of 5 s cut', PATIENCE, async (t) => {
    const proxy = await startNginx(server, instead('proxy_read_timeout 75s', 'proxy_read_timeout 5s'));
    t.after(() => proxy.stop());
    const { names, problems } = await doctor(proxy.url, { options: [] });
    assert.deepEqual(names, ['timeouts']);
    assert.match(problems[0].message, /silent websocket after [56] s and a silent long poll after [56] s; the server pings every 8 s/);
  });

  test('a proxy that the server does not trust', PATIENCE, async (t) => {
    const wary = await startServer({ PING_INTERVAL: '8' });
    t.after(() => wary.stop());
    const proxy = await startNginx(wary);
    t.after(() => proxy.stop());
    const { names, problems } = await doctor(proxy.url, { of: wary });
    assert.deepEqual(names, ['cookies', 'client address']);
    assert.deepEqual(problems[1].run, ['TRUSTED_PROXIES=127.0.0.1']);
  });

  test('buffering is no harm to long polls, whose answers are whole', PATIENCE, async (t) => {
    const proxy = await startNginx(server, without('proxy_buffering off'));
    t.after(() => proxy.stop());
    assert.deepEqual((await doctor(proxy.url)).names, []);
  });
});

test('a proxy that holds answers back is named', PATIENCE, async (t) => {
  const proxy = await startHolding(server, 3000);
  t.after(() => proxy.stop());
  const { names, problems } = await doctor(proxy.url);
  assert.deepEqual(names, ['long poll']);
  assert.match(problems[0].message, /only after \d/);
});
