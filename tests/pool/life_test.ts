/**
 * Warming, watching, draining, ageing and closing.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { type MemoryDial, memoryDialer, memorySocket } from "../../adapters/memory.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import {
  ClosedError,
  HostUnavailableError,
  ResolveError,
  SocketError,
} from "../../src/core/errors.ts";
import { type Resolver, staticResolver } from "../../src/hosts/resolver.ts";
import { Connection } from "../../src/map/connection.ts";
import type { PoolEvents } from "../../src/pool/events.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const HELLO = new TextEncoder().encode("hello");

test("Pool.warm() spreads its connections over all addresses", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"] } });
  assertEquals(await it.pool.warm("a.test", { connections: 7 }), {
    host: "a.test",
    connections: 7,
    failures: [],
  });
  const counts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => countAt(it, address));
  assertEquals(counts.sort(), [2, 2, 3]);
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 7);
});

test("Pool.warm() lets the healthy machines do the failing one's share, and says what failed", async () => {
  const script = ({ address }: DialTarget): MemoryDial =>
    address === "192.0.2.1" ? { failure: "refused" } : {};
  await using it = memoryPool({ script });
  const { connections, failures } = await it.pool.warm("a.test", { connections: 4 });
  assertEquals(connections, 4);
  assertEquals(failures.map(({ address }) => address), ["192.0.2.1"]);
  assertEquals(countAt(it, "192.0.2.2"), 4);
});

test("Pool.warm() fails when nothing answers, and when the host is unknown", async () => {
  await using it = memoryPool({ script: () => ({ failure: "refused" }), maxRetries: 0 });
  const error = await assertRejects(
    () => it.pool.warm("a.test", { connections: 2 }),
    HostUnavailableError,
  );
  assertEquals(error.failures.length, 2);
  await assertRejects(() => it.pool.warm("c.test", { connections: 2 }), ResolveError);
  await assertRejects(() => it.pool.warm("a.test", { connections: -1 }), RangeError, "connections");
  await assertRejects(
    () => it.pool.warm("a.test", { connections: 65 }),
    RangeError,
    "from 0 to 64",
  );
});

test("Pool.warm() opens what the limits allow, and says how many", async () => {
  await using it = memoryPool({ maxConnectionsPerIp: 3 });
  const { connections } = await it.pool.warm("a.test", { connections: 10 });
  assertEquals(connections, 6);
});

test("Pool.warm() of many hosts at once waits its turn where dials are limited", async () => {
  await using it = memoryPool({ maxConcurrentDials: 1, script: () => ({ delayMs: 10 }) });
  const warming = Promise.all(
    ["a.test", "b.test", "a.test:8443", "b.test:8443"].map((host) =>
      it.pool.warm(host, { connections: 3 })
    ),
  );
  await pass(it, 200);
  assertEquals((await warming).map(({ connections }) => connections), [3, 3, 3, 3]);
});

test("Pool.warm() ends its wait with the signal's reason, and the dials go on", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 100 }) });
  const stop = new AbortController();
  const warming = it.pool.warm("a.test", { connections: 2, signal: stop.signal });
  await turns();
  const reason = new Error("enough");
  stop.abort(reason);
  assertStrictEquals(await assertRejects(() => warming), reason);
  await pass(it, 100);
  assertEquals(it.pool.stats().idle, 2);
});

test("What a warm host loses is dialled again, and a machine that comes back gets its share", async () => {
  let down = false;
  const script = ({ address }: DialTarget): MemoryDial =>
    down && address === "192.0.2.1" ? { failure: "refused" } : {};
  await using it = memoryPool({ script });
  await it.pool.warm("a.test", { connections: 4 });
  down = true;
  for (const { socket } of it.pool.manager.getConnections("192.0.2.1")) {
    (socket as unknown as { end(): void }).end();
  }
  await pass(it, 100);
  assertEquals([countAt(it, "192.0.2.1"), countAt(it, "192.0.2.2")], [0, 4]);
  down = false;
  await pass(it, 1_000);
  assertEquals([countAt(it, "192.0.2.1"), countAt(it, "192.0.2.2")], [2, 4]);
});

test("Idle connections end after idleTimeoutMs, but for the warm minimum", async () => {
  await using it = memoryPool({ idleTimeoutMs: 5_000, cleanupIntervalMs: 1_000 });
  await it.pool.warm("a.test", { connections: 2 });
  const leases = await Promise.all([...Array(4)].map(() => it.pool.acquire("a.test")));
  const held = await it.pool.acquire("b.test");
  for (const lease of leases) lease.release();
  await pass(it, 20_000, 500);
  assertEquals(it.pool.stats().evicted, { idle: 2 });
  assertEquals(it.pool.stats().idle, 2);
  assertEquals(held.connection.state, "leased");
  await it.pool.warm("a.test", { connections: 0 });
  held.release();
  await pass(it, 7_000, 500);
  assertEquals(it.pool.stats().connections, 0);
});

test("What is kept warm stays, though its host is asked for with other TLS parameters too", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 2 });
  for (let i = 0; i < 10; i++) {
    (await it.pool.acquire("a.test", { tls: { serverName: "b.test" } })).release();
    await pass(it, 30_000, 1_000);
  }
  assertEquals(it.pool.stats().evicted, {});
});

test("Connections end at their lifetime, spread over its last quarter, and leased ones after", async () => {
  await using it = memoryPool({
    maxLifetimeMs: 100_000,
    idleTimeoutMs: 1_000_000,
    cleanupIntervalMs: 1_000,
    maxConnectionsPerIp: 40,
  });
  const leases = await Promise.all([...Array(40)].map(() => it.pool.acquire("b.test")));
  const held = leases.pop();
  for (const lease of leases) lease.release();
  await pass(it, 74_000, 1_000);
  assertEquals(it.pool.stats().connections, 40);
  await pass(it, 13_000, 1_000);
  const { connections } = it.pool.stats();
  assert(connections > 8 && connections < 32, `${connections} of 40 in the middle of the quarter`);
  await pass(it, 14_000, 1_000);
  assertEquals(it.pool.stats().connections, 1);
  held?.release();
  assertEquals(it.pool.stats().connections, 0);
});

test("Trap 17: after the machine slept, what stood idle meanwhile is not handed out", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  await it.pool.warm("a.test", { connections: 1 });
  const before = await it.pool.acquire("a.test");
  before.release();
  it.clock.shiftWall(3_600_000);
  const after = await it.pool.acquire("a.test");
  assert(after.connection !== before.connection);
  after.release();
  it.clock.shiftWall(-7_200_000);
  const later = await it.pool.acquire("a.test");
  assertStrictEquals(later.connection, after.connection);
  later.release();
});

test("Trap 6: whatever an idle connection says or does makes it unusable, at once", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const [spoke, ended, broke] = await Promise.all(
    [...Array(3)].map(() => it.pool.acquire("a.test")),
  );
  assert(spoke && ended && broke);
  const sockets = [...it.dialer.sockets];
  for (const lease of [spoke, ended, broke]) lease.release();
  sockets[0]?.receive(HELLO);
  sockets[1]?.end();
  sockets[2]?.end(new SocketError("reset", "by the test"));
  await turns();
  assertEquals(it.pool.stats().evicted, { unsolicited: 1, peer: 1, error: 1 });
  assertEquals(it.pool.stats().connections, 0);
  using next = await it.pool.acquire("a.test");
  assertEquals(next.reused, false);
});

test("A leased connection's data goes to its sink, and to nobody else's", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const heard: string[] = [];
  const sink = (name: string) => ({
    onData: (bytes: Uint8Array) => void heard.push(`${name} ${new TextDecoder().decode(bytes)}`),
    onDrain: () => {},
    onClose: (error?: Error) => void heard.push(`${name} closed ${error?.message ?? "well"}`),
  });
  const first = await it.pool.acquire("a.test");
  const [socket] = it.dialer.sockets;
  first.attach(sink("first"));
  socket?.receive(HELLO);
  first.release();
  const second = await it.pool.acquire("a.test");
  second.attach(sink("second"));
  socket?.receive(HELLO);
  socket?.end();
  await turns();
  assertEquals(heard, ["first hello", "second hello", "second closed well"]);
  second.release();
  assertEquals(it.pool.stats().connections, 0);
});

test("Pool.drain(host) ends that host's connections: idle ones now, leased ones with their lease", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  const other = await it.pool.acquire("b.test");
  const held = await it.pool.acquire("a.test");
  const draining = it.pool.drain("a.test");
  let drained: number | undefined;
  void draining.then((count) => drained = count);
  await turns();
  assertEquals(drained, undefined);
  assertEquals(it.pool.stats().draining, 1);
  const fresh = await it.pool.acquire("a.test");
  assert(fresh.connection !== held.connection);
  held.release();
  await turns();
  assertEquals(drained, 4);
  assertEquals(it.pool.stats().evicted, { drain: 4 });
  assertEquals(other.connection.state, "leased");
  other.release();
  fresh.release();
});

test("Pool.drain(ip) ends every host's connections there, and dials under way come to nothing", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 50 }) });
  const warming = Promise.all([
    it.pool.warm("a.test", { connections: 2 }),
    it.pool.warm("b.test:8443", { connections: 1 }),
  ]);
  await pass(it, 60);
  await warming;
  const late = it.pool.acquire("b.test", { ip: "192.0.2.1" });
  await turns();
  assertEquals(await it.pool.drain("192.0.2.1"), 2);
  await pass(it, 120);
  // The dial that was under way was for the drained machine as it was: another one served.
  (await late).release();
  assertEquals(it.dialer.dials.filter(({ host }) => host === "b.test").length, 2);
  assertEquals(await it.pool.drain("nobody.test"), 0);
});

test("Pool.close() waits for leases as long as the grace, then ends them", async () => {
  const it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const patient = await it.pool.acquire("a.test");
  const stubborn = await it.pool.acquire("a.test");
  const ends: (string | undefined)[] = [];
  stubborn.attach({ onData() {}, onDrain() {}, onClose: (error) => void ends.push(error?.name) });
  const closing = it.pool.close({ graceMs: 1_000 });
  assertStrictEquals(it.pool.close(), closing);
  await pass(it, 500, 100);
  patient.release();
  assertEquals(it.dialer.sockets.size, 1);
  await pass(it, 600, 100);
  await closing;
  assertEquals(ends, ["SocketError"]);
  stubborn.release();
  assertEquals(it.dialer.sockets.size, 0);
  assertEquals(it.clock.timers, 0);
  await assertRejects(() => it.pool.acquire("a.test"), ClosedError);
});

test("Pool.close() closes once, also where a dialer calls it when its dial is stopped", async () => {
  const inner = memoryDialer({ script: () => ({ delayMs: 60_000 }) });
  const again: Promise<void>[] = [];
  const pool = new ConnectionPool({
    resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    dialer: {
      ...inner,
      dial(target, signal) {
        signal.addEventListener("abort", () => again.push(pool.close()), { once: true });
        return inner.dial(target, signal);
      },
    },
  });
  let closings = 0;
  pool.on("closed", () => closings++);
  const waiting = assertRejects(() => pool.acquire("a.test"), ClosedError);
  await turns();
  const closing = pool.close({ graceMs: 0 });
  assertEquals(again.length, 1);
  assertStrictEquals(again[0], closing);
  await closing;
  await waiting;
  await turns();
  assertEquals([closings, inner.dialing], [1, 0]);
});

test("Pool.close() is over as soon as the last lease is", async () => {
  const it = memoryPool();
  const lease = await it.pool.acquire("a.test");
  const closing = it.pool.close({ graceMs: 60_000 });
  await turns();
  lease.release();
  await closing;
  assertEquals(it.clock.timers, 0);
});

test("The surplus over maxIdleConnections ends, the coldest first", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxIdleConnections: 2 });
  const leases = await Promise.all([...Array(4)].map(() => it.pool.acquire("a.test")));
  for (const lease of leases) {
    it.clock.advance(1);
    lease.release();
  }
  assertEquals(leases.map(({ connection }) => connection.state), [
    "closed",
    "closed",
    "idle",
    "idle",
  ]);
  assertEquals(it.pool.stats().evicted, { surplus: 2 });
});

test("Events tell the life of a connection in order", async () => {
  const it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const told: string[] = [];
  const names: (keyof PoolEvents)[] = [
    "dial",
    "ready",
    "dialError",
    "waiting",
    "lease",
    "release",
    "evict",
    "closed",
  ];
  for (const name of names) it.pool.on(name, () => told.push(name));
  const lease = await it.pool.acquire("a.test");
  lease.release();
  await it.pool.close();
  assertEquals(told, ["waiting", "dial", "ready", "lease", "release", "evict", "closed"]);
});

test("Pool.on() refuses the name of an event that there is not, and tells those that there are", async () => {
  await using it = memoryPool();
  for (const name of ["dailError", "toString", "__proto__", ""]) {
    assertThrows(
      () => it.pool.on(name as keyof PoolEvents, () => {}),
      TypeError,
      `There is no event "${name}": a pool has dial, ready, dialError`,
    );
  }
});

test("Pool.on() refuses a listener that is no function", async () => {
  await using it = memoryPool();
  const listen = () => it.pool.on("lease", undefined as unknown as () => void);
  assertThrows(listen, TypeError, "function");
});

test("A listener may call the pool", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] } });
  const leases: Promise<unknown>[] = [];
  const off = it.pool.on("release", () => {
    off();
    leases.push(it.pool.acquire("a.test").then((lease) => lease.release()));
  });
  (await it.pool.acquire("a.test")).release();
  await turns();
  await Promise.all(leases);
  assertEquals(it.pool.stats().acquired, 2);
});

test("A connection that the program added to the maps itself is leased, if it is healthy", async () => {
  await using it = memoryPool();
  const [bad, good] = ["192.0.2.1", "192.0.2.2"].map((address) => {
    const connection = new Connection({ host: "a.test", address, socket: memorySocket() });
    it.pool.manager.addConnection(connection);
    return connection;
  });
  bad!.healthy = false;
  using first = await it.pool.acquire("a.test", { ip: "192.0.2.2" });
  assertStrictEquals(first.connection, good);
  it.pool.manager.checkInvariants();
  assertEquals([it.pool.stats().connections, it.pool.stats().leased], [2, 1]);
  using second = await it.pool.acquire("a.test", { ip: "192.0.2.1" });
  assertEquals([second.connection === bad, it.pool.stats().dials], [false, 1]);
});

test("A pool refuses bad options with an error that names option, value and what would do", async () => {
  const make = (options: unknown) => () => new ConnectionPool(options as never);
  const dialer = memoryDialer();
  const resolver: Resolver = {
    name: "none",
    resolve: () => Promise.resolve({ addresses: [] }),
  };
  assertThrows(make({ resolver }), TypeError, "dialer must be a Dialer");
  assertThrows(make({ dialer }), TypeError, "resolver must be a Resolver");
  assertThrows(
    make({ dialer, resolver, clock: {} }),
    TypeError,
    "clock must be a Clock, got object",
  );
  assertThrows(make({ dialer, resolver, fleet: [] }), TypeError, "fleet must be a Fleet");
  assertThrows(make({ dialer, resolver, maxConn: 5 }), TypeError, "Unknown option \"maxConn\"");
  assertThrows(make({ dialer, resolver, maxConnections: 0 }), RangeError, "maxConnections");
  assertThrows(make({ dialer, resolver, maxConnections: 1.5 }), RangeError, "whole number");
  assertThrows(make({ dialer, resolver, idleTimeoutMs: "1s" }), TypeError, "idleTimeoutMs");
  assertThrows(make({ dialer, resolver, maxLifetimeMs: NaN }), TypeError, "maxLifetimeMs");
  const short = { dnsMaxTtlMs: 5_000 };
  assertThrows(make({ dialer, resolver, ...short }), RangeError, "dnsMinTtlMs must be at most");
  await new ConnectionPool({ dialer, resolver, ...short, dnsMinTtlMs: 5_000 }).close();
  assertThrows(make({ dialer, resolver, dnsStaleMs: -1 }), RangeError, "dnsStaleMs");
  assertThrows(make({ dialer, resolver, dnsTimeoutMs: 0 }), RangeError, "dnsTimeoutMs");
  assertThrows(make({ dialer, resolver, tls: { pins: ["x"] } }), TypeError, "tls.pins");
  assertThrows(make({ dialer, resolver, tls: { sni: "x" } }), TypeError, "Unknown option \"sni\"");
  assertThrows(
    make({ dialer, resolver, tls: { minVersion: "TLSv1.1" } }),
    TypeError,
    "tls.minVersion must be \"TLSv1.2\" or \"TLSv1.3\", got \"TLSv1.1\"",
  );
  const clientCertificate = { cert: "x", key: "y", passphrase: "secret" };
  assertThrows(
    make({ dialer, resolver, tls: { clientCertificate } }),
    TypeError,
    "Unknown option \"passphrase\" of tls.clientCertificate: it takes cert, key",
  );
});

test("A resolver's last good answer serves while it fails, and a vanished host is an error", async () => {
  let answer: readonly string[] | Error = ["192.0.2.1"];
  let asked = 0;
  const resolver: Resolver = {
    name: "moody",
    resolve: () => {
      asked++;
      return answer instanceof Error
        ? Promise.reject(answer)
        : Promise.resolve({ addresses: answer });
    },
  };
  await using it = memoryPool({ resolver, dnsRefreshIntervalMs: 5_000, idleTimeoutMs: 1_000 });
  await Promise.all([...Array(5)].map(async () => (await it.pool.acquire("a.test")).release()));
  assertEquals(asked, 1);
  answer = new Error("the resolver is ill");
  it.clock.advance(6_000);
  (await it.pool.acquire("a.test")).release();
  await turns();
  assertEquals(asked, 2);
  const error = await assertRejects(() => it.pool.acquire("b.test"), ResolveError, "is ill");
  assertStrictEquals(error.cause, answer);
  answer = ["192.0.2.9"];
  it.clock.advance(2_000);
  (await it.pool.acquire("a.test", { timeoutMs: 5_000 })).release();
  await turns();
  using lease = await it.pool.acquire("a.test", { exclude: ["192.0.2.1"] });
  assertEquals(lease.connection.address, "192.0.2.9");
});

test("A pool asks for a host's addresses again as long as any of its connections is in use", async () => {
  let asked = 0;
  const resolver: Resolver = {
    name: "counting",
    resolve: () => {
      asked++;
      return Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: 30_000 });
    },
  };
  await using it = memoryPool({ resolver });
  const lease = await it.pool.acquire("a.test");
  (await it.pool.acquire("a.test", { tls: { alpn: ["other"] } })).release({ reuse: false });
  // The second one's TLS profile is let go of meanwhile, and the first one's is not.
  await pass(it, 90_000, 1_000);
  assert(asked >= 4 && asked <= 5, `It was asked ${asked} times`);
  lease.release({ reuse: false });
  await pass(it, 20_000, 1_000);
  const before = asked;
  await pass(it, 120_000, 1_000);
  assertEquals(asked, before);
});
