// Short words about what happened, at the edge of the page: never a dialog that stops a person.
import { signal } from './vendor/signals.js';
import { describeError, t } from './account/i18n.js';
import { html } from './html.js';

const STAY_MS = 8_000;
const MOST = 3;

const toasts = signal([]);
let number = 0;

/** `action` is `{label, run}`. */
export function tell(text, action = null) {
  const toast = { key: ++number, text, action };
  toasts.value = [...toasts.value.slice(1 - MOST), toast];
  setTimeout(() => close(toast), STAY_MS);
}

export const tellError = (error) => tell(describeError(error));

function close(toast) {
  toasts.value = toasts.value.filter((other) => other !== toast);
}

export function Toasts() {
  return html`<div class="toasts" role="status">
    ${toasts.value.map((toast) => html`<div class="toast" key=${toast.key}>
      <p dir="auto">${toast.text}</p>
      ${toast.action && html`<button type="button" class="quiet" onClick=${() => { close(toast); toast.action.run(); }}>${toast.action.label}</button>`}
      <button type="button" class="icon" aria-label=${t('chat.close')} onClick=${() => close(toast)}>×</button>
    </div>`)}
  </div>`;
}
