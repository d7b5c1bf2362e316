/** From the square of the nodes to the pixels of a canvas, and back. */

/** Nearest and farthest, as multiples of all being in view. */
const ZOOM_MIN = 0.5;
const ZOOM_MAX = 40;

export class Camera {
  constructor() {
    this.width = 1;
    this.height = 1;
    this.zoom = 1;
    /** What lies in the middle of the canvas, in 0..1. */
    this.x = 0.5;
    this.y = 0.5;
    this.margin = 28;
  }

  /** Pixels of a whole side of the square; narrow canvases stretch it to what they have. */
  get scaleX() {
    return Math.max(40, this.width - 2 * this.margin) * this.zoom;
  }
  get scaleY() {
    return Math.max(40, this.height - 2 * this.margin) * this.zoom;
  }

  px(x) {
    return (x - this.x) * this.scaleX + this.width / 2;
  }
  py(y) {
    return (y - this.y) * this.scaleY + this.height / 2;
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
  }

  fit() {
    this.zoom = 1;
    this.x = 0.5;
    this.y = 0.5;
  }

  pan(dx, dy) {
    this.x -= dx / this.scaleX;
    this.y -= dy / this.scaleY;
    this.hold();
  }

  /** Zooms so that what is at the pixel stays there. */
  zoomAt(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = [(px - this.width / 2) / this.scaleX + this.x, (py - this.height / 2) / this.scaleY + this.y];
    this.zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, this.zoom * factor));
    this.x = x - (px - this.width / 2) / this.scaleX;
    this.y = y - (py - this.height / 2) / this.scaleY;
    this.hold();
  }

  /** Brings a point into view if it is not. */
  show(x, y) {
    const [px, py] = [this.px(x), this.py(y)];
    if (px < 0 || px > this.width) this.x = x;
    if (py < 0 || py > this.height) this.y = y;
  }

  /** Never loses the square out of sight. */
  hold() {
    this.x = Math.min(1, Math.max(0, this.x));
    this.y = Math.min(1, Math.max(0, this.y));
  }
}
