/** Time that can be run, held and moved. Draws nothing: it says where it is, once for each picture. */

/** How much recorded time passes while a second passes here. */
export const SPEEDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30];

export class Player {
  constructor() {
    this.begin = 0;
    this.end = 0;
    this.moment = 0;
    this.speed = 1;
    this.playing = false;
    this.listeners = new Set();
    this.asked = 0;
    this.last = 0;
  }

  /** Calls `listener(moment)` whenever the moment changes; `listener.state()` when anything else does. */
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** From when to when it runs; the moment is brought inside. */
  range(begin, end, moment = this.moment) {
    this.begin = begin;
    this.end = Math.max(begin, end);
    this.seek(moment);
    this.told();
  }

  seek(moment) {
    this.moment = Math.min(this.end, Math.max(this.begin, moment));
    for (const listener of this.listeners) listener.moment?.(this.moment);
  }

  play() {
    if (this.moment >= this.end) this.seek(this.begin);
    this.playing = true;
    this.last = performance.now();
    this.asked ||= requestAnimationFrame((now) => this.step(now));
    this.told();
  }

  hold() {
    this.playing = false;
    cancelAnimationFrame(this.asked);
    this.asked = 0;
    this.told();
  }

  toggle() {
    if (this.playing) this.hold();
    else this.play();
  }

  faster(speed) {
    this.speed = speed;
    this.told();
  }

  step(now) {
    this.asked = 0;
    if (!this.playing) return;
    this.seek(this.moment + Math.max(0, now - this.last) * this.speed);
    this.last = now;
    if (this.moment >= this.end) this.hold();
    else this.asked = requestAnimationFrame((next) => this.step(next));
  }

  told() {
    for (const listener of this.listeners) listener.state?.();
  }
}

/** The speed at which `length` milliseconds of a recording take about `wanted` here. */
export function speedFor(length, wanted = 5000) {
  const exact = length / wanted;
  return SPEEDS.reduce(
    (best, speed) => (Math.abs(Math.log(speed / exact)) < Math.abs(Math.log(best / exact)) ? speed : best),
    1,
  );
}
