/**
 * The same machine for the same text: as long as it is known and answers.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { HostUnavailableError } from "../../src/core/errors.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const HOSTS = { "a.test": Array.from({ length: 8 }, (_, index) => `192.0.2.${index + 1}`) };
const KEYS = Array.from({ length: 200 }, (_, index) => `key ${index}`);

async function machineOf(it: MemoryPool, sticky: string): Promise<string> {
  const lease = await it.pool.acquire("a.test", { sticky });
  const { address } = lease.connection;
  lease.release();
  return address;
}

async function machinesOf(it: MemoryPool): Promise<Map<string, string>> {
  const machines = new Map<string, string>();
  for (const key of KEYS) machines.set(key, await machineOf(it, key));
  return machines;
}

test("Keys keep their machines, cold or warm, in this pool and the next, and use all machines", async () => {
  await using it = memoryPool({ hosts: HOSTS });
  const cold = await machinesOf(it);
  await it.pool.warm("a.test", { connections: 16 });
  assertEquals(await machinesOf(it), cold);
  await using other = memoryPool({ hosts: HOSTS, seed: 7, balancer: "roundRobin" });
  assertEquals(await machinesOf(other), cold);
  for (const machine of HOSTS["a.test"]) {
    const count = [...cold.values()].filter((address) => address === machine).length;
    // 25 of 200 expected, a standard deviation of 4.7: four of them.
    assert(count >= 6 && count <= 44, `${count} of 200 keys at ${machine}`);
  }
});

test("When a machine is let alone only its own keys move, and they go back when it is there again", async () => {
  await using it = memoryPool({ hosts: HOSTS });
  const before = await machinesOf(it);
  it.pool.block("192.0.2.3");
  for (const [key, machine] of await machinesOf(it)) {
    if (before.get(key) === "192.0.2.3") assert(machine !== "192.0.2.3");
    else assertEquals(machine, before.get(key));
  }
  it.pool.unblock("192.0.2.3");
  assertEquals(await machinesOf(it), before);
});

test("A key whose machine refuses is served by the next one at once, and goes back in time", async () => {
  let down: string | undefined;
  await using it = memoryPool({
    hosts: HOSTS,
    script: ({ address }) => address === down ? { failure: "refused" } : {},
  });
  const home = down = await machineOf(it, "key");
  await it.pool.drain(home);
  const since = it.clock.now();
  const away = await machineOf(it, "key");
  assert(away !== home);
  assertEquals(it.clock.now(), since);
  assertEquals(await machineOf(it, "key"), away);
  down = undefined;
  await pass(it, 1_000);
  // Whoever uses the host tries the machine again; keys go back when that went well.
  for (let i = 0; i < 40; i++) (await it.pool.acquire("a.test")).release();
  await pass(it, 10);
  assertEquals(await machineOf(it, "key"), home);
});

test("A key whose machine swallows dials goes to the next after dialStaggerMs", async () => {
  const down = new Set<string>();
  await using it = memoryPool({
    hosts: HOSTS,
    script: ({ address }) => down.has(address) ? { delayMs: Infinity } : { delayMs: 5 },
    dialStaggerMs: 200,
    connectTimeoutMs: 10_000,
  });
  const first = it.pool.acquire("a.test", { sticky: "key" });
  await pass(it, 10);
  const lease = await first;
  down.add(lease.connection.address);
  lease.release({ reuse: false });
  const since = it.clock.now();
  let waitedMs: number | undefined;
  const second = it.pool.acquire("a.test", { sticky: "key" });
  void second.then(() => waitedMs = it.clock.now() - since);
  for (let step = 0; step < 200 && waitedMs === undefined; step++) await pass(it, 5, 5);
  assertEquals(waitedMs, 205);
  (await second).release();
  await pass(it, 10_000, 500);
});

test("A key waits for its machine's connection while that is in use, and does not move for it", async () => {
  await using it = memoryPool({ hosts: HOSTS, maxConnectionsPerIp: 1 });
  await it.pool.warm("a.test", { connections: 8 });
  const lease = await it.pool.acquire("a.test", { sticky: "key" });
  const waiting = it.pool.acquire("a.test", { sticky: "key" });
  await pass(it, 50);
  assertEquals(it.pool.stats().waiting, 1);
  lease.release();
  const next = await waiting;
  assertEquals(next.connection.address, lease.connection.address);
  next.release();
});

test("When all machines fail a key, one error says of each how", async () => {
  await using it = memoryPool({
    hosts: HOSTS,
    script: () => ({ failure: "refused" }),
    maxRetries: 0,
  });
  const error = await assertRejects(
    () => it.pool.acquire("a.test", { sticky: "key" }),
    HostUnavailableError,
  );
  assertEquals(error.failures.length, 8);
  assertEquals(it.dialer.dials.length, 8);
});

test("exclude holds for a key: it goes to the first of the others, always the same", async () => {
  await using it = memoryPool({ hosts: HOSTS });
  const home = await machineOf(it, "key");
  const others = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const lease = await it.pool.acquire("a.test", { sticky: "key", exclude: [home] });
    others.add(lease.connection.address);
    lease.release();
  }
  assertEquals(others.size, 1);
  assert(!others.has(home));
});

test("Where all machines have failed of late, a key tries what weighs nothing last, as ever", async () => {
  const tried = new Set<string | undefined>();
  for (const sticky of KEYS.slice(0, 20)) {
    await using it = memoryPool({
      hosts: { "a.test": ["192.0.2.1", "192.0.2.2"] },
      hostOptions: { "a.test": { weights: { "192.0.2.1": 0 } } },
      script: () => ({ failure: "refused" }),
      maxRetries: 0,
      // Nobody uses it in between, so that no dial but the callers' is made.
      idleTimeoutMs: 1,
    });
    for (let i = 0; i < 2; i++) {
      const acquired = it.pool.acquire("a.test", { sticky });
      const { failures } = await assertRejects(() => acquired, HostUnavailableError);
      assertEquals(failures.length, 2);
      tried.add(failures[0]?.address);
      await pass(it, 700);
    }
  }
  assertEquals([...tried], ["192.0.2.2"]);
});

test("A thousand callers who wait for machines of theirs cost a look for each machine, not each", async () => {
  await using it = memoryPool({ hosts: HOSTS, maxConnectionsPerHost: 8, maxWaiters: 5_000 });
  const { checkout } = it.pool.manager;
  const keys = new Map(Array.from(await machinesOf(it), ([key, machine]) => [machine, key]));
  const leases = new Map<string, Lease>();
  for (const ip of HOSTS["a.test"]) leases.set(ip, await it.pool.acquire("a.test", { ip }));
  const free = HOSTS["a.test"][0]!;
  const served: number[] = [];
  const waiting: Promise<void>[] = [];
  for (let number = 0; number < 1_000; number++) {
    // For one of the other seven machines, by its address or by a key.
    const ip = HOSTS["a.test"][1 + number % 7]!;
    const choice = number % 2 === 0 ? { ip } : { sticky: keys.get(ip)! };
    waiting.push(
      it.pool.acquire("a.test", choice).then((lease) => {
        assertEquals(lease.connection.address, ip);
        served.push(number);
        lease.release();
      }),
    );
  }
  await turns();
  let looks = 0;
  const takeFrom = checkout.takeFrom.bind(checkout);
  checkout.takeFrom = (...args) => (looks++, takeFrom(...args));
  // Nobody waits for this one: 7 machines, wished for in two ways.
  leases.get(free)!.release();
  await turns();
  assert(looks <= 14, `${looks} looks for a connection that nobody wants`);
  assertEquals(served, []);
  looks = 0;
  for (let times = 0; times < 10; times++) it.pool.tryAcquire("a.test")!.release();
  assert(looks <= 10 * 15, `${looks} looks for ten leases of it`);
  looks = 0;
  // From hand to hand to all who wait for that one, first come first served.
  leases.get(HOSTS["a.test"][1]!)!.release();
  await turns(1_000);
  const theirs = Array.from({ length: 1_000 }, (_, number) => number).filter((n) => n % 7 === 0);
  assertEquals(served, theirs);
  assert(looks <= 30 * theirs.length, `${looks} looks for ${theirs.length} leases`);
  for (const lease of leases.values()) lease.release();
  await turns(1_000);
  await Promise.all(waiting);
  assertEquals(served.length, 1_000);
});
