/** The pages that mailed links lead to. */

import { useState } from "preact/hooks";
import { leave } from "../data/account.js";
import { strings } from "../lang/strings.js";
import { call } from "../net/api.js";
import { html } from "../ui/html.js";
import { useRequest } from "../ui/remote.js";
import { START, href } from "../ui/router.js";
import { Entry, FormError } from "./entry.js";
import { TextField } from "./fields.js";

/** @import {Route} from "../ui/router.js" */

/** @param {string} page */
export function isLinkPage(page) {
  return ["reset", "verify", "change-email"].includes(page);
}

/** @param {{route: Route}} props */
export function LinkPage({ route }) {
  const token = route.query.get("token");
  if (route.page === "verify") return html`<${Confirm} key="verify" token=${token} path="/api/auth/verification/confirm" title=${strings.links.verifyTitle} done=${strings.links.verified} />`;
  if (route.page === "change-email") return html`<${Confirm} key="change" token=${token} path="/api/auth/email/confirm" title=${strings.links.changeTitle} done=${strings.links.changed} />`;
  return token ? html`<${NewPassword} token=${token} />` : html`<${AskForLink} />`;
}

/** @param {{token: string | null, path: string, title: string, done: string}} props */
function Confirm({ token, path, title, done }) {
  const [isDone, setDone] = useState(false);
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setDone(await run(() => call("POST", path, { body: { token: token ?? "" } })));
  };
  return html`
    <${Entry} title=${title} lead=${isDone ? done : undefined}>
      ${!isDone && html`<form onSubmit=${submit}><${FormError} error=${error} /><button type="submit" class="primary" disabled=${isBusy}>${strings.links.confirm}</button></form>`}
      <p class="links"><a href=${href(START)}>${strings.links.toApp}</a></p>
    <//>
  `;
}

function AskForLink() {
  const [email, setEmail] = useState("");
  const [isSent, setSent] = useState(false);
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setSent(await run(() => call("POST", "/api/auth/reset", { body: { email } })));
  };
  return html`
    <${Entry} title=${strings.reset.title} lead=${isSent ? strings.reset.sent : strings.reset.lead}>
      ${!isSent &&
      html`
        <form onSubmit=${submit}>
          <${TextField} label=${strings.signIn.email} type="email" autocomplete="username" required value=${email} onInput=${setEmail} autofocus />
          <${FormError} error=${error} />
          <button type="submit" class="primary" disabled=${isBusy}>${strings.reset.submit}</button>
        </form>
      `}
      <p class="links"><a href=${href("signin")}>${strings.reset.toSignIn}</a></p>
    <//>
  `;
}

/** @param {{token: string}} props */
function NewPassword({ token }) {
  const [password, setPassword] = useState("");
  const [isDone, setDone] = useState(false);
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const isChanged = await run(() => call("POST", "/api/auth/reset/confirm", { body: { token, new_password: password } }));
    if (!isChanged) return;
    await leave(); // every session is over
    setDone(true);
  };
  return html`
    <${Entry} title=${strings.reset.newTitle} lead=${isDone ? strings.reset.done : undefined}>
      ${!isDone &&
      html`
        <form onSubmit=${submit}>
          <${TextField} label=${strings.reset.newPassword} type="password" autocomplete="new-password" required hint=${strings.signUp.passwordHint} value=${password} onInput=${setPassword} autofocus />
          <${FormError} error=${error} />
          <button type="submit" class="primary" disabled=${isBusy}>${strings.save}</button>
        </form>
      `}
      <p class="links"><a href=${href("signin")}>${strings.reset.toSignIn}</a></p>
    <//>
  `;
}
