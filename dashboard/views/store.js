/** What this node holds: values by what was paid for them and how old they are. */

import { html, useEffect, useMemo, useState } from "../app/html.js";
import { ask, withQuery } from "../app/api.js";
import { useAnswer } from "../app/live.js";
import { ago, bytes, count, figure, plural, span } from "../app/words.js";
import { Figures } from "../parts/figures.js";
import { Answered, Empty, Failed } from "../parts/notice.js";
import { Scatter } from "../parts/scatter.js";
import { Table } from "../parts/table.js";
import { Id, Text } from "../parts/text.js";

const KINDS = ["value", "post", "manifest"];
const AGES = [
  [60e3, "1 min"],
  [3600e3, "1 h"],
  [86_400e3, "1 d"],
  [7 * 86_400e3, "7 d"],
  [28 * 86_400e3, "28 d"],
];

const COLUMNS = [
  {
    key: "name",
    name: "name",
    by: (one) => one.name ?? "",
    show: (one) => (one.name ? html`<${Text} of=${one.name} longest=${40} />` : html`<${Id} of=${one.id} />`),
  },
  { key: "kind", name: "kind", by: (one) => one.kind, show: (one) => one.kind },
  {
    key: "topic",
    name: "topic",
    by: (one) => one.topic,
    show: (one) => html`<${Text} of=${one.topic} longest=${32} />`,
  },
  { key: "author", name: "author", by: (one) => one.author, show: (one) => html`<${Id} of=${one.author} />` },
  { key: "bits", name: "price", number: true, by: (one) => one.bits, show: (one) => `${one.bits} bits` },
  { key: "rank", name: "rank", number: true, by: (one) => one.rank, show: (one) => figure(one.rank) },
  { key: "size", name: "size", number: true, by: (one) => one.size, show: (one) => bytes(one.size) },
  { key: "created", name: "made", number: true, by: (one) => one.created_ms, show: (one) => ago(one.created_ms) },
  {
    key: "expires",
    name: "valid for",
    number: true,
    by: (one) => one.expires_ms,
    show: (one) => span(Math.max(0, one.expires_ms - Date.now())),
  },
];

export function StoreView() {
  const [all, setAll] = useState(false);
  const [name, setName] = useState("");
  const [open, setOpen] = useState(null);
  const status = useAnswer("/v1/status");
  const values = useAnswer(withQuery("/v1/values", { all: all ? "true" : null, since: all ? "1h" : null }), 5000);
  return html`
    <div class="view-head"><h1 tabindex="-1">Store</h1>
      <p>What this node holds, and what goes first when room is short.</p>
      <div class="tools">
        <label><span class="hidden">Filter</span>
          <input type="search" placeholder="Filter by name, topic, author" value=${name}
            onInput=${(event) => setName(event.target.value)} /></label>
        <button aria-pressed=${all} onClick=${() => setAll(!all)}>Everything of an hour</button>
      </div></div>
    <${Answered} answer=${status} lines=${2}>${({ store, price }) =>
      html`<${Figures} items=${[
        { name: "held", value: count(store.items), note: "bulletins" },
        {
          name: "room",
          value: bytes(store.bytes),
          note: `of ${bytes(store.limit_bytes)}, ${figure((store.bytes / Math.max(1, store.limit_bytes)) * 100)} %`,
        },
        { name: "price of the network", value: count(price.min), note: "trials a byte" },
        { name: "asked for now", value: `×${2 ** price.floor_log2}`, note: "of that" },
      ]} />`}<//>
    <${Answered} answer=${values} lines=${8}>${(list) => html`<${Held} list=${list.filter((one) => fits(one, name))}
      none=${list.length === 0} all=${all} open=${open} onOpen=${setOpen} />`}<//>`;
}

const fits = (one, text) =>
  !text ||
  `${one.name ?? ""} ${one.topic} ${one.author} ${one.id} ${one.tag ?? ""}`.toLowerCase().includes(text.toLowerCase());

