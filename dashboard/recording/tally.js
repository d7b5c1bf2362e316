/** What a wave came to, in numbers. Pure: for recordings and for what nodes tell alike. */

import { upTo } from "../graph/scene.js";

/** Bars of a histogram of delays. */
const BARS = 16;

/** The value below which the share `q` of the ascending `values` lies. */
export function quantile(values, q) {
  if (values.length === 0) return NaN;
  return values[Math.min(values.length - 1, Math.max(0, Math.ceil(q * values.length) - 1))];
}

/** Reached nodes, hops and delays of a wave. */
export function tally(wave) {
  const delays = Array.from(wave.at, (at) => at - wave.begin).filter((_, row) => wave.from[row] >= 0);
  return {
    reached: wave.n,
    hops: wave.hops.reduce((most, hops) => Math.max(most, hops), 0),
    p50: quantile(delays, 0.5),
    p99: quantile(delays, 0.99),
    last: delays.at(-1) ?? NaN,
  };
}

/** How many deliveries took how many hops, up to `moment`. */
export function hopBars(wave, moment = Infinity) {
  const rows = upTo(wave.at, moment);
  const most = wave.hops.reduce((high, hops) => Math.max(high, hops), 0);
  const bars = Array.from({ length: most + 1 }, (_, hops) => ({ label: String(hops), n: 0 }));
  for (let row = 0; row < rows; row += 1) bars[wave.hops[row]].n += 1;
  return bars;
}

/** How many deliveries took how long, in bars of equal width. */
export function delayBars(wave, moment = Infinity) {
  const length = wave.end - wave.begin;
  const width = nice(length / BARS);
  const bars = Array.from({ length: Math.max(1, Math.floor(length / width) + 1) }, (_, at) => ({
    label: String(Number((at * width).toPrecision(6))),
    n: 0,
    tone: wave.n ? upTo(wave.at, wave.begin + (at + 0.5) * width) / wave.n : 0,
  }));
  const rows = upTo(wave.at, moment);
  for (let row = 0; row < rows; row += 1)
    bars[Math.min(bars.length - 1, Math.floor((wave.at[row] - wave.begin) / width))].n += 1;
  return bars;
}

/** The next of 1, 2, 5, 10, 20, 50 …: widths that people read. */
export function nice(value) {
  if (!(value > 0)) return 1;
  const size = 10 ** Math.floor(Math.log10(value));
  return size * [1, 2, 5, 10].find((step) => step * size >= value * 0.999);
}
