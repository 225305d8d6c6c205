import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import test from "node:test";
import { memorySocket } from "../../adapters/memory.ts";
import { ResolveError } from "../../src/core/errors.ts";
import { Connection } from "../../src/map/connection.ts";
import type { PoolStats } from "../../src/pool/watch/stats.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

/** What a walk over all connections would count. */
function counted(connections: Iterable<Connection>) {
  const counts = { connections: 0, idle: 0, leased: 0, draining: 0, healthy: 0 };
  for (const { healthy, state } of connections) {
    counts.connections++;
    if (healthy) counts.healthy++;
    if (state !== "closed") counts[state]++;
  }
  return counts;
}

function told({ connections, draining, healthy, idle, leased }: PoolStats) {
  return { connections, idle, leased, draining, healthy };
}

test("Pool.stats() counts what a walk over all connections would count, whatever happens", async () => {
  await using it = memoryPool();
  const { manager } = it.pool;
  const check = () => assertEquals(told(it.pool.stats()), counted(manager.connections()));
  await it.pool.warm("a.test", { connections: 6 });
  check();
  const leases = await Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test")));
  const other = await it.pool.acquire("b.test");
  check();
  manager.drain(leases[0]!.connection);
  leases[1]!.connection.healthy = false;
  check();
  assertEquals(told(it.pool.stats()), {
    connections: 7,
    idle: 3,
    leased: 3,
    draining: 1,
    healthy: 6,
  });
  const { addresses, ...ofHost } = it.pool.stats().hosts["a.test"]!;
  assertEquals([ofHost.connections, ofHost.leased, ofHost.draining, ofHost.healthy], [6, 2, 1, 5]);
  const healthy = Object.values(addresses).map(({ healthy }) => healthy);
  assertEquals(healthy.reduce((sum, count) => sum + count), 5);
  leases[2]!.connection.destroy();
  check();
  for (const lease of [...leases, other]) lease.release();
  check();
  await turns();
  check();
});

test("Pool.stats() looks at no connection, be there a hundred thousand", async () => {
  await using it = memoryPool({
    maxConnections: Infinity,
    maxConnectionsPerHost: Infinity,
    maxConnectionsPerIp: Infinity,
  });
  const { manager } = it.pool;
  await it.pool.warm("a.test", { connections: 2 });
  for (let index = 0; index < 100_000; index++) {
    const address = `192.0.2.${1 + index % 2}`;
    manager.addConnection(new Connection({ host: "a.test", address, socket: memorySocket() }));
  }
  let looks = 0;
  const restored = ["state", "healthy", "leases"].map((name) => {
    const own = Object.getOwnPropertyDescriptor(Connection.prototype, name)!;
    Object.defineProperty(Connection.prototype, name, {
      ...own,
      get(this: Connection) {
        looks++;
        return own.get!.call(this);
      },
    });
    return () => Object.defineProperty(Connection.prototype, name, own);
  });
  const walk = manager.connections;
  manager.connections = () => {
    looks++;
    return walk.call(manager);
  };
  let stats: PoolStats;
  try {
    // A look is counted, or this test could not fail.
    void [...manager.connections()][0]?.state;
    assertEquals(looks, 2);
    looks = 0;
    stats = it.pool.stats();
  } finally {
    for (const restore of restored) restore();
    manager.connections = walk;
  }
  assertEquals(looks, 0);
  assertEquals([stats.connections, stats.idle, stats.healthy], [100_002, 100_002, 100_002]);
  assertEquals(stats.hosts["a.test"]?.addresses["192.0.2.1"]?.connections, 50_001);
});

