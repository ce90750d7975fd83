import { Queue, Worker, QueueEvents, FlowProducer } from 'bullmq';
const connection = { host: '127.0.0.1', port: Number(process.argv[2]) };
const queue = new Queue('jobs', { connection });
const events = new QueueEvents('jobs', { connection });
await events.waitUntilReady();
const seen = { completed: 0, failed: 0, delayed: 0 };
for (const name of Object.keys(seen)) events.on(name, () => { seen[name] += 1; });
await queue.addBulk(Array.from({ length: 500 }, (_, n) => ({
  name: 'job', data: { n },
  opts: { priority: n % 5, delay: n % 10 === 0 ? 100 : 0, attempts: n % 7 === 0 ? 2 : 1, backoff: { type: 'fixed', delay: 20 } },
})));
const failedOnce = new Set(), done = [];
const worker = new Worker('jobs', async (job) => {
  if (job.data.n % 7 === 0 && !failedOnce.has(job.data.n)) { failedOnce.add(job.data.n); throw new Error('once'); }
  await job.updateProgress(50);
  done.push(job.data.n);
  return job.data.n * 2;
}, { connection, concurrency: 20, limiter: { max: 200, duration: 200 } });
const until = async (test) => { const end = Date.now() + 30000; while (!(await test())) { if (Date.now() > end) throw new Error('too late ' + JSON.stringify(await queue.getJobCounts())); await new Promise(r => setTimeout(r, 20)); } };
await until(async () => (await queue.getJobCounts('completed')).completed === 500);
const flow = new FlowProducer({ connection });
const children = new Worker('children', async (job) => job.data.n, { connection });
const parents = new Worker('parents', async (job) => Object.values(await job.getChildrenValues()).reduce((a, b) => a + b, 0), { connection });
const tree = await flow.add({ name: 'parent', queueName: 'parents', children: Array.from({ length: 10 }, (_, n) => ({ name: 'child', queueName: 'children', data: { n } })) });
const parentEvents = new QueueEvents('parents', { connection });
const sum = await tree.job.waitUntilFinished(parentEvents, 20000);
await until(() => seen.completed >= 500);
await queue.pause(); await queue.resume();
await queue.upsertJobScheduler('every', { every: 50 }, { name: 'job', data: { n: 1 } });
await until(() => seen.completed >= 503);
await queue.removeJobScheduler('every');
await until(async () => { const left = await queue.getJobCounts('wait', 'active'); return left.wait + left.active === 0; });
const counts = await queue.getJobCounts('completed', 'failed', 'wait', 'active');
console.log(JSON.stringify({ done: new Set(done).size, retried: failedOnce.size, sum, completed: seen.completed >= 503, failed: counts.failed, active: counts.active }));
await Promise.all([worker, children, parents].map(w => w.close()));
await queue.obliterate({ force: true });
await Promise.all([queue, events, parentEvents, flow].map(c => c.close()));
