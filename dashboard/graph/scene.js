/**
 * What a graph shows, as columns of numbers: one shape for a live network and for a moment of a recording.
 *
 * @typedef {object} Scene
 * @property {number} n how many nodes
 * @property {Float32Array} x where each lies, in 0..1
 * @property {Float32Array} y
 * @property {Uint8Array} state one of STATE
 * @property {Links} links
 * @property {(node: number) => string} label what a node is called, already fit to be shown
 * @property {boolean} [rings] whether the distance from the middle is the round trip
 *
 * @typedef {object} Links
 * @property {number} n
 * @property {Uint32Array} from who dialled
 * @property {Uint32Array} to
 * @property {Float32Array} [rtt] in milliseconds; NaN where unknown
 *
 * @typedef {object} Wave how one bulletin spread
 * @property {number} begin when it began, in milliseconds
 * @property {number} end when its last delivery was
 * @property {number} n how many deliveries
 * @property {Float64Array} at when each was, ascending
 * @property {Int32Array} node to which node
 * @property {Int32Array} from from which neighbour; −1 where it was made
 * @property {Uint8Array} hops
 */

/** How a node stands. */
export const STATE = { up: 0, self: 1, suspect: 2, dead: 3, known: 4 };

/** The words of the API for it. */
export const STATE_OF = {
  self: STATE.self,
  linked: STATE.up,
  alive: STATE.up,
  up: STATE.up,
  suspect: STATE.suspect,
  dead: STATE.dead,
  known: STATE.known,
};
/** And back. */
export const STATE_WORDS = ["up", "self", "suspect", "dead", "known"];

/** A wave with columns for `n` deliveries. */
export const emptyWave = (begin, n) => ({
  begin,
  end: begin,
  n,
  at: new Float64Array(n),
  node: new Int32Array(n),
  from: new Int32Array(n),
  hops: new Uint8Array(n),
});

/** How many of the ascending `at[begin..end]` are at most `moment`, counted from 0. */
export function upTo(at, moment, begin = 0, end = at.length) {
  while (begin < end) {
    const middle = (begin + end) >>> 1;
    if (at[middle] <= moment) begin = middle + 1;
    else end = middle;
  }
  return begin;
}
