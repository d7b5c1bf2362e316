/** What the shapes and colours of a graph mean. */

import { html } from "../app/html.js";
import { span } from "../app/words.js";

/** The shapes of nodes, of those states that occur. */
export function Shapes({ states }) {
  const all = [["self", "◆", "this node"], ["up", "●", "runs"], ["suspect", "○", "suspect"], ["dead", "✕", "dead"], ["known", "○", "known of"]];
  return html`<ul class="legend" aria-label="Shapes">${all.filter(([name]) => states.includes(name)).map(([name, mark, word]) => html`
    <li key=${name}><span class=${`shape ${name}`} aria-hidden="true">${mark}</span>${word}</li>`)}</ul>`;
}

/** The scale of a wave: first delivery to last. */
export function Scale({ length }) {
  return html`<div class="scale"><span>0 ms</span><i aria-hidden="true"></i><span>${span(length)}</span></div>`;
}
