// Sends what a program of Node asks of the service to an emulator instead: node --import=file:///…/preload.mjs program.mjs
// UPSTASH_EMULATOR_API is where the management API is, UPSTASH_EMULATOR_REST where the databases are.
const { UPSTASH_EMULATOR_API: api, UPSTASH_EMULATOR_REST: rest } = process.env;
const MANAGED = ["api.upstash.com", "upstash.com"];
const HERE = ["127.0.0.1", "localhost", "[::1]"]; // a database's "https://" + endpoint, where it has no name of its own

function baseOf({ protocol, hostname, port }) {
  if (MANAGED.includes(hostname)) return api;
  if (hostname.endsWith(".upstash.io") || (protocol === "https:" && !port && HERE.includes(hostname))) return rest;
  return undefined;
}

const send = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const isRequest = input instanceof Request;
  const url = new URL(isRequest ? input.url : input);
  const base = baseOf(url);
  if (base === undefined) return send(input, init);
  const there = base + url.pathname + url.search;
  return send(isRequest ? new Request(there, input) : there, init);
};
