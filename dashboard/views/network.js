/** The network as this node sees it: who is there, who is linked to whom, how far and how well. */

import { html, useMemo, useState } from "../app/html.js";
import { useAnswer } from "../app/live.js";
import { to } from "../app/route.js";
import { count, span } from "../app/words.js";
import { Shapes } from "../graph/legend.js";
import { sceneOf, shapeOf } from "../graph/live.js";
import { STATE_WORDS } from "../graph/scene.js";
import { Graph } from "../graph/view.js";
import { Figures } from "../parts/figures.js";
import { Answered, Empty } from "../parts/notice.js";
import { NodePanel } from "../parts/node-panel.js";
import { quantile } from "../recording/tally.js";

export function NetworkView() {
  const topology = useAnswer("/v1/topology", 2500);
  const status = useAnswer("/v1/status");
  return html`
    <div class="view-head"><h1 tabindex="-1">Network</h1><p>Who is there, and who is linked to whom.</p></div>
    <${Answered} answer=${topology} lines=${8}>${(data) => html`<${Answered}
      answer=${status}>${(known) => html`<${Whole} topology=${data} self=${known.id} />`}<//>`}<//>`;
}

function Whole({ topology, self }) {
  const [chosenId, setChosenId] = useState(null);
  const scene = useMemo(() => sceneOf(topology, self), [shapeOf(topology), self]);
  const chosen = chosenId === null ? -1 : (scene.index.get(chosenId) ?? -1);
  const choose = (node) => setChosenId(node < 0 ? null : scene.ids[node]);
  const words = useMemo(() => wordsOf(topology, self), [topology]);
  const word = useMemo(
    () => (node) => [scene.label(node), words.get(scene.ids[node])].filter(Boolean).join(" · "),
    [scene, words],
  );
  const states = [...new Set(Array.from(scene.state, (state) => STATE_WORDS[state]))];
  return html`
    ${!topology.shared && html`<${Unshared} />`}
    ${topology.links.length === 0 && html`<${Alone} />`}
    <div class="stage plain">
      <${Graph} scene=${scene} chosen=${chosen} onChoose=${choose} word=${word}
        label=${`${scene.n} nodes, ${scene.links.n} links.`}>
        <${Shapes} states=${states} /><//>
      <div class="side">
        <${Find} scene=${scene} onChoose=${choose} />
        ${chosen >= 0 ? html`<${NodePanel} id=${chosenId} topology=${topology} self=${self}
          onChoose=${setChosenId} />` : html`<${Summary} topology=${topology} />`}
      </div>
    </div>`;
}

/** The round trips at a node, in a few words. */
function wordsOf(topology, self) {
  const found = new Map();
  if (topology.shared) return found;
  for (const { from, to: other, rtt_ms: rtt } of topology.links)
    for (const id of [from, other]) if (rtt != null && id !== self) found.set(id, span(rtt));
  return found;
}

function Find({ scene, onChoose }) {
  const [missing, setMissing] = useState(false);
  const find = (event) => {
    const text = event.target.value.trim().toLowerCase();
    const found =
      text === ""
        ? -1
        : scene.ids.findIndex((id, node) => id.startsWith(text) || scene.label(node).toLowerCase().startsWith(text));
    setMissing(text !== "" && found < 0);
    onChoose(found);
  };
  return html`<label class="field"><span>Find a node</span>
    <input type="search" placeholder="the beginning of its id or name" onInput=${find} spellcheck="false"
      autocomplete="off" /></label>
    ${missing && html`<p class="soft" role="status">No node here begins like that.</p>`}`;
}

function Summary({ topology }) {
  const { nodes, links } = topology;
  const trips = links
    .map((link) => link.rtt_ms)
    .filter((rtt) => rtt != null)
    .sort((a, b) => a - b);
  const states = nodes.reduce((all, { state }) => all.set(state, (all.get(state) ?? 0) + 1), new Map());
  return html`
    <section class="card" aria-label="Summary">
      <${Figures} items=${[
        { name: "nodes", value: count(nodes.length) },
        { name: "links", value: count(links.length) },
        { name: "round trip", value: span(quantile(trips, 0.5)), note: "median" },
        { name: "farthest", value: span(trips.at(-1)) },
      ]} />
      <p class="soft">${[...states].map(([state, n]) => `${n} ${state}`).join(", ")}</p>
      <p class="soft">Choose a node to see more of it. A link is broad at who dialled and thin at who was dialled; with a chosen node, arrows show it.</p>
    </section>`;
}

const Unshared = () => html`<div class="banner note"><div><strong>This node sees its own links only.</strong>
  <span
    class="soft"> Nodes tell each other their links with <code>share = true</code> under <code>[topology]</code> in their configuration, as they do from the start in the profiles lan, local and assignment. Distance from the middle is the round trip.</span></div></div>`;

const Alone = () =>
  html`<${Empty} title="No links yet">
    <p>Name a node to link to under <a
      href=${to("peers")}>Peers</a>, or type <code>bruit join ADDRESS</code>. Another node's address is what <code>bruit id</code> prints there.</p><//>`;
