// The page's entry: draws the screens, wires the server's events to them, connects.
import { untracked } from './vendor/signals.js';
import { render } from './vendor/preact.js';
import { setUpDialogs } from './account/dialogs.js';
import { translate } from './account/i18n.js';
import { connect } from './connection.js';
import { Conversation } from './conversation.js';
import { Dialogs, openDialog } from './dialogs.js';
import { Drawer } from './drawer.js';
import { EmojiPicker } from './emoji.js';
import { setUpEvents } from './events.js';
import { html } from './html.js';
import { Announcer } from './log.js';
import { Menu } from './menu.js';
import { loadNotifications, setUpNotifications } from './notifications.js';
import { recallOutbox } from './outbox.js';
import { watchAttention } from './reading.js';
import { loadInfo } from './room-settings.js';
import { followAddress, linkTo, setUpRoute } from './route.js';
import { comeBack, sentAway } from './session.js';
import { drawer, pane, phase, room as shown, rooms } from './state.js';
import { installWorker } from './install.js';
import { Sidebar } from './sidebar.js';
import { Toasts, tellError } from './toasts.js';
import { Gone, Starting, Welcome } from './welcome.js';

const SCREENS = { starting: Starting, outside: Welcome, gone: Gone };

function App() {
  const Screen = SCREENS[phase.value];
  return html`${Screen ? html`<${Screen} />` : html`<${Chat} />`}<${Toasts} />`;
}

/** All of it is the main part: on a phone only one of the three is there at a time. */
function Chat() {
  return html`<main class="chat" data-pane=${pane.value} data-drawer=${drawer.value ?? undefined}>
    <h1 class="visually-hidden">Secure Chat</h1>
    <${Sidebar} /><${Conversation} /><${Drawer} /><${Menu} />
  </main>
  <${EmojiPicker} /><${Dialogs} /><${Announcer} />`;
}

/** Runs when the shown room changes, and when a link to a message is followed. */
function opened(room, seq) {
  if (!room) return;
  loadInfo(room);
  if (seq === null) room.timeline.open();
  else room.timeline.around(seq);
}

/** Shortcuts of the whole page; those of the log and the box are with them. */
function onKey(event) {
  if (phase.value !== 'inside') return;
  if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
    event.preventDefault();
    const own = new Set([...rooms.value.values()].map((room) => linkTo(room)));
    const all = [...document.querySelectorAll('#rooms a')].map((link) => link.getAttribute('href')).filter((address) => own.has(address));
    const at = all.indexOf(shown.value ? linkTo(shown.value) : null);
    const next = all[(at + (event.key === 'ArrowDown' ? 1 : -1) + all.length) % all.length];
    if (next) location.hash = next;
  } else if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
    event.preventDefault();
    if (drawer.value === 'search') document.querySelector('#drawer input[type=search]').focus();
    drawer.value = 'search';
  }
}

function begin() {
  const place = document.querySelector('#app');
  place.replaceChildren();
  render(html`<${App} />`, place);
  translate(document);
  setUpDialogs();
  setUpEvents();
  setUpRoute(opened);
  setUpNotifications();
  watchAttention();
  addEventListener('keydown', onKey);
  phase.subscribe((now) => now === 'inside' && untracked(enter));
  connect({ comeBack, sentAway, tell: tellError });
  installWorker();
}

/** Once, when one is in: what waits from before, and what the address says. */
function enter() {
  recallOutbox();
  loadNotifications();
  const newRoom = location.hash === '#new-room';
  if (newRoom) history.replaceState(null, '', location.pathname);
  followAddress();
  if (newRoom) openDialog({ kind: 'room' });
}

begin();

