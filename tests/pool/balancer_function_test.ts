/**
 * A balancer of the user's in a pool: what it does wrong is for who asked, and for nobody else.
 *
 * @module
 */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import type { BalancerCandidate, BalancerFunction } from "../../src/hosts/balancer.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { pass } from "../support/pass.ts";
import { turns } from "../support/turns.ts";

const HOSTS = { "a.test": ["192.0.2.1", "192.0.2.2", "192.0.2.3"], "b.test": ["192.0.2.1"] };
const BROKEN = new Error("The balancer is broken");

/** A balancer that does as it is told, and takes the first candidate otherwise. */
class Scripted {
  fault: (() => BalancerCandidate) | undefined;
  calls = 0;
  readonly balancer: BalancerFunction = (candidates) => {
    this.calls++;
    return this.fault ? this.fault() : candidates[0]!;
  };
}

const throwing = () => {
  throw BROKEN;
};
const stranger = () => ({ address: "192.0.2.1" }) as BalancerCandidate;
const none = () => undefined as unknown as BalancerCandidate;

test("A balancer that throws when it is asked where to dial: that caller hears the error itself", async () => {
  const scripted = new Scripted();
  await using it = memoryPool({ hosts: HOSTS, balancer: scripted.balancer });
  scripted.fault = throwing;
  assertStrictEquals(await assertRejects(() => it.pool.acquire("a.test")), BROKEN);
  for (const fault of [stranger, none]) {
    scripted.fault = fault;
    await assertRejects(
      () => it.pool.acquire("a.test"),
      TypeError,
      "balancer must give back one of its candidates",
    );
  }
  assertEquals([it.pool.stats().waiting, it.pool.stats().dials], [0, 0]);
  scripted.fault = undefined;
  (await it.pool.acquire("a.test")).release();
});

test("A balancer that throws among ready connections: the caller hears it, the connections stay", async () => {
  const scripted = new Scripted();
  await using it = memoryPool({ hosts: HOSTS, balancer: scripted.balancer });
  await it.pool.warm("a.test", { connections: 6 });
  for (const fault of [throwing, stranger, none]) {
    scripted.fault = fault;
    const expected = fault === throwing ? Error : TypeError;
    await assertRejects(() => it.pool.acquire("a.test"), expected);
    assertThrows(() => it.pool.tryAcquire("a.test"), expected);
    await assertRejects(() => it.pool.acquire("a.test", { exclude: ["192.0.2.1"] }), expected);
  }
  assertEquals([it.pool.stats().idle, it.pool.stats().leased], [6, 0]);
  scripted.fault = undefined;
  (await it.pool.acquire("a.test")).release();
  assertEquals(it.pool.stats().dials, 6);
});

test("Who gives a connection back does not hear what the balancer throws for those who wait", async () => {
  const scripted = new Scripted();
  await using it = memoryPool({
    hosts: HOSTS,
    maxConnectionsPerHost: 1,
    balancer: scripted.balancer,
  });
  const lease = await it.pool.acquire("a.test");
  const waiting = [1, 2, 3].map(() => assertRejects(() => it.pool.acquire("a.test")));
  await turns();
  scripted.fault = throwing;
  lease.release();
  for (const error of await Promise.all(waiting)) assertStrictEquals(error, BROKEN);
  assertEquals([it.pool.stats().waiting, it.pool.stats().idle], [0, 1]);
  scripted.fault = undefined;
  (await it.pool.acquire("a.test")).release();
  assertEquals(it.pool.stats().dials, 1);
});

test("A connection that a balancer chooses for a caller whose wait it ends stays ready", async () => {
  let onChoice = () => {};
  await using it = memoryPool({
    hosts: HOSTS,
    maxConnectionsPerHost: 1,
    balancer: (candidates) => {
      onChoice();
      return candidates[0]!;
    },
  });
  for (const options of [{}, { exclude: ["192.0.2.3"] }]) {
    const lease = await it.pool.acquire("a.test");
    const stop = new AbortController();
    const signal = stop.signal;
    const waiting = assertRejects(() => it.pool.acquire("a.test", { ...options, signal }));
    await turns();
    onChoice = () => stop.abort(BROKEN);
    lease.release();
    assertStrictEquals(await waiting, BROKEN);
    const { idle, leased, waiting: left } = it.pool.stats();
    assertEquals([idle, leased, left], [1, 0, 0]);
  }
  assertEquals(it.pool.stats().dials, 1);
});

