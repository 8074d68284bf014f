// Small helpers for the markup of all pages. Text enters a page through textContent only: what a person typed is never read as HTML.
import { describeError, formatTime, t } from './i18n.js';

export { formatTime };

export const byId = (id) => document.getElementById(id);

/** Makes an element; `data` becomes data-attributes, other properties are set as they are. */
export function element(tag, { data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** A name or another text that people made up: it keeps its direction, and its spaces. */
export const nameElement = (text) => element('bdi', { textContent: text });

/** Shows an error beside the input that it names, else in the form's own place for errors, else in the page's alert region. */
export function showError(error, form) {
  const places = [...(form?.querySelectorAll('[data-error-for]') ?? [])];
  const named = error.field && places.find((place) => place.dataset.errorFor === error.field);
  const place = named || places.find((other) => other.dataset.errorFor === '');
  if (!place) return showFailure(error);
  place.textContent = describeError(error);
  place.hidden = false;
  const input = named && form.elements.namedItem(error.field);
  input?.setAttribute('aria-invalid', 'true');
  input?.focus();
}

export const showFailure = (error) => showAlert(describeError(error));

/** With `withLink`, what to do next is on the account page. */
export function showAlert(text, { withLink = false } = {}) {
  byId('alert-text').textContent = text;
  byId('alert-close').hidden = false;
  byId('alert-link').hidden = !withLink;
}

export function clearAlert() {
  if (!byId('alert')) return; // the chat page has none
  byId('alert-text').textContent = '';
  byId('alert-close').hidden = true;
  byId('alert-link').hidden = true;
}

export function clearErrors(form) {
  clearAlert();
  for (const place of form.querySelectorAll('[data-error-for]')) {
    place.hidden = true;
    if (place.dataset.errorFor) form.elements.namedItem(place.dataset.errorFor).removeAttribute('aria-invalid');
  }
}

/** Runs `action` on submit, one at a time: a second press of the button while the first waits does nothing. */
export function onSubmit(form, action) {
  const once = oneAtATime(action);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    once(() => clearErrors(form));
  });
}

/** The same for a button outside of a form. */
export function onClick(button, action) {
  const once = oneAtATime(action);
  button.addEventListener('click', () => once(clearAlert));
}

function oneAtATime(action) {
  let busy = false;
  return async (prepare) => {
    if (busy) return;
    busy = true;
    prepare();
    try {
      await action();
    } finally {
      busy = false;
    }
  };
}

/** A button that does something when pressed. */
export function actionButton(label, action, properties = {}) {
  const button = element('button', { type: 'button', className: 'quiet', textContent: label, ...properties });
  onClick(button, action);
  return button;
}

export const timeElement = (timestamp) => element('time', { dateTime: timestamp, textContent: formatTime(timestamp) });

/** One thing in a list: what it is, and what can be done with it. */
export function row(content, ...actions) {
  const made = element('li', { className: 'row' }, element('div', { className: 'what' }, ...content));
  if (actions.length > 0) made.append(element('div', { className: 'actions' }, ...actions));
  return made;
}

/** Fills a list, or shows in its place that there is nothing. The keyboard focus does not get lost with the old rows. */
export function fillList(list, rows, ifEmpty) {
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(...rows);
  if (ifEmpty) ifEmpty.hidden = rows.length > 0;
  if (hadFocus) list.closest('section').querySelector('h2').focus();
}

/** What is too long for its place can be scrolled with the keyboard, too. */
export function letScroll(place) {
  if (place.scrollHeight > place.clientHeight) place.tabIndex = 0;
  else place.removeAttribute('tabindex');
}

/** Names and their values, in pairs: a value is a text or an element. */
export function fillFacts(list, facts) {
  list.replaceChildren(...facts.flatMap(([name, value]) => [element('dt', { textContent: name }), element('dd', {}, value)]));
}

/** A line of details under a row's title: texts, and elements such as names and times. */
export const details = (...children) => element('p', { className: 'note' }, ...children);

/** Says what was done, to the eye and to a screen reader. */
export function showStatus(text) {
  byId('status').textContent = text;
}

/** Puts a text on the clipboard; without TLS browsers have none for pages, so there it is selected where it stands. */
export async function copy(text, place) {
  try {
    await navigator.clipboard.writeText(text);
    showStatus(t('common.copied'));
  } catch {
    if (place.select) place.select();
    else getSelection().selectAllChildren(place);
    showStatus(t('common.copy_by_hand'));
  }
}
