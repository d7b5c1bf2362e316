/** The views, in the order of the menu. */

import { DefenceView } from "./defence.js";
import { LogView } from "./log.js";
import { NetworkView } from "./network.js";
import { PeersView } from "./peers.js";
import { RecordingView } from "./recording.js";
import { StoreView } from "./store.js";
import { TopicsView } from "./topics.js";
import { TrafficView } from "./traffic.js";
import { WavesView } from "./waves.js";

/**
 * @typedef {object} View
 * @property {string} name as in the address
 * @property {string} title
 * @property {boolean} live whether it asks something of a node
 * @property {(props: {argument: string}) => any} body
 */

/** @type {View[]} */
export const VIEWS = [
  { name: "network", title: "Network", live: true, body: NetworkView },
  { name: "waves", title: "Waves", live: true, body: WavesView },
  { name: "traffic", title: "Traffic", live: true, body: TrafficView },
  { name: "peers", title: "Peers", live: true, body: PeersView },
  { name: "topics", title: "Topics", live: true, body: TopicsView },
  { name: "store", title: "Store", live: true, body: StoreView },
  { name: "defence", title: "Defence", live: true, body: DefenceView },
  { name: "log", title: "Log", live: true, body: LogView },
  { name: "recording", title: "Recording", live: false, body: RecordingView },
];

/** The view of a name; the first where there is no such. */
export const viewOf = (name) => VIEWS.find((view) => view.name === name) ?? VIEWS[0];
