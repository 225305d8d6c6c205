/**
 * A machine that is back in use, by the answer of a lease whose connection is gone.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { memoryPool } from "../support/memory_pool.ts";
import { turns } from "../support/turns.ts";

test("Who waits gets what stands ready at a machine as soon as an answer brings it back into use", async () => {
  await using it = memoryPool({ maxConnectionsPerIp: 3, ejectAfterFailures: 1 });
  const [bad, full] = ["192.0.2.1", "192.0.2.2"];
  const held = await Promise.all([1, 2, 3].map(() => it.pool.acquire("a.test", { ip: full })));
  const [first, second, failing] = await Promise.all(
    [1, 2, 3].map(() => it.pool.acquire("a.test", { ip: bad })),
  );
  first!.release();
  second!.release();
  failing!.release({ error: new Error("a bad answer") });
  // One of the two is leased again, the other one stands ready.
  const trial = await it.pool.acquire("a.test", { ip: bad });
  let served = false;
  const waiting = it.pool.acquire("a.test").then((lease) => {
    served = true;
    return lease;
  });
  // Its end is one thing, and what its lease tells of its machine is another.
  it.pool.manager.removeConnection(trial.connection);
  await turns();
  assertEquals(served, false);
  trial.release();
  await turns();
  assertEquals(it.pool.stats().hosts["a.test"]!.addresses[bad]!.standing, "good");
  assertEquals(served, true);
  (await waiting).release();
  for (const lease of held) lease.release();
});
