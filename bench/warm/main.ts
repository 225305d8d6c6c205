/**
 * A process that makes pools, one after another, and times the first request of each: one that
 * dials, and one after `warm()`; and the same of a bare socket that is connected. It tells the times
 * as a line of JSON.
 *
 * @module
 */

import process from "node:process";
import { createPool, type HttpPool, staticResolver } from "../../mod.ts";
import type { BenchTarget, Client } from "../http/client.ts";
import { CLIENTS } from "../http/clients.ts";
import { median } from "../median.ts";

/** The first request, and the median of those after it on the same connections. */
export interface FirstAndSteady {
  readonly first: number;
  readonly steady: number;
}

/** What it measures, each in milliseconds, pool by pool. */
export interface WarmTimes {
  /** The first request of a pool that has no connection. */
  readonly cold: readonly number[];
  /** After `warm()`. */
  readonly warm: readonly FirstAndSteady[];
  /** Over a bare socket of the runtime that is connected. */
  readonly floor: readonly FirstAndSteady[];
}

const [runtime, targetText, poolsText] = process.argv.slice(2) as [
  keyof typeof CLIENTS,
  string,
  string,
];
const target = JSON.parse(targetText) as BenchTarget;
const pools = Number(poolsText);
const origin = `${target.host}:${target.port}`;
const url = `https://${origin}/tiny`;

const CONNECTIONS = 4;
const STEADY_REQUESTS = 200;
/** For the compilers: whatever a first request runs has run before. */
const PRACTICE_POOLS = 30;
/** Over another pool before each first one: a core that has rested makes any request slower. */
const BUSY_REQUESTS = 100;

const busy = open();

function open(): HttpPool {
  return createPool({
    resolver: staticResolver({ [target.host]: [target.ip] }),
    tls: { ca: [target.ca] },
  });
}

async function request(pool: HttpPool): Promise<number> {
  const begun = performance.now();
  const response = await pool.request(url);
  const { length } = await response.bytes();
  const ms = performance.now() - begun;
  if (response.status !== 200 || length !== 2) throw new Error(`${response.status}, ${length}`);
  return ms;
}

async function cold(): Promise<number> {
  await using pool = open();
  await getBusy();
  return await request(pool);
}

async function warm(): Promise<FirstAndSteady> {
  await using pool = open();
  await pool.warm(origin, { connections: CONNECTIONS });
  return await time(() => request(pool));
}

async function floor(): Promise<FirstAndSteady> {
  const [openFloor] = Object.values(CLIENTS[runtime]);
  const client = await openFloor!(target, "/tiny", 2, 1, 1);
  const times = await time(() => once(client));
  await client.close();
  return times;
}

/** Lets a client make one request. */
async function once(client: Client): Promise<number> {
  const stop = { now: false };
  const begun = performance.now();
  const made = client.run(stop);
  stop.now = true;
  if (await made !== 1) throw new Error("More than one request");
  return performance.now() - begun;
}

async function time(one: () => Promise<number>): Promise<FirstAndSteady> {
  await getBusy();
  const first = await one();
  const others: number[] = [];
  for (let i = 0; i < STEADY_REQUESTS; i++) others.push(await one());
  return { first, steady: median(others) };
}

async function getBusy(): Promise<void> {
  for (let i = 0; i < BUSY_REQUESTS; i++) await request(busy);
}

const times = {
  cold: [] as number[],
  warm: [] as FirstAndSteady[],
  floor: [] as FirstAndSteady[],
};
for (let i = -PRACTICE_POOLS; i < pools; i++) {
  const turn = { cold: await cold(), warm: await warm(), floor: await floor() };
  if (i < 0) continue;
  times.cold.push(turn.cold);
  times.warm.push(turn.warm);
  times.floor.push(turn.floor);
}
console.log(JSON.stringify(times satisfies WarmTimes));
process.exit(0);
