import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import test from "node:test";
import type { MemoryDial } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import type { Dialer, DialTarget, TlsSocket } from "../../src/core/dialer.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import type { Finding, FindingKind } from "../../src/pool/watch/findings.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

const MAINTENANCE_MS = 10_000;

/** What a pool tells as events of a kind, from now on. */
function heard(pool: ConnectionPool, what: FindingKind): Finding[] {
  const findings: Finding[] = [];
  pool.on(what, (finding) => findings.push(finding));
  return findings;
}

async function maintain(it: MemoryPool): Promise<void> {
  it.clock.advance(MAINTENANCE_MS);
  await turns();
}

test("a lease that does not end is reported once, and the next one with where it was acquired", async () => {
  await using it = memoryPool({ idleTimeoutMs: 3_600_000 });
  const told = heard(it.pool, "leaseHeld");
  const first = await it.pool.acquire("a.test");
  await maintain(it);
  await maintain(it);
  assertEquals(told, []);
  await maintain(it);
  await maintain(it);
  assertEquals(told.length, 1);
  const { address, id } = first.connection;
  assertEquals(told[0]!.host, "a.test");
  assertEquals(told[0]!.address, address);
  assertEquals(told[0]!.connectionId, id);
  assertEquals(told[0]!.stack, undefined);
  assertMatch(told[0]!.message, /has not ended for 30 s\.$/);
  assertMatch(it.pool.diagnose()[0]!.message, /has not ended for 40 s\.$/);
  first.release();
  assertEquals(it.pool.diagnose(), []);
  const second = await it.pool.acquire("a.test");
  for (let times = 0; times < 4; times++) await maintain(it);
  assertEquals(told.length, 2);
  assertMatch(told[1]!.stack!, /diagnosis_test/);
  second.release();
  // One lease more on the same connection has nothing to do with that.
  using _third = it.pool.tryAcquire("a.test");
  assertEquals(it.pool.diagnose(), []);
});

test("traceLeases remembers where each lease was acquired, even after a wait", async () => {
  await using it = memoryPool({ traceLeases: true, leaseWarningMs: 50, maxConnectionsPerHost: 1 });
  async function acquireHere() {
    return await it.pool.acquire("a.test");
  }
  const waiting = acquireHere();
  const lease = await waiting;
  it.clock.advance(50);
  const [finding] = it.pool.diagnose();
  assertMatch(finding!.stack!, /acquireHere/);
  assert(!finding!.stack!.includes("Error"));
  lease.release();
});

test("a lock that is held too long is reported with its holder", async () => {
  const clock = new ManualClock();
  const fails: ((error: Error) => void)[] = [];
  // It does not hear its signal, as a bad dialer.
  const dialer: Dialer = {
    name: "deaf",
    capabilities: new Set(),
    dial: () => new Promise<TlsSocket>((_, reject) => fails.push(reject)),
  };
  const resolver = staticResolver({ "a.test": ["192.0.2.1"] });
  await using pool = new ConnectionPool({ dialer, resolver, clock, leaseWarningMs: 15_000 });
  const told = heard(pool, "lockHeld");
  const refused = assertRejects(() => pool.acquire("a.test", { timeoutMs: 5 }));
  await turns();
  clock.advance(5);
  await refused;
  clock.advance(14_990);
  assertEquals(pool.diagnose(), []);
  clock.advance(5);
  assertEquals(pool.diagnose().map(({ what }) => what), ["lockHeld"]);
  clock.advance(15_000);
  await turns();
  assertEquals(told.length, 1);
  assertMatch(told[0]!.message, /for 20 s by the dial of a\.test at 192\.0\.2\.1; 0 wait for it/);
  for (const fail of fails) fail(new Error("done"));
  await turns();
  assertEquals(pool.diagnose().filter(({ what }) => what === "lockHeld"), []);
});

