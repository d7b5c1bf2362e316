/**
 * Reads a recording of `bruit sim` (docs/recording.md) into columns. Everything a file says is checked before
 * it is believed: a damaged or foreign file ends in an error that says what is wrong with it.
 */

import { emptyWave } from "../graph/scene.js";

/** The format this page reads. */
const VERSION = 1;
/** Longest text of a recording that is taken, in bytes after decompression. */
const TEXT_BYTES_MAX = 512 * 1024 * 1024;
/** Most nodes. */
const NODES_MAX = 200_000;

/** What is wrong with a file. */
export class RecordingError extends Error {}

/**
 * @typedef {object} Recording
 * @property {any} head the first line
 * @property {number} n nodes
 * @property {number} end in milliseconds, like every time here
 * @property {Float32Array} x
 * @property {Float32Array} y
 * @property {{begin: number, end: number, kind: string, what: string}[]} bands
 * @property {{at: Float64Array, up: Uint8Array, node: Uint32Array}} lives
 * @property {{n: number, begin: Float64Array, end: Float64Array, from: Uint32Array, to: Uint32Array, changes: Float64Array}} links
 * @property {{begin: number, publisher: number, bytes: number, id: string, wave: import("../graph/scene.js").Wave}[]} waves
 * @property {{at: number, promise: string, node: number, wave: number|null, what: string}[]} pins
 */

/** The text of a file, unpacked where it is packed. */
export async function textOf(file) {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bounded(file.stream());
  return bounded(file.stream().pipeThrough(new DecompressionStream("gzip"))).catch((error) => {
    if (error instanceof RecordingError) throw error;
    throw new RecordingError("the file is damaged: it does not unpack to its end");
  });
}

async function bounded(stream) {
  let size = 0;
  const count = new TransformStream({
    transform(chunk, out) {
      size += chunk.byteLength;
      if (size > TEXT_BYTES_MAX) out.error(new RecordingError(`the file unpacks to more than ${TEXT_BYTES_MAX} bytes`));
      else out.enqueue(chunk);
    },
  });
  return new Response(stream.pipeThrough(count)).text();
}

/** @param {string} text @returns {Recording} */
export function read(text) {
  const lines = text.trimEnd().split("\n");
  const head = headOf(lines[0]);
  const ms = head.tick_us / 1000;
  const recording = {
    head,
    n: head.nodes,
    end: head.end * ms,
    x: new Float32Array(head.nodes),
    y: new Float32Array(head.nodes),
    bands: [],
    waves: [],
    pins: [],
  };
  const tables = { lives: [], links: [] };
  check(lines.length - 1 === head.lines, `${head.lines} lines should follow the first, and ${lines.length - 1} do`);
  for (let at = 1; at < lines.length; at += 1) take(parsed(lines[at], at + 1), at + 1, recording, tables, ms);
  recording.lives = lives(tables.lives, head.nodes, ms);
  recording.links = intervals(tables.links, head.nodes, ms);
  return recording;
}

function headOf(line) {
  const head = parsed(line ?? "", 1);
  check(head && head.bruit === "simulation", "this is no recording of `bruit sim`: its first line does not say so");
  check(
    head.version === VERSION,
    `the recording is of version ${Number(head.version)}, and this page reads version ${VERSION}`,
  );
  check(Number.isInteger(head.nodes) && head.nodes > 0 && head.nodes <= NODES_MAX, `${Number(head.nodes)} nodes`);
  check(head.tick_us > 0 && head.end >= 0, "its times make no sense");
  return head;
}

function parsed(line, number) {
  try {
    return JSON.parse(line);
  } catch {
    throw new RecordingError(
      number === 1
        ? "this is no recording of `bruit sim`: its first line is no JSON"
        : `line ${number} is no JSON: the file was cut or damaged`,
    );
  }
}

