import { assert, assertEquals } from "@std/assert";
import test from "node:test";
import { DueWheel, Expiry } from "../../src/core/due_wheel.ts";
import { Random, withSeed } from "../support/random.ts";

test("DueWheel gives what is due, once, and nothing before", () => {
  const wheel = new DueWheel<string>(1_000);
  const [soon, later, far] = ["soon", "later", "far"].map((name) => new Expiry(name));
  wheel.put(later!, 1_006.5);
  wheel.put(soon!, 1_005);
  wheel.put(far!, 1_005 + 10_000);
  assertEquals([wheel.size, wheel.nextAt], [3, 1_005]);
  assertEquals(wheel.take(1_004.9), []);
  assertEquals(wheel.take(1_005), ["soon"]);
  assertEquals([wheel.take(1_006.4), wheel.nextAt], [[], 1_006.5]);
  assertEquals(wheel.take(1_100), ["later"]);
  // Its slot comes round several times before.
  assertEquals([wheel.size, wheel.nextAt], [1, 11_005]);
  assertEquals([wheel.take(11_000), wheel.take(11_005), wheel.nextAt], [[], ["far"], Infinity]);
});

test("DueWheel moves what is put in again, and takes out what is over", () => {
  const wheel = new DueWheel<number>(0);
  const one = new Expiry(1);
  const two = new Expiry(2);
  wheel.put(one, 10);
  wheel.put(two, 10);
  wheel.put(one, 20);
  wheel.remove(two);
  wheel.remove(two);
  assertEquals([wheel.size, wheel.take(15), wheel.take(20), wheel.size], [1, [], [1], 0]);
  // What is due when it is put in is found by the next look.
  wheel.put(two, 3);
  assertEquals([wheel.nextAt, wheel.take(20)], [3, [2]]);
});

test("DueWheel finds after a long sleep all that fell due meanwhile", () => {
  const wheel = new DueWheel<number>(0);
  for (let at = 0; at < 10_000; at += 7) wheel.put(new Expiry(at), at);
  assertEquals(wheel.take(1_000_000).length, Math.ceil(10_000 / 7));
  assertEquals([wheel.size, wheel.nextAt], [0, Infinity]);
});

test("DueWheel does what a sorted list does, whatever is put in, moved and taken out", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    const wheel = new DueWheel<number>(0);
    const expiries = Array.from({ length: 200 }, (_, index) => new Expiry(index));
    const due = new Map<number, number>();
    let now = 0;
    for (let step = 0; step < 20_000; step++) {
      const expiry = random.pick(expiries);
      const choice = random.below(10);
      if (choice < 5) {
        const dueAt = now + random.below(random.chance(0.1) ? 20_000 : 300);
        wheel.put(expiry, dueAt);
        due.set(expiry.value, dueAt);
      } else if (choice < 8) {
        wheel.remove(expiry);
        due.delete(expiry.value);
      } else {
        now += random.below(random.chance(0.02) ? 9_000 : 20);
        const expected = [...due].filter(([, at]) => at <= now).map(([index]) => index);
        assertEquals(wheel.take(now).sort(), expected.sort());
        for (const index of expected) due.delete(index);
      }
      assert(wheel.size === due.size);
      assertEquals(wheel.nextAt, Math.min(...due.values(), Infinity));
    }
  }));
