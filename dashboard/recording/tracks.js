/** What lies under the time slider: how many links there were, and when bulletins were published. Pure. */

import { upTo } from "../graph/scene.js";

/**
 * Columns for a range of time, each value in 0..1 of the most.
 * @param {import("./read.js").Recording} recording
 */
export function tracks(recording, begin, end, columns) {
  return { links: linkTrack(recording, begin, end, columns), bulletins: bulletinTrack(recording, begin, end, columns) };
}

function linkTrack(recording, begin, end, columns) {
  const { links } = recording;
  recording.ends ??= Float64Array.from(links.end).sort();
  const at = (moment) => upTo(links.begin, moment) - upTo(recording.ends, moment);
  return scaled(
    Float32Array.from({ length: columns }, (_, column) => at(begin + ((column + 0.5) / columns) * (end - begin))),
  );
}

function bulletinTrack(recording, begin, end, columns) {
  const found = new Float32Array(columns);
  for (const { begin: at } of recording.waves) {
    const column = Math.floor(((at - begin) / (end - begin)) * columns);
    if (column >= 0 && column < columns) found[column] += 1;
  }
  return scaled(found);
}

/** For one wave: how many had it at each column of time. */
export function waveTrack(wave, begin, end, columns) {
  return scaled(
    Float32Array.from({ length: columns }, (_, column) =>
      upTo(wave.at, begin + ((column + 1) / columns) * (end - begin)),
    ),
  );
}

function scaled(values) {
  const most = values.reduce((high, value) => Math.max(high, value), 0) || 1;
  return { most, values: values.map((value) => value / most) };
}

/** Pins that would lie on each other become one. */
export function grouped(pins, begin, end, columns = 120) {
  const groups = new Map();
  pins.forEach((pin, index) => {
    if (pin.at < begin || pin.at > end) return;
    const column = Math.floor(((pin.at - begin) / Math.max(1e-9, end - begin)) * columns);
    const group = groups.get(column) ?? { at: pin.at, first: index, n: 0 };
    group.n += 1;
    groups.set(column, group);
  });
  return [...groups.values()];
}

/** Faults that overlap in time lie in lanes under each other. */
export function lanes(bands, begin, end, most = 3) {
  const ends = [];
  return bands
    .filter((band) => band.end > begin && band.begin < end)
    .map((band) => {
      let lane = ends.findIndex((free) => free <= band.begin);
      if (lane < 0) lane = ends.length < most ? ends.length : most - 1;
      ends[lane] = Math.max(ends[lane] ?? 0, band.end);
      const share = (at) => Math.min(1, Math.max(0, (at - begin) / (end - begin)));
      return { ...band, lane, left: share(band.begin), width: share(band.end) - share(band.begin) };
    });
}
