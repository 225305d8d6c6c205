/**
 * A machine that speaks HTTP/2 and falls silent in mid-request, on a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { memoryDialer, type MemorySocket } from "../../../adapters/memory.ts";
import { ManualClock } from "../../../src/core/clock.ts";
import { RequestError } from "../../../src/core/errors.ts";
import { staticResolver } from "../../../src/hosts/resolver.ts";
import { HttpPool } from "../../../src/http/http_pool.ts";
import { turns } from "../../support/turns.ts";

const A = "192.0.2.1";
const B = "192.0.2.2";
const URL_A = "https://a.test/";

const SETTINGS = 4;
const HEADERS = 1;
const PREFACE_BYTES = 24;

function frame(type: number, flags: number, id: number, payload: readonly number[] = []) {
  const { length } = payload;
  return new Uint8Array([
    0,
    length >> 8,
    length & 255,
    type,
    flags,
    0,
    0,
    id >> 8,
    id & 255,
    ...payload,
  ]);
}

/** A server that answers each request with 204 after a while, unless it is silent. */
function serve(clock: ManualClock, isSilent: () => boolean, takesMs: () => number = () => 10) {
  let pending: number[] = [];
  let begun = false;
  return (socket: MemorySocket, bytes: Uint8Array) => {
    pending.push(...bytes);
    if (!begun && pending.length >= PREFACE_BYTES) {
      begun = true;
      pending = pending.slice(PREFACE_BYTES);
      socket.receive(frame(SETTINGS, 0, 0));
      socket.receive(frame(SETTINGS, 1, 0));
    }
    while (begun && pending.length >= 9) {
      const size = 9 + (pending[1]! << 8) + pending[2]!;
      if (pending.length < size) return;
      const [type, id] = [pending[3], (pending[7]! << 8) + pending[8]!];
      pending = pending.slice(size);
      if (type !== HEADERS || isSilent()) continue;
      // The status 204 is in the static table.
      clock.setTimer(() => socket.receive(frame(HEADERS, 5, id, [0x89])), takesMs());
    }
  };
}

/** Makes a pool of two machines, over one connection each, that are well known. */
async function scene() {
  const clock = new ManualClock();
  const silent = new Set<string>();
  const dialer = memoryDialer({
    clock,
    script: ({ ip }) => ({
      socket: { alpn: "h2", onWrite: serve(clock, () => silent.has(ip)) },
    }),
  });
  const resolver = staticResolver({ "a.test": [A, B] });
  const pool = new HttpPool({ balancer: "roundRobin", resolver, dialer, clock });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed++) {
      clock.advance(1);
      await turns(30);
    }
  };
  for (let round = 0; round < 50; round++) {
    const both = [pool.request(URL_A), pool.request(URL_A)];
    await pass(12);
    await Promise.all(both);
  }
  return { clock, pool, silent, pass, dialer };
}

test("Over HTTP/2 a GET to a silent machine is answered by another, and its stream alone is let go", async () => {
  const { dialer, pass, pool, silent } = await scene();
  assertEquals(pool.stats().connections, 2);
  silent.add(A);
  const asked = [pool.request(URL_A), pool.request(URL_A)];
  await pass(60);
  const answers = await Promise.all(asked);
  assertEquals(answers.map(({ connection }) => connection.ip), [B, B]);
  assertEquals(answers.filter(({ connection }) => connection.hedged).length, 1);
  const { hedges, hedgesWon, retries } = pool.stats().requests;
  assertEquals([hedges, hedgesWon, retries], [1, 1, 0]);
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
  assertEquals(dialer.sockets.size, 0);
});

test("Over HTTP/2 a connection that is silent to a POST is out of use for others at once", async () => {
  const { dialer, pass, pool, silent } = await scene();
  const [connection] = pool.manager.getConnections(A);
  silent.add(A);
  const posts = [1, 2].map(() => pool.request(URL_A, { method: "POST", timeoutMs: 500 }));
  const settled = Promise.allSettled(posts);
  await pass(25);
  assert(connection?.state !== "closed");
  assertEquals([connection?.healthy, connection?.available], [false, false]);
  const get = pool.request(URL_A);
  await pass(40);
  assertEquals((await get).status, 204);
  await pass(500);
  const failed = (await settled).filter(({ status }) => status === "rejected");
  assertEquals(failed.length, 1);
  const [first] = failed;
  await assertRejects(() => Promise.reject((first as PromiseRejectedResult).reason), RequestError);
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
  assertEquals(dialer.sockets.size, 0);
});

test("Over HTTP/2 a request that takes its server long costs no connection", async () => {
  const clock = new ManualClock();
  let takesMs = 10;
  const onWrite = serve(clock, () => false, () => takesMs);
  const dialer = memoryDialer({ clock, script: () => ({ socket: { alpn: "h2", onWrite } }) });
  const pool = new HttpPool({ resolver: staticResolver({ "a.test": [A] }), dialer, clock });
  const ask = async () => {
    const asked = pool.request(URL_A);
    for (let passed = 0; passed <= takesMs + 1; passed++) {
      clock.advance(1);
      await turns(30);
    }
    return (await asked).status;
  };
  for (let round = 0; round < 50; round++) assertEquals(await ask(), 204);
  takesMs = 500;
  assertEquals(await ask(), 204);
  assertEquals(await ask(), 204);
  assertEquals(pool.stats().dials, 1);
  pool.manager.checkInvariants();
  await pool.close({ graceMs: 0 });
});
