/**
 * Work of a size that would hold the program up is done a part at a time.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const UNLIMITED = {
  maxConnections: 5_000,
  maxConnectionsPerHost: 5_000,
  maxConnectionsPerIp: 5_000,
  maxConcurrentDials: 5_000,
  maxConcurrentDialsPerHost: 5_000,
  maxWaiters: 5_000,
};

/** So many dials are taken to keep the program busy for as long as is well, and begin at once. */
const BURST = 22;
/** So many begin within ten milliseconds where they are found to take next to nothing. */
const A_TURN = 54;

/** A pool whose clock has turns, and what ends one, so many milliseconds before the next. */
function turnPool(options: MemoryPoolOptions = {}): MemoryPool & {
  nextTurn(ms?: number): Promise<void>;
} {
  const it = memoryPool({ ...UNLIMITED, ...options });
  let due: (() => void)[] = [];
  let turnsLeft = 2_000;
  Object.assign(it.clock, { afterReading: (callback: () => void) => due.push(callback) });
  return Object.assign(it, {
    async nextTurn(ms = 0) {
      assert(turnsLeft-- > 0, "there is no end of turns");
      const callbacks = due;
      due = [];
      for (const callback of callbacks) callback();
      it.clock.advance(ms);
      await turns();
    },
    async [Symbol.asyncDispose]() {
      const closing = it.pool.close({ graceMs: 0 });
      while (it.pool.manager.getConnectionCount() > 0) await this.nextTurn();
      await closing;
      assertEquals([it.dialer.sockets.size, it.dialer.dialing, it.clock.timers], [0, 0, 0]);
    },
  });
}

test("Of hundreds of dials that are wanted a burst begins at once, and others as time passes", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 500 }) });
  const callers = Promise.all(Array.from({ length: 400 }, () => it.pool.acquire("a.test")));
  await turns();
  let begun = it.dialer.dials.length;
  assertEquals(begun, BURST);
  await it.nextTurn();
  assertEquals(it.dialer.dials.length, BURST, "no time has passed");
  for (let turn = 0; begun < 400; turn++) {
    assert(turn < 40, `${begun} dials in ${turn} turns`);
    await it.nextTurn(10);
    const now = it.dialer.dials.length;
    assert(now - begun <= A_TURN, `${now - begun} dials in one turn`);
    begun = now;
  }
  await pass(it, 510, 10);
  for (const lease of await callers) lease.release();
});

test("As many dials as are allowed by default to one host begin within a few milliseconds", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 50 }), maxConcurrentDialsPerHost: 32 });
  const callers = Promise.all(Array.from({ length: 32 }, () => it.pool.acquire("a.test")));
  await turns();
  await it.nextTurn(11);
  assertEquals(it.dialer.dials.length, 32);
  await pass(it, 60, 10);
  for (const lease of await callers) lease.release();
});

test("Where dials keep the program busy, fewer begin at once", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 10 }) });
  const { clock, dialer, pool } = it;
  const open = (count: number) => {
    const wanted = pool.stats().connections + count;
    return pool.warm("a.test", { connections: wanted });
  };
  let warming = open(20);
  await turns();
  assertEquals(dialer.dials.length, 20);
  await it.nextTurn();
  clock.advance(10);
  await warming;
  // What their ends have brought about takes the program so long.
  clock.advance(60);
  await it.nextTurn(100);
  const before = dialer.dials.length;
  warming = open(40);
  await turns();
  const begun = dialer.dials.length - before;
  assert(begun < 20, `${begun} dials began at once`);
  while (dialer.dials.length < 60) await it.nextTurn(10);
  await pass(it, 20, 10);
  await warming;
});

test("Hundreds of hosts that are asked for in one turn are looked at a part in each turn", async () => {
  let resolved = 0;
  await using it = turnPool({
    resolver: {
      name: "counting",
      resolve: () => (resolved++, Promise.resolve({ addresses: ["192.0.2.1"] })),
    },
  });
  // Whoever works for long sees the time pass.
  const { clock } = it;
  const now = clock.now.bind(clock);
  let workedMs = 0;
  Object.assign(clock, { now: () => now() + (workedMs += 0.05) });
  const callers = Promise.all(
    Array.from({ length: 600 }, (_, number) => it.pool.acquire(`h${number}.test`)),
  );
  await turns(300);
  let most = resolved;
  assert(resolved > 0, "the first are looked at in this turn");
  for (let turn = 0; resolved < 600; turn++) {
    assert(turn < 200, `${resolved} hosts in ${turn} turns`);
    const before = resolved;
    await it.nextTurn(10);
    most = Math.max(most, resolved - before);
  }
  assert(most <= 100, `${most} hosts in one turn`);
  for (let turn = 0; it.dialer.dials.length < 600; turn++) {
    assert(turn < 500, `${it.dialer.dials.length} dials in ${turn} turns`);
    await it.nextTurn(10);
  }
  for (const lease of await callers) lease.release();
});