test("Pool.stats() tells waits, reuse and latencies, and is plain data", async () => {
  await using it = memoryPool({ maxConnectionsPerHost: 1 });
  const first = await it.pool.acquire("a.test");
  const waiting = it.pool.acquire("a.test");
  await turns();
  it.clock.advance(40);
  first.release();
  const second = await waiting;
  it.clock.advance(200);
  second.release();
  (await it.pool.acquire("a.test")).release();
  const stats = it.pool.stats();
  assertEquals(stats.at, it.clock.now());
  assertEquals(stats.since, it.clock.now() - 240);
  assertEquals([stats.acquired, stats.reused, stats.reuseRate], [3, 2, 2 / 3]);
  const { queue } = stats.times;
  assertEquals([queue.count, queue.sum, queue.min, queue.max, queue.p50], [3, 40, 0, 40, 0]);
  assertEquals(stats.times.dial.count, 1);
  assertEquals(stats.times.tls.count, 1);
  assertEquals(stats.requests.count, 0);
  assertEquals(stats.requests.successRate, null);
  const { p50Ms, p99Ms } = Object.values(stats.hosts["a.test"]!.addresses)
    .find(({ picks }) => picks > 0)!;
  assert(Math.abs(p99Ms! - 200) < 25, `${p99Ms}`);
  assert(Math.abs(p50Ms! - 40) < 5, `${p50Ms}`);
  assertEquals(JSON.parse(JSON.stringify(stats)), stats);
  assertEquals(it.pool.stats(), stats);
});

test("Pool.stats() tells connections to addresses that a resolver told from others", async () => {
  await using it = memoryPool({ hostOptions: { "fixed.test": { addresses: ["192.0.2.7"] } } });
  for (const host of ["a.test", "fixed.test", "192.0.2.8"]) {
    (await it.pool.acquire(host)).release();
  }
  (await it.pool.acquire("b.test", { ip: "192.0.2.9" })).release();
  const { opened, resolved } = it.pool.stats();
  assertEquals([opened, resolved], [4, 1]);
});

test("Pool.stats() counts each address once, by whether it may be used", async () => {
  await using it = memoryPool();
  (await it.pool.acquire("a.test", { ip: "192.0.2.1" })).release();
  (await it.pool.acquire("b.test")).release();
  const counts = () => {
    const { allowedAddresses, deniedAddresses } = it.pool.stats();
    return [allowedAddresses, deniedAddresses];
  };
  assertEquals(counts(), [2, 0]);
  it.pool.block("192.0.2.1");
  assertEquals(counts(), [1, 1]);
  it.pool.unblock("192.0.2.1");
  assertEquals(counts(), [2, 0]);
});

test("Pool.stats() tells the limits that hold now, of the pool and of each host", async () => {
  await using it = memoryPool({
    maxConnectionsPerIp: Infinity,
    maxWaiters: 7,
    hostOptions: { "b.test": { maxConnections: 3 } },
  });
  for (const host of ["a.test", "b.test"]) (await it.pool.acquire(host)).release();
  it.pool.setLimits({ maxConnections: 100, maxConnectionsPerHost: 9 });
  const { hosts, limits } = it.pool.stats();
  assertEquals(limits, {
    maxConnections: 100,
    maxConnectionsPerHost: 9,
    maxConnectionsPerIp: null,
    maxIdleConnections: null,
    maxWaiters: 7,
  });
  assertEquals([hosts["a.test"]?.maxConnections, hosts["b.test"]?.maxConnections], [9, 3]);
});

test("Pool.stats() counts what the resolver fails at, also of a host that it once knew", async () => {
  let fails = false;
  await using it = memoryPool({
    resolver: {
      name: "test",
      resolve: () => {
        if (fails) throw new Error("no answer");
        return Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: 1_000 });
      },
    },
    dnsMinTtlMs: 1_000,
  });
  const lease = await it.pool.acquire("a.test");
  assertEquals(it.pool.stats().resolveErrors, 0);
  fails = true;
  it.clock.advance(1_500);
  await turns();
  const { hosts, resolveErrors } = it.pool.stats();
  assert(resolveErrors > 0);
  assertEquals(hosts["a.test"]?.resolveErrors, resolveErrors);
  lease.release();
});

