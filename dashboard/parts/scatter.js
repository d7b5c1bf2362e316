/** Points by two measures, on a canvas; the table beside it tells the same to who does not see it. */

import { html, useEffect, useRef } from "../app/html.js";
import { colours, onTheme } from "../app/theme.js";

const LEFT = 40;
const BOTTOM = 22;
const REACH = 12;

/**
 * @param {object} props
 * @param {string} props.label
 * @param {{x: number, y: number, r: number, shape: number}[]} props.points x and y in 0..1
 * @param {{at: number, name: string}[]} props.across marks of the axis below
 * @param {{at: number, name: string}[]} props.up marks of the axis at the side
 * @param {number} props.chosen
 * @param {(point: number) => void} props.onChoose
 */
export function Scatter({ label, points, across, up, chosen, onChoose }) {
  const canvas = useRef(null);
  const latest = useRef({});
  latest.current = { points, across, up, chosen };
  const paint = () => canvas.current && draw(canvas.current, latest.current);
  useEffect(() => {
    const observer = new ResizeObserver(paint);
    observer.observe(canvas.current);
    const end = onTheme(paint);
    return () => {
      observer.disconnect();
      end();
    };
  }, []);
  useEffect(paint, [points, chosen]);
  const press = (event) => {
    const box = canvas.current.getBoundingClientRect();
    onChoose(nearest(points, event.clientX - box.left, event.clientY - box.top, box.width, box.height));
  };
  return html`<canvas class="scatter" ref=${canvas} role="img" aria-label=${label} onClick=${press}></canvas>`;
}

const place = (point, width, height) => [
  LEFT + 8 + point.x * (width - LEFT - 20),
  height - BOTTOM - 8 - point.y * (height - BOTTOM - 20),
];

function nearest(points, px, py, width, height) {
  let [best, least] = [-1, REACH * REACH];
  points.forEach((point, at) => {
    const [x, y] = place(point, width, height);
    const far = (x - px) ** 2 + (y - py) ** 2;
    if (far < least) {
      least = far;
      best = at;
    }
  });
  return best;
}

function draw(canvas, { points, across, up, chosen }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const density = Math.min(2, devicePixelRatio || 1);
  canvas.width = width * density;
  canvas.height = height * density;
  const g = canvas.getContext("2d");
  g.scale(density, density);
  const tones = colours(canvas.parentElement, ["line", "text-3", "accent", "text", "series-2", "series-3"]);
  axes(g, width, height, across, up, tones, getComputedStyle(canvas).fontFamily);
  g.globalAlpha = points.length > 2000 ? 0.4 : 0.75;
  points.forEach((point) => {
    const [x, y] = place(point, width, height);
    g.fillStyle = [tones.accent, tones["series-2"], tones["series-3"]][point.shape % 3];
    g.beginPath();
    if (point.shape % 3 === 1) g.rect(x - point.r, y - point.r, 2 * point.r, 2 * point.r);
    else if (point.shape % 3 === 2) {
      g.moveTo(x, y - point.r * 1.3);
      g.lineTo(x + point.r * 1.3, y + point.r);
      g.lineTo(x - point.r * 1.3, y + point.r);
    } else g.arc(x, y, point.r, 0, 6.2832);
    g.fill();
  });
  g.globalAlpha = 1;
  if (!points[chosen]) return;
  const [x, y] = place(points[chosen], width, height);
  g.strokeStyle = tones.text;
  g.lineWidth = 2;
  g.beginPath();
  g.arc(x, y, points[chosen].r + 4, 0, 6.2832);
  g.stroke();
}

function axes(g, width, height, across, up, tones, family) {
  g.font = `11px ${family}`;
  g.fillStyle = tones["text-3"];
  g.strokeStyle = tones.line;
  g.lineWidth = 1;
  g.textAlign = "center";
  g.textBaseline = "top";
  for (const { at, name } of across) {
    const [x] = place({ x: at, y: 0 }, width, height);
    g.beginPath();
    g.moveTo(x, 4);
    g.lineTo(x, height - BOTTOM);
    g.stroke();
    g.fillText(name, x, height - BOTTOM + 5);
  }
  g.textAlign = "right";
  g.textBaseline = "middle";
  for (const { at, name } of up) {
    const [, y] = place({ x: 0, y: at }, width, height);
    g.beginPath();
    g.moveTo(LEFT, y);
    g.lineTo(width, y);
    g.stroke();
    g.fillText(name, LEFT - 5, y);
  }
}
