/**
 * Machines that a caller names although the host does not have them.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock } from "../../src/core/clock.ts";
import { ClosedError } from "../../src/core/errors.ts";
import { type Resolver, staticResolver } from "../../src/hosts/resolver.ts";
import { HttpPool } from "../../src/http/http_pool.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { ScriptedResolver } from "../support/scripted_resolver.ts";
import { turns } from "../support/turns.ts";

const OWN = "192.0.2.1";
const STRANGER = "192.0.2.9";

test("A machine that a caller named serves nobody who did not, where the host does not have it", async () => {
  await using it = memoryPool({ hosts: { "a.test": [OWN] } });
  (await it.pool.acquire("a.test", { ip: STRANGER })).release();
  // The host's own addresses are not known yet.
  assertEquals(it.pool.tryAcquire("a.test"), undefined);
  using first = await it.pool.acquire("a.test");
  using second = await it.pool.acquire("a.test");
  assertEquals([first.connection.address, second.connection.address], [OWN, OWN]);
});

for (const ip of [STRANGER, `${STRANGER}:443`]) {
  test(`A connection to a machine that the host does not have is used again by who names ${ip}`, async () => {
    await using it = memoryPool({ hosts: { "a.test": [OWN] } });
    (await it.pool.acquire("a.test")).release();
    for (let i = 0; i < 3; i++) (await it.pool.acquire("a.test", { ip })).release();
    assertEquals(it.pool.stats().dials, 2);
    it.pool.tryAcquire("a.test", { ip })!.release();
  });
}

test("Who waits for a machine that the host does not have gets it back, whoever else waits before", async () => {
  await using it = memoryPool({
    hosts: { "a.test": [OWN] },
    maxConnectionsPerIp: 1,
    script: ({ address }) => ({ delayMs: address === OWN ? 100 : 0 }),
  });
  const first = await it.pool.acquire("a.test", { ip: STRANGER });
  const other = it.pool.acquire("a.test");
  const second = it.pool.acquire("a.test", { ip: STRANGER });
  await turns();
  first.release();
  using again = await second;
  it.clock.advance(100);
  using own = await other;
  assertEquals([again.connection, own.connection.address], [first.connection, OWN]);
});

test("A machine that a caller named is as good as others once the resolver tells it", async () => {
  const resolver = new ScriptedResolver([OWN], 30_000);
  await using it = memoryPool({ resolver, dnsMinTtlMs: 1_000 });
  (await it.pool.acquire("a.test", { ip: STRANGER })).release();
  (await it.pool.acquire("a.test")).release();
  resolver.answer = [STRANGER];
  for (let second = 0; second < 30; second++) await pass(it, 1_000, 500);
  assertEquals(it.pool.stats().hosts["a.test"]!.addresses[STRANGER]!.standing, "good");
  using lease = it.pool.tryAcquire("a.test")!;
  assertEquals(lease.connection.address, STRANGER);
});

test("A machine that the host does not have, and that fails, fails nobody who did not name it", async () => {
  const resolver: Resolver = { name: "late", resolve: () => new Promise(() => {}) };
  await using it = memoryPool({
    resolver,
    maxRetries: 0,
    script: () => ({ failure: "refused", delayMs: 10 }),
  });
  const ip = `${STRANGER}:443`;
  const named = it.pool.acquire("a.test", { ip }).catch((error: Error) => error.name);
  const other = it.pool.acquire("a.test", { timeoutMs: 100 }).catch((error: Error) => error.name);
  await pass(it, 20, 5);
  assertEquals(await named, "HostUnavailableError");
  assertEquals(it.pool.stats().waiting, 1);
  await pass(it, 100);
  assertEquals(await other, "AcquireTimeoutError");
});

test("A machine that the host does not have is not stormed where it fails, however many name it", async () => {
  await using it = memoryPool({
    hosts: { "a.test": [OWN] },
    script: ({ address }) => address === STRANGER ? { failure: "refused", delayMs: 1 } : {},
  });
  let failed = 0;
  for (let i = 0; i < 100; i++) {
    it.pool.acquire("a.test", { ip: STRANGER }).catch(() => failed++);
    await pass(it, 20, 1);
  }
  // At the most each 250 ms, for two seconds.
  assert(it.dialer.dials.length <= 9, `${it.dialer.dials.length} dials`);
  assert(failed > 50, `${failed} were told`);
});

test("A connection to a machine that the host does not have gives nobody hope who may not have it", async () => {
  await using it = memoryPool({
    hosts: { "a.test": [OWN] },
    script: ({ address }) => address === STRANGER ? {} : { failure: "refused" },
  });
  using _named = await it.pool.acquire("a.test", { ip: STRANGER });
  const others = [{}, { exclude: ["192.0.2.99"] }].map((choice) =>
    it.pool.acquire("a.test", choice).catch((error: Error) => error.name)
  );
  await pass(it, 2_000, 50);
  assertEquals(it.pool.stats().waiting, 0);
  assertEquals(await Promise.all(others), ["HostUnavailableError", "HostUnavailableError"]);
});

test("A dial to a machine that the host does not have holds up nobody who did not name it", async () => {
  const clock = new ManualClock();
  const dialer = memoryDialer({
    clock,
    // Over HTTP/2 it would be for all who wait.
    script: ({ address }) => ({
      delayMs: address === STRANGER ? 5_000 : 10,
      socket: { alpn: "h2" },
    }),
  });
  const pool = new HttpPool({ clock, dialer, resolver: staticResolver({ "a.test": [OWN] }) });
  const closed = [{ ip: STRANGER }, {}].map((choice) =>
    assertRejects(() => pool.request("https://a.test/", choice), ClosedError)
  );
  await turns();
  assertEquals(dialer.dials.map(({ address }) => address), [STRANGER, OWN]);
  await pool.close({ graceMs: 0 });
  await Promise.all(closed);
});
