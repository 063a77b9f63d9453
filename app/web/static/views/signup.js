/** Creating an account. */

import { useState } from "preact/hooks";
import { browserZone } from "../lang/dates.js";
import { leave } from "../data/account.js";
import { strings } from "../lang/strings.js";
import { signUp } from "../net/session.js";
import { html } from "../ui/html.js";
import { useRequest } from "../ui/remote.js";
import { href } from "../ui/router.js";
import { Entry, FormError } from "./entry.js";
import { TextField } from "./fields.js";

export function SignUp() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const { isBusy, error, run } = useRequest();
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    await run(async () => {
      await leave();
      await signUp(email, password, browserZone());
    });
  };
  return html`
    <${Entry} title=${strings.signUp.title} lead=${strings.signIn.lead}>
      <form onSubmit=${submit}>
        <${TextField} label=${strings.signIn.email} type="email" autocomplete="username" required value=${email} onInput=${setEmail} autofocus />
        <${TextField} label=${strings.signIn.password} type="password" autocomplete="new-password" required hint=${strings.signUp.passwordHint} value=${password} onInput=${setPassword} />
        <${FormError} error=${error} />
        <button type="submit" class="primary" disabled=${isBusy}>${strings.signUp.submit}</button>
      </form>
      <p class="links"><a href=${href("signin")}>${strings.signUp.toSignIn}</a></p>
    <//>
  `;
}
