/**
 * Blocks whose timers fire late, since the program was too busy for them, or a moment early.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { test } from "node:test";
import { memoryDialer } from "../../adapters/memory.ts";
import { ManualClock, type Timer } from "../../src/core/clock.ts";
import { AccessDeniedError } from "../../src/core/errors.ts";
import { type Resolution, staticResolver } from "../../src/hosts/resolver.ts";
import { ConnectionPool } from "../../src/pool/pool.ts";
import { turns } from "../support/turns.ts";

const ONE = "192.0.2.1";
const TWO = "192.0.2.2";
const BLOCKED_MS = 1_000;

/** A clock whose timers fire late. */
class LateClock extends ManualClock {
  lateMs = 0;
  override now(): number {
    return super.now() + this.lateMs;
  }
}

/** A pool for a host at two machines, of which the first refuses every dial after a while. */
function scene(
  addresses: Resolution["addresses"],
): { readonly clock: LateClock; readonly pool: ConnectionPool } {
  const clock = new LateClock();
  const dialer = memoryDialer({
    clock,
    script: ({ address }) => address === ONE ? { delayMs: 20, failure: "refused" } : {},
  });
  const resolver = { name: "scene", resolve: () => Promise.resolve({ addresses }) };
  return { clock, pool: new ConnectionPool({ clock, dialer, maxRetries: 0, resolver }) };
}

const HOSTS: { readonly [kind: string]: Resolution["addresses"] } = {
  "a host": [ONE, TWO],
  "a host with priorities": [{ address: TWO, priority: 1 }, { address: ONE, priority: 2 }],
};

for (const [kind, addresses] of Object.entries(HOSTS)) {
  test(`Whoever asks for ${kind} is served when its blocks are over, before a timer has fired`, async () => {
    const { clock, pool } = scene(addresses);
    for (const ip of [ONE, TWO]) pool.block(ip, { forMs: BLOCKED_MS });
    const error = await pool.acquire("a.test").catch((error: unknown) => error);
    assertInstanceOf(error, AccessDeniedError);
    assertEquals(error.addresses.map(({ rule }) => rule), ["blocked", "blocked"]);
    clock.lateMs = BLOCKED_MS;
    const asked = pool.acquire("a.test", { exclude: [ONE] });
    await turns();
    using lease = await asked;
    assertEquals(lease.connection.address, TWO);
    pool.manager.checkInvariants();
    await pool.close({ graceMs: 0 });
  });

  for (const options of [{}, { sticky: "a key" }]) {
    const how = "sticky" in options ? "by a key " : "";
    test(`Who asks ${how}for ${kind} learns of no failed machine while a block at another one is over`, async () => {
      const { clock, pool } = scene(addresses);
      const ended: string[] = [];
      pool.on("unblock", ({ ip }) => ended.push(ip));
      pool.block(TWO, { forMs: BLOCKED_MS });
      const asked = pool.acquire("a.test", options);
      await turns();
      clock.lateMs = BLOCKED_MS;
      clock.advance(20);
      using lease = await asked;
      assertEquals(lease.connection.address, TWO);
      assertEquals(ended, [TWO]);
      clock.advance(BLOCKED_MS);
      await turns();
      assertEquals(ended, [TWO], "It is told once");
      assert(!pool.unblock(TWO));
      pool.manager.checkInvariants();
      await pool.close({ graceMs: 0 });
    });
  }
}

test("A block that is over is gone for whoever asks the pool, before its timer has fired", async () => {
  const { clock, pool } = scene([ONE, TWO]);
  const told: string[] = [];
  for (const type of ["block", "unblock"] as const) {
    pool.on(type, ({ ip }) => told.push(`${type} ${ip}`));
  }
  pool.block(TWO, { forMs: BLOCKED_MS });
  clock.lateMs = BLOCKED_MS;
  assertEquals(pool.unblock(TWO), false);
  pool.block(TWO, { forMs: BLOCKED_MS });
  await turns();
  assertEquals(told, [`block ${TWO}`, `unblock ${TWO}`, `block ${TWO}`]);
  await pool.close();
  clock.lateMs += BLOCKED_MS;
  pool.unblock(ONE);
  await turns();
  assertEquals(told.length, 3, "A closed pool tells of no end");
});

test("A block whose timer fires a moment early ends in time all the same", async () => {
  /** As on Node, which cuts the fractions off what it waits. */
  class EarlyClock extends ManualClock {
    override setTimer(callback: () => void, delayMs: number): Timer {
      return super.setTimer(callback, delayMs > 1 ? delayMs - 0.5 : delayMs);
    }
  }
  const clock = new EarlyClock();
  const resolver = staticResolver({ "a.test": [ONE, TWO] });
  const pool = new ConnectionPool({ clock, dialer: memoryDialer({ clock }), resolver });
  const ended: string[] = [];
  pool.on("unblock", ({ ip }) => ended.push(ip));
  pool.block(ONE, { forMs: BLOCKED_MS });
  pool.block(TWO, { forMs: 2 * BLOCKED_MS });
  const look = async () => {
    await turns();
    return [ended, pool.stats().blocks.map(({ ip }) => ip)];
  };
  clock.advance(BLOCKED_MS - 0.25);
  assertEquals(await look(), [[], [ONE, TWO]]);
  clock.advance(0.25);
  assertEquals(await look(), [[ONE], [TWO]]);
  clock.advance(BLOCKED_MS);
  assertEquals(await look(), [[ONE, TWO], []]);
  await pool.close();
});
