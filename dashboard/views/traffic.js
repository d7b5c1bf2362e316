/** What passes: rates, queues, round trips, and what was dropped and why. */

import { html, useMemo, useState } from "../app/html.js";
import { useAnswer } from "../app/live.js";
import { curve, times } from "../app/series.js";
import { bytes, count, figure, span } from "../app/words.js";
import { Chart } from "../parts/chart.js";
import { Figures } from "../parts/figures.js";
import { Bars } from "../parts/histogram.js";
import { Answered } from "../parts/notice.js";

const RANGES = [
  ["1h", "an hour", 2000],
  ["24h", "a day", 10_000],
];
const perSecond = (value) => `${figure(value)}/s`;
const bytesPerSecond = (value) => `${bytes(value)}/s`;

export function TrafficView() {
  const [range, setRange] = useState("1h");
  const every = RANGES.find(([name]) => name === range)[2];
  const series = useAnswer(`/v1/series?range=${range}`, every);
  const status = useAnswer("/v1/status");
  return html`
    <div class="view-head"><h1 tabindex="-1">Traffic</h1><p>What passes over this node's links.</p>
      <div class="tools" role="group" aria-label="Range">${RANGES.map(
        ([name, word]) => html`
        <button key=${name} aria-pressed=${range === name} onClick=${() => setRange(name)}>${word}</button>`,
      )}</div></div>
    <${Answered} answer=${status} lines=${3}>${(data) => html`<${Now} status=${data} />`}<//>
    <${Answered} answer=${series} lines=${8}>${(data) => html`<${Curves} key=${range} answer=${data} />`}<//>
    <${Answered} answer=${status}>${(data) => html`<${Drops} drops=${data.drops} />`}<//>`;
}

function Now({ status: { rates, totals } }) {
  return html`<${Figures} items=${[
    { name: "in", value: perSecond(rates.in_per_s), note: `${count(totals.received)} so far` },
    { name: "out, copies", value: perSecond(rates.out_per_s), note: `${count(totals.sent)} so far` },
    { name: "bytes in", value: bytesPerSecond(rates.bytes_in_per_s) },
    { name: "bytes out", value: bytesPerSecond(rates.bytes_out_per_s) },
    { name: "published here", value: count(totals.published) },
    {
      name: "redundancy",
      value: totals.received ? figure(totals.duplicates / totals.received) : "–",
      note: "copies too many, each",
    },
  ]} />`;
}

function Curves({ answer }) {
  const at = useMemo(() => times(answer), [answer]);
  const line = (label, name, more) => ({ label, values: curve(answer, name), ...more });
  return html`<div class="charts">
    <${Chart} title="Bulletins" times=${at} format=${perSecond}
      series=${[line("in", "in_per_s"), line("out", "out_per_s"), line("delivered", "delivered_per_s"), line("duplicates", "duplicates_per_s")]} />
    <${Chart} title="Bytes" times=${at} binary format=${bytesPerSecond}
      series=${[line("in", "bytes_in_per_s"), line("out", "bytes_out_per_s")]} />
    <${Chart} title="Round trips" times=${at} format=${span} band
      series=${[line("nine in ten below", "rtt_p90_ms"), line("half below", "rtt_p50_ms")]} />
    <${Chart} title="Waiting to be sent" times=${at} binary format=${bytes}
      series=${[line("in all queues", "queue_bytes", { fill: true })]} />
    <${Chart} title="Links" times=${at} format=${figure} steps
      series=${[line("dialled by us", "links_out"), line("dialled us", "links_in")]} />
    <${Chart} title="Store" times=${at} binary format=${bytes}
      series=${[line("held", "store_bytes", { fill: true })]} />
  </div>`;
}

function Drops({ drops }) {
  const rows = Object.entries(drops)
    .filter(([, n]) => n > 0)
    .sort((a, b) => b[1] - a[1]);
  return html`<section class="card" aria-label="Dropped"><div class="card-head">
    <h2>Dropped since the start, by reason</h2></div>
    ${rows.length === 0 ? html`<p class="soft">Nothing was dropped.</p>` : html`<${Bars}
      rows=${rows.map(([name, n]) => ({ name: name.replaceAll("_", " "), n }))} />`}</section>`;
}
