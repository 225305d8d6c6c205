/**
 * Requests where many connections have died, and nothing has told so.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import type { MemorySocket } from "../../adapters/memory.ts";
import { systemClock } from "../../src/core/clock.ts";
import { RequestError, SocketError } from "../../src/core/errors.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";

test("Trap 7: one request survives as many dead connections as there may be", async () => {
  for (const count of [1, 2, 5, 10, 64]) {
    const old = new Set<MemorySocket>();
    const held: (() => void)[] = [];
    let dead = false;
    await using pool = memoryHttp((_, socket) => {
      if (dead && old.has(socket)) {
        socket.end(new SocketError("reset", "nobody knows of it"));
        return null;
      }
      if (dead) return answer("200 OK");
      old.add(socket);
      held.push(() => socket.receive(answer("200 OK")));
      // All at once, so that each has its own connection.
      if (held.length === count) { for (const go of held) go(); }
      return null;
    }, { maxConnectionsPerIp: 64, retryShare: 0 });
    const ask = async () => {
      const response = await pool.request("https://a.test/");
      await response.dump();
      return response.status;
    };
    await Promise.all(Array.from({ length: count }, ask));
    assertEquals(pool.stats().idle, count);
    dead = true;
    assertEquals(await ask(), 200);
    assert(pool.dialer.dials.length <= count + 1);
  }
});

test("A request that its server hangs up on ends no more than a few connections, and holds up nobody", async () => {
  // An answer tells for a second that its machine is well: that is to be long enough anywhere.
  const slow = {
    ...systemClock,
    now: () => systemClock.now() / 20,
    wallNow: () => systemClock.wallNow() / 20,
  };
  const held: (() => void)[] = [];
  await using pool = memoryHttp(({ path }, socket) => {
    if (path === "/bad") {
      socket.end();
      return null;
    }
    if (held.length === 10) return answer("200 OK");
    held.push(() => socket.receive(answer("200 OK")));
    if (held.length === 10) { for (const go of held) go(); }
    return null;
  }, { clock: slow });
  const ask = async (path = "/") => {
    const response = await pool.request(`https://a.test${path}`);
    await response.dump();
    return response.status;
  };
  await Promise.all(Array.from({ length: 10 }, () => ask()));
  assertEquals(pool.stats().idle, 10);
  await assertRejects(() => ask("/bad"), RequestError, "on every attempt that was allowed");
  assertEquals([pool.stats().idle, pool.dialer.dials.length], [5, 10]);
  // The last connections to go, and the ones dialled after them, are held against nobody.
  await assertRejects(() => ask("/bad"), RequestError);
  await assertRejects(() => ask("/bad"), RequestError);
  assertEquals([pool.stats().idle, pool.stats().hosts["a.test"]?.panic], [0, false]);
  assertEquals(await ask(), 200);
  pool.manager.checkInvariants();
});
