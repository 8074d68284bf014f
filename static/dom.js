// Small helpers for the page's markup. Text enters the page through textContent only: what a person typed is never read as HTML.

export const byId = (id) => document.getElementById(id);

/** Makes an element; `data` becomes data-attributes, other properties are set as they are. */
export function element(tag, { data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Shows an error beside the input that it names, else in the page's alert region. */
export function showError(error, form) {
  const place = error.field && form?.querySelector(`[data-error-for="${CSS.escape(error.field)}"]`);
  if (!place) return showAlert(describe(error));
  const input = form.elements.namedItem(error.field);
  place.textContent = describe(error);
  place.hidden = false;
  input.setAttribute('aria-invalid', 'true');
  input.focus();
}

export function showAlert(text) {
  byId('alert-text').textContent = text;
  byId('alert-close').hidden = false;
}

export function clearAlert() {
  byId('alert-text').textContent = '';
  byId('alert-close').hidden = true;
}

export function clearErrors(form) {
  clearAlert();
  for (const place of form.querySelectorAll('[data-error-for]')) {
    place.hidden = true;
    form.elements.namedItem(place.dataset.errorFor).removeAttribute('aria-invalid');
  }
}

/** Runs `action` on submit, one at a time: a second press of the button while the first waits does nothing. */
export function onSubmit(form, action) {
  let busy = false;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    clearErrors(form);
    try {
      await action();
    } finally {
      busy = false;
    }
  });
}

/** A point in time as the reader's own clock shows it; the date only when it is not today. */
export function formatTime(timestamp) {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return String(timestamp);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString([], { timeStyle: 'short', ...(today ? {} : { dateStyle: 'medium' }) });
}

function describe({ message, retry_ms: wait }) {
  return wait > 0 ? `${message} Try again in ${Math.ceil(wait / 1000)} s.` : message;
}
