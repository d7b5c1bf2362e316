/** One bulletin after another, each as a wave over the network. */

import { html, useEffect, useMemo, useRef, useState } from "../app/html.js";
import { useAnswer } from "../app/live.js";
import { to } from "../app/route.js";
import { ago, bytes, clock, count, plural } from "../app/words.js";
import { Shapes } from "../graph/legend.js";
import { sceneOf, shapeOf, waveOf, withTrace } from "../graph/live.js";
import { Graph } from "../graph/view.js";
import { Answered, Empty } from "../parts/notice.js";
import { NodePanel } from "../parts/node-panel.js";
import { Id, Text } from "../parts/text.js";
import { Player, speedFor } from "../recording/player.js";
import { Timeline, usePlayer } from "../recording/timeline.js";
import { waveTrack } from "../recording/tracks.js";
import { WaveCard } from "../recording/wave-card.js";

export function WavesView({ argument }) {
  const traces = useAnswer("/v1/traces", 2000);
  const topology = useAnswer("/v1/topology", 2500);
  const status = useAnswer("/v1/status");
  const player = useMemo(() => new Player(), []);
  usePlayer(player);
  useEffect(() => () => player.hold(), [player]);
  const wanted = useShown(argument, traces.data?.[0]?.id, player);
  const trace = useAnswer(wanted ? `/v1/traces/${wanted}` : null, 1500);
  const ready = {
    data: topology.data && status.data && { topology: topology.data, self: status.data.id },
    failure: topology.failure ?? status.failure,
  };
  return html`
    <div class="view-head"><h1 tabindex="-1">Waves</h1><p>How a bulletin spreads from node to node.</p>
      <div class="tools">${argument ? html`<a class="button" href=${to("waves")}>Follow the newest</a>` : html`<span
        class="faint">following the newest</span>`}</div></div>
    <${Answered} answer=${traces} lines=${8}>${(list) =>
      list.length === 0 && !argument
        ? html`<${None} />`
        : html`
      <${Answered} answer=${ready}>${({ topology: known, self }) => html`
        ${
          trace.failure?.status === 404 && !trace.data
            ? html`<${Gone} /><${Recent} list=${list} />`
            : html`
        <${Answered} answer=${trace}>${(one) => html`<${Wave} trace=${one} list=${list} topology=${known} self=${self}
          player=${player} />`}<//>`
        }`}<//>`}<//>`;
}

/** The bulletin that is named, or the newest: while one spreads, the next waits. */
function useShown(argument, newest, player) {
  const shown = useRef(null);
  if (argument) shown.current = argument;
  else if (newest && (shown.current === null || !player.playing)) shown.current = newest;
  return shown.current;
}

function Wave({ trace, list, topology, self, player }) {
  const canvas = useRef(null);
  const [chosenId, setChosenId] = useState(null);
  const full = useMemo(() => withTrace(topology, trace), [shapeOf(topology), trace]);
  const scene = useMemo(() => sceneOf(full, self), [shapeOf(full), self]);
  const wave = useMemo(() => waveOf(trace, scene), [scene, JSON.stringify(trace.deliveries)]);
  const seen = useRef(null);
  useEffect(() => {
    follow(player, wave, seen.current !== trace.id);
    seen.current = trace.id;
  }, [player, wave]);
  useEffect(() => {
    const moment = (at) => canvas.current?.at(at);
    moment(player.moment);
    return player.listen({ moment });
  }, [player]);
  const chosen = chosenId === null ? -1 : (scene.index.get(chosenId) ?? -1);
  const tracks = useMemo(() => (columns) => ({ wave: waveTrack(wave, player.begin, player.end, columns) }), [wave]);
  return html`
    ${!trace.shared && html`<${Unshared} />`}
    <div class="stage">
      <${Graph} scene=${scene} wave=${wave} chosen=${chosen}
        onChoose=${(node) => setChosenId(node < 0 ? null : scene.ids[node])} canvas=${canvas}
        label=${`The network of ${scene.n} nodes with the wave of a bulletin.`}>
          <${Shapes} states=${["self", "up"]} /><//>
      <${Timeline} player=${player} zero=${wave.begin} tracks=${tracks} />
      <div class="side">
        ${chosen >= 0 && html`<${NodePanel} id=${chosenId} topology=${full} self=${self} onChoose=${setChosenId} />`}
        <section class="card" aria-label="The bulletin">
          <h2><${Text} of=${trace.topic} longest=${60} /></h2>
          <p class="soft"><${Id} of=${trace.id} />, ${bytes(trace.size)}, made at ${clock(trace.created_ms, true)}</p>
          <${WaveCard} wave=${wave} of=${trace.shared ? scene.n : 0} player=${player} />
          <${Given} trace=${trace} topology=${full} />
        </section>
        <${Recent} list=${list} current=${trace.id} />
      </div>
    </div>`;
}

/** A wave that is new is run; one that only grew is shown to its end. */
function follow(player, wave, first) {
  const length = Math.max(1, wave.end - wave.begin);
  player.speed = speedFor(length, 3500);
  player.range(
    wave.begin,
    wave.begin + length * 1.04,
    first ? wave.begin : player.playing ? player.moment : wave.begin + length * 1.04,
  );
  if (first) player.play();
}

function Given({ trace, topology }) {
  if (trace.given_to.length === 0) return null;
  const name = (id) => topology.nodes.find((node) => node.id === id)?.label;
  return html`<details>
    <summary>${plural(trace.given_to.length, "neighbour")} of this node ${trace.given_to.length === 1 ? "has" : "have"} it</summary><ul class="links">${trace.given_to.map(
    ({ id, how, confirmed }) => html`
    <li key=${id}><${Id} of=${id} label=${name(id)} />
      <span
        class="soft">${how === "first" ? "had it first from here" : confirmed ? "says that it has it" : "was sent it, or sent it"}</span></li>`,
  )}</ul></details>`;
}

function Recent({ list, current }) {
  return html`
    <section class="card" aria-label="Recent bulletins">
      <div class="card-head"><h2>Recent bulletins</h2><span class="faint">${count(list.length)}</span></div>
      <ul class="pick">${list.slice(0, 60).map(
        (one) => html`
        <li key=${one.id}><a href=${to("waves", one.id)} aria-current=${one.id === current ? "true" : undefined}>
          <span><${Text} of=${one.topic} longest=${40} /></span><small>${ago(one.received_ms)}</small>
          <small class="second">${bytes(one.size)}, ${one.hops} hops, reached ${count(one.reached)}</small></a></li>`,
      )}</ul>
    </section>`;
}

const Unshared =
  () => html`<div class="banner note"><div><strong>This node knows its own part of the wave only.</strong>
  <span
    class="soft"> With <code>share = true</code> under <code>[topology]</code>, as in the profiles lan, local and assignment, nodes tell each other when they had a bulletin and from whom.</span></div></div>`;

const Gone = () =>
  html`<${Empty} title="Not known any more">
    <p>This node does not know how that bulletin spread: it came before the node started, or too many came since.</p><//>`;

const None = () =>
  html`<${Empty} title="No bulletin yet">
    <p>Publish one under <a href=${to("topics")}>Topics</a>, or type <code>bruit pub news hello</code>.</p><//>`;
