/** The settings, by section. */

import { strings } from "../lang/strings.js";
import { useApp } from "../ui/context.js";
import { html } from "../ui/html.js";
import { href } from "../ui/router.js";
import { AccountSettings } from "./account.js";
import { ConnectionSettings } from "./connections.js";
import { DataSettings } from "./datasettings.js";
import { Heading } from "./heading.js";
import { SecuritySettings } from "./security.js";
import { TokenSettings } from "./tokens.js";

/** @type {Record<string, [string, import("preact").FunctionComponent]>} */
const SECTIONS = {
  account: [strings.settings.account.title, AccountSettings],
  security: [strings.settings.security.title, SecuritySettings],
  tokens: [strings.settings.tokens.title, TokenSettings],
  connections: [strings.settings.connections.title, ConnectionSettings],
  data: [strings.settings.data.title, DataSettings],
};

export function SettingsPage() {
  const { route } = useApp();
  const id = route.id in SECTIONS ? route.id : "account";
  const [, Section] = /** @type {[string, import("preact").FunctionComponent]} */ (SECTIONS[id]);
  return html`
    <${Heading} title=${strings.settings.title} />
    <nav aria-label=${strings.settings.sections} class="tabs">
      ${Object.entries(SECTIONS).map(([each, [title]]) => html`<a key=${each} href=${href("settings", each)} aria-current=${each === id ? "page" : null}>${title}</a>`)}
    </nav>
    <div class="settings"><${Section} /></div>
  `;
}
