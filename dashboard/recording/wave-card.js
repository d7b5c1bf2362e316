/** One wave in numbers and histograms, as far as it has come. */

import { html, useEffect, useMemo, useState } from "../app/html.js";
import { count, span } from "../app/words.js";
import { Scale } from "../graph/legend.js";
import { upTo } from "../graph/scene.js";
import { Figures } from "../parts/figures.js";
import { Histogram } from "../parts/histogram.js";
import { delayBars, hopBars, tally } from "./tally.js";

/** How often the histograms follow while time runs, in milliseconds. */
const PACE = 120;

/** @param {{wave: import("../graph/scene.js").Wave, of: number, player: import("./player.js").Player}} props `of` nodes could be reached */
export function WaveCard({ wave, of, player }) {
  const moment = usePaced(player);
  const all = useMemo(() => tally(wave), [wave]);
  const now = upTo(wave.at, moment);
  const delays = useMemo(() => delayBars(wave, moment), [wave, now]);
  const hops = useMemo(() => hopBars(wave, moment), [wave, now]);
  return html`
    <${Figures} items=${[
      {
        name: "reached",
        value: count(now),
        note: now < all.reached ? `then ${count(all.reached)}` : of ? `of ${count(of)}` : null,
      },
      { name: "half after", value: span(all.p50) },
      { name: "99 % after", value: span(all.p99) },
      { name: "last after", value: span(all.last), note: `${all.hops} hops` },
    ]} />
    <${Scale} wave=${wave} />
    <${Histogram} title="Deliveries by delay" unit="ms" bars=${delays} every=${Math.ceil(delays.length / 6)}
      note="ms" />
    <${Histogram} title="Deliveries by hops" unit="hops" bars=${hops} every=${Math.ceil(hops.length / 16)} />`;
}

/** The player's moment, some times a second. */
export function usePaced(player) {
  const [moment, setMoment] = useState(player.moment);
  useEffect(() => {
    let timer = 0;
    const late = () => {
      timer = 0;
      setMoment(player.moment);
    };
    const end = player.listen({
      moment: () => {
        timer ||= setTimeout(late, PACE);
      },
    });
    setMoment(player.moment);
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [player]);
  return moment;
}
