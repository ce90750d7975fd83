// node-redis and ioredis: their own client-side features against one server, by plain TCP and by TLS.
import { readFileSync } from 'node:fs';
import { createClient, BasicClientSideCache } from 'redis';
import Redis from 'ioredis';

const [port, tlsPort, ca] = process.argv.slice(2);
const url = `redis://127.0.0.1:${port}`;
const tell = {};
const until = async (test) => {
  const end = Date.now() + 10000;
  while (!(await test())) {
    if (Date.now() > end) throw new Error('too late');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const admin = await createClient({ url }).connect();
await admin.flushAll();

// client-side cache on RESP3
const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100 });
const caching = await createClient({ url, RESP: 3, clientSideCache: cache }).connect();
await admin.set('k', '1');
tell.cached = [await caching.get('k'), await caching.get('k'), cache.stats().hitCount];
await admin.set('k', '2');
await until(async () => (await caching.get('k')) === '2');
tell.invalidated = await caching.get('k');

// users
await admin.aclSetUser('ann', ['on', '>secret', '~a*', '+@read', '+@connection', '+@pubsub', '&c*', '+info']);
const ann = await createClient({ url, username: 'ann', password: 'secret' }).connect();
tell.refused = await ann.set('a', '1').catch((error) => error.message.split(' ')[0]);
tell.whoami = await admin.aclWhoAmI();
const io = new Redis({ port, username: 'ann', password: 'secret' });
tell.ioRefused = await io.get('b').catch((error) => error.message.split(' ')[0]);

// pushes on RESP3 beside commands on one connection
const heard = [];
const listener = await createClient({ url, RESP: 3 }).connect();
await listener.subscribe('c', (message) => heard.push(message));
await listener.set('x', '1');
await admin.publish('c', 'hello');
await until(() => heard.length === 1);
tell.heard = [...heard, await listener.get('x')];

// MONITOR
const ready = new Redis({ port });
await ready.ping(); // or its INFO may come in one piece with the answer to MONITOR, which ioredis does not bear
const watcher = await ready.monitor();
const seen = [];
watcher.on('monitor', (time, words) => seen.push(words));
await new Redis({ port }).set('seen', 'yes');
await until(() => seen.some((words) => words.join(' ') === 'set seen yes'));
tell.monitored = true;

// TLS
const trusted = { ca: readFileSync(ca), servername: 'localhost' };
const secure = await createClient({ url: `rediss://127.0.0.1:${tlsPort}`, socket: { tls: true, ...trusted } }).connect();
const ioSecure = new Redis({ port: tlsPort, tls: trusted });
tell.tls = [await secure.get('k'), await ioSecure.get('k')];

console.log(JSON.stringify(tell));
process.exit(0);
