/**
 * Weights that are set by hand while the pool runs.
 *
 * @module
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { type Balancer, BALANCER_NAMES } from "../../src/hosts/balancer.ts";
import type { Resolver } from "../../src/hosts/resolver.ts";
import type { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";

const ONE = "192.0.2.1";
const TWO = "192.0.2.2";
const HOSTS = { "a.test": [ONE, TWO] };

/** Gives the first that it is offered. */
const first: Balancer = (candidates) => candidates[0]!;

function weightsOf(pool: ConnectionPool): { readonly [address: string]: number } {
  const { addresses } = pool.stats().hosts["a.test"]!;
  const here = Object.entries(addresses).filter(([, { standing }]) => standing !== "gone");
  return Object.fromEntries(here.map(([address, { weight }]) => [address, weight]));
}

for (const balancer of [...BALANCER_NAMES, first]) {
  const name = typeof balancer === "string" ? balancer : "a function";
  test(`With ${name}, an address of weight 0 has nothing new as long as another one is good`, async () => {
    await using it = memoryPool({ hosts: HOSTS, balancer, maxConnectionsPerIp: 3 });
    await it.pool.warm("a.test", { connections: 4 });
    it.pool.setWeight(ONE, 0);
    for (let count = 0; count < 50; count++) {
      const lease = await it.pool.acquire("a.test");
      assertEquals(lease.connection.address, TWO);
      lease.release();
    }
    // With all of the other's in use they are waited for: those here stay idle.
    const leases = [];
    for (let count = 0; count < 3; count++) leases.push(await it.pool.acquire("a.test"));
    const waiting = it.pool.acquire("a.test");
    await pass(it, 100);
    assertEquals([it.pool.stats().waiting, it.pool.stats().idle], [1, 2]);
    assertEquals(it.pool.tryAcquire("a.test"), undefined);
    leases.pop()!.release();
    leases.push(await waiting);
    assertEquals(new Set(leases.map(({ connection }) => connection.address)), new Set([TWO]));
    // Whoever names it has it.
    (await it.pool.acquire("a.test", { ip: ONE })).release();
    // Taken off, it serves who waits at once.
    const served = it.pool.acquire("a.test");
    await pass(it, 0);
    it.pool.manager.checkInvariants();
    it.pool.setWeight(ONE, null);
    leases.push(await served);
    assertEquals(leases.at(-1)?.connection.address, ONE);
    for (const lease of leases) lease.release();
  });
}

test("An address of weight 0 serves where no other is good", async () => {
  let isBroken = false;
  await using it = memoryPool({
    hosts: HOSTS,
    script: ({ address }) => isBroken && address === TWO ? { failure: "refused" } : {},
    ejectAfterFailures: 1,
  });
  await it.pool.warm("a.test", { connections: 2 });
  it.pool.setWeight(ONE, 0);
  isBroken = true;
  await it.pool.drain(TWO);
  const lease = await it.pool.acquire("a.test");
  assertEquals(lease.connection.address, ONE);
  lease.release();
  assertEquals(it.pool.diagnose().map(({ message, what }) => [what, message.slice(0, 8)]), [
    ["panic", "0 of the"],
  ]);
});

test("Addresses that all weigh 0 share the load", async () => {
  await using it = memoryPool({ hosts: HOSTS, balancer: "roundRobin" });
  await it.pool.warm("a.test", { connections: 2 });
  for (const ip of [ONE, TWO]) it.pool.setWeight(ip, 0);
  it.pool.manager.checkInvariants();
  const seen = new Set<string>();
  for (let count = 0; count < 4; count++) {
    const lease = await it.pool.acquire("a.test");
    seen.add(lease.connection.address);
    lease.release();
  }
  assertEquals(seen, new Set([ONE, TWO]));
});

for (const ip of [undefined, ONE]) {
  const who = ip ? "who names it" : "all, where no other is well";
  test(`A machine of weight 0 is dialled as often at once as any, for ${who}`, async () => {
    await using it = memoryPool({
      hosts: HOSTS,
      script: ({ address }) => address === TWO ? { failure: "refused" } : { delayMs: 50 },
    });
    it.pool.setWeight(ONE, 0);
    const callers = Array.from({ length: 8 }, () => it.pool.acquire("a.test", ip ? { ip } : {}));
    await pass(it, 100);
    assertEquals(it.pool.stats().waiting, 0);
    for (const lease of await Promise.all(callers)) lease.release();
  });
}

test("A machine of weight 0 is none of those that make a panic", async () => {
  await using it = memoryPool({ hosts: { "a.test": [ONE, TWO, "192.0.2.3", "192.0.2.4"] } });
  await it.pool.warm("a.test", { connections: 4 });
  for (const end of [2, 3, 4]) it.pool.setWeight(`192.0.2.${end}`, 0);
  assertEquals([it.pool.diagnose(), it.pool.stats().hosts["a.test"]!.panic], [[], false]);
});

