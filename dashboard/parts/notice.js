/** What stands where there is nothing yet: waiting, nothing there, or something went wrong. */

import { html } from "../app/html.js";

/** An empty place, with what would fill it. */
export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}

/** Something went wrong: the node's words, and what to do about it. */
export function Failed({ failure, children }) {
  return html`
    <div class="banner bad" role="alert">
      <div>
        <strong>${sentence(failure.message)}</strong>${failure.fix && html` <span
          class="soft">${sentence(failure.fix)}</span>`}</div>
      ${children}
    </div>`;
}

/** Grey lines where text will be; said to screen readers as a word. */
export function Loading({ lines = 4 }) {
  return html`<div class="loading" role="status">
    <span class="hidden">Loading</span>${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;
}

/**
 * What to show for an answer: the data where there is any, else why not.
 * @param {{answer: import("../app/store.js").Answer, children: (data: any) => any, lines?: number}} props
 */
export function Answered({ answer, children, lines }) {
  if (answer.data !== undefined) return children(answer.data);
  const { failure } = answer;
  if (!failure || failure.code === "unreachable") return html`<${Loading} lines=${lines} />`;
  if (failure.status === 404)
    return html`<${Empty} title="This node does not tell that">
      <p>It is of another version than this page, or was built without it. <code>bruit status</code> says its version.</p><//>`;
  return html`<${Failed} failure=${failure} />`;
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : "");
