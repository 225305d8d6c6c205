import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { Deadlines, type Expiring } from "../../src/core/deadlines.ts";
import { ListNode } from "../../src/core/list.ts";
import { turns } from "../support/turns.ts";

interface Item extends Expiring {
  readonly name: number;
}

function item(name: number, dueAt: number): Item {
  const made: Item = {
    name,
    dueAt,
    place: -1,
    get dueNode() {
      return node;
    },
  };
  const node = new ListNode<Expiring>(made);
  return made;
}

function begin() {
  const clock = new ManualClock(1, 0);
  const expired: (readonly [name: number, at: number])[] = [];
  const deadlines = new Deadlines<Item>(clock, ({ name }) => expired.push([name, clock.now()]));
  return { clock, deadlines, expired };
}

test("Deadlines calls each one at its own deadline, in whatever order they came, and once", () => {
  const step = fc.record({ afterMs: fc.nat(5), forMs: fc.nat(40), leave: fc.nat(3) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { clock, deadlines, expired } = begin();
    const inside: Item[] = [];
    const expected: [number, number][] = [];
    steps.forEach(({ afterMs, forMs, leave }, name) => {
      clock.advance(afterMs);
      const made = item(name, clock.now() + forMs);
      deadlines.add(made);
      inside.push(made);
      const gone = leave === 0 ? inside[name >> 1]! : undefined;
      if (gone && deadlines.remove(gone)) expected.push([gone.name, -1]);
    });
    clock.advance(100);
    const left = new Set(expected.map(([name]) => name));
    for (const { dueAt, name } of inside) if (!left.has(name)) expected.push([name, dueAt]);
    const sorted = (pairs: readonly (readonly [number, number])[]) =>
      [...pairs].filter(([, at]) => at >= 0).sort(([a], [b]) => a - b);
    assertEquals(sorted(expired), sorted(expected));
    for (const made of inside) assert(!deadlines.remove(made));
  }));
});

test("Deadlines has one timer for all, and none a turn after the last one has left", async () => {
  const { clock, deadlines, expired } = begin();
  const items = Array.from({ length: 1_000 }, (_, name) => item(name, 1_000 + name % 7));
  for (const made of items) deadlines.add(made);
  assertEquals(clock.timers, 1);
  for (const made of items) deadlines.remove(made);
  await turns();
  assertEquals(clock.timers, 0);
  deadlines.add(items[0]!);
  deadlines.remove(items[0]!);
  deadlines.add(items[1]!);
  await turns();
  assertEquals(clock.timers, 1);
  clock.advance(2_000);
  assertEquals(expired, [[1, 1_001]]);
  await turns();
  assertEquals(clock.timers, 0);
});

test("Deadlines keeps the program alive for who has none, and never calls it", async () => {
  const { clock, deadlines, expired } = begin();
  const patient = item(0, Infinity);
  deadlines.add(patient);
  deadlines.add(item(1, 5));
  clock.advance(1_000_000);
  assertEquals(expired, [[1, 5]]);
  assertEquals(clock.timers, 1);
  deadlines.remove(patient);
  await turns();
  assertEquals(clock.timers, 0);
});