test("What a balancer throws when a dial is ready fails no machine, and loses no connection", async () => {
  const scripted = new Scripted();
  await using it = memoryPool({
    hosts: HOSTS,
    balancer: scripted.balancer,
    script: () => ({ delayMs: 50 }),
  });
  const failing = assertRejects(() => it.pool.acquire("a.test"));
  await pass(it, 20);
  scripted.fault = throwing;
  await pass(it, 50);
  assertStrictEquals(await failing, BROKEN);
  const { dialErrors, hosts, idle } = it.pool.stats();
  assertEquals([dialErrors, idle], [0, 1]);
  assertEquals(hosts["a.test"]?.addresses["192.0.2.1"]?.standing, "good");
});

test("A balancer that throws for one host leaves the others and their callers alone", async () => {
  const scripted = new Scripted();
  scripted.fault = throwing;
  await using it = memoryPool({
    hosts: HOSTS,
    hostOptions: { "a.test": { balancer: scripted.balancer } },
    script: () => ({ delayMs: 5 }),
  });
  const failing = [...Array(5)].map(() => assertRejects(() => it.pool.acquire("a.test")));
  const fine = [...Array(5)].map(() => it.pool.acquire("b.test"));
  await pass(it, 50);
  for (const error of await Promise.all(failing)) assertStrictEquals(error, BROKEN);
  for (const lease of await Promise.all(fine)) lease.release();
});

test("A balancer that throws now and then: who asks again is served, and nothing hangs", async () => {
  const scripted = new Scripted();
  let asked = 0;
  const nowAndThen: BalancerFunction = (candidates, random) => {
    if (++asked % 3 === 0) throw BROKEN;
    return scripted.balancer(candidates, random);
  };
  await using it = memoryPool({
    hosts: HOSTS,
    maxConnectionsPerHost: 2,
    balancer: nowAndThen,
    script: () => ({ delayMs: 5 }),
  });
  const ends = { served: 0, failed: 0 };
  const all = [...Array(60)].map(async () => {
    try {
      const lease = await it.pool.acquire("a.test");
      await new Promise<void>((resolve) => it.clock.setTimer(resolve, 2));
      lease.release();
      ends.served++;
    } catch (error) {
      assertStrictEquals(error, BROKEN);
      ends.failed++;
    }
  });
  for (let step = 0; step < 500 && ends.served + ends.failed < 60; step++) await pass(it, 2, 1);
  assertEquals(ends.served + ends.failed, 60);
  await Promise.all(all);
  assert(ends.served > 10 && ends.failed > 10, JSON.stringify(ends));
  assertEquals(it.pool.stats().leased, 0);
});

test("Warming and spreading ask no balancer, and go on whatever it does", async () => {
  const scripted = new Scripted();
  scripted.fault = throwing;
  await using it = memoryPool({ hosts: HOSTS, balancer: scripted.balancer });
  assertEquals((await it.pool.warm("a.test", { connections: 3 })).connections, 3);
  assertEquals(scripted.calls, 0);
});

test("A balancer that asks the pool while it chooses is answered", async () => {
  const answers: unknown[] = [];
  await using it = memoryPool({
    hosts: HOSTS,
    hostOptions: {
      "a.test": {
        balancer: (candidates) => {
          answers.push(it.pool.stats().hosts["b.test"]?.idle);
          return candidates.at(-1)!;
        },
      },
    },
  });
  await it.pool.warm("b.test", { connections: 1 });
  const lease = await it.pool.acquire("a.test");
  assertEquals(lease.connection.address, "192.0.2.3");
  lease.release();
  assert(answers.length > 0 && answers.every((idle) => idle === 1));
});
