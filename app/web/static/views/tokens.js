/** Settings of the API tokens. */

import { useState } from "preact/hooks";
import { instantName, instantOf } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { request } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { say } from "../ui/notices.js";
import { useRemote, useRequest } from "../ui/remote.js";
import { FormError } from "./entry.js";
import { TextField } from "./fields.js";
import { Secret } from "./secret.js";

const texts = strings.settings.tokens;

export function TokenSettings() {
  const { user } = useApp();
  const tokens = useRemote("/api/auth/tokens");
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(["tasks:read"]);
  const [expires, setExpires] = useState("");
  const [created, setCreated] = useState("");
  const { isBusy, error, run } = useRequest();
  const toggle = (/** @type {string} */ scope) => setScopes(scopes.includes(scope) ? scopes.filter((each) => each !== scope) : [...scopes, scope]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      const until = expires ? { expires_at: instantOf(`${expires}T23:59:59`, user.time_zone).toISOString() } : {};
      const { data } = await request("POST", "/api/auth/tokens", { body: { name, scopes, ...until } });
      setCreated(data.token);
      setName("");
      await tokens.reload();
    });
  };
  const end = (/** @type {string} */ id) =>
    run(async () => {
      await request("DELETE", `/api/auth/tokens/${id}`);
      say(texts.ended);
      await tokens.reload();
    });
  return html`
    <section>
      <h2>${texts.title}</h2>
      <p>${texts.lead}</p>
      <form onSubmit=${submit}>
        <${TextField} label=${texts.name} maxLength=${100} required value=${name} onInput=${setName} />
        <fieldset>
          <legend>${texts.scopes}</legend>
          ${texts.scopeNames.map(
            ([scope, text]) => html`<label key=${scope} class="choice"><input type="checkbox" checked=${scopes.includes(scope)} onChange=${() => toggle(scope)} /> ${text}</label>`,
          )}
        </fieldset>
        <${TextField} label=${texts.expires} type="date" hint=${texts.expiresHint} value=${expires} onInput=${setExpires} />
        <${FormError} error=${error || (tokens.isOffline ? strings.settings.offline : tokens.error)} />
        <button type="submit" class="primary" disabled=${isBusy || scopes.length === 0}>${texts.create}</button>
      </form>
      ${created && html`<${Secret} lead=${texts.created} secret=${created} />`}
      ${tokens.data?.length === 0 && html`<p class="note">${texts.none}</p>`}
      <ul role="list" class="things">
        ${(tokens.data ?? []).map(
          (/** @type {any} */ each) => html`
            <li key=${each.id}>
              <div>
                <span dir="auto">${each.name}</span>
                <small>${[each.scopes.join(", "), each.expires_at && texts.expiresAt(instantName(each.expires_at, user.time_zone)), each.last_used_at && texts.usedAt(instantName(each.last_used_at, user.time_zone))].filter(Boolean).join(" · ")}</small>
              </div>
              <button type="button" class="quiet" aria-label=${texts.endNamed(each.name)} onClick=${() => void end(each.id)}>${strings.settings.security.end}</button>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}
