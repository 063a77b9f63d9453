/** Settings of the account: address, zone, reminders, keyboard, signing out, deletion. */

import { useState } from "preact/hooks";
import { signOut, waiting } from "../data/account.js";
import { strings } from "../lang/strings.js";
import { request, setUser } from "../net/session.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { areShortcutsOn, switchShortcuts } from "../ui/keyboard.js";
import { say } from "../ui/notices.js";
import { useRequest } from "../ui/remote.js";
import { go, href } from "../ui/router.js";
import { FormError } from "./entry.js";
import { PasswordField, SelectField, TextField } from "./fields.js";

const texts = strings.settings.account;

export function AccountSettings() {
  const { user } = useApp();
  const { error, run } = useRequest();
  const zones = [...new Set([...Intl.supportedValuesOf("timeZone"), user.time_zone, "UTC"])].sort();
  const change = (/** @type {Record<string, unknown>} */ fields) =>
    run(async () => {
      const { data } = await request("PATCH", "/api/auth/me", { body: fields });
      setUser(data);
      say(strings.saved);
    });
  return html`
    <section>
      <h2>${texts.email}</h2>
      <${Address} />
    </section>
    <section>
      <h2>${texts.zone}</h2>
      <${SelectField} label=${texts.zone} value=${user.time_zone} options=${zones.map((zone) => [zone, zone])} onChange=${(/** @type {string} */ zone) => void change({ time_zone: zone })} />
      <${TextField} label=${texts.reminderTime} type="time" value=${user.reminder_time} onInput=${(/** @type {string} */ time) => time && void change({ reminder_time: time })} />
      <label class="switch-line"><input type="checkbox" role="switch" checked=${user.mail} onChange=${() => void change({ mail: !user.mail })} /> ${texts.mail}</label>
      <${FormError} error=${error} />
    </section>
    <section>
      <h2>${strings.settings.keyboard.title}</h2>
      <${ShortcutSwitch} />
    </section>
    <section>
      <h2>${texts.signOut}</h2>
      <${SignOut} />
    </section>
    <${Deletion} />
  `;
}

/** Signs out at once, or says first what would be lost. */
function SignOut() {
  const [isAsked, setAsked] = useState(false);
  const submit = async () => {
    if (waiting() > 0 && !isAsked) return setAsked(true);
    go(href("signin"));
    await signOut();
  };
  return html`
    <div role="alert">${isAsked && html`<p class="error">${texts.signOutWaiting(waiting())}</p>`}</div>
    <button type="button" class=${isAsked ? "danger" : ""} onClick=${() => void submit()}>${texts.signOut}</button>
  `;
}

function ShortcutSwitch() {
  const [isOn, setOn] = useState(areShortcutsOn);
  const toggle = () => {
    switchShortcuts(!isOn);
    setOn(!isOn);
  };
  return html`<label class="switch-line"><input type="checkbox" role="switch" checked=${isOn} onChange=${toggle} /> ${strings.settings.keyboard.shortcuts}</label>`;
}

function Address() {
  const { user } = useApp();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { isBusy, error, run } = useRequest();
  const resend = () => run(() => request("POST", "/api/auth/verification", { body: {} }).then(() => say(texts.resent)));
  const change = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const isSent = await run(() => request("POST", "/api/auth/email", { body: { email, password } }));
    if (!isSent) return;
    setEmail("");
    setPassword("");
    say(texts.changeSent);
  };
  return html`
    <p>
      <b>${user.email}</b> ${user.email_verified_at ? texts.verified : texts.unverified}
      ${!user.email_verified_at && html` <button type="button" class="link" onClick=${() => void resend()}>${texts.resend}</button>`}
    </p>
    <details class="more">
      <summary>${texts.change}</summary>
      <form onSubmit=${change}>
        <${TextField} label=${texts.newEmail} type="email" autocomplete="email" required value=${email} onInput=${setEmail} />
        <${PasswordField} label=${strings.settings.security.current} email=${user.email} value=${password} onInput=${setPassword} />
        <button type="submit" disabled=${isBusy}>${texts.change}</button>
      </form>
    </details>
    <${FormError} error=${error} />
  `;
}

function Deletion() {
  const { user } = useApp();
  const [password, setPassword] = useState("");
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const isDone = await run(() => request("DELETE", "/api/auth/me", { body: { password }, signal: AbortSignal.timeout(130_000) }));
    if (!isDone) return;
    go(href("signin"));
    await signOut();
  };
  return html`
    <section>
      <h2>${strings.settings.danger.title}</h2>
      <details class="more">
        <summary>${strings.settings.danger.title}</summary>
        <p>${strings.settings.danger.lead}</p>
        <form onSubmit=${submit}>
          <${PasswordField} label=${strings.settings.danger.password} email=${user.email} value=${password} onInput=${setPassword} />
          <${FormError} error=${error} />
          <button type="submit" class="danger" disabled=${isBusy}>${strings.settings.danger.submit}</button>
        </form>
      </details>
    </section>
  `;
}
