/** What the shapes and colours of a graph mean. */

import { html } from "../app/html.js";
import { span } from "../app/words.js";
import { quantile } from "../recording/tally.js";

/** The shapes of nodes, of those states that occur. */
export function Shapes({ states }) {
  const all = [
    ["self", "◆", "this node"],
    ["up", "●", "runs"],
    ["suspect", "○", "suspect"],
    ["dead", "✕", "dead"],
    ["known", "○", "known of"],
  ];
  return html`<ul class="legend" aria-label="Shapes">${all
    .filter(([name]) => states.includes(name))
    .map(
      ([name, mark, word]) => html`
    <li key=${name}><span class=${`shape ${name}`} aria-hidden="true">${mark}</span>${word}</li>`,
    )}</ul>`;
}

/** The scale of a wave: after how long each quarter of the deliveries was there. */
export function Scale({ wave }) {
  const after = (share) => span(share === 0 ? 0 : quantile(wave.at, share) - wave.begin);
  return html`<div class="scale"><i aria-hidden="true"></i>
    <ol aria-label="Quarters of the deliveries">${[0, 0.25, 0.5, 0.75, 1].map((share) => html`<li
      key=${share}>${after(share)}</li>`)}</ol></div>`;
}
