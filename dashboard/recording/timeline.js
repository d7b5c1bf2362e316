/** The time slider: play, speed, what happened when. Moved by a player, and moves it. */

import { html, useEffect, useRef, useState } from "../app/html.js";
import { colours, onTheme } from "../app/theme.js";
import { plural } from "../app/words.js";
import { Icon } from "../parts/icon.js";
import { Text } from "../parts/text.js";
import { SPEEDS } from "./player.js";
import { grouped, lanes } from "./tracks.js";

/** How a speed is called. */
export const speedName = (speed) => (speed >= 1 ? `${speed}×` : `1/${Math.round(1 / speed)}×`);

/** A moment of a recording: seconds, to the tenth of a millisecond where the range is short. */
export function momentName(ms, length) {
  if (length < 5000) return `${ms.toFixed(1)} ms`;
  return `${(ms / 1000).toFixed(length < 60_000 ? 3 : 2)} s`;
}

/**
 * @param {object} props
 * @param {import("./player.js").Player} props.player
 * @param {number} props.zero what moments are counted from
 * @param {(columns: number) => {links?: any, bulletins?: any, wave?: any}} props.tracks
 * @param {any[]} [props.bands]
 * @param {any[]} [props.pins]
 * @param {(pin: number) => void} [props.onPin]
 */
export function Timeline({ player, zero = 0, tracks, bands = [], pins = [], onPin, children }) {
  usePlayer(player);
  const length = player.end - player.begin;
  return html`
    <section class="timeline" aria-label="Time">
      <div class="transport">
        <button class="square" onClick=${() => {
          player.seek(player.begin);
        }} aria-label="To the beginning" title="To the beginning"><${Icon} name="start" /></button>
        <button class="primary square play" onClick=${() => player.toggle()}
          aria-label=${player.playing ? "Hold" : "Play"} title=${player.playing ? "Hold" : "Play"}><${Icon}
          name=${player.playing ? "pause" : "play"} /></button>
        <label class="speed"><span class="hidden">Speed</span>
          <select value=${String(player.speed)} onChange=${(event) => player.faster(Number(event.target.value))}>
            ${SPEEDS.map((speed) => html`<option key=${speed} value=${String(speed)}>${speedName(speed)}</option>`)}
          </select></label>
        <${Readout} player=${player} zero=${zero} />
        ${children}
      </div>
      <${Pins} pins=${pins} begin=${player.begin} end=${player.end} onPin=${onPin} />
      <${Bands} bands=${lanes(bands, player.begin, player.end)} />
      <div class="track">
        <${Tracks} tracks=${tracks} begin=${player.begin} end=${player.end} />
        <${Slider} player=${player} zero=${zero} length=${length} />
      </div>
    </section>`;
}

/** Draws the caller again when the player starts, stops or changes its range. */
export function usePlayer(player) {
  const [, again] = useState(0);
  useEffect(() => player.listen({ state: () => again((n) => n + 1) }), [player]);
}

function Readout({ player, zero }) {
  const output = useRef(null);
  const length = player.end - player.begin;
  useEffect(() => {
    const shown = output.current;
    const moment = (ms) => {
      shown.textContent = momentName(ms - zero, length);
    };
    moment(player.moment);
    return player.listen({ moment });
  }, [player, zero, length]);
  return html`<span class="readout">
    <strong class="mono" ref=${output}></strong> <span
      class="faint">of ${momentName(player.end - zero, length)}</span></span>`;
}

function Slider({ player, zero, length }) {
  const input = useRef(null);
  useEffect(() => {
    const slider = input.current;
    const moment = (ms) => {
      slider.value = String(ms);
      if (!player.playing) slider.setAttribute("aria-valuetext", momentName(ms - zero, length));
    };
    moment(player.moment);
    return player.listen({ moment });
  }, [player, zero, length, player.begin]);
  const step = length / 1000;
  const press = (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -50, PageUp: 50 }[event.key];
    if (event.key === " ") player.toggle();
    else if (by) player.seek(player.moment + by * step * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
  };
  return html`<input type="range" class="seek" ref=${input} aria-label="Moment" min=${player.begin} max=${player.end}
    step="any"
    onInput=${(event) => player.seek(Number(event.target.value))} onKeyDown=${press} />`;
}

function Pins({ pins, begin, end, onPin }) {
  const groups = grouped(pins, begin, end);
  if (groups.length === 0) return null;
  return html`<div class="pins">${groups.map(
    (group) => html`
    <button key=${group.first} style=${{ left: `${((group.at - begin) / Math.max(1e-9, end - begin)) * 100}%` }}
      onClick=${() => onPin(group.first)}
      aria-label=${`${plural(group.n, "broken promise")} at ${momentName(group.at, end - begin)}`} title=${pins[group.first].promise}>▼</button>`,
  )}</div>`;
}

function Bands({ bands }) {
  if (bands.length === 0) return null;
  const rows = Math.max(...bands.map((band) => band.lane)) + 1;
  return html`<ul class="bands" aria-label="Faults" style=${{ height: `${rows * 1.25}rem` }}>${bands.map(
    (band, at) => html`
    <li key=${at}
      style=${{ left: `${band.left * 100}%`, width: `${band.width * 100}%`, top: `${band.lane * 1.25}rem` }}
      title=${`${band.kind}: ${band.what}`}><${Text} of=${`${band.kind} ${band.what}`} longest=${80} /></li>`,
  )}</ul>`;
}

function Tracks({ tracks, begin, end }) {
  const canvas = useRef(null);
  useEffect(() => {
    const drawn = canvas.current;
    const paint = () => drawTracks(drawn, tracks);
    const observer = new ResizeObserver(paint);
    observer.observe(drawn);
    const forget = onTheme(paint);
    return () => {
      observer.disconnect();
      forget();
    };
  }, [tracks, begin, end]);
  return html`<canvas class="tracks" ref=${canvas} aria-hidden="true"></canvas>`;
}

function drawTracks(canvas, tracks) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const density = Math.min(2, devicePixelRatio || 1);
  canvas.width = width * density;
  canvas.height = height * density;
  const g = canvas.getContext("2d");
  g.scale(density, density);
  const found = tracks(Math.max(1, Math.floor(width / 3)));
  const { line, accent, link } = colours(canvas.parentElement, ["line", "accent", "link"]);
  if (found.links) area(g, found.links.values, width, height, line);
  if (found.wave) area(g, found.wave.values, width, height, link);
  if (found.bulletins) bars(g, found.bulletins.values, width, height, accent);
}

function area(g, values, width, height, colour) {
  g.fillStyle = colour;
  g.beginPath();
  g.moveTo(0, height);
  values.forEach((value, at) => g.lineTo((at / Math.max(1, values.length - 1)) * width, height - value * (height - 2)));
  g.lineTo(width, height);
  g.fill();
}

function bars(g, values, width, height, colour) {
  g.fillStyle = colour;
  const each = width / values.length;
  values.forEach((value, at) => {
    if (value > 0) g.fillRect(at * each, height - Math.max(2, value * height * 0.45), Math.max(1, each - 1), height);
  });
}
