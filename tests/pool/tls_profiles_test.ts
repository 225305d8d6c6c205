/**
 * What is known of TLS parameters, and for how long.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import type { ManualClock } from "../../src/core/clock.ts";
import type { Dialer } from "../../src/core/dialer.ts";
import { AcquireTimeoutError, ClosedError, UnsupportedOptionError } from "../../src/core/errors.ts";
import { type Resolution, staticResolver } from "../../src/hosts/resolver.ts";
import { TlsProfiles } from "../../src/pool/host/tls_profiles.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

test("TlsProfiles knows a profile as long as somebody uses it, or what was made of it", () => {
  const profiles = new TlsProfiles({});
  const tls = { serverName: "x.test" };
  const one = profiles.of(tls);
  const http = profiles.forHttp(one, ["h2", "http/1.1"]);
  for (const profile of [one, http, http]) profiles.use(profile);
  profiles.forget(one);
  profiles.forget(http);
  assertStrictEquals(profiles.of(tls), one);
  profiles.forget(http);
  assertEquals(profiles.size, 1);
  // What has gone may still be named somewhere: its name is not given again.
  const another = profiles.of(tls);
  assertEquals([one.name, another.name], ["tls-1", "tls-2"]);
});

test("TlsProfiles always knows the pool's own, whoever uses it", () => {
  const profiles = new TlsProfiles({ minVersion: "TLSv1.3" });
  const http = profiles.forHttp(profiles.default, ["h2"]);
  for (const profile of [profiles.default, http]) {
    profiles.use(profile);
    profiles.forget(profile);
  }
  assertStrictEquals(profiles.of({ minVersion: "TLSv1.3" }), profiles.default);
  assertStrictEquals(profiles.forHttp(profiles.default, ["h2"]), http);
});

test("A pool forgets TLS parameters, and the keys among them, with their last connection", async () => {
  await using it = memoryPool();
  const profileOf = async (host: string, serverName: string) => {
    const lease = await it.pool.acquire(host, { tls: { serverName } });
    const { tlsProfile } = lease.connection;
    lease.release();
    return tlsProfile;
  };
  assertEquals(await profileOf("a.test", "x.test"), "tls-1");
  assertEquals(await profileOf("b.test", "x.test"), "tls-1");
  it.pool.drain("a.test");
  await it.clock.advance(120_000);
  assertEquals(await profileOf("a.test", "x.test"), "tls-2");
});

test("TlsProfiles forgets the pool's own when they are replaced, with the last who uses them", () => {
  const profiles = new TlsProfiles({ serverName: "x.test" });
  const before = profiles.default;
  const http = profiles.forHttp(before, ["h2"]);
  profiles.use(http);
  profiles.setDefault(profiles.of({ serverName: "y.test" }));
  const after = profiles.forHttp(profiles.default, ["h2"]);
  assertEquals([http.name, after.name], ["h2", "tls-1-h2"]);
  assertEquals(profiles.size, 4);
  profiles.forget(http);
  assertEquals(profiles.size, 2);
  profiles.setDefault(profiles.default);
  assertEquals(profiles.size, 2);
});

test("TlsProfiles knows those that a host has as long, however often they were the pool's own", () => {
  const profiles = new TlsProfiles({});
  const own = profiles.of({ serverName: "own.test" });
  const http = profiles.forHttp(own, ["h2"]);
  for (const profile of [own, http]) profiles.use(profile);
  for (const tls of [own.options, {}, own.options, {}]) profiles.setDefault(profiles.of(tls));
  assert(profiles.isOf(http, own));
  for (const profile of [own, http]) profiles.forget(profile);
  assertEquals(profiles.size, 1);
});

test("setTls() has everything new dialled with the new options, and ends the rest with its lease", async () => {
  await using it = memoryPool({
    tls: { serverName: "old.test" },
    hostOptions: { "b.test": { tls: { serverName: "own.test" } } },
  });
  const namesDialled = () => it.dialer.dials.map(({ serverName }) => serverName);
  const [held, idle, own, asked] = await Promise.all([
    it.pool.acquire("a.test"),
    it.pool.acquire("a.test"),
    it.pool.acquire("b.test"),
    it.pool.acquire("a.test", { tls: { serverName: "mine.test" } }),
  ]);
  for (const lease of [idle, own, asked]) lease.release();
  it.pool.setTls({ serverName: "new.test" });
  assertEquals(
    [held, idle, own, asked].map(({ connection }) => connection.state),
    ["draining", "closed", "idle", "idle"],
  );
  const renewed = await it.pool.acquire("a.test");
  assertEquals(namesDialled().at(-1), "new.test");
  renewed.release();
  held.release();
  assertEquals([held.connection.state, renewed.connection.state], ["closed", "idle"]);
  // A host with its own, and a request with its own, go on.
  const again = await Promise.all([
    it.pool.acquire("b.test"),
    it.pool.acquire("a.test", { tls: { serverName: "mine.test" } }),
  ]);
  assertEquals(again.map(({ connection }) => connection), [own.connection, asked.connection]);
  for (const lease of again) lease.release();
  it.pool.setTls({ serverName: "own-2.test" }, "B.test");
  (await it.pool.acquire("b.test")).release();
  assertEquals([own.connection.state, namesDialled().at(-1)], ["closed", "own-2.test"]);
  assertEquals(it.pool.options().hosts, { "b.test": { tls: ["serverName"] } });
  // The same again changes nothing.
  const { length } = it.dialer.dials;
  it.pool.setTls({ serverName: "new.test" });
  (await it.pool.acquire("a.test")).release();
  assertEquals(it.dialer.dials.length, length);
});

test("setTls() keeps hosts as warm, and those of their own TLS options alone", async () => {
  await using it = memoryPool({
    hostOptions: {
      "a.test": { minIdle: 2 },
      "b.test": { minIdle: 1, tls: { serverName: "own.test" } },
    },
  });
  await it.pool.warm();
  it.pool.setTls({ minVersion: "TLSv1.3" });
  assertEquals(it.pool.manager.getConnectionsForHost("a.test").length, 0);
  const [a] = await it.pool.warm();
  assertEquals(a!.connections, 2);
  assertEquals(it.dialer.dials.map(({ host, tls }) => [host, tls.minVersion]), [
    ["a.test", undefined],
    ["a.test", undefined],
    ["b.test", undefined],
    ["a.test", "TLSv1.3"],
    ["a.test", "TLSv1.3"],
  ]);
  assertEquals(it.pool.manager.getConnectionsForHost("b.test").length, 1);
  assertEquals(it.pool.options().options.tls?.value, ["minVersion"]);
});

/** Moves the clock in steps, and lets what falls due take effect. */
async function pass(clock: ManualClock, ms: number, stepMs = 1): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await turns();
  }
}

