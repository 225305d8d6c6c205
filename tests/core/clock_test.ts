import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertNotEquals,
} from "@std/assert";
import test from "node:test";
import { memorySocket } from "../../adapters/memory.ts";
import { ManualClock, setDeadline, systemClock } from "../../src/core/clock.ts";
import { Connection } from "../../src/map/connection.ts";

test("ManualClock.advance() fires timers in the order of their time, then of their setting", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name} at ${clock.now() - 1_000_000}`);
  clock.setTimer(note("late"), 20);
  clock.setTimer(note("first of two"), 10);
  clock.setTimer(note("second of two"), 10);
  clock.setTimer(note("at once"), 0);
  clock.setTimer(note("overdue"), -5);
  assertEquals(fired, []);
  clock.advance(0);
  assertEquals(fired, ["at once at 0", "overdue at 0"]);
  clock.advance(19);
  clock.advance(1);
  assertEquals(fired.slice(2), ["first of two at 10", "second of two at 10", "late at 20"]);
  assertEquals(clock.timers, 0);
  assertEquals(clock.now(), 1_000_020);
});

test("ManualClock.advance() fires what is set on the way, where it falls due on the way", () => {
  const clock = new ManualClock();
  const fired: number[] = [];
  const again = () => {
    fired.push(clock.now() - 1_000_000);
    clock.setTimer(again, 10);
  };
  clock.setTimer(again, 10);
  clock.advance(35);
  assertEquals(fired, [10, 20, 30]);
  assertEquals(clock.now(), 1_000_035);
  assertEquals(clock.timers, 1);
});

test("a timer of ManualClock that is cancelled never fires, whoever cancels it and how often", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const cancelled = clock.setTimer(() => fired.push("cancelled"), 5);
  cancelled.cancel();
  cancelled.cancel();
  const neighbour = clock.setTimer(() => fired.push("neighbour"), 10);
  const own = clock.setTimer(() => {
    fired.push("own");
    own.cancel();
    neighbour.cancel();
  }, 10);
  // It was set first, so it has fired by the time it is cancelled.
  clock.advance(10);
  assertEquals(fired, ["neighbour", "own"]);
  const never = clock.setTimer(() => fired.push("never"), 20);
  clock.setTimer(() => never.cancel(), 20 - 1);
  clock.advance(100);
  assertEquals(fired, ["neighbour", "own"]);
  clock.setTimer(() => fired.push("endless"), Infinity);
  clock.advance(1e12);
  assertEquals(clock.timers, 1);
});

test("ManualClock.now() never goes back, not even by a callback that advances it", () => {
  const clock = new ManualClock(1, 0);
  const fired: number[] = [];
  clock.setTimer(() => clock.advance(100), 10);
  clock.setTimer(() => fired.push(clock.now()), 50);
  clock.advance(20);
  assertEquals(clock.now(), 110);
  assertEquals(fired, [50]);
  clock.advance(-50);
  assertEquals(clock.now(), 110);
});

test("ManualClock.random() repeats with its seed, spreads over 0 to 1, and is never 1", () => {
  const draw = (seed: number) => {
    const clock = new ManualClock(seed);
    return Array.from({ length: 10_000 }, () => clock.random());
  };
  const numbers = draw(7);
  assertEquals(draw(7), numbers);
  // The same on every machine: a seed that failed on one fails on all.
  assertEquals(draw(1).slice(0, 3).map((number) => number * 2 ** 32), [
    1580013426,
    350525680,
    3524174333,
  ]);
  assertNotEquals(draw(8), numbers);
  const tenths = new Array<number>(10).fill(0);
  for (const number of numbers) {
    assertGreaterOrEqual(number, 0);
    assertLess(number, 1);
    tenths[Math.floor(number * 10)]! += 1;
  }
  for (const count of tenths) assert(count > 850 && count < 1_150, String(tenths));
});

test("ManualClock.shiftWall() moves the wall clock alone (trap 17)", () => {
  const clock = new ManualClock(1, 5_000);
  let fired = 0;
  clock.setTimer(() => fired++, 100);
  clock.shiftWall(1_000);
  assertEquals([clock.now(), clock.wallNow(), fired], [5_000, 6_000, 0]);
  clock.shiftWall(-3_000);
  clock.advance(100);
  assertEquals([clock.now(), clock.wallNow(), fired], [5_100, 3_100, 1]);
});

function connect(clock: ManualClock): Connection {
  const socket = memorySocket();
  return new Connection({ host: "example.com", address: "192.0.2.1", socket, clock });
}

function unused(connection: Connection, clock: ManualClock): number {
  return connection.unusedMs(clock.now(), clock.wallNow());
}

test("Connection.unusedMs() counts the time that the machine slept (trap 17)", () => {
  const clock = new ManualClock();
  const connection = connect(clock);
  clock.advance(1_000);
  assertEquals(unused(connection, clock), 1_000);
  clock.shiftWall(3_600_000);
  assertEquals(unused(connection, clock), 3_601_000);
  connection.beginLease(clock.now());
  connection.endLease(clock.now(), clock.wallNow());
  assertEquals(unused(connection, clock), 0);
  connection.destroy();
});

test("Connection.unusedMs() is not misled by a wall clock that was set back (trap 17)", () => {
  const clock = new ManualClock();
  const connection = connect(clock);
  clock.shiftWall(-3_600_000);
  assertEquals(unused(connection, clock), 0);
  clock.advance(2_000);
  assertEquals(unused(connection, clock), 2_000);
  // What is used while the clock is wrong has its time measured from there.
  connection.beginLease(clock.now());
  connection.endLease(clock.now(), clock.wallNow());
  clock.advance(500);
  assertEquals(unused(connection, clock), 500);
  connection.destroy();
});

test("setDeadline() calls back when what has come was read, and not at all where that settled it", () => {
  const unread: (() => void)[] = [];
  const afterReading = (callback: () => void) => void unread.push(callback);
  const clock = Object.assign(new ManualClock(), { afterReading });
  let fired = 0;
  setDeadline(clock, () => fired++, 100);
  const settled = setDeadline(clock, () => fired++, 100);
  setDeadline(clock, () => fired++, 100).cancel();
  clock.advance(100);
  assertEquals([fired, unread.length], [0, 2]);
  settled.cancel();
  for (const callback of unread) callback();
  assertEquals([fired, clock.timers], [1, 0]);
});

test("setDeadline() calls back on a clock that reads nothing", () => {
  const clock = new ManualClock();
  let fired = 0;
  setDeadline(clock, () => fired++, 100);
  clock.advance(100);
  assertEquals(fired, 1);
});

test("systemClock tells milliseconds since 1970 and a chance from 0 to 1", () => {
  const before = systemClock.now();
  assertLess(Math.abs(before - Date.now()), 60_000);
  assertGreaterOrEqual(systemClock.now(), before);
  assertLess(Math.abs(systemClock.wallNow() - Date.now()), 60_000);
  const chance = systemClock.random();
  assert(chance >= 0 && chance < 1);
});

/** What `systemClock.setTimer` asks of the runtime. */
function spyOnTimers(run: () => void): { delays: number[]; unrefs: number; cleared: number } {
  const { clearTimeout, setTimeout } = globalThis;
  const seen = { delays: [] as number[], unrefs: 0, cleared: 0 };
  globalThis.setTimeout = ((_callback: () => void, delay: number) => {
    seen.delays.push(delay);
    return { unref: () => seen.unrefs++ };
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = (() => void seen.cleared++) as typeof clearTimeout;
  try {
    run();
  } finally {
    Object.assign(globalThis, { clearTimeout, setTimeout });
  }
  return seen;
}

test("systemClock.setTimer() keeps the program alive only where it is told to (trap 18)", () => {
  const seen = spyOnTimers(() => {
    systemClock.setTimer(() => {}, 1_000);
    systemClock.setTimer(() => {}, 1_000, false);
    systemClock.setTimer(() => {}, 1_000, true).cancel();
  });
  assertEquals(seen, { delays: [1_000, 1_000, 1_000], unrefs: 2, cleared: 1 });
});

test("systemClock.setTimer() never asks for a delay that the runtimes would take for none", () => {
  // Beyond 2 ** 31 - 1 ms they would fire at once.
  const seen = spyOnTimers(() => {
    for (const delay of [2 ** 31, 1e15, Infinity, -1, -Infinity]) {
      systemClock.setTimer(() => {}, delay);
    }
  });
  const longest = 2 ** 31 - 1;
  assertEquals(seen.delays, [longest, longest, longest, 0, 0]);
});

test("systemClock.setTimer() calls back once, and not at all where it is cancelled", async () => {
  let fired = 0;
  systemClock.setTimer(() => fired += 10, 0, true).cancel();
  const timer = await new Promise<ReturnType<typeof systemClock.setTimer>>((resolve) => {
    const timer = systemClock.setTimer(
      () => {
        fired++;
        resolve(timer);
      },
      1,
      true,
    );
  });
  timer.cancel();
  assertEquals(fired, 1);
});
