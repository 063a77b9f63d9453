/** Addresses: `#/list/ID?task=ID` is the page `list` of an item, with a task open beside it. */

import { useEffect, useState } from "preact/hooks";

/**
 * @typedef {object} Route
 * @property {string} page
 * @property {string} id empty if the page has none
 * @property {URLSearchParams} query
 */

export const START = "today";

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parse(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", id = ""] = path.split("/").map(decoded);
  return { page: page || START, id, query: new URLSearchParams(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * @param {string} page
 * @param {string} [id]
 * @param {Record<string, string>} [query]
 */
export function href(page, id = "", query = {}) {
  const path = id ? `${page}/${encodeURIComponent(id)}` : page;
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search ? `?${search}` : ""}`;
}

export function current() {
  return parse(location.hash);
}

/**
 * The address of the page that is open, with another task beside it.
 * @param {Route} route
 * @param {string | null} taskId null: none
 */
export function withTask(route, taskId) {
  const query = Object.fromEntries(route.query);
  delete query["task"];
  return href(route.page, route.id, taskId ? { ...query, task: taskId } : query);
}

/** @param {string} address */
export function go(address) {
  location.hash = address;
}

/**
 * Goes to an address in the place of this one.
 * @param {string} address
 */
export function replace(address) {
  history.replaceState(null, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** @returns {Route} */
export function useRoute() {
  const [route, setRoute] = useState(current);
  useEffect(() => {
    const change = () => setRoute(current());
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, []);
  return route;
}
