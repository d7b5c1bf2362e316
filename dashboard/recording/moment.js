/** A recording at one moment: who runs, which links there are, what was delivered lately. Pure. */

import { STATE, upTo } from "../graph/scene.js";

/** Most deliveries shown as lately. */
const RECENT_MAX = 6000;

/** Which version of links and lives a moment has: equal versions look alike. */
export function version(recording, moment) {
  return upTo(recording.links.changes, moment) * 1e6 + upTo(recording.lives.at, moment);
}

/** The states of the nodes at `moment`. */
export function states(recording, moment) {
  const found = new Uint8Array(recording.n);
  const rows = upTo(recording.lives.at, moment);
  for (let row = 0; row < rows; row += 1)
    found[recording.lives.node[row]] = recording.lives.up[row] ? STATE.up : STATE.dead;
  return found;
}

/** The links that are there at `moment`. */
export function linksAt(recording, moment) {
  const { begin, end, from, to } = recording.links;
  const rows = upTo(begin, moment);
  const found = { n: 0, from: new Uint32Array(rows), to: new Uint32Array(rows) };
  for (let row = 0; row < rows; row += 1) {
    if (end[row] <= moment) continue;
    found.from[found.n] = from[row];
    found.to[found.n] = to[row];
    found.n += 1;
  }
  return found;
}

/** The scene of a moment. */
export function sceneAt(recording, moment) {
  return {
    n: recording.n,
    x: recording.x,
    y: recording.y,
    label: (node) => `#${node}`,
    state: states(recording, moment),
    links: linksAt(recording, moment),
  };
}

/** The longest a wave of this recording took. */
export function longest(recording) {
  recording.longest ??= recording.waves.reduce((most, { wave }) => Math.max(most, wave.end - wave.begin), 0);
  return recording.longest;
}

/** The deliveries of the last `fade` milliseconds before `moment`, with their age in 0..1. */
export function recentAt(recording, moment, fade) {
  const found = [];
  recording.begins ??= Float64Array.from(recording.waves, ({ begin }) => begin);
  const first = upTo(recording.begins, moment - fade - longest(recording) - 1e-6);
  const last = upTo(recording.begins, moment);
  for (let at = last - 1; at >= first && found.length < RECENT_MAX; at -= 1) {
    const { wave } = recording.waves[at];
    for (let row = upTo(wave.at, moment) - 1; row >= 0 && wave.at[row] > moment - fade; row -= 1) {
      found.push({ node: wave.node[row], from: wave.from[row], age: (moment - wave.at[row]) / fade });
    }
  }
  return found;
}
