/** Components whose modules are loaded when they are shown, so that a start has less to read. */

import { useEffect, useState } from "preact/hooks";
import { strings } from "../lang/strings.js";
import { html } from "./html.js";

/**
 * @param {() => Promise<import("preact").FunctionComponent>} load
 * @returns {import("preact").FunctionComponent}
 */
export function lazy(load) {
  /** @type {import("preact").FunctionComponent | null} */
  let known = null;
  return function Lazy() {
    const [Loaded, setLoaded] = useState(() => known);
    useEffect(() => {
      void load().then((component) => {
        known = component;
        setLoaded(() => component);
      });
    }, []);
    return Loaded ? html`<${Loaded} />` : html`<p class="empty">${strings.loading}</p>`;
  };
}
