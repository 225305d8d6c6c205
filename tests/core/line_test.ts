import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { Line, type Placed } from "../../src/core/line.ts";

class Item implements Placed {
  place = -1;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

function names(line: Line<Item>): number[] {
  return Array.from(line, ({ name }) => name);
}

function lineOf(count: number): readonly [Line<Item>, Item[]] {
  const line = new Line<Item>();
  const items = Array.from({ length: count }, (_, name) => new Item(name));
  for (const item of items) line.push(item);
  return [line, items];
}

test("Line.remove() takes one out of the front, the midst and the end, once", () => {
  const [line, items] = lineOf(4);
  const [a, b, , d] = items as [Item, Item, Item, Item];
  assert(line.remove(b));
  assertFalse(line.remove(b));
  assertEquals([names(line), line.front, line.size], [[0, 2, 3], a, 3]);
  assert(line.remove(a));
  assert(line.remove(d));
  assertEquals([names(line), line.front?.name, line.size], [[2], 2, 1]);
  assertFalse(new Line<Item>().remove(items[2]!));
  assert(line.remove(items[2]!));
  assertEquals([names(line), line.front, line.size], [[], undefined, 0]);
});

test("Line may be gone over while those on it leave and others come, as often as it is tidied", () => {
  const [line, items] = lineOf(3_000);
  const seen: number[] = [];
  for (const { name } of line) {
    seen.push(name);
    for (const item of items.slice(name, name + 10)) line.remove(item);
    for (let more = 0; more < 3; more++) line.push(new Item(3_000 + seen.length));
  }
  assertEquals(seen, Array.from({ length: 300 }, (_, at) => at * 10));
  assertEquals([line.size, line.front?.name], [900, 3_001]);
});

test("Line does as an array would, whatever is done to it", () => {
  const act = fc.tuple(fc.constantFrom("push", "push", "remove", "leave"), fc.nat(3_000));
  fc.assert(
    fc.property(fc.nat(3_000), fc.array(act, { maxLength: 60 }), (count, acts) => {
      const [line, items] = lineOf(count);
      for (const [what, number] of acts) {
        if (what === "push") {
          for (let more = 0; more <= number; more += 10) {
            items.push(new Item(number + more));
            line.push(items.at(-1)!);
          }
          continue;
        }
        const from = what === "leave" ? 0 : number;
        for (const item of items.splice(from, what === "leave" ? number : 1)) line.remove(item);
      }
      assertEquals(names(line), items.map(({ name }) => name));
      assertEquals([line.front, line.size], [items[0], items.length]);
    }),
    { numRuns: 40 },
  );
});
