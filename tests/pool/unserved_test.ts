/**
 * Machines that end each connection before it has served anybody, as one does under TLS 1.3 that
 * refuses a client's certificate.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { MemorySocket } from "../../adapters/memory.ts";
import { SocketError } from "../../src/core/errors.ts";
import { type MemoryPool, memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";

/** Lets a machine end its connections as soon as they are there. */
function endAtOnce(it: MemoryPool, error?: () => Error): () => void {
  return it.pool.on("ready", () => {
    for (const socket of it.dialer.sockets) socket.end(error?.());
  });
}

for (
  const [how, error] of [
    ["in good order", undefined],
    ["with an error", () => new SocketError("reset", "hung up")],
  ] as const
) {
  test(`A machine that ends each connection ${how} before it served is dialled ever less often`, async () => {
    await using it = memoryPool({
      hosts: { "a.test": ["192.0.2.1"] },
      hostOptions: { "a.test": { minIdle: 4 } },
      script: () => ({ delayMs: 1 }),
    });
    const stop = endAtOnce(it, error);
    await pass(it, 60_000, 50);
    const { dialer, pool } = it;
    assert(dialer.dials.length <= 120, `${dialer.dials.length} dials in a minute`);
    const { failures, retryAt } = pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!;
    assert(failures >= 5, `${failures} failures`);
    assert(retryAt !== null);
    // And it is found out soon that it serves again.
    stop();
    await pass(it, 31_000, 50);
    assertEquals(pool.stats().connections, 4);
    using lease = await pool.acquire("a.test", { timeoutMs: 0 });
    assertEquals(lease.connection.address, "192.0.2.1");
    lease.release();
    assertEquals(pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!.retryAt, null);
  });
}

test("A machine that ends an idle connection later, though none was used, is not at fault", async () => {
  const seen = new Set<MemorySocket>();
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 1 } },
  });
  for (let i = 0; i < 40; i++) {
    const old = [...it.dialer.sockets].filter((socket) => seen.has(socket));
    for (const socket of it.dialer.sockets) seen.add(socket);
    for (const socket of old) socket.end();
    await pass(it, 1_500, 50);
  }
  const { failures, retryAt } = it.pool.stats().hosts["a.test"]!.addresses["192.0.2.1"]!;
  assertEquals([failures, retryAt, it.pool.stats().connections], [0, null, 1]);
});

test("Of two machines, one that ends each connection before it served leaves callers to the other", async () => {
  await using it = memoryPool({ hostOptions: { "a.test": { minIdle: 2 } } });
  it.pool.on("ready", () => {
    for (const socket of it.dialer.sockets) {
      const ends = [...it.pool.manager.connections()].some((connection) =>
        connection.socket === socket && connection.address === "192.0.2.1"
      );
      if (ends) socket.end();
    }
  });
  await pass(it, 10_000, 50);
  for (let i = 0; i < 20; i++) {
    using lease = await it.pool.acquire("a.test", { timeoutMs: 0 });
    assertEquals(lease.connection.address, "192.0.2.2");
  }
  assert(it.dialer.dials.length < 40, `${it.dialer.dials.length} dials`);
});
