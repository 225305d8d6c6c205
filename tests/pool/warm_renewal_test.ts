/**
 * What is kept warm is replaced before it ends.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";

const LIFETIME_MS = 60_000;

/** How many connections could be leased now. */
function healthy({ clock, pool }: MemoryPool): number {
  return [...pool.manager.connections()].filter((connection) =>
    connection.available && pool.manager.checkout.endsAt(connection) > clock.now()
  ).length;
}

test("Over ten lifetimes there are never fewer than minIdle, never many more, and no stampede", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] },
    hostOptions: { "a.test": { minIdle: 20 } },
    maxLifetimeMs: LIFETIME_MS,
    idleTimeoutMs: 3_600_000,
    cleanupIntervalMs: 1_000,
    script: () => ({ delayMs: 100 }),
  });
  await pass(it, 500);
  assertEquals(healthy(it), 20);
  const dialled: number[] = [];
  it.pool.on("dial", () => dialled.push(it.clock.now()));
  const since = it.clock.now();
  for (let step = 0; step < 10 * LIFETIME_MS / 500; step++) {
    await pass(it, 500, 100);
    const open = healthy(it);
    assert(open >= 20, `${open} of 20 after ${it.clock.now() - since} ms`);
    const { connections, dialing } = it.pool.stats();
    assert(connections + dialing <= 32, `${connections} connections, ${dialing} dials`);
  }
  // Each lives for 45 to 60 s, 52.5 on average: some 230 of them in 600 s.
  assert(dialled.length >= 200 && dialled.length <= 270, `${dialled.length} dials`);
  // All were opened together: in the first turn their ends are spread over 15 s.
  const busiest = Math.max(
    ...dialled.map((at) => dialled.filter((other) => other >= at && other < at + 1_000).length),
  );
  assert(busiest <= 6, `${busiest} dials in one second`);
  // As the jitters add up, each address keeps its share.
  for (const { address } of it.pool.manager.connections()) assert(countAt(it, address) >= 5);
});

test("What a server keeps for a while only is replaced before that, and the old one still serves", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 1 } },
    script: () => ({ delayMs: 100 }),
  });
  await pass(it, 200);
  for (let turn = 0; turn < 5; turn++) {
    const lease = await it.pool.acquire("a.test");
    // As the exchange does when the server tells how long it keeps an unused connection.
    lease.connection.serverIdleMs = 8_000;
    lease.release();
    await pass(it, 6_500, 100);
    assertEquals(it.dialer.dials.length, turn + 1, "not before it must");
    await pass(it, 1_000, 100);
    assertEquals(it.dialer.dials.length, turn + 2, "a second before its end at the latest");
    assertEquals(healthy(it), 2);
    await pass(it, 15_000, 500);
    assertEquals(healthy(it), 1);
    assertEquals(it.pool.stats().connections, 1);
  }
});

test("A server of little patience does not make every lease a dial", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 1 } },
  });
  await pass(it, 10);
  for (let i = 0; i < 200; i++) {
    const lease = await it.pool.acquire("a.test");
    lease.connection.serverIdleMs = 500;
    lease.release();
    await pass(it, 50, 50);
  }
  assertEquals(it.dialer.dials.length, 1);
});

test("A connection in use that grows old is replaced too, and ends with its lease", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 1 } },
    maxLifetimeMs: LIFETIME_MS,
  });
  await pass(it, 10);
  const lease = await it.pool.acquire("a.test");
  await pass(it, LIFETIME_MS + 11_000, 500);
  assertEquals([lease.connection.state, it.pool.stats().idle], ["draining", 1]);
  lease.release();
  assertEquals(it.pool.stats().connections, 1);
  assertEquals(it.pool.stats().evicted, { lifetime: 1 });
});

test("Where the limits leave no room for a successor, the old one is replaced when it has ended", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 2, maxConnections: 2 } },
    maxLifetimeMs: LIFETIME_MS,
    cleanupIntervalMs: 1_000,
    script: () => ({ delayMs: 100 }),
  });
  await pass(it, 200);
  for (let step = 0; step < 4 * LIFETIME_MS / 1_000; step++) {
    await pass(it, 1_000, 100);
    const { connections, dialing } = it.pool.stats();
    assertEquals(connections + dialing, 2, `after ${step} s`);
  }
  assert(it.dialer.dials.length >= 8, `${it.dialer.dials.length} dials`);
});

test("A dead machine costs a warm host one try after another, every two seconds or so", async () => {
  await using it = memoryPool({
    hostOptions: { "a.test": { minIdle: 4 } },
    script: ({ address }) => address === "192.0.2.1" ? { failure: "refused" } : {},
  });
  await pass(it, 10);
  assertEquals(countAt(it, "192.0.2.2"), 4);
  const at = () => it.dialer.dials.filter(({ address }) => address === "192.0.2.1").length;
  await pass(it, 600_000, 250);
  assert(at() >= 240 && at() <= 300 + 4, `${at()} dials in ten minutes`);
  assertEquals(countAt(it, "192.0.2.2"), 4);
});
