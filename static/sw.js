// The service worker. It keeps the shell of the page (markup, styles, scripts) and never a message: what is below /api and
// /socket.io it does not touch.

const SHELL = 'shell-1';

addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(cleanUp()));
addEventListener('fetch', (event) => {
  if (isShell(event.request)) event.respondWith(fromServerElseKept(event.request));
});
addEventListener('push', (event) => event.waitUntil(tellOfPush()));
addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openChat(event.notification.data?.address ?? '/'));
});

async function cleanUp() {
  for (const name of await caches.keys()) if (name !== SHELL) await caches.delete(name);
  await clients.claim();
}

function isShell(request) {
  const { origin, pathname } = new URL(request.url);
  return request.method === 'GET' && origin === location.origin && (pathname === '/' || pathname.startsWith('/static/'));
}

/** The server's answer is the newest; what was kept is for when there is none. */
async function fromServerElseKept(request) {
  const shell = await caches.open(SHELL);
  try {
    const answer = await fetch(request);
    if (answer.ok && answer.type === 'basic') shell.put(keyOf(request), answer.clone());
    return answer;
  } catch (error) {
    const kept = await shell.match(keyOf(request));
    if (kept) return kept;
    throw error;
  }
}

const keyOf = ({ url }) => new URL(url).pathname;

/** A push says that there is something, and not what: a page that is open shows it by itself. */
async function tellOfPush() {
  const pages = await clients.matchAll({ type: 'window' });
  if (pages.some(({ focused }) => focused)) return;
  const german = (navigator.language ?? '').startsWith('de');
  await registration.showNotification('Secure Chat', { body: german ? 'Neue Nachrichten' : 'New messages', tag: 'push', icon: '/static/icon.svg', data: { address: '/' } });
}

async function openChat(address) {
  const [page] = await clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (!page) return clients.openWindow(address);
  page.postMessage({ address });
  return page.focus();
}
