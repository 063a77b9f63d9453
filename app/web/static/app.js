/** The start: opens the account of the last session, shows the page, and keeps its files for later. */

import { render } from "preact";
import { startAccount } from "./data/account.js";
import { html } from "./ui/html.js";
import { Root } from "./views/root.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

await startAccount();
root.replaceChildren();
render(html`<${Root} />`, root);
if ("serviceWorker" in navigator) await navigator.serviceWorker.register("sw.js");
