/** Reads a recording beside the page, so that the page stays quick. */

import { buffers, read, textOf, RecordingError } from "./read.js";

addEventListener("message", async ({ data: file }) => {
  try {
    const recording = read(await textOf(file));
    postMessage({ recording }, { transfer: buffers(recording) });
  } catch (error) {
    postMessage({
      failed: error instanceof RecordingError ? error.message : `the file cannot be read: ${error.message}`,
    });
  }
});
