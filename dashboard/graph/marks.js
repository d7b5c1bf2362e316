/** Small things that are drawn on a canvas: shapes, words, rings and arrows. */

/** The letters on a graph. */
export const FONT = "11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/**
 * The width of the thinnest line. Without a graphics card it costs a thirtieth of any broader one: 1,000 lines
 * in one path take 2 ms so, and 80 ms with a width of 1.2.
 */
export const hair = (g) => 1 / g.getTransform().a;

/** Shapes of nodes, added to the path of `g`. */
export const disc = (g, x, y, r) => {
  g.moveTo(x + r, y);
  g.arc(x, y, r, 0, 6.2832);
};
export const cross = (g, x, y, r) => {
  g.moveTo(x - r, y - r);
  g.lineTo(x + r, y + r);
  g.moveTo(x + r, y - r);
  g.lineTo(x - r, y + r);
};
export const diamond = (g, x, y, r) => {
  g.moveTo(x, y - r);
  g.lineTo(x + r, y);
  g.lineTo(x, y + r);
  g.lineTo(x - r, y);
  g.closePath();
};

/** A word with the ground behind it, so that it is read over links. */
export function write(g, text, x, y, colours, colour = colours["text-2"]) {
  g.lineWidth = 3;
  g.lineJoin = "round";
  g.strokeStyle = colours.surface;
  g.strokeText(text, x, y);
  g.fillStyle = colour;
  g.fillText(text, x, y);
}

/** A word on a plate of its own, over whatever stands there. */
export function plate(g, text, x, y, colours) {
  const width = g.measureText(text).width + 10;
  g.fillStyle = colours.surface;
  g.fillRect(x - width / 2, y - 2, width, 17);
  g.strokeStyle = colours.accent;
  g.lineWidth = 1;
  g.strokeRect(x - width / 2, y - 2, width, 17);
  g.fillStyle = colours.text;
  g.fillText(text, x, y + 1);
}

/** A ring. */
export function mark(g, x, y, r, colour, width) {
  g.beginPath();
  g.arc(x, y, r, 0, 6.2832);
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.stroke();
}

/** A line that ends in a head, before what it points at. */
export function arrow(g, x0, y0, x1, y1, gap) {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [ex, ey] = [x1 - dx * gap, y1 - dy * gap];
  g.beginPath();
  g.moveTo(x0 + dx * gap, y0 + dy * gap);
  g.lineTo(ex, ey);
  g.stroke();
  const head = Math.min(7, length / 3);
  g.beginPath();
  g.moveTo(ex, ey);
  g.lineTo(ex - dx * head - dy * head * 0.5, ey - dy * head + dx * head * 0.5);
  g.lineTo(ex - dx * head + dy * head * 0.5, ey - dy * head - dx * head * 0.5);
  g.closePath();
  g.fillStyle = g.strokeStyle;
  g.fill();
}
