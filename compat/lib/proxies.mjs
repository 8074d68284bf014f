// The proxies of docs/proxy, as their samples set them up: on ports of their own, with a certificate of their own.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SAMPLES = fileURLToPath(new URL('../../docs/proxy/', import.meta.url));
const APACHE_MODULES = '/usr/lib/apache2/modules';
const CERTIFICATE = ['/etc/letsencrypt/live/chat.example.org/fullchain.pem', '/etc/letsencrypt/live/chat.example.org/privkey.pem'];

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** nginx in front of a server; `change` makes another configuration of the sample. */
export function startNginx(server, change = (text) => text) {
  return startProxy('nginx.conf', server, change, ({ dir, sample, plain, secure }) => {
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${dir}/${kind};`).join('\n');
    const site = sample
      .replaceAll(/listen \[::\].*\n/g, '')
      .replace('listen 80;', `listen 127.0.0.1:${plain};`)
      .replace('listen 443 ssl;', `listen 127.0.0.1:${secure} ssl;`)
      .replace('https://$host$', `https://$host:${secure}$`);
    const around = `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/log;\nevents {}\nhttp {\naccess_log off;\n${paths}\n`;
    writeFileSync(join(dir, 'conf'), `${around}${site}}\n`);
    return ['nginx', ['-p', dir, '-c', join(dir, 'conf'), '-e', join(dir, 'log')]];
  });
}

/** Apache in front of a server. */
export function startApache(server, change = (text) => text) {
  return startProxy('apache.conf', server, change, ({ dir, sample, plain, secure }) => {
    const modules = ['mpm_event', 'authz_core', 'alias', 'ssl', 'headers', 'proxy', 'proxy_http', 'proxy_wstunnel', 'socache_shmcb'];
    const loads = modules.map((name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`).join('\n');
    const site = sample
      .replace('*:80', `127.0.0.1:${plain}`)
      .replace('*:443', `127.0.0.1:${secure}`)
      .replace('Redirect permanent / https://chat.example.org/', `Redirect permanent / https://127.0.0.1:${secure}/`);
    const around = `ServerName localhost\nPidFile ${dir}/pid\nErrorLog ${dir}/log\nDefaultRuntimeDir ${dir}\nUser www-data\nGroup www-data\nListen 127.0.0.1:${plain}\nListen 127.0.0.1:${secure}\n`;
    writeFileSync(join(dir, 'conf'), `${loads}\n${around}${site}`);
    return ['apache2', ['-d', dir, '-f', join(dir, 'conf'), '-DFOREGROUND']];
  });
}

/** Caddy in front of a server. */
export function startCaddy(server, change = (text) => text) {
  return startProxy('Caddyfile', server, change, ({ dir, sample, plain, secure, files }) => {
    const own = `{\n\tadmin off\n\tskip_install_trust\n\tdefault_sni 127.0.0.1\n\thttp_port ${plain}\n\thttps_port ${secure}\n\tstorage file_system ${dir}\n}\n`;
    const site = sample.replace(/^chat.example.org \{/m, `https://127.0.0.1:${secure} {\n\ttls ${files.join(' ')}`);
    writeFileSync(join(dir, 'conf'), own + site);
    return ['caddy', ['run', '--adapter', 'caddyfile', '--config', join(dir, 'conf')]];
  });
}

/** A proxy that holds every answer to a poll back for some time. */
export async function startHolding({ port }, milliseconds) {
  const proxy = createHttpServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, async (answer) => {
      const body = await answer.toArray();
      if (method === 'GET' && url.includes('sid=')) await sleep(milliseconds);
      outgoing.writeHead(answer.statusCode, answer.headers).end(Buffer.concat(body));
    });
    // The server may refuse a body before it has read it.
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  proxy.on('upgrade', ({ url, rawHeaders }, near) => {
    const far = connect(port, '127.0.0.1');
    const lines = rawHeaders.map((text, at) => (at % 2 ? `${text}\r\n` : `${text}: `)).join('');
    far.write(`GET ${url} HTTP/1.1\r\n${lines}\r\n`);
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return { url: `http://127.0.0.1:${proxy.address().port}`, stop: () => proxy.close() };
}

async function startProxy(name, server, change, prepare) {
  const dir = mkdtempSync(join(tmpdir(), 'secure-chat-proxy-'));
  const files = ['certificate', 'key'].map((file) => join(dir, file));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/CN=127.0.0.1',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-out', files[0], '-keyout', files[1]], { stdio: 'ignore' });
  const sample = CERTIFICATE.reduce((text, path, at) => text.replace(path, files[at]), readFileSync(join(SAMPLES, name), 'utf8'));
  const [plain, secure] = [await freePort(), await freePort()];
  const changed = change(sample).replaceAll('127.0.0.1:5000', `127.0.0.1:${server.port}`);
  const [program, options] = prepare({ dir, sample: changed, plain, secure, files });
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'close').then(() => running.delete(child));
  await listening(secure, child, () => output);
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(dir, { recursive: true });
  };
  return { url: `https://127.0.0.1:${secure}`, plainUrl: `http://127.0.0.1:${plain}`, stop };
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/** Asks until somebody listens, or the program has ended. */
async function listening(port, child, output) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended:\n${output()}`);
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    socket.destroy();
    if (open) return;
    await sleep(50);
  }
}
