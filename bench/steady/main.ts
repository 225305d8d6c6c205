/**
 * A process with one client, whose callers ask again and again. It tells what came of it as a line
 * of JSON.
 *
 * @module
 */

import process from "node:process";
import { createPool, staticResolver } from "../../mod.ts";

/** What is measured. */
export interface Scene {
  /** A pool that was not warmed, one that was, or the runtime's own `fetch`. */
  readonly client: "cold" | "warm" | "fetch";
  readonly url: string;
  readonly ca: string;
  /** How many callers there are: where these are several numbers, one after another in like parts. */
  readonly callers: readonly number[];
  readonly ms: number;
}

/** What came of it; times in milliseconds since the first request. */
export interface Measured {
  readonly perSecond: readonly number[];
  /** How many microseconds of the processor each request took, handshakes included. */
  readonly cpuUs: number;
  readonly connections: number;
  /** When each connection was ready. */
  readonly readyAt: readonly number[];
  /** Of the last half. */
  readonly waitP50: number;
  readonly p50: number;
}

const { ca, callers, client, ms, url } = JSON.parse(process.argv[2]!) as Scene;
const most = Math.max(...callers);
const pool = createPool({
  resolver: staticResolver({ localhost: ["127.0.0.1"] }),
  maxConnectionsPerHost: 64,
  maxConnectionsPerIp: 64,
  protocols: ["http/1.1"],
  tls: { ca: [ca] },
});
if (client === "warm") await pool.warm(new URL(url).host, { connections: most });

const readyAt: number[] = [];
const waits: number[] = [];
const times: number[] = [];
const perSecond = new Array<number>(Math.ceil(ms / 1_000)).fill(0);
const cpu = process.cpuUsage();
const startedAt = performance.now();
const now = () => performance.now() - startedAt;
pool.on("ready", () => readyAt.push(Math.round(now())));
const get = client === "fetch"
  ? async () => void await (await fetch(url)).arrayBuffer()
  : async () => {
    const response = await pool.request(url);
    await response.bytes();
    if (now() > ms / 2) waits.push(response.connection.timings.queueMs);
  };

async function call(): Promise<void> {
  for (let begin = now(); begin < ms; begin = now()) {
    await get();
    const end = now();
    if (end < ms) perSecond[Math.floor(end / 1_000)]!++;
    if (end > ms / 2) times.push(end - begin);
  }
}

const calls: Promise<void>[] = [];
for (const [at, count] of callers.entries()) {
  if (at > 0) await new Promise((resolve) => setTimeout(resolve, ms / 2 / callers.length));
  while (calls.length < count) calls.push(call());
}
await Promise.all(calls);
const { system, user } = process.cpuUsage(cpu);
const cpuUs = (system + user) / perSecond.reduce((sum, count) => sum + count, 0);

function median(values: readonly number[]): number {
  return Math.round(values.toSorted((a, b) => a - b)[values.length >> 1]! * 10) / 10;
}

const { connections } = pool.stats();
const measured: Measured = {
  perSecond,
  cpuUs,
  connections,
  readyAt,
  waitP50: median(waits),
  p50: median(times),
};
console.log(JSON.stringify(measured));
process.exit(0);
