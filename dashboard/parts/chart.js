/** A chart over time, drawn by uPlot in the colours of the design, told in words to who does not see it. */

import { html, useEffect, useMemo, useRef, useState } from "../app/html.js";
import { colours, onTheme } from "../app/theme.js";
import { clock, figure } from "../app/words.js";
import uPlot from "../vendor/uplot.js";

const HEIGHT = 140;
const DASHES = [[], [5, 3], [2, 2], [8, 3, 2, 3]];

/** Steps of an axis of bytes: a person counts them in powers of two. */
const BYTE_STEPS = Array.from({ length: 44 }, (_, at) => 2 ** at);
/** Steps of an axis of things that are counted one by one. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
/** So many points are drawn of a curve; what has more is averaged. */
const POINTS = 400;

/**
 * @param {object} props
 * @param {string} props.title
 * @param {number[]} props.times seconds since 1970, in equal steps
 * @param {{label: string, values: (number|null)[], fill?: boolean}[]} props.series
 * @param {(value: number) => string} [props.format]
 * @param {boolean} [props.binary] whether values are bytes
 * @param {boolean} [props.band] fills what lies between the first two
 * @param {boolean} [props.steps] values are whole and hold until the next
 */
export function Chart({ title, times, series, format = figure, binary = false, band = false, steps = false }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(null);
  const data = useMemo(() => thin([times, ...series.map((one) => one.values)], steps), [times]);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const box = frame.current;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(options(box, { series, format, binary, band, steps, setAt }), latest.current, box);
    };
    build();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    observer.observe(box);
    const end = onTheme(build);
    return () => {
      observer.disconnect();
      end();
      plot.current.destroy();
      plot.current = null;
    };
  }, [series.length]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  const shown = (values) => (at == null ? values.findLast((value) => value != null) : values[at]);
  return html`
    <figure class="card chart">
      <figcaption><h2>${title}</h2>
        <span class="faint">${at == null ? "" : clock(data[0][at] * 1000)}</span></figcaption>
      <div role="img" aria-label=${`${title}. ${series.map((one) => told(one, format)).join("; ")}.`}
        ref=${frame}></div>
      <ul class="keys" aria-hidden="true">${series.map((one, number) => html`<li key=${one.label}
        class=${`key-${number}`}><i></i>${one.label} <strong>${word(shown(data[number + 1]), format)}</strong></li>`)}</ul>
    </figure>`;
}

const word = (value, format) => (value == null ? "–" : format(value));

/** A number without the zeros behind it: 7.50/s is 7.5/s. */
const bare = (text) => text.replace(/(\.\d*?)0+(?!\d)/, "$1").replace(/\.(?!\d)/, "");

/** Averages so many neighbours that about [`POINTS`] are left; curves that step are told by their last instead. */
export function thin([times, ...curves], steps) {
  const width = Math.ceil(times.length / POINTS);
  if (width <= 1) return [times, ...curves];
  const groups = Array.from({ length: Math.ceil(times.length / width) }, (_, at) => at * width);
  const one = (values, from) => {
    const known = values.slice(from, from + width).filter((value) => value != null);
    if (known.length === 0) return null;
    return steps ? known.at(-1) : known.reduce((sum, value) => sum + value, 0) / known.length;
  };
  return [groups.map((from) => times[from]), ...curves.map((values) => groups.map((from) => one(values, from)))];
}

/** What a line says, in a sentence. */
export function told({ label, values }, format) {
  const known = values.filter((value) => value != null);
  if (known.length === 0) return `${label}: nothing yet`;
  const most = known.reduce((high, value) => Math.max(high, value), -Infinity);
  return `${label}: now ${format(known.at(-1))}, most ${format(most)}`;
}

function options(frame, { series, format, binary, band, steps, setAt }) {
  const names = ["series-1", "series-2", "series-3", "series-4", "line", "text-3", "accent-soft"];
  const tones = colours(frame, names);
  const font = `11px ${getComputedStyle(frame).fontFamily}`;
  const axis = { stroke: tones["text-3"], font, grid: { stroke: tones.line, width: 1 }, ticks: { show: false } };
  const hours = (_, ticks) => ticks.map((tick) => clock(tick * 1000).slice(0, ticks[1] - ticks[0] < 60 ? 8 : 5));
  return {
    width: Math.max(50, frame.clientWidth),
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    cursor: { sync: { key: "time" }, drag: { x: false, y: false }, points: { size: 6 } },
    hooks: { setCursor: [(plot) => setAt(plot.cursor.idx ?? null)] },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, space: 60, size: 24, values: hours },
      {
        ...axis,
        size: 62,
        space: 26,
        incrs: binary ? BYTE_STEPS : steps ? WHOLE_STEPS : undefined,
        values: (_, ticks) => ticks.map((tick) => bare(format(tick))),
      },
    ],
    bands: band ? [{ series: [1, 2], fill: tones["accent-soft"] }] : [],
    series: [
      {},
      ...series.map((one, at) => ({
        label: one.label,
        stroke: tones[names[at % 4]],
        width: 1.5,
        dash: DASHES[at % 4],
        points: { show: false },
        fill: one.fill ? tones["accent-soft"] : undefined,
        spanGaps: false,
        paths: steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
      })),
    ],
  };
}
