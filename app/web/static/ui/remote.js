/** What is only on the server, such as sessions and histories: read when a page shows it. */

import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError, Unreachable, messageOf } from "../net/api.js";
import { SignedOut, request } from "../net/session.js";

/**
 * @typedef {object} Remote
 * @property {any} data null until it is read
 * @property {string} error empty if there is none
 * @property {boolean} isOffline
 * @property {boolean} isMissing the server has no such route
 * @property {() => Promise<void>} reload
 *
 * @param {string} path
 * @param {unknown} [revision] reads again when it changes
 * @returns {Remote}
 */
export function useRemote(path, revision) {
  const [state, setState] = useState({ data: /** @type {any} */ (null), error: "", isOffline: false, isMissing: false });
  const reload = useCallback(async () => {
    try {
      const { data } = await request("GET", path);
      setState({ data, error: "", isOffline: false, isMissing: false });
    } catch (error) {
      const isOffline = error instanceof Unreachable || error instanceof SignedOut;
      const isMissing = error instanceof ApiError && [404, 405].includes(error.status);
      setState((known) => ({ data: known.data, error: messageOf(error), isOffline, isMissing }));
    }
  }, [path]);
  useEffect(() => void reload(), [reload, revision]);
  return { ...state, reload };
}

/**
 * The state of a form that sends one request at a time.
 * @returns {{isBusy: boolean, error: string, run: (action: () => Promise<unknown>) => Promise<boolean>}}
 */
export function useRequest() {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const run = useCallback(async (/** @type {() => Promise<unknown>} */ action) => {
    setBusy(true);
    setError("");
    try {
      await action();
      return true;
    } catch (failure) {
      if (!(failure instanceof ApiError || failure instanceof Unreachable)) reportError(failure);
      setError(messageOf(failure));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { isBusy, error, run };
}
