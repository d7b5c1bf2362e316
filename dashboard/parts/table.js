/** A table that sorts by its columns, opens its rows, and becomes a list of cards on a narrow screen. */

import { html, useState } from "../app/html.js";
import { plural } from "../app/words.js";

/** How many rows are shown before somebody asks for more. */
const PAGE = 200;

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} name
 * @property {(row: any) => any} show
 * @property {(row: any) => any} [by] what to sort by; without, the column does not sort
 * @property {boolean} [number]
 */

/**
 * @param {{label: string, columns: Column[], rows: any[], id: (row: any) => string, sort?: string, down?: boolean,
 *   open?: string|null, onOpen?: (id: string|null) => void}} props the first column opens a row
 */
export function Table({ label, columns, rows, id, sort, down = false, open, onOpen }) {
  const [order, setOrder] = useState({ key: sort, down });
  const [shown, setShown] = useState(PAGE);
  const sorted = arrange(rows, columns.find((column) => column.key === order.key)?.by, order.down);
  const turn = (key) =>
    setOrder(
      order.key === key
        ? { key, down: !order.down }
        : { key, down: columns.find((column) => column.key === key).number ?? false },
    );
  return html`
    <div class="scroller">
      <table class="sorted">
        <caption class="hidden">${label}</caption>
        <thead>
          <tr>${columns.map((column) => html`<${Heading} key=${column.key} column=${column} order=${order}
            onTurn=${turn} />`)}</tr></thead>
        <tbody>${sorted.slice(0, shown).map((row) => html`<${Row} key=${id(row)} row=${row} name=${id(row)}
          columns=${columns} open=${open} onOpen=${onOpen} />`)}</tbody>
      </table>
      ${sorted.length > shown && html`<p class="more">
        <button onClick=${() => setShown(shown + PAGE)}>Show more</button> <span
          class="faint">${plural(sorted.length - shown, "row")} below</span></p>`}
    </div>`;
}

function Heading({ column, order, onTurn }) {
  const is = order.key === column.key;
  const sorted = is ? (order.down ? "descending" : "ascending") : undefined;
  const mark = is ? (order.down ? "↓" : "↑") : "";
  return html`<th scope="col" class=${column.number ? "number" : ""} aria-sort=${sorted}>
    ${column.by ? html`<button class="sort" onClick=${() => onTurn(column.key)}>${column.name}<span
      aria-hidden="true">${mark}</span></button>` : column.name}</th>`;
}

function Row({ row, name, columns, open, onOpen }) {
  const is = open === name;
  return html`<tr class=${is ? "open" : ""}>${columns.map(
    (column, at) => html`
    <td key=${column.key} data-name=${column.name} class=${column.number ? "number" : ""}>
      ${at === 0 && onOpen ? html`<button class="row" aria-expanded=${is}
        onClick=${() => onOpen(is ? null : name)}>${column.show(row)}</button>` : column.show(row)}
    </td>`,
  )}</tr>`;
}

/** Sorted by `by`, missing values last in both directions, equal rows as they came. */
export function arrange(rows, by, down) {
  if (!by) return rows;
  const sign = down ? -1 : 1;
  const keyed = rows.map((row, at) => ({ row, at, key: by(row) }));
  keyed.sort((a, b) => {
    if (a.key == null || b.key == null) return (a.key == null) - (b.key == null) || a.at - b.at;
    return (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) * sign || a.at - b.at;
  });
  return keyed.map(({ row }) => row);
}
