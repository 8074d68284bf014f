// What holds for every page: the keyboard reaches everything, nothing is cut off, every text can be read, axe finds nothing.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Presses Tab, or Shift and Tab, until the element has the focus, and checks that one can see it there. */
export async function tabTo(page, selector, key = 'Tab') {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press(key);
    const outline = await page.evaluate((wanted) => {
      const { activeElement: focused } = document;
      return focused.matches(wanted) ? getComputedStyle(focused).outlineStyle : null;
    }, selector);
    if (outline !== null) return assert.notEqual(outline, 'none', `${selector} shows that it has the focus`);
  }
  assert.fail(`Tab never reaches ${selector}`);
}

/**
 * No visible element reaches past the edge of the screen, also not inside something that scrolls. Code keeps its lines; a
 * line that is cut with an ellipsis says so.
 */
export async function assertFits(page) {
  const wide = await page.evaluate(() => {
    const edge = document.documentElement.clientWidth;
    const isShortened = (node) => node.parentElement && (getComputedStyle(node.parentElement).textOverflow === 'ellipsis' || isShortened(node.parentElement));
    return [...document.body.querySelectorAll(':not(.visually-hidden, pre *)')]
      .filter((node) => node.checkVisibility() && !isShortened(node) && Math.floor(node.getBoundingClientRect().right) > edge)
      .map((node) => `<${node.localName} class="${node.className}"> ${node.textContent.trim()}`);
  });
  assert.deepEqual(wide, []);
}

/** Every visible text against the ground it stands on (WCAG 2.2, 1.4.3). */
export async function assertContrast(page) {
  const poor = await page.evaluate(() => {
    const luminance = (rgb) => {
      const [r, g, b] = rgb.map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const groundOf = (node) => {
      const [r, g, b, alpha = 1] = parse(getComputedStyle(node).backgroundColor);
      return alpha === 1 ? [r, g, b] : groundOf(node.parentElement);
    };
    const ratio = (node) => {
      const [dark, light] = [groundOf(node), parse(getComputedStyle(node).color)].map(luminance).sort((a, b) => a - b);
      return (light + 0.05) / (dark + 0.05);
    };
    const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
    return [...document.body.querySelectorAll('*')]
      .filter((node) => node.checkVisibility() && hasText(node))
      .map((node) => `${ratio(node).toFixed(2)} <${node.localName} class="${node.className}"> ${node.textContent.trim()}`)
      .filter((line) => parseFloat(line) < 4.5);
  });
  assert.deepEqual(poor, []);
}

/**
 * What axe-core can tell of WCAG 2.2 A and AA, and of good practice, in the page as it stands: no findings. `exclude` are
 * selectors of what is not ours. Its script comes in past the page's policy, which lets no script tag in.
 */
export async function assertAccessible(page, { exclude = [] } = {}) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const findings = await page.evaluate(async (excluded) => {
    const { violations } = await window.axe.run({ exclude: excluded.map((selector) => [selector]) }, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id} (${help}): ${target.join(' ')}: ${failureSummary}`));
  }, exclude);
  assert.deepEqual(findings, []);
}
