/** Topics of this node; one is read and written to in the page. */

import { html, useEffect, useRef, useState } from "../app/html.js";
import { ask, withQuery } from "../app/api.js";
import { useAnswer, useStream } from "../app/live.js";
import { to } from "../app/route.js";
import { bytes, clock, figure, plural } from "../app/words.js";
import { Answered, Empty, Failed } from "../parts/notice.js";
import { State } from "../parts/state.js";
import { Id, Text } from "../parts/text.js";

/** How many bulletins of a topic are kept in the page. */
const KEPT = 500;
const LIVES = [
  ["10m", "10 minutes"],
  ["1h", "1 hour"],
  ["24h", "1 day"],
  ["7d", "7 days"],
];

export function TopicsView({ argument: topic }) {
  const topics = useAnswer("/v1/topics", 2000);
  return html`
    <div class="view-head"><h1 tabindex="-1">Topics</h1>
      <p>${topic ? "Read and write." : "Choose one to read and write."}</p></div>
    <div class="reading">
      <section class="card" aria-label="Topics">
        <${OpenOther} />
        <${Answered} answer=${topics}>${(list) => html`<${List} list=${list} topic=${topic} />`}<//>
      </section>
      ${topic ? html`<${Reader} key=${topic} topic=${topic} />` : html`<${Empty} title="No topic chosen">
        <p>Choose one of the list, or type the name of any: who publishes on it and who reads it need not know of each other.</p><//>`}
    </div>`;
}

function OpenOther() {
  const [name, setName] = useState("");
  const go = (event) => {
    event.preventDefault();
    if (name) {
      location.hash = to("topics", name);
      setName("");
    }
  };
  return html`<form class="inline" onSubmit=${go}><label class="field"><span>Open a topic</span>
    <input type="text" placeholder="news" value=${name} onInput=${(event) => setName(event.target.value)}
      spellcheck="false" autocomplete="off" /></label><button disabled=${!name}>Open</button></form>`;
}

function List({ list, topic }) {
  if (list.length === 0) return html`<p class="soft">Nobody at this node reads a topic yet.</p>`;
  return html`<ul class="pick">${list.map(
    (one) => html`
    <li key=${one.id}><a href=${to("topics", one.topic)} aria-current=${one.topic === topic ? "true" : undefined}>
      <span><${Text} of=${one.topic} longest=${60} /></span><small>${figure(one.in_per_s)}/s</small>
      <small class="second">${plural(one.subscribers, "reader")} here, ${one.retained} kept</small></a></li>`,
  )}</ul>`;
}

function Reader({ topic }) {
  const stream = useStream(withQuery("/v1/subscribe", { topic, since: "1h" }), KEPT);
  return html`
    <section class="card reader" aria-label="Bulletins">
      <div class="card-head"><h2><${Text} of=${topic} longest=${80} /></h2>
        <${State} of=${stream.state}
          label=${{ open: "reading", opening: "connecting", closed: "not allowed or ended" }[stream.state]} /></div>
      ${stream.missed > 0 && html`<p
        class="banner">${plural(stream.missed, "bulletin")} went by too quickly to be shown.</p>`}
      <${Bulletins} items=${stream.items} state=${stream.state} />
      <${Write} topic=${topic} />
    </section>`;
}

function Bulletins({ items, state }) {
  const list = useRef(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current) list.current.scrollTop = list.current.scrollHeight;
  }, [items]);
  const scrolled = (event) => {
    const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 30;
  };
  return html`<ol class="bulletins" ref=${list} onScroll=${scrolled} tabindex="0" aria-label="Bulletins, newest last">
    ${items.length === 0 && html`<li
      class="soft nothing">${state === "open" ? "Nothing in the last hour. Write something below." : "Waiting for the node."}</li>`}
    ${items.map((one) => html`<${Bulletin} key=${one.key} one=${one} />`)}</ol>`;
}

function Bulletin({ one }) {
  return html`<li>
    <div class="meta">
      <time title=${new Date(one.created_ms).toString()}>${clock(one.created_ms)}</time> <${Id} of=${one.author} />
      <a class="faint"
        href=${to("waves", one.id)}>${one.from ? plural(one.hops, "hop") : "made here"}</a>${one.tag && html` <${Text}
        of=${one.tag} longest=${32} />`}</div>
    ${one.body != null ? html`<${Text} of=${one.body} longest=${2000} lines />` : html`<span
      class="soft">${bytes(one.size)} that are no text</span>`}
  </li>`;
}

function Write({ topic }) {
  const [body, setBody] = useState("");
  const [ttl, setTtl] = useState("1h");
  const [state, setState] = useState({});
  const publish = async (event) => {
    event.preventDefault();
    if (!body || state.busy) return;
    setState({ busy: true });
    try {
      setState({ done: await ask("/v1/bulletins", { method: "POST", body: { topic, body, ttl }, timeout: 60_000 }) });
      setBody("");
    } catch (failure) {
      setState({ failure });
    }
  };
  const key = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void publish(event);
  };
  return html`
    <form class="write" onSubmit=${publish} aria-label="Publish">
      <label class="field"><span>Message</span>
        <textarea rows="2" value=${body} onInput=${(event) => setBody(event.target.value)}
          onKeyDown=${key}></textarea></label>
      <div class="inline">
        <label>valid for <select value=${ttl}
          onChange=${(event) => setTtl(event.target.value)}>${LIVES.map(([value, word]) => html`<option key=${value}
          value=${value}>${word}</option>`)}</select></label>
        <button class="primary" disabled=${!body || state.busy}>${state.busy ? "Publishing" : "Publish"}</button>
        <span role="status">${state.done && html`<${State} of=${state.done.result} label=${state.done.result} /> <span
          class="soft">to ${plural(state.done.neighbours, "neighbour")}${state.done.work_ms > 0 ? `, ${state.done.work_ms} ms of work` : ""}:</span> <a href=${to("waves", state.done.id)}>watch it spread</a>`}</span>
      </div>
      ${state.failure && html`<${Failed} failure=${state.failure} />`}
    </form>`;
}
