/** A file becomes a recording, read by a worker. */

/** @param {File} file @returns {Promise<import("./read.js").Recording>} */
export function open(file) {
  const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const done = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.recording ? resolve(data.recording) : reject(new Error(data.failed)));
    worker.onerror = () => reject(new Error("the file cannot be read by this browser"));
  });
  worker.postMessage(file);
  return done.finally(() => worker.terminate());
}
