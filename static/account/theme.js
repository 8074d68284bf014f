// Light or dark: by the system, or as the reader has chosen.

const STORED = 'theme';

export const theme = () => localStorage.getItem(STORED) ?? 'system';

export function setTheme(name) {
  if (name === 'system') localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, name);
  applyTheme();
}

export function applyTheme() {
  const name = theme();
  if (name === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

applyTheme();
