/**
 * One client under a constant rate of calls, step by step faster.
 *
 * A call's time counts from when it was due, not from when it began: a client that falls behind
 * cannot hide it. Told what to do by its arguments; prints the steps as JSON.
 *
 * @module
 */

import process from "node:process";
import { createPool, staticResolver } from "../../mod.ts";
import type { BenchTarget } from "../http/client.ts";

/** What came of a rate. */
export interface LoadStep {
  /** Calls a second that were due, and that were answered. */
  readonly rate: number;
  readonly answered: number;
  /** Times, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const CONNECTIONS = 64;
const RATES = [500, 1_000, 2_000, 4_000, 6_000, 8_000, 12_000, 16_000, 24_000, 32_000];
const STEP_MS = 1_200;
/** What comes in the first part of a step does not count. */
const SETTLE_MS = 300;
/** A client that is so many calls behind has lost. */
const MOST_UNDER_WAY = 2_000;

const [client = "", told = ""] = process.argv.slice(2);
const target: BenchTarget = JSON.parse(told);
const url = `https://${target.host}:${target.port}/tiny`;

async function open(): Promise<() => Promise<unknown>> {
  if (client === "fetch") return async () => (await fetch(url)).arrayBuffer();
  if (client === "undici") {
    const { Agent, request } = await import("undici");
    const dispatcher = new Agent({ connections: CONNECTIONS, connect: { ca: target.ca } });
    return async () => (await request(url, { dispatcher })).body.arrayBuffer();
  }
  const pool = createPool({
    resolver: staticResolver({ [target.host]: [`${target.ip}:${target.port}`] }),
    maxConnectionsPerIp: CONNECTIONS,
    maxWaiters: 100_000,
    protocols: ["http/1.1"],
    tls: { ca: target.ca },
  });
  await pool.warm(`${target.host}:${target.port}`, { connections: CONNECTIONS });
  return async () => (await pool.request(url)).text();
}

/** Calls at a rate; undefined where the client fell behind for good. */
async function step(call: () => Promise<unknown>, rate: number): Promise<LoadStep | undefined> {
  const times: number[] = [];
  const from = performance.now();
  let begun = 0;
  let underWay = 0;
  let hasLost = false;
  const one = async (dueAt: number) => {
    underWay++;
    await call();
    underWay--;
    if (dueAt - from >= SETTLE_MS) times.push(performance.now() - dueAt);
  };
  const calls: Promise<void>[] = [];
  await new Promise<void>((resolve) => {
    const turn = () => {
      const passed = performance.now() - from;
      hasLost = underWay > MOST_UNDER_WAY;
      if (passed > STEP_MS || hasLost) return resolve();
      for (; begun < passed * rate / 1_000; begun++) calls.push(one(from + begun * 1_000 / rate));
      // A loop of immediates would keep Bun from its sockets.
      setTimeout(turn, 1);
    };
    turn();
  });
  const dueMs = performance.now() - from - SETTLE_MS;
  await Promise.all(calls);
  if (hasLost || times.length === 0) return undefined;
  times.sort((a, b) => a - b);
  const at = (percent: number) => times[Math.floor(times.length * percent / 100)]!;
  const answered = Math.round(times.length / dueMs * 1_000);
  return { rate, answered, p50: at(50), p99: at(99) };
}

const call = await open();
// Compiles, and opens connections.
await step(call, 2_000);
await step(call, 2_000);
const steps: LoadStep[] = [];
for (const rate of RATES) {
  const result = await step(call, rate);
  if (!result) break;
  steps.push(result);
  // So late that the rest tells nothing more.
  if (result.p99 > 200) break;
}
console.log(JSON.stringify(steps));
process.exit(0);
