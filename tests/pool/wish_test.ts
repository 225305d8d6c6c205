/**
 * Callers who wait for machines that they chose: whoever came first, however many want others.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import type { AcquireOptions } from "../../src/pool/call_options.ts";
import { WaiterLine } from "../../src/pool/host/waiter_line.ts";
import { Wish } from "../../src/pool/host/wish.ts";
import type { Lease } from "../../src/pool/lease/lease.ts";
import { memoryPool } from "../support/memory_pool.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

const [ONE, TWO, THREE] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"] as const;

test("Wish.first is whoever came first, also where it was given later", () => {
  const wish = new Wish<{ place: number }>("any text");
  const a = { place: 1 };
  const b = { place: 2 };
  const c = { place: 3 };
  assertEquals([wish.first, wish.size], [undefined, 0]);
  wish.add(b);
  wish.add(c);
  wish.add(a);
  assertEquals([wish.first, wish.size], [a, 3]);
  wish.delete(a);
  assertEquals(wish.first, b);
  // The gaps of their line are closed: all are nearer the front.
  b.place = 0;
  c.place = 1;
  const d = { place: 2 };
  wish.add(d);
  wish.delete(b);
  assertEquals(wish.first, c);
  wish.delete(c);
  wish.delete(d);
  assertEquals([wish.first, wish.size], [undefined, 0]);
});

test("A connection that comes back goes to whoever came first of those who would have it", async () => {
  await using it = memoryPool({ hosts: { "a.test": [ONE, TWO, THREE] }, maxConnections: 1 });
  const { pool } = it;
  let lease = await pool.acquire("a.test", { ip: ONE });
  const served: string[] = [];
  const come = (name: string, options?: AcquireOptions) =>
    void pool.acquire("a.test", options).then((given) => {
      served.push(`${name} at ${given.connection.ip}`);
      lease = given;
    });
  come("a", { ip: TWO });
  come("b", { exclude: [ONE] });
  come("c", { exclude: [TWO] });
  come("d", { ip: ONE });
  come("e", { exclude: [TWO] });
  await turns();
  for (let count = 0; count < 2; count++) {
    lease.release();
    await turns();
  }
  assertEquals(served, [`c at ${ONE}`, `d at ${ONE}`]);
  // Who wants any machine stands in the same line.
  come("f");
  come("g", { ip: ONE });
  for (let count = 0; count < 3; count++) {
    lease.release();
    await turns();
  }
  assertEquals(served.slice(2), [`e at ${ONE}`, `f at ${ONE}`, `g at ${ONE}`]);
  // Nobody is left who would have it: it makes room for another one.
  for (let count = 0; count < 2; count++) {
    lease.release();
    await turns();
    it.clock.advance(1_000);
    await turns();
  }
  assertEquals(served.slice(5), [`a at ${TWO}`, `b at ${TWO}`]);
  lease.release();
});

test("Callers with the same choice are served in order, however many choose what", () =>
  withSeed(async (seed) => {
    const random = new Random(seed);
    const machines = Array.from({ length: 12 }, (_, index) => `192.0.2.${index + 1}`);
    await using it = memoryPool({ hosts: { "a.test": machines }, maxConnections: 4, seed });
    const { clock, pool } = it;
    const choices = machines.map((ip): AcquireOptions => ({ ip }));
    const served = choices.map((): number[] => []);
    let under = 0;
    const use = async (choice: number, name: number) => {
      const lease = await pool.acquire("a.test", choices[choice]);
      served[choice]!.push(name);
      await turns(random.below(3));
      lease.release();
      under--;
    };
    for (let name = 0; name < 300; name++) {
      under++;
      void use(random.below(choices.length), name);
      if (random.chance(0.3)) await turns(1);
    }
    while (under > 0) {
      clock.advance(50);
      await turns();
    }
    for (const names of served) assertEquals(names, names.toSorted((a, b) => a - b));
  }));

test("A connection is handed on without a look at each of those who cannot have it", async () => {
  await using it = memoryPool({
    hosts: { "a.test": [ONE, TWO] },
    maxConnections: 1,
    maxWaiters: 1_000,
  });
  let lease = await it.pool.acquire("a.test", { ip: ONE });
  const others = Array.from({ length: 400 }, () => it.pool.acquire("a.test", { ip: TWO }));
  const given: Promise<Lease>[] = [];
  for (let count = 0; count < 50; count++) given.push(it.pool.acquire("a.test", { ip: ONE }));
  await turns();
  const original = WaiterLine.prototype[Symbol.iterator];
  let looks = 0;
  WaiterLine.prototype[Symbol.iterator] = function*() {
    for (const waiter of original.call(this)) {
      looks++;
      yield waiter;
    }
  };
  try {
    for (const next of given) {
      lease.release();
      lease = await next;
    }
  } finally {
    WaiterLine.prototype[Symbol.iterator] = original;
  }
  assert(looks < 1_000, `${looks} looks at those who wait, for 50 leases`);
  lease.release();
  it.clock.advance(1_000);
  for (const next of others) (await next).release();
});
