// Subscriptions whose bytes come one by one, as a network may bring them: prints what @upstash/redis heard.
import { Redis } from "@upstash/redis";

const send = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const answer = await send(input, init);
  const apart = new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) controller.enqueue(Uint8Array.of(byte));
    },
  });
  return new Response(answer.body.pipeThrough(apart), answer);
};

const [, , url, token] = process.argv;
const redis = new Redis({ url, token });
const messages = [{ n: 1, t: 'a, "b"' }, ["é 😀 日本"], 8, ["x".repeat(20_000)]];
const heard = [];
const one = redis.subscribe("chat é");
const pattern = redis.psubscribe("chat*");
await Promise.all([
  new Promise((done) => one.on("subscribe", done)),
  new Promise((done) => pattern.on("psubscribe", done)),
]);
const arrived = (subscriber, kind) =>
  new Promise((done) => {
    let left = messages.length;
    subscriber.on(kind, (event) => {
      heard.push([kind, event.channel, event.message]);
      if (!--left) done();
    });
  });
const all = Promise.all([arrived(one, "message"), arrived(pattern, "pmessage")]);
for (const message of messages) await redis.publish("chat é", message);
await all;
console.log(JSON.stringify(heard));
process.exit(0);
