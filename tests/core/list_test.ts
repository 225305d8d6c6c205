import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { LinkedList, ListNode } from "../../src/core/list.ts";

function backwards<T>(list: LinkedList<T>): T[] {
  const values: T[] = [];
  for (let node = list.back; node; node = node.previous) values.push(node.value);
  return values;
}

function assertList<T>(list: LinkedList<T>, expected: readonly T[]): void {
  assertEquals([...list], [...expected]);
  assertEquals(backwards(list), [...expected].reverse());
  assertEquals(list.size, expected.length);
  assertEquals(list.front?.value, expected[0]);
  assertEquals(list.back?.value, expected.at(-1));
}

test("LinkedList goes from front to back, whichever end things were put in at", () => {
  const list = new LinkedList<number>();
  assertList(list, []);
  list.pushBack(new ListNode(2));
  list.pushBack(new ListNode(3));
  list.pushFront(new ListNode(1));
  assertList(list, [1, 2, 3]);
});

test("LinkedList.remove() takes a node out of the front, the midst and the back", () => {
  const list = new LinkedList<number>();
  const [a, b, c, d] = [1, 2, 3, 4].map((value) => new ListNode(value));
  assert(a && b && c && d);
  for (const node of [a, b, c, d]) list.pushBack(node);
  assert(list.remove(b));
  assertList(list, [1, 3, 4]);
  assert(list.remove(a));
  assertList(list, [3, 4]);
  assert(list.remove(d));
  assertList(list, [3]);
  assert(list.remove(c));
  assertList(list, []);
  for (const node of [a, b, c, d]) {
    assertEquals([node.list, node.previous, node.next], [undefined, undefined, undefined]);
  }
});

test("LinkedList.remove() is harmless to repeat, and for a node of another list", () => {
  const list = new LinkedList<number>();
  const other = new LinkedList<number>();
  const node = new ListNode(1);
  list.pushBack(node);
  assertFalse(other.remove(node));
  assertList(list, [1]);
  assert(list.remove(node));
  assertFalse(list.remove(node));
  other.pushFront(node);
  assertFalse(list.remove(node));
  assertList(other, [1]);
  assertStrictEquals(node.list, other);
});

test("LinkedList refuses a node that stands in a list already, and stays as it was", () => {
  const list = new LinkedList<number>();
  const other = new LinkedList<number>();
  const node = new ListNode(1);
  list.pushBack(node);
  for (const target of [list, other]) {
    assertThrows(() => target.pushFront(node), Error, "in a list already");
    assertThrows(() => target.pushBack(node), Error, "in a list already");
  }
  assertList(list, [1]);
  assertList(other, []);
});

test("LinkedList may be gone over while the node at hand is taken out, or put in another list", () => {
  const list = new LinkedList<number>();
  const other = new LinkedList<number>();
  const nodes = [1, 2, 3, 4].map((value) => new ListNode(value));
  for (const node of nodes) list.pushBack(node);
  const seen: number[] = [];
  for (const value of list) {
    seen.push(value);
    const node = nodes[value - 1];
    if (!node || value === 3) continue;
    list.remove(node);
    other.pushFront(node);
  }
  assertEquals(seen, [1, 2, 3, 4]);
  assertList(list, [3]);
  assertList(other, [4, 2, 1]);
});

test("LinkedList does as an array would, whatever is done to it", () => {
  const act = fc.tuple(fc.constantFrom("front", "back", "remove"), fc.nat(7), fc.boolean());
  fc.assert(fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
    const nodes = Array.from({ length: 8 }, (_, value) => new ListNode(value));
    const lists = [new LinkedList<number>(), new LinkedList<number>()] as const;
    const models: [number[], number[]] = [[], []];
    for (const [what, value, second] of acts) {
      const node = nodes[value];
      const list = lists[second ? 1 : 0];
      const model = models[second ? 1 : 0];
      if (!node) continue;
      const free = models.every((model) => !model.includes(value));
      if (what === "remove") {
        assertEquals(list.remove(node), model.includes(value));
        if (model.includes(value)) model.splice(model.indexOf(value), 1);
      } else if (!free) assertThrows(() => list.pushFront(node));
      else if (what === "front") {
        list.pushFront(node);
        model.unshift(value);
      } else {
        list.pushBack(node);
        model.push(value);
      }
      assertList(lists[0], models[0]);
      assertList(lists[1], models[1]);
    }
  }));
});
