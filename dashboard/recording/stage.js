/** A recording opened: the graph at a moment, the bulletins, the faults, the time slider. */

import { html, useEffect, useMemo, useRef, useState } from "../app/html.js";
import { plural } from "../app/words.js";
import { Shapes } from "../graph/legend.js";
import { upTo } from "../graph/scene.js";
import { Graph } from "../graph/view.js";
import { Icon } from "../parts/icon.js";
import { Text } from "../parts/text.js";
import { Bulletins } from "./bulletins.js";
import { recentAt, sceneAt, states, version } from "./moment.js";
import { NodeCard } from "./node-card.js";
import { PinList } from "./pin-list.js";
import { Player, speedFor } from "./player.js";
import { momentName, Timeline } from "./timeline.js";
import { tracks, waveTrack } from "./tracks.js";
import { WaveCard } from "./wave-card.js";

/** While time runs, links are drawn again after so many milliseconds at the earliest. */
const LINKS_PACE = 150;

/** @param {{recording: import("./read.js").Recording, tools: any}} props */
export function Stage({ recording, tools }) {
  const player = useMemo(() => whole(new Player(), recording), [recording]);
  const canvas = useRef(null);
  const side = useRef(null);
  const [chosen, setChosen] = useState(-1);
  const [wave, setWave] = useState(-1);
  const scene = useMemo(() => sceneAt(recording, player.moment), [recording]);
  const current = recording.waves[wave]?.wave ?? null;
  useEffect(() => drive(player, recording, canvas, current), [player, recording, current]);
  useEffect(() => () => player.hold(), [player]);
  useEffect(() => {
    side.current.scrollTop = 0;
  }, [wave, chosen]);
  const choose = (number, play = true) => {
    setWave(number);
    if (number < 0) {
      player.hold();
      whole(player, recording);
      return;
    }
    ranged(player, recording.waves[number].wave, play);
  };
  const pinned = (at) => {
    const pin = recording.pins[at];
    choose(-1);
    player.hold();
    player.seek(pin.at);
    if (Number.isInteger(pin.node)) setChosen(pin.node);
  };
  const under = useMemo(
    () => (columns) =>
      current
        ? { wave: waveTrack(current, player.begin, player.end, columns) }
        : tracks(recording, player.begin, player.end, columns),
    [recording, current],
  );
  const { head } = recording;
  return html`
    <div class="view-head">
      <h1 tabindex="-1">Recording</h1>
      <p><${Text} of=${head.scenario} longest=${40} />: <strong>
        <${Text} of=${head.case} longest=${60} /></strong>, ${plural(recording.n, "node")}, <${Text}
          of=${head.protocol} longest=${20} />, seed ${Number(head.seed)}</p>
      <div class="tools">${tools}</div>
    </div>
    <${LeftOut} head=${head} />
    <div class="stage">
      <${Graph} scene=${scene} wave=${current} chosen=${chosen} onChoose=${setChosen} canvas=${canvas}
        label=${`The network of ${recording.n} nodes.`}><${Shapes} states=${["up", "dead"]} /><//>
      <div class="side" ref=${side}>
        ${chosen >= 0 && html`<${NodeCard} recording=${recording} node=${chosen} wave=${current} player=${player}
          onChoose=${setChosen} />`}
        ${
          current
            ? html`<${Chosen} recording=${recording} number=${wave} player=${player} onChoose=${choose}
              onNode=${setChosen} />`
            : html`<${Bulletins} recording=${recording} onChoose=${choose} />`
        }
        <${PinList} recording=${recording} onPin=${pinned} />
      </div>
    <${Timeline} player=${player} zero=${current ? current.begin : 0} tracks=${under} bands=${recording.bands}
      pins=${recording.pins} onPin=${pinned}>
      ${current && html`<button onClick=${() => choose(-1)}>The whole recording</button>`}
      <span class="bulletin-steps">
        <button class="square" onClick=${() => choose(step(recording, player, wave, -1))}
          aria-label="The bulletin before" title="The bulletin before"><${Icon} name="back" /></button>
        <button class="square" onClick=${() => choose(step(recording, player, wave, 1))}
          aria-label="The next bulletin" title="The next bulletin"><${Icon} name="next" /></button>
      </span>
    <//>
    </div>`;
}

/** The whole recording; it begins where there is something to see. */
function whole(player, recording) {
  const { measured, tick_us: tick } = recording.head;
  player.speed = 1;
  player.range(0, recording.end, player.end ? player.moment : (measured * tick) / 1000);
  return player;
}

function ranged(player, wave, play) {
  const length = Math.max(1, wave.end - wave.begin);
  player.speed = speedFor(length);
  player.range(wave.begin, wave.begin + length * 1.04, wave.begin);
  if (play) player.play();
}

/** Moves the canvas with the player; new links and lives make a new scene. */
function drive(player, recording, canvas, wave) {
  let shown = -1;
  let drawn = 0;
  const moment = (at) => {
    const now = version(recording, at);
    if (now !== shown && !(player.playing && performance.now() - drawn < LINKS_PACE)) {
      [shown, drawn] = [now, performance.now()];
      canvas.current?.show(sceneAt(recording, at));
    }
    const fade = Math.max(60, Math.min(400, player.speed * 250));
    canvas.current?.at(at, wave ? null : recentAt(recording, at, fade));
  };
  moment(player.moment);
  return player.listen({ moment });
}

/** The bulletin beside the chosen one, or beside the moment. */
function step(recording, player, wave, by) {
  const { waves } = recording;
  if (wave >= 0) return Math.min(waves.length - 1, Math.max(0, wave + by));
  recording.begins ??= Float64Array.from(waves, ({ begin }) => begin);
  const next = upTo(recording.begins, player.moment);
  return Math.min(waves.length - 1, Math.max(0, by > 0 ? next : next - 1));
}

function Chosen({ recording, number, player, onChoose, onNode }) {
  const { wave, publisher, bytes, id, begin } = recording.waves[number];
  const alive = useMemo(
    () => states(recording, wave.end).reduce((n, state) => n + (state !== 3), 0),
    [recording, wave],
  );
  return html`
    <section class="card" aria-label="The chosen bulletin">
      <div class="card-head">
        <h2>Bulletin ${number}</h2>
        <button class="quiet square" onClick=${() => onChoose(-1)} aria-label="Back to all bulletins"
          title="Back to all bulletins"><${Icon} name="close" /></button>
      </div>
      <p class="soft">
        <span class="mono"
          title=${id}>${id.slice(0, 8)}</span>, ${plural(bytes, "byte")}, at ${momentName(begin, recording.end)}
        ${publisher >= 0 ? html`, by <button class="link"
          onClick=${() => onNode(publisher)}>#${publisher}</button>` : ", by an adversary"}</p>
      <${WaveCard} wave=${wave} of=${alive} player=${player} />
    </section>`;
}

function LeftOut({ head }) {
  const left = Object.entries(head.left_out ?? {}).filter(([, n]) => n > 0);
  if (left.length === 0) return null;
  return html`<p
    class="banner">The recording tells the first part only. Left out: ${left.map(([what, n]) => `${n} ${what}`).join(", ")}.</p>`;
}
