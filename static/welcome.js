// Before one is in: a name for guests, the way to the account; and afterwards, why one is out.
import { useEffect, useRef, useState } from './vendor/preact-hooks.js';
import { describeError, t } from './account/i18n.js';
import { html } from './html.js';
import { farewell, joinByName } from './session.js';
import { connection } from './state.js';

const GUEST = 'guest-name'; // in this tab: after a reload one need not type it again

export function Welcome() {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const name = useRef(null);
  useEffect(() => name.current.focus(), []);
  const join = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    const wanted = name.current.value;
    const ack = await joinByName(wanted);
    setBusy(false);
    if (ack.ok) return sessionStorage.setItem(GUEST, wanted);
    setError(ack.error);
    name.current.focus();
  };
  return html`<main class="welcome"><form id="join-form" class="card" noValidate onSubmit=${join}>
    <h1>Secure Chat</h1>
    <div class="field">
      <label for="username">${t('chat.yourName')}</label>
      <input id="username" ref=${name} defaultValue=${sessionStorage.getItem(GUEST) ?? ''} autocomplete="username" aria-describedby="username-error" aria-invalid=${error ? 'true' : undefined} />
      <p id="username-error" class="field-error" role="alert">${error && describeError(error)}</p>
    </div>
    <button type="submit">${t('chat.join')}</button>
    <p><a href="/account">${t('chat.signInOrCreate')}</a></p>
    <p class="note">${t('chat.encryption')}</p>
    <${Trouble} />
  </form></main>`;
}

function Trouble() {
  const { value: state } = connection;
  return html`<p id="connection" role="status" class="note" data-state=${state}>${(state === 'reconnecting' || state === 'offline') && t(`chat.connection.${state}`)}</p>`;
}

/** The page is being loaded, or the server does not answer. */
export function Starting() {
  return html`<main class="welcome"><p class="note">${t('chat.loading')}</p><${Trouble} /></main>`;
}

export function Gone() {
  return html`<main class="welcome"><div class="card" role="alert">
    <h1>${t('chat.goneTitle')}</h1>
    <p>${farewell.message}</p>
    <div class="actions start"><a class="button" href="/account">${t('chat.goToAccount')}</a><button type="button" class="quiet" onClick=${() => location.reload()}>${t('chat.tryAgain')}</button></div>
  </div></main>`;
}
