/** Recordings of simulations: opened from a file, and looked at in time. Needs no node. */

import { html, useRef, useState } from "../app/html.js";
import { useStore, store } from "../app/store.js";
import { Failed, Loading } from "../parts/notice.js";
import { open } from "../recording/open.js";
import { Stage } from "../recording/stage.js";

export function RecordingView() {
  const recording = useStore((state) => state.recording);
  const [state, setState] = useState({});
  const take = async (file) => {
    if (!file) return;
    setState({ opening: file.name });
    const begun = performance.now();
    try {
      store.set({ recording: await open(file), recordingName: file.name, recordingBegun: begun });
      setState({});
    } catch (error) {
      setState({
        failed: {
          message: `${file.name}: ${error.message}`,
          fix: "open a file recording-*.jsonl.gz that bruit sim wrote",
        },
      });
    }
  };
  const drop = (event) => {
    event.preventDefault();
    void take(event.dataTransfer.files[0]);
  };
  return html`
    <div class="drop" onDragOver=${(event) => event.preventDefault()} onDrop=${drop}>
      ${
        recording && !state.opening && !state.failed
          ? html`<${Stage} key=${recording.head.trace} recording=${recording} tools=${html`<${Picker} onFile=${take}
            label="Open another" />`} />`
          : html`<${Door} state=${state} onFile=${take} />`
      }
    </div>`;
}

function Door({ state, onFile }) {
  return html`
    <div class="view-head"><h1 tabindex="-1">Recording</h1>
      <p>What happened in a simulated network, looked at in time.</p></div>
    ${state.failed && html`<${Failed} failure=${state.failed} />`}
    ${
      state.opening
        ? html`<p class="soft">Reading ${state.opening} …</p><${Loading} lines=${6} />`
        : html`
      <div class="empty door">
        <h2>Open a recording</h2>
        <p>Choose a file, or drop it here. It is read in this browser and goes nowhere.</p>
        <p><${Picker} onFile=${onFile} label="Choose a file" primary /></p>
        <p class="soft">Make one with a simulation:</p>
        <pre class="command">bruit sim dissemination --out DIR</pre>
        <p class="soft">then open <code>DIR/recording-1-rootcast.jsonl.gz</code>. <code>bruit sim list</code> names the scenarios: attacks, partitions, churn and others.</p>
      </div>`
    }`;
}

function Picker({ onFile, label, primary = false }) {
  const input = useRef(null);
  return html`
    <input class="hidden" type="file" accept=".gz,.jsonl" tabindex="-1" aria-hidden="true" ref=${input} onChange=${(
      event,
    ) => {
      void onFile(event.target.files[0]);
      event.target.value = "";
    }} />
    <button class=${primary ? "primary" : ""} onClick=${() => input.current.click()}>${label}</button>`;
}
