/**
 * Draws what moves: a wave, what was delivered lately, a node that is chosen or pointed at. It is drawn anew for each
 * picture, so colours are batched: one path for each.
 */

import { disc, FONT, arrow, hair, mark, plate, write } from "./marks.js";
import { NAMED_MAX } from "./paint.js";
import { upTo } from "./scene.js";

/** Steps of the scale of a wave. */
const STEPS = 16;
/** Up to so many nodes the lines of a wave are broad, each drawn for itself. */
const BROAD_MAX = 200;
/** Steps in which what was delivered lately fades. */
const SHADES = 4;

/** The colours of a wave from first to last, mixed from the five of the design. */
export function waveScale(colours) {
  const stops = [0, 1, 2, 3, 4].map((at) => numbers(colours[`wave-${at}`]));
  return Array.from({ length: STEPS }, (_, step) => {
    const place = (step / (STEPS - 1)) * (stops.length - 1);
    const at = Math.min(stops.length - 2, Math.floor(place));
    const mix = stops[at].map((value, channel) => Math.round(value + (stops[at + 1][channel] - value) * (place - at)));
    return `rgb(${mix.join(" ")})`;
  });
}

const numbers = (colour) =>
  colour
    .match(/[\d.]+/g)
    .slice(0, 3)
    .map(Number);

/**
 * A wave as it stands at `moment`: lines grow from a node to those it gave the bulletin, from its own
 * arrival to theirs, in the colour of their turn.
 */
export function paintWave(g, scene, { x, y, r }, wave, moment, scale, colours, { grow = true } = {}) {
  const reached = upTo(wave.at, moment);
  const came = arrivals(wave, scene.n);
  const lines = scale.map(() => new Path2D());
  const discs = scale.map(() => new Path2D());
  const until = grow ? wave.n : reached;
  for (let row = 0; row < until; row += 1) {
    const [node, from, at] = [wave.node[row], wave.from[row], wave.at[row]];
    const here = row < reached;
    if (from >= 0) {
      const left = came[from] >= 0 ? came[from] : wave.begin;
      if (!here && left > moment) continue;
      const share = here ? 1 : (moment - left) / Math.max(1e-9, at - left);
      const path = lines[stepOf(row, wave.n)];
      path.moveTo(x[from], y[from]);
      path.lineTo(x[from] + (x[node] - x[from]) * share, y[from] + (y[node] - y[from]) * share);
    }
    if (here) disc(discs[stepOf(row, wave.n)], x[node], y[node], r + 0.6);
  }
  g.lineWidth = scene.n > BROAD_MAX ? hair(g) : 1.8;
  scale.forEach((colour, at) => {
    g.strokeStyle = colour;
    g.stroke(lines[at]);
  });
  scale.forEach((colour, at) => {
    g.fillStyle = colour;
    g.fill(discs[at]);
  });
  const first = wave.n > 0 && wave.from[0] < 0 ? wave.node[0] : -1;
  if (first >= 0) mark(g, x[first], y[first], r + 5, colours.text, 2);
  return reached;
}

/** The place on the scale of a delivery: by its turn, so that a few stragglers do not make all others alike. */
const stepOf = (row, n) => Math.min(STEPS - 1, Math.floor((row / n) * STEPS));

/** When each node had the bulletin; −1 where it never came. Computed once for a wave. */
function arrivals(wave, n) {
  if (wave.came?.length === n) return wave.came;
  wave.came = new Float64Array(n).fill(-1);
  for (let row = wave.n - 1; row >= 0; row -= 1) wave.came[wave.node[row]] = wave.at[row];
  return wave.came;
}

/** What was delivered lately, of every wave: lines and nodes that fade, each node as the last it was given. */
export function paintRecent(g, { x, y, r }, recent, colours) {
  const shades = Array.from({ length: SHADES }, () => ({ links: new Path2D(), nodes: new Path2D() }));
  const shown = new Uint8Array(x.length).fill(SHADES);
  for (const { node, from, age } of recent) {
    const shade = Math.min(SHADES - 1, Math.floor(age * SHADES));
    shown[node] = Math.min(shown[node], shade);
    if (from < 0) continue;
    shades[shade].links.moveTo(x[from], y[from]);
    shades[shade].links.lineTo(x[node], y[node]);
  }
  shown.forEach((shade, node) => shade < SHADES && disc(shades[shade].nodes, x[node], y[node], r + 0.8));
  g.strokeStyle = colours.accent;
  g.fillStyle = colours.accent;
  g.lineWidth = x.length > BROAD_MAX ? hair(g) : 1.6;
  shades.forEach(({ links, nodes }, shade) => {
    g.globalAlpha = 1 - shade / SHADES;
    g.stroke(links);
    g.fill(nodes);
  });
  g.globalAlpha = 1;
}

/** One node brought out: a ring, its links with their direction and round trip, the names around it. */
export function paintChosen(g, scene, { x, y, r }, node, colours, word) {
  const { links } = scene;
  const named = [];
  for (let link = 0; link < links.n; link += 1) {
    const [from, to] = [links.from[link], links.to[link]];
    if (from !== node && to !== node) continue;
    g.strokeStyle = colours.accent;
    g.lineWidth = scene.n > BROAD_MAX ? hair(g) : 1.8;
    g.setLineDash(from === node ? [] : [5, 3]);
    arrow(g, x[from], y[from], x[to], y[to], r + 2);
    named.push(from === node ? to : from);
  }
  g.setLineDash([]);
  mark(g, x[node], y[node], r + 4, colours.accent, 2.5);
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "top";
  if (scene.n > NAMED_MAX)
    for (const other of named.slice(0, 40)) write(g, scene.label(other), x[other], y[other] + r + 3, colours);
  plate(g, word, x[node], y[node] + r + 3, colours);
}

/** The node under the pointer. */
export function paintHover(g, scene, { x, y, r }, node, colours, word) {
  mark(g, x[node], y[node], r + 3, colours.text, 1.5);
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "bottom";
  write(g, word, x[node], y[node] - r - 5, colours, colours.text);
}
