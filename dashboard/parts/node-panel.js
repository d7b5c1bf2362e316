/** One node: who it is, and what the link to it is like where there is one. */

import { html, useState } from "../app/html.js";
import { ask } from "../app/api.js";
import { refresh, useAnswer } from "../app/live.js";
import { ago, bytes, span } from "../app/words.js";
import { Icon } from "./icon.js";
import { Failed } from "./notice.js";
import { State } from "./state.js";
import { Id, Text } from "./text.js";

const PEERS = "/v1/peers?all=true";

/** @param {{id: string, topology: any, self: string, onChoose: (id: string|null) => void}} props */
export function NodePanel({ id, topology, self, onChoose }) {
  const { data: peers = [] } = useAnswer(PEERS, 2000);
  const node = topology.nodes.find((one) => one.id === id) ?? { id, label: id.slice(0, 8), state: "known" };
  const peer = peers.find((one) => one.id === id);
  const name = (other) => topology.nodes.find((one) => one.id === other)?.label ?? other.slice(0, 8);
  const links = topology.links.filter((link) => link.from === id || link.to === id);
  return html`
    <section class="card" aria-label="The chosen node">
      <div class="card-head"><h2><${Id} of=${id} label=${node.label} /></h2>
        <${State} of=${id === self ? "self" : node.state} label=${id === self ? "this node" : node.state} />
        <button class="quiet square" onClick=${() => onChoose(null)} aria-label="Let go of the node" title="Let go">
          <${Icon} name="close" /></button></div>
      <p class="mono whole">${id}</p>
      ${peer && html`<${PeerFacts} peer=${peer} />`}
      <div><h3>${links.length === 0 ? "No links known" : "Links"}</h3>
        <ul class="links">${links.map(
          (link, at) => html`<li key=${at}>
          <span class="soft">${link.from === id ? "dialled" : "was dialled by"}</span>
          <button class="link" onClick=${() => onChoose(link.from === id ? link.to : link.from)}>
            <${Text} of=${name(link.from === id ? link.to : link.from)} longest=${24} /></button>
          <span class="number">${span(link.rtt_ms)}</span></li>`,
        )}</ul></div>
      ${peer && html`<${Unlink} id=${id} />`}
    </section>`;
}

/** What this node knows of a link of its own. */
export function PeerFacts({ peer }) {
  const facts = [
    ["link", html`<${State} of=${peer.state} />`],
    ["direction", peer.direction === "out" ? "dialled from here" : "dialled us"],
    ["path", peer.path],
    ["round trip", span(peer.rtt_ms)],
    ["up since", ago(peer.since_ms)],
    ["received", bytes(peer.bytes_in)],
    ["sent", bytes(peer.bytes_out)],
    ["score", peer.score],
    ["address", peer.address ? html`<${Text} of=${peer.address.split("@").at(-1)} longest=${80} />` : "not known"],
  ];
  if (peer.reason) facts.push(["reason", html`<${Text} of=${peer.reason} longest=${120} />`]);
  return html`<dl class="pairs">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt>
    <dd>${value}</dd></div>`)}</dl>`;
}

/** Unlinks after a second press. */
export function Unlink({ id }) {
  const [state, setState] = useState("");
  const [failure, setFailure] = useState(null);
  const press = async () => {
    if (state !== "sure") {
      setState("sure");
      return;
    }
    setState("going");
    try {
      await ask(`/v1/peers/${id}`, { method: "DELETE" });
      refresh(PEERS);
    } catch (error) {
      setFailure(error);
    }
    setState("");
  };
  return html`${failure && html`<${Failed} failure=${failure} />`}
    <div>
      <button onClick=${press} onBlur=${() => state === "sure" && setState("")}
        disabled=${state === "going"}>${state === "sure" ? "Press again to unlink" : state === "going" ? "Unlinking" : "Unlink"}</button></div>`;
}
