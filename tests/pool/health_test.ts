/**
 * How a pool treats machines that fail: whom a failure counts for, when they are tried again, and
 * how they come back.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { MemoryDial } from "../../adapters/memory.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { type DialError, HostUnavailableError } from "../../src/core/errors.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const FIVE = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];

/** A script by which machines fail while they are in a set. */
function failing(
  machines: ReadonlySet<string>,
  how: MemoryDial = { failure: "refused" },
): (target: DialTarget) => MemoryDial {
  return ({ address }) => machines.has(address) ? how : {};
}

/** Leases once, at once, and says where. */
async function leaseOnce(it: MemoryPool, host = "a.test"): Promise<string> {
  using lease = await it.pool.acquire(host, { timeoutMs: 0 });
  return lease.connection.address;
}

/** When an address is due again for a host, from now on, in milliseconds; 0 where it is good. */
function pauseOf({ clock, pool }: MemoryPool, host: string, address: string): number {
  const { retryAt } = pool.stats().hosts[host]!.addresses[address]!;
  return retryAt === null ? 0 : retryAt - clock.now();
}

test("On an address of two hosts a TCP failure counts for both, and so does the way back", async () => {
  const down = new Set(["192.0.2.1"]);
  const hosts = { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.1", "192.0.2.3"] };
  await using it = memoryPool({ hosts, script: failing(down), maxRetries: 0 });
  await it.pool.warm("b.test", { connections: 1 });
  await assertRejects(() => it.pool.acquire("a.test", { ip: "192.0.2.1" }), HostUnavailableError);
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 250);
  assertEquals(pauseOf(it, "b.test", "192.0.2.1"), 250);
  down.clear();
  const acquired = it.pool.acquire("b.test", { ip: "192.0.2.1" });
  await pass(it, 250, 5);
  using _lease = await acquired;
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 0);
  assertEquals(pauseOf(it, "b.test", "192.0.2.1"), 0);
});

test("On an address of two hosts a failure of TLS, or of a lease, counts for its own host", async () => {
  const hosts = { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.1", "192.0.2.2"] };
  const script = ({ host }: DialTarget): MemoryDial =>
    host === "a.test" ? { failure: "certificate", phase: "tls" } : {};
  await using it = memoryPool({ hosts, script, maxRetries: 0 });
  (await it.pool.acquire("b.test", { ip: "192.0.2.1" })).release();
  await assertRejects(() => it.pool.acquire("a.test", { ip: "192.0.2.1" }), HostUnavailableError);
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 250);
  assertEquals(pauseOf(it, "b.test", "192.0.2.1"), 0);
  (await it.pool.acquire("b.test", { ip: "192.0.2.2" })).release({ error: new Error("no answer") });
  assertEquals(pauseOf(it, "b.test", "192.0.2.2"), 250);
  assertEquals(it.pool.stats().hosts["a.test"]?.addresses["192.0.2.2"]?.retryAt, null);
});

test("A host that comes to know an address that refuses does not go there first", async () => {
  const down = new Set(["192.0.2.1"]);
  const hosts = { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1", "192.0.2.2"] };
  await using it = memoryPool({ hosts, script: failing(down), maxRetries: 0 });
  await assertRejects(() => it.pool.acquire("a.test"), HostUnavailableError);
  for (let i = 0; i < 20; i++) {
    const lease = await it.pool.acquire("b.test");
    assertEquals(lease.connection.address, "192.0.2.2");
    lease.release({ reuse: false });
  }
  assertEquals(it.dialer.dials.filter(({ ip }) => ip === "192.0.2.1").length, 1);
});

test("A machine that failed is tried behind the callers' backs, time and again, until it is back", async () => {
  const down = new Set(["192.0.2.1"]);
  const events: string[] = [];
  await using it = memoryPool({ script: failing(down), maxRetries: 0, slowStartMs: 10_000 });
  it.pool.on("eject", ({ address, forMs }) => events.push(`eject ${address} ${forMs}`));
  it.pool.on("readmit", ({ address }) => events.push(`readmit ${address}`));
  (await it.pool.acquire("a.test", { ip: "192.0.2.2" })).release();
  const began = it.clock.now();
  const tries: number[] = [];
  it.pool.on("dial", ({ address }) => {
    if (address === "192.0.2.1") tries.push(it.clock.now() - began);
  });
  for (let lease = 0; lease < 4_000; lease++) {
    assertEquals(await leaseOnce(it), "192.0.2.2");
    it.clock.advance(25);
    await turns(10);
  }
  const pauses = tries.slice(1).map((at, index) => at - tries[index]!);
  for (const [index, pause] of pauses.entries()) {
    const least = [250, 500, 1_000][index] ?? 2_000;
    assert(pause >= least && pause <= least * 1.25 + 50, `pause ${index}: ${pause} ms`);
  }
  // Another failed dial tells nothing new while the address is ejected: only the next one counts.
  assertEquals(events, [
    "eject 192.0.2.1 30000",
    "eject 192.0.2.1 60000",
    "eject 192.0.2.1 90000",
  ]);
  down.clear();
  const wellAt = it.clock.now();
  while (events.length === 3) {
    assertEquals(await leaseOnce(it), "192.0.2.2");
    it.clock.advance(25);
    await turns(10);
  }
  assert(it.clock.now() - wellAt <= 2_550, `back after ${it.clock.now() - wellAt} ms`);
  assertEquals(events.slice(3), ["readmit 192.0.2.1"]);
  const seen = { early: 0, late: 0 };
  for (let lease = 0; lease < 500; lease++) {
    if (await leaseOnce(it) === "192.0.2.1") seen.early++;
  }
  it.clock.advance(10_000);
  for (let lease = 0; lease < 500; lease++) {
    if (await leaseOnce(it) === "192.0.2.1") seen.late++;
  }
  assert(seen.early > 0 && seen.early < 125, `${seen.early} of 500 at first`);
  assert(seen.late > 175 && seen.late < 325, `${seen.late} of 500 in the end`);
});

test("A machine that failed is tried as long as a lease on another one lasts, however long", async () => {
  const down = new Set(["192.0.2.1"]);
  await using it = memoryPool({ script: failing(down), idleTimeoutMs: 60_000 });
  using lease = await it.pool.acquire("a.test", { ip: "192.0.2.2" });
  const failed = assertRejects(() => it.pool.acquire("a.test", { ip: "192.0.2.1" }));
  await pass(it, 300_000, 1_000);
  await failed;
  assertEquals(lease.released, false);
  down.clear();
  await pass(it, 5_000, 100);
  assertEquals(countAt(it, "192.0.2.1"), 1);
});

test("No connection that is kept warm ends to make room for a machine that comes back", async () => {
  const down = new Set(["192.0.2.1"]);
  for (const kept of [2, 3]) {
    down.add("192.0.2.1");
    await using it = memoryPool({ script: failing(down), maxConnectionsPerHost: 3 });
    await it.pool.warm("a.test", { connections: kept });
    const leases = await Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test")));
    for (const lease of leases) lease.release();
    const before = [...it.pool.manager.connections()];
    down.clear();
    let ended = 0;
    it.pool.on("evict", () => ended++);
    await pass(it, 10_000, 100);
    assertEquals([kept, ended], [kept, kept === 3 ? 0 : 1]);
    assertEquals(before.length, 3);
  }
});

test("A machine that comes back gets the room of the connection that was idle longest, after a second", async () => {
  const [bad, cold, hot] = FIVE;
  const down = new Set([bad!]);
  await using it = memoryPool({
    hosts: { "a.test": [bad!, cold!, hot!] },
    script: failing(down),
    maxConnectionsPerHost: 5,
    maxRetries: 0,
  });
  const leases = [];
  for (const ip of [cold, cold, hot, hot]) {
    leases.push(await it.pool.acquire("a.test", { ip: ip! }));
  }
  await assertRejects(() => it.pool.acquire("a.test", { ip: bad! }));
  leases.push(await it.pool.acquire("a.test", { ip: hot! }));
  for (const lease of leases) {
    lease.release();
    await pass(it, 10);
  }
  const ended: string[] = [];
  const usedAt = it.clock.now();
  it.pool.on("evict", ({ address }) => ended.push(`${address} ${it.clock.now() - usedAt >= 900}`));
  down.clear();
  await pass(it, 10_000, 50);
  assertEquals([ended, countAt(it, bad!)], [[`${cold} true`], 1]);
});

test("A trial whose end tells nothing, as where its caller gave up, is made again", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  (await it.pool.acquire("a.test", { ip: "192.0.2.1" })).release({ error: new Error("no answer") });
  assertEquals(await leaseOnce(it), "192.0.2.2");
  it.clock.advance(250);
  const trial = await it.pool.acquire("a.test");
  assertEquals(trial.connection.address, "192.0.2.1");
  // While it goes on, nobody else is one.
  assertEquals(await leaseOnce(it), "192.0.2.2");
  trial.failure = null;
  trial.release();
  assertEquals(await leaseOnce(it), "192.0.2.1");
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 0);
});

test("Never more than half of a host's addresses are ejected, and all the same all are tried", async () => {
  const down = new Set(FIVE.slice(0, 4));
  const ejected = new Set<string>();
  await using it = memoryPool({ hosts: { "a.test": FIVE }, script: failing(down), maxRetries: 0 });
  it.pool.on("eject", ({ address }) => ejected.add(address));
  it.pool.on("readmit", ({ address }) => ejected.delete(address));
  (await it.pool.acquire("a.test", { ip: "192.0.2.5" })).release();
  for (let lease = 0; lease < 2_000; lease++) {
    assertEquals(await leaseOnce(it), "192.0.2.5");
    it.clock.advance(10);
    await turns(10);
    assert(ejected.size <= 2, [...ejected].join());
  }
  assertEquals(ejected.size, 2);
  const { addresses } = it.pool.stats().hosts["a.test"]!;
  for (const address of down) assert(addresses[address]!.retryAt !== null, address);
  down.clear();
  for (let lease = 0; lease < 10_000; lease++) {
    await leaseOnce(it);
    it.clock.advance(10);
    await turns(10);
  }
  assertEquals([...ejected], []);
  for (const { connections } of Object.values(it.pool.stats().hosts["a.test"]!.addresses)) {
    assert(connections > 0);
  }
});

/** Sets up two good machines of five, the three others with an idle connection but failures. */
async function withThreeDoubtful(it: MemoryPool): Promise<void> {
  for (const ip of FIVE.slice(2)) {
    const leases = await Promise.all([1, 2].map(() => it.pool.acquire("a.test", { ip })));
    leases[0]!.release();
    leases[1]!.release({ error: new Error("no answer") });
    assertEquals(pauseOf(it, "a.test", ip), 250);
  }
}

test("Where fewer than half are good, the others are left alone while the good ones come back", async () => {
  await using it = memoryPool({ hosts: { "a.test": FIVE }, maxConnectionsPerIp: 2 });
  await withThreeDoubtful(it);
  const seen = new Set<string>();
  const worker = async () => {
    for (let i = 0; i < 10; i++) {
      const lease = await it.pool.acquire("a.test");
      seen.add(lease.connection.address);
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
      lease.release();
    }
  };
  const all = Promise.all(Array.from({ length: 20 }, worker));
  await pass(it, 200, 2);
  await all;
  assertEquals([...seen].sort(), ["192.0.2.1", "192.0.2.2"]);
});

test("Where fewer than half are good and these are held, the others are used before anybody waits long", async () => {
  await using it = memoryPool({ hosts: { "a.test": FIVE }, maxConnectionsPerIp: 2 });
  await withThreeDoubtful(it);
  const leases: Lease[] = [];
  const since = it.clock.now();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    void it.pool.acquire("a.test").then((lease) => {
      leases.push(lease);
      waits.push(it.clock.now() - since);
    });
  }
  // They are due for a trial only later.
  const script = it.pool.stats().hosts["a.test"]!.addresses;
  for (const ip of FIVE.slice(2)) assert(script[ip]!.retryAt! >= since + 250);
  await pass(it, 300, 5);
  assertEquals(leases.length, 7);
  assertEquals(waits.slice(0, 4), [0, 0, 0, 0]);
  for (const wait of waits.slice(4)) assert(wait >= 200 && wait <= 300, `${wait} ms`);
  assertEquals(
    leases.map(({ connection }) => connection.address).sort().slice(4),
    FIVE.slice(2),
  );
  for (const lease of leases) lease.release();
});

test("While every machine refuses, callers without end make few dials a second", async () => {
  const down = new Set(FIVE);
  await using it = memoryPool({ hosts: { "a.test": FIVE }, script: failing(down), maxRetries: 0 });
  const failures: unknown[] = [];
  let stop = false;
  const caller = async () => {
    while (!stop) {
      await it.pool.acquire("a.test", { timeoutMs: 5_000 }).then(
        (lease) => lease.release(),
        (error: unknown) => failures.push(error),
      );
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 10));
    }
  };
  const all = Promise.all(Array.from({ length: 20 }, caller));
  await turns();
  const perSecond: number[] = [];
  for (let second = 0; second < 20; second++) {
    const before = it.dialer.dials.length;
    await pass(it, 1_000, 10);
    perSecond.push(it.dialer.dials.length - before);
  }
  stop = true;
  down.clear();
  await pass(it, 5_000, 100);
  await all;
  assert(failures.length > 20, `only ${failures.length} failures were told`);
  for (const error of failures) assertInstanceOf(error, HostUnavailableError);
  // Four times a second each, whoever asks: and a machine that is back is found as soon.
  assert(Math.max(...perSecond) <= 20, perSecond.join());
  assert(perSecond.at(-1)! > 0, perSecond.join());
});

test("When every machine fails, the error says of each why, and when it is tried again", async () => {
  const how: { readonly [ip: string]: MemoryDial } = {
    "192.0.2.1": { failure: "refused" },
    "192.0.2.2": { failure: "certificate", phase: "tls" },
    "192.0.2.3": { delayMs: Infinity },
  };
  await using it = memoryPool({
    hosts: { "a.test": FIVE.slice(0, 3) },
    script: ({ ip }) => how[ip]!,
    maxRetries: 0,
  });
  for (const timeoutMs of [1_000, 700, 300]) {
    const since = it.clock.now();
    const failed = assertRejects(
      () => it.pool.acquire("a.test", { timeoutMs }),
      HostUnavailableError,
    );
    let at = 0;
    void failed.then(() => at = it.clock.now() - since);
    await pass(it, timeoutMs + 10, 10);
    const { failures } = await failed;
    assertEquals(at, timeoutMs);
    const causes = Object.fromEntries(
      failures.map(({ address, error }) => [address, (error as DialError).failure]),
    );
    assertEquals(causes, {
      "192.0.2.1": "refused",
      "192.0.2.2": "certificate",
      "192.0.2.3": "timeout",
    });
    for (const { address, retryAt } of failures) {
      if (address === "192.0.2.3") assertEquals(retryAt, null);
      else assert(retryAt! > since, `${address} at ${retryAt}`);
    }
  }
});

test("An address that is ejected, blocked and unblocked is still ejected", async () => {
  const down = new Set(["192.0.2.1"]);
  await using it = memoryPool({ script: failing(down), maxRetries: 0, ejectAfterFailures: 1 });
  const events: string[] = [];
  for (const type of ["eject", "readmit", "block", "unblock"] as const) {
    it.pool.on(type, () => events.push(type));
  }
  await assertRejects(() => it.pool.acquire("a.test", { ip: "192.0.2.1" }), HostUnavailableError);
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 30_000);
  it.pool.block("192.0.2.1");
  await turns();
  it.pool.unblock("192.0.2.1");
  await turns();
  assertEquals(pauseOf(it, "a.test", "192.0.2.1"), 30_000);
  for (let lease = 0; lease < 50; lease++) assertEquals(await leaseOnce(it), "192.0.2.2");
  assertEquals(events, ["eject", "block", "unblock"]);
});

test("A machine that is back gets as many connections as the others, though callers keep these busy", async () => {
  const down = new Set(["192.0.2.1"]);
  await using it = memoryPool({
    hosts: { "a.test": FIVE.slice(0, 3) },
    script: (target) => ({ ...failing(down)(target), delayMs: 20 }),
    maxConnectionsPerIp: 10,
  });
  for (const concurrency of [6, 30]) {
    let stop = false;
    const counts = new Map<string, number>();
    const worker = async () => {
      while (!stop) {
        const lease = await it.pool.acquire("a.test");
        const { address } = lease.connection;
        counts.set(address, (counts.get(address) ?? 0) + 1);
        await new Promise<void>((resolve) => it.clock.setTimer(resolve, 5));
        lease.release();
      }
    };
    const all = Promise.all(Array.from({ length: concurrency }, worker));
    await pass(it, 2_000, 5);
    assertEquals([...counts.keys()].sort(), FIVE.slice(1, 3));
    down.clear();
    await pass(it, 8_000, 5);
    counts.clear();
    await pass(it, 1_000, 5);
    stop = true;
    await pass(it, 200, 5);
    await all;
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    for (const ip of FIVE.slice(0, 3)) {
      const share = (counts.get(ip) ?? 0) / total;
      assert(share > 0.25 && share < 0.42, `${ip} bears ${share} of ${concurrency} at a time`);
    }
    down.add("192.0.2.1");
    await it.pool.drain("192.0.2.1");
  }
});

test("Where every good machine hangs, one that failed of late serves, by a connection or a dial", async () => {
  for (const keepsOne of [true, false]) {
    await using it = memoryPool({
      script: ({ ip }) => ip === "192.0.2.1" ? { delayMs: Infinity } : { delayMs: 5 },
      ejectAfterFailures: 1,
    });
    const ip = "192.0.2.2";
    const acquiring = [it.pool.acquire("a.test", { ip })];
    if (keepsOne) acquiring.push(it.pool.acquire("a.test", { ip }));
    await pass(it, 10, 5);
    const [failed, kept] = await Promise.all(acquiring);
    kept?.release();
    failed!.release({ error: new Error("no answer") });
    assertEquals(pauseOf(it, "a.test", ip), 30_000);
    const acquired = it.pool.acquire("a.test", { timeoutMs: 1_000 });
    await pass(it, 300, 5);
    assertEquals(it.pool.stats().hosts["a.test"]!.addresses[ip]!.leased, 1);
    const lease = await acquired;
    assertEquals([lease.connection.address, lease.reused], [ip, keepsOne]);
    lease.release();
  }
});