function Held({ list, none, all, open, onOpen }) {
  if (none)
    return html`<${Empty} title=${all ? "Nothing in the last hour" : "No values yet"}>
      <p>Put one: <code>bruit put --name hello world</code>. It stays on the network until it expires or somebody pays more for the room.</p>${!all && html`<p class="soft">Bulletins that are no values are under <em>Everything of an hour</em>.</p>`}<//>`;
  return html`
    <div class="split">
      <div class="stack">
        <${ByPrice} list=${list} open=${open} onOpen=${onOpen} />
        <section class="card" aria-label="List">
          <${Table} label="Held" rows=${list} id=${(one) => one.id} columns=${COLUMNS} sort="created" down
            open=${open} onOpen=${onOpen} /></section>
      </div>
      ${open && html`<${Value} key=${open} id=${open} listed=${list.find((one) => one.id === open)} />`}
    </div>`;
}

function ByPrice({ list, open, onOpen }) {
  const drawn = useMemo(() => points(list), [list]);
  return html`<figure class="card"><figcaption class="card-head"><h2>Price by age</h2>
    <span class="faint">● value ■ post ▲ manifest; larger is longer</span></figcaption>
    <${Scatter} ...${drawn}
      label=${`${plural(list.length, "bulletin")} by price and age. The table below has them all.`}
      chosen=${list.findIndex((one) => one.id === open)}
      onChoose=${(at) => onOpen(at < 0 ? null : list[at].id)} /></figure>`;
}

/** Age is logarithmic from ten seconds to sixty days. */
export function points(list, now = Date.now()) {
  const [least, most] = [Math.log(10e3), Math.log(60 * 86_400e3)];
  const across = (ms) => Math.min(1, Math.max(0, (Math.log(Math.max(1, ms)) - least) / (most - least)));
  const dearest = Math.max(8, ...list.map((one) => one.bits));
  const step = dearest > 24 ? 8 : 4;
  return {
    points: list.map((one) => ({
      x: across(now - one.created_ms),
      y: one.bits / dearest,
      r: 2.5 + Math.min(6, Math.log2(1 + one.size) / 3),
      shape: Math.max(0, KINDS.indexOf(one.kind)),
    })),
    across: AGES.map(([ms, name]) => ({ at: across(ms), name })),
    up: Array.from({ length: Math.floor(dearest / step) + 1 }, (_, at) => ({
      at: (at * step) / dearest,
      name: `${at * step} bit`,
    })),
  };
}

function Value({ id, listed }) {
  const [state, setState] = useState({});
  useEffect(() => {
    let gone = false;
    ask(`/v1/bulletins/${id}`).then(
      (data) => {
        if (!gone) setState({ data });
      },
      (failure) => {
        if (!gone) setState({ failure });
      },
    );
    return () => {
      gone = true;
    };
  }, [id]);
  const one = { ...listed, ...state.data };
  const facts = [
    ["id", html`<span class="mono whole">${id}</span>`],
    ["author", html`<span class="mono whole">${one.author}</span>`],
    ["count", one.seq],
    ["tag", one.tag && html`<${Text} of=${one.tag} longest=${64} />`],
    ["goes on from", one.prev && html`<${Id} of=${one.prev} />`],
    ["size", bytes(one.size)],
  ];
  return html`<section class="card" aria-label="The chosen bulletin">
    <h2>${one.name ? html`<${Text} of=${one.name} longest=${64} />` : html`<${Id} of=${id} />`}</h2>
    <dl class="pairs">${facts.filter(([, value]) => value != null).map(([name, value]) => html`<div key=${name}>
      <dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${state.failure && html`<${Failed} failure=${state.failure} />`}
    ${state.data && (state.data.body != null ? html`<div class="body">
      <${Text} of=${state.data.body} longest=${4000} lines /></div>` : html`<p
        class="soft">${bytes(state.data.size)} that are no text: <code>bruit get ${id.slice(0, 8)} --out FILE</code></p>`)}
  </section>`;
}
