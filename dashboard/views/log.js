/** What the node writes down, as it does. */

import { html, useEffect, useMemo, useRef, useState } from "../app/html.js";
import { ask } from "../app/api.js";
import { useStream } from "../app/live.js";
import { clock, plural } from "../app/words.js";
import { Failed } from "../parts/notice.js";
import { State } from "../parts/state.js";
import { Text } from "../parts/text.js";

/** How many lines are kept in the page, and how many of them are shown. */
const KEPT = 2000;
const SHOWN = 400;
const LEVELS = ["error", "warn", "info", "debug", "trace"];
const MARKS = {
  error: ["✕", "bad"],
  warn: ["▲", "warn"],
  info: ["●", "good"],
  debug: ["○", "soft"],
  trace: ["·", "soft"],
};

export function LogView() {
  const [least, setLeast] = useState("info");
  const [text, setText] = useState("");
  const [paused, setPaused] = useState(false);
  const stream = useStream("/v1/logs", KEPT, paused);
  const fit = useMemo(() => stream.items.filter((line) => shown(line, least, text)), [stream.items, least, text]);
  return html`
    <div class="view-head"><h1 tabindex="-1">Log</h1>
      <${State} of=${paused ? "paused" : stream.state}
        label=${paused ? "held" : { open: "following", opening: "connecting", closed: "not told" }[stream.state]} />
      <div class="tools">
        <label>from <select value=${least}
          onChange=${(event) => setLeast(event.target.value)}>${LEVELS.map((level) => html`<option
          key=${level}>${level}</option>`)}</select></label>
        <label><span class="hidden">Filter</span>
          <input type="search" placeholder="Filter by text" value=${text}
            onInput=${(event) => setText(event.target.value)} /></label>
        <button aria-pressed=${paused} onClick=${() => setPaused(!paused)}>Hold</button>
        <button onClick=${stream.clear}>Clear</button>
      </div></div>
    ${stream.state === "closed" && html`<p
      class="banner">The node does not tell its log to this browser. It is in <code>run.log</code> of its data folder.</p>`}
    <${Lines} lines=${fit} paused=${paused} state=${stream.state} filtered=${fit.length < stream.items.length} />
    <${Level} />`;
}

/** Whether a line is at least of a level and has a text in it. */
export function shown(line, least, text) {
  const level = String(line.level).toLowerCase();
  return (
    LEVELS.indexOf(level) <= LEVELS.indexOf(least) &&
    (!text || `${line.target} ${line.text}`.toLowerCase().includes(text.toLowerCase()))
  );
}

function Lines({ lines, paused, state, filtered }) {
  const list = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && !paused) list.current.scrollTop = list.current.scrollHeight;
  }, [lines]);
  const scrolled = (event) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 30;
  };
  const hidden = Math.max(0, lines.length - SHOWN);
  return html`<ol class="card log" ref=${list} onScroll=${scrolled} tabindex="0" aria-label="Lines, newest last">
    ${hidden > 0 && html`<li class="soft">${plural(hidden, "line")} before</li>`}
    ${lines.length === 0 && html`<li
      class="soft">${state !== "open" ? "Waiting for the node." : filtered ? "No line fits." : "Nothing written yet. Below you can ask for more, such as info,bruit=debug."}</li>`}
    ${lines.slice(-SHOWN).map((line) => html`<${Line} key=${line.key} line=${line} />`)}</ol>`;
}

function Line({ line }) {
  const level = String(line.level).toLowerCase();
  const [mark, tone] = MARKS[level] ?? MARKS.trace;
  return html`<li><time>${clock(line.at_ms, true)}</time><span class=${`state ${tone}`}>
    <span aria-hidden="true">${mark}</span> ${level}</span><span class="target">
    <${Text} of=${line.target} longest=${60} /></span><span><${Text} of=${line.text} longest=${1000} /></span></li>`;
}

function Level() {
  const [filter, setFilter] = useState("");
  const [state, setState] = useState({});
  const set = async (event) => {
    event.preventDefault();
    try {
      await ask("/v1/logs", { method: "PUT", body: { filter } });
      setState({ done: filter });
    } catch (failure) {
      setState({ failure });
    }
  };
  return html`<form class="card join" onSubmit=${set} aria-label="What is written">
    <label class="field"><span>What the node writes from now on</span>
      <input type="text" placeholder="info,bruit=debug" value=${filter}
        onInput=${(event) => setFilter(event.target.value)} spellcheck="false" autocomplete="off" /></label>
    <button disabled=${!filter}>Set</button>
    <div role="status">${state.done && html`It writes <code>${state.done}</code>.`}</div>
    ${state.failure && html`<${Failed} failure=${state.failure} />`}</form>`;
}
