/**
 * The service worker: keeps the files of the client, so that it starts without a network. All files
 * of a version are fetched together and checked against their hashes; requests to the API pass by.
 */

importScripts("files.js");

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** @type {Record<string, string>} paths below /app/, and the hashes of the files */
const files = /** @type {any} */ (self).FILES;
const PREFIX = "ownrow-files-";

/** The name of the cache of this version: a hash of the hashes. */
async function cacheName() {
  const bytes = new TextEncoder().encode(JSON.stringify(files));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return PREFIX + Array.from(digest.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} path */
function addressOf(path) {
  return new URL(path, worker.registration.scope).href;
}

async function fill() {
  const cache = await caches.open(await cacheName());
  await cache.addAll(Object.entries(files).map(([path, integrity]) => new Request(addressOf(path), { integrity, cache: "no-cache" })));
}

async function removeOthers() {
  const name = await cacheName();
  const others = (await caches.keys()).filter((each) => each.startsWith(PREFIX) && each !== name);
  await Promise.all(others.map((each) => caches.delete(each)));
}

/** @param {Request} request */
async function respond(request) {
  const cache = await caches.open(await cacheName());
  const cached = await cache.match(request, { ignoreSearch: true });
  return cached ?? fetch(request);
}

worker.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(removeOthers().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  url.hash = url.search = "";
  const isFile = Object.keys(files).some((path) => addressOf(path) === url.href);
  if (event.request.method === "GET" && isFile) event.respondWith(respond(event.request));
});
