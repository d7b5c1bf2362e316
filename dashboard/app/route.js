/** Which view the address names: `#/waves/ID` is the view `waves` with the argument `ID`. */

import { store } from "./store.js";

/** @param {string} hash */
export function parse(hash) {
  const [, view = "", argument = ""] = /^#\/([a-z]*)(?:\/(.*))?$/.exec(hash) ?? [];
  try {
    return { view, argument: decodeURIComponent(argument) };
  } catch {
    return { view, argument: "" };
  }
}

/** The address of a view. */
export const to = (view, argument = "") => `#/${view}${argument ? `/${encodeURIComponent(argument)}` : ""}`;

/** Follows the address from now on. */
export function startRoute() {
  const take = () => store.set({ route: parse(location.hash) });
  addEventListener("hashchange", take);
  take();
}
