// @upstash/realtime: events with a history, heard by a subscriber of the server's and by the handler that browsers ask.
import { Redis } from "@upstash/redis";
import { handle, Realtime } from "@upstash/realtime";
import * as z from "zod/v4";

const [, , url, token] = process.argv;
const redis = new Redis({ url, token });
await redis.flushall();
const realtime = new Realtime({ schema: { chat: { said: z.object({ text: z.string() }) } }, redis, history: true });
const room = realtime.channel("room");
const found = {};

await room.emit("chat.said", { text: "before" });
const heard = [];
const both = new Promise((done) => {
  room.subscribe({
    events: ["chat.said"],
    history: true,
    onData: (event) => {
      heard.push(event.data.text);
      if (heard.length === 2) done();
    },
  });
});
while ((await redis.exec(["PUBSUB", "NUMSUB", "room"]))[1] === 0);
await room.emit("chat.said", { text: 'with, commas and "quotes"' });
await both;
found.heard = heard;
found.history = (await room.history()).map(({ event, data }) => [event, data.text]);
room.unsubscribe();

const ending = new AbortController();
const answer = await handle({ realtime })(new Request("http://app/api?channel=room", { signal: ending.signal }));
const reader = answer.body.getReader();
const decoder = new TextDecoder();
const next = async (type) => {
  for (;;) {
    const text = decoder.decode((await reader.read()).value);
    for (const line of text.split("\n\n")) {
      if (line.startsWith("data: ") && (!type || line.includes(type))) return JSON.parse(line.slice(6));
    }
  }
};
found.connected = await next("connected");
await room.emit("chat.said", { text: "live" });
found.live = (await next("live")).data;
ending.abort();
console.log(JSON.stringify(found));
process.exit(0);
