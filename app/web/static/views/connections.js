/** Settings of calendar feeds and webhooks. */

import { useState } from "preact/hooks";
import { index } from "../data/select.js";
import { instantName } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { request } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { useRemote, useRequest } from "../ui/remote.js";
import { FormError } from "./entry.js";
import { SelectField, TextField } from "./fields.js";
import { Secret } from "./secret.js";

const texts = strings.settings.connections;

export function ConnectionSettings() {
  return html`<${FeedsSection} /><${WebhooksSection} />`;
}

/** @returns {[string, string][]} */
function useListOptions() {
  const { store } = useApp();
  return [["", texts.everything], .../** @type {[string, string][]} */ (index(store).lists.map((list) => [list.id, list.title]))];
}

function FeedsSection() {
  const feeds = useRemote("/api/me/feeds");
  const options = useListOptions();
  const [listId, setListId] = useState("");
  const [as, setAs] = useState("todo");
  const [created, setCreated] = useState("");
  const { isBusy, error, run } = useRequest();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      const { data } = await request("POST", "/api/me/feeds", { body: { as, ...(listId ? { list_id: listId } : {}) } });
      setCreated(data.url);
      await feeds.reload();
    });
  };
  const end = (/** @type {string} */ id) => run(() => request("DELETE", `/api/me/feeds/${id}`).then(feeds.reload));
  const nameOf = (/** @type {any} */ feed) => options.find(([id]) => id === (feed.list_id ?? ""))?.[1] ?? texts.everything;
  if (feeds.isMissing) return html`<section><h2>${texts.feeds}</h2><p class="note">${texts.missing}</p></section>`;
  return html`
    <section>
      <h2>${texts.feeds}</h2>
      <p>${texts.feedsLead}</p>
      <form onSubmit=${submit}>
        <div class="pair">
          <${SelectField} label=${texts.feedOf} value=${listId} options=${options} onChange=${setListId} />
          <${SelectField} label=${texts.as} value=${as} options=${[["todo", texts.asTodo], ["event", texts.asEvent]]} onChange=${setAs} />
        </div>
        <${FormError} error=${error || (feeds.isOffline ? strings.settings.offline : feeds.error)} />
        <button type="submit" disabled=${isBusy}>${texts.createFeed}</button>
      </form>
      ${created && html`<${Secret} lead=${texts.feedCreated} secret=${created} />`}
      ${feeds.data?.length === 0 && html`<p class="note">${texts.noFeeds}</p>`}
      <ul role="list" class="things">
        ${(feeds.data ?? []).map(
          (/** @type {any} */ feed) => html`
            <li key=${feed.id}>
              <div><span dir="auto">${nameOf(feed)}</span> <small>${feed.as === "event" ? texts.asEvent : texts.asTodo}</small></div>
              <button type="button" class="quiet" aria-label=${texts.endFeed(nameOf(feed))} onClick=${() => void end(feed.id)}>${strings.delete}</button>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

function WebhooksSection() {
  const webhooks = useRemote("/api/me/webhooks");
  const options = useListOptions();
  const [url, setUrl] = useState("");
  const [listId, setListId] = useState("");
  const [secret, setSecret] = useState("");
  const { isBusy, error, run } = useRequest();
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      const { data } = await request("POST", "/api/me/webhooks", { body: { url, ...(listId ? { list_id: listId } : {}) } });
      setSecret(data.secret);
      setUrl("");
      await webhooks.reload();
    });
  };
  return html`
    <section>
      <h2>${texts.webhooks}</h2>
      <p>${texts.webhooksLead}</p>
      <form onSubmit=${submit}>
        <${TextField} label=${texts.url} type="url" required value=${url} onInput=${setUrl} />
        <${SelectField} label=${texts.feedOf} value=${listId} options=${options} onChange=${setListId} />
        <${FormError} error=${error || (webhooks.isOffline ? strings.settings.offline : webhooks.error)} />
        <button type="submit" disabled=${isBusy}>${texts.createWebhook}</button>
      </form>
      ${secret && html`<${Secret} lead=${texts.secret} secret=${secret} />`}
      ${webhooks.data?.length === 0 && html`<p class="note">${texts.noWebhooks}</p>`}
      ${(webhooks.data ?? []).map((/** @type {any} */ each) => html`<${WebhookDetails} key=${each.id} webhook=${each} run=${run} reload=${webhooks.reload} />`)}
    </section>
  `;
}

/** @param {{webhook: any, run: (action: () => Promise<unknown>) => Promise<boolean>, reload: () => Promise<void>}} props */
function WebhookDetails({ webhook, run, reload }) {
  const [isOpen, setOpen] = useState(false);
  const path = `/api/me/webhooks/${webhook.id}`;
  const toggle = () => run(() => request("PATCH", path, { body: { enabled: !webhook.enabled } }).then(reload));
  const remove = () => run(() => request("DELETE", path).then(reload));
  return html`
    <details class="more webhook" onToggle=${(/** @type {Event} */ event) => setOpen(/** @type {HTMLDetailsElement} */ (event.currentTarget).open)}>
      <summary><span dir="ltr">${webhook.url}</span> · ${webhook.enabled ? texts.enabled : texts.disabled}</summary>
      <p class="buttons">
        <button type="button" class="quiet" onClick=${() => void toggle()}>${webhook.enabled ? texts.disable : texts.enable}</button>
        <button type="button" class="danger" aria-label=${texts.deleteNamed(webhook.url)} onClick=${() => void remove()}>${strings.delete}</button>
      </p>
      ${isOpen && html`<${Attempts} path=${`${path}/attempts`} />`}
    </details>
  `;
}

/** @param {{path: string}} props */
function Attempts({ path }) {
  const { user } = useApp();
  const attempts = useRemote(path);
  if (attempts.data?.length === 0) return html`<p class="note">${texts.noAttempts}</p>`;
  return html`
    <h3>${texts.attempts}</h3>
    <ul role="list" class="entries">
      ${(attempts.data ?? []).map(
        (/** @type {any} */ each) => html`
          <li key=${`${each.version} ${each.at}`}><span>${each.type}: ${each.error ?? each.status}</span> <small>${instantName(each.at, user.time_zone)}</small></li>
        `,
      )}
    </ul>
  `;
}
