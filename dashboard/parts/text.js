/** Foreign text on the page: always text nodes, hidden characters by name, and never out of its place. */

import { html, useState } from "../app/html.js";
import { cut, pieces, short } from "../app/words.js";

/**
 * Text that came from the network.
 * @param {{of: string, longest?: number, lines?: boolean}} props `lines` lets line feeds stand
 */
export function Text({ of, longest = 512, lines = false }) {
  const [whole, setWhole] = useState(false);
  const text = String(of ?? "");
  const shown = whole ? text : cut(text, longest);
  const more = text.length > longest;
  return html`<bdi class=${lines ? "text lines" : "text"}>${pieces(shown, lines).map((piece) =>
    piece.hidden
      ? html`<span class="odd" title="a character that is not seen otherwise">${piece.text}</span>`
      : piece.text,
  )}${more && !whole && "…"}</bdi>${
    more &&
    lines &&
    html` <button class="quiet"
      onClick=${() => setWhole(!whole)}>${whole ? "less" : `all ${text.length} characters`}</button>`
  }`;
}

/** An id by its beginning; all of it in the title. */
export function Id({ of, label }) {
  if (!of) return html`<span class="faint">–</span>`;
  return html`<span class="mono id" title=${of}>${label && label !== short(of) ? html`<${Text} of=${label}
    longest=${24} />` : short(of)}</span>`;
}
