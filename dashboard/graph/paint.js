/**
 * Draws a scene on a 2D canvas. Links lie on a layer of their own that is drawn again only when they or the
 * camera change; what moves is drawn over it in every picture. Colours are batched: one path for each.
 */

import { STATE, upTo } from "./scene.js";

/** Steps of the scale of a wave. */
export const STEPS = 16;
/** The names of the colours a painter needs. */
export const COLOURS = ["ground", "surface", "line", "line-strong", "text", "text-2", "text-3", "accent", "warn", "bad", "link", "node", "wave-0", "wave-1", "wave-2", "wave-3", "wave-4"];
/** More links than this are drawn as plain lines, without direction. */
const TAPERED_MAX = 600;
/** Up to so many nodes the lines of a wave are broad, each drawn for itself. */
const BROAD_MAX = 200;
/** Up to so many nodes all have their names. */
const NAMED_MAX = 60;

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

const numbers = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);

/** How large a node is drawn, by how many there are, how near, and how much room there is. */
export function radius(n, { zoom, width }) {
  const base = n <= 30 ? 8 : n <= 120 ? 6 : n <= 400 ? 4.2 : n <= 1200 ? 3 : 2.2;
  return base * Math.min(2, Math.max(1, Math.sqrt(zoom))) * Math.min(1, Math.max(0.55, Math.sqrt(width / 800)));
}

/** The layer below: distances, links, and every node as it stands. */
export function paintBase(g, scene, camera, colours, { dim = false } = {}) {
  g.clearRect(0, 0, camera.width, camera.height);
  if (scene.rings) paintRings(g, scene, camera, colours);
  const places = project(scene, camera);
  paintLinks(g, scene, places, colours, dim);
  paintNodes(g, scene, places, camera, colours, dim);
  return places;
}

/** Pixels of each node, computed once for a picture. */
export function project(scene, camera) {
  const x = new Float32Array(scene.n);
  const y = new Float32Array(scene.n);
  for (let node = 0; node < scene.n; node += 1) {
    x[node] = camera.px(scene.x[node]);
    y[node] = camera.py(scene.y[node]);
  }
  return { x, y, r: radius(scene.n, camera) };
}

function paintLinks(g, scene, { x, y, r }, colours, dim) {
  const { links } = scene;
  g.strokeStyle = colours.link;
  g.fillStyle = colours.link;
  const crowd = Math.min(1, (900 / Math.max(1, links.n)) ** 0.7);
  g.globalAlpha = (dim ? 0.2 : 0.5) * Math.max(0.1, crowd);
  if (links.n > TAPERED_MAX) {
    g.lineWidth = hair(g);
    g.beginPath();
    for (let link = 0; link < links.n; link += 1) {
      g.moveTo(x[links.from[link]], y[links.from[link]]);
      g.lineTo(x[links.to[link]], y[links.to[link]]);
    }
    g.stroke();
  } else {
    const broad = Math.min(3, r * 0.4) * Math.min(1, (40 / links.n) ** 0.4);
    for (let link = 0; link < links.n; link += 1) taper(g, x[links.from[link]], y[links.from[link]], x[links.to[link]], y[links.to[link]], broad);
  }
  g.globalAlpha = 1;
}

/**
 * The width of the thinnest line. Without a graphics card it costs a thirtieth of any broader one: 1,000 lines
 * in one path take 2 ms so, and 80 ms with a width of 1.2.
 */
const hair = (g) => 1 / g.getTransform().a;

/** A link as a wedge: broad at who dialled, thin at who was dialled. */
function taper(g, x0, y0, x1, y1, width) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [nx, ny] = [(-(y1 - y0) / length), (x1 - x0) / length];
  g.beginPath();
  g.moveTo(x0 + nx * width, y0 + ny * width);
  g.lineTo(x1 + nx * 0.3, y1 + ny * 0.3);
  g.lineTo(x1 - nx * 0.3, y1 - ny * 0.3);
  g.lineTo(x0 - nx * width, y0 - ny * width);
  g.fill();
}

function paintNodes(g, scene, places, camera, colours, dim) {
  const { r } = places;
  group(g, scene, places, STATE.up, () => { g.fillStyle = colours.node; g.globalAlpha = dim ? 0.35 : 1; }, disc, r);
  g.globalAlpha = 1;
  group(g, scene, places, STATE.known, () => { g.strokeStyle = colours["line-strong"]; g.lineWidth = 1.2; }, disc, r * 0.85, true);
  group(g, scene, places, STATE.suspect, () => { g.strokeStyle = colours.warn; g.lineWidth = Math.max(1.5, r * 0.4); }, disc, r * 0.8, true);
  group(g, scene, places, STATE.dead, () => { g.strokeStyle = colours.bad; g.lineWidth = 1.5; }, cross, r * 0.8, true);
  group(g, scene, places, STATE.self, () => { g.fillStyle = colours.accent; }, diamond, r * 1.5);
  if (scene.n <= NAMED_MAX) names(g, scene, places, colours);
}

