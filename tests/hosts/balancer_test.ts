/**
 * Who gets how much of what, by each balancer. All chance comes from a seed, so that a bound of five
 * standard deviations, which chance breaks once in 1.7 million times, holds always or never.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertStrictEquals,
} from "@std/assert";
import test from "node:test";
import type { Balancer } from "../../src/hosts/balancer.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { addressOf, assertBinomial, PickerScene } from "../support/picker_scene.ts";

test("random gives every address the same chance", () => {
  const times = 100_000;
  const counts = new PickerScene("random", 10).count(times);
  const expected = times / 10;
  const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  // Nine degrees of freedom: above 27.9 once in a thousand times; all but equal counts, below 1.15,
  // as seldom, and a sign of something that is not chance.
  assertLess(chiSquare, 27.9);
  assertGreater(chiSquare, 1.15);
});

test("roundRobin gives every address the same count", () => {
  const scene = new PickerScene("roundRobin", 7);
  assertEquals(scene.count(7 * 13), Array(7).fill(13));
  // One that comes is next, once; and then it waits for its turn.
  const fresh = scene.make(7);
  scene.endpoints.push(fresh);
  scene.picker.add(fresh);
  assertStrictEquals(scene.choose(), fresh);
  assertEquals(scene.count(8 * 5), Array(8).fill(5));
  // One that goes leaves no gap.
  scene.picker.remove(scene.endpoints.splice(3, 1)[0]!);
  assertEquals(scene.count(7 * 5), Array(7).fill(5));
});

test("roundRobin puts first what was not ready for a while, in the order of their turns", () => {
  const scene = new PickerScene("roundRobin", 6);
  const order = Array.from({ length: 6 }, () => scene.choose());
  assertEquals(new Set(order).size, 6);
  const [a, b] = order;
  for (const endpoint of [a!, b!]) scene.picker.remove(endpoint);
  const others = order.slice(2);
  for (let i = 0; i < 10; i++) assertStrictEquals(scene.choose(), others[i % 4]);
  for (const endpoint of [b!, a!]) scene.picker.add(endpoint);
  assertEquals(Array.from({ length: 6 }, () => scene.choose()), [
    a,
    b,
    ...others.slice(2),
    ...others.slice(0, 2),
  ]);
});

test("roundRobin and leastLeased keep their rule among the addresses that are accepted", () => {
  for (const balancer of ["roundRobin", "leastLeased"] as const) {
    const scene = new PickerScene(balancer, 100);
    const accepted = new Set([3, 33, 66, 99].map(addressOf));
    const counts = scene.count(40, ({ address }) => accepted.has(address.text));
    assertEquals(counts.filter((count) => count > 0), [10, 10, 10, 10], balancer);
    assertEquals(scene.picker.pickAccepted?.(0, scene.random, () => false), undefined);
  }
});

test("leastLeased fills addresses in proportion to their weights", () => {
  const scene = new PickerScene("leastLeased", 4);
  const weights = [1, 2, 0.5, 0];
  scene.endpoints.forEach((endpoint, index) => {
    endpoint.weight = weights[index]!;
    scene.picker.update(endpoint);
  });
  for (let i = 0; i < 70; i++) scene.lease();
  // Whoever gets the next one has (load + 1) / weight of at most 20: no other share fits 70.
  assertEquals(scene.endpoints.map(({ leased }) => leased), [20, 40, 10, 0]);
  for (const endpoint of scene.endpoints.slice(0, 3)) scene.picker.remove(endpoint);
  assertStrictEquals(scene.lease(), scene.endpoints[3]);
});

test("p2cEwma keeps the largest load far lower than random does", () => {
  const n = 10_000;
  const largest = (balancer: Balancer) => {
    const scene = new PickerScene(balancer, n);
    for (const endpoint of scene.endpoints) endpoint.noteLatency(10, scene.clock.now());
    for (let i = 0; i < n; i++) scene.lease();
    return Math.max(...scene.endpoints.map(({ leased }) => leased));
  };
  // Two choices: ln ln n / ln 2 + O(1), which is 3.2 for 10,000 (Azar, Broder, Karlin and Upfal,
  // "Balanced allocations", 1994). One choice: Poisson with mean 1, so that 10,000 bins are expected
  // to have 5.9 with six or more in them; to have none has a chance of 0.3%.
  assertLessOrEqual(largest("p2cEwma"), Math.log(Math.log(n)) / Math.LN2 + 1);
  assertGreaterOrEqual(largest("random"), 6);
});

/** Sends a request every so often to machines that take so long, and counts what each one gets. */
function simulate(scene: PickerScene, msOf: (endpoint: Endpoint) => number, requests: number) {
  const { clock } = scene;
  const counts = new Map(scene.endpoints.map((endpoint) => [endpoint, 0]));
  for (let i = 0; i < requests; i++) {
    const endpoint = scene.lease();
    const ms = msOf(endpoint);
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
    clock.setTimer(() => {
      endpoint.noteLatency(ms, clock.now());
      scene.release(endpoint);
    }, ms);
    clock.advance(1);
  }
  return counts;
}

