/**
 * Which of many endpoints a key goes to, and what moves when they come and go.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { StickyChooser } from "../../src/hosts/sticky.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { Lane } from "../../src/map/lane.ts";
import { addressOf, assertBinomial, rankForKey } from "../support/picker_scene.ts";

function endpoints(count: number): Endpoint[] {
  const lane = new Lane("example.test", "default");
  return Array.from({ length: count }, (_, index) => lane.endpoint(addressOf(index)));
}

const keysOf = (count: number) => Array.from({ length: count }, (_, index) => `user-${index}`);

function countKeys(chooser: StickyChooser, keys: readonly string[]): Map<Endpoint, number> {
  const counts = new Map<Endpoint, number>();
  for (const key of keys) {
    const endpoint = chooser.pick(key)!;
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  }
  return counts;
}

/** The weights of some endpoints. */
const weights = fc.array(fc.constantFrom(0, 0.5, 1, 1, 1, 2, 10), {
  minLength: 1,
  maxLength: 40,
  size: "max",
});
const someKeys = fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 40 });

test("Each machine gets its share of the keys", () => {
  const all = endpoints(50);
  const keys = keysOf(100_000);
  const counts = countKeys(new StickyChooser(all), keys);
  for (const endpoint of all) {
    assertBinomial(counts.get(endpoint) ?? 0, keys.length, 1 / 50, endpoint.address.text);
  }
});

test("Weights give machines more keys, or fewer, or none", () => {
  const all = endpoints(6);
  const shares = [1, 2, 0.5, 0, 5.5, 1];
  all.forEach((endpoint, index) => endpoint.weight = shares[index]!);
  const keys = keysOf(100_000);
  const counts = countKeys(new StickyChooser(all), keys);
  all.forEach((endpoint, index) => {
    const count = counts.get(endpoint) ?? 0;
    if (shares[index] === 0) assertEquals(count, 0);
    else assertBinomial(count, keys.length, shares[index]! / 10, `weight ${shares[index]}`);
  });
});

test("A machine that comes or goes moves no keys but its own", () => {
  fc.assert(fc.property(weights, fc.nat(), someKeys, (weights, which, keys) => {
    const all = endpoints(weights.length);
    all.forEach((endpoint, index) => endpoint.weight = weights[index]!);
    const one = all[which % all.length]!;
    const chooser = new StickyChooser(all);
    const others = new StickyChooser(all.filter((endpoint) => endpoint !== one));
    for (const key of keys) {
      const before = chooser.pick(key);
      if (before !== one) assertStrictEquals(others.pick(key), before);
      else assert(others.pick(key) !== one);
    }
  }));
});

test("A weight that changes moves keys to, or from, that machine alone", () => {
  fc.assert(fc.property(weights, fc.nat(), someKeys, (weights, which, keys) => {
    const all = endpoints(weights.length);
    all.forEach((endpoint, index) => endpoint.weight = weights[index]!);
    const one = all[which % all.length]!;
    const chooser = new StickyChooser(all);
    const before = keys.map((key) => chooser.pick(key));
    const heavier = which % 2 === 0;
    one.weight = heavier ? one.weight * 2 + 1 : one.weight / 2;
    const changed = new StickyChooser(all);
    keys.forEach((key, index) => {
      const after = changed.pick(key);
      if (after !== before[index]) assertStrictEquals(heavier ? after : before[index], one);
    });
  }));
});

test("A new machine takes its keys from all the others alike", () => {
  const all = endpoints(11);
  const fresh = all.at(-1)!;
  const earlier = new StickyChooser(all.slice(0, -1));
  const chooser = new StickyChooser(all);
  const keys = keysOf(20_000);
  const lost = new Map<Endpoint, number>();
  let moved = 0;
  for (const key of keys) {
    if (chooser.pick(key) !== fresh) continue;
    moved++;
    const before = earlier.pick(key)!;
    lost.set(before, (lost.get(before) ?? 0) + 1);
  }
  assertBinomial(moved, keys.length, 1 / 11, "moved");
  for (const endpoint of all.slice(0, -1)) {
    assertBinomial(lost.get(endpoint) ?? 0, moved, 0.1, "lost");
  }
});

test("pick() keeps to a key's own order, which the order of arrival does not touch", () => {
  fc.assert(fc.property(weights, someKeys, fc.boolean(), (weights, keys, equal) => {
    const all = endpoints(weights.length);
    if (!equal) all.forEach((endpoint, index) => endpoint.weight = weights[index]!);
    const chooser = new StickyChooser(all.toReversed());
    for (const key of keys) {
      const ranked = rankForKey(key, all);
      assertStrictEquals(chooser.pick(key), ranked[0]);
      // The next one after those that failed, one by one.
      const failed = new Set<string>();
      for (const endpoint of ranked.slice(0, 5)) {
        assertStrictEquals(chooser.pick(key, (address) => !failed.has(address)), endpoint);
        failed.add(endpoint.address.text);
      }
      assertEquals(chooser.pick(key, () => false), undefined);
    }
  }));
});

test("pick() finds the first of a thousand with weights", () => {
  const all = endpoints(1_000);
  all.forEach((endpoint, index) => endpoint.weight = 1 + index % 3 / 4);
  const chooser = new StickyChooser(all);
  for (const key of keysOf(200)) assertStrictEquals(chooser.pick(key), rankForKey(key, all)[0]);
});

test("A key that is known is not searched for again", () => {
  const all = endpoints(100);
  const chooser = new StickyChooser(all);
  const first = chooser.pick("user");
  assertStrictEquals(first, rankForKey("user", all)[0]);
  let asked = 0;
  const accepts = () => ++asked > 0;
  assertStrictEquals(chooser.pick("user", accepts), first);
  assertEquals(asked, 1);
});

test("More keys than are remembered, and very long ones, find their machines all the same", () => {
  const all = endpoints(5);
  const chooser = new StickyChooser(all);
  const keys = [...keysOf(20_000), "x".repeat(10_000), "y".repeat(10_000)];
  const before = keys.map((key) => chooser.pick(key));
  assertEquals(keys.map((key) => chooser.pick(key)), before);
  for (const [index, key] of keys.entries()) {
    if (index % 1_000 === 0) assertStrictEquals(rankForKey(key, all)[0], before[index]);
  }
});

test("Nothing is chosen where nothing is, and what weighs nothing where nothing else is", () => {
  const [a, b] = endpoints(2) as [Endpoint, Endpoint];
  assertEquals(new StickyChooser([]).pick("user"), undefined);
  a.weight = 0;
  assertStrictEquals(new StickyChooser([a]).pick("user"), a);
  const chooser = new StickyChooser([a, b]);
  for (const key of keysOf(100)) assertStrictEquals(chooser.pick(key), b);
  b.weight = 0;
  // As many keys as each would have with any other weight.
  const count = countKeys(new StickyChooser([a, b]), keysOf(10_000)).get(a)!;
  assertBinomial(count, 10_000, 0.5, "of two without weight");
});

test("Ten thousand machines get their keys, and each of them some", () => {
  const all = endpoints(10_000);
  const counts = countKeys(new StickyChooser(all), keysOf(5_000));
  // 5,000 balls in 10,000 bins leave 10,000 e^(-1/2) of them empty: 6,065, with a standard deviation
  // of at most 49 (that of as many independent ones).
  assertGreater(counts.size, 10_000 - 6_065 - 5 * 49);
  assertLess(counts.size, 10_000 - 6_065 + 5 * 49);
});
