import { assert, assertEquals, assertThrows } from "@std/assert";
import test from "node:test";
import { type Clock, ManualClock } from "../../src/core/clock.ts";
import { DueWheel, Expiry } from "../../src/core/due_wheel.ts";
import { Random, withSeed } from "../support/random.ts";
import { turns } from "../support/turns.ts";

function begin(holds = false) {
  const clock = new ManualClock(1, 1_000);
  const due: (readonly [name: number, at: number])[] = [];
  const wheel = new DueWheel<number>(clock, (name, now) => due.push([name, now]), holds);
  return { clock, due, wheel };
}

/** A clock whose time goes on by itself, too, as while a program works, stands still or sleeps. */
function aheadBy(clock: ManualClock, aheadMs: () => number): Clock {
  return {
    now: () => clock.now() + aheadMs(),
    wallNow: () => clock.wallNow(),
    random: () => clock.random(),
    setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
  };
}

test("DueWheel calls each one when it is due, and those further ahead than its turn", () => {
  const { clock, due, wheel } = begin();
  wheel.put(new Expiry(2), 1_006);
  wheel.put(new Expiry(1), 1_005);
  wheel.put(new Expiry(3), 11_005);
  assertEquals([wheel.size, clock.timers], [3, 1]);
  clock.advance(4);
  assertEquals(due, []);
  clock.advance(20_000);
  assertEquals(due, [[1, 1_005], [2, 1_006], [3, 11_005]]);
  assertEquals([wheel.size, clock.timers], [0, 0]);
});

test("DueWheel moves what is put in again, and calls at once what is due when it comes", () => {
  const { clock, due, wheel } = begin();
  const one = new Expiry(1);
  const two = new Expiry(2);
  wheel.put(one, 1_010);
  wheel.put(two, 1_010);
  wheel.put(one, 1_020);
  assertEquals([wheel.remove(two), wheel.remove(two), wheel.size], [true, false, 1]);
  clock.advance(50);
  wheel.put(two, 1_003);
  clock.advance(0);
  assertEquals(due, [[1, 1_020], [2, 1_050]]);
});

test("DueWheel may be changed by those it calls", () => {
  const clock = new ManualClock(1, 0);
  const called: string[] = [];
  const [one, two, three] = ["one", "two", "three"].map((name) => new Expiry(name));
  const wheel: DueWheel<string> = new DueWheel(clock, (name, now) => {
    called.push(`${name} ${now}`);
    wheel.remove(two!);
    if (called.length === 1) wheel.put(one!, now);
  });
  for (const expiry of [one, two, three]) wheel.put(expiry!, 5);
  clock.advance(4);
  wheel.put(three!, 6);
  clock.advance(10);
  assertEquals([called, wheel.size], [["one 5", "one 5", "three 6"], 0]);
});

test("DueWheel goes on with the others where one that it calls throws", () => {
  const clock = new ManualClock(1, 0);
  const called: number[] = [];
  const wheel = new DueWheel<number>(clock, (name) => {
    called.push(name);
    if (name === 1) throw new Error("On purpose");
  });
  wheel.put(new Expiry(1), 5);
  wheel.put(new Expiry(2), 5);
  assertThrows(() => clock.advance(5), Error, "On purpose");
  clock.advance(0);
  assertEquals(called, [1, 2]);
});

test("DueWheel calls thousands that are due at once over several turns, in order", () => {
  const clock = new ManualClock(1, 0);
  let workedMs = 0;
  const working = aheadBy(clock, () => workedMs);
  const called: number[] = [];
  const wheel = new DueWheel<number>(working, (name) => {
    called.push(name);
    workedMs += 0.01;
  });
  const names = Array.from({ length: 2_000 }, (_, name) => name);
  const expiries = names.map((name) => new Expiry(name));
  for (const expiry of expiries) wheel.put(expiry, 5);
  // A timer of its own has its turn between them.
  const between: number[] = [];
  const look = () => {
    between.push(called.length);
    if (called.length < 1_999) clock.setTimer(look, 0);
  };
  clock.setTimer(look, 5);
  wheel.remove(expiries[1_999]!);
  clock.advance(5);
  assertEquals([called, wheel.size], [names.slice(0, 1_999), 0]);
  assert(between.length >= 4, `others had ${between.length} turns`);
  for (const [at, count] of between.entries()) {
    assert(count - (between[at - 1] ?? 0) <= 402, `${count} called by turn ${at}`);
  }
});

test("DueWheel goes on as soon as others have had their turn, where a clock tells when that is", () => {
  const clock = new ManualClock(1, 0);
  const next: (() => void)[] = [];
  let workedMs = 0;
  const working: Clock = {
    ...aheadBy(clock, () => workedMs),
    afterReading: (callback: () => void) => void next.push(callback),
  };
  const called: number[] = [];
  const wheel = new DueWheel<number>(working, (name) => {
    called.push(name);
    workedMs++;
  });
  const expiries = Array.from({ length: 12 }, (_, name) => new Expiry(name));
  for (const expiry of expiries) wheel.put(expiry, 5);
  wheel.put(new Expiry(12), 1_000);
  clock.advance(5);
  assertEquals([called.length, next.length, clock.timers], [4, 1, 0]);
  // Who comes meanwhile has a timer, which is of no use any more when the wheel has gone on.
  wheel.put(expiries[0]!, 20);
  assertEquals(clock.timers, 1);
  next.shift()!();
  assertEquals([called.length, next.length, clock.timers], [8, 1, 0]);
  next.shift()!();
  assertEquals([called.length, next.length, clock.timers], [12, 0, 1]);
  for (const expiry of expiries) wheel.put(expiry, working.now());
  clock.advance(0);
  assertEquals([called.length, next.length], [16, 1]);
  wheel.close();
  next.shift()!();
  assertEquals([called.length, next.length, clock.timers], [16, 0, 0]);
});

