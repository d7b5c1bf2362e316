/** One node of a recording at a moment: its links, and how the chosen bulletin came to it. */

import { html, useMemo } from "../app/html.js";
import { plural, span } from "../app/words.js";
import { STATE } from "../graph/scene.js";
import { Icon } from "../parts/icon.js";
import { State } from "../parts/state.js";
import { linksAt, states, version } from "./moment.js";
import { usePaced } from "./wave-card.js";

export function NodeCard({ recording, node, wave, player, onChoose }) {
  const moment = usePaced(player);
  const shown = version(recording, moment);
  const { dead, out, into } = useMemo(() => around(recording, node, moment), [recording, node, shown]);
  const row = wave ? wave.node.indexOf(node) : -1;
  return html`
    <section class="card" aria-label="The chosen node">
      <div class="card-head"><h2>Node #${node}</h2>
        <${State} of=${dead ? "dead" : "up"} label=${dead ? "dead" : "runs"} />
        <button class="quiet square" onClick=${() => onChoose(-1)} aria-label="Let go of the node" title="Let go">
          <${Icon} name="close" /></button></div>
      ${wave && html`<p>${came(wave, row, onChoose)}</p>`}
      <${Neighbours} name="dialled" nodes=${out} onChoose=${onChoose} />
      <${Neighbours} name="was dialled by" nodes=${into} onChoose=${onChoose} />
    </section>`;
}

function came(wave, row, onChoose) {
  if (row < 0) return "The bulletin did not come here.";
  if (wave.from[row] < 0) return "The bulletin was made here.";
  const from = wave.from[row];
  return html`The bulletin came after ${span(wave.at[row] - wave.begin)}, over ${plural(wave.hops[row], "hop")}, from <button class="link" onClick=${() => onChoose(from)}>#${from}</button>.`;
}

function Neighbours({ name, nodes, onChoose }) {
  return html`<p>
    <span class="soft">${name}</span> ${nodes.length === 0 ? "nobody" : nodes.map((node) => html`<button key=${node}
      class="link" onClick=${() => onChoose(node)}>#${node}</button> `)}</p>`;
}

function around(recording, node, moment) {
  const links = linksAt(recording, moment);
  const [out, into] = [[], []];
  for (let link = 0; link < links.n; link += 1) {
    if (links.from[link] === node) out.push(links.to[link]);
    if (links.to[link] === node) into.push(links.from[link]);
  }
  return { out, into, dead: states(recording, moment)[node] === STATE.dead };
}
