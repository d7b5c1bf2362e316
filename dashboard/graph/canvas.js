/**
 * A graph on two canvases, with a camera and a pointer. Knows nothing of where its scene comes from: it is
 * given one, draws it when something changed, and says which node somebody means.
 *
 * Invariant: a picture is drawn at most once for each picture of the screen, and none when nothing changed.
 */

import { Camera } from "./camera.js";
import { COLOURS, paintBase } from "./paint.js";
import { paintChosen, paintHover, paintRecent, paintWave, waveScale } from "./paint-moving.js";
import { colours, onTheme, still } from "../app/theme.js";

/** How near a pointer must be, in pixels. */
const REACH = 14;
/** Finer screens are drawn as if they had so many pixels each. */
const DENSITY_MAX = 2;

export class GraphCanvas {
  /** @param {HTMLElement} frame @param {(node: number) => void} onChoose */
  constructor(frame, onChoose) {
    this.frame = frame;
    this.onChoose = onChoose;
    this.camera = new Camera();
    this.layers = [layer(frame, "base"), layer(frame, "top")];
    this.scene = null;
    this.wave = null;
    this.recent = null;
    this.moment = 0;
    this.chosen = -1;
    this.hovered = -1;
    this.word = (node) => this.scene.label(node);
    this.stale = true;
    this.asked = 0;
    /** How long the last pictures took, in milliseconds: tests read it. */
    this.costs = [];
    this.recolour();
    this.ends = [
      onTheme(() => {
        this.recolour();
        this.changed();
      }),
      this.watchSize(),
      this.watchPointer(),
    ];
  }

  /** Shows `scene` from now on. */
  show(scene) {
    this.scene = scene;
    if (this.hovered >= scene.n) this.hovered = -1;
    this.changed();
  }

  /** Shows `wave` over the scene; `null` none. */
  showWave(wave) {
    const dimmed = Boolean(this.wave);
    this.wave = wave;
    if (dimmed !== Boolean(wave)) this.stale = true;
    this.ask();
  }

  /** Goes to a moment of the wave, with what was delivered lately of all. */
  at(moment, recent = null) {
    this.moment = moment;
    this.recent = recent;
    this.ask();
  }

  choose(node) {
    this.chosen = node;
    if (node >= 0 && this.scene && node < this.scene.n) {
      const before = [this.camera.x, this.camera.y];
      this.camera.show(this.scene.x[node], this.scene.y[node]);
      if (before[0] !== this.camera.x || before[1] !== this.camera.y) this.stale = true;
    }
    this.ask();
  }

  zoom(factor) {
    this.camera.zoomAt(factor);
    this.changed();
  }
  fit() {
    this.camera.fit();
    this.changed();
  }

  /** Draws now what would be drawn with the next picture; answers how long it took. */
  paint() {
    cancelAnimationFrame(this.asked);
    this.asked = 0;
    if (!this.scene || this.camera.width < 2) return 0;
    const begin = performance.now();
    const [base, top] = this.layers;
    if (this.stale) this.places = paintBase(base.g, this.scene, this.camera, this.colours, { dim: Boolean(this.wave) });
    this.stale = false;
    top.g.clearRect(0, 0, this.camera.width, this.camera.height);
    this.paintTop(top.g);
    const took = performance.now() - begin;
    this.costs.push(took);
    if (this.costs.length > 600) this.costs.shift();
    return took;
  }

  paintTop(g) {
    const { scene, places, wave } = this;
    if (wave) paintWave(g, scene, places, wave, this.moment, this.scale, this.colours, { grow: !still() });
    else if (this.recent?.length) paintRecent(g, places, this.recent, this.colours);
    if (this.chosen >= 0 && this.chosen < scene.n)
      paintChosen(g, scene, places, this.chosen, this.colours, this.word(this.chosen));
    if (this.hovered >= 0 && this.hovered !== this.chosen)
      paintHover(g, scene, places, this.hovered, this.colours, this.word(this.hovered));
  }