test("Pool.stats() counts ejections of the pool, the host and the address, and forgets none", async () => {
  let fails = true;
  await using it = memoryPool({
    ejectAfterFailures: 1,
    script: ({ ip }) => fails && ip === "192.0.2.2" ? { failure: "refused" } : {},
  });
  await it.pool.warm("a.test", { connections: 2 });
  await turns();
  const counts = () => {
    const { ejections, hosts } = it.pool.stats();
    const host = hosts["a.test"];
    return [ejections, host?.ejections, host?.addresses["192.0.2.2"]?.ejections];
  };
  assertEquals(counts(), [1, 1, 1]);
  fails = false;
  await it.pool.warm("a.test", { connections: 0 });
  await it.pool.drain("a.test");
  it.clock.advance(700_000);
  assertEquals(it.pool.stats().hosts, {});
  assertEquals(it.pool.stats().ejections, 1);
});

test("Pool.stats() tells since when an address stands as it does, whatever happens meanwhile", async () => {
  let fails = false;
  await using it = memoryPool({
    ejectAfterFailures: 2,
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.3", "192.0.2.4"] },
    script: () => fails ? { failure: "refused" } : {},
  });
  const { clock, pool } = it;
  const start = clock.now();
  await pool.warm("a.test", { connections: 2 });
  const told = () => {
    const { standing, standingSince } = pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!;
    return [standing, standingSince];
  };
  assertEquals(told(), ["good", start]);
  clock.advance(5_000);
  assertEquals(told(), ["good", start]);
  fails = true;
  const fail = async () => {
    const lease = await pool.acquire("a.test", { ip: "192.0.2.1" });
    lease.release({ error: new Error("no answer") });
  };
  const doubtfulAt = clock.now();
  await fail();
  assertEquals(told(), ["doubtful", doubtfulAt]);
  pool.block("192.0.2.1");
  clock.advance(1_000);
  pool.block("192.0.2.1");
  assertEquals(told(), ["gone", doubtfulAt]);
  // What a block has kept from use from the start was never in any state.
  pool.block("192.0.2.3");
  fails = false;
  (await pool.acquire("b.test")).release();
  const blocked = pool.stats().hosts["b.test"]!.addresses["192.0.2.3"]!;
  assertEquals([blocked.standing, blocked.standingSince], ["gone", null]);
});

test("Pool.stats() counts bytes of a pool and of each address, and forgets none", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const lease = await it.pool.acquire("a.test");
  lease.attach({ onData: () => {}, onDrain: () => {}, onClose: () => {} });
  lease.write(new Uint8Array(5));
  lease.write(new Uint8Array(6));
  for (const socket of it.dialer.sockets) socket.receive(new Uint8Array(100));
  const { bytesIn, bytesOut, hosts } = it.pool.stats();
  assertEquals([bytesIn, bytesOut], [100, 11]);
  const { "192.0.2.1": address } = hosts["a.test"]!.addresses;
  assertEquals([address?.bytesIn, address?.bytesOut], [100, 11]);
  lease.release({ reuse: false });
  it.clock.advance(100_000);
  const later = it.pool.stats();
  assertEquals([later.hosts, later.bytesIn, later.bytesOut], [{}, 100, 11]);
});

test("Pool.stats() tells when the first certificate runs out, where the dialer tells", async () => {
  const ends: Record<string, number> = { "192.0.2.1": 9_000, "192.0.2.2": 5_000 };
  await using it = memoryPool({
    script: ({ host, ip }) => host === "a.test" ? { socket: { certificateEndsAt: ends[ip]! } } : {},
  });
  await it.pool.warm("a.test", { connections: 2 });
  (await it.pool.acquire("b.test")).release();
  const { hosts } = it.pool.stats();
  assertEquals(hosts["a.test"]?.addresses["192.0.2.1"]?.certificateEndsAt, 9_000);
  assertEquals(hosts["a.test"]?.certificateEndsAt, 5_000);
  assertEquals(hosts["b.test"]?.certificateEndsAt, null);
});

