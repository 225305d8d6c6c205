/**
 * Many callers, and a host where nothing answers: it is not stormed, and every caller learns of it.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { test } from "node:test";
import type { MemoryDial } from "../../adapters/memory.ts";
import { DialError, HostUnavailableError } from "../../src/core/errors.ts";
import { type MemoryPool, memoryPool, type MemoryPoolOptions } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";

const FOUR = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
const CALLERS = 200;
const REFUSAL_MS = 20;

/** Counts the dials at each address: how many there were, and how many at once at the most. */
function storm(options: MemoryPoolOptions = {}, dial: MemoryDial = { failure: "refused" }) {
  const at = new Map(FOUR.map((address) => [address, { dials: 0, now: 0, most: 0 }]));
  const it = memoryPool({
    hosts: { "a.test": FOUR },
    script: ({ address }) => {
      const count = at.get(address)!;
      count.dials++;
      count.most = Math.max(count.most, ++count.now);
      it.clock.setTimer(() => count.now--, REFUSAL_MS);
      return { delayMs: REFUSAL_MS, ...dial };
    },
    ...options,
  });
  return Object.assign(it, { at });
}

/** Lets callers come, one every so many milliseconds, and gives what each heard. */
async function call(it: MemoryPool, everyMs: number): Promise<unknown[]> {
  const heard: Promise<unknown>[] = [];
  for (let i = 0; i < CALLERS; i++) {
    heard.push(it.pool.acquire("a.test").catch((error: unknown) => error));
    if (everyMs > 0) await pass(it, everyMs, 5);
  }
  let over = false;
  const all = Promise.all(heard).finally(() => over = true);
  for (let step = 0; step < 400 && !over; step++) await pass(it, 100, 20);
  return await all;
}

function assertAllHeard(heard: readonly unknown[], now: number): void {
  assertEquals(heard.length, CALLERS);
  for (const error of heard) {
    assertInstanceOf(error, HostUnavailableError);
    assertEquals(error.failures.map(({ address }) => address).sort(), FOUR);
    for (const { error: cause, retryAt } of error.failures) {
      assertInstanceOf(cause, DialError);
      assert(retryAt !== null && retryAt > now - 60_000 && retryAt <= now + 60_000, `${retryAt}`);
    }
  }
}

test("All addresses refuse, 200 callers come over two seconds: one dial at a time and address", async () => {
  await using it = storm();
  const since = it.clock.now();
  assertAllHeard(await call(it, 10), it.clock.now());
  for (const [address, { dials, most }] of it.at) {
    // The first callers come before anything is known of it: one dial for each of those.
    assert(most <= 3, `${most} at once at ${address}`);
    const whileItLasts = (it.clock.now() - since) / REFUSAL_MS;
    assert(dials <= whileItLasts + 3, `${dials} dials of ${address} in ${whileItLasts} turns`);
    // Far fewer than callers: they share what they learn.
    assert(dials < CALLERS, `${dials} dials of ${address}`);
  }
  assertEquals(it.pool.stats().waiting, 0);
});

test("All addresses refuse, 200 callers come at once: as many dials as may be, once, and then one each", async () => {
  await using it = storm({ maxConcurrentDialsPerHost: 16 });
  assertAllHeard(await call(it, 0), it.clock.now());
  let dials = 0;
  for (const [, count] of it.at) dials += count.dials;
  // Sixteen in the first moment; after that each address is known to fail, and tried in turn.
  assert(dials <= 16 + 4 * 8, `${dials} dials for ${CALLERS} callers`);
});

test("A handshake that fails on every address is no reason for a storm either", async () => {
  await using it = storm({}, { failure: "reset", phase: "tls" });
  assertAllHeard(await call(it, 10), it.clock.now());
  for (const [address, { dials, most }] of it.at) {
    assert(most <= 3 && dials < CALLERS, `${dials} dials of ${address}, ${most} at once`);
  }
});

test("When one address is back while callers wait, all of them are served by it", async () => {
  let down = true;
  await using it = memoryPool({
    hosts: { "a.test": FOUR },
    maxConnectionsPerIp: 2,
    maxRetries: 3,
    script: ({ address }) =>
      down || address !== FOUR[1] ? { failure: "refused", delayMs: REFUSAL_MS } : { delayMs: 5 },
  });
  let served = 0;
  const all = [...Array(50)].map(async () => {
    const lease = await it.pool.acquire("a.test");
    await new Promise<void>((resolve) => it.clock.setTimer(resolve, 5));
    lease.release();
    served++;
  });
  await pass(it, 100);
  down = false;
  for (let step = 0; step < 100 && served < 50; step++) await pass(it, 50);
  await Promise.all(all);
  assertEquals(served, 50);
});

test("Who calls a host that is known to be down hears it after one more try, not at the deadline", async () => {
  await using it = storm({ maxRetries: 0 });
  await call(it, 0);
  await pass(it, 5_000, 500);
  const since = it.clock.now();
  let heardAfterMs: number | undefined;
  const heard = it.pool.acquire("a.test").catch(() => heardAfterMs = it.clock.now() - since);
  for (let step = 0; step < 100 && heardAfterMs === undefined; step++) await pass(it, 10, 5);
  await heard;
  assert(heardAfterMs! <= 4 * REFUSAL_MS + 10, `${heardAfterMs} ms`);
});
