/** The bulletins of a recording as a table; choosing one shows its wave. */

import { html, useMemo } from "../app/html.js";
import { count, span } from "../app/words.js";
import { Empty } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { momentName } from "./timeline.js";

export function Bulletins({ recording, onChoose }) {
  const rows = useMemo(
    () => recording.waves.map((one, number) => ({ ...one, number, took: one.wave.end - one.wave.begin })),
    [recording],
  );
  const columns = useMemo(
    () => [
      { key: "number", name: "#", by: (row) => row.number, show: (row) => String(row.number) },
      {
        key: "begin",
        name: "at",
        number: true,
        by: (row) => row.begin,
        show: (row) => momentName(row.begin, recording.end),
      },
      {
        key: "by",
        name: "by",
        number: true,
        by: (row) => row.publisher,
        show: (row) => (row.publisher < 0 ? "–" : `#${row.publisher}`),
      },
      { key: "reached", name: "nodes", number: true, by: (row) => row.wave.n, show: (row) => count(row.wave.n) },
      { key: "took", name: "last", number: true, by: (row) => row.took, show: (row) => span(row.took) },
    ],
    [recording],
  );
  if (rows.length === 0)
    return html`<${Empty} title="No bulletins"><p>Nothing was published in this recording.</p><//>`;
  return html`
    <section class="card" aria-label="Bulletins">
      <div class="card-head"><h2>Bulletins</h2><span class="faint">choose one to watch it spread</span></div>
      <${Table} label="Bulletins" rows=${rows} id=${(row) => String(row.number)} columns=${columns} sort="number"
        onOpen=${(id) => onChoose(Number(id))} />
    </section>`;
}