function group(g, scene, { x, y }, state, style, shape, r, stroked = false) {
  style();
  g.beginPath();
  for (let node = 0; node < scene.n; node += 1) if (scene.state[node] === state) shape(g, x[node], y[node], r);
  if (stroked) g.stroke();
  else g.fill();
}

const disc = (g, x, y, r) => { g.moveTo(x + r, y); g.arc(x, y, r, 0, 6.2832); };
const cross = (g, x, y, r) => { g.moveTo(x - r, y - r); g.lineTo(x + r, y + r); g.moveTo(x + r, y - r); g.lineTo(x - r, y + r); };
const diamond = (g, x, y, r) => { g.moveTo(x, y - r); g.lineTo(x + r, y); g.lineTo(x, y + r); g.lineTo(x - r, y); g.closePath(); };

function names(g, scene, { x, y, r }, colours) {
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "top";
  for (let node = 0; node < scene.n; node += 1) write(g, scene.label(node), x[node], y[node] + r + 3, colours);
}

const FONT = "11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/** A word with the ground behind it, so that it is read over links. */
function write(g, text, x, y, colours, colour = colours["text-2"]) {
  g.lineWidth = 3;
  g.lineJoin = "round";
  g.strokeStyle = colours.surface;
  g.strokeText(text, x, y);
  g.fillStyle = colour;
  g.fillText(text, x, y);
}

/** A word on a plate of its own, over whatever stands there. */
function plate(g, text, x, y, colours) {
  const width = g.measureText(text).width + 10;
  g.fillStyle = colours.surface;
  g.fillRect(x - width / 2, y - 2, width, 17);
  g.strokeStyle = colours.accent;
  g.lineWidth = 1;
  g.strokeRect(x - width / 2, y - 2, width, 17);
  g.fillStyle = colours.text;
  g.fillText(text, x, y + 1);
}

/** Circles of equal round trip around the middle, where that is what distance means. */
function paintRings(g, scene, camera, colours) {
  g.strokeStyle = colours.line;
  g.lineWidth = 1;
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "bottom";
  for (const { share, name } of scene.rings) {
    g.beginPath();
    g.ellipse(camera.px(0.5), camera.py(0.5), share * camera.scaleX, share * camera.scaleY, 0, 0, 6.2832);
    g.stroke();
    g.fillStyle = colours["text-3"];
    g.fillText(name, camera.px(0.5), camera.py(0.5 - share) - 2);
  }
}

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
  scale.forEach((colour, at) => { g.strokeStyle = colour; g.stroke(lines[at]); });
  scale.forEach((colour, at) => { g.fillStyle = colour; g.fill(discs[at]); });
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

/** What was delivered lately, of every wave: lines and nodes that fade. */
export function paintRecent(g, { x, y, r }, recent, colours) {
  const shades = 4;
  for (let shade = 0; shade < shades; shade += 1) {
    const [links, nodes] = [new Path2D(), new Path2D()];
    for (const { node, from, age } of recent) {
      if (Math.min(shades - 1, Math.floor(age * shades)) !== shade) continue;
      if (from >= 0) { links.moveTo(x[from], y[from]); links.lineTo(x[node], y[node]); }
      disc(nodes, x[node], y[node], r + 0.8);
    }
    g.globalAlpha = 1 - shade / shades;
    g.strokeStyle = colours.accent;
    g.lineWidth = x.length > BROAD_MAX ? hair(g) : 1.6;
    g.stroke(links);
    g.fillStyle = colours.accent;
    g.fill(nodes);
  }
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
  if (scene.n > NAMED_MAX) for (const other of named.slice(0, 40)) write(g, scene.label(other), x[other], y[other] + r + 3, colours);
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

function mark(g, x, y, r, colour, width) {
  g.beginPath();
  g.arc(x, y, r, 0, 6.2832);
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.stroke();
}

function arrow(g, x0, y0, x1, y1, gap) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [ex, ey] = [x1 - dx * gap, y1 - dy * gap];
  g.beginPath();
  g.moveTo(x0 + dx * gap, y0 + dy * gap);
  g.lineTo(ex, ey);
  g.stroke();
  const head = Math.min(7, length / 3);
  g.beginPath();
  g.moveTo(ex, ey);
  g.lineTo(ex - dx * head - dy * head * 0.5, ey - dy * head + dx * head * 0.5);
  g.lineTo(ex - dx * head + dy * head * 0.5, ey - dy * head - dx * head * 0.5);
  g.closePath();
  g.fillStyle = g.strokeStyle;
  g.fill();
}