test("setTls() serves those who wait already with the new options, in their order and in time", async () => {
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2"] },
    script: ({ tls }) => ({ delayMs: tls.minVersion ? 10 : 1_000_000 }),
    maxConnectionsPerHost: 8,
  });
  const stop = new AbortController();
  const waits = [
    it.pool.acquire("a.test"),
    it.pool.acquire("a.test", { ip: "192.0.2.2" }),
    it.pool.acquire("a.test", { ip: "192.0.2.2", timeoutMs: 60_000 }),
    it.pool.acquire("a.test", { sticky: "me" }),
  ];
  const aborted = assertRejects(
    () => it.pool.acquire("a.test", { signal: stop.signal }),
    Error,
    "no longer",
  );
  const late = assertRejects(
    () => it.pool.acquire("a.test", { timeoutMs: 3 }),
    AcquireTimeoutError,
  );
  await pass(it.clock, 1);
  it.pool.setTls({ minVersion: "TLSv1.3" });
  assertEquals(it.pool.stats().waiting, 6);
  it.pool.manager.checkInvariants();
  stop.abort(new Error("no longer"));
  await pass(it.clock, 4);
  await Promise.all([aborted, late]);
  await pass(it.clock, 40);
  const leases = await Promise.all(waits);
  for (const { connection } of leases) assertEquals(connection.tlsProfile, "tls-1");
  assertEquals(leases.slice(1, 3).map(({ connection }) => connection.ip), [
    "192.0.2.2",
    "192.0.2.2",
  ]);
  assertEquals(it.pool.stats().waiting, 0);
  for (const lease of leases) lease.release();
});

