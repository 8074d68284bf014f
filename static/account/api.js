// The server's HTTP API. Every call resolves with `{ok: true, …}` or `{ok: false, error}`, as an ack does; it never rejects.
import { t } from './i18n.js';

let sessionEnded = () => {};

/** `handler` runs when the server no longer knows who asks. */
export const onSessionEnd = (handler) => (sessionEnded = handler);

export const get = (path) => call('GET', path);
export const post = (path, body = {}) => call('POST', path, body);
export const remove = (path) => call('DELETE', path);

/** Signing in and making an account: there "not signed in" is no news. */
export const enter = (path, body) => send('POST', path, body);

async function call(method, path, body) {
  const answer = await send(method, path, body);
  // With a field it is about what was typed, such as a code of the second factor.
  if (answer.error?.code === 'unauthenticated' && !answer.error.field) sessionEnded();
  return answer;
}

async function send(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      ...(body ? { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } : {}),
    });
    const content = await response.json();
    return response.ok ? { ...content, ok: true } : { ok: false, error: content.error ?? failure() };
  } catch {
    return { ok: false, error: failure() };
  }
}

/** `local`: said by the page, in its own language. */
function failure() {
  return { code: 'unavailable', message: t('common.no_answer'), local: true };
}

/** Whether this page was opened under an address that only this machine finds. */
export const isLoopback = () => /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
