/**
 * How a host in use comes to have connections at all of its addresses, be they four or ten thousand.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
const MANY = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

function fourMachines(options: MemoryPoolOptions = {}): MemoryPool {
  return memoryPool({ hosts: { "a.test": FOUR }, ...options });
}

async function use(it: MemoryPool, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    (await it.pool.acquire("a.test")).release();
    await turns(10);
  }
}

test("One caller after another: after forty leases every address has a connection, one more in ten", async () => {
  await using it = fourMachines();
  for (let leases = 10; leases <= 40; leases += 10) {
    await use(it, 10);
    // The first one is the caller's own.
    assert(it.dialer.dials.length <= 1 + leases / 10, `${it.dialer.dials.length} at ${leases}`);
  }
  assertEquals(FOUR.map((text) => countAt(it, text)), [1, 1, 1, 1]);
  await use(it, 200);
  assertEquals(it.dialer.dials.length, 4);
});

test("Where the limits leave no room nothing is dialled to spread, and nothing makes room for it", async () => {
  for (
    const limits of [{ maxConnections: 2 }, { maxConnectionsPerHost: 2 }, {
      hostOptions: { "a.test": { maxConnections: 2 } },
    }]
  ) {
    await using it = fourMachines(limits);
    await use(it, 100);
    assertEquals(it.dialer.dials.length, 2);
    assertEquals(it.pool.stats().evicted, {});
  }
});

test("While dials are at their limit nothing is dialled to spread", async () => {
  await using it = fourMachines({
    maxConcurrentDials: 1,
    script: ({ host }) => ({ delayMs: host === "b.test" ? 5_000 : 0 }),
    hosts: { "a.test": FOUR, "b.test": ["192.0.2.9"] },
  });
  await use(it, 1);
  const waiting = it.pool.acquire("b.test");
  await turns();
  await use(it, 100);
  assertEquals(it.dialer.dials.length, 2);
  await pass(it, 5_000, 1_000);
  (await waiting).release();
  await use(it, 10);
  assertEquals(it.dialer.dials.length, 3);
});

test("A machine that refuses is tried by dials that no caller waits for, every two seconds or so", async () => {
  await using it = fourMachines({
    script: ({ address }) => address === FOUR[2] ? { failure: "refused" } : {},
  });
  await use(it, 60);
  const since = it.clock.now();
  for (let i = 0; i < 600; i++) {
    const lease = await it.pool.acquire("a.test");
    assertEquals(lease.waitedMs, 0);
    lease.release();
    await pass(it, 100, 100);
  }
  const dials = it.dialer.dials.filter(({ address }) => address === FOUR[2]).length;
  assertEquals(it.clock.now() - since, 60_000);
  assert(dials >= 24 && dials <= 33, `${dials} dials`);
});

test("A host with ten thousand addresses: callers are served, one dial for each", async () => {
  await using it = memoryPool({ hosts: { "a.test": MANY }, script: () => ({ delayMs: 5 }) });
  const all = [...Array(50)].map(() => it.pool.acquire("a.test"));
  await pass(it, 100);
  const leases = await Promise.all(all);
  assertEquals(it.dialer.dials.length, 50);
  // All over the place, not the first fifty.
  assert(new Set(leases.map(({ connection }) => connection.address)).size > 40);
  assert(leases.some(({ connection }) => MANY.indexOf(connection.address) > 5_000));
  for (const lease of leases) lease.release();
  for (let i = 0; i < 1_000; i++) {
    const [ready, sticky] = [await it.pool.acquire("a.test"), it.pool.tryAcquire("a.test")];
    ready.release();
    sticky?.release();
  }
  assertEquals(it.pool.stats().connections, it.dialer.sockets.size);
});

test("Ten thousand addresses: a user's sequential leases spread no faster than one in a thousand", async () => {
  await using it = memoryPool({ hosts: { "a.test": MANY } });
  await use(it, 5_000);
  const { length } = it.dialer.dials;
  assert(length >= 5 && length <= 8, `${length} dials`);
});

test("Ten thousand addresses that all refuse end in an error that knows each of them", async () => {
  await using it = memoryPool({
    hosts: { "a.test": MANY },
    maxRetries: 0,
    script: () => ({ failure: "refused" }),
  });
  const error = await it.pool.acquire("a.test").catch((error: unknown) => error);
  assertEquals((error as { failures: unknown[] }).failures.length, MANY.length);
  assertEquals(it.dialer.dials.length, MANY.length);
});

test("Ten thousand addresses are warmed as far as the limits go, each at most once", async () => {
  await using it = memoryPool({
    hosts: { "a.test": MANY },
    maxConnections: 500,
    maxConnectionsPerHost: 500,
  });
  assertEquals((await it.pool.warm("a.test", { connections: 500 })).connections, 500);
  assertEquals(new Set(it.dialer.dials.map(({ address }) => address)).size, 500);
});
