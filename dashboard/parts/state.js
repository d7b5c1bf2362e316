/** How something stands, by shape and word; colour only repeats it. */

import { html } from "../app/html.js";

/** What each state looks like: a mark and a tone. */
const LOOKS = {
  live: ["●", "good"],
  up: ["●", "good"],
  linked: ["●", "good"],
  alive: ["●", "good"],
  open: ["●", "good"],
  self: ["◆", "accent"],
  spread: ["●", "good"],
  stored: ["●", "good"],
  accepted: ["●", "good"],
  connecting: ["◌", "soft"],
  opening: ["◌", "soft"],
  known: ["○", "soft"],
  "signed-out": ["○", "soft"],
  queued: ["◌", "soft"],
  suspect: ["◐", "warn"],
  lost: ["▲", "warn"],
  closing: ["◑", "warn"],
  paused: ["◑", "warn"],
  dead: ["✕", "bad"],
  closed: ["✕", "bad"],
  failed: ["✕", "bad"],
};

/** @param {{of: string, label?: string, live?: boolean}} props `live` announces changes */
export function State({ of, label = of, live = false }) {
  const [mark, tone] = LOOKS[of] ?? ["○", "soft"];
  return html`<span class=${`state ${tone}`} role=${live ? "status" : undefined}>
    <span aria-hidden="true">${mark}</span> ${label}</span>`;
}
