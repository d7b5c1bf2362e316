/**
 * Where nodes lie that have no place: neighbours near each other, all within the square. Forces as of
 * Fruchterman and Reingold (1991); unlike the paper, what is farther than two ideal distances does not repel,
 * which a grid makes cheap. The same nodes and links give the same picture.
 */

import { upTo } from "./scene.js";

const ROUNDS = 220;
/** Rounds for nodes that have places already. */
const ROUNDS_AGAIN = 60;

/**
 * @param {string[]} ids
 * @param {import("./scene.js").Links} links
 * @param {Map<string, [number, number]>} known places of before, kept where nothing pulls
 * @returns {{x: Float32Array, y: Float32Array}} in 0..1
 */
export function layOut(ids, links, known = new Map()) {
  const n = ids.length;
  const x = new Float32Array(n);
  const y = new Float32Array(n);
  ids.forEach((id, node) => {
    [x[node], y[node]] = known.get(id) ?? [draw(id, 1), draw(id, 2)];
  });
  const fresh = ids.some((id) => !known.has(id));
  const rounds = n > 1500 ? ROUNDS / 4 : n > 500 ? ROUNDS / 2 : ROUNDS;
  if (n > 1 && fresh) relax(x, y, links, known.size > n / 2 ? ROUNDS_AGAIN : rounds);
  if (fresh) spread(x, y);
  return { x, y };
}

/** A number in 0..1 that an id always gets. */
export function draw(id, salt) {
  let hash = 2166136261 ^ salt;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 16777619);
  hash ^= hash >>> 15;
  return (Math.imul(hash, 2246822519) >>> 0) / 4294967296;
}

function relax(x, y, links, rounds) {
  const n = x.length;
  const ideal = 0.75 / Math.sqrt(n);
  const [fx, fy] = [new Float32Array(n), new Float32Array(n)];
  for (let round = 0; round < rounds; round += 1) {
    fx.fill(0);
    fy.fill(0);
    repel(x, y, fx, fy, ideal);
    attract(x, y, fx, fy, links, ideal);
    const heat = 0.08 * (1 - round / rounds) ** 1.5 + 0.0005;
    for (let node = 0; node < n; node += 1) {
      fx[node] += (0.5 - x[node]) * 0.12;
      fy[node] += (0.5 - y[node]) * 0.12;
      const force = Math.hypot(fx[node], fy[node]) || 1;
      const step = Math.min(force, heat) / force;
      x[node] += fx[node] * step;
      y[node] += fy[node] * step;
    }
  }
}

function repel(x, y, fx, fy, ideal) {
  const reach = x.length <= 150 ? Infinity : 2.5 * ideal;
  const order = [...x.keys()].sort((a, b) => x[a] - x[b]);
  const sorted = Float32Array.from(order, (node) => x[node]);
  for (let at = 0; at < order.length; at += 1) {
    const end = upTo(sorted, sorted[at] + reach);
    for (let other = at + 1; other < end; other += 1) {
      const [a, b] = [order[at], order[other]];
      const [dx, dy] = [x[a] - x[b], y[a] - y[b]];
      if (Math.abs(dy) > reach) continue;
      const far = Math.max(1e-7, dx * dx + dy * dy);
      const push = (ideal * ideal) / far;
      fx[a] += dx * push;
      fy[a] += dy * push;
      fx[b] -= dx * push;
      fy[b] -= dy * push;
    }
  }
}

function attract(x, y, fx, fy, links, ideal) {
  for (let link = 0; link < links.n; link += 1) {
    const [a, b] = [links.from[link], links.to[link]];
    const [dx, dy] = [x[a] - x[b], y[a] - y[b]];
    const pull = (Math.hypot(dx, dy) / ideal) * 0.25;
    fx[a] -= dx * pull;
    fy[a] -= dy * pull;
    fx[b] += dx * pull;
    fy[b] += dy * pull;
  }
}

/** Stretches the picture to the square. */
function spread(x, y) {
  for (const column of [x, y]) {
    const [least, most] = column.reduce(
      ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [Infinity, -Infinity],
    );
    const size = most - least;
    for (let node = 0; node < column.length; node += 1)
      column[node] = size > 1e-6 ? 0.02 + 0.96 * ((column[node] - least) / size) : 0.5;
  }
}

/** Circles that are drawn around a node that sees only its own links, in milliseconds. */
const RINGS = [0.3, 1, 3, 10, 30, 100, 300];

/**
 * This node in the middle and each neighbour at its round trip, logarithmic from a tenth of a millisecond
 * to a second; those without one lie outside.
 * @param {string[]} ids
 * @param {number} self
 * @param {(node: number) => number} rtt
 */
export function around(ids, self, rtt) {
  const others = ids
    .map((_, node) => node)
    .filter((node) => node !== self)
    .sort((a, b) => (ids[a] < ids[b] ? -1 : 1));
  const known = others.map(rtt).filter((ms) => ms > 0);
  const most = Math.max(1, ...known) * 1.15;
  const least = Math.min(...known, most / 10) / 2;
  const share = (ms) => 0.09 + 0.39 * Math.min(1, Math.max(0, Math.log(ms / least) / Math.log(most / least)));
  const x = new Float32Array(ids.length).fill(0.5);
  const y = new Float32Array(ids.length).fill(0.5);
  others.forEach((node, at) => {
    const angle = (at / others.length) * 2 * Math.PI - Math.PI / 2;
    const far = rtt(node) > 0 ? share(rtt(node)) : 0.49;
    x[node] = 0.5 + far * Math.cos(angle);
    y[node] = 0.5 + far * Math.sin(angle);
  });
  const rings = RINGS.filter((ms) => ms > least && ms < most).map((ms) => ({ share: share(ms), name: `${ms} ms` }));
  return { x, y, rings: rings.length ? rings : undefined };
}
