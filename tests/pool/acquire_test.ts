/**
 * How a caller comes to a lease, and how it ends.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import {
  AcquireTimeoutError,
  ClosedError,
  HostUnavailableError,
  LeaseReleasedError,
  ResolveError,
  WaiterLimitError,
} from "../../src/core/errors.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

const HELLO = new TextEncoder().encode("hello");
const sink = { onData: () => {}, onDrain: () => {}, onClose: () => {} };

test("Pool.acquire() dials where nothing is ready, and gives the same connection again", async () => {
  await using it = memoryPool();
  const first = await it.pool.acquire("a.test");
  assertEquals(first.reused, false);
  assertEquals(first.connection.state, "leased");
  first.release();
  const second = await it.pool.acquire("A.Test.");
  assertStrictEquals(second.connection, first.connection);
  assertEquals(second.reused, true);
  assertEquals(it.dialer.dials.length, 1);
  second.release();
});

test("Pool.acquire() gives the connection that was used last", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const leases = await Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test")));
  for (const lease of leases) {
    it.clock.advance(1);
    lease.release();
  }
  using lease = await it.pool.acquire("a.test");
  assertStrictEquals(lease.connection, leases[2]?.connection);
});

test("Pool.acquire() spreads over all addresses that are ready", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  const counts = new Map<string, number>();
  for (let i = 0; i < 1_000; i++) {
    using lease = await it.pool.acquire("a.test");
    const { address } = lease.connection;
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  // Each of two with the same chance: 500 with a standard deviation of 16.
  for (const count of counts.values()) assert(count > 400 && count < 600, `${count} of 1000`);
  assertEquals(counts.size, 2);
});

test("Pool.acquire() with ip gives that machine only, known or not", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  for (let i = 0; i < 20; i++) {
    using lease = await it.pool.acquire("a.test", { ip: "192.0.2.2" });
    assertEquals(lease.connection.address, "192.0.2.2");
  }
  using unknown = await it.pool.acquire("a.test", { ip: "::ffff:192.0.2.77" });
  assertEquals(unknown.connection.address, "192.0.2.77");
  using withPort = await it.pool.acquire("a.test", { ip: "192.0.2.2:8443" });
  assertEquals(withPort.connection.address, "192.0.2.2:8443");
});

test("Pool.acquire() with ip finds a machine that is known by another port", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1:8443", "192.0.2.2:8443"] } });
  using lease = await it.pool.acquire("a.test", { ip: "192.0.2.2" });
  assertEquals(lease.connection.address, "192.0.2.2:8443");
});

test("An address without a port means the machine, by whichever port, in brackets too", async () => {
  const hosts = { "a.test": ["[2001:db8::1]:8443", "[2001:db8::2]:8443"] };
  await using it = memoryPool({ hosts });
  using one = await it.pool.acquire("a.test", { ip: "[2001:db8::1]" });
  assertEquals(one.connection.address, "[2001:db8::1]:8443");
  using other = await it.pool.acquire("a.test", { exclude: ["[2001:db8::1]"] });
  assertEquals(other.connection.address, "[2001:db8::2]:8443");
});

test("An address with its port leaves the other ports of the machine, 443 like any other", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1", "192.0.2.1:8443"] } });
  for (const [excluded, other] of [["443", "192.0.2.1:8443"], ["8443", "192.0.2.1"]] as const) {
    using lease = await it.pool.acquire("a.test", { exclude: [`192.0.2.1:${excluded}`] });
    assertEquals(lease.connection.address, other);
  }
});

test("Pool.acquire() with exclude gives any other machine, or says that there is none", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  for (let i = 0; i < 20; i++) {
    using lease = await it.pool.acquire("a.test", { exclude: ["192.0.2.1"] });
    assertEquals(lease.connection.address, "192.0.2.2");
  }
  const error = await assertRejects(
    () => it.pool.acquire("a.test", { exclude: ["192.0.2.1", "192.0.2.2:443"] }),
    HostUnavailableError,
    "no address to dial",
  );
  assertEquals(error.failures, []);
});

test("Pool.acquire() takes the host's port for addresses without one", async () => {
  await using it = memoryPool();
  using lease = await it.pool.acquire("b.test:8443");
  assertEquals(lease.connection.address, "192.0.2.1:8443");
  assertEquals(lease.connection.host, "b.test:8443");
});

test("Pool.acquire() needs no resolver for an address literal", async () => {
  await using it = memoryPool();
  using lease = await it.pool.acquire("[2001:DB8::1]:8443");
  assertEquals(lease.connection.address, "[2001:db8::1]:8443");
  assertEquals(it.dialer.dials[0]?.serverName, "2001:db8::1");
});

test("Pool.acquire() refuses bad arguments with an error that says what would be valid", async () => {
  await using it = memoryPool();
  const acquire = (host: unknown, options?: unknown) => () =>
    it.pool.acquire(host as string, options as Record<string, never>);
  await assertRejects(acquire("no host"), TypeError, "neither a host name nor an IP address");
  await assertRejects(acquire(undefined), TypeError, "must be a text");
  await assertRejects(acquire("a.test", { timeout: 5 }), TypeError, "Unknown option \"timeout\"");
  await assertRejects(acquire("a.test", { timeoutMs: -1 }), RangeError, "timeoutMs");
  await assertRejects(acquire("a.test", { timeoutMs: "5" }), TypeError, "timeoutMs");
  await assertRejects(acquire("a.test", { ip: "a.test" }), TypeError, "not an IP address");
  await assertRejects(acquire("a.test", { tls: { alpn: "h2" } }), TypeError, "tls.alpn");
  await assertRejects(acquire("c.test"), ResolveError, "c.test");
  assertEquals(it.pool.stats().waiting, 0);
  it.pool.manager.checkInvariants();
});

test("Pool.acquire() and warm() refuse bad arguments just the same where a connection is ready", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 1 });
  const acquire = (options: unknown) => () => it.pool.acquire("a.test", options as never);
  const tryAcquire = (options: unknown) => () => it.pool.tryAcquire("a.test", options as never);
  const cases: readonly (readonly [options: unknown, text: string])[] = [
    [null, "options of acquire() must be an object, got null"],
    [{ signal: 5 }, "signal must be an AbortSignal, got 5"],
    [{ timeoutMs: "5" }, "timeoutMs must be a number of at least 0, got string"],
    [{ exclude: "192.0.2.1" }, "exclude must be a list of addresses, got string"],
    [{ exclude: [5] }, "exclude: The address must be a text that is not empty, got 5"],
    [{ ip: "" }, "ip: The address must be a text"],
    [{ plain: "no" }, "plain must be true or false, got string"],
    [{ tls: null }, "tls must be an object of TLS options, got null"],
  ];
  for (const [options, text] of cases) {
    await assertRejects(acquire(options), TypeError, text);
    assertThrows(tryAcquire(options), TypeError, text);
  }
  const signal = {} as AbortSignal;
  const warm = () => it.pool.warm("a.test", { connections: 1, signal });
  await assertRejects(warm, TypeError, "signal must be an AbortSignal, got object");
  const { hosts, leases } = it.pool.stats();
  assertEquals([Object.keys(hosts), leases], [["a.test"], 0]);
  it.pool.manager.checkInvariants();
});

test("Pool.acquire() rejects with AcquireTimeoutError when its time is over, and wastes no dial", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 500 }) });
  const acquired = it.pool.acquire("b.test", { timeoutMs: 100 });
  await turns();
  it.clock.advance(100);
  const error = await assertRejects(() => acquired, AcquireTimeoutError, "within 100 ms");
  assertEquals(error.waitedMs, 100);
  it.clock.advance(400);
  await turns();
  using lease = await it.pool.acquire("b.test");
  assert(it.dialer.dials.length <= 2, "a dial was begun although one was under way");
  assertEquals(lease.waitedMs, 0);
});

test("Pool.acquire() with a time of its own keeps to it, among others who wait for acquireTimeoutMs", async () => {
  await using it = memoryPool({ maxConnectionsPerHost: 1, acquireTimeoutMs: 1_000 });
  const lease = await it.pool.acquire("a.test");
  const ended: string[] = [];
  const all = Object.entries({ long: 3_000, first: 1_000, short: 500, second: 1_000 }).map(
    async ([name, timeoutMs]) => {
      const options = timeoutMs === 1_000 ? {} : { timeoutMs };
      await assertRejects(() => it.pool.acquire("a.test", options), AcquireTimeoutError);
      ended.push(name);
    },
  );
  await turns();
  for (const expected of [["short"], ["short", "first", "second"]]) {
    it.clock.advance(500);
    await turns();
    assertEquals(ended, expected);
  }
  it.clock.advance(1_999);
  await turns();
  assertEquals(ended.length, 3);
  it.clock.advance(1);
  await Promise.all(all);
  lease.release();
});

test("Pool.acquire() that times out tells every limit that may have been in its way", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnectionsPerIp: 2 });
  using _first = await it.pool.acquire("a.test");
  using _second = await it.pool.acquire("a.test");
  const third = it.pool.acquire("a.test", { timeoutMs: 100 });
  it.clock.advance(100);
  await assertRejects(
    () => third,
    AcquireTimeoutError,
    "2 connections open or being dialled, 0 more callers waiting; "
      + "limits: 2 an address, 64 a host, 256 in all",
  );
});

test("Pool.acquire() that times out before the resolver answers says so, unless it names its machine", async () => {
  await using it = memoryPool({
    script: () => ({ delayMs: 500 }),
    resolver: { name: "silent", resolve: () => new Promise(() => {}) },
  });
  const byName = it.pool.acquire("b.test", { timeoutMs: 100 });
  const byIp = it.pool.acquire("b.test", { timeoutMs: 100, ip: "192.0.2.1" });
  await turns();
  it.clock.advance(100);
  await assertRejects(() => byName, AcquireTimeoutError, "the resolver has told no addresses yet");
  const error = await assertRejects(() => byIp, AcquireTimeoutError);
  assert(!error.message.includes("resolver"), error.message);
});

test("Pool.acquire() rejects with the signal's own reason, before and while it waits", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 500 }) });
  const reason = { why: "I changed my mind" };
  const early = await assertRejects(() =>
    it.pool.acquire("b.test", { signal: AbortSignal.abort(reason) })
  );
  assertStrictEquals(early, reason);
  assertEquals(it.dialer.dials.length, 0);
  const stop = new AbortController();
  const acquired = it.pool.acquire("b.test", { signal: stop.signal });
  await turns();
  stop.abort(reason);
  assertStrictEquals(await assertRejects(() => acquired), reason);
  assertEquals(it.pool.stats().waiting, 0);
});

test("Trap 11: an abort after the delivery leaves the lease with its caller, who releases it", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 1 });
  const held = await it.pool.acquire("a.test");
  const stop = new AbortController();
  const acquired = it.pool.acquire("a.test", { signal: stop.signal });
  await turns();
  held.release();
  stop.abort(new Error("too late"));
  const lease = await acquired;
  assertEquals(it.pool.stats().leased, 1);
  lease.release();
  assertEquals(it.pool.stats().idle, 1);
});

test("Trap 11: an abort before the delivery gives the connection to the next caller", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 1 });
  const held = await it.pool.acquire("a.test");
  const stop = new AbortController();
  const aborted = it.pool.acquire("a.test", { signal: stop.signal });
  const next = it.pool.acquire("a.test");
  await turns();
  stop.abort(new Error("no more"));
  held.release();
  await assertRejects(() => aborted, Error, "no more");
  (await next).release();
});

test("Trap 12: callers cancelled in the middle of the queue leave no gap in it", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 1 });
  const held = await it.pool.acquire("a.test");
  const stops = Array.from({ length: 10 }, () => new AbortController());
  const served: number[] = [];
  const all = stops.map(({ signal }, index) =>
    it.pool.acquire("a.test", { signal }).then((lease) => {
      served.push(index);
      lease.release();
    }, () => {})
  );
  await turns();
  for (const index of [0, 3, 4, 5, 9]) stops[index]?.abort();
  assertEquals(it.pool.stats().waiting, 5);
  held.release();
  await Promise.all(all);
  assertEquals(served, [1, 2, 6, 7, 8]);
});

test("Trap 12: a dial that nobody awaits any more ends on the idle stack", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 100 }) });
  const stop = new AbortController();
  const acquired = it.pool.acquire("b.test", { signal: stop.signal });
  await turns();
  stop.abort();
  await assertRejects(() => acquired);
  it.clock.advance(100);
  await turns();
  assertEquals(it.pool.stats().idle, 1);
});

test("Pool.acquire() refuses more callers than maxWaiters", async () => {
  await using it = memoryPool({ maxWaiters: 2, script: () => ({ delayMs: Infinity }) });
  const waiting = [it.pool.acquire("b.test"), it.pool.acquire("a.test")];
  await assertRejects(() => it.pool.acquire("b.test"), WaiterLimitError, "maxWaiters");
  const settled = Promise.allSettled(waiting);
  await it.pool.close({ graceMs: 0 });
  for (const { status } of await settled) assertEquals(status, "rejected");
});

test("Pool.acquire() serves first whoever came first", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 2 });
  const held = await Promise.all([it.pool.acquire("a.test"), it.pool.acquire("a.test")]);
  const served: number[] = [];
  const all = Array.from(
    { length: 8 },
    (_, index) =>
      it.pool.acquire("a.test").then(async (lease) => {
        served.push(index);
        await turns(5);
        lease.release();
      }),
  );
  await turns();
  for (const lease of held) lease.release();
  await Promise.all(all);
  assertEquals(served, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test("Trap 5: a stale second release frees nothing of somebody else's", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxConnections: 1 });
  const first = await it.pool.acquire("a.test");
  first.release();
  const second = await it.pool.acquire("a.test");
  assertStrictEquals(second.connection, first.connection);
  first.release();
  first.release({ reuse: false });
  first[Symbol.dispose]();
  assertEquals(second.connection.state, "leased");
  assertEquals(it.pool.stats().leased, 1);
  assertThrows(() => first.write(HELLO), LeaseReleasedError);
  assertThrows(() => first.attach(sink), LeaseReleasedError);
  second.write(HELLO);
  second.release({ reuse: false });
});

test("Lease.release({ reuse: false }) and { error } end the connection", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const first = await it.pool.acquire("a.test");
  first.release({ reuse: false });
  assertEquals(it.pool.stats().connections, 0);
  const second = await it.pool.acquire("a.test");
  second.release({ error: new Error("the answer made no sense") });
  assertEquals(second.connection.errorCount, 1);
  assertEquals(it.pool.stats().connections, 0);
  assertEquals(it.pool.stats().evicted, { used: 1, unhealthy: 1 });
});

test("A lease that a block was using keeps an untouched connection and ends a touched one", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  {
    using _lease = await it.pool.acquire("a.test");
  }
  assertEquals(it.pool.stats().idle, 1);
  {
    using lease = await it.pool.acquire("a.test");
    lease.attach(sink);
    lease.write(HELLO);
  }
  assertEquals(it.pool.stats().connections, 0);
  {
    using lease = await it.pool.acquire("a.test");
    lease.attach(sink);
    lease.write(HELLO);
    lease.release();
  }
  assertEquals(it.pool.stats().idle, 1);
});

test("An idle connection never keeps a program alive, a leased one does", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const lease = await it.pool.acquire("a.test");
  const [socket] = it.dialer.sockets;
  assertEquals(socket?.referenced, true);
  lease.release();
  assertEquals(socket?.referenced, false);
});

test("Pool.acquire() rejects its waiters when the pool closes, and later callers", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: Infinity }) });
  const waiting = Promise.allSettled([it.pool.acquire("a.test"), it.pool.acquire("b.test")]);
  await turns();
  await it.pool.close();
  for (const result of await waiting) {
    assert(result.status === "rejected" && result.reason instanceof ClosedError);
  }
  await assertRejects(() => it.pool.acquire("a.test"), ClosedError);
  await assertRejects(() => it.pool.warm("a.test", { connections: 1 }), ClosedError);
});

test("Pool.acquire() with sticky gives the same machine for the same text, and another where it fails", async () => {
  let down = "";
  const hosts = { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"] };
  await using it = memoryPool({
    hosts,
    maxRetries: 0,
    script: ({ address }) => address === down ? { failure: "refused" } : {},
  });
  const where = async (sticky: string, exclude: string[] = []) => {
    const lease = await it.pool.acquire("a.test", { sticky, exclude });
    lease.release({ reuse: false });
    return lease.connection.address;
  };
  const seen = new Map<string, string>();
  for (let i = 0; i < 40; i++) seen.set(`user-${i}`, await where(`user-${i}`));
  assertEquals([...new Set(seen.values())].sort(), hosts["a.test"]);
  for (const [key, address] of seen) assertEquals(await where(key), address);
  down = "192.0.2.2";
  const moved = new Set<string>();
  for (const [key, address] of seen) {
    const now = await where(key);
    if (address === down) moved.add(now);
    else assertEquals(now, address);
  }
  assertEquals([...moved].sort(), ["192.0.2.1", "192.0.2.3"]);
  assert(await where("user-0", [seen.get("user-0") ?? ""]) !== seen.get("user-0"));
  const acquire = (options: Record<string, unknown>) => () => it.pool.acquire("a.test", options);
  await assertRejects(acquire({ sticky: 5 }), TypeError, "sticky must be a text");
  await assertRejects(acquire({ sticky: "x", ip: "192.0.2.1" }), TypeError, "Only one of");
  await assertRejects(acquire({ sticky: "x", exclude: hosts["a.test"] }), HostUnavailableError);
});
