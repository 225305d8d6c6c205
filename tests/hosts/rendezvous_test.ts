/**
 * Which machine a key goes to.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { rankForKey } from "../../src/hosts/rendezvous.ts";

const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ text: `10.0.${i >> 8}.${i & 255}` }));
const keys = Array.from({ length: 10_000 }, (_, i) => `user-${i}`);
const first = (key: string, among: { text: string }[]) => rankForKey(key, among)[0]?.text;

test("A key goes to the same address, in whatever order they are known", () => {
  const all = addresses(10);
  for (const key of keys.slice(0, 500)) {
    assertEquals(rankForKey(key, all.toReversed()), rankForKey(key, all));
  }
});

test("Keys spread evenly over addresses", () => {
  const all = addresses(10);
  const counts = new Map<string | undefined, number>();
  for (const key of keys) {
    const address = first(key, all);
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  // 1,000 each, with a standard deviation of 30 (binomial, n = 10,000, p = 1/10): within five.
  for (const count of counts.values()) assert(count > 850 && count < 1_150, `${count}`);
  assertEquals(counts.size, 10);
});

test("When an address goes, only its own keys move, and to all the others", () => {
  const all = addresses(10);
  const fewer = all.slice(1);
  const moved = new Set<string | undefined>();
  for (const key of keys) {
    const before = first(key, all);
    const after = first(key, fewer);
    if (before === all[0]?.text) moved.add(after);
    else assertEquals(after, before);
  }
  assertEquals(moved.size, 9);
});
