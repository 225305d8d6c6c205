import {
  assert,
  assertEquals,
  assertExists,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { LockTimeoutError } from "../../src/core/errors.ts";
import { type LockGuard, type LockMode, RwLock } from "../../src/core/lock.ts";
import type { WaitOptions } from "../../src/core/wait.ts";
import { CountedController } from "../support/signals.ts";
import { turns } from "../support/turns.ts";

/** Callers of one lock, by name: who holds it, who was refused, and in which order. */
class Callers {
  readonly clock = new ManualClock();
  readonly lock = new RwLock(this.clock);
  readonly log: string[] = [];
  readonly #guards = new Map<string, LockGuard>();

  enter(name: string, mode: LockMode, options?: WaitOptions): void {
    const entering = mode === "shared" ? this.lock.shared(options) : this.lock.exclusive(options);
    entering.then(
      (guard) => {
        this.#guards.set(name, guard);
        this.log.push(name);
      },
      (reason) => this.log.push(`${name} refused: ${reason}`),
    );
  }

  /** Lets a caller go, and whoever may come in by that. */
  async leave(name: string): Promise<void> {
    const guard = this.#guards.get(name);
    assertExists(guard, `${name} does not hold the lock`);
    this.#guards.delete(name);
    guard.release();
    await turns();
  }

  async entered(...names: string[]): Promise<void> {
    await turns();
    assertEquals(this.log.splice(0), names);
  }
}

function assertFree(lock: RwLock): void {
  assertEquals([lock.readers, lock.writing, lock.waiting], [0, false, 0]);
}

test("RwLock is held shared by many at once, and nobody can have it alone meanwhile", async () => {
  const callers = new Callers();
  const { lock } = callers;
  callers.enter("r1", "shared");
  callers.enter("r2", "shared");
  await callers.entered("r1", "r2");
  assertEquals([lock.readers, lock.writing, lock.waiting], [2, false, 0]);
  assertEquals(lock.tryExclusive(), undefined);
  callers.enter("w", "exclusive");
  assertEquals(lock.waiting, 1);
  await callers.leave("r1");
  await callers.entered();
  await callers.leave("r2");
  await callers.entered("w");
  assertEquals([lock.readers, lock.writing, lock.waiting], [0, true, 0]);
  await callers.leave("w");
  assertFree(lock);
});

test("RwLock is held alone by one, and nobody can have it in any way meanwhile", async () => {
  const callers = new Callers();
  const { lock } = callers;
  callers.enter("w1", "exclusive");
  callers.enter("w2", "exclusive");
  callers.enter("r", "shared");
  await callers.entered("w1");
  assertEquals(lock.tryShared(), undefined);
  assertEquals(lock.tryExclusive(), undefined);
  await callers.leave("w1");
  await callers.entered("w2");
  await callers.leave("w2");
  await callers.entered("r");
  await callers.leave("r");
  assertFree(lock);
});

test("RwLock serves first come first, readers between two writers together", async () => {
  const callers = new Callers();
  callers.enter("w1", "exclusive");
  for (const name of ["r1", "r2", "w2", "r3", "r4", "r5", "w3", "w4", "r6"]) {
    callers.enter(name, name.startsWith("r") ? "shared" : "exclusive");
  }
  await callers.entered("w1");
  await callers.leave("w1");
  await callers.entered("r1", "r2");
  await callers.leave("r2");
  await callers.entered();
  await callers.leave("r1");
  await callers.entered("w2");
  await callers.leave("w2");
  await callers.entered("r3", "r4", "r5");
  for (const name of ["r4", "r3", "r5"]) await callers.leave(name);
  await callers.entered("w3");
  await callers.leave("w3");
  await callers.entered("w4");
  await callers.leave("w4");
  await callers.entered("r6");
  await callers.leave("r6");
  assertFree(callers.lock);
});

test("RwLock starves no writer: readers that come after one wait behind it", async () => {
  const callers = new Callers();
  callers.enter("r0", "shared");
  callers.enter("w", "exclusive");
  for (let i = 1; i <= 50; i++) {
    callers.enter(`r${i}`, "shared");
    assertEquals(callers.lock.tryShared(), undefined);
  }
  await callers.entered("r0");
  assertEquals(callers.lock.waiting, 51);
  await callers.leave("r0");
  await callers.entered("w");
  await callers.leave("w");
  assertEquals(callers.lock.readers, 50);
  assertEquals(callers.lock.waiting, 0);
});

test("RwLock starves no reader: writers that come after one wait behind it", async () => {
  const callers = new Callers();
  callers.enter("w0", "exclusive");
  callers.enter("r", "shared");
  for (let i = 1; i <= 5; i++) callers.enter(`w${i}`, "exclusive");
  await callers.entered("w0");
  await callers.leave("w0");
  await callers.entered("r");
});

test("RwLock is had without waiting where nobody is in the way", async () => {
  const lock = new RwLock(new ManualClock());
  const first = lock.tryShared();
  const second = lock.tryShared();
  assertExists(first);
  assertExists(second);
  assertEquals(first.mode, "shared");
  assertEquals(lock.tryExclusive(), undefined);
  first.release();
  assertEquals(lock.tryExclusive(), undefined);
  second.release();
  const writer = lock.tryExclusive();
  assertExists(writer);
  assertEquals(writer.mode, "exclusive");
  writer.release();
  assertFree(lock);
  // Held from the very call, not only from the next turn on.
  const entering = lock.exclusive();
  assert(lock.writing);
  (await entering).release();
  assertFree(lock);
});

test("RwLock.tryShared() and tryExclusive() never jump the queue", async () => {
  const callers = new Callers();
  const { lock } = callers;
  const reader = lock.tryShared();
  assertExists(reader);
  callers.enter("w", "exclusive");
  assertEquals(lock.tryShared(), undefined);
  reader.release();
  // The writer has it from this moment, although it has not heard of it yet.
  assert(lock.writing);
  assertEquals(lock.tryShared(), undefined);
  assertEquals(lock.tryExclusive(), undefined);
  await callers.entered("w");
  await callers.leave("w");
});

test("a wait for RwLock that is aborted ends with the signal's reason, and leaves the queue", async () => {
  for (const mode of ["shared", "exclusive"] as const) {
    const callers = new Callers();
    const { lock } = callers;
    const controller = new CountedController();
    callers.enter("w", "exclusive");
    const entering = mode === "shared"
      ? lock.shared({ signal: controller.signal, timeoutMs: 1_000 })
      : lock.exclusive({ signal: controller.signal, timeoutMs: 1_000 });
    assertEquals([lock.waiting, controller.listeners, callers.clock.timers], [1, 1, 1]);
    const reason = new Error("enough");
    controller.abort(reason);
    assertStrictEquals(await assertRejects(() => entering), reason);
    assertEquals([lock.waiting, controller.listeners, callers.clock.timers], [0, 0, 0]);
    await callers.entered("w");
    await callers.leave("w");
    assertFree(lock);
  }
});

test("a wait for RwLock that lasts too long ends with LockTimeoutError, and leaves the queue", async () => {
  for (const mode of ["shared", "exclusive"] as const) {
    const callers = new Callers();
    const { lock } = callers;
    const controller = new CountedController();
    callers.enter("w", "exclusive");
    const options = { signal: controller.signal, timeoutMs: 250 };
    const entering = mode === "shared" ? lock.shared(options) : lock.exclusive(options);
    callers.clock.advance(249);
    assertEquals(lock.waiting, 1);
    callers.clock.advance(1);
    assertEquals([lock.waiting, controller.listeners, callers.clock.timers], [0, 0, 0]);
    const error = await assertRejects(() => entering, LockTimeoutError, `${mode} within 250 ms`);
    assertEquals(error.code, "HOTCONN_LOCK_TIMEOUT");
    await callers.entered("w");
    await callers.leave("w");
    assertFree(lock);
  }
});

test("RwLock refuses a signal that has aborted, even where it is free", async () => {
  const lock = new RwLock(new ManualClock());
  const signal = AbortSignal.abort("beforehand");
  for (const entering of [lock.shared({ signal }), lock.exclusive({ signal })]) {
    assertEquals(await assertRejects(() => entering), "beforehand");
  }
  assertFree(lock);
});

test("RwLock takes its listener and timer off where it is had at once, and where it was waited for", async () => {
  const callers = new Callers();
  const { clock, lock } = callers;
  const controller = new CountedController();
  const options = { signal: controller.signal, timeoutMs: 1_000 };
  callers.enter("r", "shared", options);
  assertEquals([controller.listeners, clock.timers], [0, 0]);
  callers.enter("w", "exclusive", options);
  assertEquals([controller.listeners, clock.timers], [1, 1]);
  await callers.entered("r");
  await callers.leave("r");
  await callers.entered("w");
  assertEquals([controller.listeners, clock.timers], [0, 0]);
  // Once it is had, neither takes it away.
  controller.abort();
  clock.advance(5_000);
  await callers.entered();
  assert(lock.writing);
  await callers.leave("w");
});

test("a writer that gives up lets the readers behind it in", async () => {
  for (const how of ["abort", "timeout"] as const) {
    const callers = new Callers();
    const { clock, lock } = callers;
    const controller = new AbortController();
    callers.enter("r1", "shared");
    callers.enter("w1", "exclusive", { signal: controller.signal, timeoutMs: 1_000 });
    callers.enter("r2", "shared");
    callers.enter("r3", "shared");
    callers.enter("w2", "exclusive");
    callers.enter("r4", "shared");
    await callers.entered("r1");
    if (how === "abort") controller.abort("enough");
    else clock.advance(1_000);
    const reason = how === "abort"
      ? "enough"
      : "LockTimeoutError: The lock was not to be had exclusive within 1000 ms";
    await turns();
    assertEquals(callers.log.splice(0).sort(), ["r2", "r3", `w1 refused: ${reason}`]);
    assertEquals([lock.readers, lock.waiting], [3, 2]);
    for (const name of ["r1", "r2", "r3"]) await callers.leave(name);
    await callers.entered("w2");
    await callers.leave("w2");
    await callers.entered("r4");
  }
});

test("a reader or writer that gives up in the middle of the queue changes nobody's turn", async () => {
  const callers = new Callers();
  const controller = new AbortController();
  callers.enter("w1", "exclusive");
  callers.enter("r1", "shared");
  callers.enter("w2", "exclusive", { signal: controller.signal });
  callers.enter("r2", "shared", { signal: controller.signal });
  callers.enter("w3", "exclusive");
  callers.enter("r3", "shared");
  controller.abort("enough");
  await callers.entered("w1", "w2 refused: enough", "r2 refused: enough");
  assertEquals(callers.lock.waiting, 3);
  await callers.leave("w1");
  await callers.entered("r1");
  await callers.leave("r1");
  await callers.entered("w3");
  await callers.leave("w3");
  await callers.entered("r3");
});

test("one abort that ends many waits leaves none of them waiting, and lets in who stood behind", async () => {
  const callers = new Callers();
  const controller = new CountedController();
  const { signal } = controller;
  callers.enter("r1", "shared");
  callers.enter("w", "exclusive", { signal });
  callers.enter("r2", "shared", { signal });
  callers.enter("r3", "shared");
  await callers.entered("r1");
  controller.abort("all");
  await turns();
  // The writer's end may let the reader behind it in before its own end comes: then it holds.
  const { lock } = callers;
  assertEquals([lock.waiting, controller.listeners], [0, 0]);
  assert(callers.log.includes("r3"));
  assertEquals(lock.readers, callers.log.includes("r2") ? 3 : 2);
  assertEquals(callers.log.length, 3);
});

test("a guard is released by the end of the block that is using it", async () => {
  const lock = new RwLock(new ManualClock());
  {
    using reader = await lock.shared();
    assertEquals(reader.mode, "shared");
    assertEquals(lock.readers, 1);
  }
  assertFree(lock);
  await assertRejects(
    async () => {
      using _writer = await lock.exclusive();
      assert(lock.writing);
      throw new RangeError("in the midst");
    },
    RangeError,
    "in the midst",
  );
  assertFree(lock);
});

test("releasing a guard twice frees nobody else's hold", async () => {
  const callers = new Callers();
  const { lock } = callers;
  const first = await lock.shared();
  callers.enter("r", "shared");
  callers.enter("w1", "exclusive");
  first.release();
  first.release();
  first[Symbol.dispose]();
  await callers.entered("r");
  assertEquals([lock.readers, lock.writing], [1, false]);
  await callers.leave("r");
  await callers.entered("w1");
  first.release();
  assert(lock.writing);
  await callers.leave("w1");
  const writer = lock.tryExclusive();
  assertExists(writer);
  writer.release();
  const second = lock.tryExclusive();
  assertExists(second);
  writer.release();
  assert(lock.writing);
  assertFalse(lock.tryShared() !== undefined);
  second.release();
  assertFree(lock);
});

test("a lock that was waited for is held from its release on, before the waiter's turn comes", async () => {
  const lock = new RwLock(new ManualClock());
  const writer = await lock.exclusive();
  const entering = [lock.shared(), lock.shared()];
  writer.release();
  assertEquals([lock.readers, lock.waiting], [2, 0]);
  for (const guard of await Promise.all(entering)) guard.release();
  assertFree(lock);
});

test("RwLock.holders() tells who holds it, how and since when", async () => {
  const clock = new ManualClock();
  const lock = new RwLock(clock);
  const since = clock.now();
  const first = lock.tryShared("first");
  clock.advance(5);
  const second = await lock.shared();
  const third = lock.exclusive({ name: "third" });
  assertEquals(lock.holders(), [
    { mode: "shared", name: "first", since },
    { mode: "shared", name: null, since: since + 5 },
  ]);
  first?.release();
  clock.advance(5);
  second.release();
  second.release();
  assertEquals(lock.holders(), [{ mode: "exclusive", name: "third", since: since + 10 }]);
  (await third).release();
  assertEquals(lock.holders(), []);
});

test("RwLock refuses a time to wait that is none, held or not", async () => {
  const lock = new RwLock();
  for (const held of [false, true]) {
    using _guard = held ? lock.tryExclusive() : undefined;
    for (const [timeoutMs, type] of [[NaN, TypeError], [-1, RangeError]] as const) {
      await assertRejects(() => lock.shared({ timeoutMs }), type, "timeoutMs");
      await assertRejects(() => lock.exclusive({ timeoutMs }), type, "timeoutMs");
    }
    assertEquals([lock.waiting, lock.readers, lock.writing], [0, 0, held]);
  }
});
