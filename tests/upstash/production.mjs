// @upstash/redis by the address that the service would give: prints what came back.
import { Redis } from "@upstash/redis";

const [, , url, token] = process.argv;
const redis = new Redis({ url, token });
const subscriber = redis.subscribe("chat");
const heard = new Promise((done) => subscriber.on("message", (event) => done(event.message)));
await new Promise((done) => subscriber.on("subscribe", done));
await redis.publish("chat", { hello: "there" });
const found = [
  await redis.set("k", { a: "é" }),
  await redis.get("k"),
  await redis.pipeline().incr("n").incr("n").exec(),
  await redis.multi().incr("n").get("n").exec(),
  await heard,
  await redis.mget("k", "none"),
];
console.log(JSON.stringify(found));
process.exit(0);
