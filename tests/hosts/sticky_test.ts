/**
 * Which of many endpoints a key goes to, and what moves when they come and go.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { rankForKey } from "../../src/hosts/rendezvous.ts";
import { StickyChooser } from "../../src/hosts/sticky.ts";
import type { Endpoint } from "../../src/map/endpoint.ts";
import { Lane } from "../../src/map/lane.ts";
import { addressOf, assertBinomial } from "../support/picker_scene.ts";

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
    const before = keys.map((key) => chooser.pick(key));
    chooser.remove(one);
    const without = keys.map((key) => chooser.pick(key));
    without.forEach((endpoint, index) => {
      if (before[index] !== one) assertStrictEquals(endpoint, before[index]);
      else assert(endpoint !== one);
    });
    chooser.add(one);
    assertEquals(chooser.size, all.length);
    assertEquals(keys.map((key) => chooser.pick(key)), before);
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
    chooser.update(one);
    keys.forEach((key, index) => {
      const after = chooser.pick(key);
      if (after !== before[index]) assertStrictEquals(heavier ? after : before[index], one);
    });
  }));
});

test("A new machine takes its keys from all the others alike", () => {
  const all = endpoints(11);
  const fresh = all.pop()!;
  const chooser = new StickyChooser(all);
  const keys = keysOf(20_000);
  const before = keys.map((key) => chooser.pick(key)!);
  chooser.add(fresh);
  const lost = new Map<Endpoint, number>();
  let moved = 0;
  keys.forEach((key, index) => {
    if (chooser.pick(key) !== fresh) return;
    moved++;
    lost.set(before[index]!, (lost.get(before[index]!) ?? 0) + 1);
  });
  assertBinomial(moved, keys.length, 1 / 11, "moved");
  for (const endpoint of all) assertBinomial(lost.get(endpoint) ?? 0, moved, 0.1, "lost");
});

test("pick(), rank() and rankForKey() have one order, which the order of arrival does not touch", () => {
  fc.assert(fc.property(weights, someKeys, fc.boolean(), (weights, keys, equal) => {
    const all = endpoints(weights.length);
    if (!equal) all.forEach((endpoint, index) => endpoint.weight = weights[index]!);
    const chooser = new StickyChooser(all.toReversed());
    const known = all.map((endpoint) => ({ endpoint, text: endpoint.address.text }));
    for (const key of keys) {
      const ranked = chooser.rank(key);
      const expected = rankForKey(key, known, ({ endpoint }) => endpoint.weight);
      assertEquals(
        ranked.map(({ address }) => address.text),
        expected.map(({ text }) => text),
      );
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

test("pick() finds the first of a thousand with weights, as rank() does", () => {
  const all = endpoints(1_000);
  all.forEach((endpoint, index) => endpoint.weight = 1 + index % 3 / 4);
  const chooser = new StickyChooser(all);
  for (const key of keysOf(200)) assertStrictEquals(chooser.pick(key), chooser.rank(key)[0]);
});

test("A key that is known is not searched for again, until something comes, goes or changes", () => {
  const all = endpoints(100);
  const chooser = new StickyChooser(all);
  const key = "user";
  const [first, second] = chooser.rank(key) as [Endpoint, Endpoint];
  assertStrictEquals(chooser.pick(key), first);
  let asked = 0;
  const accepts = () => ++asked > 0;
  assertStrictEquals(chooser.pick(key, accepts), first);
  assertEquals(asked, 1);
  chooser.remove(first);
  assertStrictEquals(chooser.pick(key), second);
  // Twice in, twice out: harmless.
  chooser.remove(first);
  assertEquals(chooser.size, 99);
  chooser.add(first);
  chooser.add(first);
  assertEquals(chooser.size, 100);
  assertStrictEquals(chooser.pick(key), first);
  first.weight = 0;
  chooser.update(first);
  assertStrictEquals(chooser.pick(key), second);
  first.weight = 1;
  chooser.update(first);
  assertStrictEquals(chooser.pick(key), first);
});

test("More keys than are remembered, and very long ones, find their machines all the same", () => {
  const chooser = new StickyChooser(endpoints(5));
  const keys = [...keysOf(20_000), "x".repeat(10_000), "y".repeat(10_000)];
  const before = keys.map((key) => chooser.pick(key));
  assertEquals(keys.map((key) => chooser.pick(key)), before);
  for (const [index, key] of keys.entries()) {
    if (index % 1_000 === 0) assertStrictEquals(chooser.rank(key)[0], before[index]);
  }
  // Some of them are among those seen of late, some among those before.
  const gone = before[0]!;
  chooser.remove(gone);
  for (const key of keys) assert(chooser.pick(key) !== gone, key);
});

test("Nothing is chosen where nothing is, and what weighs nothing where nothing else is", () => {
  const [a, b] = endpoints(2) as [Endpoint, Endpoint];
  const chooser = new StickyChooser();
  assertEquals(chooser.pick("user"), undefined);
  assertEquals(chooser.rank("user"), []);
  a.weight = 0;
  chooser.add(a);
  assertStrictEquals(chooser.pick("user"), a);
  chooser.add(b);
  for (const key of keysOf(100)) assertStrictEquals(chooser.pick(key), b);
  b.weight = 0;
  chooser.update(b);
  // As many keys as each would have with any other weight.
  const count = countKeys(chooser, keysOf(10_000)).get(a)!;
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
