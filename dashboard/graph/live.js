/** What a node tells of its network becomes a scene; nodes keep their places while they are there. */

import { plain } from "../app/words.js";
import { around, layOut } from "./layout.js";
import { STATE, STATE_OF, emptyWave } from "./scene.js";

/** Where nodes lay last: a new list of links moves nobody who need not move. */
let places = new Map();

/**
 * @param {{shared: boolean, nodes: {id: string, label: string, state: string}[], links: {from: string, to: string, rtt_ms: number|null}[]}} topology
 * @param {string} self this node's id
 * @returns {import("./scene.js").Scene & {ids: string[], index: Map<string, number>}}
 */
export function sceneOf(topology, self) {
  const ids = topology.nodes.map((node) => node.id);
  const index = new Map(ids.map((id, node) => [id, node]));
  const links = linksOf(topology.links, index);
  const me = index.get(self) ?? -1;
  const { x, y, rings } = topology.shared || me < 0 ? kept(ids, links) : around(ids, me, roundTrips(links, me));
  const state = Uint8Array.from(topology.nodes, (node) =>
    node.id === self ? STATE.self : (STATE_OF[node.state] ?? STATE.known),
  );
  const names = topology.nodes.map((node) => plain(node.label, 24));
  return { n: ids.length, x, y, rings, state, links, ids, index, label: (node) => names[node] };
}

function linksOf(list, index) {
  const known = list.filter(({ from, to }) => index.has(from) && index.has(to));
  return {
    n: known.length,
    from: Uint32Array.from(known, ({ from }) => index.get(from)),
    to: Uint32Array.from(known, ({ to }) => index.get(to)),
    rtt: Float32Array.from(known, ({ rtt_ms: rtt }) => rtt ?? NaN),
  };
}

function kept(ids, links) {
  const found = layOut(ids, links, places);
  places = new Map(ids.map((id, node) => [id, [found.x[node], found.y[node]]]));
  return found;
}

/** The round trip to each neighbour, with two digits: less would make the picture tremble. */
function roundTrips(links, me) {
  const found = new Map();
  for (let link = 0; link < links.n; link += 1) {
    const other = links.from[link] === me ? links.to[link] : links.from[link];
    if (links.rtt[link] > 0) found.set(other, Number(links.rtt[link].toPrecision(2)));
  }
  return (node) => found.get(node) ?? NaN;
}

/** Nodes and links alone, as a text: while it stays the same, so does the picture. */
export const shapeOf = (topology) =>
  JSON.stringify([
    topology.shared,
    topology.nodes,
    topology.links.map(({ from, to, rtt_ms: rtt }) => [from, to, topology.shared ? 0 : rtt?.toPrecision(2)]),
  ]);

/**
 * The wave a node tells of, on a scene; what the scene does not have is left out.
 * Clocks of different nodes differ: nothing arrives before it was made.
 * @param {{created_ms: number, deliveries: {node: string, from: string|null, at_ms: number, hops: number}[]}} trace
 */
export function waveOf(trace, scene) {
  const known = trace.deliveries
    .filter(({ node }) => scene.index.has(node))
    .sort((a, b) => a.at_ms - b.at_ms || a.hops - b.hops);
  const origin = known.find(({ from }) => from == null);
  const begin = origin?.at_ms ?? Math.min(trace.created_ms, known[0]?.at_ms ?? trace.created_ms);
  const wave = emptyWave(begin, known.length);
  known.forEach(({ node, from, at_ms: at, hops }, row) => {
    wave.at[row] = Math.max(begin, at);
    wave.node[row] = scene.index.get(node);
    wave.from[row] = scene.index.get(from) ?? -1;
    wave.hops[row] = hops;
  });
  wave.end = known.length ? wave.at[known.length - 1] : begin;
  return wave;
}

/** The topology with whatever a trace names besides. */
export function withTrace(topology, trace) {
  const known = new Set(topology.nodes.map((node) => node.id));
  const named = trace.deliveries.flatMap(({ node, from }) => [node, from]).concat(trace.given_to.map(({ id }) => id));
  const more = [...new Set(named)].filter((id) => id && !known.has(id));
  return more.length
    ? { ...topology, nodes: [...topology.nodes, ...more.map((id) => ({ id, label: id.slice(0, 8), state: "known" }))] }
    : topology;
}
