/**
 * The addresses of a host change while it is in use.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { ResolveError } from "../../src/core/errors.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { ScriptedResolver } from "../support/scripted_resolver.ts";
import { turns } from "../support/turns.ts";

const TTL_MS = 30_000;
const [ONE, TWO, THREE] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as const;

interface Scene extends MemoryPool {
  readonly resolver: ScriptedResolver;
  /** Lets the host have other addresses, and time pass until the pool knows. */
  become(...addresses: string[]): Promise<void>;
}

function scene(addresses: readonly string[], options: MemoryPoolOptions = {}): Scene {
  const resolver = new ScriptedResolver(addresses, TTL_MS);
  const it = memoryPool({ idleTimeoutMs: 3_600_000, ...options, resolver });
  const become = async (...others: string[]) => {
    resolver.answer = others;
    await pass(it, TTL_MS, 1_000);
  };
  return Object.assign(it, { resolver, become });
}

const shareOf = (it: MemoryPool, address: string) =>
  it.pool.stats().hosts["a.test"]?.addresses[address]?.share;

test("An address that has vanished takes no new lease: idle connections end at once, leased ones with their lease", async () => {
  await using it = scene([ONE, TWO]);
  await it.pool.warm("a.test", { connections: 4 });
  await it.pool.warm("a.test", { connections: 0 });
  const leases = await Promise.all([...Array(4)].map(() => it.pool.acquire("a.test")));
  const there = leases.filter(({ connection }) => connection.address === TWO);
  assertEquals(there.length, 2);
  there[0]?.release();
  await it.become(ONE);
  assertEquals(there.map(({ connection }) => connection.state), ["closed", "draining"]);
  assertEquals(it.pool.stats().hosts["a.test"]?.addresses[TWO]?.standing, "gone");
  for (const lease of leases) if (lease !== there[1]) lease.release();
  for (let i = 0; i < 30; i++) {
    const lease = await it.pool.acquire("a.test");
    assertEquals(lease.connection.address, ONE);
    lease.release();
  }
  assertEquals(there[1]?.connection.state, "draining");
  there[1]?.release();
  assertEquals(there[1]?.connection.state, "closed");
  assertEquals(it.pool.stats().evicted, { gone: 2 });
});

test("A dial under way to an address that has vanished is given up: its caller is served elsewhere", async () => {
  await using it = scene([ONE], {
    connectTimeoutMs: 60_000,
    dialStaggerMs: 50_000,
    script: ({ address }) => ({ delayMs: address === ONE ? 40_000 : 5 }),
  });
  const waiting = it.pool.acquire("a.test", { timeoutMs: 100_000 });
  await it.become(TWO);
  const lease = await waiting;
  assertEquals(lease.connection.address, TWO);
  lease.release();
  await pass(it, 20_000, 1_000);
  assertEquals(countAt(it, ONE), 0);
  assertEquals(it.dialer.sockets.size, 1);
});

test("A new address gets its part of what is kept warm, and starts with a tenth of its load", async () => {
  await using it = scene([ONE, TWO], { slowStartMs: 30_000, balancer: "random" });
  await it.pool.warm("a.test", { connections: 6 });
  assertEquals(shareOf(it, ONE), 1);
  const changed: PoolEvents["addresses"][] = [];
  let at = 0;
  it.pool.on("addresses", (event) => {
    changed.push(event);
    at = it.clock.now();
  });
  await it.become(ONE, TWO, THREE);
  assertEquals(changed, [{ host: "a.test", added: [THREE], removed: [] }]);
  assertEquals([ONE, TWO, THREE].map((text) => countAt(it, text)), [3, 3, 2]);
  for (let step = 0; step < 30; step++) {
    const passed = (it.clock.now() - at) / 30_000;
    const off = shareOf(it, THREE)! - Math.min(1, 0.1 + 0.9 * passed);
    assert(Math.abs(off) < 0.001, `${shareOf(it, THREE)} after ${passed}`);
    await pass(it, 1_000, 500);
  }
  assertEquals(shareOf(it, THREE), 1);
  assertEquals(shareOf(it, ONE), 1);
});

test("While a new address starts slowly its part of the leases grows", async () => {
  await using it = scene([ONE, TWO], { slowStartMs: 3_600_000, balancer: "random" });
  await it.pool.warm("a.test", { connections: 6 });
  await it.become(ONE, TWO, THREE);
  const partOf = async (count: number) => {
    let there = 0;
    for (let i = 0; i < count; i++) {
      const lease = await it.pool.acquire("a.test");
      if (lease.connection.address === THREE) there++;
      lease.release();
    }
    return there / count;
  };
  // Drawn in a third of all draws and then taken in a tenth of them: 0.1 / 2.1 of all.
  const first = await partOf(1_000);
  assert(first > 0.02 && first < 0.09, `${first}`);
  await pass(it, 3_600_000, 10_000);
  const last = await partOf(1_000);
  assert(last > 0.26 && last < 0.41, `${last}`);
});

