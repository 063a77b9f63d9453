/** Settings of the password, the second factor and the sessions. */

import { useState } from "preact/hooks";
import { instantName } from "../lang/dates.js";
import { strings } from "../lang/strings.js";
import { request, setUser } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { say } from "../ui/notices.js";
import { useRemote, useRequest } from "../ui/remote.js";
import { FormError } from "./entry.js";
import { PasswordField, TextField } from "./fields.js";

const texts = strings.settings.security;

export function SecuritySettings() {
  return html`<${PasswordSection} /><${FactorSection} /><${SessionsSection} />`;
}

function PasswordSection() {
  const { user } = useApp();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const isDone = await run(() => request("PUT", "/api/auth/password", { body: { current_password: current, new_password: next } }));
    if (!isDone) return;
    setCurrent("");
    setNext("");
    say(texts.changed);
  };
  return html`
    <section>
      <h2>${texts.password}</h2>
      <form onSubmit=${submit}>
        <${PasswordField} label=${texts.current} email=${user.email} value=${current} onInput=${setCurrent} />
        <${TextField} label=${texts.new} type="password" autocomplete="new-password" required hint=${strings.signUp.passwordHint} value=${next} onInput=${setNext} />
        <${FormError} error=${error} />
        <button type="submit" disabled=${isBusy}>${texts.change}</button>
      </form>
    </section>
  `;
}

function FactorSection() {
  const { user } = useApp();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [setup, setSetup] = useState(/** @type {{secret: string, uri: string, recovery_codes: string[]} | null} */ (null));
  const { isBusy, error, run } = useRequest();
  const clear = () => {
    setPassword("");
    setCode("");
  };
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      setSetup((await request("POST", "/api/auth/second-factor", { body: { password } })).data);
      clear();
    });
  };
  const finish = (/** @type {Event} */ event) => {
    event.preventDefault();
    return run(async () => {
      if (user.has_second_factor) await request("DELETE", "/api/auth/second-factor", { body: { password, code } });
      else await request("POST", "/api/auth/second-factor/confirm", { body: { code } });
      setUser((await request("GET", "/api/auth/me")).data);
      say(user.has_second_factor ? texts.off : texts.on);
      setSetup(null);
      clear();
    });
  };
  const passwordField = html`<${PasswordField} label=${texts.current} email=${user.email} value=${password} onInput=${setPassword} />`;
  const codeField = html`<${TextField} label=${texts.confirmCode} autocomplete="one-time-code" required value=${code} onInput=${setCode} />`;
  return html`
    <section>
      <h2>${texts.factor}</h2>
      <p>${user.has_second_factor ? texts.factorOn : texts.factorOff}</p>
      ${user.has_second_factor
        ? html`<form onSubmit=${finish}>${passwordField}${codeField}<button type="submit" disabled=${isBusy}>${texts.switchOff}</button></form>`
        : setup
          ? html`
              <p>${texts.secret}</p>
              <p><code class="secret">${setup.secret}</code> <a href=${setup.uri}>${texts.openApp}</a></p>
              <p>${texts.recovery}</p>
              <ul class="codes">${setup.recovery_codes.map((each) => html`<li key=${each}><code>${each}</code></li>`)}</ul>
              <form onSubmit=${finish}>${codeField}<button type="submit" class="primary" disabled=${isBusy}>${texts.switchOn}</button></form>
            `
          : html`<form onSubmit=${begin}>${passwordField}<button type="submit" disabled=${isBusy}>${texts.setUp}</button></form>`}
      <${FormError} error=${error} />
    </section>
  `;
}

function SessionsSection() {
  const { user } = useApp();
  const sessions = useRemote("/api/auth/sessions");
  const { error, run } = useRequest();
  const end = (/** @type {string} */ id) =>
    run(async () => {
      await request("DELETE", `/api/auth/sessions/${id}`);
      say(texts.ended);
      await sessions.reload();
    });
  return html`
    <section>
      <h2>${texts.sessions}</h2>
      <${FormError} error=${error || (sessions.isOffline ? strings.settings.offline : sessions.error)} />
      <ul role="list" class="things">
        ${(sessions.data ?? []).map((/** @type {any} */ each) => {
          const name = each.user_agent ?? texts.unknownAgent;
          return html`
            <li key=${each.id}>
              <div><span dir="auto">${name}</span> <small>${each.current ? texts.current_session : texts.lastUsed(instantName(each.last_used_at, user.time_zone))}</small></div>
              ${!each.current && html`<button type="button" class="quiet" aria-label=${texts.endNamed(name)} onClick=${() => void end(each.id)}>${texts.end}</button>`}
            </li>
          `;
        })}
      </ul>
    </section>
  `;
}
