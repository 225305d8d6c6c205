/**
 * Hosts that wait for room: what each one costs, and whose turn it is.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

/** Asks each of so many hosts once, and gives how often the pool read its clock for one of them. */
async function readingsPerHost(count: number, addressOf: (index: number) => string) {
  const names = Array.from({ length: count }, (_, index) => `h${index}.test`);
  await using it = memoryPool({
    hosts: Object.fromEntries(names.map((name, index) => [name, [addressOf(index)]])),
    maxConnections: 16,
    script: () => ({ delayMs: 5 }),
  });
  const { clock, pool } = it;
  const { now } = clock;
  let readings = 0;
  clock.now = () => {
    readings++;
    return now.call(clock);
  };
  let served = 0;
  const asking = names.map(async (name) => {
    const lease = await pool.acquire(name);
    await new Promise<void>((resolve) => clock.setTimer(resolve, 2));
    lease.release();
    served++;
  });
  for (let ms = 0; ms < 2 * count && served < count; ms++) {
    clock.advance(1);
    await turns();
  }
  assertEquals(served, count);
  await Promise.all(asking);
  return readings / count;
}

const places: readonly (readonly [where: string, addressOf: (index: number) => string])[] = [
  ["at addresses of their own", (index) => `10.0.${index >> 8}.${index & 255}`],
  ["at one address", () => "10.0.0.1"],
];
for (const [where, addressOf] of places) {
  test(`A host that waits for room costs the same, however many wait ${where}`, async () => {
    const few = await readingsPerHost(100, addressOf);
    const many = await readingsPerHost(800, addressOf);
    assert(many < 1.5 * few, `${few.toFixed(1)} of 100, ${many.toFixed(1)} of 800`);
  });
}

test("Two hosts that keep every connection busy give one up to a third that waits", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "c.test": ["192.0.2.3"] },
    maxConnections: 4,
  });
  let stop = false;
  const busy = Array.from({ length: 16 }, async (_, index) => {
    while (!stop) {
      const lease = await it.pool.acquire(index % 2 === 0 ? "a.test" : "b.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 5));
      lease.release();
    }
  });
  await pass(it, 50, 1);
  for (let time = 0; time < 5; time++) {
    const waiting = it.pool.acquire("c.test");
    let served = false;
    void waiting.then(() => served = true);
    for (let step = 0; step < 100 && !served; step++) await pass(it, 1);
    assert(served, `it starves, after ${time} times`);
    (await waiting).release({ reuse: false });
    await pass(it, 20, 1);
  }
  stop = true;
  await pass(it, 50, 1);
  await Promise.all(busy);
});

test("Machines that are always busy give up a connection to who waits longest for another of the host", async () => {
  const machines = Array.from({ length: 6 }, (_, index) => `192.0.2.${index + 1}`);
  await using it = memoryPool({
    hosts: { "a.test": machines },
    maxConnections: 2,
    script: () => ({ delayMs: 5 }),
  });
  let stop = false;
  const longest = new Map<string, number>();
  // Four callers for each machine: whichever it is, its connection never comes back unneeded.
  const asking = machines.flatMap((ip) =>
    Array.from({ length: 4 }, async () => {
      while (!stop) {
        const since = it.clock.now();
        const lease = await it.pool.acquire("a.test", { ip });
        longest.set(ip, Math.max(longest.get(ip) ?? 0, it.clock.now() - since));
        await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
        lease.release();
      }
    })
  );
  await pass(it, 2_000, 1);
  const dials = it.dialer.dials.length;
  stop = true;
  await pass(it, 1_000, 1);
  await Promise.all(asking);
  assertEquals([...longest.keys()].sort(), machines);
  for (const [ip, ms] of longest) assert(ms < 800, `${ip} was waited for ${ms} ms`);
  // Yet a connection is kept until it has repaid its dial.
  assert(dials < 50, `${dials} dials`);
});

test("Room goes round among the hosts that wait for it", async () => {
  const names = ["a.test", "b.test", "c.test"];
  await using it = memoryPool({
    hosts: Object.fromEntries(names.map((name, index) => [name, [`192.0.2.${index + 1}`]])),
    maxConnections: 1,
  });
  const first = await it.pool.acquire("a.test");
  const order: string[] = [];
  const all = names.flatMap((name) =>
    Array.from({ length: 3 }, async () => {
      const lease = await it.pool.acquire(name);
      order.push(name.charAt(0));
      lease.release({ reuse: false });
    })
  );
  await turns();
  first.release({ reuse: false });
  await pass(it, 50, 1);
  await Promise.all(all);
  assertEquals(order.join(""), "abcabcabc");
});

test("A host gives up no connection to one that has more, nor to one whose callers came later", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "c.test": ["192.0.2.3"] },
    maxConnections: 3,
  });
  const { clock, dialer, pool } = it;
  const held = [await pool.acquire("a.test"), await pool.acquire("a.test")];
  const only = await pool.acquire("b.test");
  const waiting: Promise<Lease>[] = [];
  for (const host of ["a.test", "b.test", "c.test"]) {
    waiting.push(pool.acquire(host));
    await turns();
    clock.advance(1);
  }
  only.release();
  const [first, second] = held;
  first!.release();
  await turns();
  assertEquals(dialer.dials.length, 3);
  for (const lease of await Promise.all(waiting.slice(0, 2))) lease.release();
  await turns();
  second!.release();
  (await waiting[2]!).release();
});

