/** Columns for counts: drawn as SVG, told in words to who does not see them. */

import { html } from "../app/html.js";
import { count } from "../app/words.js";

/**
 * @param {{title: string, bars: {label: string, n: number, tone?: number}[], unit?: string, every?: number}} props
 * `tone` in 0..1 places a bar on the scale of the wave, without it has the colour of charts; `every` labels each so many-th bar
 */
export function Histogram({ title, bars, unit = "", every = 1, note }) {
  const most = Math.max(1, ...bars.map((bar) => bar.n));
  const total = bars.reduce((sum, bar) => sum + bar.n, 0);
  const told = bars
    .filter((bar) => bar.n > 0)
    .map((bar) => `${bar.label}${unit && ` ${unit}`}: ${bar.n}`)
    .join(", ");
  return html`
    <figure class="histogram">
      <figcaption><h3>${title}</h3>${note && html`<span class="faint">${note}</span>`}</figcaption>
      <div class="columns" role="img" aria-label=${`${title}. ${total === 0 ? "Nothing yet" : told}`}>
        ${bars.map(
          (bar, at) => html`
          <div key=${at} title=${`${bar.label} ${unit}: ${count(bar.n)}`}>
            <i class=${bar.tone == null ? "" : `tone-${Math.round(bar.tone * 4)}`}
              style=${{ height: `${(bar.n / most) * 100}%` }}></i>
            <span>${at % every === 0 ? bar.label : ""}</span>
          </div>`,
        )}
      </div>
    </figure>`;
}

/**
 * Horizontal bars with their names and numbers: readable as a list.
 * @param {{rows: {name: any, n: number, key?: string}[]}} props
 */
export function Bars({ rows }) {
  const most = Math.max(1, ...rows.map((row) => row.n));
  return html`<ul class="bars">${rows.map(
    (row) => html`
    <li key=${row.key ?? row.name}><span>${row.name}</span><i aria-hidden="true">
      <b style=${{ width: `${(row.n / most) * 100}%` }}></b></i><span class="number">${count(row.n)}</span></li>`,
  )}</ul>`;
}
