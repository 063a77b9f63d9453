/** The start: opens the account of the last session, shows the page, and keeps its files for later. */

import { render } from "preact";
import { startAccount } from "./data/account.js";
import { strings } from "./lang/strings.js";
import { html } from "./ui/html.js";
import { Root } from "./views/root.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));

root.replaceChildren();
try {
  await startAccount();
  render(html`<${Root} />`, root);
} catch (error) {
  root.textContent = strings.errors.storage;
  throw error;
}
if ("serviceWorker" in navigator) await navigator.serviceWorker.register("sw.js");
