/**
 * Hosts with addresses of both IP versions, as RFC 8305 would have them dialled.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { createPool } from "../../adapters/detect.ts";
import type { MemoryDial } from "../../adapters/memory.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { HostUnavailableError } from "../../src/core/errors.ts";
import { staticResolver } from "../../src/hosts/resolver.ts";
import { authority, withScene } from "../support/http_scene.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";
import { withoutVersion6 } from "../support/version6.ts";

const SIX = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

function dualStack(script: (target: DialTarget) => MemoryDial, seed = 1): MemoryPool {
  const hosts = { "a.test": [...FOUR, ...SIX] };
  return memoryPool({ hosts, script, seed, maxRetries: 0, connectTimeoutMs: 5_000 });
}

/** The IP version of each dial so far, and when it began. */
function watch(it: MemoryPool): { family: 4 | 6; afterMs: number }[] {
  const dials: { family: 4 | 6; afterMs: number }[] = [];
  const since = it.clock.now();
  it.pool.on("dial", ({ address }) => {
    dials.push({ family: address.includes("::") ? 6 : 4, afterMs: it.clock.now() - since });
  });
  return dials;
}

test("A cold host is dialled by version 6 first, wherever its addresses stand in the answer", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await using it = dualStack(() => ({ delayMs: 10 }), seed);
    const acquired = it.pool.acquire("a.test");
    await pass(it, 300);
    assertEquals(it.dialer.dials.map(({ ip }) => SIX.includes(ip)), [true]);
    (await acquired).release();
  }
});

test("After dialStaggerMs of silence the other version is dialled beside it, and so on in turn", async () => {
  await using it = dualStack(() => ({ delayMs: Infinity }));
  const dials = watch(it);
  const failed = assertRejects(() => it.pool.acquire("a.test"), HostUnavailableError);
  await pass(it, 249, 1);
  assertEquals(dials.length, 1);
  await pass(it, 1_200, 1);
  assertEquals(dials, [
    { family: 6, afterMs: 0 },
    { family: 4, afterMs: 250 },
    { family: 6, afterMs: 500 },
    { family: 4, afterMs: 750 },
    { family: 6, afterMs: 1_000 },
    { family: 4, afterMs: 1_250 },
  ]);
  assertEquals(new Set(it.dialer.dials.map(({ address }) => address)).size, 6);
  await pass(it, 6_000, 50);
  await failed;
});

test("What fails fast is followed at once, by the other version in turn", async () => {
  await using it = dualStack(() => ({ failure: "refused", delayMs: 3 }));
  const dials = watch(it);
  const failed = assertRejects(() => it.pool.acquire("a.test"), HostUnavailableError);
  await pass(it, 40, 1);
  const error = await failed;
  assertEquals(error.failures.length, 6);
  assertEquals(dials.map(({ family }) => family), [6, 4, 6, 4, 6, 4]);
  assertEquals(dials.map(({ afterMs }) => afterMs), [0, 3, 6, 9, 12, 15]);
});

test("Where version 6 is refused, version 4 serves at once, and later callers need no version 6", async () => {
  await using it = dualStack(({ ip }) => SIX.includes(ip) ? { failure: "unreachable" } : {});
  const dials = watch(it);
  const lease = await it.pool.acquire("a.test");
  assert(FOUR.includes(lease.connection.ip));
  assertEquals(lease.waitedMs, 0);
  await turns();
  assertEquals(dials.map(({ family }) => family), [6, 4]);
  lease.release();
});

test("The one that comes second is kept: it stands ready at its own address", async () => {
  await using it = dualStack(({ ip }) => ({ delayMs: SIX.includes(ip) ? 400 : 50 }));
  const acquired = it.pool.acquire("a.test");
  await pass(it, 310);
  const lease = await acquired;
  assert(FOUR.includes(lease.connection.ip));
  assertEquals(lease.waitedMs, 300);
  await pass(it, 100);
  assertEquals([it.pool.stats().idle, it.pool.stats().leased], [1, 1]);
  const second = await it.pool.acquire("a.test");
  assert(SIX.includes(second.connection.ip));
  assertEquals(it.dialer.dials.length, 2);
  lease.release();
  second.release();
});

