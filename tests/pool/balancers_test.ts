/**
 * The balancers at work in a pool: over ready connections, over cold addresses, under load.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { MemorySocket } from "../../adapters/memory.ts";
import { BALANCER_NAMES, type BalancerName } from "../../src/hosts/balancer.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";

const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
const WEIGHTS = { "192.0.2.1": 1, "192.0.2.2": 1, "192.0.2.3": 2, "192.0.2.4": 4 };

/** A pool with four connections at each of four addresses. */
async function warmPool(balancer: BalancerName, more: MemoryPoolOptions = {}): Promise<MemoryPool> {
  const it = memoryPool({
    hosts: { "a.test": FOUR },
    balancer,
    hostOptions: { "a.test": { weights: WEIGHTS } },
    ...more,
  });
  const warming = it.pool.warm("a.test", { connections: 16 });
  await pass(it, 20);
  await warming;
  return it;
}

/** How many leases began at each address, one after another. */
async function sequential(it: MemoryPool, count: number): Promise<number[]> {
  const before = picks(it);
  for (let i = 0; i < count; i++) {
    const lease = await it.pool.acquire("a.test");
    it.clock.advance(10);
    lease.release();
  }
  return picks(it).map((now, index) => now - before[index]!);
}

/** How many leases stand at each address when so many are out at once. */
async function together(it: MemoryPool, count: number): Promise<number[]> {
  const leases: Lease[] = [];
  for (let i = 0; i < count; i++) leases.push(await it.pool.acquire("a.test"));
  const counts = FOUR.map((text) =>
    leases.filter(({ connection }) => connection.address === text).length
  );
  for (const lease of leases) lease.release();
  return counts;
}

function picks({ pool }: MemoryPool): number[] {
  const { addresses } = pool.stats().hosts["a.test"]!;
  return FOUR.map((text) => addresses[text]?.picks ?? 0);
}

/** That each count is within so many standard deviations of what its chance would have. */
function assertChances(counts: readonly number[], chances: readonly number[]): void {
  const all = counts.reduce((sum, count) => sum + count, 0);
  chances.forEach((chance, index) => {
    const deviation = Math.sqrt(all * chance * (1 - chance));
    const off = Math.abs(counts[index]! - all * chance);
    assert(off <= 5 * deviation, `${counts} for the chances ${chances}`);
  });
}

test("random gives each address the same chance, whatever it weighs", async () => {
  await using it = await warmPool("random");
  assertChances(await sequential(it, 800), [0.25, 0.25, 0.25, 0.25]);
});

test("weighted gives each address a chance by its weight", async () => {
  await using it = await warmPool("weighted");
  assertChances(await sequential(it, 800), [1 / 8, 1 / 8, 2 / 8, 4 / 8]);
});

test("roundRobin gives each address its turn, one after another and together", async () => {
  await using it = await warmPool("roundRobin");
  assertEquals(await sequential(it, 800), [200, 200, 200, 200]);
  assertEquals(await together(it, 8), [2, 2, 2, 2]);
});

test("leastLeased gives turns among equals, and load in proportion to weights", async () => {
  await using it = await warmPool("leastLeased");
  // One after another: nothing is out, the heaviest bears least for its weight.
  assertEquals(await sequential(it, 100), [0, 0, 0, 100]);
  // (load + 1) / weight evens out: eight leases as the weights are.
  assertEquals(await together(it, 8), [1, 1, 2, 4]);
  await using equal = await warmPool("leastLeased", { hostOptions: {} });
  assertEquals(await sequential(equal, 100), [25, 25, 25, 25]);
  assertEquals(await together(equal, 12), [3, 3, 3, 3]);
});

test("p2cEwma leaves no address without its part, and keeps loads together near each other", async () => {
  await using it = await warmPool("p2cEwma", { hostOptions: {} });
  const counts = await sequential(it, 800);
  for (const count of counts) assert(count >= 100 && count <= 300, `${counts} of 800`);
  // Of two at random the less loaded one: the greatest is hardly above the mean of two.
  assert(Math.max(...await together(it, 8)) <= 4);
});

test("p2cEwma gives a machine that takes ten times as long far less than its part", async () => {
  const answerAfter = (ms: number) => (socket: MemorySocket) =>
    void it.clock.setTimer(() => socket.receive(new Uint8Array([1])), ms);
  await using it: MemoryPool = memoryPool({
    hosts: { "a.test": FOUR },
    script: ({ address }) => ({ socket: { onWrite: answerAfter(address === FOUR[0] ? 100 : 10) } }),
  });
  await it.pool.warm("a.test", { connections: 16 });
  let done = 0;
  const client = async () => {
    for (let i = 0; i < 100; i++) {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => {
        lease.attach({ onData: () => resolve(), onDrain() {}, onClose() {} });
        lease.write(new Uint8Array([1]));
      });
      lease.release();
      done++;
    }
  };
  const clients = Promise.all([client(), client(), client(), client()]);
  for (let step = 0; step < 5_000 && done < 400; step++) await pass(it, 5, 5);
  await clients;
  // A fair part would be 100. It never wins against another of like load, and is drawn in half of
  // all pairs: what it gets it gets while its latency is forgotten, or the other one is busy.
  const [slow = 0, ...others] = picks(it);
  assert(slow < 50, `${picks(it)}`);
  for (const count of others) assert(count > 80, `${picks(it)}`);
});

test("sticky gives one address to all, one after another, and another one when that is gone", async () => {
  await using it = await warmPool("sticky", { hostOptions: {} });
  const counts = await sequential(it, 100);
  const home = FOUR[counts.indexOf(100)]!;
  assert(home, `${counts}`);
  it.pool.block(home);
  const next = await it.pool.acquire("a.test");
  assert(next.connection.address !== home);
  next.release();
  it.pool.unblock(home);
  const warming = it.pool.warm("a.test", { connections: 16 });
  await pass(it, 20);
  await warming;
  const back = await it.pool.acquire("a.test");
  assertEquals(back.connection.address, home);
  back.release();
});

test("Every balancer decides where a cold host is dialled, and none hangs under load", async () => {
  for (const balancer of BALANCER_NAMES) {
    await using it = memoryPool({
      hosts: { "a.test": FOUR },
      balancer,
      maxConnectionsPerIp: 3,
      script: () => ({ delayMs: 5 }),
    });
    let served = 0;
    const all = [...Array(40)].map(async () => {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 50));
      lease.release();
      served++;
    });
    for (let step = 0; step < 200 && served < 40; step++) await pass(it, 5, 5);
    await Promise.all(all);
    // The load takes every address to its limit, whichever the balancer prefers.
    assertEquals(FOUR.map((text) => countAt(it, text)), [3, 3, 3, 3], balancer);
  }
});
