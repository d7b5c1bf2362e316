/** A row of figures: a name, a number, and what it is about. */

import { html } from "../app/html.js";

/** @param {{items: {name: string, value: any, note?: any}[]}} props */
export function Figures({ items }) {
  return html`<dl class="figures">${items.map(
    ({ name, value, note }) => html`
    <div key=${name}><dt>${name}</dt><dd>${value}${note != null && html` <small>${note}</small>`}</dd></div>`,
  )}</dl>`;
}