function take(line, number, recording, tables, ms) {
  const [word, ...rest] = line;
  const node = (value) => {
    check(
      Number.isInteger(value) && value >= 0 && value < recording.n,
      `line ${number} names a node that is not there`,
    );
    return value;
  };
  switch (word) {
    case "places":
      places(rest, recording);
      break;
    case "band":
      recording.bands.push({
        begin: rest[0] * ms,
        end: rest[1] == null ? recording.end : rest[1] * ms,
        kind: String(rest[2]),
        what: String(rest[3]),
      });
      break;
    case "lives":
      check(even(rest.slice(1)), `line ${number} has columns of unequal length`);
      tables.lives.push(rest);
      break;
    case "links":
      check(even(rest.slice(1)), `line ${number} has columns of unequal length`);
      tables.links.push(rest);
      break;
    case "wave":
      recording.waves.push(wave(rest, node, number, ms));
      break;
    case "pin":
      recording.pins.push({
        at: rest[0] * ms,
        promise: String(rest[1]),
        node: rest[2],
        wave: rest[3],
        what: String(rest[4]),
      });
      break;
    default: // a later version may say more
  }
}

function places([x, y], recording) {
  check(x?.length === recording.n && y?.length === recording.n, "not every node has a place");
  for (let node = 0; node < recording.n; node += 1) {
    recording.x[node] = x[node] / 1000;
    recording.y[node] = y[node] / 1000;
  }
}

function wave([at, publisher, bytes, id, after, nodes, from, hops], node, number, ms) {
  check(even([after, nodes, from, hops]), `line ${number} has columns of unequal length`);
  const found = emptyWave(at * ms, nodes.length);
  let tick = at;
  for (let row = 0; row < nodes.length; row += 1) {
    tick += after[row];
    found.at[row] = tick * ms;
    found.node[row] = node(nodes[row]);
    found.from[row] = from[row] === -1 ? -1 : node(from[row]);
    found.hops[row] = hops[row];
  }
  if (found.n) found.end = found.at[found.n - 1];
  return { begin: found.begin, publisher: publisher ?? -1, bytes, id: String(id), wave: found };
}

function lives(lines, n, ms) {
  const size = lines.reduce((sum, [, after]) => sum + after.length, 0);
  const found = { at: new Float64Array(size), up: new Uint8Array(size), node: new Uint32Array(size) };
  let at = 0;
  each(lines, ([begin, after, up, node]) =>
    walk(begin, after, (tick, row) => {
      check(node[row] < n, "a node died that is not there");
      found.at[at] = tick * ms;
      found.up[at] = up[row];
      found.node[at] = node[row];
      at += 1;
    }),
  );
  return found;
}

/** Comings and goings become spans: from when to when a link was there. */
function intervals(lines, n, ms) {
  const begin = [];
  const [end, from, to] = [[], [], []];
  const changes = [];
  const open = new Map();
  each(lines, ([first, after, up, froms, tos]) =>
    walk(first, after, (tick, row) => {
      const [a, b] = [froms[row], tos[row]];
      check(a < n && b < n, "a link names a node that is not there");
      const name = a * n + b;
      changes.push(tick * ms);
      if (up[row]) {
        const link = begin.push(tick * ms) - 1;
        end.push(Infinity);
        from.push(a);
        to.push(b);
        const twins = open.get(name);
        if (twins) twins.push(link);
        else open.set(name, [link]);
      } else {
        const link = open.get(name)?.pop();
        if (link !== undefined) end[link] = tick * ms;
      }
    }),
  );
  return {
    n: begin.length,
    begin: Float64Array.from(begin),
    end: Float64Array.from(end),
    from: Uint32Array.from(from),
    to: Uint32Array.from(to),
    changes: Float64Array.from(changes),
  };
}

function walk(begin, after, step) {
  let tick = begin;
  for (let row = 0; row < after.length; row += 1) {
    tick += after[row];
    step(tick, row);
  }
}

const each = (lines, step) => lines.forEach(step);
const even = (columns) => columns.every((column) => Array.isArray(column) && column.length === columns[0].length);

function check(holds, why) {
  if (!holds) throw new RecordingError(why);
}

/** The buffers of a recording, to be handed over instead of copied. */
export function buffers(recording) {
  const { x, y, lives: life, links, waves } = recording;
  const columns = [x, y, ...Object.values(life), links.begin, links.end, links.from, links.to, links.changes];
  for (const { wave: one } of waves) columns.push(one.at, one.node, one.from, one.hops);
  return columns.map((column) => column.buffer);
}
