// What a page of another origin does with the SDK; it tells the outcome to the server that it comes from.
import { Redis } from "@upstash/redis";

const [url, token] = [document.body.dataset.url, document.body.dataset.token];
const redis = new Redis({ url, token });
const told = async (doing) => doing.then((value) => value, (error) => error.message);

async function run() {
  const before = await redis.set("k", { a: "😀" });
  const pipeline = redis.pipeline();
  pipeline.incr("n").hset("h", { f: "v" }).hgetall("h");
  const answer = await fetch(url, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify(["INCR", "n"]),
  });
  const subscriber = redis.subscribe("chat");
  const message = await new Promise((done) => {
    subscriber.on("message", (event) => done(event.message));
    subscriber.on("subscribe", () => redis.publish("chat", { hello: "page" }));
  });
  await subscriber.unsubscribe();
  const script = redis.createScript("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  const counted = [await script.exec(["sum"], [2]), await script.evalsha(["sum"], [3])];
  return [
    location.origin !== new URL(url).origin,
    before,
    await redis.get("k"),
    await pipeline.exec(),
    (await answer.json()).result,
    answer.headers.get("upstash-sync-token") !== null,
    message,
    [...counted, script.sha1, await redis.scriptExists(script.sha1)],
    await told(new Redis({ url, token: "wrong" }).get("k")),
  ];
}

const tell = (outcome) => fetch("/", { method: "POST", body: JSON.stringify(outcome) });

run().then(tell, (error) => tell(String(error)));