test("The one that comes second is closed where it is wanted no more", async () => {
  await using it = dualStack(({ ip }) => ({ delayMs: SIX.includes(ip) ? 400 : 50 }));
  const acquired = it.pool.acquire("a.test");
  await pass(it, 310);
  (await acquired).release();
  await it.pool.drain("a.test");
  await pass(it, 100);
  assertEquals(it.dialer.sockets.size, 0);
  assertEquals(it.pool.stats().connections, 0);
});

test("A host with connections goes by its balancer: version 6 comes first for a cold one alone", async () => {
  await using it = dualStack(() => ({}));
  await it.pool.warm("a.test", { connections: 6 });
  for (const text of [...FOUR, ...SIX]) assertEquals(countAt(it, text), 1, text);
  const used = new Set<boolean>();
  for (let i = 0; i < 60; i++) {
    const lease = await it.pool.acquire("a.test");
    used.add(SIX.includes(lease.connection.ip));
    lease.release();
  }
  assertEquals(used.size, 2);
});

test("A dial that ended while the program stood still is neither slow nor given up", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 350 }), connectTimeoutMs: 300 });
  const unread: (() => void)[] = [];
  const read = () => {
    for (const callback of unread.splice(0)) callback();
  };
  Object.assign(it.clock, { afterReading: (callback: () => void) => unread.push(callback) });
  const acquired = it.pool.acquire("a.test");
  await turns();
  read();
  await turns();
  assertEquals(it.dialer.dials.length, 1);
  // The timers fire first, and then comes what the machine has said by now.
  it.clock.advance(400);
  await turns();
  read();
  (await acquired).release();
  assertEquals(it.dialer.dials.length, 1);
});

test("On real sockets: version 6 that is mute costs the stagger, one that refuses nothing", {
  skip: withoutVersion6,
}, async () => {
  await using mute = await startRemoteOrigin({
    addresses: ["::1"],
    behaviour: { kind: "mute" },
  });
  await withScene({ origin: { addresses: ["127.0.0.2"] } }, async ({ origin }) => {
    const good = `127.0.0.2:${origin.port}`;
    for (const bad of [`[::1]:${mute.port}`, "[::1]:1"]) {
      await using pool = createPool({
        resolver: staticResolver({ "a.test": [good, bad] }),
        tls: { ca: [authority] },
        dialStaggerMs: 100,
        connectTimeoutMs: 8_000,
      });
      const dialled: string[] = [];
      pool.on("dial", ({ address }) => dialled.push(address));
      const lease = await pool.acquire("a.test");
      assertEquals(lease.connection.address, good);
      assertEquals(dialled, [bad, good]);
      // Neither the connect timeout, nor less than the stagger.
      assert(lease.waitedMs < 4_000, `${lease.waitedMs} ms`);
      if (bad.includes(`${mute.port}`)) assert(lease.waitedMs >= 95, `${lease.waitedMs} ms`);
      lease.release();
      await pool.close({ graceMs: 0 });
    }
    // Deno closes the socket of an aborted handshake only when the server hangs up.
    await mute.stop();
  });
});

test(
  "On real sockets: both versions of one machine serve, version 6 first",
  { skip: withoutVersion6 },
  () =>
    withScene({
      origin: { addresses: ["127.0.0.1", "::1"] },
      // However long the machine takes for the first dial.
      pool: { protocols: ["http/1.1"], dialStaggerMs: 10_000 },
    }, async ({ origin, pool }) => {
      const host = `a.test:${origin.port}`;
      const lease = await pool.acquire(host);
      assertEquals(lease.connection.address, `[::1]:${origin.port}`);
      lease.release();
      assertEquals((await pool.warm(host, { connections: 2 })).connections, 2);
      const { connections } = await origin.until({ handshakes: 2 });
      assertEquals(connections.map(({ address }) => address).sort(), ["127.0.0.1", "::1"]);
    }),
);