test("A new address of a host that is not kept warm gets a connection by the spread", async () => {
  await using it = scene([ONE]);
  for (let i = 0; i < 20; i++) (await it.pool.acquire("a.test")).release();
  await it.become(ONE, TWO);
  for (let i = 0; i < 10; i++) (await it.pool.acquire("a.test")).release();
  await turns();
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [1, 1]);
});

test("The same addresses in another order move no connection, and tell nobody", async () => {
  await using it = scene([ONE, TWO, THREE]);
  await it.pool.warm("a.test", { connections: 6 });
  let told = 0;
  it.pool.on("addresses", () => told++);
  await it.become(THREE, ONE, TWO);
  await it.become(TWO, ONE, THREE, ONE);
  assert(it.resolver.asked >= 3);
  assertEquals([told, it.dialer.dials.length, it.pool.stats().evicted], [0, 6, {}]);
  assertEquals(shareOf(it, THREE), 1);
});

test("While the resolver fails the last good answer serves, until it is dnsStaleMs old", async () => {
  await using it = scene([ONE, TWO], { dnsStaleMs: 120_000 });
  (await it.pool.acquire("a.test")).release();
  it.resolver.answer = new Error("The servers are down");
  const removed: (readonly string[])[] = [];
  it.pool.on("addresses", (event) => removed.push(event.removed));
  await pass(it, 119_000, 1_000);
  const lease = await it.pool.acquire("a.test");
  assertEquals(it.pool.stats().hosts["a.test"]?.resolution?.stale, true);
  assertEquals(removed, []);
  await pass(it, 2_000, 500);
  assertEquals(removed, [[ONE, TWO]]);
  assertEquals(lease.connection.state, "draining");
  const error = await assertRejects(() => it.pool.acquire("a.test"), ResolveError);
  assert(error.message.includes("The servers are down"), error.message);
  lease.release();
  it.resolver.answer = [TWO];
  await pass(it, 1_500, 500);
  const after = await it.pool.acquire("a.test");
  assertEquals(after.connection.address, TWO);
  after.release();
});

test("A host that is kept warm is warm again when its resolver is", async () => {
  await using it = scene([], { hostOptions: { "a.test": { minIdle: 2 } } });
  it.resolver.answer = new Error("The servers are down");
  await pass(it, 60_000, 1_000);
  assertEquals(it.dialer.dials.length, 0);
  assert(it.resolver.asked <= 60, `asked ${it.resolver.asked} times in a minute`);
  it.resolver.answer = [ONE, TWO];
  await pass(it, 11_000, 1_000);
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [1, 1]);
});

test("An address that vanished and comes back is used again, its old connections are not", async () => {
  await using it = scene([ONE, TWO]);
  await it.pool.warm("a.test", { connections: 2 });
  const held = await it.pool.acquire("a.test", { ip: TWO });
  await it.become(ONE);
  assertEquals(held.connection.state, "draining");
  await it.become(ONE, TWO);
  const { standing } = it.pool.stats().hosts["a.test"]!.addresses[TWO]!;
  assertEquals(standing, "good");
  assert(shareOf(it, TWO)! < 1);
  const again = await it.pool.acquire("a.test", { ip: TWO });
  assert(again.connection !== held.connection);
  held.release();
  again.release();
  assertEquals(held.connection.state, "closed");
  assertEquals(countAt(it, TWO), 1);
});

test("A host whose addresses change for ever keeps nothing of those that are gone", async () => {
  await using it = scene(["10.0.0.1", "10.0.0.2"], { hostOptions: { "a.test": { minIdle: 2 } } });
  await pass(it, 10);
  for (let turn = 1; turn <= 50; turn++) {
    await it.become(`10.0.${turn}.1`, `10.0.${turn}.2`);
  }
  await pass(it, 20_000, 1_000);
  assertEquals(Object.keys(it.pool.stats().hosts["a.test"]!.addresses), ["10.0.50.1", "10.0.50.2"]);
  assertEquals(it.pool.stats().connections, 2);
});

test("Where every address refuses, the resolver is asked before its answer runs out, and not often", async () => {
  const down = new Set<string>([ONE, TWO]);
  await using it = scene([ONE, TWO], {
    script: ({ address }) => down.has(address) ? { failure: "refused" } : {},
  });
  it.resolver.ttlMs = 600_000;
  const served: number[] = [];
  const ask = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 50) {
      it.pool.acquire("a.test").then((lease) => {
        served.push(it.clock.now());
        lease.release();
      }, () => {});
      await pass(it, 50, 50);
    }
  };
  await ask(2_500);
  assert(it.resolver.asked >= 2 && it.resolver.asked <= 3, `asked ${it.resolver.asked} times`);
  it.resolver.answer = [THREE];
  const since = it.clock.now();
  await ask(5_000);
  assert(served.length > 0 && served[0]! - since <= 3_000, `served after ${served[0]! - since} ms`);
  assert(it.resolver.asked <= 5, `asked ${it.resolver.asked} times`);
});
