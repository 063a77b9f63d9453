/** What all pages share: the store, the user, and the state of the router. */

import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

/**
 * @import {Store} from "../data/store.js"
 * @import {User} from "../data/types.js"
 * @import {Route} from "./router.js"
 *
 * @typedef {object} App
 * @property {Store} store
 * @property {User} user
 * @property {Route} route
 */

export const AppContext = createContext(/** @type {App | null} */ (null));

/** @returns {App} */
export function useApp() {
  const app = useContext(AppContext);
  if (!app) throw new Error("There is no store outside of the pages of a user.");
  return app;
}

/**
 * Renders again when the source tells of a change.
 * @param {(listener: () => void) => () => unknown} subscribe
 */
export function useChanges(subscribe) {
  const [, setCount] = useState(0);
  useEffect(() => {
    const stop = subscribe(() => setCount((count) => count + 1));
    return () => void stop();
  }, [subscribe]);
}
