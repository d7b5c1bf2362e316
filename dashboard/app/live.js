/**
 * Keeps answers of the API fresh while somebody looks at them. A route is asked once at a time however
 * many parts show it, not at all while the page is hidden, and more and more seldom while the node is away.
 */

import { useEffect, useState } from "./html.js";
import { ask, follow } from "./api.js";
import { store, useStore } from "./store.js";

/** Longest pause between two attempts while the node is away, in milliseconds. */
const PAUSE_MAX = 10_000;

/** @type {Map<string, {users: number, every: number, failures: number, timer: number, asking: boolean}>} */
const watched = new Map();

/**
 * The answer of `path`, asked again every `every` milliseconds; `null` asks nothing.
 * @returns {import("./store.js").Answer}
 */
export function useAnswer(path, every = 2000) {
  const answer = useStore((state) => state.answers);
  useEffect(() => (path ? watch(path, every) : undefined), [path, every]);
  return (path && answer[path]) || {};
}

/** Asks for `path` at once, for example after something was changed. */
export function refresh(path) {
  const entry = watched.get(path);
  if (entry) {
    clearTimeout(entry.timer);
    void round(path, entry);
  }
}

/** Asks for everything that is looked at, at once. */
export function refreshAll() {
  for (const path of watched.keys()) refresh(path);
}

function watch(path, every) {
  const entry = watched.get(path) ?? { users: 0, every, failures: 0, timer: 0, asking: false };
  entry.users += 1;
  entry.every = Math.min(entry.every, every);
  if (entry.users === 1) {
    watched.set(path, entry);
    void round(path, entry);
  }
  return () => {
    entry.users -= 1;
    if (entry.users > 0) return;
    clearTimeout(entry.timer);
    watched.delete(path);
  };
}

async function round(path, entry) {
  if (entry.asking) return;
  entry.asking = true;
  await once(path, entry);
  entry.asking = false;
  if (watched.get(path) !== entry) return;
  const pause = Math.min(entry.every * 2 ** Math.min(entry.failures, 5), Math.max(PAUSE_MAX, entry.every));
  if (entry.failures > 0) announceRetry(Date.now() + pause);
  entry.timer = setTimeout(() => void round(path, entry), pause);
}

async function once(path, entry) {
  if (document.hidden) return;
  try {
    keep(path, { data: await ask(path), at: Date.now() });
    entry.failures = 0;
  } catch (failure) {
    keep(path, { ...store.get().answers[path], failure });
    entry.failures += 1;
  }
}

function keep(path, answer) {
  store.set({ answers: { ...store.get().answers, [path]: answer } });
}

function announceRetry(retryAt) {
  const { connection } = store.get();
  if (connection.state === "lost") store.set({ connection: { ...connection, retryAt } });
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refreshAll();
});

/**
 * The last things a stream of events told, oldest first, at most `longest` of them.
 * @param {string|null} path
 * @returns {{items: any[], missed: number, state: "opening"|"open"|"closed", clear: () => void}}
 */
export function useStream(path, longest, paused = false) {
  const [told, setTold] = useState({ items: [], missed: 0 });
  const [state, setState] = useState("opening");
  useEffect(() => {
    setTold({ items: [], missed: 0 });
    if (!path) return undefined;
    return gather(path, longest, setTold, setState);
  }, [path]);
  useEffect(() => {
    gatherers.get(path)?.hold(paused);
  }, [path, paused]);
  return { ...told, state, clear: () => setTold({ items: [], missed: 0 }) };
}

/** What collects a stream's events, so that a paused view can hold it back. */
const gatherers = new Map();

/** Hands events on once per picture: a thousand lines at once are one change of the page. */
function gather(path, longest, setTold, setState) {
  let waiting = [];
  let missed = 0;
  let held = false;
  let scheduled = 0;
  const flush = () => {
    scheduled = 0;
    if (held || (!waiting.length && !missed)) return;
    const [items, lost] = [waiting, missed];
    [waiting, missed] = [[], 0];
    setTold((told) => ({ items: [...told.items, ...items].slice(-longest), missed: told.missed + lost }));
  };
  const soon = () => {
    scheduled ||= setTimeout(flush, 60);
  };
  const stop = follow(path, {
    onData: (data) => {
      waiting.push({ ...data, key: (serial += 1) });
      if (waiting.length > longest) {
        waiting.shift();
        missed += held ? 0 : 1;
      }
      soon();
    },
    onGap: (gap) => {
      missed += gap.missed;
      soon();
    },
    onState: setState,
  });
  gatherers.set(path, {
    hold: (on) => {
      held = on;
      soon();
    },
  });
  return () => {
    stop();
    clearTimeout(scheduled);
    gatherers.delete(path);
  };
}

let serial = 0;
