/** The one store of the page: what every part may know, and how it hears that it changed. */

import { useEffect, useState } from "./html.js";

/**
 * @typedef {object} State
 * @property {{view: string, argument: string}} route what is shown
 * @property {"auto"|"light"|"dark"} theme
 * @property {{state: "connecting"|"live"|"lost"|"signed-out", since: number, retryAt: number}} connection
 * @property {Record<string, Answer>} answers the last answer of each route that was asked
 */

/**
 * @typedef {object} Answer
 * @property {any} [data] the last that came, also after a failure
 * @property {number} [at] when it came
 * @property {import("./api.js").Failure} [failure] why there is no newer one
 */

/** Makes a store of `state`; `set` merges, and tells only those whose part changed. */
export function createStore(state) {
  const listeners = new Set();
  return {
    /** @returns {State} */
    get: () => state,
    set(change) {
      state = { ...state, ...change };
      for (const listener of [...listeners]) listener(state);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const store = createStore({
  route: { view: "", argument: "" },
  theme: "auto",
  connection: { state: "connecting", since: Date.now(), retryAt: 0 },
  answers: {},
});

/** A part of the store's state, kept up to date. */
export function useStore(select) {
  const [value, setValue] = useState(() => select(store.get()));
  useEffect(() => {
    const update = (state) => setValue(() => select(state));
    update(store.get());
    return store.listen(update);
  }, []);
  return value;
}
