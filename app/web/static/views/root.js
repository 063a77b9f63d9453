/** The whole page: signing in, or the pages of a user. */

import { useEffect } from "preact/hooks";
import { account, onAccount } from "../data/account.js";
import { AppContext, useChanges } from "../ui/context.js";
import { html } from "../ui/html.js";
import { START, href, replace, useRoute } from "../ui/router.js";
import { LinkPage, isLinkPage } from "./links.js";
import { Notices } from "./notices.js";
import { Shell } from "./shell.js";
import { SignIn } from "./signin.js";
import { SignUp } from "./signup.js";

/** Pages for those who are not signed in. */
const ENTRIES = ["signin", "signup"];

export function Root() {
  useChanges(onAccount);
  const route = useRoute();
  const { user, store, isSessionOver } = account();
  const isIn = user !== null && store !== null && !isSessionOver;
  useEffect(() => {
    if (isIn && ENTRIES.includes(route.page)) replace(href(START));
  }, [isIn, route.page]);
  return html`
    ${isLinkPage(route.page)
      ? html`<${LinkPage} route=${route} />`
      : isIn
        ? html`<${AppContext.Provider} value=${{ store, user, route }}><${Shell} /><//>`
        : route.page === "signup"
          ? html`<${SignUp} />`
          : html`<${SignIn} isSessionOver=${isSessionOver} email=${user?.email ?? ""} />`}
    <${Notices} />
  `;
}
