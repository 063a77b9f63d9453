/** Signing in, with the second factor where the account has one. */

import { useState } from "preact/hooks";
import { currentUser, signIn } from "../net/session.js";
import { leave } from "../data/account.js";
import { strings } from "../lang/strings.js";
import { ApiError } from "../net/api.js";
import { html } from "../ui/html.js";
import { useRequest } from "../ui/remote.js";
import { href } from "../ui/router.js";
import { Entry, FormError } from "./entry.js";
import { TextField } from "./fields.js";

/** @param {{isSessionOver: boolean, email: string}} props */
export function SignIn({ isSessionOver, email: known }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [needsCode, setNeedsCode] = useState(false);
  const { isBusy, error, run } = useRequest();

  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    await run(async () => {
      // What an account leaves in this browser is for itself only.
      const before = currentUser();
      if (before && before.email !== email.trim().toLowerCase()) await leave();
      try {
        await signIn(email, password, code.trim());
      } catch (failure) {
        if (!(failure instanceof ApiError) || failure.code !== "SECOND_FACTOR_REQUIRED") throw failure;
        const wasAsked = needsCode;
        setNeedsCode(true);
        if (wasAsked) throw failure;
      }
    });
  };

  return html`
    <${Entry} title=${strings.signIn.title} lead=${isSessionOver ? strings.signIn.sessionOver : strings.signIn.lead}>
      <form onSubmit=${submit}>
        <${TextField} label=${strings.signIn.email} type="email" autocomplete="username" required value=${email} onInput=${setEmail} autofocus=${!known} />
        <${TextField} label=${strings.signIn.password} type="password" autocomplete="current-password" required value=${password} onInput=${setPassword} />
        ${needsCode &&
        html`<${TextField} label=${strings.signIn.code} hint=${strings.signIn.codeHint} autocomplete="one-time-code" required value=${code} onInput=${setCode} autofocus />`}
        <${FormError} error=${error} />
        <button type="submit" class="primary" disabled=${isBusy}>${strings.signIn.submit}</button>
      </form>
      <p class="links"><a href=${href("signup")}>${strings.signIn.toSignUp}</a> <a href=${href("reset")}>${strings.signIn.toReset}</a></p>
    <//>
  `;
}