test("a host that could not be resolved leaves nothing behind", async () => {
  await using it = memoryPool();
  await assertRejects(() => it.pool.acquire("unknown.test"), ResolveError);
  assertEquals(Object.keys(it.pool.stats().hosts), ["unknown.test"]);
  it.clock.advance(10_000);
  assertEquals(it.pool.stats().hosts, {});
  it.pool.manager.checkInvariants();
});

test("Pool.debugInfo() has the figures and every connection, each by its number too", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 2 });
  const { connections, stats } = it.pool.debugInfo();
  assertEquals(stats, it.pool.stats());
  assertEquals(connections.length, 2);
  const { manager } = it.pool;
  for (const { id } of connections) assertEquals(manager.getConnectionById(id)?.id, id);
  const { id } = connections[0]!;
  manager.removeConnection(manager.getConnectionById(id)!);
  assertEquals(manager.getConnectionById(id), undefined);
});

test("Pool.setLimits() lets the coldest idle connections go that are too many", async () => {
  await using it = memoryPool();
  const leases = await Promise.all([1, 2, 3, 4].map(() => it.pool.acquire("a.test")));
  const ids = leases.map(({ connection }) => connection.id);
  const [held, ...others] = leases;
  for (const lease of others) {
    it.clock.advance(1);
    lease.release();
  }
  assertEquals(it.pool.setLimits({ maxConnections: 2 }), 2);
  const left = () => Array.from(it.pool.manager.connections(), ({ id }) => id);
  assertEquals(left(), [ids[0], ids[3]]);
  assertEquals(it.pool.stats().evicted, { surplus: 2 });
  // What is in use is let go when it comes back, as long as there are too many.
  assertEquals(it.pool.setLimits({ maxConnectionsPerHost: 1 }), 1);
  assertEquals(it.pool.setLimits({ maxConnectionsPerHost: 2 }), 0);
  held!.release();
  assertEquals(left(), [ids[0]]);
  it.pool.manager.checkInvariants();
});

test("Pool.setLimits() ends what is in use when it comes back, while there are too many", async () => {
  await using it = memoryPool();
  const leases = await Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test")));
  assertEquals(it.pool.setLimits({ maxConnectionsPerHost: 2 }), 0);
  it.pool.manager.checkInvariants();
  for (const lease of leases) lease.release();
  assertEquals(it.pool.stats().connections, 2);
  assertEquals(it.pool.manager.accountant.mayExceed, true);
  it.clock.advance(10_000);
  assertEquals(it.pool.manager.accountant.mayExceed, false);
});

test("Pool.setLimits() wakes those who starve when there is room", async () => {
  await using it = memoryPool({ maxConnections: 1 });
  const first = await it.pool.acquire("a.test");
  const waiting = it.pool.acquire("b.test");
  await turns();
  assertEquals(it.pool.stats().waiting, 1);
  it.pool.setLimits({ maxConnections: 2 });
  const second = await waiting;
  assertEquals(second.connection.host, "b.test");
  first.release();
  second.release();
});

test("Pool.setLimits() refuses what is no limit, and keeps the old ones", async () => {
  await using it = memoryPool({ maxConnections: 3 });
  assertThrows(() => it.pool.setLimits({ maxConnections: 0 }), RangeError, "maxConnections");
  assertThrows(
    () => it.pool.setLimits({ maxConnection: 3 } as object),
    TypeError,
    "maxConnection\"",
  );
  assertEquals(it.pool.manager.accountant.limits.maxConnections, 3);
});

test("Pool.stats() tells an address's latencies by a sample, and forgets the old ones", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const rounds = async (count: number, ms: number) => {
    for (let times = 0; times < count; times++) {
      const lease = await it.pool.acquire("a.test");
      it.clock.advance(ms);
      lease.release();
    }
  };
  const p99 = () => it.pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!.p99Ms!;
  await rounds(600, 100);
  assert(Math.abs(p99() - 100) < 12.5, `${p99()}`);
  // The slow ones are forgotten: those that were sampled halve time and again.
  await rounds(80_000, 0.5);
  assert(Math.abs(p99() - 0.5) < 0.07, `${p99()}`);
});