test("p2cEwma gives a machine that is ten times slower less than a fifth of its fair share", () => {
  const scene = new PickerScene("p2cEwma", 10);
  const slow = scene.endpoints[4]!;
  const requests = 10_000;
  const counts = simulate(scene, (endpoint) => endpoint === slow ? 100 : 10, requests);
  const got = counts.get(slow)!;
  assertLess(got, requests / 10 / 5);
  assertGreater(got, 0);
  for (const endpoint of scene.endpoints) {
    if (endpoint !== slow) assertGreater(counts.get(endpoint)!, requests / 10 * 0.8);
  }
});

test("p2cEwma notices a slow answer at once, and forgets it in time", () => {
  const scene = new PickerScene("p2cEwma", 2);
  const [a, b] = scene.endpoints as [Endpoint, Endpoint];
  const note = (endpoint: Endpoint, ms: number) => endpoint.noteLatency(ms, scene.clock.now());
  for (let i = 0; i < 100; i++) {
    note(a, 10);
    note(b, 10);
    scene.clock.advance(10);
  }
  // Of two, both are drawn each time; among equals chance decides.
  assertBinomial(scene.count(10_000)[0]!, 10_000, 0.5, "a, as fast as b");
  note(a, 1_000);
  assertEquals(scene.count(100), [0, 100]);
  // Nobody asks a meanwhile, and b goes on to answer in 10 ms: e^-x falls below 1/100 with x = 4.7.
  for (let ms = 0; ms < 50_000; ms += 100) {
    if (ms === 40_000) assertEquals(scene.count(100), [0, 100]);
    scene.clock.advance(100);
    note(b, 10);
  }
  assertEquals(scene.count(100), [100, 0]);
});

test("p2cEwma gives one of unknown latency its share: not nothing, and not everything", () => {
  const n = 10;
  const scene = new PickerScene("p2cEwma", n);
  const fresh = scene.endpoints[0]!;
  for (const endpoint of scene.endpoints.slice(1)) endpoint.noteLatency(10, scene.clock.now());
  assertBinomial(scene.count(20_000)[0]!, 20_000, 1 / n, "without load");
  // With others that bear more, it wins whenever it is one of the two; which never is more often.
  for (const endpoint of scene.endpoints.slice(1)) endpoint.leased = 5;
  assertBinomial(scene.count(20_000)[0]!, 20_000, 2 / n, "where the others are busy");
  fresh.leased = 6;
  assertEquals(scene.count(1_000)[0], 0);
});

test("p2cEwma fills addresses in proportion to their weights, and leaves out what weighs nothing", () => {
  const two = new PickerScene("p2cEwma", 2);
  two.endpoints[1]!.weight = 2;
  for (let i = 0; i < 300; i++) two.lease();
  // Of two, both are drawn each time.
  assertEquals(two.endpoints.map(({ leased }) => leased), [100, 200]);
  const ten = new PickerScene("p2cEwma", 10);
  ten.endpoints[0]!.weight = ten.endpoints[1]!.weight = 0;
  // Nine draws in a row that find one of two of ten: 5 times in ten million.
  assertEquals(ten.count(10_000).slice(0, 2), [0, 0]);
});

test("weighted never chooses what weighs nothing, wherever the rounding ends", () => {
  const scene = new PickerScene("weighted", 2);
  scene.endpoints[0]!.weight = Number.MIN_VALUE;
  scene.endpoints[1]!.weight = 0;
  for (const endpoint of scene.endpoints) scene.picker.update(endpoint);
  assertEquals(scene.count(1_000), [1_000, 0]);
});

test("weighted gives chances in proportion to weights", () => {
  const weights = [1, 2, 0, 0.25, 3.75, 0, 1e-9, 3];
  const scene = new PickerScene("weighted", weights.length);
  scene.endpoints.forEach((endpoint, index) => {
    endpoint.weight = weights[index]!;
    scene.picker.update(endpoint);
  });
  const times = 100_000;
  const check = (counts: number[], among = weights) => {
    const sum = among.reduce((sum, weight) => sum + weight, 0);
    counts.forEach((count, index) => {
      if (among[index] === 0) assertEquals(count, 0);
      else assertBinomial(count, times, among[index]! / sum, `weight ${among[index]}`);
    });
  };
  check(scene.count(times));
  // Of those that are accepted alike: many of them, and few.
  for (const accepted of [[0, 1, 4, 5], [3, 5], [2, 3, 6]]) {
    const texts = new Set(accepted.map(addressOf));
    check(
      scene.count(times, ({ address }) => texts.has(address.text)),
      weights.map((weight, index) => accepted.includes(index) ? weight : 0),
    );
  }
});

test("weighted takes what weighs nothing where nothing else is there", () => {
  const scene = new PickerScene("weighted", 5);
  for (const endpoint of scene.endpoints) {
    endpoint.weight = 0;
    scene.picker.update(endpoint);
  }
  for (const count of scene.count(10_000)) assertBinomial(count, 10_000, 0.2, "any");
  const two = new Set([1, 3].map(addressOf));
  const counts = scene.count(10_000, ({ address }) => two.has(address.text));
  assertBinomial(counts[1]!, 10_000, 0.5, "one of two");
  assertEquals(counts[1]! + counts[3]!, 10_000);
  scene.endpoints[2]!.weight = 0.001;
  scene.picker.update(scene.endpoints[2]!);
  assertEquals(scene.count(1_000), [0, 0, 1_000, 0, 0]);
});

