import { assertEquals } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { type Due, DueList } from "../../src/core/due_list.ts";

interface Item extends Due {
  readonly name: number;
}

test("DueList gives what falls due next, whatever was put in, moved and taken out", () => {
  const change = fc.record({
    name: fc.nat(30),
    dueAt: fc.oneof(fc.nat(50), fc.constant(Infinity)),
    remove: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
    const list = new DueList<Item>();
    const items = Array.from({ length: 31 }, (_, name): Item => ({ name, dueAt: 0, place: -1 }));
    const expected = new Map<number, number>();
    for (const { dueAt, name, remove } of changes) {
      if (remove) {
        list.remove(items[name]!);
        expected.delete(name);
      } else {
        list.put(items[name]!, dueAt);
        expected.set(name, dueAt);
      }
      assertEquals(list.size, expected.size);
      assertEquals(
        list.next?.dueAt,
        expected.size === 0 ? undefined : Math.min(...expected.values()),
      );
    }
    const drained: number[] = [];
    for (let item = list.next; item; item = list.next) {
      assertEquals(item.dueAt, expected.get(item.name));
      drained.push(item.dueAt);
      list.remove(item);
      assertEquals(item.place, -1);
    }
    assertEquals(drained, [...expected.values()].sort((a, b) => a - b));
  }));
});

test("DueList.clear() takes everything out, and what was in can be put in again", () => {
  const list = new DueList<Due>();
  const items = [3, 1, 2].map((): Due => ({ dueAt: 0, place: -1 }));
  items.forEach((item, i) => list.put(item, i));
  list.clear();
  assertEquals([list.size, list.next, items.map(({ place }) => place)], [
    0,
    undefined,
    [-1, -1, -1],
  ]);
  list.put(items[2]!, 5);
  assertEquals(list.next, items[2]);
});