test("Hundreds of slow dials cost little to look at, one by one or many in a turn", async () => {
  let dials = 0;
  await using it = turnPool({ script: () => ({ delayMs: 700 + dials++ }) });
  const { clock } = it;
  let reads = 0;
  const now = clock.now.bind(clock);
  // Whatever is decided for a caller reads the clock.
  Object.assign(clock, { now: () => (reads++, now()) });
  const callers = Promise.all(Array.from({ length: 512 }, () => it.pool.acquire("a.test")));
  await turns();
  while (it.dialer.dials.length < 512) await it.nextTurn(1);
  assert(reads < 20 * 512, `${reads} reads of the clock to begin 512 dials`);
  reads = 0;
  // As where timers have a turn of the microtasks each.
  const begun = it.dialer.dials.length;
  for (let ms = 0; ms < 700; ms++) {
    clock.advance(1);
    await turns(1);
  }
  await it.nextTurn();
  assertEquals(it.dialer.dials.length, begun, "no other address is there to be dialled");
  assert(reads < 20 * 512, `${reads} reads of the clock while the dials were slow`);
  reads = 0;
  await pass(it, 520, 1);
  for (const lease of await callers) lease.release();
  assert(reads < 100 * 512, `${reads} reads of the clock as the dials ended`);
});

test("Hundreds of dials that fail, one after another, cost little to look at", async () => {
  let dials = 0;
  await using it = turnPool({
    script: () => dials++ === 0 ? {} : { delayMs: 100 + dials, failure: "refused" },
  });
  const first = await it.pool.acquire("a.test");
  const { clock } = it;
  let reads = 0;
  const now = clock.now.bind(clock);
  Object.assign(clock, { now: () => (reads++, now()) });
  const stop = new AbortController();
  const callers = Array.from(
    { length: 256 },
    () => it.pool.acquire("a.test", { signal: stop.signal }).catch(() => {}),
  );
  await turns();
  while (it.dialer.dials.length < 257) await it.nextTurn(1);
  reads = 0;
  for (let ms = 0; ms < 400; ms++) {
    clock.advance(1);
    await turns(20);
  }
  assert(reads < 20 * 256, `${reads} reads of the clock as the dials failed`);
  stop.abort();
  await Promise.all(callers);
  first.release();
});

test("A warm-up of hundreds begins its dials one part after another, and ends when all are open", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 500 }) });
  const warming = it.pool.warm("a.test", { connections: 300 });
  await turns();
  assertEquals(it.dialer.dialing, BURST);
  while (it.dialer.dialing < 300) await it.nextTurn(10);
  await pass(it, 510, 10);
  assertEquals((await warming).connections, 300);
});

test("Thousands of connections are closed some in each turn, and all of them in the end", async () => {
  await using it = turnPool();
  const warming = it.pool.warm("a.test", { connections: 1_600 });
  while (it.pool.stats().connections < 1_600) await it.nextTurn(20);
  await warming;
  const leases = await Promise.all(Array.from({ length: 20 }, () => it.pool.acquire("a.test")));
  const closing = it.pool.close({ graceMs: 100 });
  let open = 1_600;
  for (let turn = 0; open > 20; turn++) {
    assert(turn < 10, `${open} open after ${turn} turns`);
    if (turn === 0) await turns();
    else await it.nextTurn();
    const now = it.pool.manager.getConnectionCount();
    assert(now < open && open - now <= 500, `${open - now} closed in one turn`);
    open = now;
  }
  for (const lease of leases) lease.release();
  await it.nextTurn();
  await closing;
});

test("What has been idle for too long ends, and its hosts are forgotten, some in each turn", async () => {
  const hosts = 400;
  await using it = turnPool({
    resolver: {
      name: "numbered",
      resolve: (name) => Promise.resolve({ addresses: [`192.0.2.${parseInt(name) % 256}`] }),
    },
    idleTimeoutMs: 60_000,
    cleanupIntervalMs: 61_000,
  });
  const { clock, pool } = it;
  for (let number = 0; number < hosts; number++) {
    (await pool.acquire(`${number}.test`)).release();
    await it.nextTurn(1);
  }
  // Whoever works for long sees the time pass.
  const now = clock.now.bind(clock);
  let workedMs = 0;
  Object.assign(clock, { now: () => now() + (workedMs += 0.1) });
  clock.advance(61_000);
  const left = () => pool.manager.getConnectionCount() + [...pool.manager.hosts.lanes()].length;
  let before = 2 * hosts;
  for (let turn = 0; before > 0; turn++) {
    assert(turn < 100, `${before} connections and hosts are left after ${turn} turns`);
    const gone = before - left();
    assert(gone <= 50, `${gone} connections and hosts went in one turn`);
    before -= gone;
    await it.nextTurn();
  }
  pool.manager.checkInvariants();
});

test("Of the callers who come in one turn the first is looked at at once, and the others together after it", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 50 }) });
  const callers: Promise<Lease>[] = [];
  const begun: number[] = [];
  for (let caller = 0; caller < 5; caller++) {
    callers.push(it.pool.acquire("a.test"));
    await turns();
    begun.push(it.dialer.dials.length);
  }
  assertEquals(begun, [1, 1, 1, 1, 1]);
  await it.nextTurn();
  assertEquals(it.dialer.dials.length, 5);
  callers.push(it.pool.acquire("a.test"));
  await turns();
  assertEquals(it.dialer.dials.length, 6);
  await pass(it, 60, 10);
  for (const lease of await Promise.all(callers)) lease.release();
});

test("A caller with a wish is looked at at once, whoever came before it in the turn", async () => {
  await using it = turnPool({ script: () => ({ delayMs: 50 }) });
  const callers: Promise<Lease>[] = [];
  for (const options of [{}, {}, { exclude: ["192.0.2.9"] }]) {
    callers.push(it.pool.acquire("a.test", options));
    await turns();
  }
  assertEquals(it.dialer.dials.length, 3);
  await it.nextTurn();
  await pass(it, 60, 10);
  for (const lease of await Promise.all(callers)) lease.release();
});
