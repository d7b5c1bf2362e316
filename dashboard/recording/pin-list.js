/** The promises that were not kept, each with its moment. */

import { html } from "../app/html.js";
import { Text } from "../parts/text.js";
import { momentName } from "./timeline.js";

/** How many are listed. */
const SHOWN = 50;

export function PinList({ recording, onPin }) {
  const { pins } = recording;
  if (pins.length === 0)
    return html`<p class="kept"><span class="state good">
      <span aria-hidden="true">●</span> every promise was kept</span></p>`;
  return html`
    <section class="card" aria-label="Broken promises">
      <div class="card-head"><h2>Broken promises</h2><span class="faint">${pins.length}</span></div>
      <ul class="list">${pins.slice(0, SHOWN).map(
        (pin, at) => html`
        <li key=${at}><button class="row" onClick=${() => onPin(at)}>
          <span class="state bad" aria-hidden="true">▼</span> ${momentName(pin.at, recording.end)} <strong>
          <${Text} of=${pin.promise} longest=${40} /></strong></button>
          <p class="soft"><${Text} of=${pin.what} longest=${200} /></p></li>`,
      )}</ul>
      ${pins.length > SHOWN && html`<p class="faint">and ${pins.length - SHOWN} more</p>`}
    </section>`;
}
