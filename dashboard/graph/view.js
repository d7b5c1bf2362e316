/** The graph as a part of a page: its canvas, its buttons, its keys, and words for who does not see it. */

import { html, useEffect, useRef } from "../app/html.js";
import { Icon } from "../parts/icon.js";
import { GraphCanvas } from "./canvas.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {object} props
 * @param {import("./scene.js").Scene|null} props.scene
 * @param {import("./scene.js").Wave|null} [props.wave]
 * @param {number} props.chosen a node, or −1
 * @param {(node: number) => void} props.onChoose
 * @param {string} props.label what this graph shows, in a sentence
 * @param {(node: number) => string} [props.word] what is written at a node that is pointed at
 * @param {{current: GraphCanvas|null}} [props.canvas] takes the canvas, for who moves it through time
 */
export function Graph({ scene, wave = null, chosen, onChoose, label, word, canvas: outer, children }) {
  const frame = useRef(null);
  const inner = useRef(null);
  const latest = useRef({});
  latest.current = { onChoose, chosen };
  useEffect(() => {
    const canvas = new GraphCanvas(frame.current, (node) => latest.current.onChoose(node));
    inner.current = canvas;
    if (outer) outer.current = canvas;
    frame.current.graph = canvas;
    return () => {
      canvas.close();
      inner.current = null;
      if (outer) outer.current = null;
    };
  }, []);
  useEffect(() => {
    if (scene) inner.current.show(scene);
  }, [scene]);
  useEffect(() => {
    inner.current.showWave(wave);
  }, [wave]);
  useEffect(() => {
    inner.current.choose(chosen);
  }, [chosen]);
  useEffect(() => {
    if (word) inner.current.word = word;
    inner.current.ask();
  }, [word]);
  const press = (event) => key(event, inner.current, latest.current);
  return html`
    <div class="graph">
      <div class="graph-frame" ref=${frame} tabindex="0" role="application"
        aria-label=${`${label} Arrow keys go from node to node, plus and minus zoom, 0 shows all, Escape lets go.`}
        onKeyDown=${press}></div>
      <div class="graph-tools" role="group" aria-label="Graph">
        <button class="square" onClick=${() => inner.current.zoom(1.4)} aria-label="Nearer" title="Nearer (+)">
          <${Icon} name="plus" /></button>
        <button class="square" onClick=${() => inner.current.zoom(1 / 1.4)} aria-label="Farther" title="Farther (−)">
          <${Icon} name="minus" /></button>
        <button class="square" onClick=${() => inner.current.fit()} aria-label="Show all" title="Show all (0)">
          <${Icon} name="fit" /></button>
      </div>
      ${children}
      <p class="hidden"
        role="status">${chosen >= 0 && scene && chosen < scene.n ? `Chosen: ${word ? word(chosen) : scene.label(chosen)}` : ""}</p>
    </div>`;
}

function key(event, canvas, { onChoose, chosen }) {
  if (!canvas?.scene || event.ctrlKey || event.metaKey || event.altKey) return;
  const arrow = ARROWS[event.key];
  if (arrow) onChoose(canvas.neighbour(chosen, ...arrow));
  else if (event.key === "+" || event.key === "=") canvas.zoom(1.4);
  else if (event.key === "-") canvas.zoom(1 / 1.4);
  else if (event.key === "0") canvas.fit();
  else if (event.key === "Escape") onChoose(-1);
  else return;
  event.preventDefault();
}
