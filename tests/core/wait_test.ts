import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import test from "node:test";
import { ManualClock } from "../../src/core/clock.ts";
import { Wait, type WaitOptions } from "../../src/core/wait.ts";
import { CountedController } from "../support/signals.ts";
import { turns } from "../support/turns.ts";

interface Setting {
  readonly clock: ManualClock;
  readonly controller: CountedController;
  readonly wait: Wait<string>;
  /** What happened, in order. */
  readonly told: string[];
}

function begin(options: WaitOptions = {}): Setting {
  const clock = new ManualClock();
  const controller = new CountedController();
  const told: string[] = [];
  const wait = new Wait<string>(
    clock,
    { signal: controller.signal, timeoutMs: 1_000, ...options },
    () => told.push(`gave up, ${wait.settled ? "settled" : "not settled"}`),
    () => new RangeError(`at ${clock.now() - 1_000_000}`),
  );
  wait.promise.then(
    (value) => told.push(`resolved ${value}`),
    (reason) => told.push(`rejected ${reason}`),
  );
  return { clock, controller, wait, told };
}

function assertNothingLeft({ clock, controller, wait }: Setting): void {
  assert(wait.settled);
  assertEquals(clock.timers, 0);
  assertEquals(controller.listeners, 0);
}

test("Wait listens to its signal and sets its timer while it lasts", () => {
  const setting = begin();
  assertEquals(setting.controller.listeners, 1);
  assertEquals(setting.clock.timers, 1);
  assertFalse(setting.wait.settled);
  assert(setting.wait.resolve("done"));
});

test("Wait.resolve() ends the wait, takes the listener and the timer off, and does so once", async () => {
  const setting = begin();
  assert(setting.wait.resolve("one"));
  assertNothingLeft(setting);
  assertFalse(setting.wait.resolve("two"));
  assertFalse(setting.wait.reject(new Error("three")));
  setting.controller.abort();
  setting.clock.advance(10_000);
  await turns();
  assertEquals(setting.told, ["resolved one"]);
});

test("Wait.reject() ends the wait, takes the listener and the timer off, and does so once", async () => {
  const setting = begin();
  assert(setting.wait.reject("no"));
  assertNothingLeft(setting);
  assertFalse(setting.wait.resolve("yes"));
  assertFalse(setting.wait.reject("no again"));
  setting.controller.abort();
  setting.clock.advance(10_000);
  await turns();
  assertEquals(setting.told, ["rejected no"]);
});

test("an abort ends the wait with the signal's reason untouched, after it gave up", async () => {
  for (const reason of [new Error("mine"), "a text", null, 0]) {
    const setting = begin();
    setting.controller.abort(reason);
    assertEquals(setting.told, ["gave up, not settled"]);
    assertNothingLeft(setting);
    const seen = await setting.wait.promise.catch((error: unknown) => error);
    assertStrictEquals(seen, reason);
    assertFalse(setting.wait.resolve("too late"));
    setting.clock.advance(10_000);
    assertEquals(setting.told, ["gave up, not settled", `rejected ${reason}`]);
  }
});

test("an abort without a reason ends the wait with the signal's own AbortError", async () => {
  const setting = begin();
  setting.controller.abort();
  const reason = await assertRejects(() => setting.wait.promise);
  assertStrictEquals(reason, setting.controller.signal.reason);
  assertEquals((reason as Error).name, "AbortError");
});

test("the deadline ends the wait with its own error, after it gave up, and not a moment sooner", async () => {
  const setting = begin();
  setting.clock.advance(999);
  assertFalse(setting.wait.settled);
  setting.clock.advance(1);
  assertEquals(setting.told, ["gave up, not settled"]);
  assertNothingLeft(setting);
  const error = await assertRejects(() => setting.wait.promise, RangeError);
  assertEquals(error.message, "at 1000");
  setting.controller.abort();
  assertEquals(setting.told.length, 2);
});

test("Wait without a deadline never times out, and one of no time ends on the next turn", async () => {
  for (const timeoutMs of [undefined, Infinity]) {
    const { clock, wait } = begin({ timeoutMs });
    clock.advance(Number.MAX_SAFE_INTEGER);
    assertFalse(wait.settled);
    wait.resolve("");
    assertEquals(clock.timers, 0);
  }
  const setting = begin({ timeoutMs: 0 });
  assertFalse(setting.wait.settled);
  setting.clock.advance(0);
  assertNothingLeft(setting);
  await assertRejects(() => setting.wait.promise, RangeError);
});

test("Wait without a signal ends with its value or its deadline", async () => {
  const served = begin({ signal: undefined });
  served.wait.resolve("served");
  assertEquals(await served.wait.promise, "served");
  const late = begin({ signal: undefined });
  late.clock.advance(1_000);
  await assertRejects(() => late.wait.promise, RangeError);
});

test("one that is settled by an earlier listener of the same abort is not told to give up", async () => {
  const clock = new ManualClock();
  const controller = new CountedController();
  const { signal } = controller;
  let gaveUp = 0;
  signal.addEventListener("abort", () => assert(wait.resolve("just in time")));
  const wait = new Wait<string>(clock, { signal }, () => gaveUp++, () => new Error());
  controller.abort();
  assertEquals(await wait.promise, "just in time");
  assertEquals(gaveUp, 0);
});

test("the timer of a wait keeps the program alive, as whatever is waited for should (trap 18)", () => {
  const held: unknown[] = [];
  const clock = new ManualClock();
  const setTimer = clock.setTimer.bind(clock);
  Object.assign(clock, {
    setTimer(callback: () => void, delayMs: number, holds?: boolean) {
      held.push(holds);
      return setTimer(callback, delayMs);
    },
  });
  const wait = new Wait(clock, { timeoutMs: 5 }, () => {}, () => new Error());
  wait.resolve(undefined);
  assertEquals(held, [true]);
});
