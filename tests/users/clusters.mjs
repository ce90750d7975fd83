// ioredis and node-redis on a cluster: told is how many values came back, and what a subscriber of a shard channel heard.
import { createCluster } from 'redis';
import Redis from 'ioredis';

const VALUES = 100;
const ports = process.argv.slice(2).map(Number);
const numbers = Array.from({ length: VALUES }, (_, number) => number);

const byIoredis = async () => {
  const cluster = new Redis.Cluster(ports.map((port) => ({ host: '127.0.0.1', port })));
  await Promise.all(numbers.map((number) => cluster.set(`io:${number}`, number)));
  const values = await Promise.all(numbers.map((number) => cluster.get(`io:${number}`)));
  const heard = new Promise((resolve) => cluster.on('message', (_, message) => resolve(message)));
  await cluster.subscribe('io:news');
  const speaker = new Redis.Cluster(ports.map((port) => ({ host: '127.0.0.1', port })));
  await speaker.publish('io:news', 'hello');
  const message = await heard;
  cluster.disconnect();
  speaker.disconnect();
  return { values: values.filter((value, number) => value === String(number)).length, message };
};

const byNodeRedis = async () => {
  const cluster = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) });
  await cluster.connect();
  await Promise.all(numbers.map((number) => cluster.set(`node:${number}`, String(number))));
  const values = await Promise.all(numbers.map((number) => cluster.get(`node:${number}`)));
  const message = await new Promise((resolve, reject) => {
    cluster.sSubscribe('node:news', resolve).then(() => cluster.sPublish('node:news', 'hello')).catch(reject);
  });
  cluster.destroy();
  return { values: values.filter((value, number) => value === String(number)).length, message };
};

const told = { ioredis: await byIoredis(), nodeRedis: await byNodeRedis() };
process.stdout.write(JSON.stringify(told));
