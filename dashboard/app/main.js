/** Starts the page. */

import { html, render } from "./html.js";
import { Shell } from "./shell.js";
import { startRoute } from "./route.js";
import { restoreTheme } from "./theme.js";

restoreTheme();
startRoute();
render(html`<${Shell} />`, document.getElementById("app"));
