/**
 * Draws what stands still: links and nodes. They lie on a layer of their own that is drawn again only when they or the
 * camera change; what moves (paint-moving.js) is drawn over it.
 */

import { cross, diamond, disc, FONT, hair, write } from "./marks.js";
import { STATE } from "./scene.js";

/** The names of the colours a painter needs. */
export const COLOURS = [
  "ground",
  "surface",
  "line",
  "line-strong",
  "text",
  "text-2",
  "text-3",
  "accent",
  "warn",
  "bad",
  "link",
  "node",
  "wave-0",
  "wave-1",
  "wave-2",
  "wave-3",
  "wave-4",
];
/** More links than this are drawn as plain lines, without direction. */
const TAPERED_MAX = 600;
/** Up to so many nodes all have their names. */
export const NAMED_MAX = 60;

/** How large a node is drawn, by how many there are, how near, and how much room there is. */
export function radius(n, { zoom, width }) {
  const base = n <= 30 ? 8 : n <= 120 ? 6 : n <= 400 ? 4.2 : n <= 1200 ? 3 : 2.2;
  return base * Math.min(2, Math.max(1, Math.sqrt(zoom))) * Math.min(1, Math.max(0.55, Math.sqrt(width / 800)));
}

/** The layer below: distances, links, and every node as it stands. */
export function paintBase(g, scene, camera, colours, { dim = false } = {}) {
  g.clearRect(0, 0, camera.width, camera.height);
  if (scene.rings) paintRings(g, scene, camera, colours);
  const places = project(scene, camera);
  paintLinks(g, scene, places, colours, dim);
  paintNodes(g, scene, places, camera, colours, dim);
  return places;
}

/** Pixels of each node, computed once for a picture. */
export function project(scene, camera) {
  const x = new Float32Array(scene.n);
  const y = new Float32Array(scene.n);
  for (let node = 0; node < scene.n; node += 1) {
    x[node] = camera.px(scene.x[node]);
    y[node] = camera.py(scene.y[node]);
  }
  return { x, y, r: radius(scene.n, camera) };
}

function paintLinks(g, scene, { x, y, r }, colours, dim) {
  const { links } = scene;
  g.strokeStyle = colours.link;
  g.fillStyle = colours.link;
  const crowd = Math.min(1, (900 / Math.max(1, links.n)) ** 0.7);
  g.globalAlpha = (dim ? 0.2 : 0.5) * Math.max(0.1, crowd);
  if (links.n > TAPERED_MAX) {
    g.lineWidth = hair(g);
    g.beginPath();
    for (let link = 0; link < links.n; link += 1) {
      g.moveTo(x[links.from[link]], y[links.from[link]]);
      g.lineTo(x[links.to[link]], y[links.to[link]]);
    }
    g.stroke();
  } else {
    const broad = Math.min(3, r * 0.4) * Math.min(1, (40 / links.n) ** 0.4);
    for (let link = 0; link < links.n; link += 1)
      taper(g, x[links.from[link]], y[links.from[link]], x[links.to[link]], y[links.to[link]], broad);
  }
  g.globalAlpha = 1;
}

/** A link as a wedge: broad at who dialled, thin at who was dialled. */
function taper(g, x0, y0, x1, y1, width) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [nx, ny] = [-(y1 - y0) / length, (x1 - x0) / length];
  g.beginPath();
  g.moveTo(x0 + nx * width, y0 + ny * width);
  g.lineTo(x1 + nx * 0.3, y1 + ny * 0.3);
  g.lineTo(x1 - nx * 0.3, y1 - ny * 0.3);
  g.lineTo(x0 - nx * width, y0 - ny * width);
  g.fill();
}

function paintNodes(g, scene, places, camera, colours, dim) {
  const { r } = places;
  group(
    g,
    scene,
    places,
    STATE.up,
    () => {
      g.fillStyle = colours.node;
      g.globalAlpha = dim ? 0.35 : 1;
    },
    disc,
    r,
  );
  g.globalAlpha = 1;
  group(
    g,
    scene,
    places,
    STATE.known,
    () => {
      g.strokeStyle = colours["line-strong"];
      g.lineWidth = 1.2;
    },
    disc,
    r * 0.85,
    true,
  );
  group(
    g,
    scene,
    places,
    STATE.suspect,
    () => {
      g.strokeStyle = colours.warn;
      g.lineWidth = Math.max(1.5, r * 0.4);
    },
    disc,
    r * 0.8,
    true,
  );
  group(
    g,
    scene,
    places,
    STATE.dead,
    () => {
      g.strokeStyle = colours.bad;
      g.lineWidth = 1.5;
    },
    cross,
    r * 0.8,
    true,
  );
  group(
    g,
    scene,
    places,
    STATE.self,
    () => {
      g.fillStyle = colours.accent;
    },
    diamond,
    r * 1.5,
  );
  if (scene.n <= NAMED_MAX) names(g, scene, places, colours);
}

function group(g, scene, { x, y }, state, style, shape, r, stroked = false) {
  style();
  g.beginPath();
  for (let node = 0; node < scene.n; node += 1) if (scene.state[node] === state) shape(g, x[node], y[node], r);
  if (stroked) g.stroke();
  else g.fill();
}

function names(g, scene, { x, y, r }, colours) {
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "top";
  for (let node = 0; node < scene.n; node += 1) write(g, scene.label(node), x[node], y[node] + r + 3, colours);
}

/** Circles of equal round trip around the middle, where that is what distance means. */
function paintRings(g, scene, camera, colours) {
  g.strokeStyle = colours.line;
  g.lineWidth = 1;
  g.font = FONT;
  g.textAlign = "center";
  g.textBaseline = "bottom";
  for (const { share, name } of scene.rings) {
    g.beginPath();
    g.ellipse(camera.px(0.5), camera.py(0.5), share * camera.scaleX, share * camera.scaleY, 0, 0, 6.2832);
    g.stroke();
    g.fillStyle = colours["text-3"];
    g.fillText(name, camera.px(0.5), camera.py(0.5 - share) - 2);
  }
}