test("A weight that is set stands above options and resolver, whatever they say later", async () => {
  let told = [{ address: ONE, weight: 2 }, { address: TWO, weight: 3 }];
  const resolver: Resolver = {
    name: "told",
    resolve: () => Promise.resolve({ addresses: told, ttlMs: 1_000 }),
  };
  await using it = memoryPool({
    resolver,
    hostOptions: { "a.test": { weights: { [TWO]: 7 } } },
    balancer: "weighted",
    dnsMinTtlMs: 1_000,
  });
  it.pool.setWeight(ONE, 5);
  await it.pool.warm("a.test", { connections: 2 });
  assertEquals(weightsOf(it.pool), { [ONE]: 5, [TWO]: 7 });
  it.pool.setWeight(TWO, 0.5);
  assertEquals(weightsOf(it.pool), { [ONE]: 5, [TWO]: 0.5 });
  told = [{ address: TWO, weight: 3 }];
  await pass(it, 2_000);
  (await it.pool.acquire("a.test")).release();
  assertEquals(weightsOf(it.pool), { [TWO]: 0.5 });
  told = [{ address: ONE, weight: 9 }, { address: TWO, weight: 9 }];
  await pass(it, 2_000);
  (await it.pool.acquire("a.test")).release();
  assertEquals(weightsOf(it.pool), { [ONE]: 5, [TWO]: 0.5 });
  it.pool.block(ONE);
  it.pool.unblock(ONE);
  assertEquals(weightsOf(it.pool), { [ONE]: 5, [TWO]: 0.5 });
  it.pool.setWeight(ONE, null);
  it.pool.setWeight(TWO, null);
  assertEquals(weightsOf(it.pool), { [ONE]: 9, [TWO]: 7 });
});

test("A weight of one port stands above that of its IP address, and both are told", async () => {
  const at8443 = `${ONE}:8443`;
  await using it = memoryPool({ hosts: { "a.test": [ONE, at8443] } });
  const changes: unknown[] = [];
  it.pool.on("weight", (change) => changes.push(change));
  await it.pool.warm("a.test", { connections: 2 });
  const since = it.clock.now();
  it.pool.setWeight(ONE, 3);
  it.pool.setWeight(at8443, 4);
  assertEquals(weightsOf(it.pool), { [ONE]: 3, [at8443]: 4 });
  assertEquals(it.pool.stats().weights, [
    { ip: ONE, weight: 3, since },
    { ip: at8443, weight: 4, since },
  ]);
  it.pool.setWeight(at8443, null);
  it.pool.setWeight(at8443, null);
  assertEquals(weightsOf(it.pool), { [ONE]: 3, [at8443]: 3 });
  await pass(it, 0);
  assertEquals(changes, [
    { ip: ONE, weight: 3 },
    { ip: at8443, weight: 4 },
    { ip: at8443, weight: null },
  ]);
});

test("A key moves from an address of weight 0, and back when that is taken off", async () => {
  await using it = memoryPool({ hosts: HOSTS });
  await it.pool.warm("a.test", { connections: 2 });
  const homeOf = async (sticky: string) => {
    const lease = await it.pool.acquire("a.test", { sticky });
    lease.release();
    return lease.connection.address;
  };
  const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);
  const before = await Promise.all(keys.map(homeOf));
  assert(before.includes(ONE) && before.includes(TWO));
  it.pool.setWeight(ONE, 0);
  assertEquals(new Set(await Promise.all(keys.map(homeOf))), new Set([TWO]));
  it.pool.setWeight(ONE, null);
  assertEquals(await Promise.all(keys.map(homeOf)), before);
});

test("What is no address, or no weight, is refused", async () => {
  await using it = memoryPool();
  assertThrows(() => it.pool.setWeight("a.test", 1), TypeError);
  assertThrows(() => it.pool.setWeight(ONE, -1), RangeError, "weight must be");
  assertThrows(() => it.pool.setWeight(ONE, NaN), TypeError, "weight must be");
  assertThrows(() => it.pool.setWeight(ONE, "3" as unknown as number), TypeError, "weight must be");
  assertThrows(() => it.pool.setWeight("nowhere", null), TypeError);
  assertEquals(it.pool.stats().weights, []);
});

test("A host that is kept warm has its connections where weight is, and none new at a weight of 0", async () => {
  await using it = memoryPool({ hosts: HOSTS });
  it.pool.setWeight(ONE, 0);
  await it.pool.warm("a.test", { connections: 4 });
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [0, 4]);
  it.pool.setWeight(ONE, null);
  await pass(it, 100);
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [2, 4]);
  // What is there stays, and serves if the other one fails.
  it.pool.setWeight(ONE, 0);
  await pass(it, 100);
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [2, 4]);
});

test("No warm connection is made to a spare while another machine is good, full as that may be", async () => {
  const three = [ONE, TWO, "192.0.2.3"];
  const refusing = new Set([three[2]]);
  await using it = memoryPool({
    hosts: { "a.test": three },
    maxConnectionsPerIp: 2,
    script: ({ address }) => refusing.has(address) ? { failure: "refused" } : {},
  });
  it.pool.setWeight(ONE, 0);
  void it.pool.warm("a.test", { connections: 6 }).catch(() => {});
  await pass(it, 1_000);
  assertEquals(three.map((address) => countAt(it, address)), [0, 2, 0]);
  // The last good one goes, and the spare takes its place.
  refusing.add(TWO);
  it.pool.manager.removeConnection(TWO);
  await pass(it, 1_000);
  assertEquals(three.map((address) => countAt(it, address)), [2, 0, 0]);
  it.pool.manager.checkInvariants();
});

test("A host whose only machine with weight has failed is kept warm at one of weight 0", async () => {
  await using it = memoryPool({
    hosts: HOSTS,
    script: ({ address }) => address === TWO ? { failure: "refused" } : {},
  });
  it.pool.setWeight(ONE, 0);
  assertEquals((await it.pool.warm("a.test", { connections: 2 })).connections, 2);
  assertEquals([countAt(it, ONE), countAt(it, TWO)], [2, 0]);
});