test("Two busy hosts do not change places over a limit that is odd, unless one waits for long", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] },
    maxConnectionsPerIp: 5,
    script: () => ({ delayMs: 1 }),
  });
  let stop = false;
  let slow = "";
  const asking = ["a.test", "b.test"].flatMap((host) =>
    Array.from({ length: 8 }, async () => {
      while (!stop) {
        const lease = await it.pool.acquire(host);
        const ms = host === slow ? 5_000 : 20;
        await new Promise<void>((resolve) => it.clock.setTimer(resolve, ms));
        lease.release();
      }
    })
  );
  await pass(it, 2_000, 1);
  assertEquals(it.pool.stats().leased, 5);
  const { length } = it.dialer.dials;
  assert(length <= 12, `${length} dials`);
  // The leases of the one with two take so long now that its callers would wait for seconds.
  const countOf = (host: string) => it.pool.manager.getConnectionsForHost(host).length;
  slow = countOf("a.test") === 2 ? "a.test" : "b.test";
  assertEquals(countOf(slow), 2);
  await pass(it, 3_000, 1);
  assertEquals(countOf(slow), 3);
  stop = true;
  await pass(it, 8_000, 10);
  await Promise.all(asking);
  it.pool.manager.checkInvariants();
});

test("Hosts that wait for room get it in the order of their calls, while few dials may be under way", async () => {
  const names = Array.from({ length: 120 }, (_, index) => `h${index}.test`);
  await using it = memoryPool({
    hosts: Object.fromEntries(names.map((name) => [name, ["192.0.2.1"]])),
    maxConnections: 8,
    maxConnectionsPerIp: 8,
    maxConcurrentDials: 2,
    script: () => ({ delayMs: 5 }),
  });
  const { clock, dialer, pool } = it;
  // Each look takes its time, so that not all are done in one turn.
  const { now } = clock;
  let workedMs = 0;
  clock.now = () => now.call(clock) + (workedMs += 0.05);
  const asking = names.map(async (name) => {
    const lease = await pool.acquire(name);
    await new Promise<void>((resolve) => clock.setTimer(resolve, 1 + clock.random() * 60));
    lease.release();
  });
  await pass(it, 1_200, 1);
  await Promise.all(asking);
  assertEquals(dialer.dials.map(({ host }) => host), names);
});

test("Room that comes all at once is shared among the hosts that wait for it", async () => {
  const names = ["a.test", "b.test", "c.test"];
  await using it = memoryPool({
    hosts: Object.fromEntries(names.map((name, index) => [name, [`192.0.2.${index + 1}`]])),
    maxConnections: 4,
    script: () => ({ delayMs: 5 }),
  });
  const ask = (name: string) => Array.from({ length: 4 }, () => it.pool.acquire(name));
  const leasing = Promise.all(ask("a.test"));
  await pass(it, 10, 1);
  const leases = await leasing;
  const asking = ["b.test", "c.test"].flatMap(ask).map(async (lease) => (await lease).release());
  await turns();
  for (const lease of leases) lease.release();
  await turns();
  assertEquals(it.dialer.dials.slice(4).map(({ host }) => host.charAt(0)).join(""), "bcbc");
  await pass(it, 50, 1);
  await Promise.all(asking);
});

test("Who names a machine of a host that cannot be resolved waits for room as well", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 1 });
  const lease = await it.pool.acquire("a.test");
  const asking = it.pool.acquire("b.test", { ip: "192.0.2.2" });
  await turns();
  lease.release({ reuse: false });
  // Without a clock that moves: nobody looks again by himself.
  await turns();
  assertEquals(it.dialer.dials.map(({ host }) => host), ["a.test", "b.test"]);
  (await asking).release();
});

for (const wish of [{ ip: "192.0.2.1" }, { exclude: ["192.0.2.2"] }]) {
  test(`Who waits for a full machine holds nobody up who may have another: ${JSON.stringify(wish)}`, async () => {
    await using it = memoryPool({ maxConnectionsPerIp: 1 });
    using _held = await it.pool.acquire("a.test", wish);
    const stop = new AbortController();
    const waiting = it.pool.acquire("a.test", { ...wish, signal: stop.signal });
    using other = await it.pool.acquire("a.test");
    assertEquals(other.connection.address, "192.0.2.2");
    stop.abort(new Error("enough"));
    assertEquals((await waiting.catch((error: Error) => error) as Error).message, "enough");
  });
}

for (const named of [true, false]) {
  const whom = named ? "name a machine" : "have a machine by their key";
  test(`However many wait who ${whom}, a lease that ends reads the clock as often`, async () => {
    const readings = async (callers: number) => {
      await using it = memoryPool({ maxConnectionsPerIp: 1 });
      const { clock, pool } = it;
      await pool.warm("a.test", { connections: 2 });
      let count = 0;
      const { now } = clock;
      clock.now = () => {
        count++;
        return now.call(clock);
      };
      const served = Array.from({ length: callers }, async (_, index) => {
        const wish = named ? { ip: `192.0.2.${1 + index % 2}` } : { sticky: `key ${index}` };
        const lease = await pool.acquire("a.test", wish);
        await null;
        lease.release();
      });
      await Promise.all(served);
      return count / callers;
    };
    const [few, many] = [await readings(20), await readings(500)];
    assert(many < few * 2, `${few} times each among 20, ${many} among 500`);
  });
}
