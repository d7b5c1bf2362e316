/**
 * The local API as functions. Every request goes to the origin the page came from, carries the session
 * cookie and nothing else, and fails with what went wrong and what to do about it.
 */

import { store } from "./store.js";

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT = 20_000;

/** Why a request has no answer: the node's own words where it gave some. */
export class Failure extends Error {
  constructor(status, code, message, fix) {
    super(message);
    this.status = status;
    this.code = code;
    this.fix = fix;
  }
}

/**
 * Sends a request and returns the JSON of the answer.
 * @param {string} path from the root, with its query
 * @param {{method?: string, body?: unknown, timeout?: number}} options
 */
export async function ask(path, { method = "GET", body, timeout = TIMEOUT } = {}) {
  const init = { method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(timeout) };
  if (body !== undefined) {
    init.headers = { "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const answer = await fetch(path, init).catch((error) => {
    throw unreachable(error);
  });
  const said = await answer.json().catch(() => null);
  connected(answer.status === 401 ? "signed-out" : "live");
  if (answer.ok) return said;
  const {
    code = `http_${answer.status}`,
    message = `the node answered ${answer.status}`,
    fix = "",
  } = said?.error ?? {};
  throw new Failure(answer.status, code, message, fix);
}

function unreachable(error) {
  if (error.name === "TimeoutError")
    return new Failure(0, "timeout", "the node did not answer in time", "it may be busy: this page asks again");
  connected("lost");
  return new Failure(
    0,
    "unreachable",
    "the node does not answer",
    "start it again with bruit run, or wait until it is back",
  );
}

/** Notes how the connection stands. */
function connected(state) {
  const { connection } = store.get();
  if (connection.state !== state) store.set({ connection: { state, since: Date.now(), retryAt: 0 } });
}

/**
 * Follows a stream of server-sent events until the returned function is called.
 * @param {string} path
 * @param {{onData: (data: any) => void, onGap?: (data: any) => void, onState?: (state: "opening"|"open"|"closed") => void}} handlers
 */
export function follow(path, { onData, onGap, onState }) {
  const source = new EventSource(path);
  onState?.("opening");
  source.onopen = () => onState?.("open");
  source.onmessage = (event) => onData(JSON.parse(event.data));
  source.addEventListener("gap", (event) => onGap?.(JSON.parse(event.data)));
  source.onerror = () => onState?.(source.readyState === EventSource.CLOSED ? "closed" : "opening");
  return () => source.close();
}

/** A path with parameters; those that are null or empty are left out. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value != null && value !== ""));
  return query.size ? `${path}?${query}` : path;
}
