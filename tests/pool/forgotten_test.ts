/**
 * Hosts that nobody has used for a while, and that are forgotten.
 *
 * @module
 */

import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { AcquireTimeoutError, HostUnavailableError } from "../../src/core/errors.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

test("An answer for a host that was forgotten meanwhile is used for the next who asks, and for nobody else", async () => {
  let answer = (_addresses: readonly string[]): void => {};
  let isFirst = true;
  await using it = memoryPool({
    resolver: {
      name: "slow",
      resolve: async (name) => {
        if (name === "b.test") return { addresses: ["192.0.2.1"] };
        if (!isFirst) return { addresses: ["192.0.2.2"], ttlMs: 1_000 };
        isFirst = false;
        return await new Promise((resolve) => {
          answer = (addresses) => resolve({ addresses, ttlMs: 1_000 });
        });
      },
    },
    dnsTimeoutMs: 60_000,
    dnsMinTtlMs: 500,
    cleanupIntervalMs: 1_000,
    maxRetries: 0,
    script: ({ address }) => address === "192.0.2.1" ? { failure: "refused" } : {},
  });
  const { dialer, pool } = it;
  const late = assertRejects(() => pool.acquire("a.test", { timeoutMs: 10 }), AcquireTimeoutError);
  await pass(it, 3_000, 100);
  await late;
  const again = assertRejects(() => pool.acquire("a.test", { timeoutMs: 10 }));
  await turns();
  answer(["192.0.2.1"]);
  await pass(it, 2_000, 100);
  await again;
  await assertRejects(() => pool.acquire("b.test"), HostUnavailableError);
  using lease = await pool.acquire("a.test");
  assertEquals(lease.connection.address, "192.0.2.2");
  const before = dialer.dials.length;
  await pass(it, 60_000, 100);
  const dialled = dialer.dials.slice(before).filter(({ host }) => host === "a.test");
  assertEquals(dialled.map(({ address }) => address).includes("192.0.2.1"), false);
});

test("A host that was forgotten is found by its last addresses while DNS fails", async () => {
  let fails = false;
  await using it = memoryPool({
    resolver: {
      name: "failing",
      resolve: () =>
        fails
          ? Promise.reject(new Error("no answer"))
          : Promise.resolve({ addresses: ["192.0.2.1"], ttlMs: 5_000 }),
    },
    cleanupIntervalMs: 1_000,
  });
  const { dialer, pool } = it;
  (await pool.acquire("a.test")).release();
  // Its server soon closes what is idle.
  for (const socket of dialer.sockets) socket.end();
  await pass(it, 30_000, 100);
  assertEquals(pool.stats().hosts, {});
  fails = true;
  using lease = await pool.acquire("a.test");
  assertEquals(lease.connection.ip, "192.0.2.1");
});

test("Who warms a host is told what came of it, though others want it warm no more before its addresses come", async () => {
  let answer = (): void => {};
  await using it = memoryPool({
    resolver: {
      name: "slow",
      resolve: () => new Promise((resolve) => answer = () => resolve({ addresses: ["192.0.2.1"] })),
    },
    dnsTimeoutMs: 60_000,
    cleanupIntervalMs: 1_000,
  });
  const warming = it.pool.warm("a.test", { connections: 1 }).catch((error: Error) => error.name);
  await it.pool.warm("a.test", { connections: 0 });
  await pass(it, 3_000, 100);
  answer();
  await turns();
  assertEquals(await Promise.race([warming, "nothing"]), "HostUnavailableError");
});

test("A lease that ends after its host was forgotten brings back none of the addresses that it has by then", async () => {
  let addresses = ["192.0.2.1"];
  await using it = memoryPool({
    resolver: { name: "test", resolve: () => Promise.resolve({ addresses, ttlMs: 500 }) },
    cleanupIntervalMs: 1_000,
    dnsMinTtlMs: 500,
    script: ({ address }) => address === "192.0.2.2" ? { failure: "refused" } : {},
  });
  const { dialer, pool } = it;
  await pass(it, 980, 20);
  const lost = await pool.acquire("a.test");
  for (const socket of dialer.sockets) socket.end();
  await pass(it, 30);
  assertEquals(pool.stats().hosts, {});
  addresses = ["192.0.2.2", "192.0.2.3"];
  await pass(it, 600);
  using _ = await pool.acquire("a.test", { ip: "192.0.2.3" });
  lost.release({ error: new Error("hung up") });
  const refused = assertRejects(() => pool.acquire("a.test", { ip: "192.0.2.2", timeoutMs: 10 }));
  await pass(it, 10);
  await refused;
  addresses = ["192.0.2.3"];
  await pass(it, 3_000, 100);
  const before = dialer.dials.length;
  await pass(it, 10_000, 100);
  assertEquals(dialer.dials.slice(before).map(({ address }) => address), []);
});
