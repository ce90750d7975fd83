// ioredis and node-redis write through a sentinel while it makes a replica the master; told is what each of them met.
import { createSentinel } from 'redis';
import Redis from 'ioredis';

const WRITERS = 4;
const ENOUGH = 50;
const [name, sentinelPort, oldPort] = process.argv.slice(2);
const at = { host: '127.0.0.1', port: Number(sentinelPort) };
const deadline = Date.now() + 60000;
const pause = () => new Promise((resolve) => setTimeout(resolve, 1));

console.log = console.error; // where node-redis tells of tries of its own

// Who waits has a client of its own.  Those without patience tell their caller what the others retry in silence.
const byIoredis = (options = {}) => {
  const [client, waiting] = [0, 1].map(() => new Redis({ sentinels: [at], name, ...options }));
  return { clients: [client, waiting], wait: (key) => waiting.blpop(key, 0), push: (key) => client.lpush(key, 'x') };
};
const byNodeRedis = async (options = {}) => {
  const [client, waiting] = [0, 1].map(() => createSentinel({ name, sentinelRootNodes: [at], ...options }));
  for (const each of [client, waiting]) await each.connect();
  return { clients: [client, waiting], wait: (key) => waiting.blPop(key, 0), push: (key) => client.lPush(key, 'x') };
};
const impatient = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, enableOfflineQueue: false };
const users = {
  ioredis: byIoredis(),
  ioredisWithoutPatience: byIoredis(impatient),
  nodeRedis: await byNodeRedis(),
  nodeRedisWithoutPatience: await byNodeRedis({ maxCommandRediscovers: 0 }),
};

/** Load by a user, which has begun; the answer ends it once the user has come to another master. */
const load = async (user, { clients, wait, push }) => {
  const [client] = clients;
  const met = new Set();
  const note = (error) => void met.add(`${error.code ?? ''} ${error.message}`.trim());
  for (const each of clients) each.on('error', note);
  const insist = async (action) => {
    while (Date.now() < deadline) {
      try {
        return await action();
      } catch (error) {
        note(error);
        await pause();
      }
    }
    throw new Error(`${user} is too late; met ${[...met]}`);
  };
  let written = 0;
  let moved = false;
  const write = async () => {
    for (let more = ENOUGH; more > 0; written++, more -= moved) await insist(() => client.incr(user));
  };
  const writers = Array.from({ length: WRITERS }, write);
  const queue = `${user}:queue`;
  const popped = insist(() => wait(queue));
  while (written < ENOUGH) await pause();
  return async () => {
    while (!moved) moved = !(await insist(() => client.info('server'))).includes(`tcp_port:${oldPort}\r`);
    await Promise.all(writers);
    await insist(() => push(queue));
    await popped;
    return { met: [...met].sort(), value: await insist(() => client.incr(user)) };
  };
};

const loads = {};
for (const [user, how] of Object.entries(users)) loads[user] = await load(user, how);
await new Redis(at).call('SENTINEL', 'FAILOVER', name);
const told = {};
for (const [user, end] of Object.entries(loads)) told[user] = await end();
process.stdout.write(JSON.stringify(told));
process.exit();