test("setTls() serves a sticky caller whose host is still being looked up", async () => {
  let answer!: (told: Resolution) => void;
  const told = new Promise<Resolution>((resolve) => answer = resolve);
  await using it = memoryPool({
    resolver: { name: "slow", resolve: () => told },
    dnsTimeoutMs: 20_000,
    cleanupIntervalMs: 1_000,
  });
  const waits = it.pool.acquire("a.test", { sticky: "me" });
  await pass(it.clock, 5);
  it.pool.setTls({ minVersion: "TLSv1.3" });
  // Until the old options are forgotten.
  await pass(it.clock, 5_000, 500);
  answer({ addresses: ["192.0.2.1", "192.0.2.2"] });
  await pass(it.clock, 5);
  const lease = await waits;
  assertEquals(lease.connection.tlsProfile, "tls-1");
  lease.release();
});

test("setTls() with null gives a host the TLS options of the pool again, also those set meanwhile", async () => {
  await using it = memoryPool({
    hostOptions: { "a.test": { tls: { serverName: "own.test" }, minIdle: 1 } },
  });
  const { pool } = it;
  await pool.warm();
  const sent = async (host: string) => {
    using lease = await pool.acquire(host);
    const { tls } = it.dialer.dials.at(-1)!;
    return [lease.connection.tlsProfile, tls.serverName ?? tls.minVersion];
  };
  assertEquals(await sent("a.test"), ["tls-1", "own.test"]);
  pool.setTls({ minVersion: "TLSv1.3" });
  pool.setTls({ minVersion: "TLSv1.2" }, "b.test");
  assertEquals(await sent("b.test"), ["tls-3", "TLSv1.2"]);
  assertEquals(Object.keys(pool.options().hosts), ["a.test", "b.test"]);
  const held = await pool.acquire("a.test");
  for (const host of ["a.test", "b.test"]) pool.setTls(null, host);
  assertEquals(held.connection.state, "draining");
  held.release();
  await turns();
  // It is kept as warm as before.
  const [warm, ...others] = pool.manager.getConnectionsForHost("a.test");
  assertEquals([warm?.tlsProfile, others], ["tls-2", []]);
  assertEquals(await sent("b.test"), ["tls-2", "TLSv1.3"]);
  assertEquals(pool.options().hosts, { "a.test": { minIdle: 1 } });
  // They follow the pool from now on, and a host that has none loses nothing.
  const { length } = it.dialer.dials;
  pool.setTls(null, "a.test");
  assertEquals(it.dialer.dials.length, length);
  pool.setTls({ serverName: "pool.test" });
  assertEquals(await sent("b.test"), ["tls-4", "pool.test"]);
  assertThrows(() => pool.setTls(null), TypeError, "tls must be an object of TLS options");
  pool.manager.checkInvariants();
});

test("setTls() leaves the callers who wait their acquireTimeoutMs", async () => {
  await using it = memoryPool({
    script: () => ({ delayMs: 1_000_000 }),
    acquireTimeoutMs: 100,
    connectTimeoutMs: 1_000_000,
  });
  let late = 0;
  for (const _ of [1, 2]) {
    it.pool.acquire("a.test").catch(() => late++);
    await pass(it.clock, 40);
  }
  it.pool.setTls({ minVersion: "TLSv1.3" });
  it.pool.acquire("a.test").catch(() => late++);
  const counts = [];
  for (let round = 0; round < 3; round++) {
    await pass(it.clock, 45);
    counts.push(late);
  }
  assertEquals(counts, [1, 2, 3]);
});

test("setTls() has a warm() under way go on with the new options", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 10 }) });
  const stop = new AbortController();
  const warmed = it.pool.warm("a.test", { connections: 4 });
  const givenUp = assertRejects(
    () => it.pool.warm("b.test", { connections: 2, signal: stop.signal }),
    Error,
    "no longer",
  );
  await pass(it.clock, 5);
  it.pool.setTls({ minVersion: "TLSv1.3" });
  stop.abort(new Error("no longer"));
  await givenUp;
  await pass(it.clock, 30);
  assertEquals((await warmed).connections, 4);
  const connections = it.pool.manager.getConnectionsForHost("a.test");
  assertEquals(connections.map(({ tlsProfile }) => tlsProfile), Array(4).fill("tls-1"));
  assertEquals(it.pool.manager.getConnectionsForHost("b.test").length, 0);
  // What it was warmed to holds from then on.
  for (const connection of connections) it.pool.manager.removeConnection(connection);
  await pass(it.clock, 30);
  assertEquals(it.pool.manager.getConnectionsForHost("a.test").length, 4);
});

