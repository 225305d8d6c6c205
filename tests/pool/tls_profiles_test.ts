/**
 * What is known of TLS parameters, and for how long.
 *
 * @module
 */

import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { ClosedError } from "../../src/core/errors.ts";
import { TlsProfiles } from "../../src/pool/host/tls_profiles.ts";
import { memoryPool } from "../support/memory_pool.ts";

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

test("setTls() serves who waits already with the options from before, and never a new caller", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 10 }) });
  const waits = it.pool.acquire("a.test");
  it.clock.advance(1);
  await null;
  it.pool.setTls({ minVersion: "TLSv1.3" });
  const comes = it.pool.acquire("a.test");
  for (let ms = 0; ms < 40; ms++) {
    it.clock.advance(1);
    await new Promise((resolve) => setTimeout(resolve));
  }
  const [before, after] = await Promise.all([waits, comes]);
  assertEquals([before, after].map(({ connection }) => connection.tlsProfile), [
    "default",
    "tls-1",
  ]);
  before.release();
  after.release();
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
