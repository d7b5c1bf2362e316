/** Light, dark, or as the system has it: kept in the browser, and said on the root element. */

import { store } from "./store.js";

const KEY = "bruit.theme";
const THEMES = ["auto", "light", "dark"];

/** Takes over what was chosen last time. */
export function restoreTheme() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEY);
  } catch {
    /* a browser may keep nothing */
  }
  apply(THEMES.includes(kept) ? kept : "auto");
}

/** Goes on to the next of the three. */
export function nextTheme() {
  const theme = THEMES[(THEMES.indexOf(store.get().theme) + 1) % THEMES.length];
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    /* then it holds for this page */
  }
  apply(theme);
}

function apply(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  store.set({ theme });
  tell();
}

const listeners = new Set();
const tell = () => {
  for (const listener of [...listeners]) listener();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);

/** Calls `listener` whenever the colours may have changed. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether the reader wants things to stand still. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * The colours of the design by name, as a canvas takes them.
 * @param {Element} element where they are asked for
 * @param {string[]} names without the dashes
 * @returns {Record<string, string>}
 */
export function colours(element, names) {
  const probe = document.createElement("span");
  element.append(probe);
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
