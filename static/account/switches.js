// The switches in the head of every page: the language, and light or dark.
import { language, languages, setLanguage, t } from './i18n.js';
import { THEMES, setTheme, theme } from './theme.js';

/** `before()` runs before the page is loaded anew in another language. */
export function setUpSwitches() {
  const [languageSwitch, themeSwitch] = ['language-switch', 'theme-switch'].map((id) => document.getElementById(id));
  languageSwitch.replaceChildren(...languages.map(([code, name]) => languageOption(code, name)));
  languageSwitch.addEventListener('change', () => setLanguage(languageSwitch.value));
  themeSwitch.replaceChildren(...THEMES.map((name) => new Option(t(`common.theme_${name}`), name, false, name === theme())));
  themeSwitch.addEventListener('change', () => setTheme(themeSwitch.value));
}

/** Each language by its own name. */
function languageOption(code, name) {
  const option = new Option(name, code, false, code === language);
  option.lang = code;
  return option;
}
