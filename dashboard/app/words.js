/**
 * From values to what a person reads. Pure, and the only place that decides how numbers, times and
 * foreign text look.
 */

/** Bidirectional controls, zero-width and other format characters that hide or reorder what stands there. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\u{e0000}-\u{e0fff}]/u;
/** The names of those that do the most harm. */
const NAMES = new Map([
  [0x00, "NUL"],
  [0x07, "BEL"],
  [0x08, "BS"],
  [0x09, "TAB"],
  [0x0a, "LF"],
  [0x0d, "CR"],
  [0x1b, "ESC"],
  [0x7f, "DEL"],
  [0x202a, "LRE"],
  [0x202b, "RLE"],
  [0x202c, "PDF"],
  [0x202d, "LRO"],
  [0x202e, "RLO"],
  [0x2066, "LRI"],
  [0x2067, "RLI"],
  [0x2068, "FSI"],
  [0x2069, "PDI"],
  [0x200e, "LRM"],
  [0x200f, "RLM"],
  [0x061c, "ALM"],
  [0xfeff, "BOM"],
  [0x00ad, "SHY"],
  [0x200b, "ZWSP"],
]);

/**
 * Splits foreign text into what may stand as it is and what must be shown by name.
 * @param {string} text
 * @param {boolean} lines whether line feeds and tabs may stand
 * @returns {{text: string, hidden: boolean}[]} in order; `hidden` pieces are names such as ‹ESC› or ‹RLO›
 */
export function pieces(text, lines = false) {
  const found = [];
  let plain = "";
  for (const character of text) {
    if (!HIDDEN.test(character) || (lines && (character === "\n" || character === "\t"))) {
      plain += character;
      continue;
    }
    if (plain) found.push({ text: plain, hidden: false });
    plain = "";
    found.push({ text: nameOf(character.codePointAt(0)), hidden: true });
  }
  if (plain) found.push({ text: plain, hidden: false });
  return found;
}

/** Foreign text in one plain string, for labels and canvases. */
export function plain(text, longest = 80) {
  const whole = pieces(cut(text, longest))
    .map((piece) => piece.text)
    .join("");
  return text.length > longest ? `${whole}…` : whole;
}

/** The first `longest` characters, never half a character. */
export function cut(text, longest) {
  return text.length <= longest ? text : [...text.slice(0, longest * 2)].slice(0, longest).join("");
}

function nameOf(code) {
  return `‹${NAMES.get(code) ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`}›`;
}

/** The beginning of an id, enough to tell nodes apart and accepted by every command. */
export const short = (id) => plain(String(id), 8).replace("…", "");

/** Whole numbers with thin groups: 12 345. */
export function count(value) {
  if (value == null) return "–";
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number with about three digits. */
export function figure(value) {
  if (value == null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return count(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** Bytes: 640 B, 1.5 KiB, 12 MiB. */
export function bytes(value) {
  if (value == null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let size = value;
  while (size >= 1000 && at < units.length - 1) {
    size /= 1024;
    at += 1;
  }
  return `${at === 0 ? Math.round(size) : figure(size)} ${units[at]}`;
}

/** A span of time given in milliseconds, in the unit that suits it. */
export function span(ms) {
  if (ms == null || Number.isNaN(ms)) return "–";
  if (!Number.isFinite(ms)) return "∞";
  if (ms < 1000) return `${figure(ms < 100 ? Math.round(ms * 10) / 10 : Math.round(ms))} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${figure(Math.round(seconds * 100) / 100)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** How long a node has been up: 3 d 4 h, 12 min 5 s. */
export function uptime(seconds) {
  const parts = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .map(([size, unit], at) => {
      const rest = at === 0 ? seconds : seconds % parts[first][0];
      return `${Math.floor(rest / size)} ${unit}`;
    })
    .join(" ");
}

/** The time of day of a moment, in the reader's zone. */
export function clock(ms, withMillis = false) {
  const date = new Date(ms);
  const two = (value) => String(value).padStart(2, "0");
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

/** How long ago a moment was. */
export const ago = (ms, now = Date.now()) =>
  ms == null ? "never" : now - ms < 1500 ? "now" : `${span(Math.round((now - ms) / 1000) * 1000)} ago`;

/** One thing or several: plural(2, "node") is "2 nodes". */
export const plural = (n, word, many = `${word}s`) => `${count(n)} ${n === 1 ? word : many}`;
