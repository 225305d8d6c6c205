/**
 * Warming: how far it has come, what ends it, and that it stays within limits.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { test } from "node:test";
import { HostUnavailableError } from "../../src/core/errors.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { countAt, pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

test("The event warm tells how far it has come, in order and to the end", async () => {
  await using it = memoryPool({ maxConcurrentDialsPerHost: 1, script: () => ({ delayMs: 10 }) });
  const told: string[] = [];
  it.pool.on("warm", ({ done, host, total }) => told.push(`${host} ${done}/${total}`));
  const warming = it.pool.warm("A.test", { connections: 4 });
  await pass(it, 60);
  await warming;
  assertEquals(told, ["a.test 0/4", "a.test 1/4", "a.test 2/4", "a.test 3/4", "a.test 4/4"]);
});

test("The event warm counts what is open already, and is told once where nothing is missing", async () => {
  await using it = memoryPool();
  await it.pool.warm("a.test", { connections: 4 });
  const told: number[][] = [];
  it.pool.on("warm", ({ done, total }) => told.push([done, total]));
  await it.pool.warm("a.test", { connections: 3 });
  await turns();
  assertEquals(told, [[3, 3]]);
});

test("A host with very many connections is counted once in a while, and what it lost comes back", async () => {
  const many = 3_000;
  await using it = memoryPool({
    maxConnections: many,
    maxConnectionsPerHost: many,
    maxConnectionsPerIp: many,
    maxConcurrentDials: many,
    maxConcurrentDialsPerHost: many,
  });
  const warming = it.pool.warm("a.test", { connections: many });
  while (it.dialer.sockets.size < many) await pass(it, 10);
  await pass(it, 20);
  await warming;
  // What ends right after its handshake would have the machine rest.
  await pass(it, 20_000, 10_000);
  // One is lost each half millisecond.
  let looks = 0;
  for (let lost = 1; lost <= 24; lost++) {
    const { length } = it.dialer.dials;
    [...it.dialer.sockets][0]!.end();
    await turns();
    it.clock.advance(0.5);
    await turns();
    if (it.dialer.dials.length > length) looks++;
  }
  assert(looks <= 2, `${looks} looks in 12 milliseconds`);
  await pass(it, 40);
  assertEquals([it.dialer.dials.length, it.dialer.sockets.size], [many + 24, many]);
});

test("An aborted warm-up rejects with the reason, and begins no further dial", async () => {
  await using it = memoryPool({ maxConcurrentDialsPerHost: 2, script: () => ({ delayMs: 100 }) });
  const stop = new AbortController();
  const warming = it.pool.warm("a.test", { connections: 6, signal: stop.signal });
  await pass(it, 50);
  const reason = new Error("enough");
  stop.abort(reason);
  assertStrictEquals(await assertRejects(() => warming), reason);
  await pass(it, 20_000, 500);
  assertEquals(it.dialer.dials.length, 2);
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 0);
});

test("A host whose warm-up is aborted is kept as warm as before", async () => {
  await using it = memoryPool({
    hostOptions: { "a.test": { minIdle: 2 } },
    maxConcurrentDialsPerHost: 1,
    script: () => ({ delayMs: 100 }),
  });
  await pass(it, 300);
  const stop = new AbortController();
  const warming = it.pool.warm("a.test", { connections: 6, signal: stop.signal });
  await pass(it, 50);
  stop.abort(new Error("enough"));
  await assertRejects(() => warming, Error, "enough");
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 2);
  await pass(it, 1_500);
  assertEquals(it.pool.stats().idle, 3);
  for (const socket of it.dialer.sockets) socket.end();
  await pass(it, 1_000);
  assertEquals(it.pool.stats().idle, 2);
});

test("Of two warm-ups of a host, the end of one is not the end of the other", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 100 }) });
  const stops = [new AbortController(), new AbortController(), new AbortController()];
  const target = () => it.pool.stats().hosts["a.test"]?.warmTarget;
  const [first, second, third] = stops.map(({ signal }, index) =>
    it.pool.warm("a.test", { connections: [4, 4, 6][index], signal })
  );
  await turns();
  assertEquals(target(), 6);
  stops[2]?.abort(new Error("third"));
  await assertRejects(() => third!, Error, "third");
  assertEquals(target(), 4);
  stops[0]?.abort(new Error("first"));
  await assertRejects(() => first!, Error, "first");
  assertEquals(target(), 4);
  await pass(it, 200);
  assert((await second!).connections >= 4);
  assertEquals(target(), 4);
});

test("Of two warm-ups of a host to the same number that are aborted, neither keeps it warm", async () => {
  await using it = memoryPool({ script: () => ({ delayMs: 100 }) });
  const stops = [new AbortController(), new AbortController()];
  const warming = stops.map(({ signal }) => it.pool.warm("a.test", { connections: 4, signal }));
  const target = () => it.pool.stats().hosts["a.test"]?.warmTarget;
  for (const [index, rest] of [4, 0].entries()) {
    stops[index]!.abort(new Error("enough"));
    await assertRejects(() => warming[index]!, Error, "enough");
    assertEquals(target(), rest);
  }
});

test("A warm-up that another one overtakes ends with what there is", async () => {
  await using it = memoryPool({ maxConcurrentDialsPerHost: 2, script: () => ({ delayMs: 100 }) });
  const more = it.pool.warm("a.test", { connections: 8 });
  await pass(it, 150);
  const fewer = it.pool.warm("a.test", { connections: 3 });
  await pass(it, 200);
  assertEquals([(await more).connections, (await fewer).connections], [4, 4]);
  assertEquals(it.pool.stats().hosts["a.test"]?.warmTarget, 3);
});

test("A warm-up of a host that is let go meanwhile does not hang", async () => {
  for (const end of ["warm", "drain"] as const) {
    await using it = memoryPool({ maxConcurrentDialsPerHost: 2, script: () => ({ delayMs: 100 }) });
    const warming = it.pool.warm("a.test", { connections: 8 });
    await pass(it, 150);
    if (end === "warm") {
      assertEquals((await it.pool.warm("a.test", { connections: 0 })).connections, 2);
      await pass(it, 200);
      assertEquals((await warming).connections, 4);
    } else {
      const failed = assertRejects(() => warming, HostUnavailableError);
      await it.pool.drain("a.test");
      await pass(it, 200);
      await failed;
    }
    assertEquals(it.dialer.dials.length, 4);
  }
});

test("warm() without a host waits for all that have a minIdle, and fails where one does", async () => {
  await using it = memoryPool({
    hostOptions: { "a.test": { minIdle: 3 }, "b.test": { minIdle: 2 } },
    script: () => ({ delayMs: 50 }),
  });
  const warming = it.pool.warm();
  await pass(it, 100);
  assertEquals(await warming, [
    { host: "a.test", connections: 3, failures: [] },
    { host: "b.test", connections: 2, failures: [] },
  ]);
  await using none = memoryPool();
  assertEquals(await none.pool.warm(), []);
  await using failing = memoryPool({
    hostOptions: { "a.test": { minIdle: 1 } },
    maxRetries: 0,
    script: () => ({ failure: "refused" }),
  });
  await assertRejects(() => failing.pool.warm(), HostUnavailableError);
  // The host is kept in mind all the same: it will be warm when it is there.
  assertEquals(failing.pool.stats().hosts["a.test"]?.warmTarget, 1);
});

test("Whatever else happens meanwhile, a warm-up waits as often for failed addresses as maxRetries says", async () => {
  let down = true;
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    maxRetries: 1,
    script: () => down ? { failure: "refused" } : {},
  });
  const warming = it.pool.warm("a.test", { connections: 2 });
  await pass(it, 100);
  // Every host is looked at again.
  for (const ip of ["203.0.113.1", "203.0.113.2"]) {
    it.pool.block(ip);
    await turns();
  }
  down = false;
  await pass(it, 200);
  assertEquals((await warming).connections, 2);
});

test("A thousand connections over twenty addresses: as many dials at once as may be, no more", async () => {
  const addresses = Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`);
  let most = 0;
  await using it = memoryPool({
    hosts: { "a.test": addresses },
    maxConnections: 1_000,
    maxConnectionsPerHost: 1_000,
    maxConnectionsPerIp: 50,
    maxConcurrentDials: 32,
    maxConcurrentDialsPerHost: 64,
    script: () => {
      most = Math.max(most, it.dialer.dialing + 1);
      return { delayMs: 10 };
    },
  });
  const warming = it.pool.warm("a.test", { connections: 1_000 });
  // 32 at a time of 10 ms each: 32 rounds.
  await pass(it, 320);
  assertEquals((await warming).connections, 1_000);
  assertEquals(most, 32);
  assertEquals(it.dialer.dials.length, 1_000);
  for (const address of addresses) assertEquals(countAt(it, address), 50);
});

test("Where all addresses fail, a warm host is tried by one dial every two seconds or so, and warm when one is back", async () => {
  let down = true;
  await using it = memoryPool({
    hosts: { "a.test": ["192.0.2.1"] },
    hostOptions: { "a.test": { minIdle: 4 } },
    script: () => down ? { failure: "refused" } : {},
  });
  const dials: number[] = [];
  it.pool.on("dial", () => dials.push(it.clock.now()));
  const since = it.clock.now();
  await pass(it, 60_000, 50);
  // At first all four at once; then what is kept warm is dialled after growing pauses up to 30 s, and
  // one of these dials finds out how it is.
  const times = [...new Set(dials.map((at) => at - since))];
  assertEquals(times.slice(0, 2), [0, 250]);
  const pauses = times.slice(1).map((at, index) => at - times[index]!);
  assert(Math.max(...pauses) <= 2_550, `${pauses}`);
  assert(dials.length <= 36 + 4 * 8, `${dials.length} dials`);
  down = false;
  await pass(it, 3_000, 50);
  assertEquals(it.pool.stats().idle, 4);
});
