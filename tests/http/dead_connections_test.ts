/**
 * Requests where many connections have died, and nothing has told so.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { MemorySocket } from "../../adapters/memory.ts";
import { answer, memoryHttp } from "../support/memory_http.ts";

test("Trap 7: one request survives as many dead connections as there may be", async () => {
  for (const count of [1, 2, 5, 10, 64]) {
    const old = new Set<MemorySocket>();
    const held: (() => void)[] = [];
    let dead = false;
    await using pool = memoryHttp((_, socket) => {
      if (dead && old.has(socket)) {
        socket.end();
        return null;
      }
      if (dead) return answer("200 OK");
      old.add(socket);
      held.push(() => socket.receive(answer("200 OK")));
      // All at once, so that each has a connection of its own.
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
