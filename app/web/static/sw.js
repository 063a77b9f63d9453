/**
 * The service worker: keeps the files of the client, so that it starts without a network. All files
 * of a version are fetched together and checked against their hashes; requests to the API pass by.
 */

importScripts("files.js");

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** @type {Record<string, string>} paths below /app/, and the hashes of the files */
const files = /** @type {any} */ (self).FILES;
const PREFIX = "ownrow-files-";

/** The addresses of the files, and their hashes. */
const hashes = new Map(Object.entries(files).map(([path, hash]) => [new URL(path, worker.registration.scope).href, hash]));

/** The name of the cache of this version: a hash of the hashes. */
const cacheName = nameOfVersion();
/** @type {Promise<Cache> | null} */
let opened = null;

async function nameOfVersion() {
  const bytes = new TextEncoder().encode(JSON.stringify(files));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return PREFIX + Array.from(digest.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function openCache() {
  opened ??= cacheName.then((each) => caches.open(each));
  return opened;
}

async function fill() {
  const cache = await openCache();
  await cache.addAll([...hashes].map(([address, integrity]) => new Request(address, { integrity, cache: "no-cache" })));
}

async function removeOthers() {
  const current = await cacheName;
  const others = (await caches.keys()).filter((each) => each.startsWith(PREFIX) && each !== current);
  await Promise.all(others.map((each) => caches.delete(each)));
}

/**
 * @param {Request} request
 * @param {string} address
 */
async function respond(request, address) {
  const cached = await (await openCache()).match(address);
  return cached ?? fetch(request);
}

worker.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => worker.skipWaiting()));
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(removeOthers().then(() => worker.clients.claim()));
});

worker.addEventListener("fetch", (event) => {
  const [address = ""] = event.request.url.split(/[?#]/, 1);
  if (event.request.method === "GET" && hashes.has(address)) event.respondWith(respond(event.request, address));
});
