/**
 * How large a pool grows: with steady demand, with bursts, and when demand falls.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const ROOMY = {
  hosts: { "a.test": ["192.0.2.1"] },
  maxConnections: 64,
  maxConnectionsPerHost: 64,
  maxConnectionsPerIp: 64,
};

interface Callers {
  /** How long each lease was waited for, in milliseconds, since this was last emptied. */
  waits: number[];
  /** Ends them, each with its present lease. */
  stop(): Promise<void>;
}

/** So many callers, each of whom asks for a lease, holds it for a while, and asks again. */
function callers(it: MemoryPool, count: number, holdMs: number): Callers {
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const lease = await it.pool.acquire("a.test");
      running.waits.push(lease.waitedMs);
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, holdMs));
      lease.release();
    }
  };
  const all = Promise.all(Array.from({ length: count }, run));
  const running: Callers = {
    waits: [],
    async stop() {
      stopped = true;
      for (let ms = 0; ms < 3_000 && it.pool.stats().leased > 0; ms += 5) await pass(it, 5, 5);
      await all;
    },
  };
  return running;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function connections({ pool }: MemoryPool): number {
  return pool.stats().connections;
}

/** Makes a pool, warm with so many connections. */
async function warm(count: number, options: MemoryPoolOptions): Promise<MemoryPool> {
  const it = memoryPool({ ...ROOMY, ...options });
  if (count === 0) return it;
  const warming = it.pool.warm("a.test", { connections: count });
  await pass(it, 200, 10);
  await warming;
  await it.pool.warm("a.test", { connections: 0 });
  assertEquals(connections(it), count);
  return it;
}

const steady = [
  { count: 64, holdMs: 5, dialMs: 20, warmed: 0 },
  { count: 64, holdMs: 20, dialMs: 20, warmed: 0 },
  { count: 64, holdMs: 200, dialMs: 50, warmed: 0 },
  { count: 40, holdMs: 3, dialMs: 100, warmed: 4 },
  { count: 40, holdMs: 50, dialMs: 50, warmed: 4 },
  { count: 17, holdMs: 1, dialMs: 30, warmed: 16 },
];
for (const { count, dialMs, holdMs, warmed } of steady) {
  test(`${count} callers who hold for ${holdMs} ms have as many connections within three dials of ${dialMs} ms, ${warmed} warm`, async () => {
    await using it = await warm(warmed, { script: () => ({ delayMs: dialMs }) });
    const load = callers(it, count, holdMs);
    await pass(it, 3 * dialMs + 1, 1);
    assertEquals(connections(it), count);
    // Those who have waited until now do not count.
    await pass(it, 2 * holdMs, 1);
    load.waits = [];
    await pass(it, 10 * holdMs, 1);
    assertEquals(median(load.waits), 0);
    assertEquals(connections(it), count);
    await load.stop();
  });
}

test("Callers who grow in number, step by step, find as many connections as they are", async () => {
  await using it = await warm(0, { script: () => ({ delayMs: 50 }) });
  const loads: Callers[] = [];
  for (let count = 4; count <= 40; count += 4) {
    loads.push(callers(it, 4, 50));
    await pass(it, 200, 5);
    assertEquals(connections(it), count);
  }
  for (const load of loads) await load.stop();
});

test("Fifty callers at once each second leave the pool as large as the first of them did", async () => {
  await using it = await warm(5, {
    idleTimeoutMs: 10_000,
    cleanupIntervalMs: 1_000,
    script: () => ({ delayMs: 150 }),
  });
  const sizes: number[] = [];
  for (let second = 0; second < 25; second++) {
    const burst = Array.from({ length: 50 }, async () => {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
      lease.release();
    });
    await pass(it, 1_000, 2);
    await Promise.all(burst);
    sizes.push(connections(it));
  }
  assert(sizes[0]! <= 6, `${sizes}`);
  assertEquals(new Set(sizes).size, 1, `${sizes}`);
  assertEquals(it.dialer.dials.length, sizes[0]);
});

test("What is left when demand falls ages out", async () => {
  await using it = await warm(0, {
    idleTimeoutMs: 10_000,
    cleanupIntervalMs: 1_000,
    script: () => ({ delayMs: 20 }),
  });
  const many = callers(it, 60, 5);
  await pass(it, 200, 5);
  assertEquals(connections(it), 60);
  await many.stop();
  const few = callers(it, 4, 5);
  await pass(it, 12_000, 5);
  assertEquals(connections(it), 4);
  await few.stop();
});

test("A pool at its limit dials nothing, and has no more timers the more callers wait", async () => {
  await using it = await warm(0, { maxConnectionsPerHost: 4, maxWaiters: 10_000 });
  await pass(it, 10, 1);
  const first = await Promise.all(Array.from({ length: 4 }, () => it.pool.acquire("a.test")));
  const timers: number[] = [];
  const waiting: Promise<void>[] = [];
  for (const count of [1, 99, 900]) {
    for (let i = 0; i < count; i++) {
      waiting.push(it.pool.acquire("a.test").then((lease) => lease.release()));
    }
    await turns();
    timers.push(it.clock.timers);
  }
  assertEquals(timers, [timers[0], timers[0], timers[0]]);
  for (const lease of first) lease.release();
  await Promise.all(waiting);
  assertEquals(it.dialer.dials.length, 4);
});
