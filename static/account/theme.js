// Light or dark: as the system has it, or as one has chosen on this machine. Applied as soon as this is loaded.

const CHOICE = 'theme'; // in localStorage
export const THEMES = ['system', 'light', 'dark'];

const changed = new EventTarget();
const system = matchMedia('(prefers-color-scheme: dark)');

apply(theme());
system.addEventListener('change', tell);
// Chosen in another tab.
addEventListener('storage', ({ key }) => {
  if (key !== CHOICE) return;
  apply(theme());
  tell();
});

/** What was chosen: system, light or dark. */
export function theme() {
  try {
    const chosen = localStorage.getItem(CHOICE);
    return THEMES.includes(chosen) ? chosen : 'system';
  } catch {
    return 'system'; // no storage, no choice
  }
}

export function setTheme(name) {
  if (!THEMES.includes(name)) return;
  try {
    localStorage.setItem(CHOICE, name);
  } catch {
    // It holds until the page is left.
  }
  apply(name);
  tell();
}

/** For what cannot take its colours from the style sheet, such as a drawing. */
export function onThemeChange(handler) {
  changed.addEventListener('change', handler);
}

function apply(name) {
  document.documentElement.dataset.theme = name;
}

function tell() {
  changed.dispatchEvent(new Event('change'));
}
