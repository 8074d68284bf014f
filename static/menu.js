// The one menu of the page: opened by a button, or at a message; used with the pointer or with the arrow keys.
import { signal } from './vendor/signals.js';
import { useLayoutEffect, useRef } from './vendor/preact-hooks.js';
import { html } from './html.js';

const GAP_PX = 4;

const shown = signal(null); // {opener, label, items}

/** Opens a menu at an element, or closes it there. `items` are `{label, danger, run}`; what is not to be offered is false. */
export function openMenu(opener, label, items) {
  if (shown.value?.opener === opener) return closeMenu();
  shown.value = { opener, label, items: items.filter(Boolean) };
}

function closeMenu() {
  const was = shown.value;
  if (!was) return;
  shown.value = null;
  was.opener.focus();
}

export function Menu() {
  const menu = useRef(null);
  const { value: open } = shown;
  useLayoutEffect(() => {
    if (!open) return;
    place(menu.current, open.opener.getBoundingClientRect());
    menu.current.firstElementChild.focus();
    // Not a click: the one that opens the menu is still on its way up.
    const outside = ({ target }) => !menu.current?.contains(target) && !open.opener.contains(target) && (shown.value = null);
    const closed = () => (shown.value = null);
    document.addEventListener('pointerdown', outside);
    addEventListener('resize', closed);
    return () => {
      document.removeEventListener('pointerdown', outside);
      removeEventListener('resize', closed);
    };
  }, [open]);
  if (!open) return null;
  return html`<div class="menu" role="menu" aria-label=${open.label} ref=${menu} onKeyDown=${onKey}>
    ${open.items.map(({ label, danger, run }) => html`<button type="button" role="menuitem" tabindex="-1" class=${danger ? 'bad' : ''} key=${label} onClick=${() => choose(run)}>${label}</button>`)}
  </div>`;
}

function choose(run) {
  closeMenu(); // its button has the focus now: a dialog gives it back there
  run();
}

/** Below the button, or above it where there is more room; never past an edge. */
function place(menu, { top, bottom, left, right }) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = bottom + GAP_PX + height <= innerHeight;
  const x = right - width >= GAP_PX ? right - width : left;
  menu.style.top = `${Math.max(GAP_PX, below ? bottom + GAP_PX : top - GAP_PX - height)}px`;
  menu.style.left = `${Math.max(GAP_PX, Math.min(x, innerWidth - width - GAP_PX))}px`;
}

function onKey(event) {
  const items = [...event.currentTarget.children];
  const at = items.indexOf(document.activeElement);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault();
    event.stopPropagation();
    closeMenu();
  } else if (event.key in moves) {
    event.preventDefault();
    items.at(moves[event.key] % items.length).focus();
  }
}
