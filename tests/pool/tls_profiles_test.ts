/**
 * What is known of TLS parameters, and for how long.
 *
 * @module
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
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
