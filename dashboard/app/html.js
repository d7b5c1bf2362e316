/** The one place that names the vendored libraries of the page: templates and hooks. */

import { h, render, Fragment } from "../vendor/preact.js";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

/** Templates: html`<p>${text}</p>`. Whatever stands in braces becomes a text node, never markup. */
export const html = htm.bind(h);

export { render, Fragment, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };
