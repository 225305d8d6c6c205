/**
 * Connections that carry several leases at once: how many are dialled, and who gets them.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { type MemoryDialer, memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import type { Connection } from "../../src/map/connection.ts";
import type { HttpAcquireOptions } from "../../src/pool/call_options.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import type { PoolOptions } from "../../src/pool/options.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const H2: HttpAcquireOptions = { http: ["h2", "http/1.1"] };

/** A pool that speaks a protocol of its own, whose connections carry what the test says. */
class SharingPool extends ConnectionPool {
  /** How many leases a connection to an address carries at once, by what its server speaks. */
  streams: (connection: Connection) => number = () => 100;

  protected override prepare(connection: Connection): void {
    if (connection.socket.info.alpn === "h2") connection.capacity = this.streams(connection);
  }

  share(host = "a.test", options: Partial<HttpAcquireOptions> = {}): Promise<Lease> {
    return this.leases.acquire(host, { ...H2, ...options });
  }
}

interface World extends AsyncDisposable {
  readonly pool: SharingPool;
  readonly clock: ManualClock;
  readonly dialer: MemoryDialer;
}

function world(
  alpnOf: (target: DialTarget) => string | null,
  options: Partial<PoolOptions> & { readonly addresses?: readonly string[] } = {},
): World {
  const { addresses = ["192.0.2.1"], ...rest } = options;
  const clock = new ManualClock();
  const dialer = memoryDialer({
    clock,
    script: (target) => ({ delayMs: 20, socket: { alpn: alpnOf(target) } }),
  });
  const pool = new SharingPool({
    resolver: staticResolver({ "a.test": addresses }),
    ...rest,
    dialer,
    clock,
  });
  return {
    pool,
    clock,
    dialer,
    async [Symbol.asyncDispose]() {
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
      assertEquals([dialer.sockets.size, dialer.dialing, clock.timers], [0, 0, 0]);
    },
  };
}

async function shareAll(it: World, count: number): Promise<Lease[]> {
  const all = Promise.all(Array.from({ length: count }, () => it.pool.share()));
  await pass(it, 200, 5);
  return await all;
}

function only<T>(items: Iterable<T>): T {
  const [item, ...others] = items;
  assert(item !== undefined && others.length === 0);
  return item;
}

test("H3: a cold burst dials once, and all share the connection that it becomes", async () => {
  await using it = world(() => "h2", { addresses: ["192.0.2.1", "192.0.2.2"] });
  const all = Promise.all(Array.from({ length: 100 }, () => it.pool.share()));
  await turns();
  assertEquals(it.dialer.dialing, 1);
  await pass(it, 25, 5);
  const leases = await all;
  assertEquals(new Set(leases.map(({ connection }) => connection)).size, 1);
  assertEquals(only(it.pool.manager.connections()).leases, 100);
  for (const lease of leases) lease.release();
  it.pool.manager.checkInvariants();
});

test("Where the first dial tells of HTTP/1.1, the others follow at once, and next time all together", async () => {
  await using it = world(() => "http/1.1", { maxConnectionsPerIp: 20, idleTimeoutMs: 1_000 });
  const all = Promise.all(Array.from({ length: 12 }, () => it.pool.share()));
  await turns();
  assertEquals(it.dialer.dialing, 1);
  await pass(it, 20, 5);
  assertEquals(it.dialer.dialing, 11);
  await pass(it, 25, 5);
  for (const lease of await all) lease.release();
  it.pool.manager.removeConnection("192.0.2.1");
  const again = Promise.all(Array.from({ length: 12 }, () => it.pool.share()));
  await turns();
  assertEquals(it.dialer.dialing, 12);
  await pass(it, 25, 5);
  for (const lease of await again) lease.release();
});

test("A host whose machines speak HTTP/1.1 is not asked again at each of them", async () => {
  await using it = world(() => null, { addresses: ["192.0.2.1", "192.0.2.2", "192.0.2.3"] });
  const all = Promise.all(Array.from({ length: 9 }, () => it.pool.share()));
  await pass(it, 20, 5);
  assertEquals(it.dialer.dialing, 8);
  await pass(it, 25, 5);
  for (const lease of await all) lease.release();
});

test("When the first dial fails, another machine tells", async () => {
  await using it = world(() => "h2", { addresses: ["192.0.2.1", "192.0.2.2"] });
  const all = Promise.all(Array.from({ length: 10 }, () => it.pool.share()));
  await turns();
  assertEquals(it.dialer.dialing, 1);
  it.pool.block(it.dialer.dials[0]!.ip);
  await pass(it, 60, 5);
  const leases = await all;
  assertEquals(new Set(leases.map(({ connection }) => connection.address)).size, 1);
  for (const lease of leases) lease.release();
});

const LOSSES: { readonly [what: string]: (it: World, connection: Connection) => void } = {
  "turns unhealthy": (_it, connection) => void (connection.healthy = false),
  "carries fewer leases": (_it, connection) => void (connection.capacity = 1),
  "is drained": (it, connection) => it.pool.manager.drain(connection),
};

for (const [what, lose] of Object.entries(LOSSES)) {
  test(`Those who wait have another connection dialled at once where theirs ${what}`, async () => {
    await using it = world(() => "h2");
    it.pool.streams = () => 10;
    // Leases are quick: whoever waits counts on the connection that is there.
    for (let count = 0; count < 20; count++) {
      const lease = it.pool.share();
      await pass(it, count === 0 ? 20 : 1, 1);
      (await lease).release();
    }
    const held = await shareAll(it, 10);
    const waiting = Promise.all(Array.from({ length: 30 }, () => it.pool.share()));
    await turns();
    assertEquals([it.dialer.dialing, it.pool.stats().waiting], [0, 30]);
    lose(it, held[0]!.connection);
    await turns();
    assert(it.dialer.dialing > 0);
    await pass(it, 20, 5);
    for (const lease of held) lease.release();
    for (let ms = 0; ms < 500 && it.pool.stats().waiting > 0; ms += 5) await pass(it, 5, 5);
    for (const lease of await waiting) lease.release();
  });
}

test("H14: a capacity that rises serves those who wait, and one that falls ends no lease", async () => {
  await using it = world(() => "h2", { maxConnectionsPerIp: 1 });
  it.pool.streams = () => 2;
  const first = await shareAll(it, 2);
  const connection = only(it.pool.manager.connections());
  const more = [it.pool.share(), it.pool.share(), it.pool.share()];
  await pass(it, 10, 5);
  assertEquals([connection.leases, it.pool.stats().waiting], [2, 3]);
  connection.capacity = 4;
  await turns();
  it.pool.manager.checkInvariants();
  assertEquals([connection.leases, it.pool.stats().waiting], [4, 1]);
  connection.capacity = 1;
  it.pool.manager.checkInvariants();
  for (const lease of first) lease.release();
  (await more[0]!).release();
  await turns();
  assertEquals([connection.leases, it.pool.stats().waiting], [1, 1]);
  (await more[1]!).release();
  const last = await more[2]!;
  assertEquals(connection.leases, 1);
  connection.capacity = 0;
  last.release();
  it.pool.manager.checkInvariants();
  assertEquals([connection.state, it.pool.manager.idleCount], ["idle", 1]);
});

test("H14: a machine that allows no stream for a while is waited for, and dialled no second time", async () => {
  await using it = world(() => "h2");
  it.pool.streams = () => 0;
  const waiting = [it.pool.share(), it.pool.share()];
  await pass(it, 3_000, 50);
  assertEquals([it.dialer.dials.length, it.pool.stats().waiting], [1, 2]);
  only(it.pool.manager.connections()).capacity = 10;
  await turns();
  for (const lease of waiting) (await lease).release();
});

test("A connection that carries nothing for now ages out like any other", async () => {
  await using it = world(() => "h2", { idleTimeoutMs: 5_000, cleanupIntervalMs: 1_000 });
  (await shareAll(it, 1))[0]!.release();
  only(it.pool.manager.connections()).capacity = 0;
  await pass(it, 7_000, 500);
  assertEquals(it.pool.manager.getConnectionCount(), 0);
});

test("A second connection to a machine is dialled when streams are taken for longer than a dial", async () => {
  await using it = world(() => "h2");
  it.pool.streams = () => 10;
  const held = await shareAll(it, 10);
  assertEquals(it.dialer.dials.length, 1);
  const more = Promise.all(Array.from({ length: 10 }, () => it.pool.share()));
  await pass(it, 100, 5);
  assertEquals(it.dialer.dials.length, 2);
  for (const lease of [...held, ...await more]) lease.release();
});