test("a host that starves is reported with the limit, and who holds what it waits for", async () => {
  const cases = [
    [
      { maxConnectionsPerHost: 1 },
      "a.test",
      /it has 1 connection, its limit \(maxConnectionsPerHost\)\. Leased: 1\./,
    ],
    [
      { hostOptions: { "a.test": { maxConnections: 1 } } },
      "a.test",
      /it has 1 connection, its limit \(maxConnections of the host\)/,
    ],
    [{ maxConnections: 1 }, "b.test", /the pool has 1 connection.*leased to b\.test \(1\)/],
    [
      { maxConnectionsPerIp: 1 },
      "b.test",
      /every address has 1 connection,.*leased to b\.test \(1\)/,
    ],
  ] as const;
  for (const [limits, holder, message] of cases) {
    await using it = memoryPool({
      ...limits,
      hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] },
      cleanupIntervalMs: 1_000,
    });
    const told = heard(it.pool, "starving");
    const lease = await it.pool.acquire(holder);
    const waiting = it.pool.acquire("a.test");
    await turns();
    it.clock.advance(999);
    assertEquals(it.pool.diagnose(), []);
    for (let times = 0; times < 3; times++) {
      it.clock.advance(1_000);
      await turns();
    }
    assertEquals(told.length, 1);
    assertEquals([told[0]!.host, told[0]!.severity], ["a.test", "critical"]);
    assertMatch(told[0]!.message, message);
    lease.release();
    (await waiting).release();
    assertEquals(it.pool.diagnose(), []);
  }
});

test("hosts that starve for the same are reported together", async () => {
  const hosts = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, i) => [`${i}.test`, [`192.0.2.${1 + i % 2}`]]),
  );
  const cases = [
    [{ maxConnections: 1 }, [[999, /: the pool has 1 connection, its limit/]]],
    // Those at one address, and those at the other.
    [{ maxConnectionsPerIp: 1 }, [
      [499, /: every address has 1 connection, .*leased to 0\.test \(1\)\.$/],
      [499, /: every address has 1 connection, .*leased to 1\.test \(1\)\.$/],
    ]],
  ] as const;
  for (const [limits, expected] of cases) {
    await using it = memoryPool({ ...limits, hosts, cleanupIntervalMs: 1_000 });
    const told = heard(it.pool, "starving");
    const [lease, ...others] = Object.keys(hosts).map((host) => it.pool.acquire(host));
    await lease;
    for (const acquired of others) acquired.catch(() => {});
    for (let times = 0; times < 3; times++) {
      it.clock.advance(1_000);
      await turns();
    }
    assertEquals(told.length, expected.length);
    const found = it.pool.diagnose();
    expected.forEach(([count, message], i) => {
      const { host, what } = found[i]!;
      assertEquals([what, host], ["starving", undefined]);
      assertMatch(found[i]!.message, message);
      assertMatch(found[i]!.message, / wait for connections to \d+ hosts \(\d+\.test, .* more\), /);
      assertStringIncludes(found[i]!.message, ` ${count} hosts (`);
    });
  }
});

test("a host that is an address, and at its own limit, is told apart from those at its machine's", async () => {
  const name = "192.0.2.1";
  await using it = memoryPool({
    hosts: { "a.test": [name], "b.test": [name], [name]: [name] },
    maxConnectionsPerIp: 2,
    hostOptions: { [name]: { maxConnections: 1 } },
  });
  const held = [await it.pool.acquire(name), await it.pool.acquire("a.test")];
  const waiting = [name, "a.test", "b.test"].map((host) => it.pool.acquire(host));
  await turns();
  it.clock.advance(3_000);
  assertEquals(it.pool.diagnose().map(({ host }) => host), [name, undefined]);
  for (const lease of held) lease.release();
  for (const one of waiting) (await one).release();
});

test("who holds most of what a host waits for is named first", async () => {
  const hosts = ["a.test", "b.test", "c.test"].map((host) => [host, ["192.0.2.1"]] as const);
  for (const limits of [{ maxConnections: 3 }, { maxConnectionsPerIp: 3 }]) {
    await using it = memoryPool({ ...limits, hosts: Object.fromEntries(hosts) });
    const leases = [];
    for (const host of ["b.test", "c.test", "c.test"]) leases.push(await it.pool.acquire(host));
    const waiting = it.pool.acquire("a.test");
    await turns();
    it.clock.advance(3_000);
    const [finding] = it.pool.diagnose();
    assertMatch(finding!.message, /Most are leased to c\.test \(2\), b\.test \(1\)\./);
    for (const lease of leases) lease.release();
    (await waiting).release();
  }
});

