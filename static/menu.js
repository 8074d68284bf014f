// The one menu of the page: opened by a "⋯" button, used with the pointer or with the arrow keys.
import { byId, element } from './account/dom.js';

const GAP_PX = 4;

let opener = null; // the button whose menu is open

export function setUpMenu() {
  const menu = byId('menu');
  menu.addEventListener('keydown', onKey);
  menu.addEventListener('focusout', ({ relatedTarget: next }) => {
    if (next && !menu.contains(next)) closeMenu();
  });
  // Not a click: the one that opens the menu is still on its way up.
  document.addEventListener('pointerdown', ({ target }) => {
    if (opener && !menu.contains(target) && !opener.contains(target)) closeMenu();
  });
  addEventListener('resize', closeMenu);
}

/** Opens the menu at a button, or closes it there. `items` are `{label, danger, run}`. */
export function openMenu(button, items) {
  const wasOpen = opener === button;
  closeMenu();
  if (wasOpen) return;
  opener = button;
  button.ariaExpanded = 'true';
  const menu = byId('menu');
  menu.ariaLabel = button.ariaLabel;
  menu.replaceChildren(...items.map(itemElement));
  menu.showPopover();
  place(menu, button.getBoundingClientRect());
  menu.firstElementChild.focus();
}

function itemElement({ label, danger, run }) {
  const item = element('button', { type: 'button', role: 'menuitem', tabIndex: -1, className: danger ? 'bad' : '', textContent: label });
  item.addEventListener('click', () => {
    const button = opener;
    closeMenu();
    button.focus(); // where a dialog gives the focus back to
    run();
  });
  return item;
}

export function closeMenu() {
  if (!opener) return;
  opener.ariaExpanded = 'false';
  opener = null;
  byId('menu').hidePopover();
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
  const items = [...byId('menu').children];
  const at = items.indexOf(document.activeElement);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
  const button = opener;
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault();
    closeMenu();
    button.focus();
  } else if (event.key in moves) {
    event.preventDefault();
    items.at(moves[event.key] % items.length).focus();
  }
}
