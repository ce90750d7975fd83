// What applications do with @upstash/redis, @upstash/lock and @vercel/kv: prints a JSON object of what came back.
import { Redis } from "@upstash/redis";
import { Redis as EdgeRedis } from "@upstash/redis/cloudflare";
import { Lock } from "@upstash/lock";
import { createClient } from "@vercel/kv";

const [, , url, token] = process.argv;
process.env.UPSTASH_REDIS_REST_URL = url;
process.env.UPSTASH_REDIS_REST_TOKEN = token;
const redis = Redis.fromEnv();
const told = async (doing) => doing.then((value) => value, (error) => `${error.name}: ${error.message}`);

async function strings() {
  return [
    await redis.set("greeting", "hello"),
    await redis.get("greeting"),
    await redis.set("greeting", "again", { nx: true }),
    await redis.setex("session", 60, { user: 1 }),
    await redis.get("session"),
    await redis.ttl("session"),
    await redis.incr("n"),
    await redis.incrby("n", 5),
    await redis.decr("n"),
    await redis.append("greeting", "!"),
    await redis.strlen("greeting"),
    await redis.getset("greeting", "new"),
    await redis.setnx("fresh", 1),
    await redis.mget("greeting", "none", "fresh"),
    await redis.ping(),
  ];
}

async function values() {
  const found = [];
  for (const value of ["OK", 8, "8", 1.5, true, null, { a: [1, { b: "c" }] }, [], "", "😀 é", "12345678901234567890", "\n\"\\"]) {
    await redis.set("k", value);
    found.push(await redis.get("k"));
  }
  await redis.del("l");
  await redis.rpush("l", "OK", 8, { a: 1 });
  found.push(await redis.lrange("l", 0, -1), await redis.hgetall("none"), await redis.smembers("none"), await redis.zscore("none", "m"));
  return found;
}

async function getOrSet() {
  let loaded = 0;
  async function cached(key, load) {
    const hit = await redis.get(key);
    if (hit !== null) return hit;
    const value = await load();
    await redis.set(key, value, { ex: 300 });
    return value;
  }
  const load = async () => ({ id: ++loaded });
  return [await cached("user:1", load), await cached("user:1", load), loaded];
}

async function sessions() {
  await redis.hset("session:1", { user: "ann", visits: 1 });
  await redis.expire("session:1", 3600);
  await redis.hincrby("session:1", "visits", 2);
  const found = await redis.hgetall("session:1");
  return [found, await redis.hget("session:1", "user"), await redis.hkeys("session:1"), await redis.ttl("session:1") > 3590, await redis.del("session:1"), await redis.hgetall("session:1")];
}

async function leaderboard() {
  await redis.zadd("board", { score: 10, member: "ann" }, { score: 20.5, member: "bob" }, { score: 5, member: "cy" });
  await redis.zincrby("board", 7, "cy");
  return [
    await redis.zrange("board", 0, 1, { rev: true, withScores: true }),
    await redis.zrevrank("board", "ann"),
    await redis.zscore("board", "bob"),
    await redis.zrem("board", "bob"),
    await redis.zcard("board"),
    await told(redis.zadd("board", { ann: 1 })),
  ];
}

async function pipelines() {
  const pipeline = redis.pipeline();
  pipeline.set("a", 1).incr("a").hset("h", { f: "v" }).hgetall("h");
  const transaction = redis.multi();
  transaction.set("b", 5).decr("b").get("b");
  const failing = redis.pipeline();
  failing.set("word", "x").incr("word");
  const all = await Promise.all(Array.from({ length: 1000 }, () => redis.incr("many")));
  const both = await Promise.all(
    Array.from({ length: 50 }, () => redis.multi().incr("one").incr("other").exec()),
  );
  return [
    await pipeline.exec(),
    await transaction.exec(),
    await told(failing.exec()),
    await told(redis.incr("word")),
    all.reduce((sum, number) => sum + number, 0),
    both.every(([one, other]) => one === other) && new Set(both.map(([one]) => one)).size,
  ];
}