test("a storm of dials is reported, a warm-up and a rush of callers are none", async () => {
  await using it = memoryPool({ maxConnectionsPerIp: 64 });
  const told = heard(it.pool, "dialStorm");
  await it.pool.warm("a.test", { connections: 40 });
  const leases = await Promise.all(Array.from({ length: 24 }, () => it.pool.acquire("b.test")));
  assertEquals(it.pool.diagnose(), []);
  for (const lease of leases) lease.release();
  await maintain(it);
  await maintain(it);
  assertEquals(told, []);
  await it.pool.drain("b.test");
  (await it.pool.acquire("b.test")).release();
  for (let times = 0; times < 25; times++) {
    [...it.dialer.sockets][0]!.end();
    await turns();
    it.clock.advance(300);
    await turns();
  }
  const [finding] = it.pool.diagnose();
  assertEquals([finding?.what, finding?.host], ["dialStorm", "a.test"]);
  assertMatch(finding!.message, /^Within 10 s there were 26 dials and 1 leases/);
  it.clock.advance(2_500);
  await turns();
  assertEquals(told.length, 1);
  await maintain(it);
  assertEquals(it.pool.diagnose(), []);
});

test("an address that comes and goes is reported", async () => {
  await using it = memoryPool({ ejectAfterFailures: 1 });
  const told = heard(it.pool, "flapping");
  const once = async (error?: Error) => {
    const lease = await it.pool.acquire("a.test", { ip: "192.0.2.1" });
    lease.release(error ? { error } : {});
    it.clock.advance(1_000);
  };
  for (let times = 0; times < 3; times++) {
    assertEquals(it.pool.diagnose(), []);
    await once(new Error("bad"));
    await once();
  }
  assertEquals(it.pool.diagnose().map(({ what }) => what), ["flapping"]);
  await maintain(it);
  await maintain(it);
  assertEquals(told.length, 1);
  assertEquals([told[0]!.host, told[0]!.address], ["a.test", "192.0.2.1"]);
  assertEquals(told[0]!.message, "192.0.2.1 was ejected from a.test 3 times within 10 minutes.");
  it.clock.advance(600_000);
  await turns();
  assertEquals(it.pool.diagnose(), []);
});

test("a host with few good addresses is reported", async () => {
  const script = ({ address }: DialTarget): MemoryDial =>
    address === "192.0.2.3" ? {} : { failure: "refused" };
  const hosts = { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"] };
  await using it = memoryPool({ hosts, script, maxRetries: 0 });
  const told = heard(it.pool, "panic");
  for (const ip of ["192.0.2.1", "192.0.2.2"]) {
    await assertRejects(() => it.pool.acquire("a.test", { ip }));
  }
  const [finding] = it.pool.diagnose();
  assertEquals([finding?.what, finding?.severity], ["panic", "warning"]);
  assertMatch(finding!.message, /^1 of the 3 addresses of a\.test is good\./);
  (await it.pool.acquire("a.test", { ip: "192.0.2.3" })).release();
  await maintain(it);
  assertEquals(told.length, 1);
});

test("a resolver that fails is reported, as critical if no address is known", async () => {
  let works = true;
  await using it = memoryPool({
    resolver: {
      name: "moody",
      resolve: () =>
        works
          ? Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: 1 })
          : Promise.reject(new Error("no")),
    },
  });
  const told = heard(it.pool, "resolverFailing");
  const lease = await it.pool.acquire("a.test");
  works = false;
  await assertRejects(() => it.pool.acquire("b.test"));
  const [finding] = it.pool.diagnose();
  assertEquals([finding?.what, finding?.host, finding?.severity], [
    "resolverFailing",
    "b.test",
    "critical",
  ]);
  for (let times = 0; times < 4; times++) await maintain(it);
  assertEquals(told.map(({ host, severity }) => [host, severity]), [["b.test", "critical"], [
    "a.test",
    "warning",
  ]]);
  lease.release();
});

