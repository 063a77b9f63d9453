/** Whether everything is saved, in one line. */

import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";

export function Status() {
  const { store } = useApp();
  const { phase, loaded } = store.status;
  const waiting = store.operations.length;
  const isLoading = !store.isLoaded && phase !== "offline";
  const name = isLoading ? "loading" : phase === "idle" && waiting > 0 ? "syncing" : phase === "loading" ? "syncing" : phase;
  const text = {
    idle: strings.status.idle,
    syncing: strings.status.syncing,
    loading: strings.status.loading(loaded),
    offline: waiting > 0 ? `${strings.status.offline} · ${strings.status.waiting(waiting)}` : strings.status.offline,
  }[name];
  return html`
    <p class="status ${name}" role="status" data-phase=${name} data-waiting=${waiting}><span class="status-dot" aria-hidden="true"></span><span class="status-text">${text}</span></p>
  `;
}
