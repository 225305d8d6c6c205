/**
 * Two hundred actors who do as they like with a pool, on a clock by hand and chance from a seed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { MemoryDial, MemorySocket } from "../../adapters/memory.ts";
import { HotconnError, SocketError } from "../../src/core/errors.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

const STEPS = 30_000;
const ACTORS = 200;

const HOSTS = {
  "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
  "b.test": ["192.0.2.2", "192.0.2.3"],
  "c.test": ["192.0.2.3"],
};
const NAMES = Object.keys(HOSTS);
const ADDRESSES = HOSTS["a.test"];

test(`Two hundred actors at random break no invariant in ${STEPS} steps`, () =>
  withSeed(actAtRandom));

async function actAtRandom(seed: number): Promise<void> {
  const it = memoryPool({
    hosts: HOSTS,
    seed,
    maxConnections: 24,
    maxConnectionsPerHost: 14,
    maxConnectionsPerIp: 9,
    maxIdleConnections: 16,
    maxWaiters: 150,
    maxConcurrentDials: 6,
    connectTimeoutMs: 400,
    acquireTimeoutMs: 1_500,
    idleTimeoutMs: 900,
    maxLifetimeMs: 8_000,
    cleanupIntervalMs: 500,
    script,
  });
  const { clock, dialer, pool } = it;
  const chance = (share: number) => clock.random() < share;
  const one = <T>(choices: readonly T[]): T =>
    choices[Math.floor(clock.random() * choices.length)] as T;

  function script(): MemoryDial {
    const delayMs = chance(0.05) ? Infinity : clock.random() * 60;
    return chance(0.2) ? { delayMs, failure: "refused" } : { delayMs };
  }

  let step = 0;
  let over = false;
  const pause = (ms: number) => new Promise<void>((resolve) => clock.setTimer(resolve, ms));
  const refusals = new Map<string, number>();
  let served = 0;

  async function actor(): Promise<void> {
    while (!over) {
      await pause(clock.random() * 200);
      const stop = new AbortController();
      if (chance(0.1)) clock.setTimer(() => stop.abort(new Error("aborted")), clock.random() * 100);
      try {
        const lease = await pool.acquire(one(NAMES), {
          signal: stop.signal,
          ...chance(0.1) && { ip: one(ADDRESSES) },
          ...chance(0.1) && { exclude: [one(ADDRESSES)] },
          ...chance(0.2) && { tls: { alpn: ["h2"] } },
        });
        served++;
        assertEquals(lease.connection.state === "closed" || lease.connection.leases === 1, true);
        await pause(clock.random() * 30);
        lease.release({
          reuse: chance(0.9),
          ...chance(0.05) && { error: new Error("bad answer") },
        });
        if (chance(0.2)) lease.release();
      } catch (error) {
        if (
          !(error instanceof HotconnError)
          && !(error instanceof Error && error.message === "aborted")
        ) {
          throw error;
        }
        refusals.set(error.name, (refusals.get(error.name) ?? 0) + 1);
      }
    }
  }

  function disturb(): void {
    const sockets = dialer.sockets as ReadonlySet<MemorySocket>;
    const socket = sockets.size > 0 ? one([...sockets]) : undefined;
    const [connection] = pool.manager.getConnections(one(ADDRESSES));
    switch (Math.floor(clock.random() * 9)) {
      case 0:
        return socket?.end();
      case 1:
        return socket?.end(new SocketError("reset", "at random"));
      case 2:
        return socket?.receive(new Uint8Array(3));
      case 3:
        return void (connection && pool.manager.removeConnection(connection));
      case 4:
        return void pool.manager.cleanupIdleConnections();
      case 5:
        return void pool.manager.cleanupExpiredConnections(clock.random() * 10_000);
      case 6:
        return void pool.drain(one([...NAMES, ...ADDRESSES]));
      case 7:
        return void pool.warm(one(NAMES), { connections: Math.floor(clock.random() * 5) })
          .catch(() => {});
      case 8:
        return clock.shiftWall((clock.random() - 0.5) * 4_000);
    }
  }

  const actors = Promise.all(Array.from({ length: ACTORS }, actor));
  actors.catch(() => {});
  try {
    for (; step < STEPS; step++) {
      if (chance(0.02)) disturb();
      else clock.advance(clock.random() * 2);
      await turns(4);
      pool.manager.checkInvariants();
    }
    over = true;
    const closing = pool.close({ graceMs: 20 });
    for (let i = 0; i < 400; i++) {
      clock.advance(1);
      await turns(4);
      pool.manager.checkInvariants();
    }
    await closing;
    await actors;
  } catch (error) {
    throw new Error(`Broken at step ${step}: ${error}`, { cause: error });
  }
  const { acquired, connections, dialing, ending, released, waiting } = pool.stats();
  assertEquals({ connections, dialing, ending, waiting }, {
    connections: 0,
    dialing: 0,
    ending: 0,
    waiting: 0,
  });
  assertEquals(acquired, released);
  assertEquals(dialer.sockets.size, 0);
  assertEquals(dialer.dialing, 0);
  assert(served > 1_000 && refusals.has("Error") && refusals.has("ClosedError"), "too quiet a run");
}
