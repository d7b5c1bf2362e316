/** The links of this node, one by one; linking and unlinking. */

import { html, useState } from "../app/html.js";
import { ask } from "../app/api.js";
import { refresh, useAnswer } from "../app/live.js";
import { ago, bytes, figure, plural, span } from "../app/words.js";
import { Answered, Empty, Failed } from "../parts/notice.js";
import { PeerFacts, Unlink } from "../parts/node-panel.js";
import { State } from "../parts/state.js";
import { Table } from "../parts/table.js";
import { Id, Text } from "../parts/text.js";

const PATH = "/v1/peers?all=true";

const COLUMNS = [
  { key: "id", name: "node", by: (peer) => peer.id, show: (peer) => html`<${Id} of=${peer.id} />` },
  { key: "state", name: "state", by: (peer) => peer.state, show: (peer) => html`<${State} of=${peer.state} />` },
  {
    key: "direction",
    name: "dialled",
    by: (peer) => peer.direction,
    show: (peer) => (peer.direction === "out" ? "→ by us" : "← by them"),
  },
  { key: "rtt", name: "round trip", number: true, by: (peer) => peer.rtt_ms, show: (peer) => span(peer.rtt_ms) },
  { key: "since", name: "up since", number: true, by: (peer) => peer.since_ms, show: (peer) => ago(peer.since_ms) },
  { key: "in", name: "received", number: true, by: (peer) => peer.bytes_in, show: (peer) => bytes(peer.bytes_in) },
  { key: "out", name: "sent", number: true, by: (peer) => peer.bytes_out, show: (peer) => bytes(peer.bytes_out) },
  { key: "score", name: "score", number: true, by: (peer) => peer.score, show: (peer) => figure(peer.score) },
  { key: "path", name: "path", by: (peer) => peer.path, show: (peer) => peer.path },
  {
    key: "address",
    name: "address",
    show: (peer) => html`<${Text} of=${peer.address?.split("@").at(-1) ?? "not known"} longest=${60} />`,
  },
];

export function PeersView() {
  const peers = useAnswer(PATH, 2000);
  const [open, setOpen] = useState(null);
  const [text, setText] = useState("");
  const fits = (peer) =>
    `${peer.id} ${peer.address ?? ""} ${peer.state} ${peer.direction}`.toLowerCase().includes(text.toLowerCase());
  return html`
    <div class="view-head"><h1 tabindex="-1">Peers</h1>
      <p>${peers.data && `${plural(peers.data.filter((peer) => peer.state === "up").length, "link")} up`}</p>
      <div class="tools"><label><span class="hidden">Filter</span>
        <input type="search" placeholder="Filter by id, address, state" value=${text}
          onInput=${(event) => setText(event.target.value)} /></label></div></div>
    <${Answered} answer=${peers} lines=${8}>${(list) =>
      list.length === 0
        ? html`
      <${Empty} title="No links">
        <p>Link to a node with the form below, or with <code>bruit join ADDRESS</code>.</p><//>`
        : html`
      <div class="split">
        <section class="card" aria-label="Links">
          <${Table} label="Links" rows=${list.filter(fits)} id=${(peer) => peer.id} columns=${COLUMNS} sort="since"
            open=${open} onOpen=${setOpen} /></section>
        <${Opened} peer=${list.find((peer) => peer.id === open)} />
      </div>`}<//>
    <${Join} />`;
}

function Opened({ peer }) {
  if (!peer) return null;
  return html`<section class="card" aria-label="The chosen peer"><div class="card-head"><h2>
    <${Id} of=${peer.id} /></h2></div>
    <p class="mono whole">${peer.id}</p><${PeerFacts} peer=${peer} /><${Unlink} id=${peer.id} /></section>`;
}

function Join() {
  const [address, setAddress] = useState("");
  const [state, setState] = useState({});
  const join = async (event) => {
    event.preventDefault();
    setState({ busy: true });
    try {
      const [answer] = await ask("/v1/peers", { method: "POST", body: { addresses: [address.trim()] } });
      setState({ done: answer });
      if (answer.linked) setAddress("");
      refresh(PATH);
    } catch (failure) {
      setState({ failure });
    }
  };
  return html`
    <form class="card join" onSubmit=${join} aria-label="Link to a node">
      <label class="field"><span>Link to a node</span>
        <input type="text" placeholder="NODEID@HOST:PORT or a ticket" value=${address}
          onInput=${(event) => setAddress(event.target.value)} spellcheck="false" autocomplete="off" /></label>
      <button class="primary" disabled=${state.busy || !address.trim()}>${state.busy ? "Linking" : "Link"}</button>
      <div role="status">${
        state.done &&
        (state.done.linked
          ? html`<span class="state good">
            <span aria-hidden="true">●</span> linked to <${Id} of=${state.done.id} /></span>`
          : html`<span class="state warn">
            <span aria-hidden="true">▲</span> <${Id}
              of=${state.done.id} /> did not answer: is it running, and is its address right?</span>`)
      }</div>
      ${state.failure && html`<${Failed} failure=${state.failure} />`}
    </form>`;
}