  /** The node next to `node` in the direction of an arrow key; the middlemost where none is chosen. */
  neighbour(node, dx, dy) {
    const { x, y, n } = this.scene;
    const [fromX, fromY] = node >= 0 && node < n ? [x[node], y[node]] : [0.5 - dx * 1e-3, 0.5 - dy * 1e-3];
    let best = -1;
    let least = Infinity;
    for (let other = 0; other < n; other += 1) {
      if (other === node) continue;
      const along = (x[other] - fromX) * dx + (y[other] - fromY) * dy;
      const across = Math.abs((x[other] - fromX) * dy - (y[other] - fromY) * dx);
      if (along <= 0 || across > along * 1.2) continue;
      const cost = along + across * 1.5;
      if (cost < least) {
        least = cost;
        best = other;
      }
    }
    return best >= 0 ? best : node;
  }

  /** The node at a pixel, or −1. */
  nearest(px, py) {
    if (!this.places) return -1;
    const { x, y } = this.places;
    let best = -1;
    let least = REACH * REACH;
    for (let node = 0; node < this.scene.n; node += 1) {
      const far = (x[node] - px) ** 2 + (y[node] - py) ** 2;
      if (far < least) {
        least = far;
        best = node;
      }
    }
    return best;
  }

  close() {
    cancelAnimationFrame(this.asked);
    this.ends.forEach((end) => end());
    this.layers.forEach(({ canvas }) => canvas.remove());
  }

  changed() {
    this.stale = true;
    this.ask();
  }
  ask() {
    this.asked ||= requestAnimationFrame(() => this.paint());
  }

  recolour() {
    this.colours = colours(this.frame, COLOURS);
    this.scale = waveScale(this.colours);
  }

  watchSize() {
    const observer = new ResizeObserver(() => this.measure());
    observer.observe(this.frame);
    this.measure();
    return () => observer.disconnect();
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.frame;
    const density = Math.min(DENSITY_MAX, devicePixelRatio || 1);
    this.camera.resize(width, height);
    for (const { canvas, g } of this.layers) {
      canvas.width = width * density;
      canvas.height = height * density;
      g.setTransform(density, 0, 0, density, 0, 0);
    }
    this.changed();
  }

  watchPointer() {
    const pointers = new Map();
    let moved = 0;
    const place = (event) => {
      const box = this.frame.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const down = (event) => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, place(event));
      this.frame.setPointerCapture(event.pointerId);
      moved = 0;
    };
    const move = (event) => {
      const [px, py] = place(event);
      const before = pointers.get(event.pointerId);
      if (!before) {
        this.hover(this.nearest(px, py));
        return;
      }
      moved += Math.hypot(px - before[0], py - before[1]);
      if (pointers.size === 2) this.pinch(pointers, event.pointerId, [px, py]);
      else if (moved > 4) {
        this.camera.pan(px - before[0], py - before[1]);
        this.changed();
      }
      pointers.set(event.pointerId, [px, py]);
    };
    const up = (event) => {
      if (!pointers.delete(event.pointerId) || moved > 4 || event.type !== "pointerup") return;
      this.onChoose(this.nearest(...place(event)));
    };
    const leave = () => this.hover(-1);
    const wheel = (event) => {
      event.preventDefault();
      this.camera.zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), ...place(event));
      this.changed();
    };
    const handlers = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, pointerleave: leave };
    for (const [name, handler] of Object.entries(handlers)) this.frame.addEventListener(name, handler);
    this.frame.addEventListener("wheel", wheel, { passive: false });
    return () => {
      for (const [name, handler] of Object.entries(handlers)) this.frame.removeEventListener(name, handler);
      this.frame.removeEventListener("wheel", wheel);
    };
  }

  pinch(pointers, moving, to) {
    const [other] = [...pointers].filter(([id]) => id !== moving).map(([, place]) => place);
    const from = pointers.get(moving);
    const before = Math.hypot(from[0] - other[0], from[1] - other[1]);
    const after = Math.hypot(to[0] - other[0], to[1] - other[1]);
    if (before > 0) this.camera.zoomAt(after / before, (to[0] + other[0]) / 2, (to[1] + other[1]) / 2);
    this.changed();
  }

  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    this.frame.style.cursor = node >= 0 ? "pointer" : "grab";
    this.ask();
  }
}

function layer(frame, name) {
  const canvas = document.createElement("canvas");
  canvas.className = name;
  canvas.setAttribute("aria-hidden", "true");
  frame.append(canvas);
  return { canvas, g: canvas.getContext("2d") };
}