test("DueWheel finds after a long sleep all that fell due meanwhile, a turn after it woke", () => {
  const clock = new ManualClock(1, 0);
  let offset = 0;
  const due: number[] = [];
  const sleepy = aheadBy(clock, () => offset);
  const wheel = new DueWheel<number>(sleepy, (at) => due.push(at));
  for (let at = 7; at < 10_000; at += 7) wheel.put(new Expiry(at), at);
  offset = 1_000_000;
  clock.advance(7);
  assertEquals([due.length, wheel.size], [Math.floor(9_999 / 7), 0]);
});

test("DueWheel calls after the program stood still only what was due when it began to read", () => {
  const clock = new ManualClock(1, 0);
  let stoodStillMs = 0;
  let reads: (() => void)[] = [];
  const read = () => {
    const done = reads;
    reads = [];
    for (const callback of done) callback();
  };
  const due: number[] = [];
  const wheel = new DueWheel<number>({
    ...aheadBy(clock, () => stoodStillMs),
    afterReading: (callback) => void reads.push(callback),
  }, (at) => due.push(at));
  for (const at of [5, 300, 700]) wheel.put(new Expiry(at), at);
  stoodStillMs = 400;
  clock.advance(5);
  // It stands still again before anything is read.
  stoodStillMs = 800;
  clock.advance(1);
  assertEquals(due, []);
  read();
  assertEquals(due, [5, 300]);
  clock.advance(2);
  read();
  assertEquals([due, wheel.size, clock.timers], [[5, 300, 700], 0, 0]);
});

test("DueWheel takes no time that it reads in for a standstill, so that it catches up", () => {
  const clock = new ManualClock(1, 0);
  let aheadMs = 0;
  const reads: (() => void)[] = [];
  const due: number[] = [];
  const wheel = new DueWheel<number>({
    ...aheadBy(clock, () => aheadMs),
    afterReading: (callback) => void reads.push(callback),
  }, (at) => due.push(at));
  for (const at of [5, 13]) wheel.put(new Expiry(at), at);
  aheadMs = 7;
  clock.advance(5);
  assertEquals(due, []);
  // It reads from 12 to 16, and the timer for what fell due meanwhile is 3 ms late.
  clock.advance(4);
  reads.pop()!();
  assertEquals([due, reads.length], [[5], 0]);
  aheadMs += 3;
  clock.advance(0);
  assertEquals([due, reads.length, clock.timers], [[5, 13], 0, 0]);
});

test("DueWheel that holds has one timer for all, and none a turn after the last one left", async () => {
  const { clock, due, wheel } = begin(true);
  const items = Array.from({ length: 1_000 }, (_, name) => new Expiry(name));
  items.forEach((item, index) => wheel.put(item, 2_000 + index % 7));
  assertEquals(clock.timers, 1);
  for (const item of items) wheel.remove(item);
  await turns();
  assertEquals(clock.timers, 0);
  wheel.put(items[0]!, 2_000);
  wheel.remove(items[0]!);
  wheel.put(items[1]!, 2_001);
  await turns();
  assertEquals(clock.timers, 1);
  clock.advance(2_000);
  assertEquals(due, [[1, 2_001]]);
  await turns();
  assertEquals(clock.timers, 0);
});

test("DueWheel that holds keeps the program alive for what is never due, and never calls it", async () => {
  const { clock, due, wheel } = begin(true);
  const patient = new Expiry(0);
  wheel.put(patient, Infinity);
  assertEquals(clock.timers, 1);
  wheel.put(new Expiry(1), 1_005);
  clock.advance(1_000_000);
  assertEquals(due, [[1, 1_005]]);
  assertEquals(clock.timers, 1);
  wheel.remove(patient);
  await turns();
  assertEquals(clock.timers, 0);
});

test("DueWheel calls nobody after it was closed, whoever closes it", () => {
  const clock = new ManualClock(1, 0);
  const called: number[] = [];
  const wheel: DueWheel<number> = new DueWheel(clock, (name) => {
    called.push(name);
    wheel.close();
  });
  wheel.put(new Expiry(1), 5);
  wheel.put(new Expiry(2), 9);
  clock.advance(100);
  wheel.put(new Expiry(3), 101);
  clock.advance(100);
  assertEquals([called, clock.timers], [[1], 0]);
});

test("DueWheel does what a sorted list does, whatever is put in, moved and taken out", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    const { clock, due, wheel } = begin();
    const expiries = Array.from({ length: 200 }, (_, index) => new Expiry(index));
    const inside = new Map<number, number>();
    for (let step = 0; step < 5_000; step++) {
      const expiry = random.pick(expiries);
      const choice = random.below(10);
      if (choice < 5) {
        const dueAt = clock.now() + random.below(random.chance(0.1) ? 20_000 : 300);
        wheel.put(expiry, dueAt);
        inside.set(expiry.value, dueAt);
      } else if (choice < 8) {
        assertEquals(wheel.remove(expiry), inside.delete(expiry.value));
      } else {
        clock.advance(random.below(random.chance(0.02) ? 9_000 : 20));
        const expected = [...inside].filter(([, at]) => at <= clock.now());
        const byName = (one: readonly [number, number], two: readonly [number, number]) =>
          one[0] - two[0];
        assertEquals(due.splice(0).sort(byName), expected.sort(byName));
        for (const [name] of expected) inside.delete(name);
      }
      assert(wheel.size === inside.size);
      assert(clock.timers === (wheel.size > 0 ? 1 : clock.timers));
    }
  }));
