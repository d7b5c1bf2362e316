/** The frame around the views: who this node is, how it stands, where to go. */

import { html, useEffect, useRef, useState } from "./html.js";
import { refreshAll, useAnswer } from "./live.js";
import { to } from "./route.js";
import { useStore } from "./store.js";
import { nextTheme } from "./theme.js";
import { count, span, uptime } from "./words.js";
import { Icon } from "../parts/icon.js";
import { Id, Text } from "../parts/text.js";
import { State } from "../parts/state.js";
import { VIEWS, viewOf } from "../views/list.js";

export function Shell() {
  const route = useStore((state) => state.route);
  const connection = useStore((state) => state.connection);
  const view = viewOf(route.view);
  const main = useRef(null);
  const seen = useRef(view.name);
  useEffect(() => {
    document.title = `${view.title} · bruit`;
    document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    if (seen.current !== view.name) main.current?.querySelector("h1")?.focus({ preventScroll: true });
    seen.current = view.name;
  }, [view.name]);
  const away = connection.state === "signed-out" && view.live;
  return html`
    <div class="shell">
      <a class="skip" href="#main" onClick=${(event) => {
        event.preventDefault();
        main.current.focus();
      }}>Skip to the view</a>
      <${Head} connection=${connection} />
      <${Nav} current=${view.name} />
      <main class="main" ref=${main} tabindex="-1" id="main">
        ${connection.state === "lost" && view.live && html`<${Lost} connection=${connection} />`}
        ${away ? html`<${SignedOut} view=${view} />` : html`<${view.body} key=${view.name}
          argument=${route.argument} />`}
      </main>
    </div>`;
}

function Head({ connection }) {
  const { data: status } = useAnswer("/v1/status");
  const known = status && connection.state !== "signed-out";
  return html`
    <header class="head">
      <a class="brand" href=${to("network")}><img src="icon.svg" alt="" />bruit</a>
      <dl class="facts">
        ${known && html`<${Facts} status=${status} />`}
      </dl>
      <span class="grow"></span>
      <${State} of=${connection.state} label=${CONNECTION[connection.state]} live />
      <${Theme} />
    </header>`;
}

const CONNECTION = { connecting: "connecting", live: "connected", lost: "connection lost", "signed-out": "signed out" };

function Facts({ status }) {
  const { links } = status;
  return html`
    <${Fact} name="node"><${Id} of=${status.id} /><//>
    <${Fact} name="network"><${Text} of=${status.network} longest=${32} /><//>
    <${Fact} name="links">${links.out} out, ${links.in} in<//>
    <${Fact} name="size">≈ ${count(status.network_size)}<//>
    <${Fact} name="up">${uptime(status.uptime_s)}<//>
    ${status.warnings.length > 0 && html`<${Fact} name="warnings">
      <a href=${to("defence")}>${status.warnings.length}</a><//>`}`;
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

function Theme() {
  const theme = useStore((state) => state.theme);
  const name = { auto: "as the system has it", light: "light", dark: "dark" }[theme];
  return html`<button class="quiet square" onClick=${nextTheme} title=${`Colours: ${name}`}
    aria-label=${`Colours: ${name}. Change`}><${Icon} name=${theme} /></button>`;
}

function Nav({ current }) {
  return html`
    <nav class="nav" aria-label="Views">
      <ul>
        ${VIEWS.map(
          (view) => html`
          <li key=${view.name} class=${view.live ? "" : "apart"}>
            <a href=${to(view.name)} aria-current=${view.name === current ? "page" : undefined}>
              <${Icon} name=${view.name} />${view.title}</a>
          </li>`,
        )}
        <li><a href="api.html"><${Icon} name="api" />API</a></li>
      </ul>
    </nav>`;
}

function Lost({ connection }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const wait = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
  return html`
    <div class="banner" role="alert">
      <div>
        <strong>The node does not answer</strong> for ${span(Math.round((now - connection.since) / 1000) * 1000)}. What you see is what it told last.
        <span class="soft"> Is it still running? Start it again with <code>bruit run</code>.</span></div>
      <button onClick=${refreshAll}>Try now${wait > 0 ? ` (${wait} s)` : ""}</button>
    </div>`;
}

function SignedOut({ view }) {
  return html`
    <div class="view-head"><h1 tabindex="-1">${view.title}</h1></div>
    <div class="empty">
      <h2>Open this page by its link</h2>
      <p>The node shows itself to nobody it does not know. A link signs this browser in, once, for as long as the browser is open.</p>
      <pre class="command">bruit dashboard</pre>
      <p class="soft">prints such a link. It works one time, within ten minutes. <code>bruit demo</code> prints one when it starts.</p>
      <p>Recordings of simulations open without a node: <a href=${to("recording")}>Recording</a>.</p>
    </div>`;
}
