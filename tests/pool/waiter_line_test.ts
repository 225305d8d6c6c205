import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import test from "node:test";
import { type Settle, Waiter } from "../../src/pool/host/waiter.ts";
import { WaiterLine } from "../../src/pool/host/waiter_line.ts";

const nobody: Settle = () => {};

/** Since when those who stand in a line have waited: their names here. */
function names(line: WaiterLine<null>): number[] {
  return Array.from(line, ({ since }) => since);
}

/** Puts somebody at the end whose name is a number: a caller with wishes where it is odd. */
function come(line: WaiterLine<null>, name: number): void {
  if (name % 2 === 0) line.push(() => {}, name);
  else line.enter(new Waiter(null, name, nobody));
}

function lineOf(count: number): WaiterLine<null> {
  const line = new WaiterLine(null);
  for (let name = 0; name < count; name++) come(line, name);
  return line;
}

test("WaiterLine.remove() takes one out of the front, the midst and the end, once", () => {
  const line = lineOf(4);
  const [a, b, c, d] = [...line] as [Waiter<null>, Waiter<null>, Waiter<null>, Waiter<null>];
  assert(line.remove(b));
  assertFalse(line.remove(b));
  assertEquals([names(line), line.front, line.since, line.size], [[0, 2, 3], a, 0, 3]);
  assert(line.remove(a));
  assert(line.remove(d));
  assertEquals([names(line), line.front, line.since, line.size], [[2], c, 2, 1]);
  assertFalse(new WaiterLine(null).remove(c));
  assert(line.remove(c));
  assertEquals([names(line), line.front, line.since, line.size], [[], undefined, Infinity, 0]);
});

test("WaiterLine.shift() takes out who wants nothing and was never looked at, with its own promise", () => {
  const line = new WaiterLine(null);
  const settles = [() => {}, () => {}, () => {}];
  for (const [name, settle] of settles.entries()) line.push(settle, name);
  assertEquals([line.takesAny, line.shift()], [true, settles[0]]);
  const second = line.front!;
  assertEquals([line.takesAny, line.shift(), line.front], [true, undefined, second]);
  assert(line.remove(second));
  assertEquals([line.shift(), line.size, line.takesAny], [settles[2], 0, false]);
  assertEquals(line.shift(), undefined);
});

test("WaiterLine.after() goes past as many from the front, gaps not counted, and looks at none of them", () => {
  const line = new WaiterLine(null);
  const settles = Array.from({ length: 4 }, () => () => {});
  for (const [name, settle] of settles.entries()) line.push(settle, name);
  const left = new Waiter(null, 4, nobody);
  line.enter(left);
  come(line, 6);
  assert(line.remove(left));
  assertEquals(Array.from(line.after(3), ({ since }) => since), [3, 6]);
  assertEquals(Array.from(line.after(9)), []);
  assertEquals([line.shift(), line.shift(), line.shift()], settles.slice(0, 3));
  assertEquals(line.shift(), undefined);
});

test("WaiterLine may be gone over while those on it leave and others come, and is tidied afterwards", () => {
  const line = lineOf(3_000);
  const all = [...line];
  const seen: number[] = [];
  for (const { since } of line) {
    seen.push(since);
    for (const waiter of all.slice(since, since + 10)) line.remove(waiter);
    for (let more = 0; more < 3; more++) come(line, 3_000 + seen.length);
  }
  assertEquals(seen, Array.from({ length: 300 }, (_, at) => at * 10));
  assertEquals([line.size, line.since], [900, 3_001]);
  come(line, 9_000);
  assertEquals([line.size, line.since, names(line).length], [901, 3_001, 901]);
});

test("WaiterLine does as an array would, whatever is done to it", () => {
  const what = fc.constantFrom("push", "push", "remove", "leave", "serve", "look");
  const act = fc.tuple(what, fc.nat(3_000));
  fc.assert(
    fc.property(fc.nat(3_000), fc.array(act, { maxLength: 60 }), (count, acts) => {
      const line = lineOf(count);
      const waiting = Array.from({ length: count }, (_, name) => name);
      let next = count;
      for (const [what, number] of acts) {
        if (what === "push") {
          for (let more = 0; more <= number; more += 10) {
            waiting.push(next);
            come(line, next++);
          }
        } else if (what === "serve") {
          for (let left = number; left > 0 && line.shift(); left--) waiting.shift();
        } else if (what === "look") {
          const waiter = line.front;
          assertEquals(waiter?.since, waiting[0]);
          assert(!waiter || line.has(waiter));
        } else {
          const from = what === "leave" ? 0 : number;
          const gone = waiting.splice(from, what === "leave" ? number : 1);
          const all = gone.length > 0 ? [...line] : [];
          for (const waiter of all.slice(from, from + gone.length)) assert(line.remove(waiter));
        }
      }
      assertEquals(names(line), waiting);
      assertEquals([line.front?.since, line.size], [waiting[0], waiting.length]);
    }),
    { numRuns: 40 },
  );
});

test("WaiterLine keeps its order by place, however often its gaps are closed", () => {
  const line = new WaiterLine<null>(null);
  let name = 0;
  for (let round = 0; round < 4; round++) {
    const places: number[] = [];
    for (let i = 0; i < 5_000; i++) {
      const waiter = new Waiter<null>(null, name++, nobody);
      line.enter(waiter);
      places.push(waiter.place);
      const first = line.front!;
      if (line.size > 3) line.remove(first);
      assert(first.place <= waiter.place, `${first.place} is before ${waiter.place}`);
    }
    assertEquals(places, [...places].sort((a, b) => a - b));
  }
});
