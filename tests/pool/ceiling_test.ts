/**
 * A machine that takes only so many connections, on a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { test } from "node:test";
import type { PoolEvents } from "../../src/pool/events.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";

const ONE = "192.0.2.1";
const TAKES = 6;

/** A pool for a machine that refuses whom it has no room for. */
function scene(options: MemoryPoolOptions = {}): MemoryPool {
  const it: MemoryPool = memoryPool({
    hosts: { "a.test": [ONE] },
    script: () => {
      const isFull = it.dialer.sockets.size + it.dialer.dialing >= TAKES;
      return { delayMs: 5, ...isFull && { failure: "refused" } };
    },
    ...options,
  });
  return it;
}

/** Has so many callers come again and again, and hold what they get for a while. */
function callers(it: MemoryPool, count: number, holdMs: number): { end(): Promise<void> } {
  let stop = false;
  const caller = async () => {
    while (!stop) {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, holdMs));
      lease.release();
    }
  };
  const all = Promise.all(Array.from({ length: count }, caller));
  return {
    async end() {
      stop = true;
      await pass(it, 10 * holdMs, 5);
      await all;
    },
  };
}

test("A machine that takes no more is held to what it serves, and tried now and then", async () => {
  await using it = scene();
  const told: PoolEvents["ceiling"][] = [];
  const others: string[] = [];
  it.pool.on("ceiling", (event) => told.push(event));
  for (const type of ["eject", "readmit"] as const) it.pool.on(type, () => others.push(type));
  const crowd = callers(it, 10, 50);
  await pass(it, 1_300, 5);
  assertEquals(told, [{ address: ONE, connections: TAKES }]);
  const address = () => it.pool.stats().hosts["a.test"]!.addresses[ONE]!;
  assertEquals([address().ceiling, address().standing, address().connections], [6, "good", 6]);
  const [full] = it.pool.diagnose();
  assertEquals([full?.what, full?.severity, full?.address], ["full", "warning", ONE]);
  assertMatch(full!.message, /accepts no more than 6 connections/);
  const { dialErrors } = it.pool.stats();
  await pass(it, 30_000, 5);
  const tries = it.pool.stats().dialErrors - dialErrors;
  assert(tries >= 3 && tries <= 5, `${tries} tries in half a minute`);
  assertEquals([others, it.pool.stats().timedOut], [[], 0]);
  await crowd.end();
});

test("What grows with its demand, or is kept warm, respects what a machine takes", async () => {
  await using it = scene({ maxConnectionsPerIp: 64 });
  const crowd = callers(it, 10, 50);
  await pass(it, 500, 5);
  await it.pool.warm("a.test", { connections: 20 }).catch(() => {});
  const { dials } = it.pool.stats();
  await pass(it, 20_000, 5);
  const more = it.pool.stats().dials - dials;
  assert(more <= 8, `${more} dials`);
  assertEquals(it.pool.stats().connections, TAKES);
  await it.pool.warm("a.test", { connections: 0 });
  await crowd.end();
});

test("A hundred dead machines are dialled five times a second, and each finds its turn", async () => {
  const dead = Array.from({ length: 100 }, (_, index) => `198.51.100.${index}`);
  const down = new Set(dead);
  await using it = memoryPool({
    hosts: { "a.test": [ONE, ...dead] },
    script: ({ address }) => down.has(address) ? { failure: "refused", delayMs: 1 } : {},
    maxConnections: 1_000,
    maxConnectionsPerHost: 1_000,
  });
  const crowd = callers(it, 4, 10);
  await pass(it, 10_000, 5);
  const before = it.dialer.dials.length;
  await pass(it, 20_000, 5);
  const perSecond = (it.dialer.dials.length - before) / 20;
  assert(perSecond <= 5.5, `${perSecond} dials a second`);
  down.clear();
  await pass(it, 25_000, 5);
  const { addresses } = it.pool.stats().hosts["a.test"]!;
  assertEquals(Object.values(addresses).filter(({ standing }) => standing !== "good"), []);
  await crowd.end();
});

test("A dead machine of a host that nobody uses is left alone", async () => {
  await using it = memoryPool({
    hosts: { "a.test": [ONE, "192.0.2.2"] },
    script: ({ address }) => address === ONE ? { failure: "refused" } : {},
    idleTimeoutMs: 10_000,
  });
  it.pool.acquire("a.test", { ip: ONE }).catch(() => {});
  (await it.pool.acquire("a.test")).release();
  await pass(it, 20_000, 50);
  const { length } = it.dialer.dials;
  await pass(it, 60_000, 500);
  assertEquals(it.dialer.dials.length, length);
});

test("A machine that is back is found though its host has all the connections that it may have", async () => {
  const down = new Set([ONE]);
  await using it = memoryPool({
    script: ({ address }) => down.has(address) ? { failure: "refused" } : {},
    hostOptions: { "a.test": { maxConnections: 4 } },
  });
  const leases = await Promise.all([1, 2, 3, 4].map(() => it.pool.acquire("a.test")));
  for (const lease of leases) lease.release();
  const crowd = callers(it, 1, 10);
  await pass(it, 10_000, 50);
  assertEquals(countAt(it, "192.0.2.2") <= 3, true);
  const { evicted } = it.pool.stats();
  // One made room, once: what is needed is not dialled again each time.
  assertEquals(evicted, { room: 1 });
  down.clear();
  await pass(it, 2_600, 50);
  assertEquals(countAt(it, ONE), 1);
  await crowd.end();
});