test("After setTls() nothing is checked or tried with the options from before", async () => {
  await using it = memoryPool({ healthCheck: "tls", healthCheckIntervalMs: 1_000 });
  (await it.pool.acquire("a.test")).release();
  it.pool.setTls({ minVersion: "TLSv1.3" });
  const { length } = it.dialer.dials;
  (await it.pool.acquire("a.test")).release();
  await pass(it.clock, 10_000, 500);
  const after = it.dialer.dials.slice(length);
  assert(after.length > 5);
  assertEquals(after.filter(({ tls }) => !tls.minVersion), []);
  // Who goes back to them has them checked again.
  it.pool.setTls({});
  (await it.pool.acquire("a.test")).release();
  const { length: until } = it.dialer.dials;
  await pass(it.clock, 10_000, 500);
  assertEquals(it.dialer.dials.slice(until).filter(({ tls }) => tls.minVersion), []);
  assert(it.dialer.dials.length > until + 5);
});

test("After setTls() a block is tested with the new options, before anybody asks for the host", async () => {
  await using it = memoryPool({ blocklistCheckIntervalMs: 1_000 });
  const lease = await it.pool.acquire("a.test");
  const { ip } = lease.connection;
  lease.release();
  it.pool.setTls({ minVersion: "TLSv1.3" });
  const { length } = it.dialer.dials;
  it.pool.block(ip, { untilWell: true });
  await pass(it.clock, 2_000, 100);
  assertEquals(it.dialer.dials.slice(length).map(({ tls }) => tls.minVersion), ["TLSv1.3"]);
  assertEquals(it.pool.stats().blocks, []);
});

test("setTls() a thousand times leaves nothing behind", async () => {
  await using it = memoryPool({ hostOptions: { "a.test": { minIdle: 1 } } });
  await it.pool.warm();
  for (let turn = 0; turn < 1_000; turn++) {
    it.pool.setTls({ serverName: `pool-${turn}.test` });
    it.pool.setTls({ serverName: `idle-${turn}.test` }, "b.test");
  }
  // What was forgotten has another name when it comes back.
  it.pool.setTls({ serverName: "idle-0.test" }, "b.test");
  const lease = await it.pool.acquire("b.test");
  assertEquals(lease.connection.tlsProfile, "tls-2001");
  lease.release({ reuse: false });
  await pass(it.clock, 20_000, 1_000);
  assertEquals([...it.pool.manager.hosts.lanesOf("a.test")].length, 1);
  assertEquals(it.pool.manager.getConnectionCount(), 1);
  it.pool.manager.checkInvariants();
});

test("setTls() refuses what is not valid, and leaves what there was in force", async () => {
  await using it = memoryPool({ tls: { serverName: "old.test" } });
  (await it.pool.acquire("a.test")).release();
  const wrong = [
    () => it.pool.setTls({ minVersion: "TLSv1.1" as "TLSv1.2" }),
    () => it.pool.setTls({}, "no host"),
  ];
  for (const set of wrong) assertThrows(set, TypeError);
  (await it.pool.acquire("a.test")).release();
  assertEquals(it.dialer.dials.length, 1);
  await it.pool.close();
  assertThrows(() => it.pool.setTls({}), ClosedError);
});

test("setTls() refuses what the dialer cannot use, once it is loaded, and ends no connection", async () => {
  const memory = memoryDialer({ capabilities: ["ca", "clientCertificate"] });
  const dialer: Dialer = {
    ...memory,
    checkTls({ clientCertificate }) {
      if (clientCertificate?.key === "wrong") throw new TypeError("the key is wrong");
    },
  };
  for (const given of [dialer, Promise.resolve(dialer)]) {
    await using pool = new ConnectionPool({
      dialer: given,
      resolver: staticResolver({ "a.test": ["192.0.2.1"] }),
    });
    const lease = await pool.acquire("a.test");
    lease.release();
    assertThrows(() => pool.setTls({ minVersion: "TLSv1.3" }), UnsupportedOptionError);
    for (const host of [undefined, "a.test"]) {
      const set = () => pool.setTls({ clientCertificate: { cert: "PEM", key: "wrong" } }, host);
      assertThrows(set, TypeError, "the key is wrong");
    }
    assertEquals(lease.connection.state, "idle");
    pool.setTls({ clientCertificate: { cert: "PEM", key: "right" } });
    assertEquals(lease.connection.state, "closed");
  }
});
