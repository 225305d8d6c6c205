/**
 * What is dialled, where and when; and what a failed dial does.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { MemoryDial } from "../../adapters/memory.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError, HostUnavailableError, UnsupportedOptionError } from "../../src/core/errors.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

// No certificate, but what one looks like.
const PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

const refusing = (...addresses: string[]) => ({ address }: DialTarget): MemoryDial =>
  addresses.includes(address) ? { failure: "refused" } : {};

test("A dial is told the host, the server name, the address and the TLS options", async () => {
  const tls = { alpn: ["http/1.1"], ca: [PEM] };
  await using it = memoryPool({ tls });
  using _lease = await it.pool.acquire("b.test:8443");
  assertEquals(it.dialer.dials, [{
    host: "b.test:8443",
    serverName: "b.test",
    address: "192.0.2.1:8443",
    ip: "192.0.2.1",
    port: 8443,
    tls,
  }]);
});

test("A dial to a refusing machine costs its caller nothing: the next one is tried", async () => {
  await using it = memoryPool({ script: refusing("192.0.2.1") });
  for (let i = 0; i < 50; i++) {
    const lease = await it.pool.acquire("a.test", { timeoutMs: 1_000 });
    assertEquals(lease.connection.address, "192.0.2.2");
    lease.release({ reuse: false });
  }
  // The first failure pays; while it is remembered, nobody dials there again.
  const wasted = it.dialer.dials.filter(({ address }) => address === "192.0.2.1").length;
  assert(wasted <= 1, `${wasted} dials to the refusing machine`);
});

test("A failure below TLS demotes the machine for every host, one of TLS for that host only", async () => {
  const hosts = { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.1", "192.0.2.2"] };
  for (const phase of ["tcp", "tls"] as const) {
    const script = ({ address, host }: DialTarget): MemoryDial =>
      address === "192.0.2.1" && host === "a.test" ? { failure: "reset", phase } : {};
    await using it = memoryPool({ hosts, script, maxRetries: 0 });
    const failing = () => it.pool.acquire("a.test", { ip: "192.0.2.1" });
    await assertRejects(failing, HostUnavailableError, "reset");
    await it.pool.warm("b.test", { connections: 10 });
    const there = it.pool.manager.getConnections("192.0.2.1").length;
    assertEquals(there, phase === "tcp" ? 0 : 5, phase);
  }
});

test("Trap 14: a failed dial serves the caller it leaves with the next machine, and all behind him", async () => {
  await using it = memoryPool({
    maxConcurrentDials: 1,
    script: ({ address }) =>
      address === "192.0.2.1" ? { failure: "refused", delayMs: 50 } : { delayMs: 50 },
  });
  const leases = Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test")));
  await pass(it, 400, 10);
  for (const lease of await leases) {
    assertEquals(lease.connection.address, "192.0.2.2");
    lease.release();
  }
});

test("Trap 14: a failed dial for one host wakes those who wait for room on another", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] },
    maxConnections: 1,
    maxRetries: 0,
    script: ({ host }) => host === "a.test" ? { failure: "refused", delayMs: 100 } : {},
  });
  const failing = it.pool.acquire("a.test");
  const starving = it.pool.acquire("b.test");
  const failed = assertRejects(() => failing, HostUnavailableError);
  await pass(it, 110, 10);
  await failed;
  (await starving).release();
});

test("When every machine fails, one error carries each one's cause", async () => {
  await using it = memoryPool({ script: refusing("192.0.2.1", "192.0.2.2"), maxRetries: 0 });
  const error = await assertRejects(() => it.pool.acquire("a.test"), HostUnavailableError);
  assertEquals(error.failures.map(({ address }) => address).sort(), ["192.0.2.1", "192.0.2.2"]);
  for (const { error: cause } of error.failures) assertInstanceOf(cause, DialError);
  assertInstanceOf(error.cause, DialError);
  assertEquals(it.dialer.dials.length, 2);
});

test("With maxRetries every machine is tried as many times more, after a pause", async () => {
  let broken = true;
  await using it = memoryPool({
    script: () => broken ? { failure: "refused" } : {},
    maxRetries: 2,
  });
  const acquired = it.pool.acquire("a.test");
  await turns();
  assertEquals(it.dialer.dials.length, 2);
  await pass(it, 260, 10);
  assertEquals(it.dialer.dials.length, 4);
  broken = false;
  await pass(it, 600, 10);
  (await acquired).release();
});

test("Dials that were begun together and fail together are one try of their machine", async () => {
  let broken = true;
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    script: () => broken ? { failure: "refused", delayMs: 5 } : {},
  });
  const acquired = Array.from({ length: 3 }, () => it.pool.acquire("a.test"));
  await pass(it, 20, 10);
  assertEquals(it.dialer.dials.length, 3);
  broken = false;
  await pass(it, 2_000, 100);
  for (const lease of await Promise.all(acquired)) lease.release();
});

test("An option that the dialer cannot honour is the caller's error, by name", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"] }, maxRetries: 0 });
  (it.dialer.capabilities as Set<string>).delete("pins");
  const pins = [`sha256/${"A".repeat(43)}=`];
  const error = await assertRejects(
    () => it.pool.acquire("a.test", { tls: { pins } }),
    UnsupportedOptionError,
    "The memory dialer cannot honour the TLS option \"pins\"",
  );
  assertEquals([error.option, error.dialer], ["pins", "memory"]);
  assertEquals(it.pool.stats().hosts["a.test"]?.addresses["192.0.2.1"]?.retryAt, null);
});

test("A dial that takes longer than connectTimeoutMs fails, and the dialer learns of it", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    connectTimeoutMs: 1_000,
    maxRetries: 0,
    script: () => ({ delayMs: Infinity }),
  });
  const failed = assertRejects(
    () => it.pool.acquire("a.test"),
    HostUnavailableError,
    "within 1000 ms",
  );
  await pass(it, 1_000, 50);
  await failed;
  assertEquals(it.dialer.dialing, 0);
});

test("A machine that swallows dials costs the stagger, not the connect timeout", async () => {
  await using it = memoryPool({
    script: ({ address }) => address === "192.0.2.1" ? { delayMs: Infinity } : { delayMs: 5 },
  });
  for (let i = 0; i < 10; i++) {
    const since = it.clock.now();
    const acquired = it.pool.acquire("a.test");
    let waited: number | undefined;
    void acquired.then(() => waited = it.clock.now() - since);
    for (let step = 0; step < 100 && waited === undefined; step++) await pass(it, 5, 5);
    assert(waited !== undefined && waited <= 270, `${waited} ms`);
    (await acquired).release({ reuse: false });
  }
});

test("Limits hold at every step: per address, per host, in all, and of dials", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "b.test": ["192.0.2.1"] },
    maxConnections: 7,
    maxConnectionsPerHost: 5,
    maxConnectionsPerIp: 2,
    maxConcurrentDials: 3,
    maxConcurrentDialsPerHost: 2,
    script: () => ({ delayMs: 10 }),
  });
  let served = 0;
  const all = Array.from({ length: 60 }, async (_, index) => {
    const lease = await it.pool.acquire(index % 3 ? "a.test" : "b.test");
    await new Promise<void>((resolve) => it.clock.setTimer(resolve, 20));
    lease.release();
    served++;
  });
  let most = 0;
  for (let step = 0; step < 2_000 && served < 60; step++) {
    await pass(it, 5, 5);
    const { connections, dialing, hosts } = it.pool.stats();
    assert(connections + dialing <= 7 && dialing <= 3);
    for (const host of Object.values(hosts)) {
      assert(host.connections + host.dialing <= 5 && host.dialing <= 2);
      for (const at of Object.values(host.addresses)) assert(at.connections + at.dialing <= 2);
    }
    most = Math.max(most, connections);
  }
  await Promise.all(all);
  assert(most >= 5, `only ${most} connections at once`);
});

test("At the total limit another host's coldest idle connection makes room", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"], "c.test": ["192.0.2.3"] },
    maxConnections: 2,
  });
  const first = await it.pool.acquire("a.test");
  const second = await it.pool.acquire("b.test");
  first.release();
  it.clock.advance(1);
  second.release();
  using third = await it.pool.acquire("c.test");
  assertEquals(third.connection.host, "c.test");
  assertEquals(first.connection.state, "closed");
  assertEquals(second.connection.state, "idle");
  assertEquals(it.pool.stats().evicted, { room: 1 });
});

test("Trap 13: at an address's limit another host's idle connection there makes room", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] },
    maxConnectionsPerIp: 1,
  });
  const first = await it.pool.acquire("a.test");
  const starving = it.pool.acquire("b.test");
  await turns();
  first.release();
  const second = await starving;
  assertEquals(second.connection.host, "b.test");
  const third = it.pool.acquire("a.test");
  second.release();
  (await third).release();
});

test("Trap 13: hosts that share all their machines do not starve each other", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2"], "b.test": ["192.0.2.2", "192.0.2.1"] },
    maxConnections: 3,
    maxConnectionsPerHost: 2,
    maxConnectionsPerIp: 2,
    script: () => ({ delayMs: 3 }),
  });
  const served = { "a.test": 0, "b.test": 0 };
  const run = async (host: "a.test" | "b.test") => {
    for (let i = 0; i < 20; i++) {
      const lease = await it.pool.acquire(host, { timeoutMs: 5_000 });
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
      lease.release();
      served[host]++;
    }
  };
  const all = Promise.all([...Array(8)].map((_, i) => run(i % 2 ? "a.test" : "b.test")));
  for (let step = 0; step < 3_000 && served["a.test"] + served["b.test"] < 160; step++) {
    await pass(it, 1);
  }
  await all;
  assertEquals(served, { "a.test": 80, "b.test": 80 });
});

test("A host that keeps every connection busy gives one up to a host that waits", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.2"] },
    maxConnections: 4,
  });
  let stop = false;
  const busy = [...Array(8)].map(async () => {
    while (!stop) {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 5));
      lease.release();
    }
  });
  await pass(it, 50, 1);
  const waiting = it.pool.acquire("b.test");
  let served = false;
  void waiting.then(() => served = true);
  for (let step = 0; step < 100 && !served; step++) await pass(it, 1);
  assert(served, "the other host starves");
  (await waiting).release();
  stop = true;
  await pass(it, 20, 1);
  await Promise.all(busy);
});

test("Fifty callers at once with five warm connections leave at most six (the spike)", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    maxConnections: 50,
    maxConnectionsPerHost: 50,
    maxConnectionsPerIp: 50,
    script: () => ({ delayMs: 150 }),
  });
  const warming = it.pool.warm("a.test", { connections: 5 });
  await pass(it, 200, 10);
  assertEquals((await warming).connections, 5);
  const use = async (lease: Lease) => {
    await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
    lease.release();
  };
  const all = Promise.all([...Array(50)].map(() => it.pool.acquire("a.test").then(use)));
  await pass(it, 500, 1);
  await all;
  const { connections } = it.pool.stats();
  assert(connections <= 6, `${connections} connections`);
});

test("Callers whom no connection comes back for get their own, though some were warm", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    maxConnectionsPerIp: 50,
    script: () => ({ delayMs: 5 }),
  });
  const warming = it.pool.warm("a.test", { connections: 2 });
  await pass(it, 10, 1);
  await warming;
  const all = Promise.all([...Array(20)].map(() => it.pool.acquire("a.test")));
  await pass(it, 60, 1);
  for (const lease of await all) lease.release();
});

test("Cold callers are dialled for in parallel, up to the limit of dials", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2"] },
    maxConcurrentDialsPerHost: 8,
    script: () => ({ delayMs: 100 }),
  });
  const all = Promise.all([...Array(12)].map(() => it.pool.acquire("a.test")));
  await turns();
  assertEquals(it.dialer.dialing, 8);
  await pass(it, 310, 10);
  for (const lease of await all) lease.release();
});

test("Trap 16: other TLS parameters or another host on the same machine share no connection", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] } });
  const variants = [
    undefined,
    { alpn: ["h2"] },
    { ca: PEM },
    { clientCertificate: { cert: "PEM", key: "PEM" } },
    { serverName: "b.test" },
  ];
  const seen = new Set<number>();
  for (const host of ["a.test", "b.test"]) {
    for (const tls of variants) {
      const lease = await it.pool.acquire(host, { tls });
      seen.add(lease.connection.id);
      lease.release();
      const again = await it.pool.acquire(host, { tls: tls && structuredClone(tls) });
      assertEquals(again.connection.id, lease.connection.id);
      assertEquals(again.connection.host, host);
      again.release();
    }
  }
  assertEquals(seen.size, 10);
});

test("Two hosts on one machine in random order: two handshakes for two hundred requests", async () => {
  await using it = memoryPool({ hosts: { "a.test": ["192.0.2.1"], "b.test": ["192.0.2.1"] } });
  for (let i = 0; i < 200; i++) {
    const host = it.clock.random() < 0.5 ? "a.test" : "b.test";
    using lease = await it.pool.acquire(host);
    assertEquals(lease.connection.host, host);
  }
  assertEquals(it.dialer.dials.length, 2);
});

test("maxConcurrentDialsPerHost holds for a host with all its TLS options together", async () => {
  await using it = memoryPool({ maxConcurrentDialsPerHost: 1, script: () => ({ delayMs: 20 }) });
  const leases = [{}, { tls: { alpn: ["h2"] } }].map((how) => it.pool.acquire("a.test", how));
  let most = 0;
  for (let i = 0; i < 9; i++) {
    await pass(it, 5, 5);
    most = Math.max(most, it.dialer.dialing);
  }
  // The second one begins when the first one ends, and not only when somebody looks again.
  for (const lease of await Promise.all(leases)) lease.release();
  assertEquals(most, 1);
});