async function scripts() {
  const script = redis.createScript("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  await redis.scriptFlush();
  const first = await script.exec(["counter"], [2]);
  const batch = redis.pipeline();
  batch.evalsha("f".repeat(40), ["counter"], []);
  return [
    first,
    await script.exec(["counter"], [3]),
    await redis.eval("return {KEYS[1], ARGV[1], 1, false}", ["k"], ["v"]),
    await told(redis.evalsha("f".repeat(40), [], [])),
    await told(batch.exec()),
    await redis.scriptExists("f".repeat(40)),
    script.sha1,
    await scriptsInBatches(),
  ];
}

// By the digest alone, once the server has the script; with auto-pipelining many calls are one request, which fails at first.
async function scriptsInBatches() {
  const batched = new Redis({ url, token, enableAutoPipelining: true });
  const writing = batched.createScript("return redis.call('APPEND', KEYS[1], ARGV[1])");
  const reading = batched.createScript("return redis.call('GET', KEYS[1])", { readonly: true });
  const first = await Promise.all(["a", "b", "c"].map((letter) => writing.exec(["letters"], [letter])));
  const pipeline = redis.pipeline();
  pipeline.evalsha(writing.sha1, ["letters"], ["d"]).strlen("letters");
  const transaction = redis.multi();
  transaction.evalsha(writing.sha1, ["letters"], ["e"]).evalsha(writing.sha1, ["letters"], ["f"]);
  return [first, await pipeline.exec(), await transaction.exec(), await reading.exec(["letters"], []), await reading.evalshaRo(["letters"], [])];
}

async function listening() {
  const messages = [];
  const ready = (subscriber) => new Promise((done) => subscriber.on("subscribe", done));
  const patternReady = (subscriber) => new Promise((done) => subscriber.on("psubscribe", done));
  const one = redis.subscribe("chat");
  const pattern = redis.psubscribe("user:*");
  await Promise.all([ready(one), patternReady(pattern)]);
  const arrived = new Promise((done) => {
    one.on("message", (event) => messages.push(["message", event.channel, event.message]));
    pattern.on("pmessage", (event) => {
      messages.push(["pmessage", event.pattern, event.channel, event.message]);
      done();
    });
  });
  const heard = [await redis.publish("chat", { n: 1, t: 'a, "b"' })];
  heard.push(await redis.publish("user:7", { hi: 1 }));
  await arrived;
  await Promise.all([one.unsubscribe(), pattern.unsubscribe()]);
  let left = 1;
  while (left) left = (await redis.exec(["PUBSUB", "NUMSUB", "chat"]))[1];
  return [heard, messages];
}

async function others() {
  await redis.flushall();
  await redis.set("string", 1);
  await redis.sadd("set", "a", "b");
  const [cursor, found] = await redis.scan(0, { withType: true });
  const raw = new Redis({ url, token, automaticDeserialization: false });
  return [
    cursor,
    found.sort((a, b) => (a.key < b.key ? -1 : 1)),
    (await redis.keys("*")).sort(),
    (await redis.exec(["INFO", "memory"])).includes("used_memory:"),
    await raw.get("string"),
    await redis.copy("string", "string"),
    await new EdgeRedis({ url, token }).get("string"),
    await told(new Redis({ url, token: "wrong" }).get("string")),
    await told(redis.exec(["NOSUCH"])),
    await redis.geoadd("geo", { longitude: 13.36, latitude: 38.11, member: "Palermo" }),
    (await redis.geopos("geo", "Palermo", "none")).map((place) => place && Math.round(place.lng)),
    await redis.xadd("stream", "1-1", { f: "v" }),
    await redis.xrange("stream", "-", "+"),
    await redis.xread("stream", "0"),
    await redis.json.set("document", "$", { n: [1, 2] }),
    await redis.json.numincrby("document", "$.n[1]", 3),
    await redis.json.get("document"),
  ];
}

async function locks() {
  const one = new Lock({ id: "lock", redis, lease: 10_000 });
  const other = new Lock({ id: "lock", redis, lease: 10_000, retry: { attempts: 1, delay: 1 } });
  return [await one.acquire(), await other.acquire(), await one.extend(5000), await other.release(), await one.release(), await other.acquire()];
}

async function kv() {
  const client = createClient({ url, token });
  await client.flushdb();
  await client.set("k", { a: 1 });
  const keys = [];
  for await (const key of client.scanIterator()) keys.push(key);
  return [await client.get("k"), keys];
}

const parts = { strings, values, getOrSet, sessions, leaderboard, pipelines, scripts, listening, others, locks, kv };
const found = {};
for (const [name, part] of Object.entries(parts)) {
  await redis.flushall();
  found[name] = await part();
}
console.log(JSON.stringify(found));
process.exit(0);
