/**
 * Keeps the whole site, in one version, so that it works without a network after the first visit.
 *
 * `SITE`, the version and the names of all files but the runtime's, stands above: it is written with the model.
 */

import { program } from "./program.js";

/* global SITE */

const PREFIX = `tfwavesep ${self.registration.scope} `;
const NAME = PREFIX + SITE.version;

self.addEventListener("install", (event) => {
  event.waitUntil(keep().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(dropOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(self.registration.scope)) {
    event.respondWith(answer(event.request));
  }
});

async function keep() {
  const script = await program(self.registration.scope);
  const files = [...SITE.files, script, script.replace(/js$/, "wasm")];
  const cache = await caches.open(NAME);
  await cache.addAll(files.map((file) => new Request(file, { cache: "no-cache" })));
}

async function dropOthers() {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== NAME).map((name) => caches.delete(name)),
  );
}

async function answer(request) {
  const cache = await caches.open(NAME);
  return (await cache.match(request, { ignoreSearch: true })) ?? fetch(request);
}
