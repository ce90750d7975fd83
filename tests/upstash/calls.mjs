// Calls methods of @upstash/redis, given as a JSON array of ["json.set", argument, …]: prints what each gave, or its error.
import { readFileSync } from "node:fs";
import { Redis } from "@upstash/redis";

const [, , url, token, path] = process.argv;
const redis = new Redis({ url, token });
const found = [];
for (const [name, ...given] of JSON.parse(readFileSync(path, "utf8"))) {
  const [method, group] = name.split(".").reverse();
  const owner = group ? redis[group] : redis;
  found.push(await owner[method](...given).then((value) => value ?? null, (error) => `${error.name}: ${error.message}`));
}
console.log(JSON.stringify(found));