test("addresses that cannot be dialled are told, and the others serve", async () => {
  await using it = memoryPool({
    resolver: {
      name: "scripted",
      resolve: () => Promise.resolve({ addresses: ["fe80::1%eth0", "192.0.2.1"] }),
    },
  });
  const told = heard(it.pool, "addressesLeftOut");
  const lease = await it.pool.acquire("a.test");
  assertEquals(lease.connection.address, "192.0.2.1");
  lease.release();
  await maintain(it);
  assertEquals(told.map(({ host, severity }) => [host, severity]), [["a.test", "info"]]);
  assertStringIncludes(told[0]!.message, "has a zone id");
});

test("options of a host that are for another port than the one in use are told", async () => {
  await using it = memoryPool({
    hostOptions: {
      "a.test": { maxConnections: 2 },
      "b.test": { balancer: "random" },
      "c.test": {},
    },
  });
  const told = heard(it.pool, "otherPort");
  for (const host of ["a.test:8443", "b.test", "b.test:8443"]) {
    (await it.pool.acquire(host)).release();
  }
  for (let times = 0; times < 2; times++) await maintain(it);
  assertEquals(told.map(({ host, severity }) => [host, severity]), [["a.test:8443", "warning"]]);
  assertStringIncludes(told[0]!.message, "a.test are for port 443");
  assertStringIncludes(told[0]!.advice, `"a.test:8443"`);
  (await it.pool.acquire("a.test")).release();
  assertEquals(it.pool.diagnose(), []);
});

test("options of a host that is asked for now and then are for the right port", async () => {
  await using it = memoryPool({ hostOptions: { "a.test": { maxConnections: 2 } } });
  using _other = await it.pool.acquire("a.test:8443");
  (await it.pool.acquire("a.test")).release();
  await maintain(it);
  await it.pool.drain("a.test");
  for (let times = 0; times < 2; times++) await maintain(it);
  assertEquals(Object.keys(it.pool.stats().hosts), ["a.test:8443"]);
  assertEquals(it.pool.diagnose().filter(({ what }) => what === "otherPort"), []);
});

test("a host none of whose addresses may be used is reported", async () => {
  await using it = memoryPool();
  const told = heard(it.pool, "allDenied");
  (await it.pool.acquire("a.test")).release();
  it.pool.block("192.0.2.1", { reason: "sick" });
  await turns();
  assertEquals(it.pool.diagnose().map(({ what }) => what), []);
  it.pool.block("192.0.2.2", { reason: "sick" });
  await turns();
  const [finding] = it.pool.diagnose();
  assertEquals([finding?.what, finding?.severity], ["allDenied", "critical"]);
  const message = "None of the 2 addresses of a.test may be used: blocked: sick.";
  assertEquals(finding?.message, message);
  // The host is kept as long as somebody wants it.
  const waiting = it.pool.warm("a.test", { connections: 1 }).catch(() => {});
  await maintain(it);
  assertEquals(told.length, 1);
  await waiting;
});

test("findings about a host of one address do not count it", async () => {
  const hosts = { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] };
  await using it = memoryPool({ hosts, script: () => ({ failure: "refused" }), maxRetries: 0 });
  it.pool.block("192.0.2.2", { reason: "sick" });
  for (const host of ["a.test", "b.test"]) await assertRejects(() => it.pool.acquire(host));
  assertEquals(it.pool.diagnose().map(({ message }) => message), [
    "The only address of a.test is not good. It is used all the same.",
    "The only address of b.test may not be used: blocked: sick.",
  ]);
});

test("findings are told worst first", async () => {
  await using it = memoryPool({ leaseWarningMs: 10, maxConnectionsPerHost: 1 });
  const lease = await it.pool.acquire("a.test");
  const waiting = it.pool.acquire("a.test");
  await turns();
  it.clock.advance(1_000);
  assertEquals(it.pool.diagnose().map(({ what }) => what), ["starving", "leaseHeld"]);
  lease.release();
  (await waiting).release();
});