test("Callers whom streams serve sooner than a dial would dial nothing", async () => {
  await using it = world(() => "h2");
  it.pool.streams = () => 10;
  const use = async () => {
    const lease = await it.pool.share();
    await new Promise<void>((resolve) => it.clock.setTimer(resolve, 1));
    lease.release();
  };
  for (const count of [1, 40, 40]) {
    const burst = Promise.all(Array.from({ length: count }, use));
    await pass(it, 500, 1);
    await burst;
  }
  assertEquals(it.dialer.dials.length, 1);
});

test("Steady demand has as many streams as it needs, and no more connections than that", async () => {
  await using it = world(() => "h2", { maxConnectionsPerIp: 64 });
  it.pool.streams = () => 8;
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      const lease = await it.pool.share();
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 5));
      lease.release();
    }
  };
  const all = Promise.all(Array.from({ length: 40 }, run));
  await pass(it, 200, 1);
  assertEquals([it.pool.stats().connections, it.pool.stats().waiting], [5, 0]);
  stopped = true;
  await pass(it, 20, 1);
  await all;
});

test("acquire() never gets a connection that others share, whatever its host speaks", async () => {
  await using it = world(({ tls }) => tls.alpn?.[0] ?? null);
  const shared = await shareAll(it, 3);
  const alone = Promise.all([
    it.pool.acquire("a.test"),
    it.pool.acquire("a.test", { tls: { alpn: ["h2"] } }),
    it.pool.acquire("a.test", { tls: { alpn: ["h2"] } }),
  ]);
  await pass(it, 30, 5);
  const leases = [...await alone, shared[0]!];
  assertEquals(new Set(leases.map(({ connection }) => connection)).size, 4);
  assertEquals(leases.map(({ connection }) => connection.capacity), [1, 1, 1, 100]);
  for (const lease of [...leases.slice(0, 3), ...shared]) lease.release();
});

test("warm() opens several connections to machines that speak HTTP/2, and load spreads over these first", async () => {
  await using it = world(() => "h2", { addresses: ["192.0.2.1", "192.0.2.2"] });
  for (const lease of await shareAll(it, 40)) lease.release();
  // One more machine has a connection once ten leases have begun.
  await pass(it, 100, 5);
  assertEquals(it.pool.manager.getConnectionCount(), 2);
  const leases = await shareAll(it, 40);
  const counts = [...it.pool.manager.connections()].map(({ leases }) => leases);
  assert(Math.min(...counts) >= 10, `${counts}`);
  for (const lease of leases) lease.release();
});

test("A connection that makes room for another host ends with its last lease, and goes to nobody else before", async () => {
  await using it = world(() => "h2", {
    resolver: staticResolver({ "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] }),
    maxConnections: 1,
  });
  it.pool.streams = () => 2;
  const [first, second] = await shareAll(it, 2);
  const { connection } = first!;
  const other = it.pool.share("b.test");
  await pass(it, 5, 5);
  const third = it.pool.share();
  await pass(it, 5, 5);
  first!.release();
  assertEquals([connection.state, connection.leases], ["draining", 1]);
  await pass(it, 50, 5);
  assertEquals(it.dialer.dialing, 0);
  second!.release();
  await pass(it, 50, 5);
  (await other).release();
  await pass(it, 50, 5);
  (await third).release();
});

test("A host whose connections are all shared lets one of them go at a time for another host", async () => {
  await using it = world(() => "h2", {
    resolver: staticResolver({ "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] }),
    maxConnections: 3,
  });
  it.pool.streams = () => 2;
  const held = await shareAll(it, 6);
  assertEquals(it.pool.manager.getConnectionCount(), 3);
  const other = it.pool.share("b.test");
  await pass(it, 5, 5);
  const others = [1, 2, 3].map(() => it.pool.share());
  await pass(it, 5, 5);
  const seen = new Set<Connection>();
  for (const lease of held.splice(0)) {
    if (seen.has(lease.connection)) held.push(lease);
    else lease.release();
    seen.add(lease.connection);
  }
  const states = [...seen].map(({ state }) => state).sort();
  assertEquals(states, ["draining", "leased", "leased"]);
  for (const lease of held) lease.release();
  await pass(it, 50, 5);
  for (const lease of await Promise.all([other, ...others])) lease.release();
});
