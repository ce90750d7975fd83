// Every limiter of @upstash/ratelimit over the edges of windows; time is the script's own, and the server's clock follows it.
import { Redis } from "@upstash/redis";
import { Analytics, MultiRegionRatelimit, Ratelimit } from "@upstash/ratelimit";

const [, , url, token, otherToken] = process.argv;
const redis = new Redis({ url, token });
const other = new Redis({ url, token: otherToken });
let now = 1_700_000_000_000;
Date.now = () => now;

async function at(milliseconds) {
  now = 1_700_000_000_000 + milliseconds;
  for (const each of [redis, other]) {
    await each.exec(["EMULATOR", "CLOCK", "FREEZE"]);
    await each.exec(["EMULATOR", "CLOCK", "SET", String(now)]);
  }
}

async function sequence(limiter, moments, options = () => undefined) {
  const found = [];
  for (const moment of moments) {
    await at(moment);
    const { success, remaining, reset, limit, pending, reason } = await limiter.limit("user", options(moment));
    await pending;
    found.push([success, remaining, reset - 1_700_000_000_000, limit, ...(reason ? [reason] : [])]);
  }
  return found;
}

const moments = JSON.parse(process.argv[5]);
const limiter = (algorithm, options = {}) => new Ratelimit({ redis, limiter: algorithm, ephemeralCache: false, ...options });
const found = {};
await at(0);
await redis.flushall();
await other.flushall();

found.fixedWindow = await sequence(limiter(Ratelimit.fixedWindow(3, "10 s"), { prefix: "fixed" }), moments);
found.slidingWindow = await sequence(limiter(Ratelimit.slidingWindow(4, "10 s"), { prefix: "sliding" }), moments);
found.tokenBucket = await sequence(limiter(Ratelimit.tokenBucket(2, "10 s", 5), { prefix: "bucket" }), moments);
found.cachedFixedWindow = await sequence(
  limiter(Ratelimit.cachedFixedWindow(3, "10 s"), { prefix: "cached", ephemeralCache: new Map() }),
  moments,
);
found.multiRegion = await sequence(
  new MultiRegionRatelimit({
    redis: [redis, other],
    limiter: MultiRegionRatelimit.fixedWindow(3, "10 s"),
    prefix: "regions",
    ephemeralCache: false,
  }),
  moments,
);
found.multiRegionSliding = (
  await sequence(
    new MultiRegionRatelimit({
      redis: [redis, other],
      limiter: MultiRegionRatelimit.slidingWindow(4, "10 s"),
      prefix: "sliding-regions",
      ephemeralCache: false,
    }),
    [0, 1, 2, 3, 4],
  )
).map(([success]) => success);
found.bothRegionsKnow = [(await redis.keys("regions:*")).length > 0, (await other.keys("regions:*")).length > 0];

// A blocked identifier is answered from memory until the window is over.
const cache = new Map();
found.ephemeralCache = await sequence(limiter(Ratelimit.fixedWindow(1, "10 s"), { prefix: "memory", ephemeralCache: cache }), [0, 1, 2, 10_001]);

// Rates, what remains, resetting, limits that change.
await at(0);
const rated = limiter(Ratelimit.fixedWindow(10, "10 s"), { prefix: "rated" });
found.rates = [
  (await rated.limit("user", { rate: 4 })).remaining,
  (await rated.limit("user", { rate: -2 })).remaining,
  (await rated.getRemaining("user")).remaining,
  await rated.resetUsedTokens("user").then(() => rated.getRemaining("user")).then(({ remaining }) => remaining),
];
const dynamic = limiter(Ratelimit.slidingWindow(2, "10 s"), { prefix: "dynamic", dynamicLimits: true });
await dynamic.setDynamicLimit({ limit: 5 });
found.dynamic = [(await dynamic.limit("user")).limit, await dynamic.getDynamicLimit().then(({ dynamicLimit }) => dynamicLimit)];

// The deny list, whose download is switched off.
await redis.set("guarded:ipDenyListStatus", "disabled");
await redis.sadd("guarded:denyList:all", "1.2.3.4", "bad-bot");
const guarded = limiter(Ratelimit.fixedWindow(10, "10 s"), { prefix: "guarded", enableProtection: true });
found.denyList = [];
for (const [ip, userAgent] of [["1.2.3.4", "x"], ["5.6.7.8", "bad-bot"], ["5.6.7.8", "good"]]) {
  const { success, reason, deniedValue } = await guarded.limit("user", { ip, userAgent });
  found.denyList.push([success, reason ?? null, deniedValue ?? null]);
}
found.manyMembers = await redis.sadd("guarded:denyList:many", ...Array.from({ length: 30_000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`));

// Analytics.
const counted = limiter(Ratelimit.fixedWindow(2, "10 s"), { prefix: "counted", analytics: true });
for (let n = 0; n < 4; n++) await (await counted.limit(n % 2 ? "ann" : "bob")).pending;
for (let n = 0; n < 2; n++) await (await counted.limit("bob")).pending;
const analytics = new Analytics({ redis, prefix: "counted" });
found.analytics = {
  usage: await analytics.getUsage(Date.now() - 3_600_000),
  overTime: (await analytics.getUsageOverTime(1, "identifier")).length,
  most: await analytics.getMostAllowedBlocked(1, 5).catch((error) => error.message),
};
// Each script is sent once: after that its digest, which the SDK has as a constant, is known.
found.noscript = Number((await redis.exec(["INFO", "errorstats"])).match(/errorstat_NOSCRIPT:count=(\d+)/)[1]);
found.scripts = Number((await redis.exec(["INFO", "memory"])).match(/number_of_cached_scripts:(\d+)/)[1]);
console.log(JSON.stringify(found));
process.exit(0);
