// Two dialogs that all pages share: one asks before something is done, with a reason; one kicks, bans, mutes or lifts a ban.
// A dialog stays open, and says why, until the server has agreed.
import { byId, clearErrors, letScroll, nameElement, onSubmit, showError } from './dom.js';
import { pieces, t, translate } from './i18n.js';

const ACTIONS = {
  kick: { event: 'kick_user', danger: true },
  ban: { event: 'ban_user', danger: true },
  mute: { event: 'mute_user', danger: true },
  unban: { event: 'unban_user', danger: false },
};

let asked = null; // what the open dialog is about: an async function of its form that gives the server's answer
let outcome = null; // its answer, once the server has agreed
let decide = () => {};

export function setUpDialogs() {
  for (const name of ['ask', 'sanction']) {
    const dialog = byId(name);
    const form = byId(`${name}-form`);
    translate(dialog);
    onSubmit(form, async () => {
      const answer = await asked(form.elements);
      if (!answer.ok) return showError(answer.error, form);
      outcome = answer;
      dialog.close();
    });
    byId(`${name}-cancel`).addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => decide(outcome));
  }
  byId('sanction-room').addEventListener('change', showWhatFits);
}

/**
 * Asks whether to do something. `act` gets the reason and gives the server's answer; `label` names the reason, and without
 * it none is asked for. Resolves with the answer, or with null when the person thought better of it.
 */
export function ask({ title, text = '', label, button, danger = false, act }) {
  byId('ask-title').textContent = title;
  byId('ask-text').textContent = text;
  byId('ask-text').hidden = text === '';
  byId('ask-field').hidden = !label;
  byId('ask-label').textContent = label ?? '';
  showButton('ask', button, danger);
  const answer = open('ask', ({ reason }) => act(reason.value));
  letScroll(byId('ask-text'));
  return answer;
}

/**
 * Opens the dialog for an action of ACTIONS. `room` is where the person was met, if anywhere; `server` is whether it may
 * be done on the whole server; `send(event, payload)` gives the ack.
 */
export function askForSanction({ action, username, room = null, server = true, send }) {
  const { event, danger } = ACTIONS[action];
  byId('sanction').dataset.action = action;
  byId('sanction-title').replaceChildren(...pieces(`dialogs.title_${action}`, { name: nameElement(username) }));
  showButton('sanction', t(`dialogs.do_${action}`), danger);
  offerPlaces(room, server);
  const answer = open('sanction', (fields) => send(event, payloadOf(action, username, fields)));
  showWhatFits();
  return answer;
}

function open(name, act) {
  const form = byId(`${name}-form`);
  form.reset();
  clearErrors(form);
  asked = act;
  outcome = null;
  byId(name).showModal();
  return new Promise((resolve) => (decide = resolve));
}

function showButton(name, label, danger) {
  const button = byId(`${name}-button`);
  button.textContent = label;
  button.classList.toggle('danger', danger);
}

function offerPlaces(room, server) {
  const places = [...(room === null ? [] : [new Option(placeName(room), room)]), ...(server ? [new Option(t('dialogs.whole_server'), '')] : [])];
  byId('sanction-room').replaceChildren(...places);
}

function placeName(room) {
  return room === 'public' ? t('dialogs.public_chat') : t('dialogs.the_group', { room });
}

/** Addresses are banned from the whole server or not at all. */
function showWhatFits() {
  const { action } = byId('sanction').dataset;
  const whole = byId('sanction-room').value === '';
  byId('sanction-time-field').hidden = action !== 'ban' && action !== 'mute';
  byId('sanction-lift').hidden = byId('sanction-lift').disabled = action !== 'mute';
  byId('sanction-remove-field').hidden = action !== 'ban';
  byId('sanction-addresses-field').hidden = action !== 'ban' || !whole;
}

function payloadOf(action, username, { room, minutes, reason, remove_hours: hours, addresses }) {
  const payload = { username, reason: reason.value };
  if (room.value) payload.room = room.value;
  if ((action === 'ban' || action === 'mute') && minutes.value) payload.minutes = Number(minutes.value);
  if (action !== 'ban') return payload;
  return { ...payload, remove_hours: Number(hours.value), addresses: addresses.checked && !room.value };
}
