/**
 * Hosts of whose machines fewer than half are good.
 *
 * @module
 */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { test } from "node:test";
import { AcquireTimeoutError, ClosedError, HostUnavailableError } from "../../src/core/errors.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { play } from "../prove/model/stage.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

test("Where the one good machine is full, a doubtful one that is ready serves, and is dialled once", async () => {
  let isHanging = false;
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "c.test": ["192.0.2.3"] },
    maxConnections: 4,
    maxConnectionsPerIp: 2,
    ejectAfterFailures: 1,
    maxRetries: 0,
    script: ({ address }) => {
      if (address !== "192.0.2.2") return { delayMs: 5 };
      return isHanging ? { delayMs: Infinity } : { failure: "refused" };
    },
  });
  const { dialer, pool } = it;
  const full = [pool.acquire("c.test"), pool.acquire("c.test")];
  const refused = pool.acquire("a.test", { ip: "192.0.2.2" }).catch((error: Error) => error);
  const used = pool.acquire("a.test", { ip: "192.0.2.1" });
  await pass(it, 10, 5);
  assertInstanceOf(await refused, HostUnavailableError);
  isHanging = true;
  const hangs = pool.acquire("a.test", { ip: "192.0.2.2" }).catch((error: Error) => error);
  await pass(it, 260, 5);
  const before = dialer.dials.length;
  const served = pool.acquire("a.test");
  const late = pool.acquire("a.test", { timeoutMs: 150 }).catch((error: Error) => error);
  await pass(it, 5, 5);
  (await used).release({ error: new Error("a bad answer") });
  await pass(it, 200, 5);
  assertEquals(dialer.dials.slice(before).map(({ address }) => address), ["192.0.2.1"]);
  using lease = await served;
  assertEquals(lease.connection.address, "192.0.2.1");
  assertInstanceOf(await late, AcquireTimeoutError);
  for (const lease of await Promise.all(full)) lease.release();
  await pool.close({ graceMs: 0 });
  assertInstanceOf(await hangs, ClosedError);
});

interface Scene extends MemoryPool {
  /** A lease at the good machine, whose connection has ended. */
  readonly lost: Lease;
  readonly waits: Promise<Lease>;
}

/** Somebody waits for a dial to the good machine, and a doubtful one has a connection ready. */
async function crowded(): Promise<Scene> {
  const it = memoryPool({
    hosts: { "a.test": ["192.0.2.1", "192.0.2.2"], "c.test": ["192.0.2.3"] },
    maxConcurrentDials: 1,
    script: ({ host }) => host === "c.test" ? { delayMs: Infinity } : {},
  });
  const { clock, pool } = it;
  const lost = await pool.acquire("a.test", { ip: "192.0.2.1" });
  const failed = await pool.acquire("a.test", { ip: "192.0.2.2" });
  const ready = await pool.acquire("a.test", { ip: "192.0.2.2" });
  pool.acquire("c.test").catch(() => {});
  await turns();
  pool.manager.removeConnection(lost.connection);
  clock.advance(1);
  failed.release({ error: new Error("a bad answer") });
  ready.release();
  const waits = pool.acquire("a.test");
  await turns();
  assertEquals(pool.stats().hosts["a.test"]?.waiting, 1);
  return Object.assign(it, { lost, waits });
}

test("When the last good machine of a host fails, who waits gets what is ready elsewhere at once", async () => {
  await using it = await crowded();
  it.lost.release({ error: new Error("a bad answer") });
  await turns();
  using lease = await Promise.race([it.waits, undefined]);
  assertEquals(lease?.connection.address, "192.0.2.2");
});

test("Nobody gets the trial of a doubtful machine before those who have waited longer", async () => {
  await using it = await crowded();
  const { clock, pool } = it;
  const { retryAt } = pool.stats().hosts["a.test"]!.addresses["192.0.2.2"]!;
  clock.advance(retryAt! - clock.now());
  assertEquals(pool.tryAcquire("a.test"), undefined);
  await turns();
  using lease = await Promise.race([it.waits, undefined]);
  assertEquals(lease?.connection.address, "192.0.2.2");
});

test("Callers with other TLS options do not end each other's connections to a doubtful machine for ever", async () => {
  const failure = await play({
    world: {
      seed: 2154998517,
      limits: { maxConnections: 9, maxConnectionsPerHost: 6, maxConnectionsPerIp: 1 },
      maxIdleConnections: 1,
      maxWaiters: 100,
      maxConcurrentDials: 100,
      maxConcurrentDialsPerHost: 100,
      maxRetries: 1,
      idleTimeoutMs: 2000,
      maxLifetimeMs: 8000,
      ejectAfterFailures: 1,
      ejectionMs: 500,
      slowStartMs: 2000,
      balancer: "roundRobin",
      minIdle: 2,
      checks: false,
    },
    steps: [
      ["acquire", "c.test", {}],
      ["machine", "192.0.2.4", { delayMs: 34, failure: "certificate", phase: "tls" }],
      ["acquire", "c.test", { shared: true }],
      ["acquire", "a.test", { shared: true, exclude: ["192.0.2.3"] }],
      ["acquire", "a.test", { timeoutMs: 305 }],
      ["acquire", "b.test", { timeoutMs: 444, exclude: ["192.0.2.4"] }],
      ["peer", 3, "ends"],
      ["acquire", "b.test", { exclude: ["192.0.2.3"] }],
      ["pass", 25],
      ["acquire", "b.test", { shared: true }],
      ["release", 0, "well"],
      ["release", 4, "unfit"],
      ["pass", 18],
      ["release", 13, "error"],
      ["acquire", "a.test", { timeoutMs: 92 }],
      ["acquire", "b.test", { shared: true }],
      ["acquire", "b.test", {}],
      ["release", 9, "well"],
      ["acquire", "a.test", {}],
      ["pass", 20],
      ["pass", 20],
      ["release", 7, "error"],
      ["release", 18, "well"],
      ["release", 16, "error"],
      ["machine", "192.0.2.3", { delayMs: 0 }],
    ],
  });
  assertEquals(failure, undefined);
});
