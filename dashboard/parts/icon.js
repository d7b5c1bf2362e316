/** Small drawings beside words: they repeat the word and are hidden from screen readers. */

import { html } from "../app/html.js";

/** Paths on a square of 16, drawn with a line. */
const PATHS = {
  network: "M8 8 3.500 4M8 8l5-3M8 8l1.500 5M3.500 4h.01M13 5h.01M9.500 13h.01",
  waves: "M8 8h.01M5 8a3 3 0 0 1 6 0a3 3 0 0 1-6 0M2 8a6 6 0 0 1 12 0a6 6 0 0 1-12 0",
  traffic: "M2 13V9M6 13V4M10 13V7M14 13V2",
  peers: "M2 6h12M2 10h12M11 3l3 3-3 3M5 7l-3 3 3 3",
  topics: "M2.500 3h11v8H7l-3 2.500V11H2.500z",
  store: "M2.500 4c0-2 11-2 11 0v8c0 2-11 2-11 0zM2.500 4c0 2 11 2 11 0M2.500 8c0 2 11 2 11 0",
  defence: "M8 2l5 2v4c0 3-2 5-5 6c-3-1-5-3-5-6V4z",
  log: "M2 4h12M2 8h9M2 12h6",
  recording: "M2.500 3h11v10h-11zM6.500 6v4l3.500-2z",
  api: "M5.500 4 2 8l3.500 4M10.500 4 14 8l-3.500 4",
  play: "M4.500 3v10l8-5z",
  pause: "M5 3v10M11 3v10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  close: "M4 4l8 8M12 4l-8 8",
  back: "M10 3 5 8l5 5",
  next: "M6 3l5 5-5 5",
  start: "M12 3 6 8l6 5M4 3v10",
  auto: "M8 2a6 6 0 0 1 0 12zM8 2a6 6 0 0 0 0 12",
  light:
    "M8 5.500a2.500 2.500 0 1 1 0 5a2.500 2.500 0 1 1 0-5M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1",
  dark: "M12.500 9.500A5.500 5.500 0 0 1 6.500 2.500a5.500 5.500 0 1 0 6 7z",
};

export function Icon({ name }) {
  return html`<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.500"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
