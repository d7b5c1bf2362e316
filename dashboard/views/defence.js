/** How this node keeps itself well: what it refused, what it asks for, whom it turned away. */

import { html, useMemo } from "../app/html.js";
import { useAnswer } from "../app/live.js";
import { curve, times } from "../app/series.js";
import { count, span } from "../app/words.js";
import { Chart } from "../parts/chart.js";
import { Figures } from "../parts/figures.js";
import { Bars } from "../parts/histogram.js";
import { Answered } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { Id, Text } from "../parts/text.js";

const COLUMNS = [
  {
    key: "who",
    name: "who",
    by: (one) => one.id ?? one.address,
    show: (one) => (one.id ? html`<${Id} of=${one.id} />` : html`<${Text} of=${one.address} longest=${60} />`),
  },
  {
    key: "reason",
    name: "why",
    by: (one) => one.reason,
    show: (one) => html`<${Text} of=${one.reason} longest=${120} />`,
  },
  {
    key: "until",
    name: "for another",
    number: true,
    by: (one) => one.until_ms,
    show: (one) => span(Math.max(0, one.until_ms - Date.now())),
  },
];

export function DefenceView() {
  const defence = useAnswer("/v1/defence", 3000);
  const series = useAnswer("/v1/series?range=1h", 4000);
  const status = useAnswer("/v1/status");
  return html`
    <div class="view-head"><h1 tabindex="-1">Defence</h1>
      <p>What was refused, what is asked for, who was turned away.</p></div>
    <${Answered} answer=${status} lines=${2}>${({ warnings }) => html`<${Warnings} warnings=${warnings} />`}<//>
    <${Answered} answer=${defence} lines=${6}>${(data) => html`<${Told} defence=${data} />`}<//>
    <${Answered} answer=${series}>${(answer) => html`<${Curves} answer=${answer} />`}<//>`;
}

function Warnings({ warnings }) {
  if (warnings.length === 0) return null;
  return html`<ul class="list">${warnings.map((one, at) => html`<li key=${at} class="banner"><div><strong>
    <${Text} of=${one.text} longest=${300} /></strong> <span class="soft">
    <${Text} of=${one.fix} longest=${300} /></span></div></li>`)}</ul>`;
}

function Told({ defence }) {
  const { refused, floor_log2: floor, challenges, discouraged } = defence;
  const rows = refused.filter((one) => one.n > 0).sort((a, b) => b.n - a.n);
  const sum = rows.reduce((total, one) => total + one.n, 0);
  return html`
    <${Figures} items=${[
      { name: "refused since the start", value: count(sum) },
      {
        name: "price asked for now",
        value: `×${2 ** floor}`,
        note: floor === 0 ? "of the network's" : "of the network's: the node is under load",
      },
      ...(challenges == null ? [] : [{ name: "challenges", value: count(challenges) }]),
      { name: "turned away for now", value: count(discouraged.length) },
    ]} />
    <div class="charts">
      <section class="card" aria-label="Refused by reason"><div class="card-head"><h2>Refused, by reason</h2></div>
        ${rows.length === 0 ? html`<p class="soft">Nothing was refused.</p>` : html`<${Bars}
          rows=${rows.map((one) => ({ key: one.reason, name: html`<${Text} of=${one.reason.replaceAll("_", " ")}
          longest=${40} />`, n: one.n }))} />`}</section>
      <section class="card" aria-label="Turned away"><div class="card-head"><h2>Turned away</h2>
        <span class="faint">for breaking the protocol</span></div>
        ${discouraged.length === 0 ? html`<p
          class="soft">Nobody. A peer that breaks the protocol is not linked to for a day.</p>` : html`<${Table}
          label="Turned away" rows=${discouraged} id=${(one) => one.id ?? one.address} columns=${COLUMNS}
          sort="until" down />`}</section>
    </div>`;
}

function Curves({ answer }) {
  const at = useMemo(() => times(answer), [answer]);
  return html`<div class="charts">
    <${Chart} title="Price asked for, as a power of two" times=${at} steps
      series=${[{ label: "power", values: curve(answer, "floor_log2") }]} />
    <${Chart} title="Refused, each second" times=${at}
      series=${[{ label: "refused", values: curve(answer, "refused_per_s") }]} />
  </div>`;
}