test("weighted and p2cEwma choose what is accepted, were it two of a hundred", () => {
  for (const balancer of ["weighted", "p2cEwma"] as const) {
    const scene = new PickerScene(balancer, 100);
    const accepted = new Set([17, 71].map(addressOf));
    const counts = scene.count(10_000, ({ address }) => accepted.has(address.text));
    assertBinomial(counts[17]!, 10_000, 0.5, balancer);
    assertEquals(counts[17]! + counts[71]!, 10_000);
    assertEquals(scene.picker.pickAccepted?.(0, scene.random, () => false), undefined);
  }
});

test("p2cEwma takes the better one of those that are accepted", () => {
  const scene = new PickerScene("p2cEwma", 100);
  const accepted = new Set([17, 71].map(addressOf));
  scene.endpoints[17]!.leased = 1;
  const counts = scene.count(1_000, ({ address }) => accepted.has(address.text));
  // Eight draws of two find one of them with a chance of 0.28, and 17 among these in half of them.
  assertGreater(counts[71]!, 780);
});

for (const balancer of ["random", "roundRobin", "leastLeased", "p2cEwma", "weighted"] as const) {
  test(`${balancer} gives an address that starts slowly a tenth of its share, then more, then all`, () => {
    const n = 10;
    const times = 20_000;
    const scene = new PickerScene(balancer, n);
    const slow = scene.endpoints[3]!;
    slow.startSlowly(scene.clock.now(), 10_000);
    for (const share of [0.1, 0.325, 0.55, 0.775, 1]) {
      const count = scene.count(times)[3]!;
      // A draw that falls on it counts with its share alone, the others draw again.
      const chance = share / (n - 1 + share);
      // By turns there is less chance in it; after the last one it is none.
      assertBinomial(count, times, chance, `${balancer} at ${share}`);
      scene.clock.advance(2_500);
    }
  });
}

test("leastLeased lets the load of an address that starts slowly grow with its share", () => {
  const scene = new PickerScene("leastLeased", 10);
  const slow = scene.endpoints[3]!;
  slow.startSlowly(scene.clock.now(), 10_000);
  const loads: number[] = [];
  for (let step = 0; step < 5; step++) {
    // All leases end and start afresh, 200 at a time.
    const leased = Array.from({ length: 200 }, () => scene.lease());
    loads.push(slow.leased);
    for (const endpoint of leased) scene.release(endpoint);
    scene.clock.advance(2_500);
  }
  // Others bear about 200 / (9 + share) each, it that times its share; one more or less, as leases
  // come in ones, and as chance would have it.
  [0.1, 0.325, 0.55, 0.775, 1].forEach((share, index) => {
    assert(Math.abs(loads[index]! - 200 * share / (9 + share)) <= 2, `${loads}`);
  });
});

test("An address that starts slowly is not flooded where all others are busy", () => {
  const n = 10;
  const times = 20_000;
  const share = 0.1;
  const firstOfTwo = share / (n - 1 + share);
  for (
    const [balancer, chance] of [
      // It bears least each time, and each time its chance is its share.
      ["leastLeased", share],
      // It wins whenever it is drawn, as the first or as the second.
      ["p2cEwma", firstOfTwo + (1 - firstOfTwo) / (n - 1) * share],
    ] as const
  ) {
    const scene = new PickerScene(balancer, n);
    for (const endpoint of scene.endpoints) {
      if (endpoint === scene.endpoints[3]) endpoint.startSlowly(scene.clock.now(), 10_000);
      else endpoint.leased = 5;
      scene.picker.update(endpoint);
    }
    assertBinomial(scene.count(times)[3]!, times, chance, balancer);
  }
});

test("Where all addresses start slowly, each balancer chooses all the same", () => {
  for (const balancer of ["random", "roundRobin", "leastLeased", "p2cEwma", "weighted"] as const) {
    const scene = new PickerScene(balancer, 5);
    for (const endpoint of scene.endpoints) endpoint.startSlowly(scene.clock.now(), 10_000);
    // Turns may vary here, by who is passed over last; chance alone would have these bounds.
    for (const count of scene.count(5_000)) assertBinomial(count, 5_000, 0.2, balancer);
  }
});

test("sticky always gives the same address, as long as it is there", () => {
  const scene = new PickerScene("sticky", 50);
  const first = scene.choose();
  for (let i = 0; i < 100; i++) {
    first.leased++;
    assertStrictEquals(scene.choose(), first);
  }
  scene.picker.remove(first);
  const second = scene.choose();
  scene.picker.add(first);
  assertStrictEquals(scene.choose(), first);
  assertStrictEquals(scene.choose(({ address }) => address.text !== first.address.text), second);
});
